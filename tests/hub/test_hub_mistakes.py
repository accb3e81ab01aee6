"""Plain mistakes with hubs: each is one line that says what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from small_hub import MODELS, small_hub

import odforecast as od
from odforecast.cli import main
from odforecast.errors import DataError, ForecastError
from odforecast.hub.layout import Hub
from odforecast.months import month_end

#: Their numbers are those of the release of 2025-09-17.
pytestmark = pytest.mark.usefixtures("older_bundle")


def run(*words: object):
    return CliRunner().invoke(main, ["hub", *map(str, words)])


@pytest.fixture(scope="module")
def drift() -> od.Forecast:
    panel = od.bundled().as_of("2025-09-17").panel().select(["US", "OH"])
    return od.get_model("drift").fit(panel).forecast(draws=50)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, drift: od.Forecast) -> Hub:
    """A hub of the bundled release with one submission, and so without answers."""
    hub = od.hub.init(tmp_path_factory.mktemp("made") / "hub", od.bundled())
    od.hub.submit(drift, hub, format="csv", output_types=["quantile"])
    return hub


@pytest.fixture
def hub(made: Hub, tmp_path: Path) -> Path:
    """The same, of a test's own."""
    return Path(shutil.copytree(made.root, tmp_path / "hub"))


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_hub_without_answers_says_so(made: Hub, more: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="no answers yet; odforecast hub update adds") as caught:
        od.hub.score(made)
    assert "--target-data time-series" in str(caught.value)
    assert "None" not in str(caught.value)
    assert isinstance(run("score", made.root, *more).exception, DataError | SystemExit)


def test_a_model_with_an_infinite_mean_is_infinitely_worse(tmp_path: Path) -> None:
    found = od.hub.score(small_hub(tmp_path / "hub"))
    mine = (found.units["model_id"] == MODELS[1]).to_numpy()
    found.units.loc[np.flatnonzero(mine)[0], "wis"] = np.inf
    table = found.summary(baseline=MODELS[0]).set_index("model_id")
    assert table.loc[MODELS[1], "relative"] == np.inf


def submission(folder: Path) -> Path:
    (path,) = Hub.open(folder).submissions()
    return path


def shifted(path: Path, by: int = 1) -> None:
    """Every day of a submission one month later, or earlier."""
    table = pd.read_csv(path, dtype=str)
    later = {
        day: month_end(np.datetime64(day[:7], "M") + np.timedelta64(by, "M")).isoformat()
        for day in set(table["target_end_date"])
    }
    ends = table["target_end_date"].map(later)
    table.assign(target_end_date=ends).to_csv(path, index=False)


def test_wrong_months_are_refused(hub: Path) -> None:
    """Every day a month late passes the hubverse's checks, for it is a derived task id."""
    path = submission(hub)
    shifted(path)
    found = od.hub.score(hub, target_data="time-series")
    (failure,) = found.failures.to_dict("records")
    assert "row 2: horizon 1 of round 2025-09-17 ends on 2025-05-31" in failure["reason"]
    assert "target_end_date is '2025-06-30'" in failure["reason"]
    assert found.units.empty
    with pytest.raises(DataError, match="horizons count from the last month known"):
        od.hub.score(hub, path, target_data="time-series")


def test_wrong_months_fail_a_check(hub: Path) -> None:
    """The months of another round are among the hub's values, and not those of the horizons."""
    path = submission(hub)
    assert od.hub.check(hub).ok
    shifted(path, -1)
    found = od.hub.check(hub)
    assert found.failed == ("derived_task_id_vals",)
    (outcome,) = (x for x in found.of("derived_task_id_vals") if x.status == "failed")
    assert outcome.findings[0].row == 2
    assert "horizon 1 of round 2025-09-17 ends on 2025-05-31" in outcome.findings[0].message
    assert outcome.count == len(pd.read_csv(path))
    other_rule(hub)
    assert od.hub.check(hub).ok


def other_rule(hub: Path) -> None:
    """A hub that does not say how it counts horizons."""
    admin = hub / "hub-config" / "admin.json"
    config = json.loads(admin.read_text())
    del config["additional_metadata"]["horizon_rule"]
    admin.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda hub, _: od.hub.init(hub.root / "new", "bundled"), r"pass od.bundled\(\)"),
        (lambda hub, _: od.hub.update(hub, "bundled"), r"pass od.bundled\(\)"),
        (lambda _, __: od.hub.init(3, od.bundled()), "folder is '3'; give the path"),
        (lambda hub, _: od.hub.submit("x", hub), "forecast is 'x', not a Forecast"),
        (lambda _, f: od.hub.submit(f, 3), "hub is '3'; give the folder of a hub"),
        (lambda _, __: od.hub.score(3), "hub is '3'; give the folder of a hub"),
        (lambda _, __: od.hub.update(None), "hub is 'None'; give the folder of a hub"),
        (lambda _, __: od.hub.check(None), "path is None; give the folder of a hub"),
    ],
)
def test_what_is_no_hub_archive_or_forecast(made: Hub, drift, call, words: str) -> None:
    with pytest.raises((DataError, ForecastError), match=words) as caught:
        call(made, drift)
    assert len(str(caught.value).splitlines()) == 1
    assert not (made.root / "new").exists()


def test_broken_target_data_are_called_so(hub: Path) -> None:
    (hub / "target-data" / "oracle-output.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"oracle-output\.parquet: cannot be read") as caught:
        od.hub.score(hub)
    assert caught.value.hint == "it is the hub's target data (oracle-output)"
    submission(hub).write_text('a,b\n"x\n')
    (failure,) = od.hub.score(hub, target_data="time-series").failures.to_dict("records")
    assert "is it a hubverse model-output file?" in failure["reason"]


def test_a_hub_without_rounds_takes_nothing(hub: Path, drift: od.Forecast) -> None:
    tasks = hub / "hub-config" / "tasks.json"
    tasks.write_text(json.dumps({**json.loads(tasks.read_text()), "rounds": []}))
    with pytest.raises(DataError, match="no rounds, so nothing is asked for"):
        od.hub.submit(drift, hub)
    result = run("submit", hub, "--source", "bundled", "--model", "drift", "--draws", 50)
    assert result.exit_code == 1
    assert "no rounds, so nothing is asked for" in str(result.exception) + result.stderr


@pytest.mark.parametrize("where", ["hub-config/tasks.json", "hub-config"])
def test_the_configuration_alone_is_not_checked(hub: Path, where: str) -> None:
    with pytest.raises(DataError, match="judged with the whole hub") as caught:
        od.hub.check(hub / where)
    assert caught.value.hint == f"check the hub's folder: {hub}"


def test_rounds_are_called_as_the_option_calls_them(tmp_path: Path) -> None:
    result = run("init", tmp_path / "z", "--source", "bundled", "--rounds", "delayed",
                 "--indicator", "T40.4")  # fmt: skip
    said = result.stderr + str(result.exception)
    assert result.exit_code == 1
    assert "take --rounds clean, or --rounds real" in said
    assert "pseudo" not in said
