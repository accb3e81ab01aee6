"""The files that a row of a CSV file passes on its way to a quantile: docs/design.md lists them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: A newcomer reads no more than these.
MOST = 35
#: In a process of its own. The second way is noted: imports are done, nothing is remembered.
TRACE = """
import functools, gc, sys
from pathlib import Path
import odforecast as od

def way(file):
    made = od.get_model().fit(od.read(file).panel()).forecast(12, draws=20)
    return made.select("Ohio").quantiles([0.05, 0.5, 0.95])

way(sys.argv[1])
for found in gc.get_objects():
    if isinstance(found, functools._lru_cache_wrapper) and "odforecast" in found.__module__:
        found.cache_clear()
passed = {}
sys.setprofile(lambda frame, event, _: passed.setdefault(frame.f_code.co_filename))
way(sys.argv[1])
sys.setprofile(None)
root = Path(od.__file__).parent
for file in map(Path, passed):
    if root in file.parents:
        print(file.relative_to(root).as_posix())
"""


@pytest.mark.slow
def test_a_row_passes_the_files_that_the_page_lists(tmp_path):
    from click.testing import CliRunner

    from odforecast.cli import main

    release = tmp_path / "release.csv"
    assert CliRunner().invoke(main, ["data", "export", "--out", str(release)]).exit_code == 0
    run = subprocess.run(
        [sys.executable, "-c", TRACE, str(release)], capture_output=True, text=True, check=True
    )
    passed = run.stdout.split()
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = page.partition("## From a CSV row to a quantile")[2].partition("\n## ")[0]
    assert re.findall(r"^\| \d+ \| `([^`]+)` \|", section, re.M) == passed
    assert len(passed) <= MOST
