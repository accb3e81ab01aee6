"""Parts of a page: tables, and figures as pictures inside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes
    ----------
    head : sequence of str
        Titles of the columns.
    rows : sequence of sequence of str
        The first cell of a row names it.
    numbers : int
        How many of the last columns hold numbers: they are set to the right.
    caption : str
        What it shows.
    """

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
    """A figure inside a page.

    Attributes
    ----------
    source : str
        ``data:image/svg+xml;base64,…``.
    alt : str
        What it shows, for who cannot see it.
    caption : str
        Text below it; may be empty.
    """

    source: str
    alt: str
    caption: str = ""


def picture(make: Callable[[], Figure], alt: str, caption: str = "") -> Picture:
    """Draw a figure as SVG into a page; the same figure gives the same bytes.

    Parameters
    ----------
    make : callable
        Returns the matplotlib figure.
    alt, caption : str

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> picture(Figure, "nothing").source[:26]
    'data:image/svg+xml;base64,'
    """
    import matplotlib

    buffer = io.BytesIO()
    # A salt of the figure's own instead of a random one, and no date; letters are drawn as
    # outlines, so that it looks the same on every machine.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": alt}):
        make().savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    code = base64.b64encode(buffer.getvalue()).decode()
    return Picture(f"data:image/svg+xml;base64,{code}", alt, caption)
