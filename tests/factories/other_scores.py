"""scoringrules, to compare with: its rules in numpy, which need no compiling."""

import sys
from functools import cache
from typing import Any

import pytest


@cache
def scoringrules() -> Any:
    """The package; a test that asks for it is skipped where it is not installed.

    It compiles every rule as it is imported, for longer than any test here takes. Where it finds
    no numba, it has the same rules in numpy.
    """
    there = sys.modules.get("numba")
    sys.modules["numba"] = None  # type: ignore[assignment]
    try:
        return pytest.importorskip("scoringrules")
    finally:
        if there is None:
            del sys.modules["numba"]
        else:
            sys.modules["numba"] = there
