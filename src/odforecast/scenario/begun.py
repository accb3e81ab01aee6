"""The baseline fitted without what has begun: for effects that the last counts already hold.

A model that sees half of a ramp takes it for the trend and goes on with it; an effect put on top of
that counts the rest of the ramp twice. So the effect is taken out of the counts first::

    months of world k        m_k(t)   = m(t) exp(-d_k(t))                     t up to the origin o
    forecast without it      F_k(t)   = the same model, fitted to m_k         t > o
    the baseline to act on   B(t)     = F_k(t) exp(d_k(o))
    the scenario             B(t) exp(d(t) - d(o))

Draws of similar effect are a world, and ``d_k`` is the mean of theirs: what an effect of another
draw would have done to the *level* at the origin cancels, because every draw goes on from the
counts as they are; only the trend is that of the world. Draws without an effect so far keep the
baseline's own paths, bit for bit, and so do all months up to the origin.

An effect on a class is taken out of the class, and out of all deaths by as many, less those that
other drugs replace, as :mod:`odforecast.scenario.applying` puts it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScenarioError
from odforecast.forecast import Forecast
from odforecast.geography.places import whole_and_parts
from odforecast.models import Fitted
from odforecast.monthly.sums import rolling_sums
from odforecast.months import Months
from odforecast.names import ALL_DEATHS, VINTAGE_SYNTHETIC
from odforecast.panel import Floats, Panel
from odforecast.scenario.applying import Applied, Shares, short_name
from odforecast.scenario.exposure import share_name
from odforecast.scenario.intervention import ALL, Intervention, Scenario

#: What a reader must know, after "only what changes after it is projected, ". The figures are those
#: of ``python benchmarks/bench_begun.py``.
FITTED_AGAIN = "on a baseline fitted again without it"
TOLD = (
    "on a baseline whose trend goes on with a part of it (measured with dlm: for -30% up to 5% "
    "too few deaths in months 1-12 and 10% in months 13-24, for -10% up to 1.5 and 3%); "
    "od.project(fitted, ...), the fitted model in place of its forecast, fits the baseline "
    "without it"
)

#: Worlds that the draws of a scenario are sorted into, each fitted again.
WORLDS = 8
#: Months of the trend: draws are sorted by what the effect changed in the last of them.
TREND = 12
#: Last months whose change the deaths that arrive late share.
LATE = 3
#: Sums that just add up in whole deaths need not in fractions: so many deaths are added to each.
ROOM = 1e-9


@dataclass(frozen=True)
class Past:
    """What an intervention did: mean log rate ratios (L, T + 11), and the part kept of a class."""

    x: Intervention
    log: Floats
    kept: float


def begun(scenario: Scenario, last_month: np.datetime64) -> tuple[Intervention, ...]:
    """Interventions that may have begun by a month."""
    return tuple(x for x in scenario.interventions if x.onset[0] <= last_month)


def baseline_without(
    source: Fitted,
    applied: Applied,
    scenario: Scenario,
    exposures: Mapping[str, Floats],
    worlds: int = WORLDS,
) -> Forecast:
    """The baseline with the trend that it would have without what has begun.

    ``applied`` holds the baseline and its seed. The model is fitted again up to ``worlds`` times.
    The baseline itself where no draw has an effect by its last known month.
    """
    base, panel = applied.baseline, source.panel
    chosen = begun(scenario, base.last_month)
    months = panel.month_grid
    if not chosen:
        return base
    months = months[months >= min(x.onset[0] for x in chosen)]
    logs = [applied.drawn(x, exposures[x.name], months) for x in chosen]
    kept = [applied.kept(x) for x in chosen]
    groups = _groups(_weighed(chosen, kept, base, applied.tables), logs, kept, worlds)
    if not groups:
        return base
    pasts = [
        [
            Past(x, regridded(log[rows].mean(axis=0), base.locations, months, panel, 0.0),
                 float(part[rows].mean()))
            for x, log, part in zip(chosen, logs, kept)
        ]
        for rows in groups
    ]  # fmt: skip
    adds_up = applied.nation is not None
    changed = [panel_without(panel, past, applied.tables, adds_up) for past in pasts]
    draws = base.draws.copy()
    parts = {short: part.draws.copy() for short, part in base.beside.items()}
    here = [panel.locations.index(s) for s in base.locations]
    for rows, past, (less, tables) in zip(groups, pasts, changed):
        fitted = source.model.fit(less)
        made = fitted.forecast(until=base.months[-1], draws=len(draws), seed=applied.seed)
        if made.locations != base.locations or not np.array_equal(made.months, base.months):
            raise ScenarioError(
                f"{scenario.name}: without what has begun {fitted.model.label} forecasts other "
                f"places or months: {made!r}",
                hint="project its forecast instead of the fitted model",
            )
        # Back to the level of the last known month: what changes after it is the scenario's.
        level = [(p.x, p.log[None, here, -1:], np.array([p.kept])) for p in past]
        path, classes = Applied(made, tables, applied.seed).acted(level)
        where = np.ix_(rows, np.arange(len(base.locations)), np.flatnonzero(applied.ahead))
        draws[where] = path[where]
        for short, part in base.beside.items():
            to = np.ix_(rows, np.arange(len(part.locations)), where[2].ravel())
            of = [base.locations.index(s) for s in part.locations]
            parts[short][to] = classes[short][:, of][to]
    whole = replace(base, draws=draws, beside={})
    carried = {n: replace(part, draws=parts[n]) for n, part in base.beside.items()}
    return whole.with_parts(carried) if carried else whole


def panel_without(
    panel: Panel, past: Sequence[Past], tables: Shares, adds_up: bool
) -> tuple[Panel, dict[str, dict[str, float]]]:
    """A panel without what interventions did to it, and the shares of classes in it.

    Counts, predicted counts, bounds and earlier releases change in the ratio of the months behind
    them; where months are not known, as those of a flat year. What the release says of its own
    completeness stays, and the deaths from all causes that percentages pending are of change with
    the last months, so that the late arrivals expected stay in proportion. With ``adds_up`` the US
    changes by as many deaths as its jurisdictions. The panel is marked as made up.
    """
    own = short_name(panel)
    before = {own: _filled(panel.monthly)}
    for name, other in panel.beside.items():
        if name != "all-deaths" and other.indicator != ALL_DEATHS:
            before[name] = regridded(other.monthly, other.locations, other.month_grid, panel)
    whole = ALL if ALL in before else own
    before[whole] = _filled(before[whole])
    for name in sorted({p.x.scope for p in past} - {ALL, own} | set(before) - {whole}):
        given = tables.get(share_name(name), {})
        share = np.array([given.get(s, 0.0) for s in panel.locations])
        found = before.get(name, np.full(before[whole].shape, np.nan))
        before[name] = np.where(np.isnan(found), share[:, None] * before[whole], found)
    after = {name: months.copy() for name, months in before.items()}
    nation = whole_and_parts(panel.locations) if adds_up else None
    # The last first: each acted on what the earlier ones had left.
    for p in reversed(past):
        names = list(after) if p.x.scope == ALL else [p.x.scope]
        change = {name: _change(after[name], np.expm1(-p.log), nation) for name in names}
        if whole not in change:
            others = np.maximum(after[whole] - after[p.x.scope], 0.0)
            change[whole] = np.maximum(p.kept * change[p.x.scope], change[p.x.scope] - others)
        if nation is not None:
            change[whole][nation[0]] = change[whole][nation[1]].sum(axis=0)
        for name, by in change.items():
            after[name] += by
    made = _scaled(panel, before[own], after[own], panel)
    late = np.divide(
        after[whole][:, -LATE:].sum(axis=1), before[whole][:, -LATE:].sum(axis=1),
        out=np.ones(len(panel.locations)), where=before[whole][:, -LATE:].sum(axis=1) > 0,
    )  # fmt: skip
    beside = {}
    for name, other in panel.beside.items():
        if name in before:
            beside[name] = _scaled(other, before[name], after[name], panel)
        else:
            each = pd.Series(late, list(panel.locations)).reindex(other.locations, fill_value=1.0)
            ratio = np.ones(other.reported.shape) * each.to_numpy(dtype=float)[:, None]
            beside[name] = _times(other, ratio)
    shares = {key: dict(table) for key, table in tables.items()}
    for name in set(before) - {whole}:
        if share_name(name) in shares:
            factor = _last(after[name], before[name]) / _last(after[whole], before[whole])
            table = shares[share_name(name)]
            table |= {s: table[s] * float(f) for s, f in zip(panel.locations, factor) if s in table}
    return replace(made, beside=beside), shares


def _weighed(
    chosen: Sequence[Intervention], kept: Sequence[Floats], base: Forecast, tables: Shares
) -> list[Floats]:
    """Weight of each location in what an intervention does to all that is forecast, (D, L) each."""
    deaths = base.draws.mean(axis=(0, 2))
    deaths = deaths / max(float(deaths.sum()), 1e-300)
    out = []
    for x, part in zip(chosen, kept):
        given = tables.get(share_name(x.scope), {})
        share = np.array([1.0 if x.scope == ALL else given.get(s, 1.0) for s in base.locations])
        out.append(part[:, None] * (deaths * share))
    return out


def _groups(
    weights: Sequence[Floats], logs: Sequence[Floats], kept: Sequence[Floats], worlds: int
) -> list[NDArray[np.intp]]:
    """Draws with an effect by the last month, in groups of like change over the last year."""
    touched = np.flatnonzero(np.any([(log != 0.0).any(axis=(1, 2)) for log in logs], axis=0))
    if not touched.size:
        return []
    if all(np.ptp(each[touched], axis=0).max() < 1e-12 for each in (*logs, *kept)):
        return [touched]
    change = np.zeros(len(logs[0]))
    for weight, log in zip(weights, logs):
        earlier = log[:, :, -1 - TREND] if log.shape[2] > TREND else 0.0
        change += (weight * (log[:, :, -1] - earlier)).sum(axis=1)
    order = touched[np.argsort(change[touched], kind="stable")]
    return [np.sort(g) for g in np.array_split(order, min(worlds, order.size))]


def regridded(
    values: Floats, places: Sequence[str], months: Months, grid: Panel, fill: float = np.nan
) -> Floats:
    """Values (L, M) on a panel's places and grid of months; ``fill`` where there are none."""
    at = months.astype("datetime64[s]")
    frame = pd.DataFrame(values, list(places), at).reindex(
        index=list(grid.locations), columns=grid.month_grid.astype("datetime64[s]"), fill_value=fill
    )
    return frame.to_numpy()


def _filled(months: Floats) -> Floats:
    """Months with those that are not known at the mean of the row's; 1 where none is known."""
    known = np.isfinite(months)
    total = np.where(known, months, 0.0).sum(axis=1)
    mean = np.divide(total, known.sum(axis=1), out=np.ones(len(months)), where=total > 0)
    return np.where(known, months, mean[:, None])


def _change(months: Floats, scale: Floats, nation: tuple[int, list[int]] | None) -> Floats:
    """By how much months change; the nation's as its parts', and what they lack by itself."""
    change = months * scale
    if nation is not None:
        us, parts = nation
        rest = months[us] - months[parts].sum(axis=0)
        change[us] = change[parts].sum(axis=0) + rest * scale[us]
    return change


def _last(after: Floats, before: Floats) -> Floats:
    """Ratio of the last months; 1 where there were no deaths."""
    ratio: Floats = np.divide(after[:, -1], before[:, -1], out=np.ones(len(after)),
                              where=before[:, -1] > 0)  # fmt: skip
    return ratio


def _scaled(of: Panel, before: Floats, after: Floats, grid: Panel) -> Panel:
    """A panel, all counts in the ratio of the months behind them, which are on another's grid."""
    sums = rolling_sums(before)
    ratio = np.divide(rolling_sums(after), sums, out=np.ones_like(sums), where=sums > 0)
    whole = regridded(ratio, grid.locations, grid.months, of, 1.0)
    return _times(of, whole[:, -of.months.size :])


def _times(panel: Panel, ratio: Floats) -> Panel:
    def times(cells: Floats) -> Floats:
        return np.where(ratio == 1.0, cells, cells * ratio + ROOM)

    triangle = None if panel.triangle is None else panel.triangle.counted(times)
    return replace(
        panel,
        vintage=VINTAGE_SYNTHETIC,
        reported=times(panel.reported),
        predicted=times(panel.predicted),
        low=times(panel.low),
        high=times(panel.high),
        triangle=triangle,
        notes=(*panel.notes, "an assumed effect was taken out of the counts"),
    )
