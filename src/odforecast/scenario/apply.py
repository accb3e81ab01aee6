"""Effects on sample paths: who feels them, what they do, and what of them the counts hold already.

An effect acts on all deaths, or on each draw's own deaths of a drug class. With T the draw's path
of the class, and sigma the part of its averted deaths that is replaced by other drugs,

    T' = T exp(delta),    all' = all - (1 - sigma) (T - T')

so that no effect on a class removes more deaths than the class has, in any draw, and one that
adds deaths of it takes no more from other drugs than they have.

A model that sees half of a ramp takes it for the trend and goes on with it; an effect put on top of
that counts the rest of the ramp twice. So what has begun is taken out of the counts first::

    months of world k        m_k(t)   = m(t) exp(-d_k(t))                     t up to the origin o
    forecast without it      F_k(t)   = the same model, fitted to m_k         t > o
    the baseline to act on   B(t)     = F_k(t) exp(d_k(o))
    the scenario             B(t) exp(d(t) - d(o))

Draws of similar effect are a world, and ``d_k`` is the mean of theirs: what an effect of another
draw would have done to the *level* at the origin cancels, because every draw goes on from the
counts as they are; only the trend is that of the world. Draws without an effect so far keep the
baseline's own paths, bit for bit, and so do all months up to the origin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, ScenarioError, UnknownNameError
from odforecast.forecasts import Forecast
from odforecast.forecasts.adding import draws_at
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.geography.places import code_of, lookup, whole_and_parts
from odforecast.models import Fitted
from odforecast.monthly.sums import rolling_sums
from odforecast.months import Months, to_month
from odforecast.names import ALL_DEATHS, INDICATOR_NAMES, LOCATION, VINTAGE_SYNTHETIC
from odforecast.panel import Floats, Panel
from odforecast.scenario import drawing
from odforecast.scenario.grammar import ALL, MOST_EXPOSED, REST, SCOPES, Exposure
from odforecast.scenario.intervention import Intervention, Scenario
from odforecast.sources.columns import BadCell, Column, Table
from odforecast.sources.read import read_raw

Shares = Mapping[str, Mapping[str, float]]

#: A share older than this many months says nothing about today's supply.
MAX_AGE = 24

# What a reader must know, after "only what changes after it is projected, ".
#: Of a fitted model.
FITTED_AGAIN = "on a baseline fitted again without it"
#: Of a forecast; the figures are those of ``python benchmarks/bench_begun.py``.
NOT_FITTED_AGAIN = (
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


# ------------------------------------------------------------------------------------- who feels it


def share_name(short: str) -> str:
    """Name of the table of a class's shares in all overdose deaths."""
    return "fentanyl-share" if short == "T40.4" else f"{short}-share"


def fentanyl_share(
    all_drugs: Panel,
    synthetic: Panel,
    *,
    fill: str = "none",
    month: object | None = None,
) -> dict[str, float]:
    """Share of overdose deaths that involve synthetic opioids (T40.4), by location.

    T40.4 is suppressed or late in some states: the newest month both counts have is taken, if it
    is at most 24 months before the panel's last.

    Parameters
    ----------
    all_drugs, synthetic : Panel
        Both indicators of one release, seen at one date: what was known at the origin.
    fill : {"none", "region"}
        What a location without a share gets: nothing, or the pooled share of the other
        locations of its census region (a judgement; Louisiana and Pennsylvania have none); of
        all of them for Puerto Rico, which lies in no region.
    month : month, optional
        Counts up to this month only. Default: all.

    Returns
    -------
    dict of str to float
        Location to share of 12-month-ending deaths; a location without a recent share is not in it.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
    >>> panels = [od.bundled().as_of().panel(i).select(["US"])
    ...           for i in (ALL_DRUGS, SYNTHETIC_OPIOIDS)]
    >>> round(od.scenario.fentanyl_share(*panels)["US"], 3)
    0.557
    """
    if all_drugs.release != synthetic.release or all_drugs.as_of != synthetic.as_of:
        raise ScenarioError(
            f"a share needs two counts of one release, got {all_drugs!r} and {synthetic!r}",
            hint="build both panels from the same archive and date",
        )
    if fill not in ("none", "region"):
        raise ScenarioError(f"fill is {fill!r}, allowed: none, region")
    last = all_drugs.last_month
    if month is not None:
        last = min(to_month(month), last)
    total = _by_age(all_drugs, last)
    part = _by_age(synthetic, last)
    ratios: pd.DataFrame = (part / total).where((part > 0) & (total > 0))
    newest = ratios.reindex(index=total.index, columns=range(MAX_AGE + 1)).bfill(
        axis=1
    )[0]
    # T40.4 is part of all drugs; small counts revised apart may pass one by a hair.
    shares: dict[Any, float] = newest.dropna().clip(upper=1.0).to_dict()
    if fill == "region" and shares:
        shares |= _regional(shares, total[0])
    return shares


def _by_age(panel: Panel, last: np.datetime64) -> pd.DataFrame:
    """Counts by location and age in months."""
    return pd.DataFrame(
        panel.reported, list(panel.locations), (last - panel.months).astype(int)
    )


def _regional(
    shares: Mapping[str, float], deaths: pd.Series[float]
) -> dict[str, float]:
    """Pooled regional shares, weighed by deaths, for the locations that have none of their own."""
    pooled: dict[str, float] = {}
    for state in deaths.index:
        if state in (*shares, NATION):
            continue
        region = lookup(state).region
        peers = [
            s for s in shares if s != NATION and region in (None, lookup(s).region)
        ]
        peer_deaths = deaths[peers].dropna()
        if peer_deaths.size:
            weights = peer_deaths.to_numpy()
            values = np.array([shares[s] for s in peer_deaths.index])
            pooled[state] = float((weights * values).sum() / weights.sum())
    return pooled


def read_exposure(path: str | Path) -> dict[str, float]:
    """A user's table: CSV with the columns ``location`` and ``exposure``.

    A row ``default`` is for all other locations; an exposure may be a percent, ``80%``.

    Raises
    ------
    ScenarioError
        If a column is missing, a location unknown or given twice, or a value outside 0..5.
    """
    try:
        table = Table(
            read_raw(path),
            _COLUMNS,
            needs=("location", "exposure"),
            others=True,
            what="a table with the columns location and exposure",
        )
        table.refuse_open_end()
        values = table.values("exposure")
        places = table.texts("location")
        doubled = pd.Series(places).duplicated().to_numpy(dtype=bool)
        table.refuse(doubled, "location", "is given twice")
    except DataError as error:
        raise ScenarioError(error.message, error.hint) from error
    return dict(zip(places, values.tolist(), strict=True))


def _place(text: str) -> str | BadCell:
    """The code of a place; ``default`` stands for all that have no row."""
    try:
        return "default" if text.lower() == "default" else code_of(text)
    except UnknownNameError as error:
        return BadCell("is not a place", error.hint or "")


def _share(text: str) -> float | BadCell:
    """A number as it is written, and nothing that only looks like one."""
    match = re.fullmatch(r"([0-9]{0,3}(?:\.[0-9]{1,17})?)( ?%)?", text)
    if match and match[1]:
        share = float(match[1]) / (100.0 if match[2] else 1.0)
        if share <= MOST_EXPOSED:
            return share
    return BadCell(
        "is not a number from 0 to 5", "write 0.8, or 80%, and correct the cell"
    )


_COLUMNS = (
    Column("location", "location", parse=_place),
    Column("exposure", "exposure", parse=_share),
)


def exposure_vector(
    exposure: Exposure,
    locations: Sequence[str],
    tables: Mapping[str, Mapping[str, float]],
    name: str,
) -> Floats:
    """Exposure of each location to an intervention of this name, shape (L,)."""
    if isinstance(exposure, int | float):
        return np.full(len(locations), float(exposure))
    if isinstance(exposure, str) and exposure not in tables:
        raise ScenarioError(
            f"{name}: exposure {exposure!r} needs shares by location, and none were given",
            hint=f"pass exposures={{{exposure!r}: {{location: share}}}}",
        )
    table = tables[exposure] if isinstance(exposure, str) else exposure
    rest = table.get(REST, np.nan)
    values = np.array([table.get(place, rest) for place in locations], dtype=float)
    missing = [
        place for place, value in zip(locations, values) if not np.isfinite(value)
    ]
    if missing:
        raise ScenarioError(
            f"{name}: no exposure for {', '.join(missing)}",
            hint="give a table with these locations, or with a default",
        )
    return values


def share_tables(
    panel: Panel | None, exposures: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Mapping[str, float]]:
    """Shares by name and code of the location: as given, or as the panel had them that day."""
    shares: dict[str, Mapping[str, float]] = {}
    for name, table in (exposures or {}).items():
        shares[name] = {s if s == REST else code_of(s): v for s, v in table.items()}
    if panel is None:
        return shares
    for short, panel_of_class in panel.beside.items():
        if short in SCOPES and share_name(short) not in shares:
            shares[share_name(short)] = fentanyl_share(
                panel, panel_of_class, fill="region"
            )
    return shares


# ------------------------------------------------------------------------------------- what it does


class Applied:
    """A baseline of months, ready for scenarios to act on; ``notes`` are for its reader."""

    def __init__(
        self,
        baseline: Forecast,
        tables: Shares,
        seed: int,
        order: NDArray[np.intp] | None = None,
    ) -> None:
        self.baseline = baseline
        self.tables = tables
        self.seed = seed
        self.notes: list[str] = []
        self.ahead = baseline.months > baseline.last_month
        #: The draws, those with few deaths ahead first.
        self.order = by_deaths_ahead(baseline) if order is None else order
        self.nation = (
            whole_and_parts(baseline.locations) if sums_to_nation(baseline) else None
        )
        self._indicator = short_name(baseline.panel)
        self._paths: dict[str, Floats] = {}
        self._deaths: dict[str, dict[str, Floats] | None] = {}

    def under(self, scenario: Scenario, exposures: Mapping[str, Floats]) -> Forecast:
        """The forecast under a scenario, with the classes it carries in the same draws."""
        base = self.baseline
        self._check_scopes(scenario)
        for x in scenario.interventions:
            notes = self._warn(x, exposures[x.name])
            self.notes += [f"{scenario.name}: {note}" for note in notes]
        draws, paths = self.acted(self.steps(scenario, exposures))
        provenance = {
            **base.provenance,
            "scenario": scenario.name,
            "scenario_hash": scenario.hash,
        }
        parts = {
            name: paths[name][:, rows_of(part.locations, base)]
            for name, part in base.beside.items()
        }
        return carrying(base, draws, parts=parts, provenance=provenance)

    def _check_scopes(self, scenario: Scenario) -> None:
        """Refuse several classes: they overlap, and a death with both would be averted twice."""
        classes = {x.scope for x in scenario.interventions} - {ALL, self._indicator}
        allowed = f"{ALL}, and {self._indicator}, of which the forecast is"
        hint = None
        if self._indicator == ALL:
            allowed = f"{ALL}, and one class"
            hint = "put them into scenarios of their own"
            if len(classes) < 2:
                return
        if classes:
            scopes = ", ".join(sorted(classes))
            raise ScenarioError(
                f"{scenario.name}: scopes are {scopes}, allowed: {allowed}", hint=hint
            )

    def felt(self, scenario: Scenario) -> dict[str, Floats]:
        """Exposure of the locations, (L,); a table without US gives it what its deaths feel."""
        base = self.baseline
        exposures = {}
        whole = whole_and_parts(base.locations)
        for x in scenario.interventions:
            felt = exposure_vector(
                x.exposure, base.locations, tables=self.tables, name=x.name
            )
            if (
                whole is not None
                and isinstance(x.exposure, Mapping)
                and NATION not in x.exposure
            ):
                us, rows = whole
                is_class = x.scope not in (ALL, self._indicator)
                path = self._path(x.scope) if is_class else base.draws
                deaths = path[:, rows][..., self.ahead].mean(axis=(0, 2))
                felt[us] = (deaths * felt[rows]).sum() / deaths.sum()
            exposures[x.name] = felt
        return exposures

    def steps(
        self, scenario: Scenario, felt: Mapping[str, Floats]
    ) -> list[tuple[Intervention, Floats, Floats]]:
        """What :meth:`acted` does one after the other."""
        return [
            (x, self.log_effect(x, felt[x.name]), self.unreplaced(x))
            for x in scenario.interventions
        ]

    def _warn(self, x: Intervention, felt: Floats) -> Iterator[str]:
        """What a projection of these places cannot know."""
        base = self.baseline
        weights = self._weights(x)
        sums = [
            s
            for s in base.parts
            if s in base.locations and s not in (*JURISDICTIONS, NATION)
        ]
        differ = float(x.spread.ppf(np.array(0.5))) > 0
        if differ and x.national and weights is None and not sums:
            yield (
                f"not all 52 jurisdictions are known here, so what {x.name} does differs between "
                "states without their sum being held at the stated effect"
            )
        if differ and sums:
            yield (
                f"{', '.join(sums)} has the nation's effect, without what differs between states; "
                "project the states and add with .region()"
            )
        if isinstance(x.exposure, Mapping):
            absent = [s for s in x.exposure if s not in (*base.locations, REST, NATION)]
            if absent:
                verb = "is" if len(absent) == 1 else "are"
                yield f"{x.name} names {', '.join(absent)}, which {verb} not forecast"
        if (
            not x.national
            and weights is not None
            and set(weights) <= set(base.locations)
        ):
            rows = rows_of(weights, base)
            deaths = np.array([float(np.mean(w)) for w in weights.values()])
            beta = x.size.mean * x.share.mean
            deaths_after = deaths * np.exp(beta * felt[rows])
            change = float(deaths_after.sum() / deaths.sum()) - 1.0
            yield (
                f"with its exposures, {x.name} changes the nation's deaths of {x.scope} by "
                f"{100 * change:+.1f}% at full strength and its mean size"
            )
        if x.scope == ALL != self._indicator:
            yield (
                f"{x.name} is on all drugs, and {self._indicator} is taken to change in the same "
                "ratio"
            )

    def acted(
        self, steps: Sequence[tuple[Intervention, Floats, Floats]]
    ) -> tuple[Floats, dict[str, Floats]]:
        """Paths after effects, one after the other: all deaths, and the classes there are.

        A step is an intervention, its log rate ratios, and the part of a class's averted deaths
        that is not replaced; both broadcast to (D, L, M) and (D,).
        """
        draws = self.baseline.draws.copy()
        classes = {x.scope for x, _, _ in steps} - {ALL, self._indicator}
        names = sorted({*self.baseline.beside, *classes})
        paths = {short: self._path(short).copy() for short in names}
        for x, log_effect, unreplaced in steps:
            effect = np.exp(log_effect)
            if x.scope in classes:
                change = self._change(paths[x.scope], effect)
                draws += self._whole(
                    change, unreplaced, other_deaths=draws - paths[x.scope]
                )
                paths[x.scope] += change
                continue
            draws += self._change(draws, effect)
            for path in paths.values():
                path += self._change(path, effect)
        return draws, paths

    def unreplaced(self, x: Intervention) -> Floats:
        """Share of a class's averted deaths that other drugs do not replace, shape (D,)."""
        u = drawing.uniforms(x, self.seed, draws=self.order)
        return np.asarray(1.0 - x.replaced.ppf(u["replaced"]))

    def log_rates(self, x: Intervention, exposure: Floats, months: Months) -> Floats:
        """Log rate ratios in any months, in full, shape (D, L, M)."""
        base = self.baseline
        return x.draw(
            months,
            base.locations,
            exposure,
            self.order,
            self.seed,
            self._weights(x),
        )

    def log_effect(self, x: Intervention, exposure: Floats) -> Floats:
        """Log rate ratios after the last known month, relative to it, (D, L, M); 0 up to it."""
        last = self.baseline.last_month
        months = np.concatenate([[last], self.baseline.months])
        rates = self.log_rates(x, exposure, months=months)
        change = rates[:, :, 1:]
        if x.onset[0] <= last:
            change = change - rates[:, :, :1]
        change[:, :, ~self.ahead] = 0.0
        return np.asarray(change)

    def _change(self, path: Floats, effect: Floats) -> Floats:
        """By how much deaths change, the nation's as the sum of its jurisdictions'."""
        change = path * (effect - 1.0)
        if self.nation is not None:
            us, rows = self.nation
            change[:, us] = change[:, rows].sum(axis=1)
        return change

    def _whole(
        self, change: Floats, unreplaced: Floats, other_deaths: Floats
    ) -> Floats:
        """By how much all deaths change with a class's: no other drug loses more than it has."""
        total = unreplaced[:, None, None] * change
        # Only what adds deaths can take too many.
        d = np.flatnonzero((change > 0).any(axis=(1, 2)))
        extra = np.maximum(change[d] - np.maximum(other_deaths[d], 0.0) - total[d], 0.0)
        if self.nation is not None:
            us, rows = self.nation
            extra[:, us] = extra[:, rows].sum(axis=1)
        total[d] += extra
        return total

    def _path(self, short: str) -> Floats:
        """Monthly deaths of a class in every draw of a forecast of all drugs, shape (D, L, M).

        Where the model carries the class (``dlm`` and T40.4), its own draws; elsewhere the last
        known share of the place, or of its census region, of the draw's deaths. Where the nation is
        the sum of its jurisdictions, those places get what the others leave of its own path.
        """
        if short in self._paths:
            return self._paths[short]
        base = self.baseline
        nation = self.nation
        shares = self.tables.get(share_name(short), {})
        carried = base.beside.get(short)
        carried_places = []
        if carried is not None:
            carried_places = [s for s in base.locations if s in carried.locations]
        missing = [s for s in base.locations if s not in carried_places]
        lacking = [s for s in missing if s not in shares]
        if lacking:
            raise ScenarioError(
                f"no deaths of {short} for {', '.join(lacking[:8])}: the forecast does not carry "
                "them, and the release has no recent count",
                hint=f"project the default model's forecast from a release with {short} beside all "
                f"drugs, or give exposures={{{share_name(short)!r}: {{location: share}}}}",
            )
        path = np.empty(base.draws.shape)
        if carried is not None:
            rows = rows_of(carried_places, base)
            path[:, rows] = carried.draws[:, rows_of(carried_places, carried)]
        rest = rows_of(missing, base)
        draws = base.draws[:, rest]
        path[:, rest] = np.array([shares[s] for s in missing])[None, :, None] * draws
        if nation is not None and rest and nation[0] not in rest:
            carried_rows = [row for row in nation[1] if row not in rest]
            remaining = path[:, nation[0]] - path[:, carried_rows].sum(axis=1)
            guess = path[:, rest].sum(axis=1)
            factor = np.divide(
                remaining, guess, out=np.ones_like(remaining), where=guess > 0
            )
            path[:, rest] = np.clip(path[:, rest] * factor[:, None], 0.0, draws)
        if nation is not None and nation[0] in rest:
            path[:, nation[0]] = path[:, nation[1]].sum(axis=1)
        if missing and carried is None:
            self.notes.append(
                f"the model does not forecast {short}: each place's last known share of it is "
                "taken to stay"
            )
        elif missing:
            self.notes.append(
                f"no draws of {short} for {', '.join(missing)}: their last known share, or that of "
                "their census region, is used"
            )
        self._paths[short] = path
        return path

    def _weights(self, x: Intervention) -> dict[str, Floats] | None:
        """Deaths of the scope in each jurisdiction, () or (D,) each, where all are known."""
        scope = x.scope if x.scope not in (ALL, self._indicator) else ""
        if scope not in self._deaths:
            self._deaths[scope] = self._deaths_of(scope)
        return self._deaths[scope]

    def _deaths_of(self, scope: str) -> dict[str, Floats] | None:
        """Deaths of a class, or of what is forecast, in each jurisdiction."""
        base = self.baseline
        if set(JURISDICTIONS) <= set(base.locations):
            path = self._path(scope) if scope else base.draws
            deaths = path[:, :, self.ahead].sum(axis=2)
            return {s: deaths[:, base.locations.index(s)] for s in JURISDICTIONS}
        panel = base.panel
        if panel is None or not set(JURISDICTIONS) <= set(panel.locations):
            return None
        counts = panel.reported[rows_of(JURISDICTIONS, panel), -1].copy()
        if scope:
            shares = self.tables.get(share_name(scope), {})
            counts *= [shares.get(s, np.nan) for s in JURISDICTIONS]
        return dict(zip(JURISDICTIONS, counts)) if np.isfinite(counts).all() else None


def rows_of(places: Iterable[str], table: Forecast | Panel) -> list[int]:
    """Rows of places."""
    return [table.locations.index(s) for s in places]


def by_deaths_ahead(base: Forecast) -> NDArray[np.intp]:
    """The draws by the nation's deaths ahead, or those of all places, the fewest first.

    Where all its jurisdictions are drawn together they are added up, with the US or without it.
    """
    places: Sequence[str] = base.locations
    if LOCATION in base.joint and set(JURISDICTIONS) <= set(places):
        places = list(JURISDICTIONS)
    elif NATION in places:
        places = [NATION]
    ahead = base.months > base.last_month
    deaths = base.draws[:, rows_of(places, base)][:, :, ahead]
    return np.argsort(deaths.sum(axis=(1, 2)), kind="stable")


def stand_for_all(base: Forecast, n: int) -> Forecast:
    """A forecast of ``n`` of its draws: the middle ones of equal groups by deaths ahead."""
    groups = np.array_split(by_deaths_ahead(base), n)
    return draws_at(base, np.sort([group[group.size // 2] for group in groups]))


def carrying(
    base: Forecast, draws: Floats, parts: Mapping[str, Floats], **changes: object
) -> Forecast:
    """A forecast with other draws, its classes too, and other fields of all of them."""
    whole = replace(base, draws=draws, beside={}, **changes)  # type: ignore[arg-type]
    return whole.with_parts(
        {n: replace(part, draws=parts[n], **changes) for n, part in base.beside.items()}  # type: ignore[arg-type]
    )


def short_name(panel: Panel | None) -> str:
    """Short name of what a panel counts; all drugs without one."""
    if panel is None:
        return ALL
    short_names = {name: short for short, name in INDICATOR_NAMES.items()}
    return short_names.get(panel.indicator, panel.indicator)


def sums_to_nation(forecast: Forecast) -> bool:
    """Whether US is in a forecast as the sum, draw by draw, of its 52 jurisdictions."""
    rows = whole_and_parts(forecast.locations)
    if LOCATION not in forecast.joint or rows is None:
        return False
    us, parts = rows
    nation = forecast.draws[:, us]
    total = forecast.draws[:, parts].sum(axis=1)
    return bool(np.allclose(total, nation, rtol=1e-9, atol=1e-6))


# ----------------------------------------------------------------------------------- what has begun


@dataclass(frozen=True)
class Begun:
    """What an intervention did so far."""

    x: Intervention
    #: Mean log rate ratios, (L, T + 11).
    log: Floats
    #: Share of a class's averted deaths that other drugs do not replace.
    unreplaced: float


def baseline_without(
    source: Fitted,
    applied: Applied,
    scenario: Scenario,
    exposures: Mapping[str, Floats],
) -> Forecast:
    """The baseline with the trend that it would have without what has begun.

    ``applied`` holds the baseline and its seed. The model is fitted again up to eight times.
    The baseline itself where no draw has an effect by its last known month.
    """
    base = applied.baseline
    panel = source.panel
    begun = [x for x in scenario.interventions if x.onset[0] <= base.last_month]
    if not begun:
        return base
    months = panel.month_grid
    months = months[months >= min(x.onset[0] for x in begun)]
    logs = [applied.log_rates(x, exposures[x.name], months) for x in begun]
    unreplaced = [applied.unreplaced(x) for x in begun]
    weights = _weights_of(begun, unreplaced, base=base, tables=applied.tables)
    groups = _groups(weights, logs, unreplaced=unreplaced)
    draws = base.draws.copy()
    parts = {short: part.draws.copy() for short, part in base.beside.items()}
    panel_rows = rows_of(base.locations, panel)
    ahead = np.flatnonzero(applied.ahead)
    for rows in groups:
        past = []
        for x, log, share in zip(begun, logs, unreplaced):
            mean = log[rows].mean(axis=0)
            mean = regridded(mean, base.locations, months=months, grid=panel, fill=0.0)
            past.append(Begun(x, mean, unreplaced=float(share[rows].mean())))
        less, tables = panel_without(
            panel, past, tables=applied.tables, adds_up=applied.nation is not None
        )
        fitted = source.model.fit(less)
        forecast = fitted.forecast(
            until=base.months[-1], draws=len(draws), seed=applied.seed
        )
        is_alike = forecast.locations == base.locations
        if not is_alike or not np.array_equal(forecast.months, base.months):
            raise ScenarioError(
                f"{scenario.name}: without what has begun {fitted.model.label} forecasts other "
                f"places or months: {forecast!r}",
                hint="project its forecast instead of the fitted model",
            )
        # Back to the level of the last known month: what changes after it is the scenario's.
        level = [
            (part.x, part.log[None, panel_rows, -1:], np.array([part.unreplaced]))
            for part in past
        ]
        path, classes = Applied(forecast, tables, seed=applied.seed).acted(level)
        cells = np.ix_(rows, np.arange(len(base.locations)), ahead)
        draws[cells] = path[cells]
        for short, part in base.beside.items():
            cells = np.ix_(rows, np.arange(len(part.locations)), ahead)
            parts[short][cells] = classes[short][:, rows_of(part.locations, base)][
                cells
            ]
    return carrying(base, draws, parts=parts) if groups else base


def panel_without(
    panel: Panel,
    past: Sequence[Begun],
    tables: Shares,
    adds_up: bool,
) -> tuple[Panel, dict[str, dict[str, float]]]:
    """A panel without what interventions did to it, and the shares of classes in it.

    Counts, predicted counts, bounds and earlier releases change in the ratio of the months behind
    them; where months are not known, as those of a flat year. What the release says of its own
    completeness stays, and the deaths from all causes that percentages pending are of change with
    the last months, so that the late arrivals expected stay in proportion. With ``adds_up`` the US
    changes by as many deaths as its jurisdictions. The panel is marked as made up.
    """
    indicator = short_name(panel)
    before = {indicator: _filled(panel.monthly)}
    for name, part in panel.beside.items():
        if name != "all-deaths" and part.indicator != ALL_DEATHS:
            before[name] = regridded(
                part.monthly, part.locations, months=part.month_grid, grid=panel
            )
    whole = ALL if ALL in before else indicator
    before[whole] = _filled(before[whole])
    scopes = {begun.x.scope for begun in past} - {ALL, indicator}
    for name in sorted(scopes | set(before) - {whole}):
        table = tables.get(share_name(name), {})
        share = np.array([table.get(s, 0.0) for s in panel.locations])
        months = before.get(name, np.full(before[whole].shape, np.nan))
        before[name] = np.where(
            np.isnan(months), share[:, None] * before[whole], months
        )
    after = {name: months.copy() for name, months in before.items()}
    nation = whole_and_parts(panel.locations) if adds_up else None
    # The last first: each acted on what the earlier ones had left.
    for begun in reversed(past):
        scope = begun.x.scope
        names = list(after) if scope == ALL else [scope]
        rate = np.expm1(-begun.log)
        change = {name: _change(after[name], rate, nation=nation) for name in names}
        if whole not in change:
            other_deaths = np.maximum(after[whole] - after[scope], 0.0)
            change[whole] = np.maximum(
                begun.unreplaced * change[scope], change[scope] - other_deaths
            )
        if nation is not None:
            us, parts = nation
            change[whole][us] = change[whole][parts].sum(axis=0)
        for name, months in change.items():
            after[name] += months
    changed = _scaled(panel, before[indicator], after=after[indicator], grid=panel)
    late_before = before[whole][:, -LATE:].sum(axis=1)
    late_after = after[whole][:, -LATE:].sum(axis=1)
    late = np.divide(
        late_after,
        late_before,
        out=np.ones(len(panel.locations)),
        where=late_before > 0,
    )
    beside = {}
    for name, part in panel.beside.items():
        if name in before:
            beside[name] = _scaled(part, before[name], after=after[name], grid=panel)
        else:
            factor = pd.Series(late, list(panel.locations)).reindex(
                part.locations, fill_value=1.0
            )
            ratio = np.ones(part.reported.shape) * factor.to_numpy(dtype=float)[:, None]
            beside[name] = _times(part, ratio)
    shares = {key: dict(table) for key, table in tables.items()}
    for name in set(before) - {whole}:
        if share_name(name) in shares:
            ratio = _last(after[name], before[name]) / _last(
                after[whole], before[whole]
            )
            table = shares[share_name(name)]
            for place, factor in zip(panel.locations, ratio.tolist()):
                if place in table:
                    table[place] *= factor
    return replace(changed, beside=beside), shares


def _weights_of(
    chosen: Sequence[Intervention],
    unreplaced: Sequence[Floats],
    base: Forecast,
    tables: Shares,
) -> list[Floats]:
    """Weight of each location in what an intervention does to all that is forecast, (D, L) each."""
    deaths = base.draws.mean(axis=(0, 2))
    deaths = deaths / max(float(deaths.sum()), 1e-300)
    weights = []
    for x, part in zip(chosen, unreplaced):
        shares = tables.get(share_name(x.scope), {})
        share = np.ones(len(base.locations))
        if x.scope != ALL:
            share = np.array([shares.get(place, 1.0) for place in base.locations])
        weights.append(part[:, None] * (deaths * share))
    return weights


def _groups(
    weights: Sequence[Floats], logs: Sequence[Floats], unreplaced: Sequence[Floats]
) -> list[NDArray[np.intp]]:
    """Draws with an effect by the last month, in groups of like change over the last year."""
    has_effect = np.any([(log != 0.0).any(axis=(1, 2)) for log in logs], axis=0)
    touched = np.flatnonzero(has_effect)
    if not touched.size:
        return []
    ranges = [np.ptp(values[touched], axis=0).max() for values in (*logs, *unreplaced)]
    if max(ranges) < 1e-12:
        return [touched]
    change = np.zeros(len(logs[0]))
    for weight, log in zip(weights, logs):
        earlier = log[:, :, -1 - TREND] if log.shape[2] > TREND else 0.0
        change += (weight * (log[:, :, -1] - earlier)).sum(axis=1)
    order = touched[np.argsort(change[touched], kind="stable")]
    return [np.sort(g) for g in np.array_split(order, min(WORLDS, order.size))]


def regridded(
    values: Floats,
    places: Sequence[str],
    months: Months,
    grid: Panel,
    fill: float = np.nan,
) -> Floats:
    """Values (L, M) on a panel's places and grid of months; ``fill`` where there are none."""
    at = months.astype("datetime64[s]")
    frame = pd.DataFrame(values, list(places), at).reindex(
        index=list(grid.locations),
        columns=grid.month_grid.astype("datetime64[s]"),
        fill_value=fill,
    )
    return frame.to_numpy()


def _filled(months: Floats) -> Floats:
    """Months with those that are not known at the mean of the row's; 1 where none is known."""
    is_known = np.isfinite(months)
    total = np.where(is_known, months, 0.0).sum(axis=1)
    count = is_known.sum(axis=1)
    mean = np.divide(total, count, out=np.ones(len(months)), where=total > 0)
    return np.where(is_known, months, mean[:, None])


def _change(
    months: Floats, scale: Floats, nation: tuple[int, list[int]] | None
) -> Floats:
    """By how much months change; the nation's as its parts', and what they lack by itself."""
    change = months * scale
    if nation is not None:
        us, parts = nation
        rest = months[us] - months[parts].sum(axis=0)
        change[us] = change[parts].sum(axis=0) + rest * scale[us]
    return change


def _last(after: Floats, before: Floats) -> Floats:
    """Ratio of the last months; 1 where there were no deaths."""
    ratio: Floats = np.divide(
        after[:, -1],
        before[:, -1],
        out=np.ones(len(after)),
        where=before[:, -1] > 0,
    )
    return ratio


def _scaled(panel: Panel, before: Floats, after: Floats, grid: Panel) -> Panel:
    """A panel, all counts in the ratio of the months behind them, which are on another's grid."""
    sums = rolling_sums(before)
    ratio = np.divide(rolling_sums(after), sums, out=np.ones_like(sums), where=sums > 0)
    full = regridded(ratio, grid.locations, months=grid.months, grid=panel, fill=1.0)
    return _times(panel, full[:, -panel.months.size :])


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
