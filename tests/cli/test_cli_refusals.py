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

#: A row is an exit status, a command and words of the answer; the file says what it names.
SAID = (Path(__file__).parent / "refused.txt").read_text(encoding="utf-8").splitlines()
BEGIN = dict(line.split(" = ", 1) for line in SAID if line[:1] != "#" and " = " in line)


def _refused():
    for line in SAID:
        code, _, rest = line.partition(" | ")
        if rest:
            command, _, words = rest.partition(" | ")
            first, *others = command.split(" ", 1)
            yield " ".join([BEGIN.get(first, first), *others]), int(code), words


REFUSED = [*_refused()]
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
