"""A forecast in one call: ``od.forecast("Ohio")``."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable

from odforecast.forecasts.forecast import Forecast
from odforecast.models import Model, get_model
from odforecast.names import DEFAULT_DRAWS, DEFAULT_MODEL, DEFAULT_SEED, STATES
from odforecast.vintage import Archive
from odforecast.vintage import archive as open_archive


def forecast(
    places: str | Iterable[str] = "all",
    *,
    as_of: str | dt.date | None = None,
    model: str | Model = DEFAULT_MODEL,
    horizon: int | None = None,
    until: object = None,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    archive: str | os.PathLike[str] | Archive | None = None,
) -> Forecast:
    """Forecast overdose deaths in some places, in one call.

    The same as ``od.get_model().fit(od.archive().as_of().panel()).forecast().select("Ohio")``.

    Parameters
    ----------
    places : str or iterable of str
        Any names of places: ``"Ohio"``, ``"US,OH,NYC"``, ``["Ohio", "West Virginia"]``.
    as_of : date or str, optional
        Use only data published by this date. Default: the latest release.
    model : str or Model
        A name from ``odforecast models``; ``"county"`` for counties (``"Ohio/*"``).
    horizon : int, optional
        Months to forecast. Default: 12.
    until : month or str, optional
        Last month to forecast, instead of ``horizon``.
    draws : int
        Number of sample paths.
    seed : int
        Random seed: the same seed gives the same draws.
    archive : path or Archive, optional
        Releases to use. Default: your own, then the bundled ones.

    Returns
    -------
    Forecast

    Examples
    --------
    >>> import odforecast as od
    >>> ohio = od.forecast("Ohio", as_of="2026-01-14", draws=200)
    >>> ohio.locations, str(ohio.months[-1])
    (('OH',), '2026-08')
    >>> print(ohio.text().partition(",")[0])
    In Ohio
    """
    releases = archive if isinstance(archive, Archive) else open_archive(archive)
    forecaster = get_model(model) if isinstance(model, str) else model
    dataset = forecaster.spec.dataset or STATES
    panel = releases.as_of(as_of, dataset).panel(dataset=dataset)
    # A model of the whole panel is fitted to all of it; of one place at a time, to those asked for.
    fitted = forecaster.fit(
        panel.select(places) if forecaster.spec.by == "location" else panel
    )
    return fitted.forecast(
        horizon,
        until=until,
        draws=draws,
        seed=seed,
    ).select(places)
