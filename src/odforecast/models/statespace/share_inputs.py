"""What the filter of a drug class's share is given, and its scales: from a panel of all drugs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odforecast.geography import JURISDICTIONS, NATION, closed
from odforecast.models.constants import Constants
from odforecast.models.delay.deficit import SPAN, Deficit
from odforecast.models.statespace.filter import State
from odforecast.models.statespace.pins import years_averaged
from odforecast.models.statespace.share_constants import shares_for
from odforecast.models.statespace.share_rows import SHOWN, _ratio, _Rows, _rows
from odforecast.monthly.sums import rolling_sums
from odforecast.months import month_lengths
from odforecast.panel import Floats, Panel

#: Months that a share needs: those that the forecast shows, and one.
MIN_MONTHS = 24
#: The US on its own: the innovations of its parts average out.
_ALONE = 0.19


@dataclass(frozen=True)
class ShareScales:
    """Innovations of the log-odds a month, and what is known of late arrivals.

    Attributes
    ----------
    own, us : float
        Sd of a location's own and of the shared innovation.
    slope, damp : float
        Sd of the innovation of the shared slope, and its damping.
    noise : float
        Sd of a single month's noise beyond the binomial.
    pull : float
        Change of the log-odds with that of the log level of all drugs.
    late, late_shared : float
        Late share of the class over that of all drugs, and its sd from release to release.
    late_own : float
        Relative error of a location's own.
    """

    own: float
    us: float
    slope: float
    damp: float
    noise: float
    pull: float
    late: float
    late_shared: float
    late_own: float

    @classmethod
    def of(cls, constants: Constants, short: str) -> ShareScales:
        """Those of a dated set, for a drug class: each has its own."""
        return cls(**shares_for(constants.cutoff, short))

    def innovations(self) -> Floats:
        """What the filter takes, in its order."""
        return np.array([self.us, self.slope, self.damp, self.noise, self.pull])


@dataclass(frozen=True)
class Inputs:
    """What the filter of the share is given, the scales apart.

    Attributes
    ----------
    units, others : tuple of str
        See :class:`odforecast.models.statespace.share.Part`.
    parts, wholes, rise : ndarray, shape (L, T)
        Completed months of the class on its pins and of all drugs, and the change of the smoothed
        log level of those.
    late : ndarray, shape (L, T)
        Deaths of the class expected to arrive late.
    share, years : ndarray, shape (L,)
        Share of the last twelve months, and the years averaged in a pin.
    shown : ndarray, shape (L, 23)
        The last months of the class as reported, on its pins.
    """

    units: tuple[str, ...]
    others: tuple[str, ...]
    parts: Floats
    wholes: Floats
    rise: Floats
    late: Floats
    share: Floats
    years: Floats
    shown: Floats

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which units are parts of the nation: Puerto Rico, where it is published, is none."""
        return np.array([u in JURISDICTIONS or u == NATION for u in self.units])

    def own(self, scales: ShareScales) -> Floats:
        """Sd of own innovations: a unit of many jurisdictions averages theirs."""
        alone = max(_ALONE, 1.0 / np.sqrt(len(self.others))) if self.others else _ALONE
        return np.array([scales.own * (alone if u == NATION else 1.0) for u in self.units])

    def filtered(self, scales: ShareScales) -> tuple[Floats, Floats, float]:
        """Mean and covariance at the origin, and the log likelihood up to a constant."""
        from odforecast.models.statespace.share_kernels import share_filter

        n_loc = len(self.units)
        first = (~np.isnan(self.parts)).argmax(axis=1).astype(np.int64)
        start = _ratio(self.parts, self.wholes)[np.arange(n_loc), first]
        mean = np.concatenate([np.log(start / (1.0 - start)), np.zeros(2)])
        slope = min(scales.slope**2 / (1.0 - scales.damp**2), 0.03**2)
        cov = np.diag([*np.zeros(n_loc), slope, (scales.late_shared / scales.late) ** 2])
        noise = (scales.late_own * self.late) ** 2
        noise += np.abs(self.late) * (1.0 - self.share)[:, None]
        loglik = share_filter(
            self.parts, self.wholes, self.rise, first, self.own(scales), scales.innovations(),
            mean, cov, 1.0 - 1.0 / np.maximum(self.years, 1.01), self.late, noise,
        )  # fmt: skip
        return mean, cov, float(loglik)


def share_inputs(
    panel: Panel,
    short: str,
    states: Sequence[State],
    adds_up: bool,
    missing: Deficit | None,
    ratio: float,
) -> tuple[Inputs, bool, dict[str, str]] | None:
    """What the filter is given, whether the US is the sum of the units, and what is left out."""
    from odforecast.models.statespace.share_kernels import smooth_rise

    part = panel.beside[short]
    counts = _filled(part)
    usable, skipped = _usable(part, counts)
    forecast = {s for state in states for s in state.locations} | ({NATION} if adds_up else set())
    skipped |= {s: "all drugs are not forecast there" for s in usable if s not in forecast}
    held = {s for s in usable if s in forecast}
    # A fixed order, whatever the panel's.
    places = [s for s in (*JURISDICTIONS, *sorted(held - {*JURISDICTIONS, NATION})) if s in held]
    wholes, parts, added = _months(panel, counts, missing)

    def rows(names: Sequence[str]) -> _Rows:
        y = parts[[part.locations.index(s) for s in names]]
        at = [panel.locations.index(s) for s in names]
        return _rows(y, wholes[at], added[at], ratio)

    no_part = "its last months cannot be a part of those of all drugs"
    found = None
    if places:
        found = rows(places)
        skipped |= {s: no_part for s, ok in zip(places, found.possible) if not ok}
        kept = np.flatnonzero(found.possible)
        places = [places[i] for i in kept]
        found = found.at(kept) if kept.size else None
    others: tuple[str, ...] = ()
    coherent = False
    if NATION in held:
        last: _Rows | None = None
        if adds_up:
            inside = [part.locations.index(s) for s in places if s in JURISDICTIONS]
            rest = parts[part.locations.index(NATION)] - parts[inside].sum(axis=0)
            others = tuple(s for s in JURISDICTIONS if s not in places)
            beyond = np.nan_to_num(rolling_sums(rest[-SHOWN:]), nan=-1.0)
            if not others:
                coherent = not beyond.any()
            elif beyond.min() >= 0 and np.isfinite(rest[-MIN_MONTHS:]).all():
                at = [panel.locations.index(s) for s in others]
                whole, late = (a[at].sum(axis=0)[None] for a in (wholes, added))
                last = _rows(rest[None], whole, late, ratio)
                coherent = bool(last.possible[0])
        if not coherent:
            others, last = (), rows([NATION])
            if not last.possible[0]:
                skipped[NATION], last = no_part, None
        if last is not None:
            places = [*places, NATION]
            found = last if found is None else found.under(last)
    if found is None:
        return None
    # The level of all drugs on the pins of their own model.
    shift = {s: row for state in states for s, row in zip(state.locations, state.shift)}
    made_of = [others if others and u == NATION else (u,) for u in places]
    pins = np.array([np.sum([shift.get(s, np.zeros(12)) for s in of], axis=0) for of in made_of])
    model = states[0].scales
    walk = float(np.sqrt(model.level_own**2 + model.level_region**2 + model.level_us**2))
    calendar = np.arange(found.parts.shape[1]) % 12
    lengths = month_lengths(panel.month_grid)
    inputs = Inputs(
        units=tuple(places),
        others=others,
        parts=found.parts,
        wholes=found.wholes,
        rise=smooth_rise((found.wholes - pins[:, calendar]) / lengths, walk, model.noise),
        late=found.late,
        share=_ratio(found.parts, found.wholes)[:, -1],
        years=years_averaged((~np.isnan(found.parts)).sum(axis=1).astype(float)),
        shown=found.shown,
    )
    return inputs, coherent, skipped


def _months(panel: Panel, counts: Floats, missing: Deficit | None) -> tuple[Floats, Floats, Floats]:
    """Months of all drugs and of the class on one grid, and what the former still miss."""
    wholes = closed(panel.monthly, panel.locations)
    n = wholes.shape[1]
    added = np.zeros(wholes.shape)
    if missing is not None:
        ages = min(SPAN, n)
        added[:, n - ages :] = missing.months[:, SPAN - ages :]
    recovered = _recovered(counts)
    parts = np.full((len(recovered), n), np.nan)
    m = min(n, recovered.shape[1])
    parts[:, n - m :] = recovered[:, recovered.shape[1] - m :]
    return wholes, parts, added


def _filled(part: Panel) -> Floats:
    """Counts since the last suppressed one, gaps inside filled by a straight line; (L, T)."""
    out = part.reported.copy()
    for i, row in enumerate(out):
        hidden = np.flatnonzero(part.hidden[i])
        if hidden.size:
            row[: hidden[-1] + 1] = np.nan
        known = np.flatnonzero(~np.isnan(row))
        if known.size and known.size <= known[-1] - known[0]:
            inside = np.arange(known[0], known[-1])
            row[inside] = np.round(np.interp(inside, known, row[known]))
    return out


def _usable(part: Panel, counts: Floats) -> tuple[list[str], dict[str, str]]:
    """Locations with enough counts, and why the others are left out."""
    usable, skipped = [], dict(part.problems)
    for i, state in enumerate(part.locations):
        months = int((~np.isnan(counts[i])).sum()) + 11
        if state in skipped:
            continue
        if part.hidden[i, -1]:
            skipped[state] = f"the count of the last month ({part.last_month}) is suppressed"
        elif np.isnan(counts[i, -1]):
            skipped[state] = f"no reported count in the last month ({part.last_month})"
        elif months < MIN_MONTHS:
            skipped[state] = f"only {months} months up to {part.last_month}"
        else:
            usable.append(state)
    return usable, skipped


def _recovered(sums: Floats) -> Floats:
    """Months on the pins that come first: others are chosen later.

    The first twelve are a twelfth of the first count, to the whole death; all that is fixed is
    that they add up to the counts.
    """
    n_loc, n = sums.shape
    out = np.full((n_loc, n + 11), np.nan)
    known = ~np.isnan(sums)
    for row in np.flatnonzero(known[:, -1]):
        begin = int(known[row].argmax())
        start = np.floor(sums[row, begin] * np.arange(13) / 12.0)
        out[row, begin : begin + 12] = np.diff(start)
        steps = np.diff(sums[row, begin:])
        for k in range(12):
            into = out[row, begin + 12 + k :: 12]
            into[:] = out[row, begin + k] + np.cumsum(steps[k::12])
    return out
