"""What checking a hub found: per check passed, failed or not run, and where it failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from odforecast.hub.checks.known import BY_NAME, CHECKS, FAILED, NOT_RUN, PASSED, TARGET_SET, Status
from odforecast.say import plain, quoted

#: Broken places of a check that are named; all are counted.
SHOWN: Final = 5


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
        What stands there.
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
            where.append(f"{place} {plain(self.column)}")
        if self.value is not None:
            where.append(f"value {quoted(self.value)}")
        text = plain(self.message, 600)
        return f"{', '.join(where)}: {text}" if where else text


@dataclass(frozen=True)
class Outcome:
    """What one check found in one file.

    Attributes
    ----------
    name : str
        The check, see :data:`odforecast.hub.checks.known.CHECKS`.
    status : str
        ``passed``, ``failed`` or ``not run``.
    file : str
        The file, from the hub's folder on; empty for what is no file's.
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

    def lines(self) -> list[str]:
        """The broken places, a line each, and how many more there are."""
        head = f"{plain(self.file, 200)}, " if self.file else ""
        place = "at" if self.name in ("valid_config", "metadata_matches_schema") else "column"
        found = [f"{head}{finding.said(place)}" for finding in self.findings]
        if self.count > len(found):
            found.append(f"{head}{self.count - len(found):,} more such places")
        return found


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
    >>> from odforecast.hub.checks.outcome import Checks, Outcome
    >>> found = Checks("hub", (Outcome("file_name", "passed", "model-output/a-b/x.csv"),), {})
    >>> found.ok, len(found), found.status("file_name"), found.status("file_n")
    (True, 52, 'passed', 'not run')
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
        found = {x.name for x in self.outcomes if x.status == FAILED}
        return tuple(check.name for check in CHECKS if check.name in found)

    @property
    def passed(self) -> tuple[str, ...]:
        """Names of the checks that were run and failed nowhere."""
        return tuple(check.name for check in CHECKS if self.status(check.name) == PASSED)

    @property
    def not_run(self) -> tuple[str, ...]:
        """Names of the checks that were run nowhere."""
        return tuple(check.name for check in CHECKS if self.status(check.name) == NOT_RUN)

    def of(self, name: str) -> tuple[Outcome, ...]:
        """Outcomes of one check, one a file."""
        return tuple(x for x in self.outcomes if x.name == name)

    def status(self, name: str) -> Status:
        """Failed if it failed in a file; passed if it was run in one; not run else."""
        found = {x.status for x in self.of(name)}
        return FAILED if FAILED in found else PASSED if PASSED in found else NOT_RUN

    def reason(self, name: str) -> str:
        """What the table says beside the status: files, or why not run."""
        outcomes, status = self.of(name), self.status(name)
        same = [x for x in outcomes if x.status == status]
        if status == NOT_RUN:
            why = list(dict.fromkeys(x.reason for x in same)) or [self.reasons.get(name, "")]
            return "; ".join(why[:2]) + (f"; {len(why) - 2} more reasons" if len(why) > 2 else "")
        notes = dict.fromkeys(x.reason for x in same if x.reason)
        if status == PASSED:
            others = len(outcomes) - len(same)
            kind = "data sets" if BY_NAME[name].applies_to == TARGET_SET else "files"
            files = f"{len(same)} {kind}" if len(same) > 1 else ""
            rest = f"not run in {others} more" if others else ""
            return "; ".join(x for x in (files, rest, *notes) if x)
        places = sum(x.count for x in same)
        files = f" in {len(same)} files" if len(same) > 1 else ""
        return f"{places:,} broken place{'s' * (places != 1)}{files}"

    def __len__(self) -> int:
        return len(CHECKS)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def table(self) -> pd.DataFrame:
        """All 52 checks.

        Returns
        -------
        DataFrame
            Columns ``check``, ``status``, ``why`` and ``says``, in hubValidations' order.
        """
        rows = [(c.name, self.status(c.name), self.reason(c.name), c.says) for c in CHECKS]
        return pd.DataFrame(rows, columns=["check", "status", "why", "says"])

    def to_dict(self) -> dict[str, Any]:
        """The same for a program, as ``odforecast hub check --json`` prints it."""
        return {
            "path": self.path,
            "ok": self.ok,
            "checks": [
                {
                    "name": c.name,
                    "status": self.status(c.name),
                    "why": self.reason(c.name),
                    "stops": c.stops,
                    "optional": c.optional,
                    "files": [_as_dict(x) for x in self.of(c.name)],
                }
                for c in CHECKS
            ],
        }

    def __str__(self) -> str:
        from odforecast.hub.checks.text import as_text

        return as_text(self)


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    found = [
        {"row": x.row, "column": x.column, "value": x.value, "message": x.message}
        for x in outcome.findings
    ]
    return {
        "file": outcome.file,
        "status": outcome.status,
        "reason": outcome.reason,
        "count": outcome.count,
        "findings": found,
    }


class Ledger:
    """Outcomes as they come in, of one file after the other."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.reasons: dict[str, str] = {}

    def passed(self, name: str, file: str, note: str = "") -> bool:
        """The check found nothing."""
        self.outcomes.append(Outcome(name, PASSED, file, note))
        return True

    def not_run(self, names: str | Iterable[str], file: str, reason: str) -> None:
        """The checks were not run in this file."""
        for name in [names] if isinstance(names, str) else names:
            self.outcomes.append(Outcome(name, NOT_RUN, file, reason))

    def judged(
        self, name: str, file: str, findings: Sequence[Finding], count: int | None = None
    ) -> bool:
        """Failed if there are findings; whether it passed."""
        if not findings:
            return self.passed(name, file)
        total = len(findings) if count is None else count
        self.outcomes.append(Outcome(name, FAILED, file, "", tuple(findings[:SHOWN]), total))
        return False

    def never(self, names: Iterable[str], reason: str) -> None:
        """The checks are run in no file."""
        for name in names:
            self.reasons.setdefault(name, reason)

    def done(self, path: str) -> Checks:
        """All of it."""
        assert all(x.name in BY_NAME for x in self.outcomes)
        return Checks(path, tuple(self.outcomes), dict(self.reasons))


def first_rows(bad: np.ndarray) -> np.ndarray:
    """Positions of the first places that are named, of a mask."""
    return np.flatnonzero(bad)[:SHOWN]
