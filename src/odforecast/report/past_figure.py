"""Figure of a past event: two counterfactuals, named apart. Matplotlib comes with this module."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from odforecast.geography import lookup
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, TARGET_12MO
from odforecast.plot.style import BLACK, BLUE, GREY, ORANGE, SMALL, TEXT, days, quiet, thousands
from odforecast.plot.words import literal
from odforecast.scenario.counterfactual import WHATEVER, Past

#: Months drawn before the onset, and after.
BEFORE, AFTER = 36, 36

_KNEW = {
    "real": "the release of that day",
    "cut": "a later release, cut at the eve",
}


def past_figure(past: Past) -> Figure:
    """12-month-ending deaths as observed, with the effect removed, and forecast from the eve.

    Parameters
    ----------
    past : Past
        Made by :func:`odforecast.scenario.past`.
    """
    figure = Figure(figsize=(9.0, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    start = past.onset - BEFORE * ONE_MONTH
    for axes in (left, right):
        _observed(axes, past, start)
    shown = (past.months >= past.onset - ONE_MONTH) & np.isfinite(past.observed)
    shown &= past.months <= past.onset + AFTER * ONE_MONTH
    band = np.quantile(past.removed[:, shown], [0.05, 0.5, 0.95], axis=0)
    _band(left, past.months[shown], band, BLUE, "effect removed")
    s = past.summary
    left.set_title(
        "Effect removed: observed, less the estimated change\n"
        f"no effect {100 * s.p_null:.0f} % (before {100 * s.prior_p_null:.0f} %); else "
        f"{100 * np.expm1(s.mean):+.0f} % ({100 * np.expm1(s.low):+.0f} to "
        f"{100 * np.expm1(s.high):+.0f} %)",
        fontsize=SMALL, loc="left",
    )  # fmt: skip
    ahead = past.eve.months > past.eve.last_month
    eve = past.eve.quantiles([0.05, 0.5, 0.95], TARGET_12MO)[:, 0, ahead]
    _band(right, past.eve.months[ahead], eve, ORANGE, "forecast from the eve")
    right.set_title(
        "Forecast from the eve: knows nothing of what followed\n"
        f"{_KNEW[past.eve_kind]}; last month known {past.eve.last_month}",
        fontsize=SMALL, loc="left",
    )  # fmt: skip
    top = 1.35 * float(np.nanmax([band[2].max(), eve[2].max(), np.nanmax(past.observed)]))
    left.set_ylim(0, top)
    thousands(left.yaxis)
    what = "all drugs" if past.indicator == ALL_DRUGS else past.indicator
    left.set_ylabel(f"12-month-ending deaths, {what}", fontsize=SMALL)
    name = lookup(past.location).name
    figure.suptitle(f"{name}: {literal(past.event.name)}, {past.onset}", fontsize=TEXT, x=0.01,
                    ha="left")  # fmt: skip
    dominated = " Prior-dominated: the result is the assumption." if s.prior_dominated else ""
    figure.supxlabel(f"{WHATEVER}{dominated} Bands: 90 %.", fontsize=SMALL, x=0.01, ha="left")
    return figure


def _observed(axes: Any, past: Past, start: np.datetime64) -> None:
    recent = (past.months >= start) & (past.months <= past.onset + AFTER * ONE_MONTH)
    axes.plot(days(past.months[recent]), past.observed[recent], color=BLACK, label="observed")
    axes.axvline(days(past.onset), color=GREY, linestyle="--", linewidth=1.0)
    quiet(axes)
    axes.text(
        days(past.onset), 0.02, " event", transform=axes.get_xaxis_transform(), fontsize=SMALL,
        color=GREY,
    )  # fmt: skip


def _band(axes: Any, months: Any, band: Any, colour: str, label: str) -> None:
    axes.fill_between(days(months), band[0], band[2], color=colour, alpha=0.25, linewidth=0)
    axes.plot(days(months), band[1], color=colour, label=label)
    axes.legend(frameon=False, fontsize=SMALL, loc="upper left")
