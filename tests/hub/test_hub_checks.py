"""hubValidations' checks by name: the list, and for each a hub that breaks it alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hub_breaker import (
    BREAKS,
    NEVER_ALONE,
    PAGE,
    SUBMISSION,
    broken,
    get,
    in_page,
    our_hub,
    put,
    small_hub,
    table_of_page,
)

from odforecast.hub.checks import CHECKS, check
from odforecast.hub.checks.known import BY_NAME


@pytest.fixture(scope="session")
def hubverse(shared: Path) -> Path:
    return shared / "hubverse"


def test_the_list_is_that_of_hub_validations(hubverse: Path) -> None:
    with (hubverse / "checks.csv").open(encoding="utf-8", newline="") as file:
        theirs = list(csv.DictReader(file))
    assert len(CHECKS) == len(theirs) == 52
    for ours, row in zip(CHECKS, theirs):
        name = row["function"] if row["name"] == "NA" else row["name"]
        assert (ours.name, ours.says, ours.applies_to, ours.function) == (
            name, row["check"].replace("\xa0", " "), row["applies_to"], row["function"],
        )  # fmt: skip
        assert (str(ours.stops).upper(), str(ours.optional).upper()) == (
            row["stops"], row["optional"],
        )  # fmt: skip


def test_every_check_has_a_hub_that_breaks_it() -> None:
    assert set(BREAKS) | set(NEVER_ALONE) == {c.name for c in CHECKS}


def test_the_small_hub_passes(tmp_path: Path) -> None:
    found = check(small_hub(tmp_path / "hub"), submission_time="2024-01-10")
    assert found.failed == ()
    assert set(found.not_run) == {
        "valid_config", "target_partition_file_name", "opt_check_tbl_col_timediff",
    }  # fmt: skip


def test_the_small_hub_passes_its_schemas(tmp_path: Path, hubverse: Path) -> None:
    found = check(small_hub(tmp_path / "hub"), schemas=hubverse)
    assert found.failed == ()
    assert found.status("valid_config") == "passed"


@pytest.mark.parametrize("name", BREAKS)
def test_a_check_fails_alone(name: str, tmp_path: Path) -> None:
    path, options = broken(name, tmp_path)
    found = check(path, **options)
    assert found.failed == (name,), str(found)
    outcome = next(x for x in found.of(name) if x.status == "failed")
    assert outcome.count >= len(outcome.findings) >= 1
    assert all(str(x).strip() for x in outcome.findings)
    if BY_NAME[name].stops:
        # Nothing after it, of the same file and group, was run.
        # (How many models a team has is asked of the team, and not of a file.)
        mine = BY_NAME[name].applies_to
        group = [c.name for c in CHECKS if c.applies_to == mine and "max_model_n" not in c.name]
        after = group[group.index(name) + 1 :]
        late = [x for x in found if x.file == outcome.file and x.name in after]
        run = [x.name for x in late if x.status != "not run"]
        assert [n for n in run if n != "metadata_file_location"] == []


def test_the_example_hub_passes(hubverse: Path) -> None:
    found = check(hubverse / "example_hub", schemas=hubverse)
    assert found.failed == ()
    assert found.reason("submission_time").endswith("(--submission-time)")
    assert len(found.passed) == 45


def test_the_window_of_the_example_hub_is_closed(hubverse: Path) -> None:
    assert check(hubverse / "example_hub", submission_time=True).failed == ("submission_time",)
    assert check(hubverse / "example_hub", submission_time="2022-10-18").ok


def test_a_hub_made_here_passes(tmp_path: Path) -> None:
    found = check(our_hub(tmp_path / "hub"))
    assert found.failed == ()
    run = {c.name for c in CHECKS if not c.optional} - {"valid_config", "submission_time"}
    assert set(found.passed) == run


def test_the_check_that_cannot_fail_alone(tmp_path: Path) -> None:
    assert list(NEVER_ALONE) == ["spl_compound_tid"]
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    mine = (table["output_type"] == "sample") & (table["output_type_id"] == "10")
    table.loc[mine, "output_type_id"] = "0"
    put(root, SUBMISSION, table)
    found = check(root)
    assert found.failed == ("spl_compound_taskid_set",)
    assert "spl_compound_tid" in found.not_run


def test_the_table_of_the_page_is_what_the_checks_say(hubverse: Path, tmp_path: Path) -> None:
    """If this fails: python tests/factories/hub_breaker.py writes the table again."""
    text = PAGE.read_text(encoding="utf-8")
    assert in_page(text, table_of_page(hubverse, tmp_path)) == text
    for known in CHECKS:
        assert f"| `{known.name}` |" in text
