"""Figures of executed pages: their words for those who cannot see them, from the picture itself.

The library writes a description into every SVG it draws; an ``<img>`` does not show that of the
file it points to. So it is read from the file, and becomes the picture's ``alt``.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from xml.etree import ElementTree

from docutils import nodes
from sphinx.application import Sphinx

_SVG = "{http://www.w3.org/2000/svg}"


def described(path: Path) -> str:
    """The ``<desc>`` (else the ``<title>``) of an SVG; empty where it has none."""
    root = ElementTree.parse(path).getroot()
    for tag in ("desc", "title"):
        found = root.find(f"{_SVG}{tag}")
        if found is not None and (found.text or "").strip():
            return " ".join(str(found.text).split())
    return ""


def put_words(app: Sphinx, doctree: nodes.document) -> None:
    """Give each picture without ``alt`` the description in its file."""
    for image in doctree.findall(nodes.image):
        uri = image.get("uri", "")
        if image.get("alt") or not uri.endswith(".svg"):
            continue
        path = Path(uri) if Path(uri).is_absolute() else Path(app.srcdir, uri)
        if not path.exists():
            path = Path(app.srcdir, Path(app.env.docname).parent, uri)
        if path.exists() and (words := described(path)):
            image["alt"] = words


def code_digest(source: Path) -> str:
    """A hash of the library: what a page printed is kept only as long as the code is the same."""
    found = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        if path.suffix in (".py", ".csv", ".toml", ".parquet", ".j2", ".html", ".css"):
            found.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def cache_folder(kept: Path, source: Path) -> Path:
    """Where outputs of this code are kept; those of other code are removed."""
    folder = kept / code_digest(source)
    for other in kept.glob("*"):
        if other != folder and len(other.name) == 16:
            shutil.rmtree(other)
    return folder
