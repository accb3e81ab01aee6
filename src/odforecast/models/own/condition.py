"""A forecast given the own counts of its panel: on what scale, what moves, what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from odforecast.errors import ForecastError
from odforecast.forecast import Forecast
from odforecast.forecast.adding import OWN_COUNTS
from odforecast.forecast.text import FOR_ALL
from odforecast.geography import JURISDICTIONS, NATION, called, closed, whole_and_parts
from odforecast.models.delay.constants import delays_for
from odforecast.models.own.joint import (
    HALF,
    Late,
    Linear,
    LogMonths,
    Told,
    ages_of,
    apart,
    late_arrivals,
    logs_of,
    move,
    move_together,
    moved_by,
    near,
    shared_errors,
    told,
)
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, Months
from odforecast.names import LOCATION, TARGET_MONTH
from odforecast.panel import Floats, Own, Panel
from odforecast.panel.own import LEAST_OVERLAP, USUAL
from odforecast.panel.own import common as common_months
from odforecast.say import number_of
from odforecast.seeds import Streams


def months_of(made: Forecast, state: str) -> tuple[Floats, Months]:
    """Months of a place in every draw, shape (D, n), known ones before them where drawn."""
    i = made.locations.index(state)
    if made.known.ndim == 2:
        return made.draws[:, i], made.months
    first = made.months[0] - 11 * ONE_MONTH
    paths = np.concatenate([made.known[:, i], made.draws[:, i]], axis=1)
    return paths, np.arange(first, made.months[-1] + ONE_MONTH)


def moves(made: Forecast, state: str, months: Floats) -> bool:
    """Whether a place's months, shape (D, n), are other ones than were drawn."""
    return not np.array_equal(months, months_of(made, state)[0], equal_nan=True)


def nation_beside(
    made: Forecast, moved: Mapping[str, Floats], files: Mapping[str, Told], linear: bool
) -> Floats | None:
    """Months of a nation that is not the sum of its places, moved as those are; None if it stays.

    A drug class's nation is in every draw its places and a rest: that one stays. The months of a
    nation modelled on its own are other draws than its places'. Their logs take on the change of
    the mean and of the variance of its places and a rest, which moves as those without a file do.
    """
    units = [s for s in made.locations if s in JURISDICTIONS]
    if LOCATION not in made.joint or NATION not in made.locations or not units:
        return None
    if not any(s in moved and moves(made, s, moved[s]) for s in units):
        return None
    us = months_of(made, NATION)[0]

    def months(states: Sequence[str], new: Mapping[str, Floats]) -> Floats:
        rows = [new[s] if s in new else months_of(made, s)[0] for s in states]
        return np.sum(rows, axis=0) + np.zeros_like(us)

    before, after = months(units, {}), months(units, moved)
    if not linear:
        within = np.isfinite(before).all() and (us - before >= -1e-6).all()
        return np.maximum(us + after - before, 0.0) if within else None
    free = [s for s in units if s not in files]
    was, now = months(free, {}), months(free, moved)
    rest = np.maximum(us.mean(axis=0) - before.mean(axis=0), 0.0)
    there = was.mean(axis=0) > 0
    times = np.where(there, rest / np.where(there, was.mean(axis=0), 1.0), 0.0)
    still = np.where(there, 0.0, rest)
    logs = logs_of(us)
    old, new = logs_of(before + times * was + still), logs_of(after + times * now + still)
    shift = new.mean(axis=0) - old.mean(axis=0)
    left = logs.var(axis=0) - old.var(axis=0) + new.var(axis=0)
    left = np.maximum(left, np.minimum(logs.var(axis=0), new.var(axis=0)))
    varies = logs.std(axis=0) > 1e-12
    narrower = np.where(varies, np.sqrt(left) / np.where(varies, logs.std(axis=0), 1.0), 1.0)
    shift = shift + (narrower - 1.0) * (logs - logs.mean(axis=0))
    return moved_by(shift, logs, us)


#: Months that both have, at most: five years.
WINDOW = 60
#: Sd of the change in a year of the log of 12-month deaths by residence over those by occurrence
#: (median state), and the years that it weighs as.
DRIFT, _DRIFT_YEARS = 0.018, 3.0
#: Months of plain Poisson noise that the noise of counting in two systems is shrunk to.
_POISSON_MONTHS = 12.0
#: How much of each step of a random walk two adjacent means of 12 months have between them: 1/12 of
#: the first, all of the middle one, 1/12 of the last.
_WEIGHTS = np.arange(1, 13) / 12.0
#: Steps whose variance a mean of 12 months has to its last month: sum of (k/12)^2, k = 1..11.
_TO_LAST = float((_WEIGHTS[:-1] ** 2).sum())
#: Variance of a walk in 12 months over that of the difference of those means, (650 + 506) / 144
#: steps': means level out a third of it.
OF_MEANS = 12.0 / (float((_WEIGHTS**2).sum()) + _TO_LAST)


@dataclass(frozen=True)
class Seen:
    """What a place's own counts say of its months, on CDC's scale.

    Attributes
    ----------
    months : ndarray of datetime64[M], shape (k,)
        Months that CDC's counts do not settle.
    deaths : ndarray, shape (k,)
        Deaths expected of them.
    noise : ndarray, shape (k, k)
        Covariance of the errors of their logs.
    factor, factor_sd : float
        Own over CDC's counts of the last common 12 months, and the relative sd at the last month.
    shared : int
        Months that it was learned on.
    common : ndarray, shape (k,)
        Sd of what other places have of those errors, too: late arrivals, where files are taken to
        fill up as CDC's counts do.
    """

    months: Months
    deaths: Floats
    noise: Floats
    factor: float
    factor_sd: float
    shared: int
    common: Floats


def seen_months(
    panel: Panel, own: Own, state: str, late: Late, drawn: dict[object, Floats]
) -> Seen | None:
    """What a place's own counts say of months that CDC's do not settle.

    Parameters
    ----------
    panel : Panel
    own : Own
    state : str
    late : Late
    drawn : dict
        Months to their draws, where a model completes CDC's counts. Used where CDC's settled
        counts share too few months with the state's.

    Returns
    -------
    Seen or None
        None if there are too few common months.
    """
    months, _, days = own.of(state)
    both, mine, cdc = common_months(panel, own, state)
    end, extra = panel.final_through, 0.0
    if (both <= end).sum() < LEAST_OVERLAP:
        end = panel.last_month
        completed = [drawn.get(m, np.array([c])) for m, c in zip(both.tolist(), cdc)]
        cdc = np.array([np.mean(x) for x in completed])
        # The last 12 months are known as far as the model's draws of them agree.
        open_months = [x for x in completed[-12:] if np.size(x) > 1]
        if open_months:
            spread = float(np.std(np.sum(open_months, axis=0)))
            extra = spread / max(float(cdc[-12:].sum()), 1.0)
    keep = both <= end
    both, mine, cdc = both[keep][-WINDOW:], mine[keep][-WINDOW:], cdc[keep][-WINDOW:]
    if both.size < LEAST_OVERLAP:
        return None
    missing, missing_sd = late.missing(ages_of(months, days))
    place = {m: i for i, m in enumerate(months.tolist())}
    at = np.array([place[m] for m in both.tolist()])
    mine = mine * np.exp(missing[at])
    size = rolling_sums(np.stack([mine, cdc])) + HALF
    ratio = size[0] / size[1]
    # The ratio of the twelve months about each month, and of the last twelve from there on.
    centred = np.clip(np.arange(both.size) - 5, 0, ratio.size - 1)
    scaled = mine / ratio[centred]
    calendar = both.astype(int) % 12
    constant, years = np.zeros(12), np.zeros(12)
    for c in range(12):
        of = calendar == c
        years[c] = of.sum()
        constant[c] = (cdc - scaled)[of].mean()
    left = cdc - scaled - constant[calendar]
    free = max(both.size - 12 - both.size // 12, 0)
    level = np.maximum(scaled + constant[calendar], HALF)
    phi = (_POISSON_MONTHS + (left**2 / level).sum()) / (_POISSON_MONTHS + free)
    changes = np.log(ratio[12:] / ratio[:-12])[::-12]
    change = (_DRIFT_YEARS * DRIFT**2 + (changes**2).sum()) / (_DRIFT_YEARS + changes.size)
    drift = OF_MEANS * change  # variance in 12 months
    new = np.flatnonzero(months > both[-1])
    month = months[new]
    deaths = own.of(state)[1][new] * np.exp(missing[new]) / ratio[-1]
    of_year = month.astype(int) % 12
    deaths = np.maximum(deaths + constant[of_year], 0.0)
    # Errors in deaths become errors of logs at a level that the count itself does not move.
    year = float(level[-12:].mean())
    usual = np.array([np.mean(drawn[m]) if m in drawn else year for m in month.tolist()])
    usual = np.maximum(usual, HALF) + HALF
    since = (month - both[-1]).astype(float) + _TO_LAST
    walk = drift / 12.0 * np.minimum.outer(since, since)
    late_sd = missing_sd[new] - missing_sd[at[-12:]].mean()
    filling = near(since) * np.outer(late_sd, late_sd)
    filling = filling + np.diag((late.noise * missing[new]) ** 2)
    single = phi * (1.0 + 1.0 / years[of_year]) / usual
    noise = walk + extra**2 + phi / size[1][-1] + np.diag(single) + filling
    last = float(np.sqrt(drift / 12.0 * (since[-1] if new.size else _TO_LAST) + extra**2))
    common = np.sqrt(late.common) * late_sd
    return Seen(month, deaths, noise, float(ratio[-1]), last, int(both.size), common)


#: Fewer draws than this give no covariance.
LEAST_DRAWS = 50
#: Own counts this many sd from the forecast are said to be so.
_FAR = 4.0


def check_target(label: str, target: str, panel: Panel) -> None:
    """Refuse own counts to a model that draws no months.

    Raises
    ------
    ForecastError
        If its paths are 12-month counts.
    """
    if panel.own is not None and target != TARGET_MONTH:
        raise ForecastError(
            f"{label} forecasts 12-month counts, and own counts ({panel.own.said()}) are of months",
            hint="use a model of months: dlm, ensemble, naive, …",
        )


def conditioned(made: Forecast, panel: Panel, streams: Streams, fitted: object = None) -> Forecast:
    """A forecast given the own counts of its panel.

    Places that have some are moved; those that have none, too, where the model knows how their
    months hang together (:class:`~odforecast.models.own.joint.Linear`). So is what is added up
    from them: the nation where it is the sum of its parts, and drug classes, which keep their
    share of every month.

    Parameters
    ----------
    made : Forecast
        Of months, drawn without own counts.
    panel : Panel
        Its panel, with own counts.
    streams : Streams
        Those it was drawn from.
    fitted : object, optional
        What drew it.

    Raises
    ------
    ForecastError
        If there are too few draws.
    """
    own = panel.own
    if own is None:
        return made
    if len(made.draws) < LEAST_DRAWS:
        raise ForecastError(
            f"own counts move draws by their covariance, which {len(made.draws)} draws do not tell",
            hint=f"ask for {LEAST_DRAWS} draws or more; 1000 is the default",
        )
    constants = delays_for(panel)
    files: dict[str, Told] = {}
    warnings, used = list(made.warnings), []
    linear = isinstance(fitted, Linear)
    shared = None
    if linear:
        n = made.months.size + (11 if made.known.ndim == 3 else 0)
        shared = shared_errors(len(made.draws), n, streams.generator("own"))
    for state in own.places:
        name = called(state)
        if state not in made.locations:
            why = made.skipped.get(state, "it is not forecast")
            warnings.append(f"own counts of {name} are not used: {why}")
            continue
        paths, grid = months_of(made, state)
        late = late_arrivals(own, state, constants)
        seen = seen_months(panel, own, state, late, dict(zip(grid.tolist(), paths.T)))
        if seen is None:
            warnings.append(
                f"own counts of {name} are not used: fewer than {LEAST_OVERLAP} months are in "
                "CDC's counts too"
            )
            continue
        if not USUAL[0] <= seen.factor <= USUAL[1]:
            warnings.append(
                f"own counts of {name} are {seen.factor:.2f} times CDC's ({panel.indicator}): is "
                "their definition right?"
            )
        at = (seen.months - grid[0]).astype(int)
        there = (at >= 0) & (at < grid.size)
        there[there] &= np.isfinite(paths[0, at[there]])
        n = int(there.sum())
        if n:
            rng = streams.generator("own", state)
            observed = np.log(np.maximum(seen.deaths[there], 0.0) + HALF)
            noise = seen.noise[np.ix_(there, there)]
            common = seen.common[there] if linear else None
            files[state], whole = told(paths, at[there], observed, noise, rng, common, shared)
            if whole < n:
                warnings.append(
                    f"own counts of {name} from {seen.months[there][whole]} on are so low that "
                    "they have hardly begun to come in: not used"
                )
                n = whole
            if files[state].far > _FAR:
                warnings.append(
                    f"own counts of {name} lie {files[state].far:.0f} standard deviations from "
                    "the forecast: look at the file"
                )
        used.append(state)
        warnings.append(_said(panel, own, state, seen, late, n))
    moved: dict[str, Floats] = {}
    if isinstance(fitted, Linear) and any(t.at.size for t in files.values()):
        moved, far = _together(made, fitted.log_months(made, streams), files)
        warnings += [
            f"own counts of {called(s)} lie {sd:.1f} standard deviations from what the forecast "
            "and the other files say of them: they move no other place"
            for s, sd in far.items()
        ]
    others = sorted(s for s in set(moved) - set(files) if moves(made, s, moved[s]))
    for state, file in files.items():
        if state not in moved:
            moved[state] = move(months_of(made, state)[0], file)
    again = " and the nation is added up again" if _adds_up(made) else ""
    if not again and (nation := nation_beside(made, moved, files, linear)) is not None:
        moved[NATION] = nation
        again = " and the nation, which is not their sum, moves as they do together"
        if not linear:
            again = " and the nation moves by what they do"
    if used:
        how = "are forecast as without own counts"
        if others:
            change = _change(made, others, moved)
            how = f"learn of them through the region and the nation, {change}"
            again = again and f",{again}"
        warnings.append(f"other places {how}{again}")
    said = f"{own.said()}, {number_of(len(own.months), 'row')}, hash {own.data_hash}"
    if others:
        stay = [s for s in made.locations if s not in {*others, *files, *own.places}]
        if again:
            stay = [s for s in stay if s != NATION]
        said += FOR_ALL + (f" but {' '.join(stay)}" if stay else "")
    return _moved(made, panel, moved, tuple(warnings), said)


def _change(made: Forecast, states: Sequence[str], moved: Mapping[str, Floats]) -> str:
    """By how much places together have moved in the last month."""
    before = made.draws[:, [made.locations.index(s) for s in states], -1].mean(axis=0).sum()
    after = np.sum([moved[s][:, -1].mean() for s in states])
    percent = round(100.0 * float(after / before - 1.0), 1) + 0.0  # no minus none
    return f"together by {percent:+.1f} % in {made.months[-1]}"


def _together(
    made: Forecast, models: Sequence[LogMonths], files: Mapping[str, Told]
) -> tuple[dict[str, Floats], dict[str, float]]:
    """Months of all places that hang together with one that has a file, and the files that move
    no other place: how far they lie from all else.
    """
    moved: dict[str, Floats] = {}
    far: dict[str, float] = {}
    for model in models:
        mine = {s: t for s, t in files.items() if s in model.locations and t.at.size}
        if not mine:
            continue
        paths = np.stack([months_of(made, s)[0] for s in model.locations], axis=1)
        alone = apart(paths, model, mine) if len(model.locations) > 1 else {}
        far |= alone
        after = move_together(paths, model, mine, tuple(alone))
        moved |= {s: after[:, i] for i, s in enumerate(model.locations)}
    return moved, far


def _said(panel: Panel, own: Own, state: str, seen: Seen, late: Late, n: int) -> str:
    """One line: which months, and on what the scale and the late arrivals rest."""
    newest = own.of(state)[0][-1]
    ahead = int((newest - panel.last_month).astype(int))
    # A file written later holds fuller counts than were to be had on an earlier day.
    undated = bool((own.rows(state)[2] == np.datetime64(own.undated, "D")).any())
    known = f"; counts without as_of are taken as known on {own.undated}" if undated else ""
    further = f"{number_of(ahead, 'month')} after" if ahead > 0 else "no month after"
    return (
        f"{called(state)} is given its own counts up to {newest} ({further} CDC's last, {n} used): "
        f"{seen.factor:.3f} times CDC's on {number_of(seen.shared, 'common month')}, sd "
        f"{100 * seen.factor_sd:.1f} % at the end; {late.how}{known}"
    )


def _adds_up(made: Forecast) -> bool:
    """Whether the nation's draws are the sum of its parts'."""
    if LOCATION not in made.joint or whole_and_parts(made.locations) is None:
        return False
    us = made.locations.index(NATION)
    whole = closed(made.draws, made.locations, axis=1)[:, us]
    return bool(np.allclose(whole, made.draws[:, us], rtol=1e-9, atol=1e-6))


def _moved(
    made: Forecast, panel: Panel, moved: dict[str, Floats], warnings: tuple[str, ...], said: str
) -> Forecast:
    """The forecast with its months moved, sums added up again, and its classes with it."""
    draws, known = _placed(made, moved)
    whole = replace(
        made,
        draws=draws,
        known=known,
        panel=panel,
        warnings=warnings,
        provenance={**made.provenance, OWN_COUNTS: said},
        beside={},
    )
    parts, adds_up = {}, _adds_up(made)
    for short, part in made.beside.items():
        held = {s: _shared(part, made, s, m) for s, m in moved.items() if s in part.locations}
        if adds_up and NATION in part.locations and not _adds_up(part):
            held[NATION] = _nation_of(part, made, held, moved)
        months, before = _placed(part, held)
        rows = [made.locations.index(s) for s in part.locations]
        months = _inside(months, draws[:, rows], part.draws, made.draws[:, rows])
        if before.ndim == known.ndim == 3:
            before = _inside(before, known[:, rows], part.known, made.known[:, rows])
        parts[short] = replace(part, draws=months, known=before)
    return whole.with_parts(parts) if parts else whole


def _shared(part: Forecast, made: Forecast, state: str, moved: Floats) -> Floats:
    """Months of a part that keeps its share of the whole; of a whole of none it had none."""
    whole, _ = months_of(made, state)
    mine, _ = months_of(part, state)
    n = min(mine.shape[1], whole.shape[1])  # months before may be drawn of one alone
    shared = mine.copy()
    there = whole[:, -n:] > 0
    share = mine[:, -n:] / np.where(there, whole[:, -n:], 1.0)
    shared[:, -n:] = np.where(there, share * moved[:, -n:], mine[:, -n:])
    return shared


def _nation_of(
    part: Forecast, made: Forecast, held: Mapping[str, Floats], moved: Mapping[str, Floats]
) -> Floats:
    """Months of the nation's part where not all places have one, the whole being a sum.

    It is the sum of those that have one and of a rest, which keeps its share of the deaths of the
    others; or, where it is not, it keeps its own share of the nation's.
    """
    mine = months_of(part, NATION)[0]
    n = min(mine.shape[1], months_of(made, NATION)[0].shape[1])

    def months(forecast: Forecast, states: list[str], new: Mapping[str, Floats]) -> Floats:
        rows = [new[s] if s in new else months_of(forecast, s)[0] for s in states]
        return np.sum([row[:, -n:] for row in rows], axis=0) + np.zeros((len(mine), n))

    units = [s for s in part.locations if s in JURISDICTIONS]
    others = [s for s in JURISDICTIONS if s not in units]
    was, now = months(made, others, {}), months(made, others, moved)
    rest, after = mine[:, -n:] - months(part, units, {}), months(part, units, held)
    if not ((rest >= -1e-6) & (rest <= was + 1e-6)).all():
        was, now = (months(made, list(JURISDICTIONS), new) for new in ({}, moved))
        rest, after = mine[:, -n:], np.zeros_like(after)
    out = mine.copy()
    out[:, -n:] = after + np.where(was > 0, rest / np.where(was > 0, was, 1.0) * now, rest)
    return np.maximum(out, 0.0)


def _inside(part: Floats, whole: Floats, before: Floats, whole_before: Floats) -> Floats:
    """A part no larger than its whole, where it was not: rounding of a product is no death."""
    kept: Floats = np.where(before <= whole_before, np.minimum(part, whole), part)
    return kept


def _placed(made: Forecast, moved: dict[str, Floats]) -> tuple[Floats, Floats]:
    draws, known = made.draws.copy(), made.known.copy()
    if not moved:
        return draws, known
    for state, months in moved.items():
        i = made.locations.index(state)
        if known.ndim == 3:
            known[:, i] = months[:, :11]
        draws[:, i] = months[:, -draws.shape[2] :]
    if _adds_up(made):
        draws = closed(draws, made.locations, axis=1)
        if known.ndim == 3:
            known = closed(known, made.locations, axis=1)
    return draws, known
