"""Forecasters: the protocol, the registry, and the models built in."""

from odforecast.models.registry import (
    ENTRY_POINT_GROUP,
    Fitted,
    Forecaster,
    get_model,
    model_names,
    register,
)

__all__ = [
    "ENTRY_POINT_GROUP",
    "Fitted",
    "Forecaster",
    "get_model",
    "model_names",
    "register",
]
