"""Models side by side: error relative to a baseline, and every model against every other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.names import COUNTIES
from odforecast.plot.frame import (
    LEVELS,
    capital,
    joined,
    models_of,
    of_target,
    of_vintage,
    said_in,
    table_of,
)
from odforecast.plot.output import finish
from odforecast.plot.style import (
    BLUE,
    INK,
    MARKERS,
    MUTED,
    ORANGE,
    PALETTE,
    TEXT,
    Head,
    Line,
    blank,
    canvas,
    drawn_on,
    levels,
    literal,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BASELINE, _OF_COUNTIES = "hub-baseline", "county-hub-baseline"
_TITLES = {
    "horizon_group": "months ahead",
    "regime": "when the count was for",
    "era": "months from the last known one to its release",
}
_VALUES = {"rise": "rise\n(2020–21)", "fall": "fall\n(2023–24)", "other": "other\nyears"}
_PAIRS = ("model", "other", "n_common", "n_groups", "ratio", "lower", "upper")
_SCALES = {"natural": "", "log": " of log counts", "per_100k": " of rates"}


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
    >>> od.plot.skill(results).get_title(loc="left")
    'Error relative to hub-baseline'
    """
    counties = getattr(results, "manifest", {}).get("dataset") == COUNTIES
    if counties and baseline == _BASELINE:
        baseline = _OF_COUNTIES
    board, chosen = _board(results, split, baseline, level, vintage, target)
    if board["rel_wis"].isna().all():
        raise DataError(
            f"no model is related to {baseline}: it was not scored on the same forecasts",
            hint=f"put {baseline} among the models of the backtest, or name another baseline",
        )
    # Groups in which nothing is related (counts published already), and models that failed.
    for column in (split, "model"):
        board = board[board.groupby(column)["rel_wis"].transform("count") > 0]
    names = [m for m in models_of(board, models) if m != baseline or models is not None]
    if not names:
        raise DataError(f"only {baseline} was scored: there is nothing to relate to it")
    groups = list(dict.fromkeys(board[split]))
    drawn = drawn_on(axes)
    said, ends, width = [], [], 0.7 / len(names)
    for i, name in enumerate(names):
        heights = _heights(board[board["model"] == name], split, groups)
        place = np.arange(len(groups)) + (i - (len(names) - 1) / 2) * width
        color = PALETTE[i % len(PALETTE)]
        shape = MARKERS[(i + i // len(PALETTE)) % len(MARKERS)]
        mark = dict(zip(MARKERS, "●■▲◆▼✚"))[shape]
        if np.isfinite(heights).any():
            ends.append(
                (heights[np.isfinite(heights)][-1], [Line(f"{mark} {name}", color, True)], 0)
            )
        drawn.vlines(place, 1, heights, color=color, lw=2, alpha=0.55)
        drawn.plot(place, heights, shape, color=color, ms=8, label=literal(name))
        known = [f"{h:.2f} ({g})" for h, g in zip(heights, groups) if np.isfinite(h)]
        if name != baseline and known:
            said.append(f"{name} {', '.join(known)}")
    drawn.axhline(1, color=INK, lw=1)
    drawn.set_xticks(np.arange(len(groups)), [_VALUES.get(g, literal(g)) for g in groups])
    drawn.set_xlim(-0.6, len(groups) - 0.4)
    by = _TITLES.get(split, split.replace("_", " "))
    drawn.set_xlabel(by)
    levels(drawn, "{:g}".format, literal(f"× the WIS of {baseline}"))
    kind = "" if split == "vintage" else said_in(board)
    what = "" if split == "target" else said_in(board, "target")
    of = joined("counties" if counties else chosen, what, kind)
    head = Head(f"Error relative to {baseline}", f"{joined(capital(of), 'below 1 is better')}.")
    sentence = f"WIS relative to {joined(f'{baseline} by {by}', of)}: {'; '.join(said)}."
    return finish(drawn, head, sentence, ends)


def _board(
    results: Any, split: str, baseline: str, level: str | None, vintage: str | None,
    target: str | None,
) -> tuple[pd.DataFrame, str]:  # fmt: skip
    """The leaderboard by a split, of one kind of vintage, target and level; and which level."""
    if callable(getattr(results, "leaderboard", None)):
        keys = list(dict.fromkeys(["vintage", "target", "level", split]))
        results = results.leaderboard(by=keys, baseline=baseline)
    board = table_of(results, ("model", "rel_wis", split), "the leaderboard")
    if vintage is not None or split != "vintage":
        board = of_vintage(board, vintage)
    if target is not None or split != "target":
        board = of_target(board, target)
    if "level" in board and split != "level":
        there = set(board["level"].astype(str))
        level = level or next((x for x in LEVELS if x in there), "")
        board = board[board["level"].astype(str) == level]
        if board.empty:
            raise DataError(f"nothing was scored for level {level!r}",
                            hint=f"there is: {', '.join(sorted(there))}")  # fmt: skip
    board = board.sort_values(split, kind="stable")  # categories have an order of their own
    return board.astype({split: str, "model": str}), level or ""


def _heights(rows: pd.DataFrame, split: str, groups: list[str]) -> Any:
    """Relative WIS of one model in each group; NaN where it has none."""
    if rows.duplicated(split).any():
        raise DataError(
            f"the leaderboard has several rows of {rows['model'].iloc[0]} for one {split}",
            hint=f"make it with by=['level', {split!r}], of one target and kind of vintage",
        )
    return rows.set_index(split)["rel_wis"].reindex(groups).to_numpy(dtype=float)


def pairwise(
    table: Any, *, models: str | Sequence[str] | None = None, axes: Axes | None = None
) -> Axes:
    """Mean score of each model over that of each other, on the forecasts both made.

    Parameters
    ----------
    table : DataFrame
        What :func:`odforecast.scoring.pairwise` gives, of one group.
    models : str or sequence of str, optional
        Default: all, the best first.
    axes : Axes, optional
        Where to draw; default: a figure of its own.

    Returns
    -------
    Axes
        Rows over columns: below 1 (blue) the model of the row is better. A frame marks those whose
        interval leaves out 1.

    Raises
    ------
    DataError
        If a column is missing, a pair has several rows, or a model is not in it.

    Examples
    --------
    >>> import odforecast as od
    >>> import pandas as pd
    >>> rows = {"model": ["dlm", "drift"], "other": ["drift", "dlm"], "ratio": [0.8, 1.25],
    ...         "lower": [0.7, 1.1], "upper": [0.9, 1.4], "n_common": 636, "n_groups": 6}
    >>> print(od.plot.alt_text(od.plot.pairwise(pd.DataFrame(rows))))
    Mean score of each of 2 models over each other, 6 groups of origins: dlm over drift 0.80, 0.70
    to 0.90. Fewest forecasts in common: 636.
    """
    rows = table_of(table, _PAIRS, "pairs of models")
    if rows.duplicated(["model", "other"]).any():
        raise DataError(
            "a pair of models has several rows", hint="draw one group of them: one scale, one split"
        )
    names = _order(rows, models)
    n, place = len(names), {name: i for i, name in enumerate(names)}
    kept = rows[rows["model"].isin(names) & rows["other"].isin(names)]
    drawn = canvas(4.2 + 0.95 * n, 2.6 + 0.5 * n)[1] if axes is None else axes
    blank(drawn)
    for pair in kept.to_dict("records"):
        _cell(drawn, place[str(pair["other"])], place[str(pair["model"])], *_ratio(pair))
    for i in range(n):
        drawn.text(i + 0.5, i + 0.5, "–", ha="center", va="center", color=MUTED, fontsize=TEXT)
    drawn.set(xlim=(0, n), ylim=(n, 0))
    shown = [literal(x) for x in names]
    drawn.set_xticks(np.arange(n) + 0.5, shown, rotation=40, ha="right", rotation_mode="anchor")
    drawn.set_yticks(np.arange(n) + 0.5, shown)
    drawn.tick_params(length=0, labelsize=TEXT, labelcolor=INK)
    metric = str(rows["metric"].iloc[0]).replace("_", " ") if "metric" in rows else "score"
    what = metric.upper() if metric in ("wis", "crps") else metric
    scale = _SCALES.get(str(rows["scale"].iloc[0]), "") if "scale" in rows else ""
    few, most = int(kept["n_groups"].min()), int(kept["n_groups"].max())
    groups = f"{few}{f' to {most}' if few != most else ''} group{'' if most == 1 else 's'}"
    about = (
        "Blue, below 1: the row's model is better. Framed: its interval leaves out 1. On forecasts "
        f"both made; {groups} of consecutive origins."
    )
    best = {str(p["other"]): _ratio(p) for p in kept[kept["model"] == names[0]].to_dict("records")}
    said = []
    for other in names[1:]:
        ratio, low, high = best.get(other, (np.nan,) * 3)
        ends = f", {low:.2f} to {high:.2f}" if np.isfinite(low + high) else ""
        if np.isfinite(ratio):
            said.append(f"{names[0]} over {other} {ratio:.2f}{ends}")
    return finish(
        drawn,
        Head(f"Mean {what}{scale}, row over column", about),
        f"Mean {what}{scale} of each of {n} models over each other, {groups} of origins: "
        f"{'; '.join(said)}. Fewest forecasts in common: {int(kept['n_common'].min()):,}.",
    )


def _ratio(pair: dict[Any, Any]) -> tuple[float, float, float]:
    return float(pair["ratio"]), float(pair["lower"]), float(pair["upper"])


def _order(rows: pd.DataFrame, models: str | Sequence[str] | None) -> list[str]:
    """Models to draw: those asked for, or all, by the geometric mean of their ratios."""
    there = rows.assign(log=np.log(rows["ratio"])).groupby("model")["log"].mean()
    if models is None:
        return [str(m) for m in there.sort_values(kind="stable").index]
    names = [models] if isinstance(models, str) else list(models)
    if lacking := [m for m in names if m not in set(there.index)]:
        raise DataError(
            f"{lacking[0]!r} is not among the pairs", hint=f"there is: {', '.join(there.index)}"
        )
    if len(names) < 2:
        raise DataError("one model is compared with none", hint="name two or more")
    return list(dict.fromkeys(names))


def _cell(axes: Any, column: int, row: int, ratio: float, low: float, high: float) -> None:
    """A shaded cell: half, or twice, the error has the full color."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    known = bool(np.isfinite(ratio) and ratio > 0)
    ramp = LinearSegmentedColormap.from_list("pairs", [BLUE, "#f5f5f5", ORANGE])
    share = 0.5 + 0.5 * float(np.clip(np.log2(ratio), -1, 1)) if known else 0.5
    edge = 1.6 if known and (high < 1 or low > 1) else 0
    cell = Rectangle((column + 0.04, row + 0.06), 0.92, 0.88, facecolor=ramp(share), lw=edge,
                     edgecolor=INK, hatch=None if known else "////")  # fmt: skip
    axes.add_patch(cell)
    ink = "white" if abs(share - 0.5) > 0.3 else INK
    text = f"{ratio:.2f}" if known else "?"
    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, fontsize=TEXT)
