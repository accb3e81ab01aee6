"""``odforecast scenario past``: what followed a past event, and what might have without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.options import (
    TABLES,
    beside_option,
    draws_option,
    json_option,
    model_option,
    quiet_option,
    seed_option,
    table_option,
    together,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.progress import working
from odforecast.cli.screen import grid, note, say
from odforecast.cli.source import open_source, source_options
from odforecast.cli.written import print_json, records, write_table

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.scenario import Past

#: Sd of a size that favors neither side, and the chance of no effect that goes with it.
NEUTRAL_SD, NEUTRAL_NULL = 0.4, 0.5


@click.command("past")
@click.argument("event", metavar="EVENT")
@together(
    source_options, model_option, beside_option, draws_option, seed_option, quiet_option,
    json_option, table_option,
)  # fmt: skip
def past_command(
    event: str,
    archive: Path | None,
    source: str | None,
    model: str,
    locations: str,
    draws: int,
    seed: int,
    quiet: bool,
    as_json: bool,
    table: Path | None,
) -> None:
    """Show what followed a past event, and two courses without it.

    Effect removed: the counts without the estimated change after the date. Forecast from the eve:
    the model's forecast of the last release before it. By calendar year and in all, with the
    event's prior and beside it one that favors neither side. Neither is the effect of a policy.
    """
    from dataclasses import replace

    import pandas as pd

    from odforecast.geography import resolve
    from odforecast.models import get_model
    from odforecast.scenario import Normal, past
    from odforecast.scenario.past import WHATEVER

    check_outputs(("--table", table, TABLES), read=(source,))
    releases = open_source(archive, source)
    forecaster = get_model(model)
    places = tuple(dict.fromkeys(("US", *resolve(locations, releases.as_of().panel().locations))))
    parts, said = [], []
    for place in places:
        given: dict[str, Any] = {"location": place, "model": forecaster, "draws": draws}
        with working(f"weighing {event}", quiet):
            named = past(event, releases, seed=seed, **given)
            plain = replace(named.event, size=Normal(0.0, NEUTRAL_SD), p_null=NEUTRAL_NULL,
                            direction="either")  # fmt: skip
            neutral = past(plain, releases, seed=seed, **given)
        parts.append(_changes(named, neutral))
        said.append((place, named, neutral))
    found = pd.concat(parts, ignore_index=True)
    if as_json:
        sizes = [
            {"location": place, "prior": prior, **_size(p)}
            for place, named, neutral in said
            for prior, p in (("named", named), ("neutral", neutral))
        ]
        print_json({"event": event, "onset": str(said[0][1].onset), "caveat": WHATEVER,
                    "sizes": sizes, "changes": records(found)})  # fmt: skip
    for place, named, neutral in [] if as_json else said:
        _show(event, place, named, neutral, found[found["location"] == place])
    if not as_json:
        click.echo()
        say(WHATEVER)
    if table is not None:
        write_table(found, table)
        click.echo(f"table: {table}", err=as_json)


def _changes(named: Past, neutral: Past) -> pd.DataFrame:
    """Deaths without the change less those counted, by calendar year and in all, in three ways.

    Means and 90% intervals; in all: the sum of 12-month counts back to the event.
    """
    import numpy as np
    import pandas as pd

    from odforecast.months import ONE_MONTH

    months, eve = named.months, named.eve
    end = min(months[-1], eve.months[-1])
    decembers = [m for m in months if str(m)[5:] == "12" and named.onset <= m <= end]
    spans = [(str(m)[:4], [m]) for m in decembers]
    back = [end - 12 * k * ONE_MONTH for k in range(99)]
    whole = [m for m in back if named.onset <= m]
    spans.append((f"{named.onset} to {end}", whole))
    course = eve.samples()[:, 0]
    rows: list[dict[str, Any]] = []
    for period, span in spans:
        counted = float(sum(named.observed[months == m][0] for m in span))
        year = span is not whole  # in all, the first window reaches back before the event
        ways = {
            "effect removed, named prior": sum(named.averted(m) for m in span),
            "effect removed, neutral prior": sum(neutral.averted(m) for m in span),
            "forecast from the eve": sum(course[:, eve.months == m][:, 0] for m in span) - counted,
        }
        for way, draws in ways.items():
            low, high = np.quantile(draws, [0.05, 0.95])
            rows.append(
                {
                    "location": named.location,
                    "period": period,
                    "observed": counted if year else np.nan,
                    "counterfactual": way,
                    "averted_mean": float(np.mean(draws)),
                    "averted_q05": low,
                    "averted_q95": high,
                }
            )
    return pd.DataFrame(rows)


def _size(found: Past) -> dict[str, float]:
    s = found.summary
    return {"mean": s.mean, "q05": s.low, "q95": s.high, "p_null": s.p_null,
            "bayes_factor": s.bayes_factor}  # fmt: skip


def _show(event: str, place: str, named: Past, neutral: Past, found: pd.DataFrame) -> None:
    from odforecast.cli.scenario_ask import ranged

    click.echo()
    say(f"{place}: {named.indicator} after {event} ({named.onset}), deaths without the change less "
        "deaths counted, mean and 90% interval")  # fmt: skip
    click.echo()
    ways = list(dict.fromkeys(found["counterfactual"]))
    rows = []
    for period, mine in found.groupby("period", sort=False):
        by_way = mine.set_index("counterfactual").to_dict("index")
        cells = [ranged(by_way[way]) for way in ways]
        counted = mine["observed"].iloc[0]
        rows.append([str(period), "" if counted != counted else f"{counted:,.0f}", *cells])
    heads = ["", "counted", "effect removed,\nnamed prior", "effect removed,\nneutral prior",
             "forecast from\nthe eve"]  # fmt: skip
    click.echo(grid(heads, rows))
    click.echo()
    for prior, p in (("named", named), ("neutral", neutral)):
        s = p.summary
        say(
            f"{prior} prior: size {s.prior_mean:+.2f} (sd {s.prior_sd:.2f}), no effect "
            f"{100 * s.prior_p_null:.0f}%; after the counts {s.mean:+.2f} (90% interval "
            f"{s.low:+.2f} to {s.high:+.2f}), no effect {100 * s.p_null:.0f}%",
            indent="  ",
        )
    for text in named.notes:
        note(text)
