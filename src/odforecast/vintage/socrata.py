"""Careful clients of servers: :class:`Client`, and of data.cdc.gov (Socrata) in particular.

Every request has a time limit for each piece of an answer and one for the whole, and no redirect is
followed. An answer that is late, cut off, no JSON, ``408``, ``429`` or ``5xx`` is asked for again,
after a wait that grows or that the server names (``Retry-After``); anything else is an error at
once.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import random
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import requests
import urllib3

from odforecast.errors import DataError, DownloadError
from odforecast.say import plain, quoted
from odforecast.sources.read import NoRowsError, answered

CDC = "https://data.cdc.gov"
#: Environment variable that holds an app token of data.cdc.gov; without one, CDC answers too,
#: but throttles sooner.
TOKEN_VARIABLE = "SOCRATA_APP_TOKEN"

_WASHINGTON = ZoneInfo("America/New_York")
#: This machine: nobody else can read what is sent to it.
_OWN = frozenset({"localhost", "127.0.0.1", "::1"})
_ID = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}")
_YEAR_2100 = 4_102_444_800
_PIECE = 1 << 16
#: Bytes of an answer that is no data, from which it is told what it says.
_SAID = 100_000

Rows = list[dict[str, Any]]


class UnreachableError(DownloadError):
    """A server whose address cannot be found: without a network, as a rule."""


@dataclass
class _AgainError(Exception):
    """A failure that may pass; ``after`` is the wait in seconds the server asked for."""

    message: str
    after: float | None = None

    def __str__(self) -> str:
        return self.message


class Client:
    """Client of one server; use it as a context manager.

    Parameters
    ----------
    url : str
        Server.
    timeout : float
        Seconds to connect, and to wait for each piece of an answer.
    limit : float
        Seconds an answer may take as a whole.
    attempts : int
        How often a request is tried.
    most_bytes : int
        An answer may have so many bytes; a server that sends more is left.
    longest_wait : float
        A server that asks for a longer wait (seconds) is left alone.
    sleep : callable
        Waits between attempts; tests give their own.
    notify : callable, optional
        Told, in words, why a request is tried again.

    Attributes
    ----------
    heard : bool
        Whether the server has ever answered.
    """

    #: What to do about a server that asks for a long wait.
    _later = "try again then"

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60,
        limit: float = 600,
        attempts: int = 3,
        most_bytes: int = 200_000_000,
        longest_wait: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.url, self.most_bytes, self.heard = url.rstrip("/"), most_bytes, False
        self._timeout, self._limit, self._attempts = timeout, limit, attempts
        self._longest_wait, self._sleep = longest_wait, sleep
        self._notify = notify or (lambda _: None)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"odforecast/{version('odforecast')}"
        self._session.headers["Accept-Encoding"] = "gzip"
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def _hidden(self, text: str) -> str:
        """A message without the token, which a server may send back in an answer."""
        return text.replace(self._token, "(token)") if self._token else text

    def _ask[T](
        self, method: str, url: str, shown: str, read: Callable[[bytes], T], **sent: Any
    ) -> T:
        """What ``read`` makes of an answer, asked for until it is whole.

        ``shown`` stands for the address in messages.
        """
        attempt = 1
        while True:
            try:
                return read(self._answer(method, url, shown, **sent))
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
                attempt += 1

    def _answer(self, method: str, url: str, shown: str, **sent: Any) -> bytes:
        """Body of an answer 200."""
        try:
            # No redirects: they would carry a token, or the request, to another server.
            with self._session.request(
                method, url, timeout=self._timeout, stream=True, allow_redirects=False, **sent
            ) as answer:
                content = self._body(answer, shown)
        except requests.exceptions.SSLError as error:
            raise DownloadError(
                f"{shown}: no secure connection ({self._hidden(plain(error, 160))})"
            ) from error
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            # The reason, not what was tried: that is in ``shown``.
            reason = getattr(error.args[0], "reason", None) if error.args else None
            if isinstance(reason, urllib3.exceptions.NameResolutionError):
                # Nobody who asks again in a minute gets another answer.
                raise UnreachableError(
                    f"cannot reach {shown.partition('/')[0]}: its address was not found",
                    hint="check the network connection; everything but fetching works without one",
                ) from error
            what = self._hidden(plain(" ".join(str(reason or error).split()), 160))
            raise _AgainError(f"{shown}: {type(error).__name__} ({what})") from error
        except requests.RequestException as error:
            raise DownloadError(
                f"{shown}: {self._hidden(plain(error, 160))}", hint="check the address"
            ) from error
        self.heard = True
        self._check(answer, content, shown)
        return content

    def _check(self, answer: requests.Response, content: bytes, shown: str) -> None:
        """Refuse an answer that is not 200, or ask again where it may pass."""
        status, said = answer.status_code, self._hidden(_said(content))
        if status in (408, 429) or status >= 500:
            after = _retry_after(answer.headers.get("Retry-After"))
            if after is not None and after > self._longest_wait:
                raise DownloadError(
                    f"{shown}: answer {status}, the server asks to wait {after:,.0f} seconds",
                    hint=self._later,
                )
            raise _AgainError(f"{shown}: answer {status}{said}", after)
        if status != 200:
            to = answer.headers.get("Location")
            moved = self._hidden(f", moved to {plain(to)}" if to else "")
            token = status in (401, 403) and self._token
            hint = f"is the token in {TOKEN_VARIABLE} right?" if token else None
            raise DownloadError(f"{shown}: answer {status}{said}{moved}", hint)

    def _body(self, answer: requests.Response, shown: str) -> bytes:
        """Body of an answer, unpacked, within the limits of time and size.

        A server may send it byte by byte, without end, or gigabytes packed into megabytes. Only
        gzip is unpacked, because only gzip is asked for.
        """
        end = time.monotonic() + self._limit
        packing = (answer.headers.get("Content-Encoding") or "identity").strip().lower()
        if packing not in ("identity", "gzip", "x-gzip"):
            raise DownloadError(
                f"{shown}: an answer packed as {plain(packing)}, which nobody asked for"
            )
        unpack = zlib.decompressobj(wbits=31) if packing != "identity" else None
        found = io.BytesIO()
        while piece := answer.raw.read1(_PIECE, decode_content=False):
            if time.monotonic() > end:
                raise _AgainError(f"{shown}: the answer took longer than {self._limit:g} s")
            if unpack is not None:
                try:
                    piece = unpack.decompress(piece, self.most_bytes + 1 - found.tell())
                except zlib.error as error:
                    raise _AgainError(f"{shown}: a damaged answer ({error})") from error
                if unpack.unused_data:
                    raise _AgainError(f"{shown}: bytes after the end of a packed answer")
            if found.tell() + len(piece) > self.most_bytes:
                raise DownloadError(
                    f"{shown}: the answer is longer than {self.most_bytes / 1e6:,.0f} MB, more "
                    "than any release",
                    hint="is it the right server? Nothing of it was kept",
                )
            found.write(piece)
        if unpack is not None and not unpack.eof:
            raise _AgainError(f"{shown}: a packed answer that is cut off")
        return found.getvalue()


def _retry_after(text: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header: a number, or the date until when.

    Examples
    --------
    >>> _retry_after("120"), _retry_after("soon"), _retry_after(None)
    (120.0, None, None)
    """
    try:
        return None if text is None else float(urllib3.Retry().parse_retry_after(text))
    except urllib3.exceptions.InvalidHeader:
        return None


def _said(content: bytes) -> str:
    """What an answer that is no data says, in a few words.

    Examples
    --------
    >>> _said(b'{"message": "Invalid app token"}')
    ' (Invalid app token)'
    >>> _said(b"<html><title>Down for maintenance</title></html>")
    ' (a web page: Down for maintenance)'
    """
    text = content[:_SAID].decode("utf-8", errors="replace")
    if text.lstrip().startswith("<"):
        found = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return f" (a web page{': ' + plain(' '.join(found.group(1).split())) if found else ''})"
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    message = answer.get("message") if isinstance(answer, dict) else None
    return f" ({plain(' '.join(str(message).split()), 160)})" if message else ""


@dataclass(frozen=True)
class Metadata:
    """What the catalogue says of a data set.

    Attributes
    ----------
    id, name : str
        ``"xkb8-kh2a"``, and the title.
    updated : int
        When the rows last changed, in seconds since 1970 (UTC).
    columns : dict of str to str
        Field name to type, without the server's own fields.
    """

    id: str
    name: str
    updated: int
    columns: dict[str, str]

    @property
    def release(self) -> dt.date:
        """Release date: the day in Washington when the rows last changed."""
        return dt.datetime.fromtimestamp(self.updated, _WASHINGTON).date()


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
    timeout : float
        Seconds to connect, and to wait for each piece of an answer.
    limit : float
        Seconds an answer may take as a whole.
    attempts : int
        How often a request is tried.
    most_bytes : int
        An answer, and all rows of a data set together, may have so many bytes (a release is
        below 100 MB); a server that sends more is left.
    most_rows : int
        Rows that a data set may have.
    longest_wait : float
        A server that asks for a longer wait (seconds) is left alone.
    sleep : callable
        Waits between attempts; tests give their own.
    notify : callable, optional
        Told, in words, why a request is tried again.

    Examples
    --------
    >>> from odforecast.vintage.socrata import Socrata
    >>> Socrata(token="t", page_size=500)
    <Socrata https://data.cdc.gov, with token, 500 rows a page>
    """

    _later = "try again then; an app token raises the limits"

    def __init__(
        self,
        url: str = CDC,
        *,
        token: str | None = None,
        soda3: bool = False,
        page_size: int = 20_000,
        timeout: float = 60,
        limit: float = 600,
        attempts: int = 6,
        most_bytes: int = 200_000_000,
        most_rows: int = 1_000_000,
        longest_wait: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(
            url, timeout=timeout, limit=limit, attempts=attempts, most_bytes=most_bytes,
            longest_wait=longest_wait, sleep=sleep, notify=notify,
        )  # fmt: skip
        self.page_size, self.most_rows, self.soda3 = page_size, most_rows, soda3
        token = (token if token is not None else os.environ.get(TOKEN_VARIABLE, "")).strip()
        if soda3 and not token:
            raise DownloadError(
                "the SODA3 API answers only with an app token, and there is none",
                hint=f"set {TOKEN_VARIABLE}, or leave SODA3 out",
            )
        where = urlsplit(self.url)
        if token and where.scheme != "https" and where.hostname not in _OWN:
            raise DownloadError(
                f"{plain(self.url)}: the app token could be read on its way there",
                hint=f"use https://, or unset {TOKEN_VARIABLE}",
            )
        self._token = token
        self._session.headers["Accept"] = "application/json"
        if token:
            self._session.headers["X-App-Token"] = token

    def __repr__(self) -> str:
        token = "with" if self._token else "no"
        return f"<Socrata {self.url}, {token} token, {self.page_size:,} rows a page>"

    def metadata(self, dataset: str) -> Metadata:
        """What the catalogue says of a data set.

        Parameters
        ----------
        dataset : str
            Identifier, ``"xkb8-kh2a"``.

        Raises
        ------
        DownloadError
            If the server does not answer.
        DataError
            If the answer is not a catalogue entry of that data set.
        """
        found = self._json("GET", f"/api/views/{_checked(dataset)}.json")
        entry = found if isinstance(found, dict) else {}
        updated, columns = entry.get("rowsUpdatedAt"), entry.get("columns")
        if (
            type(updated) is not int
            or not 0 < updated < _YEAR_2100
            or not isinstance(columns, list)
            or not all(isinstance(c, dict) for c in columns)
            or entry.get("id") != dataset
        ):
            raise DataError(
                f"{self.url}: the catalogue entry of {dataset} has no rowsUpdatedAt, columns or id",
                hint="is the address that of a Socrata server?",
            )
        fields = {str(c.get("fieldName")): str(c.get("dataTypeName")) for c in columns}
        own = {k: v for k, v in fields.items() if not k.startswith(":")}
        return Metadata(dataset, str(entry.get("name", dataset)), updated, own)

    def count(self, dataset: str, where: str | None = None) -> int:
        """Number of rows.

        Parameters
        ----------
        dataset : str
        where : str, optional
            Condition in SoQL, ``"year >= 2020"``.
        """
        found = self._query(dataset, "count(*) as n", where, order=False)
        try:
            count = int(found[0]["n"])
        except (LookupError, TypeError, ValueError) as error:
            got = self._hidden(plain(found))
            raise DataError(f"{self.url}: asked how many rows {dataset} has, got {got}") from error
        if not 0 <= count <= self.most_rows:
            raise DataError(
                f"{self.url}: {dataset} has {count:,} rows, it says; {self.most_rows:,} are more "
                "than any release",
                hint="is it the right data set?",
            )
        return count

    def page(self, dataset: str, number: int, where: str | None = None) -> Rows:
        """One page of rows, in the order of their identifiers.

        Parameters
        ----------
        dataset : str
        number : int
            0 is the first.
        where : str, optional
            Condition in SoQL.
        """
        return self._query(dataset, "*", where, order=True, page=number)

    def _query(
        self, dataset: str, select: str, where: str | None, *, order: bool, page: int = 0
    ) -> Rows:
        """Rows of a data set, in either form of the server's interface."""
        _checked(dataset)
        if self.soda3:
            query = f"SELECT {select}" + (f" WHERE {where}" if where else "")
            query += " ORDER BY :id" if order else ""
            pages = {"pageNumber": page + 1, "pageSize": self.page_size}
            content = {"query": query, "page": pages, "includeSynthetic": False}
            found = self._json("POST", f"/api/v3/views/{dataset}/query.json", json=content)
        else:
            params = {"$select": select} | ({"$where": where} if where else {})
            if order:
                start, size = str(page * self.page_size), str(self.page_size)
                params |= {"$order": ":id", "$limit": size, "$offset": start}
            found = self._json("GET", f"/resource/{dataset}.json", params=params)
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            got = self._hidden(plain(found))
            raise DataError(f"{self.url}: asked for rows of {dataset}, got {got}")
        return found

    def _json(self, method: str, path: str, **sent: Any) -> Any:
        """JSON of an answer: an object, or no more rows than asked for."""
        url = self.url + path
        shown = url.removeprefix("https://")

        def read(content: bytes) -> Any:
            try:
                return answered(shown, content)
            except (NoRowsError, ValueError) as error:
                # A page in place of data is what servers under maintenance answer.
                why = self._hidden(_said(content)) or " (cut off?)"
                raise _AgainError(f"{shown}: no JSON{why}") from error

        found = self._ask(method, url, shown, read, **sent)
        if isinstance(found, list) and len(found) > self.page_size:
            raise DownloadError(
                f"{shown}: more rows than the {self.page_size:,} asked for",
                hint="is it the right server?",
            )
        return found


def _checked(dataset: str) -> str:
    if not _ID.fullmatch(dataset):
        raise DataError(
            f"{quoted(dataset)} is not a Socrata data set", hint="it looks like xkb8-kh2a"
        )
    return dataset
