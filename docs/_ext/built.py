"""Links and pictures of the built pages: what leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Pages that Sphinx makes of source code: thousands of links among themselves, all its own.
LEFT_OUT = ("_modules", "_static", "_sources")


class Page(HTMLParser):
    """What a page points to, and the names within it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep addresses, anchors and pictures."""
        found = dict(attrs)
        self.names.update(str(found[key]) for key in ("id", "name") if found.get(key))
        for key in ("href", "src"):
            value = found.get(key)
            if value and tag in ("a", "img", "object", "source"):
                self.targets.append(value)
        if tag == "img":
            self.pictures.append(found)


def faults(folder: Path) -> Iterator[str]:
    """One line for each dead link, missing picture, and picture without words."""
    pages = {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.html"))
        if path.relative_to(folder).parts[0] not in LEFT_OUT
    }
    for path, page in pages.items():
        where = path.relative_to(folder).as_posix()
        for target in dict.fromkeys(page.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            aim = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not aim.exists():
                yield f"{where}: {target} leads nowhere"
            elif parts.fragment and aim in pages and not _there(parts.fragment, pages[aim]):
                yield f"{where}: {target}: the page has no such place"
        for picture in page.pictures:
            words = (picture.get("alt") or "").strip()
            if not words or re.fullmatch(r"\S+\.(svg|png)", words):
                yield f"{where}: {picture.get('src')} has no words for those who cannot see it"


def _there(fragment: str, page: Page) -> bool:
    return unquote(fragment) in page.names
