"""Words of a forecast: places in a sentence, the deaths that are counted, and chances."""

from __future__ import annotations

from odforecast.geography import NATION, REGIONS, County, find
from odforecast.names import ALL_DEATHS, ALL_DRUGS, INDICATOR_NAMES, indicator_name

#: Places whose name in a sentence is not the one in the table; CDC's NY leaves out the city.
_IN_A_SENTENCE = {
    NATION: "the United States",
    **dict.fromkeys(("DC", "11001"), "the District of Columbia"),
    "NY": "New York State without New York City",
    **{name: f"the {name}" for name in REGIONS},
}

#: Drug classes as people say them.
_CLASSES = {
    "T40.4": "synthetic opioids (mostly fentanyl)",
    "opioids": "opioids",
    "heroin": "heroin",
    "natural-opioids": "natural and semi-synthetic opioids",
    "methadone": "methadone",
    "cocaine": "cocaine",
    "psychostimulants": "psychostimulants (mostly methamphetamine)",
}


def place_name(code: str) -> str:
    """Full name of a place, as it stands within a sentence.

    Parameters
    ----------
    code : str
        Code or name of a jurisdiction or county; the name of a region, or of a sum of places,
        which stays as it is.

    Examples
    --------
    >>> place_name("US"), place_name("OH"), place_name("39061"), place_name("Midwest")
    ('the United States', 'Ohio', 'Hamilton County, Ohio', 'the Midwest')
    >>> place_name("NY"), place_name("the valley")
    ('New York State without New York City', 'the valley')
    """
    if code in _IN_A_SENTENCE:
        return _IN_A_SENTENCE[code]
    try:
        found = find(code)
    except LookupError:
        return code
    if isinstance(found, County):
        return found.label
    return _IN_A_SENTENCE.get(found.state, found.name)


def deaths_of(indicator: str) -> str:
    """The deaths that an indicator counts, in words.

    Examples
    --------
    >>> deaths_of("all-drugs"), deaths_of("T40.4")
    ('drug overdose deaths', 'drug overdose deaths with synthetic opioids (mostly fentanyl)')
    """
    full = indicator_name(indicator)
    if full == ALL_DRUGS:
        return "drug overdose deaths"
    if full == ALL_DEATHS:
        return "deaths from all causes"
    short = {INDICATOR_NAMES[key]: words for key, words in _CLASSES.items()}
    return f"drug overdose deaths with {short.get(full, full)}"


def chance(share: float) -> str:
    """A probability in whole percent; what is uncertain is never said to be 0 or 100 %.

    Examples
    --------
    >>> chance(0.914), chance(0.005), chance(0.995), chance(0.5)
    ('91 %', 'less than 1 %', 'more than 99 %', '50 %')
    """
    if share <= 0.005:
        return "less than 1 %"
    return "more than 99 %" if share >= 0.995 else f"{round(100 * share)} %"
