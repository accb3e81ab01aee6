"""Options that commands share: the same name has the same type, default and help everywhere.

A command is ``@command(...)`` and these constants. It checks what its options write and read
before it works, lists them in groups, and shows the :class:`~odforecast.cli.answer.Answer` that it
returns.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from odforecast import names
from odforecast.errors import DataError, UnknownNameError
from odforecast.names import DEFAULT_MODEL

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
#: An option, what was given with it, and the endings it may have; none for a folder.
type Output = tuple[str, Path | None, tuple[str, ...]]

#: Endings of figures, tables, hub files and pages.
FIGURES = (".png", ".svg", ".pdf")
TABLES = (".csv", ".csv.gz", ".json", ".parquet", ".xlsx")
HUB_FILES = (".csv", ".csv.gz", ".parquet")
PAGES = (".html", ".htm")
#: CDC's server.
CDC = "https://data.cdc.gov"
#: Rows of a table on the screen.
ROWS = 12
#: Groups in which ``--help`` lists options.
WHAT = "What"
DATA = "Data"
OUTPUT = "Output"
MORE = "Details"
PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
#: Where the data are, and what an answer is asked for: who needs them asks :func:`given`.
KNOWN = ("archive", "source", "release", "accept", "as_json", "table", "plot", "html")
_HELP_ALL = f"{__name__}.help_all"
_PLACES = f"{__name__}.places"


# Types


class Date(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A day or a month in any form people write; commands get ``2025-09-17`` or ``2025-09``.

    ``of_year`` is the month that a year alone stands for (for a day: its last day); without it, a
    year alone is refused, and for a day a month too. ``also`` lets other texts pass.
    """

    name = "date"

    def __init__(
        self,
        what: str,
        of_year: int | None = None,
        also: Callable[[str], bool] | None = None,
    ) -> None:
        self.what = what
        self.of_year = of_year
        self.also = also

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


#: A year alone is its January at a start, and its December at an end.
DAY = Date("day")
END_DAY = Date("day", of_year=12)
START_MONTH = Date("month", of_year=1)
END_MONTH = Date("month", of_year=12)


# Options and commands


class Option(click.Option):
    """An option that says where ``--help`` lists it, and which file it writes or reads.

    ``"--since YEAR"`` takes a value; without a word for one, or a type, it is a flag. ``more``:
    listed by ``--help-all`` only. ``writes``: endings of the file it writes; none for a folder.
    ``reads``: it names a file to read. ``about``: the option without which it does nothing.
    """

    def __init__(
        self,
        names: Sequence[str],
        group: str = "Options",
        more: bool = False,
        writes: tuple[str, ...] | None = None,
        reads: bool = False,
        about: str = "",
        **how: Any,
    ) -> None:
        name, _, metavar = names[0].partition(" ")
        if writes is not None:
            how["type"] = FILE if writes else FOLDER
        # Click takes a value of an option that is said to be no flag for optional.
        if metavar:
            how["metavar"] = metavar
        elif "type" not in how:
            how["is_flag"] = True
        how.setdefault("show_default", how.get("default") is not None)
        super().__init__([name, *names[1:]], **how)
        self.group = group
        self.more = more
        self.writes = writes
        self.reads = reads
        self.about = about


#: An :class:`Option` as a decorator, and one of each group.
option = partial(click.option, cls=Option)
what, data, output, details = (partial(option, group=group) for group in (WHAT, DATA, OUTPUT, MORE))


def together(*options: Decorator) -> Decorator:
    """Several options as one, in the order in which ``--help`` lists them."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        """Add them, the last first."""
        for one in reversed(options):
            command = one(command)
        return command

    return add


def given(name: str) -> Any:
    """The value of an option of the command that runs; None where it has no such option."""
    return click.get_current_context().params.get(name)


def was_given(name: str | None) -> bool:
    """Whether somebody typed this parameter."""
    found = click.get_current_context().get_parameter_source(name or "")
    return found == ParameterSource.COMMANDLINE


def refuse(why: str, *names: str) -> None:
    """Refuse options that do not go with what else was asked for."""
    for param in click.get_current_context().command.params:
        if param.name in names and was_given(param.name):
            raise click.UsageError(f"{param.opts[0]} {why}")


def check(*rules: tuple[object, str]) -> None:
    """Refuse the first of several options that do not go together: whether it is so, and why."""
    for wrong, text in rules:
        if wrong:
            raise click.UsageError(text)


class Command(click.Command):
    """A command with grouped options, whose files are checked before it works."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The options, with ``--help-all`` where ``--help`` does not list all."""
        found = super().get_params(ctx)
        if any(getattr(param, "more", False) for param in self.params):
            found.append(
                click.Option(
                    ["--help-all"],
                    is_flag=True,
                    is_eager=True,
                    expose_value=False,
                    callback=_show_all,
                    help="Show every option and exit.",
                )
            )
        return found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options under their groups; those for special cases with ``--help-all``."""
        groups: dict[str, list[tuple[str, str]]] = {x: [] for x in (WHAT, DATA, OUTPUT, MORE)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record and (_HELP_ALL in ctx.meta or not getattr(param, "more", False)):
                groups.setdefault(getattr(param, "group", "Options"), []).append(record)
        last = groups.pop("Options", [])
        for title, rows in [*groups.items(), ("Options", last)]:
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Check the files, do the work, and show its answer."""
        read: list[Any] = []
        outputs = []
        for param in self.params:
            value = ctx.params.get(param.name or "")
            if isinstance(param, click.Argument) and isinstance(param.type, click.Path):
                read += value if isinstance(value, tuple) else [value]
            if not isinstance(param, Option):
                continue
            if param.about and was_given(param.name) and not ctx.params.get(param.about):
                other = next(p for p in self.params if p.name == param.about)
                what = f"{other.opts[0]} {other.make_metavar(ctx)}"
                typed = param.secondary_opts if value is False else param.opts
                raise click.UsageError(f"{typed[0]} is about {what}")
            if value is not None and param.reads:
                read += [file_of(one) for one in (value if param.multiple else [value])]
            if value is not None and param.writes is not None:
                outputs.append((param.opts[0], value, param.writes))
        check_outputs(*outputs, read=read)
        assert self.callback is not None
        takes = inspect.signature(self.callback).parameters
        more = any(p.kind is p.VAR_KEYWORD for p in takes.values())
        kept = {k: v for k, v in ctx.params.items() if k in takes or (more and k not in KNOWN)}
        answer = ctx.invoke(self.callback, **kept)
        if hasattr(answer, "give"):
            answer.give(ctx.params)
        return answer


def _show_all(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_HELP_ALL] = True
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


def check_outputs(*outputs: Output, read: Sequence[Path | str | None] = ()) -> None:
    """Refuse what could not be written, or would be written over a file that is read.

    >>> check_outputs(("--plot", Path("fan.png"), (".png",)), ("--table", None, (".csv",)))
    """
    taken = {Path(path).resolve(): f"{path} is read" for path in read if path is not None}
    for name, path, endings in outputs:
        if path is None:
            continue
        if endings and not path.name.lower().endswith(endings):
            words = f"{str(path)!r} must end in {', '.join(endings)}"
            raise click.BadParameter(words, param_hint=name)
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
    what: str,
    ours: str,
    marks: Sequence[str] = (),
) -> None:
    """Refuse a folder with other files than ours, or one that nobody asked to replace.

    ``ours`` is a pattern of names; one of ``marks`` must be there.
    """
    found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    others = [x for x in found if not re.fullmatch(ours, x)]
    if others or (found and marks and not any((folder / mark).exists() for mark in marks)):
        named = f" ({', '.join(others[:3])})" if others else ""
        why = f"contains other files{named}; give a folder of its own"
        raise click.UsageError(f"{name} {folder} {why}")
    if found and not replace:
        raise click.UsageError(f"{name} {folder} contains {what}; replace it with --replace")


def check_apart(name: str, folder: Path | None, *files: tuple[str, Path | None]) -> None:
    """Refuse files inside a folder that is replaced as a whole."""
    for other, path in files:
        if folder and path is not None and folder.resolve() in path.resolve().parents:
            raise click.UsageError(
                f"{other} {path} is inside the folder of {name}, which is replaced as a whole; "
                "choose another place"
            )


def check_room(path: Path, name: str, folder: bool) -> None:
    """Refuse a file or folder that cannot be made."""
    if path.exists() and path.is_dir() != folder:
        what = "file; give a folder" if folder else "folder; give a file"
        raise click.UsageError(f"{name} {path} is a {what}")
    inside = path.absolute()
    above = next(p for p in ([inside] if folder else []) + list(inside.parents) if p.exists())
    if not above.is_dir():
        raise DataError(f"{name} {path}: {above} is a file, so nothing can be put into it")
    if not os.access(above, os.W_OK | os.X_OK):
        raise DataError(f"{name} {path}: nothing can be written into {above}")


# What is forecast


def _keep_places(ctx: click.Context, _: click.Parameter, words: tuple[str, ...]) -> None:
    """Keep the places, for ``--locations``; New York needs no quotes."""
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
    ctx.meta[_PLACES] = tuple(places)


def _locations(default: str, words: str, more: bool = False) -> Decorator:
    """``--locations PLACES``, or the places that a command takes as words."""

    def join(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str:
        """One text of all places; a misspelled one is refused before anything is loaded."""
        from odforecast.geography.places import check_names

        for text in value:
            check_names(text)
        places = ctx.meta.get(_PLACES, ())
        if places and value:
            raise click.UsageError(f"give places as words or with {param.opts[0]}, not both")
        return ",".join(places or value or (default,))

    return what(
        "--locations PLACES",
        "--state",
        multiple=True,
        callback=join,
        more=more,
        help=f"{words}  [default: {default}]",
    )


def _no_county_option(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Say how to ask for a county."""
    if value is not None:
        raise click.UsageError(
            f"No such option: {param.opts[0]}. For counties: --dataset counties "
            f"--locations '{value}'",
            ctx,
        )


LOCATIONS = _locations(
    "all", "Places by any of their names, with commas: US,Ohio,NYC. Ohio/* means its counties."
)
#: Places as words, or with --locations.
PLACES = together(
    click.argument(
        "places",
        nargs=-1,
        metavar="[PLACE]...",
        is_eager=True,
        expose_value=False,
        callback=_keep_places,
    ),
    _locations("all", "Places, as an option: US,Ohio,NYC.", more=True),
)
BESIDE = _locations("US", "Places shown beside the US, with commas: Ohio,NYC. Or all.")
DATASET = together(
    what(
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
INDICATOR = what(
    "--indicator NAME",
    default="all-drugs",
    help="Deaths to count: CDC's name, or a short one such as T40.4 or cocaine.",
)
MODEL = what(
    "--model NAME",
    default=DEFAULT_MODEL,
    show_default=False,
    help="Forecast model (see odforecast models). NAME+delay first completes the recent months.  "
    f"[default: {DEFAULT_MODEL}; for counties {names.DEFAULT_COUNTY_MODEL}]",
)
UNTIL = what(
    "--until MONTH",
    type=END_MONTH,
    help="Last month to forecast, instead of --horizon: 2028-12.",
)
START, END = (
    what(f"--{which} MONTH", type=kind, help=f"{words} origin, by its last known month: {month}.")
    for which, kind, words, month in (
        ("start", START_MONTH, "First", "2019-01"),
        ("end", END_MONTH, "Last", "2024-04"),
    )
)
TARGET = what(
    "--target",
    type=click.Choice([*names.TARGETS, "both"]),
    default=names.TARGET_12MO,
    more=True,
    help="12-month totals, single months, or both.",
)
LEVEL = what(
    "--level P",
    default=0.9,
    more=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Probability of the intervals.",
)
DRAWS = details(
    "--draws N",
    default=names.DEFAULT_DRAWS,
    more=True,
    type=click.IntRange(min=2),
    help="Number of sample paths.",
)
SEED = details(
    "--seed N",
    default=names.DEFAULT_SEED,
    more=True,
    type=click.IntRange(min=0),
    help="Random seed. The same seed gives the same draws.",
)


def horizon(default: int | str = names.DEFAULT_HORIZON) -> Decorator:
    """``--horizon N``; the command puts in its default where neither it nor --until is given."""
    return what(
        "--horizon N",
        type=click.IntRange(min=1),
        more=True,
        help=f"Months to forecast.  [default: {default}]",
    )


# Data

ARCHIVE = data(
    "--archive DIR",
    type=PATH,
    help="Folder of releases.  [default: your own releases, then the bundled ones]",
)
SOURCE = data(
    "--source FILE",
    reads=True,
    more=True,
    help="A file from CDC instead of an archive, or 'bundled'.",
)
RELEASE = data(
    "--release DATE",
    type=DAY,
    help="Release date of the file, if its name does not start with it: 2024-12-11.",
)
AS_OF, TRUTH_AS_OF = (
    data(name, type=END_DAY, help=f"{words}.  [default: the latest release]")
    for name, words in (
        ("--as-of DATE", "Use only data published by this date"),
        ("--truth-as-of DATE", "Score against the release known on this date"),
    )
)
MIN_TRUTH_AGE = data(
    "--min-truth-age MONTHS",
    default=12,
    type=click.IntRange(min=0),
    help="Score only counts that were at least this old in the release scored against.",
)
POPULATION = data(
    "--population FILE",
    type=click.Path(
        path_type=Path,
        dir_okay=False,
        exists=True,
    ),
    more=True,
    reads=True,
    help="County populations from the Census Bureau. Adds deaths per 100,000 people.",
)

# Output

ACCEPTS = "Use a file that contradicts itself. The reason stays with every result."
JSON = output("--json", "as_json", help="Print JSON. Everything else goes to standard error.")
PLOT, HTML, TABLE = (
    output(f"--{name} FILE", writes=endings, help=words)
    for name, endings, words in (
        ("plot", FIGURES, f"Write a figure: {', '.join(FIGURES)}."),
        ("html", PAGES, "Write a web page in one file."),
        ("table", TABLES, f"Write the whole table: {', '.join(TABLES)}."),
    )
)
ROWS_SHOWN = output(
    "--rows N",
    default=ROWS,
    more=True,
    type=click.IntRange(min=0),
    help="Number of places on the screen; 0 for all.",
)


def replace(about: str = "") -> Decorator:
    """``--replace``, which is about another option, if that may be left out."""
    return output(
        "--replace",
        more=True,
        about=about,
        help="Replace what an earlier run wrote into the folder.",
    )


def out(
    words: str,
    writes: tuple[str, ...],
    *,
    required: bool = False,
    more: bool = False,
) -> Decorator:
    """``--out FILE``, or ``--out DIR`` where ``writes`` is empty."""
    name = "--out FILE" if writes else "--out DIR"
    return output(
        name,
        required=required,
        writes=writes,
        more=more,
        help=words,
    )
