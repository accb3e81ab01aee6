"""Paths of a drug class within the draws of all overdose deaths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.forecast import Forecast
from odforecast.panel import Floats


def share_name(short: str) -> str:
    """Name of the table of a class's shares in all overdose deaths."""
    return "fentanyl-share" if short == "T40.4" else f"{short}-share"


def class_path(
    forecast: Forecast,
    short: str,
    shares: Mapping[str, float],
    nation: tuple[int, list[int]] | None,
) -> tuple[Floats, list[str]]:
    """Monthly deaths of a class in every draw of a forecast of all drugs.

    Where the model carries the class (``dlm`` and T40.4), its own draws; elsewhere the last known
    share of the place, or of its census region, of the draw's deaths. Where the nation is the sum
    of its jurisdictions, the shared-out places get what the others leave of the nation's own path.

    Parameters
    ----------
    forecast : Forecast
        Of all drugs, by month.
    short : str
        The class, ``"T40.4"``.
    shares : mapping of str to float
        Location to last known share; may be empty where the forecast carries the class.
    nation : (int, list of int) or None
        Row of US and rows of its jurisdictions, where it is their sum.

    Returns
    -------
    path : ndarray, shape (D, L, M)
        Nowhere above all deaths.
    notes : list of str
        Which places have no draws of the class.

    Raises
    ------
    ScenarioError
        If a place has neither draws of the class nor a share.
    """
    carried = forecast.beside.get(short)
    there = set(carried.locations) if carried is not None else set()
    missing = [s for s in forecast.locations if s not in there]
    if lacking := [s for s in missing if s not in shares]:
        raise ScenarioError(
            f"no deaths of {short} for {', '.join(lacking[:8])}: the forecast does not carry them, "
            "and the release has no recent count",
            hint=f"project the default model's forecast from a release with {short} beside all "
            f"drugs, or give exposures={{{share_name(short)!r}: {{location: share}}}}",
        )
    path = np.empty(forecast.draws.shape)
    if carried is not None:
        rows = [forecast.locations.index(s) for s in forecast.locations if s in there]
        path[:, rows] = carried.draws[:, [carried.index(forecast.locations[i]) for i in rows]]
    rest = [forecast.locations.index(s) for s in missing]
    given = np.array([shares[s] for s in missing])[None, :, None]
    path[:, rest] = given * forecast.draws[:, rest]
    if nation is not None and rest and nation[0] not in rest:
        _share_out(path, forecast.draws, rest, nation)
    if nation is not None and nation[0] in rest:
        path[:, nation[0]] = path[:, nation[1]].sum(axis=1)
    return path, _notes(short, missing, carried is not None)


def _share_out(path: Floats, whole: Floats, rest: list[int], nation: tuple[int, list[int]]) -> None:
    """Let places without draws of their own have what the others leave of the nation's."""
    us, parts = nation
    others = [i for i in parts if i not in rest]
    left = path[:, us] - path[:, others].sum(axis=1)
    guess = path[:, rest].sum(axis=1)
    factor = np.divide(left, guess, out=np.ones_like(left), where=guess > 0)
    path[:, rest] = np.clip(path[:, rest] * factor[:, None], 0.0, whole[:, rest])


def _notes(short: str, missing: list[str], carried: bool) -> list[str]:
    if not missing:
        return []
    if not carried:
        return [
            f"the model does not forecast {short}: each place's last known share of it is taken to "
            "stay"
        ]
    named = ", ".join(missing)
    return [
        f"no draws of {short} for {named}: their last known share, or that of their census region, "
        "is used"
    ]
