"""Who takes part in a leaderboard: one model of one folder of results, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting.definition import ALL
from odforecast.backtesting.results import Results
from odforecast.backtesting.task import SHORT, fingerprint_of
from odforecast.errors import BacktestError
from odforecast.models import model_names
from odforecast.models.model import LABEL
from odforecast.months import ONE_MONTH
from odforecast.names import COUNTIES
from odforecast.say import quoted

#: Columns of the score table that are kept: thirty models have four million rows.
KEPT = (
    "model", "as_of", "last_month", "vintage", "donor", "location", "target", "horizon", "month",
    "truth", "truth_release", "regime", "observed", "scorable", "median", "wis", "log_wis",
    "crps", "ae", "bias", "pit", "cover_50", "cover_80", "cover_90", "cover_95", "last_reported",
)  # fmt: skip
#: Columns that make two score tables the same forecasts with the same scores.
_SAME = ("as_of", "last_month", "donor", "location", "target", "horizon", "median", "wis")


@dataclass(frozen=True, eq=False)
class Entry:
    """A model of a folder of results.

    Attributes
    ----------
    model : str
        Its label.
    where : str
        The folder.
    manifest : mapping
        Of the run.
    scores : DataFrame
        The model's rows of months that were not known at the origin, columns :data:`KEPT`.
    failures : DataFrame
        The model's rows.
    """

    model: str
    where: str
    manifest: Mapping[str, Any]
    scores: pd.DataFrame
    failures: pd.DataFrame

    @property
    def task(self) -> Mapping[str, Any]:
        """Name, fingerprint and definition."""
        found: Mapping[str, Any] = self.manifest["task"]
        return found

    @property
    def version(self) -> str:
        """Of the model."""
        return str(self.manifest["models"][self.model])

    @property
    def spec(self) -> str:
        """Hash of the model's spec; of forecasts made elsewhere, of their files."""
        return str(self.manifest.get("specs", {}).get(self.model, ""))

    @property
    def code(self) -> str | None:
        """Digest of the code that made the forecasts; None where it is not known."""
        return None if self.submitted else self.manifest.get("code")

    @property
    def submitted(self) -> bool:
        """Whether the forecasts were made elsewhere."""
        return self.model in self.manifest.get("submitted", {})

    @property
    def seconds_per_origin(self) -> float:
        """Time to fit and forecast, per origin; NaN where it is not known."""
        seconds = self.manifest.get("model_seconds", {}).get(self.model)
        n = sum(o["data_hash"] is not None for o in self.manifest["origins"])
        return np.nan if seconds is None or not n else float(seconds) / n

    def asked(self) -> pd.DataFrame:
        """The forecasts that the task asks for: a row each, with what groups are made of."""
        says = self.manifest
        origins = [o for o in says["origins"] if o["data_hash"] is not None]
        ahead = says["horizons"]
        if ahead in (None, ALL):
            ahead = list(range(1, int(says["horizon"]) + 1))
        places, targets = list(says["locations"]), list(says["targets"])
        n_o, n_s, n_t, n_h = len(origins), len(places), len(targets), len(ahead)
        each = n_s * n_t * n_h
        last = np.array([o["last_month"] for o in origins], dtype="datetime64[M]")
        horizon = np.tile(np.array(ahead, dtype=int), n_o * n_s * n_t)
        last_month = np.repeat(last, each)
        return pd.DataFrame(
            {
                "as_of": np.repeat(
                    np.array([o["as_of"] for o in origins], dtype="datetime64[s]"), each
                ),
                "last_month": last_month.astype("datetime64[s]"),
                "vintage": np.repeat(np.array([o["vintage"] for o in origins]), each),
                "donor": np.repeat(np.array([o["donor"] for o in origins]), each),
                "location": np.tile(np.repeat(np.array(places), n_t * n_h), n_o),
                "target": np.tile(np.repeat(np.array(targets), n_h), n_o * n_s),
                "horizon": horizon,
                "month": (last_month + horizon * ONE_MONTH).astype("datetime64[s]"),
            }
        )

    def made(self) -> pd.DataFrame:
        """Rows of the score table that the task asks for: months known at the origin are not."""
        ahead = self.manifest["horizons"]
        rows = self.scores
        return rows if ahead in (None, ALL) else rows[rows["horizon"].isin(ahead)]

    @property
    def n_asked(self) -> int:
        """Forecasts that the task asks for."""
        return len(self.asked())

    @property
    def n_missing(self) -> int:
        """Of these, not made."""
        return self.n_asked - len(self.made())


def reserved(label: str) -> str | None:
    """The model of the registry that a label belongs to, if it belongs to one.

    Forecasts that were made elsewhere may not be called so: the models that all others are
    compared with are found by their labels.

    Examples
    --------
    >>> reserved("naive+delay"), reserved("Hub-Baseline"), reserved("dlm(delay=False)")
    ('naive+delay', 'hub-baseline', 'dlm')
    >>> reserved("my-naive") is None
    True
    """
    name = label.partition("(")[0].strip().casefold()
    return name if name.removesuffix("+delay") in model_names() else None


def check_label(label: str) -> None:
    """Refuse a label that no model may have, or that one has which runs here.

    Raises
    ------
    BacktestError
        With what a label is.
    """
    if taken := reserved(label) if isinstance(label, str) else None:
        raise BacktestError(
            f"{quoted(label)} is what {taken} is called, a model that runs here",
            hint=f"give another label, such as my-{taken.partition('+')[0]}",
        )
    if not isinstance(label, str) or not LABEL.fullmatch(label) or len(label) > 100:
        raise BacktestError(
            f"{quoted(str(label))} is no label of a model",
            hint="at most 100 letters, digits, spaces and _.,+=()[]'-, a letter or digit first",
        )


def entries_of(results: Results, where: str) -> list[Entry]:
    """The models of a folder of results.

    Parameters
    ----------
    results : Results
    where : str
        Its folder, for messages.

    Raises
    ------
    BacktestError
        If it was run without a task, is of counties, its manifest contradicts itself, or
        forecasts made elsewhere are called as a model that runs here.
    """
    says: Mapping[str, Any] = results.manifest
    task = says.get("task")
    if not task:
        raise BacktestError(
            f"{where} was run without a task, so nobody can say whether it was asked the same",
            hint="run it with --task NAME (task= in Python)",
        )
    try:
        given = str(task["fingerprint"])
        found = fingerprint_of(task["definition"], says["truth"]["data_hash"], says["origins"])
    except (KeyError, TypeError) as error:
        raise BacktestError(f"{where}: its manifest lacks {error}") from error
    if found != given:
        raise BacktestError(
            f"{where}: its data and definition have the fingerprint {found[:SHORT]}, its manifest "
            f"says {given[:SHORT]}: one of them was changed",
            hint="run the task again",
        )
    if taken := [m for m in says.get("submitted", {}) if reserved(str(m))]:
        raise BacktestError(
            f"{where}: forecasts made elsewhere are called {taken[0]}, as a model that runs here",
            hint="submit them under another label",
        )
    scores, failures = results.scores, results.failures
    if says.get("dataset") == COUNTIES:
        raise BacktestError(
            f"{where} is of counties, which are scored by other rules",
            hint="Results.leaderboard() has their tables",
        )
    scores = scores.loc[scores["horizon"] >= 1, [c for c in KEPT if c in scores]]
    of, failed = scores["model"].astype(str), failures["model"].astype(str)
    return [
        Entry(
            str(m),
            where,
            says,
            scores[of == str(m)].reset_index(drop=True),
            failures[failed == str(m)].reset_index(drop=True),
        )
        for m in says["models"]
    ]


def merged(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of one task, each model once.

    Raises
    ------
    BacktestError
        If two tasks are among them, or a model is there twice and differs.
    """
    first = entries[0]
    out: dict[str, Entry] = {}
    for entry in entries:
        if entry.task["fingerprint"] != first.task["fingerprint"]:
            raise BacktestError(
                f"{first.where} is of task {_called(first)}, {entry.where} of {_called(entry)}: "
                f"{_difference(first, entry)}",
                hint="scores of two fingerprints have no common table",
            )
        other = out.get(entry.model)
        if other is not None and (why := _apart(other, entry)):
            raise BacktestError(
                f"model {entry.model} is in {other.where} and in {entry.where}, and not the same: "
                f"{why}",
                hint="leave one folder out, or give one of them another label",
            )
        out.setdefault(entry.model, entry)
    return list(out.values())


def _called(entry: Entry) -> str:
    return f"{entry.task['name']} ({entry.task['fingerprint'][:SHORT]})"


def _difference(one: Entry, other: Entry) -> str:
    """What differs between two tasks: keys of the definition, else the data."""
    a, b = one.task["definition"], other.task["definition"]
    said = [
        f"{key} is {_short(a.get(key))} and {_short(b.get(key))}"
        for key in dict.fromkeys([*a, *b])
        if key not in ("name", "title") and a.get(key) != b.get(key)
    ]
    if said:
        return "; ".join(said)
    truths = [e.manifest["truth"] for e in (one, other)]
    if truths[0]["data_hash"] != truths[1]["data_hash"]:
        return (
            f"the definition is the same, the truth is not: release {truths[0]['release']} "
            f"({truths[0]['data_hash']}) and {truths[1]['release']} ({truths[1]['data_hash']})"
        )
    pairs = zip(one.manifest["origins"], other.manifest["origins"])
    for x, y in pairs:
        if x != y:
            return (
                "the definition is the same, what was known is not: the first origin that differs "
                f"is {_origin(x)} and {_origin(y)}"
            )
    return "the definition is the same, the number of origins is not"


def _origin(o: Mapping[str, Any]) -> str:
    donor = f" by {o['donor']}" if o["donor"] else ""
    return f"{o['as_of']}{donor} ({o['data_hash']})"


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _apart(one: Entry, other: Entry) -> str:
    """Why two entries of one label are not the same; empty if they are."""
    for what in ("version", "spec", "code"):
        a, b = getattr(one, what), getattr(other, what)
        if a != b:
            return f"{what} {a} and {b}"
    keys = [c for c in _SAME if c in one.scores and c in other.scores]
    if len(one.scores) != len(other.scores):
        return f"{len(one.scores):,} and {len(other.scores):,} scores"
    tables = [e.scores[keys].sort_values(keys[:6]).reset_index(drop=True) for e in (one, other)]
    try:
        pd.testing.assert_frame_equal(
            tables[0], tables[1], check_dtype=False, check_categorical=False, check_exact=True
        )
    except AssertionError:
        return "their scores differ"
    return ""
