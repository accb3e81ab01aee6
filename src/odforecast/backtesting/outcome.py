"""What comes of a unit: scores, or failure rows with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

#: Columns of the failures table.
FAILURE_COLUMNS = (
    "model",
    "model_version",
    "as_of",
    "last_month",
    "vintage",
    "donor",
    "donor_distance",
    "location",
    "target",
    "reason",
    "detail",
)
#: How a reason begins where memory ran out: such a unit is tried once more, alone.
NO_MEMORY = "MemoryError"
#: Longest traceback kept, in characters.
_DETAIL = 20_000
#: Longest reason on a screen.
SCREEN = 200


@dataclass(frozen=True)
class Outcome:
    """What came of a unit.

    Attributes
    ----------
    scores, quantiles, failures : DataFrame
        One row per forecast unit; per quantile; per location or model that failed.
    seconds : float
        Time to fit and forecast, scoring left out.
    warnings : tuple of str
        What the model warned of, each kind once, with how often.
    joint : DataFrame
        Joint scores, where they were asked for; else without rows.
    stored : bool
        Its tables are in its block's files, and not here.
    """

    scores: pd.DataFrame
    quantiles: pd.DataFrame
    failures: pd.DataFrame
    seconds: float
    warnings: tuple[str, ...] = ()
    joint: pd.DataFrame = field(default_factory=pd.DataFrame)
    stored: bool = False

    @property
    def failed(self) -> str:
        """Why the whole unit failed; empty if it did not."""
        if self.stored or not self.scores.empty or self.failures.empty:
            return ""
        return "; ".join(dict.fromkeys(self.failures["reason"].astype(str)))

    @property
    def starved(self) -> bool:
        """Whether the unit failed for want of memory."""
        return self.failed.startswith(NO_MEMORY)


def failure_row(
    keys: Mapping[str, object], location: str, target: str, reason: str, detail: str = ""
) -> dict[str, object]:
    """One row of the failures table; texts made such that any file can hold them."""
    return {
        **keys,
        "location": location,
        "target": target,
        "reason": _storable(reason),
        "detail": _storable(detail[-_DETAIL:]),
    }


def failed(rows: list[dict[str, object]], seconds: float, warned: tuple[str, ...] = ()) -> Outcome:
    """The outcome of a unit that has failure rows and nothing else."""
    failures = pd.DataFrame(rows, columns=list(FAILURE_COLUMNS))
    return Outcome(pd.DataFrame(), pd.DataFrame(), failures, seconds, warned)


def reason_of(error: BaseException) -> str:
    """Name and message of an error; of any error, also one that has no printable message."""
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    name = NO_MEMORY if isinstance(error, MemoryError) else type(error).__name__  # numpy's, too
    return f"{name}: {text}" if text else name


def on_screen(reason: str) -> str:
    """A reason as one line for a screen: cut, and without control characters."""
    line = "".join(c if c.isprintable() else " " for c in reason)
    line = " ".join(line.split())
    return line if len(line) <= SCREEN else line[: SCREEN - 1] + "…"


def _storable(text: object) -> str:
    # A lone surrogate is no UTF-8, and no Parquet file can hold it.
    return str(text).encode("utf-8", "backslashreplace").decode()
