"""Download a release of CDC's, and keep it: resumable, checked, never half written."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import hashlib
import io
import itertools
import json
import os
import random
import re
import shutil
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import requests
import urllib3

from odforecast.errors import DataError, DownloadError, ShapeError
from odforecast.io import replacing
from odforecast.say import listed, plain, quoted
from odforecast.seeds import content_hash
from odforecast.sources.read import NoRowsError, answered
from odforecast.sources.release import Release, read_release
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import folder_archive
from odforecast.vintage.dataset import SETS, Dataset, source_of
from odforecast.vintage.ledger import Origin

CDC = "https://data.cdc.gov"
#: Environment variable that holds an app token of data.cdc.gov; without one, CDC answers too,
#: but throttles sooner.
TOKEN_VARIABLE = "SOCRATA_APP_TOKEN"

WASHINGTON = ZoneInfo("America/New_York")
#: This machine: nobody else can read what is sent to it.
_OWN = frozenset({"localhost", "127.0.0.1", "::1"})
#: A server that asks for a longer wait (seconds) is left alone.
_LONGEST_WAIT = 300
_YEAR_2100 = 4_102_444_800
_PIECE = 1 << 16
#: What goes wrong on the way, and may not the next time.
_PASSING = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)
#: Bytes of an answer without data, from which it is told what it says.
_SAID = 100_000

Rows = list[dict[str, Any]]


class UnreachableError(DownloadError):
    """A server whose address cannot be found: without a network, as a rule."""


class _AgainError(Exception):
    """A failure that may pass; ``after`` is the wait in seconds the server asked for."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Client:
    """Client of one server; use it as a context manager.

    ``timeout`` is in seconds, to connect and to wait for each piece of an answer, ``limit`` for an
    answer as a whole, which may have ``most_bytes``; a server that sends more is left. A request is
    tried ``attempts`` times, after a ``sleep``; ``notify`` is told why it is tried again.
    """

    #: What to do about a server that asks for a long wait, and about an address it does not know.
    _later = "try again then"
    _moved: str | None = None

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60,
        limit: float = 600,
        attempts: int = 3,
        most_bytes: int = 200_000_000,
        sleep: Callable[[float], None] = time.sleep,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.url = url.rstrip("/")
        self.most_bytes = most_bytes
        #: Whether the server has ever answered.
        self.heard = False
        self._timeout = timeout
        self._limit = limit
        self._attempts = attempts
        self._sleep = sleep
        self._notify = notify
        self._session = requests.Session()
        self._token = ""
        self._session.headers["User-Agent"] = f"odforecast/{version('odforecast')}"
        self._session.headers["Accept-Encoding"] = "gzip"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def _plain(self, words: object) -> str:
        """Words of a server for a message, without the token, which it may send back."""
        text = " ".join(str(words).split())
        if self._token:
            text = text.replace(self._token, "(token)")
        return plain(text, 160)

    def _ask[T](
        self,
        method: str,
        url: str,
        address: str,
        read: Callable[[bytes], T],
        **sent: Any,
    ) -> T:
        """What ``read`` makes of an answer, asked for until it is whole."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return read(self._answer(method, url, address, **sent))
            except _AgainError as error:
                if attempt >= self._attempts:
                    raise DownloadError(
                        f"{error} ({attempt} attempts)",
                        hint="try again later; the next try goes on with what was downloaded",
                    ) from error
                growing = min(2.0 ** (attempt - 1) + random.random(), 60.0)
                wait = growing if error.after is None else error.after
                self._notify(f"{error}; again in {wait:.0f} s")
                self._sleep(wait)

    def _answer(self, method: str, url: str, address: str, **sent: Any) -> bytes:
        """Body of an answer 200."""
        try:
            # No redirects: they would carry a token, or the request, to another server.
            with self._session.request(
                method,
                url,
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
                **sent,
            ) as answer:
                content = self._body(answer, address)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # The reason, not what was tried: that is in ``address``.
            reason = getattr(error.args[0], "reason", None) if error.args else None
            if isinstance(reason, urllib3.exceptions.NameResolutionError):
                # Nobody who asks again in a minute gets another answer.
                raise UnreachableError(
                    f"cannot reach {address.partition('/')[0]}: its address was not found",
                    hint="check the network connection; everything but fetching works without one",
                ) from error
            message = (
                f"{address}: {type(error).__name__} ({self._plain(reason or error)})"
            )
            if isinstance(error, _PASSING) and not isinstance(
                error, requests.exceptions.SSLError
            ):
                raise _AgainError(message) from error
            raise DownloadError(message, hint="check the address") from error
        self.heard = True
        self._check(answer, content, address=address)
        return content

    def _check(self, answer: requests.Response, content: bytes, address: str) -> None:
        """Refuse an answer that is not 200, or ask again where it may pass."""
        status = answer.status_code
        headers = answer.headers
        message = f"{address}: answer {status}{self._describe(content)}"
        if status in (408, 429) or status >= 500:
            after = _retry_after(headers.get("Retry-After"))
            if after is not None and after > _LONGEST_WAIT:
                raise DownloadError(
                    f"{address}: answer {status}, the server asks to wait {after:,.0f} seconds",
                    hint=self._later,
                )
            raise _AgainError(message, after)
        if status != 200:
            if "Location" in headers:
                message += f", moved to {self._plain(headers['Location'])}"
            if status == 404:
                raise ShapeError(message, hint=self._moved)
            hint = None
            if status in (401, 403) and self._token:
                hint = f"is the token in {TOKEN_VARIABLE} right?"
            raise DownloadError(message, hint)

    def _describe(self, content: bytes) -> str:
        """What an answer without data says, in a few words: a page's title, or a message."""
        text = content[:_SAID].decode("utf-8", errors="replace")
        if text.lstrip().startswith("<"):
            title = re.search(
                r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL
            )
            return (
                f" (a web page: {self._plain(title[1])})" if title else " (a web page)"
            )
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            return ""
        message = answer.get("message") if isinstance(answer, dict) else None
        return f" ({self._plain(message)})" if message else ""

    def _body(self, answer: requests.Response, address: str) -> bytes:
        """Body of an answer, unpacked, within the limits of time and size."""
        end = time.monotonic() + self._limit
        packed = answer.headers.get("Content-Encoding", "").strip().lower() in (
            "gzip",
            "x-gzip",
        )
        unpack = zlib.decompressobj(wbits=31) if packed else None
        body = io.BytesIO()
        while piece := answer.raw.read1(_PIECE, decode_content=False):
            if time.monotonic() > end:
                raise _AgainError(
                    f"{address}: the answer took longer than {self._limit:g} s"
                )
            if unpack is not None:
                try:
                    piece = unpack.decompress(piece, self.most_bytes + 1 - body.tell())
                except zlib.error as error:
                    raise _AgainError(
                        f"{address}: a damaged answer ({error})"
                    ) from error
                if unpack.unused_data:
                    raise _AgainError(
                        f"{address}: bytes after the end of a packed answer"
                    )
            if body.tell() + len(piece) > self.most_bytes:
                raise DownloadError(
                    f"{address}: the answer is longer than {self.most_bytes / 1e6:,.0f} MB, more "
                    "than any release",
                    hint="is it the right server? Nothing of it was kept",
                )
            body.write(piece)
        if unpack is not None and not unpack.eof:
            raise _AgainError(f"{address}: a packed answer that is cut off")
        return body.getvalue()


def _retry_after(text: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header: a number, or the date until when."""
    try:
        return None if text is None else float(urllib3.Retry().parse_retry_after(text))
    except urllib3.exceptions.InvalidHeader:
        return None


@dataclass(frozen=True)
class Metadata:
    """What the catalogue says about a data set."""

    updated: int
    columns: tuple[str, ...]

    @property
    def release(self) -> dt.date:
        """Release date: the day in Washington when the rows last changed."""
        return dt.datetime.fromtimestamp(self.updated, WASHINGTON).date()


class Socrata(Client):
    """Client of a Socrata server, by default CDC's; use it as a context manager.

    Parameters
    ----------
    url : str
        Server.
    token : str, optional
        App token; default: the environment variable ``SOCRATA_APP_TOKEN``, if set.
    soda3 : bool
        Use the newer API (``/api/v3/views``), which needs a token.
    page_size : int
        Rows a page.
    attempts : int
        How often a request is tried.
    **options
        As for :class:`Client`; ``most_bytes`` is also the limit of all rows of a data set together
        (a release is below 100 MB).

    Examples
    --------
    >>> from odforecast.vintage.fetch import Socrata
    >>> Socrata(token="t", page_size=500)
    <Socrata https://data.cdc.gov, with token, 500 rows a page>
    """

    _later = "try again then; an app token raises the limits"
    _moved = "the data set may have moved: look for it there"

    def __init__(
        self,
        url: str = CDC,
        *,
        token: str | None = None,
        soda3: bool = False,
        page_size: int = 20_000,
        attempts: int = 6,
        **options: Any,
    ) -> None:
        super().__init__(url, attempts=attempts, **options)
        self.page_size = page_size
        self.soda3 = soda3
        self._token = (
            os.environ.get(TOKEN_VARIABLE, "") if token is None else token
        ).strip()
        if soda3 and not self._token:
            raise DownloadError(
                "the SODA3 API answers only with an app token, and there is none",
                hint=f"set {TOKEN_VARIABLE}, or leave SODA3 out",
            )
        parts = urlsplit(self.url)
        if self._token and parts.scheme != "https" and parts.hostname not in _OWN:
            raise DownloadError(
                f"{plain(self.url)}: the app token could be read on its way there",
                hint=f"use https://, or unset {TOKEN_VARIABLE}",
            )
        self._session.headers["Accept"] = "application/json"
        if self._token:
            self._session.headers["X-App-Token"] = self._token

    def __repr__(self) -> str:
        token = "with" if self._token else "no"
        return f"<Socrata {self.url}, {token} token, {self.page_size:,} rows a page>"

    def metadata(self, dataset: str) -> Metadata:
        """What the catalogue says about a data set, ``"xkb8-kh2a"``."""
        entry = self._json("GET", "/api/views/{}.json", dataset=dataset)
        try:
            updated = entry["rowsUpdatedAt"]
            fields = [str(c["fieldName"]) for c in entry["columns"]]
            good = (
                type(updated) is int
                and 0 < updated < _YEAR_2100
                and entry["id"] == dataset
            )
        except (LookupError, TypeError):
            good = False
        if not good:
            raise DataError(
                f"{self.url}: the catalogue entry of {dataset} has no rowsUpdatedAt, columns or id",
                hint="is the address that of a Socrata server?",
            )
        return Metadata(
            updated, tuple(name for name in fields if not name.startswith(":"))
        )

    def count(self, dataset: str, where: str | None = None) -> int:
        """Number of rows; ``where``: a condition in SoQL, ``"year >= 2020"``."""
        rows = self._query(dataset, "count(*) as n", where=where)
        try:
            return int(rows[0]["n"])
        except (LookupError, TypeError, ValueError) as error:
            got = self._plain(rows)
            raise DataError(
                f"{self.url}: asked how many rows {dataset} has, got {got}"
            ) from error

    def page(self, dataset: str, number: int, where: str | None = None) -> Rows:
        """One page of rows, the first is 0, in the order of their identifiers."""
        return self._query(dataset, "*", where=where, page=number)

    def _query(
        self, dataset: str, select: str, where: str | None, page: int | None = None
    ) -> Rows:
        """Rows of a data set, all or those of a page, in either form of the server's interface."""
        size = self.page_size
        if self.soda3:
            query = f"SELECT {select}"
            if where:
                query += f" WHERE {where}"
            if page is not None:
                query += " ORDER BY :id"
            pages = {"pageNumber": 1 + (page or 0), "pageSize": size}
            content = {"query": query, "page": pages, "includeSynthetic": False}
            rows = self._json(
                "POST", "/api/v3/views/{}/query.json", dataset=dataset, json=content
            )
        else:
            params = {"$select": select}
            if where:
                params["$where"] = where
            if page is not None:
                params |= {
                    "$order": ":id",
                    "$limit": str(size),
                    "$offset": str(page * size),
                }
            rows = self._json(
                "GET", "/resource/{}.json", dataset=dataset, params=params
            )
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            got = self._plain(rows)
            raise DataError(f"{self.url}: asked for rows of {dataset}, got {got}")
        return rows

    def _json(self, method: str, path: str, dataset: str, **sent: Any) -> Any:
        """JSON of an answer about a data set: an object, or no more rows than asked for."""
        if not re.fullmatch(r"[a-z0-9]{4}-[a-z0-9]{4}", dataset):
            message = f"{quoted(dataset)} is not a Socrata data set"
            raise DataError(message, hint="it looks like xkb8-kh2a")
        url = self.url + path.format(dataset)
        address = url.removeprefix("https://")

        def read(content: bytes) -> Any:
            try:
                return answered(address, content)
            except (NoRowsError, ValueError) as error:
                # A page in place of data is what servers under maintenance answer.
                raise _AgainError(
                    f"{address}: no JSON{self._describe(content) or ' (cut off?)'}"
                ) from error

        answer = self._ask(method, url, address, read, **sent)
        if isinstance(answer, list) and len(answer) > self.page_size:
            raise DownloadError(
                f"{address}: more rows than the {self.page_size:,} asked for",
                hint="is it the right server?",
            )
        return answer


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
    dataset: str,
    folder: str | Path,
    client: Socrata,
    *,
    progress: Progress | None = None,
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
    kind = _dataset(dataset)
    store = Archive(folder)
    meta = client.metadata(kind.id)
    downloads = Path(folder) / "downloads"
    name = f"{meta.release}_{kind.short}_{meta.updated}.json.gz"
    if meta.release in store.releases(kind.name):
        origin = store.origin(meta.release, kind.name)
        if origin.file == name:
            reason = f"release {meta.release} was there already, unchanged"
            return Fetched(
                meta.release,
                downloads / name,
                sha256=origin.sha256,
                rows=0,
                resumed=0,
                added=False,
                why=reason,
            )
    rows = resumed = 0
    if (downloads / name).exists():
        loaded = read_release(downloads / name, meta.release)
    else:
        partial = Path(folder) / ".partial"
        table = download(dataset, partial, client=client, meta=meta, progress=progress)
        meta = table.meta
        rows = len(table.rows)
        resumed = table.resumed
        name = f"{meta.release}_{kind.short}_{meta.updated}.json.gz"
        try:
            # A folder of its own: another process may remove the pages when it is done with them.
            with TemporaryDirectory(
                prefix=f"{kind.id}_{meta.updated}_", dir=partial
            ) as whole:
                write_rows(Path(whole) / name, table.rows)
                loaded = read_release(
                    Path(whole) / name, meta.release
                )  # refused, it is not kept
                downloads.mkdir(parents=True, exist_ok=True)
                os.replace(Path(whole) / name, downloads / name)
        finally:
            shutil.rmtree(table.folder, ignore_errors=True)
    twin = _same_as_last(store, kind, loaded=loaded)
    added = False
    if twin is not None:
        reason = f"the numbers are those of release {twin}: nothing added"
    else:
        origin = Origin("cdc", urlsplit(client.url).hostname or "", basis="known")
        added = folder_archive(folder).add(loaded, origin=origin)
        outcome = "added" if added else "was there already, the same numbers"
        reason = f"release {meta.release} {outcome}"
    digest = source_of(loaded)["sha256"]
    return Fetched(
        meta.release,
        downloads / name,
        sha256=digest,
        rows=rows,
        resumed=resumed,
        added=added,
        why=reason,
        loaded=loaded,
    )


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
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
    meta = meta or client.metadata(kind.id)
    progress = progress or (lambda *_: None)
    problem = ""
    for _ in range(_TRIES):
        _check_columns(kind, meta)
        key = content_hash(client.page_size, where or "", client.soda3)
        folder = partial / f"{kind.id}_{meta.updated}_{key}"
        for earlier in partial.glob(f"{kind.id}_*"):
            if not earlier.name.startswith(f"{kind.id}_{meta.updated}_"):
                shutil.rmtree(
                    earlier, ignore_errors=True
                )  # of a state of the table that is gone
        total = client.count(kind.id, where)
        rows: Rows = []
        resumed = size = 0
        # Until a page is not full: a count that is too small must not end it.
        for number in itertools.count():
            file = folder / f"page-{number:05d}.json"
            page = _read_page(file)
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
        distinct = {json.dumps(row, sort_keys=True) for row in rows}
        repeats = len(rows) - len(distinct)
        if after.updated != meta.updated:
            problem = f"CDC changed {kind.id} during the download"
        elif len(rows) != total:
            problem = f"{kind.id} has {total:,} rows, {len(rows):,} came"
        elif repeats:
            problem = (
                f"{repeats:,} rows of {kind.id} came twice, so others did not come"
            )
        elif not rows:
            condition = f" where {where}" if where else ""
            raise DataError(f"{kind.id} has no rows{condition}")
        else:
            return Download(meta, rows, resumed=resumed, folder=folder)
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
    datasets = {dataset.short: dataset for dataset in SETS.values()} | SETS
    if key not in datasets:
        raise DataError(
            f"no data set {quoted(key)}", hint=f"one of {', '.join(datasets)}"
        )
    return datasets[key]


def _check_columns(kind: Dataset, meta: Metadata) -> None:
    """Refuse a table whose columns are not those this version understands, before the rows."""
    missing = [column for column in kind.needs if column not in meta.columns]
    new = [column for column in meta.columns if kind.knows and column not in kind.knows]
    changes = []
    if missing:
        changes.append(f"without {listed(missing)}")
    if new:
        changes.append(f"with the new {listed(new)}")
    if changes:
        raise DataError(
            f"CDC has changed the columns of {kind.id}: {' and '.join(changes)}",
            hint="nothing was downloaded; look for a newer version of odforecast",
        )


def _same_as_last(store: Archive, kind: Dataset, loaded: Release) -> dt.date | None:
    """The release before, if it has the very same numbers."""
    dates = [d for d in store.releases(kind.name) if d <= loaded.release]
    if not dates or dates[-1] == loaded.release:
        return None
    last = store.release(dates[-1], None, kind.name).drop(columns="release")
    return dates[-1] if last.equals(loaded.table.drop(columns="release")) else None


def _read_page(path: Path) -> Rows | None:
    """Page of an earlier try; None if it is not there, or not a page."""
    try:
        page = json.loads(path.read_bytes())
        return page if isinstance(page, list) else None
    except (OSError, ValueError, RecursionError):
        return None
