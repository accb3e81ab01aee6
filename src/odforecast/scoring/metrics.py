"""Metrics as a list that a user can extend: a name, and a function of draws and truth."""

from __future__ import annotations

import functools
import inspect
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError, UnknownNameError, one_of
from odforecast.names import TARGETS
from odforecast.scoring.columns import COUNTY_COLUMNS, DERIVED, SCORE_COLUMNS, UNIT_KEYS
from odforecast.scoring.rules import Floats, binned_log_score, crps_from_draws, paired
from odforecast.seeds import content_hash

#: ``(samples (D, L, M), observed (L, M)) -> (L, M)``; NaN where nothing was observed.
Function = Callable[[Floats, Floats], Floats]

#: Columns of the score table, and what is written or derived beside them.
_TAKEN = frozenset(
    {
        *SCORE_COLUMNS,
        *COUNTY_COLUMNS,
        *UNIT_KEYS,
        *DERIVED,
        "joint_locations",
        "last_reported",
        "n_common",
        "n_not_scorable",
        "n_scorable",
        "n_units",
        "rel_wis",
        "reported",
        "revised",
        "rps",
        "rps_pooled",
        "size_class",
        "warnings",
    }
)
_LEGAL = re.compile(r"[a-z][a-z0-9_]{0,59}")
_BETTER = ("low", "high", "none")


@dataclass(frozen=True)
class Metric:
    """A score of your own: its name and its function.

    Attributes
    ----------
    name : str
        Column of the score table: lower-case letters, digits and ``_``, a letter first.
    function : callable
        ``(samples, observed) -> values``: floats of shapes (D, L, M) and (L, M), to (L, M). NaN
        where ``observed`` is NaN. It must not change its arguments.
    unit : str
        ``"deaths"``, ``"percent"`` …; empty for a pure number.
    better : {"low", "high", "none"}
    target : {"deaths_12mo", "deaths_month"}, optional
        Scored for this target only; default: for every target.
    version : str
        Raise it when something changes that the function's own text does not show.
    key : str
        Hash of name, target, version, the function's text and its plain values. Stored results
        under another key are not reused.

    Raises
    ------
    ScoringError
        If the name is not legal or is a column of the score table, or a field is unknown.

    Notes
    -----
    If Python does not know the function's text (a lambda, typed at a prompt, compiled) or it holds
    values that cannot be compared, ``reusable`` is False and units are scored anew. Functions that
    it calls are not checked.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scoring.metrics import Metric, apply_metric
    >>> above = Metric("above_1000", lambda draws, y: 0 * y + (draws > 1000).mean(axis=0))
    >>> draws = np.array([900.0, 1100.0, 1200.0, 1300.0]).reshape(4, 1, 1)
    >>> apply_metric(above, draws, np.array([[1000.0]]))
    array([[0.75]])
    """

    name: str
    function: Function
    unit: str = ""
    better: str = "low"
    target: str | None = None
    version: str = "1"
    reusable: bool = field(
        init=False,
        compare=False,
        repr=False,
    )
    key: str = field(
        init=False,
        compare=False,
        repr=False,
    )

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _LEGAL.fullmatch(self.name):
            raise ScoringError(
                f"metric {self.name!r} has no legal name",
                hint="small letters, digits and _, a letter first, 60 at most",
            )
        if self.name in _TAKEN:
            raise ScoringError(
                f"metric {self.name!r}: the score table has a column of that name",
                hint=f"call it my_{self.name}",
            )
        if not callable(self.function):
            raise ScoringError(
                f"metric {self.name!r}: function is {self.function!r}, no function"
            )
        for field_name, allowed in (("better", _BETTER), ("target", (None, *TARGETS))):
            if (value := getattr(self, field_name)) not in allowed:
                raise ScoringError(
                    f"metric {self.name!r}: {field_name} is {value!r}",
                    hint=one_of(value, (x for x in allowed if x)),
                )
        try:
            text = _text_of(self.function)
        except (
            OSError,
            TypeError,
            ValueError,
        ):  # nobody can say whether it is the same again
            text = ""
        object.__setattr__(self, "reusable", bool(text))
        parts = ("metric", self.name, str(self.version), str(self.target))
        object.__setattr__(
            self, "key", content_hash(*parts, text or secrets.token_hex(8))
        )


def apply_metric(metric: Metric, samples: ArrayLike, observed: ArrayLike) -> Floats:
    """Values of a metric, one per location and month, checked."""
    draws, y = paired(samples, observed, finite=False, form="(D, L, M) against (L, M)")
    # Views that cannot be written: a metric that sorts in place would spoil those after it.
    samples_view = draws.view()
    truth = y.view()
    samples_view.flags.writeable = truth.flags.writeable = False
    try:
        values = np.asarray(metric.function(samples_view, truth), dtype=float)
    except (ScoringError, MemoryError):
        raise
    except Exception as error:
        raise ScoringError(
            f"metric {metric.name!r} failed: {type(error).__name__}: {error}",
            hint="it is given draws (D, L, M) and truth (L, M), which may hold NaN and are not to "
            "be changed",
        ) from error
    if values.shape != y.shape:
        raise ScoringError(
            f"metric {metric.name!r} gave shape {values.shape}, expected {y.shape}",
            hint="one number per location and month: take the mean over draws, axis 0",
        )
    is_observed = ~np.isnan(y)
    bad = np.argwhere(is_observed & np.isinf(values))
    if bad.size:
        raise ScoringError(
            f"metric {metric.name!r} is infinite in {len(bad)} units, first at "
            f"(location, month) {tuple(int(i) for i in bad[0])}",
            hint="bound it, or give NaN where it does not exist: a mean over it would be infinite",
        )
    return np.where(is_observed, values, np.nan)


def check_metrics(metrics: Iterable[Metric | str]) -> tuple[Metric, ...]:
    """The metrics asked for, by themselves or by name, no two of one name."""
    out: dict[str, Metric] = {}
    for item in [metrics] if isinstance(metrics, str | Metric) else metrics:
        metric: object = item
        if isinstance(item, str):
            metric = get_metric(item)
        if not isinstance(metric, Metric):
            names = ", ".join(METRICS)
            hint = f'Metric("name", function), or one of: {names}'
            raise ScoringError(f"{metric!r} is not a metric", hint=hint)
        if metric.name in out:
            raise ScoringError(
                f"metric {metric.name!r} is given twice", hint="rename one of them"
            )
        out[metric.name] = metric
    return tuple(out.values())


def get_metric(name: str) -> Metric:
    """A metric that is not in every table, by name.

    Examples
    --------
    >>> from odforecast.scoring.metrics import get_metric
    >>> get_metric("crps_log").better
    'low'
    """
    if name not in METRICS:
        raise UnknownNameError(f"unknown metric {name!r}", hint=one_of(name, METRICS))
    return METRICS[name]


def _logs(samples: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Where no draw is below zero, and the logs of the draws there."""
    counts = (samples >= 0).all(axis=0)
    return counts, np.log1p(np.where(counts, samples, 0.0))


def _crps_log(samples: Floats, observed: Floats) -> Floats:
    """CRPS of log(1 + deaths): how far off in per cent, nearly, so large and small count alike."""
    counts, logs = _logs(samples)
    return np.where(counts, crps_from_draws(logs, np.log1p(observed)), np.nan)


def _dss_log(samples: Floats, observed: Floats) -> Floats:
    """Dawid-Sebastiani score of log(1 + deaths): ``log v + (log(1 + y) - m)**2 / v``."""
    counts, logs = _logs(samples)
    middle = np.where(counts, np.median(samples, axis=0), 0.0)
    # As in the lognormal log score: no count is known finer than to a death.
    variance = logs.var(axis=0, ddof=1) + 1.0 / 12.0 / (1.0 + middle) ** 2
    score = np.log(variance) + (np.log1p(observed) - logs.mean(axis=0)) ** 2 / variance
    return np.asarray(np.where(counts, score, np.nan))


def _squared_error(samples: Floats, observed: Floats) -> Floats:
    """Squared error of the predictive mean."""
    return np.asarray((samples.mean(axis=0) - observed) ** 2)


def _text_of(function: object) -> str:
    """What makes a function itself: its text and the plain values it holds."""
    if isinstance(function, functools.partial):
        values = [*function.args, *_flat(function.keywords)]
        return f"{_text_of(function.func)}\n{_plain(values)}"
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        raise TypeError("no function with a text")  # two lambdas in one line have one
    values = [*(function.__defaults__ or ()), *_flat(function.__kwdefaults__ or {})]
    values += [cell.cell_contents for cell in function.__closure__ or ()]
    return f"{inspect.getsource(function)}\n\n{_plain(values)}"


def _flat(named: Mapping[str, object]) -> list[object]:
    """Names and their values, in the order of the names."""
    return [x for pair in sorted(named.items()) for x in pair]


def _plain(values: Iterable[object]) -> str:
    """Plain values as text; TypeError if one is something else."""
    out = []
    for value in values:
        if isinstance(value, np.ndarray) and value.dtype != object:
            out.append(content_hash(value))
        elif value is None or isinstance(
            value, bool | int | float | str | bytes | np.generic
        ):
            out.append(f"{type(value).__name__}:{value!r}")
        elif isinstance(value, tuple | list):
            out.append(f"[{_plain(value)}]")
        else:
            raise TypeError(f"{type(value).__name__} is not a plain value")
    return "|".join(out)


#: Metrics that are computed when asked for by name.
METRICS = {
    "log_score_binned": Metric("log_score_binned", binned_log_score),
    "crps_log": Metric("crps_log", _crps_log),
    "dss_log": Metric("dss_log", _dss_log),
    "se": Metric("se", _squared_error, unit="deaths squared"),
}
