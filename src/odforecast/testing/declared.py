"""Whether a spec says what a spec must say; asked once, of no panel."""

from __future__ import annotations

import re
from collections.abc import Iterator

from odforecast.errors import one_of
from odforecast.models import Model
from odforecast.models.spec import WAYS, Spec
from odforecast.names import COUNTIES, LOCATION, MONTH, STATES, TARGET_MONTH, TARGETS

#: An object shown by where it lies in memory: other text in each process.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_OURS = Spec("").origin


def declared(model: Model) -> Iterator[str]:
    """What is wrong with a model's spec, in lines.

    Parameters
    ----------
    model : Model

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.testing.declared import declared
    >>> list(declared(od.get_model("naive")))
    []
    """
    spec, inner = model.spec, model.inner
    if not isinstance(spec.model, str) or not spec.model:
        yield f"model is {spec.model!r}, allowed: a name"
    if not isinstance(spec.version, str) or not spec.version:
        yield f"version is {spec.version!r}, allowed: a text"
    if spec.by not in WAYS:
        yield f"by is {spec.by!r}; {one_of(spec.by, ('location', 'state'))}, or None"
    if spec.target not in TARGETS:
        yield f"target is {spec.target!r}; {one_of(spec.target, TARGETS)}"
    if not isinstance(spec.joint, frozenset) or not spec.joint <= {LOCATION, MONTH}:
        yield f"joint is {spec.joint!r}, allowed: a frozenset of 'location' and 'month'"
    elif spec.target == TARGET_MONTH and MONTH not in spec.joint:
        yield (
            f"joint is {sorted(spec.joint)} and the paths are of months: months that are not joint "
            "cannot be added to 12-month counts; draw whole paths, or 12-month counts"
        )
    if not _is_count(spec.min_months):
        yield f"min_months is {spec.min_months!r}, allowed: a whole number of at least 1"
    if spec.dataset not in (None, STATES, COUNTIES):
        yield f"dataset is {spec.dataset!r}; {one_of(spec.dataset, (STATES, COUNTIES))}, or None"
    yield from _parameters(spec)
    module = type(inner).__module__
    if spec.origin == _OURS and module.partition(".")[0] != __name__.partition(".")[0]:
        yield (
            f"origin is {spec.origin!r}, and its code is in {module}: stored results would be "
            "reused when it changes"
        )
    if model.spec.hash != spec.hash:
        yield "the spec has another hash each time"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _parameters(spec: Spec) -> Iterator[str]:
    pairs = spec.parameters
    if not isinstance(pairs, tuple) or not all(
        isinstance(p, tuple) and len(p) == 2 and all(isinstance(x, str) for x in p) for p in pairs
    ):
        yield f"parameters are {pairs!r}, allowed: pairs of texts, as as_parameters() makes them"
        return
    for name, value in pairs:
        if _ADDRESS.search(value):
            yield f"parameter {name} is {value[:80]!r}, which is other text in each process"
