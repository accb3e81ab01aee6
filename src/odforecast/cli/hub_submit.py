"""``odforecast hub submit``: a forecast of one of our models, put into a hub."""

from __future__ import annotations

from pathlib import Path

import click

from odforecast.cli.meant import Choice
from odforecast.cli.options import (
    FOLDER,
    Date,
    draws_option,
    json_option,
    locations_option,
    model_option,
    quiet_option,
    seed_option,
    together,
)
from odforecast.cli.screen import note
from odforecast.cli.source import open_source, source_options
from odforecast.cli.written import print_json


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@source_options
@model_option
@click.option("--round", "day", metavar="DATE", type=Date("day", also="all".__eq__),
              help="Round, by its origin_date; 'all' for each.  [default: the last]")  # fmt: skip
@locations_option
@together(draws_option, seed_option, quiet_option)
@click.option("--format", "ending", type=Choice(["parquet", "csv"]), default="parquet",
              show_default=True, help="Of the file.")  # fmt: skip
@json_option
def submit(
    folder: Path,
    archive: Path | None,
    source: str | None,
    model: str,
    day: str | None,
    locations: str,
    draws: int,
    seed: int,
    quiet: bool,
    ending: str,
    as_json: bool,
) -> None:
    """Forecast from what a round of the hub in DIR knew, and submit it under its legal name.

    The file holds all that the round asks for and the model can give: quantiles, the trend's
    probabilities, and samples where the model's draws are joint as the hub wants them.
    """
    from odforecast.cli.made import fit, there
    from odforecast.cli.progress import working
    from odforecast.geography import resolve
    from odforecast.hub.layout import Hub, origins_of
    from odforecast.hub.submission import asked_until, panel_of_round
    from odforecast.hub.submission import submit as put
    from odforecast.models import get_model

    hub = Hub.open(folder)
    forecaster = get_model(model)
    releases = open_source(archive, source)
    dates = list(origins_of(hub))
    chosen = dates if day == "all" else [day or (dates[-1] if dates else "")]
    written = []
    for one in chosen:
        panel = panel_of_round(hub, releases, one)
        places = resolve(locations, panel.locations)
        with working(f"fitting {forecaster.label}, {one}", quiet):
            whole = fit(forecaster, panel, places).forecast(
                asked_until(hub, one), draws=draws, seed=seed
            )
        path = put(whole.select(there(whole, places)), hub, format=ending)
        written.append(hub.relative(path))
        if not as_json:
            click.echo(folder / written[-1])
        for text in whole.warnings:
            note(text, "warning")
    if as_json:
        print_json({"hub": str(folder), "model": forecaster.label, "files": written})
