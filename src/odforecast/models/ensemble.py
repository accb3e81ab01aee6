"""The ensemble: quantiles of several models averaged with equal weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from odforecast.errors import PanelError
from odforecast.forecasts import Forecast
from odforecast.geography import closed, whole_and_parts
from odforecast.models.delay.layer import Delayed
from odforecast.models.model import Drawer, Fitted, Model
from odforecast.models.paths import floor_at_zero, months_from_sums
from odforecast.models.spec import Spec
from odforecast.names import LOCATION, MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

_NAME = "ensemble"
#: The first member with draws joint over places lends its dependence.
MEMBERS = ("dlm", "auto-ets", "auto-theta")


class Ensemble:
    """Average the quantiles of several models; the last months are completed once, for all.

    Parameters
    ----------
    models : sequence of Model
        At least two that take the last months as they are. ``get_model("ensemble", members=...)``
        takes names: ``"dlm"`` stands for ``dlm`` with ``delay=False`` there.
    delay : bool
        Complete the last months first.

    Notes
    -----
    Averaging quantiles keeps the members' mean width; a mixture of their distributions would add
    their disagreement to it (Lichtendahl et al. 2013, Management Science 59(7)).

    Examples
    --------
    >>> import odforecast as od
    >>> Ensemble([od.get_model("auto-ets"), od.get_model("drift")]).spec.corrects_delay
    True
    """

    def __init__(self, models: Sequence[Model], *, delay: bool = True) -> None:
        if len(models) < 2:
            raise PanelError(f"{_NAME} needs at least two members, got {len(models)}")
        correcting = [model.label for model in models if model.spec.corrects_delay]
        if correcting:
            raise PanelError(
                f"{', '.join(correcting)} corrects the delay itself, and so does {_NAME}",
                hint="give members that take the last months as they are",
            )
        self.pool = Pool(models)
        self.model = Delayed(Model(self.pool, _NAME)) if delay else self.pool

    @property
    def spec(self) -> Spec:
        """What the model is."""
        members = self.pool.spec.members
        return replace(self.model.spec, model=_NAME, version="5", members=members)

    def fit(self, panel: Panel) -> Drawer:
        """Fit every member."""
        return self.model.fit(panel)


@dataclass(eq=False, repr=False)
class Pool:
    """The ensemble without a view on the reporting delay."""

    members: Sequence[Model]

    @property
    def spec(self) -> Spec:
        """What the model is."""
        joint = any(LOCATION in member.spec.joint for member in self.members)
        return Spec(
            _NAME,
            "5",
            joint=frozenset({LOCATION, MONTH}) if joint else frozenset({MONTH}),
            min_months=max(member.spec.min_months for member in self.members),
            members=tuple(member.spec for member in self.members),
        )

    def fit(self, panel: Panel) -> FittedPool:
        """Fit every member."""
        # One order of locations, so that sums over them do not depend on the caller's.
        ordered = panel.select(sorted(panel.locations))
        members = [member.fit(ordered) for member in self.members]
        return FittedPool(
            self.spec, ordered, members=members, locations=panel.locations
        )


@dataclass(eq=False, repr=False)
class FittedPool:
    """The members of an ensemble, fitted."""

    spec: Spec
    #: With its locations in order.
    panel: Panel
    members: list[Fitted]
    #: In the order of the panel that was given.
    locations: tuple[str, ...]

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`."""
        forecasts = [member.draw(horizon, draws, streams) for member in self.members]
        states = [
            s for s in self.panel.locations if all(s in f.locations for f in forecasts)
        ]
        if not states:
            raise PanelError(f"{_NAME}: no location that every member can forecast")
        sums = [_sums(forecast.select(states), horizon) for forecast in forecasts]
        joint = [LOCATION in forecast.joint for forecast in forecasts]
        leader = joint.index(True) if any(joint) else 0
        order = np.argsort(sums[leader], axis=2, kind="stable")
        weight = 1.0 / len(sums)
        pooled = np.sum([weight * np.sort(member, axis=2) for member in sums], axis=0)
        ranked = np.empty_like(pooled)
        np.put_along_axis(ranked, order, pooled, axis=2)
        paths = np.ascontiguousarray(ranked.transpose(2, 0, 1))
        if any(joint):
            paths = _reconciled(paths, states)
        rows = [self.panel.index(state) for state in states]
        months = months_from_sums(
            paths, self.panel.reported[rows, -1], months=self.panel.monthly[rows]
        )
        # A month below zero becomes zero, and is counted.
        months, warnings = floor_at_zero(months, states, what="months")
        if any(joint):
            months = closed(months, states, axis=1)
        return Forecast.from_panel(
            self.panel,
            months,
            locations=states,
            joint=self.spec.joint,
            skipped={
                s: r for f in forecasts for s, r in f.skipped.items() if s not in states
            },
            warnings=(
                *dict.fromkeys(text for f in forecasts for text in f.warnings),
                *warnings,
            ),
        ).select([state for state in self.locations if state in states])


def _sums(forecast: Forecast, horizon: int) -> Floats:
    """Draws of 12-month-ending counts of the months ahead, shape (L, H, D)."""
    ahead = forecast.samples()[:, :, -horizon:]
    return np.ascontiguousarray(ahead.transpose(1, 2, 0))


def _reconciled(sums: Floats, states: list[str]) -> Floats:
    """Scale the parts, draw by draw, to the nation's pooled distribution; where all are there."""
    rows = whole_and_parts(states)
    if rows is None:
        return sums
    us, parts = rows
    total = sums[:, parts].sum(axis=1)
    nation = np.empty_like(total)
    order = np.argsort(total, axis=0, kind="stable")
    np.put_along_axis(nation, order, np.sort(sums[:, us], axis=0), axis=0)
    out = sums.copy()
    out[:, parts] *= (nation / np.maximum(total, 1.0))[:, None, :]
    out[:, us] = out[:, parts].sum(axis=1)
    return out
