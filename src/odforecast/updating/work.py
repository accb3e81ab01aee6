"""What an update works on: the newest release, its forecast, and the change from the one before."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from odforecast.forecast import Forecast
from odforecast.geography import NATION, resolve
from odforecast.models import Model, get_model
from odforecast.names import DEFAULT_DRAWS, DEFAULT_HORIZON, DEFAULT_SEED
from odforecast.panel import Panel
from odforecast.updating import record as records
from odforecast.updating.changes import Change, compared
from odforecast.updating.folder import hub_name, manifest_of
from odforecast.updating.making import chosen, whole_forecast
from odforecast.version import __version__
from odforecast.vintage import Archive, Vintage
from odforecast.vintage.quality import Flag, check

#: What all lines of one forecast from a release have in common.
_MADE = ["spec", "version", "data", "seed", "draws"]


@dataclass(frozen=True)
class Settings:
    """How a forecast is made.

    Attributes
    ----------
    model : str, optional
        Name; None: the default.
    locations : str or tuple of str
        ``"all"``, or places by any of their names.
    draws, seed : int
    """

    model: str | None = None
    locations: str | tuple[str, ...] = "all"
    draws: int = DEFAULT_DRAWS
    seed: int = DEFAULT_SEED


@dataclass(frozen=True, eq=False)
class Work:
    """What an update is about; each piece is made when it is first asked for, and once.

    Attributes
    ----------
    archive : Archive
    out : Path
    settings : Settings
    lines : DataFrame
        The record before this update.
    """

    archive: Archive
    out: Path
    settings: Settings
    lines: pd.DataFrame

    @cached_property
    def vintage(self) -> Vintage:
        """The newest release that counts, seen from its own day, whatever is quarantined."""
        return self.archive.as_of(self.archive.last_seen)

    @cached_property
    def panel(self) -> Panel:
        """All drugs, all places."""
        return self.vintage.panel()

    @cached_property
    def model(self) -> Model:
        """The model."""
        return get_model(self.settings.model)

    @cached_property
    def locations(self) -> tuple[str, ...]:
        """Codes of the places that are asked for."""
        return resolve(self.settings.locations, self.panel.locations)

    @cached_property
    def whole(self) -> Forecast:
        """The forecast of these places among all that the model forecasts with them."""
        s = self.settings
        return whole_forecast(
            self.model, self.panel, self.locations, DEFAULT_HORIZON, s.draws, s.seed
        )

    @cached_property
    def forecast(self) -> Forecast:
        """The forecast of these places."""
        return chosen(self.whole, self.locations)

    @property
    def place(self) -> str:
        """The place that numbers are said of: the nation where it is forecast, else the first."""
        there = self.forecast.locations
        return NATION if NATION in there else there[0]

    @cached_property
    def standing(self) -> pd.DataFrame:
        """What stands of the record before this update."""
        return records.standing(self.lines)

    @cached_property
    def flags(self) -> list[Flag]:
        """What to know of the release."""
        dates = self.archive.releases()
        place = dates.index(self.vintage.date)
        before = self.archive.release(dates[place - 1]) if place else None
        return check(self.vintage.table, before)

    @cached_property
    def recorded(self) -> pd.DataFrame:
        """The newest forecast in the record from an earlier release, of all its places.

        It may have been written by several updates: with more places than before, or after one
        that was killed. One that was never written to its end is passed over for one that was.
        """
        kept: pd.DataFrame = self.standing[self.standing["kind"] == records.FORECAST]
        kept = kept[kept["release"] < pd.Timestamp(self.vintage.date)]
        kept = kept[kept["release"] == kept["release"].max()]
        if kept.empty:
            return kept
        sizes = self.lines.groupby("batch").size()
        ended = kept["lines"] == kept["batch"].map(sizes)
        newest = (kept[ended] if ended.any() else kept).iloc[-1]
        same: pd.DataFrame = kept[(kept[_MADE] == newest[_MADE]).all(axis=1)]
        return same

    @cached_property
    def change(self) -> Change:
        """The forecast against the one before."""
        dates = [d for d in self.archive.releases() if d < self.vintage.date]
        if len(self.recorded):
            date = self.recorded["release"].iloc[0].date()
            dates = [d for d in dates if d == date]
        earlier = self.archive.as_of(dates[-1]).panel() if dates else None
        return compared(
            self.forecast, self.panel, earlier, self.model, self.recorded, self.locations
        )

    def manifest(self, on: dt.date) -> dict[str, Any]:
        """What ``update.json`` says."""
        said = self.forecast.provenance
        return {
            "release": str(self.vintage.date),
            "on": str(on),
            "last_month": str(self.panel.last_month),
            "until": str(self.forecast.months[-1]),
            "model": said["label"],
            "spec": said["spec_hash"],
            "version": said["odforecast"],
            "data": self.panel.data_hash,
            "seed": self.settings.seed,
            "draws": self.settings.draws,
            "asked": self._asked(),
            "locations": list(self.forecast.locations),
            "skipped": {s: self.forecast.skipped.get(s, "the model does not forecast it")
                        for s in self.locations if s not in self.forecast.locations},
            "before": None if self.change.before is None else str(self.change.before),
            "warnings": list(self.forecast.warnings),
            "recorded": len(records.forecast_lines(self.forecast, self.panel)),
            "hub_file": hub_name(self.forecast),
        }  # fmt: skip

    def _asked(self) -> str:
        asked = self.settings.locations
        return "all" if asked == "all" else ",".join(self.locations)

    def is_done(self) -> bool:
        """Whether the release was forecast in full: the record has what page and hub file say."""
        held = manifest_of(self.out, self.vintage.date)
        places, made = held.get("locations"), self.made()
        if not isinstance(places, list) or made.empty:
            return False
        return len(made) == held.get("recorded", len(made)) and (
            "recorded" in held or set(made["location"]) == set(places)
        )

    def made(self) -> pd.DataFrame:
        """Lines of the record with the forecast that the folder of this release holds."""
        kept = self.standing[self.standing["kind"] == records.FORECAST]
        kept = kept[kept["release"] == pd.Timestamp(self.vintage.date)]
        held = manifest_of(self.out, self.vintage.date)
        for name in _MADE:
            kept = kept[kept[name].astype(str) == str(held.get(name))]
        made: pd.DataFrame = kept[kept["location"].isin(held.get("locations") or [])]
        return made

    def otherwise(self) -> list[str]:
        """What the forecast that was made has otherwise than this one would."""
        held = manifest_of(self.out, self.vintage.date)
        mine = {
            "model": self.model.label, "spec": self.model.spec.hash, "version": __version__,
            "seed": self.settings.seed, "draws": self.settings.draws, "asked": self._asked(),
            "data": self.panel.data_hash,
        }  # fmt: skip
        names = {"spec": "specification", "asked": "locations", "data": "data with hash"}
        return [
            f"{names.get(k, k)} {held.get(k)}, not {v}" for k, v in mine.items() if held.get(k) != v
        ]
