"""Break one line at a time, and say which test notices.

    python tools/mutate.py --seed 1 --lines 40          lines drawn at random
    python tools/mutate.py --seed 1 --lines 40 --list   only show them
    python tools/mutate.py --named                      the faults of tools/mutations.toml
    python tools/mutate.py --named NAME --full          one of them; if need be, on every test

Each fault goes into a copy of the tree of its own; the working tree is only read. The same
tests run once without any fault too, as a suite that fails anyway would "notice" everything.
Exits with 1 if a fault survives, cannot be tried, or is stale.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from faults import DRAWN, PACKAGE, Fault, StaleError, Tests, drawn_faults, named_faults
from mutants import Mutant

ROOT = Path(__file__).resolve().parents[1]
#: What the tests need of the tree, and what of it would only be in the way.
COPIED = ("src", "tests", "docs", "tools", "benchmarks", "README.md", "pyproject.toml")
NOT_COPIED = ("__pycache__", ".*_cache", ".hypothesis", "_build", "generated", "*.nbi", "*.nbc")
#: Tests that read where a named fault stands: they would "notice" every one of them.
NOT_RUN = "tests/test_mutate.py"
SURVIVED, KILLED, TIMEOUT, BROKEN = "SURVIVED", "killed", "TIMEOUT", "BROKEN"
#: Runs in progress, and whether no more may begin.
_LIVE: set[subprocess.Popen[str]] = set()
_STOP = threading.Event()


@contextlib.contextmanager
def copied_tree(mutant: Mutant | None) -> Iterator[Path]:
    """A temporary copy of the tree with one fault, or with none."""
    with tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as name:
        tree = Path(name) / "tree"
        tree.mkdir()
        for part in COPIED:
            if (ROOT / part).is_dir():
                ignore = shutil.ignore_patterns(*NOT_COPIED)
                shutil.copytree(ROOT / part, tree / part, ignore=ignore)
            elif (ROOT / part).exists():
                shutil.copy2(ROOT / part, tree / part)
        if mutant is not None:
            target = tree / PACKAGE / mutant.file
            target.write_bytes(mutant.apply(target.read_bytes()))
        yield tree


def run_tests(tree: Path, tests: Tests, timeout: float) -> tuple[str, str]:
    """Verdict and detail of one selection of tests in a copy of the tree."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0"]
    command += ["--tb=no", "-rfE", f"--basetemp={tree.parent / 'pytest'}"]
    command += [f"--ignore={NOT_RUN}", *tests]
    env = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "NUMBA_CACHE_DIR": str(tree.parent / "numba"),
        "ODFORECAST_SHARED": os.environ.get(
            "ODFORECAST_SHARED", str(ROOT.parent / "shared" / "data")
        ),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    if _STOP.is_set():
        return BROKEN, "stopped"
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=env,
        text=True,
        errors="replace",
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    _LIVE.add(process)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return TIMEOUT, f"after {timeout:.0f} s"
    finally:
        _kill(process)
    return verdict(process.returncode, output)


def verdict(code: int, output: str) -> tuple[str, str]:
    """What a finished run of pytest says about a fault.

    Parameters
    ----------
    code : int
        Exit status.
    output : str
        What it printed.

    Returns
    -------
    tuple of str
        ``SURVIVED``, ``killed`` or ``BROKEN`` (pytest itself could not do its work), and the
        test or the reason.
    """
    if code in (0, 5):  # 5: no tests there
        return SURVIVED, ""
    if code < 0:
        return KILLED, f"by a crash (signal {-code})"
    if found := re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.M):
        return KILLED, f"by {found.group(1)}"
    return BROKEN, f"pytest exit {code}: {(output.strip().splitlines() or [''])[-1]}"


class Baseline:
    """Selections of tests without any fault, each run when a fault first gets to it.

    Parameters
    ----------
    timeout : float
        Seconds a run may take; more, where it takes more than a third of that without a fault.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._lock = threading.Lock()
        self._known: dict[Tests, tuple[float, str]] = {}

    def __call__(self, tests: Tests) -> tuple[float, str]:
        """Seconds a selection may take with a fault, and how it fails without one."""
        with self._lock:
            if tests not in self._known:
                began = time.monotonic()
                with copied_tree(None) as tree:
                    outcome, detail = run_tests(tree, tests, 4 * self.timeout)
                took = time.monotonic() - began
                fails = "" if outcome == SURVIVED else f"fails without a fault: {outcome} {detail}"
                self._known[tests] = (max(self.timeout, 3 * took), fails)
                name = " ".join(tests) or "every test"
                print(f"{name}: {fails or 'passes without a fault'} ({took:.0f} s)", flush=True)
            return self._known[tests]


def try_fault(fault: Fault, baseline: Baseline) -> Fault:
    """Run a fault's selections until one notices it."""
    with copied_tree(fault.mutant) as tree:
        for tests in fault.stages:
            limit, fails = baseline(tests)
            if fails:
                fault.verdict = BROKEN
                fault.detail = f"{' '.join(tests) or 'every test'} {fails}"
            else:
                fault.verdict, fault.detail = run_tests(tree, tests, limit)
            if fault.verdict != SURVIVED:
                break
    return fault


def try_all(faults: Sequence[Fault], jobs: int, timeout: float) -> None:
    """Try every fault that has no verdict yet, several at once."""
    baseline = Baseline(timeout)
    pool = ThreadPoolExecutor(jobs)
    try:
        runs = [pool.submit(try_fault, fault, baseline) for fault in faults if not fault.verdict]
        for n, done in enumerate(as_completed(runs), start=1):
            print(f"{n}/{len(runs)}  {done.result()}", flush=True)
    finally:
        _STOP.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(_LIVE):
            _kill(process)


def report(faults: Sequence[Fault], title: str) -> str:
    """All faults as a Markdown table, and how many fared how; a timeout counts as killed."""
    rows = [f"# {title}", "", "| Where | Code | Fault | Result |", "|---|---|---|---|"]
    for fault in faults:
        where = f"{fault.mutant.file}:{fault.mutant.line}:{fault.mutant.column}"
        code = " ".join(fault.code.split())
        cells = (f"{fault.name} {where}".strip(), f"`{code}`", f"`{fault.change}`", fault.result)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    n = Counter(fault.verdict for fault in faults)
    counts = (
        f"{len(faults)} faults: {n[KILLED] + n[TIMEOUT]} killed ({n[TIMEOUT]} by timeout), "
        f"{n[SURVIVED]} survived, {n['equivalent:']} equivalent, {n[BROKEN]} could not be tried."
    )
    return "\n".join([*rows, "", counts, ""])


def _kill(process: subprocess.Popen[str]) -> None:
    """End a run and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _LIVE.discard(process)


def _parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default 1)")
    parser.add_argument("--lines", type=int, default=40, help="how many to draw (default 40)")
    parser.add_argument(
        "--packages", nargs="+", default=DRAWN, metavar="GLOB",
        help=f"draw from these under {PACKAGE.as_posix()} (default {' '.join(DRAWN)})",
    )  # fmt: skip
    parser.add_argument("--named", nargs="*", metavar="NAME", help="named faults (none: all)")
    parser.add_argument("--list", action="store_true", help="show the faults, run nothing")
    parser.add_argument("--full", action="store_true", help="run survivors on every test too")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds a run of pytest")
    parser.add_argument("--jobs", type=int, default=1, help="how many faults at once")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table as Markdown")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    known = tomllib.loads((ROOT / "tools" / "mutations.toml").read_text(encoding="utf-8"))
    try:
        if args.named is None:
            title = f"Faults drawn at random, seed {args.seed}"
            equivalent = known.get("equivalent", [])
            faults = drawn_faults(ROOT, args.seed, args.lines, args.packages, equivalent)
        else:
            title, entries = "Named faults", known.get("named", [])
            if absent := set(args.named) - {entry.get("name") for entry in entries}:
                parser.error(f"no fault is named {', '.join(sorted(absent))}")
            chosen = [e for e in entries if not args.named or e.get("name") in args.named]
            faults = named_faults(ROOT, chosen)
    except StaleError as error:
        print(error)
        return 1
    if not faults:
        parser.error("there is no fault to try")
    print(f"{title}: {len(faults)}", flush=True)
    if args.list:
        print(*(f"{f}" if f.name else f"{f}   # {f.code}" for f in faults), sep="\n")
        return 0
    for fault in faults:
        fault.stages += [()] if args.full and () not in fault.stages else []
    try_all(faults, args.jobs, args.timeout)
    table = report(faults, title)
    print(f"\n{table}")
    if args.report:
        args.report.write_text(table, encoding="utf-8")
    return int(any(fault.verdict in (SURVIVED, BROKEN) for fault in faults))


if __name__ == "__main__":
    # Ended from outside, it ends its own runs and leaves no copies behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
