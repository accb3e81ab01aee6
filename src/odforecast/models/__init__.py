"""Forecasters: what a model is, the registry, and the models built in.

The package can be called: ``odforecast.models()`` lists the models. It has to be one object with
the package, for importing any module of it binds ``odforecast.models``.
"""

import sys
import warnings
from types import ModuleType

import pandas as pd

from odforecast.models.adapters import from_sktime as from_sktime
from odforecast.models.adapters import from_statsforecast as from_statsforecast
from odforecast.models.decorate import forecaster as forecaster
from odforecast.models.model import Drawer as Drawer
from odforecast.models.model import Fitted as Fitted
from odforecast.models.model import Forecaster as Forecaster
from odforecast.models.model import Model as Model
from odforecast.models.registry import ENTRY_POINT_GROUP as ENTRY_POINT_GROUP
from odforecast.models.registry import default_model as default_model
from odforecast.models.registry import get_model as get_model
from odforecast.models.registry import model_names as model_names
from odforecast.models.registry import plugin_problems as plugin_problems
from odforecast.models.registry import register as register
from odforecast.models.spec import Spec as Spec
from odforecast.names import STATES


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
        names = (*model_names("states"), *model_names("counties"))
        made = {name: get_model(name).spec for name in names}
        specs = {name: made[name] for name in model_names() if name in made}
        return pd.DataFrame(
            {
                "dataset": [s.dataset or STATES for s in specs.values()],
                "by": [s.by or "whole panel" for s in specs.values()],
                "target": [s.target for s in specs.values()],
                "joint": ["+".join(sorted(s.joint)) for s in specs.values()],
                "corrects_delay": [s.corrects_delay for s in specs.values()],
                "spec_hash": [s.hash for s in specs.values()],
            },
            index=pd.Index(list(specs), name="model"),
        )


sys.modules[__name__].__class__ = _Callable
