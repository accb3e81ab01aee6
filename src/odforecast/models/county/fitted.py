"""Counties bound to a panel, and their spec: what all baselines of counties share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from odforecast.models.county.completed import MIN_MONTHS, Counts
from odforecast.models.spec import Spec
from odforecast.names import COUNTIES, MONTH, TARGET_12MO
from odforecast.panel import Panel


@dataclass(frozen=True, eq=False, repr=False)
class FittedCounties:
    """Counties and their counts, as a baseline draws from them.

    Attributes
    ----------
    model : str
        Name in the registry.
    panel : Panel
        What it forecasts from.
    counts : Counts
        Of its counties, and what is hidden or lost.
    """

    model: str
    panel: Panel
    counts: Counts

    def __repr__(self) -> str:
        n, last = len(self.counts.locations), self.panel.last_month
        return f"<{type(self).__name__} {self.model}: {n} counties to {last}>"


def county_spec(name: str, by: str | None = "state", **others: Any) -> Spec:
    """Spec of a baseline of counties: 12-month counts, joint over months.

    Parameters
    ----------
    name : str
    by : {"state", None}
        What a release lost is what the state's other counties leave: all of a state at once.
    **others
        Further fields of :class:`odforecast.models.spec.Spec`.

    Examples
    --------
    >>> county_spec("county-gamma").by
    'state'
    """
    return Spec(
        name,
        "1",
        by=by,
        target=TARGET_12MO,
        joint=frozenset({MONTH}),
        min_months=MIN_MONTHS,
        dataset=COUNTIES,
        **others,
    )
