"""The style sheet of a page: the library's own, or the one that a state puts in its place."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from importlib import resources
from pathlib import Path

from odforecast.errors import DataError
from odforecast.say import of_path, quoted

#: A style sheet is inside every page that uses it.
MOST_BYTES = 200_000

_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})[ \t\r\n\f]?|\\(.)", re.DOTALL)
#: What fetches: an import, and an address of other than data that are in the sheet.
_FETCHES = re.compile(
    r"@import|url\(\s*(?![\s'\"]*data:)|(?:image-set|cross-fade)\(|(?<![\w-])(?:src|image)\(",
    re.IGNORECASE,
)


def stylesheet(path: str | os.PathLike[str] | None = None, name: str = "page.css") -> str:
    """Text of a style sheet that fetches nothing.

    Parameters
    ----------
    path : path, optional
        A state's own style sheet, UTF-8; default: the library's.
    name : {"page.css", "site.css"}
        Which of the library's: of a brief, or of reports and sites.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If the file cannot be read, is too long, is not text, would end the style element, or
        asks for anything outside itself (``@import``, ``url(…)`` of other than ``data:``).

    Examples
    --------
    >>> "@media print" in stylesheet()
    True
    """
    if path is None:
        own = resources.files("odforecast.report.page") / name
        return own.read_text(encoding="utf-8")
    where = f"style sheet {of_path(Path(path))}"
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{where}: {error.strerror}", hint="give a .css file") from error
    if len(raw) > MOST_BYTES:
        raise DataError(f"{where}: {len(raw):,} bytes, allowed: up to {MOST_BYTES:,}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start} is no UTF-8", hint="save as UTF-8") from error
    # A browser reads line ends so, and the policy's hash is of what it reads.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text or "</" in text:
        found = "\0" if "\0" in text else "</"
        raise DataError(f"{where} holds {quoted(found)}, which no style sheet needs")
    plain = _ESCAPE.sub(_unescaped, text)
    if outside := _FETCHES.search(plain):
        asked = plain[outside.start() : outside.start() + 40].split("\n")[0]
        raise DataError(
            f"{where} asks for something outside itself: {quoted(asked)}",
            hint="put it into the sheet, as url(data:…), or leave it out",
        )
    return text


def _unescaped(found: re.Match[str]) -> str:
    code, char = found.groups()
    if code is None:
        return str(char)
    number = int(code, 16)
    return chr(number) if 0 < number < 0xD800 or 0xDFFF < number <= 0x10FFFF else "\ufffd"


def digest(style: str) -> str:
    """What a Content-Security-Policy calls this style: ``sha256-`` and the hash.

    Examples
    --------
    >>> digest("p { margin: 0 }")
    'sha256-...'
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
