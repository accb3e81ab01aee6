"""Where a command takes its data from, and the forecast that it makes from them.

Options that several commands share come as one of these: a :class:`Request` says what is forecast,
:class:`Data` from which data, :class:`Simulation` by which model, and :class:`OwnCounts` which
counts of one's own are added.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import odforecast as od
from odforecast import names
from odforecast.cli import options as opt
from odforecast.cli.options import Decorator
from odforecast.cli.screen import note, working
from odforecast.errors import ScenarioError, UnknownNameError, one_of
from odforecast.months import today
from odforecast.names import COUNTIES, DEFAULT_HORIZON, STATES, TARGET_12MO
from odforecast.say import month_name, old_data_note, shown_warnings

if TYPE_CHECKING:
    from odforecast.models import Model

BUNDLED = "bundled"
SCENARIO_FILES = (".yaml", ".yml", ".toml")


@dataclass(frozen=True)
class Request:
    """What is forecast, and how far ahead."""

    #: Places by any of their names, with commas; or all.
    locations: str = "all"
    #: Deaths that are counted: CDC's name, or a short one.
    indicator: str = "all-drugs"
    #: Months ahead; None for the model's usual number.
    horizon: int | None = None
    #: Last month to forecast, instead of a number of months.
    until: str | None = None

    def __post_init__(self) -> None:
        if self.horizon is not None and self.until is not None:
            raise click.UsageError("give --horizon or --until, not both")


@dataclass(frozen=True)
class Data:
    """Which data: the releases of an archive, or one file, as known on a day."""

    #: Folder of releases; None for one's own releases, with the bundled ones beneath.
    archive: Path | None = None
    #: A file of CDC instead, or ``"bundled"``.
    source: str | None = None
    #: Why a file is used although it contradicts itself.
    accept: str | None = None
    #: Release date of a file whose name does not start with it.
    release: str | None = None
    #: Only what was published by this day; None for the latest release.
    as_of: str | None = None

    def open(self, look: bool = False) -> od.Archive:
        """The releases. With ``look``, a file that contradicts itself is shown, not used."""
        if self.accept is not None and self.source in (None, BUNDLED):
            raise click.UsageError(
                "--accept is about a --source FILE; in an archive: data fix accept"
            )
        if self.archive is not None and self.source is not None:
            raise click.UsageError("give --archive or --source, not both")
        if self.release is not None and self.source is None:
            raise click.UsageError(
                "--release is the date of a --source FILE; to use an earlier date of an archive: "
                "--as-of"
            )
        if self.source is None:
            return od.archive(self.archive)
        if self.source == BUNDLED:
            return od.bundled()
        from odforecast.sources.vsrr import read_vsrr
        from odforecast.vintage.bundle import of_file

        loaded = read_vsrr(self.source, self.release)
        for text in loaded.report.notes:
            note(f"{loaded.report.file}: {text}")
        if look:
            return od.Archive.in_memory({loaded.release: loaded.table})
        return of_file(loaded, self.accept)


@dataclass(frozen=True)
class Simulation:
    """Which model makes a forecast, and its draws."""

    #: Name of the model; None for the default one of the data set.
    model: str | None = None
    #: Number of sample paths.
    draws: int = names.DEFAULT_DRAWS
    #: Seed of all random numbers.
    seed: int = names.DEFAULT_SEED

    def find_model(self, dataset: str = STATES) -> Model:
        """The model of that name, or the default one of a data set."""
        default = (
            names.DEFAULT_COUNTY_MODEL if dataset == COUNTIES else names.DEFAULT_MODEL
        )
        return od.get_model(default if self.model is None else self.model)


@dataclass(frozen=True)
class OwnCounts:
    """A state's own, newer counts."""

    #: File of the counts, or ``FILE.xlsx:Sheet``.
    counts: Path | None = None
    #: Whether the last months are complete; None where nobody said so.
    complete: bool | None = None
    #: What columns are, and their headers.
    columns: tuple[tuple[str, str], ...] = ()
    #: The column of dates of a list of deaths.
    date: str = ""
    #: Columns and the value that a row must have to be used.
    where: tuple[tuple[str, str], ...] = ()


# Releases


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


def open_task(name: str, archive: Path | None) -> od.Task:
    """The task of that name, or of that file."""
    return od.Task.load(name, None if archive is None else od.archive(archive))


def find_scenarios(words: Iterable[str]) -> list[od.Scenario]:
    """Scenarios of files, the named ones and the status quo; what has no onset stays open."""
    from odforecast.scenario import NULL, named, prior_names, read_scenarios

    scenarios: list[od.Scenario] = []
    for name in (part.strip() for text in words for part in text.split(",")):
        if Path(name).suffix.lower() in SCENARIO_FILES:
            scenarios.extend(read_scenarios(name))
        elif name == NULL.name:
            scenarios.append(NULL)
        elif name in prior_names():
            scenarios.append(named(name))
        else:
            raise ScenarioError(
                f"--scenario: {name!r} is not a scenario, nor a .yaml or .toml file",
                hint=one_of(name, [NULL.name, *prior_names()]),
            )
    return scenarios


# Own counts


class _CountsFile(click.Path):
    """A file that is there, or ``FILE.xlsx:Sheet``: a sheet of a workbook."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """The path, its sheet with it."""
        super().convert(
            value if Path(value).exists() else opt.file_of(value), param, ctx
        )
        return Path(value)


COUNTS = opt.add_options(
    opt.data_option(
        "--counts FILE",
        type=_CountsFile(dir_okay=False, exists=True),
        advanced=True,
        reads=True,
        help="A state's own, newer deaths: a table by month, or a list with a row per death. "
        "A sheet: FILE.xlsx:Sheet.",
    ),
    opt.data_option(
        "--complete/--not-complete",
        default=None,
        advanced=True,
        about="counts",
        help="Whether the counts of the last months are complete.  [default: asked on a "
        "terminal; otherwise not complete]",
    ),
    opt.columns("counts"),
    opt.data_option(
        "--date COLUMN",
        default="",
        show_default=False,
        advanced=True,
        about="counts",
        help="Of a list of deaths, the column of the dates.",
    ),
    opt.data_option(
        "--where COLUMN=VALUE",
        type=opt.Pair(),
        multiple=True,
        advanced=True,
        about="counts",
        help='Use only rows with this value: "Manner=Accident".',
    ),
)
PUBLISH = opt.output_option(
    "--with-own-counts",
    "publish",
    advanced=True,
    help="Allow pages and hub files that use own counts.",
)


def check_private(
    own_counts: OwnCounts, publish: bool, *files: tuple[str, Path | None]
) -> None:
    """Refuse, before the work, a file for others that would use own counts unasked."""
    if own_counts.counts is None or publish:
        return
    for name, path in files:
        if path is not None:
            raise click.UsageError(
                f"{name} {path} would use your own counts ({own_counts.counts}), which stay with "
                f"you: leave out {name} or --counts, or add --with-own-counts"
            )


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def add_counts(
    panel: od.Panel, own_counts: OwnCounts, as_of: str | None, places: Sequence[str]
) -> od.Panel:
    """The panel with own counts, if there are any; what was read and its new notes are said."""
    if own_counts.counts is None:
        return panel
    from odforecast.geography import NATION
    from odforecast.sources.own import read_own_counts

    # Counts of the nation are refused: with Ohio and the US, a table is of Ohio.
    states = [place for place in places if place != NATION]
    frame = read_own_counts(
        own_counts.counts,
        place=states[0] if len(states) == 1 else "",
        columns=dict(own_counts.columns),
        date=own_counts.date,
        where=dict(own_counts.where),
        say=note,
        warn=partial(note, kind="warning"),
    )
    complete = own_counts.complete
    if complete is None and on_terminal():
        question = f"Could more deaths still be added to the last months in {own_counts.counts}?"
        complete = not click.confirm(question, default=True, err=True)
    # Rows without a day were known today, or on the day that the forecast is made for.
    extended = panel.with_counts(frame, bool(complete), as_of)
    for text in extended.notes[len(panel.notes) :]:
        note(text)
    return extended


def extend_horizon(request: Request, panel: od.Panel, announce: bool = True) -> Request:
    """With own counts and no other wish, the months ahead are counted from their last month."""
    if panel.own is None or request.horizon is not None or request.until is not None:
        return request
    newer = max(int((panel.own.last_month - panel.last_month).astype(int)), 0)
    if newer and announce:
        note(
            f"the {DEFAULT_HORIZON} months ahead are counted from "
            f"{month_name(panel.own.last_month)}, the last month of your own counts"
        )
    return replace(request, horizon=DEFAULT_HORIZON + newer)


# The forecast


def request_options(places: Decorator = opt.PLACES) -> Decorator:
    """What a forecast is made of; places are words and an option, or the option alone."""
    return opt.add_options(
        places,
        opt.INDICATOR,
        opt.MODEL,
        opt.UNTIL,
        opt.AS_OF,
        opt.SOURCES,
        opt.DRAWS,
        opt.SEED,
    )


def open_panel(
    releases: od.Archive,
    request: Request,
    as_of: str | None,
) -> tuple[od.Panel, tuple[str, ...]]:
    """The panel of a day, and the locations asked for."""
    from odforecast.geography import resolve

    vintage = releases.as_of(as_of)
    say_release(vintage, as_of)
    panel = vintage.panel(request.indicator)
    for text in panel.notes:
        if text != vintage.note:
            note(text)
    try:
        return panel, resolve(request.locations, panel.locations)
    except UnknownNameError as error:
        hint = error.hint
        with suppress(UnknownNameError):  # no place at all
            if any(code.isdigit() for code in resolve(request.locations)):
                hint = f"{hint}; for counties: odforecast forecast --dataset counties"
        raise UnknownNameError(error.message, hint=hint) from None


def to_fit(model: Model, panel: od.Panel, places: Sequence[str]) -> od.Panel:
    """What a model is fitted to: the panel, the places asked for, or their states whole."""
    from odforecast.geography.places import by_fips

    if model.spec.by is None or set(places) == set(panel.locations):
        return panel
    if model.spec.by == "state" and panel.dataset == COUNTIES:
        states = {by_fips()[place].state for place in places}
        places = [
            place for place in panel.locations if by_fips()[place].state in states
        ]
    return panel.select(places)


def make_forecast(
    model: Model,
    panel: od.Panel,
    places: Sequence[str],
    request: Request,
    simulation: Simulation,
) -> od.Forecast:
    """The whole forecast that is asked for, with its progress on a terminal."""
    with working(f"fitting {model.label}"):
        fitted = model.fit(to_fit(model, panel, places=places))
        return fitted.forecast(
            request.horizon,
            until=request.until,
            draws=simulation.draws,
            seed=simulation.seed,
        )


def forecast_places(forecast: od.Forecast, places: Sequence[str]) -> list[str]:
    """The places asked for that are forecast; the others are named on standard error.

    Of none, all that were asked for: who selects them is told why.
    """
    for place in places:
        if place not in forecast.locations:
            reason = forecast.skipped.get(place, "the model does not forecast it")
            note(reason, f"skipped {place}")
    return [place for place in places if place in forecast.locations] or list(places)


def model_line(forecast: od.Forecast) -> str:
    """Which model made a forecast, with which seed."""
    spec = forecast.provenance
    model = f"model {spec['label']} (spec {spec['spec_hash']})"
    return f"{model}, {len(forecast.draws)} draws, seed {spec['seed']}"


def say_warnings(forecast: od.Forecast, kind: str = "warning") -> None:
    """Say the warnings of a forecast, and that it goes beyond what was validated."""
    from odforecast.forecasts.text import beyond_validated

    for text in shown_warnings(forecast.warnings):
        note(text, kind)
    if text := beyond_validated(forecast):
        note(text, "warning")


def forecast_meta(
    forecast: od.Forecast,
    panel: od.Panel,
    target: str = TARGET_12MO,
) -> dict[str, Any]:
    """What JSON says of how a forecast was made."""
    from odforecast.forecasts.text import beyond_validated

    warnings = list(forecast.warnings)
    if text := beyond_validated(forecast):
        warnings.append(text)
    return {
        "indicator": panel.indicator,
        "target": target,
        "basis": panel.basis,
        "as_of": str(forecast.as_of),
        "release": str(panel.release),
        "data_hash": panel.data_hash,
        "last_month": str(panel.last_month),
        "end": str(forecast.months[-1]),
        "locations": list(forecast.locations),
        "skipped": dict(forecast.skipped),
        "model": forecast.provenance["label"],
        "spec_hash": forecast.provenance["spec_hash"],
        "draws": len(forecast.draws),
        "seed": int(forecast.provenance["seed"]),
        "odforecast": od.__version__,
        "warnings": warnings,
        "notes": list(panel.notes),
    }
