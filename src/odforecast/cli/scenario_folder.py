"""The folder of ``odforecast scenario run``: a run's own, and replaced as a whole."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import click

#: By this file a folder is known to hold a run, and what else a run writes, but for briefs.
MARK = "scenarios.yaml"
WRITTEN = (
    MARK, "quantiles.csv", "samples.parquet", "draws.parquet", "answer.csv", "deaths_averted.csv",
    "time_to_recover.csv", "exposure.csv", "cost_of_delay.csv", "figures", "hub-config",
)  # fmt: skip


def check_folder(out: Path, replace: bool) -> None:
    """Refuse a folder that a run would mix with what is in it.

    Raises
    ------
    click.UsageError
        If it is a file, or holds something.
    """
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"--out {out} is a file, give a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    others = sorted(p.name for p in out.iterdir() if not _ours(p.name))
    if others or not (out / MARK).exists():
        named = f" ({', '.join(others[:3])})" if others else ""
        raise click.UsageError(f"--out {out} holds other files{named}, give a folder of its own")
    if not replace:
        raise click.UsageError(f"--out {out} holds a run already; --replace takes its place")


def _ours(name: str) -> bool:
    """Whether a run writes a file or folder of this name."""
    return name in WRITTEN or bool(re.fullmatch(r"brief(-[\w.-]+)?\.html", name))


def take_place(made: Path, out: Path) -> None:
    """The new folder where the old one was: nothing of an earlier run stays beside it."""
    old = made.parent / "old"
    if out.exists():
        out.rename(old)
    made.rename(out)
    if old.exists():
        shutil.rmtree(old)
