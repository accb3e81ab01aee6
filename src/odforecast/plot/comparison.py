"""Models side by side: error relative to a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.names import COUNTIES
from odforecast.plot.inputs import table_of
from odforecast.plot.output import describe
from odforecast.plot.scored import LEVELS, models_of, of_target, of_vintage, target_in, vintages_in
from odforecast.plot.style import BLACK, MARKERS, PALETTE, drawn_on, heading, legend
from odforecast.plot.words import capital, joined, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BASELINE, _OF_COUNTIES = "hub-baseline", "county-hub-baseline"
_TITLES = {
    "horizon_group": "months ahead",
    "regime": "when the count was for",
    "era": "months from the last known one to its release",
}
_VALUES = {"rise": "rise\n(2020–21)", "fall": "fall\n(2023–24)", "other": "other\nyears"}


def skill(
    results: Any,
    split: str = "horizon_group",
    *,
    models: str | Sequence[str] | None = None,
    baseline: str = _BASELINE,
    level: str | None = None,
    vintage: str | None = None,
    target: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Error (WIS) of each model over that of a baseline, on the forecasts both made.

    Parameters
    ----------
    results : Results or DataFrame
        Results of a backtest; or a leaderboard made with ``by=["level", split]``: ``model``,
        ``rel_wis``, the column of the split, and ``level`` if there are two.
    split : str
        What stands side by side: ``"horizon_group"``, ``"regime"``, ``"era"``, ``"horizon"`` …
    models : str or sequence of str, optional
        Default: all but the baseline.
    baseline : str
        What is 1; of counties, where it is left out, ``county-hub-baseline``.
    level : {"jurisdictions", "nation"}, optional
        Default: the jurisdictions, if there are any.
    vintage : {"pseudo-delayed", "real", "pseudo-clean"}, optional
        Of which kind of vintage, where there are several: they have no common mean. Default: the
        first of these that there is.
    target : {"deaths_12mo", "deaths_month"}, optional
        Of which target, where there are several. Default: 12-month counts, if there are any.
    axes : Axes, optional
        Where to draw; default: a figure of its own.

    Returns
    -------
    Axes
        Below 1 is better than the baseline.

    Raises
    ------
    UnknownNameError
        If a model, a kind of vintage or a target was not scored.
    DataError
        If a column is missing, or there is nothing to relate to.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift", "hub-baseline"], "pseudo-clean", archive=od.bundled(),
    ...     start="2022-01", end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> od.plot.skill(results).get_ylabel()
    'WIS, hub-baseline = 1'
    """
    counties = getattr(results, "manifest", {}).get("dataset") == COUNTIES
    if counties and baseline == _BASELINE:
        baseline = _OF_COUNTIES
    if callable(getattr(results, "leaderboard", None)):
        keys = list(dict.fromkeys(["vintage", "target", "level", split]))
        board = results.leaderboard(by=keys, baseline=baseline)
    else:
        board = results
    board = table_of(board, ("model", "rel_wis", split), "the leaderboard")
    board = board.assign(model=board["model"].astype(str))
    if vintage is not None or split != "vintage":
        board = of_vintage(board, vintage)
    if target is not None or split != "target":
        board = of_target(board, target)
    if "level" in board and split != "level":
        there = set(board["level"].astype(str))
        chosen = level or next((x for x in LEVELS if x in there), "")
        board = board[board["level"].astype(str) == chosen]
        if board.empty:
            raise DataError(f"nothing was scored for level {chosen!r}",
                            hint=f"there is: {', '.join(sorted(there))}")  # fmt: skip
    else:
        chosen = level or ""
    chosen = "counties" if counties else chosen
    if board["rel_wis"].isna().all():
        raise DataError(
            f"no model is related to {baseline}: it was not scored on the same forecasts",
            hint=f"put {baseline} among the models of the backtest, or name another baseline",
        )
    # A group in which nothing is related (counts published already) has no place on the axis.
    board = board[board.groupby(board[split].astype(str))["rel_wis"].transform("count") > 0]
    # Nor has a model that failed everywhere.
    board = board[board.groupby("model")["rel_wis"].transform("count") > 0]
    asked = models if models is None or isinstance(models, str) else list(models)
    names = [m for m in models_of(board, asked) if m != baseline or asked is not None]
    if not names:
        raise DataError(f"only {baseline} was scored: there is nothing to relate to it")
    groups = list(dict.fromkeys(board[split].sort_values().astype(str)))
    drawn = drawn_on(axes)
    said = []
    width = 0.7 / len(names)
    for i, name in enumerate(names):
        heights = _heights(board[board["model"] == name], split, groups)
        place = np.arange(len(groups)) + (i - (len(names) - 1) / 2) * width
        colour = PALETTE[i % len(PALETTE)]
        shape = MARKERS[(i + i // len(PALETTE)) % len(MARKERS)]
        drawn.vlines(place, 1, heights, color=colour, lw=2, alpha=0.55)
        drawn.plot(place, heights, shape, color=colour, ms=7, label=literal(name))
        known = [f"{h:.2f} ({g})" for h, g in zip(heights, groups) if np.isfinite(h)]
        if name != baseline and known:
            said.append(f"{name} {', '.join(known)}")
    drawn.axhline(1, color=BLACK, lw=1)
    drawn.set_xticks(np.arange(len(groups)), [_VALUES.get(g, literal(g)) for g in groups])
    drawn.set_xlim(-0.6, len(groups) - 0.4)
    drawn.set_ylim(bottom=0)
    drawn.set_xlabel(_TITLES.get(split, split.replace("_", " ")))
    drawn.set_ylabel(literal(f"WIS, {baseline} = 1"))
    kind = "" if split == "vintage" else vintages_in(board)
    what = "" if split == "target" else target_in(board)
    below = "; ".join(x for x in (capital(joined(chosen, what)), kind, "below 1: better") if x)
    heading(drawn, literal(f"Error relative to {baseline}"), literal(below))
    legend(drawn)
    of = "".join(f", {x}" for x in (chosen, what, kind) if x)
    by = _TITLES.get(split, split)
    describe(drawn, f"WIS relative to {baseline} by {by}{of}: {'; '.join(said)}.")
    axes_out: Axes = drawn
    return axes_out


def _heights(rows: pd.DataFrame, split: str, groups: list[str]) -> Any:
    """Relative WIS of one model in each group; NaN where it has none."""
    values = rows.assign(**{split: rows[split].astype(str)}).groupby(split)["rel_wis"]
    if (values.size() > 1).any():
        raise DataError(
            f"the leaderboard has several rows of {rows['model'].iloc[0]} for one {split}",
            hint=f"make it with by=['level', {split!r}], of one target and kind of vintage",
        )
    return values.first().reindex(groups).to_numpy(dtype=float)
