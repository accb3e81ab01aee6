"""``odforecast score``: hub files against a later release."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.screen import print_whole
from odforecast.cli.source import BUNDLED, accept_option, open_source
from odforecast.cli.spreadsheet import for_spreadsheets
from odforecast.errors import DataError, ScoringError
from odforecast.io import replacing
from odforecast.names import HUB_QUANTILES, TARGET_MONTH
from odforecast.sources.quoting import quoted

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from odforecast.scoring import Truth

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
#: Locations on the screen (those with the highest WIS), and models side by side there.
MAX_ROWS = 10
MAX_MODELS = 4


@click.command()
@click.argument("forecasts", nargs=-1, required=True,
                type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@click.option("--truth", default=BUNDLED, show_default=True, metavar="FILE",
              help="Release to score against: one of CDC's files, or 'bundled'.")  # fmt: skip
@click.option("--archive", type=click.Path(path_type=Path), metavar="DIR",
              help="Take the truth from an archive instead.")  # fmt: skip
@click.option("--truth-as-of", metavar="DATE", help="Score against the release known that day.  "
              "[default: the last]")  # fmt: skip
@click.option("--indicator", default="all-drugs", show_default=True,
              help="What the files forecast (hub files do not say it).")  # fmt: skip
@click.option("--min-truth-age", default=12, show_default=True, type=click.IntRange(min=0),
              help="Months between a month and the truth's release; younger is not "
              "scorable.")  # fmt: skip
@accept_option
@click.option("--baseline", metavar="MODEL", help="Model (file) to relate WIS to.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write one row per forecast: .csv or .parquet.")  # fmt: skip
def score(
    forecasts: tuple[Path, ...],
    truth: str,
    archive: Path | None,
    truth_as_of: str | None,
    indicator: str,
    min_truth_age: int,
    baseline: str | None,
    out: Path | None,
) -> None:
    """Score hub files against the counts of a later release.

    The model is named by the file: 2024-12-11-team-model.csv is team-model, and files that
    differ in the date only are one model. Counts younger than --min-truth-age may still
    change and are not scored; nothing is dropped, --out has a reason for every such row.
    """
    from odforecast.scoring import Truth

    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise DataError(f"{out}: unknown file type {out.suffix!r}", hint="use .csv or .parquet")
    tables = [(model_name(path), path, _read(path)) for path in forecasts]
    # Without --archive 'bundled' is the default; with it, a file as well is one too many.
    releases = open_source(archive, None if archive is not None and truth == BUNDLED else truth)
    seen = releases.as_of(truth_as_of)
    if seen.note:
        click.echo(f"note: {seen.note}", err=True)
    panel = seen.panel(indicator)
    against = Truth(panel, min_age=min_truth_age)
    scores = _score(tables, against)
    names = set(scores["model"])
    if baseline is not None and baseline not in names:
        raise ScoringError(
            f"no file of the baseline {baseline!r}", hint=f"models: {', '.join(sorted(names))}"
        )
    if out is not None:
        _write(scores, out)
    _print(scores, against, panel.indicator, baseline)
    if out is not None:
        click.echo(f"{len(scores):,} rows: {out}")
    if not scores["scorable"].any():
        raise ScoringError(
            "no forecast is scorable",
            hint=f"use a release at least {min_truth_age} months after the months forecast",
        )


def model_name(path: Path) -> str:
    """Model a hub file is of: its name without endings and the leading date.

    Raises
    ------
    DataError
        If the file's name holds what no screen or table should: control codes, bytes that are
        no text.

    Examples
    --------
    >>> model_name(Path("2024-12-11-team-model.csv.gz"))
    'team-model'
    """
    stem = re.sub(r"\.(csv|csv\.gz|parquet)$", "", path.name, flags=re.IGNORECASE)
    name = re.sub(r"^\d{4}-\d{2}-\d{2}-(?=.)", "", stem)
    if not name.isprintable():
        raise DataError(
            f"{quoted(path.name)} names no model: it holds control codes", hint="rename the file"
        )
    return name


def _read(path: Path) -> pd.DataFrame:
    from odforecast.hub import read_hub

    return read_hub(path, levels=HUB_QUANTILES)


def _score(tables: list[tuple[str, Path, pd.DataFrame]], truth: Truth) -> pd.DataFrame:
    import pandas as pd

    from odforecast.scoring import score_hub
    from odforecast.scoring.columns import UNIT_KEYS

    parts = []
    for model, path, table in tables:
        part = score_hub(table, truth.observed)
        part.insert(0, "model", model)
        part.insert(1, "file", str(path))
        part["truth"] = truth.kind
        part["truth_release"] = pd.Timestamp(truth.release)
        parts.append(part)
    scores = pd.concat(parts, ignore_index=True)
    twice = scores.duplicated(["model", *(k for k in UNIT_KEYS if k in scores)])
    if twice.any():
        row = scores[twice].iloc[0]
        raise ScoringError(
            f"{row['file']} repeats a forecast of model {row['model']}: {row['location']}, "
            f"{row['target']}, {row['month']:%Y-%m}, as of {row['as_of']:%Y-%m-%d}",
            hint="name files by model, so that two models are not taken for one",
        )
    return scores


def _print(scores: pd.DataFrame, truth: Truth, indicator: str, baseline: str | None) -> None:
    from rich.console import Console

    from odforecast.scoring import summarise
    from odforecast.scoring.columns import with_groups

    console = Console(markup=False)  # a name in brackets is a name

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    days = sorted({f"{d:%Y-%m-%d}" for d in scores["as_of"]})
    origins = days[0] if len(days) == 1 else f"{len(days)} origins, {days[0]} to {days[-1]}"
    say(f"Forecasts as of {origins}: {indicator}")
    say(
        f"Truth: {truth.kind} in release {truth.release}, months at least {truth.min_age} months "
        "old then"
    )
    if str(truth.release) <= days[-1]:
        say(
            f"note: the truth came out no later than the forecasts ({days[-1]}), which could know "
            "it; score against a later release"
        )
    unscored = scores.loc[~scores["scorable"], "reason"]
    if not unscored.empty:
        counts = unscored.str.partition(":")[0].value_counts()
        kinds = "; ".join(f"{n:,} {kind}" for kind, n in counts.items())
        say(f"{len(unscored):,} of {len(scores):,} forecasts are not scorable: {kinds}")
    if not scores["scorable"].any():
        return
    for target, part in scores.groupby("target", sort=True):
        # A baseline may forecast one target only.
        related = baseline if baseline in set(part["model"]) else None
        if baseline is not None and related is None:
            say(f"{baseline} does not forecast {target}: no relative WIS there")
        for level, rows in with_groups(part, ["level"]).groupby("level", observed=True):
            ahead = summarise(rows, by=["horizon_group"], baseline=related)
            several = len(set(ahead["model"])) > 1
            name = "" if several else f": {ahead['model'].iloc[0]}"
            console.print(
                f"{target}, {level}, by months ahead{name}",
                style="bold",
                highlight=False,
                soft_wrap=True,
            )
            print_whole(console, _by_horizon(ahead))
        states = part[part["location"] != "US"]
        if len(set(states["location"])) > 1 and states["scorable"].any():
            title, grid = _by_location(summarise(states, by=["location"]))
            console.print(f"{target}, {title}", style="bold", highlight=False, soft_wrap=True)
            print_whole(console, grid)
        if target == TARGET_MONTH:
            console.print(
                "Single months are recovered from 12-month sums up to a constant per calendar "
                "month, which differs between releases: read their scores with care.",
                highlight=False,
            )
    rel = "" if baseline is None else f"; rel.: WIS over {baseline}'s on the same forecasts"
    console.print(
        f"WIS: mean weighted interval score, deaths, lower is better{rel}; bias: -1 too low "
        "to +1 too high; cov. 90: share of truths inside the 90 % interval, 0.90 is right.",
        highlight=False,
    )


def _by_horizon(table: pd.DataFrame) -> Table:
    """A row per group of horizons and model."""
    import pandas as pd

    columns = {k: v for k, v in _COLUMNS.items() if k in table and table[k].notna().any()}
    several = len(set(table["model"])) > 1
    grid = _table()
    grid.add_column("ahead", no_wrap=True)
    if several:
        grid.add_column("model", no_wrap=True)
    for head, _ in columns.values():
        grid.add_column(head, justify="right", no_wrap=True)
    before = ""
    for _, row in table.iterrows():
        group = str(row["horizon_group"])
        cells = ["" if group == before else group, *([str(row["model"])] if several else [])]
        before = group
        for name, (_, form) in columns.items():
            value = row[name]
            cells.append("–" if pd.isna(value) else form.format(value) if form else deaths(value))
        grid.add_row(*cells)
    return grid


def _by_location(table: pd.DataFrame) -> tuple[str, Table]:
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


def _write(scores: pd.DataFrame, out: Path) -> None:
    """Write the unit-level table; the file is complete or absent."""
    with replacing(out) as part:
        if out.suffix == ".parquet":
            scores.to_parquet(part, index=False)
        else:
            # Models and files are named by whoever made them: "=cmd|..." is a name too.
            safe = for_spreadsheets(scores)
            safe.to_csv(part, index=False, lineterminator="\n", date_format="%Y-%m-%d")
