"""``odforecast scenario run`` and ``compare``: a forecast under scenarios."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import tempfile
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.screen import grid, note, say, warn, working, wrapped
from odforecast.cli.source import SOURCES, about, fit, keep, open_panel, open_source
from odforecast.cli.tables import title
from odforecast.errors import ScenarioError, one_of
from odforecast.io import replacing
from odforecast.names import TARGETS
from odforecast.report.spreadsheet import for_spreadsheets
from odforecast.say import shown_warnings
from odforecast.scenario.catalogue import CAVEAT

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.panel import Panel
    from odforecast.scenario import Projection, Scenario

#: Months ahead, if neither a horizon nor a last month is given.
HORIZON = 24
#: Places whose answers are shown on the screen; months of waiting whose cost is worked out.
SHOWN, DELAYS = 3, (0, 3, 6, 12)
#: By this file a folder is known to hold a run; runs before 0.2 had it, and the rest, at the top.
MARK, DATA_FOLDER = "scenarios.yaml", "data"
_ONCE = (
    MARK, "quantiles.csv", "samples.parquet", "draws.parquet", "answer.csv", "deaths_averted.csv",
    "time_to_recover.csv", "exposure.csv", "cost_of_delay.csv", "figures", "hub-config",
)  # fmt: skip
FILES = (".yaml", ".yml", ".toml")

ONSET = opt.what(
    "--onset", metavar="MONTH", type=opt.START_MONTH,
    help="First month of named scenarios.  [default: the month after the as-of date]",
)  # fmt: skip
#: What every forecast under scenarios is made of.
FORECAST = opt.together(
    opt.BESIDE, opt.horizon(HORIZON), opt.UNTIL, opt.MODEL, opt.INDICATOR, SOURCES, opt.AS_OF,
    opt.DRAWS, opt.SEED, opt.QUIET, opt.JSON,
)  # fmt: skip
ASKED = opt.together(
    opt.what("--scenario", "scenarios", multiple=True, required=True, metavar="FILE|NAME",
             help="A name from odforecast scenario list, a scenario file of yours, or null; with "
             "commas, or repeated."),
    ONSET, FORECAST,
    opt.data("--exposure", "tables", multiple=True, metavar="NAME=FILE", more=True,
             help="Your own shares by place (CSV: location,exposure): fentanyl-share=table.csv."),
)  # fmt: skip


@opt.command()
@opt.together(
    ASKED,
    opt.what("--against", metavar="NAME",
             help="Count deaths prevented against this scenario.  [default: the status quo]"),
    opt.TARGET, opt.PLOT,
    opt.out("Folder to write: a brief, tables, draws and figures.", (), required=True), opt.REPLACE,
    opt.output("--paper", type=opt.Choice(["letter", "a4"]), default="letter", show_default=True,
               more=True, help="Paper size of the brief."),
    opt.output("--style", type=click.Path(path_type=Path, dir_okay=False, exists=True),
               metavar="FILE", more=True, reads=True, help="Your own style sheet for the brief."),
    opt.details("--samples", metavar="N", default=100, show_default=True,
                type=click.IntRange(min=1), more=True,
                help="Number of draws in the hub file of samples."),
)  # fmt: skip
def run(
    against: str | None, target: str, samples: int, paper: str, style: Path | None,
    plot: Path | None, replace: bool, out: Path, **asked: Any,
) -> Answer:  # fmt: skip
    """Project a forecast under scenarios, and write a brief.

    The brief is for decision-makers, one file with a section for each place: the US, and those of
    --locations. An effect on a drug class acts on the forecast deaths of that class. --indicator
    T40.4 projects the class itself.

    \b
    odforecast scenario run --scenario cooperation-resumed --out brief
    """
    opt.check_apart("--out", out, ("--plot", plot))
    _check_folder(out, replace)
    projection, panel, meta = projected(**asked)
    projection.against(against)  # an unknown name is refused before anything is written
    if against is not None:
        note("the brief and figures compare with the status quo")
    targets: list[str] = [target]
    if target == "both":
        targets = [t for t in TARGETS if t in projection.baseline.targets]

    def show() -> None:
        """Print the answer."""
        _show_answer(projection, against)
        click.echo()
        say(CAVEAT)

    def write() -> None:
        """Write the folder."""
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
            made = Path(folder) / "run"
            waiting = _write(projection, panel, targets, samples, against, made / DATA_FOLDER)
            if not all(s.is_null for s in projection.scenarios):
                _write_briefs(projection, panel, waiting, paper, style, made)
            _take_place(made, out)

    return Answer(
        text=show,
        data=lambda: _data(projection, against, meta | {"target": target}),
        figure=projection.plot,
        files=[(write, f"written: {out}/")],
    )


@opt.command()
@opt.together(
    ASKED,
    opt.what("--later", multiple=True, metavar="MONTHS", type=click.IntRange(1, 240),
             help="Also start every scenario that many months later; may be repeated."),
    opt.TABLE,
)  # fmt: skip
def compare(**asked: Any) -> Answer:
    """Compare options: if each works, its chance, on average.

    It draws no figures and writes no folder: odforecast scenario run does.

    \b
    odforecast scenario compare --scenario cooperation-resumed,tariff-only
    """
    projection, _, meta = projected(**asked)

    def show() -> None:
        """Print a table for each place."""
        for where in projection.baseline.locations[:SHOWN]:
            _compare_place(projection.select([where]), where)
        click.echo()
        say(CAVEAT)

    return Answer(text=show, data=lambda: _data(projection, None, meta), frame=projection.answer())


def _compare_place(one: Projection, where: str) -> None:
    """A row per option."""
    # What it is there for: it works; of several, all of them do; or it raises deaths.
    first = one.outcomes().groupby("scenario_id").first().to_dict("index")
    title(f"{where}: deaths prevented by {one.baseline.months[-1]}, compared with no new measure")
    rows = []
    for r in one.answer().to_dict("records"):
        best = first[str(r["scenario_id"])]
        average = ["–"] * 3
        if best["chance"] == best["chance"]:
            average = [f"{100 * best['chance']:.0f}%", ranged(r), f"{r['percent_mean']:+z.1f}%"]
        rows.append([str(r["scenario_id"]), str(r["first_month"]), ranged(best), *average])
    click.echo(grid(["", "from", "if it works", "chance", "over all outcomes", "change"], rows))


def projected(
    archive: Path | None, source: str | None, *, scenarios: Iterable[str], onset: str | None,
    as_of: str | None, model: str, locations: str, indicator: str, draws: int, seed: int,
    quiet: bool, horizon: int | None, until: str | None,
    tables: Sequence[str] = (), later: Sequence[int] = (),
) -> tuple[Projection, Panel, dict[str, Any]]:  # fmt: skip
    """The projection that was asked for, its panel, and what JSON says of it; notes are said."""
    from odforecast.forecast.text import beyond_validated
    from odforecast.models import get_model
    from odforecast.scenario import project
    from odforecast.scenario.answer import CLASS_WARNING
    from odforecast.scenario.intervention import ALL

    if horizon is not None and until is not None:
        raise click.UsageError("give --horizon or --until, not both")
    forecaster = get_model(model)
    # The same panel and seed as `odforecast forecast`, so that null is its forecast.
    panel, places = open_panel(open_source(archive, source), as_of, indicator, locations)
    nation = ("US",) if "US" in panel.locations else ()
    states = tuple(dict.fromkeys((*nation, *places)))
    chosen = _delayed(_scenarios_of(scenarios, onset, panel), later)
    shares = _exposures(tables)
    for x in dict.fromkeys(x for s in chosen for x in s.interventions):
        if not x.backfire and x.chances()[2] >= 0.005:
            note(f"{x.name} may raise deaths (probability {x.chances()[2]:.2f}) and names no "
                 "mechanism: describe one under backfire")  # fmt: skip
    say(
        f"{forecaster.label} as of {panel.as_of}, last known month {panel.last_month}",
        err=bool(click.get_current_context().params.get("as_json")),
    )
    ahead = HORIZON if horizon is None and until is None else horizon
    with working(f"fitting {forecaster.label}", quiet):
        projection = project(
            fit(forecaster, panel, states), chosen, ahead, draws, seed, until=until,
            exposures=shares, first_month=panel.month_grid[0],
        )  # fmt: skip
    if "US" in states and "US" not in projection.baseline.locations and projection.can_add:
        projection = projection.with_nation()
    # Places are chosen last, so that one question has one answer wherever it is asked.
    keep(projection.baseline, states)  # names what the model left out
    projection = projection.select([s for s in states if s in projection.baseline.locations])
    for text in shown_warnings(projection.warnings):
        note(text)
    if far := beyond_validated(projection.baseline):
        warn(far)
    if any(x.scope != ALL for s in chosen for x in s.interventions):
        note(CLASS_WARNING)
    meta = about(projection.baseline, panel, forecaster, seed)
    return projection, panel, meta | {"scenarios": list(projection.names)}


def _delayed(chosen: Sequence[Scenario], later: Sequence[int]) -> tuple[Scenario, ...]:
    """The scenarios, and each again with its onsets that many months later."""
    from dataclasses import replace

    import numpy as np

    from odforecast.scenario.answer import scenario_title

    out = list(chosen)
    for wait in dict.fromkeys(later):
        step = np.timedelta64(wait, "M")
        for s in (s for s in chosen if not s.is_null):
            parts = tuple(
                replace(x, onset=(x.onset[0] + step, x.onset[1] + step)) for x in s.interventions
            )
            name = f"{s.name}-{wait}-months-later"
            words = f"{scenario_title(s)}, {wait} months later"
            out.append(replace(s, name=name, title=words, interventions=parts))
    return tuple(out)


def _scenarios_of(words: Iterable[str], onset: str | None, panel: Panel) -> tuple[Scenario, ...]:
    """Scenarios by name or file; what has no onset begins at the one that was given."""
    import numpy as np

    from odforecast.months import to_month
    from odforecast.scenario import NULL, named, prior_names, read_scenarios

    start = onset or str(to_month(panel.as_of) + np.timedelta64(1, "M"))
    found: list[Scenario] = []
    used = False
    for word in (w.strip() for text in words for w in text.split(",")):
        if Path(word).suffix.lower() in FILES:
            read = read_scenarios(word)
            used = used or any(s.is_open for s in read)
            found.extend(s.at(start) for s in read)
        elif word == NULL.name:
            found.append(NULL)
        elif word in prior_names():
            used = True
            found.append(named(word, onset=start))
        else:
            raise ScenarioError(
                f"--scenario: {word!r} is not a scenario, nor a .yaml or .toml file",
                hint=one_of(word, [NULL.name, *prior_names()]),
            )
    if onset is not None and not used:
        raise click.UsageError(
            f"--onset {onset}: all scenarios given have their own; remove onset from the file"
        )
    if used and onset is None:
        late = int((to_month(dt.date.today()) - to_month(start)).astype(int))
        past = f", {late} months ago; the latest release used is of {panel.release}. Choose " \
               "another with --onset" if late > 0 else ""  # fmt: skip
        say(f"onset {start}, the month after the as-of date{past}", err=True, indent="  ")
    return tuple(dict.fromkeys(found))


def _exposures(tables: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shares by place, by the name of the table."""
    from odforecast.scenario import read_exposure

    out = {}
    for text in tables:
        name, _, path = text.partition("=")
        if not path:
            raise click.UsageError(f"--exposure is {text!r}, write NAME=FILE")
        out[name] = read_exposure(path)
        if name != "fentanyl-share":
            raise click.UsageError(
                f"--exposure {name}: only fentanyl-share can be given; write other tables into the "
                "scenario file, such as exposure: {OH: 0.5, default: 0.2}"
            )
    return out


def _data(projection: Projection, against: str | None, meta: dict[str, Any]) -> dict[str, Any]:
    """The answer, what may come of it, and deaths averted by period, of all places."""
    said: dict[str, Any] = {"meta": meta | {"against": against or "null"}}
    if all(s.is_null for s in projection.scenarios):
        return said | {"answer": [], "outcomes": [], "averted": []}
    return said | {
        "answer": projection.answer(against),
        "outcomes": projection.outcomes(against),
        "averted": projection.averted(against=against),
    }


def _show_answer(projection: Projection, against: str | None) -> None:
    """The answer, and by calendar year, of the first places."""
    if all(s.is_null for s in projection.scenarios):
        say("The status quo alone: its forecast is in data/quantiles.csv. There is no brief.")
        return
    places = projection.baseline.locations
    for where in places[:SHOWN]:
        _show_place(projection.select([where]), against, where)
    click.echo("(means; 90% intervals in parentheses)")
    if len(places) > SHOWN:
        click.echo(f"{len(places) - SHOWN} more places are in data/answer.csv")
    last = projection.baseline.last_month
    if any(x.onset[0] <= last for s in projection.scenarios for x in s.interventions):
        say(f"For what started by {last}, only future deaths are counted, compared with the course "
            "without it.")  # fmt: skip


def _show_place(projection: Projection, against: str | None, where: str) -> None:
    """Each scenario's outcomes and calendar years in one place."""
    from odforecast.scenario.answer import assumed, judged

    answers, outcomes = projection.answer(against), projection.outcomes(against)
    years = projection.averted(against=against)
    years = years[years["kind"] == "year"]
    other = "no new measure" if against is None else f"deaths under {against}"
    click.echo()
    say(f"{where}: deaths prevented, compared with {other}")
    for r in answers.to_dict("records"):
        scenario = projection.scenario(str(r["scenario_id"]))
        found = outcomes[outcomes["scenario_id"] == scenario.name].to_dict("records")
        owner = "; ".join(dict.fromkeys(x.owner for x in judged(scenario)))
        if len(scenario.interventions) == 1:
            said = ", ".join(f"{x['outcome']} {assumed(x['chance'])}" for x in found if owner)
            lines = [(f"if it {found[0]['outcome']}", ranged(found[0])),
                     (owner.lower() or "chance", said or "none: a what-if")]  # fmt: skip
        else:
            chances = (f", {assumed(x['chance'])}" if owner else "" for x in found)
            lines = [(f"{x['outcome']}{chance}", ranged(x)) for x, chance in zip(found, chances)]
            lines.append(("chances", owner.lower() or "none: a what-if"))
        if owner:
            lines.append(("over all outcomes", f"{ranged(r)}, {r['percent_mean']:+z.1f}%"))
        mine = years[years["scenario_id"] == scenario.name].to_dict("records")
        lines += [
            (str(y["period"]), ranged(y)) for y in mine if y["last_month"] >= r["first_month"]
        ]
        click.echo(f"\n{scenario.name}, {r['first_month']} to {r['last_month']}")
        width = max(len(name) for name, _ in lines)
        for name, text in lines:
            click.echo(wrapped(f"  {name.ljust(width)}  {text}", indent=" " * (width + 4)))


def ranged(row: dict[Hashable, Any], of: str = "averted") -> str:
    """A mean with its interval; a dash where there is none."""
    mean, low, high = (row[f"{of}_{key}"] for key in ("mean", "q05", "q95"))
    if mean != mean:
        return "–"
    return f"{mean:z,.0f}" + (f" ({low:z,.0f} to {high:z,.0f})" if low == low else "")


def waiting_costs(projection: Projection) -> pd.DataFrame:
    """What waiting costs in every place, for every scenario that has not begun."""
    import pandas as pd

    from odforecast.scenario import cost_of_delay

    base = projection.source or projection.baseline
    parts = []
    for item in projection.scenarios:
        onsets = [x.onset[0] for x in item.interventions]
        if not onsets or min(onsets) <= base.last_month:
            continue
        left = int((base.months[-1] - max(x.onset[1] for x in item.interventions)).astype(int))
        table = cost_of_delay(
            base, item, [m for m in DELAYS if m <= left],
            location=list(projection.baseline.locations), exposures=projection.tables,
            seed=projection.seed,
        )  # fmt: skip
        table.insert(0, "scenario_id", item.name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


# The folder


def _write(
    projection: Projection, panel: Panel, targets: list[str], samples: int, against: str | None,
    out: Path,
) -> pd.DataFrame:  # fmt: skip
    """Tables, draws and figures of a run; what waiting costs is given back."""
    import pandas as pd

    from odforecast.hub import scenario_tasks, scenarios_to_hub, write_hub, write_tasks
    from odforecast.plot import averted, overlay, prevented
    from odforecast.report.annex import prior_figure, short_titles
    from odforecast.scenario import dump_scenarios

    out.mkdir(parents=True)
    write_hub(scenarios_to_hub(projection.forecasts, targets=targets), out / "quantiles.csv")
    few = {name: f.first(samples) for name, f in projection.forecasts.items()}
    rows = scenarios_to_hub(few, targets=targets, output_type="sample")
    write_hub(rows, out / "samples.parquet")
    tasks = scenario_tasks(
        projection.names, projection.baseline, targets=targets,
        samples=min(samples, len(projection.baseline.draws)),
    )  # fmt: skip
    write_tasks(tasks, out / "hub-config" / "tasks.json")
    with replacing(out / "draws.parquet") as part:
        projection.to_parquet(part)
    with replacing(out / MARK) as part:
        part.write_text(dump_scenarios(projection.scenarios), encoding="utf-8")
    if all(s.is_null for s in projection.scenarios):
        return pd.DataFrame()
    waiting = waiting_costs(projection)
    tables = {
        "answer": projection.answer(against), "outcomes": projection.outcomes(against),
        "deaths_averted": projection.averted(against=against),
        "exposure": projection.exposure_table(), "cost_of_delay": waiting,
    }  # fmt: skip
    for name, table in tables.items():
        if name != "cost_of_delay" or not waiting.empty:
            with replacing(out / f"{name}.csv") as part:
                for_spreadsheets(table).to_csv(part, index=False, lineterminator="\n")
    where = projection.baseline.locations[0]
    drawn = {f"prior_{s.name}": prior_figure(s)
             for s in projection.scenarios if not s.is_null}  # fmt: skip
    titles = short_titles(projection)
    for name, axes in (
        ("options", prevented(projection, where, titles=titles)),
        ("fan", overlay(projection, where, history=panel, titles=titles)),
        ("averted", averted(projection, where, titles=titles)),
    ):
        if (figure := axes.get_figure(root=True)) is not None:
            drawn[name] = figure
    for name, figure in drawn.items():
        with replacing(out / "figures" / f"{name}.svg") as part:
            figure.savefig(part, format="svg")
    return waiting


def _write_briefs(
    projection: Projection, panel: Panel, waiting: pd.DataFrame, paper: str, style: Path | None,
    out: Path,
) -> None:  # fmt: skip
    """Write the brief and its annex."""
    from odforecast.report.brief import write_briefs

    write_briefs(projection, out, panel=panel, waiting=waiting, paper=paper, stylesheet=style)


def _check_folder(out: Path, replace: bool) -> None:
    """Refuse a folder that a run would mix with what is in it."""
    if not out.is_dir() or not any(out.iterdir()):
        return
    ours = re.compile("|".join(map(re.escape, (DATA_FOLDER, *_ONCE))) + r"|brief(-[\w.-]+)?\.html")
    others = sorted(p.name for p in out.iterdir() if not ours.fullmatch(p.name))
    if others or not any((x / MARK).exists() for x in (out, out / DATA_FOLDER)):
        named = f" ({', '.join(others[:3])})" if others else ""
        raise click.UsageError(f"--out {out} contains other files{named}; give a folder of its own")
    if not replace:
        raise click.UsageError(f"--out {out} contains a run; replace it with --replace")


def _take_place(made: Path, out: Path) -> None:
    """The new folder where the old one was: nothing of an earlier run stays beside it."""
    old = made.parent / "old"
    if out.exists():
        out.rename(old)
    made.rename(out)
    if old.exists():
        shutil.rmtree(old)
