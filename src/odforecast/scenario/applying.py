"""Effects on sample paths: on all deaths, or on each draw's own deaths of a drug class.

With T the draw's path of the class, and sigma the part of its averted deaths that comes all the
same, from another drug,

    T' = T exp(delta),    all' = all - (1 - sigma) (T - T')

so that no effect on a class removes more deaths than the class has, in any draw, and one that
adds deaths of it takes no more from other drugs than they have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.geography.places import whole_and_parts
from odforecast.months import Months
from odforecast.names import INDICATOR_NAMES, LOCATION
from odforecast.panel import Floats, Panel
from odforecast.scenario import drawing
from odforecast.scenario.exposure import exposure_vector, share_name
from odforecast.scenario.intervention import ALL, REST, Intervention, Scenario

Shares = Mapping[str, Mapping[str, float]]


class Applied:
    """A baseline of months, ready for scenarios to act on; ``notes`` are for its reader."""

    def __init__(self, baseline: Forecast, tables: Shares, seed: int) -> None:
        self.baseline, self.tables, self.seed = baseline, tables, seed
        self.notes: list[str] = []
        self.ahead = baseline.months > baseline.last_month
        self.nation = whole_and_parts(baseline.locations) if sums_to_nation(baseline) else None
        self._own = short_name(baseline.panel)
        self._paths: dict[str, Floats] = {}
        self._deaths: dict[str, dict[str, Floats] | None] = {}

    def under(self, scenario: Scenario, exposures: Mapping[str, Floats]) -> Forecast:
        """The forecast under a scenario, with the classes it carries in the same draws."""
        own, base = self._own, self.baseline
        classes = {x.scope for x in scenario.interventions} - {ALL, own}
        if own == ALL and len(classes) > 1:
            # Classes overlap, and a death with both would be averted twice.
            raise ScenarioError(
                f"{scenario.name}: scopes are {', '.join(sorted(classes))}, allowed: one class, "
                f"and {ALL}",
                hint="put them into scenarios of their own",
            )
        for x in scenario.interventions:
            if own != ALL and x.scope not in (ALL, own):
                raise ScenarioError(
                    f"{scenario.name}: scope of {x.name} is {x.scope}, and the forecast is of "
                    f"{own}, allowed: {own} or {ALL}"
                )
        for warn in (self._warn, self._warn_of_scope):
            for x in scenario.interventions:
                self.notes += [f"{scenario.name}: {note}" for note in warn(x, exposures[x.name])]
        draws, paths = self.acted(self.steps(scenario, exposures))
        known = {**base.provenance, "scenario": scenario.name, "scenario_hash": scenario.hash}
        made = replace(base, draws=draws, provenance=known, beside={})
        parts = {}
        for short, part in base.beside.items():
            rows = [base.locations.index(s) for s in part.locations]
            parts[short] = replace(part, draws=paths[short][:, rows], provenance=known)
        return made.with_parts(parts) if parts else made

    def felt(self, scenario: Scenario) -> dict[str, Floats]:
        """Exposure of the locations, (L,); a table without US gives it what its deaths feel."""
        base, out = self.baseline, {}
        whole = whole_and_parts(base.locations)
        for x in scenario.interventions:
            felt = exposure_vector(x.exposure, base.locations, self.tables, x.name)
            if whole is not None and isinstance(x.exposure, Mapping) and NATION not in x.exposure:
                us, rows = whole
                of_class = x.scope not in (ALL, self._own)
                path = self._path(x.scope) if of_class else base.draws
                deaths = path[:, rows][..., self.ahead].mean(axis=(0, 2))
                felt[us] = (deaths * felt[rows]).sum() / deaths.sum()
            out[x.name] = felt
        return out

    def steps(
        self, scenario: Scenario, felt: Mapping[str, Floats]
    ) -> list[tuple[Intervention, Floats, Floats]]:
        """What :meth:`acted` does one after the other."""
        return [(x, self.log_effect(x, felt[x.name]), self.kept(x)) for x in scenario.interventions]

    def _warn_of_scope(self, x: Intervention, felt: Floats) -> Iterator[str]:
        """What is taken for granted of an effect on all drugs, in a forecast of a class."""
        del felt
        if x.scope == ALL != self._own:
            yield f"{x.name} is on all drugs, and {self._own} is taken to change in the same ratio"

    def _warn(self, x: Intervention, felt: Floats) -> Iterator[str]:
        """What a projection of these places cannot know."""
        base, weights = self.baseline, self._weights(x)
        sums = [s for s in base.parts if s in base.locations and s not in (*JURISDICTIONS, NATION)]
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
        if not x.national and weights is not None and set(weights) <= set(base.locations):
            rows = [base.locations.index(s) for s in weights]
            deaths = np.array([float(np.mean(w)) for w in weights.values()])
            beta = x.size.mean * x.share.mean
            change = float((deaths * np.exp(beta * felt[rows])).sum() / deaths.sum()) - 1.0
            yield (
                f"with its exposures, {x.name} changes the nation's deaths of {x.scope} by "
                f"{100 * change:+.1f}% at full strength and its mean size"
            )

    def acted(
        self, steps: Sequence[tuple[Intervention, Floats, Floats]]
    ) -> tuple[Floats, dict[str, Floats]]:
        """Paths after effects, one after the other: all deaths, and the classes there are.

        A step is an intervention, its log rate ratios, and the part of a class's averted deaths
        that is not replaced; both broadcast to (D, L, M) and (D,).
        """
        draws = self.baseline.draws.copy()
        classes = {x.scope for x, _, _ in steps} - {ALL, self._own}
        names = sorted({*self.baseline.beside, *classes})
        paths = {short: self._path(short).copy() for short in names}
        for x, log_effect, kept in steps:
            effect = np.exp(log_effect)
            if x.scope in classes:
                change = self._change(paths[x.scope], effect)
                draws += self._whole(change, kept, draws - paths[x.scope])
                paths[x.scope] += change
                continue
            draws += self._change(draws, effect)
            for path in paths.values():
                path += self._change(path, effect)
        return draws, paths

    def kept(self, x: Intervention) -> Floats:
        """Share of a class's averted deaths that other drugs do not replace, shape (D,)."""
        u = drawing.uniforms(x, self.seed, len(self.baseline.draws))
        return np.asarray(1.0 - x.replaced.ppf(u["replaced"]))

    def drawn(self, x: Intervention, exposure: Floats, months: Months) -> Floats:
        """Log rate ratios in any months, in full, shape (D, L, M)."""
        base = self.baseline
        return x.draw(
            months, base.locations, exposure, len(base.draws), self.seed, self._weights(x)
        )

    def log_effect(self, x: Intervention, exposure: Floats) -> Floats:
        """Log rate ratios after the last known month, relative to it, (D, L, M); 0 up to it."""
        base = self.baseline
        months = np.concatenate([[base.last_month], base.months])
        drawn = self.drawn(x, exposure, months)
        total = drawn[:, :, 1:]
        if x.onset[0] <= base.last_month:
            total = total - drawn[:, :, :1]
        total[:, :, ~self.ahead] = 0.0
        return np.asarray(total)

    def _change(self, path: Floats, effect: Floats) -> Floats:
        """By how much deaths change, the nation's as the sum of its jurisdictions'."""
        change = path * (effect - 1.0)
        if self.nation is not None:
            us, rows = self.nation
            change[:, us] = change[:, rows].sum(axis=1)
        return change

    def _whole(self, change: Floats, kept: Floats, others: Floats) -> Floats:
        """By how much all deaths change with a class's: no other drug loses more than it has."""
        plain = kept[:, None, None] * change
        d = np.flatnonzero((change > 0).any(axis=(1, 2)))  # only what adds deaths can take too many
        more = np.maximum(change[d] - np.maximum(others[d], 0.0) - plain[d], 0.0)
        if self.nation is not None:
            us, rows = self.nation
            more[:, us] = more[:, rows].sum(axis=1)
        plain[d] += more
        return plain

    def _path(self, short: str) -> Floats:
        """Monthly deaths of a class in every draw of a forecast of all drugs, shape (D, L, M).

        Where the model carries the class (``dlm`` and T40.4), its own draws; elsewhere the last
        known share of the place, or of its census region, of the draw's deaths. Where the nation is
        the sum of its jurisdictions, those places get what the others leave of its own path.
        """
        if short in self._paths:
            return self._paths[short]
        base, nation, shares = self.baseline, self.nation, self.tables.get(share_name(short), {})
        carried = base.beside.get(short)
        there = [s for s in base.locations if carried is not None and s in carried.locations]
        missing = [s for s in base.locations if s not in there]
        if lacking := [s for s in missing if s not in shares]:
            raise ScenarioError(
                f"no deaths of {short} for {', '.join(lacking[:8])}: the forecast does not carry "
                "them, and the release has no recent count",
                hint=f"project the default model's forecast from a release with {short} beside all "
                f"drugs, or give exposures={{{share_name(short)!r}: {{location: share}}}}",
            )
        path = np.empty(base.draws.shape)
        if carried is not None:
            rows = [base.locations.index(s) for s in there]
            path[:, rows] = carried.draws[:, [carried.index(s) for s in there]]
        rest = [base.locations.index(s) for s in missing]
        path[:, rest] = np.array([shares[s] for s in missing])[None, :, None] * base.draws[:, rest]
        if nation is not None and rest and nation[0] not in rest:
            left = path[:, nation[0]] - path[:, [i for i in nation[1] if i not in rest]].sum(axis=1)
            guess = path[:, rest].sum(axis=1)
            factor = np.divide(left, guess, out=np.ones_like(left), where=guess > 0)
            path[:, rest] = np.clip(path[:, rest] * factor[:, None], 0.0, base.draws[:, rest])
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
        scope = x.scope if x.scope not in (ALL, self._own) else ""
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
        rows = [panel.locations.index(s) for s in JURISDICTIONS]
        counts = panel.reported[rows, -1].copy()
        if scope:
            shares = self.tables.get(share_name(scope), {})
            counts *= [shares.get(s, np.nan) for s in JURISDICTIONS]
        return dict(zip(JURISDICTIONS, counts)) if np.isfinite(counts).all() else None


def short_name(panel: Panel | None) -> str:
    """Short name of what a panel counts; all drugs without one."""
    if panel is None:
        return ALL
    named = {name: short for short, name in INDICATOR_NAMES.items()}
    return named.get(panel.indicator, panel.indicator)


def sums_to_nation(forecast: Forecast) -> bool:
    """Whether US is in a forecast as the sum, draw by draw, of its 52 jurisdictions."""
    rows = whole_and_parts(forecast.locations)
    if LOCATION not in forecast.joint or rows is None:
        return False
    us, parts = rows
    nation = forecast.draws[:, us]
    return bool(np.allclose(forecast.draws[:, parts].sum(axis=1), nation, rtol=1e-9, atol=1e-6))
