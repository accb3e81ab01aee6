"""Past releases: the public copies there are, and how they are downloaded, checked and kept.

CDC overwrites its table every month. What it said before survives where somebody put a file into
a public repository; ``bundled/past_releases.csv`` lists such copies, each pinned by a commit. The
copies of one release stand in the order in which they are tried: whole and verifiable ones first.

A copy is checked by its hash where one is known, read like any file, and added like any file: one
that contradicts itself is stored apart. Bytes that were downloaded lie in ``downloads/past/`` of
the archive's folder, named by place and hash, and are not asked for again.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import gzip
import hashlib
import io
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd

from odforecast.errors import ArchiveError, DataError, DownloadError, QuarantineError
from odforecast.io import replacing
from odforecast.names import COUNTIES, DATASETS, STATES
from odforecast.publication import publication_date
from odforecast.say import of_path, plain, quoted
from odforecast.seeds import content_hash
from odforecast.sources.county import Counties
from odforecast.sources.read import read_raw
from odforecast.sources.release import Release
from odforecast.sources.table import PERCENT_SPECIFIED, table_hash, to_date
from odforecast.sources.vsrr import Loaded, interpret
from odforecast.vintage import ledger
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import folder_archive
from odforecast.vintage.ledger import Origin
from odforecast.vintage.socrata import Client, UnreachableError

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
_FIX = "correct the cell; a day is written as 2024-12-11"
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
        name, listed, found = "SHA-256", self.sha256, sha256(content)
        if not listed:
            name, listed, found = "git blob hash", self.git_blob, git_blob(content)
        if listed and found != listed:
            raise DataError(
                f"{self}: {len(content):,} bytes with the {name} {found[:12]}…, and the list says "
                f"{listed[:12]}…",
                hint="this is not the copy that was listed; nothing of it is used",
            )


def sha256(content: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes, kind: str = "sha1") -> str:
    """What Git calls a file with these bytes, by SHA-1 or SHA-256.

    Examples
    --------
    >>> git_blob(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    # No secret rests on SHA-1 here: it is the only hash that is known of these files.
    head = b"blob %d\0" % len(content)
    return hashlib.new(kind, head + content, usedforsecurity=False).hexdigest()


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
        why = getattr(error, "strerror", None) or "not UTF-8 text"
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
    same = (c.release for c in (copy, *listed) if c.last_month == last_month)
    date = next(same, publication_date(last_month))
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
    """Compare the counts of two canonical tables of one data set; a blank is like no row.

    Examples
    --------
    >>> import odforecast as od
    >>> one = od.bundled().as_of().table
    >>> other = one.copy()
    >>> other.loc[5, "reported"] += 1
    >>> compare(one, other).example
    'US 2015-06, Number of Drug Overdose Deaths: 49,691 and 49,692'
    """
    counties = "fips" in first
    keys = ["fips", "month"] if counties else ["state", "month", "indicator"]
    rows = [t if counties else t[t["indicator"] != PERCENT_SPECIFIED] for t in (first, second)]
    counts = [t.set_index(keys)["deaths" if counties else "reported"].dropna() for t in rows]
    both = pd.concat(counts, axis=1, keys=["one", "two"]).sort_index()
    wrong = both[both["one"] != both["two"]]  # a blank differs from everything
    example = ""
    if len(wrong):
        row = wrong.reset_index().iloc[0]
        said = " and ".join("blank" if pd.isna(x) else f"{x:,.0f}" for x in row[["one", "two"]])
        of = "" if counties else f", {row['indicator']}"
        example = f"{row[keys[0]]} {row['month']:%Y-%m}{of}: {said}"
    return Comparison(len(both), len(wrong), example)


def _parsed(text: str, name: str) -> tuple[Copy, ...]:
    """The copies of a list, oldest release first."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    needs, found = f"a row needs {', '.join(COLUMNS)}", dict[str, Copy]()
    try:
        missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{name}: no column {missing[0]}", hint=needs)
        for row in reader:
            where = f"{name}, line {reader.line_num}"
            copy = _copy(row, where)
            if copy.key in found:
                raise DataError(
                    f"{where}: {copy} at that commit is there twice", hint="leave one out"
                )
            found[copy.key] = copy
    except csv.Error as error:
        raise DataError(f"{name}: not CSV ({error})", hint="save it as CSV") from error
    if not found:
        raise DataError(f"{name}: no copies", hint=needs)
    return tuple(sorted(found.values(), key=lambda c: c.release))  # stable: the order counts


def _copy(row: Mapping[str, str | None], where: str) -> Copy:
    """A copy from a row of the list."""
    cells = {name: row.get(name) or "" for name in COLUMNS}
    for name, form in _FORMS.items():
        if not form.fullmatch(cells[name]):
            raise DataError(f"{where}: {quoted(cells[name])} is not a {name}", hint=_FIX)
    try:
        date = dt.date.fromisoformat(cells["release_date"])
    except ValueError as error:
        text = quoted(cells["release_date"])
        raise DataError(f"{where}: {text} is not a release_date", hint=_FIX) from error
    return Copy(
        date, cells["release_basis"], cells["last_month"], cells["contents_read"] == "yes",
        cells["repository"], cells["commit"], cells["path"], cells["sha256"], cells["git_blob"],
        row.get("note") or "",
    )  # fmt: skip


#: Where GitHub answers with the bytes of a file: ``/owner/name/commit/path``.
GITHUB = "https://raw.githubusercontent.com"


class RawFiles(Client):
    """Client of a server of raw files, by default GitHub's; use it as a context manager.

    Parameters
    ----------
    url : str
        Server; what follows is ``/owner/name/commit/path``.
    **options
        As for :class:`odforecast.vintage.socrata.Client`.

    Examples
    --------
    >>> RawFiles()
    <RawFiles raw.githubusercontent.com>
    """

    def __init__(self, url: str = GITHUB, **options: Any) -> None:
        super().__init__(url, **options)

    def __repr__(self) -> str:
        return f"<RawFiles {self.name}>"

    @property
    def name(self) -> str:
        """The server, for messages."""
        return plain(urlsplit(self.url).netloc.rpartition("@")[2] or self.url)

    def get(self, copy: Copy) -> bytes:
        """The bytes of a copy, unchecked.

        Raises
        ------
        DownloadError
            If the server does not answer, or has no such file.
        """
        return self._ask("GET", copy.url(self.url), self.name, bytes)


#: A release whose date was settled differently, by hand or by CDC, is so many days away at most.
_NEAR = 31
_GZIP = b"\x1f\x8b"
#: Ending of what was packed here.
_PACKED = ".whole.gz"
#: So many copies in a row without any answer, ever: nobody is there.
_SILENT = 3


@dataclass(frozen=True)
class Outcome:
    """What became of one copy.

    Attributes
    ----------
    copy : Copy
    status : str
        ``"added"``; ``"there"``, added from this very copy before; ``"equal"`` or ``"differs"``,
        a second copy, compared with the figures that count; ``"quarantined"``, stored apart;
        ``"retracted"``, stored apart by the user; ``"gone"``, not to be had; ``"refused"``, not
        what was listed or no release.
    release : datetime.date
        Its date; as listed, where the file was not read.
    words : str
        The same in a line.
    """

    copy: Copy
    status: str
    release: dt.date
    words: str


def fetch_past(
    archive: Archive | str | os.PathLike[str],
    client: RawFiles,
    *,
    copies: Sequence[Copy] | None = None,
    release: str | dt.date | None = None,
    tell: Callable[[Outcome], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Outcome, ...]:
    """Download copies of past releases, check them, and add them to an archive.

    Parameters
    ----------
    archive : Archive or path
        Where to; a folder is made if it does not exist.
    client : RawFiles
        Where from.
    copies : sequence of Copy, optional
        Default: those odforecast knows of, :func:`~odforecast.vintage.copies.past_copies`.
    release : date or str, optional
        Only copies that are listed for this release.
    tell : callable, optional
        Told of each copy when it is done.
    progress : callable, optional
        Called as ``progress(copies_done, copies_in_all)``.

    Returns
    -------
    tuple of Outcome
        One for each copy. A copy that is gone, refused or stored apart does not stop the others.

    Raises
    ------
    DownloadError
        If the server never answers at all.
    DataError
        If no copy is listed for the release.
    ArchiveError
        If the archive lies in memory, or is damaged.

    Examples
    --------
    ::

        from odforecast.vintage.past import fetch_past

        with RawFiles() as client:
            for outcome in fetch_past("releases", client, release="2024-12-11"):
                print(outcome.words)
    """
    listed = past_copies() if copies is None else tuple(copies)
    asked = wanted(listed, release)
    run = _Run(archive, client, listed)
    done: list[Outcome] = []
    progress, tell = progress or (lambda *_: None), tell or (lambda _: None)
    for number, copy in enumerate(asked):
        progress(number, len(asked))
        done.append(run.one(copy))
        tell(done[-1])
        silent = [o.status for o in done[-_SILENT:]] == ["gone"] * _SILENT
        if silent and not client.heard:
            raise DownloadError(
                f"{client.name} does not answer, {len(done)} copies were asked for",
                hint="check the network connection; the next try goes on with what was downloaded",
            )
    progress(len(asked), len(asked))
    return tuple(done)


def wanted(copies: Sequence[Copy], release: str | dt.date | None) -> tuple[Copy, ...]:
    """The copies of one release, or all.

    Raises
    ------
    DataError
        If there is none of that release.
    """
    if release is None:
        return tuple(copies)
    date = to_date(release)
    found = tuple(c for c in copies if c.release == date)
    if not found:
        near = min((c.release for c in copies), key=lambda d: abs(d - date))
        raise DataError(
            f"no copy of release {date} is listed",
            hint=f"the nearest is {near}; all: odforecast data fetch --past --list",
        )
    return found


def missing(outcomes: Sequence[Outcome]) -> tuple[dt.date, ...]:
    """Listed releases of which no copy can be used, though the user has put none apart."""
    bad = ("gone", "refused", "quarantined")
    used = {o.release for o in outcomes if o.status not in bad}
    # The same release under another day is had too.
    used |= {o.copy.release for o in outcomes if o.status not in bad and o.copy.settled}
    return tuple(sorted({o.copy.release for o in outcomes if o.status in bad} - used))


def states(archive: Archive, copies: Sequence[Copy]) -> list[str]:
    """What is here of each copy: ``"there"``, ``"apart"``, ``"kept"`` (bytes), or ``"-"``."""
    run = _Run(archive, None, copies)
    return [run.here(c.place) or ("kept" if run.kept(c) else "-") for c in copies]


def _unpacked(file: Path) -> bytes:
    """The bytes as they were downloaded."""
    content = file.read_bytes()
    return gzip.decompress(content) if file.name.endswith(_PACKED) else content


class Intake:
    """One pass of past releases into an archive's folder.

    Attributes
    ----------
    own : Archive
        The user's own releases: what is bundled beneath is no reason not to add the whole.
    folder : Path
        Where downloaded bytes are kept.
    held, quarantined : dict
        Release dates by the place where the file was found.
    """

    def __init__(self, archive: Archive | str | os.PathLike[str]) -> None:
        store = archive if isinstance(archive, Archive) else folder_archive(archive)
        if store.path is None:
            raise ArchiveError(
                "past releases are downloaded into a folder, and this archive is in memory",
                hint="give a folder",
            )
        self.archive, self.own = store, Archive(store.path)
        self.folder = store.path / "downloads" / "past"
        self.held = {
            place: date
            for dataset in DATASETS
            for date in self.own.releases(dataset)
            if (place := self.own.origin(date, dataset).place)
        }
        apart = self.own.quarantined()
        apart = apart[apart["event"] == ledger.QUARANTINED]
        self.quarantined = dict(zip(apart["place"], apart["release"], strict=True))

    def here(self, place: str) -> str:
        """``"there"`` or ``"apart"`` if the file of a place was added before, or quarantined."""
        return "there" if place in self.held else "apart" if place in self.quarantined else ""

    def twin(self, loaded: Release) -> dt.date | None:
        """The same release in the archive, though its date may be another day's."""
        dataset = COUNTIES if isinstance(loaded, Counties) else STATES
        dates = self.own.releases(dataset)
        if loaded.release in dates:
            return loaded.release
        last = loaded.table["month"].max()
        near = (d for d in dates if abs(d - loaded.release).days <= _NEAR)
        same = (d for d in near if self.own.release(d, None, dataset)["month"].max() == last)
        return next(same, None)

    def compared(self, held: dt.date, loaded: Release) -> Comparison:
        """The counts of a release in the archive beside those of another file of it."""
        dataset = COUNTIES if isinstance(loaded, Counties) else STATES
        return compare(self.own.release(held, None, dataset), loaded.table)


class _Run(Intake):
    """One pass over copies."""

    def __init__(
        self,
        archive: Archive | str | os.PathLike[str],
        client: RawFiles | None,
        listed: Sequence[Copy],
    ) -> None:
        super().__init__(archive)
        self.client, self.listed = client, listed

    def one(self, copy: Copy) -> Outcome:
        """Download a copy, check it, read it, and add or compare it."""
        if (date := self.held.get(copy.place)) is not None:
            return Outcome(copy, "there", date, f"{date}: was there already, from {copy}")
        if copy.place in self.quarantined:
            return self._quarantined(self.quarantined[copy.place], copy)
        assert self.client is not None
        date = copy.release
        try:
            file = self.kept(copy)
            if file is None:
                content = self.client.get(copy)
                copy.verify(content)
                file = self._keep(copy, content)
            try:
                loaded, basis = self._read(copy, file)
            except DataError:
                if not copy.check:  # no hash says that these are the right bytes
                    shutil.rmtree(file.parent, ignore_errors=True)
                raise
            date = loaded.release
            return self._take(copy, loaded, basis)
        except UnreachableError:
            raise  # there is no network: one error for all copies
        except DownloadError as error:
            return Outcome(copy, "gone", date, f"{date}: {copy} is not available: {error.message}")
        except (DataError, ArchiveError) as error:
            status = "quarantined" if isinstance(error, QuarantineError) else "refused"
            start = "" if str(error).startswith(str(copy)) else f"{copy}: "
            return Outcome(copy, status, date, f"{date}: {start}{error}")

    def kept(self, copy: Copy) -> Path | None:
        """The bytes of an earlier try, if they are whole."""
        for file in sorted(self.folder.glob(f"{copy.key}.*/[!.]*")):
            with contextlib.suppress(DataError, OSError, EOFError, zlib.error):
                content = _unpacked(file)
                copy.verify(content)
                if file.parent.name == f"{copy.key}.{sha256(content)[:16]}":
                    return file
        return None

    def _keep(self, copy: Copy, content: bytes) -> Path:
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", copy.path.rsplit("/", 1)[-1])[-60:].lstrip(".")
        file = self.folder / f"{copy.key}.{sha256(content)[:16]}" / (name or "copy")
        if copy.check and not content.startswith(_GZIP):
            # The hash says that these are all the bytes: in gzip the reader knows it too, and
            # takes a last line without its end for whole.
            file = file.with_name(file.name + _PACKED)
            content = gzip.compress(content, compresslevel=6, mtime=0)
        with replacing(file) as part:
            part.write_bytes(content)
        return file

    def _read(self, copy: Copy, file: Path) -> tuple[Loaded, str]:
        """The release in a file, under the date that its last month gives it."""
        raw = read_raw(file)
        raw.file = copy.path.rsplit("/", 1)[-1]
        raw.name = plain(raw.file)
        raw.sha256 = sha256(_unpacked(file))
        # Whatever was guessed: a release cannot hold a month that has not ended.
        loaded = interpret(raw, copy.release if copy.settled else dt.date.today())
        date, basis = settle(copy, loaded.report.last_month, self.listed)
        return (loaded if loaded.release == date else interpret(raw, date)), basis

    def _take(self, copy: Copy, loaded: Loaded, basis: str) -> Outcome:
        """Add a release that is not there; compare one that is."""
        date, digest = loaded.release, table_hash(loaded.table)
        guess = "" if date == copy.release else f" (listed as {copy.release}, by its last month)"
        held = self.twin(loaded)
        if held is not None:
            found = self.compared(held, loaded)
            if held != date:
                guess = f", there as {held}"
            words = (
                f"second copy, all {found.cells:,} reported counts equal{guess}: {copy}"
                if not found.differ
                else f"second copy{guess}, {found.differ:,} of {found.cells:,} reported counts "
                f"differ, e.g. {found.example} here; the first is kept: {copy}"
            )
            return Outcome(copy, "differs" if found.differ else "equal", held, f"{held}: {words}")
        apart = self.own.quarantined()
        apart = apart[(apart["release"] == date) & (apart["data_hash"] == digest)]
        for event, reason in apart[["event", "reason"]].to_numpy()[-1:]:
            if event == ledger.QUARANTINED:
                return self._quarantined(date, copy)
            words = f"{date}: not used again, these figures were {event}: {reason}"
            return Outcome(copy, "retracted", date, words)
        checks = ", ".join(filter(None, (copy.check, "structure")))
        origin = Origin("past", copy.place, basis, checks)
        if not self.archive.add(loaded, origin=origin):  # another process was first
            return Outcome(copy, "there", date, f"{date}: was there already, from {copy}")
        self.held[copy.place] = date
        words = (
            f"added, {loaded.report.rows_kept:,} rows to {loaded.report.last_month}{guess}; "
            f"date: {basis}; checked: {checks}; {copy}"
        )
        return Outcome(copy, "added", date, f"{date}: {words}")

    def _quarantined(self, date: dt.date, copy: Copy) -> Outcome:
        why = "is quarantined, because it contradicts itself; see odforecast data releases --log"
        words = f"{date} {why}: {copy}"
        return Outcome(copy, ledger.QUARANTINED, date, words)
