"""Where a command takes its data from, and the forecast that it makes from them."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import odforecast as od
from odforecast.cli import options as opt
from odforecast.cli.options import Decorator, together
from odforecast.cli.screen import note, working
from odforecast.errors import ScenarioError, UnknownNameError, one_of
from odforecast.months import today
from odforecast.names import COUNTIES, DEFAULT_HORIZON, STATES, TARGET_12MO
from odforecast.say import month_name, old_data_note, shown_warnings

if TYPE_CHECKING:
    from odforecast.models import Model

BUNDLED = "bundled"
_OPENED = f"{__name__}.opened"
SCENARIO_FILES = (".yaml", ".yml", ".toml")


# Releases


def open_source(look: bool = False) -> od.Archive:
    """The releases of --archive, or of the file of --source; else your own and the bundled ones.

    With ``look``, for commands that show what is in a file, one that contradicts itself is shown
    too; otherwise it needs ``--accept REASON``.
    """
    held = click.get_current_context().meta
    if _OPENED not in held:
        held[_OPENED] = _open(look)
    found: od.Archive = held[_OPENED]
    return found


def _open(look: bool) -> od.Archive:
    """Open the releases."""
    archive, source, release, accept = map(opt.given, ("archive", "source", "release", "accept"))
    opt.check(
        (
            accept is not None and (source is None or str(source) == BUNDLED),
            "--accept is about a --source FILE; in an archive: data fix accept",
        ),
        (archive is not None and source is not None, "give --archive or --source, not both"),
        (
            release is not None and source is None,
            "--release is the date of a --source FILE; to use an earlier date of an archive: "
            "--as-of",
        ),
    )
    if source is None:
        return od.archive(archive)
    if str(source) == BUNDLED:
        return od.bundled()
    from odforecast.sources.vsrr import read_vsrr
    from odforecast.vintage.bundle import of_file

    loaded = read_vsrr(source, release)
    for text in loaded.report.notes:
        note(f"{loaded.report.file}: {text}")
    if look:
        return od.Archive.in_memory({loaded.release: loaded.table})
    return of_file(loaded, accept)


def say_release(vintage: od.Vintage, as_of: str | None) -> None:
    """Which release is used, on standard error, and whether it is old."""
    if vintage.note:
        note(vintage.note)
    click.echo(f"release {vintage.date}", err=True)
    say_age(vintage.date, as_of)


def say_age(release: dt.date, as_of: str | None, dataset: str = STATES) -> None:
    """Say that the newest data are old, unless somebody named a date."""
    if as_of is None and (text := old_data_note(release, today(), dataset=dataset)):
        note(text)


SOURCES = together(
    opt.ARCHIVE, opt.SOURCE, opt.data("--accept REASON", more=True, help=opt.ACCEPTS)
)


def scenarios_of(words: Iterable[str]) -> list[od.Scenario]:
    """Scenarios of files, the named ones and the status quo; what has no onset stays open."""
    found: list[od.Scenario] = []
    for word in (w.strip() for text in words for w in text.split(",")):
        from odforecast.scenario import NULL, named, prior_names, read_scenarios

        if Path(word).suffix.lower() in SCENARIO_FILES:
            found.extend(read_scenarios(word))
        elif word in (NULL.name, *prior_names()):
            found.append(NULL if word == NULL.name else named(word))
        else:
            raise ScenarioError(
                f"--scenario: {word!r} is not a scenario, nor a .yaml or .toml file",
                hint=one_of(word, [NULL.name, *prior_names()]),
            )
    return found


# Own counts


class _CountsFile(click.Path):
    """A file that is there, or ``FILE.xlsx:Sheet``: a sheet of a workbook."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, its sheet with it."""
        super().convert(value if Path(value).exists() else opt.file_of(value), param, ctx)
        return Path(value)


COUNTS = together(
    opt.data(
        "--counts FILE",
        type=_CountsFile(dir_okay=False, exists=True),
        more=True,
        reads=True,
        help="A state's own, newer monthly counts: location, month, "
        "deaths[, as_of]. A sheet: FILE.xlsx:Sheet.",
    ),
    opt.data(
        "--complete/--not-complete",
        default=None,
        more=True,
        about="counts",
        help="Whether the counts of the last months are complete.  [default: asked on a "
        "terminal; otherwise not complete]",
    ),
)
PUBLISH = opt.output(
    "--with-own-counts",
    "publish",
    more=True,
    help="Allow pages and hub files that use own counts.",
)


def check_local(*files: tuple[str, Path | None]) -> None:
    """Refuse, before the work, a file for others that would use own counts unasked."""
    counts = opt.given("counts")
    for name, path in files:
        if counts is not None and path is not None and not opt.given("publish"):
            raise click.UsageError(
                f"{name} {path} would use your own counts ({counts}), which stay with you: leave "
                f"out {name} or --counts, or add --with-own-counts"
            )


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


# The forecast


def own_panel() -> tuple[od.Panel, tuple[str, ...]]:
    """The panel of the day, with own counts, and the locations asked for."""
    as_of, counts, complete = map(opt.given, ("as_of", "counts", "complete"))
    panel, states = open_panel(
        open_source(),
        as_of,
        indicator=opt.given("indicator"),
        locations=opt.given("locations"),
    )
    if counts is None:
        return panel, states
    from odforecast.sources.own import read_own_counts

    frame = read_own_counts(counts)
    if complete is None and on_terminal():
        words = f"Could more deaths still be added to the last months in {counts}?"
        complete = not click.confirm(words, default=True, err=True)
    # Rows without a day were known today, or on the day that the forecast is made for.
    made = panel.with_counts(frame, bool(complete), as_of)
    for text in made.notes[len(panel.notes) :]:
        note(text)
    return made, states


def ahead(panel: od.Panel, said: bool = True) -> int | None:
    """The horizon: with own counts and no other wish, a year after their last month."""
    horizon: int | None = opt.given("horizon")
    if panel.own is None or horizon is not None or opt.given("until") is not None:
        return horizon
    more = max(int((panel.own.last_month - panel.last_month).astype(int)), 0)
    if more and said:
        last = month_name(panel.own.last_month)
        note(
            f"the {DEFAULT_HORIZON} months ahead are counted from {last}, the last month of your "
            "own counts"
        )
    return DEFAULT_HORIZON + more


def make(
    model: Model,
    panel: od.Panel,
    states: Sequence[str],
    horizon: int | None = None,
    until: str | None = None,
) -> od.Forecast:
    """The whole forecast that is asked for, with its progress on a terminal."""
    one_end(*(wished := (opt.given("horizon"), opt.given("until"))))
    with working(f"fitting {model.label}"):
        return model.fit(to_fit(model, panel, places=states)).forecast(
            horizon or wished[0],
            until=until or wished[1],
            draws=opt.given("draws"),
            seed=opt.given("seed"),
        )


def one_end(horizon: int | None, until: str | None) -> None:
    """Refuse two ends of a forecast."""
    opt.check((horizon is not None and until is not None, "give --horizon or --until, not both"))


def request_options(places: Decorator = opt.PLACES) -> Decorator:
    """What a forecast is made of; places are words and an option, or the option alone."""
    return together(
        places, opt.INDICATOR, opt.MODEL, opt.UNTIL, opt.AS_OF, SOURCES, opt.DRAWS, opt.SEED
    )


def open_panel(
    releases: od.Archive,
    as_of: str | None,
    indicator: str,
    locations: str,
) -> tuple[od.Panel, tuple[str, ...]]:
    """The panel of a day, and the locations asked for."""
    from odforecast.geography import resolve

    vintage = releases.as_of(as_of)
    say_release(vintage, as_of)
    panel = vintage.panel(indicator)
    for text in panel.notes:
        if text != vintage.note:
            note(text)
    try:
        return panel, resolve(locations, panel.locations)
    except UnknownNameError as error:
        hint = error.hint
        with suppress(UnknownNameError):  # no place at all
            if any(code.isdigit() for code in resolve(locations)):
                hint = f"{hint}; for counties: odforecast forecast --dataset counties"
        raise UnknownNameError(error.message, hint=hint) from None


def to_fit(model: Model, panel: od.Panel, places: Sequence[str]) -> od.Panel:
    """What a model is fitted to: the panel, the places asked for, or their states whole."""
    from odforecast.geography.places import by_fips

    if model.spec.by is None or set(places) == set(panel.locations):
        return panel
    if model.spec.by == "state" and panel.dataset == COUNTIES:
        states = {by_fips()[s].state for s in places}
        places = [s for s in panel.locations if by_fips()[s].state in states]
    return panel.select(places)


def there(made: od.Forecast, states: Sequence[str]) -> list[str]:
    """The locations asked for that are forecast; the others are named on standard error.

    Of none, all that were asked for: who selects them is told why.
    """
    for state in states:
        if state not in made.locations:
            reason = made.skipped.get(state, "the model does not forecast it")
            note(reason, f"skipped {state}")
    return [s for s in states if s in made.locations] or list(states)


def how(made: od.Forecast) -> str:
    """Which model made a forecast; its warnings go to standard error now."""
    say_warnings(made)
    said = made.provenance
    n = len(made.draws)
    return f"model {said['label']} (spec {said['spec_hash']}), {n} draws, seed {said['seed']}"


def say_warnings(made: od.Forecast, kind: str = "warning") -> None:
    """Say the warnings of a forecast, and that it goes beyond what was validated."""
    from odforecast.forecasts.text import beyond_validated

    for text in shown_warnings(made.warnings):
        note(text, kind)
    if far := beyond_validated(made):
        note(far, "warning")


def about(made: od.Forecast, panel: od.Panel, target: str = TARGET_12MO) -> dict[str, Any]:
    """What JSON says of how a forecast was made."""
    from odforecast.forecasts.text import beyond_validated

    far = beyond_validated(made)
    said = made.provenance
    return {
        "indicator": panel.indicator,
        "target": target,
        "basis": panel.basis,
        "as_of": str(made.as_of),
        "release": str(panel.release),
        "data_hash": panel.data_hash,
        "last_month": str(panel.last_month),
        "end": str(made.months[-1]),
        "locations": list(made.locations),
        "skipped": dict(made.skipped),
        "model": said["label"],
        "spec_hash": said["spec_hash"],
        "draws": len(made.draws),
        "seed": int(said["seed"]),
        "odforecast": od.__version__,
        "warnings": [*made.warnings, *([far] if far else [])],
        "notes": list(panel.notes),
    }
