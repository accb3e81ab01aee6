"""``odforecast scenario validate``: the ladder of checks."""

from __future__ import annotations

from pathlib import Path

import click

from odforecast.cli.options import as_of_option, model_option, out_option, seed_option, together
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import say
from odforecast.cli.source import open_source, source_options
from odforecast.errors import ScenarioError
from odforecast.io import replacing
from odforecast.scenario.catalogue import CAVEAT


@click.command()
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@together(source_options, as_of_option, model_option, seed_option)
@click.option("--simulations", metavar="N", default=200, show_default=True,
              help="Of the recovery checks.")  # fmt: skip
@out_option("Folder for tables and figures.", folder=True)
def validate(
    checks: tuple[str, ...],
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    model: str,
    seed: int,
    simulations: int,
    out: Path | None,
) -> None:
    """Run the validation ladder: null, recovery, placebos, hindcast, episodes, power.

    Exit status 1 if a check fails; a check that only reports cannot fail, and one that the
    data do not allow is named.
    """
    from odforecast.evidence.check import Setting
    from odforecast.evidence.validate import run_checks
    from odforecast.models import get_model

    check_outputs(("--out", out, ()), read=(source,))
    releases = open_source(archive, source)
    setting = Setting(
        releases, as_of or str(releases.last_seen), get_model(model),
        simulations, seed,
    )  # fmt: skip
    failed = 0
    for name, result in run_checks(setting, checks):
        if isinstance(result, ScenarioError):
            say(f"{name}: not run: {result}", indent="  ")
            continue
        for line in str(result).splitlines():
            say(line, indent=" " * (len(line) - len(line.lstrip()) + 2))
        failed += result.passed is False
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            with replacing(out / f"{name}.csv") as part:
                result.table.to_csv(part, index=False, lineterminator="\n")
            for key, draw in result.figures.items():
                with replacing(out / f"{key}.svg") as part:
                    draw().savefig(part, format="svg")
    say(CAVEAT)
    if failed:
        click.echo(f"error: {failed} check(s) failed", err=True)
        raise click.exceptions.Exit(1)
