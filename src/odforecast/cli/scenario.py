"""``odforecast scenario``: what could cooperation, or a supply shock, change?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.app import Group
from odforecast.cli.scenario_run import (
    ASKED,
    FILES,
    FORECAST,
    ONSET,
    SHOWN,
    compare,
    projected,
    ranged,
    run,
    waiting_costs,
)
from odforecast.cli.screen import columns, fitted, grid, note, say, width, working
from odforecast.cli.source import SOURCES, open_source
from odforecast.cli.tables import title
from odforecast.io import replacing
from odforecast.scenario.catalogue import CAVEAT

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.scenario import Intervention, Past

#: Sd of a size that favors neither side, and the chance of no effect that goes with it.
NEUTRAL_SD, NEUTRAL_NULL = 0.4, 0.5


@click.group(cls=Group)
def scenario() -> None:
    """What could cooperation, or a supply shock, change? Effects are assumptions with a source
    and a grade, not estimates: the counts cannot identify cooperation.
    """


@scenario.command("list")
@opt.output("--events", is_flag=True, help="List the events of the evidence library.")
def list_(events: bool) -> None:
    """List the named scenarios, their chances and grades."""
    from odforecast.scenario import NULL, catalogue, named_intervention

    if events:
        rows = [["event", "date", "what happened; grade of the evidence"]]
        rows += [[str(r["id"]), str(r["date"]).replace(" … ", "–"), f"{r['event']}; {r['grade']}"]
                 for r in catalogue.events().to_dict("records")]  # fmt: skip
        click.echo(columns(rows, indent=""))
    else:
        say(CAVEAT)
        click.echo()
        rows = [
            ["scenario", "works/harms", "grade", ""],
            [NULL.name, "", "", "Status quo: no change"],
        ]
        for name in catalogue.prior_names():
            x = named_intervention(name, onset="2026-03")
            works = "what-if"
            if not x.is_what_if:
                works = f"{100 * x.chances()[0]:.0f}/{x.chances()[2]:.0%}"
            grade = str(catalogue.prior_table(name)["grade"])
            rows.append([name, works, grade, catalogue.prior_title(name)])
        room = width() - sum(2 + max(len(row[i]) for row in rows) for i in range(3))
        if room >= 20 and fitted():  # one line each; `show` has the whole title
            rows = [[*row, x if len(x) <= room else f"{x[: room - 1].rstrip()}…"]
                    for *row, x in rows]  # fmt: skip
        click.echo(columns(rows, indent=""))
        click.echo()
        say("Works/harms: the chance that it works, and that it raises deaths. Use one as "
            "--scenario NAME, or as prior: NAME in a file of yours. Events: --events.")  # fmt: skip
    click.echo("Details: odforecast scenario show NAME")


@scenario.command()
@click.argument("name", metavar="NAME|FILE")
@opt.output("--toml", is_flag=True, help="Print as TOML instead of YAML.")
def show(name: str, toml: bool) -> None:
    """Show a scenario, an event or your own scenario file."""
    from odforecast.errors import UnknownNameError, one_of
    from odforecast.scenario import (
        NULL,
        Scenario,
        dump_scenarios,
        named_intervention,
        read_scenarios,
    )
    from odforecast.scenario.catalogue import events, prior_names, prior_title

    suffix = ".toml" if toml else ".yaml"
    calendar, named = events(), name in prior_names()
    found = calendar[calendar["id"] == name].to_dict("records")
    if Path(name).suffix.lower() in FILES:
        for item in read_scenarios(name):
            click.echo(f"# {item.name}, hash {item.hash}")
            _say_parts(item.interventions)
            click.echo(dump_scenarios(item, suffix))
    elif name == NULL.name:
        click.echo("# Status quo: the baseline forecast, draw for draw.")
        click.echo(dump_scenarios(NULL, suffix))
    elif not named and not found:
        known = list(dict.fromkeys([NULL.name, *prior_names(), *calendar["id"]]))
        raise UnknownNameError(
            f"no scenario, event or scenario file {name!r}", hint=one_of(name, known)
        )
    else:
        if named:
            _comment(f"{prior_title(name)}. The onset is an example: choose your own.")
            item = Scenario(name, (named_intervention(name, onset="2026-03"),))
            _say_parts(item.interventions)
            click.echo(dump_scenarios(item, suffix))
            _comment(CAVEAT)
        if named and found:
            click.echo("\n# The event of that name:")
        for row in found:
            _say_event(row, "# " if named else "")  # what is shown of a scenario can be run


def _say_event(row: dict[Any, Any], mark: str) -> None:
    """What the library says of an event."""
    for key in (
        "event", "date", "ended", "changed", "effect", "log_rr", "outcome", "lag", "source",
        "grade", "concludes", "differs", "reference",
    ):  # fmt: skip
        if (text := str(row[key])) not in ("", "nan"):
            say(f"{mark}{_KEYS.get(key, key):>14}  {text}", indent=mark + " " * 16)
    say(f"{mark}{'tags':>14}  {row['tags']}  (V read, C computed, J judgment, S press)")


#: What an event's columns are called on the screen.
_KEYS = {"log_rr": "log rate ratio", "concludes": "its conclusion", "differs": "ours differs"}


def _comment(text: str, indent: str = "# ") -> None:
    """A comment of a scenario file."""
    say(f"# {text}", indent=indent)


def _say_parts(interventions: Iterable[Intervention]) -> None:
    """The three named parts of every prior, as comments."""
    for x in interventions:
        chances = "a what-if, without chances"
        if not x.is_what_if:
            works, nothing, backfires = x.chances()
            chances = f"works {works:.0%}, does nothing {nothing:.0%}, backfires {backfires:.0%}"
        how = f"; it would backfire because {x.backfire}" if x.backfire else ""
        _comment(f"{x.name}: size {x.size}", "#   ")
        _comment(f"{x.name}: {chances}{how}", "#   ")
        for text in x.references:
            _comment(f"reference: {text}", "#   ")


for _command in (run, compare):
    scenario.add_command(_command)


# What rests on one scenario


@scenario.command()
@opt.together(ASKED, opt.TABLE)
def sensitivity(**asked: Any) -> Answer:
    """Show which assumption matters most, and what waiting costs.

    Each assumption in turn is set to its 5th and 95th percentile while the others stay uncertain.
    """
    import pandas as pd

    from odforecast.scenario import tornado

    projection, _, meta = projected(**asked)
    given: dict[str, Any] = {"location": list(projection.baseline.locations),
                             "exposures": projection.tables, "seed": projection.seed}  # fmt: skip
    base = projection.source or projection.baseline
    found = pd.concat(
        [tornado(base, s, **given).assign(scenario_id=s.name)
         for s in projection.scenarios if not s.is_null], ignore_index=True,
    )  # fmt: skip
    waiting = waiting_costs(projection)

    def show() -> None:
        """Print two tables for each scenario and place."""
        for (name, where), mine in found.groupby(["scenario_id", "location"], sort=False):
            title(f"{where}, {name}: deaths prevented by {base.months[-1]}, mean "
                  f"{mine['averted'].iloc[0]:z,.0f}, with one assumption low or high")  # fmt: skip
            rows = [
                [str(r["assumption"]), str(r["low_value"]), f"{r['averted_low']:z,.0f}",
                 str(r["high_value"]), f"{r['averted_high']:z,.0f}"]
                for r in mine.to_dict("records")
            ]  # fmt: skip
            click.echo(grid(["", "low", "prevented", "high", "prevented"], rows))
            late = waiting[(waiting["scenario_id"] == name) & (waiting["location"] == where)]
            if not late.empty:
                heads = ["months of\nwaiting", "onset",
                         f"not prevented\nby {late['until'].iloc[0]}",
                         "not prevented\nover 480 months"]  # fmt: skip
                rows = [
                    [str(r["delay"]), str(r["onset"]), f"{r['not_prevented']:z,.0f}",
                     f"{r['not_prevented_run_out']:z,.0f}"]
                    for r in late.to_dict("records")
                ]  # fmt: skip
                click.echo(f"\n{grid(heads, rows)}")
        click.echo()
        say(CAVEAT)

    data = {"meta": meta, "sensitivity": found, "waiting": waiting}
    return Answer(text=show, data=data, frame=found)


@scenario.command()
@opt.together(ONSET, FORECAST, opt.TABLE)
def attribution(**asked: Any) -> Answer:
    """Credit cooperation with a share of the 2023-24 fall.

    Shows the deaths prevented if cooperation repeated that share of the fall. The counts cannot say
    how large that share is, so every share is shown.
    """
    from odforecast.scenario import attribution as shares_of

    shock = "supply-shock-2023-like"
    projection, _, meta = projected(scenarios=[shock], **asked)
    begins = projection.scenario(shock).interventions[0].onset[0]
    found = shares_of(
        projection.source or projection.baseline, begins, exposures=projection.tables,
        location=list(projection.baseline.locations), seed=projection.seed,
    )  # fmt: skip

    def show() -> None:
        """Print a table for each place."""
        for where in projection.baseline.locations[:SHOWN]:
            title(f"{where}: mean deaths prevented from {begins} to "
                  f"{projection.baseline.months[-1]}, if cooperation repeated this share of the "
                  "2023-24 fall")  # fmt: skip
            rows = [
                [str(r["share"]), ranged(r), f"{r['percent_mean']:+z.1f}%"]
                for r in found[found["location"] == where].to_dict("records")
            ]
            click.echo(grid(["share credited", "deaths prevented", "change"], rows))
        click.echo()
        say(CAVEAT)

    return Answer(text=show, data={"meta": meta, "attribution": found}, frame=found)


# A past event


@scenario.command("past")
@click.argument("event", metavar="EVENT")
@opt.together(opt.BESIDE, opt.MODEL, SOURCES, opt.DRAWS, opt.SEED, opt.QUIET, opt.JSON, opt.TABLE)
def past_command(
    event: str, archive: Path | None, source: str | None, model: str, locations: str, draws: int,
    seed: int, quiet: bool,
) -> Answer:  # fmt: skip
    """Estimate deaths if a past event had not happened.

    EVENT is a name from odforecast scenario list --events. There are two estimates.
    "Effect removed" takes the estimated change after the date out of the counts. "Forecast from
    the eve" is the model's forecast from the last release before it. Both are shown by calendar
    year and in total, with the event's prior and with one that favors neither side. Neither is the
    effect of a policy.
    """
    from dataclasses import replace

    import pandas as pd

    from odforecast.geography import resolve
    from odforecast.models import get_model
    from odforecast.scenario import Normal, past
    from odforecast.scenario.past import WHATEVER

    releases, forecaster = open_source(archive, source), get_model(model)
    places = tuple(dict.fromkeys(("US", *resolve(locations, releases.as_of().panel().locations))))
    said: list[tuple[str, Past, Past]] = []
    for place in places:
        given: dict[str, Any] = {"location": place, "model": forecaster, "draws": draws}
        with working(f"weighing {event}", quiet):
            named = past(event, releases, seed=seed, **given)
            plain = replace(named.event, size=Normal(0.0, NEUTRAL_SD), p_null=NEUTRAL_NULL,
                            direction="either")  # fmt: skip
            said.append((place, named, past(plain, releases, seed=seed, **given)))
    found = pd.concat([_changes(*both) for _, *both in said], ignore_index=True)
    sizes = [
        {"location": place, "prior": prior, "mean": s.mean, "q05": s.low, "q95": s.high,
         "p_null": s.p_null, "bayes_factor": s.bayes_factor}
        for place, *both in said
        for prior, s in zip(("named", "neutral"), (p.summary for p in both))
    ]  # fmt: skip

    def show() -> None:
        """Print a table for each place."""
        for place, named, neutral in said:
            _show_past(event, named, neutral, found[found["location"] == place])
        click.echo()
        say(WHATEVER)

    data = {"event": event, "onset": str(said[0][1].onset), "caveat": WHATEVER, "sizes": sizes,
            "changes": found}  # fmt: skip
    return Answer(text=show, data=data, frame=found)


def _changes(named: Past, neutral: Past) -> pd.DataFrame:
    """Deaths without the change less those counted, by calendar year and in total, in three ways.

    Means and 90% intervals; the total is the sum of 12-month counts back to the event.
    """
    import numpy as np
    import pandas as pd

    from odforecast.months import ONE_MONTH

    months, eve = named.months, named.eve
    end = min(months[-1], eve.months[-1])
    decembers = [m for m in months if str(m)[5:] == "12" and named.onset <= m <= end]
    whole = [m for m in (end - 12 * k * ONE_MONTH for k in range(99)) if named.onset <= m]
    spans = [(str(m)[:4], [m]) for m in decembers] + [(f"{named.onset} to {end}", whole)]
    course = eve.samples()[:, 0]
    rows: list[dict[str, Any]] = []
    for period, span in spans:
        counted = float(sum(named.observed[months == m][0] for m in span))
        ways = {
            "effect removed, named prior": sum(named.averted(m) for m in span),
            "effect removed, neutral prior": sum(neutral.averted(m) for m in span),
            "forecast from the eve": sum(course[:, eve.months == m][:, 0] for m in span) - counted,
        }
        # In total, the first window reaches back before the event.
        year = {"location": named.location, "period": period,
                "observed": np.nan if span is whole else counted}  # fmt: skip
        for way, draws in ways.items():
            low, high = np.quantile(draws, [0.05, 0.95])
            rows.append(year | {"counterfactual": way, "averted_mean": float(np.mean(draws)),
                                "averted_q05": low, "averted_q95": high})  # fmt: skip
    return pd.DataFrame(rows)


def _show_past(event: str, named: Past, neutral: Past, found: pd.DataFrame) -> None:
    """The changes in one place, and how the counts moved each prior."""
    title(f"{named.location}: {named.indicator} after {event} ({named.onset}). Deaths without the "
          "change minus deaths counted, mean and 90% interval")  # fmt: skip
    rows = []
    for period, mine in found.groupby("period", sort=False):
        by_way = mine.set_index("counterfactual", drop=False).to_dict("records")
        counted = mine["observed"].iloc[0]
        rows.append([str(period), "" if counted != counted else f"{counted:,.0f}",
                     *(ranged(row) for row in by_way)])  # fmt: skip
    heads = ["", "counted", "effect removed,\nnamed prior", "effect removed,\nneutral prior",
             "forecast from\nthe eve"]  # fmt: skip
    click.echo(grid(heads, rows))
    click.echo()
    for prior, p in (("named", named), ("neutral", neutral)):
        s = p.summary
        say(f"{prior} prior: size {s.prior_mean:+.2f} (sd {s.prior_sd:.2f}), no effect "
            f"{100 * s.prior_p_null:.0f}%; after the counts {s.mean:+.2f} (90% interval "
            f"{s.low:+.2f} to {s.high:+.2f}), no effect {100 * s.p_null:.0f}%",
            indent="  ")  # fmt: skip
    for text in named.notes:
        note(text)


@scenario.command()
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@opt.together(
    opt.AS_OF, opt.MODEL, SOURCES, opt.SEED,
    opt.details("--simulations", metavar="N", default=200, show_default=True,
                help="Number of simulations in the recovery checks."),
    opt.out("Folder for tables and figures.", ()),
)  # fmt: skip
def validate(
    checks: tuple[str, ...], archive: Path | None, source: str | None, as_of: str | None,
    model: str, seed: int, simulations: int, out: Path | None,
) -> None:  # fmt: skip
    """Run the checks of the scenario method.

    CHECK is null, calibration, recovery, recovery-wandering-slope, placebo-time, placebo-outcome,
    placebo-units, leave-this-episode-out, leave-one-episode-out, identifiability, detectable or
    hindcast-plumbing; by default, all of them. The exit status is 1 if a check fails. Some checks
    only report and cannot fail. A check that the data do not allow is named.
    """
    from odforecast.errors import ScenarioError
    from odforecast.evidence.check import Setting
    from odforecast.evidence.validate import run_checks
    from odforecast.models import get_model

    releases = open_source(archive, source)
    day = as_of or str(releases.last_seen)
    failed = 0
    for name, result in run_checks(
        Setting(releases, day, get_model(model), simulations, seed), checks
    ):
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
