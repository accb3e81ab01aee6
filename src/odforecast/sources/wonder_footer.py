"""The footer of a CDC WONDER export: which deaths were asked for, and when."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from odforecast.errors import DataError
from odforecast.say import quoted

#: Underlying causes of the official definition of a drug-overdose death.
OVERDOSE_CODES = frozenset(
    [f"X{n}" for n in (*range(40, 45), *range(60, 65), 85)] + [f"Y{n}" for n in range(10, 15)]
)

_RANGE = re.compile(r"\b([A-Z])([0-9][0-9])(?:\.([0-9]))?(?:-([A-Z])([0-9][0-9]))?\b")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Footer:
    """What the footer of an export says.

    Attributes
    ----------
    dataset : str
        WONDER data set.
    basis : str
        ``underlying`` or ``multiple`` cause of death, or ``unknown``.
    codes : tuple of frozenset of str
        ICD-10 codes; several sets were joined by AND.
    group_by : str
        What rows stand for.
    query_date : datetime.date
        Day of the query.
    data_as_of : datetime.date or None
        Day of the data, where provisional data sets say it.
    """

    dataset: str
    basis: str
    codes: tuple[frozenset[str], ...]
    group_by: str
    query_date: dt.date
    data_as_of: dt.date | None

    @property
    def official(self) -> bool:
        """Whether it is the official definition: underlying cause, no further condition."""
        return self.basis == "underlying" and self.codes == (OVERDOSE_CODES,)

    @property
    def definition(self) -> str:
        """The cause in words.

        Examples
        --------
        >>> day = dt.date(2025, 4, 21)
        >>> Footer("", "underlying", (OVERDOSE_CODES,), "Month", day, None).definition
        'underlying cause X40-X44, X60-X64, X85, Y10-Y14'
        """
        if not self.codes:
            return f"{self.basis} cause, codes unknown"
        return f"{self.basis} cause " + " and ".join(_ranges(c) for c in self.codes)


def read_footer(name: str, lines: list[list[str]]) -> Footer:
    """Footer of an export, from its lines after the data.

    Raises
    ------
    DataError
        If data set or query date are not in it: the file is cut off.
    """
    text = [" ".join(c for c in row if c) for row in lines]
    joined = "\n".join(text)
    dataset = re.search(r"^Dataset: (.+)$", joined, re.MULTILINE)
    group_by = re.search(r"^Group By: (.+)$", joined, re.MULTILINE)
    query = re.search(
        r"^Query Date: ([A-Z][a-z]{2}) ([0-9]{1,2}), ([0-9]{4})", joined, re.MULTILINE
    )
    if dataset is None or group_by is None or query is None or query[1] not in _MONTHS:
        raise DataError(
            f"{name}: the footer is incomplete (no data set, grouping or query date)",
            hint="the file is cut off or damaged; export it from CDC WONDER again",
        )
    asked = joined[joined.index(dataset[0]) : joined.index(group_by[0])].replace("\n", " ")
    basis = "underlying" if "UCD" in asked else "multiple" if "MCD" in asked else "unknown"
    if "UCD" in asked and "MCD" in asked:
        basis = "underlying and multiple"
    codes = tuple(
        found for part in re.split(r"Codes: AND", asked) if (found := frozenset(_codes(part)))
    )
    as_of = re.search(r"as of ([A-Z][a-z]+) ([0-9]{1,2}), ([0-9]{4})", joined)
    try:
        query_date = _date(query[1], query[2], query[3])
        data_as_of = None if as_of is None else _date(as_of[1][:3], as_of[2], as_of[3])
    except ValueError as error:
        raise DataError(f"{name}: the footer holds no date: {quoted(query[0])}") from error
    return Footer(
        dataset=dataset[1],
        basis=basis,
        codes=codes,
        group_by=group_by[1],
        query_date=query_date,
        data_as_of=data_as_of,
    )


def _date(month: str, day: str, year: str) -> dt.date:
    return dt.date(int(year), _MONTHS.index(month) + 1, int(day))


def _codes(text: str) -> set[str]:
    found = set()
    for letter, two, digit, last_letter, last in _RANGE.findall(text):
        if digit:
            found.add(f"{letter}{two}.{digit}")
        elif last and last_letter == letter:
            found |= {f"{letter}{n:02d}" for n in range(int(two), int(last) + 1)}
        else:
            found.add(f"{letter}{two}")
    return found


def _ranges(codes: frozenset[str]) -> str:
    """Codes in order, runs joined: ``X40-X44, X85``."""
    runs: list[list[str]] = []
    for code in sorted(codes):
        last = runs[-1][-1] if runs else ""
        whole = "." not in code and "." not in last and last[:1] == code[0]
        if whole and int(code[1:]) == int(last[1:]) + 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    return ", ".join(r[0] if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)
