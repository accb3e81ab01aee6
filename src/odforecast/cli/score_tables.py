"""Tables of ``odforecast score``: by horizon, by location, by scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odforecast.cli.screen import print_whole
from odforecast.names import SCENARIO_ID, TARGET_12MO, TARGET_MONTH

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

_COLUMNS = {
    "n_scorable": ("scored", "{:,.0f}"),
    "wis": ("WIS", ""),
    "rel_wis": ("rel.", "{:.2f}"),
    "crps": ("CRPS", ""),
    "mape": ("MAPE %", "{:.1f}"),
    "bias": ("bias", "{:+.2f}"),
    "coverage_50": ("cov. 50", "{:.2f}"),
    "coverage_90": ("cov. 90", "{:.2f}"),
}
_TREND = {
    "n_scorable": ("scored", "{:,.0f}"),
    "rps": ("RPS", "{:.3f}"),
    "rel_rps": ("rel.", "{:.2f}"),
}
_CALIBRATION = {
    "n_scorable": ("scored", "{:,.0f}"),
    "wis": ("WIS", ""),
    "rel_wis": ("rel.", "{:.2f}"),
    **{f"coverage_{p}": (f"{p}%", "{:.2f}") for p in (50, 80, 90, 95)},
}
_PLAUSIBILITY = {
    "months": ("scored", "{:,.0f}"),
    "plausible": ("held", "{:,.0f}"),
    "share": ("share", "{:.0f}%"),
    "first": ("from", "{:%Y-%m}"),
    "last": ("to", "{:%Y-%m}"),
}
#: Locations on the screen (those with the highest WIS), and models side by side there.
MAX_ROWS = 10
MAX_MODELS = 4


MONTHS_ARE_RECOVERED = (
    "Single months are recovered from 12-month sums up to a constant per calendar month, which "
    "differs between releases: read their scores with care."
)


def explain(console: Console, baseline: str | None) -> None:
    """Say what the columns mean."""
    rel = "" if baseline is None else f"; rel.: WIS over {baseline}'s on the same forecasts"
    console.print(
        f"WIS: mean weighted interval score, deaths, lower is better{rel}; bias: -1 too low "
        "to +1 too high; cov. 90: share of truths inside the 90% interval, 0.90 is right.",
        highlight=False,
    )


def print_scenarios(
    console: Console, scores: pd.DataFrame, baseline: str | None, scenarios: list[str]
) -> None:
    """Plausibility first, calibration second, then which scenario came nearest."""
    from odforecast.scoring.summary import PLAUSIBLE, calibration, nearest, plausibility

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, highlight=False)

    def ordered(table: pd.DataFrame) -> pd.DataFrame:
        return table.sort_values(SCENARIO_ID, kind="stable", key=lambda x: x.map(scenarios.index))

    ahead = scores[scores["horizon"] > 0]
    if not ahead["scorable"].any():
        say("No month after the last known one is scorable yet, and scenarios change no other.")
        return
    judged = PLAUSIBLE in ahead
    if judged:
        say("Plausibility: months for which the assumptions held", "bold")
        table = plausibility(ahead).assign(share=lambda t: 100 * t["share"])
        table = ordered(table).sort_values("target", kind="stable")
        print_whole(console, _grid(table, {"target": "", SCENARIO_ID: "scenario"}, _PLAUSIBILITY))
        if TARGET_12MO in set(table["target"]):
            say("A 12-month count is held where the assumptions held in each of its months that "
                "follow the last known one.")  # fmt: skip
        for target, part in table.groupby("target", sort=True):
            held, months = part[PLAUSIBLE].mean(), part["months"].mean()
            say(f"{target}: a scenario held {held:.1f} of {months:.1f} months on average")
    else:
        say("Plausibility was not judged (no --held): all months are scored as if every scenario "
            "had held.")  # fmt: skip
    for target, part in ahead.groupby("target", sort=True):
        related = baseline if baseline in set(part["model"]) else None
        if baseline is not None and related is None:
            say(f"{baseline} does not forecast {target}: no relative WIS there")
        labels = {SCENARIO_ID: "scenario"} | ({"months": "months"} if judged else {})
        if len(set(part["model"])) > 1:
            labels["model"] = "model"
        pool = nearest(part)
        table = ordered(calibration(part, related)).replace({"months": {PLAUSIBLE: "held"}})
        for level, rows in table.groupby("level", observed=True):
            say(f"Calibration: {target}, {level}", "bold")
            print_whole(console, _grid(rows, labels, _CALIBRATION))
            for model, best in pool[pool["level"] == level].groupby("model", sort=True):
                who = f" ({model})" if "model" in labels else ""
                first, *rest = [f"{n} {deaths(w)}" for n, w in zip(best[SCENARIO_ID], best["wis"])]
                then = f"; then {', '.join(rest[:3])}" if rest else ""
                say(f"Nearest to the truth by WIS, {best['n_common'].iloc[0]:,} forecasts each"
                    f"{who}: {first}{then}")  # fmt: skip
        if judged:
            few = part[part["scorable"] & part[PLAUSIBLE].astype(bool)]
            if few.empty:
                say(f"{target}: no scored month was held, so no interval can be judged")
            else:
                share = 100 * few["cover_95"].mean()
                say(f"{target}: 95% intervals hold {share:.0f}% of {len(few):,} truths in months "
                    "that were held")  # fmt: skip
    if TARGET_MONTH in set(ahead["target"]):
        say(MONTHS_ARE_RECOVERED)
    rel = "" if baseline is None else f"; rel.: WIS over {baseline}'s on the same forecasts"
    say(f"WIS: mean weighted interval score, deaths, lower is better{rel}; 90%: share of truths "
        "inside the 90% interval, 0.90 is right.")  # fmt: skip


def by_horizon(table: pd.DataFrame, *, trend: bool = False) -> Table:
    """A row per group of horizons and model."""
    several = len(set(table["model"])) > 1
    labels = {"horizon_group": "ahead"} | ({"model": "model"} if several else {})
    return _grid(table, labels, _TREND if trend else _COLUMNS)


def say_trend(console: Console, part: pd.DataFrame) -> None:
    """What the scores of the trend mean, and by which releases what came was judged."""
    known = sorted(set(part["known_release"].dropna()))
    which = known[0] if len(known) == 1 else f"{len(known)} releases, {known[0]} to {known[-1]}"
    console.print(
        "RPS: ranked probability score of the five kinds of change, 0 right and sure, 1 worst; "
        "rel.: over that of how often each came before. What counts as stable rests on the count "
        f"of a year before as known at the origin: release {which}.",
        highlight=False,
    )


def _grid(
    table: pd.DataFrame,
    labels: dict[str, str],
    columns: dict[str, tuple[str, str]] = _COLUMNS,
) -> Table:
    """Labels, the first one where it changes, and the columns that hold something."""
    import pandas as pd

    shown = {k: v for k, v in columns.items() if k in table and table[k].notna().any()}
    grid = _table()
    for head in labels.values():
        grid.add_column(head, no_wrap=True)
    for head, _ in shown.values():
        grid.add_column(head, justify="right", no_wrap=True)
    before = ""
    for _, row in table.iterrows():
        first, *others = (str(row[name]) for name in labels)
        cells = ["" if first == before else first, *others]
        before = first
        for name, (_, form) in shown.items():
            value = row[name]
            cells.append("–" if pd.isna(value) else form.format(value) if form else deaths(value))
        grid.add_row(*cells)
    return grid


def by_location(table: pd.DataFrame) -> tuple[str, Table]:
    """Title and table: WIS of each model, a row per location, those with the highest."""
    wide = table.pivot(index="location", columns="model", values="wis")
    models = wide.mean().sort_values(kind="stable").index[:MAX_MODELS]
    worst = wide[models].mean(axis=1).nlargest(MAX_ROWS).index
    which = "every location" if len(worst) == len(wide) else f"highest {len(worst)} of {len(wide)}"
    more = f", best {MAX_MODELS} models" if len(models) < wide.shape[1] else ""
    grid = _table()
    grid.add_column("", no_wrap=True, min_width=3)
    for model in models:
        grid.add_column(str(model), justify="right", no_wrap=True)
    for state in worst:
        grid.add_row(str(state), *(deaths(float(wide.loc[state, m])) for m in models))
    return f"WIS by location: {which}{more}", grid


def deaths(value: float) -> str:
    """A score in deaths: one digit after the point below 100.

    Examples
    --------
    >>> deaths(12.34), deaths(1234.5), deaths(float("nan"))
    ('12.3', '1,234', '–')
    """
    if value != value:
        return "–"
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def _table() -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
