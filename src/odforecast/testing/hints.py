"""What to do about each rule of the contract that is broken."""

from __future__ import annotations

#: What to do about a broken rule.
HINTS: dict[str, str] = {
    "declares": "mend the spec: odforecast.models.Spec says what each of its fields means; origin "
    "is '' or 'NAME==VERSION' for code that is not odforecast's",
    "fits": "raise PanelError with a reason where a panel cannot be used, and nothing else",
    "refuses": "say in the PanelError why; only the ordinary panel must be taken by all",
    "forecasts": "draw(horizon, draws, streams) returns Forecast.from_panel(...)",
    "finite": "skip a place whose draws are not finite, with a reason in skipped",
    "places": "start from usable, skipped = panel.usable(min_months), and hand skipped on",
    "months": "return horizon months, the first of them right after the panel's last",
    "draws": "return draws sample paths, none below zero",
    "origin": "make the forecast by Forecast.from_panel(panel, ...), of the panel given to fit",
    "target": "give Forecast.from_panel the target that the spec declares",
    "joint": "give Forecast.from_panel the joint axes of the spec; declare 'location' only where "
    "draw d of all places is one world",
    "min-months": "start from panel.usable(spec.min_months)",
    "repeats": "take every random number from what draw is given (streams, or rng)",
    "known": "leave known to Forecast.from_panel",
    "saves": "skipped, warnings and provenance are texts",
    "panel-stays": "copy an array before writing into it",
    "seed": "use the random numbers that draw is given",
    "refit": "keep what is learned in what fit returns, not in the model or the module",
    "global-random": "use the generator that is given, not numpy.random or random; where a library "
    "insists, set its state from the generator and put the old one back",
    "order": "draw each place from its own stream: streams.generator('location', code)",
    "alone": "a model by location looks at its own place only; else declare by=None",
    "together": "fit_many(panels) must do for each panel what fit(panel) does",
    "future": "use nothing but the panel, and remember nothing from fit to fit",
    "pickles": "keep no lambda, open file or local class in the model; a function is found by its "
    "name in its module",
    "requests": "take any horizon and number of draws from 1 on",
    "zeros": "say in the forecast's warnings how many draws were set to zero",
}

#: The same for a model that is one function, where that is another thing to do.
OF_FUNCTIONS: dict[str, str] = {
    "declares": "mend what @od.forecaster(...) is given: by, joint, target, min_months",
    "forecasts": "the function takes (panel, horizon, draws, rng) and returns an array of numbers "
    "of shape (draws, locations of the panel, horizon)",
    "finite": "return finite numbers; min_months leaves out places with too few counts",
    "places": "give @od.forecaster(min_months=...) the months that a place needs",
    "months": "return horizon months, the first of them right after the panel's last",
    "draws": "return an array of shape (draws, locations of the panel, horizon), none below zero",
    "joint": "declare 'location' in @od.forecaster(joint=...) only with by=None, where draw d of "
    "all places is one world",
    "seed": "use rng, the random numbers that the function is given",
    "refit": "keep nothing between calls: no global, no default that is changed",
    "global-random": "use rng, not numpy.random or random; where a library insists, set its state "
    "from rng and put the old one back",
    "order": "use @od.forecaster(by='location'), which gives each place its own random numbers",
    "alone": "look at the places that are given only; else @od.forecaster(by=None)",
    "zeros": "draw from a distribution of counts, rather than set what is below zero to zero",
}


def hint(rule: str, function: bool = False) -> str:
    """What to do about a broken rule.

    Parameters
    ----------
    rule : str
        Its name.
    function : bool
        Whether the model is one function, by ``@od.forecaster``.

    Examples
    --------
    >>> from odforecast.testing.hints import hint
    >>> hint("seed", function=True)
    'use rng, the random numbers that the function is given'
    """
    own = OF_FUNCTIONS.get(rule, "") if function else ""
    return own or HINTS.get(rule, "")
