"""References of the evidence library: what its events and priors rest on."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import pandas as pd

from odforecast.errors import UnknownNameError, one_of
from odforecast.scenario.wording import shown


@cache
def library() -> dict[str, Any]:
    """The whole library, as ``evidence.toml`` has it; not to be changed."""
    path = resources.files("odforecast.scenario") / "evidence.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def references() -> pd.DataFrame:
    """All works cited, in order of authors and year.

    Returns
    -------
    DataFrame
        One row per work: ``id, authors, year, title, journal`` (or the kind of notice), ``doi``
        ("" where it has none, or none that is certain) and ``citation``, one line.

    Examples
    --------
    >>> import odforecast as od
    >>> table = od.scenario.references().set_index("id")
    >>> table.loc["larochelle-2018", "doi"]
    '10.7326/M17-3107'
    """
    columns = ("authors", "year", "title", "journal")
    rows = [
        {"id": key} | {c: x[c] for c in columns} | {"doi": x.get("doi", ""), "citation": cite(key)}
        for key, x in sorted(library()["references"].items(), key=_order)
    ]
    return pd.DataFrame(rows)


def cite(key: str) -> str:
    """One line on a work: authors, year, title, journal, DOI.

    Parameters
    ----------
    key : str
        Its id, such as ``"mcketin-2011"``.

    Raises
    ------
    UnknownNameError
        If the library has no such work.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.cite("degenhardt-2006")
    'Degenhardt L, Day C, Gilmour S, Hall W (2006). The “lessons” of the Australian “heroin
    shortage”. Substance Abuse Treatment, Prevention, and Policy 1:11. doi:10.1186/1747-597X-1-11'
    """
    works = library()["references"]
    if key not in works:
        raise UnknownNameError(f"unknown reference {shown(key)}", hint=one_of(key, works))
    item = works[key]
    title = item["title"] if item["title"].endswith("?") else f"{item['title']}."
    line = f"{item['authors']} ({item['year']}). {title} {item['journal']}."
    return f"{line} doi:{item['doi']}" if "doi" in item else line


def numbered(keys: Sequence[str]) -> str:
    """Their numbers in the list of :func:`references`, as a page prints them.

    Examples
    --------
    >>> first, third = references()["id"][[0, 2]]
    >>> numbered([third, first])
    '[1, 3]'
    """
    place = {key: i for i, key in enumerate(references()["id"], start=1)}
    return f"[{', '.join(map(str, sorted(place[key] for key in keys)))}]"


def _order(pair: tuple[str, dict[str, Any]]) -> tuple[str, int, str]:
    item = pair[1]
    return str(item["authors"]).casefold(), int(item["year"]), str(item["title"])
