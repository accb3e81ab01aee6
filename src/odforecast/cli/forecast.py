"""``odforecast forecast``: states or counties, to a screen, tables, figures and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace as with_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.options import command, flag, horizon, option, out, together, was_given
from odforecast.cli.screen import (
    change,
    code,
    count,
    grid,
    more_places,
    note,
    share,
    width,
    wrapped,
)
from odforecast.cli.source import (
    BUNDLED,
    COUNTS,
    PUBLISH,
    Request,
    about,
    check_local,
    how,
    open_source,
    request_options,
    say_age,
    say_release,
    there,
)
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    DEFAULT_COUNTY_MODEL,
    STATES,
    TARGET_12MO,
    TARGET_MONTH,
    TARGETS,
    indicator_name,
)
from odforecast.say import SMALL, ranged, rounded, step_of

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast import Forecast
    from odforecast.forecast.tables import By
    from odforecast.models import Model
    from odforecast.panel import Floats, Panel

#: Calendar years beside one another, and rows of the table of a single place.
YEARS, MONTHS = 3, 8
#: What to do with a forecast.
_KEEP = "To save it: --table FILE.csv, --plot FILE.png or --html FILE.html"


@command()
@request_options()
@together(opt.DATASET, COUNTS, horizon(), opt.LEVEL, opt.TARGET)
@flag("--trend", "Add the probabilities of five kinds of trend.", group=opt.WHAT, more=True)
@opt.POPULATION
@option("--rank", metavar="K", type=click.IntRange(min=1), group=opt.WHAT, more=True,
        help="For counties, add the probability of being among the K highest: by count, or by "
        "rate with --population.")  # fmt: skip
@flag("--exact", "For counties, show numbers below 10 too. Not for publication.",
      group=opt.OUTPUT, more=True)  # fmt: skip
@together(opt.TABLE, opt.PLOT, opt.HTML, opt.JSON, opt.ROWS_SHOWN)
@out(f"Write a hub file: {', '.join(opt.HUB_FILES)}.", opt.HUB_FILES, more=True)
@option("--output-type", type=opt.Choice(["quantile", "sample", "pmf"]), default="quantile",
        show_default=True, group=opt.OUTPUT, more=True,
        help="What the hub file holds: quantiles, draws, or the trend.")  # fmt: skip
@option("--save", type=opt.FOLDER, metavar="DIR", group=opt.OUTPUT, more=True,
        help="Save the forecast with its draws, for od.load_forecast.")  # fmt: skip
@together(opt.REPLACE, PUBLISH)
@click.pass_context
def forecast(
    ctx: click.Context, request: Request, dataset: str, level: float, rows: int, target: str,
    trend: bool, population: Path | None, rank: int | None, exact: bool, out: Path | None,
    output_type: str, save: Path | None, replace: bool, publish: bool,
) -> Answer:  # fmt: skip
    """Forecast overdose deaths from the data known on a date.

    PLACE is a state, the US, New York City or a region by any of its names; without one, all
    states are shown. For counties: --dataset counties "Ohio/*".

    The first line is the answer: the forecast, its 90% interval, and the probability of a fall.
    """
    from odforecast.models import get_model

    if dataset == COUNTIES and not was_given(ctx, "model"):
        request = with_(request, model=DEFAULT_COUNTY_MODEL)
    _check(ctx, request, level, save)
    asked = {x: ctx.params[x] for x in ("out", "table", "plot", "html")}
    _check_save(save, replace, *((f"--{name}", path) for name, path in asked.items()))
    check_local(request.counts, publish, ("--out", out), ("--html", asked["html"]))
    model = get_model(request.model)
    if (model.spec.dataset == COUNTIES) != (dataset == COUNTIES):
        raise click.UsageError(
            f"--model {request.model} is not for counties: odforecast models --all lists those "
            "that are"
            if dataset == COUNTIES
            else f"--model {request.model} is about counties: add --dataset counties"
        )
    if dataset == COUNTIES:
        answer, made = _counties(request, model, level, rows, population, rank, exact)
    else:
        answer, made = _states(
            request, model, level, rows, target, trend, output_type, out, publish
        )
    answer.notes = [*answer.notes, how(made, model, request.seed)]
    if save is not None:
        answer.files.insert(0, (lambda: made.save(save, overwrite=replace), f"forecast: {save}/"))
    if not (save or any(asked.values()) or ctx.params["as_json"]):
        answer.notes = [*answer.notes, _KEEP]
    return answer


def _check(ctx: click.Context, request: Request, level: float, save: Path | None) -> None:
    """Refuse options that do not go together, with what to do instead."""
    from odforecast.forecast.text import LEVEL as OF_PAGES

    asked = ctx.params
    target, kind = asked["target"], asked["output_type"]
    yearly = [x for x in ("trend", "plot", "html") if asked[x] not in (None, False)]
    only = next((x for x in ("population", "rank", "exact") if asked[x] not in (None, False)), "")
    if asked["dataset"] == COUNTIES:
        rules = [
            (indicator_name(request.indicator) != ALL_DRUGS,
             "county counts are for all drugs together: leave out --indicator"),
            (target != TARGET_12MO or kind != "quantile",
             "counties have 12-month counts only, and no hub file: leave out --target and "
             "--output-type"),
            (asked["trend"], "--trend is for states; --dataset counties shows the probability of "
             "more deaths"),
            (asked["out"] is not None, "hub files hold states; --table FILE keeps counties"),
            (request.counts is not None, "--counts is for states"),
            (save is not None and not asked["exact"],
             "--save keeps the draws, and with them numbers below 10, which are not for "
             "publication: add --exact if the folder stays with you"),
        ]  # fmt: skip
    else:
        rules = [
            (only, f"--{only} is about counties: add --dataset counties"),
            (target == TARGET_MONTH and yearly,
             f"--{''.join(yearly[:1])} shows 12-month counts: leave out --target {target}, or ask "
             "for both"),
            (target == TARGET_MONTH and kind == "pmf",
             f"--output-type pmf is for 12-month counts: leave out --target {target}"),
            (target == "both" and asked["table"] is not None,
             "--table holds one target: leave out --target both, or ask for deaths_month in "
             "another run; --json and --out hold both"),
            (kind != "quantile" and asked["out"] is None,
             f"--output-type {kind} is about --out FILE"),
            (asked["html"] is not None and level != OF_PAGES,
             f"--html has intervals of {100 * OF_PAGES:g}% only: leave out --level {level:g}, or "
             "write the page in another run"),
        ]  # fmt: skip
    rules.append((asked["publish"] and request.counts is None,
                  "--with-own-counts is about --counts FILE"))  # fmt: skip
    for wrong, text in rules:
        if wrong:
            raise click.UsageError(text)


def _check_save(folder: Path | None, replace: bool, *files: tuple[str, Path | None]) -> None:
    """Refuse a folder for a forecast that holds one already, or something else."""
    from odforecast.forecast import file

    if folder is None:
        if replace:
            raise click.UsageError("--replace is about --save DIR")
        return
    opt.check_room(folder, "--save", folder=True)
    found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    # As Forecast.save looks at it: hidden files are those of a writer that was killed.
    known = [x for x in found if x == file.INDEX or x[0] == "." or file.DATA.fullmatch(x)]
    if foreign := [x for x in found if x not in known]:
        raise click.UsageError(
            f"--save {folder} holds other things ({foreign[0]}); choose a folder of its own"
        )
    if file.INDEX in found and not replace:
        raise click.UsageError(f"--save {folder} holds a forecast already; add --replace")
    opt.check_apart("--save", folder, *files)


# States


def _states(
    request: Request, model: Model, level: float, rows: int, target: str, trend: bool,
    output_type: str, out: Path | None, publish: bool,
) -> tuple[Answer, Forecast]:  # fmt: skip
    """The answer for states, and the forecast of the places asked for."""
    panel, states = request.panel()
    whole = request.forecast(model, panel, states, request.ahead(panel))
    kept = there(whole, states) or list(states)
    made = whole.select(kept)
    chosen = [t for t in TARGETS if t in made.targets] if target == "both" else [target]
    for missing in set(TARGETS) - set(chosen) if target == "both" else ():
        note(f"{model.label} does not forecast {missing}")
    # A rate of New York needs the city's draws: tables are of the whole, places chosen last.
    summary = whole.summary(kept, level) if TARGET_12MO in chosen else None
    months = months_table(made, level) if TARGET_MONTH in chosen else None
    said = chosen[0] if len(chosen) == 1 else "both"
    data: dict[str, Any] = {"meta": about(made, panel, model, request.seed, said)}
    data["meta"]["level"] = level
    frame = months if summary is None else summary
    if summary is not None:
        # Where a December lies in the forecast, and a month within a year of the last count.
        december = (whole.months.astype(int) % 12 == 11).any()
        years = whole.years(kept, level) if december else None
        kinds = whole.trend(kept) if (whole.horizons <= 12).any() else None
        data |= {"summary": summary, "years": [] if years is None else years,
                 "trend": [] if kinds is None else kinds}  # fmt: skip
    if months is not None:
        data["months"] = months

    def text() -> str:
        """The screen: 12-month counts, or single months."""
        if summary is None:
            assert months is not None
            return _months_screen(made, panel, months, level, rows)
        return "\n\n".join(
            _screen(whole, made, panel, summary, level, rows, years, kinds if trend else None)
        )

    answer = Answer(text, data, frame)
    if not model.spec.corrects_delay:
        note(
            "the last months are incomplete when published (nationally 0.3 to 3.3% too low "
            f"at first); {model.label} takes them as reported, so it leans low"
        )

    def page(path: Path) -> None:
        """The page of the places asked for."""
        from odforecast.report.site import write_report

        places = None if request.locations == "all" else kept
        write_report(path, forecast=whole, locations=places, replace=True, own=publish)

    bands = (0.5, level) if level > 0.5 else (level,)
    answer.page, answer.figure = page, lambda: made.plot(bands=bands)
    if out is not None:
        from odforecast.hub import to_hub, write_hub

        hub = to_hub(made, targets=chosen, output_type=output_type, own=True)
        words = f"hub file: {out} ({len(hub):,} rows)"
        answer.files.append((lambda: write_hub(hub, out), words))
    of = set() if summary is None else set(summary["rate_of"]) - set(made.summary()["rate_of"])
    ctx = click.get_current_context()
    if of and (save := ctx.params.get("save")) is not None:
        note(
            f"{save} holds only the places asked for: the rate of New York and New York City "
            "together cannot be made from it; for that, save both (--locations NY,NYC)"
        )
    return answer, made


def _screen(
    whole: Forecast, made: Forecast, panel: Panel, summary: pd.DataFrame, level: float, rows: int,
    years: pd.DataFrame | None, kinds: pd.DataFrame | None,
) -> Iterator[str]:  # fmt: skip
    """The answer for the nation or the first place, the table, calendar years, the trend."""
    from odforecast.forecast.text import place_name, sentences
    from odforecast.forecast.trend import CATEGORIES

    first = "US" if "US" in made.locations else made.locations[0]
    # With own counts the year ahead may end later than twelve months after CDC's last.
    month = None if panel.own is None else made.months[-1]
    known, ahead, moved = sentences(whole, first, month=month)
    name = place_name(first)
    yield wrapped(f"{name[:1].upper()}{name[1:]}: {ahead[:1].lower()}{ahead[1:]} {moved}".strip())
    yield wrapped(known)
    single = len(made.locations) == 1
    table = single_table(summary) if single else main_table(summary, panel, rows)
    notes = [
        f"{panel.indicator}, as of {_day(made, panel)}. Each row is the death total for 12 months, "
        f"with a {100 * level:g}% interval, and the probability that it is lower than a year "
        "earlier. All forecasts are of final counts."
    ]
    if "*" in table:
        notes.append("*: rate of New York and New York City together.")
    more = "" if single else more_places(len(made.locations), rows)
    yield "\n".join(filter(None, [table, more, wrapped(" ".join(notes))]))
    if years is not None:
        yield "Calendar years"
        yield from years_tables(years, rows)
    if kinds is not None:
        yield "Probability of each trend, %"
        yield trend_table(kinds, rows, CATEGORIES)


def _day(made: Forecast, panel: Panel) -> str:
    """The date the data are seen from."""
    if panel.release == made.as_of:
        return str(made.as_of)
    return f"{made.as_of} (release {panel.release})"


_CELLS: dict[str, Callable[[Any], str]] = {
    "deaths": lambda row: count(row["low"], row["median"], row["high"]),
    "change on a\nyear before, %": lambda row: change(
        row["change_low"], row["change"], row["change_high"]
    ),
    "fall\n%": lambda row: share(row["fall"]),
    "per\n100,000": lambda row: _rate(row),
}


def main_table(table: pd.DataFrame, panel: Panel, rows: int) -> str:
    """The last month by place: CDC's counts, deaths, change on a year, chance of a fall, rate."""
    last = table["month"].max()
    ahead = table[table["month"] == last]
    ahead = ahead[ahead["location"].isin(_first(ahead["location"], rows))]
    records = ahead.to_dict("records")
    layers = {f"reported\n{panel.last_month}": panel.reported,
              f"CDC's\nestimate\n{panel.last_month}": panel.predicted}  # fmt: skip
    published = {head: [_published(panel, layer, row["location"]) for row in records]
                 for head, layer in layers.items()}  # fmt: skip
    cells = {"": [code(row["location"]) for row in records]}
    cells |= {head: column for head, column in published.items() if set(column) != {"–"}}
    return _table(cells, records, f"deaths in the 12\nmonths to {last:%Y-%m}")


def single_table(table: pd.DataFrame) -> str:
    """One place: the forecast of every third month, or of fewer where there are many."""
    ahead = table[table["horizon"] >= 1]
    step = next((x for x in (3, 6, 12) if len(ahead) <= x * MONTHS), 24)
    last = ahead["horizon"].max()
    records = ahead[(ahead["horizon"] % step == 0) | (ahead["horizon"] == last)].to_dict("records")
    return _table(
        {"12 months\nto": [f"{row['month']:%Y-%m}" for row in records]}, records, "deaths"
    )


def _table(cells: dict[str, list[str]], records: Sequence[Any], deaths: str) -> str:
    """The columns that every table of a forecast ends with."""
    for head, cell in _CELLS.items():
        cells[deaths if head == "deaths" else head] = [cell(row) for row in records]
    cells["per\n100,000"] = _starred(cells["per\n100,000"])
    return grid(list(cells), list(zip(*cells.values(), strict=True)))


def _published(panel: Panel, layer: Floats, place: str) -> str:
    """The last count of a layer, or a dash where nothing is published, or of a sum."""
    value = float(layer[panel.index(place), -1]) if place in panel.locations else float("nan")
    return "–" if value != value else f"{value:,.0f}"


def _first(places: pd.Series[str], rows: int) -> list[str]:
    every = list(dict.fromkeys(places))
    return every[:rows] if rows else every


def _wide(table: pd.DataFrame, by: str, values: Sequence[Any], rows: int) -> list[list[str]]:
    """A row for each place, and a count for each value of a column."""
    indexed = table.set_index(["location", by])[["low", "median", "high"]]
    places = _first(table["location"], rows)
    return [[code(p), *(count(*map(float, indexed.loc[(p, v)])) for v in values)] for p in places]


def years_tables(table: pd.DataFrame, rows: int) -> Iterator[str]:
    """Calendar years beside one another, three in a table."""
    known = dict(zip(table["year"], table["known"], strict=True))
    words = {0: "all forecast", 12: "all published"}
    every = list(known)
    for start in range(0, len(every), YEARS):
        some = every[start : start + YEARS]
        heads = [f"{y}\n{words.get(known[y], f'{known[y]} months published')}" for y in some]
        yield grid(["", *heads], _wide(table, "year", some, rows))


def trend_table(table: pd.DataFrame, rows: int, names: Sequence[str]) -> str:
    """Five categories of the last month that has them."""
    last = table["month"].max()
    ahead = table[table["month"] == last]
    ahead = ahead[ahead["location"].isin(_first(ahead["location"], rows))]
    heads = [
        f"change to\n{last:%Y-%m}, %", "stable\nup to", "large\nabove",
        *(name.replace("_", "\n") for name in names),
    ]  # fmt: skip
    cells = [
        [
            code(row["location"]),
            *("–" if row[t] != row[t] else f"{row[t]:.0f}%" for t in ("t1", "t2")),
            *(share(row[name]) for name in names),
        ]
        for row in ahead.to_dict("records")
    ]
    return grid(heads, cells)


def months_table(made: Forecast, level: float) -> pd.DataFrame:
    """Deaths in single months, one row per location and month: quantiles of the draws."""
    import pandas as pd

    from odforecast.geography import called

    low, middle, high = made.quantiles([(1 - level) / 2, 0.5, (1 + level) / 2], TARGET_MONTH)
    n, places = made.months.size, len(made.locations)
    return pd.DataFrame(
        {
            "location": np.repeat(np.array(made.locations, dtype=object), n),
            "name": np.repeat(np.array([called(s) for s in made.locations], dtype=object), n),
            "month": np.tile(made.months.astype("datetime64[s]"), places),
            "horizon": np.tile(made.horizons, places),
            "horizon_from_origin": np.tile(made.horizons_from_origin, places),
            "target": TARGET_MONTH,
            "level": level,
            "low": low.ravel(),
            "median": middle.ravel(),
            "high": high.ravel(),
        }
    )


def _months_screen(
    made: Forecast, panel: Panel, table: pd.DataFrame, level: float, rows: int
) -> str:
    """Two single months beside one another: the middle of the months ahead, and the last."""
    ahead = sorted(set(table.loc[table["horizon"] >= 1, "horizon"]))
    picks = sorted({ahead[max(1, len(ahead) // 2) - 1], ahead[-1]})
    month = dict(zip(table["horizon"], table["month"], strict=True))
    heads = [f"{far} month{'s' * (far > 1)} ahead\n{month[far]:%Y-%m}" for far in picks]
    title = wrapped(
        f"{panel.indicator} as of {_day(made, panel)}, in the month shown: median and "
        f"{100 * level:g}% interval"
    )
    shown = f"{title}\n\n{grid(['', *heads], _wide(table, 'horizon', picks, rows))}"
    return "\n".join(filter(None, [shown, more_places(len(made.locations), rows)]))


# Counties


def _counties(
    request: Request, model: Model, level: float, rows: int, population: Path | None,
    rank: int | None, exact: bool,
) -> tuple[Answer, Forecast]:  # fmt: skip
    """The answer for counties, and the forecast of those asked for."""
    from odforecast.sources.census import read_population

    panel, places = _open_counties(request)
    part = _to_fit(model, panel, places)
    if population is not None:
        # Of those that are fitted: nobody asked for whom the others lack.
        part = part.with_population(read_population(population))
    whole = request.forecast(model, part)
    made = whole.select(there(whole, places) or list(places))
    table = made.counties(level=level, exact=exact)
    by: By = "deaths" if population is None else "rate"
    last = made.months[-1]
    hot = None if rank is None else made.ranking(rank, by=by, month=last, exact=exact)
    meta = about(made, part, model, request.seed, TARGET_12MO)
    meta |= {"dataset": COUNTIES, "level": level, "exact": exact}
    data = {"meta": meta, "counties": table} | ({} if hot is None else {"ranking": hot})

    def page(path: Path) -> None:
        """The page of these counties."""
        from odforecast.report.site import write_county_page

        write_county_page(path, made, k=rank or 10, month=last, replace=True)

    # Of the month that the table shows, however far ahead.
    of: dict[str, Any] = {"month": last} if len(made.locations) > 1 else {}
    answer = Answer(
        lambda: "\n\n".join(_county_screen(made, part, table, hot, level, rows, exact, rank or 0)),
        data, table, lambda: made.plot(**of), page,
    )  # fmt: skip
    return answer, made


def _open_counties(request: Request) -> tuple[Panel, tuple[str, ...]]:
    """The panel of counties of a day, and the counties asked for.

    A file of counties has no states in it: those of the day come from the reader's own releases,
    with the bundled ones beneath.
    """
    from odforecast.geography import resolve

    if request.source in (None, BUNDLED):
        panel = request.releases.as_of(request.as_of, COUNTIES).panel(dataset=COUNTIES)
        click.echo(f"release {panel.release} of counties, through {panel.last_month}", err=True)
        say_age(panel.release, request.as_of, COUNTIES)
        for text in panel.notes:
            note(text)
    else:
        panel = _county_file(request, request.source)
    states = panel.beside[STATES]
    if states.last_month > panel.last_month:
        note(
            f"the states' counts are known to {states.last_month} (release {states.release}), and "
            "the counties' forecasts follow them"
        )
    return panel, resolve(request.locations, panel.locations)


def _county_file(request: Request, source: str) -> Panel:
    """The panel of a file of counties."""
    from odforecast.errors import DataError
    from odforecast.sources.county import read_county
    from odforecast.vintage.vintage import county_panel

    if request.archive is not None:
        raise click.UsageError("give --archive or --source, not both")
    loaded = read_county(source)
    releases = open_source()
    last = max(releases.last_seen or loaded.release, loaded.release)
    vintage = releases.as_of(request.as_of or last)
    if loaded.release > vintage.as_of:
        raise DataError(
            f"{source} was released on {loaded.release}, after {vintage.as_of}",
            hint="give a later --as-of, or an earlier file",
        )
    say_release(vintage, request.as_of)
    click.echo(f"release {loaded.release} of counties, from {source}", err=True)
    for text in loaded.notes:
        note(text)
    return county_panel(loaded.table, vintage.as_of, vintage.panel())


def _to_fit(model: Model, panel: Panel, places: Sequence[str]) -> Panel:
    """What a model is fitted to: all counties, the states asked for whole, or those asked for."""
    from odforecast.geography.places import by_fips

    if model.spec.by is None or set(places) == set(panel.locations):
        return panel
    if model.spec.by == "state":
        states = {by_fips()[s].state for s in places}
        places = [s for s in panel.locations if by_fips()[s].state in states]
    return panel.select(places)


def _county_screen(
    made: Forecast, panel: Panel, table: pd.DataFrame, hot: pd.DataFrame | None, level: float,
    rows: int, exact: bool, rank: int,
) -> Iterator[str]:  # fmt: skip
    """The answer for the county with the most deaths, the table, and the ranking."""
    from odforecast.forecast.tables import published_on
    from odforecast.forecast.text import place_name, sentences
    from odforecast.say import day_name, deaths_of

    rates = bool(table["rate"].notna().any())
    shown = largest_first(table)
    first = str(shown["location"].iloc[0])
    known, ahead, moved = sentences(made, first, month=shown["month"].iloc[0])
    of = f", the highest of {len(shown):,} counties" if len(shown) > 1 else ""
    yield wrapped(f"{place_name(first)}{of}: {ahead[:1].lower()}{ahead[1:]} {moved}".strip())
    yield wrapped(known)
    what = deaths_of(panel.indicator)
    day = day_name(published_on(made))
    yield wrapped(f"{what[:1].upper()}{what[1:]} by county of residence, release of {day}")
    few = shown.head(rows) if rows else shown
    notes = [
        "more: probability of more deaths than 12 months before (– if that count is hidden). 0, "
        "1–9, 10+: probability of so many deaths.",
        f"--exact shows the model's numbers below {SMALL}, which are not for publication."
        if exact
        else f"Counts below {SMALL} are hidden, in the release and here.",
        "The 50% interval is in --table and --json." if rates else "",
        "*: a rate of fewer than 20 deaths, mostly chance." if rates and few["few"].any() else "",
    ]
    yield "\n".join(
        filter(None, [
            county_table(few, panel, level, rates, exact),
            more_places(len(shown), rows, "counties"),
            wrapped(" ".join(filter(None, notes))),
        ])
    )  # fmt: skip
    if hot is not None:
        top = hot.iloc[0]
        which = f"{top['k']} highest {'rates' if top['by'] == 'rate' else 'counts'}"
        yield wrapped(f"Probability of being among the {which}, 12 months to {top['month']:%Y-%m}")
        yield ranking_table(hot.head(rank))


def largest_first(table: pd.DataFrame) -> pd.DataFrame:
    """The last month of each county, the largest median first, then by FIPS."""
    last: pd.DataFrame = table[table["month"] == table["month"].max()]
    return last.sort_values(
        ["median", "p_ten", "location"], ascending=[False, False, True], ignore_index=True
    )


def county_table(
    few: pd.DataFrame, panel: Panel, level: float, rates: bool, exact: bool = False
) -> str:
    """County, last count, median, intervals, chances, rate; counts below 10 as ranges."""
    from odforecast.geography.places import by_fips

    records = few.to_dict("records")
    counties = [by_fips()[str(row["location"])] for row in records]
    several = len({county.state for county in counties}) > 1
    names = []
    for county in counties:  # a city that is none keeps its kind: a county may have its name
        name = county.name if county.name.endswith(" city") else county.short
        alone = not several or county.label == county.name
        names.append(name if alone else f"{name}, {code(county.state)}")

    def number(value: float, row: Any) -> str:
        """No finer than the wide interval."""
        step = step_of(0.0 if row["low"] != row["low"] else row["low"], row["high"])
        if value != value:
            return f"<{SMALL}"
        return rounded(value, step) if exact else ranged(value, step)

    def interval(low: str, high: str) -> list[str]:
        """Its ends; below 10 as a range, which a table has as nothing."""
        ends = [(number(row[low], row), number(row[high], row)) for row in records]
        return [last if first == last else f"{first}–{last}" for first, last in ends]

    month = f"{few['month'].max():%Y-%m}"
    cells = {
        "": names,
        f"reported\n{panel.last_month}": [str(row["last"]) or "–" for row in records],
        f"{month}\nmedian": [number(row["median"], row) for row in records],
        "50%": interval("low_50", "high_50"),
        f"{100 * level:g}%": interval("low", "high"),
    }
    chances = {"more\n%": "rise", "0\n%": "p_zero", "1–9\n%": "p_hidden", "10+\n%": "p_ten"}
    cells |= {head: [share(row[name]) for row in records] for head, name in chances.items()}
    if rates:
        del cells["50%"]
        cells["per\n100,000"] = _starred([_rate(row, 0) for row in records])
    room = width() - sum(
        2 + max(len(text) for cell in (*head.split("\n"), *column) for text in [cell])
        for head, column in cells.items()
        if head
    )
    room = max(room, 16)
    cells[""] = [name if len(name) <= room else f"{name[: room - 1]}…" for name in names]
    return grid(list(cells), list(zip(*cells.values(), strict=True)))


def _rate(row: Any, digits: int = 1) -> str:
    """A rate, with a star where it is mostly chance, or that of two places together."""
    star = "*" * bool(row["few"] if "few" in row else "+" in row["rate_of"])
    return "–" if row["rate"] != row["rate"] else f"{row['rate']:.{digits}f}{star}"


def _starred(rates: list[str]) -> list[str]:
    """Rates under each other: a star has the room of a digit."""
    if not any(rate.endswith("*") for rate in rates):
        return rates
    return [x if x.endswith("*") else f"{x} " for x in rates]


def ranking_table(hot: pd.DataFrame) -> str:
    """The counties most likely to be among the highest, and whether they rise."""
    records = hot.to_dict("records")
    cells = {
        "": [str(row["name"]) for row in records],
        "among\nthem, %": [share(row["among"]) for row in records],
        "rising\n%": [share(row["rising"]) for row in records],
        "deaths,\nmedian": [
            f"<{SMALL}" if row["deaths"] != row["deaths"] else rounded(row["deaths"])
            for row in records
        ],
    }
    if hot["rate"].notna().any():
        cells["per\n100,000"] = [_rate(row, 0) for row in records]
    return grid(list(cells), list(zip(*cells.values(), strict=True)))
