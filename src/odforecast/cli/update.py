"""``odforecast update``: the monthly habit, in one command."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.screen import grid, note, working, wrapped
from odforecast.cli.source import Simulation, find_scenarios, say_warnings
from odforecast.names import DEFAULT_MODEL

if TYPE_CHECKING:
    from odforecast.updating import Change, Update


@opt.command()
@opt.add_options(
    opt.ARCHIVE,
    opt.LOCATIONS,
    opt.MODEL,
    opt.data_option("--no-fetch", help="Use the releases you have; do not download."),
    opt.out(
        "Folder of updates: the record, and a folder for each release.  [default: updates, "
        "beside your own archive]",
        (),
    ),
    opt.JSON,
    opt.detail_option(
        "--again",
        advanced=True,
        help="Forecast a release again with other settings. Its page is rewritten, and the "
        "record keeps both forecasts.",
    ),
    opt.what_option(
        "--scenario FILE|NAME",
        "scenarios",
        multiple=True,
        advanced=True,
        help="Also update the probability that scenarios work: those of a file, or a named "
        "prior. Each prior is frozen on its first day. Repeat, or use commas.",
    ),
    opt.what_option(
        "--series FILE",
        type=opt.FILE,
        multiple=True,
        advanced=True,
        about="scenarios",
        help="Another series to learn from, with --scenario (CSV: month,value,elasticity).",
    ),
    opt.DRAWS,
    opt.SEED,
    opt.URL,
)
def update(
    simulation: Simulation,
    archive: Path | None = None,
    locations: str = "all",
    no_fetch: bool = False,
    out: Path | None = None,
    as_json: bool = False,
    again: bool = False,
    scenarios: tuple[str, ...] = (),
    series: tuple[Path, ...] = (),
    url: str | None = None,
) -> Answer:
    """Fetch the newest release, forecast, and report what changed since last month.

    A folder named by the release gets a page, a hub file and the settings. The forecast, and the
    counts that earlier forecasts were of, are added to record.csv, where no line ever changes. A
    release is forecast only once, so the command can run every day. A release that contradicts
    itself is set aside: then nothing is forecast, and the exit status is 5.
    """
    from odforecast.scenario import read_series
    from odforecast.updating import update as run
    from odforecast.vintage.fetch import Socrata

    if no_fetch and url is not None:
        raise click.UsageError(
            "--url is a server to download from: leave it out with --no-fetch"
        )
    model = DEFAULT_MODEL if simulation.model is None else simulation.model
    chosen = find_scenarios(scenarios)
    tables = [read_series(path) for path in series]
    with (
        Socrata(url or opt.CDC, notify=note) as client,
        working(f"updating with {model}"),
    ):
        result = run(
            archive,
            out,
            fetch=not no_fetch,
            model=model,
            locations=locations,
            draws=simulation.draws,
            seed=simulation.seed,
            again=again,
            scenarios=chosen,
            series=tables,
            client=client,
        )
        if as_json:
            return Answer(data=_plain(result))
        return Answer("\n\n".join(_screen(result)))


def _screen(result: Update) -> Iterator[str]:
    """What is new and what changed, then the forecast, then the files."""
    from odforecast.updating.changes import sentences
    from odforecast.updating.run import checked

    for text in result.notes:
        note(text)
    for track in result.tracks:
        yield "\n".join(map(wrapped, track.text().splitlines()))
    record = f"record: {result.record_file} ({result.added:,} new lines)"
    if not result.new:
        and_record = "is unchanged" if result.added else "and the record are unchanged"
        text = wrapped(f"Nothing new: {result.folder} {and_record}.")
        yield f"{text}\n{record}" if result.added else text
        return
    forecast = result.forecast
    place = result.place
    say_warnings(forecast)
    for state, reason in forecast.skipped.items():
        note(f"{state}: {reason}", "skipped")
    if result.change.before is None:
        note(*sentences(result.change, place))
    else:
        yield "What changed"
        yield from map(wrapped, sentences(result.change, place))
        yield from _table(result.change, place)
    yield "Forecast"
    yield wrapped(forecast.text(place))
    check = checked(result.flags)
    if result.flags:
        check += " odforecast data check lists them."
    lines = [
        wrapped(check),
        f"written to {result.folder.parent} (--out writes to another folder)",
        f"page: {result.page}",
        f"hub file: {result.hub_file}",
        record,
    ]
    yield "\n".join(lines)


def _table(change: Change, place: str) -> Iterator[str]:
    """The changes at the first place and at those where they are largest."""
    from odforecast.updating import changes

    heads, *rows = changes.table_of(change, place, most=changes.SHOWN)
    if len(rows) < 2:
        return
    title = (
        f"Medians for the 12 months ending in {changes.month_of(change):%B %Y}, the largest "
        "changes relative to their intervals first. The last columns split the change:"
    )
    # The screen is narrow: what the number of draws does is said of the whole change.
    cells = []
    for row in rows:
        parts = [cell.partition(" ±")[0] for cell in row[4:]]
        cells.append([*row[:4], *parts])
    names = [head.removeprefix("From ").lower() for head in heads[1:]]
    yield f"{wrapped(title)}\n\n{grid(['', *names], cells)}\n{wrapped(changes.NOTE)}"


def _plain(result: Update) -> dict[str, Any]:
    """An update as JSON can hold it."""
    from odforecast.updating.changes import sentences

    change = result.change
    return {
        "release": str(result.release),
        "folder": str(result.folder),
        "page": str(result.page),
        "hub_file": str(result.hub_file),
        "settings": list(change.settings),
        "lost": list(change.lost),
        "places": list(change.places),
        "new": result.new,
        "notes": list(result.notes),
        "flags": dict(Counter(flag.severity for flag in result.flags)),
        "record": str(result.record_file),
        "lines_added": result.added,
        "before": None if change.before is None else str(change.before),
        "new_months": list(map(str, change.new_months)),
        "counts": change.counts,
        "clocks": [json.loads(track.to_json()) for track in result.tracks],
        "what_changed": sentences(change, result.place),
        "changes": change.table,
    }
