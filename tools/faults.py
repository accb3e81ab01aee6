"""Which faults to try, and on which tests: drawn at random, or named in ``mutations.toml``."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mutants import Mutant, draw, mutant_at, mutants

#: The package, from the root of the repository.
PACKAGE = Path("src/odforecast")
#: What is drawn from: globs under the package.
DRAWN = ("models", "panel*", "vintage", "backtesting")
NUMBERS = "tests/test_numbers.py"
#: Prefix of a path under the package -> the tests likely to cover it. Every entry that fits is
#: run, the longest prefix first; tests that do not exist are skipped.
LIKELY = {
    "models/baselines": ("tests/models/test_baselines.py",),
    "models/delay": ("tests/models/test_delay.py",),
    "models/ensemble": ("tests/models/test_ensemble.py",),
    "models/county": ("tests/models/test_county_filter.py", "tests/models/test_county_model.py"),
    "models/hierarch": ("tests/models/test_hierarchical.py",),
    "models/own": ("tests/test_own_counts.py",),
    "models/statespace/share": ("tests/models/test_share.py",),
    "models/statespace": ("tests/models/test_dlm.py", "tests/models/test_named_faults.py"),
    "models": ("tests/models", NUMBERS),
    "panel/own": ("tests/test_own_counts.py",),
    "panel": ("tests/test_panel.py", NUMBERS),
    "vintage": ("tests/vintage", NUMBERS),
    "sources": ("tests/sources",),
    "monthly": ("tests/monthly",),
    "months": ("tests/test_panel.py",),
    "forecasts": (
        "tests/test_forecast.py",
        "tests/test_forecast_file.py",
        "tests/forecasts",
        NUMBERS,
    ),
    "scoring": ("tests/scoring", NUMBERS),
    "backtest": ("tests/backtesting", NUMBERS),
    "evidence": ("tests/evidence",),
    "scenario": ("tests/scenario", NUMBERS),
    "report": ("tests/report",),
    "hub": ("tests/test_hub.py", "tests/test_hub_faults.py", "tests/hub"),
    "cli": ("tests/cli",),
}
#: Part of the package -> tests that reach it by other doors; they are run last.
WIDER = {
    "forecasts": (
        "tests/test_objects.py",
        "tests/cli/test_cli_forecast.py",
        "tests/cli/test_cli_counties.py",
        "tests/cli/test_cli_written.py",
        "tests/scoring/test_trend_scores.py",
        "tests/models/test_delay.py",
    ),
    "panel": (
        "tests/test_objects.py",
        "tests/models/test_delay.py",
        "tests/models/test_county_model.py",
        "tests/vintage",
        "tests/sources",
    ),
    "scoring": (
        "tests/test_hub_faults.py",
        "tests/test_hub.py",
        "tests/hub",
        "tests/cli/test_cli_score.py",
        "tests/backtesting",
    ),
    "backtesting": ("tests/test_objects.py", "tests/cli/test_cli_score.py", "tests/report"),
    "vintage": ("tests/cli/test_cli_quarantine.py", "tests/cli/test_cli_data.py"),
    "scenario": ("tests/cli/test_cli_scenario.py",),
}
#: One selection of tests: what pytest is given. Empty: every test.
Tests = tuple[str, ...]


class StaleError(Exception):
    """Entries of ``mutations.toml`` that no longer fit the code."""


@dataclass
class Fault:
    """A mutant and how it fared.

    Attributes
    ----------
    mutant : Mutant
        The edit.
    stages : list of tuple of str
        Selections of tests, run one after the other until one notices.
    code : str
        The line as it stands.
    name : str
        Name in ``mutations.toml``; empty if drawn.
    verdict, detail : str
        How it fared, and which test says so; empty before it is run.
    """

    mutant: Mutant
    stages: list[Tests]
    code: str = field(default="", repr=False)
    name: str = ""
    verdict: str = ""
    detail: str = ""

    @property
    def change(self) -> str:
        """``old -> new``, on one line."""
        old, new = (" ".join(text.split()) for text in (self.mutant.old, self.mutant.new))
        return f"{old} -> {new or '(nothing)'}"

    @property
    def result(self) -> str:
        """Verdict and detail."""
        return f"{self.verdict} {self.detail}".strip()

    def __str__(self) -> str:
        mutant = self.mutant
        where = f"{mutant.file}:{mutant.line}:{mutant.column}"
        return "  ".join(filter(None, (where, self.name, self.change, self.result)))


def likely_tests(root: Path, file: str) -> list[Tests]:
    """Selections of tests for a source file: its own examples, then the nearest tests first.

    Parameters
    ----------
    root : Path
        Root of the repository.
    file : str
        Path under the package.
    """
    own = root / PACKAGE / file
    stages = [((PACKAGE / file).as_posix(),)] if ">>>" in own.read_text(encoding="utf-8") else []
    for prefix in sorted((p for p in LIKELY if file.startswith(p)), key=len, reverse=True):
        stages.append(LIKELY[prefix])
    stages += [tests for part, tests in WIDER.items() if file.startswith(part)]
    present = [tuple(test for test in tests if (root / test).exists()) for tests in stages]
    return [tests for tests in present if tests] or [()]


def drawn_faults(
    root: Path,
    seed: int,
    lines: int,
    globs: Sequence[str] = DRAWN,
    equivalent: Iterable[dict[str, Any]] = (),
) -> list[Fault]:
    """Faults at random; those that are known to be equivalent carry their verdict already.

    Parameters
    ----------
    root : Path
        Root of the repository.
    seed : int
        The same seed gives the same faults from the same files.
    lines : int
        How many.
    globs : sequence of str
        Files and folders under the package.
    equivalent : iterable of dict
        Entries of ``[[equivalent]]``.

    Raises
    ------
    StaleError
        If an entry does not fit the code.
    """
    reasons = _equivalents(root, equivalent)
    base = root / PACKAGE
    paths = {path for pattern in globs for path in base.glob(pattern)}
    files = {f for path in paths for f in (path.rglob("*.py") if path.is_dir() else [path])}
    sources = {f.relative_to(base).as_posix(): f.read_bytes() for f in files if f.suffix == ".py"}
    faults = []
    for mutant in draw({f: mutants(data, f) for f, data in sources.items()}, seed, lines):
        code = sources[mutant.file].splitlines()[mutant.line - 1].decode().strip()
        fault = Fault(mutant, likely_tests(root, mutant.file), code)
        for span, only, reason in reasons:
            data = sources[mutant.file]
            within = (
                span.file == mutant.file and span.start <= mutant.start <= mutant.end <= span.end
            )
            if within and (not only or span.apply(data) == mutant.apply(data)):
                fault.verdict, fault.detail = "equivalent:", reason
        faults.append(fault)
    return faults


def named_faults(root: Path, entries: Iterable[dict[str, Any]]) -> list[Fault]:
    """Faults of ``[[named]]``.

    Raises
    ------
    StaleError
        If any entry does not fit the code; it lists all that do not.
    """
    faults, stale = [], []
    for entry in entries:
        try:
            mutant, data = _located(root, entry, entry["replace"])
            ast.parse(mutant.apply(data))
            if mutant.old == mutant.new or not isinstance(entry["tests"], list):
                raise ValueError("it must change something, and tests must be a list")
            faults.append(Fault(mutant, [tuple(entry["tests"])], mutant.old, entry["name"]))
        except (OSError, KeyError, SyntaxError, ValueError) as error:
            stale.append(f"STALE {entry.get('name', '?')}: {error!r}")
    names = Counter(fault.name for fault in faults)
    stale += [f"STALE {name}: {n} entries have this name" for name, n in names.items() if n > 1]
    if stale:
        raise StaleError("\n".join(stale))
    return faults


def _equivalents(root: Path, entries: Iterable[dict[str, Any]]) -> list[tuple[Mutant, bool, str]]:
    """Spans of ``[[equivalent]]``, whether only one replacement is meant, and the reasons."""
    spans, stale = [], []
    for entry in entries:
        try:
            span, _ = _located(root, entry, entry.get("replace", ""))
            spans.append((span, "replace" in entry, str(entry["reason"])))
        except (OSError, KeyError, ValueError) as error:
            stale.append(f"STALE equivalent: {error!r}")
    if stale:
        raise StaleError("\n".join(stale))
    return spans


def _located(root: Path, entry: dict[str, Any], replace: str) -> tuple[Mutant, bytes]:
    """The span an entry speaks of, and the file it stands in."""
    data = (root / PACKAGE / entry["file"]).read_bytes()
    return mutant_at(data, entry["file"], entry["find"], replace), data
