"""Forecasters: what a model is, the registry, and the models built in.

The package can be called: ``odforecast.models()`` lists the models. It has to be one object with
the package, for importing any module of it binds ``odforecast.models``.
"""

import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pandas as pd

from odforecast.models.model import Drawer, Fitted, Forecaster, Model
from odforecast.models.registry import (
    ENTRY_POINT_GROUP,
    default_model,
    get_model,
    model_names,
    plugin_problems,
    register,
)
from odforecast.models.spec import Spec
from odforecast.names import STATES

if TYPE_CHECKING:
    from odforecast.models.adapters import from_sktime, from_statsforecast
    from odforecast.models.decorate import forecaster

__all__ = [
    "ENTRY_POINT_GROUP",
    "Drawer",
    "Fitted",
    "Forecaster",
    "Model",
    "Spec",
    "default_model",
    "forecaster",
    "from_sktime",
    "from_statsforecast",
    "get_model",
    "model_names",
    "plugin_problems",
    "register",
]


def __getattr__(name: str) -> Any:
    """What makes models of functions and of other libraries' models, imported when needed."""
    if name == "forecaster":
        from odforecast.models.decorate import forecaster

        return forecaster
    if name in ("from_sktime", "from_statsforecast"):
        from odforecast.models import adapters

        return getattr(adapters, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Callable(ModuleType):
    def __call__(self) -> pd.DataFrame:
        """All models: name, data set, what it is fitted to at a time, what its paths are, delay.

        An installed model that cannot be used is left out, with a warning that says why.

        Returns
        -------
        DataFrame
            Index ``model``; columns ``dataset``, ``by``, ``target``, ``joint``, ``corrects_delay``,
            ``spec_hash``.

        Warns
        -----
        UserWarning
            Of each installed model that cannot be used: see :func:`plugin_problems`.

        Examples
        --------
        >>> import odforecast as od
        >>> bool(od.models().loc["dlm", "corrects_delay"])
        True
        """
        for text in plugin_problems():
            warnings.warn(text, stacklevel=2)
        usable = (*model_names("states"), *model_names("counties"))
        specs = {name: get_model(name).spec for name in model_names() if name in usable}
        return pd.DataFrame(
            {
                "dataset": [spec.dataset or STATES for spec in specs.values()],
                "by": [spec.by or "whole panel" for spec in specs.values()],
                "target": [spec.target for spec in specs.values()],
                "joint": ["+".join(sorted(spec.joint)) for spec in specs.values()],
                "corrects_delay": [spec.corrects_delay for spec in specs.values()],
                "spec_hash": [spec.hash for spec in specs.values()],
            },
            index=pd.Index(list(specs), name="model"),
        )


sys.modules[__name__].__class__ = _Callable
