"""One family of errors: fact, hint, and the builtin one would expect."""

from __future__ import annotations

import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast import errors
from odforecast.errors import OdforecastError

FAMILY = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, OdforecastError)
]


@pytest.mark.parametrize("error", FAMILY)
def test_message_then_hint(error: type[OdforecastError]) -> None:
    raised = error("row 3 has no month", hint="add one")
    assert str(raised) == "row 3 has no month; add one"
    assert (raised.message, raised.hint) == ("row 3 has no month", "add one")
    assert str(error("row 3 has no month")) == "row 3 has no month"


@pytest.mark.parametrize("error", [e for e in FAMILY if e is not OdforecastError])
def test_each_is_also_the_builtin_one_would_expect(error: type[OdforecastError]) -> None:
    special = {errors.UnknownNameError: LookupError, errors.DownloadError: ConnectionError}
    expected = special.get(error, ValueError)
    assert issubclass(error, expected)
    with pytest.raises(OdforecastError):
        raise error("wrong")


@given(st.sampled_from(FAMILY), st.text(), st.none() | st.text())
def test_pickling_keeps_class_message_and_hint(
    error: type[OdforecastError], message: str, hint: str | None
) -> None:
    # A parallel backtest carries its workers' errors home.
    back = pickle.loads(pickle.dumps(error(message, hint=hint)))
    assert type(back) is error
    assert (back.message, back.hint, str(back)) == (message, hint, str(error(message, hint=hint)))


def test_every_class_is_documented() -> None:
    assert all(error.__doc__ for error in FAMILY)
