"""The 52 checks by hubValidations' names, and what checking a hub found."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from odforecast.say import number_of, plain, quoted

#: What a check came to; of several files, the first of these that it came to in one.
Status = Literal["failed", "passed", "not run"]

#: Broken places of a check that are named; all are counted.
SHOWN: Final = 5
_WIDTH: Final = 80


@dataclass(frozen=True)
class Known:
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


with Path(__file__).with_name("checks.csv").open(encoding="utf-8", newline="") as _table:
    #: All checks, in hubValidations' order, which is that in which they are run.
    CHECKS: tuple[Known, ...] = tuple(
        msgspec.convert(row, Known, strict=False) for row in csv.DictReader(_table)
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
        return self.said()

    def said(self, place: str = "column") -> str:
        """The line that a message has; ``place`` is what ``column`` is called."""
        where = [f"row {self.row:,}"] if self.row is not None else []
        if self.column is not None:
            where.append(f"{place} {plain(self.column, 200)}")
        if self.value is not None:
            where.append(f"value {quoted(self.value)}")
        text = plain(self.message, 600)
        return f"{', '.join(where)}: {text}" if where else text


#: What a check finds: places; a number stands for that many more, which are not named.
type Found = Iterable[Finding | int]


def broken(
    bad: object, message: str, column: str | None = None, value: object = None
) -> list[Finding]:
    """One place, if it is broken."""
    return [Finding(message, None, column, None if value is None else str(value))] if bad else []


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
    def of(cls, name: str, file: str, found: Found, note: str = "") -> Outcome:
        """The outcome of a check that was run."""
        every = list(found)
        places = [x for x in every if isinstance(x, Finding)]
        count = len(places) + sum(x for x in every if isinstance(x, int))
        if not places:
            return cls(name, "passed", file, note)
        return cls(name, "failed", file, "", tuple(places[:SHOWN]), count)

    def lines(self) -> list[str]:
        """The broken places, a line each, and how many more there are."""
        place = "at" if self.name in ("valid_config", "metadata_matches_schema") else "column"
        found = [finding.said(place) for finding in self.findings]
        if self.count > len(found):
            found.append(f"{self.count - len(found):,} more such places")
        head = f"{plain(self.file, 200)}, " if self.file else ""
        return [head + line for line in found]


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

    def of(self, name: str) -> tuple[Outcome, ...]:
        """Outcomes of one check, one a file."""
        return tuple(x for x in self.outcomes if x.name == name)

    def status(self, name: str) -> Status:
        """Failed if it failed in a file; passed if it was run in one; not run else."""
        return min((x.status for x in self.of(name)), key=get_args(Status).index, default="not run")

    def reason(self, name: str) -> str:
        """What the table says beside the status: files, or why it was not run."""
        outcomes, status = self.of(name), self.status(name)
        same = [x for x in outcomes if x.status == status]
        notes = list(dict.fromkeys(x.reason for x in same if x.reason))
        if status == "not run":
            why = notes or [self.reasons.get(name, "")]
            return "; ".join([*why[:2], *[f"{len(why) - 2} more reasons"] * (len(why) > 2)])
        if status == "failed":
            places = number_of(sum(x.count for x in same), "broken place")
            return f"{places} in {len(same)} files" if len(same) > 1 else places
        kind = "data sets" if "_dataset_" in name else "files"
        files = f"{len(same)} {kind}" if len(same) > 1 else ""
        others = len(outcomes) - len(same)
        rest = f"not run in {others} more" if others else ""
        return "; ".join(x for x in (files, rest, *notes) if x)

    def __len__(self) -> int:
        return len(CHECKS)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """The same for a program, as ``odforecast hub check --json`` prints it."""
        checks = [
            {
                "name": c.name,
                "status": self.status(c.name),
                "why": self.reason(c.name),
                "stops": c.stops,
                "optional": c.optional,
                "files": [{k: v for k, v in asdict(x).items() if k != "name"}
                          for x in self.of(c.name)],
            }
            for c in CHECKS
        ]  # fmt: skip
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
        wide = max(map(len, BY_NAME))
        for name in BY_NAME if everything else ():
            line = f"{name:<{wide}}  {self.status(name):<7}  {plain(self.reason(name), 300)}"
            lines += _wrapped(line.rstrip(), wide + 11)
        for name in self.failed:
            places = (x for one in self.of(name) if one.status == "failed" for x in one.lines())
            lines += ["", *_wrapped(f"{name} failed: {self.reason(name)}")]
            for line in (f"Tests: {BY_NAME[name].says}", *places, f"To fix: {BY_NAME[name].fix}"):
                lines += _wrapped(f"  {line}")
        counts = (f"{len(x)} {y}" for x, y in (
            (self.passed, "passed"), (self.failed, "failed"), (self.not_run, "not run"),
        ))  # fmt: skip
        return "\n".join([*lines, "", f"{len(CHECKS)} checks: {', '.join(counts)}"]).lstrip("\n")


def _wrapped(line: str, indent: int = 4) -> list[str]:
    return textwrap.wrap(
        line, _WIDTH, subsequent_indent=" " * indent, break_long_words=False,
        break_on_hyphens=False, replace_whitespace=False,
    ) or [line]  # fmt: skip
