"""Forecasts made up for tests, and what it means that two are the same."""

import datetime as dt
from dataclasses import fields

import numpy as np

from odforecast.forecasts import Forecast
from odforecast.months import ONE_MONTH
from odforecast.panel import Panel, Triangle
from odforecast.testing import zoo

PANEL = zoo()["ordinary"]


def same(one: object, other: object, where: str = "") -> None:
    """Equal in type and bit for bit, all the way down."""
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray), where
        assert (one.dtype, one.shape) == (other.dtype, other.shape), where
        assert one.tobytes() == other.tobytes(), where
    elif isinstance(one, Forecast | Panel | Triangle):
        assert type(one) is type(other), where
        for f in fields(one):
            same(getattr(one, f.name), getattr(other, f.name), f"{where}.{f.name}")
    elif hasattr(one, "items"):
        assert list(one) == list(other), where
        for key in one:
            same(one[key], other[key], f"{where}[{key}]")
    else:
        assert type(one) is type(other), where
        assert one == other, where


def made(panel: Panel | None = PANEL, **keywords: object) -> Forecast:
    rng = np.random.default_rng(0)
    given = {
        "draws": rng.gamma(3, 20, (7, 2, 5)),
        "locations": ("WV", "OH"),
        "months": np.datetime64("2021-05") + np.arange(5) * ONE_MONTH,
        "known": rng.gamma(3, 20, (2, 11)),
        "as_of": dt.date(2022, 1, 15),
        "last_month": np.datetime64("2021-06"),
        "panel": panel,
        "skipped": {"AZ": "too short"},
        "provenance": {"model": "made", "seed": "1"},
        "warnings": ("3 draws were below zero",),
    }
    return Forecast(**(given | keywords))
