"""Places as they stand in a sentence."""

from __future__ import annotations

from odforecast.geography import NATION, REGIONS, County, find

#: Places whose name in a sentence is not the one in the table; CDC's NY leaves out the city.
_IN_A_SENTENCE = {
    NATION: "the United States",
    **dict.fromkeys(("DC", "11001"), "the District of Columbia"),
    "NY": "New York State without New York City",
    **{name: f"the {name}" for name in REGIONS},
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
