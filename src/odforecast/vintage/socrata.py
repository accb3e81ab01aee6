"""A careful client of data.cdc.gov (Socrata): metadata, row counts and pages of a data set.

Every request has a time limit for each read and one for the whole answer. An answer that is
late, cut off, no JSON, ``429`` or ``5xx`` is asked for again, after a wait that grows or that
the server names (``Retry-After``); anything else is an error at once.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import requests
import tenacity
import urllib3

from odforecast.errors import DataError, DownloadError

CDC = "https://data.cdc.gov"
#: Environment variable that holds an app token of data.cdc.gov; without one, CDC answers too,
#: but throttles sooner.
TOKEN_VARIABLE = "SOCRATA_APP_TOKEN"

_WASHINGTON = ZoneInfo("America/New_York")
_ID = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}")

Rows = list[dict[str, Any]]


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


class _AgainError(Exception):
    """A failure that may pass; ``after`` is the wait in seconds the server asked for."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Socrata:
    """Client of one server; use it as a context manager.

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
    longest_wait : float
        A server that asks for a longer wait (seconds) is left alone.
    sleep : callable
        Waits between attempts; tests give their own.
    notify : callable, optional
        Told, in words, why a request is tried again.

    Examples
    --------
    >>> Socrata(token="t", page_size=500)
    <Socrata https://data.cdc.gov, with token, 500 rows a page>
    """

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
        longest_wait: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.page_size = page_size
        self.soda3 = soda3
        token = (token if token is not None else os.environ.get(TOKEN_VARIABLE, "")).strip()
        if soda3 and not token:
            raise DownloadError(
                "the SODA3 API answers only with an app token, and there is none",
                hint=f"set {TOKEN_VARIABLE}, or leave SODA3 out",
            )
        self.has_token = bool(token)
        self._timeout = timeout
        self._limit = limit
        self._attempts = attempts
        self._longest_wait = longest_wait
        self._sleep = sleep
        self._notify = notify or (lambda _: None)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"odforecast/{version('odforecast')}"
        self._session.headers["Accept"] = "application/json"
        if token:
            self._session.headers["X-App-Token"] = token

    def __repr__(self) -> str:
        token = "with" if self.has_token else "no"
        return f"<Socrata {self.url}, {token} token, {self.page_size:,} rows a page>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

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
        found = self._ask("GET", f"/api/views/{_checked(dataset)}.json")
        updated = found.get("rowsUpdatedAt") if isinstance(found, dict) else None
        columns = found.get("columns") if isinstance(found, dict) else None
        if (
            not isinstance(updated, int)
            or not isinstance(columns, list)
            or found.get("id") != dataset
        ):
            raise DataError(
                f"{self.url}: the catalogue entry of {dataset} has no rowsUpdatedAt, columns or id",
                hint="is the address that of a Socrata server?",
            )
        fields = {str(c.get("fieldName")): str(c.get("dataTypeName")) for c in columns}
        own = {k: v for k, v in fields.items() if not k.startswith(":")}
        return Metadata(dataset, str(found.get("name", dataset)), updated, own)

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
            return int(found[0]["n"])
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.url}: asked how many rows {dataset} has, got {str(found)[:80]}"
            ) from error

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
        _checked(dataset)
        if self.soda3:
            query = f"SELECT {select}" + (f" WHERE {where}" if where else "")
            query += " ORDER BY :id" if order else ""
            found = self._ask(
                "POST",
                f"/api/v3/views/{dataset}/query.json",
                body={
                    "query": query,
                    "page": {"pageNumber": page + 1, "pageSize": self.page_size},
                    "includeSynthetic": False,
                },
            )
        else:
            params = {"$select": select} | ({"$where": where} if where else {})
            if order:
                params |= {
                    "$order": ":id",
                    "$limit": str(self.page_size),
                    "$offset": str(page * self.page_size),
                }
            found = self._ask("GET", f"/resource/{dataset}.json", params=params)
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise DataError(f"{self.url}: asked for rows of {dataset}, got {str(found)[:80]}")
        return found

    def _ask(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        """JSON of an answer, asked for until it is whole."""

        def told(state: tenacity.RetryCallState) -> None:
            assert state.outcome is not None
            wait = state.next_action.sleep if state.next_action else 0
            self._notify(f"{state.outcome.exception()}; again in {wait:.0f} s")

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=self._wait,
            sleep=self._sleep,
            before_sleep=told,
            reraise=True,
        )
        try:
            return retrying(self._once, method, self.url + path, params, body)
        except _AgainError as error:
            raise DownloadError(
                f"{error} ({self._attempts} attempts)",
                hint="try again later: what was downloaded is kept, and the next try goes on",
            ) from error

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        growing = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)(state)
        after = getattr(error, "after", None)
        return growing if after is None else max(float(after), 0)

    def _once(
        self,
        method: str,
        url: str,
        params: dict[str, str] | None,
        body: dict[str, Any] | None,
    ) -> Any:
        shown = url.removeprefix("https://")
        try:
            # No redirects: they would carry the token to another server.
            with self._session.request(
                method,
                url,
                params=params,
                json=body,
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
            ) as answer:
                content = self._content(answer, shown)
        except requests.exceptions.SSLError as error:
            raise DownloadError(f"{shown}: no secure connection ({error})") from error
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            what = " ".join(str(error).split())[:160]
            raise _AgainError(f"{shown}: {type(error).__name__} ({what})") from error
        except requests.RequestException as error:
            raise DownloadError(f"{shown}: {error}", hint="check the address") from error
        text = content.decode("utf-8", errors="replace")
        status = answer.status_code
        if status in (408, 429) or status >= 500:
            after = _retry_after(answer.headers.get("Retry-After"))
            if after is not None and after > self._longest_wait:
                raise DownloadError(
                    f"{shown}: answer {status}, the server asks to wait {after:,.0f} seconds",
                    hint="try again then; an app token raises the limits",
                )
            raise _AgainError(f"{shown}: answer {status}{_said(text)}", after)
        if status != 200:
            to = answer.headers.get("Location")
            raise DownloadError(
                f"{shown}: answer {status}{_said(text)}{f', moved to {to}' if to else ''}",
                hint=f"is the token in {TOKEN_VARIABLE} right?"
                if status in (401, 403) and self.has_token
                else None,
            )
        try:
            return json.loads(content)
        except ValueError as error:
            # A page in place of data is what servers under maintenance answer.
            raise _AgainError(f"{shown}: no JSON{_said(text) or ' (cut off?)'}") from error

    def _content(self, answer: requests.Response, shown: str) -> bytes:
        """Body of an answer; a server that sends it byte by byte is given up."""
        end = time.monotonic() + self._limit
        pieces = []
        while piece := answer.raw.read1(1 << 20, decode_content=True):
            pieces.append(piece)
            if time.monotonic() > end:
                raise _AgainError(f"{shown}: the answer took longer than {self._limit:g} s")
        return b"".join(pieces)


def _checked(dataset: str) -> str:
    if not _ID.fullmatch(dataset):
        raise DataError(f"{dataset!r} is no data set of Socrata", hint="it looks like xkb8-kh2a")
    return dataset


def _retry_after(text: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header: a number, or the date until when.

    Examples
    --------
    >>> _retry_after("120"), _retry_after("soon"), _retry_after(None)
    (120.0, None, None)
    """
    if text is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text.strip()):
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return (until - dt.datetime.now(dt.UTC)).total_seconds()


def _said(text: str) -> str:
    """What an answer that is no data says, in a few words.

    Examples
    --------
    >>> _said('{"message": "Invalid app token"}')
    ' (Invalid app token)'
    >>> _said("<html><title>Down for maintenance</title></html>")
    ' (a web page: Down for maintenance)'
    """
    if text.lstrip().startswith("<"):
        found = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return f" (a web page{': ' + ' '.join(found.group(1).split())[:80] if found else ''})"
    try:
        content = json.loads(text)
    except ValueError:
        return ""
    message = content.get("message") if isinstance(content, dict) else None
    return f" ({' '.join(str(message).split())[:160]})" if message else ""
