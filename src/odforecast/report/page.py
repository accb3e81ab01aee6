"""Where every HTML page of the library is made, one file that needs nothing else, and written.

A Content-Security-Policy lets nothing in, and nothing runs but the one script whose hash the policy
names. What a template prints is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.io import replacing, replacing_folder
from odforecast.plot import inline
from odforecast.say import of_path, quoted
from odforecast.version import __version__

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment

#: Papers that a page is laid out for when it is printed.
PAPERS = {"letter": "@page { size: letter; }", "a4": "@page { size: A4; }"}
#: The mark by which a page of the library is known.
MARK = '<meta name="generator" content="odforecast '
#: A style sheet is inside every page that uses it.
MOST_BYTES = 200_000
#: By this file a folder is known to hold a site; it lists the others.
SITE = "site.json"
KIND = "odforecast site"
INDEX = "index.html"
BOARD = "leaderboard.html"
#: What makes a spreadsheet calculate a cell, also behind spaces and in full width.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")

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

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Table:
        """A frame of texts, with its first column as the names of rows."""
        return cls(
            list(frame.columns),
            frame.to_numpy().tolist(),
            numbers=len(frame.columns) - 1,
        )


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
    around = {
        "style": style,
        "script": script,
        "policy": policy,
        "version": __version__,
    }
    return templates.get_template(f"{template}.html.j2").render({**context, **around})


def stylesheet(
    path: str | os.PathLike[str] | None = None, name: str = "page.css"
) -> str:
    """Text of a style sheet that fetches nothing: a state's own, UTF-8, or the library's ``name``.

    A DataError if the file cannot be read, is too long, is not text, would end the style element,
    or asks for anything outside itself (``@import``, ``url(…)`` of other than ``data:``).

    >>> "@media print" in stylesheet()
    True
    """
    if path is None:
        return (resources.files("odforecast.report") / "templates" / name).read_text(
            "utf-8"
        )
    where = f"style sheet {of_path(Path(path))}"
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"{where}: {error.strerror}", hint="give a .css file"
        ) from error
    if len(raw) > MOST_BYTES:
        raise DataError(f"{where}: {len(raw):,} bytes, allowed: up to {MOST_BYTES:,}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: byte {error.start} is not UTF-8", hint="save as UTF-8"
        ) from error
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
    return (
        chr(number) if 0 < number < 0xD800 or 0xDFFF < number <= 0x10FFFF else "\ufffd"
    )


def _digest(text: str) -> str:
    """What a Content-Security-Policy calls a style or a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("odforecast.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )


def _shown(value: object) -> object:
    r"""What is printed: control characters, halves of a character and turns of the writing
    direction are made visible, for they would hide or reorder what stands beside them.

    >>> print(_shown("a\x1bb\u202ec"))
    a\x1bb\u202ec
    """
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value  # what a template made is clean
    hidden = [c for c in set(value) - {"\n", "\t"} if unicodedata.category(c)[0] == "C"]
    return value.translate({ord(c): repr(c)[1:-1] for c in hidden})


# On disk, whole or as it was before


def write_folder(out: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write files, and the list of them, into a folder that appears when all are written.

    If the disk refuses, what was there stays.
    """
    index = {"kind": KIND, "odforecast": __version__, "files": sorted(texts)}
    every = {**texts, SITE: json.dumps(index, indent=1) + "\n"}
    try:
        with replacing_folder(out) as made:
            for name, text in every.items():
                (made / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(
            f"{out} cannot be written: {error.strerror or error}"
        ) from error
    return [out / name for name in every]


def file_names(locations: Sequence[str]) -> dict[str, str]:
    """A file for each place, from its full name; no two are the same.

    >>> file_names(["US", "OH", "NY", "index"])  # doctest: +NORMALIZE_WHITESPACE
    {'US': 'united-states.html', 'OH': 'ohio.html', 'NY': 'new-york-outside-nyc.html',
     'index': 'index-2.html'}
    """
    out: dict[str, str] = {}
    taken = {INDEX, BOARD}
    for code in locations:
        plain = (
            unicodedata.normalize("NFKD", called(code))
            .encode("ascii", "ignore")
            .decode()
        )
        stem = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60] or "place"
        name = f"{stem}.html"
        n = 1
        while name in taken:
            n += 1
            name = f"{stem}-{n}.html"
        taken.add(name)
        out[code] = name
    return out


def write_page(path: Path, text: str) -> Path:
    """Write a page, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def is_page(path: Path) -> bool:
    """Whether a file is a page of the library."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as lines:
        return MARK in lines.read(4_000)


def check_page(path: Path, replace: bool) -> None:
    """Refuse to write a page over something, unless it is a page of ours and is to be replaced."""
    if path.is_dir():
        raise DataError(f"{path} is a folder", hint="give a file: report.html")
    if not path.exists() and not path.is_symlink():
        return
    if not is_page(path):
        raise DataError(f"{path} is not a page of odforecast", hint="give another name")
    if not replace:
        raise DataError(f"{path} is there already", hint="--replace takes its place")


def check_folder(out: Path, replace: bool) -> None:
    """Refuse what is not a folder, and one that holds other files, or a site not to be replaced."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise DataError(f"{out} is not a folder", hint="give a folder of its own")
    if not out.is_dir() or not any(out.iterdir()):
        return
    listed = _listed(out / SITE)
    others = sorted(
        p.name for p in out.iterdir() if p.name not in listed or not p.is_file()
    )
    if others:
        named = ", ".join(others[:3])
        raise DataError(
            f"{out} holds other files ({named})", hint="give a folder of its own"
        )
    if not replace:
        raise DataError(f"{out} holds a site already", hint="--replace takes its place")


def _listed(mark: Path) -> set[str]:
    """Files that a site says it is made of; none where the folder holds no site."""
    try:
        said: Any = json.loads(mark.read_bytes())
        if said["kind"] == KIND:
            return {SITE, *map(str, said["files"])}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return set()


# Tables that people open in a spreadsheet


def harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula: such a text gets an apostrophe before it.

    Numbers stay as they are, also those that are text.

    >>> harmless('=HYPERLINK("http://x")'), harmless("-team"), harmless("-1.5"), harmless(-2)
    ('\\'=HYPERLINK("http://x")', "'-team", '-1.5', -2)
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts, column names included, are :func:`harmless`."""
    out = table.copy(deep=False)
    for i, kind in enumerate(table.dtypes):
        if str(kind) in ("object", "category", "string", "str"):
            column = table.iloc[:, i].astype(object).map(harmless)
            out.isetitem(i, column.to_numpy())
    return out.rename(columns=lambda name: harmless(name))
