"""Download a release of CDC's, and keep it: resumable, checked, never half written."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from odforecast.errors import DataError, DownloadError
from odforecast.io import replacing
from odforecast.say import listed, quoted
from odforecast.seeds import content_hash
from odforecast.sources.release import Release, read_release
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import folder_archive
from odforecast.vintage.dataset import SETS, Dataset, source_of
from odforecast.vintage.ledger import Origin
from odforecast.vintage.socrata import Metadata, Rows, Socrata

#: Told the number of rows that are here, and of those there are.
Progress = Callable[[int, int], None]
#: So often a download begins if CDC changes the table meanwhile.
_TRIES = 4


@dataclass(frozen=True)
class Fetched:
    """What a fetch found and did."""

    release: dt.date
    file: Path
    sha256: str
    rows: int
    resumed: int
    added: bool
    why: str
    loaded: Release | None = None


def fetch(
    dataset: str, folder: str | Path, client: Socrata, *, progress: Progress | None = None
) -> Fetched:
    """Download the present release of a data set, and add it to the archive in a folder.

    Parameters
    ----------
    dataset : str
        ``"vsrr"`` or ``"states"``; ``"county"`` or ``"counties"``.
    folder : path
        Archive; made if it does not exist.
    client : Socrata
        Where from.
    progress : callable, optional
        Called as ``progress(rows_here, rows_in_all)``.

    Raises
    ------
    DownloadError
        If the server does not answer, or its answers do not fit together. What was downloaded
        is kept, and the next fetch goes on from there.
    DataError
        If the rows cannot be trusted. Nothing is kept.
    ArchiveError
        If the archive holds other numbers for that date.
    """
    kind, store = _dataset(dataset), Archive(folder)
    meta = client.metadata(kind.id)
    kept = Path(folder) / "downloads"
    name = f"{meta.release}_{kind.short}_{meta.updated}.json.gz"
    if meta.release in store.releases(kind.name):
        origin = store.origin(meta.release, kind.name)
        if origin.file == name:
            why = f"release {meta.release} was there already, unchanged"
            return Fetched(meta.release, kept / name, origin.sha256, 0, 0, False, why)
    rows = resumed = 0
    if (kept / name).exists():
        loaded = read_release(kept / name, meta.release)
    else:
        partial = Path(folder) / ".partial"
        found = download(dataset, partial, client, meta=meta, progress=progress)
        meta, rows, resumed = found.meta, len(found.rows), found.resumed
        name = f"{meta.release}_{kind.short}_{meta.updated}.json.gz"
        try:
            # A folder of its own: another process may remove the pages when it is done with them.
            with TemporaryDirectory(prefix=f"{kind.id}_{meta.updated}_", dir=partial) as whole:
                write_rows(Path(whole) / name, found.rows)
                loaded = read_release(Path(whole) / name, meta.release)  # refused, it is not kept
                kept.mkdir(parents=True, exist_ok=True)
                os.replace(Path(whole) / name, kept / name)
        finally:
            shutil.rmtree(found.folder, ignore_errors=True)
    same, added = _same_as_last(store, kind, loaded), False
    if same is not None:
        why = f"the numbers are those of release {same}: nothing added"
    else:
        origin = Origin("cdc", urlsplit(client.url).hostname or "", basis="known")
        added = folder_archive(folder).add(loaded, origin=origin)
        done = "added" if added else "was there already, the same numbers"
        why = f"release {meta.release} {done}"
    digest = source_of(loaded)["sha256"]
    return Fetched(meta.release, kept / name, digest, rows, resumed, added, why, loaded)


@dataclass(frozen=True, eq=False, repr=False)
class Download:
    """All rows of a data set at one moment."""

    meta: Metadata
    rows: Rows
    resumed: int
    folder: Path


def download(
    dataset: str,
    partial: Path,
    client: Socrata,
    *,
    meta: Metadata | None = None,
    since: int | None = None,
    progress: Progress | None = None,
) -> Download:
    """All rows of a data set, from one and the same state of CDC's table.

    The catalogue is asked before and after, the rows are counted by the server, and no row may
    come twice; if anything does not fit, the download begins again.

    Parameters
    ----------
    dataset : str
        As in :func:`fetch`.
    partial : path
        Folder that keeps pages until all are there.
    meta : Metadata, optional
        If the catalogue has been asked already.
    since : int, optional
        Only rows of this year and later.
    progress : callable, optional
        Called as ``progress(rows_here, rows_in_all)``.

    Raises
    ------
    DownloadError, DataError
        As in :func:`fetch`.
    """
    kind = _dataset(dataset)
    where = None if since is None else f"year >= {since}"
    meta, progress = meta or client.metadata(kind.id), progress or (lambda *_: None)
    problem = ""
    for _ in range(_TRIES):
        _check_columns(kind, meta)
        key = content_hash(client.page_size, where or "", client.soda3)
        folder = partial / f"{kind.id}_{meta.updated}_{key}"
        for gone in partial.glob(f"{kind.id}_*"):
            if not gone.name.startswith(f"{kind.id}_{meta.updated}_"):
                shutil.rmtree(gone, ignore_errors=True)  # of a state of the table that is gone
        total = client.count(kind.id, where)
        rows: Rows = []
        resumed = size = 0
        # Until a page is not full: a count that is too small must not end it.
        for number in itertools.count():
            file = folder / f"page-{number:05d}.json"
            page = _kept(file)
            if page is None:
                page = client.page(kind.id, number, where)
                # Another process, done with the same download, may remove the folder just now.
                with contextlib.suppress(FileNotFoundError), replacing(file) as part:
                    part.write_text(json.dumps(page), encoding="utf-8")
            else:
                resumed += len(page)
            size += sum(len(str(row)) for row in page)
            if size > client.most_bytes:
                raise DownloadError(
                    f"{kind.id}: more than {client.most_bytes / 1e6:,.0f} MB of rows, more than "
                    "any release",
                    hint="is it the right server?",
                )
            rows += page
            progress(len(rows), total)
            if len(page) < client.page_size or len(rows) > total:
                break
        after = client.metadata(kind.id)
        twice = len(rows) - len({json.dumps(row, sort_keys=True) for row in rows})
        if after.updated != meta.updated:
            problem = f"CDC changed {kind.id} during the download"
        elif len(rows) != total:
            problem = f"{kind.id} has {total:,} rows, {len(rows):,} came"
        elif twice:
            problem = f"{twice:,} rows of {kind.id} came twice, so others did not come"
        elif not rows:
            raise DataError(f"{kind.id} has no rows{f' where {where}' if where else ''}")
        else:
            return Download(meta, rows, resumed, folder)
        shutil.rmtree(folder, ignore_errors=True)
        meta = after
    raise DownloadError(f"{problem} ({_TRIES} tries)", hint="try again in an hour")


def write_rows(path: Path, rows: Rows) -> str:
    """Write rows as gzipped JSON, whole or not at all; the same rows give the same bytes."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    content = gzip.compress(f"[{lines}]\n".encode(), compresslevel=6, mtime=0)
    with replacing(path) as part, part.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    return hashlib.sha256(content).hexdigest()


def _dataset(key: str) -> Dataset:
    """A data set by its name in an archive or by its short one."""
    known = {each.short: each for each in SETS.values()} | SETS
    if key not in known:
        raise DataError(f"no data set {quoted(key)}", hint=f"one of {', '.join(known)}")
    return known[key]


def _check_columns(kind: Dataset, meta: Metadata) -> None:
    """Refuse a table whose columns are not those this version understands, before the rows."""
    missing = [c for c in kind.needs if c not in meta.columns]
    new = [c for c in meta.columns if kind.knows and c not in kind.knows]
    found = {"without": missing, "with the new": new}
    if said := " and ".join(f"{how} {listed(names)}" for how, names in found.items() if names):
        raise DataError(
            f"CDC has changed the columns of {kind.id}: {said}",
            hint="nothing was downloaded; look for a newer version of odforecast",
        )


def _same_as_last(store: Archive, kind: Dataset, loaded: Release) -> dt.date | None:
    """The release before, if it has the very same numbers."""
    dates = [d for d in store.releases(kind.name) if d <= loaded.release]
    if not dates or dates[-1] == loaded.release:
        return None
    last = store.release(dates[-1], None, kind.name).drop(columns="release")
    return dates[-1] if last.equals(loaded.table.drop(columns="release")) else None


def _kept(path: Path) -> Rows | None:
    """Page of an earlier try; None if it is not there, or not a page."""
    try:
        page = json.loads(path.read_bytes())
        return page if isinstance(page, list) else None
    except (OSError, ValueError, RecursionError):
        return None
