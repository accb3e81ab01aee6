"""Where commands write: the places that docs/install.md lists, and no others."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from odforecast.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "install.md"
#: Commands, each in an empty folder, and what they write there.
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
def test_commands_write_where_the_page_says(tmp_path: Path) -> None:
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
    source = (
        "state,year,month,indicator,data_value\nWV,2024,July,Number of Drug Overdose Deaths,9\n"
    )
    (work / "release.csv").write_text(source)
    for command, written in RUN:
        words = shlex.split(
            command.replace("add release.csv", "add release.csv --release 2024-12-11")
        )
        done = subprocess.run(
            [sys.executable, "-m", "odforecast", *words],
            cwd=work, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stderr)
        expected |= written
        assert {p.name for p in work.iterdir()} == expected, command
    files = [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()]
    stray = [f for f in files if not f.startswith(tuple(f"{place}/" for place in listed))]
    assert not stray
    assert {"updates", "archive"} == {p.name for p in (home / ".local/share/odforecast").iterdir()}
    assert not list(temporary.iterdir())


def test_a_read_only_folder_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    (locked / "inside").mkdir(parents=True)
    # Root may write anywhere: what the system would say to others is said here.
    real = os.access

    def access(path: str, mode: int) -> bool:
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
