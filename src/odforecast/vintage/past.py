"""Download public copies of CDC's past releases, and keep what can be trusted.

Every copy is pinned by a commit, checked by its hash where one is known, read like any file, and
added like any file: one that contradicts itself is stored apart. Bytes that were downloaded lie in
``downloads/past/`` of the archive's folder, named by place and hash, and are not asked for again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import os
import re
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from odforecast.errors import ArchiveError, DataError, DownloadError, QuarantineError
from odforecast.io import replacing
from odforecast.say import plain
from odforecast.sources.read import read_raw
from odforecast.sources.table import table_hash, to_date
from odforecast.sources.vsrr import Loaded, interpret
from odforecast.vintage import ledger
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import folder_archive
from odforecast.vintage.copies import Copy, compare, past_copies, settle, sha256
from odforecast.vintage.ledger import Origin
from odforecast.vintage.raw_files import RawFiles

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
        from odforecast.vintage.raw_files import RawFiles

        with RawFiles() as client:
            for outcome in fetch_past("releases", client, release="2024-12-11"):
                print(outcome.words)
    """
    listed = past_copies() if copies is None else tuple(copies)
    asked = wanted(listed, release)
    run = _Run(archive, client, listed)
    done: list[Outcome] = []
    for number, copy in enumerate(asked):
        if progress is not None:
            progress(number, len(asked))
        outcome = run.one(copy)
        done.append(outcome)
        if tell is not None:
            tell(outcome)
        silent = [o.status for o in done[-_SILENT:]] == ["gone"] * _SILENT
        if silent and not client.heard:
            raise DownloadError(
                f"{client.name} does not answer, {len(done)} copies were asked for",
                hint="is this machine online? The next try goes on with what was downloaded",
            )
    if progress is not None:
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
    return [
        "there" if c.place in run.held else "apart" if c.place in run.apart
        else "kept" if run.kept(c) else "-"
        for c in copies
    ]  # fmt: skip


def _unpacked(file: Path) -> bytes:
    """The bytes as they were downloaded."""
    content = file.read_bytes()
    return gzip.decompress(content) if file.name.endswith(_PACKED) else content


class _Run:
    """One pass over copies."""

    def __init__(
        self,
        archive: Archive | str | os.PathLike[str],
        client: RawFiles | None,
        listed: Sequence[Copy],
    ) -> None:
        store = archive if isinstance(archive, Archive) else folder_archive(archive)
        if store.path is None:
            raise ArchiveError(
                "past releases are downloaded into a folder, and this archive lies in memory",
                hint="give a folder",
            )
        self.archive, self.client, self.listed = store, client, listed
        #: The user's own: what is bundled beneath is no reason not to download the whole.
        self.own = Archive(store.path)
        self.folder = store.path / "downloads" / "past"
        dates = self.own.releases()
        self.held = {p: d for d in dates if (p := self.own.origin(d).place)}
        apart = self.own.quarantined()
        apart = apart[apart["event"] == ledger.QUARANTINED]
        self.apart = dict(zip(apart["place"], apart["release"], strict=True))

    def one(self, copy: Copy) -> Outcome:
        """Download a copy, check it, read it, and add or compare it."""
        if (date := self.held.get(copy.place)) is not None:
            return Outcome(copy, "there", date, f"{date}: was there already, from {copy}")
        if copy.place in self.apart:
            date = self.apart[copy.place]
            return Outcome(copy, "quarantined", date, self._lies_apart(date, copy))
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
        except DownloadError as error:
            return Outcome(copy, "gone", date, f"{date}: {copy} is not to be had: {error.message}")
        except QuarantineError as error:
            return Outcome(copy, "quarantined", date, f"{date}: {copy}: {error}")
        except (DataError, ArchiveError) as error:
            text = str(error)
            start = "" if text.startswith(str(copy)) else f"{copy}: "
            return Outcome(copy, "refused", date, f"{date}: {start}{text}")

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
        held = self._twin(loaded)
        if held is not None:
            found = compare(self.own.release(held), loaded.table)
            if held != date:
                guess = f", there as {held}"
            if not found.differ:
                words = f"second copy, all {found.cells:,} reported counts equal{guess}: {copy}"
                return Outcome(copy, "equal", held, f"{held}: {words}")
            words = (
                f"second copy{guess}, {found.differ:,} of {found.cells:,} reported counts differ, "
                f"e.g. {found.example} here; the first is kept: {copy}"
            )
            return Outcome(copy, "differs", held, f"{held}: {words}")
        apart = self.own.quarantined()
        apart = apart[(apart["release"] == date) & (apart["data_hash"] == digest)]
        if not apart.empty:
            event, reason = apart.iloc[-1][["event", "reason"]]
            if event == ledger.QUARANTINED:
                return Outcome(copy, event, date, self._lies_apart(date, copy))
            words = f"{date}: not used again, these figures were {event}: {reason}"
            return Outcome(copy, "retracted", date, words)
        checks = ", ".join(c for c in (copy.check, "structure") if c)
        origin = Origin("past", copy.place, basis, checks)
        if not self.archive.add(loaded, origin=origin):  # another process was first
            return Outcome(copy, "there", date, f"{date}: was there already, from {copy}")
        self.held[copy.place] = date
        words = (
            f"added, {loaded.report.rows_kept:,} rows to {loaded.report.last_month}{guess}; "
            f"date: {basis}; checked: {checks}; {copy}"
        )
        return Outcome(copy, "added", date, f"{date}: {words}")

    def _twin(self, loaded: Loaded) -> dt.date | None:
        """The same release in the archive, though its date may be another day's."""
        dates = self.own.releases()
        if loaded.release in dates:
            return loaded.release
        last = loaded.table["month"].max()
        for date in dates:
            near = abs(date - loaded.release).days <= _NEAR
            if near and self.own.release(date)["month"].max() == last:
                return date
        return None

    def _lies_apart(self, date: dt.date, copy: Copy) -> str:
        see = "see odforecast data releases --log"
        return f"{date}: lies apart, for it contradicts itself; {see}: {copy}"
