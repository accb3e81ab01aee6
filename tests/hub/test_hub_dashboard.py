"""The hubverse's own dashboard shows a hub made here: all origins, models, and states by name."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import odforecast as od
from odforecast.geography import called, lookup

pytestmark = pytest.mark.slow

UV = Path(__file__).parents[2] / ".tools" / "bin" / "uv"
MODELS = ("dlm", "hub-baseline", "naive+delay")


@pytest.fixture(scope="module")
def tools(shared, tmp_path_factory) -> Path:
    source = shared.parent / "peers" / "hub-dashboard-predtimechart"
    if not source.is_dir() or not UV.exists():
        pytest.skip("no copy of hub-dashboard-predtimechart, or no uv")
    folder = tmp_path_factory.mktemp("dashboard")
    shutil.copytree(source, folder / "source", ignore=shutil.ignore_patterns(".git", "tests"))
    python = folder / "env" / "bin" / "python"
    for words in (("venv", folder / "env"),
                  ("pip", "install", "--python", python, folder / "source")):  # fmt: skip
        done = subprocess.run([UV, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"it cannot be installed here: {done.stderr.splitlines()[-1]}")
    return python.parent


def test_the_dashboard_shows_every_origin_model_and_state(tools, tmp_path):
    start, end = "2024-01", "2024-03"
    hub = od.hub.init(tmp_path / "hub", od.bundled(), kind="pseudo-clean", start=start, end=end)
    for origin in od.origins(od.bundled(), "pseudo-clean", start, end):
        assert origin.panel is not None
        for model in MODELS:
            forecast = od.get_model(model).fit(origin.panel).forecast(draws=100)
            od.hub.submit(forecast.select(["US", "OH"]), hub)
    config = hub.root / "dashboard" / "predtimechart-config.yml"
    forecasts, targets = tmp_path / "forecasts", tmp_path / "targets"
    for folder in (forecasts, targets):
        folder.mkdir()
    options = tmp_path / "options.json"
    for command, places in (("ptc_generate_json_files", (options, forecasts)),
                            ("ptc_generate_target_json_files", (targets,))):  # fmt: skip
        done = subprocess.run(
            [tools / command, hub.root, config, *places],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    said = json.loads(options.read_text())
    days = list(hub.origins)
    assert len(days) == 3
    assert said["available_as_ofs"] == {"deaths_12mo": days, "deaths_month": days}
    assert said["initial_as_of"] == days[-1]
    assert {od.hub.model_id(x) for x in MODELS} <= set(said["models"])
    assert set(said["initial_checked_models"]) <= set(said["models"])
    panel = od.bundled().as_of().panel()
    names = {lookup(s).code: called(s) for s in panel.locations}
    for task_ids in said["task_ids"].values():
        assert {x["value"]: x["text"] for x in task_ids["location"]} == names
    for day in days:
        for code in ("US", "39"):
            drawn = json.loads((forecasts / f"deaths_12mo_{code}_{day}.json").read_text())
            assert set(drawn) == {od.hub.model_id(x) for x in MODELS}
            assert all(len(x["q0.5"]) == len(x["target_end_date"]) > 11 for x in drawn.values())
            counts = json.loads((targets / f"deaths_12mo_{code}_{day}.json").read_text())
            assert len(counts["date"]) == len(counts["y"]) > 100
