"""``odforecast scenario run``: a forecast under scenarios: tables, draws, figures, a brief."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.meant import Choice
from odforecast.cli.options import (
    FIGURES,
    json_option,
    out_option,
    plot_option,
    replace_option,
    target_option,
    together,
)
from odforecast.cli.outputs import check_apart, check_outputs
from odforecast.cli.scenario_ask import (
    asked_options,
    json_of,
    projected,
    show_answer,
    waiting_costs,
)
from odforecast.cli.screen import note, say
from odforecast.cli.source import open_source
from odforecast.cli.spreadsheet import for_spreadsheets
from odforecast.io import replacing
from odforecast.names import TARGETS
from odforecast.scenario.catalogue import CAVEAT

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.panel import Panel
    from odforecast.scenario import Projection

#: By this file a folder is known to hold a run; runs before 0.2 had it, and the rest, at the top.
MARK = "scenarios.yaml"
DATA = "data"
_ONCE = (
    MARK, "quantiles.csv", "samples.parquet", "draws.parquet", "answer.csv", "deaths_averted.csv",
    "time_to_recover.csv", "exposure.csv", "cost_of_delay.csv", "figures", "hub-config",
)  # fmt: skip


@click.command()
@asked_options
@click.option("--against", metavar="NAME", help="Count deaths averted against this scenario.  "
              "[default: the status quo]")  # fmt: skip
@target_option
@click.option("--samples", metavar="N", default=100, show_default=True, type=click.IntRange(min=1),
              help="Draws in the hub sample rows.")  # fmt: skip
@click.option("--paper", type=Choice(["letter", "a4"]), default="letter", show_default=True,
              help="Paper of the brief.")  # fmt: skip
@click.option("--style", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              metavar="FILE", help="Your own style sheet for the brief.")  # fmt: skip
@together(json_option, plot_option)
@out_option("Folder to write: a brief, and tables, draws and figures.", folder=True, required=True)
@replace_option
def run(
    archive: Path | None,
    source: str | None,
    against: str | None,
    target: str,
    samples: int,
    paper: str,
    style: Path | None,
    as_json: bool,
    plot: Path | None,
    replace: bool,
    out: Path,
    **asked: Any,
) -> None:
    """Project a model's forecast under scenarios: print the answer, then write a brief.

    The brief is one page for each place, in one file: the US, and what --locations adds. An effect
    on a drug class acts on the forecast's own deaths of that class; --indicator T40.4 projects the
    class itself.
    """
    if asked["horizon"] is not None and asked["until"] is not None:
        raise click.UsageError("give --horizon or --until, not both")
    check_outputs(("--out", out, ()), ("--plot", plot, FIGURES), read=(source,))
    check_apart(("--out", out), ("--plot", plot))
    check_folder(out, replace)
    projection, panel, meta = projected(open_source(archive, source), **asked, err=as_json)
    projection.against(against)  # an unknown name is refused before anything is written
    if against is not None:
        note("the brief and figures count against the status quo")
    targets: list[str] = [target]
    if target == "both":
        targets = [t for t in TARGETS if t in projection.baseline.targets]
    if as_json:
        json_of(projection, against, meta | {"target": target})
    else:
        show_answer(projection, against)
        click.echo()
        say(CAVEAT)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        made = Path(folder) / "run"
        waiting = _write(projection, panel, targets, samples, against, made / DATA)
        if not all(s.is_null for s in projection.scenarios):
            _write_briefs(projection, panel, waiting, paper, style, made)
        _take_place(made, out)
    click.echo(f"written: {out}/", err=as_json)
    if plot is not None:
        import odforecast.plot as plots

        plots.save(projection.plot(), plot)
        click.echo(f"picture: {plot}", err=as_json)


def _write(
    projection: Projection,
    panel: Panel,
    targets: list[str],
    samples: int,
    against: str | None,
    out: Path,
) -> pd.DataFrame:
    """Tables, draws and figures of a run; what waiting costs is given back."""
    import pandas as pd

    from odforecast.hub import scenario_tasks, scenarios_to_hub, write_hub, write_tasks
    from odforecast.plot import averted, overlay, prevented
    from odforecast.report.scenario_figures import prior_figure, short_titles
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
    _csv(projection.answer(against), out / "answer.csv")
    _csv(projection.outcomes(against), out / "outcomes.csv")
    _csv(projection.averted(against=against), out / "deaths_averted.csv")
    _csv(projection.exposure_table(), out / "exposure.csv")
    where = projection.baseline.locations[0]
    waiting = waiting_costs(projection)
    if not waiting.empty:
        _csv(waiting, out / "cost_of_delay.csv")
    drawn = {
        f"prior_{item.name}": prior_figure(item)
        for item in projection.scenarios
        if not item.is_null
    }
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
    projection: Projection,
    panel: Panel,
    waiting: pd.DataFrame,
    paper: str,
    style: Path | None,
    out: Path,
) -> None:
    from odforecast.report.brief import write_briefs

    write_briefs(projection, out, panel=panel, waiting=waiting, paper=paper, stylesheet=style)


def _csv(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as part:
        for_spreadsheets(table).to_csv(part, index=False, lineterminator="\n")


def check_folder(out: Path, replace: bool) -> None:
    """Refuse a folder that a run would mix with what is in it.

    Raises
    ------
    click.UsageError
        If it is a file, or holds something.
    """
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"--out {out} is a file, give a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    others = sorted(p.name for p in out.iterdir() if not _ours(p.name))
    if others or not any((x / MARK).exists() for x in (out, out / DATA)):
        named = f" ({', '.join(others[:3])})" if others else ""
        raise click.UsageError(f"--out {out} holds other files{named}, give a folder of its own")
    if not replace:
        raise click.UsageError(f"--out {out} holds a run already; --replace takes its place")


def _ours(name: str) -> bool:
    """Whether a run writes a file or folder of this name."""
    return name in (DATA, *_ONCE) or bool(re.fullmatch(r"brief(-[\w.-]+)?\.html", name))


def _take_place(made: Path, out: Path) -> None:
    """The new folder where the old one was: nothing of an earlier run stays beside it."""
    old = made.parent / "old"
    if out.exists():
        out.rename(old)
    made.rename(out)
    if old.exists():
        shutil.rmtree(old)
