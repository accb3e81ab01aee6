"""Mutated files, one after the other: each is read as it stands or refused in a line.

``ODFORECAST_FUZZ=5000`` (or ``make fuzz N=5000``) runs that many cases of each data set, from
``ODFORECAST_FUZZ_SEED`` on. A case is its seed, printed where it fails.
"""

import os
import resource
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from odforecast.errors import OdforecastError

FIRST = int(os.environ.get("ODFORECAST_FUZZ_SEED", "0"))

#: Class of an outcome, and what is to be said of it.
Outcome = tuple[str, str]


def seeds(usual: int, always: Iterable[int] = ()) -> list[int]:
    """Those that once failed, and as many as are asked for."""
    return [*always, *range(FIRST, FIRST + int(os.environ.get("ODFORECAST_FUZZ", usual)))]


def run_all(title, chosen, one, capsys):
    """Run the cases; ``one`` says what was done to a file, and what came of it."""
    counts: Counter[tuple[str, str]] = Counter()
    bad = []
    for seed in chosen:
        what, (kind, said) = one(seed)
        counts[what, kind] += 1
        if kind not in ("right", "refused"):
            bad.append(f"seed {seed} ({what}): {kind}: {said}")
    table = pd.Series(counts).unstack(fill_value=0)
    if len(chosen) > 1000:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        with capsys.disabled():
            print(f"\n{title}: {len(chosen)} seeds to {chosen[-1]}, peak {peak} MB\n{table}")
            print(table.sum().to_dict())
    assert not bad, f"{len(bad)} cases; {table.sum().to_dict()}\n" + "\n".join(bad[:12])
    assert {"right", "refused"} <= set(table.columns)


def attempt[T](read: Callable[[Path], T], path: Path, data: bytes, most: int) -> T | Outcome:
    """What is read of a file; or that it was refused, in one printable line that names it."""
    path.write_bytes(data)
    try:
        return read(path)
    except OdforecastError as error:
        line = str(error)
        good = path.name in line and line.isprintable()
        short = len(line.replace(str(path), "FILE")) <= most
        return "refused" if good and short else "badly said", line[: most + 200]
    except Exception:
        return "traceback", traceback.format_exc()[-1500:]
