"""Whether the days of a submission are those of its horizons, where a hub says which those are.

``target_end_date`` is a derived task id, so the hubverse's checks do not compare it with the
horizon. What came is found by it: a file with wrong days would be scored on other months than its
horizons say.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from odforecast.errors import DataError
from odforecast.hub.layout import Hub
from odforecast.hub.scoring.tables import Submission
from odforecast.months import month_end
from odforecast.say import quoted

_NEEDED: Final = ("origin_date", "horizon", "target_end_date")


def check_days(submission: Submission, hub: Hub) -> None:
    """Refuse a submission whose days contradict its horizons.

    Only in hubs that say how horizons are counted: those of :func:`odforecast.hub.init`, whose
    ``admin.json`` has a ``horizon_rule`` and whose rounds have a ``last_data_date``. Of others,
    and of a horizon or day that is none, nothing is said.

    Parameters
    ----------
    submission : Submission
    hub : Hub

    Raises
    ------
    DataError
        With the file, the first row that is wrong, the day there and the day it should be.
    """
    table = submission.table
    if any(name not in table for name in _NEEDED):
        return
    last = _last_months(hub)
    rows = table.drop_duplicates(list(_NEEDED))
    for day, horizon, said, row in zip(*(rows[c] for c in (*_NEEDED, "row"))):
        try:
            month = last[day] + np.timedelta64(int(horizon), "M")
            should = month_end(month).isoformat()
        except (KeyError, ValueError, OverflowError):
            continue  # no such round, or no number: scores say so row by row
        if said != should:
            raise DataError(
                f"{submission.path}, row {row}: horizon {horizon} of round {day} ends on "
                f"{should}, and target_end_date is {quoted(said)}",
                hint="horizons count from the round's last_data_date",
            )


def _last_months(hub: Hub) -> dict[str, np.datetime64]:
    """The last month known in each round, by its day; none where the hub does not say it."""
    facts = hub.admin.get("additional_metadata")
    if not isinstance(facts, dict) or "horizon_rule" not in facts:
        return {}
    out: dict[str, np.datetime64] = {}
    for turn in hub.rounds:
        try:
            last = np.datetime64(str(turn["last_data_date"])[:7], "M")
            ids: dict[str, Any] = turn["model_tasks"][0]["task_ids"]["origin_date"]
            days = [*(ids.get("required") or ()), *(ids.get("optional") or ())]
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            continue
        out |= dict.fromkeys(map(str, days), last)
    return out
