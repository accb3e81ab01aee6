"""``odforecast data months``: monthly deaths behind 12-month-ending counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.options import (
    as_of_option,
    draws_option,
    indicator_option,
    out_option,
    release_option,
    seed_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import note
from odforecast.cli.source import open_source, source_options
from odforecast.io import replacing
from odforecast.names import ALL_DRUGS, indicator_name

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("locations", default="US")
@source_options
@as_of_option
@release_option
@indicator_option
@click.option(
    "--wonder",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="CDC WONDER export that fixes the months (all drugs, official definition); repeatable.",
)
@draws_option
@seed_option
@out_option("Table as CSV.  [default: standard output]")
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
    out: Path | None,
) -> None:
    """Recover the months of LOCATIONS (US,WV or NY+YC or all) from one release's counts.

    The counts fix the months up to 11 numbers per location: those are fixed by the season, or
    by WONDER's known months, and what remains uncertain is in the quantiles. Rolling sums of
    the months column give back the release's counts exactly.
    """
    from odforecast.errors import DataError
    from odforecast.sources.wonder import read_wonder
    from odforecast.vintage.recover import recovered_months

    if draws < 100:
        raise click.BadParameter("quantiles need at least 100", param_hint="--draws")
    check_outputs(("--out", out, (".csv",)), read=(source, *wonder))
    indicator = indicator_name(indicator)
    store = open_source(archive, source, release)
    seen = store.as_of(as_of)
    if seen.note:
        note(seen.note)
    exports = [read_wonder(path) for path in wonder]
    if exports and indicator != ALL_DRUGS:
        raise DataError("--wonder fixes all drugs only", "leave it out for a drug class")
    found = recovered_months(
        seen.table, locations, indicator=indicator, wonder=exports, draws=draws, seed=seed
    )
    for said in found.notes:
        note(said)
    text = _text(found.table).to_csv(index=False, lineterminator="\n")
    if out is None:
        click.echo(text, nl=False)
        return
    with replacing(out) as temp:
        temp.write_text(text, encoding="utf-8", newline="")
    click.echo(f"{out}: release {seen.date}, {len(found.table):,} months", err=True)


def _text(table: pd.DataFrame) -> pd.DataFrame:
    numbers = table.select_dtypes("number").columns
    return table.assign(
        month=table["month"].dt.strftime("%Y-%m"), **{c: table[c].round(1) for c in numbers}
    )
