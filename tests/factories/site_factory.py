"""A small forecast and backtest for pages, and a page as a browser reads it."""

import base64
import hashlib
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import odforecast as od

PLACES = ("US", "OH", "NY", "YC", "WY")
VOID = {"meta", "img", "br", "input", "link", "hr"}


@cache
def small_forecast():
    """Five places up to the end of the year after next; as if its draws were joint."""
    panel = od.bundled().as_of("2025-09-17").panel()
    made = od.get_model("naive+delay").fit(panel).forecast(until="2027-12", draws=80, seed=1)
    return replace(made.select(PLACES), joint=frozenset({"location", "month"}))


@cache
def small_results():
    return od.backtest(
        ["naive+delay", "hub-baseline"], archive=od.bundled().until("2025-09-17"),
        start="2020-01", end="2024-01", step=8, donors=1, locations=PLACES, draws=80,
        progress=False,
    )  # fmt: skip


class Page(HTMLParser):
    """Elements of a page, its texts, and its tables by id."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = text
        self.open: list[tuple[str, dict[str, str]]] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.tables: dict[str, list[list[tuple[str, dict[str, str]]]]] = {}
        self._rows: list[list[tuple[str, dict[str, str]]]] | None = None
        self._cell: list[str] | None = None
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        at = {k: v or "" for k, v in attrs}
        assert len(at) == len(attrs), f"an attribute twice in <{tag}>"
        self.elements.append((tag, at))
        if tag in VOID:
            return
        self.open.append((tag, at))
        if tag == "table":
            self._rows = self.tables.setdefault(at.get("id", ""), [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag):
        was, at = self.open.pop()
        assert was == tag, f"</{tag}> ends <{was}>"
        if tag in ("td", "th") and self._rows is not None:
            self._rows[-1].append(("".join(self._cell).replace("\u00a0", " "), at))
            self._cell = None

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)
        if not any(tag in ("style", "script") for tag, _ in self.open):
            self.texts.append(data)

    @property
    def words(self) -> str:
        """All that is read, with plain blanks."""
        return re.sub(r"\s+", " ", "".join(self.texts).replace("\u00a0", " "))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [at for name, at in self.elements if name == tag]

    def ids(self) -> list[str]:
        return [at["id"] for _, at in self.elements if "id" in at]

    def links(self) -> list[str]:
        return [at["href"] for at in self.all("a")]

    def policy(self) -> str:
        (found,) = (m["content"] for m in self.all("meta") if "http-equiv" in m)
        return found

    def between(self, tag: str) -> str:
        """The text of the only element of a name, as the browser hashes it."""
        (found,) = re.findall(rf"<{tag}>(.*?)</{tag}>", self.text, flags=re.DOTALL)
        return found


def sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def numbers(text: str) -> list[float]:
    """Numbers in a text, with their signs; a sign of minus counts as one."""
    plain = text.replace("−", "-").replace(",", "")
    return [float(x) for x in re.findall(r"(?<![\w.])[+-]?\d+(?:\.\d+)?", plain)]
