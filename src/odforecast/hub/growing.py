"""A hub that goes on: the rounds of new releases, and the answers that are settled since."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from odforecast.errors import DataError
from odforecast.hub import config
from odforecast.hub.layout import CONFIG, TARGET_DATA, Hub
from odforecast.hub.making import panels_of, releases_of, write_json
from odforecast.hub.target_data import (
    oracle_output,
    time_series,
    write_oracle_output,
    write_time_series,
)
from odforecast.names import LOCATION, MONTH, VINTAGE_REAL
from odforecast.vintage import Archive


def update(hub: str | os.PathLike[str] | Hub, archive: Archive | None = None) -> Hub:
    """Add the rounds of releases that came since, and the answers that are settled by now.

    Rounds that are there stay as they are, and so do submissions, metadata and the page. A round
    stands in ``tasks.json`` only once its data are there.

    Parameters
    ----------
    hub : path or Hub
        A hub as :func:`odforecast.hub.init` makes it, one round per release.
    archive : Archive, optional
        Releases, those of the hub's rounds among them. Default: your own, with the bundled ones
        beneath.

    Returns
    -------
    Hub
        Opened again.

    Raises
    ------
    DataError
        If the hub was not made here, its rounds are of the past again, or the archive lacks a
        release that is a round, or ends before the hub's truth.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> hub = od.hub.init(tempfile.mkdtemp() + "/hub", od.bundled())
    >>> len(od.hub.update(hub, od.bundled()).rounds)
    2
    """
    from odforecast.backtesting.origin import origins
    from odforecast.scoring import Truth

    there = hub if isinstance(hub, Hub) else Hub.open(hub)
    facts = _facts(there)
    releases = releases_of(archive)
    truth = Truth(releases.as_of().panel(facts["indicator"]))
    if str(truth.release) < facts["truth_release"]:
        raise DataError(
            f"the archive ends with {truth.release}, and {there.root} holds answers of "
            f"{facts['truth_release']}",
            hint="get the newer releases: odforecast data fetch",
        )
    panels = panels_of(origins(releases, VINTAGE_REAL, indicator=facts["indicator"]))
    days = [day for r in there.rounds for day in _origins(r)]
    known = {panel.as_of.isoformat(): panel for panel in panels}
    if missing := [day for day in days if day not in known]:
        raise DataError(
            f"the archive has no release {missing[0]}, which is a round of {there.root}",
            hint="take the archive the hub was made from",
        )
    # Releases before the hub's first round were left out when it was made.
    new = [p for day, p in known.items() if day not in days and day > max(days)]
    horizon, samples, joint, due = _settings(there.rounds[-1])
    for panel in new:
        write_time_series(time_series(panel), panel.as_of, there.root / TARGET_DATA)
    rounds = [known[day] for day in days] + new
    write_oracle_output(oracle_output(rounds, truth, horizon), there.root / TARGET_DATA)
    if new:
        more = config.tasks_config(
            [config.Round(p.as_of, p.last_month, p.locations) for p in new],
            horizon, samples, joint, due,
        )  # fmt: skip
        tasks = {**there.tasks, "rounds": [*there.rounds, *more["rounds"]]}
        write_json(tasks, there.root / CONFIG / "tasks.json")
    if str(truth.release) != facts["truth_release"]:
        changed = {**facts, "truth_release": str(truth.release)}
        admin = {**there.admin, "additional_metadata": changed}
        write_json(admin, there.root / CONFIG / "admin.json")
    return Hub.open(there.root)


def _facts(hub: Hub) -> dict[str, str]:
    """What :func:`odforecast.hub.init` wrote down of the hub."""
    facts = hub.admin.get("additional_metadata")
    needed = ("indicator", "rounds", "truth_release")
    if not isinstance(facts, Mapping) or any(key not in facts for key in needed) or not hub.rounds:
        raise DataError(
            f"{hub.root} was not made by odforecast hub init, so its rounds cannot be added to",
            hint="add them to tasks.json by hand",
        )
    if facts["rounds"] != VINTAGE_REAL:
        raise DataError(
            f"the rounds of {hub.root} are of the past again ({facts['rounds']}), and do not go on",
            hint="make another hub",
        )
    return dict(facts)


def _origins(round_: Mapping[str, Any]) -> list[str]:
    ids = round_["model_tasks"][0]["task_ids"]["origin_date"]
    return [*(ids["required"] or ()), *(ids["optional"] or ())]


def _settings(
    round_: Mapping[str, Any],
) -> tuple[int, tuple[int, int], list[str], tuple[int, int]]:
    """What a round asks for: months ahead, samples, what they are joint over, when they are due."""
    counts = round_["model_tasks"][0]
    sample = counts["output_type"]["sample"]["output_type_id_params"]
    single = sample["compound_taskid_set"]
    joint = [axis for axis, column in ((LOCATION, "location"), (MONTH, "horizon"))
             if column not in single]  # fmt: skip
    due = round_["submissions_due"]
    return (
        max(counts["task_ids"]["horizon"]["optional"]),
        (sample["min_samples_per_task"], sample["max_samples_per_task"]),
        joint,
        (due["start"], due["end"]),
    )
