"""Mutated data files: every value as it stands there, or a refusal in one line; nothing else.

``ODFORECAST_FUZZ=5000`` (or ``make fuzz N=5000``) runs that many cases per data set, from
``ODFORECAST_FUZZ_SEED`` on. A case is its data set and its seed, printed where it fails; the
corpus holds every case that once failed, and is run always. Outcomes:

* ``right``: every value is the one that stands in the mutated file, as an independent parser of
  a few lines reads it (``reader_naive.py``);
* ``refused``: one printable line that names the file;
* ``wrong``: a value differs, or a sum that the file itself gives away is broken and neither the
  reader nor :func:`odforecast.vintage.quality.contradictions` reports it;
* ``lost``: rows are not there; ``traceback``: any other exception; ``badly said``: a refusal
  that is no short line.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import traceback
from collections import Counter
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from reader_naive import Unreadable
from reader_sets import Base, bases, case

from odforecast.errors import DataError

CASES = int(os.environ.get("ODFORECAST_FUZZ", "40"))
FIRST = int(os.environ.get("ODFORECAST_FUZZ_SEED", "0"))
CORPUS = json.loads(Path(__file__).with_name("corpus_readers.json").read_text())
SHARED = Path(os.environ.get("ODFORECAST_SHARED", Path(__file__).parents[3] / "shared" / "data"))
NAMES = ("releases", "WONDER", "county", "own", "people")


@cache
def sets() -> dict[str, list[Base]]:
    """Read where they are first needed, and once."""
    return bases(SHARED if SHARED.is_dir() else None)


def outcome(base: Base, data: bytes, folder: Path, truth: dict) -> tuple[str, str]:
    """Class of an outcome, and what is to be said of it."""
    path = folder / base.file
    path.write_bytes(data)
    try:
        got = base.read(path)
    except DataError as error:
        line = str(error)
        if not line.isprintable() or len(line) > 900:
            return "badly said", line[:1200]
        return "refused", line
    except Exception:
        return "traceback", traceback.format_exc()[-1500:]
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
def truths(tmp_path_factory):
    """Every base, unchanged, reads; its values."""
    folder = tmp_path_factory.mktemp("truth")
    found = {}
    for many in sets().values():
        for base in many:
            path = folder / base.file
            path.write_bytes(base.grid.text().encode())
            found[base.name] = base.read(path).values
            assert outcome(base, base.grid.text().encode(), folder, {}) == ("right", "")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_mutated_files(name, truths, tmp_path, capsys):
    counts: Counter[tuple[str, str]] = Counter()
    bad = []
    for seed in [*CORPUS.get(name, []), *range(FIRST, FIRST + CASES)]:
        r = random.Random(f"{name} {seed}")
        base = r.choice(sets()[name])
        what, data = case(base, r)
        kind, said = outcome(base, data, tmp_path, truths[base.name])
        counts[what, kind] += 1
        if kind not in ("right", "refused"):
            bad.append(f"seed {seed} ({base.name}, {what}): {kind}: {said}")
    if CASES > 1000:
        table = pd.Series(counts).unstack(fill_value=0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        with capsys.disabled():
            print(f"\n{name}: seeds {FIRST}..{FIRST + CASES - 1}, peak {peak} MB\n{table}")
            print(table.sum().to_dict())
    assert not bad, f"{len(bad)} cases: {[b.split(' (')[0] for b in bad]}\n" + "\n".join(bad[:25])
    assert sum(counts.values()) >= CASES


@pytest.mark.slow
def test_the_other_parser_refuses_too():
    with pytest.raises(Unreadable):
        sets()["releases"][0].naive(b"PK\x03\x04")
