"""Published forecasts of overdose deaths, scored, and models of this package beside them.

    python benchmarks/bench_published.py                     the bundled releases alone; 10 seconds
    python benchmarks/bench_published.py --vsrr DIR          also releases in a folder of files
    python benchmarks/bench_published.py --markdown          as docs/published.md has it

The printed figures are in ``published.csv``, each with its source; nothing of a source is worked
out again here. What came is read off a release for 12-month counts, and is the printed one for
years of opioids. With releases at hand, what came of opioids is read off the newest, and what was
known on a day off that day's.

**Three things are not the same**, and the table keeps them apart. A *projection* says what will be
if a model's world stays as it is, years ahead, and was made once. A *predicted value* of CDC
completes a count that is published already. A *study* prints errors, and not its forecasts.

Beside them stands what models of this package say: of CDC's values about the very same count, from
the bundled release cut there and made as incomplete as a real release was; of projections, for
no release tells what arrives late of opioids, about **all drugs** in the same years, from an origin
before the first of them. That is a yardstick for how hard the years were, and not the same target.
Exploratory: the delay rules of the models were made on releases of the same years.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.errors import OdforecastError, ScoringError
from odforecast.geography import NATION
from odforecast.models import Fitted
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import INDICATOR_NAMES, MONTH
from odforecast.panel import Floats, Panel, era_of
from odforecast.publication import SETTLED, publication_date
from odforecast.scoring.rules import interval_score, weighted_interval_score
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage import Archive
from odforecast.vintage.donors import available

#: Models that stand beside the published figures.
MODELS: Final = ("hub-baseline", "naive+delay", "dlm")
#: Level that an interval is scored at where its source, as we have it, does not print one.
LEVEL: Final = 0.95

_PRINTED: Final = Path(__file__).with_name("published.csv")
_NUMBERS: Final = (
    "ahead", "said", "low", "high", "level", "known_then", "came", "error_percent", "held_share",
)  # fmt: skip
_INDICATORS: Final = {
    "all drugs": INDICATOR_NAMES["all-drugs"],
    "opioids": INDICATOR_NAMES["opioids"],
}
#: What each model says, by column.
_BESIDE: Final = ("median", "low", "high", "error_percent", "held", "wis")


def printed() -> pd.DataFrame:
    """The printed figures, a row each.

    ``ahead`` is, of a predicted value, months after the release's last month (0 or −12);
    ``known_then`` what was reported the same day; ``yardstick`` the month after which the bundled
    release is cut for the models beside it. NaN or empty where the source does not say it.
    """
    table = pd.read_csv(_PRINTED, dtype=str, keep_default_na=False)
    for name in _NUMBERS:
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    return table


def published(
    archive: Archive | None = None,
    *,
    models: Sequence[str] = MODELS,
    draws: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """Published forecasts against what came, and what models say beside them.

    Parameters
    ----------
    archive : Archive, optional
        Releases: the newest says what came; those of a day what was known then, and of opioids
        too, where they hold them. Default: the bundled ones alone.
    models : sequence of str
        Labels; with none, nothing is fitted.
    draws : int
    seed : int

    Returns
    -------
    DataFrame
        The columns of :func:`printed`, and ``known_from`` (where ``known_then`` is from: printed
        the same day, or a release), ``settled`` (whether the release that ``came`` is from came
        out 12 months or more after the last month; True for printed years), ``error``
        (deaths, said less came), ``error_percent``, ``held`` (1 or 0; NaN without an interval),
        ``interval_score`` and ``wis`` (of the median and that one interval; at 95% where no level
        is printed); then ``origin`` (which panel the models saw), ``beside`` (``"same count"``,
        ``"all drugs, same years"``, or why there is nothing), ``beside_came``, and for each model,
        with ``_`` behind its label, ``median``, ``low``, ``high`` (95%), ``error_percent``,
        ``held`` and ``wis``, of the nation. ``hub-baseline`` forecasts no month that is
        published: of those its median is the reported count, without an interval.

    Notes
    -----
    The interval score punishes width and misses; it is comparable within a target only, and here
    even the level is assumed for projections. ``error_percent`` of a projection and of a yardstick
    are of different counts.
    """
    here = od.bundled()
    releases = here if archive is None else archive
    table = printed()
    came = [_came(row, releases) for row in rows_of(table)]
    table["came"] = [value for value, _, _ in came]
    table["came_from"] = [source for _, source, _ in came]
    known = [_known(row, releases) for row in rows_of(table)]
    at = table.columns.get_loc("known_then")
    assert isinstance(at, int)
    table["known_then"] = [value for value, _ in known]
    table.insert(at + 1, "known_from", [source for _, source in known])
    table["settled"] = [settled for _, _, settled in came]
    table = _scored(table)
    return beside(table, here, releases, tuple(models), draws, seed)


def _scored(table: pd.DataFrame) -> pd.DataFrame:
    """Errors, and scores where there is an interval."""
    said, came = (table[c].to_numpy(dtype=float) for c in ("said", "came"))
    error = said - came
    percent = np.where(np.isnan(said), table["error_percent"].to_numpy(), 100 * error / came)
    low, high = (table[c].to_numpy(dtype=float) for c in ("low", "high"))
    there = ~np.isnan(low + high + came)
    held = np.where(there, (low <= came) & (came <= high), np.nan)
    score, wis = np.full(len(table), np.nan), np.full(len(table), np.nan)
    levels = table["level"].fillna(LEVEL).to_numpy(dtype=float)
    for i in np.flatnonzero(there):
        score[i] = interval_score(low[i], high[i], came[i], round(1 - levels[i], 12))
        wis[i] = wis_of((low[i], said[i], high[i]), came[i], levels[i])
    return table.assign(
        error=error, error_percent=percent, held=held, interval_score=score, wis=wis
    )


def _came(row: dict[str, Any], releases: Archive) -> tuple[float, str, bool]:
    """What came, from where, and whether it has settled."""
    given = float(row["came"])
    if not np.isnan(given) or not row["counts"] or row["kind"] == "study":
        return given, str(row["came_from"]), not np.isnan(given)
    last = np.datetime64(str(row["last"]), "M")
    for day in reversed(releases.releases()):  # of a class, the newest that holds it
        try:
            panel = panel_of(releases, str(day), str(row["counts"]))
        except OdforecastError:
            continue
        value = reported_in(panel, last)
        if not np.isnan(value):
            age = int((np.datetime64(panel.release, "M") - last).astype(int))
            return value, f"release {panel.release}", age >= SETTLED
    return float("nan"), f"no {row['counts']} of these months in the releases at hand", False


def _known(row: dict[str, Any], releases: Archive) -> tuple[float, str]:
    """What was reported on the day of a predicted value, and from where."""
    given = float(row["known_then"])
    if not np.isnan(given):
        return given, "printed the same day"
    if row["kind"] != "predicted value":
        return given, ""
    try:
        panel = panel_of(releases, str(row["published"]), str(row["counts"]))
    except OdforecastError:
        return given, "not in the releases at hand"
    last = np.datetime64(str(row["last"]), "M")
    expected = last - int(float(row["ahead"])) * ONE_MONTH
    if panel.last_month != expected:
        return given, "not in the releases at hand"
    return reported_in(panel, last), f"release {panel.release}"


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings by column."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def wis_of(three: Sequence[float], came: float, level: float = LEVEL) -> float:
    """WIS of a low end, a median and a high end."""
    side = round((1 - level) / 2, 12)
    values = np.asarray(three, dtype=float)[:, None]
    found = weighted_interval_score(values, [side, 0.5, round(1 - side, 12)], [came])
    return float(found.total[0])


def panel_of(releases: Archive, day: str | None, counts: str) -> Panel:
    """The panel of a day; ``counts`` is ``"all drugs"`` or ``"opioids"``."""
    return releases.as_of(day).panel(_INDICATORS[counts])


def reported_in(panel: Panel, month: np.datetime64) -> float:
    """The nation's count of 12 months; NaN where the panel has none."""
    column = int((month - panel.months[0]).astype(int))
    if NATION not in panel.locations or not 0 <= column < panel.months.size:
        return float("nan")
    return float(panel.reported[panel.index(NATION), column])


def beside(
    table: pd.DataFrame,
    here: Archive,
    releases: Archive,
    models: tuple[str, ...],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """The table with what models say; see :func:`published`."""
    chosen = {label: od.get_model(label) for label in models}
    said: list[dict[str, Any]] = []
    for row in rows_of(table):
        out: dict[str, Any] = {"origin": "", "beside": _why_not(row), "beside_came": np.nan}
        if row["yardstick"]:
            try:
                panel, origin = delayed_at(here, str(row["yardstick"]), str(row["published"]))
            except ScoringError as error:
                out["beside"] = error.message
            else:
                same = row["kind"] == "predicted value"
                came = float(row["came"]) if same else _years_of(row, releases)
                out |= {
                    "origin": origin,
                    "beside": "same count" if same else "all drugs, same years",
                    "beside_came": came,
                }
                for label, model in chosen.items():
                    three = _three(model.fit(panel), panel, row, draws, seed)
                    out |= {f"{label}_{k}": v for k, v in _judged(three, came).items()}
        said.append(out)
    columns = ["origin", "beside", "beside_came",
               *(f"{label}_{k}" for label in models for k in _BESIDE)]  # fmt: skip
    more = pd.DataFrame(said).reindex(columns=columns)
    return pd.concat([table, more], axis=1)


def delayed_at(here: Archive, month: str, published: str = "") -> tuple[Panel, str]:
    """The newest release cut after a month and made as incomplete as a real one, and which.

    The donor of the delay is of the era of the day (releases came 6.5 months after their last
    month, since 2022 4.5: so much more is missing), and of these the one whose calendar is nearest.

    Parameters
    ----------
    here : Archive
    month : str
    published : str
        The day that the release of that month came out, if it is known.

    Returns
    -------
    tuple of Panel and str

    Raises
    ------
    ScoringError
        If counts up to there have not settled in the release.
    """
    last = np.datetime64(month, "M")
    seen = here.as_of()
    panel = seen.panel()
    if last > panel.last_month - SETTLED * ONE_MONTH:
        raise ScoringError(
            f"counts after {panel.last_month - SETTLED * ONE_MONTH} have not settled in release "
            f"{seen.date}"
        )
    day = dt.date.fromisoformat(published) if len(published) == 10 else publication_date(last)
    era = era_of((day - month_end(last)).days)
    donors = [d for d in available(here) if d.era == era]
    donor = min(donors, key=lambda d: (d.distance(last), abs(d.release - day)))
    text = f"release {seen.date} cut after {month}, delay as in {donor.release}"
    return panel.delayed(month, donor), text


def _why_not(row: dict[str, Any]) -> str:
    if row["kind"] == "study":
        return "a study prints no forecasts"
    if row["kind"] == "predicted value":
        if row["counts"] == "opioids":
            return "no donor tells what arrives late of opioids"
        return "settled when it was said"
    if row["kind"] == "projection":
        return "these years are not over in the bundled release"
    return "which years were projected is not known"


def _years_of(row: dict[str, Any], releases: Archive) -> float:
    """All drugs in the calendar years of a projection."""
    panel = panel_of(releases, None, "all drugs")
    return float(sum(reported_in(panel, month) for month in _decembers(row)))


def _decembers(row: dict[str, Any]) -> list[np.datetime64]:
    first, last = (int(str(row[c])[:4]) for c in ("first", "last"))
    return [np.datetime64(f"{year}-12", "M") for year in range(first, last + 1)]


def _three(
    fitted: Fitted, panel: Panel, row: dict[str, Any], draws: int, seed: int
) -> tuple[float, float, float]:
    """Low, median and high of the nation's count: of 12 months, or of years added up."""
    same = row["kind"] == "predicted value"
    months = [np.datetime64(str(row["last"]), "M")] if same else _decembers(row)
    ahead = max(1, int((months[-1] - panel.last_month).astype(int)))
    made = fitted.forecast(ahead, draws=draws, seed=seed).select([NATION])
    if made.months[0] > months[0]:  # it takes published counts as they are
        value = reported_in(panel, months[0])
        return float("nan"), value, float("nan")
    at = [int((month - made.months[0]).astype(int)) for month in months]
    drawn: Floats = made.samples()[:, 0, at]
    if len(at) > 1 and MONTH not in made.joint:
        # Years of draws that are not joint do not add up; their medians do not either.
        return float("nan"), float("nan"), float("nan")
    side = round((1 - LEVEL) / 2, 12)
    low, middle, high = np.quantile(drawn.sum(axis=1), [side, 0.5, 1 - side])
    return float(low), float(middle), float(high)


def _judged(three: tuple[float, float, float], came: float) -> dict[str, float]:
    low, middle, high = three
    out = dict.fromkeys(_BESIDE, float("nan"))
    out |= {"median": middle, "low": low, "high": high}
    out["error_percent"] = 100 * (middle - came) / came
    if not np.isnan(low + high + came):
        out["held"] = float(low <= came <= high)
        out["wis"] = wis_of(three, came)
    return out


def releases_in(folder: Path) -> od.Archive:
    """Releases of a folder that can be read, the bundled one last; in memory."""
    bundled = od.bundled().as_of()
    tables = {}
    for path in sorted(folder.iterdir()):
        try:
            loaded = read_vsrr(path)
        except OdforecastError as error:
            print(f"left out: {error}")
            continue
        tables[loaded.release] = loaded.table
    tables.setdefault(bundled.date, bundled.table)
    return od.Archive.in_memory(tables)


def number(value: float, form: str = ",.0f") -> str:
    """A number, or a dash."""
    return "–" if pd.isna(value) else f"{value:{form}}"


def said(row: dict[str, float], before: str = "") -> str:
    """A median, and its interval where there is one."""
    middle = row["said"] if not before else row[f"{before}_median"]
    low, high = (row[f"{before}_{s}" if before else s] for s in ("low", "high"))
    text = number(middle)
    return text if pd.isna(low) else f"{text} ({number(low)}–{number(high)})"


def years_of(row: dict[str, str]) -> str:
    """The years of a projection."""
    first, last = row["first"][:4], row["last"][:4]
    return first if first == last else f"{first}–{last}"


def lines(table: pd.DataFrame) -> list[list[str]]:
    """Rows as they are printed."""
    out = []
    for row in rows_of(table):
        cells = [
            str(row["forecast"]), str(row["published"]), str(row["counts"]),
            str(row["last"]) if row["kind"] == "predicted value" else years_of(row),
            said(row), number(row["known_then"]), number(row["came"]),
            number(row["error_percent"], "+.1f"), number(row["held"]),
            number(row["interval_score"]), number(row["wis"]), str(row["beside"]),
        ]  # fmt: skip
        for model in MODELS:
            cells += [
                said(row, model), number(row[f"{model}_error_percent"], "+.1f"),
                number(row[f"{model}_held"]), number(row[f"{model}_wis"]),
            ]  # fmt: skip
        out.append(cells)
    return out


HEADS = [
    "forecast", "published", "counts", "period", "said", "known then", "came", "off %", "held",
    "interval score", "WIS", "beside",
    *(f"{m}{x}" for m in MODELS for x in ("", " off %", " held", " WIS")),
]  # fmt: skip


def listing(table: pd.DataFrame) -> str:
    """The figures of the page, as text."""
    kinds = table["kind"].isin(["projection", "study"])
    shown = ["forecast", "counts", "said", "came", "error_percent", "held", "interval_score"]
    names = {"said": "projected", "came": "final", "error_percent": "error_%"}
    names |= {"held": "inside_interval"}
    projections = table.loc[kinds, shown].rename(columns=names)
    out = [projections.round(1).fillna("–").to_string(index=False)]
    us = table[(table["kind"] == "predicted value") & (table["counts"] == "all drugs")]
    for ahead, part in us.groupby("ahead"):
        settled = part[part["settled"]]
        error = settled["error_percent"]
        out.append(
            f"CDC, {abs(ahead):.0f} months before the last month: {len(settled)} values, "
            f"{error.min():+.1f} to {error.max():+.1f}%, mean {error.mean():+.1f}%"
        )
    return "\n".join(out)


def markdown(table: pd.DataFrame) -> str:
    """The two tables of the page."""
    kept = table[table["beside"].isin(["same count", "all drugs, same years"])]
    text = []
    for kind in ("projection", "predicted value"):
        rows = [
            f"| published | {' | '.join(f'`{m}`' for m in MODELS)} |",
            "|---" * (1 + len(MODELS)) + "|",
        ]
        for row in rows_of(kept[kept["kind"] == kind]):
            what = (
                f"{row['forecast']}, {years_of(row)}"
                if kind == "projection"
                else f"{row['published']}, 12 months to {row['last']}"
            )
            cells = [f"{what}: {row['error_percent']:+.1f}%"]
            for model in MODELS:
                off, held = row[f"{model}_error_percent"], row[f"{model}_held"]
                inside = "" if pd.isna(held) else ", inside" if held else ", outside"
                cells.append(f"{number(off, '+.1f')}%{inside}")
            rows.append(f"| {' | '.join(cells)} |")
        text.append("\n".join(rows))
    return "\n\n".join(text)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vsrr", type=Path, help="folder of CDC's files")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--draws", type=int, default=1000)
    args = parser.parse_args()
    archive = None if args.vsrr is None else releases_in(args.vsrr)
    table = published(archive, models=MODELS, draws=args.draws)
    if args.markdown:
        print(listing(table), markdown(table), sep="\n\n")
        return
    for cells in [HEADS, *lines(table)]:
        print("\t".join(cells))
    values = table[(table["kind"] == "predicted value") & (table["beside"] == "same count")]
    print(f"\nmean absolute error, percent, {len(values)} predicted values of all drugs")
    print(f"CDC\t{values['error_percent'].abs().mean():.2f}")
    for model in MODELS:
        part = values[f"{model}_error_percent"].abs().mean()
        print(f"{model}\t{part:.2f}\theld {number(values[f'{model}_held'].mean(), '.2f')} of 0.95")


if __name__ == "__main__":
    main()
