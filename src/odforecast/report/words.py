"""Words for people: what a scenario assumes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from odforecast.forecast.text import place_name
from odforecast.panel import Floats
from odforecast.say import deaths_of, month_name, percent
from odforecast.scenario import Scenario
from odforecast.scenario.answer import assumed
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.priors import Prior

#: What a grade says.
GRADES = (
    "high: the effect is well established; medium: it is seen, and other causes are possible; low: "
    "it is carried over from other drugs, places or times; very low or none: there is next to "
    "nothing to go by; user: the assumption of whoever asked"
)

#: Grid on which a product of two uncertain numbers is worked out.
_GRID = (np.arange(400) + 0.5) / 400


def size_quantiles(x: Intervention) -> Floats:
    """Change of deaths at full strength if there is an effect, in percent: 5, 50 and 95%."""
    size = x.size.ppf(_GRID)
    if x.direction != "either":
        # The other tail is nothing, not an effect.
        size = size[size < 0] if x.direction == "fall" else size[size > 0]
    if x.share.sd > 0:
        size = np.multiply.outer(size, x.share.ppf(_GRID)).ravel()
    else:
        size = size * x.share.mean
    return np.asarray(100 * np.expm1(np.quantile(size, [0.05, 0.5, 0.95])))


def assumption(x: Intervention) -> str:
    """One assumption in plain sentences.

    Examples
    --------
    >>> from odforecast.scenario.priors import Fixed, Normal, Uniform
    >>> shock = Intervention("shock", Normal(-0.45, 0.2), onset="2026-03", ramp=Uniform(9, 15))
    >>> print(assumption(shock))
    It begins in March 2026. If there is an effect, drug overdose deaths change by −36% (90%
    range −54 to −12%) at full strength, reached after about 12 months, and for good.
    """
    parts = [
        f"It begins {_onset(x)}. If there is an effect, {deaths_of(x.scope)} change by {_size(x)} "
        f"at full strength{_felt(x)}{_course(x)}."
    ]
    if x.replaced.interval(0.9)[1] > 0 and x.direction != "rise":
        parts.append(
            f"Of the deaths so averted {_share(x.replaced)} come all the same, from another drug."
        )
    if x.rebound is not None:
        parts.append(
            f"After a success other drugs take back {_share(x.rebound.fraction)} of it "
            f"(probability {assumed(1 - x.rebound.p_null)})."
        )
    return " ".join(parts)


def assumption_in_short(x: Intervention, of_class: bool = True) -> str:
    """One assumption in a sentence, with or without whose deaths it changes.

    Examples
    --------
    >>> from odforecast.scenario.priors import Fixed
    >>> fall = Intervention("fall", Fixed(-0.1), onset="2026-03")
    >>> print(assumption_in_short(fall, of_class=False))
    From March 2026 on −10% at full strength, reached at once, and for good.
    """
    whose = f" of {deaths_of(x.scope)}" if of_class else ""
    onset = _onset(x).removeprefix("in ")
    back = ""
    if x.replaced.interval(0.9)[1] > 0 and x.direction != "rise":
        back += f"; {_share(x.replaced)} of it comes all the same, from other drugs"
    if x.rebound is not None:
        back += f"; after a success {_share(x.rebound.fraction)} comes back"
    return f"From {onset} on {_size(x)}{whose} at full strength{_felt(x)}{_course(x)}{back}."


def _onset(x: Intervention) -> str:
    first, last = map(month_name, x.onset)
    return f"in {first}" if first == last else f"some time from {first} to {last}"


def _size(x: Intervention) -> str:
    low, middle, high = size_quantiles(x)
    if high - low < 1:
        return percent(middle)
    return f"{percent(middle)} (90% range {percent(low).removesuffix('%')} to {percent(high)})"


def _felt(x: Intervention) -> str:
    if isinstance(x.exposure, str):
        return ", in each state in proportion to the share of fentanyl"
    if isinstance(x.exposure, Mapping):
        table = dict(x.exposure)
        rest = table.pop("default", None)
        if not table:
            return f", of which {100 * float(rest or 0):.0f}% is felt everywhere"
        named = [f"{100 * v:.0f}% in {place_name(s)}" for s, v in table.items()]
        if len(named) > 4:
            return ", scaled state by state by a table"
        elsewhere = "" if rest is None else f", {100 * rest:.0f}% elsewhere"
        return f", of which is felt {', '.join(named)}{elsewhere}"
    return "" if x.exposure == 1 else f", of which {100 * x.exposure:.0f}% is felt"


def _course(x: Intervention) -> str:
    """When the effect is full, and whether it fades."""
    full = _median(x.lag) + _median(x.ramp)
    reached = "at once" if full < 0.5 else f"after about {_months(full)}"
    if x.half_life is None:
        return f", reached {reached}, and for good"
    stays = f", kept for {_months(_median(x.plateau))}" if _median(x.plateau) >= 0.5 else ""
    fades = (
        f", reached {reached}{stays}; half of that is gone {_months(_median(x.half_life))} later"
    )
    if x.residue.interval(0.9)[1] > 0:
        fades += f", though {_share(x.residue)} stays for good"
    return fades


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
