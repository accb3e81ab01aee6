"""``odforecast data revisions`` and ``data compare``: how counts were revised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.names import ALL_DRUGS

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.vintage.archive import Archive

_ARCHIVE = click.option(
    "--archive",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Archive of releases (default: your own, which odforecast data fetch fills).",
)
_INDICATOR = "Indicator, as CDC spells it."


def _open(archive: Path | None) -> Archive:
    from odforecast.cli.source import open_source
    from odforecast.errors import ArchiveError
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.bundle import default_folder

    if archive is None and Archive(default_folder()).last_seen is None:
        raise ArchiveError(
            f"your own archive, {default_folder()}, holds no release",
            hint="fill it (odforecast data fetch), or give another one (--archive DIR)",
        )
    return open_source(archive or default_folder())


@click.command()
@click.argument("location", default="US")
@_ARCHIVE
@click.option("--indicator", default=ALL_DRUGS, show_default=True, help=_INDICATOR)
@click.option(
    "--last", default=24, show_default=True, metavar="N", help="Show the last N months, 0 for all."
)
@click.option(
    "--settled",
    default=12,
    show_default=True,
    metavar="MONTHS",
    help="Months after the end of a period from which the newest release counts as final.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Triangle as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Figure (.png .svg).")
def revisions(
    location: str,
    archive: Path | None,
    indicator: str,
    last: int,
    settled: int,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Show how the counts of LOCATION were revised from release to release.

    For each month: the first count and its age (months from the end of the 12-month period to
    the release), the newest count, the change, and how many releases had it. Then completeness
    by age: reported then, divided by reported in the newest release.
    """
    import pandas as pd

    from odforecast.geography.places import lookup
    from odforecast.vintage.revisions import completeness
    from odforecast.vintage.revisions import revisions as run

    store = _open(archive)
    seen = run(store, location, indicator)
    place = lookup(location)
    table = seen.triangle(location).dropna(axis=1, how="all")
    for date in seen.skipped:
        click.echo(f"note: release {date} has no reported count of it: left out", err=True)
    click.echo(f"{place.name}, {indicator}, 12 months ending, as reported")
    click.echo(f"{len(seen.releases)} releases, {seen.releases[0]} to {seen.releases[-1]}\n")
    line = "{:<7}  {:>10}  {:>4}  {:>9}  {:>10}  {:>9}  {:>8}  {:>8}  {:>8}"
    click.echo(
        line.format("month", "first in", "age", "count", "newest in", "count", "change", "%", "n")
    )
    for month in table.columns[-last if last else 0 :]:
        click.echo(line.format(*_row(table[month], pd.Timestamp(month))))
    units = seen.units(settled)
    if units.empty:
        click.echo("\nno count has a later release to compare with")
    else:
        click.echo(f"\ncompleteness, % of what {seen.releases[-1]} reports")
        line = "{:>4}  {:>6}  {:>7}  {:>7}  {:>7}"
        click.echo(line.format("age", "counts", "5 %", "median", "95 %"))
        curve = completeness(units, by=())
        curve = curve[curve["age"] <= 24]
        for age, n, *shares in curve[["age", "n", "low", "median", "high"]].to_numpy().tolist():
            click.echo(line.format(f"{age:.0f}", f"{n:.0f}", *(f"{100 * x:.1f}" for x in shares)))
    if out is not None:
        labelled = table.set_axis([f"{month:%Y-%m}" for month in table.columns], axis=1)
        labelled.to_csv(out, date_format="%Y-%m-%d", float_format="%.10g")
        click.echo(f"{out}: {table.shape[0]} releases, {table.shape[1]} months", err=True)
    if plot is not None:
        from odforecast.report.revision_figure import revision_figure

        _save(revision_figure(seen, location, settled), plot)
        click.echo(f"{plot}: figure", err=True)


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


def _save(figure: object, path: Path) -> None:
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    if path.suffix.lower().lstrip(".") not in figure.canvas.get_supported_filetypes():
        raise click.BadParameter(f"no figure format {path.suffix!r}", param_hint="--plot")
    figure.savefig(path, dpi=150)


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@_ARCHIVE
@click.option("--indicator", default=ALL_DRUGS, show_default=True, help=_INDICATOR + " Or 'all'.")
@click.option("--location", help="Only this one.")
@click.option("--last", default=24, show_default=True, help="Show the last N changes, 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print all as a JSON list.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="All, as CSV.")
def compare(
    a: str,
    b: str,
    archive: Path | None,
    indicator: str,
    location: str | None,
    last: int,
    as_json: bool,
    out: Path | None,
) -> None:
    """Show what release B says otherwise than release A (dates: 2024-12-11)."""
    from odforecast.geography.places import lookup
    from odforecast.vintage.revisions import compare as run

    store = _open(archive)
    found = run(store, a, b, None if indicator == "all" else indicator)
    if location is not None:
        found = found[found["state"] == lookup(location).state]
    if as_json:
        plain = found.assign(month=found["month"].dt.strftime("%Y-%m")).to_json(orient="records")
        click.echo(json.dumps(json.loads(plain), indent=2))
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
        line = "{:<5}  {:<7}  {:>9}  {:>9}  {:>8}  {:>7}"
        click.echo(line.format("state", "month", a, b, "change", "%") + "   indicator")
        for row in shown.to_dict("records"):
            before, after = f"{row['reported_a']:,.0f}", f"{row['reported_b']:,.0f}"
            change, share = f"{row['change']:+,.0f}", f"{row['percent']:+.2f}"
            month = f"{row['month']:%Y-%m}"
            text = line.format(row["state"], month, before, after, change, share)
            click.echo(f"{text}   {row['indicator']}")
        if len(shown) < len(changed):
            click.echo(f"... and {len(changed) - len(shown):,} more (--last 0, --out, --json)")
    if out is not None:
        found.assign(month=found["month"].dt.strftime("%Y-%m")).to_csv(
            out, index=False, float_format="%.10g"
        )
        click.echo(f"{out}: {len(found):,} differences", err=True)
