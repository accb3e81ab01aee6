"""Mutated data files: every value as it stands there, or a refusal in one line; nothing else.

What stands there an independent parser of a few lines says (``reader_sets.py``). Wrong is also a
broken sum that neither the reader nor :func:`odforecast.vintage.quality.contradictions` reports.
"""

from __future__ import annotations

import math
import os
import random
from pathlib import Path

import pytest
from fuzz_cases import Outcome, attempt, run_all, seeds
from reader_sets import Base, bases, case

SHARED = Path(os.environ.get("ODFORECAST_SHARED", Path(__file__).parents[3] / "shared" / "data"))


def outcome(base: Base, data: bytes, folder: Path, truth: dict) -> Outcome:
    """Class of an outcome, and what is to be said of it."""
    got = attempt(base.read, folder / base.file, data, 900)
    if isinstance(got, tuple):
        return got
    try:
        there, broken = base.naive(data)
    except Exception as error:  # no reading of its own: then only the file as it was will do
        if got.values.keys() == truth.keys() and all(
            same(v, truth[k]) for k, v in got.values.items()
        ):
            return "right", ""
        said = f"{type(error).__name__} {error}"[:200]
        different = [k for k in got.values if got.values[k] != truth.get(k, "absent")][:3]
        return "wrong", f"read, where the other parser could not ({said}); {different}"
    for key, value in there.items():
        if key not in got.values:
            return "lost", f"{key}: {value}"
        if not same(got.values[key], value):
            return "wrong", f"{key}: {value!r} read as {got.values[key]!r}"
    if extra := [k for k in got.values if k not in there]:
        return "wrong", f"{extra[0]} does not stand there"
    if broken and not got.reported:
        return "wrong", "a broken sum, and nothing reported"
    return "right", ""


def same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)
    return a == b


@pytest.fixture(scope="module")
def sets() -> dict[str, list[Base]]:
    return bases(SHARED)


@pytest.fixture(scope="module")
def truths(sets, tmp_path_factory):
    """Every base, unchanged, reads; its values."""
    folder = tmp_path_factory.mktemp("truth")
    found = {}
    for base in (base for many in sets.values() for base in many):
        data = base.grid.text().encode()
        assert outcome(base, data, folder, {}) == ("right", "")
        found[base.name] = base.read(folder / base.file).values
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["releases", "WONDER", "county", "own", "people"])
def test_mutated_files(name, sets, truths, tmp_path, capsys):
    if name not in sets:
        pytest.skip(f"no real files at {SHARED}")

    def one(seed):
        r = random.Random(f"{name} {seed}")
        base = r.choice(sets[name])
        what, data = case(base, r)
        return f"{base.name}, {what}", outcome(base, data, tmp_path, truths[base.name])

    run_all(name, seeds(40), one, capsys)
