"""Public copies of CDC's past releases: which there are, and whether bytes are those listed.

CDC overwrites its table every month. What it said before survives where somebody put a file into
a public repository; ``bundled/past_releases.csv`` lists such copies, each pinned by a commit. The
copies of one release stand in the order in which they are tried: whole and verifiable ones first.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.publication import publication_date
from odforecast.say import of_path, plain, quoted
from odforecast.seeds import content_hash
from odforecast.sources.table import PERCENT_SPECIFIED

#: What a list needs; it may have more.
COLUMNS = ("release_date", "release_basis", "last_month", "repository", "commit", "path",
           "git_blob", "sha256", "contents_read")  # fmt: skip
_FORMS = {
    "release_basis": re.compile(r"known|inferred"),
    "last_month": re.compile(r"\d{4}-(0[1-9]|1[0-2])"),
    "repository": re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+"),
    "commit": re.compile(r"[0-9a-f]{40}"),
    "path": re.compile(r"(?!/)(?!(.*/)?\.{1,2}(/|$))[^\\\x00-\x1f\x7f]+"),
    "git_blob": re.compile(r"([0-9a-f]{40})?"),
    "sha256": re.compile(r"([0-9a-f]{64})?"),
    "contents_read": re.compile(r"yes|no"),
}
#: What Git keeps of a file that lies in large-file storage.
_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Copy:
    """A public copy of a past release.

    Attributes
    ----------
    release : datetime.date
        Release date; a guess where ``settled`` is false.
    basis : {"known", "inferred"}
        Whether CDC's date is known, or inferred from the last month by CDC's calendar.
    last_month : str
        ``"2024-07"``, the last month in the file.
    settled : bool
        Whether the list was made from the file's contents.
    repository, commit, path : str
        Where it lies on GitHub.
    sha256, git_blob : str
        Of its bytes; empty where unknown. Git's is the SHA-1 of ``blob LENGTH\\0`` and the bytes.
    note : str
        What to know of it.
    """

    release: dt.date
    basis: str
    last_month: str
    settled: bool
    repository: str
    commit: str
    path: str
    sha256: str = ""
    git_blob: str = ""
    note: str = ""

    def __str__(self) -> str:
        return plain(f"{self.repository}: {self.path}", 160)

    @property
    def place(self) -> str:
        """Repository, commit and path in one."""
        return f"{self.repository}@{self.commit}:{self.path}"

    @property
    def key(self) -> str:
        """Short name of the place."""
        return content_hash(self.repository, self.commit, self.path)

    @property
    def check(self) -> str:
        """What its bytes can be checked by: ``"sha256"``, ``"git blob"`` or ``""``."""
        return "sha256" if self.sha256 else "git blob" if self.git_blob else ""

    def url(self, base: str) -> str:
        """Address of the file on a server of raw files.

        Examples
        --------
        >>> copy = Copy(dt.date(2024, 2, 14), "inferred", "2023-09", False, "a/b", "0" * 40,
        ...             "my data/Counts (1).csv")
        >>> copy.url("https://host")[-30:]
        'my%20data/Counts%20%281%29.csv'
        """
        return f"{base.rstrip('/')}/{self.repository}/{self.commit}/{quote(self.path)}"

    def verify(self, content: bytes) -> None:
        """Refuse bytes that are not those listed.

        Raises
        ------
        DataError
            If their hash is another, or they are no file but what points to one.
        """
        if content.startswith(_POINTER):
            raise DataError(
                f"{self}: the repository holds a pointer to a large file, not the file",
                hint="nothing of it is used",
            )
        for name, listed, found in (
            ("SHA-256", self.sha256, sha256(content)),
            ("git blob hash", "" if self.sha256 else self.git_blob, git_blob(content)),
        ):
            if listed and found != listed:
                raise DataError(
                    f"{self}: {len(content):,} bytes with the {name} {found[:12]}…, and the list "
                    f"says {listed[:12]}…",
                    hint="this is not the copy that was listed; nothing of it is used",
                )


def sha256(content: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes) -> str:
    """What Git calls a file with these bytes.

    Examples
    --------
    >>> git_blob(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    # No secret rests on SHA-1 here: it is the only hash that is known of these files.
    head = b"blob %d\0" % len(content)
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


@cache
def past_copies() -> tuple[Copy, ...]:
    """The copies that odforecast knows of, oldest release first.

    Examples
    --------
    >>> copies = past_copies()
    >>> len(copies), len({c.release for c in copies}), str(copies[0].release)
    (52, 38, '2017-09-13')
    """
    file = resources.files("odforecast.vintage") / "bundled" / "past_releases.csv"
    return _parsed(file.read_text(encoding="utf-8"), "past_releases.csv")


def read_copies(file: str | os.PathLike[str]) -> tuple[Copy, ...]:
    """Copies of a list in the columns of odforecast's own, :data:`COLUMNS`.

    Parameters
    ----------
    file : path
        CSV. The copies of one release are tried in the order in which they stand.

    Raises
    ------
    DataError
        If a row cannot be understood; it is named.
    """
    file = Path(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "no UTF-8 text"
        raise DataError(f"cannot read {of_path(file)}: {why}", hint="give a CSV file") from error
    return _parsed(text, of_path(file.name))


def settle(copy: Copy, last_month: str, listed: Iterable[Copy]) -> tuple[dt.date, str]:
    """Release date of a copy, now that its last month has been read, and how it is known.

    Parameters
    ----------
    copy : Copy
    last_month : str
        ``"2024-07"``, as read from the file.
    listed : iterable of Copy
        Copies with dates: a release has one date, whichever copy it is read from.

    Raises
    ------
    DataError
        If the list was made from the contents, and the file ends elsewhere.

    Examples
    --------
    >>> guess = next(c for c in past_copies() if c.last_month == "2024-06")
    >>> settle(guess, "2024-06", past_copies())
    (datetime.date(2024, 11, 13), 'last month')
    >>> settle(guess, "2024-05", past_copies())
    (datetime.date(2024, 10, 15), 'last month')
    """
    if copy.settled and last_month != copy.last_month:
        raise DataError(
            f"{copy}: ends in {last_month}, and the list says {copy.last_month}",
            hint="nothing of it is used",
        )
    if copy.settled or (last_month == copy.last_month and copy.basis == "known"):
        return copy.release, copy.basis
    same = [c for c in (copy, *listed) if c.last_month == last_month]
    date = same[0].release if same else publication_date(last_month)
    if date > dt.date.today():
        raise DataError(
            f"{copy}: ends in {last_month}, which CDC publishes about {date}",
            hint="nothing of it is used",
        )
    return date, "last month"


@dataclass(frozen=True)
class Comparison:
    """Two copies of one release, cell by cell.

    Attributes
    ----------
    cells : int
        Reported counts that at least one of them has.
    differ : int
        How many the other has not, or otherwise.
    example : str
        The first of those, in words.
    """

    cells: int
    differ: int
    example: str


def compare(first: pd.DataFrame, second: pd.DataFrame) -> Comparison:
    """Compare the reported counts of two canonical tables; a blank and no row are the same.

    Examples
    --------
    >>> import odforecast as od
    >>> one = od.bundled().as_of().table
    >>> other = one.copy()
    >>> other.loc[5, "reported"] += 1
    >>> compare(one, other).example
    'US 2015-06, Number of Drug Overdose Deaths: 49,691 and 49,692'
    """
    keys = ["state", "month", "indicator"]
    rows = [
        t.loc[t["reported"].notna() & (t["indicator"] != PERCENT_SPECIFIED), [*keys, "reported"]]
        for t in (first, second)
    ]
    both = rows[0].merge(rows[1], on=keys, how="outer", suffixes=("_1", "_2"), sort=True)
    one, two = (both[f"reported_{i}"].to_numpy() for i in (1, 2))
    wrong = np.flatnonzero(one != two)  # a blank differs from everything
    example = ""
    if len(wrong):
        row = both.iloc[wrong[0]]
        said = ["blank" if pd.isna(x) else f"{x:,.0f}" for x in (one[wrong[0]], two[wrong[0]])]
        example = f"{row['state']} {row['month']:%Y-%m}, {row['indicator']}: {' and '.join(said)}"
    return Comparison(len(both), len(wrong), example)


def _parsed(text: str, name: str) -> tuple[Copy, ...]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found: dict[str, Copy] = {}
    try:
        missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
        if missing:
            raise DataError(
                f"{name}: no column {missing[0]}", hint=f"it needs {', '.join(COLUMNS)}"
            )
        for row in reader:
            copy = _copy(row, f"{name}, line {reader.line_num}")
            if copy.key in found:
                raise DataError(
                    f"{name}, line {reader.line_num}: {copy} at that commit stands there twice",
                    hint="leave one out",
                )
            found[copy.key] = copy
    except csv.Error as error:
        raise DataError(f"{name}: no CSV ({error})", hint="save it as CSV") from error
    if not found:
        raise DataError(f"{name}: no copies", hint=f"a row needs {', '.join(COLUMNS)}")
    return tuple(sorted(found.values(), key=lambda c: c.release))  # stable: the order counts


def _copy(row: Mapping[str, str | None], where: str) -> Copy:
    cells = {name: row.get(name) or "" for name in COLUMNS}
    for name, form in _FORMS.items():
        if not form.fullmatch(cells[name]):
            raise DataError(
                f"{where}: {name} {quoted(cells[name])} is none", hint="correct the cell"
            )
    try:
        date = dt.date.fromisoformat(cells["release_date"])
    except ValueError as error:
        raise DataError(
            f"{where}: release_date {quoted(cells['release_date'])} is no day",
            hint="write it as 2024-12-11",
        ) from error
    return Copy(
        date, cells["release_basis"], cells["last_month"], cells["contents_read"] == "yes",
        cells["repository"], cells["commit"], cells["path"], cells["sha256"], cells["git_blob"],
        row.get("note") or "",
    )  # fmt: skip
