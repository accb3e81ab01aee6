"""Commands as processes: where they write, who reads, and what a terminal sees."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from odforecast.cli import main
from odforecast.models.hierarchy.model import _progress
from odforecast.models.model import watching
from odforecast.names import ALL_DRUGS

PAGE = Path(__file__).parents[2] / "docs" / "install.md"
RUN = [
    ("forecast --model naive --locations US --draws 20 --save s --plot p.svg", {"s", "p.svg"}),
    ("update --no-fetch --model naive --draws 20", set()),
    ("backtest --models naive --start 2023-01 --end 2023-01 --draws 20 --locations US "
     "--jobs 2", set()),
    ("data add release.csv --release 2024-12-11", set()),
    ("examples cooperation-2026", {"cooperation-2026.yaml"}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the places of Linux")
def test_commands_write_where_the_page_says(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("## Where files are written") : text.index("## Upgrade")]
    listed = set(re.findall(r"`~/([\w./-]+?)`", table)) | {".local/share/odforecast"}
    home, temporary, work = (tmp_path / name for name in ("home", "tmp", "work"))
    for folder in (home, temporary, work):
        folder.mkdir()
    drop = ("XDG_", "NUMBA_", "MPLCONFIGDIR")
    env = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    env |= {"HOME": str(home), "TMPDIR": str(temporary)}
    expected = {"release.csv"}
    head = "state,year,month,indicator,data_value\n"
    (work / "release.csv").write_text(f"{head}WV,2024,July,{ALL_DRUGS},9\n")
    for command, written in RUN:
        words = [sys.executable, "-m", "odforecast", *shlex.split(command)]
        done = subprocess.run(words, cwd=work, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        expected |= written
        assert {p.name for p in work.iterdir()} == expected, command
    files = [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()]
    assert not [f for f in files if not f.startswith(tuple(f"{place}/" for place in listed))]
    assert {"updates", "archive"} == {p.name for p in (home / ".local/share/odforecast").iterdir()}
    assert not list(temporary.iterdir())


def test_a_read_only_folder_is_refused_before_the_work(tmp_path, monkeypatch):
    locked = tmp_path / "locked"
    (locked / "inside").mkdir(parents=True)
    # Root may write anywhere: what the system would say to others is said here.
    real = os.access

    def access(path, mode):
        inside = locked in [Path(path), *Path(path).parents]
        return not (inside and mode & os.W_OK) and real(path, mode)

    monkeypatch.setattr(os, "access", access)
    start = ("forecast", "--model", "naive", "--locations", "US")
    for args in (
        (*start, "--save", locked / "inside"), (*start, "--save", locked / "new"),
        (*start, "--out", locked / "a.csv"), ("data", "export", "--out", locked / "a.csv"),
        ("data", "fetch", "--archive", locked / "inside"),
        ("data", "fetch", "--past", "--archive", locked / "inside"),
    ):  # fmt: skip
        done = CliRunner().invoke(main, [str(a) for a in args])
        assert done.exit_code == 1, args
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: --")
        assert "nothing can be written into " in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("forecast --model drift --locations US --draws 20 --out out.csv", "out.csv"),
        ("data export --out -", ""),
        ("backtest --models naive --locations US --start 2023-03 --end 2023-03 --draws 20 --jobs 1"
         " --out folder", "folder/manifest.json"),
    ],
)  # fmt: skip
def test_the_file_is_written_though_nobody_reads_on(words, file, tmp_path):
    command = [sys.executable, "-m", "odforecast", *words.split()]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, **piped) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before a line is there
        said = process.stderr.read().decode()
        assert process.wait(120) == 0, said
    assert not file or (tmp_path / file).is_file()
    assert "Broken" not in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_long_fit_says_what_it_does_and_how_far_it_is():
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    code = """
import time
from odforecast.cli import screen
from odforecast.models.model import watcher
screen.PATIENCE = 0.0
with screen.working("fitting dlm"):
    watcher()("sampling 4 chains", 5, 12)
    time.sleep(0.6)
print("done")
"""
    terminal, end = pty.openpty()
    how = {"stdout": subprocess.PIPE, "stderr": end, "text": True, "check": True, "timeout": 120}
    how["env"] = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
    done = subprocess.run([sys.executable, "-c", code], **how)
    os.close(end)
    seen = os.read(terminal, 4096).decode()
    os.close(terminal)
    assert done.stdout == "done\n"
    assert "sampling 4 chains" in seen
    assert "5/12" in seen


def test_the_sampler_is_asked_only_where_somebody_watches():
    def sample(*, progress_callback=None, progress_rate=0):
        pass

    def older():
        pass

    assert _progress(sample) == {}
    seen = []
    with watching(lambda *step: seen.append(step)):
        assert _progress(older) == {}
        progress = _progress(sample)
        chain = SimpleNamespace(finished_draws=30, total_draws=100)
        progress["progress_callback"]([chain, chain])
    assert seen == [("sampling 2 chains", 60, 200)]
    assert _progress(sample) == {}
