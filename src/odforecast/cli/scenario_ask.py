"""What the commands of ``odforecast scenario`` ask, and how they show the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.made import about, fit, keep, open_panel
from odforecast.cli.options import (
    START_MONTH,
    TABLES,
    as_of_option,
    beside_option,
    draws_option,
    horizon_option,
    indicator_option,
    json_option,
    model_option,
    quiet_option,
    seed_option,
    table_option,
    together,
    until_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.progress import working
from odforecast.cli.screen import grid, note, say, warn, wrapped
from odforecast.cli.source import open_source, source_options
from odforecast.cli.written import print_json, records, write_table
from odforecast.errors import ScenarioError, one_of
from odforecast.scenario.catalogue import CAVEAT

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.panel import Panel
    from odforecast.scenario import Projection, Scenario

#: Months ahead, if neither a horizon nor a last month is given.
HORIZON = 24

#: Places whose answers are shown on the screen.
SHOWN = 3

#: Months of waiting whose cost is worked out.
DELAYS = (0, 3, 6, 12)

_SCENARIO = click.option(
    "--scenario", "scenarios", multiple=True, required=True, metavar="FILE|NAME",
    help="A scenario file, a named prior, or null; may be repeated or comma-separated.",
)  # fmt: skip
_ONSET = click.option(
    "--onset", metavar="MONTH", type=START_MONTH,
    help="Onset of named priors.  [default: the month after the as-of date]",
)  # fmt: skip
_EXPOSURE = click.option(
    "--exposure", "tables", multiple=True, metavar="NAME=FILE",
    help="Your own shares by location (CSV: location,exposure): fentanyl-share=table.csv.",
)  # fmt: skip


def asked_options[F: Callable[..., Any]](command: F) -> Callable[..., Any]:
    """Add what says which forecast is made, and which scenarios act on it."""
    return together(
        _SCENARIO, _ONSET, source_options, as_of_option, model_option, beside_option,
        indicator_option, draws_option, seed_option, quiet_option, horizon_option(HORIZON),
        until_option, _EXPOSURE,
    )(command)  # fmt: skip


def projected(
    releases: Any,
    *,
    scenarios: Iterable[str],
    onset: str | None,
    as_of: str | None,
    model: str,
    locations: str,
    indicator: str,
    draws: int,
    seed: int,
    quiet: bool,
    horizon: int | None,
    until: str | None,
    tables: Sequence[str],
    later: Sequence[int] = (),
    err: bool = False,
) -> tuple[Projection, Panel, dict[str, Any]]:
    """The projection that was asked for, its panel, and what JSON says of it; notes are said.

    Raises
    ------
    click.UsageError
        If two options do not go together, or a table is given that no scenario takes.
    """
    from odforecast.forecast.text import beyond_validated
    from odforecast.models import get_model
    from odforecast.scenario import project
    from odforecast.scenario.answer import CLASS_WARNING
    from odforecast.scenario.intervention import ALL

    if horizon is not None and until is not None:
        raise click.UsageError("give --horizon or --until, not both")
    forecaster = get_model(model)
    # The same panel and seed as `odforecast forecast`, so that null is its forecast.
    panel, asked = open_panel(releases, as_of, indicator, locations)
    nation = ("US",) if "US" in panel.locations else ()
    states = tuple(dict.fromkeys((*nation, *asked)))
    chosen = delayed(scenarios_of(scenarios, onset, panel), later)
    shares = _exposures(tables)
    for name in shares:
        if name != "fentanyl-share":
            raise click.UsageError(
                f"--exposure {name}: only fentanyl-share can be given; write other tables into the "
                "scenario file, such as exposure: {OH: 0.5, default: 0.2}"
            )
    for x in dict.fromkeys(x for s in chosen for x in s.interventions):
        if not x.backfire and x.chances()[2] >= 0.005:
            note(
                f"{x.name} may raise deaths (probability {x.chances()[2]:.2f}) and names no "
                "mechanism: say how, with backfire"
            )
    click.echo(
        f"{forecaster.label} as of {panel.as_of}, last known month {panel.last_month}", err=err
    )
    ahead = HORIZON if horizon is None and until is None else horizon
    with working(f"fitting {forecaster.label}", quiet):
        projection = project(
            fit(forecaster, panel, states), chosen, ahead, draws, seed, until=until,
            exposures=shares, first_month=panel.month_grid[0],
        )  # fmt: skip
    if "US" in states and "US" not in projection.baseline.locations and projection.can_add:
        projection = projection.with_nation()
    # Places are chosen last, so that one question has one answer wherever it is asked.
    keep(projection.baseline, states)  # names what the model left out
    projection = projection.select([s for s in states if s in projection.baseline.locations])
    for text in projection.warnings:
        note(text)
    if far := beyond_validated(projection.baseline):
        warn(far)
    if any(x.scope != ALL for s in chosen for x in s.interventions):
        note(CLASS_WARNING)
    meta = about(projection.baseline, panel, forecaster, seed)
    return projection, panel, meta | {"scenarios": list(projection.names)}


def delayed(chosen: Sequence[Scenario], later: Sequence[int]) -> tuple[Scenario, ...]:
    """The scenarios, and each again with its onsets that many months later."""
    from dataclasses import replace

    import numpy as np

    from odforecast.scenario.answer import scenario_title

    out = list(chosen)
    for wait in dict.fromkeys(later):
        step = np.timedelta64(wait, "M")
        for s in (s for s in chosen if not s.is_null):
            parts = tuple(
                replace(x, onset=(x.onset[0] + step, x.onset[1] + step)) for x in s.interventions
            )
            title = f"{scenario_title(s)}, {wait} months later"
            name = f"{s.name}-{wait}-months-later"
            out.append(replace(s, name=name, title=title, interventions=parts))
    return tuple(out)


def scenarios_of(words: Iterable[str], onset: str | None, panel: Panel) -> tuple[Scenario, ...]:
    """Scenarios by name or file; what is open begins at the onset that was given.

    Raises
    ------
    ScenarioError
        If a word names neither.
    click.UsageError
        If an onset is given and nothing takes it.
    """
    import numpy as np

    from odforecast.months import to_month
    from odforecast.scenario import NULL, named, prior_names, read_scenarios

    start = onset or str(to_month(panel.as_of) + np.timedelta64(1, "M"))
    found: list[Scenario] = []
    used = False
    for word in (w.strip() for text in words for w in text.split(",")):
        if Path(word).suffix in (".yaml", ".yml", ".toml"):
            read = read_scenarios(word)
            used = used or any(s.is_open for s in read)
            found.extend(s.at(start) for s in read)
        elif word == NULL.name:
            found.append(NULL)
        elif word in prior_names():
            used = True
            found.append(named(word, onset=start))
        else:
            raise ScenarioError(
                f"--scenario: {word!r} is no scenario, nor a .yaml or .toml file",
                hint=one_of(word, [NULL.name, *prior_names()]),
            )
    if used and onset is None:
        _say_onset(start, panel)
    if onset is not None and not used:
        raise click.UsageError(
            f"--onset {onset}: all scenarios given have their own; leave onset out of the file"
        )
    return tuple(dict.fromkeys(found))


def _say_onset(start: str, panel: Panel) -> None:
    """Which onset was taken, and what it means when that month is over."""
    from odforecast.months import to_month

    late = int((to_month(dt.date.today()) - to_month(start)).astype(int))
    past = (
        f", {late} months ago: the newest release used is of {panel.release}; --onset gives another"
        if late > 0
        else ""
    )
    say(f"onset {start}, the month after the as-of date{past}", err=True, indent="  ")


def _exposures(tables: Sequence[str]) -> dict[str, dict[str, float]]:
    from odforecast.scenario import read_exposure

    out = {}
    for text in tables:
        name, _, path = text.partition("=")
        if not path:
            raise click.UsageError(f"--exposure is {text!r}, write NAME=FILE")
        out[name] = read_exposure(path)
    return out


def json_of(projection: Projection, against: str | None, meta: dict[str, Any]) -> None:
    """Print the answer, what may come of it, and deaths averted by period, of all locations."""
    null = all(s.is_null for s in projection.scenarios)
    tables = {"answer": projection.answer, "outcomes": projection.outcomes}
    found = {key: [] if null else records(make(against)) for key, make in tables.items()}
    found["averted"] = [] if null else records(projection.averted(against=against))
    print_json({"meta": meta | {"against": against or "null"}, **found})


def show_answer(projection: Projection, against: str | None) -> None:
    """The answer, and by calendar year, of the first locations."""
    if all(s.is_null for s in projection.scenarios):
        click.echo("the status quo alone: its forecast is in data/quantiles.csv, there is no brief")
        return
    places = projection.baseline.locations
    for where in places[:SHOWN]:
        _show_place(projection.select([where]), against, where)
    click.echo("(means; 90% intervals in brackets)")
    if len(places) > SHOWN:
        click.echo(f"{len(places) - SHOWN} more places are in data/answer.csv")
    last = projection.baseline.last_month
    if any(x.onset[0] <= last for s in projection.scenarios for x in s.interventions):
        say(
            f"Of what began by {last} only what is still to come is counted, against the course "
            "without that."
        )


def _show_place(projection: Projection, against: str | None, where: str) -> None:
    from odforecast.scenario.answer import assumed, judged

    answers, outcomes = projection.answer(against), projection.outcomes(against)
    years = projection.averted(against=against)
    years = years[years["kind"] == "year"]
    other = "without the measure" if against is None else f"under {against}"
    click.echo()
    say(f"{where}: deaths averted, compared with deaths {other}")
    for r in answers.to_dict("records"):
        scenario = projection.scenario(str(r["scenario_id"]))
        found = outcomes[outcomes["scenario_id"] == scenario.name].to_dict("records")
        owner = "; ".join(dict.fromkeys(x.owner for x in judged(scenario)))
        lines = []
        if len(scenario.interventions) == 1:
            first = found[0]
            lines.append((f"if it {first['outcome']}", ranged(first)))
            said = ", ".join(f"{x['outcome']} {assumed(x['chance'])}" for x in found if owner)
            lines.append((owner.lower() or "chance", said or "none: a what-if"))
        else:
            lines += [(f"{x['outcome']}{f', {assumed(x["chance"])}' if owner else ''}", ranged(x))
                      for x in found]  # fmt: skip
            lines.append(("chances", owner.lower() or "none: a what-if"))
        if owner:
            lines.append(("over all outcomes", f"{ranged(r)}, {r['percent_mean']:+z.1f}%"))
        for y in years[years["scenario_id"] == scenario.name].to_dict("records"):
            if y["last_month"] >= r["first_month"]:
                lines.append((str(y["period"]), ranged(y)))
        click.echo(f"\n{scenario.name}, {r['first_month']} to {r['last_month']}")
        width = max(len(name) for name, _ in lines)
        for name, text in lines:
            click.echo(wrapped(f"  {name.ljust(width)}  {text}", indent=" " * (width + 4)))


def ranged(row: dict[Hashable, Any], of: str = "averted") -> str:
    """A mean with its interval; a dash where there is none."""
    mean, low, high = (row[f"{of}_{key}"] for key in ("mean", "q05", "q95"))
    if mean != mean:
        return "–"
    return f"{mean:z,.0f}" + (f" ({low:z,.0f} to {high:z,.0f})" if low == low else "")


@click.command()
@asked_options
@click.option("--later", multiple=True, metavar="MONTHS", type=click.IntRange(1, 240),
              help="Every scenario also that many months later; may be repeated.")  # fmt: skip
@together(json_option, table_option)
def compare(
    archive: Path | None, source: str | None, as_json: bool, table: Path | None, **asked: Any
) -> None:
    """Compare options in one table: if each works, its chance, and over all outcomes.

    Nothing is drawn and no folder written; `scenario run` does that.
    """
    check_outputs(("--table", table, TABLES), read=(source,))
    projection, _, meta = projected(open_source(archive, source), **asked, err=as_json)
    answers = projection.answer()
    if as_json:
        json_of(projection, None, meta)
    for where in () if as_json else projection.baseline.locations[:SHOWN]:
        one = projection.select([where])
        # What it is there for: it works; of several, all of them do; or it raises deaths.
        first = one.outcomes().groupby("scenario_id").first().to_dict("index")
        click.echo()
        say(f"{where}: deaths averted by {projection.baseline.months[-1]}, compared with deaths "
            "without the measure")  # fmt: skip
        click.echo()
        rows = []
        for r in one.answer().to_dict("records"):
            best = first[str(r["scenario_id"])]
            judged = best["chance"] == best["chance"]
            rows.append(
                [
                    str(r["scenario_id"]), str(r["first_month"]), ranged(best),
                    f"{100 * best['chance']:.0f}%" if judged else "–",
                    ranged(r) if judged else "–",
                    f"{r['percent_mean']:+z.1f}%" if judged else "–",
                ]
            )  # fmt: skip
        click.echo(grid(["", "from", "if it works", "chance", "over all outcomes", "change"], rows))
    _finish(answers, table, as_json)


@click.command()
@asked_options
@together(json_option, table_option)
def sensitivity(
    archive: Path | None, source: str | None, as_json: bool, table: Path | None, **asked: Any
) -> None:
    """Show which assumption matters most, and what waiting costs.

    One assumption at a time is held at its 5th and 95th percentile, the others stay uncertain.
    """
    import pandas as pd

    from odforecast.scenario import tornado

    check_outputs(("--table", table, TABLES), read=(source,))
    projection, _, meta = projected(open_source(archive, source), **asked, err=as_json)
    given: dict[str, Any] = {"location": list(projection.baseline.locations),
                             "exposures": projection.tables, "seed": projection.seed}  # fmt: skip
    base = projection.source or projection.baseline
    found = pd.concat(
        [tornado(base, s, **given).assign(scenario_id=s.name)
         for s in projection.scenarios if not s.is_null], ignore_index=True,
    )  # fmt: skip
    waiting = waiting_costs(projection)
    if as_json:
        print_json({"meta": meta, "sensitivity": records(found), "waiting": records(waiting)})
    else:
        for (name, where), mine in found.groupby(["scenario_id", "location"], sort=False):
            click.echo()
            say(
                f"{where}, {name}: mean deaths averted by {base.months[-1]} is "
                f"{mine['averted'].iloc[0]:z,.0f}; with one assumption at its low and high end"
            )
            click.echo()
            rows = [
                [str(r["assumption"]), str(r["low_value"]), f"{r['averted_low']:z,.0f}",
                 str(r["high_value"]), f"{r['averted_high']:z,.0f}"]
                for r in mine.to_dict("records")
            ]  # fmt: skip
            click.echo(grid(["", "low", "averted", "high", "averted"], rows))
            late = waiting[(waiting["scenario_id"] == name) & (waiting["location"] == where)]
            if not late.empty:
                click.echo()
                click.echo(_waiting_grid(late))
    _finish(found, table, as_json)


def _waiting_grid(table: pd.DataFrame) -> str:
    until = table["until"].iloc[0]
    heads = [
        "months of\nwaiting",
        "onset",
        f"not prevented\nby {until}",
        "not prevented\nover 480 months",
    ]
    rows = [
        [str(r["delay"]), str(r["onset"]), f"{r['not_prevented']:z,.0f}",
         f"{r['not_prevented_run_out']:z,.0f}"]
        for r in table.to_dict("records")
    ]  # fmt: skip
    return grid(heads, rows)


@click.command()
@_ONSET
@together(
    source_options, as_of_option, model_option, beside_option, indicator_option, draws_option,
    seed_option, quiet_option, horizon_option(HORIZON), until_option, json_option, table_option,
)  # fmt: skip
def attribution(
    archive: Path | None,
    source: str | None,
    onset: str | None,
    as_json: bool,
    table: Path | None,
    **asked: Any,
) -> None:
    """Show what could be averted by the share of the 2023-24 fall credited to cooperation.

    The counts cannot say how large that share is, so all of them are shown.
    """
    from odforecast.scenario import attribution as shares_of

    check_outputs(("--table", table, TABLES), read=(source,))
    shock = ("supply-shock-2023-like",)
    projection, _, meta = projected(open_source(archive, source), scenarios=shock, onset=onset,
                                    tables=(), **asked, err=as_json)  # fmt: skip
    begins = projection.scenario(shock[0]).interventions[0].onset[0]
    found = shares_of(
        projection.source or projection.baseline, begins, exposures=projection.tables,
        location=list(projection.baseline.locations), seed=projection.seed,
    )  # fmt: skip
    if as_json:
        print_json({"meta": meta, "attribution": records(found)})
    for where in () if as_json else projection.baseline.locations[:SHOWN]:
        click.echo()
        say(f"{where}: mean deaths averted from {begins} to {projection.baseline.months[-1]}, if "
            "cooperation did again what this share of the 2023-24 fall was")  # fmt: skip
        click.echo()
        rows = [
            [str(r["share"]), ranged(r), f"{r['percent_mean']:+z.1f}%"]
            for r in found[found["location"] == where].to_dict("records")
        ]
        click.echo(grid(["share credited", "deaths averted", "change"], rows))
    _finish(found, table, as_json)


def _finish(found: pd.DataFrame, table: Path | None, as_json: bool) -> None:
    """The caveat, and the table that was asked for."""
    if not as_json:
        click.echo()
        say(CAVEAT)
    if table is not None:
        write_table(found, table)
        click.echo(f"table: {table}", err=as_json)


def waiting_costs(projection: Projection) -> pd.DataFrame:
    """What waiting costs in every place, for every scenario that has not begun."""
    import pandas as pd

    from odforecast.scenario import cost_of_delay

    base = projection.source or projection.baseline
    parts = []
    for item in projection.scenarios:
        onsets = [x.onset[0] for x in item.interventions]
        if not onsets or min(onsets) <= base.last_month:
            continue
        left = int((base.months[-1] - max(x.onset[1] for x in item.interventions)).astype(int))
        table = cost_of_delay(
            base, item, [m for m in DELAYS if m <= left],
            location=list(projection.baseline.locations), exposures=projection.tables,
            seed=projection.seed,
        )  # fmt: skip
        table.insert(0, "scenario_id", item.name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
