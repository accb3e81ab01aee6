"""Every command printed in README, docs and examples runs, in a folder with the files it names.

``_quick`` adds what makes it quick or keeps it on this machine; nothing of it is taken away.
"""

import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import hub_breaker
import numpy as np
import pandas as pd
import pytest
from commands import run
from county_forecasts import county_csv, population_csv
from county_release import NAMES, api_rows, county_cells
from panel_factory import own_counts
from past_server import FileServer, Made, release_csv, row
from release_factory import csv_bytes, late_release
from socrata_server import FakeSocrata, release_rows
from test_cli_history import Repository

import odforecast as od
from odforecast import cli
from odforecast.cli import main
from odforecast.hub.making import export_task
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DEATHS, ALL_DRUGS
from odforecast.vintage.bundle import default_folder

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "src" / "odforecast" / "examples"
PAGES = [
    ROOT / "README.md",
    *sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts),
    *sorted(EXAMPLES.glob("*.yaml")),
]
FENCE = re.compile(r"^(```+|:::+)(?:\{code-block\} )?(?:console|bash|sh)\n(.*?)^\1", re.M | re.S)
ANY_FENCE = re.compile(r"^(```+|:::+).*?^\1", re.M | re.S)
#: In a sentence.
INLINE = re.compile(r"(?<!`)`((?:odforecast|make backtest)(?: [^`]*)?)`(?!`)")
#: In the comment of an example.
COMMENT = re.compile(r"^#\s+((?:odforecast|make backtest) .*)", re.M)
NAMED = "|".join(cli.COMMANDS)
LOOKS_LIKE_ONE = re.compile(rf"^(?:\$ )?(?:odforecast (?:{NAMED})|make backtest)\b.*", re.M)
#: Pages whose commands go on from one another: they are run in their order.
IN_ORDER = [ROOT / "docs" / "how-to" / f"{name}.md" for name in ("run-a-hub", "scenario-round")]
#: Forecasts of a reader's own, as the page on them shows.
SUBMIT = (ROOT / "docs" / "how-to" / "submit.md").read_text()
(OWN_FORECASTS,) = re.findall(r"```text\n(location,month,horizon,level,.*?)```", SUBMIT, re.S)
#: Words that stand for one of the reader's own.
STAND_FOR = {"NAME": "cooperation-resumed", "COMMAND": "forecast", "tcp://HOST:8786": "local"}
#: A reader's files, and the last month in each: made of the bundled counts.
FILES = {"2021-07-14.csv": "2020-12", "2024-12-11.csv": "2024-07", "2025-07-16.csv": "2025-02"}


def _printed(page: Path) -> tuple[list[str], list[str]]:
    """Commands of a page: in fences or comments, and in sentences."""
    text = page.read_text()
    if page.suffix != ".md":
        joined = re.sub(r"\\\n#\s*", "", text)
        return [match[1].strip() for match in COMMENT.finditer(joined)], []
    blocks = "\n".join(re.sub(r"\\\n\s*", "", match[2]) for match in FENCE.finditer(text))
    lines = [x.partition(" # ")[0].strip().removeprefix("$ ") for x in blocks.splitlines()]
    fenced = [s for s in lines if s.startswith(("odforecast ", "make backtest"))]
    said = [" ".join(m[1].split()) for m in INLINE.finditer(ANY_FENCE.sub("", text))]
    return fenced, said


def _arguments(command: str) -> list[str]:
    return [STAND_FOR.get(w, w) for w in shlex.split(command)][1:]


def _after_name(args: list[str]) -> list[str]:
    """The words after a command's name; the name must exist, and so must its options."""
    found: click.Command = main
    context = click.Context(main)
    while args and isinstance(found, click.Group) and not args[0].startswith("-"):
        inner = found.get_command(context, args[0])
        assert inner is not None, f"no such command: {args[0]}"
        found, args = inner, args[1:]
    known = {name for option in found.get_params(context) for name in option.opts}
    for word in args:
        assert not word.startswith("--") or word in known, f"{found.name} has no option {word}"
    return args


def _to_run() -> Iterator[str]:
    for page in (page for page in PAGES if page not in IN_ORDER):
        fenced, said = _printed(page)
        yield from fenced
        # A sentence may only name a command, or an option of it: with arguments, it is to be run.
        for command in said:
            args = _after_name(_arguments(command))
            if args and not args[-1].startswith("--"):
                yield command


COMMANDS = list(dict.fromkeys(_to_run()))


@cache
def _release(name: str) -> bytes:
    """The bundled counts up to a month, North Carolina's end too low."""
    both = (ALL_DRUGS, ALL_DEATHS)
    return csv_bytes(late_release(FILES[name], 0.02, "2015-01", ["NC"], both))


@cache
def _kept() -> TemporaryDirectory:
    """An archive that nothing else was added to; it goes with the process."""
    folder = TemporaryDirectory()
    _archive(Path(folder.name, "archive"), new=True)
    return folder


def _archive(folder: Path, new: bool = False) -> None:
    """The reader's files, in an archive that may be there already."""
    if not new and not folder.exists():
        shutil.copytree(Path(_kept().name, "archive"), folder)
        return
    store = od.Archive(folder)
    for name in FILES:
        file = Path(name)
        file.write_bytes(_release(name))
        store.add(file)
        file.unlink()


def _counties(args: list[str]) -> bool:
    return ("--dataset", "counties") in pairwise(args)


def _prepare(args: list[str]) -> None:
    """Make the files that a command names; its own archive where it needs one."""
    if _counties(args) and args[1] != "fetch" and "--archive" not in args:
        od.Archive(default_folder()).add(county_csv(Path("2023-10-08.csv")))
    if args[0] != "examples":
        shutil.copytree(EXAMPLES, "examples")
    own = args[0] == "data" and (args[1] in ("revisions", "fix") or "--log" in args)
    if own and "--archive" not in args:
        _archive(default_folder())
    if args[:3] == ["data", "fix", "accept"]:
        od.Archive(default_folder()).retract(args[3], "set aside for this test")
    adds = args[:2] == ["data", "add"]
    for word in args[1:] if args[0] == "score" else ():
        if word.endswith("-mine.csv"):
            Path(word).write_text(OWN_FORECASTS)
        elif word.endswith((".csv", ".parquet")) and not Path(word).exists():
            made = od.get_model().fit(od.bundled().as_of().panel()).forecast(draws=20)
            od.write_hub(od.to_hub(made.select(["US", "OH"])), word)
    if args[:2] == ["report", "results"]:
        od.Task.load("quick").run("hub-baseline", out="results", progress=False)
    if args[:2] == ["hub", "check"]:
        hub_breaker.small_hub(Path("my-hub"))
    if args[:2] == ["task", "submit"]:
        export_task(od.Task.load(args[2]), "exported")
        script = ROOT / "docs" / "how-to" / "outside_model.py"
        subprocess.run([sys.executable, str(script), "exported", args[3]], check=True)
    if args[:2] == ["task", "leaderboard"]:
        od.Task.load("quick").run("hub-baseline", out=args[2], progress=False)
        shutil.copytree(args[2], args[3])
    for before, word in zip(["", *args], args):
        if word in FILES:
            Path(word).write_bytes(_release(word))
        elif word == "2023-10-08.csv" and not Path(word).exists():
            county_csv(Path(word))
        elif before == "--counts":
            state = "CT" if "list" in word else "OH"
            counts = own_counts(od.bundled().as_of("2025-09-17").panel(), state)
            if "--column" in args:
                counts = counts.rename(columns={"deaths": "Confirmed OD"}).assign(Suspected=9)
            if state == "CT":
                counts = counts.loc[counts.index.repeat(counts["deaths"])]
                days = [f"{month}-{i % 28 + 1:02}" for i, month in enumerate(counts["month"])]
                counts = counts.assign(Date=days, Manner="Accident")
                counts = counts[["Date", "Manner"]]
            counts.to_csv(word, index=False)
        elif before == "--population":
            population_csv(Path(word))
        elif word.endswith(".css"):
            Path(word).write_text("h1 { color: #00457c; }\n")
        elif before == "--archive" and not adds:
            _archive(Path(word))


def _quick(args: list[str], server: str, past: list[str]) -> list[str]:
    """The command with what makes it quick; its own options stay."""
    more: dict[str, str] = {}
    if args[:2] == ["data", "fetch"] and "--past" in args:
        return args if "--git" in args else [*args, *past]
    if args[:2] == ["data", "fetch"] or (args[0] == "update" and "--no-fetch" not in args):
        more = {"--url": server}
    elif args[0] == "backtest" and "--task" in args:
        more = {"--models": "naive", "--jobs": "1"}
    elif args[0] == "backtest":
        more = {"--draws": "20", "--jobs": "1"}
        if _counties(args):
            more |= {"--start": "2022-12", "--models": "county-last,county-hub-baseline"}
        else:
            more |= {"--models": "hub-baseline,naive", "--locations": "US,OH,NC,WV,WY"}
            if "--archive" not in args:
                start = args[args.index("--start") + 1] if "--start" in args else "2023-03"
                more |= {"--start": start, "--end": str(np.datetime64(start, "M") + ONE_MONTH)}
    elif args[:2] == ["hub", "submit"]:  # as many as the samples that a hub asks for
        more = {"--draws": "100"}
    elif args[0] in ("forecast", "nowcast") or args[:2] == ["scenario", "run"]:
        more = {"--draws": "60"}
    return [*args, *(x for pair in more.items() if pair[0] not in args for x in pair)]


@pytest.fixture(scope="module")
def server():
    with FakeSocrata(release_rows()) as fake:
        yield fake.url


@pytest.fixture(scope="module")
def county_server():
    with FakeSocrata(api_rows(county_cells()), dataset="gb4e-yj24") as fake:
        fake.fields = dict.fromkeys(NAMES.values(), "text")
        yield fake.url


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Options that ask for made-up copies of past releases, on this machine."""
    copies = {"2024-12-11": "2024-07", "2025-09-17": "2025-04"}.items()
    files = [(date, last, release_csv(last)) for date, last in copies]
    made = Made.of(*((row(*each, path=f"{each[0]}.csv"), each[2]) for each in files))
    copies = made.write(tmp_path_factory.mktemp("past") / "copies.csv")
    with FileServer(made.files) as fake:
        yield ["--url", fake.url, "--copies", str(copies)]


def _repository(args: list[str]) -> list[str]:
    if "--git" not in args:
        return args
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    repository = Repository(Path("repository"))
    for before, word in pairwise(args):
        if before == "--file":
            counties = pd.DataFrame(county_cells("2025-06-08", 21))
            states = pd.read_csv(io.BytesIO(_release("2024-12-11.csv")))
            repository.file = word
            table = counties if "gb4e" in word else states
            repository.commit(table.to_parquet(index=False), "2025-10-01")
    public = args.index("--git") + 1
    return [*args[:public], "repository", *args[public + 1 :]]


#: Whole runs are in the slow group; quick commands are always run.
WHOLE_RUNS = re.compile(
    "odforecast (backtest|update|report|scenario|task submit|task show states|forecast --dataset)"
)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(c, id=c, marks=pytest.mark.slow if WHOLE_RUNS.match(c) else ())
        for c in COMMANDS
    ],
)
def test_a_printed_command_runs(command, server, county_server, past, tmp_path, monkeypatch):
    _empty_folder(tmp_path, monkeypatch)
    # The checks of scenarios have tests of their own: here they only run, in a tenth of the time.
    monkeypatch.setattr("odforecast.cli.scenario.SIMULATIONS", 20)
    args = _arguments(command)
    _prepare(args)
    server = county_server if _counties(args) else server
    words = _quick(_repository(args), server, past)
    done = run(*words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.output
    if "-" not in args and args[:2] != ["scenario", "show"]:  # which print what is in a file
        # A line may be too long where it names a file.
        lines = [x for x in done.output.splitlines() if str(tmp_path) not in x and ".csv" not in x]
        assert max(map(len, lines), default=0) <= 80, max(lines, key=len)
        assert not [x for x in lines if "\x1b" in x or x.endswith(" (")]
    for before, word in pairwise(args):
        if before in ("--out", "--plot", "--table", "--html", "--save", "--site") and word != "-":
            assert Path(word).exists(), f"{before} {word} was not written"


def _empty_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder / "home"))
    assert folder in default_folder().parents


@pytest.mark.slow
@pytest.mark.parametrize("page", IN_ORDER, ids=lambda p: p.stem)
def test_the_commands_of_a_page_go_on_from_one_another(page, server, tmp_path, monkeypatch):
    _empty_folder(tmp_path, monkeypatch)
    for command in _printed(page)[0]:
        done = run(*_quick(_arguments(command), server, []), catch_exceptions=False)
        assert done.exit_code == 0, f"{command}: {done.output}"


def test_a_command_in_a_sentence_exists() -> None:
    assert len(COMMANDS) > 80
    for page in PAGES:
        for command in _printed(page)[1]:
            _after_name(_arguments(command))


@pytest.mark.parametrize("page", [p for p in PAGES if p.suffix == ".md"], ids=lambda p: p.name)
def test_no_command_hides_in_another_kind_of_block(page: Path) -> None:
    hidden = LOOKS_LIKE_ONE.findall(FENCE.sub("", page.read_text()))
    assert not hidden, "write it in a ```console block, where it is found and run"
