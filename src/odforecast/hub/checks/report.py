"""The 52 checks by hubValidations' names, and what checking a hub found."""

from __future__ import annotations

import csv
import re
import stat
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec
import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.hub import layout
from odforecast.hub.layout import Word
from odforecast.say import listed, number_of, plain, quoted
from odforecast.sources.cells import coded_texts, decoded, is_day, read_raw
from odforecast.sources.yaml import BadYamlError, Loader, load

#: What a check came to; of several files, the first of these that it came to in one.
Status = Literal["failed", "passed", "not run"]

#: Broken places of a check that are named; all are counted.
SHOWN: Final = 5
_WIDTH: Final = 80


@dataclass(frozen=True)
class Check:
    """One check as hubValidations' own table of checks lists it.

    Attributes
    ----------
    name : str
        Its name; that of its function where hubValidations gives it none (the four optional).
    says : str
        What it says about a file that passes.
    stops : bool
        Whether the checks after it are not run once it failed.
    applies_to : str
        The function of hubValidations that runs it.
    function : str
        The function of hubValidations that it is.
    optional : bool
        Whether it is run only where a hub's ``validations.yml`` asks for it.
    fix : str
        How to mend what it finds.
    """

    name: str
    says: str
    stops: bool
    applies_to: str
    function: str
    optional: bool = False
    fix: str = ""


with (
    Path(__file__).with_name("checks.csv").open(encoding="utf-8", newline="") as _table
):
    #: All checks, in hubValidations' order, which is that in which they are run.
    CHECKS: tuple[Check, ...] = tuple(
        msgspec.convert(row, Check, strict=False) for row in csv.DictReader(_table)
    )

#: The checks by name.
BY_NAME = {check.name: check for check in CHECKS}


@dataclass(frozen=True)
class Finding:
    """One broken place.

    Attributes
    ----------
    message : str
        What is wrong, and what to do.
    row : int or None
        The line of a CSV file (its header is line 1), the row of any other.
    column : str or None
        The column, or the key of a configuration.
    value : str or None
        What is there.
    """

    message: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        return self.text()

    def text(self, place: str = "column") -> str:
        """The line that a message has; ``place`` is what ``column`` is called."""
        parts = []
        if self.row is not None:
            parts.append(f"row {self.row:,}")
        if self.column is not None:
            parts.append(f"{place} {plain(self.column, 200)}")
        if self.value is not None:
            parts.append(f"value {quoted(self.value)}")
        message = plain(self.message, 600)
        return f"{', '.join(parts)}: {message}" if parts else message


#: What a check finds: places; a number stands for that many more, which are not named.
type Found = Iterable[Finding | int]


def broken(
    bad: object,
    message: str,
    column: str | None = None,
    value: object = None,
) -> list[Finding]:
    """One place, if it is broken."""
    if not bad:
        return []
    text = None if value is None else str(value)
    return [Finding(message, None, column=column, value=text)]


class NotRun(Exception):
    """A check that cannot be run in a file; the message says why."""


class Unreadable(Exception):
    """A file that cannot be read; the message says why, without the file's name."""


@dataclass(frozen=True)
class Outcome:
    """What one check found in one file.

    Attributes
    ----------
    name : str
        The check, see :data:`odforecast.hub.checks.CHECKS`.
    status : str
        ``passed``, ``failed`` or ``not run``.
    file : str
        The file, from the hub's folder on; empty for what is not a file's.
    reason : str
        Why it was not run, or what a passed check has to say; empty else.
    findings : tuple of Finding
        The first broken places.
    count : int
        How many there are.
    """

    name: str
    status: Status
    file: str = ""
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    count: int = 0

    @classmethod
    def from_findings(
        cls, name: str, file: str, findings: Found, note: str = ""
    ) -> Outcome:
        """The outcome of a check that was run."""
        places = []
        count = 0
        for finding in findings:
            if isinstance(finding, Finding):
                places.append(finding)
                count += 1
            else:
                count += finding
        if not places:
            return cls(name, "passed", file=file, reason=note)
        return cls(
            name,
            "failed",
            file=file,
            reason="",
            findings=tuple(places[:SHOWN]),
            count=count,
        )

    def lines(self) -> list[str]:
        """The broken places, a line each, and how many more there are."""
        place = (
            "at"
            if self.name in ("valid_config", "metadata_matches_schema")
            else "column"
        )
        lines = [finding.text(place) for finding in self.findings]
        if self.count > len(lines):
            lines.append(f"{self.count - len(lines):,} more such places")
        head = f"{plain(self.file, 200)}, " if self.file else ""
        return [head + line for line in lines]


@dataclass(frozen=True)
class Checks:
    """What checking a hub, or one file of it, found.

    Attributes
    ----------
    path : str
        What was checked.
    outcomes : tuple of Outcome
        One per check and file, in the order of running.
    reasons : dict of str to str
        Why a check was not run at all.

    Examples
    --------
    >>> from odforecast.hub.checks import Checks, Outcome
    >>> found = Checks("hub", (Outcome("file_name", "passed", "model-output/a-b/x.csv"),), {})
    >>> found.ok, len(found), found.status("file_name"), found.status("file_n")
    (True, 52, 'passed', 'not run')
    >>> print(found)
    52 checks: 1 passed, 0 failed, 51 not run
    """

    path: str
    outcomes: tuple[Outcome, ...]
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed somewhere."""
        return self._with("failed")

    @property
    def passed(self) -> tuple[str, ...]:
        """Names of the checks that were run and failed nowhere."""
        return self._with("passed")

    @property
    def not_run(self) -> tuple[str, ...]:
        """Names of the checks that were run nowhere."""
        return self._with("not run")

    def _with(self, status: Status) -> tuple[str, ...]:
        return tuple(name for name in BY_NAME if self.status(name) == status)

    def outcomes_of(self, name: str) -> tuple[Outcome, ...]:
        """Outcomes of one check, one a file."""
        return tuple(outcome for outcome in self.outcomes if outcome.name == name)

    def status(self, name: str) -> Status:
        """Failed if it failed in a file; passed if it was run in one; not run else."""
        statuses = [outcome.status for outcome in self.outcomes_of(name)]
        return min(statuses, key=get_args(Status).index, default="not run")

    def reason(self, name: str) -> str:
        """What the table says beside the status: files, or why it was not run."""
        status = self.status(name)
        outcomes = [
            outcome for outcome in self.outcomes_of(name) if outcome.status == status
        ]
        n_files = len(outcomes)
        notes = list(
            dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason)
        )
        if status == "not run":
            reasons = notes or [self.reasons.get(name, "")]
            if len(reasons) > 2:
                reasons = [*reasons[:2], f"{len(reasons) - 2} more reasons"]
            return "; ".join(reasons)
        if status == "failed":
            places = number_of(
                sum(outcome.count for outcome in outcomes), "broken place"
            )
            return f"{places} in {n_files} files" if n_files > 1 else places
        parts = []
        if n_files > 1:
            kind = "data sets" if "_dataset_" in name else "files"
            parts.append(f"{n_files} {kind}")
        n_not_run = len(self.outcomes_of(name)) - n_files
        if n_not_run:
            parts.append(f"not run in {n_not_run} more")
        return "; ".join([*parts, *notes])

    def __len__(self) -> int:
        return len(CHECKS)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """The same for a program, as ``odforecast hub check --json`` prints it."""
        checks = []
        for check in CHECKS:
            files = [asdict(outcome) for outcome in self.outcomes_of(check.name)]
            for file in files:
                del file["name"]
            checks.append(
                {
                    "name": check.name,
                    "status": self.status(check.name),
                    "why": self.reason(check.name),
                    "stops": check.stops,
                    "optional": check.optional,
                    "files": files,
                }
            )
        return {"path": self.path, "ok": self.ok, "checks": checks}

    def __str__(self) -> str:
        return self.text()

    def text(self, everything: bool = False) -> str:
        """What failed and where, how to mend it, and one line that sums up.

        Parameters
        ----------
        everything : bool
            Whether the checks that passed or were not run are listed before it.

        Returns
        -------
        str
            Lines of at most 80 columns, but for words that are longer.
        """
        lines = []
        width = max(map(len, BY_NAME))
        for name in BY_NAME if everything else ():
            reason = plain(self.reason(name), 300)
            line = f"{name:<{width}}  {self.status(name):<7}  {reason}"
            lines += _wrapped(line.rstrip(), width + 11)
        for name in self.failed:
            check = BY_NAME[name]
            lines += ["", *_wrapped(f"{name} failed: {self.reason(name)}")]
            lines += _wrapped(f"  Tests: {check.says}")
            for outcome in self.outcomes_of(name):
                for line in outcome.lines() if outcome.status == "failed" else ():
                    lines += _wrapped(f"  {line}")
            lines += _wrapped(f"  To fix: {check.fix}")
        failed = len(self.failed)
        counts = (
            f"{len(self.passed)} passed, {failed} failed, {len(self.not_run)} not run"
        )
        return "\n".join([*lines, "", f"{len(CHECKS)} checks: {counts}"]).lstrip("\n")


def _wrapped(line: str, indent: int = 4) -> list[str]:
    return textwrap.wrap(
        line,
        _WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    ) or [line]


#: Most bytes of a YAML file.
_LARGEST = 2**20
_WHOLE_LIMIT: Final = 2**31
#: How an R type is called in a message.
_CALLED: Final = {
    "double": "number",
    "integer": "whole number",
    "Date": "day such as 2024-07-31",
}
#: How far probabilities may miss a sum of 1: what R's all.equal lets pass.
_SLACK: Final = 1.5e-8

#: The number of each cell's text (-1: none), and the texts.
type Coded = tuple[np.ndarray, Iterable[Word]]


def reason_against(path: Path, root: Path) -> str:
    """Why nothing is read from a path; empty where all is well."""
    try:
        status = path.stat()
        target = path.resolve()
        hub_folder = root.resolve()
    except FileNotFoundError:
        return "a link to nowhere" if path.is_symlink() else "no such file"
    except (OSError, RuntimeError, ValueError) as error:
        return plain(getattr(error, "strerror", None) or error)
    if not target.is_relative_to(hub_folder):
        return "a link out of the hub; put the file itself there"
    if stat.S_ISDIR(status.st_mode):
        return "a folder, not a file"
    return "" if stat.S_ISREG(status.st_mode) else "not a regular file"


def exists(path: Path, root: Path) -> Found:
    """Whether a path is a regular file of the hub."""
    reason = reason_against(path, root)
    return broken(reason, reason)


# Configuration and metadata


@contextmanager
def _unreadable(path: Path, root: Path) -> Iterator[None]:
    """Say why a file cannot be read, without its name."""
    if reason := reason_against(path, root):
        raise Unreadable(reason)
    try:
        yield
    except BadYamlError as error:
        raise Unreadable(str(error)) from None
    except DataError as error:
        raise Unreadable(error.message.removeprefix(str(path)).lstrip(":, ")) from None
    except (OSError, ValueError) as error:
        raise Unreadable(plain(error)) from None


def read_json(path: Path, root: Path) -> dict[str, Any]:
    """Read a JSON object; :class:`Unreadable` names the line where it goes wrong."""
    with _unreadable(path, root):
        return layout.read_json(path)


class Expression(str):
    """R code in a YAML file (``!expr``): text, which nothing here runs."""


def read_yaml(path: Path, root: Path) -> dict[str, Any]:
    """Read a YAML mapping as JSON would hold it: days are text, and so is ``!expr``."""
    with _unreadable(path, root):
        if path.stat().st_size > _LARGEST:
            raise Unreadable(f"larger than {_LARGEST // 2**20} MB")
        mapping = load(decoded(path.read_bytes(), "line"), _Loader)
    if not isinstance(mapping, dict):
        raise Unreadable("must hold names with values")
    return mapping


class _Loader(Loader):
    """Also takes R code, as text."""

    tags = frozenset({"!expr"})


def _day(loader: Any, node: Any) -> str:
    """A day as text."""
    return str(loader.construct_yaml_timestamp(node).isoformat())


_Loader.add_constructor("!expr", lambda _, node: Expression(node.value))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _day)


# Tables


def number(text: Word) -> float:
    """A text as a number; NaN where it is not one."""
    try:
        return float(text) if text is not None and "_" not in text else np.nan
    except ValueError:
        return np.nan


def fits(text: Word, kind: str) -> bool:
    """Whether a text can be read as an R type."""
    if text is None or kind == "character":
        return True
    if kind == "Date":
        return is_day(text)
    if kind == "logical":
        return text.lower() in ("true", "false", "0", "1")
    if kind == "integer":
        return (
            bool(re.fullmatch("-?[0-9]+", text)) and abs(int(text[:20])) < _WHOLE_LIMIT
        )
    is_number = not np.isnan(number(text)) or text.lower() == "nan"
    return is_number and text == text.strip()


def row_key(codes: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """One number per row, equal where all these columns are."""
    if not names:
        return pd.Series(0, index=codes.index)
    return codes.groupby(list(names), sort=False).ngroup()


def values_text(values: Mapping[str, Word]) -> str:
    """Cells of a row by column, for a message."""
    cells = []
    for name, word in values.items():
        cells.append(f"{name} {plain(na(word), 40)}")
    return ", ".join(cells)


def na(text: Word) -> str:
    """A text for a message."""
    return "NA" if text is None else text


@dataclass(frozen=True)
class Rows:
    """A table of texts, and the tests that several checks make of one."""

    #: The number of each cell's text in ``words``, by column.
    codes: pd.DataFrame
    #: The texts of each column, each once; the last is NA.
    words: dict[str, list[Word]]
    #: R types of the columns of a typed file; ``text`` for those of CSV.
    kinds: dict[str, str]
    #: The line of CSV, or the row, that each row is.
    numbers: np.ndarray

    def __contains__(self, name: object) -> bool:
        return name in self.words

    def __len__(self) -> int:
        return len(self.codes)

    def values(self, name: str, parse: Callable[[Word], Any]) -> np.ndarray:
        """What a function makes of each row's text."""
        parsed = np.array([parse(word) for word in self.words[name]])
        values: np.ndarray = parsed[self.codes[name].to_numpy()]
        return values

    def among(self, name: str, values: Iterable[Word]) -> np.ndarray:
        """Mask of the rows whose text is one of some."""
        return self.values(name, frozenset(values).__contains__)

    def distinct(self, name: str, mine: Any = slice(None)) -> list[Word]:
        """Distinct texts of a column, in all rows or some."""
        words = self.words[name]
        return [words[code] for code in self.codes.loc[mine, name].unique()]

    def row(self, names: Iterable[str], i: int) -> dict[str, Word]:
        """A row's texts in some columns."""
        cells = {}
        for name in names:
            code = int(self.codes[name].to_numpy()[i])
            cells[name] = self.words[name][code]
        return cells

    def broken(
        self,
        at: Any,
        message: str | Callable[[int], str],
        column: str | None = None,
        names: Sequence[str] = (),
    ) -> Found:
        """Rows that are broken: the first few, and how many more there are.

        Of one message for all, rows of different texts are named, unless ``names`` tell them apart.
        """
        rows = self.codes.loc[at]
        examples = rows if names or column is None else rows.drop_duplicates(column)
        for i in map(int, examples.index[:SHOWN]):
            value = None
            if not isinstance(message, str):
                text = message(i)
            else:
                text = message
                if column is not None:
                    value = self.row([column], i)[column] or "NA"
            if names:
                text += f": {values_text(self.row(names, i))}"
            yield Finding(text, int(self.numbers[i]), column=column, value=value)
        yield len(rows) - min(len(examples), SHOWN)

    def bad_cells(self, types: Mapping[str, str]) -> Found:
        """Cells of a CSV file that cannot be read as the type of their column."""
        for name, kind in types.items():
            if self.kinds.get(name) == "text" and kind != "character":
                good = self.values(name, partial(fits, kind=kind))
                message = f"is not a {_CALLED.get(kind, kind)}"
                yield from self.broken(~good, message, column=name)

    def bad_types(self, types: Mapping[str, str]) -> Found:
        """Columns of a typed file (Parquet, Arrow) whose type is not that of the configuration."""
        for name, kind in self.kinds.items():
            if kind not in ("text", types.get(name, kind)):
                yield Finding(
                    f"is of type {plain(kind)}; {types[name]} is needed", column=name
                )

    def bad_columns(self, required: Sequence[str]) -> Found:
        """Columns that are missing, and those that are too much."""
        for name in required:
            if name not in self:
                yield Finding("this column is missing", column=name)
        extra = [name for name in self.words if name not in required]
        if extra:
            columns = number_of(len(extra), "unknown column")
            text = (
                f"{columns}: {listed(extra, 3)}; the columns are {listed(required, 20)}"
            )
            yield Finding(text)

    def illegal(
        self, legal: np.ndarray, allowed: Mapping[str, Iterable[Word]]
    ) -> Found:
        """Rows that are not legal: first by values that no row may have, then by combination."""
        findings: list[Finding] = []
        explained = legal
        for name, words in allowed.items():
            values = list(dict.fromkeys(words))
            good = self.among(name, values) | explained
            by_number = {
                number(w): w for w in values if w is not None and fits(w, "double")
            }
            listing = listed([na(word) for word in values], 6)
            for finding in self.broken(~good, "", column=name):
                if isinstance(finding, Finding):
                    text = f"is not a value of this hub's {name} ({listing})"
                    if near := by_number.get(number(finding.value)):
                        text = (
                            f"the hub writes it {quoted(near)}, and texts are compared"
                        )
                    findings.append(replace(finding, message=text))
            explained = explained | ~good
        message = "each value is legal, but not their combination"
        for finding in self.broken(~explained, message, names=list(allowed)):
            if isinstance(finding, Finding):
                findings.append(finding)
        return [*findings, int((~legal).sum()) - len(findings)]

    def repeated(
        self,
        names: Sequence[str],
        content: str,
        name_row: Callable[[int], str] | None = None,
    ) -> Found:
        """Rows that repeat an earlier one in all these columns; ``name_row`` names that one."""
        repeated = self.codes.duplicated(list(names)).to_numpy()
        key = row_key(self.codes, names if repeated.any() else ())

        def message(i: int) -> str:
            """Which row it repeats."""
            first = int((key == key[i]).idxmax())
            row = name_row(first) if name_row else f"row {self.numbers[first]:,}"
            return f"repeats the {content} of {row}"

        return self.broken(repeated, message, names=names)

    def falling(
        self,
        mine: np.ndarray,
        names: Sequence[str],
        column: str,
        ids: Sequence[Word],
    ) -> np.ndarray:
        """Mask of the rows whose value lies below that of the id before, in the order of ids."""
        place = {word: i for i, word in enumerate(ids)}
        table = pd.DataFrame(
            {
                "key": row_key(self.codes[mine], names),
                "place": self.values(
                    "output_type_id", lambda word: place.get(word, -1)
                )[mine],
                "value": self.values(column, number)[mine],
            }
        ).sort_values(["key", "place"])
        same_unit = table["key"].diff() == 0
        falls = same_unit & (table["value"].diff() < 0)
        return np.isin(self.codes.index, table.index[falls])

    def not_one(self, names: Sequence[str], column: str) -> Found:
        """Probabilities of a pmf that do not add up to 1."""
        mine = self.among("output_type", ["pmf"])
        key = row_key(self.codes[mine], names)
        totals = np.bincount(key, self.values(column, number)[mine])
        sums = pd.Series(totals[key], key.index)
        is_one = (sums - 1).abs() <= _SLACK
        bad = sums[~key.duplicated() & ~is_one]
        return self.broken(
            bad.index,
            lambda i: f"its probabilities add up to {bad[i]:g}, not 1",
            column=column,
            names=names,
        )


def read_rows(path: Path, root: Path, parts: Mapping[str, Word] | None = None) -> Rows:
    """Read a CSV, Parquet or Arrow file as texts; an empty cell, and ``NA`` in CSV, is NA.

    ``parts`` are columns with one value, which the folders' names give.
    """
    ending = path.suffix.lower()
    with _unreadable(path, root):
        if ending not in (".csv", ".parquet", ".arrow"):
            raise Unreadable(
                f"ends in {quoted(ending)}; .csv, .parquet and .arrow are read"
            )
        if path.stat().st_size == 0:
            raise Unreadable("an empty file")
        raw = read_raw(path, ending[1:], limit=None)
    coded: dict[str, Coded] = {}
    for name in raw.cells:
        coded[str(name)] = coded_texts(raw.cells[name])
    kinds = dict.fromkeys(coded, "text") | dict(raw.kinds)
    for name, word in (parts or {}).items():
        coded[name] = (np.zeros(len(raw.rows), dtype=np.intp), [word])
        kinds[name] = "text"
    blanks = ("", "NA") if ending == ".csv" else ()
    return rows_of(coded, kinds, numbers=raw.rows, blanks=blanks)


def rows_of(
    coded: Mapping[str, Coded],
    kinds: dict[str, str],
    numbers: np.ndarray,
    blanks: Sequence[str] = (),
) -> Rows:
    """Columns of coded texts, some of which stand for NA."""
    codes = {}
    words: dict[str, list[Word]] = {}
    for name, (number_of_text, texts) in coded.items():
        words[name] = [*texts, None]
        blank = np.array([word is None or word in blanks for word in words[name]])
        codes[name] = np.where(blank[number_of_text], -1, number_of_text)
    table = pd.DataFrame(codes, index=range(len(numbers)))
    return Rows(table, words, kinds=kinds, numbers=numbers)
