"""``odforecast scenario run``: a forecast under scenarios: tables, draws, figures, a brief."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.made import about, fit, keep, made_options, open_panel
from odforecast.cli.meant import Choice
from odforecast.cli.options import (
    FIGURES,
    START_MONTH,
    horizon_option,
    json_option,
    out_option,
    plot_option,
    replace_option,
    target_option,
    together,
    until_option,
)
from odforecast.cli.outputs import check_apart, check_outputs
from odforecast.cli.progress import working
from odforecast.cli.scenario_answer import print_answer, show_answer
from odforecast.cli.scenario_folder import MARK, check_folder, take_place
from odforecast.cli.screen import note, say, warn
from odforecast.cli.source import open_source
from odforecast.cli.spreadsheet import for_spreadsheets
from odforecast.errors import ScenarioError, one_of
from odforecast.io import replacing
from odforecast.names import TARGETS
from odforecast.scenario.catalogue import CAVEAT

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.panel import Panel
    from odforecast.scenario import Projection, Scenario

#: Months ahead, if neither a horizon nor a last month is given.
HORIZON = 24

#: Months of waiting whose cost is worked out.
DELAYS = (0, 3, 6, 12)


@click.command()
@click.option(
    "--scenario", "scenarios", multiple=True, required=True, metavar="FILE|NAME",
    help="A scenario file, a named prior, or null; may be repeated or comma-separated.",
)  # fmt: skip
@click.option("--onset", metavar="MONTH", type=START_MONTH,
              help="Onset of named priors.  [default: the month after the as-of date]")  # fmt: skip
@made_options
@together(horizon_option(HORIZON), until_option)
@click.option("--against", metavar="NAME", help="Count deaths averted against this scenario.  "
              "[default: the status quo]")  # fmt: skip
@target_option
@click.option(
    "--exposure", "tables", multiple=True, metavar="NAME=FILE",
    help="Your own shares by location (CSV: location,exposure): fentanyl-share=table.csv.",
)  # fmt: skip
@click.option("--samples", metavar="N", default=100, show_default=True, type=click.IntRange(min=1),
              help="Draws in the hub sample rows.")  # fmt: skip
@click.option("--paper", type=Choice(["letter", "a4"]), default="letter", show_default=True,
              help="Paper of the brief.")  # fmt: skip
@click.option("--style", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              metavar="FILE", help="Your own style sheet for the brief.")  # fmt: skip
@together(json_option, plot_option)
@out_option("Folder to write: tables, draws, figures, a brief.", folder=True, required=True)
@replace_option
def run(
    scenarios: tuple[str, ...],
    onset: str | None,
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    model: str,
    locations: str,
    indicator: str,
    draws: int,
    seed: int,
    horizon: int | None,
    until: str | None,
    against: str | None,
    target: str,
    tables: tuple[str, ...],
    samples: int,
    paper: str,
    style: Path | None,
    as_json: bool,
    plot: Path | None,
    replace: bool,
    out: Path,
    quiet: bool,
) -> None:
    """Project a model's forecast under scenarios, and write tables, draws, figures, a brief.

    Every location asked for gets a brief of its own. An effect on a drug class acts on the
    forecast's own deaths of that class; --indicator T40.4 projects the class itself.
    """
    from odforecast.forecast.text import beyond_validated
    from odforecast.models import get_model
    from odforecast.scenario import project
    from odforecast.scenario.answer import CLASS_WARNING
    from odforecast.scenario.intervention import ALL

    if horizon is not None and until is not None:
        raise click.UsageError("give --horizon or --until, not both")
    check_outputs(("--out", out, ()), ("--plot", plot, FIGURES), read=(source,))
    check_apart(("--out", out), ("--plot", plot))
    check_folder(out, replace)
    releases = open_source(archive, source)
    forecaster = get_model(model)
    # The same panel and seed as `odforecast forecast`, so that null is its forecast.
    panel, states = open_panel(releases, as_of, indicator, locations)
    chosen = _scenarios(scenarios, onset, panel)
    shares = _exposures(tables)
    for name in shares:
        if name != "fentanyl-share":
            raise click.UsageError(
                f"--exposure {name}: only fentanyl-share can be given; write other tables into the "
                "scenario file, such as exposure: {OH: 0.5, default: 0.2}"
            )
    for x in dict.fromkeys(x for s in chosen for x in s.interventions):
        if not x.backfire and x.chances()[2] >= 0.005:
            note(
                f"{x.name} may raise deaths (probability {x.chances()[2]:.2f}) and names no "
                "mechanism: say how, with backfire"
            )
    click.echo(
        f"{forecaster.label} as of {panel.as_of}, last known month {panel.last_month}", err=as_json
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
    projection.against(against)  # an unknown name is refused before anything is written
    for text in projection.warnings:
        note(text)
    if far := beyond_validated(projection.baseline):
        warn(far)
    if any(x.scope != ALL for s in chosen for x in s.interventions):
        note(CLASS_WARNING)
    if against is not None:
        note("the briefs and figures count against the status quo")
    targets: list[str] = [target]
    if target == "both":
        targets = [t for t in TARGETS if t in projection.baseline.targets]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        made = Path(folder) / "run"
        _write(projection, panel, targets, samples, against, made)
        if not all(s.is_null for s in projection.scenarios):
            _write_briefs(projection, panel, paper, style, made)
        take_place(made, out)
    if as_json:
        print_answer(
            projection, against, about(projection.baseline, panel, forecaster, seed, target)
        )
    else:
        show_answer(projection, against)
        click.echo()
        say(CAVEAT)
    click.echo(f"written: {out}/", err=as_json)
    if plot is not None:
        import odforecast.plot as plots

        plots.save(projection.plot(), plot)
        click.echo(f"picture: {plot}", err=as_json)


def _scenarios(words: Iterable[str], onset: str | None, panel: Panel) -> tuple[Scenario, ...]:
    import numpy as np

    from odforecast.months import to_month
    from odforecast.scenario import NULL, named, prior_names, read_scenarios

    start = onset or str(to_month(panel.as_of) + np.timedelta64(1, "M"))
    found: list[Scenario] = []
    used = False
    for word in (w.strip() for text in words for w in text.split(",")):
        if Path(word).suffix in (".yaml", ".yml", ".toml"):
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
                f"--scenario: {word!r} is no scenario, nor a .yaml or .toml file",
                hint=one_of(word, [NULL.name, *prior_names()]),
            )
    if used and onset is None:
        _say_onset(start, panel)
    if onset is not None and not used:
        raise click.UsageError(
            f"--onset {onset}: all scenarios given have their own; leave onset out of the file"
        )
    return tuple(dict.fromkeys(found))


def _say_onset(start: str, panel: Panel) -> None:
    """Which onset was taken, and what it means when that month is over."""
    from odforecast.months import to_month

    late = int((to_month(dt.date.today()) - to_month(start)).astype(int))
    past = (
        f", {late} months ago: the newest release used is of {panel.release}; --onset gives another"
        if late > 0
        else ""
    )
    say(f"onset {start}, the month after the as-of date{past}", err=True, indent="  ")


def _exposures(tables: Sequence[str]) -> dict[str, dict[str, float]]:
    from odforecast.scenario import read_exposure

    out = {}
    for text in tables:
        name, _, path = text.partition("=")
        if not path:
            raise click.UsageError(f"--exposure is {text!r}, write NAME=FILE")
        out[name] = read_exposure(path)
    return out


def _write(
    projection: Projection,
    panel: Panel,
    targets: list[str],
    samples: int,
    against: str | None,
    out: Path,
) -> None:
    """Tables, draws and figures of a run."""
    from odforecast.hub import scenario_tasks, scenarios_to_hub, write_hub, write_tasks
    from odforecast.report import scenario_figures as figures
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
        return
    _csv(projection.answer(against), out / "answer.csv")
    _csv(projection.averted(against=against), out / "deaths_averted.csv")
    _csv(projection.exposure_table(), out / "exposure.csv")
    where = "US" if "US" in projection.baseline.locations else projection.baseline.locations[0]
    waiting = _cost_of_delay(projection, where)
    if not waiting.empty:
        _csv(waiting, out / "cost_of_delay.csv")
    drawn = {
        f"prior_{item.name}": figures.prior_figure(item)
        for item in projection.scenarios
        if not item.is_null
    }
    drawn["fan"] = figures.fan_figure(projection, where, panel)
    drawn["averted"] = figures.averted_figure(projection, where)
    for name, figure in drawn.items():
        with replacing(out / "figures" / f"{name}.svg") as part:
            figure.savefig(part, format="svg")


def _cost_of_delay(projection: Projection, where: str) -> pd.DataFrame:
    """What waiting costs in one place, for every scenario that has not begun."""
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
            base, item, [m for m in DELAYS if m <= left], location=where,
            exposures=projection.tables, seed=projection.seed,
        )  # fmt: skip
        table.insert(0, "scenario_id", item.name)
        table.insert(1, "location", where)
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _write_briefs(
    projection: Projection, panel: Panel, paper: str, style: Path | None, out: Path
) -> None:
    from odforecast.report.brief import write_briefs

    write_briefs(projection, out, panel=panel, paper=paper, stylesheet=style)


def _csv(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as part:
        for_spreadsheets(table).to_csv(part, index=False, lineterminator="\n")
