"""Places: names and codes, counties, populations, and what adds up to what."""

from odforecast.geography.places import *  # noqa: F403
from odforecast.geography.places import __all__ as __all__
