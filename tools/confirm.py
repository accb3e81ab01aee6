"""Score the frozen default on releases nobody has read: ``make confirm RELEASES=DIR``.

Every release is scored once. What the frozen default is, which releases were read while it was
built and what was confirmed stands in benchmarks/holdout.json; docs/reference/confirmatory.md is
made of it.
``--freeze`` freezes today's default anew.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from confirm_figures import BASELINES, GROUPS, ages, figures
from confirm_page import PAGE, written
from holdout import (
    RECORD,
    ConfirmError,
    Found,
    counts_hash,
    freeze,
    in_folder,
    load,
    one_line,
    read_rows,
    save,
)
from releases import releases_folder

import odforecast as od
from odforecast.backtesting.origin import Origin
from odforecast.backtesting.store import locked
from odforecast.backtesting.unit import code_digest
from odforecast.errors import OdforecastError
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.models import Model
from odforecast.models.spec import MIN_MONTHS
from odforecast.months import ONE_MONTH
from odforecast.names import VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.scoring.truth import MIN_AGE
from odforecast.sources.table import table_hash
from odforecast.version import __version__
from odforecast.vintage.archive import listed
from odforecast.vintage.quality import contradictions

#: A release with fewer jurisdictions than this is somebody's subset and is not scored.
MIN_PLACES = 40


@dataclass(frozen=True)
class Candidate:
    """A release to score, which of its horizons, and the places it lacks."""

    found: Found
    panel: Panel
    digest: str
    groups: tuple[str, ...]
    lacks: tuple[str, ...]


def confirm(
    folder: Path,
    archive: Path | None = None,
    *,
    record_file: Path = RECORD,
    page_file: Path = PAGE,
    model: Model | None = None,
    baselines: Sequence[str] = BASELINES,
    today: dt.date | None = None,
) -> list[str]:
    """Score what was not read so far, and write record and page.

    Parameters
    ----------
    folder : path
        Files of CDC's, or an archive.
    archive : path, optional
        An archive, or files of CDC's. Its releases are not scored: they serve as truth, and as
        what was known before.
    record_file, page_file : path
    model : Model, optional
        The default.
    baselines : sequence of str
    today : date, optional

    Returns
    -------
    list of str
        What was left out, and why, and what was scored.

    Raises
    ------
    ConfirmError
        If there is nothing to score, or today's default is not the frozen one. Nothing is
        written then.
    """
    today = dt.date.today() if today is None else today
    model = od.get_model() if model is None else model
    record = load(record_file)
    _check_frozen(record["frozen"], model)
    said, tables, found = _gathered(folder, archive, record, today)
    panels = _panels(tables)
    truth = _truth(panels)
    counted = {d: counts_hash(p) for d, p in panels.items() if isinstance(p, Panel)}
    candidates = []
    for one in found:
        try:
            candidates.append(_candidate(one, panels[one.release], counted, truth, record))
        except ConfirmError as why:
            said.append(f"left out {one.file}: {why}")
    if not candidates:
        raise ConfirmError("\n".join([*said, "nothing is left to score; nothing was changed"]))
    command = f"make confirm RELEASES={folder}" + (f" ARCHIVE={archive}" if archive else "")
    about = {"tag": record["frozen"]["tag"], "spec_hash": model.spec.hash,
             "code_digest": code_digest(), "version": __version__, "run_on": str(today),
             "command": command, "truth": _about_truth(truth)}  # fmt: skip
    made = _scored(candidates, truth, record["frozen"], model, baselines)
    new = {**record, "confirmations": [*record["confirmations"], *(m | about for m in made)]}
    save(new, record_file, page_file, written(page_file.read_text(), new))
    said += [f"scored {m['release']} ({m['file']}): horizons {', '.join(m['groups'])}, against "
             f"{truth.release}" for m in made]  # fmt: skip
    if about["code_digest"] != record["frozen"]["code_digest"]:
        said.append("the code is not as it was frozen (digest "
                    f"{about['code_digest']}, then {record['frozen']['code_digest']}): the page "
                    "says so")  # fmt: skip
    return [*said, f"written: {record_file}, {page_file}; commit both"]


def _check_frozen(frozen: dict[str, Any], model: Model) -> None:
    if (now := model.spec.hash) != frozen["spec_hash"]:
        raise ConfirmError(
            f"today's default {model.label} (spec {now}) is not the frozen one "
            f"({frozen['model']}, spec {frozen['spec_hash']}): git checkout {frozen['tag']} "
            "scores that one, make confirm FREEZE=1 freezes today's"
        )


def _gathered(
    folder: Path, archive: Path | None, record: dict[str, Any], today: dt.date
) -> tuple[list[str], dict[dt.date, pd.DataFrame], list[Found]]:
    """What was left out; the tables that count; the files that may be scored, by date."""
    said, files = [], []
    for one in in_folder(folder):
        if one.reason:
            said.append(f"left out {one.file}: {one.reason}")
        elif one.release > today:
            said.append(f"left out {one.file}: its date {one.release} lies after today")
        else:
            files.append(one)
    base = {t["release"].iloc[0].date(): t for t in [od.bundled().as_of().table]}
    if archive is not None:
        base |= {d: t for d, t in _earlier(archive, said).items() if d <= today}
    read = {r["release"] for r in record["read"]}
    tables: dict[dt.date, pd.DataFrame] = {}
    left = []
    for date in sorted({*base, *(f.release for f in files)}):
        own = [f for f in files if f.release == date]
        options = [base[date]] if date in base else []
        options += [f.table for f in own if f.table is not None]
        hashes = {table_hash(t) for t in options}
        earlier = tables[max(tables)] if tables else None
        # A part of a release is scored for the places that it has.
        every = contradictions(options[0], earlier) if own else []
        wrong = [c for c in every if c.kind != "lost"]
        why = ""
        if str(date) in read:
            why = f"release {date} was read while the default was built"
        elif len(hashes) > 1:
            why = f"there are {len(hashes)} different tables of release {date}; keep the right one"
        elif wrong:
            why = f"contradicts itself: {one_line(listed(wrong, 1))}"
        if not (wrong or (len(hashes) > 1 and date not in base)):
            tables[date] = options[0]
        for n, one in enumerate(own):
            again = f"the same release as {own[0].file}" if n else ""
            if why or again:
                said.append(f"left out {one.file}: {why or again}")
            else:
                left.append(one)
    return said, tables, left


def _earlier(folder: Path, said: list[str]) -> dict[dt.date, pd.DataFrame]:
    """Releases of an archive, or of a folder of files, that can be read."""
    out: dict[dt.date, pd.DataFrame] = {}
    for one in in_folder(folder):
        if one.table is None:
            said.append(f"left out of the archive {one.file}: {one.reason}")
        else:
            out.setdefault(one.release, one.table)
    return out


def _panels(tables: dict[dt.date, pd.DataFrame]) -> dict[dt.date, Panel | str]:
    """What was known on the day of each release; or why nothing can be forecast from it."""
    archive = od.Archive.in_memory({str(d): t for d, t in tables.items()})
    out: dict[dt.date, Panel | str] = {}
    for date in tables:
        try:
            out[date] = archive.as_of(date).panel()
        except OdforecastError as error:
            out[date] = one_line(error)
    return out


def _truth(panels: dict[dt.date, Panel | str]) -> od.Truth:
    """Reported counts of the newest release that is whole."""
    for date in sorted(panels, reverse=True):
        panel = panels[date]
        with contextlib.suppress(ConfirmError):
            if isinstance(panel, Panel) and not _lacking(panel):
                return od.Truth(panel)
    raise ConfirmError("there is no release to score against")


def _about_truth(truth: od.Truth) -> dict[str, object]:
    return {"release": str(truth.release), "last_month": str(truth.panel.last_month),
            "data_hash": truth.data_hash, "min_age": truth.min_age}  # fmt: skip


def _candidate(
    found: Found,
    panel: Panel | str,
    counted: dict[dt.date, str],
    truth: od.Truth,
    record: dict[str, Any],
) -> Candidate:
    """The release if it may be scored, or the reason as an error."""
    assert found.table is not None
    digest, date = table_hash(found.table), found.release
    known = [*record["read"], *record["confirmations"]]
    if same := [r for r in known if r.get("data_hash") == digest and r["release"] != str(date)]:
        raise ConfirmError(f"has the data of release {same[0]['release']}, which was read")
    if isinstance(panel, str):
        raise ConfirmError(panel)
    lacks = _lacking(panel)
    counts = counts_hash(panel)
    if same := [r for r in known if r.get("counts_hash") == counts and r["release"] != str(date)]:
        raise ConfirmError(f"its months and counts are those of release {same[0]['release']}, "
                           "which was read")  # fmt: skip
    if same := [d for d, text in counted.items() if text == counts and d != date]:
        raise ConfirmError(f"its months and counts are those of release {same[0]} too: which "
                           "date is right?")  # fmt: skip
    done = [c for c in record["confirmations"] if c["release"] == str(date)]
    settled = np.datetime64(truth.release, "M") - MIN_AGE * ONE_MONTH
    groups = [g for g, (_, h) in GROUPS.items() if panel.last_month + h * ONE_MONTH <= settled]
    if done:
        _check_again(done, digest, record["frozen"]["spec_hash"])
        had = [g for c in done for g in c["groups"]]
        groups = [g for g in groups if g not in had]
        if not groups:
            left = [g for g in GROUPS if g not in had]
            later = f"; {', '.join(left)} not settled in {truth.release}" if left else ""
            raise ConfirmError(f"was scored already, on {done[-1]['run_on']} (horizons "
                               f"{', '.join(had)}){later}")  # fmt: skip
    if not groups:
        raise ConfirmError(f"too young: its last month {panel.last_month} is not {MIN_AGE} months "
                           f"old in {truth.release}, the newest release")  # fmt: skip
    return Candidate(found, panel, digest, tuple(groups), lacks)


def _check_again(done: list[dict[str, Any]], digest: str, spec: str) -> None:
    if done[0]["data_hash"] != digest:
        raise ConfirmError(f"other figures of this release were scored on {done[0]['run_on']}")
    if any(c["spec_hash"] != spec for c in done):
        raise ConfirmError(f"was scored on {done[0]['run_on']} for an earlier default, and is "
                           "unseen no more")  # fmt: skip


def _lacking(panel: Panel) -> tuple[str, ...]:
    """Places without a recent count, in the order nation, jurisdictions.

    Raises
    ------
    ConfirmError
        If so little is there that it is somebody's subset of a release.
    """
    recent = dict(zip(panel.locations, ~np.isnan(panel.reported[:, -12:]).all(axis=1), strict=True))
    absent = tuple(s for s in (NATION, *JURISDICTIONS) if not recent.get(s, False))
    have = len(JURISDICTIONS) - len(set(absent) & set(JURISDICTIONS))
    if have < MIN_PLACES:
        raise ConfirmError(f"is part of a release: it has counts of {have} jurisdictions, at "
                           f"least {MIN_PLACES} needed")  # fmt: skip
    if panel.months.size < MIN_MONTHS:
        raise ConfirmError(f"is part of a release: it has {panel.months.size} months, "
                           f"{MIN_MONTHS} needed")  # fmt: skip
    return absent


def _scored(
    candidates: list[Candidate],
    truth: od.Truth,
    frozen: dict[str, Any],
    model: Model,
    baselines: Sequence[str],
) -> list[dict[str, Any]]:
    """One record per release."""
    origins = [Origin(c.panel.as_of, VINTAGE_REAL, c.panel) for c in candidates]
    request = {k: frozen[k] for k in ("horizon", "draws", "seed")}
    results = od.backtest([model, *baselines], origins, truth=truth, **request)
    failures = results.failures
    made = []
    for one in candidates:
        day = pd.Timestamp(one.panel.as_of)
        scores = results.scores[results.scores["as_of"] == day]
        if one.lacks:  # a nation without a part of it is no nation
            scores = scores[scores["location"] != NATION]
        lost = failures[pd.to_datetime(failures["as_of"]) == day]
        if model.label not in set(scores["model"].astype(str)):
            why = one_line(lost.loc[lost["model"] == model.label, "reason"].iloc[0])
            raise ConfirmError(f"{model.label} gives no forecast from {one.found.file}: {why}; "
                               "nothing was recorded")  # fmt: skip
        count = lost.groupby(["model", "reason"], observed=True)["location"].agg(",".join)
        lines = [f"{x.model}, {'everywhere' if x.location == '*' else x.location}: "
                 f"{one_line(x.reason)}" for x in count.reset_index().itertuples()]  # fmt: skip
        made.append({
            "release": str(one.panel.release), "last_month": str(one.panel.last_month),
            "file": one.found.file, "sha256": one.found.sha256, "data_hash": one.digest,
            "panel_hash": one.panel.data_hash, "counts_hash": counts_hash(one.panel),
            "model": model.label, **request, "groups": list(one.groups),
            "lacks": list(one.lacks), "failures": lines,
            "figures": figures(scores, one.groups, frozen["months_seen"]),
            "ages": ages(scores) if "nowcast" in one.groups else [],
        })  # fmt: skip
    return made


def mended(record_file: Path = RECORD, page_file: Path = PAGE) -> bool:
    """Write the page anew if it is not that of the record: a run was killed in between."""
    record, was = load(record_file), page_file.read_text()
    if (text := written(was, record)) == was:
        return False
    save(record, record_file, page_file, text)
    return True


def main() -> int:
    """Confirm, or freeze."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--releases", type=Path, help="files of CDC's, or an archive: scored")
    parser.add_argument("--archive", type=Path, help="an archive: truth and earlier releases only")
    parser.add_argument("--freeze", action="store_true", help="freeze today's default")
    parser.add_argument("--tag", help="name of the git tag; default: default- and the month")
    options = parser.parse_args()
    try:
        with locked(RECORD.parent):
            if options.freeze:
                record = load() if RECORD.exists() else None
                read = read_rows(releases_folder(options.releases and str(options.releases)))
                new, said = freeze(record, read, today=dt.date.today(), tag=options.tag)
                save(new, RECORD, PAGE, written(PAGE.read_text(), new))
                print(said)
                return 0
            if mended():
                print(f"{PAGE} was older than the record, and is written anew", file=sys.stderr)
            if options.releases is None:
                raise ConfirmError("name the folder with new releases: make confirm RELEASES=DIR")
            print("\n".join(confirm(options.releases, options.archive)))
    except (ConfirmError, OdforecastError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
