"""Where every HTML page of the library is made: one file that needs nothing else.

A Content-Security-Policy lets nothing in, and nothing runs but the one script whose hash the policy
names. What a template prints is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category

from odforecast.errors import DataError
from odforecast.plot import inline
from odforecast.say import of_path, quoted
from odforecast.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

#: Papers that a page is laid out for when it is printed.
PAPERS = {"letter": "@page { size: letter; }", "a4": "@page { size: A4; }"}
#: The mark by which a page of the library is known.
MARK = '<meta name="generator" content="odforecast '
#: A style sheet is inside every page that uses it.
MOST_BYTES = 200_000

_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})[ \t\r\n\f]?|\\(.)", re.DOTALL)
#: What fetches: an import, and an address of other than data that are in the sheet.
_FETCHES = re.compile(
    r"@import|url\(\s*(?![\s'\"]*data:)|(?:image-set|cross-fade)\(|(?<![\w-])(?:src|image)\(",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Table:
    """A table of texts; the first cell of a row names it, the last ``numbers`` ones are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 0
    caption: str = ""

    @property
    def first_number(self) -> int:
        """Position of the first column of numbers."""
        return len(self.head) - self.numbers


@dataclass(frozen=True)
class Picture:
    """A figure inside a page, as an SVG element."""

    drawing: str
    caption: str = ""


def picture(figure: Any, alt: str, caption: str = "") -> Picture:
    """A figure of :mod:`odforecast.plot` inside a page; the same figure gives the same bytes.

    ``alt`` is what it is called, for who cannot see it; unlike that of other figures of the page.

    >>> import odforecast as od
    >>> axes = od.plot.tile_map({"Ohio": -12.4})
    >>> picture(axes, "Ohio alone").drawing[:24]
    '<svg viewBox="0 0 756 76'
    """
    key = f"f{hashlib.sha256(alt.encode()).hexdigest()[:8]}"
    return Picture(inline(figure, key, label=alt), caption)


def render(
    template: str,
    context: Mapping[str, object],
    *,
    stylesheet: str | os.PathLike[str] | None = None,
    paper: str = "letter",
) -> str:
    """A whole HTML page, from a template of ``report/templates``, by its name without endings.

    ``"site"`` runs the script of that name; in the others the policy lets none in. A name that is
    missing in ``context`` is an error, never a blank. A style sheet is as :func:`stylesheet` takes
    it, ``paper`` "letter" or "a4".

    >>> page = render("plain", {"title": "A < B", "paragraphs": ["So it is."]})
    >>> "A &lt; B" in page
    True
    """
    if paper not in PAPERS:
        raise DataError(f"unknown paper {paper!r}", hint=f"one of {', '.join(PAPERS)}")
    own, script = ("site.css", "site.js.j2") if template == "site" else ("page.css", "")
    style = f"{PAPERS[paper]}\n{_sheet(stylesheet, own)}"
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'"
    )
    templates = _environment()
    if script:
        policy += f"; script-src '{_digest(templates.get_template(script).render())}'"
    around = {"style": style, "script": script, "policy": policy, "version": __version__}
    return templates.get_template(f"{template}.html.j2").render({**context, **around})


def stylesheet(path: str | os.PathLike[str] | None = None, name: str = "page.css") -> str:
    """Text of a style sheet that fetches nothing: a state's own, UTF-8, or the library's ``name``.

    A DataError if the file cannot be read, is too long, is not text, would end the style element,
    or asks for anything outside itself (``@import``, ``url(…)`` of other than ``data:``).

    >>> "@media print" in stylesheet()
    True
    """
    if path is None:
        return (resources.files("odforecast.report") / "templates" / name).read_text("utf-8")
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
    if found := next((x for x in ("\0", "</") if x in text), ""):
        raise DataError(f"{where} holds {quoted(found)}, which no style sheet needs")
    plain = _ESCAPE.sub(_unescaped, text)
    if outside := _FETCHES.search(plain):
        asked = plain[outside.start() : outside.start() + 40].split("\n")[0]
        raise DataError(
            f"{where} asks for something outside itself: {quoted(asked)}",
            hint="put it into the sheet, as url(data:…), or leave it out",
        )
    return text


# The parameter of :func:`render` has the function's name.
_sheet = stylesheet


def _unescaped(found: re.Match[str]) -> str:
    code, char = found.groups()
    if code is None:
        return str(char)
    number = int(code, 16)
    return chr(number) if 0 < number < 0xD800 or 0xDFFF < number <= 0x10FFFF else "\ufffd"


def _digest(text: str) -> str:
    """What a Content-Security-Policy calls a style or a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("odforecast.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_shown,
    )  # fmt: skip


def _shown(value: object) -> object:
    r"""What is printed: control characters, halves of a character and turns of the writing
    direction are made visible, for they would hide or reorder what stands beside them.

    >>> print(_shown("a\x1bb\u202ec"))
    a\x1bb\u202ec
    """
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value  # what a template made is clean
    hidden = [c for c in set(value) - {"\n", "\t"} if category(c)[0] == "C"]
    return value.translate({ord(c): repr(c)[1:-1] for c in hidden})
