"""``odforecast hub update``: rounds of new releases, and answers that are settled since."""

from __future__ import annotations

from pathlib import Path

import click

from odforecast.cli.options import FOLDER, archive_option, json_option
from odforecast.cli.screen import say
from odforecast.cli.source import open_source
from odforecast.cli.written import print_json


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@archive_option
@json_option
def update(folder: Path, archive: Path | None, as_json: bool) -> None:
    """Add to the hub in DIR a round for each release since, and what is settled by now.

    What is there stays: rounds, submissions, metadata, the page. The archive must hold the releases
    that are rounds already. Fetch the new one first: odforecast data fetch.
    """
    from odforecast.hub import update as grow
    from odforecast.hub.layout import Hub, origins_of

    before = Hub.open(folder)
    hub = grow(before, open_source(archive))
    known, rounds = origins_of(before), origins_of(hub)
    new = [f"{day}, known to {end[:7]}" for day, (_, end) in rounds.items() if day not in known]
    release = hub.admin["additional_metadata"]["truth_release"]
    if as_json:
        print_json({"hub": str(folder), "new_rounds": new, "rounds": len(rounds),
                    "truth_release": release})  # fmt: skip
        return
    said = "; ".join(new) if new else "no new round"
    say(f"{folder}: {said}; {len(rounds)} in all, answers by the release of {release}")
