"""``odforecast scenario validate``: the ladder of checks."""

from __future__ import annotations

from pathlib import Path

import click

from odforecast.cli.source import open_source, source_options
from odforecast.errors import ScenarioError
from odforecast.io import replacing
from odforecast.names import DEFAULT_MODEL
from odforecast.scenario.catalogue import CAVEAT


@click.command()
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@source_options
@click.option("--as-of", metavar="DATE", help="Day the data are seen from (default: the last "
              "release).")  # fmt: skip
@click.option("--model", default=DEFAULT_MODEL, show_default=True,
              help="For the null check and the hindcast.")  # fmt: skip
@click.option("--simulations", default=200, show_default=True, help="Of the recovery checks.")
@click.option("--seed", default=1, show_default=True, help="Seed of all random numbers.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for tables and figures.")
def validate(
    checks: tuple[str, ...],
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    model: str,
    simulations: int,
    seed: int,
    out: Path | None,
) -> None:
    """Run the validation ladder: null, recovery, placebos, hindcast, episodes, power.

    Exit status 1 if a check fails; a check that only reports cannot fail, and one that the
    data do not allow is named.
    """
    from odforecast.evidence.validate import Setting, run_checks
    from odforecast.models import get_model

    releases = open_source(archive, source)
    setting = Setting(
        releases, as_of or str(releases.last_seen), get_model(model),
        simulations, seed,
    )  # fmt: skip
    failed = 0
    for name, result in run_checks(setting, checks):
        if isinstance(result, ScenarioError):
            click.echo(f"{name}: not run: {result}")
            continue
        click.echo(str(result))
        failed += result.passed is False
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            with replacing(out / f"{name}.csv") as part:
                result.table.to_csv(part, index=False, lineterminator="\n")
            for key, draw in result.figures.items():
                with replacing(out / f"{key}.svg") as part:
                    draw().savefig(part, format="svg")
    click.echo(CAVEAT)
    if failed:
        click.echo(f"error: {failed} check(s) failed", err=True)
        raise click.exceptions.Exit(1)
