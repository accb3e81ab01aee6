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
#: How often a file ends in months that have hardly begun to come in, and the sd of the log of what
#: is there of them.
_ENDS = 0.1
_BEGUN = 1.5
#: Correlation of the errors of late arrivals of months one month apart in age.
_NEXT = 0.8
#: The spread of CDC's late arrivals, where they stand for the state's.
DOUBLED = 2.0
#: Pairs of days needed to learn the late arrivals from the file, and what the prior of their
#: relative error weighs.
_PAIRS = 6
_PRIOR_PAIRS = 4.0
#: How much older than the youngest month of the file the youngest pair may be, months.
_YOUNG = 1.0
#: The age at which the constants give the late share.
_AGE = 6.0
#: Of a month no more than this is ever still to come.
_MOST = 0.9
#: A file this many standard deviations from what all else says of its months moves no other place.
#: Of true files one or two in a hundred are; `python benchmarks/bench_own.py --bound` counts them.
APART = 3.0
#: Months that both have, at most: five years.
WINDOW = 60
#: Sd of the change in a year of the log of 12-month deaths by residence over those by occurrence
#: (median state), and the years that it weighs as.
DRIFT = 0.018
_DRIFT_YEARS = 3.0
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
#: Fewer draws than this give no covariance.
LEAST_DRAWS = 50
#: Own counts this many sd from the forecast are said to be so.
_FAR = 4.0


def conditioned(made: Forecast, panel: Panel, streams: Streams, fitted: Any = None) -> Forecast:
    """A forecast given the own counts of its panel."""
    # Places that have some are moved; those that have none, too, where the model knows how their
    # months hang together (`log_months`). So is what is added up from them: the nation where it
    # is the sum of its parts, and drug classes, which keep their share of every month.
    own = panel.own
    if own is None:
        return made
    if len(made.draws) < LEAST_DRAWS:
        raise ForecastError(
            f"own counts move draws by their covariance, which {len(made.draws)} draws do not tell",
            hint=f"ask for {LEAST_DRAWS} draws or more; 1000 is the default",
        )
    paths, grid = months_of(made)
    linear = hasattr(fitted, "log_months")
    files, warnings = _files(made, panel, paths=paths, grid=grid, streams=streams, linear=linear)
    if not any(t.at.size for t in files.values()):
        return replace(made, warnings=tuple(warnings))
    moved: dict[str, Floats] = {}
    if linear:
        for model in fitted.log_months(made, streams):
            mine = {s: t for s, t in files.items() if s in model.locations and t.at.size}
            if not mine:
                continue
            there = paths[:, [made.locations.index(s) for s in model.locations]]
            far = apart(there, model, told=mine) if len(model.locations) > 1 else {}
            after = move_together(there, model, told=mine, alone=tuple(far))
            moved |= {s: after[:, i] for i, s in enumerate(model.locations)}
            warnings += [
                f"own counts of {called(s)} lie {sd:.1f} standard deviations from the forecast: "
                "check the last months of the file; they move no other place"
                for s, sd in far.items()
            ]
    before = {s: paths[:, i] for i, s in enumerate(made.locations)}
    changed = [s for s in moved if not np.array_equal(moved[s], before[s], equal_nan=True)]
    others = sorted(set(changed) - set(files))
    moved |= {s: move(before[s], file) for s, file in files.items() if s not in moved}
    again = " and the nation is added up again" if _adds_up(made) else ""
    if (
        not again
        and (nation := _nation_beside(made, before, moved=moved, files=files, linear=linear))
        is not None
    ):
        moved[NATION] = nation
        how = "which is not their sum, moves as they do together" if linear else ""
        again = f" and the nation, {how}" if how else " and the nation moves by what they do"
    said = f"{own.said()}, {number_of(len(own.months), 'row')}, hash {own.data_hash}"
    how = "are forecast as without own counts"
    if others:
        then = made.draws[:, [made.locations.index(s) for s in others], -1].mean(axis=0).sum()
        now = np.sum([moved[s][:, -1].mean() for s in others])
        percent = round(100.0 * float(now / then - 1.0), 1) + 0.0  # no minus none
        how = f"move with them, by {percent:+.1f}% together in {made.months[-1]}"
        again = again and f",{again}"
        stay = [s for s in made.locations if s not in {*others, *files, *own.places}]
        if again:
            stay = [s for s in stay if s != NATION]
        said += FOR_ALL + (f" but {' '.join(stay)}" if stay else "")
    warnings.append(f"other places {how}{again}")
    return _moved(made, panel, paths=before, moved=moved, warnings=tuple(warnings), said=said)


def months_of(made: Forecast) -> tuple[Floats, Months]:
    """Months of all places in every draw, (D, L, n), known ones before them where drawn."""
    if made.known.ndim == 2:
        return made.draws, made.months
    first = made.months[0] - 11 * ONE_MONTH
    paths = np.concatenate([made.known, made.draws], axis=2)
    return paths, np.arange(first, made.months[-1] + ONE_MONTH)


def _files(
    made: Forecast,
    panel: Panel,
    paths: Floats,
    grid: Months,
    streams: Streams,
    linear: bool,
) -> tuple[dict[str, Told], list[str]]:
    """What the file of each place tells, and the warnings."""
    own = panel.own
    constants = delays_for(panel)
    assert own is not None
    files: dict[str, Told] = {}
    warnings = list(made.warnings)
    shared = np.zeros((len(paths), grid.size))
    if linear:
        shared = shared_errors(len(paths), grid.size, rng=streams.generator("own"))
    for state in own.places:
        name = called(state)
        if state not in made.locations:
            why = made.skipped.get(state, "it is not forecast")
            warnings.append(f"own counts of {name} are not used: {why}")
            continue
        mine = paths[:, made.locations.index(state)]
        late = late_arrivals(own, state, constants=constants)
        seen = seen_months(
            panel,
            own,
            state=state,
            late=late,
            drawn=dict(zip(grid.tolist(), mine.T)),
        )
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
        there[there] &= np.isfinite(mine[0, at[there]])
        n = int(there.sum())
        if n:
            rng = streams.generator("own", state)
            observed = np.log(np.maximum(seen.deaths[there], 0.0) + HALF)
            noise = seen.noise[np.ix_(there, there)]
            common = seen.common[there] if linear else np.zeros(n)
            files[state], whole = told(
                mine,
                at[there],
                observed=observed,
                noise=noise,
                rng=rng,
                common=common,
                shared=shared,
            )
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
        newest = own.of(state)[0][-1]
        ahead = int((newest - panel.last_month).astype(int))
        further = f"{number_of(ahead, 'month')} after" if ahead > 0 else "no month after"
        # A file written later holds fuller counts than were to be had on an earlier day.
        undated = bool((own.rows(state)[2] == np.datetime64(own.undated, "D")).any())
        known = f"; counts without as_of are taken as known on {own.undated}" if undated else ""
        warnings.append(
            f"own counts of {name} run to {newest}, {further} CDC's last; "
            f"{number_of(n, 'month')} not yet final at CDC {'is' if n == 1 else 'are'} used. Over "
            f"{number_of(seen.shared, 'earlier month')} they are {seen.factor:.3f} times CDC's "
            f"(sd {100 * seen.factor_sd:.1f}% at the end); {late.how}{known}"
        )
    return files, warnings


def _nation_beside(
    made: Forecast,
    paths: Mapping[str, Floats],
    moved: Mapping[str, Floats],
    files: Mapping[str, Told],
    linear: bool,
) -> Floats | None:
    """Months of a nation that is not the sum of its places, moved as those are."""
    # None if it stays.
    # A drug class's nation is in every draw its places and a rest: that one stays. The months of a
    # nation modelled on its own are other draws than its places'. Their logs take on the change of
    # the mean and of the variance of its places and a rest, which moves as those without a file do.
    units = [s for s in made.locations if s in JURISDICTIONS]
    if LOCATION not in made.joint or NATION not in made.locations or not units:
        return None
    after = {**paths, **moved}
    if all(np.array_equal(after[s], paths[s], equal_nan=True) for s in units):
        return None
    us = paths[NATION]
    old = _sum_of(units, paths, like=us)
    new = _sum_of(units, after, like=us)
    if not linear:
        within = np.isfinite(old).all() and (us - old >= -1e-6).all()
        return np.maximum(us + new - old, 0.0) if within else None
    free = [s for s in units if s not in files]
    was = _sum_of(free, paths, like=us)
    now = _sum_of(free, after, like=us)
    rest = np.maximum(us.mean(axis=0) - old.mean(axis=0), 0.0)
    there = was.mean(axis=0) > 0
    times = np.where(there, rest / np.where(there, was.mean(axis=0), 1.0), 0.0)
    still = np.where(there, 0.0, rest)
    logs = logs_of(us)
    old = logs_of(old + times * was + still)
    new = logs_of(new + times * now + still)
    shift = new.mean(axis=0) - old.mean(axis=0)
    left = logs.var(axis=0) - old.var(axis=0) + new.var(axis=0)
    left = np.maximum(left, np.minimum(logs.var(axis=0), new.var(axis=0)))
    varies = logs.std(axis=0) > 1e-12
    narrower = np.where(varies, np.sqrt(left) / np.where(varies, logs.std(axis=0), 1.0), 1.0)
    shift = shift + (narrower - 1.0) * (logs - logs.mean(axis=0))
    return moved_by(shift, logs, paths=us)


def _sum_of(places: Sequence[str], months: Mapping[str, Floats], like: Floats) -> Floats:
    """Sum of the last months of some places, as many as ``like`` has; zero for none."""
    n = like.shape[1]
    return np.sum([months[s][:, -n:] for s in places], axis=0) + np.zeros_like(like)


def _adds_up(made: Forecast) -> bool:
    """Whether the nation's draws are the sum of its parts'."""
    if LOCATION not in made.joint or whole_and_parts(made.locations) is None:
        return False
    us = made.locations.index(NATION)
    whole = closed(made.draws, made.locations, axis=1)[:, us]
    return bool(np.allclose(whole, made.draws[:, us], rtol=1e-9, atol=1e-6))


def _moved(
    made: Forecast,
    panel: Panel,
    paths: Mapping[str, Floats],
    moved: Mapping[str, Floats],
    warnings: tuple[str, ...],
    said: str,
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
    parts = {}
    adds_up = _adds_up(made)
    for short, part in made.beside.items():
        mine = {s: months_of(part)[0][:, i] for i, s in enumerate(part.locations)}
        held = {s: _shared(mine[s], paths[s], moved=m) for s, m in moved.items() if s in mine}
        if adds_up and NATION in mine and not _adds_up(part):
            held[NATION] = _nation_of(mine, held, paths=paths, moved=moved)
        months, before = _placed(part, held)
        rows = [made.locations.index(s) for s in part.locations]
        months = _inside(
            months,
            draws[:, rows],
            before=part.draws,
            whole_before=made.draws[:, rows],
        )
        if before.ndim == known.ndim == 3:
            before = _inside(
                before,
                known[:, rows],
                before=part.known,
                whole_before=made.known[:, rows],
            )
        parts[short] = replace(part, draws=months, known=before)
    return whole.with_parts(parts) if parts else whole


def _shared(mine: Floats, whole: Floats, moved: Floats) -> Floats:
    """Months of a part that keeps its share of the whole; of a whole of none it had none."""
    n = min(mine.shape[1], whole.shape[1])  # months before may be drawn of one alone
    shared = mine.copy()
    there = whole[:, -n:] > 0
    share = mine[:, -n:] / np.where(there, whole[:, -n:], 1.0)
    shared[:, -n:] = np.where(there, share * moved[:, -n:], mine[:, -n:])
    return shared


def _nation_of(
    mine: Mapping[str, Floats],
    held: Mapping[str, Floats],
    paths: Mapping[str, Floats],
    moved: Mapping[str, Floats],
) -> Floats:
    """Months of the nation's part where not all places have one, the whole being a sum."""
    # It is the sum of those that have one and of a rest, which keeps its share of the deaths of the
    # others; or, where it is not, it keeps its own share of the nation's.
    out = mine[NATION].copy()
    last = out[:, -min(out.shape[1], paths[NATION].shape[1]) :]
    units = [s for s in mine if s in JURISDICTIONS]
    others = [s for s in JURISDICTIONS if s not in units]
    new = {**paths, **moved}
    was = _sum_of(others, paths, like=last)
    now = _sum_of(others, new, like=last)
    rest = last - _sum_of(units, mine, like=last)
    after = _sum_of(units, {**mine, **held}, like=last)
    if not ((rest >= -1e-6) & (rest <= was + 1e-6)).all():
        was, now = (_sum_of(JURISDICTIONS, of, like=last) for of in (paths, new))
        rest = last.copy()
        after = np.zeros_like(after)
    last[:] = after + np.where(was > 0, rest / np.where(was > 0, was, 1.0) * now, rest)
    return np.maximum(out, 0.0)


def _inside(part: Floats, whole: Floats, before: Floats, whole_before: Floats) -> Floats:
    """A part no larger than its whole, where it was not: rounding of a product is not a death."""
    return np.asarray(np.where(before <= whole_before, np.minimum(part, whole), part))


def _placed(made: Forecast, moved: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Draws and known months with those of some places moved, sums added up again."""
    draws = made.draws.copy()
    known = made.known.copy()
    for state, months in moved.items():
        i = made.locations.index(state)
        draws[:, i] = months[:, -draws.shape[2] :]
        if known.ndim == 3:
            known[:, i] = months[:, :11]
    if moved and _adds_up(made):
        draws = closed(draws, made.locations, axis=1)
        if known.ndim == 3:
            known = closed(known, made.locations, axis=1)
    return draws, known


@dataclass(frozen=True, eq=False)
class Told:
    """What is observed of a place's months, those that are used."""

    at: NDArray[np.int_]  # (k,): Which of its n months, in order
    observed: Floats  # (k,): Logs of their deaths and a half
    noise: Floats  # (k, k): Covariance of the errors of those
    # (k,): Sd of what other places have of those errors, too; between months as `near` says
    common: Floats
    errors: Floats  # (D, k): Draws of those errors
    far: float  # How many standard deviations the observed months lie from the draws, at most


def told(
    paths: Floats,
    at: NDArray[np.int_],
    observed: Floats,
    noise: Floats,
    rng: np.random.Generator,
    common: Floats,
    shared: Floats,
) -> tuple[Told, int]:
    """What observed months tell, those left out that have hardly begun to come in."""
    # paths (D, n); at (k,); observed (k,); noise (k, k); common (k,); shared (D, n)
    useful = np.isfinite(np.diag(noise))
    n = len(paths)
    k = int(useful.sum())
    whole = at.size
    far = 0.0
    if k:
        at = at[useful]
        observed = observed[useful]
        common = common[useful]
        noise = noise[np.ix_(useful, useful)]
        logs = logs_of(paths)
        covariance = shrunk(logs, at[-1] + 1)[np.ix_(at, at)] + noise
        away = observed - logs[:, at].mean(axis=0)
        whole = k = filled_until(away, covariance)
        if k:
            far = float((np.abs(away) / np.sqrt(np.diag(covariance)))[:k].max())
    at = at[:k]
    observed = observed[:k]
    common = common[:k]
    noise = noise[:k, :k]
    errors = np.zeros((n, 0))
    if k:
        alone = _root(noise - near(at) * np.outer(common, common))
        errors = rng.standard_normal((n, k)) @ alone.T + shared[:, at] * common
        errors -= errors.mean(axis=0)  # what they add is spread, and nothing to the mean
    return Told(at, observed, noise=noise, common=common, errors=errors, far=far), whole


def near(months: Floats | NDArray[np.int_]) -> Floats:
    """Correlation of the errors of late arrivals of months, given their numbers; shape (k, k)."""
    return np.asarray(_NEXT ** np.abs(np.subtract.outer(months, months)).astype(float))


def shared_errors(n_draws: int, n: int, rng: np.random.Generator) -> Floats:
    """Draws of errors of n months that places share, at an sd of 1; shape (D, n)."""
    out = rng.standard_normal((n, n_draws))
    # Month after month: those of a shorter forecast are the first ones of a longer one.
    for k in range(1, n):
        out[k] = _NEXT * out[k - 1] + np.sqrt(1.0 - _NEXT**2) * out[k]
    return out.T


def move(paths: Floats, seen: Told) -> Floats:
    """The months of each draw, once some of them are observed, by the covariance of the draws."""
    # paths (D, n) -> (D, n)
    if seen.at.size == 0:
        return paths
    logs = logs_of(paths)
    covariance = shrunk(logs, seen.at[-1] + 1)
    usual = covariance[np.ix_(seen.at, seen.at)] + seen.noise
    gain = np.linalg.solve(usual, covariance[seen.at]).T
    return moved_by((seen.observed - logs[:, seen.at] - seen.errors) @ gain.T, logs, paths=paths)


def logs_of(paths: Floats) -> Floats:
    """Logs of months' deaths and a half; hidden ones are taken for none."""
    return np.asarray(np.log(np.maximum(np.nan_to_num(paths), 0.0) + HALF))


def moved_by(shift: Floats, logs: Floats, paths: Floats) -> Floats:
    """Months whose logs are shifted; where the shift is 0, or hidden, exactly as they were."""
    # shift, logs, paths (D, ..., n)
    still = (shift == 0) | np.isnan(paths).any(axis=0)
    return np.asarray(np.where(still, paths, np.maximum(np.exp(logs + shift) - HALF, 0.0)))


def filled_until(away: Floats, usual: Floats) -> int:
    """How many of the observed months, from the first on, have come in at all."""
    # Compared are the likelihoods that all have, and that from some month on the counts hold only
    # what has begun to come in: any lower number is about as likely.
    # away (k,); usual (k, k)
    k = away.size
    best = -np.inf
    found = k
    for stop in range(k, -1, -1):
        if (away[stop:] >= 0).any():
            break
        whole = usual + np.diag(np.where(np.arange(k) >= stop, _BEGUN**2, 0.0))
        _, size = np.linalg.slogdet(whole)
        fit = -0.5 * (size + float(away @ np.linalg.solve(whole, away)))
        fit += np.log(1.0 - _ENDS) if stop == k else np.log(_ENDS / k)
        if fit > best:
            best = float(fit)
            found = stop
    return found


def _root(covariance: Floats) -> Floats:
    """A square root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def shrunk(logs: Floats, told: int) -> Floats:
    """Covariance of draws, its correlations shrunk towards none by their own sampling error."""
    # Schäfer & Strimmer (2005). By how much, the first `told` months say, whatever stands after
    # them. Months that do not vary have no correlation.
    n, size = logs.shape
    sd = logs.std(axis=0, ddof=1)
    varies = sd > 1e-9
    z = np.where(varies, (logs - logs.mean(axis=0)) / np.where(varies, sd, 1.0), 0.0)
    r = z.T @ z / (n - 1)
    # The variance of each product's mean.
    spread = ((z**2).T @ (z**2) - (z.T @ z) ** 2 / n) * n / (n - 1) ** 3
    off = ~np.eye(size, dtype=bool)
    first = off & (np.arange(size) < told) & (np.arange(size) < told)[:, None]
    total = float((r[first] ** 2).sum())
    weight = min(float(spread[first].sum()) / total, 1.0) if total > 0 else 0.0
    r[off] *= 1.0 - weight
    sd = np.where(varies, sd, 0.0)
    return np.asarray(r * np.outer(sd, sd))


@dataclass(frozen=True, eq=False)
class LogMonths:
    """How the logs of the months of some places (deaths and a half) hang together in a model."""

    locations: tuple[str, ...]  # CDC codes, L of them
    shared: Floats  # (L, n, K): What each month takes of K standard normals that places may share
    own: Floats  # (L, n, n): Covariance of what is in no other place's months
    # (L, n, H): What each month takes of the nation's innovations, H standard normals, at scale 1
    nation: Floats
    scale: Floats  # (D,): Scale of those in each draw
    usual: float  # Root of the mean square of that scale


def move_together(
    paths: Floats,
    model: LogMonths,
    told: Mapping[str, Told],
    alone: Sequence[str] = (),
) -> Floats:
    """The months of all places in each draw, once some of them are observed."""
    # paths (D, L, n) -> (D, L, n)
    logs = logs_of(paths)
    trusted = {s: t for s, t in told.items() if s not in alone}
    shift = _shift(logs, model, told=trusted)
    for state in alone:
        i = model.locations.index(state)
        shift[:, i] = _shift(logs, model, told={**trusted, state: told[state]})[:, i]
    return moved_by(shift, logs, paths=paths)


@dataclass(frozen=True, eq=False)
class _Observed:
    """What is observed of all places in one row: k months, and the covariance of all of it."""

    place: NDArray[np.int_]
    month: NDArray[np.int_]
    values: Floats
    errors: Floats
    usual: Floats  # without the nation's innovations
    loads: Floats
    nation: Floats


def _observed(model: LogMonths, told: Mapping[str, Told]) -> _Observed:
    rows = [model.locations.index(s) for s in told]
    place = np.repeat(rows, [t.at.size for t in told.values()])
    month = np.concatenate([t.at for t in told.values()])
    values, common = (
        np.concatenate([getattr(t, name) for t in told.values()]) for name in ("observed", "common")
    )
    errors = np.concatenate([t.errors for t in told.values()], axis=1)
    alone = np.zeros((place.size, place.size))
    for i, t in zip(rows, told.values()):
        at = place == i
        mine = t.noise - near(t.at) * np.outer(t.common, t.common)
        alone[np.ix_(at, at)] = mine + model.own[i][np.ix_(t.at, t.at)]
    loads = model.shared[place, month]
    nation = model.nation[place, month]
    usual = loads @ loads.T + near(month) * np.outer(common, common) + alone
    return _Observed(
        place,
        month,
        values=values,
        errors=errors,
        usual=usual,
        loads=loads,
        nation=nation,
    )


def apart(paths: Floats, model: LogMonths, told: Mapping[str, Told]) -> dict[str, float]:
    """Files that lie far from what the forecast and all the other files say about their months."""
    # They are found one after the other, the farthest first: one that is wrong makes others look
    # so.
    # paths (D, L, n)
    logs = logs_of(paths)
    left = dict(told)
    found = {}
    while left:
        far = _distances(logs, model, told=left)
        state = max(far, key=lambda s: far[s])
        if far[state] <= APART:
            break
        found[state] = far[state]
        del left[state]
    return found


def _distances(logs: Floats, model: LogMonths, told: Mapping[str, Told]) -> dict[str, float]:
    """How far each file lies from what is expected of it given all the others."""
    seen = _observed(model, told)
    whole = seen.usual + model.usual**2 * seen.nation @ seen.nation.T
    inverse = np.linalg.inv(whole)
    weighed = inverse @ (seen.values - logs[:, seen.place, seen.month].mean(axis=0))
    found = {}
    for state in told:
        mine = seen.place == model.locations.index(state)
        left = np.linalg.inv(inverse[np.ix_(mine, mine)])
        found[state] = float((np.abs(left @ weighed[mine]) / np.sqrt(np.diag(left))).max())
    return found


def _shift(logs: Floats, model: LogMonths, told: Mapping[str, Told]) -> Floats:
    """What Matheron's rule adds to the logs of all months, shape (D, L, n)."""
    if not told:
        return np.zeros_like(logs)
    n_draws, n_loc, n = logs.shape
    seen = _observed(model, told)
    inverse = np.linalg.inv(seen.usual)
    values, vectors = np.linalg.eigh(seen.nation.T @ inverse @ seen.nation)
    values = np.maximum(values, 0.0)
    turned = seen.nation @ vectors
    weight = (seen.values - logs[:, seen.place, seen.month] - seen.errors) @ inverse
    square = model.scale[:, None] ** 2
    of_nation = (weight @ turned) * (square / (1.0 + square * values))
    weight -= of_nation @ (turned.T @ inverse)
    shift = (weight @ seen.loads) @ model.shared.reshape(n_loc * n, -1).T
    shift += (square * (weight @ seen.nation)) @ model.nation.reshape(n_loc * n, -1).T
    shift = shift.reshape(n_draws, n_loc, n)
    for state, t in told.items():
        i = model.locations.index(state)
        shift[:, i] += weight[:, seen.place == i] @ model.own[i][t.at]
    return shift


@dataclass(frozen=True)
class Seen:
    """What a place's own counts say about its months, on CDC's scale."""

    months: Months  # (k,): Months that CDC's counts do not settle
    deaths: Floats  # (k,): Deaths expected of them
    noise: Floats  # (k, k): Covariance of the errors of their logs
    # factor, factor_sd: Own over CDC's counts of the last common 12 months, and the relative sd at
    # the last month
    factor: float
    factor_sd: float
    shared: int  # Months that it was learned on
    # (k,): Sd of what other places have of those errors, too: late arrivals, where files are taken
    # to fill up as CDC's counts do
    common: Floats


def seen_months(
    panel: Panel,
    own: Own,
    state: str,
    late: Late,
    drawn: dict[object, Floats],
) -> Seen | None:
    """What a place's own counts say about months that CDC's do not settle."""
    months, _, days = own.of(state)
    both, mine, cdc = common_months(panel, own, state=state)
    end = panel.final_through
    extra = 0.0
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
    both = both[keep][-WINDOW:]
    mine = mine[keep][-WINDOW:]
    cdc = cdc[keep][-WINDOW:]
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
    constant = np.zeros(12)
    years = np.zeros(12)
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
    return Seen(
        month,
        deaths,
        noise=noise,
        factor=float(ratio[-1]),
        factor_sd=last,
        shared=int(both.size),
        common=common,
    )


@dataclass(frozen=True)
class Late:
    """Late arrivals of months by age: ``alpha exp(-delta age)`` is still to come."""

    alpha: float
    delta: float
    spread: float  # Relative error of the odds of arriving late, the same for all months of a place
    noise: float  # Relative error of a single month's
    how: str  # What it rests on
    # Share of the variance of the error that all places have in common whose counts are taken to
    # fill up as CDC's do
    common: float = 0.0

    def share(self, ages: Floats) -> Floats:
        """Share of a month's deaths that is still to come."""
        return np.asarray(np.minimum(self.alpha * np.exp(-self.delta * ages), _MOST))

    def missing(self, ages: Floats) -> tuple[Floats, Floats]:
        """Mean and sd of the log of a month once complete over the month as counted."""
        # The odds of arriving late are lognormal, so that less than nothing never arrives.
        share = self.share(ages)
        odds = share / (1.0 - share)
        spread = np.sqrt(np.log1p(self.spread**2))
        nodes, weights = np.polynomial.hermite_e.hermegauss(20)
        drawn = np.log1p(odds[:, None] * np.exp(spread * nodes - 0.5 * spread**2))
        weights = weights / weights.sum()
        mean = drawn @ weights
        variance = (drawn - mean[:, None]) ** 2 @ weights
        return mean, np.sqrt(variance)


def late_arrivals(own: Own, state: str, constants: Delays) -> Late:
    """How far a place's counts are filled up by age: from its own days, else as CDC's are."""
    # Ages are months from the end of a month to the day on which it was counted.
    spread = float(np.hypot(constants.late_own, constants.late_shared))
    if own.complete:
        return Late(0.0, 1.0, spread=0.0, noise=0.0, how="taken as complete")
    months, deaths, days = own.rows(state)
    newest = {m: (y, d) for m, y, d in zip(months, deaths, days)}  # the last row of a month stays
    ages = ages_of(months, days)
    last = np.array([newest[m][0] for m in months])
    last_ages = ages_of(months, np.array([newest[m][1] for m in months], dtype="datetime64[D]"))
    pair = (last_ages > ages) & (last > 0) & (deaths > 0)
    many = pair.sum() >= _PAIRS and np.unique(months[pair]).size >= 3
    # Pairs of old months show nothing of young ones, such as those that the file ends in.
    young = many and ages[pair].min() <= last_ages.min() + _YOUNG
    if young:
        alpha, delta, spread = _fitted(
            ages[pair],
            last_ages[pair],
            then=deaths[pair],
            now=last[pair],
            spread=spread,
        )
        how = f"assumed to fill up as {int(pair.sum())} earlier counts in the file did"
        return Late(alpha, delta, spread=spread, noise=constants.noise, how=how)
    why = "the file has one day only"
    if pair.any():
        why = "few months of the file have several days"
    if many:
        why = "the months of the file that have several days were older than its last"
    return Late(
        constants.late * float(np.exp(constants.late_decay * _AGE)),
        constants.late_decay,
        spread=DOUBLED * spread,
        noise=constants.noise,
        how=f"assumed to be as incomplete as CDC's, with doubled uncertainty, because {why}",
        common=float(constants.late_shared / spread) ** 2,
    )


def ages_of(months: Months, days: Days) -> Floats:
    """Whole months from the end of each month to a day."""
    return (days.astype("datetime64[M]") - months).astype(float) - 1.0


def _fitted(
    young: Floats,
    old: Floats,
    then: Floats,
    now: Floats,
    spread: float,
) -> tuple[float, float, float]:
    """``alpha``, ``delta`` and the spread of pairs of counts of one month, by least squares."""
    change = np.log(then / now)
    best: float = np.inf
    found = (0.0, 1.0)
    for fall in np.linspace(0.1, 1.2, 23):
        for start in np.concatenate([[0.0], np.geomspace(0.01, 2.0, 60)]):
            before, after = (np.minimum(start * np.exp(-fall * a), _MOST) for a in (young, old))
            error = change - np.log1p(-before) + np.log1p(-after)
            loss = float((now * error**2).sum())
            if loss < best - 1e-12:
                best = loss
                found = (float(start), float(fall))
    alpha, delta = found
    before, after = (np.minimum(alpha * np.exp(-delta * a), _MOST) for a in (young, old))
    odds = before / (1.0 - before) - after / (1.0 - after)
    told = odds > 0.02
    error = (now / then - 1.0 - odds)[told] / odds[told]
    # What counting alone scatters is no error of the curve.
    chance = 1.0 / (odds[told] * then[told])
    squares = np.maximum(error**2 - chance, 0.0).sum()
    variance = (_PRIOR_PAIRS * spread**2 + squares) / (_PRIOR_PAIRS + told.sum())
    return alpha, delta, float(np.sqrt(variance))
