"""``odforecast score``: hub files against a later release."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.options import (
    FIGURES,
    archive_option,
    formerly,
    indicator_option,
    json_option,
    min_truth_age_option,
    out_option,
    plot_option,
    source_option,
    together,
    truth_as_of_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import note, print_whole, say
from odforecast.cli.source import accept_option, open_source
from odforecast.cli.spreadsheet import for_spreadsheets
from odforecast.cli.written import print_json, records
from odforecast.errors import DataError, ScoringError, one_of
from odforecast.io import replacing
from odforecast.names import HUB_QUANTILES, TARGET_12MO, TARGET_MONTH
from odforecast.sources.quoting import quoted

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.scoring import Truth


@click.command()
@click.argument("forecasts", nargs=-1, required=True,
                type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@together(archive_option, formerly(source_option, "--truth"), accept_option, truth_as_of_option,
          min_truth_age_option, indicator_option)  # fmt: skip
@click.option("--baseline", metavar="MODEL", help="Model (file) to relate WIS to.")
@click.option("--held", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Of scenarios: months for which the assumptions of each held (CSV: scenario_id,"
              "first_month,last_month[,note]).")  # fmt: skip
@together(json_option, plot_option)
@out_option("One row per forecast: .csv or .parquet.")
def score(
    forecasts: tuple[Path, ...],
    archive: Path | None,
    source: str | None,
    truth_as_of: str | None,
    indicator: str,
    min_truth_age: int,
    baseline: str | None,
    held: Path | None,
    as_json: bool,
    plot: Path | None,
    out: Path | None,
) -> None:
    """Score hub files against the counts of a later release.

    The truth is the last release there is, or that of --truth-as-of or --source. Hub files do not
    say what they count: --indicator does. The model is named by the file:
    2024-12-11-team-model.csv is team-model, and files that differ in the date only are one model.
    Counts younger than --min-truth-age may still change and are not scored; nothing is dropped,
    --out has a reason for every such row.

    Files with a column scenario_id, as odforecast scenario run writes them, are scored by
    scenario: plausibility first (the months for which its assumptions held, by --held),
    calibration second, on those months.
    """
    from odforecast.hub import read_held
    from odforecast.scoring import Truth
    from odforecast.scoring.plausibility import mark_plausible

    check_outputs(
        ("--out", out, (".csv", ".parquet")), ("--plot", plot, FIGURES),
        read=(*forecasts, source, held),
    )  # fmt: skip
    tables = [(model_name(path), path, _read(path)) for path in forecasts]
    scenarios = _scenarios(tables, held)
    if plot is not None and not any((table["target"] == TARGET_12MO).any() for *_, table in tables):
        raise ScoringError("--plot shows 12-month counts, and the files hold none")
    spans = None if held is None else read_held(held, scenarios)
    seen = open_source(archive, source).as_of(truth_as_of)
    if seen.note:
        note(seen.note)
    panel = seen.panel(indicator)
    against = Truth(panel, min_age=min_truth_age)
    scores = _score(tables, against)
    names = set(scores["model"])
    if baseline is not None and baseline not in names:
        raise ScoringError(
            f"--baseline: no file of {baseline!r}", hint=one_of(baseline, sorted(names))
        )
    if spans is not None:
        scores = mark_plausible(scores, spans)
    if out is not None:
        _write(scores, out)
    if as_json:
        print_json(_as_json(scores, against, panel.indicator, baseline, scenarios))
    else:
        _print(scores, against, panel.indicator, baseline, scenarios)
    if out is not None:
        click.echo(f"{len(scores):,} rows: {out}", err=as_json)
    if not scores["scorable"].any():
        raise ScoringError(
            "no forecast is scorable",
            hint=f"use a release at least {min_truth_age} months after the months forecast",
        )
    if plot is not None:
        import odforecast.plot as plots

        plots.save(plots.coverage(scores), plot)
        click.echo(f"picture: {plot}", err=as_json)


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


def _scenarios(tables: list[tuple[str, Path, pd.DataFrame]], held: Path | None) -> list[str]:
    """Scenarios of the files, in the order they stand there; none in ordinary files."""
    from odforecast.names import SCENARIO_ID

    has = [str(path) for _, path, table in tables if SCENARIO_ID in table]
    without = [str(path) for _, path, table in tables if SCENARIO_ID not in table]
    if without and (has or held is not None):
        beside = f", {has[0]} has it" if has else ", and --held is about scenarios"
        raise ScoringError(
            f"{without[0]} has no column {SCENARIO_ID}{beside}",
            hint="score files of scenarios apart from others",
        )
    return list(dict.fromkeys(x for _, _, table in tables for x in table.get(SCENARIO_ID, ())))


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


def _as_json(
    scores: pd.DataFrame,
    truth: Truth,
    indicator: str,
    baseline: str | None,
    scenarios: list[str],
) -> dict[str, Any]:
    """What the screen shows, as JSON: by horizon, and by location or scenario."""
    from odforecast.scoring import summarise
    from odforecast.scoring.columns import with_groups
    from odforecast.scoring.plausibility import PLAUSIBLE, calibration, plausibility

    reasons = scores.loc[~scores["scorable"], "reason"].str.split(":").str[0].value_counts()
    said: dict[str, Any] = {
        "meta": {
            "indicator": indicator,
            "origins": sorted({f"{d:%Y-%m-%d}" for d in scores["as_of"]}),
            "truth": truth.kind,
            "truth_release": str(truth.release),
            "min_truth_age": truth.min_age,
            "forecasts": len(scores),
            "scorable": int(scores["scorable"].sum()),
            "not_scorable": {str(why): int(n) for why, n in reasons.items()},
        }
    }
    if not scores["scorable"].any():
        return said
    if scenarios:
        ahead = scores[scores["horizon"] > 0]
        judged = PLAUSIBLE in ahead
        said["plausibility"] = records(plausibility(ahead)) if judged else []
        said["calibration"] = records(calibration(ahead, baseline))
        return said
    grouped = with_groups(scores, ["level"])
    for name, keys in (("horizons", ["target", "level", "horizon_group"]),
                       ("locations", ["target", "location"])):  # fmt: skip
        parts = [
            summarise(part, by=keys, baseline=baseline if baseline in set(part["model"]) else None)
            for _, part in grouped.groupby("target", sort=True)
        ]
        said[name] = [row for part in parts for row in records(part)]
    return said


def _print(
    scores: pd.DataFrame,
    truth: Truth,
    indicator: str,
    baseline: str | None,
    scenarios: list[str],
) -> None:
    from rich.console import Console

    from odforecast.cli.score_tables import (
        MONTHS_ARE_RECOVERED,
        by_horizon,
        by_location,
        explain,
        print_scenarios,
    )
    from odforecast.scoring import summarise
    from odforecast.scoring.columns import with_groups

    console = Console(markup=False, emoji=False)  # a name in brackets, or colons, is a name

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
    if scenarios:
        print_scenarios(console, scores, baseline, scenarios)
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
            print_whole(console, by_horizon(ahead))
        states = part[part["location"] != "US"]
        if len(set(states["location"])) > 1 and states["scorable"].any():
            title, grid = by_location(summarise(states, by=["location"]))
            console.print(f"{target}, {title}", style="bold", highlight=False, soft_wrap=True)
            print_whole(console, grid)
        if target == TARGET_MONTH:
            console.print(MONTHS_ARE_RECOVERED, highlight=False)
    explain(console, baseline)


def _write(scores: pd.DataFrame, out: Path) -> None:
    """Write the unit-level table; the file is complete or absent."""
    with replacing(out) as part:
        if out.suffix == ".parquet":
            scores.to_parquet(part, index=False)
        else:
            # Models and files are named by whoever made them: "=cmd|..." is a name too.
            safe = for_spreadsheets(scores)
            safe.to_csv(part, index=False, lineterminator="\n", date_format="%Y-%m-%d")
