"""Which styles of a workbook show numbers as days."""

from __future__ import annotations

import re

#: Built-in formats of days and times.
_BUILT_IN = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_WORDS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!hh?\]|mm?\]|ss?\])[^\]]*\]')


def date_styles(elements: list[tuple[str, dict[str, str]]]) -> list[bool]:
    """Whether a cell style shows days, by its number, from the elements of a style sheet.

    Examples
    --------
    >>> date_styles([("numFmt", {"numFmtId": "164", "formatCode": "m/d/yyyy"}), ("cellXfs", {}),
    ...     ("xf", {}), ("xf", {"numFmtId": "164"}), ("cellStyles", {}), ("xf", {})])
    [False, True]
    """
    own: dict[str, bool] = {}
    found: list[bool] = []
    inside = False
    for kind, attributes in elements:
        if kind == "numFmt":
            own[attributes.get("numFmtId", "")] = is_date(attributes.get("formatCode", ""))
        elif kind == "cellXfs":
            inside = True
        elif kind in ("cellStyles", "dxfs", "cellStyleXfs", "tableStyles"):
            inside = False
        elif kind == "xf" and inside:
            number = attributes.get("numFmtId", "0")
            built_in = number.isdigit() and len(number) < 9 and int(number) in _BUILT_IN
            found.append(own.get(number, built_in))
    return found


def is_date(code: str) -> bool:
    """Whether a number format shows days or times.

    Examples
    --------
    >>> is_date("yyyy-mm-dd"), is_date('0.0" days"'), is_date("General"), is_date("[Red]0")
    (True, False, False, False)
    """
    return re.search(r"[dmhysDMHYS]", _WORDS.sub("", code.split(";")[0])) is not None
