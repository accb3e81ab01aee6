"""What a model is and what a fit learned, as tables of names, values and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import ForecastError
from odforecast.models.spec import Spec

if TYPE_CHECKING:
    from odforecast.models.model import Fitted

_COLUMNS = ("name", "value", "source")
Row = tuple[str, str, str]


def described(spec: Spec) -> pd.DataFrame:
    """See :meth:`odforecast.models.model.Model.to_frame`."""
    return pd.DataFrame(list(_of_spec(spec, "")), columns=list(_COLUMNS))


def _of_spec(spec: Spec, member: str) -> Iterator[Row]:
    what = f"member: {member}" if member else ""
    yield ("model", spec.model, what or "spec")
    yield ("version", spec.version, what or "spec")
    yield ("fitted to", spec.by or "whole panel", what or "spec")
    yield ("paths of", spec.target, what or "spec")
    yield ("joint over", " and ".join(sorted(spec.joint)), what or "spec")
    yield ("months needed", str(spec.min_months), what or "spec")
    yield ("completes the last months", "yes" if spec.corrects_delay else "no", what or "spec")
    for name, value in spec.parameters:
        yield (name, value, what or "setting")
    yield ("spec hash", spec.hash, what or "spec")
    for inner in spec.members:
        yield from _of_spec(inner, f"{member} > {inner.model}" if member else inner.model)


def learned(fitted: Fitted) -> pd.DataFrame:
    """What a fit was made on and what it learned; see ``Fitted.to_frame``."""
    panel = fitted.panel
    rows: list[Row] = [
        ("indicator", panel.indicator, "panel"),
        ("as of", str(panel.as_of), "panel"),
        ("release", str(panel.release), "panel"),
        ("last month", str(panel.last_month), "panel"),
        ("locations", str(len(panel.locations)), "panel"),
        *_learned(fitted.inner),
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _learned(inner: object) -> Iterator[Row]:
    """What a fitted model says of itself, or else what it holds in the open.

    A model that knows better has a method ``described()``, which gives such rows. Of others the
    single numbers and words are taken, and of a posterior sample its single parameters.
    """
    held = dict(getattr(inner, "__dict__", {}))
    if "skipped" in held and isinstance(held["skipped"], Mapping):
        yield "locations left out", str(len(held.pop("skipped"))), "fit"
    if callable(own := getattr(inner, "described", None)):
        yield from ((str(name), _text(value), str(source)) for name, value, source in own())
        return
    weights, members = held.pop("weights", None), held.pop("fitted", None)
    if isinstance(weights, np.ndarray) and isinstance(members, list):
        for member, row in zip(members, weights):
            label = getattr(getattr(member, "model", None), "label", "?")
            yield f"mean weight of {label}", f"{float(np.mean(row)):.3f}", "fit"
    for name, value in held.items():
        if _plain(value) and name not in ("model", "name") and not name.startswith("_"):
            yield name.replace("_", " "), _text(value), "fit"
    if (idata := held.get("idata")) is not None:
        yield from _sampled(idata)
    if hasattr(members, "inner"):  # a layer round another model
        yield from _learned(members.inner)


def _sampled(idata: Any) -> Iterator[Row]:
    """Posterior mean and sd of every parameter that is one number."""
    for name, values in idata["posterior"].data_vars.items():
        if set(values.dims) == {"chain", "draw"}:
            draws = np.asarray(values.values, dtype=float)
            yield str(name), f"{draws.mean():.4g} (sd {draws.std():.2g})", "posterior"


def _plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str | np.integer | np.floating)


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)[:200]


def default_place(locations: Sequence[str]) -> str:
    """The place that is looked at where none is named: the only one, or else the US.

    Raises
    ------
    ForecastError
        If there are several and no US among them.

    Examples
    --------
    >>> default_place(["OH"]), default_place(["WV", "US"])
    ('OH', 'US')
    """
    if len(locations) == 1:
        return locations[0]
    if "US" in locations:
        return "US"
    raise ForecastError(
        f"location is not given, and there are {len(locations)} without the US among them",
        hint=f"name one of {', '.join(locations[:6])}{', …' if len(locations) > 6 else ''}",
    )
