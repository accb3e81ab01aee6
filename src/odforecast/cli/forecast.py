"""``odforecast forecast`` and ``nowcast``: to a screen, tables, figures and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import odforecast as od
from odforecast import names
from odforecast.cli import options as opt
from odforecast.cli import screen
from odforecast.cli import source as sources
from odforecast.cli.answer import Answer
from odforecast.cli.screen import Column, code, lay, more_places, note, share, text_of, wrapped
from odforecast.cli.source import COUNTS, about, how, make, own_panel, request_options, there
from odforecast.errors import DataError
from odforecast.names import COUNTIES, TARGET_MONTH, TARGETS
from odforecast.say import SMALL, capital, day_name, deaths_of, rounded, step_of

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.models import Model

#: Calendar years beside one another, and rows of the table of a single place.
YEARS = 3
MONTHS = 8
#: What to do with a forecast.
_KEEP = "To save it: --table FILE.csv, --plot FILE.png or --html FILE.html"


@opt.command()
@request_options()
@opt.together(
    opt.DATASET,
    COUNTS,
    opt.horizon(),
    opt.LEVEL,
    opt.TARGET,
    opt.POPULATION,
    opt.what(
        "--rank K",
        type=click.IntRange(min=1),
        more=True,
        help="For counties, add the probability of being among the K highest: by count, or by "
        "rate with --population.",
    ),
    opt.output(
        "--exact",
        more=True,
        help="For counties, show numbers below 10 too. Not for publication.",
    ),
    opt.TABLE,
    opt.PLOT,
    opt.HTML,
    opt.JSON,
    opt.ROWS_SHOWN,
    opt.out(f"Write a hub file: {', '.join(opt.HUB_FILES)}.", opt.HUB_FILES, more=True),
    opt.output(
        "--output-type",
        type=click.Choice(["quantile", "sample", "pmf"]),
        default="quantile",
        more=True,
        about="out",
        help="What the hub file holds: quantiles, draws, or the trend.",
    ),
    opt.output(
        "--save DIR",
        more=True,
        writes=(),
        help="Save the forecast with its draws, for od.load_forecast.",
    ),
    opt.replace("save"),
    sources.PUBLISH,
)
@click.pass_context
def forecast(
    ctx: click.Context,
    dataset: str,
    level: float,
    rows: int,
    target: str,
    population: Path | None,
    rank: int | None,
    exact: bool,
    out: Path | None,
    output_type: str,
    save: Path | None,
    replace: bool,
    publish: bool,
) -> Answer:
    """Forecast overdose deaths from the data known on a date.

    PLACE is a state, the US or New York City, by any of its names; without one, all states are
    shown. For counties: --dataset counties "Ohio/*".

    The first line is the answer: the forecast, its 90% interval, and the probability of a fall.
    """
    counties = dataset == COUNTIES
    name = opt.given("model")
    if counties and not opt.was_given("model"):
        name = names.DEFAULT_COUNTY_MODEL
    asked = {x: ctx.params[x] for x in ("out", "table", "plot", "html")}
    model = od.get_model(name)
    _check(model, ctx.params)
    if save is not None:
        from odforecast.forecasts import file

        ours = rf"{file.INDEX}|\..*|{file.DATA.pattern}"
        opt.check_folder("--save", save, replace=replace, what="a forecast", ours=ours)
        opt.check_apart("--save", save, *((f"--{name}", path) for name, path in asked.items()))
    sources.check_local(("--out", out), ("--html", asked["html"]))
    if counties:
        answer, made = _counties(
            model,
            level,
            rows=rows,
            population=population,
            rank=rank,
            exact=exact,
        )
    else:
        answer, made = _states(model, level, rows=rows, target=target, publish=publish, save=save)
        if out is not None:
            targets = [t for t in TARGETS if t in made.targets and target in (t, "both")]
            hub = od.to_hub(
                made,
                targets=targets,
                output_type=output_type,
                own=True,
            )
            words = f"hub file: {out} ({len(hub):,} rows)"
            answer.files.append((lambda: od.write_hub(hub, out), words))
    answer.notes = [how(made)]
    if save is not None:
        answer.files.insert(0, (lambda: made.save(save, overwrite=replace), f"forecast: {save}/"))
    if not (save or any(asked.values()) or ctx.params["as_json"]):
        answer.notes.append(_KEEP)
    return answer


def _check(model: Model, asked: Mapping[str, Any]) -> None:
    """Refuse options that do not go together, with what to do instead."""
    from odforecast.forecasts.text import LEVEL

    target = asked["target"]
    save = asked["save"]
    opt.check(
        (asked["publish"] and asked["counts"] is None, "--with-own-counts is about --counts FILE")
    )
    if asked["dataset"] == COUNTIES:
        opt.refuse(
            "is for states: leave it out with --dataset counties",
            "indicator",
            "target",
            "output_type",
            "out",
            "counts",
        )
        opt.check(
            (
                save is not None and not asked["exact"],
                "--save keeps the draws, and with them numbers below 10, which are not for "
                "publication: add --exact if the folder stays with you",
            ),
            (
                model.spec.dataset != COUNTIES,
                f"--model {model.label} is not for counties: "
                "odforecast models --all lists those that are",
            ),
        )
        return
    opt.refuse("is about counties: add --dataset counties", "population", "rank", "exact")
    if target == TARGET_MONTH:
        opt.refuse(
            f"shows 12-month counts: leave out --target {target}, or ask for both", "plot", "html"
        )
    opt.check(
        (
            target == TARGET_MONTH and asked["output_type"] == "pmf",
            f"--output-type pmf is for 12-month counts: leave out --target {target}",
        ),
        (
            target == "both" and asked["table"] is not None,
            "--table holds one target: leave out --target both, or ask for deaths_month in another "
            "run; --json and --out hold both",
        ),
        (
            asked["html"] is not None and asked["level"] != LEVEL,
            f"--html has intervals of {100 * LEVEL:g}% only: leave out --level "
            f"{asked['level']:g}, or "
            "write the page in another run",
        ),
        (
            model.spec.dataset == COUNTIES,
            f"--model {model.label} is about counties: add --dataset counties",
        ),
    )


# States


def _states(
    model: Model,
    level: float,
    rows: int,
    target: str,
    publish: bool,
    save: Path | None,
) -> tuple[Answer, od.Forecast]:
    """The answer for states, and the forecast of the places asked for."""
    from odforecast.forecasts.tables import frame_of

    panel, states = own_panel()
    whole = make(model, panel, states=states, horizon=sources.ahead(panel))
    kept = there(whole, states)
    made = whole.select(kept)
    chosen = [t for t in TARGETS if t in made.targets] if target == "both" else [target]
    for missing in set(TARGETS) - set(chosen) if target == "both" else ():
        note(f"{model.label} does not forecast {missing}")
    data: dict[str, Any] = {
        "meta": about(made, panel, target=chosen[0] if len(chosen) == 1 else "both")
        | {"level": level}
    }
    if names.TARGET_12MO in chosen:
        # A rate of New York needs the city's draws: tables are of the whole, places chosen last.
        data["summary"] = whole.summary(kept, level)
        # Where a December lies in the forecast, and a month within a year of the last count.
        december = (whole.months.astype(int) % 12 == 11).any()
        data["years"] = whole.years(kept, level) if december else []
        data["trend"] = whole.trend(kept) if (whole.horizons <= 12).any() else []
        if save and set(data["summary"]["rate_of"]) - set(made.summary()["rate_of"]):
            note(
                f"{save} holds only the places asked for: the rate of New York and New York City "
                "together cannot be made from it; for that, save both "
                "(--locations NY,NYC)"
            )
    if TARGET_MONTH in chosen:
        ends = made.quantiles([(1 - level) / 2, 0.5, (1 + level) / 2], TARGET_MONTH)
        columns = {"target": TARGET_MONTH, "level": level}
        data["months"] = frame_of(made, columns | dict(zip(("low", "median", "high"), ends)))
    if not model.spec.corrects_delay:
        note(
            "the last months are incomplete when published (nationally 0.3 to 3.3% too low at "
            f"first); {model.label} takes them as reported, so it leans low"
        )

    def text() -> str:
        """The screen: 12-month counts, or single months."""
        if "summary" not in data:
            return _months_screen(made, panel, table=data["months"], rows=rows)
        return "\n\n".join(_screen(whole, made, panel=panel, data=data, rows=rows))

    def page(path: Path) -> None:
        """The page of the places asked for."""
        from odforecast.report.site import write_report

        places = None if opt.given("locations") == "all" else kept
        write_report(
            path,
            forecast=whole,
            locations=places,
            replace=True,
            own=publish,
        )

    bands = (0.5, level) if level > 0.5 else (level,)
    frame = data.get("summary", data.get("months"))
    return Answer(text, data, frame=frame, figure=lambda: made.plot(bands=bands), page=page), made


def _screen(
    whole: od.Forecast,
    made: od.Forecast,
    panel: od.Panel,
    data: Mapping[str, Any],
    rows: int,
) -> Iterator[str]:
    """The answer for the nation or the first place, the table, and calendar years."""
    from odforecast.forecasts.text import own_of

    first = "US" if "US" in made.locations else made.locations[0]
    yield from _first_lines(whole, first)
    single = len(made.locations) == 1
    table = (
        single_table(data["summary"]) if single else main_table(data["summary"], panel, rows=rows)
    )
    words = (
        f"{panel.indicator}, as of {_day(made, panel)}. Each row is the death total for 12 months, "
        f"with a {100 * data['meta']['level']:g}% interval, and the probability that it is lower "
        f"than a year earlier. All forecasts are of final counts{_with(own_of(made))}."
        + " *: rate of New York and New York City together."
        * ("*" in table)
    )
    yield _ended(table, "" if single else more_places(len(made.locations), rows), words=words)
    if len(data["years"]):
        yield "Calendar years"
        yield from years_tables(data["years"], rows)


def _first_lines(
    made: od.Forecast,
    place: str,
    among: str = "",
    month: Any = None,
) -> tuple[str, str]:
    """The forecast of a place in a sentence, and what is known of it."""
    from odforecast.forecasts.text import place_name, sentences

    known, ahead, moved = sentences(made, place, month=month)
    name = f"{capital(place_name(place))}{among}"
    return wrapped(f"{name}: {ahead[:1].lower()}{ahead[1:]} {moved}".strip()), wrapped(known)


def _ended(table: str, more: str, words: str) -> str:
    """A table, how many places it leaves out, and what it shows."""
    return "\n".join(filter(None, [table, more, wrapped(words)]))


def _with(own: str) -> str:
    """That numbers rest on own counts, in a sentence."""
    return f", with {own}" if own else ""


def _day(made: od.Forecast, panel: od.Panel) -> str:
    """The date the data are seen from."""
    same = panel.release == made.as_of
    return str(made.as_of) if same else f"{made.as_of} (release {panel.release})"


def _interval(row: Any) -> str:
    """A count with its interval."""
    return screen.count(row["low"], row["median"], high=row["high"])


def _rate(row: Any, digits: int = 1) -> str:
    """A rate, with a star where it is mostly chance, or that of two places together."""
    star = "*" * bool(row["few"] if "few" in row else "+" in row["rate_of"])
    return "–" if row["rate"] != row["rate"] else f"{row['rate']:.{digits}f}{star}"


_PLACE = text_of("", lambda row: code(row["location"]))
_MONTH = text_of("12 months\nto", lambda row: f"{row['month']:%Y-%m}")
_FORECAST = (
    Column(
        "change on a\nyear before, %",
        lambda row: screen.change(row["change_low"], row["change"], high=row["change_high"]),
    ),
    Column("fall\n%", "fall", form=share),
    Column("per\n100,000", _rate),
)


def main_table(table: pd.DataFrame, panel: od.Panel, rows: int) -> str:
    """The last month by place: CDC's counts, deaths, change on a year, chance of a fall, rate."""
    last = table["month"].max()
    columns = [_PLACE]
    for head, layer in (("reported", panel.reported), ("CDC's\nestimate", panel.predicted)):
        known = {s: f"{x:,.0f}" for s, x in zip(panel.locations, layer[:, -1]) if x == x}
        of = partial(_looked_up, known)
        columns.append(Column(f"{head}\n{panel.last_month}", of))
    columns.append(Column(f"deaths in the 12\nmonths to {last:%Y-%m}", _interval))
    return lay(_first(table[table["month"] == last], rows), [*columns, *_FORECAST])


def _looked_up(known: Mapping[str, str], row: Any) -> str:
    """The cell of a place; a dash where there is none."""
    return known.get(row["location"], "–")


def single_table(table: pd.DataFrame) -> str:
    """One place: the forecast of every third month, or of fewer where there are many."""
    ahead = table[table["horizon"] >= 1]
    step = next((x for x in (3, 6, 12) if len(ahead) <= x * MONTHS), 24)
    last = ahead["horizon"].max()
    shown = ahead[(ahead["horizon"] % step == 0) | (ahead["horizon"] == last)]
    return lay(shown, [_MONTH, Column("deaths", _interval), *_FORECAST])


def _first(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The rows of the first places of a table."""
    places = list(dict.fromkeys(table["location"]))
    return table[table["location"].isin(places[: rows or None])]


def _wide(table: pd.DataFrame, by: str, heads: Mapping[Any, str], rows: int) -> str:
    """A row for each place, and a count for each value of a column."""
    lines = [
        {"location": place, **dict(zip(part[by].astype(str), part.to_dict("records")))}
        for place, part in _first(table, rows).groupby("location", sort=False)
    ]
    columns = [Column(head, str(of), form=_interval) for of, head in heads.items()]
    return lay(lines, [_PLACE, *columns])


def years_tables(table: pd.DataFrame, rows: int) -> Iterator[str]:
    """Calendar years beside one another, three in a table."""
    words = {0: "all forecast", 12: "all published"}
    heads = [
        (year, f"{year}\n{words.get(known, f'{known} months published')}")
        for year, known in dict(zip(table["year"], table["known"])).items()
    ]
    for start in range(0, len(heads), YEARS):
        yield _wide(table, "year", heads=dict(heads[start : start + YEARS]), rows=rows)


def _months_screen(made: od.Forecast, panel: od.Panel, table: pd.DataFrame, rows: int) -> str:
    """Two single months beside one another: the middle of the months ahead, and the last."""
    from odforecast.forecasts.text import own_of

    ahead = sorted(set(table.loc[table["horizon"] >= 1, "horizon"]))
    month = dict(zip(table["horizon"], table["month"], strict=True))
    heads = {
        far: f"{far} month{'s' * (far > 1)} ahead\n{month[far]:%Y-%m}"
        for far in (ahead[max(1, len(ahead) // 2) - 1], ahead[-1])
    }
    title = wrapped(
        f"{panel.indicator} as of {_day(made, panel)}, in the month shown: median and "
        f"{100 * table['level'].iloc[0]:g}% interval{_with(own_of(made))}"
    )
    wide = _wide(table, "horizon", heads=heads, rows=rows)
    return _ended(f"{title}\n\n{wide}", more_places(len(made.locations), rows), words="")


# Counties


def _counties(
    model: Model,
    level: float,
    rows: int,
    population: Path | None,
    rank: int | None,
    exact: bool,
) -> tuple[Answer, od.Forecast]:
    """The answer for counties, and the forecast of those asked for."""
    from odforecast.geography import resolve
    from odforecast.sources.census import read_population

    panel = _county_panel()
    states = panel.beside[names.STATES]
    if states.last_month > panel.last_month:
        note(
            f"the states' counts are known to {states.last_month} (release {states.release}), and "
            "the counties' forecasts follow them"
        )
    places = resolve(opt.given("locations"), panel.locations)
    part = sources.to_fit(model, panel, places=places)
    if population is not None:
        # Of those that are fitted: nobody asked for whom the others lack.
        part = part.with_population(read_population(population))
    whole = make(model, part, states=part.locations)
    made = whole.select(there(whole, places))
    table = made.counties(level=level, exact=exact)
    last = made.months[-1]
    meta = about(made, part) | {"dataset": COUNTIES, "level": level, "exact": exact}
    data = {"meta": meta, "counties": table}
    if rank is not None:
        by: Any = "deaths" if population is None else "rate"
        data["ranking"] = made.ranking(
            rank,
            by=by,
            month=last,
            exact=exact,
        )

    def page(path: Path) -> None:
        """The page of these counties."""
        from odforecast.report.site import write_county_page

        write_county_page(
            path,
            made,
            k=rank or 10,
            month=last,
            replace=True,
        )

    # Of the month that the table shows, however far ahead.
    of: dict[str, Any] = {"month": last} if len(made.locations) > 1 else {}
    text = lambda: "\n\n".join(_county_screen(made, part, data=data, rows=rows))  # noqa: E731
    return Answer(text, data, frame=table, figure=lambda: made.plot(**of), page=page), made


def _county_panel() -> od.Panel:
    """The panel of counties of a day, or of a file.

    A file of counties has no states in it: those of the day come from the reader's own releases,
    with the bundled ones beneath.
    """
    from odforecast.sources.county import read_county
    from odforecast.vintage.vintage import county_panel

    source = opt.given("source")
    as_of = opt.given("as_of")
    if source in (None, sources.BUNDLED):
        panel = sources.open_source().as_of(as_of, COUNTIES).panel(dataset=COUNTIES)
        click.echo(f"release {panel.release} of counties, through {panel.last_month}", err=True)
        sources.say_age(panel.release, as_of, dataset=COUNTIES)
        for text in panel.notes:
            note(text)
        return panel
    opt.check((opt.given("archive") is not None, "give --archive or --source, not both"))
    loaded = read_county(source)
    releases = od.archive()
    last = max(releases.last_seen or loaded.release, loaded.release)
    vintage = releases.as_of(as_of or last)
    if loaded.release > vintage.as_of:
        raise DataError(
            f"{source} was released on {loaded.release}, after {vintage.as_of}",
            hint="give a later --as-of, or an earlier file",
        )
    sources.say_release(vintage, as_of)
    click.echo(f"release {loaded.release} of counties, from {source}", err=True)
    for text in loaded.notes:
        note(text)
    return county_panel(loaded.table, vintage.as_of, states=vintage.panel())


def _county_screen(
    made: od.Forecast,
    panel: od.Panel,
    data: Mapping[str, Any],
    rows: int,
) -> Iterator[str]:
    """The answer for the county with the most deaths, the table, and the ranking."""
    from odforecast.forecasts.tables import published_on

    shown = largest_first(data["counties"])
    exact = data["meta"]["exact"]
    rates = bool(shown["rate"].notna().any())
    of = f", the highest of {len(shown):,} counties" if len(shown) > 1 else ""
    yield from _first_lines(
        made,
        str(shown["location"].iloc[0]),
        among=of,
        month=shown["month"].iloc[0],
    )
    yield wrapped(
        f"{capital(deaths_of(panel.indicator))} by county of residence, release of "
        f"{day_name(published_on(made))}"
    )
    few = shown.head(rows or len(shown))
    notes = [
        "more: probability of more deaths than 12 months before (– if that count is hidden). 0, "
        "1–9, 10+: probability of so many deaths.",
        f"--exact shows the model's numbers below {SMALL}, which are not for publication."
        if exact
        else f"Counts below {SMALL} are hidden, in the release and here.",
        "The 50% interval is in --table and --json." if rates else "",
        "*: a rate of fewer than 20 deaths, mostly chance." if rates and few["few"].any() else "",
    ]
    table = county_table(few, panel, level=data["meta"]["level"], rates=rates, exact=exact)
    yield _ended(
        table,
        more_places(len(shown), rows, what="counties"),
        words=" ".join(filter(None, notes)),
    )
    if (hot := data.get("ranking")) is not None:
        top = hot.iloc[0]
        which = f"{top['k']} highest {'rates' if top['by'] == 'rate' else 'counts'}"
        yield wrapped(f"Probability of being among the {which}, 12 months to {top['month']:%Y-%m}")
        yield lay(hot.head(top["k"]), _RANKING)


_COUNTY_RATE = Column("per\n100,000", lambda row: _rate(row, 0))
_RANKING = (
    text_of("", "name"),
    Column("among\nthem, %", "among", form=share),
    Column("rising\n%", "rising", form=share),
    Column("deaths,\nmedian", lambda row: rounded(x) if (x := row["deaths"]) == x else f"<{SMALL}"),
    _COUNTY_RATE,
)


def largest_first(table: pd.DataFrame) -> pd.DataFrame:
    """The last month of each county, the largest median first, then by FIPS."""
    last: pd.DataFrame = table[table["month"] == table["month"].max()]
    return last.sort_values(
        ["median", "p_ten", "location"],
        ascending=[False, False, True],
        ignore_index=True,
    )


def county_table(
    few: pd.DataFrame,
    panel: od.Panel,
    level: float,
    rates: bool,
    exact: bool = False,
) -> str:
    """County, last count, median, intervals, chances, rate; counts below 10 as ranges."""
    from odforecast.geography.places import by_fips

    counties = [by_fips()[str(place)] for place in few["location"]]
    several = len({county.state for county in counties}) > 1
    names = []
    for county in counties:  # a city that is none keeps its kind: a county may have its name
        name = county.name if county.name.endswith(" city") else county.short
        alone = not several or county.label == county.name
        names.append(name if alone else f"{name}, {code(county.state)}")

    def number(value: float, row: Any) -> str:
        """No finer than the wide interval; below 10 as a range, which a table has as nothing."""
        step = step_of(0.0 if row["low"] != row["low"] else row["low"], row["high"])
        hidden = value != value or (value < SMALL and not exact)
        return f"<{SMALL}" if hidden else rounded(value, step)

    def between(low: str, high: str) -> Any:
        """The ends of an interval."""
        return lambda row: "–".join(dict.fromkeys([number(row[x], row) for x in (low, high)]))

    chances = {"more": "rise", "0": "p_zero", "1–9": "p_hidden", "10+": "p_ten"}
    middle = [Column("50%", between("low_50", "high_50"))]
    columns = [
        Column(f"reported\n{panel.last_month}", lambda row: str(row["last"]) or "–"),
        Column(f"{few['month'].max():%Y-%m}\nmedian", lambda row: number(row["median"], row)),
        *([] if rates else middle),
        Column(f"{100 * level:g}%", between("low", "high")),
        *(Column(f"{head}\n%", name, form=share) for head, name in chances.items()),
        *([_COUNTY_RATE] if rates else []),
    ]
    room = max(screen.width() - max(map(len, lay(few, columns).splitlines())) - 2, 16)
    shown = [name if len(name) <= room else f"{name[: room - 1]}…" for name in names]
    return lay(few.assign(county=shown), [text_of("", "county"), *columns])


# Completed counts


@opt.command()
@request_options()
@opt.together(
    COUNTS,
    opt.what(
        "--months N",
        default=1,
        type=click.IntRange(1, 12),
        help="How many of the last twelve counts to show.",
    ),
    opt.LEVEL,
    opt.TABLE,
    opt.PLOT,
    opt.JSON,
    opt.ROWS_SHOWN,
)
def nowcast(level: float, months: int, rows: int) -> Answer:
    """Estimate the final value of the most recent counts.

    The last counts of a release are too low because deaths are still being reported. The table
    compares the reported 12-month count, the estimated final count with its interval, and CDC's
    own predicted value.
    """
    from odforecast.forecasts.text import own_of, sentences

    model = od.get_model(opt.given("model"))
    panel, states = own_panel()
    # As far ahead as the forecast command: the same draws, so both say the same of these months.
    ahead = (
        None if opt.given("until") else sources.ahead(panel, said=False) or names.DEFAULT_HORIZON
    )
    whole = make(model, panel, states=states, horizon=ahead)
    made = whole.select(there(whole, states))
    found = made.nowcast(level=level)

    def text() -> str:
        """The last count in a sentence, the table, and what its columns are."""
        last = found.loc[found["horizon"] == 0, "location"].tolist()
        table = _ended(
            _nowcast_table(_first(found[found["horizon"] > -months], rows)),
            more_places(len(made.locations), rows),
            words=f"{panel.indicator}, as of {made.as_of}: totals for the 12 months ending in the "
            f"month shown. Final: the count 12 or more months later{_with(own_of(made))}. CDC: its "
            "predicted value; adjusted: without its usual error. Received: CDC's percentage of "
            "records received, those still pending included.",
        )
        said = [wrapped(sentences(made, "US" if "US" in last else x)[0]) for x in last[:1]]
        return "\n\n".join([*said, table])

    def figure() -> Any:
        """Reported, estimated and CDC's predicted counts."""
        from odforecast.plot.series import nowcast_figure

        given = _with(own_of(made)).removeprefix(", ")
        return nowcast_figure(found, panel.to_frame(), indicator=panel.indicator, given=given)

    data = {"meta": about(made, panel) | {"level": level}, "nowcast": found}
    return Answer(text, data, frame=found, figure=figure, notes=[how(made)])


def _number(row: Any, name: str) -> str:
    """A number no finer than its interval, as in the forecast; a dash where there is none."""
    step = 1.0 if name in ("reported", "predicted") else step_of(row["low"], row["high"])
    return "–" if row[name] != row[name] else rounded(row[name], step)


def _nowcast_table(table: pd.DataFrame) -> str:
    """A row per place and month; columns of which nothing is published are left out."""
    many = bool((table["horizon"] < 0).any())
    columns = [
        _PLACE,
        *([_MONTH] if many else []),
        Column("reported" if many else f"reported\n{table['month'].iloc[0]:%Y-%m}", "reported"),
        Column("final", lambda row: _number(row, "median")),
        Column(
            f"{100 * float(table['level'].iloc[0]):g}%\ninterval",
            lambda row: f"{_number(row, 'low')}–{_number(row, 'high')}",
        ),
        Column("change", _moved),
        Column("CDC", "predicted"),
        Column("CDC,\nadjusted", "predicted_unbiased"),
        *([] if many else [Column("received\n%", "complete", form="{:z,.1f}")]),
    ]
    return lay(table, columns)


def _moved(row: Any) -> str:
    """How far a count moves, to the step of its interval."""
    step = step_of(row["low"], row["high"])
    moved = row["revision"]
    return "–" if moved != moved else f"{round(moved / step) * step:+z,.0f}"
