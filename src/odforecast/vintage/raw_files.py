"""A careful client of a server of raw files, such as GitHub's.

Limits, waits and messages are those of :mod:`odforecast.vintage.receive`: an answer that is late
or cut off is asked for again, one without end is left, and no redirect is followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests

from odforecast.say import plain
from odforecast.vintage.copies import Copy
from odforecast.vintage.receive import answered, check_status, patiently

#: Where GitHub answers with the bytes of a file: ``/owner/name/commit/path``.
GITHUB = "https://raw.githubusercontent.com"


class RawFiles:
    """Client of a server of raw files; use it as a context manager.

    Parameters
    ----------
    url : str
        Server; what follows is ``/owner/name/commit/path``.
    timeout : float
        Seconds to connect, and to wait for each piece of an answer.
    limit : float
        Seconds an answer may take as a whole.
    attempts : int
        How often a request is tried.
    most_bytes : int
        A file may have so many bytes; a server that sends more is left.
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

    Examples
    --------
    >>> RawFiles()
    <RawFiles raw.githubusercontent.com>
    """

    def __init__(
        self,
        url: str = GITHUB,
        *,
        timeout: float = 60,
        limit: float = 600,
        attempts: int = 3,
        most_bytes: int = 200_000_000,
        longest_wait: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.heard = False
        self._timeout, self._limit, self._attempts = timeout, limit, attempts
        self._most, self._longest_wait = most_bytes, longest_wait
        self._sleep, self._notify = sleep, notify
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"odforecast/{version('odforecast')}"
        self._session.headers["Accept-Encoding"] = "gzip"

    def __repr__(self) -> str:
        return f"<RawFiles {self.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

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
        return patiently(
            lambda: self._once(copy.url(self.url)),
            attempts=self._attempts,
            sleep=self._sleep,
            notify=self._notify,
        )

    def _once(self, url: str) -> bytes:
        answer, content = answered(
            self._session,
            "GET",
            url,
            self.name,
            timeout=self._timeout,
            seconds=self._limit,
            most=self._most,
        )
        self.heard = True
        check_status(answer, content, self.name, longest_wait=self._longest_wait)
        return content
