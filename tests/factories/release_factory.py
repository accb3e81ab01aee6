"""Small releases in CDC's form, as text cells, to bend in tests."""

from functools import cache

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.geography import lookup
from odforecast.names import ALL_DRUGS

NAME = "2024-12-11.csv"
_STATES = {"US": "United States", "WV": "West Virginia", "YC": "New York City"}
#: The nation holds more than the two of its parts that have rows.
_BASE = (1000, 200, 300)
_SPECIFIED = "Percent with drugs specified"
_WHY = ("  Data suppressed (<10).", "  Data not shown due to low data quality.", "")
_METHADONE = "Methadone (T40.3)"
_USUAL = "Numbers may differ from published reports using final data. See Technical Notes."


def cdc_cells() -> pd.DataFrame:
    """Three places, three indicators, 2024-05 to 2024-07, with blanks of every kind."""
    rows = []
    for s, (state, name) in enumerate(_STATES.items()):
        for m, month in enumerate(("May", "June", "July")):
            for indicator in (ALL_DRUGS, _METHADONE, _SPECIFIED):
                note, value, predicted = _USUAL, f"{_BASE[s] + 11 * m}", f"{_BASE[s] + 13 * m}"
                if indicator == _METHADONE and state == "WV":
                    value, predicted = "", ""
                    note += _WHY[m]
                elif indicator == _SPECIFIED:
                    value, predicted = f"9{s}.{m}25", ""
                rows.append({
                    "State": state, "Year": "2024", "Month": month, "Period": "12 month-ending",
                    "Indicator": indicator, "Data Value": value,
                    "Percent Complete": "99.5+" if m == 1 else "100",
                    "Percent Pending Investigation": f"0.{m}{s}1", "State Name": name,
                    "Footnote": note, "Footnote Symbol": "**", "Predicted Value": predicted,
                })  # fmt: skip
    return pd.DataFrame(rows)


def csv_bytes(cells: pd.DataFrame) -> bytes:
    return cells.to_csv(index=False, lineterminator="\n").encode()


def cdc_form(table: pd.DataFrame) -> pd.DataFrame:
    """A canonical table under CDC's own names."""
    cells = {
        "State": table["state"],
        "Year": table["month"].dt.year,
        "Month": table["month"].dt.month_name(),
        "Period": "12 month-ending",
        "Indicator": table["indicator"],
        "Data Value": table["reported"],
        "State Name": table["state"].map(lambda state: lookup(state).name),
        "Predicted Value": table["predicted"],
    }
    return pd.DataFrame(cells)


def late_release(last, late=0.02, first="2019-01", states=None, indicators=(ALL_DRUGS,)):
    """A release in CDC's form: bundled counts to a month, the last three of all states too low.

    After the bundled months the last count goes on; the parts add up to the US row.
    """
    end, table = pd.Timestamp(last), od.bundled().as_of("2025-09-17").table
    table = table[table["indicator"].isin(indicators) & (table["month"] >= first)]
    known = table[table["month"] == table["month"].max()]
    later = pd.date_range(known["month"].iloc[0], end, freq="MS", inclusive="right")
    more = [known.assign(month=month) for month in later]
    table = pd.concat([table[table["month"] <= end], *more], ignore_index=True)
    lacks = table["state"].isin(states) if states else table["state"] != "US"
    recent = table["month"] > end - pd.DateOffset(months=3)
    lacking = np.ceil(table["reported"] * late).where(recent & lacks, 0.0)
    whole = lacking.groupby([table["month"], table["indicator"]]).transform("sum")
    missing = lacking.where(table["state"] != "US", whole)
    return cdc_form(table.assign(reported=table["reported"] - missing))


def bent_release(folder, change=None, day="2025-10-15", name=""):
    """The file of a release of all drugs, with a factor of one state's last count."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{day}{name}.csv"
    path.write_bytes(_written(change, day))
    return path


@cache
def _written(change: tuple[str, float] | None, day: str) -> bytes:
    last = pd.Timestamp("2025-04-01")
    table = od.bundled().release("2025-09-17", ALL_DRUGS).assign(release=day)
    table = table[table["month"] >= "2019-01"]
    if day == "2025-09-17":  # the first release ends a month before the next
        table = table[table["month"] < last]
    if day == "2025-11-12":  # and the last a month after it
        table = pd.concat([table, table[table["month"] == last].assign(month="2025-05-01")])
        table["month"] = pd.to_datetime(table["month"], format="ISO8601")
    if change is not None:
        state, factor = change
        at = (table["state"] == state) & (table["month"] == last)
        table.loc[at, "reported"] = (table.loc[at, "reported"] * factor).round()
    return table.assign(month=table["month"].dt.strftime("%Y-%m")).to_csv(index=False).encode()
