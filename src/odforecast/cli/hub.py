"""``odforecast hub``: create a hubverse hub, submit to one, check one, score one."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer, write_table
from odforecast.cli.app import Group
from odforecast.cli.screen import (
    WHAT_90_IS,
    Column,
    lay,
    note,
    say,
    text_of,
    title,
    working,
    wrapped,
)
from odforecast.cli.source import Data, Request, Simulation, forecast_places, to_fit
from odforecast.errors import BacktestError, ScoringError
from odforecast.names import (
    DEFAULT_HORIZON,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
)
from odforecast.say import number_of

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.hub import Hub

#: Rounds of a hub, as they are called here.
_KINDS: Final = {
    "real": VINTAGE_REAL,
    "clean": VINTAGE_CLEAN,
    "delayed": VINTAGE_DELAYED,
}


@click.group(cls=Group)
def hub() -> None:
    """Create a hubverse hub, submit to one, check one, score one.

    A hub is a folder with the forecasts asked for (hub-config), the counts (target-data), and the
    submissions of many teams (model-output).
    """


@hub.command()
@click.argument("folder", metavar="DIR", type=opt.FOLDER)
@opt.add_options(
    opt.what_option(
        "--rounds",
        type=click.Choice(list(_KINDS)),
        default="real",
        help="One round per release; or one per past month, cut from the last release: "
        "complete (clean), or as incomplete as another release was (delayed).",
    ),
    opt.START,
    opt.END,
    opt.INDICATOR,
    opt.horizon(),
    opt.SOURCES,
    opt.output_option("--contact TEXT", help="A person: 'Jo Doe <jo@example.org>'."),
    opt.output_option("--repository OWNER/NAME", help="The hub's GitHub repository."),
    opt.JSON,
)
def init(
    folder: Path,
    request: Request,
    data: Data,
    rounds: str = "real",
    start: str | None = None,
    end: str | None = None,
    contact: str | None = None,
    repository: str | None = None,
) -> Answer:
    """Create a hubverse hub in a new or empty folder.

    The hub asks for quantiles, samples and trend probabilities. It contains each release and its
    final counts, and knows the built-in models. Its README.md explains how horizons are counted
    and models are named.

    \b
    odforecast hub init my-hub --rounds clean --start 2024
    """
    from odforecast.hub.making import CONTACT, REPOSITORY
    from odforecast.hub.making import init as make

    try:
        created = make(
            folder,
            data.open(),
            kind=_KINDS[rounds],
            start=start,
            end=end,
            indicator=request.indicator,
            horizon=request.horizon or DEFAULT_HORIZON,
            contact=CONTACT if contact is None else _person(contact),
            repository=REPOSITORY if repository is None else repository,
        )
    except BacktestError as error:
        hint = error.hint or ""
        for (
            name,
            kind,
        ) in _KINDS.items():  # rounds have other names here than in the library
            hint = re.sub(f"{kind!r} (origins|ones)", f"--rounds {name}", hint)
        raise BacktestError(error.message, hint or None) from error
    names = _rounds(created)
    facts = {
        "hub": str(folder),
        "rounds": len(names),
        "first_round": names[0],
        "last_round": names[-1],
        "models": len(created.metadata_files()),
        "answers": _rows(created.target_files("oracle-output")),
    }
    if not facts["answers"]:
        note("no final counts yet: no round is older than the last release")
    lacking = []
    if not contact:
        lacking.append("--contact")
    if not repository:
        lacking.append("--repository")
    if lacking:
        note(
            f"{' and '.join(lacking)} not given: add your own to hub-config/admin.json"
        )
    span = "; last ".join(dict.fromkeys((names[0], names[-1])))
    text = (
        f"{folder}: {number_of(len(names), 'round')} ({span}), {facts['models']} models, "
        f"{facts['answers']:,} final counts"
    )
    return Answer(wrapped(text), facts)


def _rounds(hub: Hub) -> list[str]:
    """The rounds of a hub in words."""
    return [f"{day}, known to {end[:7]}" for day, (_, end) in hub.origins.items()]


def _rows(files: list[Path]) -> int:
    """Rows of some Parquet files."""
    import pyarrow.parquet as pq

    return sum(pq.ParquetFile(file).metadata.num_rows for file in files)


def _person(text: str) -> dict[str, str]:
    """A name and an address."""
    match = re.fullmatch(r"\s*([^<>]*[^<>\s])\s*<([^<>\s]+@[^<>\s]+)>\s*", text)
    if not match:
        raise click.BadParameter(
            f"{text!r}: give a name and an address, 'Jo Doe <jo@example.org>'",
            param_hint="--contact",
        )
    return {"name": match[1], "email": match[2]}


@hub.command()
@click.argument("folder", metavar="DIR", type=opt.FOLDER)
@opt.add_options(
    opt.MODEL,
    opt.what_option(
        "--round DATE",
        "day",
        type=opt.Date("day", passes="all".__eq__),
        help="Round, by its origin_date; 'all' for each.  [default: the last]",
    ),
    opt.LOCATIONS,
    opt.SOURCES,
    opt.DRAWS,
    opt.SEED,
    opt.output_option(
        "--format",
        "ending",
        type=click.Choice(["parquet", "csv"]),
        default="parquet",
        help="Format of the file.",
    ),
    opt.JSON,
)
def submit(
    folder: Path,
    request: Request,
    data: Data,
    simulation: Simulation,
    day: str | None = None,
    ending: Any = "parquet",
    as_json: bool = False,
) -> Answer:
    """Forecast a round of a hub with one of our models, and submit it.

    DIR is the hub. The model sees only what was known at the round. The file holds everything that
    the round asks for and the model can give: quantiles, trend probabilities, and samples where the
    model's draws are joint as the hub requires.

    \b
    odforecast hub submit my-hub --model dlm
    """
    from odforecast.geography import resolve
    from odforecast.hub import Hub
    from odforecast.hub.submission import asked_until, panel_of_round
    from odforecast.hub.submission import submit as put

    target_hub = Hub.open(folder)
    model = simulation.find_model()
    releases = data.open()
    dates = list(target_hub.origins)
    if day != "all":
        last = dates[-1] if dates else ""
        dates = [day or last]
    files = []
    warnings: dict[str, None] = {}  # each once: rounds often share it
    for date in dates:
        panel = panel_of_round(target_hub, releases, day=date)
        places = resolve(request.locations, panel.locations)
        with working(f"fitting {model.label}, {date}"):
            fitted = model.fit(to_fit(model, panel, places=places))
            whole = fitted.forecast(
                asked_until(target_hub, date),
                draws=simulation.draws,
                seed=simulation.seed,
            )
        path = put(
            whole.select(forecast_places(whole, places)), target_hub, format=ending
        )
        files.append(target_hub.relative(path))
        if not as_json:
            click.echo(folder / files[-1])
        warnings |= dict.fromkeys(whole.warnings)
    for text in warnings:
        note(text, "warning")
    return Answer(data={"hub": str(folder), "model": model.label, "files": files})


@hub.command()
@click.argument("folder", metavar="DIR", type=opt.FOLDER)
@opt.add_options(opt.ARCHIVE, opt.JSON)
def update(folder: Path, data: Data) -> Answer:
    """Add the rounds of new releases, and counts that are now final.

    DIR is the hub. Existing rounds, submissions, metadata and README.md are kept. The archive must
    contain the releases of the existing rounds. Fetch the new release first: odforecast data fetch.
    """
    from odforecast.hub import Hub
    from odforecast.hub import update as grow

    before = Hub.open(folder)
    grown = grow(before, data.open())
    rounds = _rounds(grown)
    new = [text for text in rounds if text not in _rounds(before)]
    release = grown.admin["additional_metadata"]["truth_release"]
    text = (
        f"{folder}: {'; '.join(new) or 'no new round'}; {len(rounds)} in total, final counts "
        f"from the release of {release}"
    )
    return Answer(
        text=wrapped(text),
        data={
            "hub": str(folder),
            "new_rounds": new,
            "rounds": len(rounds),
            "truth_release": release,
        },
    )


@hub.command()
@click.argument("path", metavar="DIR|FILE", type=opt.PATH)
@opt.add_options(
    opt.what_option(
        "--submission-time", help="Also check that the submission window is open now."
    ),
    opt.what_option(
        "--at DATE",
        type=opt.Date("day", passes=lambda x: bool(re.search("[0-9][T ][0-9]", x))),
        help="Also check the submission window on a day, or at a time such as 2026-01-14T12:00.",
    ),
    opt.what_option(
        "--schemas DIR",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Folder with the hubverse's schemas, for valid_config: admin-schema.json, "
        "tasks-schema.json, target-data-schema.json.",
    ),
    opt.what_option(
        "--no-extra-dates",
        help="Refuse a time series with days that no round asks for.",
    ),
    opt.output_option("--all", "every", help="List all 52 checks, not only failures."),
    opt.JSON,
)
def check(
    path: Path,
    submission_time: bool = False,
    at: str | None = None,
    schemas: Path | None = None,
    no_extra_dates: bool = False,
    every: bool = False,
) -> Answer:
    """Check a hubverse hub, or one file in it.

    FILE is a submission, or a metadata or target data file. The checks and their names are those of
    the R package hubValidations, for hubs of schema v5 and v6. Each failure is listed with where it
    is and how to fix it. The exit status is 1 if a check failed.

    \b
    odforecast hub check HUB
    odforecast hub check HUB/model-output/team-model/2026-01-14-team-model.csv
    odforecast hub check HUB --at 2026-01-14 --schemas schemas --all
    """
    from odforecast.hub.checks import check as run

    result = run(path, at or submission_time, schemas, extra_dates=not no_extra_dates)
    return Answer(
        text=result.text(every),
        data=result.to_dict(),
        failure=None if result.ok else click.exceptions.Exit(1),
    )


# Scores


def number(value: float) -> str:
    """A score: three significant digits, or all before the point.

    >>> number(12345.6), number(12.345), number(0.01234), number(float("inf"))
    ('12,346', '12.3', '0.0123', 'infinite')
    """
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:#.3g}" if abs(value) < 1 else f"{value:,.{places}f}"
    return text.replace("inf", "infinite").removeprefix(
        "-" * (abs(value) == float("inf"))
    )


def _ratio(value: float) -> str:
    """A ratio of scores."""
    return f"{value:.2f}".replace("inf", "infinite")


_AE = Column("AE", "ae_median", form=number)
_SE = Column("SE", "se_mean", form=number)
_RPS = Column("RPS", "rps", form=number)
_LOG = Column("log score", "log_score", form=number)
#: Scores on the screen, by output type.
_SCORES: Final = {
    "quantile": (
        Column("WIS", "wis", form=number),
        Column("spread", "dispersion", form=number),
        Column("over", "overprediction", form=number),
        Column("under", "underprediction", form=number),
        _AE,
    ),
    "sample": (Column("CRPS", "crps", form=number), _AE, _SE),
    "median": (Column("AE", "ae_point", form=number),),
    "mean": (Column("SE", "se_point", form=number),),
    "pmf": (_LOG, _RPS),
    "cdf": (_RPS, _LOG),
}
_COVERED: Final = tuple(
    Column(f"{p}%", f"interval_coverage_{p}", form="{:.0%}") for p in (50, 90)
)
_RELATED: Final = (
    Column("ratio", "relative", form=_ratio),
    Column("in common", "n_common"),
)
_ENERGY: Final = (
    text_of("model", "model_id"),
    text_of("scale"),
    text_of("samples joint over", "joint_over"),
    Column("scored", "n_scorable"),
    Column("energy", "energy_score", form=number),
)


@hub.command()
@click.argument("folder", metavar="DIR", type=opt.PATH)
@click.argument("files", nargs=-1, type=opt.FILE)
@opt.add_options(
    opt.what_option(
        "--by NAMES",
        default="horizon",
        help="Task ids to show separately, with commas; none: only targets.",
    ),
    opt.what_option("--baseline MODEL", help="Model (file) to compare WIS with."),
    opt.what_option("--common", help="Only units that every model forecasts."),
    opt.what_option(
        "--scale",
        type=click.Choice(["natural", "log", "both"]),
        default="natural",
        help="log: scores of log(1 + x).",
    ),
    opt.TRUTH_AS_OF,
    opt.data_option(
        "--target-data",
        type=click.Choice(["oracle-output", "time-series"]),
        help="Which of the hub's target data to score against.  [default: oracle-output, if "
        "there is any]",
    ),
    opt.JSON,
    opt.output_option(
        "--joint FILE",
        writes=opt.TABLES,
        help="Also write the energy scores of joint samples.",
    ),
    opt.out(f"One row per forecast unit: {', '.join(opt.TABLES)}.", opt.TABLES),
)
def score(
    folder: Path,
    files: tuple[Path, ...],
    truth_as_of: str | None,
    target_data: Any,
    scale: str,
    by: str,
    baseline: str | None,
    common: bool,
    joint: Path | None,
    out: Path | None,
) -> Answer:
    """Score the submissions of a hub against its own target data.

    DIR is any hubverse hub. FILES are submissions; by default, all of them. Final counts come from
    the hub's oracle output, otherwise from its time series. Of versioned target data, the newest
    version is used, or that of --truth-as-of. Scores are those of hubEvals, with its names in
    --out. Nothing is left out: --out has a reason for every unit that cannot be scored.
    """
    from odforecast.hub import score as run

    scores = run(
        folder,
        list(files) or None,
        as_of=truth_as_of,
        scale=scale,
        target_data=target_data,
    )
    compared = scores.common() if common else scores
    units = scores.units
    scorable = units["scorable"].astype(bool)
    if common and compared.units.empty and scorable.any():
        note(
            "no unit is forecast by every model with the same levels, so nothing is compared"
        )
    names = [name.strip() for name in by.split(",")]
    names = [name for name in names if name not in ("", "none")]
    if by == "horizon" and "horizon" not in compared.units:
        names = []
    table = compared.summary(names, baseline)
    energy = _energy(compared.joint)
    days = sorted(set(units["truth_as_of"]) - {""})
    kinds = sorted(set(units.get("truth", ())))
    span = [days[0], days[-1]] if days else []
    reasons = units.loc[~scorable, "reason"].value_counts()

    def show() -> None:
        """Print the tables."""
        version = "without a known version"
        if span:
            version = f"as of {' to '.join(dict.fromkeys(span))}"
        say(
            f"{len(units):,} units of {number_of(units['model_id'].nunique(), 'model')}"
        )
        say(f"Final counts: {' and '.join(kinds)} of the hub, {version}")
        if reasons.sum():
            say(f"{reasons.sum():,} of {len(units):,} units cannot be scored:")
            for reason, n in reasons.head(5).items():
                say(f"  {n:,}: {reason}", indent="    ")
        _print(
            table,
            energy,
            groups=[*compared.targets, "output_type", "scale"],
            by=names,
            baseline=baseline,
        )

    meta: dict[str, Any] = {
        "truth": kinds,
        "truth_as_of": span,
        "units": len(units),
        "scorable": int(scorable.sum()),
        "not_scorable": {str(reason): int(n) for reason, n in reasons.items()},
        "not_read": scores.failures.to_dict("records"),
    }
    for row in meta["not_read"]:
        note(row["reason"], "not read")
    failure = None
    if not scorable.any():
        failure = ScoringError(
            "no unit can be scored", hint="the reasons are in --out FILE"
        )
    answer = Answer(
        text=show,
        data={
            "meta": meta,
            "summary": table.replace({float("inf"): "infinite"}),
            "energy": energy,
        },
        failure=failure,
    )
    for path, rows in ((out, units), (joint, scores.joint)):
        if path is not None:
            answer.files.append(
                (partial(write_table, rows, path), f"{len(rows):,} rows: {path}")
            )
    return answer


def _print(
    table: pd.DataFrame,
    energy: pd.DataFrame,
    groups: list[str],
    by: list[str],
    baseline: str | None,
) -> None:
    """A table for each target, output type and scale; then joint samples, and what it all means."""
    models = set(table["model_id"])
    names = [text_of(name) for name in by]
    if len(models) > 1:
        names.append(text_of("model", "model_id"))
    for key, part in table.groupby(
        [name for name in groups if name in table], sort=True
    ):
        if not part["n_scorable"].sum():
            continue
        scale = key[-1]
        head = ", ".join(map(str, key[:-1] if scale == "natural" else key))
        if len(models) == 1:
            head += f": {part['model_id'].iloc[0]}"
        title(head)
        columns = [
            *names,
            Column("scored", "n_scorable"),
            *_SCORES[str(part["output_type"].iloc[0])],
            *_COVERED,
        ]
        if baseline is not None:
            columns += _RELATED
        click.echo(lay(part, columns))
    if len(energy):
        title("Energy score of joint samples")
        click.echo(lay(energy, _ENERGY))
    click.echo()
    legend = f"Lower is better, except for coverage. {WHAT_90_IS}"
    if set(table["output_type"]) & {"cdf", "pmf"}:
        legend += "; RPS: the sum over categories or thresholds"
    if baseline is not None:
        legend += (
            f"; ratio: the first score divided by {baseline}'s, on the units in common"
        )
    say(f"{legend}.")


def _energy(joint: pd.DataFrame) -> pd.DataFrame:
    """Mean energy scores, by what samples are joint over."""
    if joint.empty:
        return joint
    grouped = joint.groupby(["model_id", "scale", "joint_over"], sort=True)
    return grouped.agg(
        n_units=("scorable", "size"),
        n_scorable=("scorable", "sum"),
        energy_score=("energy_score", "mean"),
    ).reset_index()
