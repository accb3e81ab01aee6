"""A careful client of data.cdc.gov (Socrata): metadata, row counts and pages of a data set.

Every request has a time limit for each read and one for the whole answer. An answer that is
late, cut off, no JSON, ``429`` or ``5xx`` is asked for again, after a wait that grows or that
the server names (``Retry-After``); anything else is an error at once.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import requests

from odforecast.errors import DataError, DownloadError
from odforecast.say import plain, quoted
from odforecast.sources.cells import NoRowsError, records, whole
from odforecast.vintage.receive import AgainError, answered, check_status, patiently, said

CDC = "https://data.cdc.gov"
#: Environment variable that holds an app token of data.cdc.gov; without one, CDC answers too,
#: but throttles sooner.
TOKEN_VARIABLE = "SOCRATA_APP_TOKEN"

_WASHINGTON = ZoneInfo("America/New_York")
#: This machine: nobody else can read what is sent to it.
_OWN = frozenset({"localhost", "127.0.0.1", "::1"})
_ID = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}")

_YEAR_2100 = 4_102_444_800

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
        self.url = url.rstrip("/")
        self.page_size = page_size
        self.most_bytes = most_bytes
        self.most_rows = most_rows
        self.soda3 = soda3
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
        self.has_token = bool(token)
        self._token = token
        self._timeout = timeout
        self._limit = limit
        self._attempts = attempts
        self._longest_wait = longest_wait
        self._sleep = sleep
        self._notify = notify or (lambda _: None)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"odforecast/{version('odforecast')}"
        self._session.headers["Accept"] = "application/json"
        self._session.headers["Accept-Encoding"] = "gzip"
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

    def _hidden(self, text: str) -> str:
        """A message without the token, which a server may send back in an answer."""
        return text.replace(self._token, "(token)") if self._token else text

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
            type(updated) is not int
            or not 0 < updated < _YEAR_2100
            or not isinstance(columns, list)
            or not all(isinstance(c, dict) for c in columns)
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
            count = int(found[0]["n"])
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.url}: asked how many rows {dataset} has, got {self._hidden(plain(found))}"
            ) from error
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
        _checked(dataset)
        if self.soda3:
            query = f"SELECT {select}" + (f" WHERE {where}" if where else "")
            query += " ORDER BY :id" if order else ""
            found = self._ask(
                "POST",
                f"/api/v3/views/{dataset}/query.json",
                content={
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
            raise DataError(
                f"{self.url}: asked for rows of {dataset}, got {self._hidden(plain(found))}"
            )
        return found

    def _ask(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        content: dict[str, Any] | None = None,
    ) -> Any:
        """JSON of an answer, asked for until it is whole."""
        return patiently(
            lambda: self._once(method, self.url + path, params, content),
            attempts=self._attempts,
            sleep=self._sleep,
            notify=self._notify,
        )

    def _once(
        self,
        method: str,
        url: str,
        params: dict[str, str] | None,
        sent: dict[str, Any] | None,
    ) -> Any:
        shown = url.removeprefix("https://")
        answer, content = answered(
            self._session,
            method,
            url,
            shown,
            timeout=self._timeout,
            seconds=self._limit,
            most=self.most_bytes,
            hidden=self._hidden,
            params=params,
            json=sent,
        )
        check_status(
            answer,
            content,
            shown,
            longest_wait=self._longest_wait,
            hidden=self._hidden,
            advice=f"is the token in {TOKEN_VARIABLE} right?" if self.has_token else None,
            limits="try again then; an app token raises the limits",
        )
        try:
            if content.lstrip()[:1] != b"[":
                return whole(shown, content)
            rows = list(itertools.islice(records(shown, content, as_is=True), self.page_size + 1))
        except (NoRowsError, ValueError) as error:
            # A page in place of data is what servers under maintenance answer.
            why = self._hidden(said(content)) or " (cut off?)"
            raise AgainError(f"{shown}: no JSON{why}") from error
        if len(rows) > self.page_size:
            raise DownloadError(
                f"{shown}: more rows than the {self.page_size:,} asked for",
                hint="is it the right server?",
            )
        return rows


def _checked(dataset: str) -> str:
    if not _ID.fullmatch(dataset):
        raise DataError(
            f"{quoted(dataset)} is no data set of Socrata", hint="it looks like xkb8-kh2a"
        )
    return dataset
