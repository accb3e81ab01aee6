"""Truth: the counts that forecasts are scored against, and when they count as settled."""

from __future__ import annotations

import datetime as dt
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError, one_of, short, whole
from odforecast.forecasts.forecast import a_forecast
from odforecast.geography import called, pick
from odforecast.months import ONE_MONTH, Months
from odforecast.names import (
    COUNTIES,
    TARGET_12MO,
    TARGET_MONTH,
    TARGETS,
    VINTAGE_SYNTHETIC,
)
from odforecast.panel import Floats, Panel
from odforecast.publication import SETTLED
from odforecast.say import card, html_facts, listed, number_of, steady
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A count is taken as settled when its release came out this many months after its month.
MIN_AGE = SETTLED
#: The files of counties are short: their counts are scored sooner, as provisional truth.
COUNTY_MIN_AGE = 6
_KINDS = ("reported", "predicted")
#: What is known of a count that is not shown.
_BETWEEN = {"suppressed": "1 to 9", "lost": "1,000 or more"}


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class Truth:
    """Reported or predicted counts of one release, and when they count as settled.

    Attributes
    ----------
    panel : Panel
        The release scored against.
    kind : {"reported", "predicted"}
        Which of its counts. ``predicted`` never converges to the final count: use it to
        look at CDC's estimate, not to judge a model.
    min_age : int
        Months between a month and the release for the month to be scorable; default 12, for
        counties 6: *provisional truth*.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> truth = od.Truth(od.bundled().as_of().panel())
    >>> values, reasons = truth.observed(["US"], np.array(["2025-01", "2025-02"], "M8[M]"))
    >>> bool(np.isnan(values[0, 1])), reasons[0, 1]
    (True, 'too young: release 2026-01-14 is 11 months after the month, 12 needed')
    """

    panel: Panel
    kind: str = "reported"
    min_age: int = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if not isinstance(self.panel, Panel):
            raise ScoringError(
                f"panel is a {type(self.panel).__name__}, no Panel",
                hint="od.archive().as_of().panel() gives one",
            )
        usual = COUNTY_MIN_AGE if self.panel.dataset == COUNTIES else MIN_AGE
        age = (
            usual
            if self.min_age is None
            else whole("min_age", self.min_age, least=0, error=ScoringError)
        )
        object.__setattr__(self, "min_age", age)
        # What stands beside the counts is no truth, and is not sent to workers.
        object.__setattr__(self, "panel", replace(self.panel, beside={}, triangle=None))
        if not isinstance(self.kind, str) or self.kind not in _KINDS:
            hint = one_of(self.kind, _KINDS)
            raise ScoringError(f"kind is {self.kind!r}, an unknown truth", hint=hint)
        if self.panel.vintage == VINTAGE_SYNTHETIC or self.panel.donor:
            kind = "delayed" if self.panel.donor else "made-up"
            raise ScoringError(
                f"a {kind} panel cannot be a truth", hint="take one from an archive"
            )

    @steady
    def __repr__(self) -> str:
        return card(
            f"Truth: {self.kind} counts of release {self.release}, {self.panel.indicator}",
            f"{number_of(len(self.panel.locations), 'location')} ({listed(self.panel.locations)}), "
            f"{self.panel.months[0]} to {self.panel.last_month}",
            f"{'provisional truth, ' if self.provisional else ''}scorable from {self.min_age} "
            f"months of age: to {self._youngest}",
            "next: od.score(forecast, truth), .select('Ohio'), .to_frame(), .plot('US')",
        )

    @steady
    def _repr_html_(self) -> str:
        because = (
            f"a count settles in {MIN_AGE if self.provisional else self.min_age} months"
        )
        if self.provisional:
            because += f", and is taken as provisional truth from {self.min_age}"
        facts = {
            "counts": f"{self.kind}, {self.panel.indicator}",
            "release": str(self.release),
            "places": len(self.panel.locations),
            "months": f"{self.panel.months[0]} to {self.panel.last_month}",
            "scorable to": str(self._youngest),
            "because": because,
        }
        title = "Provisional truth" if self.provisional else "Truth"
        return html_facts(
            facts,
            f"{title} that forecasts are scored against",
            note="next: .to_frame()",
        )

    @property
    def provisional(self) -> bool:
        """Whether counts are scored before they have settled: those of counties are."""
        return self.panel.dataset == COUNTIES and self.min_age < MIN_AGE

    @property
    def _youngest(self) -> np.datetime64:
        """Last month that is old enough, if the release has it."""
        old = np.datetime64(self.release, "M") - self.min_age * ONE_MONTH
        return np.datetime64(min(old, self.panel.last_month), "M")

    def to_frame(self) -> pd.DataFrame:
        """Every 12-month-ending count, and whether it can be scored against, tidy.

        Returns
        -------
        DataFrame
            One row per location and month: ``location`` (CDC code or FIPS, str), ``name`` (in
            full, str), ``month`` (end of the 12 months, datetime64[s]), ``observed`` (deaths,
            float; NaN where not scorable), ``scorable`` (bool), ``reason`` (why not, str),
            ``truth`` (``"reported"`` or ``"predicted"``) and ``truth_release`` (datetime64[s]).

        Examples
        --------
        >>> import odforecast as od
        >>> table = od.Truth(od.bundled().as_of().panel()).select("Ohio").to_frame()
        >>> len(table), int(table["scorable"].sum())
        (128, 121)
        """
        places = self.panel.locations
        months = self.panel.months
        values, reasons = self.observed(places, months)
        columns = {
            "location": np.repeat(places, months.size),
            "name": np.repeat([called(s) for s in places], months.size),
            "month": np.tile(months.astype("datetime64[s]"), len(places)),
            "observed": values.ravel(),
            "scorable": reasons.ravel() == "",
            "reason": reasons.ravel(),
            "truth": self.kind,
            "truth_release": np.datetime64(self.release, "s"),
        }
        return pd.DataFrame(columns)

    def select(self, locations: str | Iterable[str]) -> Truth:
        """Only these locations, by any of their names, in this order."""
        places = pick(
            locations, self.panel.locations, f"release {self.release}", ScoringError
        )
        return replace(self, panel=self.panel.select(places))

    def plot(
        self, location: str | None = None, axes: Axes | None = None, **style: Any
    ) -> Axes:
        """The counts of one place over time; see :meth:`odforecast.Panel.plot`.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only one there is, or else the US.
        axes : matplotlib Axes, optional
            Drawn into; default: those of a new figure.
        **style
            As :func:`odforecast.plot.counts` takes it.
        """
        return self.panel.plot(location, axes=axes, **style)

    @property
    def release(self) -> dt.date:
        """Release date of the counts."""
        return self.panel.release

    @property
    def data_hash(self) -> str:
        """Hash of everything a score depends on."""
        return content_hash(self.panel.data_hash, self.kind, self.min_age)

    @property
    def basis(self) -> str:
        """How its deaths are counted."""
        return self.panel.basis

    def observed(
        self,
        locations: Sequence[str],
        months: Months,
        target: str = TARGET_12MO,
    ) -> tuple[Floats, NDArray[np.object_]]:
        """Counts to score against, NaN where they are not scorable, and why not.

        Parameters
        ----------
        months : ndarray of datetime64[M], shape (M,)
        target : {"deaths_12mo", "deaths_month"}
            Monthly truth is known up to a constant per calendar month: see
            :mod:`odforecast.monthly.sums`.

        Returns
        -------
        values : ndarray, shape (L, M)
        reasons : ndarray of str, shape (L, M)
            Empty where the count is scorable.
        """
        if target not in TARGETS:
            raise ScoringError(
                f"target is {target!r}, unknown", hint=one_of(target, TARGETS)
            )
        monthly = target == TARGET_MONTH
        if monthly and self.kind != "reported":
            raise ScoringError("monthly truth exists for reported counts only")
        grid = self.panel.month_grid if monthly else self.panel.months
        counts = self.panel.monthly if monthly else getattr(self.panel, self.kind)
        values, reasons = self._read(counts, grid, locations=locations, months=months)
        if not monthly:
            for layer, kind in (
                (self.panel.hidden, "suppressed"),
                (self.panel.lost, "lost"),
            ):
                if layer.any():
                    unpublished = (
                        self._read(
                            layer.astype(float),
                            grid,
                            locations=locations,
                            months=months,
                        )[0]
                        == 1.0
                    )
                    reasons[unpublished] = (
                        f"{kind} in release {self.release}: {_BETWEEN[kind]}"
                    )
        values[reasons != ""] = np.nan
        return values, reasons

    def bounds(self, locations: Sequence[str], months: Months) -> tuple[Floats, Floats]:
        """What the 12-month-ending counts lie between, where they are old enough to be scored.

        Parameters
        ----------
        locations : sequence of str
            CDC codes or FIPS.
        months : ndarray of datetime64[M], shape (M,)

        Returns
        -------
        low, high : ndarray, shape (L, M)
            The count twice where it is known; 1 and 9 where it was suppressed, 1,000 and infinity
            where the release lost it; NaN where nothing is known of it, or it is too young.

        Examples
        --------
        >>> import numpy as np
        >>> import odforecast as od
        >>> truth = od.Truth(od.bundled().as_of().panel())
        >>> low, high = truth.bounds(["WY"], np.array(["2025-01", "2025-02"], "M8[M]"))
        >>> bool(low[0, 0] == high[0, 0]), bool(np.isnan(low[0, 1]))
        (True, True)
        """
        names = ("low", "high") if self.kind == "reported" else (self.kind, self.kind)
        layers = (getattr(self.panel, name) for name in names)
        read = (
            self._read(x, self.panel.months, locations=locations, months=months)
            for x in layers
        )
        low, high = (
            np.where(reasons == "", values, np.nan) for values, reasons in read
        )
        return low, high

    def _read(
        self,
        layer: Floats,
        grid: Months,
        locations: Sequence[str],
        months: Months,
    ) -> tuple[Floats, NDArray[np.object_]]:
        """A layer at places and months, NaN where it has none, and why it is not scored."""
        values = np.full((len(locations), months.size), np.nan)
        reasons = np.full(values.shape, "", dtype=object)
        column = (months - grid[0]).astype(int)
        inside = (column >= 0) & (column < grid.size)
        row = {state: i for i, state in enumerate(self.panel.locations)}
        at = np.array([row.get(state, -1) for state in locations], dtype=int)
        available = at >= 0
        values[np.ix_(available, inside)] = layer[np.ix_(at[available], column[inside])]
        reasons[np.isnan(values)] = f"not published in release {self.release}"
        reasons[:, column >= grid.size] = (
            f"after the last month of release {self.release}"
        )
        for i in np.flatnonzero(~available):
            reasons[i] = f"release {self.release} has no {locations[int(i)]}"
        age = (
            np.datetime64(self.release, "M") - months.astype("datetime64[M]")
        ).astype(int)
        for j in np.flatnonzero(age < self.min_age):
            reasons[reasons[:, j] == "", j] = (
                f"too young: release {self.release} is {age[j]} months after the month, "
                f"{self.min_age} needed"
            )
        return values, reasons


def forecast_and_truth(forecast: object, truth: object) -> None:
    """Refuse what is not a forecast, or no truth."""
    a_forecast(forecast, ScoringError)
    if isinstance(truth, Panel):
        raise ScoringError("truth is a Panel", hint="make it one: od.Truth(panel)")
    if not isinstance(truth, Truth):
        raise ScoringError(
            f"truth is {short(truth)}, not a Truth", hint="give od.Truth(panel)"
        )


def months_ahead(horizons: object, forecast_months: Sequence[int]) -> list[int]:
    """Horizons, of which a forecast has one at least."""
    span = (
        f" within {forecast_months[0]} to {forecast_months[-1]}"
        if len(forecast_months)
        else ""
    )
    hint = f"give a list of months ahead{span}, as [1, 6]"
    if isinstance(horizons, str) or not isinstance(horizons, Iterable):
        raise ScoringError(f"horizons is {short(horizons)}, no list", hint=hint)
    months = list(horizons)
    if not months:
        raise ScoringError("horizons is empty", hint=hint)
    for h in months:
        if isinstance(h, bool) or not isinstance(h, numbers.Real) or h % 1 != 0:
            raise ScoringError(f"horizon {short(h)} is not a whole number", hint=hint)
    if len(forecast_months) and not set(months) & {int(h) for h in forecast_months}:
        raise ScoringError(
            f"horizons {short(months)}: none of them is forecast", hint=hint
        )
    return [int(h) for h in months]
