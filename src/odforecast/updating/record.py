"""The public record: every forecast with its date, and the counts that came later.

``record.csv`` only grows. It has one line per forecast of a place and month, later a line for the
count as first published (*provisional*: too low to score a forecast) and one when it is *settled*,
at least 12 months old in its release. A line of its own *withdraws* what was made from figures that
were retracted or replaced, and a right count is written behind the wrong one.

Every line but the first ends with 16 hex digits of a SHA-256 of the digits before it and its own
text, so the reader says which line was changed, inserted, removed or moved. They do not stop
somebody who computes all anew: only a copy in other hands does, so publish the file.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.forecasts import Forecast
from odforecast.forecasts.text import place_name
from odforecast.geography import NATION, code_of
from odforecast.months import to_month
from odforecast.names import DEFAULT_MODEL, STATES, TARGET_12MO
from odforecast.panel import Panel
from odforecast.say import between, day_name, month_name, rounded, step_of
from odforecast.vintage import Archive, ledger

#: Hex digits at the end of a line.
DIGITS = 16
#: Months from the end of a period to the release that settles its count.
SETTLED_AGE = 12
FORECAST = "forecast"
CAME = "came"
WITHDRAWN = "withdrawn"
PROVISIONAL = "provisional"
SETTLED = "settled"
#: Levels of the five columns of deaths.
LEVELS = {
    "low_90": 0.05,
    "low_50": 0.25,
    "median": 0.5,
    "high_50": 0.75,
    "high_90": 0.95,
}
#: Columns of the file before the check of the line.
COLUMNS = (
    "batch",
    "lines",
    "kind",
    "on",
    "release",
    "location",
    "month",
    "horizon",
    *LEVELS,
    "count",
    "status",
    "model",
    "spec",
    "version",
    "data",
    "seed",
    "draws",
)
#: Heads of :func:`past_forecasts`.
RECORD_HEAD = (
    "Forecast on",
    "12 months ending",
    "Months ahead",
    "Median (90% interval)",
    "Final count",
    "Inside the 90% interval",
)
#: What makes a forecast the same forecast; another line for it is not written.
KEY = ["release", "location", "month", "spec", "version", "data", "seed", "draws"]
_HEAD = ",".join((*COLUMNS, "check"))
_WHOLE = ("batch", "lines", "horizon", "seed", "draws")
_DATES = ("on", "release", "month")
_COUNT = ["location", "month", "status"]
_OPTIONS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)


# ------------------------------------------------------------------------------ lines of the file


@dataclass(frozen=True)
class _Lines:
    """The checked lines of a record."""

    #: Without their digits.
    lines: list[str]
    #: Digits of the last line, on which the next builds.
    link: str
    #: Bytes of the whole lines.
    size: int
    #: Whether a rest stands behind them.
    torn: bool = False
    #: Whether the last line has its end.
    ended: bool = True


def link(before: str, text: str) -> str:
    """Digits of a line.

    >>> link("", "a,b") == link("", "a,b") != link("0", "a,b")
    True
    """
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()[:DIGITS]


def _whole(piece: bytes, number: int, before: str) -> str | None:
    """The text of a line that is as it was written; None of any other."""
    # Git on Windows may put other line ends; what cannot be read is no line of a record.
    text = piece.decode(errors="replace").removesuffix("\r")
    if number == 1:
        return text if text == _HEAD else None
    text, _, digits = text.rpartition(",")
    return text if digits == link(before, text) else None


def _checked(path: Path) -> _Lines:
    """The lines of a record; what stands behind the last whole one was cut off."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    *pieces, rest = content.split(b"\n")
    lines = []
    before = ""
    size = 0
    for number, piece in enumerate(pieces, start=1):
        text = _whole(piece, number, before=before)
        if text is None:
            raise _edited(path, number)
        before = link(before, text)
        size += len(piece) + 1
        lines.append(text)
    # Not one whole line: the very first write was cut off, or this is another file.
    if not lines and not _HEAD.encode().startswith(rest):
        raise _edited(path, 1)
    # A last line without its end is whole if its check fits: some editors take the end away.
    if lines and rest:
        last = _whole(rest, len(lines) + 1, before=before)
        if last is not None:
            return _Lines(
                [*lines[1:], last],
                link(before, last),
                size=len(content),
                ended=False,
            )
    return _Lines(lines[1:], before, size=size, torn=bool(rest))


def _edited(path: Path, number: int) -> DataError:
    reason = "its check does not fit it and the lines before"
    if number == 1:
        reason = "it does not name the columns of a record"
    return DataError(
        f"{path}, line {number}, is not as it was written: {reason}",
        hint="nobody edits a record: restore the file from a copy (lines are only ever added)",
    )


def is_torn(path: str | os.PathLike[str]) -> bool:
    """Whether the end of a record was cut off while it was written: the next update clears it."""
    return _checked(Path(path)).torn


def read(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a record, and check every line.

    Parameters
    ----------
    path : path
        ``record.csv``; if it does not exist, the table has no rows.

    Returns
    -------
    DataFrame
        One row per line: ``batch`` (number of the update), ``lines`` (how many lines that update
        wrote), ``kind`` (``"forecast"``, ``"came"`` for a count or ``"withdrawn"``), ``on`` (UTC
        day of writing), ``release`` (that was forecast from, or has the count), ``location`` (CDC
        code), ``month`` (end of the 12 months). For a forecast: ``horizon`` (months after the last
        published one), ``low_90``, ``low_50``, ``median``, ``high_50``, ``high_90`` (final deaths
        in 12 months), ``model``, ``spec`` (hash), ``version`` (of the package), ``data`` (hash of
        the panel), ``seed``, ``draws``. For a count: ``count`` and ``status`` (``"provisional"`` or
        ``"settled"``). For what is withdrawn: ``release`` and, of forecasts, ``data``.

    Raises
    ------
    DataError
        With the number of the first line that is not as it was written.

    Examples
    --------
    >>> from odforecast.updating import read
    >>> read("no-such-folder/record.csv").empty
    True
    """
    rows = list(csv.reader(_checked(Path(path)).lines))
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS):
            raise DataError(
                f"{path}, line {number}: {len(row) + 1} cells, not {len(COLUMNS) + 1}",
                hint="look for a newer version of odforecast",
            )
    return typed(pd.DataFrame(rows, columns=list(COLUMNS), dtype=str))


def append(path: str | os.PathLike[str], new: pd.DataFrame) -> None:
    """Write lines at the end of a record; what was there stays byte for byte.

    A rest that was cut off while it was written, and so never was a line, is cleared away. A
    DataError if a line there is not as it was written.
    """
    if new.empty:
        return
    path = Path(path)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in new.to_dict("records"):
        writer.writerow([_cell(name, row[name]) for name in COLUMNS])
    content = _checked(path)
    before = content.link
    parts = [] if content.ended else ["\n"]
    if not content.size:
        before = link("", _HEAD)
        parts = [f"{_HEAD}\n"]
    for line in text.getvalue().splitlines():
        before = link(before, line)
        parts.append(f"{line},{before}\n")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, _OPTIONS, 0o666), "r+b", buffering=0) as file:
            if content.torn:
                file.truncate(content.size)
            file.seek(0, os.SEEK_END)
            view = memoryview("".join(parts).encode())
            while view:
                view = view[file.write(view) or 0 :]
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            hint="the record is as it was; run the update again once the file can be written to",
        ) from error


def _cell(name: str, value: Any) -> str:
    """A value as it stands in the file; nothing where there is none."""
    if pd.isna(value):
        return ""
    if name in _DATES:
        return f"{value:%Y-%m}" if name == "month" else f"{value:%Y-%m-%d}"
    if name in LEVELS:
        return f"{value:.1f}"
    return f"{value:.0f}" if name in ("count", *_WHOLE) else str(value)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of a record, each in its type, from some of them."""
    out = table.reindex(columns=list(COLUMNS))
    for name in out:
        if name in _WHOLE:
            out[name] = pd.to_numeric(out[name]).astype("Int64")
        elif name in (*LEVELS, "count"):
            out[name] = pd.to_numeric(out[name]).astype(float)
        elif name in _DATES:
            out[name] = pd.to_datetime(out[name], format="ISO8601").astype(
                "datetime64[s]"
            )
    return out


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Lines behind each other, column by column: some parts have no month at all."""
    columns = {}
    for name in tables[0]:
        columns[name] = pd.concat([table[name] for table in tables], ignore_index=True)
    return pd.DataFrame(columns)


def batch_of(
    table: pd.DataFrame, parts: Iterable[pd.DataFrame], on: dt.date
) -> pd.DataFrame:
    """Lines, numbered as the next update of a record."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return table.iloc[:0]
    number = 1 if table.empty else int(table["batch"].max()) + 1
    lines = joined(parts).assign(
        batch=number,
        lines=sum(map(len, parts)),
        on=pd.Timestamp(on).as_unit("s"),
    )
    return lines.astype(table.dtypes.to_dict())


# ------------------------------------------------------------------------------ what is recorded


def lines_of(
    table: pd.DataFrame, forecast: Forecast, panel: Panel, on: dt.date
) -> pd.DataFrame:
    """What an update adds to a record: forecasts that it lacks, and the counts that came.

    ``panel`` is the release behind the forecast, with all locations. Without rows if nothing is
    new.
    """
    forecasts = forecast_lines(forecast, panel)
    entries = standing(table)
    recorded = entries.loc[entries["kind"] == FORECAST, KEY]
    if not recorded.empty:
        matched = forecasts[KEY].merge(
            recorded.drop_duplicates(),
            on=KEY,
            how="left",
            indicator=True,
        )
        forecasts = forecasts[(matched["_merge"] == "left_only").to_numpy()]
    return batch_of(table, [_new_counts(entries, panel), forecasts], on=on)


def made_by(forecast: Forecast) -> dict[str, Any]:
    """What a forecast was made by, as the record names it."""
    provenance = forecast.provenance
    return {
        "model": provenance["label"],
        "spec": provenance["spec_hash"],
        "version": provenance["odforecast"],
        "seed": int(provenance["seed"]),
        "draws": len(forecast.draws),
    }


def forecast_lines(forecast: Forecast, panel: Panel) -> pd.DataFrame:
    """Lines of a forecast, whatever a record holds: horizons 0 to the last."""
    ahead = np.flatnonzero(forecast.horizons >= 0)
    values = forecast.quantiles(list(LEVELS.values()), TARGET_12MO)[:, :, ahead]
    n_loc = len(forecast.locations)
    rows: dict[str, Any] = {
        "kind": FORECAST,
        "release": pd.Timestamp(forecast.provenance["release"]),
        "location": np.repeat(forecast.locations, ahead.size),
        "month": np.tile(forecast.months[ahead].astype("datetime64[s]"), n_loc),
        "horizon": np.tile(forecast.horizons[ahead], n_loc),
        **{
            name: np.round(v.ravel(), 1) for name, v in zip(LEVELS, values, strict=True)
        },
        "status": "",
        **made_by(forecast),
        "data": panel.data_hash,  # of the whole release, whatever places were asked for
    }
    table = pd.DataFrame(rows)
    # A place whose earlier counts are hidden has no 12-month count for a while.
    return typed(table[table["median"].notna()].reset_index(drop=True))


def _new_counts(entries: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Counts of a release that answer forecasts made from earlier ones, and are not there yet."""
    release = pd.Timestamp(panel.release)
    forecasts = entries[(entries["kind"] == FORECAST) & (entries["release"] < release)]
    furthest = forecasts.groupby(_COUNT[:2])["horizon"].max().reset_index()
    recorded = set(map(tuple, entries.loc[entries["kind"] == CAME, _COUNT].to_numpy()))
    rows = []
    for place, stamp, horizon in furthest.itertuples(index=False):
        count, status = count_in(panel, place, stamp=stamp)
        # A provisional count of horizon 0 was published before anything was forecast.
        informative = status == SETTLED or horizon >= 1
        if (
            informative
            and np.isfinite(count)
            and (place, stamp, status) not in recorded
        ):
            rows.append((release, place, stamp, count, status))
    return _count_lines(rows)


def count_in(panel: Panel, place: str, stamp: pd.Timestamp) -> tuple[float, str]:
    """The count of a place and month in a release (NaN where it has none), and its status."""
    month = to_month(stamp)
    column = int((month - panel.months[0]).astype(int))
    age = int((np.datetime64(panel.release, "M") - month).astype(int))
    status = SETTLED if age >= SETTLED_AGE else PROVISIONAL
    if place not in panel.locations or not 0 <= column < panel.months.size:
        return float("nan"), status
    return float(panel.reported[panel.locations.index(place), column]), status


def _count_lines(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Lines of counts, from their release, location, month, count and status."""
    table = pd.DataFrame(
        rows, columns=["release", "location", "month", "count", "status"]
    )
    return typed(
        table.assign(
            kind=CAME,
            model="",
            spec="",
            version="",
            data="",
        )
    )


# ------------------------------------------------------------------------ what is read out of it


def standing(table: pd.DataFrame) -> pd.DataFrame:
    """Forecasts and counts of a record that were not withdrawn.

    A ``withdrawn`` line with ``data`` takes back the forecasts above it that were made from that
    release by that data; one without takes back the counts above it that are from that release.

    >>> standing(read("no-such-folder/record.csv")).empty
    True
    """
    stands = (table["kind"] != WITHDRAWN).to_numpy(dtype=bool)
    position = np.arange(len(table))
    for row in np.flatnonzero(~stands):
        data = table["data"].iloc[row]
        if data:
            affected = (table["kind"] == FORECAST) & (table["data"] == data)
        else:
            affected = table["kind"] == CAME
        affected &= table["release"] == table["release"].iloc[row]
        stands &= ~(affected.to_numpy(dtype=bool) & (position < row))
    return table[stands]


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Every forecast of a record beside the count that came.

    Parameters
    ----------
    table : DataFrame
        From :func:`read`.

    Returns
    -------
    DataFrame
        The rows of forecasts that stand, with ``came`` (deaths: the settled count where there is
        one, else the provisional one, and of several the last; NaN), ``came_status``,
        ``came_release``, and ``inside_50`` and ``inside_90``: whether the interval contained the
        settled count; missing before it is settled.

    Examples
    --------
    >>> from odforecast.updating import outcomes, read
    >>> outcomes(read("no-such-folder/record.csv")).columns[-1]
    'inside_90'
    """
    entries = standing(table)
    forecasts = entries[entries["kind"] == FORECAST].drop(columns=["count", "status"])
    names = {"count": "came", "status": "came_status", "release": "came_release"}
    counts = entries.loc[entries["kind"] == CAME, [*_COUNT[:2], *names]].rename(
        columns=names
    )
    # "settled" sorts behind "provisional", and of each the line written last stands last.
    counts = counts.sort_values("came_status", kind="stable").drop_duplicates(
        _COUNT[:2], keep="last"
    )
    paired = forecasts.merge(counts, on=_COUNT[:2], how="left")
    # A count provisional at the origin is no outcome: the forecast says what it will be.
    published = (paired["horizon"] <= 0).fillna(value=False) & (
        paired["came_status"] == PROVISIONAL
    )
    paired.loc[published, "came"] = np.nan
    paired.loc[published, ["came_status", "came_release"]] = None
    judged = (paired["came_status"] == SETTLED).to_numpy(dtype=bool)
    for name in ("50", "90"):
        inside = (paired["came"] >= paired[f"low_{name}"]) & (
            paired["came"] <= paired[f"high_{name}"]
        )
        paired[f"inside_{name}"] = pd.arrays.BooleanArray(
            inside.to_numpy(dtype=bool), ~judged
        )
    return paired


def model_in_question(table: pd.DataFrame) -> str:
    """The model that a record is shown of: the default where it is in it, else the newest."""
    entries = standing(table)
    models = entries.loc[entries["kind"] == FORECAST, "model"]
    if DEFAULT_MODEL in set(models):
        return DEFAULT_MODEL
    return str(models.iloc[-1]) if len(models) else ""


def one_each(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Of each release, place and month of :func:`outcomes` the newest forecast by a model."""
    forecasts: pd.DataFrame = table[table["model"] == model]
    return forecasts.drop_duplicates(["release", "location", "month"], keep="last")


# -------------------------------------------------------------------- figures that count no more


def corrections(table: pd.DataFrame, archive: Archive, on: dt.date) -> pd.DataFrame:
    """Lines that a record lacks since figures of the archive were retracted or replaced."""

    @cache
    def panel(release: dt.date) -> Panel:
        """A release as it counts now."""
        return archive.as_of(release).panel()

    log = archive.log[archive.log["dataset"] == STATES]
    releases = sorted(archive.releases())
    withdrawn: list[tuple[pd.Timestamp, str]] = []
    entries = standing(table)
    for stamp in sorted(entries["release"].unique()):
        date = pd.Timestamp(stamp).date()
        lines = entries[entries["release"] == stamp]
        events = log[log["release"] == date]
        retractions = events[events["event"].isin([ledger.RETRACTED, ledger.REPLACED])]
        if retractions.empty:
            continue
        if date not in releases:
            for data in lines.loc[lines["kind"] == FORECAST, "data"].unique():
                withdrawn.append((stamp, str(data)))
            if (lines["kind"] == CAME).any():
                withdrawn.append((stamp, ""))
        elif _other_figures(events):
            wrong = _wrong(lines, panel(date), at=str(retractions["at"].max()))
            withdrawn += [(stamp, data) for data in wrong]
    rows = pd.DataFrame(withdrawn, columns=["release", "data"])
    corrected = typed(
        rows.assign(
            kind=WITHDRAWN,
            status="",
            model="",
            spec="",
            version="",
            location="",
        )
    )
    whole = joined([table, corrected]) if len(corrected) else table
    counts = _count_lines(list(_restored(whole, releases, panel=panel)))
    return batch_of(table, [corrected, counts], on=on)


def _other_figures(events: pd.DataFrame) -> bool:
    """Whether other figures of a release counted once than do now."""
    counted = events["event"].isin([ledger.ADDED, ledger.ACCEPTED, ledger.REPLACED])
    hashes = {*events.loc[counted, "data_hash"], *events["replaces"]}
    return len(hashes - {""}) > 1


def _wrong(lines: pd.DataFrame, panel: Panel, at: str) -> Iterator[str]:
    """Data of forecasts, and "" for counts, that are not of the figures that count now.

    Data may differ for another reason (an earlier release was added): what was written after the
    last of the figures' changes is of those that count.
    """
    early = lines["on"] <= pd.Timestamp(at[:10]) if at else lines["on"].notna()
    forecasts = lines[(lines["kind"] == FORECAST) & early]
    for data in forecasts["data"].unique():
        if data != panel.data_hash:
            yield str(data)
    counts = lines[lines["kind"] == CAME]
    for place, month, count in zip(
        counts["location"], counts["month"], counts["count"]
    ):
        if count_in(panel, place, stamp=month)[0] != count:
            yield ""
            break


def _restored(
    table: pd.DataFrame, releases: Sequence[dt.date], panel: Callable[[dt.date], Panel]
) -> Iterator[tuple[Any, ...]]:
    """Counts that were withdrawn, as the first release from theirs on has them by now."""
    entries = standing(table)
    counts = table[table["kind"] == CAME]
    present = set(map(tuple, entries.loc[entries["kind"] == CAME, _COUNT].to_numpy()))
    first_release = (
        entries[entries["kind"] == FORECAST]
        .groupby(_COUNT[:2])["release"]
        .min()
        .to_dict()
    )
    for row in counts.drop_duplicates(_COUNT, keep="last").to_dict("records"):
        place, month, status = (row[name] for name in _COUNT)
        if (place, month, status) in present or (place, month) not in first_release:
            continue
        first = first_release[place, month].date()
        for date in releases:
            if date < row["release"].date() or date <= first:
                continue
            count, new_status = count_in(panel(date), place, stamp=month)
            if new_status == status and np.isfinite(count):
                yield pd.Timestamp(date), place, month, count, status
                break


# ------------------------------------------------------------------------- what is said of it


def past_forecasts(
    table: pd.DataFrame,
    place: str = NATION,
    rows: int = 12,
    model: str | None = None,
) -> list[list[str]]:
    """The record of one place as rows of texts under :data:`RECORD_HEAD`, the newest first.

    For each month with a count, the forecast from the first release in the record; the rows left
    over are forecasts of months without a count yet, from the last release.
    """
    forecasts = one_each(outcomes(table), model or model_in_question(table))
    forecasts = forecasts[
        (forecasts["location"] == code_of(place)) & (forecasts["horizon"] >= 1)
    ]
    forecasts = forecasts.sort_values("release", kind="stable")
    answered = forecasts[forecasts["came"].notna()].drop_duplicates("month")
    answered = answered.sort_values("month").tail(rows)
    unanswered = forecasts[forecasts["came"].isna()]
    unanswered = unanswered[unanswered["release"] == unanswered["release"].max()]
    unanswered = unanswered.sort_values("month").tail(max(rows - len(answered), 1))
    chosen = forecasts.loc[[*answered.index, *unanswered.index]].sort_values(
        ["month", "on"], ascending=False
    )
    out = []
    for row in chosen.to_dict("records"):
        step = step_of(row["low_90"], row["high_90"])
        count = "not yet"
        inside = ""
        if row["came_status"] == SETTLED:
            count = f"{row['came']:,.0f}"
            inside = "yes" if row["inside_90"] else "no"
        elif np.isfinite(row["came"]):
            count = f"{row['came']:,.0f} (first count, too low)"
            inside = "not scored yet"
        middle = f"{rounded(row['median'], step)} ({between(row['low_90'], row['high_90'], step)})"
        dates = [day_name(row["on"]), month_name(row["month"]), str(row["horizon"])]
        out.append([*dates, middle, count, inside])
    return out


def coverage_sentence(table: pd.DataFrame, model: str | None = None) -> str:
    """How many final counts the intervals contained, of one forecast per release and month."""
    answered = outcomes(table)
    ahead = answered[answered["horizon"] >= 1]
    model = model or model_in_question(table)
    forecasts = one_each(ahead, model)
    author = f" by {model}" if set(ahead["model"]) - {model} else ""
    text = f"The record holds {len(forecasts):,} forecasts{author}. "
    judged = forecasts[forecasts["came_status"] == SETTLED]
    if judged.empty:
        text += (
            "None can be scored yet: counts are not final until they are 12 months old."
        )
    else:
        n = len(judged)
        inside = int(judged["inside_90"].sum())
        half = int(judged["inside_50"].sum())
        text += (
            f"For {n:,} of them the count is final. The 90% interval contained {inside:,} of these "
            f"counts ({inside / n:.0%}), the 50% interval {half:,} ({half / n:.0%}). Forecasts of "
            "neighboring months and from one release share their errors, so they are far fewer "
            "independent tests."
        )
    repeats = int((ahead["model"] == model).sum()) - len(forecasts)
    recorded = (table["kind"] == FORECAST) & (table["horizon"] >= 1).fillna(value=False)
    withdrawn = int(recorded.sum()) - len(ahead)
    left_out = []
    if repeats:
        left_out.append(f"{repeats:,} made again later from the same release")
    if withdrawn:
        left_out.append(f"{withdrawn:,} withdrawn because their release was wrong")
    if left_out:
        text += f" Not counted: {' and '.join(left_out)}."
    return text


def record_markdown(
    path: str | os.PathLike[str],
    location: str = NATION,
    rows: int = 12,
    model: str | None = None,
) -> str:
    """A record as Markdown, for a page of documentation: a sentence and a table of one place.

    Parameters
    ----------
    path : path
        ``record.csv``.
    location : str
        Any name of a place.
    rows : int
        Rows of the table.
    model : str, optional
        As the record has it. Default: the default model where the record has forecasts by it, else
        the one that it has the newest of.

    Returns
    -------
    str

    Examples
    --------
    >>> from odforecast.updating import record_markdown
    >>> record_markdown("no-such-folder/record.csv")
    'The record has no forecasts yet.'
    """
    table = read(path)
    if table.empty:
        return "The record has no forecasts yet."
    body = past_forecasts(table, location, rows=rows, model=model)
    name = place_name(code_of(location))
    if not body:
        return f"The record has no forecasts of {name} yet."
    ruler = ["---", "---", "---:", "---:", "---:", "---"]
    lines = [f"| {' | '.join(cells)} |" for cells in (RECORD_HEAD, ruler, *body)]
    title = f"Drug overdose deaths in 12 months, {name}:"
    return "\n".join([coverage_sentence(table, model), "", title, "", *lines])
