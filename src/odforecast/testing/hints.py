"""What to do about each rule of the contract that is broken."""

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
