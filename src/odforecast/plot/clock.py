"""The clock of a scenario: the chances so far, and where they are expected to go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.plot.output import describe
from odforecast.plot.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    days,
    drawn_on,
    heading,
    legend,
    of_time,
)
from odforecast.plot.words import capital, deaths_of, literal, month_name
from odforecast.say import chance

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def chances(track: Any, *, axes: Axes | None = None) -> Axes:
    """The chance that a scenario works: so far, and as expected if it does and if it does not.

    Parameters
    ----------
    track : Track
        From :func:`odforecast.scenario.track`.
    axes : Axes, optional
        Where to draw; default: a figure of its own.

    Returns
    -------
    Axes
        Percent; the bands hold 80% of the simulated worlds.

    Raises
    ------
    DataError
        If what is given is not a track.

    Examples
    --------
    >>> import odforecast as od
    >>> again = od.scenario.named("cooperation-resumed", onset="2025-03")
    >>> found = od.scenario.track(again, od.bundled(), model=od.get_model("drift"), draws=2)
    >>> od.plot.chances(found).get_title(loc="left")
    'United States: has cooperation-resumed worked?'
    """
    if not all(hasattr(track, name) for name in ("chances", "expected", "sure_month")):
        raise DataError("a figure of chances needs a track", hint="od.scenario.track(...)")
    drawn = drawn_on(axes)
    so_far, said = track.chances, []
    when = days(np.array(so_far["month"], dtype="datetime64[M]"))
    for name, colour in (("nothing", GREY), ("backfires", ORANGE)):
        drawn.plot(when, 100 * so_far[name], color=colour, lw=1.2, marker="o", ms=3,
                   label=f"so far: {name.replace('nothing', 'does nothing')}")  # fmt: skip
    drawn.plot(when, 100 * so_far["works"], color=BLACK, lw=2, marker="o", ms=5,
               label="so far: works")  # fmt: skip
    now = so_far.iloc[-1]
    said.append(
        f"with counts to {month_name(now['month'])} it works with {chance(now['works'])}, does "
        f"nothing with {chance(now['nothing'])}, backfires with {chance(now['backfires'])}"
    )
    for world, colour, words in (
        ("works", BLUE, "if it works"),
        ("does not work", ORANGE, "if it does not"),
    ):
        rows = track.expected[track.expected["world"] == world]
        if rows.empty:
            continue
        ahead = days(np.array([now["month"], *rows["month"]], dtype="datetime64[M]"))
        start = [now["works"]]
        drawn.fill_between(ahead, 100 * np.array([*start, *rows["works_q10"]]),
                           100 * np.array([*start, *rows["works_q90"]]), color=colour, alpha=0.15,
                           lw=0)  # fmt: skip
        drawn.plot(ahead, 100 * np.array([*start, *rows["works"]]), color=colour, lw=1.8, ls="--",
                   label=f"works, expected {words}")  # fmt: skip
        last = rows.iloc[-1]
        said.append(
            f"{words}, {chance(last['works'])} is expected with counts to "
            f"{month_name(last['month'])}"
        )
    for level in (20, 80):
        drawn.axhline(level, color=GREY, lw=0.7, ls=":")
    drawn.set_ylim(0, 100)
    drawn.set_ylabel("chance, %")
    of_time(drawn)
    title = f"{called(track.location)}: has {track.scenario} worked?"
    deaths = capital(deaths_of(track.indicator))
    heading(drawn, literal(title), literal(
        f"{deaths}; any change after {month_name(track.onset)} counts, whatever its cause; bands: "
        "80% of simulated worlds"
    ))  # fmt: skip
    legend(drawn)
    describe(drawn, f"Chances that {track.scenario} works: {'; '.join(said)}.")
    axes_out: Axes = drawn
    return axes_out
