"""What a server answers: received in pieces, up to a limit, and said in a few words."""

from __future__ import annotations

import datetime as dt
import email.utils
import io
import json
import re
import time
import zlib

import requests

from odforecast.errors import DownloadError
from odforecast.sources.quoting import plain

_PIECE = 1 << 16
#: Bytes of an answer that is no data, from which it is told what it says.
_SAID = 100_000


class AgainError(Exception):
    """A failure that may pass; ``after`` is the wait in seconds the server asked for."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


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
