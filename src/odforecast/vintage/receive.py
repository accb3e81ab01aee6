"""What a server answers: received in pieces, up to a limit, and said in a few words."""

from __future__ import annotations

import datetime as dt
import email.utils
import io
import json
import re
import time
import zlib
from collections.abc import Callable
from typing import Any

import requests
import tenacity
import urllib3

from odforecast.errors import DownloadError
from odforecast.say import plain

_PIECE = 1 << 16
#: Bytes of an answer that is no data, from which it is told what it says.
_SAID = 100_000


class AgainError(Exception):
    """A failure that may pass; ``after`` is the wait in seconds the server asked for."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


def patiently[T](
    ask: Callable[[], T],
    *,
    attempts: int,
    sleep: Callable[[float], None] = time.sleep,
    notify: Callable[[str], None] | None = None,
) -> T:
    """What a request gives, asked again after :class:`AgainError`, each time after a longer wait.

    Parameters
    ----------
    ask : callable
    attempts : int
        How often it is tried.
    sleep : callable
        Waits; tests give their own.
    notify : callable, optional
        Told, in words, why it is tried again.

    Raises
    ------
    DownloadError
        If every attempt failed.
    """

    def told(state: tenacity.RetryCallState) -> None:
        assert state.outcome is not None
        wait = state.next_action.sleep if state.next_action else 0
        if notify is not None:
            notify(f"{state.outcome.exception()}; again in {wait:.0f} s")

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        growing = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)(state)
        after = getattr(error, "after", None)
        return growing if after is None else max(float(after), 0)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(AgainError),
        stop=tenacity.stop_after_attempt(attempts),
        wait=wait,
        sleep=sleep,
        before_sleep=told,
        reraise=True,
    )
    try:
        return retrying(ask)
    except AgainError as error:
        raise DownloadError(
            f"{error} ({attempts} attempts)",
            hint="try again later: what was downloaded is kept, and the next try goes on",
        ) from error


def answered(
    session: requests.Session,
    method: str,
    url: str,
    shown: str,
    *,
    timeout: float,
    seconds: float,
    most: int,
    hidden: Callable[[str], str] = str,
    **sent: Any,
) -> tuple[requests.Response, bytes]:
    """Answer to one request, whatever its status, and its body.

    Parameters
    ----------
    session : Session
    method, url : str
    shown : str
        Address, for messages.
    timeout : float
        Seconds to connect, and to wait for each piece.
    seconds, most
        As in :func:`body`.
    hidden : callable
        Takes out of a message what must not be said.
    **sent
        ``params`` and ``json`` of the request.

    Raises
    ------
    AgainError
        If it was late, cut off or damaged, or nobody answered.
    DownloadError
        If there is no secure connection, no such address, or no end.
    """
    try:
        # No redirects: they would carry a token, or the request, to another server.
        with session.request(
            method, url, timeout=timeout, stream=True, allow_redirects=False, **sent
        ) as answer:
            return answer, body(answer, shown, seconds=seconds, most=most)
    except requests.exceptions.SSLError as error:
        raise DownloadError(
            f"{shown}: no secure connection ({hidden(plain(error, 160))})"
        ) from error
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
        # The reason, not what was tried: that is in ``shown``.
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(reason, urllib3.exceptions.NameResolutionError):
            # Nobody who asks again in a minute gets another answer.
            raise DownloadError(
                f"cannot reach {shown.partition('/')[0]}: no such host is known here; is there a "
                "network?",
                hint="without one, go on with the releases that are there (update --no-fetch)",
            ) from error
        what = hidden(plain(" ".join(str(reason or error).split()), 160))
        raise AgainError(f"{shown}: {type(error).__name__} ({what})") from error
    except requests.RequestException as error:
        raise DownloadError(
            f"{shown}: {hidden(plain(error, 160))}", hint="check the address"
        ) from error


def check_status(
    answer: requests.Response,
    content: bytes,
    shown: str,
    *,
    longest_wait: float,
    hidden: Callable[[str], str] = str,
    advice: str | None = None,
    limits: str | None = None,
) -> None:
    """Nothing for an answer 200, an error for any other.

    Parameters
    ----------
    answer : Response
    content : bytes
        Its body.
    shown : str
        Address, for messages.
    longest_wait : float
        A server that asks for a longer wait (seconds) is left alone.
    hidden : callable
        Takes out of a message what must not be said.
    advice : str, optional
        What to do about 401 and 403.
    limits : str, optional
        What to do about a server that asks for a long wait.

    Raises
    ------
    AgainError
        For 408, 429 and 5xx, which may pass.
    DownloadError
        For anything else.
    """
    status = answer.status_code
    if status in (408, 429) or status >= 500:
        after = retry_after(answer.headers.get("Retry-After"))
        if after is not None and after > longest_wait:
            raise DownloadError(
                f"{shown}: answer {status}, the server asks to wait {after:,.0f} seconds",
                hint=limits or "try again then",
            )
        raise AgainError(f"{shown}: answer {status}{hidden(said(content))}", after)
    if status != 200:
        to = answer.headers.get("Location")
        raise DownloadError(
            f"{shown}: answer {status}"
            + hidden(f"{said(content)}{f', moved to {plain(to)}' if to else ''}"),
            hint=advice if status in (401, 403) else None,
        )


def body(answer: requests.Response, shown: str, *, seconds: float, most: int) -> bytes:
    """Body of an answer, unpacked.

    A server that sends it byte by byte is given up after ``seconds``, one that never ends, or
    packs gigabytes into megabytes, after ``most`` bytes. Only gzip is unpacked, because only
    gzip is asked for.

    Raises
    ------
    AgainError
        If it is late, or its packing damaged.
    DownloadError
        If it is longer than any release.
    """
    end = time.monotonic() + seconds
    packing = (answer.headers.get("Content-Encoding") or "identity").strip().lower()
    if packing not in ("identity", "gzip", "x-gzip"):
        raise DownloadError(
            f"{shown}: an answer packed as {plain(packing)}, which nobody asked for"
        )
    unpack = zlib.decompressobj(wbits=31) if packing != "identity" else None
    found = io.BytesIO()
    while piece := answer.raw.read1(_PIECE, decode_content=False):
        if time.monotonic() > end:
            raise AgainError(f"{shown}: the answer took longer than {seconds:g} s")
        while piece:
            if unpack is None:
                part, piece = piece, b""
            else:
                try:
                    part = unpack.decompress(piece, 1 << 20)
                except zlib.error as error:
                    raise AgainError(f"{shown}: a damaged answer ({error})") from error
                piece = unpack.unconsumed_tail
                if unpack.unused_data:
                    raise AgainError(f"{shown}: bytes after the end of a packed answer")
            if found.tell() + len(part) > most:
                raise DownloadError(
                    f"{shown}: the answer is longer than {most / 1e6:,.0f} MB, more than any "
                    "release",
                    hint="is it the right server? Nothing of it was kept",
                )
            found.write(part)
    if unpack is not None and not unpack.eof:
        raise AgainError(f"{shown}: a packed answer that is cut off")
    return found.getvalue()


def retry_after(text: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header: a number, or the date until when.

    Examples
    --------
    >>> retry_after("120"), retry_after("soon"), retry_after(None)
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


def said(content: bytes) -> str:
    """What an answer that is no data says, in a few words.

    Examples
    --------
    >>> said(b'{"message": "Invalid app token"}')
    ' (Invalid app token)'
    >>> said(b"<html><title>Down for maintenance</title></html>")
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
