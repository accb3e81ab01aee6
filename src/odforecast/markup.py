"""How objects show themselves: a card of a few lines, and a table in a notebook.

A look at an object must never fail and never work: what is broken, empty or somebody else's is
said to be so, in the place of what would have been shown.
"""

from __future__ import annotations

import datetime as dt
import math
import textwrap
from collections.abc import Callable, Mapping
from functools import wraps
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_STYLE = "text-align:left;caption-side:top;padding:4px 0"
_RIGHT = ' style="text-align:right"'
_LEFT = ' style="text-align:left"'
#: Characters of a line of a card.
_WIDTH = 96


def card(*lines: str) -> str:
    """A ``repr`` of a few lines: what it is, then what is in it, then what to do next.

    Parameters
    ----------
    *lines : str
        The first names the class; empty ones are left out, long ones go on below.

    Examples
    --------
    >>> print(card("Panel: deaths", "", "next: .plot()"))
    <Panel: deaths
      next: .plot()>
    """
    wrapped = [
        textwrap.wrap(line, _WIDTH, subsequent_indent="  ", max_lines=2, placeholder=" …")
        for line in lines
        if line
    ]
    return "<" + "\n  ".join(piece for pieces in wrapped for piece in pieces) + ">"


def few(names: object, shown: int = 6) -> str:
    """The first names of many.

    Examples
    --------
    >>> few(("US", "AK", "AL"), 2), few(["OH"])
    ('US, AK, …', 'OH')
    """
    listed = [str(n) for n in names]  # type: ignore[attr-defined]
    return ", ".join(listed[:shown]) + (", …" if len(listed) > shown else "")


def number_of(count: int, one: str, many: str = "") -> str:
    """A count with its noun.

    Examples
    --------
    >>> number_of(1, "release"), number_of(1200, "row"), number_of(0, "county", "counties")
    ('1 release', '1,200 rows', '0 counties')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def steady[T](method: Callable[[T], str]) -> Callable[[T], str]:
    """A ``__repr__`` or ``_repr_html_`` that does not fail, whatever state the object is in.

    Examples
    --------
    >>> class Broken:
    ...     @steady
    ...     def __repr__(self):
    ...         return f"<Broken {self.never_set}>"
    >>> Broken()
    <Broken: cannot be shown (AttributeError: 'Broken' object has no attribute 'never_set')>
    """

    @wraps(method)
    def shown(self: T) -> str:
        try:
            return method(self)
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            text = f"{type(self).__name__}: cannot be shown ({' '.join(what.split())[:200]})"
            return f"<{text}>" if method.__name__ == "__repr__" else f"<p>{escape(text)}</p>"

    return shown


def html_facts(facts: Mapping[str, object], caption: str = "", note: str = "") -> str:
    """A table of two columns for a notebook: what, and which.

    Parameters
    ----------
    facts : mapping of str to object
        Empty ones are left out.
    caption, note : str
        As in :func:`html_table`.

    Examples
    --------
    >>> page = html_facts({"release": "2025-09-17", "donor": ""})
    >>> "2025-09-17" in page, "donor" in page
    (True, False)
    """
    said = {name: shown_cell(x) for name, x in facts.items() if x is not None}
    rows = "".join(
        f'<tr><th scope="row"{_LEFT}>{escape(name)}</th><td{_LEFT}>{escape(x)}</td></tr>'
        for name, x in said.items()
        if x
    )
    return _table(f"<tbody>{rows}</tbody>", caption, note)


def html_table(frame: pd.DataFrame, caption: str = "", note: str = "", rows: int = 12) -> str:
    """A table for a notebook.

    Parameters
    ----------
    frame : DataFrame
        Shown without its index; numbers of type float to three significant decimals at most.
    caption, note : str
        What stands above and below it.
    rows : int
        Rows shown; how many are left out is said.

    Returns
    -------
    str
        An HTML fragment; everything in it is escaped.

    Examples
    --------
    >>> import pandas as pd
    >>> page = html_table(pd.DataFrame({"place": ["A < B"], "deaths": [1200.0]}), "Counts")
    >>> "A &lt; B" in page, "1,200" in page, "<caption" in page
    (True, True, True)
    """
    shown = frame.head(rows)
    # Column by column: a doubled name would hide one, and a row would make one type of all.
    columns = [list(shown.iloc[:, i]) for i in range(frame.shape[1])]
    sides = [_RIGHT if _numbers(column) else _LEFT for column in columns]
    head = "".join(
        f'<th scope="col"{side}>{escape(str(c))}</th>' for c, side in zip(frame.columns, sides)
    )
    cells = [
        [f"<td{side}>{escape(shown_cell(x))}</td>" for x in column]
        for column, side in zip(columns, sides)
    ]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells))
    left = len(frame) - rows
    more = f"… and {number_of(left, 'more row')}." if left > 0 else ""
    below = " ".join(s for s in (more, note) if s)
    return _table(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>", caption, below)


def shown_cell(value: object) -> str:
    """A cell as people read it: thousands separated, months as months, a dash for nothing.

    Examples
    --------
    >>> shown_cell(1234.5), shown_cell(0.12345), shown_cell(float("nan")), shown_cell(True)
    ('1,234', '0.123', '–', 'yes')
    >>> import numpy as np
    >>> shown_cell(np.int64(4200)), shown_cell(np.datetime64("2025-04", "M")), shown_cell(None)
    ('4,200', '2025-04', '–')
    """
    import numpy as np
    import pandas as pd

    if isinstance(value, np.datetime64):
        # Months and years have no time of day; finer ones are stamps like any other.
        coarse = np.datetime_data(value.dtype)[0] in ("Y", "M") and not np.isnat(value)
        value = str(value) if coarse else pd.Timestamp(value)
    elif isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        bare = value.hour == value.minute == value.second == 0
        return f"{value:%Y-%m}" if bare and value.day == 1 else f"{value:%Y-%m-%d}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
        whole = abs(value) >= 100 or value.is_integer()
        return f"{value:,.0f}" if whole else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _numbers(column: list[Any]) -> bool:
    """Whether a column is one of numbers: those stand to the right."""
    import numpy as np

    kinds = (int, float, np.integer, np.floating)
    known = [x for x in column if x is not None]
    return bool(known) and all(isinstance(x, kinds) and not isinstance(x, bool) for x in known)


def _table(inside: str, caption: str, note: str) -> str:
    said = f'<caption style="{_STYLE}">{escape(caption)}</caption>' if caption else ""
    below = f"<p>{escape(note)}</p>" if note else ""
    return f"<div><table>{said}{inside}</table>{below}</div>"
