"""``odforecast forecast`` and ``nowcast``: to a screen, tables, figures and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace as with_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import odforecast as od
from odforecast import names
from odforecast.cli import options as opt
from odforecast.cli import screen
from odforecast.cli import source as sources
from odforecast.cli.answer import Answer, Output
from odforecast.cli.screen import (
    Column,
    code,
    lay,
    more_places,
    note,
    share,
    text_of,
    wrapped,
)
from odforecast.cli.source import Data, OwnCounts, Request, Simulation
from odforecast.errors import DataError
from odforecast.names import COUNTIES, STATES, TARGET_12MO, TARGET_MONTH, TARGETS
from odforecast.say import SMALL, capital, day_name, deaths_of, rounded, step_of

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.models import Model

#: Calendar years beside one another, and rows of the table of a single place.
YEARS = 3
MONTHS = 8
#: What to do with a forecast.
_SAVE_HINT = "To save it: --table FILE.csv, --plot FILE.png or --html FILE.html"


@opt.command()
@sources.request_options()
@opt.add_options(
    opt.DATASET,
    sources.COUNTS,
    opt.horizon(),
    opt.INTERVAL,
    opt.TARGET,
    opt.POPULATION,
    opt.what_option(
        "--rank K",
        type=click.IntRange(min=1),
        advanced=True,
        help="For counties, add the probability of being among the K highest: by count, or by "
        "rate with --population.",
    ),
    opt.output_option(
        "--exact",
        advanced=True,
        help="For counties, show numbers below 10 too. Not for publication.",
    ),
    opt.TABLE,
    opt.PLOT,
    opt.HTML,
    opt.JSON,
    opt.ROWS_SHOWN,
    opt.out(
        f"Write a hub file: {', '.join(opt.HUB_FILES)}.", opt.HUB_FILES, advanced=True
    ),
    opt.output_option(
        "--output-type",
        type=click.Choice(["quantile", "sample", "pmf"]),
        default="quantile",
        advanced=True,
        about="out",
        help="What the hub file holds: quantiles, draws, or the trend.",
    ),
    opt.output_option(
        "--save DIR",
        advanced=True,
        writes=(),
        help="Save the forecast with its draws, for od.load_forecast.",
    ),
    opt.replace("save"),
    sources.PUBLISH,
)
def forecast(
    request: Request,
    data: Data,
    simulation: Simulation,
    own_counts: OwnCounts,
    output: Output,
    dataset: str = STATES,
    level: float = opt.LEVEL,
    target: str = TARGET_12MO,
    population: Path | None = None,
    rank: int | None = None,
    exact: bool = False,
    rows: int = opt.ROWS,
    out: Path | None = None,
    output_type: Any = "quantile",
    save: Path | None = None,
    replace: bool = False,
    publish: bool = False,
    typed: tuple[str, ...] = (),
) -> Answer:
    """Forecast overdose deaths from the data known on a date.

    PLACE is a state, the US or New York City, by any of its names; without one, all states are
    shown. For counties: --dataset counties "Ohio/*".

    The first line is the answer: the forecast, its 90% interval, and the probability of a fall.
    """
    model = simulation.find_model(dataset)
    if publish and own_counts.counts is None:
        raise click.UsageError("--with-own-counts is about --counts FILE")
    if dataset == COUNTIES:
        _check_counties(model, typed, save=save, exact=exact)
    else:
        _check_states(
            model,
            typed,
            output=output,
            target=target,
            output_type=output_type,
            level=level,
        )
    files = {
        "--out": out,
        "--table": output.table,
        "--plot": output.plot,
        "--html": output.html,
    }
    if save is not None:
        from odforecast.forecasts import file

        pattern = rf"{file.INDEX}|\..*|{file.DATA.pattern}"
        opt.check_folder(
            "--save",
            save,
            replace=replace,
            content="a forecast",
            pattern=pattern,
        )
        opt.check_outside("--save", save, *files.items())
    sources.check_private(own_counts, publish, ("--out", out), ("--html", output.html))
    if dataset == COUNTIES:
        answer, selected = _county_answer(
            model,
            request,
            data=data,
            simulation=simulation,
            level=level,
            population=population,
            rank=rank,
            exact=exact,
            rows=rows,
        )
    else:
        answer, selected = _state_answer(
            model,
            request,
            data=data,
            simulation=simulation,
            own_counts=own_counts,
            level=level,
            target=target,
            rows=rows,
            publish=publish,
            save=save,
        )
    if out is not None:
        hub_rows = od.to_hub(
            selected,
            targets=[
                x for x in TARGETS if x in selected.targets and target in (x, "both")
            ],
            output_type=output_type,
            own=True,
        )
        line = f"hub file: {out} ({len(hub_rows):,} rows)"
        answer.files.append((lambda: od.write_hub(hub_rows, out), line))
    sources.say_warnings(selected)
    answer.notes = [sources.model_line(selected)]
    if save is not None:
        write = lambda: selected.save(save, overwrite=replace)  # noqa: E731
        answer.files.insert(0, (write, f"forecast: {save}/"))
    if not (save or output.as_json or any(files.values())):
        answer.notes.append(_SAVE_HINT)
    return answer


def _check_counties(
    model: Model,
    typed: Sequence[str],
    save: Path | None,
    exact: bool,
) -> None:
    """Refuse what does not go with a forecast of counties."""
    opt.refuse(
        typed,
        "is for states: leave it out with --dataset counties",
        "--indicator",
        "--target",
        "--output-type",
        "--out",
        "--counts",
    )
    if save is not None and not exact:
        raise click.UsageError(
            "--save keeps the draws, and with them numbers below 10, which are not for "
            "publication: add --exact if the folder stays with you"
        )
    if model.spec.dataset != COUNTIES:
        raise click.UsageError(
            f"--model {model.label} is not for counties: "
            "odforecast models --all lists those that are"
        )


def _check_states(
    model: Model,
    typed: Sequence[str],
    output: Output,
    target: str,
    output_type: str,
    level: float,
) -> None:
    """Refuse what does not go with a forecast of states."""
    from odforecast.forecasts.text import LEVEL

    county_options = ("--population", "--rank", "--exact")
    opt.refuse(typed, "is about counties: add --dataset counties", *county_options)
    if target == TARGET_MONTH:
        reason = f"shows 12-month counts: leave out --target {target}, or ask for both"
        opt.refuse(typed, reason, "--plot", "--html")
        if output_type == "pmf":
            raise click.UsageError(
                f"--output-type pmf is for 12-month counts: leave out --target {target}"
            )
    if target == "both" and output.table is not None:
        raise click.UsageError(
            "--table holds one target: leave out --target both, or ask for deaths_month in another "
            "run; --json and --out hold both"
        )
    if output.html is not None and level != LEVEL:
        raise click.UsageError(
            f"--html has intervals of {100 * LEVEL:g}% only: leave out --level {level:g}, or "
            "write the page in another run"
        )
    if model.spec.dataset == COUNTIES:
        raise click.UsageError(
            f"--model {model.label} is about counties: add --dataset counties"
        )


# States


def _state_answer(
    model: Model,
    request: Request,
    data: Data,
    simulation: Simulation,
    own_counts: OwnCounts,
    level: float,
    target: str,
    rows: int,
    publish: bool,
    save: Path | None,
) -> tuple[Answer, od.Forecast]:
    """The answer for states, and the forecast of the places asked for."""
    panel, places = sources.open_panel(data.open(), request, as_of=data.as_of)
    panel = sources.add_counts(panel, own_counts, as_of=data.as_of, places=places)
    whole = sources.make_forecast(
        model,
        panel,
        places=places,
        request=sources.extend_horizon(request, panel),
        simulation=simulation,
    )
    chosen = sources.forecast_places(whole, places)
    selected = whole.select(chosen)
    targets = [target]
    if target == "both":
        targets = [name for name in TARGETS if name in selected.targets]
        for name in set(TARGETS) - set(targets):
            note(f"{model.label} does not forecast {name}")
    meta = sources.forecast_meta(
        selected, panel, target=targets[0] if len(targets) == 1 else "both"
    )
    content: dict[str, Any] = {"meta": meta | {"level": level}}
    if TARGET_12MO in targets:
        content |= _year_tables(whole, chosen, level=level)
        rates = set(selected.summary()["rate_of"])
        if save and set(content["summary"]["rate_of"]) - rates:
            note(
                f"{save} holds only the places asked for: the rate of New York and New York City "
                "together cannot be made from it; for that, save both (--locations NY,NYC)"
            )
    if TARGET_MONTH in targets:
        content["months"] = _months_table(selected, level)
    if not model.spec.corrects_delay:
        note(
            "the last months are incomplete when published (nationally 0.3 to 3.3% too low at "
            f"first); {model.label} takes them as reported, so it leans low"
        )

    def text() -> str:
        """The screen: 12-month counts, or single months."""
        if "summary" not in content:
            return _months_screen(selected, panel, table=content["months"], rows=rows)
        return "\n\n".join(
            _screen(whole, selected, panel=panel, content=content, rows=rows)
        )

    def page(path: Path) -> None:
        """The page of the places asked for."""
        from odforecast.report.site import write_report

        write_report(
            path,
            forecast=whole,
            locations=None if request.locations == "all" else chosen,
            replace=True,
            own=publish,
        )

    bands = (0.5, level) if level > 0.5 else (level,)
    answer = Answer(
        text=text,
        data=content,
        frame=content.get("summary", content.get("months")),
        figure=lambda: selected.plot(bands=bands),
        page=page,
    )
    return answer, selected


def _year_tables(whole: od.Forecast, places: list[str], level: float) -> dict[str, Any]:
    """Tables of 12-month counts: each month, calendar years, and the trend.

    A rate of New York needs the city's draws: tables are of the whole, places chosen last.
    """
    tables: dict[str, Any] = {
        "summary": whole.summary(places, level),
        "years": [],
        "trend": [],
    }
    if (whole.months.astype(int) % 12 == 11).any():  # a December
        tables["years"] = whole.years(places, level)
    if (whole.horizons <= 12).any():
        tables["trend"] = whole.trend(places)
    return tables


def _months_table(selected: od.Forecast, level: float) -> pd.DataFrame:
    """Median and interval of single months."""
    from odforecast.forecasts.tables import frame_of

    levels = [(1 - level) / 2, 0.5, (1 + level) / 2]
    low, median, high = selected.quantiles(levels, TARGET_MONTH)
    columns = {
        "target": TARGET_MONTH,
        "level": level,
        "low": low,
        "median": median,
        "high": high,
    }
    return frame_of(selected, columns)


def _screen(
    whole: od.Forecast,
    selected: od.Forecast,
    panel: od.Panel,
    content: Mapping[str, Any],
    rows: int,
) -> Iterator[str]:
    """The answer for the nation or the first place, the table, and calendar years."""
    from odforecast.forecasts.text import own_of

    first = "US" if "US" in selected.locations else selected.locations[0]
    yield from _first_lines(whole, first)
    if len(selected.locations) == 1:
        table = single_table(content["summary"])
        hidden = ""
    else:
        table = main_table(content["summary"], panel, rows=rows)
        hidden = more_places(len(selected.locations), rows)
    text = (
        f"{panel.indicator}, as of {_day(selected, panel)}. Each row is the death total for 12 "
        f"months, with a {100 * content['meta']['level']:g}% interval, and the probability that "
        "it is lower than a year earlier. All forecasts are of final "
        f"counts{_with(own_of(selected))}."
    )
    if "*" in table:
        text += " *: rate of New York and New York City together."
    yield _ended(table, hidden, text=text)
    if len(content["years"]):
        yield "Calendar years"
        yield from years_tables(content["years"], rows)


def _first_lines(
    whole: od.Forecast,
    place: str,
    among: str = "",
    month: Any = None,
) -> tuple[str, str]:
    """The forecast of a place in a sentence, and what is known of it."""
    from odforecast.forecasts.text import place_name, sentences

    past, ahead, change = sentences(whole, place, month=month)
    name = f"{capital(place_name(place))}{among}"
    answer = f"{name}: {ahead[:1].lower()}{ahead[1:]} {change}".strip()
    return wrapped(answer), wrapped(past)


def _ended(table: str, hidden: str, text: str) -> str:
    """A table, how many places it leaves out, and what it shows."""
    return "\n".join(filter(None, [table, hidden, wrapped(text)]))


def _with(own_counts: str) -> str:
    """That numbers rest on own counts, in a sentence."""
    return f", with {own_counts}" if own_counts else ""


def _day(selected: od.Forecast, panel: od.Panel) -> str:
    """The date the data are seen from."""
    if panel.release == selected.as_of:
        return str(selected.as_of)
    return f"{selected.as_of} (release {panel.release})"


def _interval(row: Any) -> str:
    """A count with its interval."""
    return screen.count(row["low"], row["median"], high=row["high"])


def _rate(row: Any, digits: int = 1) -> str:
    """A rate, with a star where it is mostly chance, or that of two places together."""
    if row["rate"] != row["rate"]:
        return "–"
    starred = row["few"] if "few" in row else "+" in row["rate_of"]
    return f"{row['rate']:.{digits}f}{'*' if starred else ''}"


_PLACE = text_of("", lambda row: code(row["location"]))
_MONTH = text_of("12 months\nto", lambda row: f"{row['month']:%Y-%m}")
_FORECAST = (
    Column(
        "change on a\nyear before, %",
        lambda row: screen.change(
            row["change_low"], row["change"], high=row["change_high"]
        ),
    ),
    Column("fall\n%", "fall", form=share),
    Column("per\n100,000", _rate),
)


def main_table(table: pd.DataFrame, panel: od.Panel, rows: int) -> str:
    """The last month by place: CDC's counts, deaths, change on a year, chance of a fall, rate."""
    last = table["month"].max()
    columns = [
        _PLACE,
        _count_column("reported", panel, panel.reported),
        _count_column("CDC's\nestimate", panel, panel.predicted),
        Column(f"deaths in the 12\nmonths to {last:%Y-%m}", _interval),
        *_FORECAST,
    ]
    return lay(_first(table[table["month"] == last], rows), columns)


def _count_column(head: str, panel: od.Panel, layer: Any) -> Column:
    """The last counts of a layer of a panel, by place."""
    counts = dict(zip(panel.locations, layer[:, -1].tolist()))

    def cell(row: Any) -> str:
        """The count of a place; a dash where there is none."""
        count = counts.get(row["location"], float("nan"))
        return "–" if count != count else f"{count:,.0f}"

    return Column(f"{head}\n{panel.last_month}", cell)


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
    lines = []
    for place, part in _first(table, rows).groupby("location", sort=False):
        cells = dict(zip(part[by].astype(str), part.to_dict("records")))
        lines.append({"location": place, **cells})
    columns = [
        Column(head, str(value), form=_interval) for value, head in heads.items()
    ]
    return lay(lines, [_PLACE, *columns])


def years_tables(table: pd.DataFrame, rows: int) -> Iterator[str]:
    """Calendar years beside one another, three in a table."""
    words = {0: "all forecast", 12: "all published"}
    heads = []
    for year, months in dict(zip(table["year"], table["known"])).items():
        heads.append(
            (year, f"{year}\n{words.get(months, f'{months} months published')}")
        )
    for start in range(0, len(heads), YEARS):
        yield _wide(table, "year", heads=dict(heads[start : start + YEARS]), rows=rows)


def _months_screen(
    selected: od.Forecast, panel: od.Panel, table: pd.DataFrame, rows: int
) -> str:
    """Two single months beside one another: the middle of the months ahead, and the last."""
    from odforecast.forecasts.text import own_of

    horizons = sorted(set(table.loc[table["horizon"] >= 1, "horizon"]))
    months = dict(zip(table["horizon"], table["month"], strict=True))
    heads = {}
    for horizon in (horizons[max(1, len(horizons) // 2) - 1], horizons[-1]):
        plural = "s" if horizon > 1 else ""
        heads[horizon] = f"{horizon} month{plural} ahead\n{months[horizon]:%Y-%m}"
    title = wrapped(
        f"{panel.indicator} as of {_day(selected, panel)}, in the month shown: median and "
        f"{100 * table['level'].iloc[0]:g}% interval{_with(own_of(selected))}"
    )
    wide = _wide(table, "horizon", heads=heads, rows=rows)
    return _ended(
        f"{title}\n\n{wide}", more_places(len(selected.locations), rows), text=""
    )


# Counties


def _county_answer(
    model: Model,
    request: Request,
    data: Data,
    simulation: Simulation,
    level: float,
    population: Path | None,
    rank: int | None,
    exact: bool,
    rows: int,
) -> tuple[Answer, od.Forecast]:
    """The answer for counties, and the forecast of those asked for."""
    from odforecast.geography import resolve
    from odforecast.sources.census import read_population

    panel = _county_panel(data)
    states = panel.beside[STATES]
    if states.last_month > panel.last_month:
        note(
            f"the states' counts are known to {states.last_month} (release {states.release}), and "
            "the counties' forecasts follow them"
        )
    places = resolve(request.locations, panel.locations)
    panel = sources.to_fit(model, panel, places=places)
    if population is not None:
        # Of those that are fitted: nobody asked for whom the others lack.
        panel = panel.with_population(read_population(population))
    whole = sources.make_forecast(
        model,
        panel,
        places=panel.locations,
        request=request,
        simulation=simulation,
    )
    selected = whole.select(sources.forecast_places(whole, places))
    table = selected.counties(level=level, exact=exact)
    last = selected.months[-1]
    meta = sources.forecast_meta(selected, panel)
    content = {
        "meta": meta | {"dataset": COUNTIES, "level": level, "exact": exact},
        "counties": table,
    }
    if rank is not None:
        content["ranking"] = selected.ranking(
            rank,
            by="deaths" if population is None else "rate",
            month=last,
            exact=exact,
        )

    def figure() -> Any:
        """Several counties in the month that the table shows, however far ahead; one over time."""
        return (
            selected.plot(month=last)
            if len(selected.locations) > 1
            else selected.plot()
        )

    def page(path: Path) -> None:
        """The page of these counties."""
        from odforecast.report.site import write_county_page

        write_county_page(
            path,
            selected,
            k=rank or 10,
            month=last,
            replace=True,
        )

    answer = Answer(
        text=lambda: "\n\n".join(
            _county_screen(selected, panel, content=content, rows=rows)
        ),
        data=content,
        frame=table,
        figure=figure,
        page=page,
    )
    return answer, selected


def _county_panel(data: Data) -> od.Panel:
    """The panel of counties of a day, or of a file.

    A file of counties has no states in it: those of the day come from the reader's own releases,
    with the bundled ones beneath.
    """
    from odforecast.sources.county import read_county
    from odforecast.vintage.vintage import county_panel

    if data.source in (None, sources.BUNDLED):
        panel = data.open().as_of(data.as_of, COUNTIES).panel(dataset=COUNTIES)
        click.echo(
            f"release {panel.release} of counties, through {panel.last_month}", err=True
        )
        sources.say_age(panel.release, data.as_of, dataset=COUNTIES)
        for text in panel.notes:
            note(text)
        return panel
    if data.archive is not None:
        raise click.UsageError("give --archive or --source, not both")
    loaded = read_county(data.source)
    releases = od.archive()
    last = max(releases.last_seen or loaded.release, loaded.release)
    vintage = releases.as_of(data.as_of or last)
    if loaded.release > vintage.as_of:
        raise DataError(
            f"{data.source} was released on {loaded.release}, after {vintage.as_of}",
            hint="give a later --as-of, or an earlier file",
        )
    sources.say_release(vintage, data.as_of)
    click.echo(f"release {loaded.release} of counties, from {data.source}", err=True)
    for text in loaded.notes:
        note(text)
    return county_panel(loaded.table, vintage.as_of, states=vintage.panel())


def _county_screen(
    selected: od.Forecast,
    panel: od.Panel,
    content: Mapping[str, Any],
    rows: int,
) -> Iterator[str]:
    """The answer for the county with the most deaths, the table, and the ranking."""
    from odforecast.forecasts.tables import published_on

    table = largest_first(content["counties"])
    meta = content["meta"]
    rates = bool(table["rate"].notna().any())
    yield from _first_lines(
        selected,
        str(table["location"].iloc[0]),
        among=f", the highest of {len(table):,} counties" if len(table) > 1 else "",
        month=table["month"].iloc[0],
    )
    yield wrapped(
        f"{capital(deaths_of(panel.indicator))} by county of residence, release of "
        f"{day_name(published_on(selected))}"
    )
    head = table.head(rows or len(table))
    notes = [
        "more: probability of more deaths than 12 months before (– if that count is hidden). 0, "
        "1–9, 10+: probability of so many deaths."
    ]
    if meta["exact"]:
        notes.append(
            f"--exact shows the model's numbers below {SMALL}, which are not for publication."
        )
    else:
        notes.append(f"Counts below {SMALL} are hidden, in the release and here.")
    if rates:
        notes.append("The 50% interval is in --table and --json.")
        if head["few"].any():
            notes.append("*: a rate of fewer than 20 deaths, mostly chance.")
    yield _ended(
        county_table(
            head, panel, level=meta["level"], rates=rates, exact=meta["exact"]
        ),
        more_places(len(table), rows, kind="counties"),
        text=" ".join(notes),
    )
    ranking = content.get("ranking")
    if ranking is not None:
        top = ranking.iloc[0]
        kind = "rates" if top["by"] == "rate" else "counts"
        yield wrapped(
            f"Probability of being among the {top['k']} highest {kind}, 12 months to "
            f"{top['month']:%Y-%m}"
        )
        yield lay(ranking.head(top["k"]), _RANKING)


def _median(row: Any) -> str:
    """The median of a county; a table has a hidden one as nothing."""
    return f"<{SMALL}" if row["deaths"] != row["deaths"] else rounded(row["deaths"])


_COUNTY_RATE = Column("per\n100,000", lambda row: _rate(row, 0))
_RANKING = (
    text_of("", "name"),
    Column("among\nthem, %", "among", form=share),
    Column("rising\n%", "rising", form=share),
    Column("deaths,\nmedian", _median),
    _COUNTY_RATE,
)
_CHANCES = (
    Column("more\n%", "rise", form=share),
    Column("0\n%", "p_zero", form=share),
    Column("1–9\n%", "p_hidden", form=share),
    Column("10+\n%", "p_ten", form=share),
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
    table: pd.DataFrame,
    panel: od.Panel,
    level: float,
    rates: bool,
    exact: bool = False,
) -> str:
    """County, last count, median, intervals, chances, rate; counts below 10 as ranges."""

    def number(row: Any, name: str) -> str:
        """No finer than the wide interval; below 10 as a range, which a table has as nothing."""
        value = row[name]
        if value != value or (value < SMALL and not exact):
            return f"<{SMALL}"
        low = 0.0 if row["low"] != row["low"] else row["low"]
        return rounded(value, step_of(low, row["high"]))

    def interval(low: str, high: str) -> Callable[[Any], str]:
        """Both ends; once, where they are the same."""
        return lambda row: "–".join(
            dict.fromkeys([number(row, low), number(row, high)])
        )

    columns = [
        Column(f"reported\n{panel.last_month}", lambda row: str(row["last"]) or "–"),
        Column(
            f"{table['month'].max():%Y-%m}\nmedian", lambda row: number(row, "median")
        ),
    ]
    if not rates:
        columns.append(Column("50%", interval("low_50", "high_50")))
    columns += [Column(f"{100 * level:g}%", interval("low", "high")), *_CHANCES]
    if rates:
        columns.append(_COUNTY_RATE)
    numbers = lay(table, columns)
    room = max(screen.width() - max(map(len, numbers.splitlines())) - 2, 16)
    counties = [
        name if len(name) <= room else f"{name[: room - 1]}…"
        for name in _county_names(table["location"])
    ]
    return lay(table.assign(county=counties), [text_of("", "county"), *columns])


def _county_names(places: Iterable[str]) -> Iterator[str]:
    """Short names of counties, with the state where there are several states."""
    from odforecast.geography.places import by_fips

    counties = [by_fips()[str(place)] for place in places]
    several = len({county.state for county in counties}) > 1
    for county in counties:
        # A city that is none keeps its kind: a county may have its name.
        name = county.name if county.name.endswith(" city") else county.short
        if several and county.label != county.name:
            name = f"{name}, {code(county.state)}"
        yield name


# Completed counts


@opt.command()
@sources.request_options()
@opt.add_options(
    sources.COUNTS,
    opt.what_option(
        "--months N",
        default=1,
        type=click.IntRange(1, 12),
        help="How many of the last twelve counts to show.",
    ),
    opt.INTERVAL,
    opt.TABLE,
    opt.PLOT,
    opt.JSON,
    opt.ROWS_SHOWN,
)
def nowcast(
    request: Request,
    data: Data,
    simulation: Simulation,
    own_counts: OwnCounts,
    level: float = opt.LEVEL,
    months: int = 1,
    rows: int = opt.ROWS,
) -> Answer:
    """Estimate the final value of the most recent counts.

    The last counts of a release are too low because deaths are still being reported. The table
    compares the reported 12-month count, the estimated final count with its interval, and CDC's
    own predicted value.
    """
    from odforecast.forecasts.text import own_of, sentences

    model = simulation.find_model()
    panel, places = sources.open_panel(data.open(), request, as_of=data.as_of)
    panel = sources.add_counts(panel, own_counts, as_of=data.as_of, places=places)
    # As far ahead as the forecast command: the same draws, so both say the same of these months.
    request = sources.extend_horizon(request, panel, announce=False)
    if request.horizon is None and request.until is None:
        request = with_(request, horizon=names.DEFAULT_HORIZON)
    whole = sources.make_forecast(
        model,
        panel,
        places=places,
        request=request,
        simulation=simulation,
    )
    selected = whole.select(sources.forecast_places(whole, places))
    table = selected.nowcast(level=level)
    own_text = _with(own_of(selected))

    def text() -> str:
        """The last count in a sentence, the table, and what its columns are."""
        shown = _ended(
            _nowcast_table(_first(table[table["horizon"] > -months], rows)),
            more_places(len(selected.locations), rows),
            text=f"{panel.indicator}, as of {selected.as_of}: totals for the 12 months ending in "
            f"the month shown. Final: the count 12 or more months later{own_text}. CDC: its "
            "predicted value; adjusted: without its usual error. Received: CDC's percentage of "
            "records received, those still pending included.",
        )
        last = table.loc[table["horizon"] == 0, "location"].tolist()
        if not last:
            return shown
        place = "US" if "US" in last else last[0]
        return f"{wrapped(sentences(selected, place)[0])}\n\n{shown}"

    def figure() -> Any:
        """Reported, estimated and CDC's predicted counts."""
        from odforecast.plot.series import nowcast_figure

        return nowcast_figure(
            table,
            panel.to_frame(),
            indicator=panel.indicator,
            given=own_text.removeprefix(", "),
        )

    meta = sources.forecast_meta(selected, panel)
    sources.say_warnings(selected)
    return Answer(
        text=text,
        data={"meta": meta | {"level": level}, "nowcast": table},
        frame=table,
        figure=figure,
        notes=[sources.model_line(selected)],
    )


def _number(row: Any, name: str) -> str:
    """A number no finer than its interval, as in the forecast; a dash where there is none."""
    if row[name] != row[name]:
        return "–"
    step = (
        1.0 if name in ("reported", "predicted") else step_of(row["low"], row["high"])
    )
    return rounded(row[name], step)


def _nowcast_table(table: pd.DataFrame) -> str:
    """A row per place and month; columns of which nothing is published are left out."""
    level = float(table["level"].iloc[0])
    several = bool((table["horizon"] < 0).any())
    columns = [_PLACE]
    if several:
        columns += [_MONTH, Column("reported", "reported")]
    else:
        columns.append(Column(f"reported\n{table['month'].iloc[0]:%Y-%m}", "reported"))
    columns += [
        Column("final", lambda row: _number(row, "median")),
        Column(
            f"{100 * level:g}%\ninterval",
            lambda row: f"{_number(row, 'low')}–{_number(row, 'high')}",
        ),
        Column("change", _revision),
        Column("CDC", "predicted"),
        Column("CDC,\nadjusted", "predicted_unbiased"),
    ]
    if not several:
        columns.append(Column("received\n%", "complete", form="{:z,.1f}"))
    return lay(table, columns)


def _revision(row: Any) -> str:
    """How far a count moves, to the step of its interval."""
    revision = row["revision"]
    if revision != revision:
        return "–"
    step = step_of(row["low"], row["high"])
    return f"{round(revision / step) * step:+z,.0f}"
