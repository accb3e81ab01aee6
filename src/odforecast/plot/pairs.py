"""Every model against every other, as a table that is shaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.plot.inputs import table_of
from odforecast.plot.output import describe
from odforecast.plot.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SMALL,
    canvas,
    heading,
    width_of,
    wrapped,
)
from odforecast.plot.words import literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NEEDED = ("model", "other", "n_common", "n_groups", "ratio", "lower", "upper")
_SCALES = {"natural": "", "log": " of log counts", "per_100k": " of rates"}
#: Ratios this far from 1 have the full colour: half, or twice, the error.
_FULL = np.log(2.0)


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
    rows = table_of(table, _NEEDED, "pairs of models")
    if rows.duplicated(["model", "other"]).any():
        raise DataError(
            "a pair of models has several rows", hint="draw one group of them: one scale, one split"
        )
    names = _order(rows, models)
    n = len(names)
    place = {name: i for i, name in enumerate(names)}
    kept = rows[rows["model"].isin(names) & rows["other"].isin(names)]
    drawn = canvas(2.6 + 0.78 * n, 1.9 + 0.42 * n)[1] if axes is None else axes
    for pair in kept.to_dict("records"):
        numbers = tuple(float(pair[c]) for c in ("ratio", "lower", "upper"))
        _cell(drawn, place[str(pair["other"])], place[str(pair["model"])], *numbers)
    for i in range(n):
        drawn.text(i + 0.5, i + 0.5, "–", ha="center", va="center", color=GREY, fontsize=SMALL)
    drawn.set_xlim(0, n)
    drawn.set_ylim(n, 0)
    drawn.set_xticks(np.arange(n) + 0.5, [literal(x) for x in names], rotation=40, ha="right")
    drawn.set_yticks(np.arange(n) + 0.5, [literal(x) for x in names])
    drawn.tick_params(length=0, labelsize=SMALL)
    drawn.spines[:].set_visible(False)
    metric = str(rows["metric"].iloc[0]).replace("_", " ") if "metric" in rows else "score"
    what = metric.upper() if metric in ("wis", "crps") else metric
    scale = _SCALES.get(str(rows["scale"].iloc[0]), "") if "scale" in rows else ""
    groups = _span(kept["n_groups"])
    heading(
        drawn,
        literal(f"Mean {what}{scale}, row over column"),
        literal(f"forecasts both made; {groups} of consecutive origins"),
    )
    drawn.annotate(
        wrapped("blue, below 1: the model of the row is better; framed: its interval leaves out 1",
                width_of(drawn), SMALL),
        (0, 0), (0, -14 - 5.2 * max(len(x) for x in names)), xycoords="axes fraction",
        textcoords="offset points", va="top", fontsize=SMALL, color=GREY, annotation_clip=False,
    )  # fmt: skip
    describe(drawn, _sentence(kept, names, what if "metric" in rows else "score", scale, groups))
    axes_out: Axes = drawn
    return axes_out


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
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    known = bool(np.isfinite(ratio) and ratio > 0)
    ramp = LinearSegmentedColormap.from_list("pairs", [BLUE, "#f5f5f5", ORANGE])
    share = 0.5 + 0.5 * float(np.clip(np.log(ratio) / _FULL, -1, 1)) if known else 0.5
    face = ramp(share)
    sure = known and (high < 1 or low > 1)
    axes.add_patch(
        Rectangle(
            (column + 0.04, row + 0.06), 0.92, 0.88, facecolor=face, lw=1.6 if sure else 0,
            edgecolor=BLACK, hatch=None if known else "////",
        )
    )  # fmt: skip
    ink = "white" if abs(share - 0.5) > 0.38 else BLACK
    text = f"{ratio:.2f}" if known else "?"
    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, fontsize=SMALL)


def _span(n_groups: Any) -> str:
    low, high = int(n_groups.min()), int(n_groups.max())
    number = f"{low}" if low == high else f"{low} to {high}"
    return f"{number} group{'' if high == 1 else 's'}"


def _sentence(kept: pd.DataFrame, names: list[str], what: str, scale: str, groups: str) -> str:
    """The best model over each other one, with its interval where there is one."""
    best = {
        str(pair["other"]): tuple(float(pair[c]) for c in ("ratio", "lower", "upper"))
        for pair in kept[kept["model"] == names[0]].to_dict("records")
    }
    said = []
    for other in names[1:]:
        ratio, low, high = best.get(other, (np.nan,) * 3)
        if not np.isfinite(ratio):
            continue
        ends = f", {low:.2f} to {high:.2f}" if np.isfinite(low + high) else ""
        said.append(f"{names[0]} over {other} {ratio:.2f}{ends}")
    return (
        f"Mean {what}{scale} of each of {len(names)} models over each other, {groups} of origins: "
        f"{'; '.join(said)}. Fewest forecasts in common: {int(kept['n_common'].min()):,}."
    )
