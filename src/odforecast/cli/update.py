"""``odforecast update``: the monthly habit, in one command."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.screen import grid, note, working, wrapped
from odforecast.cli.source import say_warnings, scenarios_of

if TYPE_CHECKING:
    from odforecast.updating import Change, Update


@opt.command()
@opt.together(
    opt.ARCHIVE,
    opt.LOCATIONS,
    opt.MODEL,
    opt.data("--no-fetch", help="Use the releases you have; do not download."),
    opt.out(
        "Folder of updates: the record, and a folder for each release.  [default: updates, "
        "beside your own archive]",
        (),
    ),
    opt.JSON,
    opt.details(
        "--again",
        more=True,
        help="Forecast a release again with other settings. Its page is rewritten, and the "
        "record keeps both forecasts.",
    ),
    opt.what(
        "--scenario FILE|NAME",
        "scenarios",
        multiple=True,
        more=True,
        help="Also update the probability that scenarios work: those of a file, or a named "
        "prior. Each prior is frozen on its first day. Repeat, or use commas.",
    ),
    opt.what(
        "--series FILE",
        type=opt.FILE,
        multiple=True,
        more=True,
        about="scenarios",
        help="Another series to learn from, with --scenario (CSV: month,value,elasticity).",
    ),
    opt.DRAWS,
    opt.SEED,
    opt.data("--url URL", more=True, help=f"Server to download from.  [default: {opt.CDC}]"),
)
def update(
    archive: Path | None,
    locations: str,
    model: str,
    no_fetch: bool,
    out: Path | None,
    again: bool,
    scenarios: tuple[str, ...],
    series: tuple[Path, ...],
    draws: int,
    seed: int,
    url: str | None,
) -> Answer:
    """Fetch the newest release, forecast, and report what changed since last month.

    A folder named by the release gets a page, a hub file and the settings. The forecast, and the
    counts that earlier forecasts were of, are added to record.csv, where no line ever changes. A
    release is forecast only once, so the command can run every day. A release that contradicts
    itself is set aside: then nothing is forecast, and the exit status is 1.
    """
    from odforecast.scenario import read_series
    from odforecast.updating import update as run
    from odforecast.vintage.fetch import Socrata

    opt.check(
        (
            no_fetch and url is not None,
            "--url is a server to download from: leave it out with --no-fetch",
        )
    )
    chosen = scenarios_of(scenarios)
    beside = [read_series(path) for path in series]
    with Socrata(url or opt.CDC, notify=note) as client, working(f"updating with {model}"):
        done = run(
            archive,
            out,
            fetch=not no_fetch,
            model=model,
            locations=locations,
            draws=draws,
            seed=seed,
            again=again,
            scenarios=chosen,
            series=beside,
            client=client,
        )
        if opt.given("as_json"):
            return Answer(data=_plain(done))
        return Answer("\n\n".join(_screen(done)))


def _screen(done: Update) -> Iterator[str]:
    """What is new and what changed, then the forecast, then the files."""
    from odforecast.updating.changes import sentences
    from odforecast.updating.run import checked

    for text in done.notes:
        note(text)
    for found in done.tracks:
        yield "\n".join(map(wrapped, found.text().splitlines()))
    record = f"record: {done.record_file} ({done.added:,} new lines)"
    if not done.new:
        and_record = "is unchanged" if done.added else "and the record are unchanged"
        text = wrapped(f"Nothing new: {done.folder} {and_record}.")
        yield f"{text}\n{record}" if done.added else text
        return
    forecast = done.forecast
    place = done.place
    say_warnings(forecast)
    for state, reason in forecast.skipped.items():
        note(f"{state}: {reason}", "skipped")
    if done.change.before is None:
        note(*sentences(done.change, place))
    else:
        yield "What changed"
        yield from map(wrapped, sentences(done.change, place))
        yield from _table(done.change, place)
    yield "Forecast"
    yield wrapped(forecast.text(place))
    where = f"written to {done.folder.parent} (--out writes to another folder)"
    files = [f"page: {done.page}", f"hub file: {done.hub_file}", record]
    more = " odforecast data check lists them." if done.flags else ""
    yield "\n".join([wrapped(f"{checked(done.flags)}{more}"), where, *files])


def _table(change: Change, place: str) -> Iterator[str]:
    """The changes at the first place and at those where they are largest."""
    from odforecast.updating import changes

    heads, *rows = changes.table_of(change, place, most=changes.SHOWN)
    if len(rows) > 1:
        title = (
            f"Medians for the 12 months ending in {changes.month_of(change):%B %Y}, the largest "
            "changes relative to their intervals first. The last columns split the change:"
        )
        # The screen is narrow: what the number of draws does is said of the whole change.
        cells = [[*row[:4], *(cell.partition(" ±")[0] for cell in row[4:])] for row in rows]
        names = [head.removeprefix("From ").lower() for head in heads[1:]]
        yield f"{wrapped(title)}\n\n{grid(['', *names], cells)}\n{wrapped(changes.NOTE)}"


def _plain(done: Update) -> dict[str, Any]:
    """An update as JSON can hold it."""
    from odforecast.updating.changes import sentences

    change = done.change
    return {
        **{key: str(getattr(done, key)) for key in ("release", "folder", "page", "hub_file")},
        **{key: list(getattr(change, key)) for key in ("settings", "lost")},
        "new": done.new,
        "notes": list(done.notes),
        "flags": dict(Counter(flag.severity for flag in done.flags)),
        "record": str(done.record_file),
        "lines_added": done.added,
        "before": None if change.before is None else str(change.before),
        "new_months": list(map(str, change.new_months)),
        "counts": change.counts,
        "clocks": [json.loads(found.to_json()) for found in done.tracks],
        "what_changed": sentences(change, done.place),
        "changes": change.table,
    }
