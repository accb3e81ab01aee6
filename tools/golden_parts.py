"""The parts of ``make golden``: a function for each unit, through public doors alone."""

from __future__ import annotations

import contextlib
import csv
import gzip
import inspect
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

import golden_values as v
import numpy as np
import pandas as pd
from golden_values import GOLDEN, ROOT, SHARED, Values, command, door, table, tables

import odforecast as od

FILES = GOLDEN / "files"
PLACES: tuple[str, ...] = ("US", "OH", "WV", "YC", "WY")
#: Models that take long, each a unit of its own; how the slowest is run, on one panel.
SLOW = ("auto-arima", "ensemble", "hierarchical")
SAMPLER = {"draws": 40, "tune": 60, "chains": 1}
sys.path += [str(ROOT / "tests" / "factories"), str(ROOT / "tests" / "fuzz")]


class SkippedError(Exception):
    """A unit that cannot run here: the reason."""


# What units are given


@cache
def inputs() -> dict[str, str]:
    """Files for commands, in the working folder, and the words that stand for dates of them."""
    panel, release = panels()["newest"], od.bundled().releases()[-1]
    last = pd.Period(str(panel.last_month), "M")
    words = {"release": str(release), "onset": str(last + 9), "shock": od.scenario.prior_names()[0]}
    # Two older releases, of which a little had not been reported; one that contradicts itself.
    command("data export --source bundled --out counts.csv")
    counts = pd.read_csv("counts.csv", dtype={"location": str, "month": "period[M]"})
    Path("cut.csv").write_text(Path("counts.csv").read_text()[:20_000])
    for name, months in (("older", 16), ("old", 8)):
        words[name] = f"{pd.Timestamp(release) - pd.DateOffset(months=months):%Y-%m-%d}"
        made = counts[counts["month"] <= last - months].assign(release=words[name])
        newest = (made["month"] == last - months) & (made["indicator"] == panel.indicator)
        parts = newest & ~made["state"].isin(["US", "PR"])
        made.loc[parts, "reported"] = (made.loc[parts, "reported"] * 0.97).round()
        made.loc[newest & (made["state"] == "US"), "reported"] = made.loc[parts, "reported"].sum()
        made.to_csv(f"{words[name]}.csv", index=False)
        command(f"data add {words[name]}.csv --archive releases")
    made.loc[parts & (made["state"] == "OH"), "reported"] *= 10
    made.assign(release=words["release"]).to_csv("bad.csv", index=False)
    # Ohio's own counts; people and deaths of the counties of two states.
    deaths = panel.monthly[panel.index("OH"), -36:]
    months = pd.period_range(end=last + 3, periods=39)
    own = {"location": "Ohio", "month": months, "deaths": np.round([*deaths, *deaths[-3:]])}
    pd.DataFrame(own).to_csv("own.csv", index=False)
    rng, months = np.random.default_rng(1), pd.period_range(end=last - 3, periods=45)
    people, rows = [], []
    for state in ("OH", "DE"):
        counties = v.documented()["odforecast.geography"].counties_of(state)
        share = np.sort(rng.dirichlet(np.ones(len(counties))))[::-1] * 0.8
        share[0] += 0.2
        monthly = rng.poisson(share[:, None] * panel.monthly[panel.index(state), -60:])
        for county, deaths in zip(counties, np.cumsum(monthly, axis=1)):
            sums = deaths[12:-3] - deaths[:-15]
            people.append((county.fips, 5000 + 300 * sums[0], last.year - 2))
            for month, count in zip(months, sums):
                hidden = "Suppressed (1-9)" * bool(1 <= count <= 9)
                shown = "" if hidden or count >= 1000 else count
                rows.append((f"{release:%m/%d/%Y}", month.year, month.month, state, county.name,
                             county.fips, shown, hidden))  # fmt: skip
    head = ["Data as of", "Year", "Month", "ST_ABBREV", "COUNTYNAME", "FIPS",
            "Provisional Drug Overdose Deaths", "Footnote"]  # fmt: skip
    pd.DataFrame(rows, columns=head).to_csv(f"{release}-counties.csv", index=False)
    pd.DataFrame(people, columns=["fips", "population", "year"]).to_csv("people.csv", index=False)
    command(f"data add {release}-counties.csv")
    return words


@cache
def panels() -> dict[str, Any]:
    """The newest bundled release, and two pseudo-vintages."""
    newest = od.bundled().as_of().panel()
    delayed = od.origins(od.bundled(), "pseudo-delayed", donors=1)[-1].panel
    return {"newest": newest, "delayed": delayed, "clean": newest.cut("2019-06")}


def after(panel: Any, months: int) -> str:
    """A month so many after the panel's last."""
    return str(pd.Period(str(panel.last_month), "M") + months)


def real(*names: str) -> Path:
    """A real file or folder beside the repository."""
    if not SHARED.is_dir():
        raise SkippedError(f"no real files at {SHARED} (set ODFORECAST_SHARED)")
    return SHARED.joinpath(*names)


# Names and commands


def signatures() -> Values:
    """Documented names and their members, with signatures."""
    found: Values = {}
    every = v.documented() | {f"odforecast.{name}": getattr(od, name) for name in od.__all__}
    for full, value in every.items():
        found[full], members = _signature(value), {}
        for holder in reversed(value.__mro__) if inspect.isclass(value) else ():
            members |= vars(holder) if holder.__module__.startswith("odforecast") else {}
        if full in ("odforecast.errors", "odforecast.names"):
            members = {k: x for k, x in vars(value).items() if not inspect.ismodule(x)
                       and getattr(x, "__module__", full) in (full, "builtins")}  # fmt: skip
        found |= {f"{full}.{k}": _signature(x) for k, x in members.items() if k[0] != "_"}
    return found


def _signature(value: Any) -> str:
    """A signature; of what cannot be called, what it is."""
    value = getattr(value, "__func__", value)
    if isinstance(value, str | int | float | tuple):
        return repr(value)[:300]
    if inspect.ismodule(value) or not callable(value):
        return "property" if "property" in type(value).__name__ else type(value).__name__
    with contextlib.suppress(ValueError, TypeError):
        text = re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(value)))
        text = re.sub(r"{('[^}]*)}", lambda m: f"{{{', '.join(sorted(m[1].split(', ')))}}}", text)
        return re.sub(r"<(?:class|function) '?(?:\w+\.)*(\w+)'?>", r"<\1>", text)
    return type(value).__name__


def options(words: str = "") -> Values:
    """The options of every command, as its help lists them."""
    text = command(f"{words} --help")[1]
    if "--help-all" in text:
        text = command(f"{words} --help-all")[1]
    given = " ".join(x.strip().partition("  ")[0] for x in re.findall(r"(?m)^  (-.*)", text))
    found: Values = {f"odforecast {words}".strip(): sorted(re.findall(r"--[a-z][\w-]*", given))}
    for name in re.findall(r"(?m)^  ([a-z][\w-]*)  ", text.partition("\nCommands:\n")[2]):
        found |= options(f"{words} {name}".strip())
    return found


def commands(chosen: str) -> Values:
    """Each command of a list in ``commands.txt``, in its order, in one folder."""
    from socrata_server import FakeSocrata, release_rows

    text = (GOLDEN / "commands.txt").read_text(encoding="utf-8")
    lines = text.partition(f"[{chosen}]\n")[2].partition("\n[")[0].strip().splitlines()
    found: Values = {}
    with FakeSocrata(release_rows()) as server:
        words = inputs() | {"server": server.url}
        for name, _, line in (x.partition(": ") for x in lines):
            if name == "task-submit":
                script = ROOT / "docs" / "how-to" / "outside_model.py"
                subprocess.run([sys.executable, script, "asked", "theirs"], check=True)
            found |= v.ran(name, line.format(**words))
    return found


# Hub


def hub_files() -> Values:
    """A hub of ``od.hub.init``, and a forecast in it as quantiles and as samples."""
    start, end = (after(panels()["newest"], months) for months in (-25, -13))
    hub = od.hub.init("hub", od.bundled(), kind="pseudo-clean", start=start, end=end)
    (origin,) = od.origins(od.bundled(), "pseudo-clean", start, start)
    made = od.get_model().fit(origin.panel).forecast(draws=100).select(["US", "OH"])
    file = od.hub.submit(made, hub, output_types=["quantile", "sample"], format="csv")
    od.hub.write(made.first(20), "hub/model-output/samples.csv", output_type="sample")
    readers: dict[str, Callable[[Path], str]] = {
        ".json": lambda p: json.dumps(v.plain(json.loads(p.read_text())), sort_keys=True),
        ".csv": lambda p: v.content(pd.read_csv(p)),
        ".parquet": lambda p: v.content(pd.read_parquet(p)),
    }
    found: Values = {}
    for path in sorted(p for p in Path("hub").rglob("*") if p.is_file()):
        read = readers.get(path.suffix, lambda p: p.read_text().replace(od.__version__, ""))
        bits = "bits " * ("model-output" in path.parts)
        found[f"{bits}file {path.as_posix()}"] = v.digest(read(path))
    rows = pd.read_csv(file).query("location == 'US' and horizon > 0 and output_type == 'quantile'")
    return found | table("submission", rows)


def hub_checks() -> Values:
    """Verdicts of all checks on two real hubs, and on each broken one."""
    from hub_breaker import BREAKS, broken

    schemas, found = real("hubverse"), {}
    given: dict[str, Any] = {x: (schemas / x, {}) for x in ("example_hub", "versioned_hub")}
    for name, (path, how) in (given | {x: broken(x, Path("broken")) for x in BREAKS}).items():
        checks = od.hub.check(path, **({"schemas": schemas} | how))
        found |= {f"{name} failed": list(checks.failed), f"{name} not run": list(checks.not_run)}
        found[f"{name} passed"] = len(checks.passed)
    return found


def hub_scores() -> Values:
    """Scores of a real hub."""
    scores = od.hub.score(real("hubverse", "example_hub"))
    found = tables(summary=scores.summary(), few=scores.units.iloc[::40])
    return found | v.totals("units", scores.units) | v.totals("joint", scores.joint)


# Draws


def drawn(name: str, forecast: Any, places: Iterable[str] = PLACES) -> Values:
    """A digest of a forecast's draws, and numbers of its last month."""
    levels = ("0.05", "0.5", "0.95")
    values = forecast.quantiles([float(x) for x in levels])[:, :, -1]
    rows = [{"place": p, **dict(zip(levels, values[:, forecast.index(p)]))}
            for p in places if p in forecast.locations]  # fmt: skip
    shape = [*forecast.draws.shape, str(forecast.months[-1]), forecast.target]
    bits = v.digest(forecast.draws.astype("<f8").tobytes())
    return {f"bits {name}": bits, f"{name} shape": shape, **table(name, rows, digits=15)}


def fitted(
    name: str, model: Any, panel: Any, places: Iterable[str] = PLACES, draws: int = 40
) -> Values:
    """A model's forecast from a panel, or the kind of its refusal; and what both are."""
    found = {f"{name} spec": model.spec.hash, f"{name} data": panel.data_hash}
    try:
        return found | drawn(name, model.fit(panel).forecast(6, draws=draws), places)
    except od.OdforecastError as error:
        return found | {f"{name} refused": type(error).__name__}


def states(slow: str) -> Values:
    """Models of states on three panels: a slow one, or all others.

    Those that go place by place are given every third place, the slow one a few.
    """
    if slow == "hierarchical" and not os.environ.get("SLOW"):
        raise SkippedError("SLOW=1 runs it")
    names = {"auto-arima-sums": "auto-arima", **dict(zip(SLOW, SLOW))}
    found: Values = {}
    for kind in ("clean",) if slow == "hierarchical" else panels():
        panel = panels()[kind]
        found[f"{kind} panel"] = [panel.data_hash, str(panel.as_of), str(panel.last_month)]
        few = [p for i, p in enumerate(panel.locations) if p in PLACES or (not slow and i % 3 == 0)]
        for name in od.models.model_names("states"):
            if names.get(name, "") == slow:
                model = od.get_model(name, **(SAMPLER if slow == "hierarchical" else {}))
                given = panel.select(few) if model.spec.by == "location" else panel
                found |= fitted(f"{name} {kind}", model, given)
    return found


def counties() -> Values:
    """Models of counties on a made-up release, on it cut, and on the bundled one, if any."""
    inputs()
    bundled, given = od.bundled(), {}
    if bundled.releases("counties"):
        given["bundled"] = bundled.as_of().panel(dataset="counties").select("Ohio/*")
    newest = od.archive().as_of().panel(dataset="counties")
    made = od.get_model("county").fit(newest).forecast(6, draws=40)
    found = tables(counties=made.counties().iloc[::40], ranking=made.ranking())
    given |= {"newest": newest, "cut": newest.cut(after(newest, -8))}
    for kind, panel in given.items():
        for name in od.models.model_names("counties"):
            found |= fitted(f"{name} {kind}", od.get_model(name), panel, panel.locations[::20])
    return found


def other_draws() -> Values:
    """Own counts, drug classes, the delay of others, models of others, answers."""
    from statsforecast.models import AutoETS

    @od.forecaster()
    def mine(panel: Any, horizon: int, draws: int, rng: Any) -> Any:
        return rng.poisson(panel.monthly[0, -1], (draws, 1, horizon))

    inputs()
    panel, delayed = panels()["newest"], panels()["delayed"]
    few, dlm, own = panel.select(PLACES), od.get_model(), pd.read_csv("own.csv")
    made = dlm.fit(panel).forecast(12, draws=60)
    found = drawn("all", made) | drawn("class", made.part("T40.4"))
    found |= drawn("region", made.region("South"), ("South",))
    found["text"] = v.numbers(made.text("OH"))
    for name, (model, data) in {
        "T40.4": (dlm, od.bundled().as_of().panel("T40.4")),
        "own": (dlm, panel.with_counts(own, day=panel.as_of)),
        "own complete": (dlm, panel.with_counts(own, complete=True, day=panel.as_of)),
        "own ensemble": (od.get_model("ensemble"), panel.with_counts(own, day=panel.as_of)),
        "without delay": (od.get_model("dlm", delay=False), delayed),
        "statsforecast": (od.models.from_statsforecast(AutoETS(season_length=1, model="AAN")), few),
        "decorated": (mine, few),
        "naive+delay": (od.get_model("naive+delay"), delayed),
        "auto-ets+delay": (od.get_model("auto-ets+delay"), delayed),
    }.items():
        found |= fitted(name, model, data, draws=60)
    few = made.select(["US", "OH", "WV"])
    return found | tables(
        **{x: getattr(few, x)() for x in ("summary", "nowcast", "trend", "years")}
    )


def scenarios() -> Values:
    """Every named scenario: hash, draws, deaths averted; and which assumption matters."""
    panel, s = panels()["newest"], od.scenario
    forecast, onset = od.get_model().fit(panel).forecast(24, draws=40), after(panel, 3)
    named = [s.named(name, onset) for name in s.prior_names()]
    made = od.project(forecast, named)
    found: Values = {f"hash {x.name}": [x.hash, s.named(x.name).hash] for x in named}
    found |= {f"bits {x.name}": v.digest(made.forecast(x.name).draws.tobytes()) for x in named}
    for path in sorted((Path(od.__file__).parent / "examples").glob("*.yaml")):
        found |= {f"hash {path.name} {x.name}": x.hash for x in s.read_scenarios(path)}
    few, event = made.select(["US", "OH"]), "supply-shock-2023"
    return found | tables(
        averted=few.averted(), answer=few.answer(), exposure=few.exposure_table(),
        tornado=s.tornado(forecast, named[0]),
        delay=s.cost_of_delay(forecast, named[0], (0, 6, 12)),
        attribution=s.attribution(forecast, s.named("cooperation-resumed", onset)),
        past=s.past(event, od.bundled(), draws=60, timings=64).to_frame().iloc[::3],
    )  # fmt: skip


# Scores


def scores() -> Values:
    """The task ``quick``: its tables, and that two processes give the same."""
    task, score = od.Task.load("quick"), od.scoring
    models = ["dlm", "hub-baseline", "naive+delay", "drift+delay", "auto-ets+delay"]
    one = task.run(models, progress=False)
    with od.backtesting.Workers(2) as workers:
        two = task.run(models, executor=workers, progress=False)
    keys = ["model", "as_of", "donor", "location", "month"]
    first, second = (r.scores.sort_values(keys, ignore_index=True) for r in (one, two))
    other = od.backtest(["dlm", "ensemble"], archive=od.bundled(), start="2021-01",
                        end="2021-06", step=5, donors=1, draws=40, progress=False,
                        metrics=["crps_log", "log_score_binned"])  # fmt: skip
    board, dm = od.leaderboard(one), score.diebold_mariano
    found = v.totals("scores", first) | v.totals("joint scores", other.scores)
    found |= {"one process as two": bool(first.equals(second)), "failures": len(one.failures)}
    found |= {"fingerprint": task.fingerprint} | v.totals("quantiles", one.quantiles)
    return found | tables(
        leaderboard=one.leaderboard(), board=board.to_frame(), pairwise=score.pairwise(first),
        board_by_era=board.table(by=["era"]), entries=board.entries.drop(columns="where"),
        by_horizon=score.summarise(first, by=["model", "horizon"], baseline="hub-baseline"),
        by_place=score.summarise(score.per_100k(first), by=["model", "location"]),
        dm_dlm=dm(first, "dlm"),
        dm_naive=dm(first, "naive+delay"), skill=score.relative_skill(first, by=["horizon_group"]),
    )  # fmt: skip


# Stored files


def stored() -> Values:
    """What files of an earlier day hold, opened by the code of today."""
    v.passing().clear()  # the day on which they were written does not pass
    files, found = Path(shutil.copytree(FILES, "files")), {}
    for name in ("forecast-states", "forecast-counties"):
        forecast = od.load_forecast(files / name)
        found |= drawn(name, forecast, forecast.locations)
        found[f"draws of {name}"] = found.pop(f"bits {name}")
        found |= v.flat(f"{name} provenance", dict(forecast.provenance))
        found |= v.totals(f"{name} frame", forecast.to_frame())
        found[f"{name} panel"] = [forecast.panel.data_hash, v.content(forecast.panel.to_frame())]
        found |= {f"{name} part {x}": v.content(y.to_frame()) for x, y in forecast.beside.items()}
    archive, record = od.Archive(files / "archive"), files / "updates" / "record.csv"
    found |= {"archive": [archive.content_hash, *map(str, archive.releases("counties"))]}
    for date in archive.releases():
        flags = command(f"data check --archive files/archive --as-of {date} --json")[1]
        found |= v.flat(f"archive flags {date}", json.loads(flags))
        found[f"archive {date}"] = [archive.data_hash(date), v.content(archive.release(date))]
    results, task = od.Results.load(files / "results"), od.Task.load(files / "task.yaml")
    found |= v.flat("task", task.manifest) | v.totals("quantiles", results.quantiles)
    for x in od.scenario.read_scenarios(files / "scenarios.yaml"):
        found |= {f"scenario {x.name}": x.hash, **v.flat(f"scenario {x.name}", x.to_dict())}
    for path in sorted((files / "hub").iterdir()):
        held = od.read_hub(path)
        found |= table(f"hub {path.name}", held.iloc[::50]) | {f"hub {path.name}": v.content(held)}
    return found | {"record text": v.numbers(door("record_markdown")(record))} | tables(
        results=results.scores, leaderboard=results.leaderboard(), failures=results.failures,
        log=archive.log, quarantined=archive.quarantined(), record=door("updating").read(record),
    )  # fmt: skip


def make_files(folder: Path) -> None:
    """Make the files of today that tomorrow's code must open."""
    shutil.rmtree(folder, ignore_errors=True)
    words, panel, archive, two = inputs(), panels()["newest"], folder / "archive", ["US", "OH"]
    od.get_model().fit(panel).forecast(6, draws=20).select(two).save(folder / "forecast-states")
    counties = od.archive().as_of().panel(dataset="counties")
    county = od.get_model("county").fit(counties).forecast(6, draws=20)
    county.select(list(counties.locations[:2])).save(folder / "forecast-counties")
    for file in (f"{words['older']}.csv", f"{words['old']}.csv", "bad.csv"):
        rows = pd.read_csv(file, dtype=str)
        rows = rows[rows["state"].isin(PLACES) & (rows["month"] > after(panel, -36))]
        rows.to_csv(file, index=False)
        command(f"data add {file} --release {rows['release'].iloc[0]} --archive {archive}")
    command(f"data add {words['release']}-counties.csv --archive {archive}")
    command(f"data fix retract {words['older']} --archive {archive} --reason tested")
    od.backtest(["naive", "hub-baseline"], archive=od.bundled(), start="2021-01", end="2021-01",
                donors=1, draws=20, locations=two, out=folder / "results",
                progress=False)  # fmt: skip
    task = (
        "name: golden, vintages: pseudo-delayed, start: 2021-01, end: 2021-02, donors: 1, draws: 20"
    )
    task += f", locations: [US, Ohio], truth: {{release: {words['release']}}}"
    (folder / "task.yaml").write_text(f"{{{task}}}\n")
    named = [od.scenario.named(name, after(panel, 3)) for name in od.scenario.prior_names()[:4]]
    od.scenario.write_scenarios(folder / "scenarios.yaml", named)
    for releases in ("releases", None):
        od.update(releases, folder / "updates", fetch=False, locations=two, draws=20)
    made = od.get_model("ensemble").fit(panel).forecast(3, draws=20).select("OH")
    (folder / "hub").mkdir()
    od.hub.write(made, folder / "hub" / f"{words['release']}-a-b.csv")
    od.hub.write(made, folder / "hub" / f"{words['release']}-a-c.parquet", output_type="sample")


# Pages


def pages() -> Values:
    """Numbers in a brief, reports, a site, updates, and pages of forecasts."""
    found = {k: x for k, x in commands("pages").items() if k.endswith("exit")}
    names = ("index", "united-states", "ohio")
    for path in sorted(Path().rglob("*.html")):
        if path.parts[0] != "site" or path.stem in names:
            found |= v.page(path.as_posix(), path.read_text(encoding="utf-8"))
    return found | {"site": sorted(p.name for p in Path("site").iterdir())}


def figures() -> Values:
    """Numbers in the text of each figure."""
    inputs()
    plot, panel, few = od.plot, panels()["newest"], ["US", "OH", "WV"]
    made = od.get_model().fit(panel).forecast(12, draws=40)
    results = od.backtest(["naive+delay", "hub-baseline"], archive=od.bundled(), locations=few,
                          start="2020-01", end="2021-04", step=4, donors=1, draws=40,
                          progress=False)  # fmt: skip
    projection = od.project(made, od.scenario.named(od.scenario.prior_names()[0], after(panel, 3)))
    counties = od.archive().as_of().panel(dataset="counties")
    county = od.get_model("county-last").fit(counties).forecast(12, draws=40)
    axes = {
        "counts": plot.counts(panel, "Ohio"), "fan": plot.fan(made, "Ohio"),
        "multiples": plot.small_multiples(made, few), "tiles": plot.tile_map(made),
        "map": plot.map(county.select("Ohio/*")), "errors": plot.errors(results),
        "said": plot.said_and_came(results, "US", model="naive+delay"),
        "coverage": plot.coverage(results), "pit": plot.pit(results, "naive+delay"),
        "nowcast": plot.nowcast(made, "US"),
        "skill": plot.skill(results),
        "overlay": plot.overlay(projection, "Ohio"), "averted": plot.averted(projection, "Ohio"),
        "revisions": plot.revision_triangle(od.Archive("releases").as_of().revisions("US")),
    }  # fmt: skip
    return {f"figure {name}": v.numbers(plot.alt_text(x)) for name, x in axes.items()}


# Readers

WHERE = re.compile(
    r"\b(?:row|line)s? (\d+)|\bcell ([A-Z]+\d+)"
    r"|\bcolumn '?((?!where|of|per|is|has|for|in|and)[A-Za-z]\w{,30})"
)  # fmt: skip


def outcome(path: Path, reader: str) -> str:
    """What a reader makes of a file: rows and a digest; or the refusal, and where it points."""
    try:
        read = door(reader)(path)
    except od.OdforecastError as error:
        where = [x for found in WHERE.findall(str(error))[:3] for x in found if x]
        return " ".join([type(error).__name__, *where])
    frame = getattr(read, "table", read)
    return f"{len(frame)} rows {v.content(frame)}"


def real_files() -> Values:
    """Every real file: what is read, or why it is refused."""
    people, found = real("covariates", "county_population.csv"), {}
    apart = ("sha256", "file", "error", "hint", "jurisdictions")
    for folder in ("bundled", "county", "unread", "vsrr"):
        for path in sorted(real(folder).iterdir()):
            found[path.name] = outcome(path, "read_release")
            (said,) = json.loads(command(f"data check {path} --json")[1])
            found |= v.flat(path.name, {k: x for k, x in said.items() if k not in apart})
    for path in sorted(real("wonder").iterdir()):
        found[path.name] = outcome(path, "read_wonder")
    return found | {people.name: outcome(people, "read_population")}


def mutated() -> Values:
    """Files of five kinds, sixty times broken in one way each, from fixed seeds."""
    import reader_mutations as mutations

    inputs()
    some = random.Random("counties")
    kinds: dict[str, tuple[Path, str, str, Callable[[list[str]], bool]]] = {
        "2024-12-11": (real("vsrr", "2024-12-11.csv.gz"), "release", "csv csv.gz xlsx parquet json",
                       lambda r: r[1:3] == ["2023", "October"] and "Overdose" in r[4]),
        "2023-10-08": (real("county", "2023-10-08.csv.gz"), "release", "csv csv.gz json",
                       lambda _: some.random() < 0.003),
        "export": (real("wonder", "all_drugs_state_month_2019.txt"), "wonder", "txt",
                   lambda r: r[2][-2:] in ("01", "02", "03")),
        "own": (Path("own.csv"), "own_counts", "csv xlsx parquet", lambda _: True),
        "people": (Path("people.csv"), "population", "csv csv.gz", lambda _: True),
    }  # fmt: skip
    found: Values = {"mutated | columns": ["file", "its bytes", "what is read"]}
    for name, (source, reader, forms, keep) in kinds.items():
        packed = source.read_bytes()
        text = (gzip.decompress(packed) if source.suffix == ".gz" else packed).decode("utf-8-sig")
        body, mark, tail = text.replace("\r\n", "\n").partition("\n---")
        rows = list(csv.reader(body.splitlines(), delimiter="\t" if mark else ","))
        kept = [r for r in rows[1:] if len(r) == len(rows[0]) and keep(r)]
        whole = mutations.Grid(rows[0], kept, (mark + tail).lstrip(), "\t" if mark else ",")
        for seed in range(61):
            r, form = random.Random(f"{name} {seed}"), forms.split()[seed % len(forms.split())]
            how = r.choice(("bytes", "cells", "cells", "header", "rows")) if seed else "whole"
            changes = how in ("cells", "header", "rows")
            grid = getattr(mutations, f"mutated_{how}")(r, whole) if changes else whole
            data = written(grid, form, r)
            path = Path(f"{name}.{form}")
            path.write_bytes(mutations.mutated_bytes(r, data) if how == "bytes" else data)
            case = [v.digest(path.read_bytes())[:8], outcome(path, f"read_{reader}")]
            found[f"mutated | {name} {seed:02d} {how} {form}"] = case
    return found


def written(grid: Any, form: str, r: random.Random) -> bytes:
    """A grid in a form; a workbook without the time at which it was made."""
    import reader_mutations as mutations

    if form == "xlsx":
        old, made = zipfile.ZipFile(io.BytesIO(mutations.as_xlsx(grid))), io.BytesIO()
        with zipfile.ZipFile(made, "w") as new:
            for name in old.namelist():
                data = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"2000-01-01T00:00:00Z", old.read(name))
                new.writestr(zipfile.ZipInfo(name), data)
        return made.getvalue()
    if form in ("parquet", "json"):
        return bytes(getattr(mutations, f"as_{form}")(grid, r))
    text = str(grid.text()).encode("utf-8", "replace")
    return gzip.compress(text, mtime=0) if form == "csv.gz" else text


PARTS: dict[str, dict[str, Callable[[], Values]]] = {
    "names": {"signatures": signatures, "options": options},
    "commands": {x: partial(commands, x) for x in ("forecasts", "backtests", "data", "refused")},
    "hub": {"hub_files": hub_files, "hub_checks": hub_checks, "hub_scores": hub_scores},
    "draws": {**{x or "states": partial(states, x) for x in ("", *SLOW)}, "counties": counties,
              "other_draws": other_draws, "scenarios": scenarios},
    "scores": {"scores": scores},
    "stored": {"stored": stored},
    "pages": {"pages": pages, "figures": figures},
    "readers": {"real_files": real_files, "mutated": mutated},
}  # fmt: skip
#: These take longest, and begin first.
LONGEST = (
    "hierarchical",
    "ensemble",
    "real_files",
    "scores",
    "pages",
    "forecasts",
    "states",
    "backtests",
)
