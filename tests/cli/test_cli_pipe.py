"""A reader who stops reading loses no file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("forecast --model drift --locations US --draws 20 --out out.csv", "out.csv"),
        ("nowcast --model drift+delay --locations US --draws 20 --table out.csv", "out.csv"),
        ("backtest --models naive --locations US --start 2023-03 --end 2023-03 --draws 20 --jobs 1"
         " --out folder", "folder/manifest.json"),
    ],
)  # fmt: skip
def test_the_file_is_written_though_nobody_reads_on(words: str, file: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "odforecast", *words.split()]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before a line is there
        said = process.stderr.read().decode()
        assert process.wait(120) == 0, said
    assert (tmp_path / file).is_file()
    assert "Broken" not in said
    assert "Traceback" not in said
