"""Past releases: public copies of them, and how they are downloaded, checked, dated and kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import quote, urlsplit

import pandas as pd

from odforecast.errors import (
    ArchiveError,
    DataError,
    DownloadError,
    OdforecastError,
    QuarantineError,
)
from odforecast.io import replacing
from odforecast.names import DATASETS, STATES
from odforecast.publication import publication_date
from odforecast.say import plain, quoted
from odforecast.seeds import content_hash
from odforecast.sources.columns import BadCell, Column, Parser, Table
from odforecast.sources.county import Counties
from odforecast.sources.read import read_raw
from odforecast.sources.release import Release, interpret
from odforecast.sources.table import PERCENT_SPECIFIED, table_hash, to_date
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import folder_archive
from odforecast.vintage.dataset import dataset_of, of_table
from odforecast.vintage.fetch import WASHINGTON, Client, UnreachableError
from odforecast.vintage.ledger import QUARANTINED, Origin

_UNUSED = "nothing of it is used"
#: What Git keeps of a file that is in large-file storage.
_POINTER = b"version https://git-lfs"
#: A release whose date was settled differently, by hand or by CDC, is so many days away at most.
_NEAR = 31
_GZIP = b"\x1f\x8b"
#: Ending of what was packed here.
_PACKED = ".whole.gz"
_SEEN = {
    "there": "was there already, from this very copy",
    QUARANTINED: "is quarantined, because it contradicts itself: odforecast data releases --log",
}
#: So many copies in a row without any answer, ever: nobody is there.
_SILENT = 3


@dataclass(frozen=True)
class Copy:
    """A public copy of a past release: a file at one commit of a repository."""

    release: dt.date
    repository: str
    commit: str
    path: str
    basis: str = ""
    last_month: str = ""
    settled: bool = False
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
        if self.sha256:
            return "sha256"
        return "git blob" if self.git_blob else ""

    def verify(self, content: bytes) -> None:
        """Refuse bytes that are not those listed."""
        if content.startswith(_POINTER):
            raise DataError(
                "a pointer to large-file storage (git LFS), not the file", _UNUSED
            )
        name = "SHA-256"
        listed = self.sha256
        digest = sha256(content)
        if not listed:
            name = "git blob hash"
            listed = self.git_blob
            kind = "sha256" if len(listed) == 64 else "sha1"
            digest = git_blob(content, kind)
        if listed and digest != listed:
            raise DataError(
                f"{len(content):,} bytes with the {name} {digest[:12]}…, where {listed[:12]}… is "
                "listed",
                hint=f"this is not the copy that was listed; {_UNUSED}",
            )


def sha256(content: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes, kind: str = "sha1") -> str:
    """What Git calls a file with these bytes, by SHA-1 or SHA-256.

    >>> git_blob(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    # No secret rests on SHA-1 here: it is the only hash that is known of these files.
    head = b"blob %d\0" % len(content)
    return hashlib.new(kind, head + content, usedforsecurity=False).hexdigest()


# Lists of copies


def _day(text: str) -> dt.date | BadCell:
    try:
        return to_date(text)
    except DataError:
        return BadCell("is not a day such as 2024-12-11")


def _form(pattern: str, reason: str) -> Parser:
    return lambda text: text if re.fullmatch(pattern, text) else BadCell(reason)


_READ = {"yes": True, "no": False}
#: Columns of a list, in the order of a copy's attributes.
_COLUMNS: dict[str, Parser] = {
    "release_date": _day,
    "repository": _form(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", "is not OWNER/NAME"),
    "commit": _form(r"[0-9a-f]{40}", "is not 40 hexadecimal digits"),
    "path": _form(r"(?!/)(?!(.*/)?\.{1,2}(/|$))[^\\\x00-\x1f\x7f]+", "is not a path"),
    "release_basis": _form("known|inferred", "is neither known nor inferred"),
    "last_month": _form(r"\d{4}-(0[1-9]|1[0-2])", "is not a month such as 2024-07"),
    "contents_read": lambda text: _READ.get(text, BadCell("is neither yes nor no")),
    "sha256": _form(r"([0-9a-f]{64})?", "is not 64 hexadecimal digits"),
    "git_blob": _form(r"([0-9a-f]{40})?", "is not 40 hexadecimal digits"),
}
#: What a list needs; it may have more.
COLUMNS = tuple(_COLUMNS)


@cache
def past_copies() -> tuple[Copy, ...]:
    """The copies that odforecast knows of, oldest release first.

    >>> copies = past_copies()
    >>> len(copies), len({c.release for c in copies}), str(copies[0].release)
    (52, 38, '2017-09-13')
    """
    bundled = resources.files("odforecast.vintage") / "bundled"
    return read_copies(str(bundled / "past_releases.csv"))


def read_copies(file: str | os.PathLike[str]) -> tuple[Copy, ...]:
    """Copies of a list in the columns of odforecast's own, :data:`COLUMNS`."""
    columns = [Column(name, name, parse=parse) for name, parse in _COLUMNS.items()]
    columns.append(Column("note", "note"))
    table = Table(
        read_raw(Path(file)),
        columns,
        needs=COLUMNS,
        what="a list of copies of past releases",
        others=True,
    )
    twice = table.cells.duplicated(["repository", "commit", "path"])
    table.refuse(twice, "path", "is there twice at that commit", "leave one out")
    values = [table.texts(column.name) for column in columns]
    copies = [Copy(*row) for row in zip(*values, strict=True)]
    return tuple(sorted(copies, key=lambda c: c.release))  # stable


# What is in a copy


def settle(
    copy: Copy, read: Callable[[dt.date | None], Release], listed: Sequence[Copy]
) -> tuple[Release, str]:
    """The release in a copy under its own date, and how that is known."""
    today = dt.date.today()
    # Whatever was guessed: a release cannot hold a month that has not ended.
    bound = today if copy.last_month else min(today, copy.release)
    try:
        loaded = read(copy.release if copy.settled else bound)
    except DataError:
        # A table that this package exported says its own date, and is read under no other.
        with contextlib.suppress(DataError):
            if not copy.last_month and (exported := read(None)).release <= bound:
                return exported, "known"
        raise
    if isinstance(loaded, Counties):
        date = loaded.data_as_of
        basis = "inferred"
    else:
        last = loaded.report.last_month
        if copy.settled and last != copy.last_month:
            raise DataError(
                f"ends in {last}, and the list says {copy.last_month}", _UNUSED
            )
        if copy.settled:
            return loaded, copy.basis
        basis = "last month"
        twin = next((c for c in (copy, *listed) if c.last_month == last), None)
        date = publication_date(last) if twin is None else twin.release
        if date > bound and copy.last_month:
            raise DataError(
                f"ends in {last}, which CDC publishes about {date}", _UNUSED
            )
        if twin is not None and twin.basis == "known" and date <= bound:
            basis = "known"
        date = min(date, bound)
    if loaded.release != date:
        loaded = read(date)
    return loaded, basis


def compare(first: pd.DataFrame, second: pd.DataFrame) -> tuple[int, int, str]:
    """Compare the counts of two canonical tables of one data set; a blank is like no row.

    Counts that at least one of them has; how many the other has not, or otherwise; and the first of
    those, in words.

    >>> import odforecast as od
    >>> one = od.bundled().as_of().table
    >>> other = one.copy()
    >>> other.loc[5, "reported"] += 1
    >>> compare(one, other)[1:]
    (1, 'US 2015-06, Number of Drug Overdose Deaths: 49,691 and 49,692')
    """
    dataset = of_table(first)
    keys = [dataset.place, "month"]
    if dataset.part:
        keys.append(dataset.part)
    columns = []
    for table in (first, second):
        rows = (
            table[table[dataset.part] != PERCENT_SPECIFIED] if dataset.part else table
        )
        columns.append(rows.set_index(keys)[dataset.counts].dropna())
    counts = pd.concat(columns, axis=1, keys=["first", "second"]).sort_index()
    differing = counts[
        counts["first"] != counts["second"]
    ]  # a blank differs from everything
    example = ""
    if len(differing):
        place, month, *part = differing.index[0]
        texts = [
            "blank" if pd.isna(count) else f"{count:,.0f}"
            for count in differing.iloc[0]
        ]
        cell = ", ".join([f"{place} {month:%Y-%m}", *part])
        example = f"{cell}: {' and '.join(texts)}"
    return len(counts), len(differing), example


# Downloading and adding them

#: Where GitHub answers with the bytes of a file: ``/owner/name/commit/path``.
GITHUB = "https://raw.githubusercontent.com"


class RawFiles(Client):
    """Client of a server of raw files (``/owner/name/commit/path``), by default GitHub's.

    Use it as a context manager; options as for :class:`odforecast.vintage.fetch.Client`.

    >>> RawFiles().name
    'raw.githubusercontent.com'
    """

    def __init__(self, url: str = GITHUB, **options: Any) -> None:
        super().__init__(url, **options)
        self.name = plain(urlsplit(self.url).netloc.rpartition("@")[2] or self.url)

    def get(self, copy: Copy) -> bytes:
        """The bytes of a copy, unchecked."""
        url = f"{self.url}/{copy.repository}/{copy.commit}/{quote(copy.path)}"
        return self._ask("GET", url, self.name, bytes)


@dataclass(frozen=True)
class Outcome:
    """What became of one copy; as text, a line."""

    copy: Copy
    status: str
    release: dt.date | None
    words: str

    def __str__(self) -> str:
        return f"{self.release}: {self.copy}: {self.words}"


def fetch_past(
    archive: Archive | str | os.PathLike[str],
    client: RawFiles | History,
    *,
    copies: Sequence[Copy] | None = None,
    release: str | dt.date | None = None,
    dataset: str | None = STATES,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Outcome, ...]:
    """Download copies of past releases, check them, and add them to an archive."""
    selected = wanted(past_copies() if copies is None else copies, release)
    listed = (*(copies or ()), *past_copies())
    intake = _Intake(archive, client, listed=listed, dataset=dataset)
    outcomes: list[Outcome] = []
    progress = progress or (lambda *_: None)
    for number, copy in enumerate(selected):
        progress(number, len(selected))
        outcomes.append(intake.take_in(copy))
        statuses = [outcome.status for outcome in outcomes[-_SILENT:]]
        if statuses == ["gone"] * _SILENT and not client.heard:
            raise DownloadError(
                f"{client.name} does not answer, {len(outcomes)} copies were asked for",
                hint="check the network connection; the next try goes on with what was downloaded",
            )
    progress(len(selected), len(selected))
    return tuple(outcomes)


def wanted(copies: Sequence[Copy], release: str | dt.date | None) -> tuple[Copy, ...]:
    """The copies of one release, or all."""
    date = None if release is None else to_date(release)
    selected = tuple(c for c in copies if date in (None, c.release))
    if date is not None and not selected:
        near = min((c.release for c in copies), key=lambda d: abs(d - date))
        raise DataError(
            f"no copy of release {date} is listed",
            hint=f"the nearest is {near}; all: odforecast data fetch --past --list",
        )
    return selected


def missing(outcomes: Sequence[Outcome]) -> tuple[dt.date, ...]:
    """Listed releases of which no copy can be used, though the user has put none apart."""
    bad = ("gone", "refused", QUARANTINED)
    good = [o for o in outcomes if o.status not in bad]
    # The same release under another day is there too.
    used = {o.release for o in good} | {o.copy.release for o in good if o.copy.settled}
    unusable = {o.copy.release for o in outcomes if o.status in bad}
    return tuple(sorted(unusable - used))


def states(
    archive: Archive | str | os.PathLike[str], copies: Sequence[Copy]
) -> list[str]:
    """What is here of each copy: ``"there"``, ``"apart"``, ``"kept"`` (bytes), or ``"-"``."""
    intake = _Intake(archive)
    words = {"there": "there", QUARANTINED: "apart"}
    marks = []
    for copy in copies:
        if copy.place in intake.releases:
            status, _ = intake.releases[copy.place]
            marks.append(words[status])
        else:
            marks.append("kept" if intake.find_bytes(copy) else "-")
    return marks


def _unpacked(file: Path) -> bytes:
    """The bytes as they were downloaded."""
    content = file.read_bytes()
    return gzip.decompress(content) if file.name.endswith(_PACKED) else content


class _Intake:
    """One pass of copies into an archive's folder."""

    def __init__(
        self,
        archive: Archive | str | os.PathLike[str],
        client: RawFiles | History | None = None,
        listed: Sequence[Copy] = (),
        dataset: str | None = None,
    ) -> None:
        self.archive = (
            archive if isinstance(archive, Archive) else folder_archive(archive)
        )
        if self.archive.path is None:
            raise ArchiveError(
                "past releases are downloaded into a folder, and this archive is in memory",
                hint="give a folder",
            )
        self.client = client
        self.listed = listed
        self.dataset = dataset
        # Without the bundled releases.
        self.store = Archive(self.archive.path)
        self.folder = self.archive.path / "downloads" / "past"
        #: Status and release of the copies that were taken before, by place.
        self.releases: dict[str, tuple[str, dt.date]] = {}
        for name in DATASETS:
            for date in self.store.releases(name):
                self.releases[self.store.origin(date, name).place] = ("there", date)
        #: Why a release with some figures was taken out, by its date and hash.
        self.retracted: dict[tuple[dt.date, str], str] = {}
        for event in self.store.quarantined().to_dict("records"):
            if event["event"] == QUARANTINED:
                self.releases[event["place"]] = (QUARANTINED, event["release"])
            else:
                reason = f"{event['event']}: {event['reason']}"
                self.retracted[event["release"], event["data_hash"]] = reason

    def take_in(self, copy: Copy) -> Outcome:
        """Download a copy, check it, read it, and add or compare it."""
        if copy.place in self.releases:
            status, release = self.releases[copy.place]
            return Outcome(copy, status, release=release, words=_SEEN[status])
        assert self.client is not None
        date = copy.release if copy.last_month else None
        try:
            file = self.find_bytes(copy)
            if file is None:
                file = self._keep(copy, self.client.get(copy))
            loaded, basis = self._read(copy, file)
            date = loaded.release
            return self._take(copy, loaded, basis=basis)
        except UnreachableError:
            raise  # there is no network: one error for all copies
        except DownloadError as error:
            return Outcome(
                copy, "gone", release=date, words=f"not available: {error.message}"
            )
        except QuarantineError as error:
            return Outcome(copy, QUARANTINED, release=date, words=str(error))
        except (DataError, ArchiveError) as error:
            return Outcome(copy, "refused", release=date, words=f"refused: {error}")

    def find_bytes(self, copy: Copy) -> Path | None:
        """The bytes of an earlier try, if they are whole."""
        for file in self.folder.glob(f"{copy.key}.*/[!.]*"):
            with contextlib.suppress(DataError, OSError, EOFError, zlib.error):
                content = _unpacked(file)
                copy.verify(content)
                if file.parent.name == f"{copy.key}.{sha256(content)[:16]}":
                    return file
        return None

    def _keep(self, copy: Copy, content: bytes) -> Path:
        """Check downloaded bytes and write them down."""
        copy.verify(content)
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", PurePosixPath(copy.path).name)[
            -60:
        ].lstrip(".")
        file = self.folder / f"{copy.key}.{sha256(content)[:16]}" / (name or "copy")
        if copy.check and not content.startswith(_GZIP):
            # The hash says that these are all the bytes: in gzip the reader knows it too, and
            # takes a last line without its end for whole.
            file = file.with_name(file.name + _PACKED)
            content = gzip.compress(content, compresslevel=6, mtime=0)
        with replacing(file) as part:
            part.write_bytes(content)
        return file

    def _read(self, copy: Copy, file: Path) -> tuple[Release, str]:
        """The release in a file under its own date, and how that is known."""
        try:
            raw = read_raw(file)
            raw.file = PurePosixPath(copy.path).name
            raw.name = plain(raw.file)
            raw.sha256 = sha256(_unpacked(file))
            loaded, basis = settle(
                copy, lambda day: interpret(raw, day), listed=self.listed
            )
            dataset = dataset_of(loaded)
            if self.dataset not in (None, dataset):
                raise DataError(
                    f"these are counts of {dataset}, and {self.dataset} were asked for"
                )
        except DataError:
            if not copy.check:  # no hash says that these are the right bytes
                shutil.rmtree(file.parent, ignore_errors=True)
            raise
        return loaded, basis

    def _take(self, copy: Copy, loaded: Release, basis: str) -> Outcome:
        """Add a release that is not there; compare one that is."""
        date = loaded.release
        dataset = dataset_of(loaded)
        twin = self._twin(loaded, dataset)
        if twin is not None:
            first = self.store.release(twin, None, dataset)
            cells, differing, example = compare(first, loaded.table)
            status = "equal"
            text = f"all {cells:,} reported counts equal"
            if differing:
                status = "differs"
                text = (
                    f"{differing:,} of {cells:,} reported counts differ, e.g. {example} here; "
                    "the first is kept"
                )
            words = f"second copy of release {twin}, {text}"
            return Outcome(copy, status, release=twin, words=words)
        reason = self.retracted.get((date, table_hash(loaded.table)))
        if reason:
            words = f"not used again, these figures were {reason}"
            return Outcome(copy, "retracted", release=date, words=words)
        checks = ", ".join(filter(None, (copy.check, "structure")))
        origin = Origin("past", copy.place, basis=basis, checks=checks)
        added = self.archive.add(loaded, origin=origin)
        self.releases[copy.place] = ("there", date)
        if not added:  # another process was first
            return Outcome(copy, "there", release=date, words="was there already")
        words = (
            f"added, {len(loaded.table):,} rows to {loaded.table['month'].max():%Y-%m}"
        )
        if copy.last_month and date != copy.release:
            words += f" (listed as {copy.release}, by its last month)"
        words += f"; date: {basis}; checked: {checks}"
        return Outcome(copy, "added", release=date, words=words)

    def _twin(self, loaded: Release, dataset: str) -> dt.date | None:
        """The same release in the archive, though its date may be another day's."""
        dates = self.store.releases(dataset)
        if loaded.release in dates:
            return loaded.release
        last = loaded.table["month"].max()
        for date in dates:
            if abs(date - loaded.release).days <= _NEAR:
                table = self.store.release(date, None, dataset)
                if table["month"].max() == last:
                    return date
        return None


_SCHEMES = ("https", "http", "ssh", "git", "file")
#: What of the user's settings could run a program, ask a question or stop the work half-way.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.askPass": "",
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.version": "2",
    "http.lowSpeedLimit": "1",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES),
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GCM_INTERACTIVE": "never",
    "LC_ALL": "C",
}
_HINT = f"give the folder of a repository, or an address that begins with {', '.join(_SCHEMES)}"


class History:
    """Clone of a git repository without contents; use it as a context manager."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60,
        limit: float = 1800,
        most_bytes: int = 200_000_000,
        most_clone: int = 2_000_000_000,
    ) -> None:
        self.url, self.name = _address(url)
        self.heard = False
        self._limit = limit
        self._most_bytes = most_bytes
        self._most_clone = most_clone
        program = shutil.which("git")
        if program is None:
            raise OdforecastError(  # nothing that passes by itself
                "git is not installed, or not on the PATH",
                hint="install git, or save the versions as files: odforecast data add FILE",
            )
        settings = _SETTINGS | {"http.lowSpeedTime": f"{max(timeout, 1):.0f}"}
        self._command = [program]
        for key, value in settings.items():
            self._command += ["-c", f"{key}={value}"]
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:  # removed if the clone fails
            folder = TemporaryDirectory(
                prefix="odforecast-git-", ignore_cleanup_errors=True
            )
            self._folder = Path(stack.enter_context(folder))
            self._git(
                "clone",
                "--bare",
                "--quiet",
                "--filter=blob:none",
                "--no-local",
                "--template=",
                "--",
                self.url,
                str(self._folder / "clone"),
                most=self._most_clone,
            )
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def versions(self, path: str) -> tuple[Copy, ...]:
        """The contents that a file has had, each once, oldest first."""
        unsafe = path.startswith("-") or re.search(r"[\x00-\x1f]", path)
        if unsafe or {"", ".", ".."} & set(path.split("/")):
            raise DataError(
                f"{quoted(path)} is not a path in a repository",
                hint="give it from the top of the repository: data/counts.csv",
            )
        walk = (
            "rev-list",
            "--timestamp",
            "--date-order",
            "--reverse",
            "--full-history",
        )
        default: list[str] = []
        with contextlib.suppress(DownloadError):  # there may be no default branch
            default = self._lines(*walk, "HEAD", "--", path)
        branches = self._lines(*walk, "--all", "--", path)
        copies: dict[str, Copy] = {}
        for line in dict.fromkeys([*default, *branches]):
            seconds, commit = line.split()
            for entry in self._lines("ls-tree", "-z", commit, "--", path):
                _, kind, blob = entry.partition("\t")[0].split()
                if kind == "tree":
                    raise DataError(
                        f"{quoted(path)} is a folder in {self.name}",
                        hint="give one file of it",
                    )
                copy = Copy(
                    _day_of(seconds), self.name, commit=commit, path=path, git_blob=blob
                )
                copies.setdefault(blob, copy)
        if not copies:
            raise DataError(
                f"{self.name} has never had a file {quoted(path)}",
                hint="give the path from the top of the repository, as git spells it",
            )
        return tuple(copies.values())

    def get(self, copy: Copy) -> bytes:
        """The bytes of a version, unchecked."""
        content = self._git("cat-file", "blob", copy.git_blob, most=self._most_bytes)
        self.heard = True
        return content

    def _lines(self, *words: str) -> list[str]:
        """What git prints of the clone alone, whatever the user's settings are."""
        text = self._git(*words, local=True).decode("utf-8", errors="replace")
        return re.findall(r"[^\0\n]+", text)

    def _git(self, *words: str, local: bool = False, most: int = 1 << 30) -> bytes:
        """Run git within limits of time and disk; what it prints."""
        repository = (
            [] if words[0] == "clone" else [f"--git-dir={self._folder / 'clone'}"]
        )
        out = self._folder / "out"
        err = self._folder / "err"
        room = (
            _size(self._folder) + 2 * most
        )  # what is fetched, and what is printed of it
        end = time.monotonic() + self._limit
        with (
            out.open("wb") as stdout,
            err.open("wb") as stderr,
            subprocess.Popen(
                [*self._command, *repository, *words],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=_environment(local),
                start_new_session=os.name == "posix",  # no terminal to ask questions on
            ) as process,
        ):
            code = None
            try:
                while code is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        code = process.wait(0.5)
                    if code is None and time.monotonic() > end:
                        raise DownloadError(
                            f"{self.name}: git took longer than {self._limit:,.0f} s",
                            hint="try again later: what was downloaded is kept",
                        )
                    if _size(self._folder) > room or out.stat().st_size > most:
                        raise DownloadError(
                            f"{self.name}: git fetched more than {most / 1e6:,.0f} MB",
                            hint="is it the right repository? Nothing of it was kept",
                        )
            finally:
                if code is None:  # end git and the programs that it started
                    with contextlib.suppress(OSError):
                        if os.name == "posix":
                            os.killpg(process.pid, signal.SIGKILL)
                        else:
                            process.kill()
        if code:
            text = (
                err.read_text(encoding="utf-8", errors="replace").strip()
                or "no reason given"
            )
            fatal = [line for line in text.splitlines() if line.startswith("fatal: ")]
            line = fatal[0] if fatal else text
            reason = re.sub(r"//[^/@\s]*@", "//", line.removeprefix("fatal: "))
            reason = " ".join(reason.split()).rstrip(".")
            raise DownloadError(
                f"git cannot read {self.name}: {plain(reason, 200)}",
                hint="is the address right, and is there a network?",
            )
        return out.read_bytes()


def _address(url: str) -> tuple[str, str]:
    """An address as git is given it, and as people read it: short for GitHub, no password."""
    url = url.strip()
    if not url or url.startswith("-") or re.search(r"[\x00-\x1f\x7f]", url):
        raise DataError(f"{quoted(url)} is not the address of a repository", hint=_HINT)
    if Path(url).is_dir():
        return str(Path(url).resolve()), plain(Path(url).resolve())
    parts = urlsplit(url)
    if "::" not in url and parts.scheme in _SCHEMES and "://" in url:
        host = parts.netloc.rpartition("@")[2]
        path = parts.path.strip("/").removesuffix(".git")
        github = host.lower() == "github.com"
        return url, plain(path if github else f"{host}/{path}")
    if re.fullmatch(
        r"([\w.-]+@)?[\w.-]{2,}:(?!:|//)[^:]+", url
    ):  # ssh, in git's short form
        return url, plain(url.rpartition("@")[2])
    raise DataError(f"{quoted(url)} is not the address of a repository", hint=_HINT)


def _day_of(seconds: str) -> dt.date:
    """Day in Washington; today where a commit's clock is beyond all days."""
    try:
        return dt.datetime.fromtimestamp(int(seconds), WASHINGTON).date()
    except (OverflowError, ValueError, OSError):
        return dt.date.today()


def _environment(local: bool) -> dict[str, str]:
    """Variables for git: those of a surrounding repository, and programs that ask, are left out."""
    settings = () if local else ("GIT_SSH", "GIT_SSL", "GIT_PROXY", "GIT_CONFIG")
    env = {}
    for name, value in os.environ.items():
        if not name.startswith("GIT_") or name.startswith(settings):
            env[name] = value
    env.pop("SSH_ASKPASS", None)
    if local:
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return env | _ENVIRONMENT


def _size(folder: Path) -> int:
    """Bytes in a folder, while files come and go."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(inside, name)).st_size
    return total
