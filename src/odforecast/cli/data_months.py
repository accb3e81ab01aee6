"""``odforecast data months``: monthly deaths behind 12-month-ending counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.source import open_source, source_options
from odforecast.io import replacing
from odforecast.names import ALL_DRUGS

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("locations", default="US")
@source_options
@click.option(
    "--as-of", metavar="DATE", help="Day it is seen from: 2024-12-11 (default: newest release)."
)
@click.option("--release", metavar="DATE", help="Release date, where --source does not say it.")
@click.option(
    "--indicator", default=ALL_DRUGS, show_default=True, help="Indicator, in CDC's words."
)
@click.option(
    "--wonder",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="CDC WONDER export that pins the months (all drugs, official definition); repeatable.",
)
@click.option("--draws", default=1000, show_default=True, help="Draws behind the quantiles.")
@click.option("--seed", default=1, show_default=True, help="Seed of the draws.")
@click.option("--out", metavar="FILE.csv", help="Table as CSV; default: standard output.")
def months(
    locations: str,
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    release: str | None,
    indicator: str,
    wonder: tuple[Path, ...],
    draws: int,
    seed: int,
    out: str | None,
) -> None:
    """Recover the months of LOCATIONS (US,WV or NY+YC or all) from one release's counts.

    The counts fix the months up to 11 numbers per location: those are pinned by the season, or
    by WONDER's known months, and what remains uncertain is in the quantiles. Rolling sums of
    the months column give back the release's counts exactly.
    """
    from odforecast.errors import DataError
    from odforecast.sources.wonder import read_wonder
    from odforecast.vintage.recover import recovered_months

    if draws < 100:
        raise click.BadParameter("quantiles need at least 100", param_hint="--draws")
    if out is not None and not out.endswith(".csv"):
        raise click.BadParameter("the name must end in .csv", param_hint="--out")
    store = open_source(archive, source, release)
    seen = store.as_of(as_of)
    if seen.note:
        click.echo(f"note: {seen.note}", err=True)
    exports = [read_wonder(path) for path in wonder]
    if exports and indicator != ALL_DRUGS:
        raise DataError("--wonder pins all drugs only", "leave it out for a drug class")
    found = recovered_months(
        seen.table, locations, indicator=indicator, wonder=exports, draws=draws, seed=seed
    )
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    text = _text(found.table).to_csv(index=False, lineterminator="\n")
    if out is None:
        click.echo(text, nl=False)
        return
    with replacing(Path(out)) as temp:
        temp.write_text(text, encoding="utf-8", newline="")
    click.echo(f"{out}: release {seen.date}, {len(found.table):,} months", err=True)


def _text(table: pd.DataFrame) -> pd.DataFrame:
    numbers = table.select_dtypes("number").columns
    return table.assign(
        month=table["month"].dt.strftime("%Y-%m"), **{c: table[c].round(1) for c in numbers}
    )
