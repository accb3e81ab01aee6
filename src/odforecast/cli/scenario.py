"""``odforecast scenario``: what could cooperation, or a supply shock, change?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import click
import numpy as np
import pandas as pd

import odforecast as od
from odforecast import scenario as lib
from odforecast.cli import options as opt
from odforecast.cli import source as sources
from odforecast.cli.answer import Answer, Output
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
from odforecast.cli.source import Data, Request, Simulation
from odforecast.cli.when import show_detection, track, when
from odforecast.errors import ScenarioError, UnknownNameError, one_of
from odforecast.evidence.check import Setting
from odforecast.evidence.validate import run_checks
from odforecast.geography import resolve
from odforecast.hub import scenarios_to_hub, write_scenario_hub
from odforecast.hub.making import check_room
from odforecast.io import replacing, replacing_folder
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import TARGET_12MO
from odforecast.report.annex import prior_figure, short_titles
from odforecast.report.brief import write_briefs
from odforecast.report.page import for_spreadsheets
from odforecast.say import two_digits
from odforecast.scenario import CAVEAT, Past, catalogue
from odforecast.scenario.answer import CLASS_WARNING, answers, judged, scenario_title
from odforecast.scenario.grammar import ALL
from odforecast.scenario.mechanism import caveat
from odforecast.scenario.past import WHATEVER
from odforecast.scenario.projection import HORIZON

#: Places whose answers are shown on the screen; months of waiting whose cost is worked out.
SHOWN = 3
DELAYS = (0, 3, 6, 12)
#: Draws in samples.parquet, and simulations of a check.
SAMPLES = 100
SIMULATIONS = 200
#: By this file a folder is known to hold a run; runs before 0.2 had it, and the rest, at the top.
MARK = "scenarios.yaml"
DATA_FOLDER = "data"
_FILES = (
    r"data|scenarios\.yaml|quantiles\.csv|(samples|draws)\.parquet|figures|hub-config"
    r"|(answer|deaths_averted|time_to_recover|exposure|cost_of_delay)\.csv|brief(-[\w.-]+)?\.html"
)
#: The only table of shares that may be given beside a scenario.
_SHARES = "fentanyl-share"


@dataclass(frozen=True)
class Options:
    """Scenarios, and what goes with them."""

    #: Names, files or ``null``; each may be several, with commas.
    names: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    #: First month of those that have none; None for the month after the as-of date.
    onset: str | None = None
    #: Months by which every scenario also starts later.
    later: tuple[int, ...] = ()
    #: Own shares by place: ``NAME=FILE``.
    tables: tuple[str, ...] = ()
    #: Also scenarios that began by the last known month.
    begun: bool = False
    #: Sample paths; None for the default.
    paths: int | None = None


#: What every forecast under scenarios is made of.
FORECAST = opt.add_options(
    opt.what_option(
        "--onset MONTH",
        type=opt.START_MONTH,
        help="First month of named scenarios.  [default: the month after the as-of date]",
    ),
    opt.PLACES_BESIDE_US,
    opt.horizon(HORIZON),
    opt.UNTIL,
    opt.MODEL,
    opt.INDICATOR,
    opt.SOURCES,
    opt.AS_OF,
    opt.detail_option(
        "--draws N",
        "paths",
        advanced=True,
        type=click.IntRange(min=2),
        help="Number of sample paths.  [default: 2000 that stand for 6000]",
    ),
    opt.SEED,
    opt.JSON,
)
SCENARIOS = opt.add_options(
    click.argument("names", nargs=-1, metavar="[NAME|FILE]..."),
    opt.what_option(
        "--scenario FILE|NAME",
        "scenarios",
        multiple=True,
        help="The same as NAME or FILE; with commas, or repeated.",
    ),
    FORECAST,
    opt.what_option(
        "--begun",
        help="Also scenarios that have begun: only what changes after the last count is shown.",
    ),
    opt.data_option(
        "--exposure NAME=FILE",
        "tables",
        multiple=True,
        advanced=True,
        help="Your own shares by place (CSV: location,exposure): fentanyl-share=table.csv.",
    ),
)


@click.group(cls=Group)
def scenario() -> None:
    """What could cooperation, or a supply shock, change? Effects are assumptions with a source
    and a grade, not estimates: the counts cannot identify cooperation.
    """


scenario.add_command(when)
scenario.add_command(track)


# What there is


@scenario.command("list")
@opt.output_option("--events", help="List the events of the evidence library.")
def list_(events: bool) -> None:
    """List the named scenarios, their chances and grades."""
    if events:
        click.echo(columns(_event_rows(), indent=""))
    else:
        say(CAVEAT)
        click.echo(f"\n{columns(_scenario_rows(), indent='')}\n")
        say(
            "Works/harms: the chance that it works, and that it raises deaths; a what-if has "
            "no probability attached. In a file of yours: prior: NAME."
        )
    click.echo("Details: odforecast scenario show NAME. Events: --events")


def _event_rows() -> list[list[str]]:
    """The events of the library, under their heads."""
    rows = [["event", "date", "what happened; grade of the evidence"]]
    for event in catalogue.events().to_dict("records"):
        date = str(event["date"]).replace(" … ", "–")
        rows.append([str(event["id"]), date, f"{event['event']}; {event['grade']}"])
    return rows


def _scenario_rows() -> list[list[str]]:
    """The named scenarios, under their heads; on a screen one line each."""
    rows = [
        ["scenario", "works/harms", "grade", ""],
        [lib.NULL.name, "", "", "Status quo: no change"],
    ]
    for name in catalogue.prior_names():
        intervention = lib.named_intervention(name, onset="2026-03")
        chances = "what-if"
        if not intervention.is_what_if:
            works, _, harms = intervention.chances()
            chances = f"{100 * works:.0f}/{harms:.0%}"
        grade = str(catalogue.prior_table(name)["grade"])
        rows.append([name, chances, grade, catalogue.prior_title(name)])
    widths = [max(map(len, cells)) for cells in zip(*rows)]
    room = width() - sum(2 + most for most in widths[:3])
    if room >= 20 and fitted():  # `show` has the whole title
        rows = [
            [*cells, shorten(title, room, placeholder="…")] for *cells, title in rows
        ]
    return rows


@scenario.command()
@click.argument("name", metavar="NAME|FILE")
def show(name: str) -> None:
    """Show a scenario, an event or your own scenario file."""
    table = catalogue.events()
    events = table[table["id"] == name].to_dict("records")
    if Path(name).suffix.lower() in sources.SCENARIO_FILES:
        for item in lib.read_scenarios(name):
            _show_scenario(item, f"{item.name}, hash {item.hash}")
    elif name == lib.NULL.name:
        _show_scenario(lib.NULL, "Status quo: the baseline forecast, draw for draw.")
    elif name in catalogue.prior_names():
        text = (
            f"{catalogue.prior_title(name)}. The onset is an example: choose your own."
        )
        _show_scenario(lib.named(name, onset="2026-03"), text)
        say(f"# {caveat([lib.named(name)])}", indent="# ")
        if events:
            click.echo("\n# The event of that name:")
            _show_event(events[0], "# ")  # so that what is shown can be run
    elif events:
        _show_event(events[0])
    else:
        known_names = dict.fromkeys(
            [lib.NULL.name, *catalogue.prior_names(), *table["id"]]
        )
        raise UnknownNameError(
            f"no scenario, event or scenario file {name!r}",
            hint=one_of(name, list(known_names)),
        )


def _show_scenario(item: od.Scenario, text: str) -> None:
    """A scenario as a file, the three named parts of every prior before it as comments."""
    say(f"# {text}", indent="# ")
    for intervention in item.interventions:
        name = intervention.name
        chances = "a what-if, with no probability attached"
        if not intervention.is_what_if:
            works, nothing, backfires = intervention.chances()
            chances = f"works {works:.0%}, does nothing {nothing:.0%}, backfires {backfires:.0%}"
        if intervention.backfire:
            chances += f"; it would backfire because {intervention.backfire}"
        say(f"# {name}: size {intervention.size}", indent="#   ")
        say(f"# {name}: {chances}", indent="#   ")
        for reference in intervention.references:
            say(f"# reference: {reference}", indent="#   ")
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


def make_projection(
    request: Request,
    data: Data,
    simulation: Simulation,
    options: Options,
    as_json: bool,
) -> tuple[od.Projection, od.Panel, dict[str, Any]]:
    """The projection that is asked for, its panel, and what JSON says of it; notes are said."""
    model = simulation.find_model()
    # The same panel and seed as `odforecast forecast`: with its --draws, null is its forecast.
    panel, places = sources.open_panel(data.open(), request, as_of=data.as_of)
    if "US" in panel.locations:
        places = tuple(dict.fromkeys(("US", *places)))
    scenarios = _scenarios(options, panel)
    exposures = _exposures(options.tables)
    interventions = dict.fromkeys(x for item in scenarios for x in item.interventions)
    for intervention in interventions:
        harms = intervention.chances()[2]
        is_explained = bool(intervention.backfire) or intervention.rises
        if harms >= 0.005 and not (is_explained or intervention.is_what_if):
            note(
                f"{intervention.name} may raise deaths (probability {harms:.2f}) and names no "
                "mechanism: describe one under backfire, or write direction: fall"
            )
    say(
        f"{model.label} as of {panel.as_of}, last known month {panel.last_month}",
        err=as_json,
    )
    with working(f"fitting {model.label}"):
        projection = lib.project(
            model.fit(sources.to_fit(model, panel, places=places)),
            scenarios,
            horizon=request.horizon,
            draws=options.paths,
            seed=simulation.seed,
            until=request.until,
            exposures=exposures,
            begun=options.begun,
        )
    if (
        "US" in places
        and "US" not in projection.baseline.locations
        and projection.can_add
    ):
        projection = projection.with_nation()
    # Places are chosen last, so that one question has one answer wherever it is asked.
    projection = projection.select(sources.forecast_places(projection.baseline, places))
    sources.say_warnings(projection.baseline, "note")
    if any(intervention.scope != ALL for intervention in interventions):
        note(CLASS_WARNING)
    meta = sources.forecast_meta(projection.baseline, panel)
    return projection, panel, meta | {"scenarios": list(projection.names)}


def _scenarios(options: Options, panel: od.Panel) -> tuple[od.Scenario, ...]:
    """The scenarios, and those that start later.

    What has no onset begins at the one that was given, or after the as-of day.
    """
    words = (*options.names, *options.scenarios)
    if not words:
        raise click.UsageError(
            "name a scenario: one from odforecast scenario list, a scenario file, or null"
        )
    scenarios = sources.find_scenarios(words)
    onset = options.onset
    is_open = any(item.is_open for item in scenarios)
    if onset is not None and not is_open:
        raise click.UsageError(
            f"--onset {onset}: all scenarios given have their own; remove onset from the file"
        )
    start = onset or str(to_month(panel.as_of) + ONE_MONTH)
    if is_open and onset is None:
        text = f"onset {start}, the month after the as-of date"
        months_ago = int((to_month(dt.date.today()) - to_month(start)).astype(int))
        if months_ago > 0:
            text += (
                f", {months_ago} months ago; the latest release used is of {panel.release}. "
                "Choose another with --onset"
            )
        say(text, err=True, indent="  ")
    dated = list(dict.fromkeys(item.at(start) for item in scenarios))
    delayed = [
        _later(item, months)
        for months in dict.fromkeys(options.later)
        for item in dated
        if not item.is_null
    ]
    return (*dated, *delayed)


def _later(item: od.Scenario, months: int) -> od.Scenario:
    """A scenario that begins so many months later."""
    interventions = []
    for intervention in item.interventions:
        onset = tuple(month + months * ONE_MONTH for month in intervention.onset)
        interventions.append(with_(intervention, onset=onset))
    return with_(
        item,
        name=f"{item.name}-{months}-months-later",
        title=f"{scenario_title(item)}, {months} months later",
        interventions=tuple(interventions),
    )


def _exposures(tables: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shares by place, by the name of the table."""
    exposures = {}
    for text in tables:
        name, _, path = text.partition("=")
        if not path:
            raise click.UsageError(f"--exposure is {text!r}, write NAME=FILE")
        if name != _SHARES:
            raise click.UsageError(
                f"--exposure {name}: only {_SHARES} can be given; write other tables into the "
                "scenario file, such as exposure: {OH: 0.5, default: 0.2}"
            )
        exposures[name] = lib.read_exposure(path)
    return exposures


def _changes_of(projection: od.Projection) -> list[od.Scenario]:
    """The scenarios but the status quo."""
    return [item for item in projection.scenarios if not item.is_null]


def _data(projection: od.Projection, meta: dict[str, Any]) -> dict[str, Any]:
    """The answer, what may come of it, and deaths averted by period, of all places."""
    data: dict[str, Any] = {
        "meta": meta | {"against": "null"},
        "answer": [],
        "outcomes": [],
        "averted": [],
        "notes": [],
    }
    if _changes_of(projection):
        data["answer"] = projection.answer()
        data["outcomes"] = projection.outcomes()
        data["averted"] = projection.averted()
        for place in projection.baseline.locations:
            for name, text in _begun_texts(projection, place).items():
                note = {"scenario_id": name, "location": place, "note": text}
                data["notes"].append(note)
    return data


def _dates(projection: od.Projection) -> list[dict[str, Any]]:
    """When counts would show each scenario in the places that the screen has."""
    rows = []
    for answer in projection.answers:
        if answer.location not in projection.baseline.locations[:SHOWN]:
            continue
        keys = {"scenario_id": answer.scenario.name, "location": answer.location}
        if (known := answer.detection) is not None:
            rows.append(keys | known.to_dict())
    return rows


def _begun(projection: od.Projection) -> list[str]:
    """The scenarios of which something began by the last known month."""
    last = projection.baseline.last_month
    return [x.name for x in _changes_of(projection) if min(_onsets(x)) <= last]


def _begun_texts(projection: od.Projection, place: str) -> dict[str, str]:
    """Of the scenarios that have begun, what is in the counts and what changes later."""
    names = [item.name for item in _changes_of(projection)]
    texts = {
        name: answer.begun for name, answer in zip(names, answers(projection, place))
    }
    return {name: text for name, text in texts.items() if text}


def ranged(row: Any) -> str:
    """Deaths prevented: the mean with its 90% interval, in two digits; a dash where none is.

    What has begun adds deaths where it fades.
    """
    mean = row["averted_mean"]
    ends = [row["averted_q05"], row["averted_q95"]]
    if mean != mean:
        return "–"
    adds = bool(row.get("begun")) and mean < 0
    if adds:
        mean = -mean
        ends = [-end for end in reversed(ends)]
    interval = f" ({' to '.join(map(_two_digits, ends))})" if ends[0] == ends[0] else ""
    return f"{'adds ' if adds else ''}{_two_digits(mean)}{interval}"


def _two_digits(deaths: float) -> str:
    """Deaths in two significant digits, with a minus sign where they are below zero."""
    text = two_digits(deaths)
    return f"−{text}" if deaths < 0 and text != "0" else text


def _signed(deaths: float) -> str:
    """A difference in deaths, with its sign."""
    text = _two_digits(deaths)
    return f"+{text}" if deaths > 0 and text != "0" else text


def _at_place(table: pd.DataFrame, place: str) -> pd.DataFrame:
    """The rows of a place."""
    return table[table["location"] == place]


def _print_places(table: pd.DataFrame, head: str, columns: Sequence[Column]) -> None:
    """A table for each of the first places, under a title."""
    for place in list(dict.fromkeys(table["location"]))[:SHOWN]:
        title(f"{place}: {head}")
        click.echo(lay(_at_place(table, place), columns))


_CHANGE = Column("change", "percent_mean", form="{:+z.1f}%")
_NAME = text_of("", "scenario_id")
_YEARS = (
    _NAME,
    text_of("deaths prevented in", "period"),
)


@scenario.command()
@opt.add_options(
    SCENARIOS,
    opt.PLOT,
    opt.out("Folder to write: a brief, tables, draws and figures.", ()),
    opt.replace("out"),
    opt.output_option(
        "--hub DIR",
        writes=(),
        help="Folder to write: a hubverse hub with a round of these scenarios.",
    ),
    opt.output_option(
        "--round-date DATE",
        "round_date",
        type=opt.DAY,
        advanced=True,
        about="hub",
        help="The round's date, which is its ID.  [default: the as-of date]",
    ),
    opt.output_option(
        "--samples N",
        type=click.IntRange(min=1),
        advanced=True,
        about="hub",
        help="Simulations in the hub's file, the same of each scenario.  [default: all]",
    ),
    opt.output_option(
        "--paper",
        type=click.Choice(["letter", "a4"]),
        default="letter",
        advanced=True,
        help="Paper size of the brief.",
    ),
    opt.output_option(
        "--style FILE",
        type=opt.EXISTING_FILE,
        advanced=True,
        about="out",
        reads=True,
        help="Your own style sheet for the brief.",
    ),
)
def run(
    request: Request,
    data: Data,
    simulation: Simulation,
    options: Options,
    output: Output,
    out: Path | None = None,
    replace: bool = False,
    hub: Path | None = None,
    round_date: str | None = None,
    samples: int | None = None,
    paper: Any = "letter",
    style: Path | None = None,
) -> Answer:
    """Project a forecast under scenarios, and write a brief.

    NAME is one of odforecast scenario list, or null; FILE is a scenario file of yours. The brief
    that --out writes is for decision-makers, one file with a section for each place: the US, and
    those of --locations. An effect on a drug class acts on the forecast deaths of that class.
    --indicator T40.4 projects the class itself.

    \b
    odforecast scenario run cooperation-resumed --out brief
    """
    if out is not None:
        opt.check_outside("--out", out, ("--plot", output.plot))
        opt.check_folder(
            "--out",
            out,
            replace=replace,
            content="a run",
            pattern=_FILES,
            marks=(MARK, f"{DATA_FOLDER}/{MARK}"),
        )
    if hub is not None:
        check_room(hub)
    projection, panel, meta = make_projection(
        request,
        data,
        simulation=simulation,
        options=options,
        as_json=output.as_json,
    )

    def write(out: Path) -> None:
        """Write the folder."""
        with replacing_folder(out) as folder:
            waiting = _write(projection, panel, out=folder / DATA_FOLDER)
            if waiting is not None:
                write_briefs(
                    projection,
                    folder,
                    panel=panel,
                    waiting=waiting,
                    paper=paper,
                    stylesheet=style,
                )

    files: list[tuple[Callable[[], object], str]] = []
    if hub is not None:
        write_hub = partial(
            write_scenario_hub,
            projection.forecasts,
            hub,
            panel,
            date=round_date,
            samples=samples,
            assumptions=lib.dump_scenarios(projection.scenarios),
        )
        files.append((write_hub, f"written: {hub}/"))
    if out is not None:
        files.append((partial(write, out), f"written: {out}/"))
    notes = ["", caveat(projection.scenarios)]
    started = _begun(projection)
    if started:
        notes.append(
            f"{', '.join(started)} began before the last known month: odforecast scenario "
            "track says how likely it is that it works"
        )
    if out is None:
        notes.append("Write a brief, tables and draws with --out DIR")
    return Answer(
        text=lambda: _show_answer(projection),
        data=lambda: _data(projection, meta) | {"detection": _dates(projection)},
        figure=projection.plot,
        notes=notes,
        files=files,
    )


def _show_answer(projection: od.Projection) -> None:
    """The answer in words, and by calendar year, of the first places."""
    if not _changes_of(projection):
        say(
            "The status quo alone: its forecast is in data/quantiles.csv of --out. There is no "
            "brief."
        )
        return
    places = projection.baseline.locations
    years = projection.averted()
    first_months = projection.answer().groupby("scenario_id")["first_month"].first()
    started = years["last_month"] >= years["scenario_id"].map(first_months)
    years = years[(years["kind"] == "year") & started]
    years = years.assign(begun=years["scenario_id"].isin(_begun(projection)))
    for place in places[:SHOWN]:
        title(place)
        for text in projection.text(place).splitlines():
            if text not in (caveat(projection.scenarios), CLASS_WARNING):
                say(text, indent="  ")
        names = {x.name for x in _changes_of(projection) if not judged(x)}
        rows = _at_place(years, place)
        over = "over all outcomes"
        if names >= set(rows["scenario_id"]):
            over = "if it works"
        elif names:
            over = "over all outcomes\n(what-ifs: if they work)"
        table = lay(rows, [*_YEARS, Column(f"{over}:\nmean (90% interval)", ranged)])
        click.echo(f"\n{table}")
    if len(places) > SHOWN:
        click.echo(
            f"\n{len(places) - SHOWN} more places are in data/answer.csv of --out"
        )
    dated = {
        id(a.detection): a for a in projection.answers if a.location in places[:SHOWN]
    }
    criteria = set()
    for a in dated.values():
        if (known := a.detection) is not None:
            title(f"When counts would show it: {a.title}")
            show_detection(known, criterion=known.criterion not in criteria)
            criteria.add(known.criterion)


def _onsets(item: od.Scenario) -> list[np.datetime64]:
    """When its parts may begin."""
    return [
        month for intervention in item.interventions for month in intervention.onset
    ]


def waiting_costs(projection: od.Projection) -> pd.DataFrame:
    """What waiting costs in every place, for every scenario that has not begun."""
    base = projection.baseline
    tables = []
    for item in _changes_of(projection):
        onsets = _onsets(item)
        if min(onsets) > base.last_month:
            months_left = int((base.months[-1] - max(onsets)).astype(int))
            delays = [months for months in DELAYS if months <= months_left]
            table = lib.cost_of_delay(projection, item, delays)
            table.insert(0, "scenario_id", item.name)
            tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _write(
    projection: od.Projection, panel: od.Panel, out: Path
) -> pd.DataFrame | None:
    """Tables, draws and figures of a run; what waiting costs, but of the status quo alone."""
    out.mkdir()
    base = projection.baseline
    targets = [TARGET_12MO]
    quantiles = scenarios_to_hub(projection.forecasts, targets=targets)
    od.write_hub(quantiles, out / "quantiles.csv")
    paths = {
        name: forecast.first(SAMPLES) for name, forecast in projection.forecasts.items()
    }
    samples = scenarios_to_hub(paths, targets=targets, output_type="sample")
    od.write_hub(samples, out / "samples.parquet")
    projection.to_parquet(out / "draws.parquet")
    (out / MARK).write_text(lib.dump_scenarios(projection.scenarios), encoding="utf-8")
    scenarios = _changes_of(projection)
    if not scenarios:
        return None
    waiting = waiting_costs(projection)
    tables = {
        "answer": projection.answer(),
        "outcomes": projection.outcomes(),
        "deaths_averted": projection.averted(),
        "exposure": projection.exposure_table(),
    }
    if not waiting.empty:
        tables["cost_of_delay"] = waiting
    for name, table in tables.items():
        text = for_spreadsheets(table).to_csv(index=False, lineterminator="\n")
        (out / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    place = base.locations[0]
    titles = short_titles(projection)
    figures: dict[str, Any] = {
        f"prior_{item.name}": prior_figure(item) for item in scenarios
    }
    figures["options"] = od.plot.prevented(projection, place, titles=titles)
    figures["fan"] = od.plot.overlay(projection, place, history=panel, titles=titles)
    figures["averted"] = od.plot.averted(projection, place, titles=titles)
    for name, figure in figures.items():
        od.plot.save(figure, out / "figures" / f"{name}.svg")
    return waiting


# What rests on one projection


@scenario.command()
@opt.add_options(
    SCENARIOS,
    opt.what_option(
        "--later MONTHS",
        multiple=True,
        type=click.IntRange(1, 240),
        help="Also start every scenario that many months later; may be repeated.",
    ),
    opt.TABLE,
)
def compare(
    request: Request,
    data: Data,
    simulation: Simulation,
    options: Options,
    as_json: bool = False,
) -> Answer:
    """Compare options: if each works, its chance, on average.

    It draws no figures and writes no folder: odforecast scenario run does.

    \b
    odforecast scenario compare cooperation-resumed tariff-only
    """
    projection, _, meta = make_projection(
        request,
        data,
        simulation=simulation,
        options=options,
        as_json=as_json,
    )
    answer = projection.answer()

    def show() -> None:
        """Print a table for each place."""
        # What it is there for: it works; of several, all of them do; or it raises deaths.
        keys = ["location", "scenario_id"]
        table = projection.outcomes().drop_duplicates(keys)
        begun = answer["scenario_id"].isin(_begun(projection))
        table["begun"] = begun.to_numpy()
        best = table.set_index(keys).to_dict("index")
        outcomes: Any = [
            best[key] for key in zip(answer["location"], answer["scenario_id"])
        ]
        last = projection.baseline.months[-1]
        head = f"deaths prevented by {last}, compared with no new measure"
        for place in projection.baseline.locations[:SHOWN]:
            for name, text in _begun_texts(projection, place).items():
                say(f"{place}, {name}: {text}")
        rows = answer.assign(best=outcomes, begun=begun)
        _print_places(rows, head, columns=_OPTIONS)

    notes = ["", caveat(projection.scenarios)]
    return Answer(show, lambda: _data(projection, meta), frame=answer, notes=notes)


def _if_judged(row: Any, text: str) -> str:
    """A cell of what has a chance; a what-if has none, and nothing over all outcomes."""
    return text if row["best"]["chance"] == row["best"]["chance"] else "–"


def _chance(best: Any) -> str:
    """The chance that it works; of several interventions, that all of them do."""
    chance = f"{100 * best['chance']:.0f}%"
    if best["outcome"] in ("both work", "all work"):
        return f"{chance} {best['outcome']}"
    return chance


_OPTIONS = (
    _NAME,
    Column("from", "first_month", form="{:>}"),
    Column("if it works", lambda row: ranged(row["best"])),
    Column("chance", lambda row: _if_judged(row, _chance(row["best"]))),
    Column("over all outcomes", lambda row: _if_judged(row, ranged(row))),
    Column("change", lambda row: _if_judged(row, _CHANGE.cell(row))),
)


@scenario.command()
@opt.add_options(SCENARIOS, opt.TABLE)
def sensitivity(
    request: Request,
    data: Data,
    simulation: Simulation,
    options: Options,
    as_json: bool = False,
) -> Answer:
    """Show which assumption matters most, and what waiting costs.

    Each assumption in turn is set to its 5th and 95th percentile while the others stay uncertain.
    """
    projection, _, meta = make_projection(
        request,
        data,
        simulation=simulation,
        options=options,
        as_json=as_json,
    )
    scenarios = _changes_of(projection)
    if not scenarios:
        raise click.UsageError("--scenario null assumes nothing: name another")
    tables = []
    for item in scenarios:
        table = lib.tornado(projection, item)
        tables.append(table.assign(scenario_id=item.name))
    sizes = pd.concat(tables, ignore_index=True)
    waiting = waiting_costs(projection)

    def show() -> None:
        """Print two tables for each scenario and place."""
        for (name, place), part in sizes.groupby(
            ["scenario_id", "location"], sort=False
        ):
            title(
                f"{place}, {name}: deaths prevented by {projection.baseline.months[-1]}, mean "
                f"{_two_digits(part['averted'].iloc[0])}, with one assumption low or high"
            )
            several = len(set(part["intervention"])) > 1
            names = [text_of("", "intervention")] if several else []
            click.echo(lay(part, [*names, *_TORNADO]))
            costs = waiting[
                (waiting["scenario_id"] == name) & (waiting["location"] == place)
            ]
            if not costs.empty:
                head = f"not prevented\nby {costs['until'].iloc[0]}"
                lost = Column(head, "not_prevented", form=_two_digits)
                table = lay(costs, [_DELAY, _ONSET, lost, _RUN_OUT])
                click.echo(f"\n{table}")

    content = {"meta": meta, "sensitivity": sizes, "waiting": waiting}
    notes = ["", caveat(projection.scenarios)]
    return Answer(show, content, frame=sizes, notes=notes)


_TORNADO = (
    text_of("", "assumption"),
    Column("low", "low_value", form="{:>}"),
    Column("prevented", "averted_low", form=_two_digits),
    Column("high", "high_value", form="{:>}"),
    Column("prevented", "averted_high", form=_two_digits),
)
_DELAY = text_of("months of\nwaiting", "delay")
_ONSET = Column("onset", "onset", form="{:>}")
_RUN_OUT = Column(
    "not prevented\nover 40 years", "not_prevented_run_out", form=_two_digits
)


@scenario.command()
@opt.add_options(FORECAST, opt.TABLE)
def attribution(
    request: Request,
    data: Data,
    simulation: Simulation,
    options: Options,
    as_json: bool = False,
) -> Answer:
    """Explain cooperation-resumed as a share of the 2023-24 fall.

    Starts from the deaths prevented if all of the fall happened again, and changes one assumption
    at a time until it is the answer of odforecast scenario run. The counts cannot show how large
    the share of cooperation is, so the answer is also shown for other shares.
    """
    name = "cooperation-resumed"
    projection, _, meta = make_projection(
        request,
        data,
        simulation=simulation,
        options=with_(options, scenarios=(name,)),
        as_json=as_json,
    )
    item = projection.scenario(name)
    table = lib.attribution(projection, item)
    start = item.interventions[0].onset[0]
    head = (
        f"deaths prevented from {start} to {projection.baseline.months[-1]}, with one assumption "
        "more in each row"
    )
    return Answer(
        lambda: _print_places(table, head, columns=_STEPS),
        {"meta": meta, "attribution": table},
        frame=table,
        notes=("", CAVEAT),
    )


_STEPS = (
    text_of("", "step"),
    Column("mean (90% interval)", ranged),
    Column("difference", "difference", form=_signed),
)


# A past event


@scenario.command("past")
@click.argument("event", metavar="EVENT|FILE")
@opt.add_options(
    opt.PLACES_BESIDE_US,
    opt.MODEL,
    opt.SOURCES,
    opt.DRAWS,
    opt.SEED,
    opt.JSON,
    opt.TABLE,
)
def past_command(
    event: str, request: Request, data: Data, simulation: Simulation
) -> Answer:
    """Estimate deaths if a past event had not happened.

    EVENT is a name from odforecast scenario list --events, or a scenario file with one
    intervention. "Named prior" and "neutral prior" are the counts without the estimated change
    after the date: the first with the event's own prior, the second with one that favors neither
    side. "Similar places" are places without the event whose deaths grew alike, if a file gives
    some places an exposure of 0. "Eve forecast" is the model's forecast from the last release
    before the event. All are shown by calendar year and in total. None is the effect of a policy.
    """
    releases = data.open()
    model = simulation.find_model()
    locations = releases.as_of().panel().locations
    places = dict.fromkeys(("US", *resolve(request.locations, locations)))
    x = _past_event(event)
    estimates: dict[str, dict[str, Past]] = {}
    for place in places:
        settings: dict[str, Any] = {
            "location": place,
            "model": model,
            "draws": simulation.draws,
            "seed": simulation.seed,
        }
        with working(f"weighing {event}"):
            named = lib.past(x, releases, **settings)
            neutral = lib.past(lib.neutral_twin(x), releases, **settings)
            estimates[place] = {"named": named, "neutral": neutral}
    changes = pd.DataFrame(
        row for pair in estimates.values() for row in _changes(**pair)
    )
    sizes = []
    for place, pair in estimates.items():
        for prior, estimate in pair.items():
            summary = estimate.summary
            size = {
                "location": place,
                "prior": prior,
                "mean": summary.mean,
                "q05": summary.low,
                "q95": summary.high,
                "p_null": summary.p_null,
                "bayes_factor": summary.bayes_factor,
            }
            sizes.append(size)

    def show() -> None:
        """Print a table for each place."""
        for place, pair in estimates.items():
            _show_past(Path(event).stem, pair, changes=_at_place(changes, place))

    content = {
        "event": event,
        "onset": str(estimates["US"]["named"].onset),
        "caveat": WHATEVER,
        "coverage": estimates["US"]["named"].coverage,
        "sizes": sizes,
        "changes": changes,
    }
    return Answer(show, content, frame=changes, notes=("", WHATEVER))


def _past_event(event: str) -> od.scenario.Intervention | str:
    """An event by name, or the one intervention of a file."""
    if Path(event).suffix.lower() not in sources.SCENARIO_FILES:
        return event
    interventions = [
        x for item in lib.read_scenarios(event) for x in item.interventions
    ]
    if len(interventions) != 1:
        raise ScenarioError(
            f"{event}: {len(interventions)} interventions, allowed here: one"
        )
    return interventions[0]


def _changes(named: Past, neutral: Past) -> Iterable[dict[str, Any]]:
    """Deaths without the change less those counted, by calendar year and in total.

    Means and 90% intervals given that there was an effect, the chance that there was none, and the
    mean over both; the total is the sum of 12-month counts back to the event.
    """
    months = named.months
    eve = named.eve
    end = min(months[-1], eve.months[-1])
    decembers = [m for m in months if str(m)[5:] == "12" and named.onset <= m <= end]
    windows = list(np.arange(end, named.onset - ONE_MONTH, -12 * ONE_MONTH))
    paths = eve.samples()[:, 0]
    periods = [(str(december)[:4], [december]) for december in decembers]
    periods.append((f"{named.onset} to {end}", windows))
    for period, ends in periods:
        counted = float(sum(named.observed[months == m][0] for m in ends))
        shared = {
            "location": named.location,
            "period": period,
            # In total, the first window reaches back before the event.
            "observed": np.nan if ends is windows else counted,
        }
        for prior, estimate in (("named", named), ("neutral", neutral)):
            draws = [estimate.averted(month) for month in ends]
            yield {
                **shared,
                "counterfactual": f"effect removed, {prior} prior",
                **_interval(*estimate.averted_given_effect(*ends)),
                # Where no chance was given there is none to print.
                "p_null": estimate.summary.p_null if estimate.event.p_null else np.nan,
                "averted_over_both": float(np.sum(draws, axis=0).mean()),
            }
        if named.donors is not None:
            interval = _interval(*named.donors.averted(*ends))
            yield {**shared, "counterfactual": "similar places", **interval}
        forecast = sum(paths[:, eve.months == m][:, 0] for m in ends) - counted
        low, high = np.quantile(forecast, [0.05, 0.95])
        interval = _interval(float(np.mean(forecast)), low, high)
        yield {**shared, "counterfactual": "forecast from the eve", **interval}


def _interval(mean: float, low: float, high: float) -> dict[str, float]:
    return {"averted_mean": mean, "averted_q05": low, "averted_q95": high}


_SHORT = {
    "effect removed, named prior": "named prior",
    "effect removed, neutral prior": "neutral prior",
    "forecast from the eve": "eve forecast",
}
_COURSES = (
    # The title has the first month.
    text_of("", lambda row: row["period"][8:] or row["period"]),
    text_of("", lambda row: _SHORT.get(row["counterfactual"], row["counterfactual"])),
    Column("counted", "observed"),
    Column("if there was\nan effect", ranged),
    Column("chance of\nno effect", "p_null", form="{:.0%}"),
    Column("over both", "averted_over_both", form=two_digits),
)


def _show_past(event: str, estimates: dict[str, Past], changes: pd.DataFrame) -> None:
    """The changes in one place, and how the counts moved each prior."""
    named = estimates["named"]
    title(
        f"{named.location}: {named.indicator} after {event} ({named.onset}). Deaths without the "
        "change minus deaths counted, mean and 90% interval"
    )
    click.echo(f"{lay(changes, _COURSES)}\n")
    say(named.coverage, indent="  ")
    for prior, estimate in estimates.items():
        summary = estimate.summary
        say(
            f"{prior} prior: size {summary.prior_mean:+.2f} (sd {summary.prior_sd:.2f}), no "
            f"effect {100 * summary.prior_p_null:.0f}%; after the counts {summary.mean:+.2f} "
            f"(90% interval {summary.low:+.2f} to {summary.high:+.2f}), no effect "
            f"{100 * summary.p_null:.0f}%",
            indent="  ",
        )
    for text in named.notes:
        note(text)


@scenario.command()
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@opt.add_options(
    opt.AS_OF,
    opt.MODEL,
    opt.SOURCES,
    opt.SEED,
    opt.out("Folder for tables and figures.", ()),
)
def validate(
    checks: tuple[str, ...],
    data: Data,
    simulation: Simulation,
    out: Path | None = None,
) -> Answer:
    """Run the checks of the scenario method.

    CHECK is null, calibration, recovery, recovery-wandering-slope, placebo-time, placebo-outcome,
    placebo-units, leave-this-episode-out, leave-one-episode-out, identifiability, detectable or
    hindcast-plumbing; by default, all of them. The exit status is 1 if a check fails. Some checks
    only report and cannot fail. A check that the data do not allow is named.
    """
    releases = data.open()
    setting = Setting(
        releases,
        data.as_of or str(releases.last_seen),
        model=simulation.find_model(),
        simulations=SIMULATIONS,
        seed=simulation.seed,
    )
    n_failed = 0
    for name, result in run_checks(setting, checks):
        if isinstance(result, ScenarioError):
            say(f"{name}: not run: {result}", indent="  ")
            continue
        for line in str(result).splitlines():
            spaces = len(line) - len(line.lstrip())
            say(line, indent=" " * (spaces + 2))
        if result.passed is False:
            n_failed += 1
        if out is not None:
            with replacing(out / f"{name}.csv") as part:
                result.table.to_csv(part, index=False, lineterminator="\n")
            for key, draw in result.figures.items():
                od.plot.save(draw(), out / f"{key}.svg")
    failure = ScenarioError(f"{n_failed} check(s) failed") if n_failed else None
    return Answer(notes=[CAVEAT], failure=failure)
