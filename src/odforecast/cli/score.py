"""``odforecast score``: forecasts in files against a later release."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import pandas as pd

import odforecast as od
from odforecast.cli import options as opt
from odforecast.cli import screen
from odforecast.cli.answer import Answer, records
from odforecast.cli.score_files import Forecasts, Levels, read_any
from odforecast.cli.screen import COVERED_90, Column, lay, note, say, text_of, title, words
from odforecast.cli.source import Data, say_age
from odforecast.errors import ScoringError, one_of
from odforecast.hub import read_held
from odforecast.io import replacing
from odforecast.names import SCENARIO_ID, TARGET_12MO, TARGET_MONTH, TARGET_TREND
from odforecast.report.page import for_spreadsheets
from odforecast.scoring import summarise
from odforecast.scoring.columns import UNIT_KEYS, with_groups
from odforecast.scoring.summary import PLAUSIBLE, calibration, mark_plausible, nearest, plausibility

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
_50, _80, _95 = (Column(f"{p}%", f"coverage_{p}", form="{:.0%}") for p in (50, 80, 95))
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
_MODEL = [text_of("model")]
_MONTHS = [text_of("months")]
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
    held: Path | None = None,
    truth_as_of: str | None = None,
    min_truth_age: int = opt.FINAL_AGE,
    plot: Path | None = None,
    out: Path | None = None,
) -> Answer:
    """Score forecasts in your files against the counts of a later release.

    FORECASTS are files and folders that odforecast wrote: hub files of quantiles, samples or the
    trend, tables of forecast and nowcast, folders of a saved forecast, of scenarios or of a
    backtest, and the record.csv of update. For submissions to other hubs: odforecast hub score.

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
    files = read_any(forecasts)
    scenarios = _scenarios(files, held)
    if plot is not None and not any(TARGET_12MO in one.targets for one in files):
        raise ScoringError("--plot shows 12-month counts, and the files contain none")
    spans = None if held is None else read_held(held, scenarios)
    releases = data.open()
    seen = releases.as_of(truth_as_of)
    if seen.note:
        note(seen.note)
    against = od.Truth(seen.panel(indicator), min_age=min_truth_age)

    @cache
    def known(day: dt.date) -> od.Panel:
        """The panel of the release known on a day."""
        return releases.as_of(day).panel(indicator)

    scores = _score_files(files, against, known=known)
    names = set(scores["model"])
    if baseline is not None and baseline not in names:
        hint = one_of(baseline, sorted(names))
        raise ScoringError(f"--baseline: no file of {baseline!r}", hint=hint)
    _check_levels(files, baseline)
    if spans is not None:
        trend = scores["target"] == TARGET_TREND
        marked = mark_plausible(scores[~trend].reset_index(drop=True), spans)
        scores = pd.concat([marked, scores[trend]], ignore_index=True) if trend.any() else marked
    if data.source is None:  # a file that was named need not be the newest
        say_age(seen.date, truth_as_of)
    failure = ScoringError(
        "no forecast can be scored yet",
        hint=f"use a release at least {min_truth_age} months after the months forecast",
    )
    return Answer(
        text=lambda: _print(scores, against, baseline=baseline, scenarios=scenarios),
        data=lambda: _data(scores, against, baseline=baseline, scenarios=scenarios),
        figure=lambda: od.plot.coverage(scores[scores["target"] != TARGET_TREND]),
        files=[(partial(_write, scores, out), f"{len(scores):,} rows: {out}")] if out else [],
        failure=None if scores["scorable"].any() else failure,
    )


def _scenarios(files: list[Forecasts], held: Path | None) -> list[str]:
    """Scenarios of the files, in the order of the files; none in ordinary files."""
    named = [one for one in files if one.scenarios]
    without = [one for one in files if not one.scenarios]
    if without and (named or held is not None):
        beside = f", {named[0].path} has one" if named else ", and --held is about scenarios"
        raise ScoringError(
            f"{without[0].path} has no column {SCENARIO_ID}{beside}",
            hint="score files of scenarios separately",
        )
    return list(dict.fromkeys(x for one in named for x in one.scenarios))


def _score_files(files: list[Forecasts], truth: od.Truth, known: Any) -> pd.DataFrame:
    """The score table of all files."""
    parts = []
    for one in files:
        if one.indicator and one.indicator != truth.panel.indicator:
            raise ScoringError(
                f"{one.path} is of {one.indicator!r}, the truth of {truth.panel.indicator!r}",
                hint="say what is counted with --indicator",
            )
        part = pd.concat(one.scores(truth, known), ignore_index=True)
        part.insert(0, "model", one.model)
        part.insert(1, "file", str(one.path))
        parts.append(part.assign(truth=truth.kind, truth_release=pd.Timestamp(truth.release)))
    scores = pd.concat(parts, ignore_index=True)
    twice = scores.duplicated(["model", *(k for k in UNIT_KEYS if k in scores)])
    if twice.any():
        row = scores[twice].iloc[0]
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
    found: dict[Levels, Forecasts] = {}
    for one in files:
        for levels in one.levels:
            found.setdefault(levels, one)
    if len(found) < 2:
        return
    least, *_, most = sorted(found, key=len)
    same = found[least].model == found[most].model
    a, b = (
        f"{one.model} ({one.path.name})" if same else one.model
        for one in (found[least], found[most])
    )
    text = f"WIS of {a} is over {_shown(least, most)}, of {b} over {_shown(most, least)}"
    if baseline is not None:
        raise ScoringError(text, hint="only scores over the same levels can be compared")
    note(f"{text}: these are different scores")


def _shown(levels: Levels, beside: Levels) -> str:
    """How many levels there are; of as many as the others, which, or one that the others lack."""
    if len(levels) != len(beside):
        return f"{len(levels)} levels"
    if len(levels) <= 5:
        return f"levels {', '.join(f'{x:g}' for x in levels)}"
    return f"{len(levels)} levels with {next(x for x in levels if x not in beside):g}"


def _origins(scores: pd.DataFrame) -> list[str]:
    """Days that forecasts are as of; those that a file does not say are left out."""
    return sorted({f"{d:%Y-%m-%d}" for d in scores["as_of"].dropna()})


def _reasons(scores: pd.DataFrame) -> dict[str, int]:
    """Why forecasts cannot be scored, and how many."""
    found = scores.loc[~scores["scorable"], "reason"].str.split(":").str[0].value_counts()
    return {str(why): int(n) for why, n in found.items()}


def _related(part: pd.DataFrame, baseline: str | None) -> str | None:
    """The baseline, where it forecasts a target; the trend is compared with past frequencies."""
    there = TARGET_TREND not in set(part["target"]) and baseline in set(part["model"])
    return baseline if there else None


def _ahead(scores: pd.DataFrame) -> pd.DataFrame:
    """Of scenarios, the months that they change."""
    return scores[(scores["horizon"] > 0) & (scores["target"] != TARGET_TREND)]


def _data(
    scores: pd.DataFrame,
    truth: od.Truth,
    baseline: str | None,
    scenarios: list[str],
) -> dict[str, Any]:
    """What the screen shows, as JSON: by horizon, and by location or scenario."""
    said: dict[str, Any] = {
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
    if scores["scorable"].any() and scenarios:
        ahead = _ahead(scores)
        said["plausibility"] = plausibility(ahead) if PLAUSIBLE in ahead else []
        said["calibration"] = calibration(ahead, baseline)
    elif scores["scorable"].any():
        grouped = with_groups(scores, ["level"])
        for name, keys in (
            ("horizons", ["target", "level", "horizon_group"]),
            ("locations", ["target", "location"]),
        ):
            said[name] = [
                row
                for target, part in grouped.groupby("target", sort=True)
                if name == "horizons" or target != TARGET_TREND
                for row in records(summarise(part, by=keys, baseline=_related(part, baseline)))
            ]
    return said


def _print(
    scores: pd.DataFrame,
    truth: od.Truth,
    baseline: str | None,
    scenarios: list[str],
) -> None:
    """What was scored, then the tables, and what their columns mean."""
    days = _origins(scores)
    why = _reasons(scores)
    made = f"as of {days[0]}" if days else "as of a day that the files do not say"
    if len(days) > 1:
        made = f"as of {len(days)} dates, {days[0]} to {days[-1]}"
    say(f"Forecasts {made}: {truth.panel.indicator}")
    say(
        f"Final counts: {truth.kind} in release {truth.release}, at least {truth.min_age} months "
        "after the month"
    )
    if days and str(truth.release) <= days[-1]:
        say(
            f"note: these counts were published no later than the forecasts ({days[-1]}), so the "
            "forecasts could know them; use a later release"
        )
    if why:
        kinds = "; ".join(f"{n:,} {kind}" for kind, n in why.items())
        say(f"{sum(why.values()):,} of {len(scores):,} forecasts cannot be scored: {kinds}")
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
    ratio = "" if baseline is None else f"; ratio: WIS divided by {baseline}'s, same forecasts"
    more = (
        ""
        if scenarios
        else ("; error: mean absolute error in percent; bias: -1 too low to +1 too high")
    )
    click.echo()
    say(f"{screen.WHAT_WIS_IS}{ratio}{more}; {screen.WHAT_90_IS}.")


def _say_no_ratio(part: pd.DataFrame, target: object, baseline: str | None) -> None:
    """Say that the baseline does not forecast a target."""
    if baseline is not None and _related(part, baseline) is None and target != TARGET_TREND:
        say(f"{baseline} does not forecast {words(target)}: no ratio there")


def _print_targets(scores: pd.DataFrame, baseline: str | None) -> None:
    """The tables of each target: by months ahead, and by state."""
    for target, part in scores.groupby("target", sort=True):
        _say_no_ratio(part, target, baseline=baseline)
        for level, rows in with_groups(part, ["level"]).groupby("level", observed=True):
            ahead = summarise(rows, by=["horizon_group"], baseline=_related(part, baseline))
            models = list(dict.fromkeys(ahead["model"]))
            named = f": {models[0]}" if len(models) == 1 else ""
            names = [text_of("ahead", "horizon_group"), *_MODEL[: len(models) - 1]]
            title(f"{words(target)}, {words(level)}, by months ahead{named}")
            click.echo(lay(ahead, [*names, *_COLUMNS]))
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
    worst = wide[models].mean(axis=1).nlargest(MAX_ROWS).index
    which = "every state" if len(worst) == len(wide) else f"highest {len(worst)} of {len(wide)}"
    more = f", best {MAX_MODELS} models" if len(models) < wide.shape[1] else ""
    title(f"{target}, WIS by state: {which}{more}")
    columns = [text_of("", "location"), *(Column(str(m), str(m), form=deaths) for m in models)]
    click.echo(lay(wide.loc[worst].reset_index(), columns))


def _say_trend(part: pd.DataFrame) -> None:
    """What the scores of the trend mean, and by which releases it was judged."""
    known = sorted(set(part["known_release"].dropna()))
    which = known[0] if len(known) == 1 else f"{len(known)} releases, {known[0]} to {known[-1]}"
    say(
        "RPS: ranked probability score of the five kinds of change, 0 is best, 1 is worst; ratio: "
        "divided by the RPS of their past frequencies. Whether a count is stable depends on the "
        f"count of a year before, as known when the forecast was made: release {which}.",
        before="\n",
    )


def _print_scenarios(ahead: pd.DataFrame, baseline: str | None, scenarios: list[str]) -> None:
    """Plausibility first, calibration second, then which scenario came nearest."""

    def ordered(table: pd.DataFrame) -> pd.DataFrame:
        """Rows by scenario, as the files have them."""
        return table.sort_values(SCENARIO_ID, kind="stable", key=lambda x: x.map(scenarios.index))

    judged = PLAUSIBLE in ahead
    if judged:
        table = ordered(plausibility(ahead)).sort_values("target", kind="stable")
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
                f"{words(target)}: a scenario was true in {true:.1f} of {months:.1f} months "
                "on average"
            )
    else:
        say(
            "Plausibility was not judged (no --held): all months are scored as if every scenario "
            "had come true."
        )
    for target, part in ahead.groupby("target", sort=True):
        name = words(target)
        _say_no_ratio(part, target, baseline=baseline)
        several = len(set(part["model"])) > 1
        names = [_SCENARIO, *_MONTHS[:judged], *_MODEL[:several]]
        pool = nearest(part)
        table = ordered(calibration(part, _related(part, baseline)))
        table = table.replace({"months": {PLAUSIBLE: "true"}})
        for level, rows in table.groupby("level", observed=True):
            title(f"Calibration: {name}, {words(level)}")
            click.echo(lay(rows, [*names, *_CALIBRATION]))
            for model, best in pool[pool["level"] == level].groupby("model", sort=True):
                who = f" ({model})" if several else ""
                first, *rest = [f"{n} {deaths(w)}" for n, w in zip(best[SCENARIO_ID], best["wis"])]
                then = f"; then {', '.join(rest[:3])}" if rest else ""
                say(
                    f"Nearest to the final counts by WIS, {best['n_common'].iloc[0]:,} forecasts "
                    f"each{who}: {first}{then}",
                    before="\n",
                )
        few = part[part["scorable"] & part[PLAUSIBLE].astype(bool)] if judged else part
        if judged:
            say(
                f"{name}: no scored month was true, so no interval can be judged"
                if few.empty
                else f"{name}: 95% intervals contained {few['cover_95'].mean():.0%} of "
                f"{len(few):,} final counts in months that were true"
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
