"""``odforecast data revisions`` and ``data compare``: how counts were revised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.options import (
    FIGURES,
    archive_option,
    formerly,
    indicator_option,
    json_option,
    locations_option,
    out_option,
    plot_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import grid, note, say
from odforecast.cli.source import open_source
from odforecast.cli.written import print_json, records
from odforecast.io import replacing
from odforecast.names import indicator_name

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.vintage.revisions import Revisions

#: Ages of counts, in months, whose completeness is shown.
_AGES = 24
#: Characters of an indicator in a line.
_NAME = 24


@click.command()
@click.argument("location", default="US")
@archive_option
@indicator_option
@click.option(
    "--last", default=24, show_default=True, metavar="N", help="Show the last N of them, 0 for all."
)
@click.option(
    "--settled",
    default=12,
    show_default=True,
    metavar="MONTHS",
    help="Months after the end of a period from which the newest release counts as final.",
)
@json_option
@plot_option
@out_option("The triangle, a row per release and a column per month: .csv.")
def revisions(
    location: str,
    archive: Path | None,
    indicator: str,
    last: int,
    settled: int,
    as_json: bool,
    plot: Path | None,
    out: Path | None,
) -> None:
    """Show how the counts of LOCATION were revised from release to release.

    For each month: the first count and its age (months from the end of the 12-month period to
    the release), the newest count, the change, and how many releases had it. Then completeness
    by age: reported then, divided by reported in the newest release.
    """
    from odforecast.geography.places import lookup
    from odforecast.vintage.revisions import completeness
    from odforecast.vintage.revisions import revisions as run

    check_outputs(("--out", out, (".csv",)), ("--plot", plot, FIGURES))
    indicator = indicator_name(indicator)
    store = open_source(archive)
    seen = run(store, location, indicator)
    place = lookup(location)
    table = seen.triangle(location).dropna(axis=1, how="all")
    for date, why in seen.skipped.items():
        note(f"release {date} left out: {why}")
    units = seen.units(settled)
    curve = completeness(units, by=()) if not units.empty else units
    curve = curve[curve["age"] <= _AGES] if len(curve) else curve
    if as_json:
        print_json(
            {
                "meta": {
                    "location": place.state,
                    "name": place.name,
                    "indicator": indicator,
                    "releases": [str(day) for day in seen.releases],
                    "skipped": [str(day) for day in seen.skipped],
                    "settled": settled,
                },
                "months": records(_first_and_newest(table)),
                "completeness": records(curve),
            }
        )
    else:
        say(f"{place.name}, {indicator}, 12 months ending, as reported")
        say(f"{len(seen.releases)} releases, {seen.releases[0]} to {seen.releases[-1]}")
        _show(seen, table, curve, last)
    if out is not None:
        labelled = table.set_axis([f"{month:%Y-%m}" for month in table.columns], axis=1)
        with replacing(out) as part:
            labelled.to_csv(part, date_format="%Y-%m-%d", float_format="%.10g")
        click.echo(f"{out}: {table.shape[0]} releases, {table.shape[1]} months", err=True)
    if plot is not None:
        import odforecast.plot as plots

        plots.save(plots.revision_triangle(seen, place.state, settled=settled), plot)
        click.echo(f"picture: {plot}", err=True)


def _show(seen: Revisions, table: pd.DataFrame, curve: pd.DataFrame, last: int) -> None:
    """A row per month, and one per age."""
    import pandas as pd

    heads = ["month", "first in", "age", "count", "newest in", "count", "change", "%", "n"]
    lines = [
        _row(table[month], pd.Timestamp(month)) for month in table.columns[-last if last else 0 :]
    ]
    click.echo("\n" + grid(heads, lines))
    if curve.empty:
        click.echo("\nno count has a later release to compare with")
        return
    click.echo(f"\ncompleteness, % of what {seen.releases[-1]} reports\n")
    ages = [
        [f"{age:.0f}", f"{n:.0f}", *(f"{100 * x:.1f}" for x in shares)]
        for age, n, *shares in curve[["age", "n", "low", "median", "high"]].to_numpy().tolist()
    ]
    click.echo(grid(["age", "counts", "5 %", "median", "95 %"], ages, left=0))


def _first_and_newest(table: pd.DataFrame) -> pd.DataFrame:
    """A row per month: first count and release, newest count and release, how many there are."""
    import pandas as pd

    rows = []
    for month in table.columns:
        known = table[month].dropna()
        rows.append(
            {
                "month": pd.Timestamp(month),
                "first_release": f"{known.index[0]:%Y-%m-%d}",
                "first": known.iloc[0],
                "newest_release": f"{known.index[-1]:%Y-%m-%d}",
                "newest": known.iloc[-1],
                "releases": len(known),
            }
        )
    return pd.DataFrame(rows)


def _row(column: pd.Series, month: pd.Timestamp) -> tuple[str, ...]:
    known = column.dropna()
    first, newest = known.iloc[0], known.iloc[-1]
    begin, end = known.index[0], known.index[-1]
    age = (begin.year - month.year) * 12 + begin.month - month.month
    change = share = "-"  # one release: nothing is known of its revision
    if len(known) > 1:
        change = f"{newest - first:+,.0f}"
        share = f"{100 * (newest / first - 1):+.2f}" if first else "-"
    return (
        f"{month:%Y-%m}", f"{begin:%Y-%m-%d}", str(age), f"{first:,.0f}",
        f"{end:%Y-%m-%d}", f"{newest:,.0f}", change, share, str(len(known)),
    )  # fmt: skip


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@archive_option
@indicator_option
@formerly(locations_option, "--location")
@click.option(
    "--last", default=24, show_default=True, metavar="N", help="Show the last N of them, 0 for all."
)
@json_option
@out_option("All differences: .csv.")
def compare(
    a: str,
    b: str,
    archive: Path | None,
    indicator: str,
    locations: str,
    last: int,
    as_json: bool,
    out: Path | None,
) -> None:
    """Show what release B says otherwise than release A (dates: 2024-12-11).

    With --indicator all, of all indicators.
    """
    from odforecast.geography import resolve
    from odforecast.vintage.revisions import compare as run

    check_outputs(("--out", out, (".csv",)))
    store = open_source(archive)
    found = run(store, a, b, None if indicator == "all" else indicator_name(indicator))
    if locations != "all":
        found = found[found["state"].isin(resolve(locations))]
    if out is not None:
        with replacing(out) as part:
            found.assign(month=found["month"].dt.strftime("%Y-%m")).to_csv(
                part, index=False, float_format="%.10g"
            )
        click.echo(f"{out}: {len(found):,} differences", err=True)
    if as_json:
        print_json(records(found))
        return
    kinds = found["kind"].value_counts()
    click.echo(
        f"{b} against {a}: "
        + (", ".join(f"{kinds[k]:,} counts {k}" for k in kinds.index) or "no difference")
    )
    changed = found[found["kind"] == "changed"].dropna(subset=["change"])
    if not changed.empty:
        down = int((changed["change"] < 0).sum())
        click.echo(f"{len(changed) - down:,} changed upwards, {down:,} downwards\n")
        shown = changed.sort_values("month", kind="stable").iloc[-last if last else 0 :]
        several = len(set(shown["indicator"])) > 1
        lines = [
            [
                str(row["state"]),
                f"{row['month']:%Y-%m}",
                f"{row['reported_a']:,.0f}",
                f"{row['reported_b']:,.0f}",
                f"{row['change']:+,.0f}",
                f"{row['percent']:+.2f}",
                *([str(row["indicator"])[:_NAME]] if several else []),
            ]
            for row in shown.to_dict("records")
        ]
        if not several:
            click.echo(f"{shown['indicator'].iloc[0]}\n")
        heads = ["", "month", a, b, "change", "%", *(["indicator"] if several else [])]
        click.echo(grid(heads, lines, left=2))
        if len(shown) < len(changed):
            click.echo(f"... and {len(changed) - len(shown):,} more (--last 0, --out, --json)")
