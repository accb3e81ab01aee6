"""The record of the holdout: what was frozen, what was read, what was confirmed.

``benchmarks/holdout.json``. Releases in it were read, by people who built the models or by a
confirmation, and are never scored as unseen.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from releases import ROOT

import odforecast as od
from odforecast.backtesting.unit import code_digest
from odforecast.errors import OdforecastError
from odforecast.geography import JURISDICTIONS
from odforecast.io import replacing
from odforecast.models import Model
from odforecast.names import DEFAULT_DRAWS, DEFAULT_HORIZON, DEFAULT_SEED
from odforecast.panel import Panel
from odforecast.seeds import content_hash
from odforecast.sources.vsrr import read_vsrr
from odforecast.version import __version__
from odforecast.vintage.bundle import BUNDLED_RELEASE

RECORD = ROOT / "benchmarks" / "holdout.json"
ABOUT = "Written by tools/confirm.py; never by hand. See docs/reference/confirmatory.md."
_KEYS = {"about", "frozen", "read", "earlier", "confirmations"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class ConfirmError(Exception):
    """Why nothing is confirmed, or frozen, in one line."""


@dataclass(frozen=True)
class Found:
    """A release in a folder, or why there is none.

    Attributes
    ----------
    file : str
        Name of the file, or of the release in an archive.
    sha256 : str
        Of the file's bytes.
    table : DataFrame or None
        Canonical.
    reason : str
        Why it cannot be used.
    """

    file: str
    sha256: str = ""
    table: pd.DataFrame | None = None
    reason: str = ""

    @property
    def release(self) -> dt.date:
        """Release date."""
        assert self.table is not None
        return pd.Timestamp(self.table["release"].iloc[0]).date()


def in_folder(folder: Path) -> Iterator[Found]:
    """Every file of a folder, or every release of an archive, in the order of their names."""
    if not folder.is_dir():
        raise ConfirmError(f"{folder} is no folder: make confirm RELEASES=DIR")
    if (folder / "ledger.jsonl").exists() or any(folder.glob("dataset=*")):
        yield from _in_archive(od.Archive(folder))
        return
    for path in sorted(p for p in folder.iterdir() if p.is_file() and p.name[0] != "."):
        try:
            loaded = read_vsrr(path)
        except (OdforecastError, OSError) as error:
            said = one_line(error).removeprefix(f"{path.name}: ")
            yield Found(path.name, reason=f"cannot be read: {said}")
        else:
            yield Found(path.name, loaded.report.sha256, loaded.table)


def _in_archive(archive: od.Archive) -> Iterator[Found]:
    for date in archive.releases():
        origin = archive.origin(date)
        name = origin.file or str(date)
        try:
            yield Found(name, origin.sha256, archive.release(date))
        except (OdforecastError, OSError) as error:
            yield Found(name, reason=f"cannot be read: {one_line(error)}")
    for row in archive.quarantined().itertuples():
        why = f"is quarantined in the archive ({row.event}): {one_line(row.reason)}"
        yield Found(f"release {row.release}", reason=why)


def one_line(error: object) -> str:
    """The message of an error, short, on one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:159] + "…"


def counts_hash(panel: Panel) -> str:
    """What a release says of its last 12 months: the same for every copy and cut of it.

    The jurisdictions alone, and without the date: so a file without the US row, with one
    year only, with other indicators or under another date is known again.
    """
    rows = [panel.locations.index(s) for s in JURISDICTIONS if s in panel.locations]
    counts = np.nan_to_num(panel.reported[rows][:, -12:], nan=-1.0)
    return content_hash(str(panel.last_month), [panel.locations[i] for i in rows], counts)


def read_rows(folder: Path) -> list[dict[str, str]]:
    """What was read while building: the releases of a folder and the bundled one."""
    bundled = od.bundled()
    rows = [_row("bundled", bundled.as_of().panel(), bundled.data_hash(BUNDLED_RELEASE))]
    for found in in_folder(folder) if folder.is_dir() else ():
        dates = _DATE.findall(found.file)
        if found.table is None:  # looked at all the same
            if "metadata" not in found.file:
                rows += [{"release": d, "file": found.file} for d in dates]
            continue
        archive = od.Archive.in_memory({found.release: found.table})
        digest = archive.data_hash(found.release)
        try:
            rows.append(_row(found.file, archive.as_of().panel(), digest))
        except OdforecastError:  # predicted values only
            row = {"release": str(found.release), "file": found.file, "data_hash": digest}
            rows.append(row)
    return rows


def _row(file: str, panel: Panel, digest: str) -> dict[str, str]:
    return {"release": str(panel.release), "file": file, "data_hash": digest,
            "counts_hash": counts_hash(panel), "last_month": str(panel.last_month)}  # fmt: skip


def load(path: Path = RECORD) -> dict[str, Any]:
    """The record.

    Raises
    ------
    ConfirmError
        If it is absent or not what :func:`save` wrote.
    """
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        raise ConfirmError(f"{path} is absent: make confirm FREEZE=1 writes it") from None
    except (OSError, ValueError) as error:
        raise ConfirmError(f"{path} cannot be read: {one_line(error)}") from error
    if not isinstance(record, dict) or set(record) != _KEYS:
        raise ConfirmError(f"{path} is no record of a holdout: take it from git again")
    return record


def save(record: dict[str, Any], path: Path, page: Path, text: str) -> None:
    """Write record and page.

    Both are written in full before the first takes its place. The record takes its place first:
    the page is made of it, so a run that is killed in between is made good by the next one.
    """
    with ExitStack() as stack:
        part = stack.enter_context(replacing(page))
        own = stack.enter_context(replacing(path))
        for file, content in ((part, text), (own, dumped(record))):
            with file.open("w") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())


def dumped(record: dict[str, Any]) -> str:
    """The record as text: one row of a table on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    # Rows of figures and of releases, which json would spread over a line per value.
    flat = re.compile(r"(?:\{[^{}\[\]]*\}|\[[^{}\[\]]*\])")
    return flat.sub(lambda m: " ".join(m[0].split()), text) + "\n"


def freeze(
    record: dict[str, Any] | None,
    read: Iterable[dict[str, str]],
    *,
    today: dt.date,
    tag: str | None = None,
    model: Model | None = None,
) -> tuple[dict[str, Any], str]:
    """The record with today's default frozen, and what to say about it.

    Nothing is taken out: what was read stays read, confirmations stay and belong to the default
    they were made with; whatever they opened counts as read for the new one. A default that was
    confirmed stays as it was frozen: of the same spec, only what was read is added to.

    Raises
    ------
    ConfirmError
        If the tag names another default that was confirmed already, or if it is not known what
        was read.
    """
    model = od.get_model() if model is None else model
    old = record or {"frozen": {}, "read": [], "earlier": [], "confirmations": []}
    known = {(r["release"], r.get("data_hash", "")): r for r in old["read"]}
    known |= {(r["release"], r.get("data_hash", "")): r for r in read}
    if len(known) < 2:
        raise ConfirmError(
            "no release that was read was found: name their folder, make confirm FREEZE=1 "
            "RELEASES=DIR, else all of them would count as unseen"
        )
    frozen = {
        "tag": tag or f"default-{today:%Y-%m}", "model": model.label,
        "spec_hash": model.spec.hash, "code_digest": code_digest(), "version": __version__,
        "seed": DEFAULT_SEED, "draws": DEFAULT_DRAWS, "horizon": DEFAULT_HORIZON,
        "frozen_on": str(today),
    }  # fmt: skip
    before, earlier, said = old["frozen"], list(old["earlier"]), []
    same = before.get("spec_hash") == frozen["spec_hash"]
    mine = [c for c in old["confirmations"] if c["spec_hash"] == before.get("spec_hash")]
    if not same and mine:
        earlier.append(before)
        said.append(f"{len(mine)} confirmations belong to the earlier default {before['tag']} "
                    f"({before['spec_hash']}); what they opened counts as read")  # fmt: skip
    if any(e["tag"] == frozen["tag"] for e in earlier):
        raise ConfirmError(f"the tag {frozen['tag']} names an earlier default that was "
                           "confirmed: make confirm FREEZE=1 TAG=NAME")  # fmt: skip
    if not same:
        for one in old["confirmations"]:
            row = {k: one[k] for k in ("release", "file", "data_hash", "counts_hash", "last_month")}
            known.setdefault((row["release"], row["data_hash"]), row)
            truth = {k: one["truth"][k] for k in ("release", "last_month", "data_hash")}
            known.setdefault((truth["release"], truth["data_hash"]), truth | {"file": "truth"})
    rows = sorted(known.values(), key=lambda r: (r["release"], r["file"]))
    frozen["months_seen"] = max(r["last_month"] for r in rows if "last_month" in r)
    if same and mine:  # else a change of code would pass for what was confirmed
        said.append(f"the frozen part stays as it was on {before['frozen_on']}, for it was "
                    f"confirmed: {len(mine)} times; where the code changed its numbers, give the "
                    "model another version first")  # fmt: skip
        frozen = before
    elif same and before.get("code_digest") == frozen["code_digest"]:
        frozen = {**frozen, "frozen_on": before["frozen_on"], "tag": tag or before["tag"]}
    said.insert(0, f"frozen: {frozen['model']}, spec {frozen['spec_hash']}, code "
                   f"{frozen['code_digest']}; {len(rows)} files read so far, months to "
                   f"{frozen['months_seen']}")  # fmt: skip
    said.append(f"commit it, then: git tag -a {frozen['tag']} -m 'frozen default: "
                f"{frozen['model']}, spec {frozen['spec_hash']}'")  # fmt: skip
    new = {"about": ABOUT, "frozen": frozen, "read": rows, "earlier": earlier,
           "confirmations": old["confirmations"]}  # fmt: skip
    return new, "\n".join(said)
