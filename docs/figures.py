"""Draw the figures of README and docs from the bundled figures: `make figures`.

Files are the same, byte for byte, for the same numbers, so a diff shows a change of numbers.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import odforecast as od

STATIC = Path(__file__).parent / "_static"
BLUE, GREY = "#1f5a94", "#555555"


def fan(model: str, state: str, path: Path) -> None:
    """12-month-ending deaths of a location, and the forecast of the next 12 months."""
    panel = od.Panel.from_archive(od.bundled(), as_of="2025-09-17")
    forecast = od.get_model(model).fit(panel).forecast(horizon=12, draws=4000, seed=1)
    row = forecast.index(state)
    low90, low50, median, high50, high90 = forecast.quantiles([0.05, 0.25, 0.5, 0.75, 0.95])[:, row]
    known = panel.reported[panel.index(state)]
    # The fan starts at the last reported count.
    months = np.concatenate([panel.months[-1:], forecast.months]).astype("datetime64[D]")

    def joined(values: np.ndarray) -> np.ndarray:
        return np.concatenate([known[-1:], values])

    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    axes.plot(panel.months.astype("datetime64[D]"), known, color=GREY, lw=1.6, label="reported")
    for low, high, alpha, label in (
        (low90, high90, 0.22, "90 % interval"),
        (low50, high50, 0.38, "50 % interval"),
    ):
        axes.fill_between(
            months, joined(low), joined(high), color=BLUE, alpha=alpha, lw=0, label=label
        )
    axes.plot(months, joined(median), color=BLUE, lw=1.6, label=f"median ({model})")
    axes.axvline(np.datetime64(panel.as_of), color=GREY, lw=0.8, ls=":")
    axes.annotate(
        f"as of {panel.as_of}",
        (np.datetime64(panel.as_of), 1),
        (-4, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        rotation=90,
        ha="right",
        va="top",
        fontsize=8,
        color=GREY,
    )
    axes.set_ylim(0, None)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel("deaths in the 12 months ending")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", frameon=False, fontsize=9)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    print(path)


if __name__ == "__main__":
    plt.rcParams.update({"svg.hashsalt": "odforecast", "font.size": 10})
    fan("auto-ets", "US", STATIC / "fan.svg")
