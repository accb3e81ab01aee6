"""Texts of code and settings: the same in every process, and other ones of other code."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from odforecast.models.content import Contents
from odforecast.seeds import steps_of

CODE = """
from odforecast.models.content import Contents
from odforecast.scoring.metrics import Metric

made = {}
exec("keep = lambda x: x in {'OH', 'WV', 'PA', 'NY', 'KY', ('a', 'b')}", made)
print(Contents().text(made["keep"]))
print(Contents().text({"OH", "WV", "PA", "NY"}))
"""


def said(seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_set_in_the_code_has_one_text_in_every_process() -> None:
    """Python keeps ``x in {...}`` as a frozenset, whose order hangs on the process's hash seed."""
    assert len({said(seed) for seed in ("1", "2", "3")}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x: x + 1, lambda x: x - 1),
        (lambda x: x in {1, 2}, lambda x: x in {1, 3}),
        (lambda x: x in {1, 2}, lambda x: x in (1, 2)),
        (lambda x: len(x), lambda x: sum(x)),
        (lambda: [+y for y in (1, 2)], lambda: [-y for y in (1, 2)]),
        (lambda: lambda: 1, lambda: lambda: 1.0),
    ],
)  # fmt: skip
def test_other_steps_have_another_text(one, other) -> None:
    assert steps_of(one.__code__) != steps_of(other.__code__)
    assert steps_of(one.__code__) == steps_of(one.__code__)
    assert Contents().text(one) != Contents().text(other)
