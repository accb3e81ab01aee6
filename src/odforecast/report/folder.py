"""Pages on disk, whole or as they were before: names of files, and what may be replaced."""

from __future__ import annotations

import json
import re
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.io import replacing
from odforecast.report.page import MARK as PAGE
from odforecast.version import __version__

#: By this file a folder is known to hold a site; it lists the others.
MARK = "site.json"
KIND = "odforecast site"
INDEX, BOARD = "index.html", "leaderboard.html"


def write_folder(out: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write files, and the list of them, into a folder that appears when all are written.

    If the disk refuses, what was there stays.
    """
    index = {"kind": KIND, "odforecast": __version__, "files": sorted(texts)}
    every = {**texts, MARK: json.dumps(index, indent=1) + "\n"}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=out.parent, prefix=f".{out.name}-", ignore_cleanup_errors=True
        ) as beside:
            made = Path(beside) / "site"
            made.mkdir()
            for name, text in every.items():
                (made / name).write_text(text, encoding="utf-8", newline="\n")
            old = made.parent / "old"
            if out.exists():
                out.rename(old)
            try:
                made.rename(out)
            except OSError:
                if old.exists():
                    old.rename(out)
                raise
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror or error}") from error
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
        plain = unicodedata.normalize("NFKD", called(code)).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60] or "place"
        name, n = f"{stem}.html", 1
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
        return PAGE in lines.read(4_000)


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
    listed = _listed(out / MARK)
    others = sorted(p.name for p in out.iterdir() if p.name not in listed or not p.is_file())
    if others:
        named = ", ".join(others[:3])
        raise DataError(f"{out} holds other files ({named})", hint="give a folder of its own")
    if not replace:
        raise DataError(f"{out} holds a site already", hint="--replace takes its place")


def _listed(mark: Path) -> set[str]:
    """Files that a site says it is made of; none where the folder holds no site."""
    try:
        said: Any = json.loads(mark.read_bytes())
        if said["kind"] == KIND:
            return {MARK, *map(str, said["files"])}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return set()
