"""The ladder of evidence: what the data can and cannot say about an effect.

Also published forecasts, scored: :func:`published`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odforecast.evidence.published_forecasts import published

__all__ = ["published"]


def __getattr__(name: str) -> object:
    # Imported when it is asked for: it needs all models.
    if name == "published":
        from odforecast.evidence.published_forecasts import published

        return published
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
