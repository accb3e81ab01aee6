"""``odforecast scenario``: what could cooperation, or a supply shock, change?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace as with_
from pathlib import Path
from textwrap import shorten
from typing import Any

import click
import numpy as np
import pandas as pd

import odforecast as od
from odforecast import scenario as lib
from odforecast.cli import options as opt
from odforecast.cli import source
from odforecast.cli.answer import Answer
from odforecast.cli.app import Group
from odforecast.cli.screen import (
    Column,
    columns,
    fitted,
    lay,
    note,
    say,
    text_of,
    title,
    width,
    working,
)
from odforecast.cli.source import SOURCES, open_source
from odforecast.errors import ScenarioError, UnknownNameError, one_of
from odforecast.evidence.check import Setting
from odforecast.evidence.validate import run_checks
from odforecast.geography import resolve
from odforecast.hub import scenario_tasks, scenarios_to_hub, write_tasks
from odforecast.io import replacing, replacing_folder
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import TARGET_12MO
from odforecast.report.annex import prior_figure, short_titles
from odforecast.report.brief import write_briefs
from odforecast.report.page import for_spreadsheets
from odforecast.say import between, minus, rounded, step_of
from odforecast.scenario import CAVEAT, Past, catalogue
from odforecast.scenario.answer import CLASS_WARNING, scenario_title
from odforecast.scenario.grammar import ALL
from odforecast.scenario.past import WHATEVER
from odforecast.scenario.projection import HORIZON

#: Places whose answers are shown on the screen; months of waiting whose cost is worked out.
SHOWN = 3
DELAYS = (0, 3, 6, 12)
#: Draws in the hub file of samples, and simulations of a check.
SAMPLES = 100
SIMULATIONS = 200
#: By this file a folder is known to hold a run; runs before 0.2 had it, and the rest, at the top.
MARK = "scenarios.yaml"
DATA_FOLDER = "data"
_OURS = (
    r"data|scenarios\.yaml|quantiles\.csv|(samples|draws)\.parquet|figures|hub-config"
    r"|(answer|deaths_averted|time_to_recover|exposure|cost_of_delay)\.csv|brief(-[\w.-]+)?\.html"
)
#: Sd of a size that favors neither side, and the chance of no effect that goes with it.
NEUTRAL_SD = 0.4
NEUTRAL_NULL = 0.5
#: The only table of shares that may be given beside a scenario.
_SHARES = "fentanyl-share"

#: What every answer rests on, after a blank line.
_CAVEAT = ("", CAVEAT)

#: What every forecast under scenarios is made of.
FORECAST = opt.together(
    opt.what(
        "--onset MONTH",
        type=opt.START_MONTH,
        help="First month of named scenarios.  [default: the month after the as-of date]",
    ),
    opt.BESIDE,
    opt.horizon(HORIZON),
    opt.UNTIL,
    opt.MODEL,
    opt.INDICATOR,
    SOURCES,
    opt.AS_OF,
    opt.DRAWS,
    opt.SEED,
    opt.JSON,
)
ASKED = opt.together(
    opt.what(
        "--scenario FILE|NAME",
        "scenarios",
        multiple=True,
        required=True,
        help="A name from odforecast scenario list, a scenario file of yours, or null; with "
        "commas, or repeated.",
    ),
    FORECAST,
    opt.data(
        "--exposure NAME=FILE",
        "tables",
        multiple=True,
        more=True,
        help="Your own shares by place (CSV: location,exposure): fentanyl-share=table.csv.",
    ),
)


@click.group(cls=Group)
def scenario() -> None:
    """What could cooperation, or a supply shock, change? Effects are assumptions with a source
    and a grade, not estimates: the counts cannot identify cooperation.
    """


# What there is


@scenario.command("list")
@opt.output("--events", help="List the events of the evidence library.")
def list_(events: bool) -> None:
    """List the named scenarios, their chances and grades."""
    if events:
        rows = [["event", "date", "what happened; grade of the evidence"]]
        rows += [
            [str(r["id"]), str(r["date"]).replace(" … ", "–"), f"{r['event']}; {r['grade']}"]
            for r in catalogue.events().to_dict("records")
        ]
        click.echo(columns(rows, indent=""))
    else:
        say(CAVEAT)
        rows = [
            ["scenario", "works/harms", "grade", ""],
            [lib.NULL.name, "", "", "Status quo: no change"],
        ]
        for name in catalogue.prior_names():
            x = lib.named_intervention(name, onset="2026-03")
            chances = x.chances()
            works = "what-if" if x.is_what_if else f"{100 * chances[0]:.0f}/{chances[2]:.0%}"
            grade = str(catalogue.prior_table(name)["grade"])
            rows.append([name, works, grade, catalogue.prior_title(name)])
        room = width() - sum(2 + max(map(len, cells)) for cells in list(zip(*rows))[:3])
        if room >= 20 and fitted():  # one line each; `show` has the whole title
            rows = [[*row, shorten(x, room, placeholder="…")] for *row, x in rows]
        click.echo(f"\n{columns(rows, indent='')}\n")
        say(
            "Works/harms: the chance that it works, and that it raises deaths. Use one as "
            "--scenario NAME, or as prior: NAME in a file of yours. Events: --events."
        )
    click.echo("Details: odforecast scenario show NAME")


@scenario.command()
@click.argument("name", metavar="NAME|FILE")
def show(name: str) -> None:
    """Show a scenario, an event or your own scenario file."""
    events = catalogue.events()
    found = events[events["id"] == name].to_dict("records")
    if Path(name).suffix.lower() in source.SCENARIO_FILES:
        for item in lib.read_scenarios(name):
            _show_scenario(item, f"{item.name}, hash {item.hash}")
    elif name == lib.NULL.name:
        _show_scenario(lib.NULL, "Status quo: the baseline forecast, draw for draw.")
    elif name in catalogue.prior_names():
        words = f"{catalogue.prior_title(name)}. The onset is an example: choose your own."
        _show_scenario(lib.named(name, onset="2026-03"), words)
        say(f"# {CAVEAT}", indent="# ")
        if found:
            click.echo("\n# The event of that name:")
            _show_event(found[0], "# ")  # so that what is shown can be run
    elif found:
        _show_event(found[0])
    else:
        known = list(dict.fromkeys([lib.NULL.name, *catalogue.prior_names(), *events["id"]]))
        raise UnknownNameError(
            f"no scenario, event or scenario file {name!r}", hint=one_of(name, known)
        )


def _show_scenario(item: od.Scenario, words: str) -> None:
    """A scenario as a file, the three named parts of every prior before it as comments."""
    say(f"# {words}", indent="# ")
    for x in item.interventions:
        chances = "a what-if, without chances"
        if not x.is_what_if:
            names = ("works", "does nothing", "backfires")
            chances = ", ".join(f"{name} {p:.0%}" for name, p in zip(names, x.chances()))
        how = f"; it would backfire because {x.backfire}" if x.backfire else ""
        for text in (
            f"{x.name}: size {x.size}",
            f"{x.name}: {chances}{how}",
            *(f"reference: {text}" for text in x.references),
        ):
            say(f"# {text}", indent="#   ")
    click.echo(lib.dump_scenarios(item, ".yaml"))


#: What an event's columns are called on the screen.
_KEYS = {
    **{x: x for x in ("event", "date", "ended", "changed", "effect")},
    "log_rr": "log rate ratio",
    **{x: x for x in ("outcome", "lag", "source", "grade")},
    "concludes": "its conclusion",
    "differs": "ours differs",
    "reference": "reference",
}


def _show_event(row: dict[Any, Any], mark: str = "") -> None:
    """What the library says of an event."""
    for key, words in _KEYS.items():
        if (text := str(row[key])) not in ("", "nan"):
            say(f"{mark}{words:>14}  {text}", indent=mark + " " * 16)
    say(f"{mark}{'tags':>14}  {row['tags']}  (V read, C computed, J judgment, S press)")


# A forecast under scenarios


def projected(*named: str) -> tuple[od.Projection, od.Panel, dict[str, Any]]:
    """The projection asked for, of named scenarios or those of --scenario, its panel, and what
    JSON says of it; notes are said.
    """
    horizon, until = map(opt.given, ("horizon", "until"))
    source.one_end(horizon, until)
    forecaster = od.get_model(opt.given("model"))
    # The same panel and seed as `odforecast forecast`, so that null is its forecast.
    panel, places = source.own_panel()
    nation = ("US",) if "US" in panel.locations else ()
    states = tuple(dict.fromkeys((*nation, *places)))
    chosen = _begun(source.scenarios_of(named or opt.given("scenarios")), panel)
    chosen += tuple(
        _later(s, wait)
        for wait in dict.fromkeys(opt.given("later") or ())
        for s in chosen
        if not s.is_null
    )
    shares = _exposures(opt.given("tables") or ())
    for x in dict.fromkeys(x for s in chosen for x in s.interventions):
        if not (x.backfire or x.rises) and x.chances()[2] >= 0.005:
            note(
                f"{x.name} may raise deaths (probability {x.chances()[2]:.2f}) and names no "
                "mechanism: describe one under backfire, or write direction: fall"
            )
    say(
        f"{forecaster.label} as of {panel.as_of}, last known month {panel.last_month}",
        err=opt.given("as_json"),
    )
    with working(f"fitting {forecaster.label}"):
        projection = lib.project(
            forecaster.fit(source.to_fit(forecaster, panel, places=states)),
            chosen,
            horizon=horizon,
            draws=opt.given("draws"),
            seed=opt.given("seed"),
            until=until,
            exposures=shares,
        )
    if "US" in states and "US" not in projection.baseline.locations and projection.can_add:
        projection = projection.with_nation()
    # Places are chosen last, so that one question has one answer wherever it is asked.
    projection = projection.select(source.there(projection.baseline, states))
    source.say_warnings(projection.baseline, "note")
    if any(x.scope != ALL for s in chosen for x in s.interventions):
        note(CLASS_WARNING)
    meta = source.about(projection.baseline, panel)
    return projection, panel, meta | {"scenarios": list(projection.names)}


def _begun(found: Sequence[od.Scenario], panel: od.Panel) -> tuple[od.Scenario, ...]:
    """The scenarios; what has no onset begins at the one that was given, or after the as-of day."""
    onset = opt.given("onset")
    start = onset or str(to_month(panel.as_of) + ONE_MONTH)
    used = any(s.is_open for s in found)
    opt.check(
        (
            onset is not None and not used,
            f"--onset {onset}: all scenarios given have their own; remove onset from the file",
        )
    )
    if used and onset is None:
        late = int((to_month(dt.date.today()) - to_month(start)).astype(int))
        past = (
            f", {late} months ago; the latest release used is of {panel.release}. Choose "
            "another with --onset"
            if late > 0
            else ""
        )
        say(f"onset {start}, the month after the as-of date{past}", err=True, indent="  ")
    return tuple(dict.fromkeys(s.at(start) for s in found))


def _later(s: od.Scenario, wait: int) -> od.Scenario:
    """A scenario that begins so many months later."""
    parts = tuple(
        with_(x, onset=tuple(month + wait * ONE_MONTH for month in x.onset))
        for x in s.interventions
    )
    words = f"{scenario_title(s)}, {wait} months later"
    return with_(
        s,
        name=f"{s.name}-{wait}-months-later",
        title=words,
        interventions=parts,
    )


def _exposures(tables: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shares by place, by the name of the table."""
    found = {}
    for text in tables:
        name, _, path = text.partition("=")
        opt.check(
            (not path, f"--exposure is {text!r}, write NAME=FILE"),
            (
                name != _SHARES,
                f"--exposure {name}: only {_SHARES} can be given; write other tables into the "
                "scenario file, such as exposure: {OH: 0.5, default: 0.2}",
            ),
        )
        found[name] = lib.read_exposure(path)
    return found


def _not_null(projection: od.Projection) -> list[od.Scenario]:
    """The scenarios but the status quo."""
    return [s for s in projection.scenarios if not s.is_null]


def _data(projection: od.Projection, meta: dict[str, Any]) -> dict[str, Any]:
    """The answer, what may come of it, and deaths averted by period, of all places."""
    names = ("answer", "outcomes", "averted")
    some = _not_null(projection)
    found = {name: getattr(projection, name)() if some else [] for name in names}
    return {"meta": meta | {"against": "null"}} | found


def ranged(row: Any) -> str:
    """Deaths prevented: the mean with its interval, no finer than it; a dash where none is."""
    mean, low, high = (row[f"averted_{key}"] for key in ("mean", "q05", "q95"))
    if mean != mean:
        return "–"
    interval = f" ({between(low, high)})" if low == low else ""
    return minus(f"{rounded(mean, step_of(low, high))}{interval}")


def _of(where: str, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a place."""
    return table[table["location"] == where]


def _by_place(table: pd.DataFrame, head: str, shown: Sequence[Column]) -> None:
    """A table for each of the first places, under a title."""
    for where in list(dict.fromkeys(table["location"]))[:SHOWN]:
        title(f"{where}: {head}")
        click.echo(lay(_of(where, table), shown))


_CHANGE = Column("change", "percent_mean", form="{:+z.1f}%")
_NAME = text_of("", "scenario_id")
_YEARS = (
    _NAME,
    text_of("deaths prevented in", "period"),
    Column("over all outcomes: mean\n(90% interval)", ranged),
)


@scenario.command()
@opt.together(
    ASKED,
    opt.PLOT,
    opt.out("Folder to write: a brief, tables, draws and figures.", (), required=True),
    opt.replace(),
    opt.output(
        "--paper",
        type=click.Choice(["letter", "a4"]),
        default="letter",
        more=True,
        help="Paper size of the brief.",
    ),
    opt.output(
        "--style FILE",
        type=click.Path(
            path_type=Path,
            dir_okay=False,
            exists=True,
        ),
        more=True,
        reads=True,
        help="Your own style sheet for the brief.",
    ),
)
def run(paper: str, style: Path | None, plot: Path | None, replace: bool, out: Path) -> Answer:
    """Project a forecast under scenarios, and write a brief.

    The brief is for decision-makers, one file with a section for each place: the US, and those of
    --locations. An effect on a drug class acts on the forecast deaths of that class. --indicator
    T40.4 projects the class itself.

    \b
    odforecast scenario run --scenario cooperation-resumed --out brief
    """
    opt.check_apart("--out", out, ("--plot", plot))
    opt.check_folder(
        "--out",
        out,
        replace=replace,
        what="a run",
        ours=_OURS,
        marks=(MARK, f"{DATA_FOLDER}/{MARK}"),
    )
    projection, panel, meta = projected()

    def write() -> None:
        """Write the folder."""
        with replacing_folder(out) as made:
            waiting = _write(projection, panel, out=made / DATA_FOLDER)
            if waiting is not None:
                write_briefs(
                    projection,
                    made,
                    panel=panel,
                    waiting=waiting,
                    paper=paper,
                    stylesheet=style,
                )

    begun = [s.name for s in _not_null(projection) if min(_onsets(s)) <= panel.last_month]
    clock = (
        f"{', '.join(begun)} began before the last known month: odforecast update --scenario "
        "says after each release how likely it is that it works"
    )
    return Answer(
        text=lambda: _show_answer(projection),
        data=lambda: _data(projection, meta),
        figure=projection.plot,
        notes=[*_CAVEAT, clock] if begun else _CAVEAT,
        files=[(write, f"written: {out}/")],
    )


def _show_answer(projection: od.Projection) -> None:
    """The answer in words, and by calendar year, of the first places."""
    if not _not_null(projection):
        say("The status quo alone: its forecast is in data/quantiles.csv. There is no brief.")
        return
    places = projection.baseline.locations
    years = projection.averted()
    first = projection.answer().groupby("scenario_id")["first_month"].first()
    begun = years["last_month"] >= years["scenario_id"].map(first)
    years = years[(years["kind"] == "year") & begun]
    for where in places[:SHOWN]:
        title(where)
        for text in projection.text(where).splitlines():
            if text not in (CAVEAT, CLASS_WARNING):
                say(text, indent="  ")
        mine = lay(_of(where, years), _YEARS)
        click.echo(f"\n{mine}")
    if len(places) > SHOWN:
        click.echo(f"\n{len(places) - SHOWN} more places are in data/answer.csv")


def _onsets(s: od.Scenario) -> list[np.datetime64]:
    """When its parts may begin."""
    return [month for x in s.interventions for month in x.onset]


def waiting_costs(projection: od.Projection) -> pd.DataFrame:
    """What waiting costs in every place, for every scenario that has not begun."""
    base = projection.source or projection.baseline
    parts = []
    for item in _not_null(projection):
        if min(onsets := _onsets(item)) > base.last_month:
            left = int((base.months[-1] - max(onsets)).astype(int))
            delays = [m for m in DELAYS if m <= left]
            parts.append(lib.cost_of_delay(base, item, delays, **_given(projection)))
            parts[-1].insert(0, "scenario_id", item.name)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _given(projection: od.Projection) -> dict[str, Any]:
    """What every question about a projection takes: its places, shares and seed."""
    return {
        "location": list(projection.baseline.locations),
        "exposures": projection.tables,
        "seed": projection.seed,
    }


def _write(projection: od.Projection, panel: od.Panel, out: Path) -> pd.DataFrame | None:
    """Tables, draws and figures of a run; what waiting costs, but of the status quo alone."""
    out.mkdir()
    base = projection.baseline
    targets = [TARGET_12MO]
    rows = scenarios_to_hub(projection.forecasts, targets=targets)
    od.write_hub(rows, out / "quantiles.csv")
    few = {name: f.first(SAMPLES) for name, f in projection.forecasts.items()}
    rows = scenarios_to_hub(few, targets=targets, output_type="sample")
    od.write_hub(rows, out / "samples.parquet")
    tasks = scenario_tasks(
        projection.names,
        base,
        targets=targets,
        samples=min(SAMPLES, len(base.draws)),
    )
    write_tasks(tasks, out / "hub-config" / "tasks.json")
    projection.to_parquet(out / "draws.parquet")
    (out / MARK).write_text(lib.dump_scenarios(projection.scenarios), encoding="utf-8")
    if not (some := _not_null(projection)):
        return None
    waiting = waiting_costs(projection)
    tables = {
        "answer": projection.answer(),
        "outcomes": projection.outcomes(),
        "deaths_averted": projection.averted(),
        "exposure": projection.exposure_table(),
    }
    for name, table in (tables | ({} if waiting.empty else {"cost_of_delay": waiting})).items():
        text = for_spreadsheets(table).to_csv(index=False, lineterminator="\n")
        (out / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    where = base.locations[0]
    titles = short_titles(projection)
    drawn: dict[str, Any] = {f"prior_{s.name}": prior_figure(s) for s in some} | {
        "options": od.plot.prevented(projection, where, titles=titles),
        "fan": od.plot.overlay(projection, where, history=panel, titles=titles),
        "averted": od.plot.averted(projection, where, titles=titles),
    }
    for name, figure in drawn.items():
        od.plot.save(figure, out / "figures" / f"{name}.svg")
    return waiting


# What rests on one projection


@scenario.command()
@opt.together(
    ASKED,
    opt.what(
        "--later MONTHS",
        multiple=True,
        type=click.IntRange(1, 240),
        help="Also start every scenario that many months later; may be repeated.",
    ),
    opt.TABLE,
)
def compare() -> Answer:
    """Compare options: if each works, its chance, on average.

    It draws no figures and writes no folder: odforecast scenario run does.

    \b
    odforecast scenario compare --scenario cooperation-resumed,tariff-only
    """
    projection, _, meta = projected()
    answer = projection.answer()
    keys = ["location", "scenario_id"]

    def show() -> None:
        """Print a table for each place."""
        # What it is there for: it works; of several, all of them do; or it raises deaths.
        best = projection.outcomes().drop_duplicates(keys).set_index(keys).to_dict("index")
        found: Any = [best[key] for key in zip(*(answer[key] for key in keys))]
        last = projection.baseline.months[-1]
        head = f"deaths prevented by {last}, compared with no new measure"
        _by_place(answer.assign(best=found), head, shown=_OPTIONS)

    return Answer(show, lambda: _data(projection, meta), frame=answer, notes=_CAVEAT)


def _judged(row: Any, text: str) -> str:
    """A cell of what has a chance; a what-if has none, and nothing over all outcomes."""
    return text if row["best"]["chance"] == row["best"]["chance"] else "–"


def _chance(best: Any) -> str:
    """The chance that it works; of several interventions, that all of them do."""
    together = best["outcome"] if best["outcome"] in ("both work", "all work") else ""
    return f"{100 * best['chance']:.0f}% {together}".rstrip()


_OPTIONS = (
    _NAME,
    Column("from", "first_month", form="{:>}"),
    Column("if it works", lambda row: ranged(row["best"])),
    Column("chance", lambda row: _judged(row, _chance(row["best"]))),
    Column("over all outcomes", lambda row: _judged(row, ranged(row))),
    Column("change", lambda row: _judged(row, _CHANGE.cell(row))),
)


@scenario.command()
@opt.together(ASKED, opt.TABLE)
def sensitivity() -> Answer:
    """Show which assumption matters most, and what waiting costs.

    Each assumption in turn is set to its 5th and 95th percentile while the others stay uncertain.
    """
    projection, _, meta = projected()
    some = _not_null(projection)
    opt.check((not some, "--scenario null assumes nothing: name another"))
    base = projection.source or projection.baseline
    found = pd.concat(
        [lib.tornado(base, s, **_given(projection)).assign(scenario_id=s.name) for s in some],
        ignore_index=True,
    )
    waiting = waiting_costs(projection)

    def show() -> None:
        """Print two tables for each scenario and place."""
        for (name, where), mine in found.groupby(["scenario_id", "location"], sort=False):
            title(
                f"{where}, {name}: deaths prevented by {base.months[-1]}, mean "
                f"{mine['averted'].iloc[0]:z,.0f}, with one assumption low or high"
            )
            several = len(set(mine["intervention"])) > 1
            click.echo(lay(mine, [*([text_of("", "intervention")] if several else []), *_TORNADO]))
            late = waiting[(waiting["scenario_id"] == name) & (waiting["location"] == where)]
            if not late.empty:
                by = Column(
                    f"not prevented\nby {late['until'].iloc[0]}",
                    "not_prevented",
                    form="{:z,.0f}",
                )
                shown = lay(late, [_DELAY, _ONSET, by, _RUN_OUT])
                click.echo(f"\n{shown}")

    data = {"meta": meta, "sensitivity": found, "waiting": waiting}
    return Answer(show, data, frame=found, notes=_CAVEAT)


_TORNADO = (
    text_of("", "assumption"),
    *(
        column
        for side in ("low", "high")
        for column in (
            Column(side, f"{side}_value", form="{:>}"),
            Column("prevented", f"averted_{side}", form="{:z,.0f}"),
        )
    ),
)
_DELAY = text_of("months of\nwaiting", "delay")
_ONSET = Column("onset", "onset", form="{:>}")
_RUN_OUT = Column("not prevented\nover 40 years", "not_prevented_run_out", form="{:z,.0f}")


@scenario.command()
@opt.together(FORECAST, opt.TABLE)
def attribution() -> Answer:
    """Credit cooperation with a share of the 2023-24 fall.

    Shows the deaths prevented if cooperation repeated that share of the fall. The counts cannot say
    how large that share is, so every share is shown.
    """
    shock = "supply-shock-2023-like"
    projection, _, meta = projected(shock)
    begins = projection.scenario(shock).interventions[0].onset[0]
    base = projection.baseline
    found = lib.attribution(projection.source or base, begins, **_given(projection))
    head = (
        f"mean deaths prevented from {begins} to {base.months[-1]}, if cooperation repeated "
        "this share of the 2023-24 fall"
    )
    return Answer(
        lambda: _by_place(found, head, shown=_SHARE),
        {"meta": meta, "attribution": found},
        frame=found,
        notes=_CAVEAT,
    )


_SHARE = (text_of("share credited", "share"), Column("deaths prevented", ranged), _CHANGE)


# A past event


@scenario.command("past")
@click.argument("event", metavar="EVENT")
@opt.together(opt.BESIDE, opt.MODEL, SOURCES, opt.DRAWS, opt.SEED, opt.JSON, opt.TABLE)
def past_command(event: str, model: str, locations: str, draws: int, seed: int) -> Answer:
    """Estimate deaths if a past event had not happened.

    EVENT is a name from odforecast scenario list --events. There are two estimates.
    "Effect removed" takes the estimated change after the date out of the counts. "Forecast from
    the eve" is the model's forecast from the last release before it. Both are shown by calendar
    year and in total, with the event's prior and with one that favors neither side. Neither is the
    effect of a policy.
    """
    releases = open_source()
    forecaster = od.get_model(model)
    places = tuple(dict.fromkeys(("US", *resolve(locations, releases.as_of().panel().locations))))
    said: dict[str, dict[str, Past]] = {}
    for place in places:
        given: dict[str, Any] = {
            "location": place,
            "model": forecaster,
            "draws": draws,
            "seed": seed,
        }
        with working(f"weighing {event}"):
            named = lib.past(event, releases, **given)
            plain = with_(
                named.event,
                size=lib.Normal(0.0, NEUTRAL_SD),
                p_null=NEUTRAL_NULL,
                direction="either",
            )
            said[place] = {"named": named, "neutral": lib.past(plain, releases, **given)}
    found = pd.DataFrame(row for both in said.values() for row in _changes(**both))
    sizes = [
        {
            "location": place,
            "prior": prior,
            "mean": p.summary.mean,
            "q05": p.summary.low,
            "q95": p.summary.high,
            "p_null": p.summary.p_null,
            "bayes_factor": p.summary.bayes_factor,
        }
        for place, both in said.items()
        for prior, p in both.items()
    ]

    def show() -> None:
        """Print a table for each place."""
        for place, both in said.items():
            _show_past(event, both, found=_of(place, found))

    data = {
        "event": event,
        "onset": str(said["US"]["named"].onset),
        "caveat": WHATEVER,
        "sizes": sizes,
        "changes": found,
    }
    return Answer(show, data, frame=found, notes=("", WHATEVER))


def _changes(named: Past, neutral: Past) -> Iterable[dict[str, Any]]:
    """Deaths without the change less those counted, by calendar year and in total, in three ways.

    Means and 90% intervals; the total is the sum of 12-month counts back to the event.
    """
    months = named.months
    eve = named.eve
    end = min(months[-1], eve.months[-1])
    decembers = [m for m in months if str(m)[5:] == "12" and named.onset <= m <= end]
    whole = [m for m in (end - 12 * k * ONE_MONTH for k in range(99)) if named.onset <= m]
    course = eve.samples()[:, 0]
    for period, span in [
        *((str(m)[:4], [m]) for m in decembers),
        (f"{named.onset} to {end}", whole),
    ]:
        counted = float(sum(named.observed[months == m][0] for m in span))
        ways = {
            "effect removed, named prior": sum(named.averted(m) for m in span),
            "effect removed, neutral prior": sum(neutral.averted(m) for m in span),
            "forecast from the eve": sum(course[:, eve.months == m][:, 0] for m in span) - counted,
        }
        for way, draws in ways.items():
            low, high = np.quantile(draws, [0.05, 0.95])
            yield {
                "location": named.location,
                "period": period,
                # In total, the first window reaches back before the event.
                "observed": np.nan if span is whole else counted,
                "counterfactual": way,
                "averted_mean": float(np.mean(draws)),
                "averted_q05": low,
                "averted_q95": high,
            }


_COURSES = (
    text_of("", "period"),
    text_of("", "counterfactual"),
    Column("counted", "observed"),
    Column("deaths", ranged),
)


def _show_past(event: str, both: dict[str, Past], found: pd.DataFrame) -> None:
    """The changes in one place, and how the counts moved each prior."""
    named = both["named"]
    title(
        f"{named.location}: {named.indicator} after {event} ({named.onset}). Deaths without the "
        "change minus deaths counted, mean and 90% interval"
    )
    click.echo(f"{lay(found, _COURSES)}\n")
    for prior, p in both.items():
        s = p.summary
        say(
            f"{prior} prior: size {s.prior_mean:+.2f} (sd {s.prior_sd:.2f}), no effect "
            f"{100 * s.prior_p_null:.0f}%; after the counts {s.mean:+.2f} (90% interval "
            f"{s.low:+.2f} to {s.high:+.2f}), no effect {100 * s.p_null:.0f}%",
            indent="  ",
        )
    for text in named.notes:
        note(text)


@scenario.command()
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@opt.together(
    opt.AS_OF, opt.MODEL, SOURCES, opt.SEED, opt.out("Folder for tables and figures.", ())
)
def validate(
    checks: tuple[str, ...],
    as_of: str | None,
    model: str,
    seed: int,
    out: Path | None,
) -> Answer:
    """Run the checks of the scenario method.

    CHECK is null, calibration, recovery, recovery-wandering-slope, placebo-time, placebo-outcome,
    placebo-units, leave-this-episode-out, leave-one-episode-out, identifiability, detectable or
    hindcast-plumbing; by default, all of them. The exit status is 1 if a check fails. Some checks
    only report and cannot fail. A check that the data do not allow is named.
    """
    releases = open_source()
    failed = 0
    day = as_of or str(releases.last_seen)
    setting = Setting(releases, day, model=od.get_model(model), simulations=SIMULATIONS, seed=seed)
    for name, result in run_checks(setting, checks):
        if isinstance(result, ScenarioError):
            say(f"{name}: not run: {result}", indent="  ")
            continue
        for line in str(result).splitlines():
            say(line, indent=" " * (len(line) - len(line.lstrip()) + 2))
        failed += result.passed is False
        if out is not None:
            with replacing(out / f"{name}.csv") as part:
                result.table.to_csv(part, index=False, lineterminator="\n")
            for key, draw in result.figures.items():
                od.plot.save(draw(), out / f"{key}.svg")
    failure = ScenarioError(f"{failed} check(s) failed") if failed else None
    return Answer(notes=[CAVEAT], failure=failure)
