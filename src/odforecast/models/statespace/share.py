"""A drug class as a part of all drugs: the share of its deaths, filtered over all locations.

Deaths of the class in month t, given those of all drugs, are binomial but for some noise; the
log-odds of the share move with the nation and with the deaths of all drugs themselves::

    part[s,t]   ~ mean p[s,t] whole[s,t], variance v (1 + noise² v),  v = whole p (1 − p)
    logit p[s,t+1] = logit p[s,t] + pull (level[s,t+1] − level[s,t]) + b[t] + e[s,t] + e[US,t]
    b[t+1] = damp b[t] + z[t]

``level`` is the log level of all drugs: where deaths rise, it has been the class that rose. In a
draw it is that of the draw, so that a draw of many deaths is one of a large share.

The part of the US is the sum of the locations that publish the class and of a rest, whose whole is
the other jurisdictions. Where that cannot be told apart, the US has a share of its own.

Months of both are known up to a constant per calendar month. Those of the part are chosen such
that its months follow the share of the whole's months, whole deaths between none and all of them;
12-month counts do not change. Of the deaths of all drugs that arrive late in a draw, the part
takes its share times a ratio: toxicology had its own delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from odforecast.geography import NATION
from odforecast.models.delay.deficit import Deficit
from odforecast.models.statespace.filter import State
from odforecast.models.statespace.share_inputs import Inputs, ShareScales, share_inputs
from odforecast.names import ALL_DEATHS, ALL_DRUGS, INDICATOR_NAMES
from odforecast.panel import Floats, Panel

#: Short name of the panel that holds the whole.
WHOLE = "all-drugs"


def classes_beside(panel: Panel) -> list[str]:
    """Short names of the drug classes beside a panel of all drugs that end with its last month."""
    if panel.indicator != ALL_DRUGS:
        return []
    names = [s for s, name in INDICATOR_NAMES.items() if name not in (ALL_DRUGS, ALL_DEATHS)]
    beside = panel.beside
    return [s for s in names if s in beside and beside[s].last_month == panel.last_month]


def whole_of(panel: Panel) -> tuple[Panel, str] | None:
    """The panel of all drugs with a drug class beside it, from that of the class.

    Returns
    -------
    whole : Panel
        As the vintage itself gives it: with deaths of all causes beside it, and its triangle.
    short : str
        Name of the class beside it.
    """
    short = next((s for s, name in INDICATOR_NAMES.items() if name == panel.indicator), "")
    whole = panel.beside.get(WHOLE)
    if whole is None or whole.indicator != ALL_DRUGS or whole.last_month != panel.last_month:
        return None
    others = {name: p for name, p in panel.beside.items() if name != WHOLE}
    alone = replace(panel, beside={}, triangle=None, notes=())
    made = replace(whole, beside={**others, short: alone})
    return (made, short) if short in classes_beside(made) else None


@dataclass(frozen=True)
class Part:
    """What the filter knows at the origin of a drug class.

    Attributes
    ----------
    panel : Panel
        That of the class.
    inputs : Inputs
    adds_up : bool
        Whether the US is the sum of the units.
    mean, cov : ndarray, shapes (L + 2,) and (L + 2, L + 2)
        In the order of :func:`odforecast.models.statespace.share_kernels.share_filter`.
    scales : ShareScales
    skipped : dict of str to str
    """

    panel: Panel
    inputs: Inputs
    adds_up: bool
    mean: Floats
    cov: Floats
    scales: ShareScales
    skipped: dict[str, str]

    @property
    def locations(self) -> tuple[str, ...]:
        """What is drawn, in the panel's order."""
        there = {*self.inputs.units, NATION} if self.adds_up else {*self.inputs.units}
        return tuple(s for s in self.panel.locations if s in there)


def fitted_part(
    panel: Panel,
    short: str,
    states: Sequence[State],
    adds_up: bool,
    missing: Deficit | None,
    scales: ShareScales,
) -> Part | None:
    """Filter the share of a drug class up to the panel's last month.

    Parameters
    ----------
    panel : Panel
        Of all drugs, with the class beside it.
    short : str
        Name of the class there.
    states : sequence of State
        The filtered months of all drugs.
    adds_up : bool
        Whether the US is the sum of its parts in the draws of all drugs.
    missing : Deficit, optional
        What the last months of all drugs miss.
    scales : ShareScales

    Returns
    -------
    Part or None
        None where no location can be used.
    """
    found = share_inputs(panel, short, states, adds_up, missing, scales.late)
    if found is None:
        return None
    inputs, coherent, skipped = found
    mean, cov, _ = inputs.filtered(scales)
    return Part(panel.beside[short], inputs, coherent, mean, cov, scales, skipped)
