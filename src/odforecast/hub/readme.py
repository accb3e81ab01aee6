"""What a hub made here says to those who submit to it: ``README.md``."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from odforecast.hub.config import HORIZON_RULE
from odforecast.hub.layout import MODEL_OUTPUT
from odforecast.hub.naming import model_id
from odforecast.names import HUB_COLUMNS, VINTAGE_REAL
from odforecast.panel import Panel

_KINDS = {
    "pseudo-clean": "the past again: one round a month, cut from one later release, complete",
    "pseudo-delayed": "the past again: one round a month, cut from one later release and made as "
    "incomplete as another release was",
}


_SUBMISSIONS = """\
# Submissions

One folder per model, `TEAM-MODEL`, and in it one file per round: `DATE-TEAM-MODEL.parquet`, or
`.csv`.
"""


def readme(
    title: str,
    facts: Mapping[str, str],
    panels: Sequence[Panel],
    labels: Sequence[str],
    horizon: int,
    samples: tuple[int, int],
    tasks: Mapping[str, Any],
) -> dict[str, str]:
    """Pages of a hub, by their place in its folder.

    Parameters
    ----------
    title : str
        The hub's name.
    facts : mapping of str to str
        ``indicator``, ``rounds``, ``made_with``.
    panels : sequence of Panel
        What was known at each origin, in order.
    labels : sequence of str
        Built-in models whose metadata are there.
    horizon : int
    samples : tuple of int
    tasks : mapping
        What ``tasks.json`` holds.

    Returns
    -------
    dict of str to str
    """
    last = panels[-1]
    round_ = tasks["rounds"][-1]
    due = round_["submissions_due"]
    sample = round_["model_tasks"][0]["output_type"]["sample"]["output_type_id_params"]
    over = [what for what, column in (("places", "location"), ("months", "horizon"))
            if column not in sample["compound_taskid_set"]]  # fmt: skip
    course = "both targets" + "".join(f" and all {what}" for what in over)
    made = (
        "one per release of CDC's" if facts["rounds"] == VINTAGE_REAL else _KINDS[facts["rounds"]]
    )
    example = labels[-1] if labels else "auto-ets"
    columns = ", ".join(f"`{c}`" for c in HUB_COLUMNS)
    body = f"""\
# {title}

A hub in the hubverse's form (docs.hubverse.io), made with {facts["made_with"]}. What is counted:
{facts["indicator"]}, where the deaths occurred. Rounds: {made};
`tasks.json` lists them.

| folder | |
|---|---|
| `hub-config/` | what is to be forecast: `tasks.json`; who runs the hub: `admin.json` |
| `target-data/time-series/` | what was known on each origin date, under `as_of=DATE` |
| `target-data/oracle-output.parquet` | the answers, as far as they are settled |
| `model-metadata/` | one `TEAM-MODEL.yml` per model |
| `model-output/` | one folder `TEAM-MODEL` per model, in it one file per round |
| `auxiliary-data/locations.csv` | codes, names and people of the places |

Before the hub is opened: put name, contact and repository into `hub-config/admin.json`.

## The horizon

{HORIZON_RULE}

In the round of {last.as_of}, `last_data_date` is {round_["last_data_date"]}, so
horizon 1 ends on {last_end(round_, 1)}. Horizons go from -11 to {horizon}; of the trend from 1.
Do not deploy `opt_check_tbl_horizon_timediff` here: it counts from the origin date.

## A submission

`model-output/TEAM-MODEL/DATE-TEAM-MODEL.parquet`, or `.csv`; `DATE` is the `origin_date`. One file
holds all output types of a round. Its columns:
{columns}.
Every place, target and horizon may be left out.

| target | output type | `output_type_id` |
|---|---|---|
| `deaths_12mo`, `deaths_month` | `quantile` | all 23 levels, 0.01 to 0.99 |
| `deaths_12mo`, `deaths_month` | `sample` | the sample's number |
| `trend_12mo` | `pmf` | all five categories, `large_decrease` to `large_increase` |

{samples[0]} to {samples[1]} samples; one number is one course over {course}. `output_type_id` is
text in Parquet, for categories stand beside levels. Submissions of a round are due from day
{due["start"]} to day {due["end"]} after the origin date.

## Names

Team and model hold letters, digits and `_` only; hyphens part date, team and model. Labels of
odforecast's own models are written so: `-` becomes `_`, `+` becomes `__`, anything else `___` and
its number in ASCII, as two hexadecimal digits. `{example}` is
`{model_id(example)}`. No two labels have one name, and each comes back.

## What was counted

`deaths_12mo` is CDC's 12-month-ending count. `deaths_month` is not published: it is recovered from
the 12-month counts, up to one constant per calendar month. A count that was withheld or suppressed
has no row. `oracle-output` is from the release that its `as_of` names: counts at least 12
months old by then, of rounds before that day. The category of a trend hangs on what was known at
the origin, so `origin_date` is part of what is observed there.
"""
    blocks = [x if x[0] in "|#" else wrap(x) for x in body.strip().split("\n\n")]
    body = "\n\n".join(blocks) + "\n"
    return {"README.md": body, f"{MODEL_OUTPUT}/README.md": _SUBMISSIONS}


def wrap(text: str) -> str:
    """A sentence in lines of a page."""
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def last_end(round_: Mapping[str, Any], horizon: int) -> str:
    """Last day of the month at a horizon of a round."""
    ids = round_["model_tasks"][0]["task_ids"]
    return str(ids["target_end_date"]["optional"][ids["horizon"]["optional"].index(horizon)])
