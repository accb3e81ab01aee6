"""One vocabulary: every option that two commands share is made here, and nowhere else.

The same word means the same thing in all of them: same metavar, type, default and help. A test
walks every command and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from odforecast.cli.meant import Choice
from odforecast.names import (
    DATASETS,
    DEFAULT_COUNTY_MODEL,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_MODEL,
    DEFAULT_SEED,
    STATES,
    TARGET_12MO,
    TARGETS,
)

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _option(*names: str, **how: Any) -> Decorator:
    return click.option(*names, cls=_Option, **how)


#: Endings of pictures, of tables, of hub files, of pages.
FIGURES = (".png", ".svg", ".pdf")
TABLES = (".csv", ".csv.gz", ".json", ".parquet")
HUB_FILES = (".csv", ".csv.gz", ".parquet")
PAGES = (".html", ".htm")

#: CDC's server.
CDC = "https://data.cdc.gov"
#: What ``--accept`` is for.
ACCEPT = "Use a file that contradicts itself all the same; the reason stays with it."

#: Places on a screen.
ROWS = 12

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


class Date(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A day or a month, in any form that people write; commands get ``2025-09-17`` or ``2025-09``.

    Parameters
    ----------
    what : {"day", "month"}
    of_year : int, optional
        The month that a year alone stands for; for a day, the last day of that month.
        Default: a year alone is refused, and for a day a month too.
    also : callable, optional
        Other texts that are taken as they are.
    """

    name = "date"

    def __init__(
        self, what: str, of_year: int | None = None, also: Callable[[str], bool] | None = None
    ) -> None:
        self.what, self.of_year, self.also = what, of_year, also

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The date as files have it."""
        from odforecast.errors import PanelError
        from odforecast.months import to_day, to_month

        if self.also is not None and self.also(str(value)):
            return str(value)
        try:
            if self.what == "day":
                return str(to_day(value, last=self.of_year is not None))
            return str(to_month(value, self.of_year))
        except PanelError as error:
            self.fail(str(error), param, ctx)


#: Of a year alone, a start is its January, an end its December.
DAY, END_DAY = Date("day"), Date("day", of_year=12)
START_MONTH, END_MONTH = Date("month", of_year=1), Date("month", of_year=12)


class _Places(click.ParamType):  # type: ignore[type-arg]
    """Places by any of their names: a misspelled one is refused before anything is loaded."""

    name = "places"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """The text as it is: which places there are is known only with the data."""
        from odforecast.geography.places import check_names

        check_names(str(value))
        return str(value)


def archive_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--archive DIR``."""
    return _option(
        "--archive",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of releases.  [default: your own, with the bundled ones beneath]",
    )(command)


def source_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--source FILE``, which stands in place of an archive."""
    return _option(
        "--source",
        metavar="FILE",
        help="Instead of an archive, one of CDC's files, or 'bundled'.",
    )(command)


def release_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--release DATE``."""
    return _option(
        "--release",
        type=DAY,
        metavar="DATE",
        help="Release date of a file, where its name does not begin with it: 2024-12-11.",
    )(command)


def as_of_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--as-of DATE``."""
    return _option(
        "--as-of",
        type=END_DAY,
        metavar="DATE",
        help="Day the data are seen from: nothing published later is used.  "
        "[default: the last release]",
    )(command)


def truth_as_of_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--truth-as-of DATE``."""
    return _option(
        "--truth-as-of",
        type=END_DAY,
        metavar="DATE",
        help="Score against the release known that day.  [default: the last release]",
    )(command)


def min_truth_age_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--min-truth-age MONTHS``."""
    return _option(
        "--min-truth-age",
        default=12,
        show_default=True,
        metavar="MONTHS",
        type=click.IntRange(min=0),
        help="Months between a month and the truth's release; younger is not scorable.",
    )(command)


def model_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--model NAME``."""
    return _option(
        "--model",
        metavar="NAME",
        default=DEFAULT_MODEL,
        show_default=f"{DEFAULT_MODEL}, of counties {DEFAULT_COUNTY_MODEL}",
        help="Model, see odforecast models; NAME+delay completes the last months first.",
    )(command)


def dataset_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--dataset``."""
    command = _option(
        "--dataset",
        type=Choice(list(DATASETS)),
        default=STATES,
        show_default=True,
        help="What places are: jurisdictions, or counties by where people lived.",
    )(command)
    county = _option(
        "--county", metavar="NAME", hidden=True, expose_value=False, callback=_no_county_option
    )
    return formerly(county, "--counties")(command)


def _no_county_option(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    """Tell who asks for a county with an option of that name how it is asked for."""
    if value is not None:
        raise click.UsageError(
            f"No such option: {option.opts[0]}. For counties: --dataset counties "
            f"--locations '{value}'",
            ctx,
        )


def population_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--population FILE``."""
    return _option(
        "--population",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="FILE",
        help="People by county, the Census Bureau's file: adds deaths per 100,000.",
    )(command)


def locations_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--locations PLACES``."""
    return _option(
        "--locations",
        type=_Places(),
        metavar="PLACES",
        default="all",
        show_default=True,
        help="By any of their names, commas between them: US,Ohio,NYC; Ohio/* for its counties.",
    )(command)


def beside_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--locations PLACES`` where the nation is always there."""
    return _option(
        "--locations",
        type=_Places(),
        metavar="PLACES",
        default="US",
        show_default=True,
        help="Places beside the US, by any of their names, commas between them: Ohio,NYC; or all.",
    )(command)


def indicator_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--indicator NAME``."""
    return _option(
        "--indicator",
        metavar="NAME",
        default="all-drugs",
        show_default=True,
        help="CDC's name of the count, or a short one: T40.4, cocaine.",
    )(command)


def draws_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--draws N``."""
    return _option(
        "--draws",
        metavar="N",
        default=DEFAULT_DRAWS,
        show_default=True,
        type=click.IntRange(min=2),
        help="Sample paths.",
    )(command)


def seed_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--seed N``."""
    return _option(
        "--seed",
        metavar="N",
        default=DEFAULT_SEED,
        show_default=True,
        type=click.IntRange(min=0),
        help="Seed of all random numbers: the same seed gives the same draws.",
    )(command)


def horizon_option(default: int | str = DEFAULT_HORIZON) -> Decorator:
    """``--horizon N``; its default is the command's, put in where neither it nor --until is given.

    Parameters
    ----------
    default : int or str
        Months, or what stands for them, as ``--help`` says it.
    """
    return _option(
        "--horizon",
        metavar="N",
        type=click.IntRange(min=1),
        help=f"Months ahead.  [default: {default}]",
    )


def until_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--until MONTH``, instead of a horizon."""
    return _option(
        "--until",
        type=END_MONTH,
        metavar="MONTH",
        help="Instead of --horizon, the last month: 2028-12.",
    )(command)


def start_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--start MONTH``."""
    return _option(
        "--start",
        type=START_MONTH,
        metavar="MONTH",
        help="First origin, as the last known month: 2019-01.",
    )(command)


def end_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--end MONTH``."""
    return _option(
        "--end",
        type=END_MONTH,
        metavar="MONTH",
        help="Last origin, as the last known month: 2024-04.",
    )(command)


def target_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--target``."""
    return _option(
        "--target",
        type=Choice([*TARGETS, "both"]),
        default=TARGET_12MO,
        show_default=True,
        help="12-month sums, single months, or both.",
    )(command)


class _Level(click.FloatRange):
    """A number in a range, which ``nan`` is not."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number = float(super().convert(value, param, ctx))
        if number != number:
            self.fail(f"{value} is not a number.", param, ctx)
        return number


def level_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--level P``."""
    return _option(
        "--level",
        metavar="P",
        default=0.9,
        show_default=True,
        type=_Level(0, 1, min_open=True, max_open=True),
        help="Probability of the intervals.",
    )(command)


def rows_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--rows N``."""
    return _option(
        "--rows",
        metavar="N",
        default=ROWS,
        show_default=True,
        type=click.IntRange(min=0),
        help="Places on the screen; 0 for all.",
    )(command)


def plot_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--plot FILE``."""
    return _option(
        "--plot", type=FILE, metavar="FILE", help=f"Picture to write: {', '.join(FIGURES)}."
    )(command)


def html_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--html FILE``."""
    return _option("--html", type=FILE, metavar="FILE", help="Page to write, whole in one file.")(
        command
    )


def table_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--table FILE``."""
    return _option(
        "--table",
        type=FILE,
        metavar="FILE",
        help=f"Table to write, as on the screen but all of it: {', '.join(TABLES)}.",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``."""
    return _option(
        "--json", "as_json", is_flag=True, help="Print JSON, and all else on standard error."
    )(command)


def out_option(words: str, *, folder: bool = False, required: bool = False) -> Decorator:
    """``--out FILE`` or ``--out DIR``: what a command is there to write.

    Parameters
    ----------
    words : str
        What it writes.
    folder : bool
        Whether it is a folder.
    required : bool
        Whether it has to be given.
    """
    return _option(
        "--out",
        type=FOLDER if folder else FILE,
        metavar="DIR" if folder else "FILE",
        required=required,
        help=words,
    )


def replace_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--replace``, for folders: files are always replaced whole."""
    return _option(
        "--replace", is_flag=True, help="Replace what an earlier run wrote into the folder."
    )(command)


def quiet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--quiet``."""
    return _option("--quiet", is_flag=True, help="Show no progress.")(command)


class _Option(click.Option):
    """An option that keeps its former names, and does not list them."""

    former: tuple[str, ...] = ()

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """What ``--help`` says: without former names."""
        every = self.opts
        self.opts = [name for name in every if name not in self.former]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = every


def formerly(option: Decorator, *old: str) -> Decorator:
    """The same option, which its former names still set.

    Parameters
    ----------
    option : decorator
        One of this module's.
    *old : str
        Former names, with their hyphens.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = option(command)
        made = command.__click_params__[-1]  # type: ignore[attr-defined]
        made.former = old
        made.opts = [*made.opts, *old]
        return command

    return add


def together(*options: Decorator) -> Decorator:
    """Several options as one, in the order in which ``--help`` lists them."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
