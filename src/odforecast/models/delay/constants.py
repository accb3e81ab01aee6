"""The constants of a panel's delay: a dated set that ships, or that refined by an archive's own."""

from __future__ import annotations

from dataclasses import fields

from odforecast.models.delay.dated import NAMES as NAMES
from odforecast.models.delay.dated import Delays as Delays
from odforecast.models.delay.dated import all_delays as all_delays
from odforecast.models.delay.dated import dated_key, dated_set
from odforecast.models.delay.learned import Learned, learned
from odforecast.panel import Panel
from odforecast.say import number_of


def delays_for(panel: Panel) -> Delays:
    """A panel's constants: :func:`learned_delays` says what they rest on.

    Examples
    --------
    >>> import odforecast as od
    >>> delays_for(od.bundled().as_of().panel()).kappa
    0.475
    """
    if panel.triangle is None or panel.triangle.pending is None:
        return dated_set(panel)
    return learned(panel).constants


def learned_delays(panel: Panel) -> Learned:
    """A panel's constants, and what they rest on.

    The newest dated set that was known on the panel's day, without its own or its donor's release;
    where the panel's triangle holds releases of the user's archive that have settled since, the
    same estimate with those (:mod:`odforecast.models.delay.learned`).
    """
    return learned(panel)


def said_of(panel: Panel) -> str:
    """What a panel's own constants rest on beside the dated set, in one line; else empty.

    For fitted models: each says it (``delay_said``) of the panel whose constants it took.
    """
    return learned_delays(panel).said()


def source_of(panel: Panel) -> str:
    """Where a panel's constants are from, in a few words."""
    cutoff, without = dated_key(panel)
    source = f"constants of {cutoff}"
    if (cutoff, without) in all_delays():
        source += f", without {without}"
    if own := learned_delays(panel).own:
        source += f", and {number_of(len(own), 'release')} of the archive"
    return source


def described_delays(panel: Panel) -> list[tuple[str, float, str]]:
    """The constants of the delay and where they are from, for a table."""
    constants, source = learned_delays(panel).constants, source_of(panel)
    return [(f"delay {f.name}", getattr(constants, f.name), source) for f in fields(Delays)]
