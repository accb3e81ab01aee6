"""``odforecast scenario``: what could cooperation, or a supply shock, change?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.forecast import fit, keep, open_panel
from odforecast.cli.source import open_source, source_options
from odforecast.cli.spreadsheet import for_spreadsheets
from odforecast.errors import PanelError, ScenarioError
from odforecast.io import replacing
from odforecast.names import (
    ALL_DRUGS,
    DEFAULT_DRAWS,
    DEFAULT_MODEL,
    DEFAULT_SEED,
    SYNTHETIC_OPIOIDS,
    TARGET_12MO,
    TARGETS,
)
from odforecast.scenario.catalogue import CAVEAT

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.panel import Panel
    from odforecast.scenario import Projection, Scenario
    from odforecast.vintage.archive import Archive


@click.group()
def scenario() -> None:
    """What could cooperation, or a supply shock, change? Effects are assumptions with a source
    and a grade, not estimates: the counts cannot identify cooperation.
    """


@scenario.command("list")
def list_() -> None:
    """List the named priors and the event calendar of the evidence library."""
    from odforecast.scenario.catalogue import events, prior_names, prior_table, prior_title

    click.echo(CAVEAT)
    click.echo("\nNamed priors (use one as --scenario NAME, or as prior: NAME in a file):")
    rows = [[n, str(prior_table(n)["grade"]), prior_title(n)] for n in prior_names()]
    click.echo(_columns([["null", "", "Status quo: nothing beyond the baseline"], *rows]))
    click.echo("\nEvents:")
    calendar = events()
    picked = zip(calendar["id"], calendar["date"], calendar["grade"], calendar["event"])
    click.echo(_columns([list(map(str, row)) for row in picked]))
    click.echo("\nMore on one: odforecast scenario show NAME")


@scenario.command()
@click.argument("name", metavar="NAME|FILE")
@click.option("--toml", is_flag=True, help="Print as TOML instead of YAML.")
def show(name: str, toml: bool) -> None:
    """Show a named prior, an event, or the scenarios of a file, with source and grade."""
    from odforecast.errors import UnknownNameError
    from odforecast.scenario import (
        NULL,
        Scenario,
        dump_scenarios,
        named_intervention,
        read_scenarios,
    )
    from odforecast.scenario.catalogue import events, prior_names, prior_title

    suffix = ".toml" if toml else ".yaml"
    if Path(name).suffix in (".yaml", ".yml", ".toml"):
        for item in read_scenarios(name):
            click.echo(f"# {item.name}, hash {item.hash}")
            click.echo(dump_scenarios(item, suffix))
        return
    if name == NULL.name:
        click.echo("# Status quo: the baseline, draw for draw.")
        click.echo(dump_scenarios(NULL, suffix))
        return
    if name in prior_names():
        click.echo(f"# {prior_title(name)}. The onset is an example: give your own.")
        item = Scenario(name, (named_intervention(name, onset="2026-03"),))
        click.echo(dump_scenarios(item, suffix))
        click.echo(f"# {CAVEAT}")
        return
    calendar = events()
    found = calendar[calendar["id"] == name]
    if found.empty:
        known = [NULL.name, *prior_names(), *calendar["id"]]
        raise UnknownNameError(f"unknown name {name!r}", hint=f"one of: {', '.join(known)}")
    row = found.iloc[0]
    for key in (
        "event",
        "date",
        "changed",
        "effect",
        "log_rr",
        "outcome",
        "lag",
        "source",
        "grade",
    ):
        click.echo(f"{key:>8}  {row[key]}")
    click.echo(f"{'tags':>8}  {row['tags']}  (V read, C computed, J judgement)")


@scenario.command()
@click.option(
    "--scenario", "scenarios", multiple=True, required=True, metavar="FILE|NAME",
    help="A scenario file, a named prior, or null; may be repeated or comma-separated.",
)  # fmt: skip
@click.option("--onset", metavar="MONTH", help="Onset of named priors (default: the month after "
              "the as-of date).")  # fmt: skip
@source_options
@click.option("--as-of", metavar="DATE", help="Day the data are seen from (default: the last "
              "release).")  # fmt: skip
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Forecaster.")
@click.option("--locations", default="all", show_default=True, help="For example US,WV.")
@click.option("--horizon", default=24, show_default=True, help="Months ahead.")
@click.option("--draws", default=DEFAULT_DRAWS, show_default=True, help="Sample paths.")
@click.option("--seed", default=DEFAULT_SEED, show_default=True, help="Seed of all random "
              "numbers, as in odforecast forecast.")  # fmt: skip
@click.option("--target", type=click.Choice([*TARGETS, "both"]), default=TARGET_12MO,
              show_default=True, help="What the quantile and sample rows hold.")  # fmt: skip
@click.option(
    "--exposure", "tables", multiple=True, metavar="NAME=FILE",
    help="Exposure by location (CSV: location,exposure), e.g. nflis-share=table.csv.",
)  # fmt: skip
@click.option("--samples", default=100, show_default=True, help="Draws in the hub sample rows.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
def run(
    scenarios: tuple[str, ...],
    onset: str | None,
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    model: str,
    locations: str,
    horizon: int,
    draws: int,
    seed: int,
    target: str,
    tables: tuple[str, ...],
    samples: int,
    out: Path,
) -> None:
    """Project a model's forecast under scenarios, and write tables, draws, figures, a brief."""
    from odforecast.models import get_model
    from odforecast.scenario import project

    if out.exists() and not out.is_dir():
        raise click.UsageError(f"--out {out} is a file, give a folder")
    releases = open_source(archive, source)
    forecaster = get_model(model)
    # The same panel and seed as `odforecast forecast`, so that null is its forecast.
    panel, states = open_panel(releases, as_of, ALL_DRUGS, locations)
    chosen = _scenarios(scenarios, onset, panel)
    shares = _exposures(releases, panel, tables)
    click.echo(f"{forecaster.label} as of {panel.as_of}, last known month {panel.last_month}")
    forecast = fit(forecaster, panel, states).forecast(horizon, draws=draws, seed=seed)
    projection = project(
        forecast, chosen, seed=seed, exposures=shares, first_month=panel.month_grid[0]
    )
    if "US" in states and "US" not in forecast.locations and projection.can_add:
        projection = projection.with_nation()
    keep(projection.baseline, states)  # names what the model left out
    projection = projection.select([s for s in states if s in projection.baseline.locations])
    for text in projection.warnings:
        click.echo(f"note: {text}", err=True)
    targets: list[str] = [target]
    if target == "both":
        targets = [t for t in TARGETS if t in forecast.targets]
    _write(projection, panel, shares, targets, samples, out)
    _summary(projection)
    click.echo(f"\n{CAVEAT}\nwritten: {out}/")


@scenario.command()
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


def _scenarios(words: Iterable[str], onset: str | None, panel: Panel) -> tuple[Scenario, ...]:
    import numpy as np

    from odforecast.months import to_month
    from odforecast.scenario import NULL, Scenario, named_intervention, prior_names, read_scenarios

    start = onset or str(to_month(panel.as_of) + np.timedelta64(1, "M"))
    found: list[Scenario] = []
    for word in (w.strip() for text in words for w in text.split(",")):
        if Path(word).suffix in (".yaml", ".yml", ".toml"):
            found.extend(read_scenarios(word))
        elif word == NULL.name:
            found.append(NULL)
        elif word in prior_names():
            found.append(Scenario(word, (named_intervention(word, onset=start),)))
        else:
            raise ScenarioError(
                f"--scenario: {word!r} is no scenario, allowed: a .yaml or .toml file, null, "
                f"{', '.join(prior_names())}"
            )
    return tuple(dict.fromkeys(found))


def _exposures(
    releases: Archive, panel: Panel, tables: Sequence[str]
) -> dict[str, dict[str, float]]:
    from odforecast.scenario import fentanyl_share, read_exposure

    out: dict[str, dict[str, float]] = {}
    try:
        # All locations, whatever was asked for: a region's share needs its neighbours.
        whole = releases.as_of(panel.as_of).panel()
        synthetic = releases.as_of(panel.as_of).panel(SYNTHETIC_OPIOIDS)
    except PanelError:
        pass  # a scenario that needs the share says so itself
    else:
        own = fentanyl_share(whole, synthetic)
        out["fentanyl-share"] = fentanyl_share(whole, synthetic, fill="region")
        if filled := [s for s in panel.locations if s in out["fentanyl-share"] and s not in own]:
            click.echo(
                f"note: no recent T40.4 count for {', '.join(filled)}: where an effect needs the "
                "fentanyl share, the census region's is used",
                err=True,
            )
    for text in tables:
        name, _, path = text.partition("=")
        if not path:
            raise click.UsageError(f"--exposure is {text!r}, write NAME=FILE")
        out[name] = read_exposure(path)
    return out


def _write(
    projection: Projection,
    panel: Panel,
    shares: dict[str, dict[str, float]],
    targets: list[str],
    samples: int,
    out: Path,
) -> None:
    """All files of a run."""

    import pandas as pd

    from odforecast.hub import to_hub
    from odforecast.scenario import dump_scenarios

    out.mkdir(parents=True, exist_ok=True)
    quantiles, sampled = [], []
    for name, forecast in projection.forecasts.items():
        quantiles.append(to_hub(forecast, targets=targets).assign(scenario_id=name))
        few = forecast.first(samples)
        rows = to_hub(few, targets=targets, output_type="sample")
        sampled.append(rows.assign(scenario_id=name))
    _csv(pd.concat(quantiles, ignore_index=True), out / "quantiles.csv")
    with replacing(out / "samples.parquet") as part:
        pd.concat(sampled, ignore_index=True).to_parquet(part, index=False)
    with replacing(out / "draws.parquet") as part:
        projection.to_parquet(part)
    with replacing(out / "scenarios.yaml") as part:
        part.write_text(dump_scenarios(projection.scenarios), encoding="utf-8")
    if all(s.is_null for s in projection.scenarios):
        return
    _csv(projection.averted(), out / "deaths_averted.csv")
    _csv(projection.recovery_table(), out / "time_to_recover.csv")
    _csv(projection.exposure_table(), out / "exposure.csv")
    _draw(projection, panel, shares, out)


def _draw(
    projection: Projection, panel: Panel, shares: dict[str, dict[str, float]], out: Path
) -> None:
    from odforecast.report import scenario_figures as figures
    from odforecast.report.brief import write_brief

    where = "US" if "US" in projection.baseline.locations else projection.baseline.locations[0]
    drawn = {
        f"prior_{item.name}": figures.prior_figure(item)
        for item in projection.scenarios
        if not item.is_null
    }
    drawn["fan"] = figures.fan_figure(projection, where, panel)
    drawn["averted"] = figures.averted_figure(projection, where)
    for name, figure in drawn.items():
        with replacing(out / "figures" / f"{name}.svg") as part:
            figure.savefig(part, format="svg")
    text = write_brief(projection, panel=panel, location=where, exposures=shares)
    with replacing(out / "brief.html") as part:
        part.write_text(text, encoding="utf-8")


def _csv(table: pd.DataFrame, path: Path) -> None:
    for column in ("origin_date", "target_end_date"):
        if column in table:
            table[column] = table[column].dt.strftime("%Y-%m-%d")
    if "output_type_id" in table:
        table["output_type_id"] = [f"{x:.12g}" for x in table["output_type_id"]]
    with replacing(path) as part:
        for_spreadsheets(table).to_csv(part, index=False, lineterminator="\n")


def _summary(projection: Projection) -> None:
    if all(s.is_null for s in projection.scenarios):
        return
    table = projection.averted()
    table = table[(table["location"] == projection.baseline.locations[0])]
    head = ["scenario", "period", "averted (mean)", "90 % interval", "P(fewer)"]
    rows = [
        [
            str(r["scenario_id"]),
            str(r["period"]),
            f"{r['averted_mean']:z,.0f}",
            f"{r['averted_q05']:z,.0f} … {r['averted_q95']:z,.0f}",
            f"{r['probability_fewer']:.2f}",
        ]
        for r in table.to_dict("records")
    ]
    click.echo(f"\nDeaths averted, {projection.baseline.locations[0]}:")
    click.echo(_columns([head, *rows]))


def _columns(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows
    )
