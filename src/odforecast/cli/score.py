"""``odforecast score``: forecasts in files against a later release."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

import odforecast as od
from odforecast.cli import options as opt
from odforecast.cli import screen
from odforecast.cli.answer import Answer, records
from odforecast.cli.score_files import Forecasts, Levels, read_any
from odforecast.cli.screen import (
    COVERED_90,
    Column,
    lay,
    note,
    say,
    text_of,
    title,
    words,
)
from odforecast.cli.source import Data, say_age
from odforecast.errors import ScoringError, one_of
from odforecast.hub import read_held
from odforecast.io import replacing
from odforecast.names import SCENARIO_ID, TARGET_12MO, TARGET_MONTH, TARGET_TREND
from odforecast.report.page import for_spreadsheets
from odforecast.scoring import summarise
from odforecast.scoring.columns import UNIT_KEYS, with_groups
from odforecast.scoring.summary import (
    PLAUSIBLE,
    calibration,
    mark_plausible,
    nearest,
    plausibility,
)

#: Places on the screen (those with the highest WIS), and models side by side there.
MAX_ROWS = 10
MAX_MODELS = 4
_MONTHS_ARE_RECOVERED = (
    "Monthly deaths are derived from 12-month totals. They are known only up to a constant per "
    "calendar month, which differs between releases: read their scores with care."
)


def deaths(value: float) -> str:
    """A score in deaths: one digit after the point below 100.

    >>> deaths(12.34), deaths(1234.5)
    ('12.3', '1,234')
    """
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


_WIS = (
    Column("scored", "n_scorable"),
    Column("WIS", "wis", form=deaths),
    Column("ratio", "rel_wis", form="{:.2f}"),
)
_50 = Column("50%", "coverage_50", form="{:.0%}")
_80 = Column("80%", "coverage_80", form="{:.0%}")
_95 = Column("95%", "coverage_95", form="{:.0%}")
_COLUMNS = (
    *_WIS,
    Column("CRPS", "crps", form=deaths),
    Column("error", "mape", form="{:.1f}%"),
    Column("bias", "bias", form="{:+.2f}"),
    _50,
    COVERED_90,
    Column("RPS", "rps", form="{:.3f}"),
    Column("ratio", "rel_rps", form="{:.2f}"),
)
_CALIBRATION = (*_WIS, _50, _80, COVERED_90, _95)
_SCENARIO = text_of("scenario", SCENARIO_ID)
_MODEL = text_of("model")
_MONTHS = text_of("months")
_PLAUSIBILITY = (
    text_of("", lambda row: words(row["target"])),
    _SCENARIO,
    Column("scored", "months"),
    Column("true", "plausible"),
    Column("share", "share", form="{:.0%}"),
    Column("from", "first", form="{:%Y-%m}"),
    Column("to", "last", form="{:%Y-%m}"),
)


@opt.command()
@click.argument(
    "forecasts",
    nargs=-1,
    required=True,
    type=opt.PATH,
)
@opt.add_options(
    opt.what_option("--baseline MODEL", help="Model (file) to compare WIS with."),
    opt.INDICATOR,
    opt.columns(),
    opt.what_option(
        "--held FILE",
        type=opt.FILE,
        reads=True,
        help="For scenarios: the months in which the assumptions of each were true (CSV: "
        "scenario_id,first_month,last_month[,note]).",
    ),
    opt.TRUTH_AS_OF,
    opt.MIN_TRUTH_AGE,
    opt.SOURCES,
    opt.JSON,
    opt.PLOT,
    opt.out("One row per forecast: .csv or .parquet.", (".csv", ".parquet")),
)
def score(
    forecasts: tuple[Path, ...],
    data: Data,
    baseline: str | None = None,
    indicator: str = "all-drugs",
    columns: tuple[tuple[str, str], ...] = (),
    held: Path | None = None,
    truth_as_of: str | None = None,
    min_truth_age: int = opt.FINAL_AGE,
    plot: Path | None = None,
    out: Path | None = None,
) -> Answer:
    """Score forecasts in your files against the counts of a later release.

    FORECASTS are files and folders that odforecast wrote: hub files of quantiles, samples or the
    trend, tables of forecast and nowcast, folders of a saved forecast, of scenarios or of a
    backtest, and the record.csv of update. Your own tables have a place, a month, and low, median
    and high, or quantile and value; --column says which column is what. For submissions to other
    hubs: odforecast hub score.

    Forecasts are compared with the last release, or with that of --truth-as-of or --source. Hub
    files do not say what they count: use --indicator. The file name gives the model:
    2024-12-11-team-model.csv is team-model, files that differ only in the date are one model, and
    odforecast-auto_ets is auto-ets. Counts younger than --min-truth-age may still change and are
    not scored. Nothing is dropped: --out gives the reason for each. The trend is judged by
    the releases that were known when the forecast was made.

    Files with a column scenario_id, as odforecast scenario run writes them, are scored by
    scenario: first plausibility (the months in which its assumptions were true, from --held), then
    calibration in those months.
    """
    files = read_any(forecasts, dict(columns), say=note)
    scenarios = _scenarios(files, held)
    if plot is not None and not any(TARGET_12MO in file.targets for file in files):
        raise ScoringError("--plot shows 12-month counts, and the files contain none")
    spans = None if held is None else read_held(held, scenarios)
    releases = data.open()
    vintage = releases.as_of(truth_as_of)
    if vintage.note:
        note(vintage.note)
    truth = od.Truth(vintage.panel(indicator), min_age=min_truth_age)

    @cache
    def panel_of_day(day: dt.date) -> od.Panel:
        """The panel of the release known on a day."""
        return releases.as_of(day).panel(indicator)

    scores = _score_files(files, truth, panel_of_day=panel_of_day)
    models = set(scores["model"])
    if baseline is not None and baseline not in models:
        hint = one_of(baseline, sorted(models))
        raise ScoringError(f"--baseline: no file of {baseline!r}", hint=hint)
    _check_levels(files, baseline)
    if spans is not None:
        trend = scores["target"] == TARGET_TREND
        marked = mark_plausible(scores[~trend].reset_index(drop=True), spans)
        scores = (
            pd.concat([marked, scores[trend]], ignore_index=True)
            if trend.any()
            else marked
        )
    if data.source is None:  # a file that was named need not be the newest
        say_age(vintage.date, truth_as_of)
    failure = None
    if not scores["scorable"].any():
        failure = ScoringError(
            "no forecast can be scored yet",
            hint=f"use a release at least {min_truth_age} months after the months forecast",
        )
    return Answer(
        text=lambda: _print(scores, truth, baseline=baseline, scenarios=scenarios),
        data=lambda: _content(scores, truth, baseline=baseline, scenarios=scenarios),
        figure=lambda: od.plot.coverage(scores[scores["target"] != TARGET_TREND]),
        files=[(partial(_write, scores, out), f"{len(scores):,} rows: {out}")]
        if out
        else [],
        failure=failure,
    )


def _scenarios(files: list[Forecasts], held: Path | None) -> list[str]:
    """Scenarios of the files, in the order of the files; none in ordinary files."""
    with_scenarios = [file for file in files if file.scenarios]
    ordinary = [file for file in files if not file.scenarios]
    if ordinary and (with_scenarios or held is not None):
        reason = "and --held is about scenarios"
        if with_scenarios:
            reason = f"{with_scenarios[0].path} has one"
        raise ScoringError(
            f"{ordinary[0].path} has no column {SCENARIO_ID}, {reason}",
            hint="score files of scenarios separately",
        )
    return list(
        dict.fromkeys(name for file in with_scenarios for name in file.scenarios)
    )


def _score_files(
    files: list[Forecasts],
    truth: od.Truth,
    panel_of_day: Callable[[dt.date], od.Panel],
) -> pd.DataFrame:
    """The score table of all files."""
    parts = []
    for file in files:
        if file.indicator and file.indicator != truth.panel.indicator:
            raise ScoringError(
                f"{file.path} is of {file.indicator!r}, the truth of {truth.panel.indicator!r}",
                hint="say what is counted with --indicator",
            )
        part = pd.concat(file.scores(truth, panel_of_day), ignore_index=True)
        part.insert(0, "model", file.model)
        part.insert(1, "file", str(file.path))
        parts.append(
            part.assign(truth=truth.kind, truth_release=pd.Timestamp(truth.release))
        )
    scores = pd.concat(parts, ignore_index=True)
    keys = [key for key in UNIT_KEYS if key in scores]
    repeated = scores.duplicated(["model", *keys])
    if repeated.any():
        row = scores[repeated].iloc[0]
        day = "" if pd.isna(row["as_of"]) else f", as of {row['as_of']:%Y-%m-%d}"
        raise ScoringError(
            f"{row['file']} repeats a forecast of model {row['model']}: {row['location']}, "
            f"{row['target']}, {row['month']:%Y-%m}{day}",
            hint="name each file by its model, so that two models are not taken for one",
        )
    return scores


def _check_levels(files: Sequence[Forecasts], baseline: str | None) -> None:
    """Refuse to relate WIS to WIS over other levels; without a baseline there is a note only.

    Levels count, not their number: of three, 0.05, 0.5, 0.95 and 0.25, 0.5, 0.75 give other scores.
    """
    by_levels: dict[Levels, Forecasts] = {}
    for file in files:
        for levels in file.levels:
            by_levels.setdefault(levels, file)
    if len(by_levels) < 2:
        return
    least, *_, most = sorted(by_levels, key=len)
    first = by_levels[least]
    second = by_levels[most]
    first_name = first.model
    second_name = second.model
    if first.model == second.model:
        first_name = f"{first.model} ({first.path.name})"
        second_name = f"{second.model} ({second.path.name})"
    text = (
        f"WIS of {first_name} is over {_levels_text(least, most)}, of {second_name} over "
        f"{_levels_text(most, least)}"
    )
    if baseline is not None:
        raise ScoringError(
            text, hint="only scores over the same levels can be compared"
        )
    note(f"{text}: these are different scores")


def _levels_text(levels: Levels, compared: Levels) -> str:
    """How many levels there are; of as many as the others, which, or one that the others lack."""
    if len(levels) != len(compared):
        return f"{len(levels)} levels"
    if len(levels) <= 5:
        return f"levels {', '.join(f'{level:g}' for level in levels)}"
    lacking = next(level for level in levels if level not in compared)
    return f"{len(levels)} levels with {lacking:g}"


def _origins(scores: pd.DataFrame) -> list[str]:
    """Days that forecasts are as of; those that a file does not say are left out."""
    return sorted({f"{day:%Y-%m-%d}" for day in scores["as_of"].dropna()})


def _reasons(scores: pd.DataFrame) -> dict[str, int]:
    """Why forecasts cannot be scored, and how many."""
    counts = (
        scores.loc[~scores["scorable"], "reason"].str.split(":").str[0].value_counts()
    )
    return {str(reason): int(n) for reason, n in counts.items()}


def _related(part: pd.DataFrame, baseline: str | None) -> str | None:
    """The baseline, where it forecasts a target; the trend is compared with past frequencies."""
    if TARGET_TREND in set(part["target"]) or baseline not in set(part["model"]):
        return None
    return baseline


def _ahead(scores: pd.DataFrame) -> pd.DataFrame:
    """Of scenarios, the months that they change."""
    return scores[(scores["horizon"] > 0) & (scores["target"] != TARGET_TREND)]


def _content(
    scores: pd.DataFrame,
    truth: od.Truth,
    baseline: str | None,
    scenarios: list[str],
) -> dict[str, Any]:
    """What the screen shows, as JSON: by horizon, and by location or scenario."""
    content: dict[str, Any] = {
        "meta": {
            "indicator": truth.panel.indicator,
            "origins": _origins(scores),
            "truth": truth.kind,
            "truth_release": str(truth.release),
            "min_truth_age": truth.min_age,
            "forecasts": len(scores),
            "scorable": int(scores["scorable"].sum()),
            "not_scorable": _reasons(scores),
        }
    }
    if not scores["scorable"].any():
        return content
    if scenarios:
        ahead = _ahead(scores)
        content["plausibility"] = plausibility(ahead) if PLAUSIBLE in ahead else []
        content["calibration"] = calibration(ahead, baseline)
        return content
    content["horizons"] = []
    content["locations"] = []
    for target, part in with_groups(scores, ["level"]).groupby("target", sort=True):
        related = _related(part, baseline)
        groups = summarise(
            part, by=["target", "level", "horizon_group"], baseline=related
        )
        content["horizons"] += records(groups)
        if target != TARGET_TREND:
            places = summarise(part, by=["target", "location"], baseline=related)
            content["locations"] += records(places)
    return content


def _print(
    scores: pd.DataFrame,
    truth: od.Truth,
    baseline: str | None,
    scenarios: list[str],
) -> None:
    """What was scored, then the tables, and what their columns mean."""
    days = _origins(scores)
    text = "as of a day that the files do not say"
    if len(days) == 1:
        text = f"as of {days[0]}"
    elif days:
        text = f"as of {len(days)} dates, {days[0]} to {days[-1]}"
    say(f"Forecasts {text}: {truth.panel.indicator}")
    say(
        f"Final counts: {truth.kind} in release {truth.release}, at least {truth.min_age} months "
        "after the month"
    )
    if days and str(truth.release) <= days[-1]:
        say(
            f"note: these counts were published no later than the forecasts ({days[-1]}), so the "
            "forecasts could know them; use a later release"
        )
    reasons = _reasons(scores)
    if reasons:
        kinds = "; ".join(f"{n:,} {reason}" for reason, n in reasons.items())
        total = sum(reasons.values())
        say(f"{total:,} of {len(scores):,} forecasts cannot be scored: {kinds}")
    if not scores["scorable"].any():
        return
    if scenarios and not _ahead(scores)["scorable"].any():
        say("No month that a scenario changes can be scored yet.")
        return
    if scenarios:
        _print_scenarios(_ahead(scores), baseline, scenarios=scenarios)
    else:
        _print_targets(scores, baseline)
    if TARGET_MONTH in set(scores["target"]):
        say(_MONTHS_ARE_RECOVERED)
    legend = screen.WHAT_WIS_IS
    if baseline is not None:
        legend += f"; ratio: WIS divided by {baseline}'s, same forecasts"
    if not scenarios:
        legend += (
            "; error: mean absolute error in percent; bias: -1 too low to +1 too high"
        )
    click.echo()
    say(f"{legend}; {screen.WHAT_90_IS}.")


def _say_no_ratio(part: pd.DataFrame, target: object, baseline: str | None) -> None:
    """Say that the baseline does not forecast a target."""
    if (
        baseline is not None
        and _related(part, baseline) is None
        and target != TARGET_TREND
    ):
        say(f"{baseline} does not forecast {words(target)}: no ratio there")


def _print_targets(scores: pd.DataFrame, baseline: str | None) -> None:
    """The tables of each target: by months ahead, and by state."""
    for target, part in scores.groupby("target", sort=True):
        _say_no_ratio(part, target, baseline=baseline)
        related = _related(part, baseline)
        for level, rows in with_groups(part, ["level"]).groupby("level", observed=True):
            table = summarise(rows, by=["horizon_group"], baseline=related)
            models = list(dict.fromkeys(table["model"]))
            head = f"{words(target)}, {words(level)}, by months ahead"
            names = [text_of("ahead", "horizon_group")]
            if len(models) > 1:
                names.append(_MODEL)
            else:
                head += f": {models[0]}"
            title(head)
            click.echo(lay(table, [*names, *_COLUMNS]))
        states = part[part["location"] != "US"]
        if target == TARGET_TREND:
            _say_trend(part)
        elif len(set(states["location"])) > 1 and states["scorable"].any():
            _print_states(summarise(states, by=["location"]), words(target))


def _print_states(table: pd.DataFrame, target: str) -> None:
    """WIS of each model, a row per state, those with the highest."""
    wide = table.pivot(
        index="location",
        columns="model",
        values="wis",
    )
    models = wide.mean().sort_values(kind="stable").index[:MAX_MODELS]
    highest = wide[models].mean(axis=1).nlargest(MAX_ROWS).index
    head = f"{target}, WIS by state: "
    if len(highest) == len(wide):
        head += "every state"
    else:
        head += f"highest {len(highest)} of {len(wide)}"
    if len(models) < wide.shape[1]:
        head += f", best {MAX_MODELS} models"
    title(head)
    columns = [Column(str(model), str(model), form=deaths) for model in models]
    click.echo(
        lay(wide.loc[highest].reset_index(), [text_of("", "location"), *columns])
    )


def _say_trend(part: pd.DataFrame) -> None:
    """What the scores of the trend mean, and by which releases it was judged."""
    dates = sorted(set(part["known_release"].dropna()))
    release = (
        dates[0]
        if len(dates) == 1
        else f"{len(dates)} releases, {dates[0]} to {dates[-1]}"
    )
    say(
        "RPS: ranked probability score of the five kinds of change, 0 is best, 1 is worst; ratio: "
        "divided by the RPS of their past frequencies. Whether a count is stable depends on the "
        f"count of a year before, as known when the forecast was made: release {release}.",
        before="\n",
    )


def _print_scenarios(
    ahead: pd.DataFrame, baseline: str | None, scenarios: list[str]
) -> None:
    """Plausibility first, calibration second, then which scenario came nearest."""

    def in_order(table: pd.DataFrame) -> pd.DataFrame:
        """Rows by scenario, as the files have them."""
        ranks = table[SCENARIO_ID].map(scenarios.index)
        return table.iloc[np.argsort(ranks, kind="stable")]

    judged = PLAUSIBLE in ahead
    if judged:
        _print_plausibility(in_order(plausibility(ahead)))
    else:
        say(
            "Plausibility was not judged (no --held): all months are scored as if every scenario "
            "had come true."
        )
    for target, part in ahead.groupby("target", sort=True):
        name = words(target)
        _say_no_ratio(part, target, baseline=baseline)
        table = in_order(calibration(part, _related(part, baseline)))
        table = table.replace({"months": {PLAUSIBLE: "true"}})
        names = [_SCENARIO]
        if judged:
            names.append(_MONTHS)
        several = len(set(part["model"])) > 1
        if several:
            names.append(_MODEL)
        pool = nearest(part)
        for level, rows in table.groupby("level", observed=True):
            title(f"Calibration: {name}, {words(level)}")
            click.echo(lay(rows, [*names, *_CALIBRATION]))
            for model, ranking in pool[pool["level"] == level].groupby(
                "model", sort=True
            ):
                _say_nearest(ranking, f" ({model})" if several else "")
        if judged:
            true = part[part["scorable"] & part[PLAUSIBLE].astype(bool)]
            text = "no scored month was true, so no interval can be judged"
            if not true.empty:
                text = (
                    f"95% intervals contained {true['cover_95'].mean():.0%} of {len(true):,} "
                    "final counts in months that were true"
                )
            say(f"{name}: {text}")


def _print_plausibility(table: pd.DataFrame) -> None:
    """In which months the assumptions of each scenario were true."""
    table = table.sort_values("target", kind="stable")
    title("Plausibility: months in which the assumptions were true")
    click.echo(lay(table, _PLAUSIBILITY))
    click.echo()
    if TARGET_12MO in set(table["target"]):
        say(
            "A 12-month count counts as true where the assumptions were true in each of its "
            "months after the last known one."
        )
    for target, part in table.groupby("target", sort=True):
        true = part[PLAUSIBLE].mean()
        months = part["months"].mean()
        say(
            f"{words(target)}: a scenario was true in {true:.1f} of {months:.1f} months on average"
        )


def _say_nearest(ranking: pd.DataFrame, model: str) -> None:
    """Which scenario of a model came nearest to the counts, and which followed."""
    names = [
        f"{n} {deaths(wis)}" for n, wis in zip(ranking[SCENARIO_ID], ranking["wis"])
    ]
    text = names[0]
    if len(names) > 1:
        text += f"; then {', '.join(names[1:4])}"
    say(
        f"Nearest to the final counts by WIS, {ranking['n_common'].iloc[0]:,} forecasts "
        f"each{model}: {text}",
        before="\n",
    )


def _write(scores: pd.DataFrame, out: Path) -> None:
    """Write the unit-level table; the file is complete or absent."""
    with replacing(out) as part:
        if out.suffix == ".parquet":
            scores.to_parquet(part, index=False)
        else:  # models and files are named by whoever made them: "=cmd|..." is a name too
            safe = for_spreadsheets(scores)
            safe.to_csv(
                part,
                index=False,
                lineterminator="\n",
                date_format="%Y-%m-%d",
            )
