"""What a forecaster of another library is: class, parameters, where it comes from, a label."""

from __future__ import annotations

import inspect
import re
from typing import Any

from odforecast.models.content import Contents
from odforecast.models.model import LABEL

#: Longest label that is made of parameters.
_LONGEST = 60


class Identity:
    """Class and parameters of a forecaster, and of all objects that are parameters of it.

    Parameters
    ----------
    item : object
        An estimator: with ``get_params``, or with its parameters as attributes.

    Attributes
    ----------
    name : str
        Module and name of its class.
    parameters : dict of str to str
        Each as text that hangs on its content, never on where it lies in memory.
    origin : str
        The distributions that all the classes and functions in it come from, with versions;
        empty where one is unknown, or a parameter has no text: then nothing is reused.

    Examples
    --------
    >>> from statsforecast.models import SeasonalNaive
    >>> from odforecast.models.adapters.identity import Identity
    >>> found = Identity(SeasonalNaive(season_length=12))
    >>> found.name, found.parameters["season_length"]
    ('statsforecast.models.SeasonalNaive', '12')
    """

    def __init__(self, item: object) -> None:
        contents = Contents()
        self.name = contents.named(type(item))
        held = contents.estimator(item)
        self.parameters = {k: contents.text(v) for k, v in sorted(held.items())}
        self.origin = contents.origin


def title(item: Any) -> str:
    """A label for an object: its class, and the parameters that are not as always.

    Examples
    --------
    >>> from statsforecast.models import AutoCES
    >>> from odforecast.models.adapters.identity import title
    >>> title(AutoCES(season_length=12)), title(AutoCES())
    ('AutoCES(season_length=12)', 'AutoCES')
    """
    name = type(item).__name__
    usual = inspect.signature(type(item).__init__).parameters
    given = [
        f"{k}={v!r}"
        for k, v in Contents().estimator(item).items()
        if k in usual and not _same(v, usual[k].default)
    ]
    text = f"{name}({', '.join(given)})" if given else name
    if len(text) <= _LONGEST and LABEL.fullmatch(text):
        return text
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "model"


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and repr(a) == repr(b)
