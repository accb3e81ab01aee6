"""``odforecast data donors``: the releases that the delay of pseudo-vintages is taken from."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from odforecast.cli.options import archive_option, json_option
from odforecast.cli.screen import print_lines, say
from odforecast.cli.source import open_source
from odforecast.geography import NATION
from odforecast.panel import ERAS, Donor
from odforecast.vintage.donors import gathered, linked, shipped

#: What a release says of its own delay, in a word.
_SHORT = {"predicted": "CDC", "pending": "pending", "all deaths": "deaths"}


@click.command(short_help="List the releases that a delay can be taken from.")
@archive_option
@json_option
def donors(archive: Path | None, as_json: bool) -> None:
    """List the releases whose delay is known, since their counts have settled.

    They are the donors of the backtest with delay: those of the archive, and the ones that ship
    with odforecast. OPEN is how many months before the last one are not closed yet; MISSING, how
    much of the nation's last 12-month count had not come in, and IN LAST, how much of the last
    month. Below, how many there are by era and calendar month; then the archive's releases that are
    none, and why.
    """
    own, left_out = gathered(open_source(archive))
    held = {d.release for d in own}
    found = linked([*own, *(d for d in shipped() if d.release not in held)])
    rows = [_row(d, "archive" if d.release in held else "shipped") for d in found]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    lines: list[tuple[str, ...]] = [
        ("release", "era", "to", "open", "missing", "in last", "says", "from")
    ]
    for row in rows:
        lines.append(
            (
                str(row["release"]),
                str(row["era"]),
                str(row["last_month"]),
                str(row["open_months"]),
                _percent(row["missing"]),
                _percent(row["missing_last_month"]),
                ", ".join(_SHORT[x] for x in row["says"]) or "nothing",  # type: ignore[attr-defined]
                str(row["from"]),
            )
        )
    print_lines(lines, "{:<10}  {:<3}  {:<7}  {:>4}  {:>7}  {:>7}  {:<20}")
    click.echo("\ndonors by calendar month of their last month:")
    click.echo("era    " + "".join(f"{m:>4}" for m in range(1, 13)) + "   all")
    for era in ERAS:
        months = [int(str(d.last_month)[5:7]) for d in found if d.era == era]
        cells = "".join(f"{months.count(m) or '-':>4}" for m in range(1, 13))
        click.echo(f"{era:<7}{cells}{len(months):>6}")
    for day, why in left_out.items():
        say(f"no donor: {day}: {why}", indent="  ")


def _row(donor: Donor, origin: str) -> dict[str, object]:
    us = donor.row(NATION)
    late = np.full(12, np.nan) if us is None else donor.late[us, :12]
    said = {
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
        "says": [name for name, values in said.items() if np.isfinite(values).any()],
        "predecessors": [str(d.release) for d in donor.predecessors],
        "data_hash": donor.data_hash,
        "from": origin,
    }


def _percent(share: object) -> str:
    return "-" if share is None else f"{100 * float(share):.1f} %"  # type: ignore[arg-type]
