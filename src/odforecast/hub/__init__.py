"""Hubverse model-output files: write, read, and refuse what cannot be trusted.

One row per (origin, location, target, month, output type, level or sample). ``origin_date``
is the as-of date; ``horizon`` counts months after the last month CDC had published by then
(0 and below: a model revises what was published); ``target_end_date`` is the last day of the
target month.
"""

from odforecast.hub.check import OUTPUT_TYPES, check_hub
from odforecast.hub.files import file_kind, read_hub, to_hub, write_hub

__all__ = ["OUTPUT_TYPES", "check_hub", "file_kind", "read_hub", "to_hub", "write_hub"]
