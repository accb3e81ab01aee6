"""Words for people: what a scenario assumes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from odforecast.forecast.text import place_name
from odforecast.panel import Floats
from odforecast.say import month_name, percent
from odforecast.scenario import Scenario
from odforecast.scenario.answer import assumed
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.priors import Prior

#: What each grade says.
GRADES = {
    "high": "High: the effect is well established.",
    "medium": "Medium: it has been seen, but other causes are possible.",
    "low–medium": "Low–medium: it has been seen in few places, and other causes are possible.",
    "low": "Low: it is inferred from other drugs, places or times.",
    "very low": "Very low: there is almost no evidence.",
    "none": "None: there is no evidence either way.",
    "user": "User: the assumption of whoever asked.",
}

#: Grid on which a product of two uncertain numbers is worked out.
_GRID = (np.arange(400) + 0.5) / 400


def full_strength(x: Intervention) -> Floats:
    """Change of the scope's deaths at full strength if it works, in percent: on a grid."""
    size = x.size.ppf(_GRID)
    meant = size > 0 if x.direction == "rise" else size < 0
    size = size[meant] if meant.any() else size
    share = x.share.ppf(_GRID) if x.share.sd > 0 else np.array([x.share.mean])
    return np.asarray(100 * np.expm1(np.multiply.outer(size, share).ravel()))


def when(x: Intervention) -> str:
    """When it begins."""
    first, last = map(month_name, x.onset)
    return first if first == last else f"a month between {first} and {last}"


def assumption(x: Intervention) -> list[str]:
    """One assumption as cells: size, when it is full, what follows, and what other drugs replace.

    The size is the mean given that it works, with its 90% interval.

    Examples
    --------
    >>> from odforecast.scenario.priors import Fixed, Normal, Uniform
    >>> shock = Intervention("shock", Normal(-0.45, 0.2), onset="2026-03", ramp=Uniform(9, 15))
    >>> assumption(shock)
    ['−35% (−54% to −13%)', '12 months', 'Lasts', 'none']
    """
    sizes = full_strength(x)
    low, high = np.quantile(sizes, [0.05, 0.95])
    size = percent(float(sizes.mean()))
    if high - low >= 1:
        size += f" ({percent(low)} to {percent(high)})"
    full = _median(x.lag) + _median(x.ramp)
    return [
        f"{size}{_felt(x)}",
        "At once" if full < 0.5 else _months(full),
        f"{_after(x)}{_back(x)}",
        _of_ten(x),
    ]


def _felt(x: Intervention) -> str:
    """Who feels how much of it; nothing where all feel all of it."""
    if isinstance(x.exposure, str):
        return "; each state in proportion to its share of fentanyl"
    if isinstance(x.exposure, Mapping):
        table = dict(x.exposure)
        rest = table.pop("default", None)
        if not table:
            return f"; {100 * float(rest or 0):.0f}% of it everywhere"
        named = [f"{100 * v:.0f}% of it in {place_name(s)}" for s, v in table.items()]
        if len(named) > 4:
            return "; state by state, by a table"
        elsewhere = "" if rest is None else f", {100 * rest:.0f}% elsewhere"
        return f"; {', '.join(named)}{elsewhere}"
    return "" if x.exposure == 1 else f"; {100 * x.exposure:.0f}% of it is felt"


def _after(x: Intervention) -> str:
    if x.half_life is None:
        return "Lasts"
    stays = (
        f"Full for {_months(_median(x.plateau))}, then half" if _median(x.plateau) >= 0.5 else ""
    )
    faded = f"{stays or 'Half'} gone after {_months(_median(x.half_life))}"
    left = x.residue.interval(0.9)[1] > 0
    return f"{faded}; {_share(x.residue)} of it lasts" if left else faded


def _back(x: Intervention) -> str:
    if x.rebound is None:
        return ""
    taken, p = _share(x.rebound.fraction), assumed(1 - x.rebound.p_null)
    return f"; if it works, {taken} of the reduction is later lost to other drugs ({p} likely)"


def _of_ten(x: Intervention) -> str:
    """How many of ten deaths prevented other drugs replace."""
    low, high = (round(10 * v) for v in x.replaced.interval(0.99))
    if x.direction == "rise" or high == 0:
        return "none"
    return f"{low} to {high}" if low < high else f"{high}"


def mechanisms(scenario: Scenario) -> tuple[str, ...]:
    """How each intervention could raise deaths, where it says so."""
    return tuple(dict.fromkeys(x.backfire for x in scenario.interventions if x.backfire))


def _median(prior: Prior) -> float:
    return float(prior.ppf(np.array(0.5)))


def _months(value: float) -> str:
    whole = round(value)
    return "1 month" if whole == 1 else f"{whole} months"


def _share(prior: Prior) -> str:
    """A share between 0 and 1 in percent, with its range."""
    low, high = (100 * v for v in prior.interval(0.9))
    return f"{low:.0f}%" if high - low < 1 else f"{low:.0f}–{high:.0f}%"
