"""Past events of the catalogue, and the counts behind their posteriors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from odforecast.errors import ScenarioError, UnknownNameError
from odforecast.geography import JURISDICTIONS
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats, Panel
from odforecast.scenario.catalogue import events
from odforecast.scenario.effects.estimator import Estimator
from odforecast.scenario.effects.posterior import EventPosterior
from odforecast.scenario.file import named_intervention
from odforecast.scenario.intervention import NATION, Intervention
from odforecast.scenario.priors import Fixed, Normal
from odforecast.scenario.wording import nearest

#: Events of the catalogue, and the named prior each is an instance of.
PRIOR_OF = {
    "carfentanil-scheduled": "analogue-scheduling",
    "npp-4anpp-controlled": "precursor-scheduling",
    "class-scheduled": "class-scheduling",
    "cooperation-suspended": "cooperation-suspended",
    "supply-shock-2023": "supply-shock-2023-like",
    "cooperation-resumed": "cooperation-resumed",
}

#: Months after an onset that bear on it: later turns are another story.
WINDOW = 24

#: Months before an onset that say what is usual.
BEFORE = 48

#: Draws of the timing: so many that a verdict hangs on no seed.
MANY = 1024

#: Sd of the size of another change near an event, of which nobody has told us: a judgement.
ELSE_SD = 0.15

#: Fewest deaths in every month of a state that is looked at.
FEWEST = 3.0

#: Asks for :func:`anything_else`.
ANYTHING = "anything else"


def past_event(event: str | Intervention) -> Intervention:
    """An event of the catalogue with its prior.

    Raises
    ------
    UnknownNameError
        If the catalogue has no prior for it.

    Examples
    --------
    >>> past_event("class-scheduled").onset[0]
    np.datetime64('2019-05')
    """
    if isinstance(event, Intervention):
        return event
    if event not in PRIOR_OF:
        raise UnknownNameError(
            f"no past event {event!r} with a prior{nearest(event, PRIOR_OF)}",
            hint=f"allowed: {', '.join(PRIOR_OF)}",
        )
    calendar = events()
    month = calendar.loc[calendar["id"] == event, "month"].to_numpy(dtype="datetime64[M]")[0]
    return named_intervention(PRIOR_OF[event], onset=str(month))


def anything_else(x: Intervention) -> Intervention:
    """Another change within half a year of an event, of which nobody has told us.

    Taken together with the event it widens what can be said of it: with even odds there was
    nothing else, or something of either sign, of the same course.
    """
    half = 6 * ONE_MONTH
    return replace(
        x, name=ANYTHING, size=Normal(0.0, ELSE_SD), share=Fixed(1.0), p_null=0.5,
        direction="either", onset=(str(x.onset[0] - half), str(x.onset[1] + half)),
        rebound=None,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Seen:
    """The counts behind a posterior.

    Attributes
    ----------
    months : ndarray of datetime64[M], shape (T,)
    states : list of str
        Jurisdictions whose months all hold some deaths; or US, where there are none.
    deaths : ndarray, shape (S, T)
    nation : ndarray, shape (T,), or None
        The nation's own months, where the panel has them beside states.
    """

    months: Months
    states: list[str]
    deaths: Floats
    nation: Floats | None


def seen_counts(panel: Panel, x: Intervention) -> Seen:
    """Four years before the onset to two years after it, final where a year after it is.

    Raises
    ------
    ScenarioError
        If no location has months without a gap.
    """
    last = min(x.onset[1] + WINDOW * ONE_MONTH, panel.last_month)
    if panel.final_through >= x.onset[1] + 12 * ONE_MONTH:
        last = min(last, panel.final_through)
    grid = panel.month_grid
    span = (grid >= x.onset[0] - BEFORE * ONE_MONTH) & (grid <= last)
    rows = {s: panel.monthly[panel.index(s)][span] for s in panel.locations}
    whole = {s: row for s, row in rows.items() if np.isfinite(row).all()}
    # Months next to none are not smooth on the log scale, and recovered ones not certain there.
    states = [s for s in whole if s in JURISDICTIONS and whole[s].min() >= FEWEST]
    nation = whole.get(NATION)
    if not states:
        if nation is None:
            raise ScenarioError("no location has months without a gap")
        return Seen(grid[span], [NATION], nation[None], None)
    return Seen(grid[span], states, np.stack([whole[s] for s in states]), nation)


def posterior_of(
    panel: Panel,
    both: Sequence[Intervention],
    felt: Sequence[Mapping[str, float]],
    *,
    timings: int = MANY,
    seed: int = 1,
) -> tuple[Seen, EventPosterior]:
    """Posterior of one event, or two, from a panel of their scope.

    The nation's own counts say what the mean did, the states how they differ from it.

    Parameters
    ----------
    panel : Panel
    both : sequence of Intervention
        The window is that of the first.
    felt : sequence of mapping of str to float
        Exposure of each location to each event.
    timings, seed : int
        Draws of the timing; of two events together four times as many.
    """
    seen = seen_counts(panel, both[0])
    nation = None if seen.nation is None else np.array([f[NATION] for f in felt])
    estimator = Estimator(
        seen.months,
        both,
        np.array([[f[s] for f in felt] for s in seen.states]),
        seen.deaths.mean(axis=1),
        nation=nation,
        draws=timings if len(both) == 1 else 4 * timings,
        seed=seed,
    )
    return seen, estimator.posterior(seen.deaths, seen.nation)
