"""What the data commands show: files, releases, flags, revisions, donors and past copies."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.cli.answer import Answer
from odforecast.cli.screen import Column, facts, lay, note, wrapped
from odforecast.cli.screen import columns as in_columns
from odforecast.cli.source import BUNDLED, open_source
from odforecast.errors import ArchiveError, DataError
from odforecast.geography import NATION, resolve
from odforecast.names import COUNTIES, STATES
from odforecast.panel import ERAS, Donor
from odforecast.say import number_of, plain
from odforecast.sources.county import Counties
from odforecast.sources.release import read_release
from odforecast.sources.table import to_date, to_text
from odforecast.sources.vsrr import check_sums, summarise
from odforecast.vintage import archive as own
from odforecast.vintage.archive import Archive
from odforecast.vintage.dataset import dataset_of, notes_of
from odforecast.vintage.donors import gathered, linked, shipped
from odforecast.vintage.past import Copy, Outcome
from odforecast.vintage.quality import SEVERITIES, Flag
from odforecast.vintage.quality import check as check_release
from odforecast.vintage.revisions import Revisions

type Row = dict[str, Any]

#: Ages of counts, in months, whose completeness is shown.
AGES = 24
#: How the line begins on a copy of a past release; others are plain.
KINDS = {
    "gone": "warning: ", "refused": "error: ", "quarantined": "error: ",
    "differs": "note: ", "retracted": "note: ",
}  # fmt: skip
#: What can become of a copy or version, in the order in which it is counted.
_COUNTED = {
    "added": "added", "there": "there already", "equal": "compared and equal",
    "differs": "compared and different", "quarantined": "set aside", "retracted": "retracted",
    "gone": "not available", "refused": "refused",
}  # fmt: skip
#: Characters of a reason, an indicator and an origin in a line.
_REASON, _NAME, _FROM = 160, 24, 17


def words(head: str, of: Any) -> Column:
    """A column of words."""
    return Column(head, of, "{}")


def listing(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Columns of rows: numbers at the right, the last of any length."""
    lines = [[c.head for c in columns], *([c.cell(row) for c in columns] for row in rows)]
    for i, column in enumerate(columns):
        most = max(len(line[i]) for line in lines)
        for line in lines if column.form != "{}" else ():
            line[i] = line[i].rjust(most)
    return in_columns(lines, "", whole=True)


def listed(rows: list[Row], columns: Sequence[Column]) -> Answer:
    """Rows as JSON, or some of their columns on the screen."""
    return Answer(lambda: listing(rows, columns), rows)


# One release to look at


@dataclass(frozen=True)
class Seen:
    """One release to look at, with the one before, and for counties the states' counts."""

    dataset: str
    date: dt.date
    table: pd.DataFrame
    before: pd.DataFrame | None = None
    earlier: dt.date | None = None
    states: pd.DataFrame | None = None

    def beside(self, store: Archive) -> Seen:
        """With the states' counts known that day, or the first after it: for looking, no more."""
        dates = store.releases() if self.dataset == COUNTIES else ()
        day = max((d for d in dates if d <= self.date), default=next(iter(dates), None))
        return self if day is None else replace(self, states=store.release(day))


def seen(
    archive: Path | None, source: str | None, release: str | None, as_of: str | None, dataset: str
) -> Seen:
    """The release that a command looks at: of an archive as of a day, or of one file.

    A file is told by its columns, whatever ``dataset`` says.
    """

    if source is not None and source != BUNDLED and archive is None:
        loaded = read_release(source, release)
        if dataset_of(loaded) == COUNTIES:
            for text in notes_of(loaded):
                note(f"{Path(source).name}: {text}")
            return Seen(COUNTIES, loaded.release, loaded.table).beside(own())
    store = open_source(archive, source, release, look=True)
    if dataset == COUNTIES:
        day = dt.date.max if as_of is None else to_date(as_of)
        known = [d for d in store.releases(COUNTIES) if d <= day]
        if not known:
            raise no_counties(store, as_of)
        text = store.reason(known[-1], COUNTIES)
    else:
        vintage = store.as_of(as_of)
        known = [d for d in store.releases() if d <= vintage.date]
        text = vintage.note or ""
    if text:
        note(text)
    earlier = known[-2] if len(known) > 1 else None
    before = None if earlier is None else store.release(earlier, None, dataset)
    table = store.release(known[-1], None, dataset)
    return Seen(dataset, known[-1], table, before, earlier).beside(store)


def no_counties(store: Archive, as_of: str | None = None) -> ArchiveError:
    """What to say of an archive without counts by county, or without any that old."""
    dates = store.releases(COUNTIES)
    return ArchiveError(
        f"{store.path or 'the archive'} holds no release of counties"
        + (f" of {as_of} or before: the first is {dates[0]}" if dates else ""),
        hint="odforecast data fetch --dataset counties, or odforecast data add FILE",
    )


def csv_of(table: pd.DataFrame) -> str:
    """A release as CSV, as people read it; of recovered months, numbers to one decimal."""
    if "status" in table:
        text = to_text(table)
    else:
        numbers = table.select_dtypes("number").columns
        text = table.assign(month=table["month"].dt.strftime("%Y-%m"))
        text[numbers] = text[numbers].round(1)
    return text.to_csv(index=False, lineterminator="\n")


# What is in files


def files_answer(files: Sequence[Path], release: str | None) -> Answer:
    """What is in files; the failure says how many were refused."""
    answers: list[Row] = []
    texts, refused = [], 0
    for file in files:
        try:
            loaded = read_release(file, release)
        except DataError as error:
            refused += 1
            message = error.message.removeprefix(file.name).lstrip(": ")
            answers.append({"file": file.name, "error": message, "hint": error.hint})
            said = facts({"REFUSED": message, "what to do": error.hint})
            texts.append(f"{file.name}\n{said}")
            continue
        found = _county_facts(loaded) if isinstance(loaded, Counties) else loaded.report.to_dict()
        answers.append(found)
        shown = {key: value for key, value in found.items() if key not in ("file", "notes")}
        shown["sha256"] = found["sha256"][:16]
        shown |= {f"note {n}": text for n, text in enumerate(found["notes"], 1)}
        texts.append(f"{file.name}\n{facts(shown)}")
    failure = DataError(f"{refused} of {len(files)} files refused") if refused else None
    return Answer("\n\n".join(texts), answers, failure=failure)


def _county_facts(loaded: Counties) -> Row:
    """What is in a file of counties, as JSON can hold it."""
    table = loaded.table
    shown = table["deaths"]
    return {
        "file": loaded.file,
        "sha256": loaded.sha256,
        "dataset": COUNTIES,
        "release": str(loaded.release),
        "data_as_of": str(loaded.data_as_of),
        "rows_kept": len(table),
        "left_out": loaded.duplicates,
        "first_month": f"{table['month'].min():%Y-%m}",
        "last_month": f"{table['month'].max():%Y-%m}",
        "counties": int(table["fips"].nunique()),
        "shown": int(shown.notna().sum()),
        "zero": int((shown == 0).sum()),
        "suppressed": loaded.suppressed,
        "missing": loaded.missing,
        "largest": None if shown.isna().all() else float(shown.max()),
        "notes": list(loaded.notes),
    }


# Releases of an archive


def releases_answer(store: Archive, dataset: str) -> Answer:
    """The releases of an archive."""
    rows = [release_row(store, date, dataset) for date in store.releases(dataset)]
    return listed(rows, RELEASES[dataset])


def release_row(store: Archive, date: dt.date, dataset: str) -> Row:
    """What is known of a release, as JSON can hold it."""
    table, origin = store.release(date, None, dataset), store.origin(date, dataset)
    if dataset == COUNTIES:
        last = table[table["month"] == table["month"].max()]
        found: Row = {
            "first_month": f"{table['month'].min():%Y-%m}",
            "last_month": f"{table['month'].max():%Y-%m}",
            "counties": int(table["fips"].nunique()),
            "shown_last": int(last["deaths"].notna().sum()),
            "hidden_last": int((last["status"] == "suppressed").sum()),
            "missing": int((table["status"] == "missing").sum()),
            "deaths_last": float(np.nansum(last["deaths"])),
        }
    else:
        summary = summarise(table)
        found = {key: summary[key] for key in ("first_month", "last_month")}
        found |= {key: len(summary[key]) for key in ("jurisdictions", "indicators")}
        found |= {"us_last": summary["us_last"], "adds_up": check_sums(table).adds_up}
    return {
        "release": str(date),
        "rows": len(table),
        **found,
        "data_hash": store.data_hash(date, dataset),
        "origin": origin.kind,
        **{key: getattr(origin, key) for key in ("place", "file", "sha256", "basis")},
        "checks": origin.checks.split(", "),
    }


def _checked(row: Row) -> str:
    """The strongest check; that a release was accepted in spite of them counts more."""
    order = ("accepted", "sha256", "git blob", "structure")
    return next(check for check in order if check in row["checks"])


def _came_from(row: Row) -> str:
    """Where a release came from, in a word or two; --json has all of it."""
    place = row["place"]
    kinds = {"bundled": "bundled", "past": "past copy",
             "cdc": "CDC" if place in ("", "data.cdc.gov") else f"CDC, {place}"}  # fmt: skip
    said = plain(kinds.get(row["origin"]) or row["file"] or "a file", 160)
    return said if len(said) <= _FROM else f"{said[: _FROM - 1]}…"


_STARTS = (
    words("release", "release"),
    words("months", lambda row: f"{row['first_month']}..{row['last_month']}"),
)
_ENDS = (words("date", "basis"), words("checked", _checked), words("from", _came_from))
#: Columns of the releases of each data set.
RELEASES = {
    STATES: (*_STARTS, Column("US, last", "us_last"), *_ENDS),
    COUNTIES: (*_STARTS, Column("counties", "counties"), Column("hidden", "hidden_last"), *_ENDS),
}


def log_answer(store: Archive) -> Answer:
    """What happened to the releases of an archive."""
    found = store.log
    rows = found.assign(release=found["release"].astype(str)).to_dict("records")
    lines = []
    for row in rows:
        of = "" if row["dataset"] == STATES else f"  {row['dataset']}"
        head = f"{row['at'] or '-':<20}  {row['event']:<11}  {row['release']}"
        lines.append(f"{head}  {row['data_hash']}{of}")
        why = str(row["reason"])
        if len(why) > _REASON:
            why = f"{why[:_REASON]}… (whole with --json)"
        lines += [wrapped(f"    {text}", indent="    ") for text in (row["file"], why) if text]
    if found.empty:
        note("nothing has happened yet: the archive is empty")
    return Answer("\n".join(lines), rows)


_SHORT = {"predicted": "CDC", "pending": "pending", "all deaths": "deaths"}
_DONORS = (
    words("era", "era"), words("to", "last_month"), Column("open", "open_months"),
    Column("missing", "missing", "{:.1%}"), Column("in last", "missing_last_month", "{:.1%}"),
    words("says", lambda row: ", ".join(_SHORT[x] for x in row["says"]) or "nothing"),
    words("from", "from"),
)  # fmt: skip


def donors_answer(store: Archive) -> Answer:
    """The releases that a delay can be taken from: the archive's, and those that ship."""

    mine, left_out = gathered(store)
    held = {d.release for d in mine}
    found = linked([*mine, *(d for d in shipped() if d.release not in held)])
    rows = [_donor_row(d, "archive" if d.release in held else "shipped") for d in found]
    eras = []
    for era in ERAS:
        months = Counter(int(str(d.last_month)[5:7]) for d in found if d.era == era)
        eras.append({"era": era, "all": months.total()} | {str(m): n for m, n in months.items()})
    calendar = [Column(str(m), str(m)) for m in (*range(1, 13), "all")]
    text = "\n".join([
        lay(rows, {"release": "release"}, _DONORS),
        "\nReleases by the calendar month of their last month:",
        lay(eras, {"era": "era"}, calendar),
        *(wrapped(f"left out: {day}: {why}", indent="  ") for day, why in left_out.items()),
    ])  # fmt: skip
    return Answer(text, rows)


def _donor_row(donor: Donor, origin: str) -> Row:
    """What is known of a donor, as JSON can hold it."""
    us = donor.row(NATION)
    late = np.full(12, np.nan) if us is None else donor.late[us, :12]
    told = {
        "predicted": donor.ratio[:, 0],
        "pending": donor.pending[:, 0],
        "all deaths": donor.deaths,
    }
    return {
        "release": str(donor.release),
        "era": donor.era,
        "age_days": donor.age,
        "last_month": str(donor.last_month),
        "open_months": donor.final_back,
        "missing": None if us is None else round(float(late.mean()), 5),
        "missing_last_month": None if us is None else round(float(late[0]), 5),
        "says": [name for name, values in told.items() if np.isfinite(values).any()],
        "predecessors": [str(d.release) for d in donor.predecessors],
        "data_hash": donor.data_hash,
        "from": origin,
    }


# Past copies, and versions in a repository


def counted(statuses: Iterable[str]) -> str:
    """What became of copies or versions, counted: ``"3 added, 1 refused"``."""
    counts = Counter(statuses)
    return ", ".join(f"{counts[k]} {said}" for k, said in _COUNTED.items() if counts[k])


def copy_row(copy: Copy, here: str) -> Row:
    """A listed copy of a past release, as JSON can hold it."""
    return {
        "release": str(copy.release),
        "basis": copy.basis if copy.settled or copy.basis == "known" else "guess",
        "last_month": copy.last_month,
        "check": copy.check or "structure",
        "here": here,
        **{key: getattr(copy, key) for key in ("repository", "commit", "path", "note")},
    }


def version_row(outcome: Outcome) -> Row:
    """What became of a version in a repository."""
    copy, result = outcome.copy, " ".join(outcome.words.split())
    return {"commit": copy.commit, "day": str(copy.release), "release": str(outcome.release or "-"),
            "result": result}  # fmt: skip


_COMMIT = (words("commit", lambda row: row["commit"][:10]), words("day", "day"))
COPIES = (
    words("release", "release"), words("last month", "last_month"), words("date", "basis"),
    words("check", "check"), words("here", "here"),
    words("copy", lambda row: plain(f"{row['repository']}: {row['path']}", 160)),
)  # fmt: skip
VERSIONS = (*_COMMIT, words("here", "here"), words("file", "path"))
TRIED = (*_COMMIT, words("release", "release"), words("result", "result"))


# Flags


def flags_of(found: Seen, locations: str) -> list[Flag]:
    """What misleads people in a release, of some places."""

    flags = check_release(found.table, found.before, found.states)
    if locations == "all":
        return flags
    places = resolve(locations)
    if found.dataset == COUNTIES:
        # A state is checked with its counties: flags on either bear on it.
        places += tuple(s for p in places if not p.isdigit() for s in resolve(f"{p}/*"))
    return [f for f in flags if f.location in places]


def flags_text(found: Seen, flags: Sequence[Flag]) -> str:
    """Flags by severity, under a line on the release."""

    against = f", against that of {found.earlier}" if found.earlier else ""
    of = " of counties" if found.dataset == COUNTIES else ""
    lines = [f"release {found.date}{of}, {len(found.table):,} rows{against}"]
    width = max((len(f.location) for f in flags), default=0)
    for severity in SEVERITIES:
        some = [f for f in flags if f.severity == severity]
        lines += [f"\n{number_of(len(some), severity)}"] if some else []
        for flag in some:
            text = f"  {flag.location:<{max(3, width)}} {flag.month or '':<8} {flag.code}: "
            lines.append(wrapped(text + flag.message, indent=" " * 15))
    return "\n".join(lines if flags else [*lines, "nothing to flag"])


# Revisions


def first_and_newest(table: pd.DataFrame) -> pd.DataFrame:
    """A row per month: first count and release, newest count and release, how many there are."""
    rows = []
    for month in table.columns:
        known = table[month].dropna()
        first, newest = (f"{known.index[i]:%Y-%m-%d}" for i in (0, -1))
        counts = (first, known.iloc[0], newest, known.iloc[-1], len(known))
        rows.append((pd.Timestamp(month), *counts))
    names = ["month", "first_release", "first", "newest_release", "newest", "releases"]
    return pd.DataFrame(rows, columns=names) if rows else pd.DataFrame()


def _age(row: Row) -> str:
    """Age of the first count, in months."""
    begin, month = pd.Timestamp(row["first_release"]), row["month"]
    return str((begin.year - month.year) * 12 + begin.month - month.month)


def _revised(row: Row, share: bool = False) -> str:
    """How far the count moved; of one release nothing is known of its revision."""
    first, newest = row["first"], row["newest"]
    if row["releases"] == 1 or (share and not first):
        return "-"
    return f"{100 * (newest / first - 1):+.2f}" if share else f"{newest - first:+,.0f}"


_REVISIONS = (
    words("first in", "first_release"), words("age", _age), Column("count", "first"),
    words("newest in", "newest_release"), Column("count", "newest"), words("change", _revised),
    words("%", lambda row: _revised(row, share=True)), Column("n", "releases"),
)  # fmt: skip
_COMPLETENESS = (
    Column("age", "age"), Column("counts", "n"),
    *(Column(head, name, lambda x: f"{100 * x:.1f}")
      for head, name in (("5%", "low"), ("median", "median"), ("95%", "high"))),
)  # fmt: skip


def revisions_text(
    found: Revisions, place: str, months: pd.DataFrame, curve: pd.DataFrame, last: int
) -> str:
    """A row per month, and one per age."""
    lines = [
        wrapped(f"{place}, {found.indicator}, 12 months ending, as reported"),
        wrapped(f"{len(found.releases)} releases, {found.releases[0]} to {found.releases[-1]}"),
    ]
    if len(months):
        shown = months.tail(last or len(months))
        shown = shown.assign(to=shown["month"].dt.strftime("%Y-%m"))
        lines.append("\n" + lay(shown, {"to": "month"}, _REVISIONS))
    if curve.empty:
        return "\n".join([*lines, "\nno count has a later release to compare with"])
    title = f"\nCompleteness: % of the count in release {found.releases[-1]}\n"
    return "\n".join([*lines, title, lay(curve, {}, _COMPLETENESS)])


def differences_text(found: pd.DataFrame, a: str, b: str, last: int) -> str:
    """What release B reports differently from release A: counted, and the newest changes."""
    kinds = found["kind"].value_counts()
    counts = ", ".join(f"{kinds[k]:,} counts {k}" for k in kinds.index)
    text = f"{b} against {a}: {counts or 'no difference'}"
    changed = found[found["kind"] == "changed"].dropna(subset=["change"])
    if changed.empty:
        return text
    down = int((changed["change"] < 0).sum())
    shown = changed.sort_values("month", kind="stable").tail(last or len(changed))
    several = len(set(shown["indicator"])) > 1
    columns = [
        words("", "state"), Column("month", "month", "{:%Y-%m}"), Column(a, "reported_a"),
        Column(b, "reported_b"), Column("change", "change", "{:+,.0f}"),
        Column("%", "percent", "{:+.2f}"),
        *([words("indicator", lambda row: row["indicator"][:_NAME])] if several else []),
    ]  # fmt: skip
    lines = [text, f"{len(changed) - down:,} went up, {down:,} went down\n"]
    lines += [] if several else [f"{shown['indicator'].iloc[0]}\n"]
    lines.append(lay(shown, {}, columns, 2))
    if len(shown) < len(changed):
        lines.append(f"... and {len(changed) - len(shown):,} more (--out and --json have all)")
    return "\n".join(lines)
