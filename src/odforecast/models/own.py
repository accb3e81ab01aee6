"""States' own counts in a forecast of months: its draws conditioned on them, whatever the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ForecastError
from odforecast.forecasts import Forecast
from odforecast.forecasts.adding import OWN_COUNTS
from odforecast.forecasts.text import FOR_ALL
from odforecast.geography import JURISDICTIONS, NATION, called, closed, whole_and_parts
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import Delays
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, Months
from odforecast.names import LOCATION
from odforecast.panel import Floats, Own, Panel
from odforecast.panel.own import LEAST_OVERLAP, USUAL, Days
from odforecast.panel.own import common as common_months
from odforecast.say import number_of
from odforecast.seeds import Streams

#: Logs are of deaths and a half: a month may have none.
HALF = 0.5
#: Fewer draws than this give no covariance.
LEAST_DRAWS = 50
#: A file this many standard deviations from the forecast moves no other place.
FAR = 3.0
#: How often a file ends in months that have hardly begun to come in.
BEGINS = 0.1
#: Sd of the log of what is there of them.
BEGUN = 1.5
#: Months that both have, at most: five years.
WINDOW = 60
#: Sd of the change in a year of the log of 12-month deaths by residence over those by occurrence
#: (median state), and the years that it weighs as.
DRIFT = 0.018
DRIFT_YEARS = 3.0
#: Steps of a random walk whose variance a mean of 12 months has to its last month: the sum of
#: (k / 12)² for k from 1 to 11.
TO_LAST = 506 / 144
#: Variance of 12 steps over that of the difference of two adjacent means of 12 months.
OF_MEANS = 12 / ((650 + 506) / 144)
#: Correlation of the errors of late arrivals of months one month apart in age.
NEXT = 0.8
#: The spread of CDC's late arrivals is multiplied by this, where they stand for the state's.
DOUBLED = 2.0
#: The age at which the constants give the late share, in months.
AGE = 6.0
#: Of a month no more than this is ever still to come.
MOST = 0.9
#: Pairs of days needed to learn the late arrivals from the file, and months that they are of.
PAIRS = 6
PAIRED_MONTHS = 3


def conditioned(
    forecast: Forecast, panel: Panel, streams: Streams, fitted: Any = None
) -> Forecast:
    """A forecast given the own counts of its panel."""
    # Places that have a file are moved. So are others, where the model knows how their months hang
    # together (`log_months`), and what is added up from them: the nation where it is the sum of its
    # parts, and drug classes, which keep their share of every month.
    own = panel.own
    if own is None:
        return forecast
    if len(forecast.draws) < LEAST_DRAWS:
        raise ForecastError(
            f"own counts move draws by their covariance, which {len(forecast.draws)} draws do not "
            "tell",
            hint=f"ask for {LEAST_DRAWS} draws or more; 1000 is the default",
        )
    months, grid = months_of(forecast)
    paths = {place: months[:, i] for i, place in enumerate(forecast.locations)}
    files, warnings = _read_files(
        forecast, panel, paths=paths, grid=grid, streams=streams
    )
    warnings = [*forecast.warnings, *warnings]
    if not files:
        return forecast._replace(warnings=tuple(warnings))
    moved = {place: move(paths[place], file) for place, file in files.items()}
    if hasattr(fitted, "log_months"):
        for model in fitted.log_months(forecast, streams):
            moved |= _moved_together(model, files, paths=paths)
    nation = "and the nation is added up again" if adds_up(forecast) else ""
    us = None if nation else _nation_beside(forecast, paths, moved=moved)
    if us is not None:
        moved[NATION] = us
        nation = "and the nation moves by what they do"
    others = [place for place in moved if place not in files and place != NATION]
    label = f"{own.said()}, {number_of(len(own.months), 'row')}, hash {own.data_hash}"
    if others:
        still = set(forecast.locations) - {*others, *files, *own.places}
        if nation:
            still.discard(NATION)
        label += FOR_ALL
        if still:
            label += f" but {' '.join(place for place in forecast.locations if place in still)}"
    warnings.append(_about_others(forecast, moved, others=others, nation=nation))
    draws, known = _with_months(forecast, moved)
    whole = replace(
        forecast,
        draws=draws,
        known=known,
        panel=panel,
        warnings=tuple(warnings),
        provenance={**forecast.provenance, OWN_COUNTS: label},
        beside={},
    )
    parts = {
        name: _part(part, forecast, whole=whole, paths=paths, moved=moved)
        for name, part in forecast.beside.items()
    }
    return whole.with_parts(parts) if parts else whole


def _moved_together(
    model: LogMonths, files: Mapping[str, File], paths: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Months of the places of a model that files move; one far from the forecast moves none."""
    trusted = {
        place: files[place]
        for place in model.locations
        if place in files and files[place].far <= FAR
    }
    if not trusted:
        return {}
    before = np.stack([paths[place] for place in model.locations], axis=1)
    after = move_together(before, model, files=trusted)
    return {
        place: after[:, i]
        for i, place in enumerate(model.locations)
        if place in trusted
        or (
            place not in files
            and not np.array_equal(after[:, i], before[:, i], equal_nan=True)
        )
    }


def _about_others(
    forecast: Forecast, moved: Mapping[str, Floats], others: Sequence[str], nation: str
) -> str:
    """The warning that says what places without a file do."""
    if not others:
        text = "other places are forecast as without own counts"
        return f"{text} {nation}" if nation else text
    rows = [forecast.locations.index(place) for place in others]
    old = forecast.draws[:, rows, -1].mean(axis=0).sum()
    new = np.sum([moved[place][:, -1].mean() for place in others])
    percent = round(100.0 * float(new / old - 1.0), 1) + 0.0  # no minus none
    text = f"other places move with them, by {percent:+.1f}% together in {forecast.months[-1]}"
    return f"{text}, {nation}" if nation else text


def months_of(forecast: Forecast) -> tuple[Floats, Months]:
    """Months of all places in every draw, (D, L, n), known ones before them where drawn."""
    if forecast.known.ndim == 2:
        return forecast.draws, forecast.months
    first = forecast.months[0] - 11 * ONE_MONTH
    paths = np.concatenate([forecast.known, forecast.draws], axis=2)
    return paths, np.arange(first, forecast.months[-1] + ONE_MONTH)


def adds_up(forecast: Forecast) -> bool:
    """Whether the nation's draws are the sum of its parts'."""
    if LOCATION not in forecast.joint or whole_and_parts(forecast.locations) is None:
        return False
    us = forecast.locations.index(NATION)
    whole = closed(forecast.draws, forecast.locations, axis=1)[:, us]
    return bool(np.allclose(whole, forecast.draws[:, us], rtol=1e-9, atol=1e-6))


@dataclass(frozen=True, eq=False)
class File:
    """What a place's own counts say about k of its n months, in every draw."""

    #: Which months, in order, shape (k,).
    at: NDArray[np.int_]
    #: Logs of their deaths and a half, shape (k,).
    logs: Floats
    #: Covariance of the errors of those that no other place has, shape (k, k).
    noise: Floats
    #: Sd of what all places have of those errors in common, shape (k,).
    common: Floats
    #: Draws of the errors, shape (D, k).
    errors: Floats
    #: How many standard deviations the months lie from the draws, at most.
    far: float


def _read_files(
    forecast: Forecast,
    panel: Panel,
    paths: Mapping[str, Floats],
    grid: Months,
    streams: Streams,
) -> tuple[dict[str, File], list[str]]:
    """What the file of each place says, as far as it can be used, and the warnings."""
    own = panel.own
    assert own is not None
    constants = delays_for(panel)
    shared = shared_errors(len(forecast.draws), grid.size, rng=streams.generator("own"))
    files: dict[str, File] = {}
    warnings: list[str] = []
    for place in own.places:
        name = f"own counts of {called(place)}"
        if place not in paths:
            reason = forecast.skipped.get(place, "it is not forecast")
            warnings.append(f"{name} are not used: {reason}")
            continue
        late = late_arrivals(own, place, constants=constants)
        drawn = dict(zip(grid.tolist(), paths[place].T))
        counts = open_months(panel, own, place=place, late=late, drawn=drawn)
        if counts is None:
            warnings.append(
                f"{name} are not used: fewer than {LEAST_OVERLAP} months are in CDC's counts too"
            )
            continue
        if not USUAL[0] <= counts.factor <= USUAL[1]:
            warnings.append(
                f"{name} are {counts.factor:.2f} times CDC's ({panel.indicator}): is their "
                "definition right?"
            )
        rng = streams.generator("own", place)
        file, low = _file(counts, paths[place], grid=grid, shared=shared, rng=rng)
        used = file.at.size
        if used:
            files[place] = file
        if low.size:
            warnings.append(
                f"{name} from {low[0]} on are so low that they have hardly begun to come in: "
                "not used"
            )
        if file.far > FAR:
            warnings.append(
                f"{name} lie {file.far:.1f} standard deviations from the forecast: check the last "
                "months of the file; they move no other place"
            )
        newest = own.of(place)[0][-1]
        ahead = int((newest - panel.last_month).astype(int))
        further = (
            f"{number_of(ahead, 'month')} after" if ahead > 0 else "no month after"
        )
        text = (
            f"{name} run to {newest}, {further} CDC's last; {number_of(used, 'month')} not yet "
            f"final at CDC {'is' if used == 1 else 'are'} used. Over "
            f"{number_of(counts.shared, 'earlier month')} they are {counts.factor:.3f} times CDC's "
            f"(sd {100 * counts.factor_sd:.1f}% at the end); {late.source}"
        )
        # A file written later holds fuller counts than were to be had on an earlier day.
        if (own.rows(place)[2] == np.datetime64(own.undated, "D")).any():
            text += f"; counts without as_of are taken as known on {own.undated}"
        warnings.append(text)
    return files, warnings


@dataclass(frozen=True)
class OpenMonths:
    """A place's own counts of k months that CDC's counts do not settle, on CDC's scale."""

    #: Shape (k,).
    months: Months
    #: Deaths expected of them, shape (k,).
    deaths: Floats
    #: Covariance of the errors of their logs that no other place has, shape (k, k).
    noise: Floats
    #: Sd of the errors that all places have in common, shape (k,).
    common: Floats
    #: Own over CDC's counts of the last common 12 months.
    factor: float
    #: Relative sd of that factor at the last month.
    factor_sd: float
    #: Months that it was learned on.
    shared: int


def open_months(
    panel: Panel, own: Own, place: str, late: Late, drawn: Mapping[object, Floats]
) -> OpenMonths | None:
    """What a place's own counts say about months that CDC's do not settle; None if too few."""
    months, deaths, days = own.of(place)
    both, mine, cdc = common_months(panel, own, state=place)
    end = panel.final_through
    unsettled = 0.0
    if (both <= end).sum() < LEAST_OVERLAP:
        # Months that are open at CDC, as the model completes them: known as far as draws agree.
        end = panel.last_month
        completed = [
            drawn.get(month, np.array([count]))
            for month, count in zip(both.tolist(), cdc)
        ]
        cdc = np.array([np.mean(draws) for draws in completed])
        varying = [draws for draws in completed[-12:] if draws.size > 1]
        if varying:
            unsettled = float(np.std(np.sum(varying, axis=0))) / max(
                float(cdc[-12:].sum()), 1.0
            )
    settled = np.flatnonzero(both <= end)[-WINDOW:]
    if settled.size < LEAST_OVERLAP:
        return None
    both = both[settled]
    cdc = cdc[settled]
    missing, missing_sd = late.missing(ages_of(months, days))
    learned = np.searchsorted(months, both)
    complete = mine[settled] * np.exp(missing[learned])
    sums = rolling_sums(np.stack([complete, cdc])) + HALF
    ratio = sums[0] / sums[1]
    # Months differ from CDC's by the ratio of the year about them, by a constant of the calendar
    # month (CDC's are recovered from sums), and by chance, which is more than that of counting.
    scaled = complete / ratio[np.clip(np.arange(both.size) - 5, 0, ratio.size - 1)]
    calendar = both.astype(int) % 12
    years = np.bincount(calendar)
    constant = np.bincount(calendar, cdc - scaled) / years
    error = cdc - scaled - constant[calendar]
    level = np.maximum(scaled + constant[calendar], HALF)
    free = max(both.size - 12 - both.size // 12, 0)
    chance = (12.0 + (error**2 / level).sum()) / (12.0 + free)
    # The ratio walks on from the last common 12 months.
    changes = np.log(ratio[12:] / ratio[:-12])[::-12]
    drift = (DRIFT_YEARS * DRIFT**2 + (changes**2).sum()) / (DRIFT_YEARS + changes.size)
    new = np.flatnonzero(months > both[-1])
    calendar = months[new].astype(int) % 12
    expected = np.maximum(
        deaths[new] * np.exp(missing[new]) / ratio[-1] + constant[calendar], 0.0
    )
    # Errors in deaths become errors of logs at a level that the count itself does not move.
    year = float(level[-12:].mean())
    usual = np.array(
        [np.mean(drawn.get(month, year)) for month in months[new].tolist()]
    )
    usual = np.maximum(usual, HALF) + HALF
    since = (months[new] - both[-1]).astype(float) + TO_LAST
    walk = OF_MEANS * drift / 12.0 * np.minimum.outer(since, since)
    filling = missing_sd[new] - missing_sd[learned[-12:]].mean()
    single = (
        chance * (1.0 + 1.0 / years[calendar]) / usual
        + (late.noise * missing[new]) ** 2
    )
    noise = walk + unsettled**2 + chance / sums[1][-1] + np.diag(single)
    return OpenMonths(
        months[new],
        expected,
        noise=noise + (1.0 - late.common) * near(since) * np.outer(filling, filling),
        common=np.sqrt(late.common) * filling,
        factor=float(ratio[-1]),
        factor_sd=float(
            np.sqrt(
                (walk[-1, -1] if new.size else OF_MEANS * drift / 12.0 * TO_LAST)
                + unsettled**2
            )
        ),
        shared=int(both.size),
    )


def _file(
    counts: OpenMonths,
    paths: Floats,
    grid: Months,
    shared: Floats,
    rng: np.random.Generator,
) -> tuple[File, Months]:
    """The counts that are used of those in a forecast's months; and months that are too low."""
    # paths, shared (D, n)
    at = (counts.months - grid[0]).astype(int)
    used = np.flatnonzero((at >= 0) & (at < grid.size))
    used = used[np.isfinite(paths[0, at[used]])]
    logs = np.log(counts.deaths + HALF)
    covariance = counts.noise + near(at) * np.outer(counts.common, counts.common)
    covariance = covariance[np.ix_(used, used)] + _covariance(
        logs_of(paths[:, at[used]])
    )
    away = logs[used] - logs_of(paths[:, at[used]]).mean(axis=0)
    n_filled = filled_until(away, covariance)
    low = counts.months[used[n_filled:]]
    used = used[:n_filled]
    noise = counts.noise[np.ix_(used, used)]
    common = counts.common[used]
    errors = rng.standard_normal((len(paths), used.size)) @ np.linalg.cholesky(noise).T
    errors += shared[:, at[used]] * common
    errors -= errors.mean(axis=0)  # what they add is spread, and nothing to the mean
    z = np.abs(away) / np.sqrt(np.diag(covariance))
    far = float(z[:n_filled].max(initial=0.0))
    file = File(
        at[used], logs[used], noise=noise, common=common, errors=errors, far=far
    )
    return file, low


def near(months: Floats | NDArray[np.int_]) -> Floats:
    """Correlation of the errors of late arrivals of k months, given their numbers; (k, k)."""
    return np.asarray(NEXT ** np.abs(np.subtract.outer(months, months)).astype(float))


def shared_errors(n_draws: int, n: int, rng: np.random.Generator) -> Floats:
    """Draws of errors of n months that places share, at an sd of 1; shape (D, n)."""
    out = rng.standard_normal((n, n_draws))
    # Month after month: those of a shorter forecast are the first ones of a longer one.
    for k in range(1, n):
        out[k] = NEXT * out[k - 1] + np.sqrt(1.0 - NEXT**2) * out[k]
    return out.T


def filled_until(away: Floats, covariance: Floats) -> int:
    """How many of k months have come in, of which the last ones may have hardly begun to."""
    # away (k,), what they lie above the forecast; covariance (k, k) of that.
    # Compared are the likelihoods that all have, and that from some month on the counts hold only
    # what has begun to come in: any lower number is about as likely.
    k = away.size
    best = -np.inf
    n_filled = k
    for n in range(k, -1, -1):
        if (away[n:] >= 0).any():
            break
        wider = covariance + np.diag(np.where(np.arange(k) >= n, BEGUN**2, 0.0))
        _, size = np.linalg.slogdet(wider)
        fit = -0.5 * (size + float(away @ np.linalg.solve(wider, away)))
        fit += np.log(1.0 - BEGINS if n == k else BEGINS / k)
        if fit > best:
            best = fit
            n_filled = n
    return n_filled


# Late arrivals


@dataclass(frozen=True)
class Late:
    """Late arrivals of months by age: ``alpha exp(-delta age)`` is still to come."""

    alpha: float
    delta: float
    #: Relative error of that, the same for all months of a place.
    spread: float
    #: Relative error of a single month's.
    noise: float
    #: What it rests on.
    source: str
    #: Share of the variance of the error that all places have in common whose counts are taken to
    #: fill up as CDC's do.
    common: float = 0.0

    def share(self, ages: Floats) -> Floats:
        """Share of a month's deaths that is still to come."""
        return np.asarray(np.minimum(self.alpha * np.exp(-self.delta * ages), MOST))

    def missing(self, ages: Floats) -> tuple[Floats, Floats]:
        """Mean and sd of the log of a month once complete over the month as counted."""
        # The odds of arriving late are lognormal, so that less than nothing never arrives.
        share = self.share(ages)
        spread = np.sqrt(np.log1p(self.spread**2))
        nodes, weights = np.polynomial.hermite_e.hermegauss(20)
        weights /= weights.sum()
        odds = (share / (1.0 - share))[:, None] * np.exp(
            spread * nodes - 0.5 * spread**2
        )
        logs = np.log1p(odds)
        mean = logs @ weights
        return mean, np.sqrt((logs - mean[:, None]) ** 2 @ weights)


def late_arrivals(own: Own, place: str, constants: Delays) -> Late:
    """How far a place's counts are filled up by age: from its own days, else as CDC's are."""
    # Ages are months from the end of a month to the day on which it was counted.
    if own.complete:
        return Late(0.0, 1.0, spread=0.0, noise=0.0, source="taken as complete")
    spread = float(np.hypot(constants.late_own, constants.late_shared))
    months, deaths, days = own.rows(place)
    newest_months, newest_deaths, newest_days = own.of(place)
    newest = np.searchsorted(newest_months, months)
    ages = ages_of(months, days)
    last_ages = ages_of(newest_months, newest_days)[newest]
    pairs = (last_ages > ages) & (newest_deaths[newest] > 0) & (deaths > 0)
    # Pairs of old months show nothing of young ones, such as those that the file ends in.
    # Counts of one month have one error in common: less than three months teach no spread.
    enough = pairs.sum() >= PAIRS and np.unique(months[pairs]).size >= PAIRED_MONTHS
    if enough and ages[pairs].min() <= last_ages.min() + 1.0:
        alpha, delta, spread = _fitted(
            ages[pairs],
            last_ages[pairs],
            then=deaths[pairs],
            now=newest_deaths[newest][pairs],
            spread=spread,
        )
        source = (
            f"assumed to fill up as {int(pairs.sum())} earlier counts in the file did"
        )
        return Late(alpha, delta, spread=spread, noise=constants.noise, source=source)
    reason = "the file has one day only"
    if pairs.any():
        reason = "few months of the file have several days"
    if enough:
        reason = (
            "the months of the file that have several days were older than its last"
        )
    return Late(
        constants.late * float(np.exp(constants.late_decay * AGE)),
        constants.late_decay,
        spread=DOUBLED * spread,
        noise=constants.noise,
        source=f"assumed to be as incomplete as CDC's, with doubled uncertainty, because {reason}",
        common=float(constants.late_shared / spread) ** 2,
    )


def ages_of(months: Months, days: Days) -> Floats:
    """Whole months from the end of each month to a day."""
    return (days.astype("datetime64[M]") - months).astype(float) - 1.0


def _fitted(
    young: Floats, old: Floats, then: Floats, now: Floats, spread: float
) -> tuple[float, float, float]:
    """``alpha``, ``delta`` and the spread of P pairs of counts of one month, by least squares."""
    deltas = np.linspace(0.1, 1.2, 23)
    alphas = np.concatenate([[0.0], np.geomspace(0.01, 2.0, 60)])

    def missing(alpha: Floats | float, delta: float, ages: Floats) -> Floats:
        """Share of a month that is still to come at these ages."""
        return np.asarray(np.minimum(alpha * np.exp(-delta * ages), MOST))

    least = np.inf
    alpha = delta = 0.0
    for rate in deltas:  # one at a time: a file of daily counts has thousands of pairs
        error = np.log(then / now) - np.log1p(-missing(alphas[:, None], rate, young))
        error += np.log1p(-missing(alphas[:, None], rate, old))
        squares = (now * error**2).sum(axis=1)
        if squares.min() < least:
            least = squares.min()
            alpha = float(alphas[squares.argmin()])
            delta = float(rate)
    before = missing(alpha, delta, young)
    after = missing(alpha, delta, old)
    odds = before / (1.0 - before) - after / (1.0 - after)
    some = odds > 0.02
    error = (now / then - 1.0 - odds)[some] / odds[some]
    # What counting alone scatters is no error of the curve.
    squares = np.maximum(error**2 - 1.0 / (odds * then)[some], 0.0).sum()
    variance = (4.0 * spread**2 + squares) / (4.0 + some.sum())
    return alpha, delta, float(np.sqrt(variance))


# Draws given what is observed


def logs_of(paths: Floats) -> Floats:
    """Logs of months' deaths and a half; hidden ones are taken for none."""
    return np.asarray(np.log(np.maximum(np.nan_to_num(paths), 0.0) + HALF))


def _covariance(logs: Floats) -> Floats:
    """Covariance of draws (D, n), shape (n, n)."""
    return np.cov(logs.T).reshape(logs.shape[1], logs.shape[1])


def moved_by(shift: Floats, logs: Floats, paths: Floats) -> Floats:
    """Months whose logs are shifted; where the shift is 0, or hidden, exactly as they were."""
    # shift, logs, paths (D, ..., n)
    still = (shift == 0) | np.isnan(paths).any(axis=0)
    return np.asarray(
        np.where(still, paths, np.maximum(np.exp(logs + shift) - HALF, 0.0))
    )


def move(paths: Floats, file: File) -> Floats:
    """The months (D, n) of each draw, given some of them, by the covariance of the draws.

    That covariance fits the K observed months to these very draws, so that what is left is too
    small by K of D - 1 degrees of freedom: it is widened by as much, at most to twice.
    """
    logs = logs_of(paths)
    covariance = _covariance(logs)
    observed = covariance[np.ix_(file.at, file.at)] + file.noise
    observed += near(file.at) * np.outer(file.common, file.common)
    gain = np.linalg.solve(observed, covariance[file.at])
    shift = (file.logs - logs[:, file.at] - file.errors) @ gain
    degrees = len(logs) - 1
    widening = np.sqrt(degrees / max(degrees - file.at.size, degrees / 4))
    left = logs + shift
    shift += (widening - 1.0) * (left - left.mean(axis=0))
    return moved_by(shift, logs, paths=paths)


@dataclass(frozen=True, eq=False)
class LogMonths:
    """How the logs of the months of L places (deaths and a half) hang together in a model."""

    #: CDC codes.
    locations: tuple[str, ...]
    #: What each month takes of K standard normals that places may share, shape (L, n, K).
    shared: Floats
    #: Covariance of what is in no other place's months, shape (L, n, n).
    own: Floats
    #: What each month takes of the nation's innovations, H standard normals, shape (L, n, H).
    nation: Floats
    #: Scale of those in each draw, shape (D,).
    scale: Floats


def move_together(paths: Floats, model: LogMonths, files: Mapping[str, File]) -> Floats:
    """The months (D, L, n) of all places in each draw, given some of them: Matheron's rule."""
    logs = logs_of(paths)
    n_draws, n_loc, n = logs.shape
    rows = [model.locations.index(place) for place in files]
    place = np.repeat(rows, [file.at.size for file in files.values()])
    month = np.concatenate([file.at for file in files.values()])
    observed = np.concatenate([file.logs for file in files.values()])
    common = np.concatenate([file.common for file in files.values()])
    errors = np.concatenate([file.errors for file in files.values()], axis=1)
    loads = model.shared[place, month]
    nation = model.nation[place, month]
    # Of all that is observed, without the nation's innovations, whose scale differs by draw.
    covariance = loads @ loads.T + near(month) * np.outer(common, common)
    for i, file in zip(rows, files.values()):
        mine = np.flatnonzero(place == i)
        covariance[np.ix_(mine, mine)] += (
            file.noise + model.own[i][np.ix_(file.at, file.at)]
        )
    inverse = np.linalg.inv(covariance)
    values, vectors = np.linalg.eigh(nation.T @ inverse @ nation)
    turned = nation @ vectors
    square = model.scale[:, None] ** 2
    weight = (observed - logs[:, place, month] - errors) @ inverse
    factor = square / (1.0 + square * np.maximum(values, 0.0))
    weight -= (weight @ turned * factor) @ (turned.T @ inverse)
    shift = (weight @ loads) @ model.shared.reshape(n_loc * n, -1).T
    shift += (square * (weight @ nation)) @ model.nation.reshape(n_loc * n, -1).T
    shift = shift.reshape(n_draws, n_loc, n)
    for i, file in zip(rows, files.values()):
        shift[:, i] += weight[:, place == i] @ model.own[i][file.at]
    return moved_by(shift, logs, paths=paths)


# What is added up from the places, or a part of them


def _nation_beside(
    forecast: Forecast, paths: Mapping[str, Floats], moved: Mapping[str, Floats]
) -> Floats | None:
    """Months of a nation that is not the sum of its places, moved by as many; None if it stays."""
    places = [place for place in moved if place in JURISDICTIONS]
    if LOCATION not in forecast.joint or NATION not in forecast.locations:
        return None
    us = paths[NATION]
    change = _sum_of(places, moved, like=us) - _sum_of(places, paths, like=us)
    if not change.any():
        return None
    units = [place for place in forecast.locations if place in JURISDICTIONS]
    if (us < _sum_of(units, paths, like=us) - 1e-6).any():
        # A nation modelled on its own: its draws are others than its places'.
        change = us * (change.mean(axis=0) / np.maximum(us.mean(axis=0), HALF))
    return np.maximum(us + change, 0.0)


def _sum_of(
    places: Sequence[str], months: Mapping[str, Floats], like: Floats
) -> Floats:
    """Sum of the last months of some places, as many as ``like`` has; zero for none."""
    n = like.shape[1]
    return np.sum([months[place][:, -n:] for place in places], axis=0) + np.zeros_like(
        like
    )


def _with_months(
    forecast: Forecast, moved: Mapping[str, Floats]
) -> tuple[Floats, Floats]:
    """Draws and known months with those of some places moved, sums added up again."""
    draws = forecast.draws.copy()
    known = forecast.known.copy()
    for place, months in moved.items():
        i = forecast.locations.index(place)
        draws[:, i] = months[:, -draws.shape[2] :]
        if known.ndim == 3:
            known[:, i] = months[:, :11]
    if moved and adds_up(forecast):
        draws = closed(draws, forecast.locations, axis=1)
        if known.ndim == 3:
            known = closed(known, forecast.locations, axis=1)
    return draws, known


def _part(
    part: Forecast,
    forecast: Forecast,
    whole: Forecast,
    paths: Mapping[str, Floats],
    moved: Mapping[str, Floats],
) -> Forecast:
    """A drug class, which keeps its share of every month of its whole."""
    months = months_of(part)[0]
    mine = {place: months[:, i] for i, place in enumerate(part.locations)}
    shared = {
        place: keep_share(mine[place], paths[place], moved=moved[place])
        for place in moved
        if place in mine
    }
    if NATION in mine and adds_up(forecast) and not adds_up(part):
        # What is of places without a part of their own keeps its share of their deaths.
        us = mine[NATION]
        units = [place for place in mine if place in JURISDICTIONS]
        others = [place for place in JURISDICTIONS if place not in mine]
        rest = keep_share(
            us - _sum_of(units, mine, like=us),
            _sum_of(others, paths, like=us),
            moved=_sum_of(others, {**paths, **moved}, like=us),
        )
        shared[NATION] = np.maximum(
            _sum_of(units, {**mine, **shared}, like=us) + rest, 0.0
        )
    draws, known = _with_months(part, shared)
    rows = [forecast.locations.index(place) for place in part.locations]
    draws = _inside(
        draws,
        whole.draws[:, rows],
        before=part.draws,
        whole_before=forecast.draws[:, rows],
    )
    if known.ndim == whole.known.ndim == 3:
        known = _inside(
            known,
            whole.known[:, rows],
            before=part.known,
            whole_before=forecast.known[:, rows],
        )
    return replace(part, draws=draws, known=known)


def keep_share(part: Floats, whole: Floats, moved: Floats) -> Floats:
    """Months of a part that keeps its share of a whole that moved; of a whole of none it stays."""
    n = min(part.shape[1], whole.shape[1])  # months before may be drawn of one alone
    before = whole[:, -n:]
    factor = np.where(
        before > 0, moved[:, -n:] / np.where(before > 0, before, 1.0), 1.0
    )
    out = part.copy()
    out[:, -n:] *= factor
    return out


def _inside(
    part: Floats, whole: Floats, before: Floats, whole_before: Floats
) -> Floats:
    """A part no larger than its whole, where it was not: rounding of a product is not a death."""
    return np.asarray(np.where(before <= whole_before, np.minimum(part, whole), part))
