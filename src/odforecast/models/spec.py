"""Spec: what a model is. Declared, never guessed from its name."""

from __future__ import annotations

from dataclasses import dataclass

from odforecast.names import LOCATION, MONTH, TARGET_MONTH
from odforecast.seeds import content_hash

#: Months a location needs: two years of 12-month sums, so that twelve-month changes exist.
MIN_MONTHS = 36

#: What a model is fitted to at a time.
WAYS = (None, "state", "location")


@dataclass(frozen=True)
class Spec:
    """What identifies a model: everything its numbers depend on, and what its draws mean.

    Attributes
    ----------
    model : str
        Name in the registry.
    version : str
        Changes whenever the model's numbers may change.
    by : {None, "state", "location"}
        None: the whole panel is fitted at once, and places are chosen on the forecast.
    target : {"deaths_month", "deaths_12mo"}
    joint : frozenset of str
        Axes over which draws may be added.
    min_months : int
        Months a location needs.
    corrects_delay : bool
    parameters : tuple of (str, str)
        Other settings as text, sorted by name.
    members : tuple of Spec
    origin : str
        ``odforecast``, or distribution and version of a plug-in; results of an unknown origin are
        never reused.
    dataset : {None, "states", "counties"}
        The only data set it can be fitted to; None: any.

    Examples
    --------
    >>> import odforecast as od
    >>> spec = od.get_model("drift").spec
    >>> spec.by, spec.target, spec.corrects_delay
    ('location', 'deaths_month', False)
    >>> od.get_model("dlm").spec.hash == od.get_model("dlm", delay=False).spec.hash
    False
    """

    model: str
    version: str = "1"
    by: str | None = None
    target: str = TARGET_MONTH
    joint: frozenset[str] = frozenset({LOCATION, MONTH})
    min_months: int = MIN_MONTHS
    corrects_delay: bool = False
    parameters: tuple[tuple[str, str], ...] = ()
    members: tuple[Spec, ...] = ()
    origin: str = "odforecast"
    dataset: str | None = None

    @property
    def hash(self) -> str:
        """Hash of all of it, members included (16 hex digits)."""
        return content_hash(
            self.model,
            self.version,
            self.by,
            self.target,
            sorted(self.joint),
            self.min_months,
            self.corrects_delay,
            self.parameters,
            self.origin,
            *(m.hash for m in self.members),
            # Named only where there is one: the others keep the hash they had.
            *(() if self.dataset is None else (self.dataset,)),
        )


def as_parameters(**values: object) -> tuple[tuple[str, str], ...]:
    """Parameters as sorted text, for :attr:`Spec.parameters`.

    >>> as_parameters(learn=True, delay=False)
    (('delay', 'False'), ('learn', 'True'))
    """
    return tuple(sorted((name, repr(value)) for name, value in values.items()))
