"""What the data commands say of releases of counties."""

from __future__ import annotations

import json
from typing import Any

import click
import numpy as np

from odforecast.cli.data_dataset import came_from, checked, facts_said
from odforecast.cli.screen import print_lines
from odforecast.errors import ArchiveError
from odforecast.names import COUNTIES
from odforecast.sources.county import Counties
from odforecast.vintage.archive import Archive


def facts(loaded: Counties) -> dict[str, Any]:
    """What is in a file, as JSON can hold it."""
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


def described(loaded: Counties) -> str:
    """What is in a file, in words."""
    found = facts(loaded)
    rows = [
        ("release", f"{loaded.release} (data as of {loaded.data_as_of}, "
                    f"sha256 {loaded.sha256[:16]})"),
        ("months", f"{found['first_month']} to {found['last_month']}"),
        ("rows kept", f"{found['rows_kept']:,}"),
        ("places", f"{found['counties']:,} counties, by residence"),
        ("deaths", f"{found['shown']:,} counts, {found['zero']:,} of them zero"),
        ("", f"{loaded.suppressed:,} suppressed (1 to 9 deaths)"),
        ("", f"{loaded.missing:,} blank, no reason given"),
    ]  # fmt: skip
    if loaded.duplicates:
        rows.insert(3, ("", f"{loaded.duplicates:,} left out: repeat another row"))
    return facts_said(loaded.file, rows + [("note", text) for text in loaded.notes])


def listing(store: Archive, as_json: bool) -> None:
    """List the releases of counties of an archive."""
    rows: list[dict[str, Any]] = []
    for date in store.releases(COUNTIES):
        table, origin = store.release(date, None, COUNTIES), store.origin(date, COUNTIES)
        last = table[table["month"] == table["month"].max()]
        rows.append(
            {
                "release": str(date),
                "rows": len(table),
                "first_month": f"{table['month'].min():%Y-%m}",
                "last_month": f"{table['month'].max():%Y-%m}",
                "counties": int(table["fips"].nunique()),
                "shown_last": int(last["deaths"].notna().sum()),
                "hidden_last": int((last["status"] == "suppressed").sum()),
                "missing": int((table["status"] == "missing").sum()),
                "deaths_last": float(np.nansum(last["deaths"])),
                "data_hash": store.data_hash(date, COUNTIES),
                "origin": origin.kind,
                "place": origin.place,
                "file": origin.file,
                "sha256": origin.sha256,
                "basis": origin.basis,
                "checks": origin.checks.split(", "),
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        raise ArchiveError(
            f"{store.path or 'the archive'} holds no release of counties",
            hint="odforecast data fetch --dataset counties, or odforecast data add FILE",
        )
    lines = [("release", "months", "counties", "hidden", "date", "checked", "from")]
    for row in rows:
        lines.append(
            (
                row["release"],
                f"{row['first_month']}..{row['last_month']}",
                f"{row['counties']:,}",
                f"{row['hidden_last']:,}",
                row["basis"],
                checked(row["checks"]),
                came_from(row["origin"], row["place"], row["file"]),
            )
        )
    print_lines(lines, "{:<10}  {:<16}  {:>8}  {:>6}  {:<10}  {:<9}")
