"""Options that commands share: the same name has the same type, default and help everywhere.

A command is a function under ``@command()`` and these options. It takes all it uses by parameters
and returns an :class:`~odforecast.cli.answer.Answer`. :class:`Command` is the door: it checks what
the options write and read, builds the arguments, and shows the answer.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from odforecast import names
from odforecast.errors import DataError, UnknownNameError
from odforecast.names import DEFAULT_MODEL

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
#: An option, the path given with it, and the endings it may have; none for a folder.
type OutputPath = tuple[str, Path | None, tuple[str, ...]]

#: Endings of figures, tables, hub files and pages.
FIGURES = (".png", ".svg", ".pdf")
TABLES = (".csv", ".csv.gz", ".json", ".parquet", ".xlsx")
HUB_FILES = (".csv", ".csv.gz", ".parquet")
PAGES = (".html", ".htm")
#: CDC's server.
CDC = "https://data.cdc.gov"
#: Probability of an interval.
LEVEL = 0.9
#: Months after which a count is final.
FINAL_AGE = 12
#: Rows of a table on the screen.
ROWS = 12
#: Groups in which ``--help`` lists options, in its order; those of none come last.
WHAT = "What"
DATA = "Data"
OUTPUT = "Output"
DETAILS = "Details"
GROUPS = (WHAT, DATA, OUTPUT, DETAILS)
NO_GROUP = "Options"
PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
#: Where a context notes that every option is to be shown.
_SHOW_ALL = f"{__name__}.show_all"
#: Where it notes that standard output is to be JSON, and that the answer was printed there.
AS_JSON = f"{__name__}.as_json"
ANSWERED = f"{__name__}.answered"


# Types


class Date(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A day or a month in any form people write; commands get ``2025-09-17`` or ``2025-09``.

    ``of_year`` is the month that a year alone stands for (for a day: its last day); without it, a
    year alone is refused, and for a day a month too. ``passes`` tells which other texts pass.
    """

    name = "date"

    def __init__(
        self,
        unit: str,
        of_year: int | None = None,
        passes: Callable[[str], bool] | None = None,
    ) -> None:
        self.unit = unit
        self.of_year = of_year
        self.passes = passes

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The date as files have it."""
        from odforecast.errors import PanelError
        from odforecast.months import to_day, to_month

        if self.passes is not None and self.passes(str(value)):
            return str(value)
        try:
            if self.unit == "day":
                return str(to_day(value, last=self.of_year is not None))
            return str(to_month(value, self.of_year))
        except PanelError as error:
            self.fail(str(error), param, ctx)


class Pair(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Two texts with an equals sign between them, such as ``deaths=Confirmed OD``."""

    name = "pair"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The texts before the sign and after it."""
        if isinstance(value, tuple):
            return value
        first, equals, second = str(value).partition("=")
        if not (first.strip() and equals and second.strip()):
            metavar = getattr(param, "metavar", None) or "NAME=VALUE"
            self.fail(f"{value!r} is not {metavar}", param, ctx)
        return first.strip(), second.strip()


#: A year alone is its January at a start, and its December at an end.
DAY = Date("day")
END_DAY = Date("day", of_year=12)
START_MONTH = Date("month", of_year=1)
END_MONTH = Date("month", of_year=12)


# Options and commands


class Option(click.Option):
    """An option that says where ``--help`` lists it, and which file it writes or reads.

    ``"--since YEAR"`` takes a value; without a word for one, or a type, it is a flag. ``advanced``:
    listed by ``--help-all`` only. ``writes``: endings of the file it writes; none for a folder.
    ``reads``: it names a file to read. ``about``: the option without which it does nothing.
    """

    def __init__(
        self,
        names: Sequence[str],
        group: str = NO_GROUP,
        advanced: bool = False,
        writes: tuple[str, ...] | None = None,
        reads: bool = False,
        about: str = "",
        **settings: Any,
    ) -> None:
        name, _, metavar = names[0].partition(" ")
        if writes is not None:
            settings["type"] = FILE if writes else FOLDER
        # Click takes a value of an option that is said to be no flag for optional.
        if metavar:
            settings["metavar"] = metavar
        elif "type" not in settings:
            settings["is_flag"] = True
        settings.setdefault("show_default", settings.get("default") is not None)
        super().__init__([name, *names[1:]], **settings)
        self.group = group
        self.advanced = advanced
        self.writes = writes
        self.reads = reads
        self.about = about


#: An :class:`Option` as a decorator, and one of each group.
option = partial(click.option, cls=Option)
what_option = partial(option, group=WHAT)
data_option = partial(option, group=DATA)
output_option = partial(option, group=OUTPUT)
detail_option = partial(option, group=DETAILS)


def add_options(*options: Decorator) -> Decorator:
    """Several options as one, in the order in which ``--help`` lists them."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        """Add them, the last first."""
        for decorator in reversed(options):
            command = decorator(command)
        return command

    return add


def refuse(typed: Collection[str], reason: str, *options: str) -> None:
    """Refuse the first typed option that does not go with what else is asked for.

    >>> refuse(("--out",), "is for states", "--target")
    """
    for name in typed:
        if name in options:
            raise click.UsageError(f"{name} {reason}")


def arguments_of(
    function: Callable[..., Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a command's function, from the values of its options.

    A parameter whose type is a dataclass is built of the options with the names of its fields.
    """
    arguments = {}
    for name, parameter in inspect.signature(
        function, eval_str=True
    ).parameters.items():
        kind = parameter.annotation
        arguments[name] = part_of(kind, values) if is_dataclass(kind) else values[name]
    return arguments


def part_of(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass of the options with the names of its fields; the others keep their defaults."""
    return kind(**{x.name: values[x.name] for x in fields(kind) if x.name in values})


class Command(click.Command):
    """A command with grouped options: the door between click and a function of ours.

    The function is called with the options as parameters (:func:`arguments_of`), and where it has
    a parameter ``typed``, with the names of the options that somebody typed.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The options, with ``--help-all`` where ``--help`` does not list all."""
        params = super().get_params(ctx)
        if any(getattr(param, "advanced", False) for param in self.params):
            help_all = click.Option(
                ["--help-all"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_all,
                help="Show every option and exit.",
            )
            params.append(help_all)
        return params

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the options under their groups; those for special cases with ``--help-all``."""
        groups: dict[str, list[tuple[str, str]]] = {
            title: [] for title in (*GROUPS, NO_GROUP)
        }
        for param in self.get_params(ctx):
            if getattr(param, "advanced", False) and _SHOW_ALL not in ctx.meta:
                continue
            record = (
                param.get_help_record(ctx) if isinstance(param, click.Option) else None
            )
            if record:
                groups[getattr(param, "group", NO_GROUP)].append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        """Check the files, do the work, and show its answer."""
        return ctx.invoke(self._work, ctx)

    def _work(self, ctx: click.Context) -> Any:
        """What :meth:`invoke` does, where click adds the usage to errors."""
        from odforecast.cli.answer import Answer, Output

        source = ParameterSource.COMMANDLINE
        typed = [
            p for p in self.params if ctx.get_parameter_source(p.name or "") == source
        ]
        for param in typed:
            self._check_about(ctx, param)
        self._check_files(ctx.params)
        assert self.callback is not None
        values = {**ctx.params, "typed": tuple(param.opts[0] for param in typed)}
        answer = self.callback(**arguments_of(self.callback, values))
        if isinstance(answer, Answer):
            output = part_of(Output, values)
            answer.show(output)
            ctx.meta[ANSWERED] = True
            answer.finish(output)
        return answer

    def _check_about(self, ctx: click.Context, param: click.Parameter) -> None:
        """Refuse an option without the one that it is about."""
        about = getattr(param, "about", "")
        if not about or ctx.params[about]:
            return
        needed = next(p for p in self.params if p.name == about)
        names = (
            param.secondary_opts
            if ctx.params[param.name or ""] is False
            else param.opts
        )
        words = f"{needed.opts[0]} {needed.make_metavar(ctx)}"
        raise click.UsageError(f"{names[0]} is about {words}")

    def _check_files(self, values: Mapping[str, Any]) -> None:
        """Refuse files that could not be written, or that are read, too."""
        read: list[Path | str] = []
        outputs = []
        for param in self.params:
            value = values.get(param.name or "")
            if value is None:
                continue
            paths = value if isinstance(value, tuple) else (value,)
            if isinstance(param, click.Argument) and isinstance(param.type, click.Path):
                read += paths
            elif isinstance(param, Option) and param.reads:
                read += map(file_of, paths)
            elif isinstance(param, Option) and param.writes is not None:
                outputs.append((param.opts[0], value, param.writes))
        check_outputs(*outputs, read=read)


def _show_all(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_SHOW_ALL] = True
        click.echo(ctx.get_help())
        ctx.exit()


#: A function as a :class:`Command`.
command = partial(click.command, cls=Command)


# Outputs


def file_of(path: Path | str) -> Path:
    """The file of ``FILE.xlsx:Sheet``, or of a file without a sheet.

    >>> file_of(Path("data/ohio.xlsx:2025 deaths")).name, file_of(Path("a.csv")).name
    ('ohio.xlsx', 'a.csv')
    """
    file, colon, _ = str(path).rpartition(":")
    return Path(file if colon and file.lower().endswith((".xlsx", ".xlsm")) else path)


def check_outputs(*outputs: OutputPath, read: Sequence[Path | str] = ()) -> None:
    """Refuse what could not be written, or would be written over a file that is read.

    >>> check_outputs(("--plot", Path("fan.png"), (".png",)), ("--table", None, (".csv",)))
    """
    taken = {Path(path).resolve(): f"{path} is read" for path in read}
    for name, path, endings in outputs:
        if path is None:
            continue
        if endings and not path.name.lower().endswith(endings):
            message = f"{str(path)!r} must end in {', '.join(endings)}"
            raise click.BadParameter(message, param_hint=name)
        check_room(path, name, folder=not endings)
        whole = path.resolve()
        if endings and whole in taken:
            raise click.UsageError(f"{name} {path}: {taken[whole]}; give another name")
        taken[whole] = f"{path} is what {name} writes"
        if endings == PAGES:
            from odforecast.report.page import check_page

            check_page(path, replace=True)


def check_folder(
    name: str,
    folder: Path,
    replace: bool,
    content: str,
    pattern: str,
    marks: Sequence[str] = (),
) -> None:
    """Refuse a folder with other files than ours, or one that nobody asked to replace.

    ``content`` is what we write into it, ``pattern`` how our files are called; one of ``marks``
    must be there.
    """
    files = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    foreign = [file for file in files if not re.fullmatch(pattern, file)]
    unmarked = files and marks and not any((folder / mark).exists() for mark in marks)
    if foreign or unmarked:
        listed = f" ({', '.join(foreign[:3])})" if foreign else ""
        reason = f"contains other files{listed}; give a folder of its own"
        raise click.UsageError(f"{name} {folder} {reason}")
    if files and not replace:
        raise click.UsageError(
            f"{name} {folder} contains {content}; replace it with --replace"
        )


def check_outside(
    name: str, folder: Path | None, *files: tuple[str, Path | None]
) -> None:
    """Refuse files inside a folder that is replaced as a whole."""
    if folder is None:
        return
    for option_name, path in files:
        if path is not None and folder.resolve() in path.resolve().parents:
            raise click.UsageError(
                f"{option_name} {path} is inside the folder of {name}, which is replaced as a "
                "whole; choose another place"
            )


def check_room(path: Path, name: str, folder: bool) -> None:
    """Refuse a file or folder that cannot be made."""
    if path.exists() and path.is_dir() != folder:
        kind = "file; give a folder" if folder else "folder; give a file"
        raise click.UsageError(f"{name} {path} is a {kind}")
    whole = path.absolute()
    parents = [whole, *whole.parents] if folder else whole.parents
    above = next(parent for parent in parents if parent.exists())
    if not above.is_dir():
        raise DataError(
            f"{name} {path}: {above} is a file, so nothing can be put into it"
        )
    if not os.access(above, os.W_OK | os.X_OK):
        raise DataError(f"{name} {path}: nothing can be written into {above}")


# What is forecast


def _join_words(
    _ctx: click.Context, _: click.Parameter, words: tuple[str, ...]
) -> tuple[str, ...]:
    """The places among some words; New York needs no quotes."""
    from odforecast.geography.places import check_names

    places = []
    rest = list(words)
    while rest:
        for n in range(len(rest), 0, -1):
            name = " ".join(rest[:n])
            try:
                check_names(name)
            except UnknownNameError:
                if n == 1:
                    raise
            else:
                break
        places.append(name)
        rest = rest[n:]
    return tuple(places)


def _locations(default: str, text: str, advanced: bool = False) -> Decorator:
    """``--locations PLACES``, with the places that a command takes as words."""

    def join(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str:
        """One text of all places; a misspelled one is refused before anything is loaded."""
        from odforecast.geography.places import check_names

        for name in value:
            check_names(name)
        places = ctx.params.pop("places", ())
        if places and value:
            raise click.UsageError(
                f"give places as words or with {param.opts[0]}, not both"
            )
        return ",".join(places or value or (default,))

    return what_option(
        "--locations PLACES",
        "--state",
        multiple=True,
        callback=join,
        advanced=advanced,
        help=f"{text}  [default: {default}]",
    )


def _no_county_option(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> None:
    """Say how to ask for a county."""
    if value is not None:
        raise click.UsageError(
            f"No such option: {param.opts[0]}. For counties: --dataset counties "
            f"--locations '{value}'",
            ctx,
        )


LOCATIONS = _locations(
    "all",
    "Places by any of their names, with commas: US,Ohio,NYC. Ohio/* means its counties.",
)
PLACE_WORDS = click.argument(
    "places",
    nargs=-1,
    metavar="[PLACE]...",
    is_eager=True,
    callback=_join_words,
)
#: Places as words, or with --locations: words are eager, and so there when these are read.
PLACES = add_options(
    PLACE_WORDS,
    _locations("all", "Places, as an option: US,Ohio,NYC.", advanced=True),
)
PLACES_BESIDE_US = _locations(
    "US", "Places shown beside the US, with commas: Ohio,NYC. Or all."
)
CLOCKS = _locations("US", "Places, each with a clock of its own: US,Ohio.")
DATASET = add_options(
    what_option(
        "--dataset",
        type=click.Choice(list(names.DATASETS)),
        default=names.STATES,
        help="Deaths by state, or by county of residence.",
    ),
    option(
        "--county NAME",
        "--counties",
        hidden=True,
        expose_value=False,
        callback=_no_county_option,
    ),
)
INDICATOR = what_option(
    "--indicator NAME",
    default="all-drugs",
    help="Deaths to count: CDC's name, or a short one such as T40.4 or cocaine.",
)
#: Of the data set where nobody names one.
MODEL = what_option(
    "--model NAME",
    help="Forecast model (see odforecast models). NAME+delay first completes the recent months.  "
    f"[default: {DEFAULT_MODEL}; for counties {names.DEFAULT_COUNTY_MODEL}]",
)
UNTIL = what_option(
    "--until MONTH",
    type=END_MONTH,
    help="Last month to forecast, instead of --horizon: 2028-12.",
)
START = what_option(
    "--start MONTH",
    type=START_MONTH,
    help="First origin, by its last known month: 2019-01.",
)
END = what_option(
    "--end MONTH",
    type=END_MONTH,
    help="Last origin, by its last known month: 2024-04.",
)
TARGET = what_option(
    "--target",
    type=click.Choice([*names.TARGETS, "both"]),
    default=names.TARGET_12MO,
    advanced=True,
    help="12-month totals, single months, or both.",
)
INTERVAL = what_option(
    "--level P",
    default=LEVEL,
    advanced=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Probability of the intervals.",
)
DRAWS = detail_option(
    "--draws N",
    default=names.DEFAULT_DRAWS,
    advanced=True,
    type=click.IntRange(min=2),
    help="Number of sample paths.",
)
SEED = detail_option(
    "--seed N",
    default=names.DEFAULT_SEED,
    advanced=True,
    type=click.IntRange(min=0),
    help="Random seed. The same seed gives the same draws.",
)


def horizon(default: int | str = names.DEFAULT_HORIZON) -> Decorator:
    """``--horizon N``; the command puts in its default where neither it nor --until is given."""
    return what_option(
        "--horizon N",
        type=click.IntRange(min=1),
        advanced=True,
        help=f"Months to forecast.  [default: {default}]",
    )


# Data

ARCHIVE = data_option(
    "--archive DIR",
    type=PATH,
    help="Folder of releases.  [default: your own releases, then the bundled ones]",
)
SOURCE = data_option(
    "--source FILE",
    reads=True,
    advanced=True,
    help="A file from CDC instead of an archive, or 'bundled'.",
)
ACCEPT_HELP = "Use a file that contradicts itself. The reason stays with every result."
#: Releases of an archive, or of a file.
SOURCES = add_options(
    ARCHIVE, SOURCE, data_option("--accept REASON", advanced=True, help=ACCEPT_HELP)
)
URL = data_option(
    "--url URL",
    advanced=True,
    help=f"Server to download from.  [default: {CDC}]",
)
RELEASE = data_option(
    "--release DATE",
    type=DAY,
    help="Release date of the file, if its name does not start with it: 2024-12-11.",
)
AS_OF = data_option(
    "--as-of DATE",
    type=END_DAY,
    help="Use only data published by this date.  [default: the latest release]",
)
TRUTH_AS_OF = data_option(
    "--truth-as-of DATE",
    type=END_DAY,
    help="Score against the release known on this date.  [default: the latest release]",
)
MIN_TRUTH_AGE = data_option(
    "--min-truth-age MONTHS",
    default=FINAL_AGE,
    type=click.IntRange(min=0),
    help="Score only counts that were at least this old in the release scored against.",
)


def columns(about: str = "") -> Decorator:
    """``--column NAME=HEADER``: which column of a table is what."""
    return data_option(
        "--column NAME=HEADER",
        "columns",
        type=Pair(),
        multiple=True,
        advanced=True,
        about=about,
        help="What a column of your table is, where its header does not say it: "
        'deaths="Confirmed OD".',
    )


POPULATION = data_option(
    "--population FILE",
    type=EXISTING_FILE,
    advanced=True,
    reads=True,
    help="County populations from the Census Bureau. Adds deaths per 100,000 people.",
)

# Output

JSON = output_option(
    "--json", "as_json", help="Print JSON. Everything else goes to standard error."
)
PLOT = output_option(
    "--plot FILE", writes=FIGURES, help=f"Write a figure: {', '.join(FIGURES)}."
)
HTML = output_option("--html FILE", writes=PAGES, help="Write a web page in one file.")
TABLE = output_option(
    "--table FILE", writes=TABLES, help=f"Write the whole table: {', '.join(TABLES)}."
)
ROWS_SHOWN = output_option(
    "--rows N",
    default=ROWS,
    advanced=True,
    type=click.IntRange(min=0),
    help="Number of places on the screen; 0 for all.",
)


def replace(about: str = "") -> Decorator:
    """``--replace``, which is about another option, if that may be left out."""
    return output_option(
        "--replace",
        advanced=True,
        about=about,
        help="Replace what an earlier run wrote into the folder.",
    )


def out(
    text: str,
    writes: tuple[str, ...],
    *,
    required: bool = False,
    advanced: bool = False,
) -> Decorator:
    """``--out FILE``, or ``--out DIR`` where ``writes`` is empty."""
    name = "--out FILE" if writes else "--out DIR"
    return output_option(
        name,
        required=required,
        writes=writes,
        advanced=advanced,
        help=text,
    )
