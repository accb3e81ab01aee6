"""What commands refuse, before the work: one line that says what is wrong, where, what to do."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from odforecast.cli import main
from odforecast.names import ALL_DRUGS

DAY = "2024-12-11"
NAIVE = "forecast --model naive"
COUNTY = "forecast --dataset counties --model county-last"
BACKTEST = "backtest --models naive --start 2021-01 --end 2021-01 --locations US"
MONTHS = f"{NAIVE} --target deaths_month"
NULL = "scenario run --scenario null"

#: Command, exit status, words. ``f.csv`` is a release of one row, ``x.csv`` is none; ``mine`` is a
#: folder with notes.txt, ``mine.html`` a page of somebody else's, ``empty`` an empty folder.
REFUSED = [
    ("frobnicate", 2, "No such command 'frobnicate'. There are: forecast, nowcast,"),
    ("nowcats", 2, "No such command 'nowcats'. Did you mean 'nowcast'?"),
    ("data revision", 2, "Did you mean 'revisions'?"),
    ("data fix acept", 2, "Did you mean 'accept'?"),
    ("forecast Ohoi", 1, "unknown location 'Ohoi'; did you mean Ohio"),
    ("forecast Ohio --state WV", 2, "give places as words or with --locations, not both"),
    ("forecast --county 'Hamilton, Ohio'", 2, "For counties: --dataset counties --locations 'Ham"),
    ("forecast --counties Adams", 2, "No such option: --county."),
    (f"{NAIVE} --locations US,Narnia", 1, "error: unknown location 'Narnia'"),
    (f"{NAIVE} --locations PR --as-of 2025-09-17", 1, "error: no data for PR"),
    (f"{NAIVE} --locations Ohio/*", 1, "for counties: odforecast forecast --dataset counties"),
    (f"{NULL} --locations '' --out x", 1, "no location is named"),
    ("forecast --model oracle", 1, "error: unknown model 'oracle'; one of: dlm, ensemble"),
    ("nowcast --model dml", 1, "error: unknown model 'dml'; did you mean 'dlm'?"),
    ("nowcast --model naive", 1, "naive takes the last counts as reported, so it has no nowcast"),
    ("forecast --model county-last", 2, "county-last is about counties: add --dataset counties"),
    (f"{NULL} --model x --out x", 1, "unknown model 'x'"),
    (f"{NAIVE} --indicator Heroin --as-of 2025-09-17", 1, "no indicator 'Heroin (T40.1)'; it has"),
    (f"{NAIVE} --indicator Moonshine", 1, "no indicator 'Moonshine'; it has: Cocaine (T40.5)"),
    ("scenario run --scenario peace --out x", 1, "--scenario: 'peace' is not a scenario, nor a"),
    ("scenario show cooperation-resumd", 1, "did you mean 'cooperation-resumed'?"),
    ("scenario past busan", 1, "no past event 'busan'"),
    ("scenario validate luck --model drift", 1, "'luck'"),
    ("scenario sensitivity --scenario null --model drift", 2, "--scenario null assumes nothing"),
    ("task show quik", 1, "no task 'quik' ships with odforecast; did you mean"),
    ("task export quik x", 1, "no task 'quik' ships with odforecast; did you mean"),
    ("task submit quik empty --label x --out y", 1, "no task 'quik' ships with odforecast"),
    ("task submit quick none --label x --out y", 1, "no such file or folder: 'none'"),
    ("task leaderboard quick", 1, "no such folder of results: 'quick'; give folders of odforecast"),
    ("examples cooperation", 1, "no example 'cooperation'; did you mean 'cooperation-2026"),
    (f"{NAIVE} --as-of 2019-01-01", 1, "nothing was known on 2019-01-01"),
    (f"{NAIVE} --as-of soon", 2, "'soon' is not a date"),
    (f"{NAIVE} --until 2024-01", 1, "until 2024-01 is not after the last known month 2025-08"),
    (f"{NAIVE} --horizon 3 --until 2026-01", 2, "give --horizon or --until, not both"),
    (f"{NULL} --horizon 3 --until 2026-01 --out x", 2, "give --horizon or --until, not both"),
    (f"{NAIVE} --horizon 0", 2, "--horizon"),
    (f"{NAIVE} --draws 1", 2, "--draws"),
    ("nowcast --months 13", 2, "--months"),
    ("nowcast --level 1", 2, "--level"),
    ("nowcast --level nan --draws 20", 1, "level is nan, allowed: a number above 0 and below 1"),
    (f"{NAIVE} --target deaths", 2, "is not one of 'deaths_12mo', 'deaths_month', 'both'."),
    ("backtest --vintages imaginary", 2, "'imaginary' is not one of"),
    (f"{BACKTEST} --start 2030-01", 1, "lies after end"),
    (f"{BACKTEST} --truth-as-of 2001-01-01", 1, "2025-09-17"),
    (f"{NAIVE} --archive a --source b", 2, "give --archive or --source, not both"),
    (f"{NAIVE} --accept why", 2, "--accept is about a --source FILE"),
    (f"{NAIVE} --replace", 2, "--replace is about --save DIR"),
    (f"{NAIVE} --output-type sample", 2, "--output-type is about --out FILE"),
    (f"{NAIVE} --with-own-counts", 2, "--with-own-counts is about --counts FILE"),
    (f"{MONTHS} --plot p.svg", 2, "--plot shows 12-month counts"),
    (f"{MONTHS} --output-type pmf --out h.csv", 2, "--output-type pmf is for 12-month counts"),
    (f"{NAIVE} --target both --table t.csv", 2, "--table holds one target"),
    (f"{NAIVE} --level 0.8 --html p.html", 2, "--html has intervals of 90% only"),
    ("forecast --rank 3", 2, "--rank is about counties: add --dataset counties"),
    ("forecast --exact", 2, "--exact is about counties: add --dataset counties"),
    (f"{COUNTY} --indicator T40.4", 2, "--indicator is for states: leave it out with --dataset"),
    (f"{COUNTY} --out x.csv", 2, "--out is for states"),
    (f"{COUNTY} --model dlm", 2, "--model dlm is not for counties"),
    (f"{COUNTY} --save s", 2, "add --exact if the folder stays with you"),
    (f"{COUNTY} --locations Ohio", 1, "OH is a state, and these are counties"),
    (f"{COUNTY} --locations 39999", 1, "39999 is not a county of Ohio; Ohio/* are its counties"),
    (f"{COUNTY} --locations 'Puerto Rico/*'", 1, "counts by county have none of Puerto Rico"),
    (f"{COUNTY} --locations Midwest", 1, "its counties are Midwest/*"),
    ("report --replace", 2, "--replace is about --site DIR"),
    ("backtest --task quick --draws 9", 2, "--draws is set by the task"),
    ("backtest --task quick --source bundled", 2, "--source is set by the task"),
    ("update --no-fetch --url http://x", 2, "leave it out with --no-fetch"),
    ("update --no-fetch --series f.csv", 2, "--series is about --scenario"),
    (f"{NULL} --onset 2027-01 --out x", 2, "all scenarios given have their own"),
    (f"{NULL} --exposure x --out x", 2, "--exposure is 'x', write NAME=FILE"),
    (f"{NULL} --exposure typo=f.csv --out x", 2, "only fentanyl-share can be given"),
    (f"{NAIVE} --source nope.csv", 1, "nope.csv"),
    (f"{NAIVE} --out f.xlsx", 2, "for --out: 'f.xlsx' must end in .csv, .csv.gz, .parquet"),
    (f"{NAIVE} --table f.xls", 2, "for --table: 'f.xls' must end in .csv, .csv.gz, .json"),
    ("nowcast --plot f.gif", 2, "for --plot: 'f.gif' must end in .png, .svg, .pdf"),
    (f"{NAIVE} --html f.txt", 2, "for --html: 'f.txt' must end in .html"),
    ("report --out r.csv", 2, "must end in .html"),
    (f"{NAIVE} --html mine.html", 1, "mine.html is not a page of odforecast"),
    (f"{BACKTEST} --html mine.html", 1, "mine.html is not a page of odforecast"),
    ("report --out mine.html", 1, "mine.html is not a page of odforecast"),
    (f"{NAIVE} --save mine --replace", 2, "--save mine contains other files (notes.txt)"),
    (f"{NULL} --out mine --replace", 2, "--out mine contains other files (notes.txt)"),
    (f"{NAIVE} --save s --plot s/p.svg", 2, "is inside the folder of --save"),
    (f"{NULL} --out r --plot r/p.svg", 2, "is inside the folder of --out"),
    (f"{NAIVE} --out a.csv --table ./a.csv", 2, "a.csv is what --table writes"),
    (f"{NAIVE} --table x.csv/t.csv", 1, "x.csv is a file, so nothing can be put into it"),
    (f"{BACKTEST} --out x.csv/r", 1, "nothing can be put into it"),
    ("forecast --source x.csv --out x.csv", 2, "x.csv is read"),
    ("score x.csv --out x.csv", 2, "--out x.csv: x.csv is read"),
    ("data export --source x.csv --out x.csv", 2, "x.csv is read"),
    (f"{NULL} --out r --style no.css", 2, "'no.css' does not exist"),
    ("score", 2, "FORECASTS"),
    ("score none.csv", 1, "error: none.csv: no such file"),
    ("score gone.json", 1, "gone.json: no such file"),
    ("score record.csv", 1, "record.csv: no such file"),
    ("score empty", 1, "contains no forecast, run or results"),
    ("score x.csv --out s.xlsx", 2, "for --out: 's.xlsx' must end in .csv, .parquet"),
    ("score x.csv --min-truth-age -1", 2, "--min-truth-age"),
    ("data check f.csv --source bundled", 2, "--source does not go with FILE..."),
    ("data check f.csv --locations US", 2, "--locations does not go with FILE..."),
    ("data check f.csv x.csv --release 2024-12-11", 2, "give one FILE"),
    ("data check --release 2024-12-11", 2, "to use an earlier date of an archive: --as-of"),
    ("data check --dataset countys", 2, "'countys' is not one of 'states', 'counties'."),
    ("data add f.csv x.csv --accept why --archive a", 2, "give one FILE"),
    ("data releases --log --delays", 2, "give --log or --delays, not both"),
    ("data releases --log --dataset counties", 2, "--dataset does not go with --log and --delays"),
    ("data releases --archive none", 1, "none"),
    ("data releases --log --archive none", 1, "none: there is no such folder; is it spelled"),
    ("data releases --archive empty --dataset counties", 1, "holds no release"),
    (f"data fix retract {DAY} --reason why --archive none", 1, "there is no such folder"),
    (f"data fix retract {DAY}", 2, "--reason"),
    ("data export", 2, "--out"),
    ("data export --archive empty --source f.csv --out -", 2, "not both"),
    ("data export --out empty/a.txt", 2, ".csv"),
    ("data export --source dateless.csv --out -", 1, "--release"),
    ("data export --out - --wonder x.txt", 2, "--wonder goes with --monthly"),
    ("data export --out - --monthly OH --draws 50", 2, "quantiles need at least 100"),
    ("data export --out - --monthly OH --dataset counties", 2, "goes with the counts of states"),
    ("data export --out empty/a.parquet --monthly OH", 2, ".csv"),
    ("data revisions --between 2025-09-17 2026-01-14 --plot x.png", 2, "not go with --between"),
    ("data revisions --between 2025-09-17 2025-09-18", 1, "holds no release 2025-09-18"),
    ("data fetch --list", 2, "--list goes with --past"),
    (f"data fetch --release {DAY}", 2, "--release goes with --past"),
    ("data fetch --git x --file y", 2, "--git goes with --past"),
    ("data fetch --since 2024", 2, "--since goes with --out"),
    ("data fetch --out x.json.gz --archive empty", 2, "not both"),
    ("data fetch --archive x.csv", 2, "is a file; give a folder"),
    ("data fetch --past --dataset counties", 2, "goes with --past only if --git"),
    ("data fetch --past --since 2024", 2, "--since does not go with --past"),
    ("data fetch --past --json", 2, "--json goes with --list"),
    ("data fetch --past --list --release 2024-12-12", 1, "no copy of release 2024-12-12 is listed"),
    ("data fetch --past --git x --file y --copies z", 2, "--copies does not go with --git"),
]
#: Libraries that take most of a second to load, and what loads them.
HEAVY = (
    "pandas", "scipy", "numba", "pymc", "statsforecast", "matplotlib", "pyarrow",
    "odforecast.models", "odforecast.vintage", "odforecast.forecasts",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head = "state,year,month,indicator,data_value\n"
    for name in ("f.csv", "dateless.csv"):
        Path(name).write_text(f"{head}WV,2024,July,{ALL_DRUGS},1234\n")
    Path("x.csv").write_text("a,b\n1,2\n")
    Path("mine.html").write_text("<p>mine</p>")
    for name in ("mine", "empty"):
        Path(name).mkdir()
    Path("mine/notes.txt").write_text("keep")
    return tmp_path


@pytest.mark.parametrize(("command", "code", "words"), REFUSED, ids=[r[0] for r in REFUSED])
def test_refused_in_one_line(folder, command, code, words):
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    done = CliRunner().invoke(main, shlex.split(command))
    assert done.exit_code == code, done.output
    assert words in " ".join(done.stderr.split()).replace(f"{folder.resolve()}/", "")
    assert "Traceback" not in done.stderr
    if code == 1:
        *said, mistake = done.stderr.strip().splitlines()
        assert mistake.startswith("error: ")
        # Once the release is open, its age is said before anything else.
        known = r"release \S+|note: |  |skipped |onset "
        assert all(re.match(known, line) for line in said)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "forecast", "forecast --dataset counties", "nowcast", "report --out page.html", "backtest",
        "hub submit folder", "update",
    ],
)  # fmt: skip
def test_a_misspelled_place_is_answered_before_anything_heavy_loads(command):
    code = f"""
import sys
from odforecast.cli import main
status = main({[*command.split(), "--locations", "US,Ohoi"]}, standalone_mode=False)
print(status, sorted({{*sys.modules}} & {set(HEAVY)!r}))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    mean = "did you mean Ohio or Ohio County, West Virginia?"
    assert done.stderr == f"error: unknown location 'Ohoi'; {mean}\n"
    assert done.stdout == "1 []\n"
