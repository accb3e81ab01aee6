"""The data commands, as a stranger types them."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from odforecast import __version__
from odforecast.cli import COMMANDS, main
from odforecast.names import ALL_DRUGS, TABLE_COLUMNS
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.bundle import bundled

ROW = f"WV,2024,July,{ALL_DRUGS},1234,1300,99.5+\n"
HEADER = "state,year,month,indicator,data_value,predicted_value,percent_complete\n"


def run(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "2024-12-11.csv"
    path.write_text(HEADER + ROW)
    return path


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "2024-11-13.csv"
    path.write_text(HEADER + ROW.replace("1234", "12x4"))
    return path


def test_help_imports_no_command():
    code = (
        "import sys; from odforecast.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'pandas', 'numpy', 'odforecast.cli.data'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


def test_version_and_unknown_commands():
    assert run("--version").output == f"odforecast, version {__version__}\n"
    lost = run("frobnicate")
    assert lost.exit_code == 2
    assert "No such command 'frobnicate'. There are: forecast, nowcast," in lost.stderr
    close = run("nowcats")
    assert close.exit_code == 2
    assert "No such command 'nowcats'. Did you mean 'nowcast'?" in close.stderr
    assert "Did you mean 'revisions'?" in run("data", "revision").stderr
    assert run("data", "inspect").exit_code == 2


def test_a_broken_pipe_is_quiet():
    done = subprocess.run(
        f"'{sys.executable}' -m odforecast.cli data export --out - | head -2",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[0] == ",".join(TABLE_COLUMNS)
    assert done.stderr == ""


def test_inspect(file):
    done = run("data", "inspect", file)
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "2024-12-11.csv"
    assert "months 2024-07 to 2024-07" in lines
    assert "rows read 1" in lines
    assert "reported 1 values; 0 blank" in lines
    assert f"indicators {ALL_DRUGS}" in lines
    assert "US reported no count in the 12 months ending 2024-07" in lines
    assert "bounds 1 percents like '99.5+' read as the bound" in lines
    assert any(line.startswith("note no rows for US, AK") for line in lines)


def test_inspect_goes_on_after_a_refusal(file, bad):
    done = run("data", "inspect", bad, file)
    assert done.exit_code == 1
    assert "REFUSED      row 2 (WV, 2024, July, " in done.stdout
    assert "Data Value '12x4' is no number" in done.stdout
    assert "\n\n2024-12-11.csv\n" in done.stdout
    assert done.stderr == "error: 1 of 2 files refused\n"
    done = run("data", "inspect", bad, file, "--json")
    assert done.exit_code == 1
    refused, good = json.loads(done.stdout)
    assert refused["file"] == bad.name
    assert "12x4" in refused["error"]
    assert good["rows_kept"] == 1
    assert good["release"] == "2024-12-11"
    assert run("data", "inspect", bad, file, "--release", "2024-12-11").exit_code == 2


def test_inspect_a_real_file(vsrr):
    done = run("data", "inspect", vsrr / "2017-12-13.csv")
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    assert "US and 52 jurisdictions" in text
    assert "66,324 overdose deaths in the 12 months ending 2017-05" in text
    assert "add up to US exactly, in all 58 checked" in text


def test_archive_commands(file, bad, tmp_path):
    store = tmp_path / "archive"
    done = run("data", "add", file, "--archive", store)
    assert done.exit_code == 0
    assert "2024-12-11.csv: release 2024-12-11 added, 1 rows" in done.stdout
    assert "holds 1 release, 2024-12-11 to 2024-12-11" in done.stdout
    again = run("data", "add", file, "--archive", store)
    assert again.exit_code == 0
    assert "was there already, unchanged" in again.stdout
    file.write_text(HEADER + ROW.replace("1234", "1235"))
    other = run("data", "add", file, "--archive", store)
    assert other.exit_code == 1
    assert other.stderr.startswith("error: the archive holds other numbers for release 2024-12-11")
    assert other.stderr.count("\n") == 1
    # A bad file is refused by itself; the good one beside it is added.
    later = tmp_path / "2025-01-15.csv"
    later.write_text(HEADER + ROW)
    mixed = run("data", "add", bad, later, "--archive", store)
    assert mixed.exit_code == 1
    assert "1 of 2 files refused" in mixed.stderr
    assert "holds 2 releases, 2024-12-11 to 2025-01-15" in mixed.stdout
    done = run("data", "releases", "--archive", store)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 3
    row, _ = json.loads(run("data", "releases", "--archive", store, "--json").stdout)
    assert (row["release"], row["rows"], row["us_last"]) == ("2024-12-11", 1, None)
    missing = run("data", "releases", "--archive", tmp_path / "none")
    assert missing.exit_code == 1
    assert "there is no folder" in missing.stderr


def test_export_the_bundled_release(tmp_path):
    out = tmp_path / "table.csv"
    done = run("data", "export", "--out", out)
    assert done.exit_code == 0
    head = out.read_text().splitlines()[:2]
    assert head[0] == ",".join(TABLE_COLUMNS)
    assert head[1] == f"2026-01-14,US,US,2015-01,{ALL_DRUGS},47523,48060,100,0.143178356,ok"
    table = bundled().as_of().table
    pd.testing.assert_frame_equal(read_vsrr(out).table, table)
    stdout = run("data", "export", "--source", out, "--out", "-").stdout
    assert stdout == out.read_text()
    parquet = tmp_path / "table.parquet"
    assert run("data", "export", "--out", parquet).exit_code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), table)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.csv", "table.parquet"]


def test_export_as_of(file, tmp_path):
    store = tmp_path / "archive"
    run("data", "add", file, "--archive", store)
    done = run("data", "export", "--archive", store, "--as-of", "2025-02-01", "--out", "-")
    assert done.stdout.splitlines()[1] == (
        f"2024-12-11,54,WV,2024-07,{ALL_DRUGS},1234,1300,99.5,,ok"
    )
    assert done.stderr == (
        "note: the last release seen is 2024-12-11: asked for 2025-02-01, answered with\n  it\n"
    )
    early = run("data", "export", "--archive", store, "--as-of", "2024-12-10", "--out", "-")
    assert early.exit_code == 1
    assert early.stderr.startswith("error: nothing was known on 2024-12-10")


def test_export_refuses_what_makes_no_sense(file, tmp_path):
    both = run("data", "export", "--archive", tmp_path, "--source", file, "--out", "-")
    assert both.exit_code == 2
    assert "not both" in both.stderr
    assert run("data", "export", "--out", tmp_path / "a.txt").exit_code == 2
    assert run("data", "export").exit_code == 2
    made = run("data", "export", "--out", tmp_path / "new" / "a.csv")
    assert made.exit_code == 0
    assert (tmp_path / "new" / "a.csv").exists()
    lost = run("data", "export", "--out", tmp_path / "new" / "a.csv" / "b.csv")
    assert lost.exit_code == 1
    assert lost.stderr.startswith("error: ")
    assert lost.stderr.count("\n") == 1
    named = file.rename(tmp_path / "vsrr.csv")
    dateless = run("data", "export", "--source", named, "--out", "-")
    assert dateless.exit_code == 1
    assert "--release" in dateless.stderr
    dated = run("data", "export", "--source", named, "--release", "2024-12-11", "--out", "-")
    assert dated.exit_code == 0


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("division by zero"), 1, "unexpected ZeroDivisionError: division by"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: Permission denied: /x"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_anything_else_is_one_line(monkeypatch, error, code, words):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr("odforecast.cli.data_dataset.open_source", fail)
    done = run("data", "export", "--out", "-")
    assert done.exit_code == code
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    if code == 1:
        loud = run("--debug", "data", "export", "--out", "-")
        assert loud.exit_code == 1
        assert loud.stderr.startswith("Traceback")
        assert words in loud.stderr
