"""Names in a hub: legal, and the way back to the label."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import DataError, ForecastError
from odforecast.hub import layout
from odforecast.models.model import LABEL

#: What labels are made of, twice over where signs meet.
_SIGNS = " _.,+=()[]'-"
_LABELS = st.text(st.sampled_from("abzAZ019" + _SIGNS * 2), min_size=1, max_size=24).filter(
    LABEL.fullmatch
)


@given(_LABELS)
def test_every_label_comes_back(label: str) -> None:
    there = layout.model_id(label, "team_1")
    assert layout.MODEL_ID.fullmatch(there)
    assert layout.label_of(there, "team_1") == label


@given(_LABELS, _LABELS)
def test_no_two_labels_have_one_name(one: str, other: str) -> None:
    assert (layout.model_id(one) == layout.model_id(other)) == (one == other)


@given(st.text(st.sampled_from("ab_25f8"), min_size=1, max_size=14))
def test_a_name_of_ours_is_undone_to_its_label_or_refused(model: str) -> None:
    name = f"odforecast-{model}"
    try:
        label = layout.label_of(name)
    except DataError:
        return
    assert layout.model_id(label) == name


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("auto-ets", "auto_ets"),
        ("naive+delay", "naive__delay"),
        ("auto_ets", "auto___5fets"),
        ("a--b", "a___2d_b"),
        ("a-", "a___2d"),
        ("dlm(delay=False)", "dlm___28delay___3dFalse___29"),
    ],
)
def test_the_mapping_is_the_one_that_is_written_down(label: str, name: str) -> None:
    assert layout.model_id(label) == f"odforecast-{name}"
    assert layout.label_of(f"Team-{name}") == f"Team-{name}"  # other teams keep their names


@pytest.mark.parametrize(
    "name",
    ["auto-ets-sums", "a b-c", "odforecast", "odforecast-", "odforecast-a____b", "odforecast-a___2",
     "odforecast-_a", "odforecast-a___61", "odforecast-a_", "odforecast-a___2Db", ""],
)  # fmt: skip
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(DataError):
        layout.label_of(name)


@pytest.mark.parametrize(
    ("label", "team", "words"),
    [
        ("", "odforecast", "not a valid model label"),
        ("naïve", "odforecast", "not a valid model label"),
        ("a\nb", "odforecast", "not a valid model label"),
        ("drift", "my-team", "not a valid team name"),
        ("drift", "", "not a valid team name"),
        ("drift", "t" * 33, "not a valid team name"),
        ("a" * 129, "odforecast", "shorter label"),
    ],
)
def test_what_makes_no_name_is_refused(label: str, team: str, words: str) -> None:
    with pytest.raises(ForecastError, match=words):
        layout.model_id(label, team)
