"""``odforecast score``: forecasts in files against a later release."""

from __future__ import annotations

import datetime as dt
from functools import cache
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
from odforecast.cli.score_read import model_name
from odforecast.cli.screen import note, print_whole, say
from odforecast.cli.source import accept_option, open_source, say_age
from odforecast.cli.spreadsheet import for_spreadsheets
from odforecast.cli.written import print_json, records
from odforecast.errors import ScoringError, one_of
from odforecast.io import replacing
from odforecast.names import TARGET_12MO, TARGET_MONTH, TARGET_TREND

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.cli.score_read import Held
    from odforecast.panel import Panel
    from odforecast.scoring import Truth


__all__ = ["model_name", "score"]


@click.command()
@click.argument("forecasts", nargs=-1, required=True, type=click.Path(path_type=Path))
@together(archive_option, formerly(source_option, "--truth"), accept_option, truth_as_of_option,
          min_truth_age_option, indicator_option)  # fmt: skip
@click.option("--baseline", metavar="MODEL", help="Model (file) to relate WIS to.")
@click.option("--held", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Of scenarios: months for which the assumptions of each held (CSV: scenario_id,"
              "first_month,last_month[,note]).")  # fmt: skip
@together(json_option, plot_option)
@click.option("--joint", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Also score draws as a whole (energy score, sums of states, paths), of samples "
              "and saved forecasts: .csv or .parquet.")  # fmt: skip
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
    joint: Path | None,
    out: Path | None,
) -> None:
    """Score forecasts in files against the counts of a later release.

    FORECASTS are what this package writes: hub files of quantiles, samples or the trend, tables of
    forecast and nowcast, folders of a saved forecast, of scenarios or of a backtest, and the
    record.csv of update. For submissions of other hubs: odforecast hub score.

    The truth is the last release there is, or that of --truth-as-of or --source. Hub files do not
    say what they count: --indicator does. The model is named by the file:
    2024-12-11-team-model.csv is team-model, and files that differ in the date only are one model;
    odforecast-auto_ets is auto-ets. Counts younger than --min-truth-age may still change and are
    not scored; nothing is dropped, --out has a reason for every such row. The trend is judged
    by what the releases in the archive had said by the origin.

    Files with a column scenario_id, as odforecast scenario run writes them, are scored by
    scenario: plausibility first (the months for which its assumptions held, by --held),
    calibration second, on those months.
    """
    import pandas as pd

    from odforecast.cli.score_read import read_any
    from odforecast.cli.score_units import check_levels, joint_table, score_files
    from odforecast.hub import read_held
    from odforecast.scoring import Truth
    from odforecast.scoring.summary import mark_plausible

    check_outputs(
        ("--out", out, (".csv", ".parquet")), ("--joint", joint, (".csv", ".parquet")),
        ("--plot", plot, FIGURES), read=(*forecasts, source, held),
    )  # fmt: skip
    files = read_any(forecasts)
    scenarios = _scenarios(files, held)
    if plot is not None and not any(map(_has_years, files)):
        raise ScoringError("--plot shows 12-month counts, and the files hold none")
    spans = None if held is None else read_held(held, scenarios)
    releases = open_source(archive, source)
    seen = releases.as_of(truth_as_of)
    if seen.note:
        note(seen.note)
    panel = seen.panel(indicator)
    against = Truth(panel, min_age=min_truth_age)

    @cache
    def known(day: dt.date) -> Panel:
        return releases.as_of(day).panel(indicator)

    scores = score_files(files, against, known)
    names = set(scores["model"])
    if baseline is not None and baseline not in names:
        raise ScoringError(
            f"--baseline: no file of {baseline!r}", hint=one_of(baseline, sorted(names))
        )
    check_levels(files, baseline)
    if spans is not None:
        trend = scores["target"] == TARGET_TREND
        marked = mark_plausible(scores[~trend].reset_index(drop=True), spans)
        scores = pd.concat([marked, scores[trend]], ignore_index=True) if trend.any() else marked
    if source is None:  # a file that was named is no matter of the newest data
        say_age(seen.date, truth_as_of)
    if out is not None:
        _write(scores, out)
    if joint is not None:
        together = joint_table(files, against, known)
        _write(together, joint)
    if as_json:
        print_json(_as_json(scores, against, panel.indicator, baseline, scenarios))
    else:
        _print(scores, against, panel.indicator, baseline, scenarios)
    if out is not None:
        click.echo(f"{len(scores):,} rows: {out}", err=as_json)
    if joint is not None:
        click.echo(f"{len(together):,} rows: {joint}", err=as_json)
    if not scores["scorable"].any():
        raise ScoringError(
            "no forecast is scorable",
            hint=f"use a release at least {min_truth_age} months after the months forecast",
        )
    if plot is not None:
        import odforecast.plot as plots

        plots.save(plots.coverage(scores[scores["target"] != TARGET_TREND]), plot)
        click.echo(f"picture: {plot}", err=as_json)


def _has_years(one: Held) -> bool:
    """Whether a file holds 12-month counts."""
    if one.forecast is not None:
        return TARGET_12MO in one.forecast.targets
    table = one.hub if one.hub is not None else one.table
    return table is not None and bool((table["target"] == TARGET_12MO).any())


def _scenarios(held_files: list[Held], held: Path | None) -> list[str]:
    """Scenarios of the files, in the order they stand there; none in ordinary files."""
    from odforecast.names import SCENARIO_ID

    named = [one.hub is not None and SCENARIO_ID in one.hub for one in held_files]
    has = [str(one.path) for one, there in zip(held_files, named) if there]
    without = [str(one.path) for one, there in zip(held_files, named) if not there]
    if without and (has or held is not None):
        beside = f", {has[0]} has it" if has else ", and --held is about scenarios"
        raise ScoringError(
            f"{without[0]} has no column {SCENARIO_ID}{beside}",
            hint="score files of scenarios apart from others",
        )
    return list(
        dict.fromkeys(x for one in held_files if one.hub is not None
                      for x in one.hub.get(SCENARIO_ID, ()))
    )  # fmt: skip


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
    from odforecast.scoring.summary import PLAUSIBLE, calibration, plausibility

    reasons = scores.loc[~scores["scorable"], "reason"].str.split(":").str[0].value_counts()
    said: dict[str, Any] = {
        "meta": {
            "indicator": indicator,
            "origins": _origins(scores),
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
        ahead = scores[(scores["horizon"] > 0) & (scores["target"] != TARGET_TREND)]
        judged = PLAUSIBLE in ahead
        said["plausibility"] = records(plausibility(ahead)) if judged else []
        said["calibration"] = records(calibration(ahead, baseline))
        return said
    grouped = with_groups(scores, ["level"])
    for name, keys in (("horizons", ["target", "level", "horizon_group"]),
                       ("locations", ["target", "location"])):  # fmt: skip
        parts = [
            summarise(part, by=keys, baseline=_related(part, str(target), baseline))
            for target, part in grouped.groupby("target", sort=True)
            if name == "horizons" or target != TARGET_TREND
        ]
        said[name] = [row for part in parts for row in records(part)]
    return said


def _origins(scores: pd.DataFrame) -> list[str]:
    """Days that forecasts are as of; those that a file does not say are left out."""
    return sorted({f"{d:%Y-%m-%d}" for d in scores["as_of"].dropna()})


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
        say_trend,
    )
    from odforecast.scoring import summarise
    from odforecast.scoring.columns import with_groups

    console = Console(markup=False, emoji=False)  # a name in brackets, or colons, is a name

    days = _origins(scores)
    origins = "as of a day that the files do not say"
    if days:
        origins = f"as of {days[0]}"
        if len(days) > 1:
            origins = f"as of {len(days)} origins, {days[0]} to {days[-1]}"
    say(f"Forecasts {origins}: {indicator}")
    say(
        f"Truth: {truth.kind} in release {truth.release}, months at least {truth.min_age} months "
        "old then"
    )
    if days and str(truth.release) <= days[-1]:
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
        print_scenarios(console, scores[scores["target"] != TARGET_TREND], baseline, scenarios)
        return
    for target, part in scores.groupby("target", sort=True):
        # A baseline may forecast one target only.
        related = _related(part, str(target), baseline)
        if baseline is not None and related is None and target != TARGET_TREND:
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
            print_whole(console, by_horizon(ahead, trend=target == TARGET_TREND))
        if target == TARGET_TREND:
            say_trend(console, part)
            continue
        states = part[part["location"] != "US"]
        if len(set(states["location"])) > 1 and states["scorable"].any():
            title, grid = by_location(summarise(states, by=["location"]))
            console.print(f"{target}, {title}", style="bold", highlight=False, soft_wrap=True)
            print_whole(console, grid)
        if target == TARGET_MONTH:
            console.print(MONTHS_ARE_RECOVERED, highlight=False)
    explain(console, baseline)


def _related(part: pd.DataFrame, target: str, baseline: str | None) -> str | None:
    """The baseline, where it forecasts a target; the trend is related to pooled frequencies."""
    there = target != TARGET_TREND and baseline in set(part["model"])
    return baseline if there else None


def _write(scores: pd.DataFrame, out: Path) -> None:
    """Write the unit-level table; the file is complete or absent."""
    with replacing(out) as part:
        if out.suffix == ".parquet":
            scores.to_parquet(part, index=False)
        else:
            # Models and files are named by whoever made them: "=cmd|..." is a name too.
            safe = for_spreadsheets(scores)
            safe.to_csv(part, index=False, lineterminator="\n", date_format="%Y-%m-%d")
