"""Readers of state covariates: drug reports of laboratories, dispensing, purity.

Each gives a :class:`odforecast.sources.covariate.Covariate`, which shows a value only from the day
it was published. New York is the whole state, ``NY+YC``: no publisher here splits off New York
City. What each source is, and what its lag rests on, is in ``docs/reference/sources.md``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import BY_KEY
from odforecast.sources.cells import numbers
from odforecast.sources.covariate import Covariate
from odforecast.sources.tabular import TERRITORIES, UNKNOWN_PLACE, Plain, month_ends, read_plain

#: Days from the end of a period to publication, all judgements; see docs/reference/sources.md.
NFLIS_LAG_DAYS = 300
DISPENSING_LAG_DAYS = 365
PURITY_LAG_DAYS = 240

Dates = NDArray[np.datetime64]
_REAL = r"[0-9]{1,6}(?:\.[0-9]{0,6})?"


def read_nflis_halfyears(path: str | Path) -> Covariate:
    """NFLIS-Drug: fentanyl reports of forensic laboratories, by state and half-year.

    Parameters
    ----------
    path : path
        Columns STATE, half (``2024H1``), fentanyl_class_reports, fentanyl_reports.

    Returns
    -------
    Covariate
        Series ``fentanyl class reports`` and ``fentanyl reports``. A state without a row in a
        half-year reported none **or** sent nothing: it is absent, not zero. Reports of unknown
        place (``XX``) and of territories are left out, counted in ``notes``. Recent half-years
        are incomplete in any file: laboratories report late.

    Raises
    ------
    DataError
        If a cell is no count, a key is doubled, or fentanyl exceeds its class.
    """
    plain = read_plain(path)
    plain.require("STATE", "half", "fentanyl_class_reports", "fentanyl_reports")
    half = plain.cells["half"]
    plain.refuse(
        ~half.str.fullmatch(r"20[0-9][0-9]H[12]").to_numpy(dtype=bool), "half", "is no half-year"
    )
    state = plain.states("STATE", known=TERRITORIES | {UNKNOWN_PLACE})
    _names_agree(plain)
    plain.refuse(plain.cells.duplicated(["STATE", "half"]).to_numpy(), "half", "is there twice")
    start = np.array(
        [f"{h[:4]}-{'01' if h[-1] == '1' else '07'}" for h in half], dtype="datetime64[M]"
    )
    klass = plain.counts("fentanyl_class_reports")
    drug, bad = numbers(plain.cells["fentanyl_reports"])
    plain.refuse(bad | (drug < 0) | (drug % 1 > 0), "fentanyl_reports", "is no count")
    plain.refuse(drug > klass, "fentanyl_reports", "is more than its class")
    blanks = int(np.isnan(drug).sum())
    end = month_ends(_later(start, 5))
    parts = [
        _rows("fentanyl class reports", state, start, end, klass, "reports", NFLIS_LAG_DAYS),
        _rows("fentanyl reports", state, start, end, drug, "reports", NFLIS_LAG_DAYS),
    ]
    table = pd.concat(parts, ignore_index=True)
    outside = table["state"].isin(TERRITORIES | {UNKNOWN_PLACE})
    notes = [f"left out {int(outside.sum())} values of territories or unknown place"]
    if blanks:
        notes.append(f"{blanks} blank counts of fentanyl itself are absent, not zero")
    table = table[~outside & table["value"].notna()]
    return Covariate(
        "NFLIS half-years", table.reset_index(drop=True),
        lag=f"{NFLIS_LAG_DAYS} days after the half-year (assumed; midyear and annual reports)",
        revised="counts of the last two half-years grow as laboratories report",
        notes=tuple(notes),
    )  # fmt: skip


def read_nflis_substances(path: str | Path) -> Covariate:
    """NFLIS-Drug: reports of fentanyl and related substances, by state and year, summed.

    Parameters
    ----------
    path : path
        Columns YYYY, DRUG_REPORTS, SUBSTANCE_ID, BASE_DESCRIPTION, STATE, QUERY_RUN_DATE.

    Returns
    -------
    Covariate
        Series ``fentanyl class reports`` (every substance) and ``fentanyl reports`` (base
        substance Fentanyl), by calendar year. The year of the query is incomplete and left out.
    """
    plain = read_plain(path)
    plain.require(
        "YYYY", "PERIOD", "DRUG_REPORTS", "QUERY_RUN_DATE", "SUBSTANCE_ID", "BASE_DESCRIPTION",
        "STATE",
    )  # fmt: skip
    cells = plain.cells
    year, bad = numbers(cells["YYYY"])
    bad |= ~((year >= 1990) & (year <= 2100) & (year % 1 == 0))
    plain.refuse(bad, "YYYY", "is no year")
    plain.refuse((cells["PERIOD"] != cells["YYYY"]).to_numpy(), "PERIOD", "is not the year")
    keys = ["YYYY", "STATE", "SUBSTANCE_ID"]
    plain.refuse(cells.duplicated(keys).to_numpy(), "SUBSTANCE_ID", "is there twice for its key")
    reports = plain.counts("DRUG_REPORTS")
    state = plain.states("STATE", known=TERRITORIES | {UNKNOWN_PLACE})
    _names_agree(plain)
    dated = cells["QUERY_RUN_DATE"].str.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[ 0-9:.]*")
    plain.refuse(~dated.to_numpy(dtype=bool), "QUERY_RUN_DATE", "is no day and time")
    queried = cells["QUERY_RUN_DATE"].str[:4].astype(int).min()
    frame = pd.DataFrame(
        {
            "state": state,
            "year": year.astype(int),
            "all": reports,
            "fentanyl": np.where(cells["BASE_DESCRIPTION"] == "Fentanyl", reports, 0.0),
        }
    )
    kept = frame[~frame["state"].isin(TERRITORIES | {UNKNOWN_PLACE}) & (frame["year"] < queried)]
    sums = kept.groupby(["state", "year"], as_index=False)[["all", "fentanyl"]].sum()
    start, end = _years(sums["year"].to_numpy())
    places = sums["state"].to_numpy(dtype=object)
    table = pd.concat(
        [
            _rows(name, places, start, end, sums[column].to_numpy(), "reports", NFLIS_LAG_DAYS)
            for name, column in (
                ("fentanyl class reports", "all"),
                ("fentanyl reports", "fentanyl"),
            )
        ],
        ignore_index=True,
    )
    return Covariate(
        "NFLIS years", table,
        lag=f"{NFLIS_LAG_DAYS} days after the year (assumed)",
        revised="the last year grows as laboratories report",
        notes=(f"left out {len(frame) - len(kept)} rows: territories, unknown place, query year",),
    )  # fmt: skip


def read_dispensing(path: str | Path) -> Covariate:
    """CDC: naloxone or buprenorphine prescriptions dispensed per 100 persons, state and year.

    Parameters
    ----------
    path : path
        Columns YEAR, STATE_NAME, STATE_ABBREV, STATE_FIPS and ``…_dispensing_rate``.

    Returns
    -------
    Covariate
        One series, named after the column. Retail pharmacies only: free naloxone is not in it.

    Raises
    ------
    DataError
        If codes contradict each other, or the rate contradicts its published class
        (``4.8 - 7.0``).
    """
    plain = read_plain(path)
    plain.require("YEAR", "STATE_NAME", "STATE_ABBREV", "STATE_FIPS")
    rates = [str(c) for c in plain.cells if re.fullmatch(r"[a-z]+_dispensing_rate", str(c))]
    if len(rates) != 1:
        raise DataError(f"{plain.name}: {len(rates)} columns of a dispensing rate", "keep one")
    (column,) = rates
    state = plain.states("STATE_ABBREV")
    for other in ("STATE_NAME", "STATE_FIPS"):
        same = plain.states(other) if other == "STATE_NAME" else _by_fips(plain)
        plain.refuse(same != state, other, "contradicts the state")
    year, bad = numbers(plain.cells["YEAR"])
    plain.refuse(bad | ~((year >= 2000) & (year <= 2100) & (year % 1 == 0)), "YEAR", "is no year")
    plain.refuse(
        plain.cells.duplicated(["YEAR", "STATE_ABBREV"]).to_numpy(), "YEAR", "is there twice"
    )
    value = plain.counts(column, whole=False)
    for title in plain.cells:
        if "per 100 persons" in str(title):
            wrong = ~np.array([_in_class(v, c) for v, c in zip(value, plain.cells[title])])
            plain.refuse(wrong, str(title), "is not the class of its rate")
    start, end = _years(year.astype(int))
    drug = column.removesuffix("_dispensing_rate")
    return Covariate(
        f"{drug} dispensing",
        _rows(
            f"{drug} prescriptions", state, start, end, value, "per 100 persons",
            DISPENSING_LAG_DAYS,
        ),
        lag=f"{DISPENSING_LAG_DAYS} days after the year (assumed)",
        revised="published once a year; earlier years are sometimes re-based",
    )  # fmt: skip


def read_purity(path: str | Path) -> Covariate:
    """DEA: fentanyl purity and pills with 2 mg or more, typed from press reports.

    Nine figures of four different bases (fiscal years, calendar years, threat assessments):
    fit for illustration, not for a regression. A threat assessment (NDTA) of a year describes
    samples of the year before.
    """
    plain = read_plain(path)
    plain.require("period", "measure", "value", "unit", "source")
    value = plain.counts("value", whole=False)
    percent = (plain.cells["unit"] == "percent").to_numpy()
    plain.refuse(percent & (value > 100), "value", "is more than 100 percent")
    bounds = []
    for i, text in enumerate(plain.cells["period"]):
        if found := re.search(r"\bFY(20[0-9]{2})\b", text):
            year = int(found[1])
            bounds.append((f"{year - 1}-10", f"{year}-09"))
        elif found := re.search(r"NDTA\s?(20[0-9]{2})\b", text):
            year = int(found[1]) - 1
            bounds.append((f"{year}-01", f"{year}-12"))
        elif re.fullmatch(r"(19|20)[0-9]{2}", text):
            bounds.append((f"{text}-01", f"{text}-12"))
        else:
            one = np.arange(len(plain.cells)) == i
            plain.refuse(one, "period", "is no period (FY2025, 2024, NDTA2025)")
    start = np.array([a for a, _ in bounds], dtype="datetime64[M]")
    end = month_ends(np.array([b for _, b in bounds], dtype="datetime64[M]"))
    table = pd.DataFrame(
        {
            "series": plain.cells["measure"],
            "state": "US",
            "start": start.astype("datetime64[ns]"),
            "end": end,
            "value": value,
            "unit": plain.cells["unit"],
            "known_on": end + np.timedelta64(PURITY_LAG_DAYS, "D"),
        }
    )
    return Covariate(
        "DEA purity", table,
        lag=f"{PURITY_LAG_DAYS} days after the period (assumed)",
        revised="no: single press figures",
    )  # fmt: skip


def _rows(
    series: str,
    state: NDArray[np.object_],
    start: Dates,
    end: Dates,
    value: NDArray[np.float64],
    unit: str,
    lag: int,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "series": series,
            "state": state,
            "start": start.astype("datetime64[ns]"),
            "end": end,
            "value": value,
            "unit": unit,
            "known_on": end + np.timedelta64(lag, "D"),
        }
    )


def _years(year: NDArray[np.int_]) -> tuple[Dates, Dates]:
    start: Dates = ((year - 1970) * 12).astype("datetime64[M]")
    return start, month_ends(_later(start, 11))


def _later(months: Dates, n: int) -> Dates:
    return np.asarray(months + np.timedelta64(n, "M"))


def _by_fips(plain: Plain) -> NDArray[np.object_]:
    padded = plain.cells["STATE_FIPS"].str.zfill(2)
    return Plain(plain.name, plain.cells.assign(STATE_FIPS=padded), plain.rows).states("STATE_FIPS")


def _names_agree(plain: Plain) -> None:
    """Refuse rows whose name or FIPS code is another state's than their postal code."""
    mine = plain.cells["STATE"].map(lambda t: BY_KEY.get(t))
    for column in ("STATE_LONG_NAME", "STATE_FIPS"):
        if column in plain.cells:
            keys = plain.cells[column].str.upper()
            other = (keys.str.zfill(2) if column == "STATE_FIPS" else keys).map(BY_KEY.get)
            wrong = np.array([a is not b for a, b in zip(mine, other, strict=True)])
            plain.refuse(wrong, column, "contradicts the state")


def _in_class(value: float, text: str) -> bool:
    """Whether a rate lies in its published class, to within the rounding of one decimal."""
    if found := re.fullmatch(rf"({_REAL}) - ({_REAL})", text):
        return float(found[1]) - 0.05 <= value <= float(found[2]) + 0.05
    if found := re.fullmatch(rf"<({_REAL})", text):
        return value <= float(found[1]) + 0.05
    if found := re.fullmatch(rf">({_REAL})", text):
        return value >= float(found[1]) - 0.05
    return False
