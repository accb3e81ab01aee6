"""``make golden``: compare what the code does with what it did, part by part.

The set in ``tests/golden`` holds what must not move while the inside of the package is rewritten.
``golden_parts.py`` makes it again through public doors alone: documented names, the command line,
files. A part is a file of lines ``[unit, key, value]``; a unit is one function. Digests of draws
(keys that begin with ``bits``) are compared on the kind of machine that wrote them; on another,
numbers must agree to 1e-5. ``--write`` rewrites parts on purpose. What tomorrow's code must open
(``tests/golden/files``) is only made again by ``--write --only files``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
#: How far numbers may differ, of themselves: on the same kind of machine, and on another, where
#: sums are added in another order and optimisers end elsewhere (1.2e-6 was seen).
SAME, OTHER = 1e-11, 1e-5
#: Whole numbers from here on are taken for rounded counts.
ROUNDED = 1_000
LINES = 20
#: One thread, so that sums are added in one order; nothing of the user's own is seen.
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg", "TZ": "UTC"}
HOMES = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA")
Values = dict[str, Any]
#: What each unit found, or a text: why it was not run, or how it failed.
Found = dict[str, Values | str]


def machine() -> list[str]:
    """What the bits of a sum hang on: processor and libraries."""
    import numba
    import numpy
    import scipy.linalg
    from llvmlite import binding
    from threadpoolctl import threadpool_info

    blas = {f"{x['internal_api']} {x['version']} {x.get('architecture')}"
            for x in threadpool_info() if x["user_api"] == "blas"}  # fmt: skip
    simd = sorted(k for k, on in binding.get_host_cpu_features().items() if on and k[:3] == "avx")
    versions = [f"{m.__name__} {m.__version__}" for m in (numpy, numba, scipy)]
    return [f"{binding.get_host_cpu_name()}: {' '.join(simd)}", *sorted(blas), *versions,
            f"python {sys.version_info.major}.{sys.version_info.minor}"]  # fmt: skip


def run(part: str, unit: str, temporary: str) -> tuple[Values | str, float]:
    """One unit, in a process and an empty folder of its own: what it found, and seconds."""
    start, folder = time.perf_counter(), Path(tempfile.mkdtemp(f"-{unit}", dir=temporary))
    for name in ("home", "work"):
        (folder / name).mkdir()
    os.environ.update(dict.fromkeys(HOMES, str(folder / "home")))
    os.chdir(folder / "work")
    import golden_parts

    try:
        if part == "files":
            golden_parts.make_files(GOLDEN / "files")
            return {}, time.perf_counter() - start
        found = golden_parts.PARTS[part][unit]()
        return {"machine": machine(), **json.loads(json.dumps(found))}, time.perf_counter() - start
    except golden_parts.SkippedError as reason:
        return f"skipped: {reason}", 0.0
    except Exception:
        return traceback.format_exc(), 0.0


def run_all(parts: list[str], jobs: int) -> dict[str, Found]:
    """Every unit of these parts; the longest begin first."""
    import golden_parts

    units = [(p, u) for p in parts if p != "files" for u in golden_parts.PARTS[p]]
    first = golden_parts.LONGEST
    units.sort(key=lambda x: first.index(x[1]) if x[1] in first else len(first))
    found: dict[str, Found] = {part: {} for part in parts}
    with tempfile.TemporaryDirectory(prefix="golden-", ignore_cleanup_errors=True) as temporary:
        os.environ["MPLCONFIGDIR"] = temporary
        context = get_context("spawn")
        with ProcessPoolExecutor(jobs, context, max_tasks_per_child=1) as pool:
            if "files" in parts:
                found["files"]["files"], _ = pool.submit(run, "files", "files", temporary).result()
            waiting = [(p, u, pool.submit(run, p, u, temporary)) for p, u in units]
            for part, unit, future in waiting:
                try:
                    found[part][unit], seconds = future.result()
                except BrokenProcessPool as error:  # a unit that ends its process
                    found[part][unit], seconds = f"its process, or another's: {error}", 0.0
                if os.environ.get("TIMES"):
                    print(f"{seconds:5.1f} s {part} {unit}")
    return found


def read(part: str, folder: Path) -> dict[str, Values]:
    """What is stored of a part, by unit."""
    stored: dict[str, Values] = {}
    file = folder / f"{part}.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        unit, key, value = json.loads(line)
        stored.setdefault(unit, {})[key] = value
    return stored


def write(part: str, found: Found, folder: Path) -> None:
    """Store a part; a unit that was not run, or failed, stays as it is."""
    kept = {u: v for u, v in read(part, folder).items() if isinstance(found.get(u), str)}
    units = kept | {u: v for u, v in found.items() if isinstance(v, dict)}
    lines = [json.dumps([u, k, v], ensure_ascii=False) + "\n"
             for u in sorted(units) for k, v in sorted(units[u].items())]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")


def same(was: object, now: object, tolerance: float) -> bool:
    """Whether two values are the same: numbers up to rounding, lists one by one."""
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(same(a, b, tolerance) for a, b in zip(was, now))
    if isinstance(was, bool) or isinstance(now, bool):
        return was is now
    if isinstance(was, int | float) and isinstance(now, int | float):
        if math.isclose(was, now, rel_tol=tolerance, abs_tol=tolerance):
            return True
        # A count that is rounded may fall on the other side of a half on another machine.
        rounded = float(was).is_integer() and float(now).is_integer() and abs(was) >= ROUNDED
        return tolerance >= OTHER and rounded and abs(was - now) <= 1
    return was == now


def short(value: object) -> str:
    """A value in at most 70 characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 70 else f"{text[:69]}…"


def difference(was: Any, now: Any, columns: Any, tolerance: float) -> str:
    """What differs between two values, in one line; in a row of a table, by column."""
    if isinstance(was, str) and isinstance(now, str):
        start = max(0, next((i for i, (a, b) in enumerate(zip(was, now)) if a != b), 0) - 20)
        was, now = ("…" * bool(start) + x[start:] for x in (was, now))
    if not (isinstance(was, list) and isinstance(now, list)):
        return f"was {short(was)}, is {short(now)}"
    if len(was) != len(now):
        gone, new = ([x for x in a if x not in b] for a, b in ((was, now), (now, was)))
        return f"was {len(was)} values, is {len(now)}; gone {short(gone)}, new {short(new)}"
    if not columns or len(columns) != len(was) + 1:
        columns = ["", *(f"value {i + 1}" for i in range(len(was)))]
    cells = [f"{name} was {short(a)}, is {short(b)}"
             for name, a, b in zip(columns[1:], was, now) if not same(a, b, tolerance)]  # fmt: skip
    return "; ".join(cells[:2]) + (f"; {len(cells) - 2} more" if len(cells) > 2 else "")


def compare(stored: dict[str, Values], found: Found) -> tuple[list[str], list[str]]:
    """What differs, a line each, and what was not compared."""
    lines, notes = [], []
    for unit in sorted({*stored, *found}):
        was, now = stored.get(unit), found.get(unit)
        if isinstance(now, str) and now.startswith("skipped: "):
            notes.append(f"{unit} {now}")
        elif was is None or now is None:
            lines.append(f"{unit}: {'nothing is stored' if was is None else 'no longer made'}")
        elif isinstance(now, str):
            lines.append(f"{unit}: failed: {now.strip().splitlines()[-1]}")
        else:
            alike = was.get("machine") == now.get("machine")
            if not alike:
                other = next(x for x in zip_longest(was["machine"], now["machine"]) if x[0] != x[1])
                notes.append(f"stored on {other[0]}, this is {other[1]}: bits were not compared")
            tolerance = SAME if alike else OTHER
            for key in sorted({*was, *now} - {"machine"}):
                columns = was.get(f"{key.partition(' | ')[0]} | columns")
                if key.startswith("bits") and not alike:
                    continue
                if key not in now:
                    lines.append(f"{unit} {key}: gone; was {short(was[key])}")
                elif key not in was:
                    lines.append(f"{unit} {key}: new; is {short(now[key])}")
                elif not same(was[key], now[key], tolerance):
                    what = difference(was[key], now[key], columns, tolerance)
                    lines.append(f"{unit} {key}: {what}")
    return lines, list(dict.fromkeys(notes))


def report(part: str, stored: dict[str, Values], found: Found) -> bool:
    """Print what differs in a part, in at most 20 lines; whether nothing does."""
    lines, notes = compare(stored, found)
    count = sum(len(v) for v in found.values() if isinstance(v, dict))
    print(f"{part:9} {count:6,} values, {f'{len(lines):,} differ' if lines else 'as stored'}")
    if len(lines) > LINES:
        rest = Counter(x.split()[0].rstrip(":") for x in lines[LINES - 1 :])
        more = ", ".join(f"{n:,} of {unit}" for unit, n in rest.items())
        lines[LINES - 1 :] = [f"… {rest.total():,} more: {more}"]
    print("".join(f"  {x}\n" for x in [*(f"({x})" for x in notes), *lines]), end="", flush=True)
    return not lines


def main(arguments: list[str] | None = None) -> int:
    """Compare, or write; 1 if something differs or fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="rewrite the set")
    parser.add_argument("--only", default="", help="parts, with commas between them; files")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    os.environ.update(ALONE)
    import golden_parts

    parts = [p for p in options.only.split(",") if p] or list(golden_parts.PARTS)
    if wrong := {*parts} - {*golden_parts.PARTS, "files"}:
        parser.error(f"no part {min(wrong)}; there are {', '.join(golden_parts.PARTS)}, files")
    start = time.perf_counter()
    if "files" in parts:
        if not options.write:
            parser.error("files are only made with --write")
        parts = ["files", "stored", *(p for p in parts if p not in ("files", "stored"))]
    found = run_all(parts, options.jobs)
    parts = [p for p in parts if p != "files"]
    texts = [
        f"{unit} {x}" for units in found.values() for unit, x in units.items() if isinstance(x, str)
    ]
    failed = [x for x in texts if " skipped: " not in x]
    print("\n".join(failed), file=sys.stderr, end="")
    good = {part: report(part, read(part, GOLDEN), found[part]) for part in parts}
    if not all(good.values()) and not options.write:
        moved = ",".join(part for part in parts if not good[part])
        print(f"If this is intended: make golden WRITE=1 ONLY={moved}, and say why in the commit")
    for part in parts if options.write else ():
        write(part, found[part], GOLDEN)
    size = sum(p.stat().st_size for p in GOLDEN.rglob("*") if p.is_file())
    print(f"{time.perf_counter() - start:.0f} s; the set has {size / 1e6:.2f} MB")
    return int(bool(failed)) if options.write else int(not all(good.values()))


if __name__ == "__main__":
    sys.exit(main())
