"""A hub's configuration, its models' metadata, its pages, its dashboard and its workflow."""

from __future__ import annotations

import copy
import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml

from odforecast.errors import DataError
from odforecast.forecast.trend import LONGEST
from odforecast.geography.places import LOCATIONS, called, lookup
from odforecast.hub.layout import CONFIG, MODEL_METADATA, MODEL_OUTPUT, values_of
from odforecast.hub.naming import TEAM, model_id
from odforecast.io import replacing
from odforecast.models import get_model
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import HUB_COLUMNS, LOCATION, MONTH, STATES, TARGET_12MO, VINTAGE_REAL
from odforecast.panel import Panel

#: The schemas that the configuration is written for.
SCHEMAS: Final = "https://raw.githubusercontent.com/hubverse-org/schemas/main/v6.0.0"
#: The rule, in words: it stands in every target's description.
HORIZON_RULE: Final = (
    "Horizon h is the h-th month after the last month known on origin_date, which last_data_dates "
    "in the round's additional_metadata names; it is not counted from origin_date. "
    "target_end_date is the last day of that month. Horizons of 0 and below revise months that "
    "were published already."
)
#: Where a round says which month was the last one known, by origin.
LAST_DATES: Final = "last_data_dates"
#: Models that the dashboard draws: the recommended ones, and the baselines.
_DESIGNATED: Final = ("dlm", "ensemble")
_BASELINES: Final = (
    "hub-baseline", "damped-trend", "cdc-predicted", "naive", "drift", "seasonal-naive",
)  # fmt: skip
#: Horizons of months that were published already, and are revised.
NOWCAST: Final = tuple(range(-11, 1))
_ROUNDS: Final = {
    VINTAGE_REAL: "one per release of CDC's",
    "pseudo-clean": "the past again: one round a month, cut from one later release, complete",
    "pseudo-delayed": "the past again: one round a month, cut from one later release and made as "
    "incomplete as another release was",
}
_BY: Final = {
    None: "All places are fitted at once.",
    "state": "Each state is fitted by itself.",
    "location": "Each place is fitted by itself.",
}
_SUMS, _DELAY = "-sums", "+delay"
#: A list of numbers or words, one to a line, as :mod:`json` writes it.
_LIST: Final = re.compile(r"\[\n\s+((?:[^\[\]{}]|\n)*?)\n(\s*)\]")


def template(name: str) -> str:
    """A text of ``templates/``."""
    return (resources.files("odforecast.hub") / "templates" / name).read_text(encoding="utf-8")


def admin_config(
    name: str, maintainer: str, contact: Mapping[str, str], repository: str, more: Mapping[str, Any]
) -> dict[str, Any]:
    """What ``admin.json`` holds."""
    owner, _, repo = repository.partition("/")
    if not (owner and repo) or "/" in repo or len(repository.split()) != 1:
        raise DataError(f"repository is {repository!r}", hint="OWNER/NAME, as ohio/overdose-hub")
    email = contact.get("email", "")
    if not re.fullmatch(r"[^@\s]+@[^\s]*\.[^\s]*", email):
        raise DataError(f"the contact's address is {email!r}", hint="somebody@example.org")
    return {
        "schema_version": f"{SCHEMAS}/admin-schema.json",
        "name": name,
        "maintainer": maintainer,
        "contact": {"name": contact["name"], "email": email},
        "repository": {"host": "github", "owner": owner, "name": repo},
        "file_format": ["csv", "parquet"],
        "timezone": "US/Eastern",
        "additional_metadata": {"horizon_rule": HORIZON_RULE, **more},
    }


def tasks_config(
    panels: Sequence[Panel], horizon: int, samples: tuple[int, int], joint: Iterable[str]
) -> dict[str, Any]:
    """What ``tasks.json`` holds, by version 6.0.0 of the hubverse's schema."""
    if not 1 <= horizon <= 120:
        raise DataError(f"horizon is {horizon}", hint="1 to 120 months")
    if not 1 <= samples[0] <= samples[1]:
        raise DataError(f"samples are {samples[0]} to {samples[1]}", hint="1 or more, rising")
    if wrong := set(joint) - {LOCATION, MONTH}:
        raise DataError(f"joint over {sorted(wrong)[0]!r}", hint=f"{LOCATION}, {MONTH}")
    tasks: dict[str, Any] = json.loads(template("tasks.json"))
    (round_,) = tasks["rounds"]
    ahead = list(range(1, horizon + 1))
    horizons = ([*NOWCAST, *ahead], [h for h in ahead if h <= LONGEST])
    for task, asked in zip(round_["model_tasks"], horizons):
        task["task_ids"]["horizon"]["optional"] = asked
        for target in task["target_metadata"]:
            target["description"] = with_rule(target["description"])
    set_samples(round_["model_tasks"][0], samples, joint)
    return tasks | {"rounds": [with_origins(round_, panels)]}


def with_rule(description: str) -> str:
    """A target's description and how horizons are counted, in place of a rule that is there."""
    return f"{description.partition(' Horizon h is')[0]} {HORIZON_RULE}"


def set_samples(task: dict[str, Any], samples: tuple[int, int], joint: Iterable[str]) -> None:
    """How many samples there are, and over which axes they are one course, besides the targets."""
    own = [name for axis, name in ((LOCATION, "location"), (MONTH, "horizon")) if axis not in joint]
    params = task["output_type"]["sample"]["output_type_id_params"]
    params |= {"min_samples_per_task": samples[0], "max_samples_per_task": samples[1],
               "compound_taskid_set": ["origin_date", *own]}  # fmt: skip


def with_origins(
    round_: Mapping[str, Any], panels: Sequence[Panel], before: Iterable[Panel] = ()
) -> dict[str, Any]:
    """A round with more origins, their months, and places that no earlier origin had."""
    made: dict[str, Any] = copy.deepcopy(dict(round_))
    said = made.setdefault("additional_metadata", {})
    ends = {str(p.as_of): month_end(p.last_month).isoformat() for p in panels}
    said[LAST_DATES] = said.get(LAST_DATES, {}) | ends
    old = {lookup(s).code for p in before for s in p.locations}
    new = {lookup(s).code for p in panels for s in p.locations} - old
    for task in made["model_tasks"]:
        ids = task["task_ids"]
        months = {
            month_end(p.last_month + h * ONE_MONTH).isoformat()
            for p in panels
            for h in values_of(ids["horizon"])
        }
        for name, more in (("origin_date", set(ends)), ("target_end_date", months)):
            ids[name]["optional"] = sorted(more | set(ids[name]["optional"] or ()))
        there = new | set(ids["location"]["optional"] or ())
        ids["location"]["optional"] = [x.code for x in LOCATIONS if x.code in there]
    return made


@cache
def _methods() -> dict[str, dict[str, str]]:
    """What the built-in models of states are: a name for people, and a line."""
    return dict(yaml.safe_load(template("models.yml")))


@cache
def licences() -> tuple[str, ...]:
    """Licences that a model's output may have in a hub made here."""
    schema = json.loads(template("model-metadata-schema.json"))
    return tuple(schema["properties"]["license"]["enum"])


def built_in(label: str) -> bool:
    """Whether a label is of a model of states that comes with the package."""
    return _base(label) in _methods()


def _base(label: str) -> str:
    """A label without what is done to the months first."""
    bare = label.removesuffix(_DELAY)
    base = bare.removesuffix(_SUMS)
    # Baselines on sums have no twin on months; the others come in both.
    return base if base == bare or base.startswith(("naive", "drift", "seasonal", "auto")) else bare


def all_labels() -> tuple[str, ...]:
    """Labels of all built-in models of states; each with ``+delay`` too where it can have it."""
    from odforecast.models import model_names

    specs = {name: get_model(name).spec for name in model_names(STATES)}
    return tuple(
        label
        for name, spec in specs.items()
        if spec.origin == TEAM
        for label in (name, *([] if spec.corrects_delay else [name + _DELAY]))
    )


def model_metadata(label: str, license: str = "CC-BY-4.0") -> dict[str, Any]:
    """What a hub is to know of a built-in model."""
    if not built_in(label):
        raise DataError(
            f"{label!r} is not a built-in model of states",
            hint=f"write its metadata by hand into {MODEL_METADATA}/TEAM-MODEL.yml",
        )
    spec, base = get_model(label).spec, _base(label)
    name, methods = _methods()[base].values()
    if _SUMS in label:
        name, methods = f"{name} of 12-month counts", f"{methods} Fitted to the 12-month counts."
    if label.endswith(_DELAY):
        name = f"{name}, months completed"
        methods = f"{methods} The last months are completed first for the reporting delay."
    joint = "Draws are joint over the months of a place, not over places."
    if LOCATION in spec.joint:
        joint = "Draws are joint over places and months: states add up to the nation in each draw."
    paths = "Its paths are of monthly deaths, added up to 12-month-ending counts."
    if spec.target == TARGET_12MO:
        paths = "Its paths are of 12-month-ending counts; single months are not forecast."
    late = "" if spec.corrects_delay else " The last months are taken as they were published."
    team, _, abbr = model_id(label).partition("-")
    return dict(yaml.safe_load(template("metadata.yml"))) | {
        "team_abbr": team,
        "model_name": name,
        "model_abbr": abbr,
        "model_version": f"{spec.version} ({spec.hash})",
        "license": license,
        "designated_model": label in _DESIGNATED or base in _BASELINES,
        "methods": methods,
        "methods_long": f"Label in odforecast: {label}. {methods} {_BY[spec.by]} {joint} "
        f"{paths}{late}",
        "ensemble_of_models": bool(spec.members) and base.startswith("ensemble"),
    }


def write_metadata(label: str, hub: Path, license: str = "CC-BY-4.0") -> None:
    """Write a built-in model's metadata, ``model-metadata/TEAM-MODEL.yml``."""
    said = model_metadata(label, license)
    text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=96)
    write_text(text, hub / MODEL_METADATA / f"{model_id(label)}.yml")


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write a configuration for people to read: lists of numbers and words in a few lines."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    write_text(_LIST.sub(_packed, text) + "\n", path)


def _packed(found: re.Match[str]) -> str:
    """A list in as few lines as it needs."""
    cells = " ".join(found[1].split()) if '"' not in found[1] else re.sub(r"\n\s+", " ", found[1])
    indent = found[2]
    if len(cells) + len(indent) < 90:
        return f"[{cells}]"
    # Codes and dates hold no space: lines break between them.
    inner = textwrap.fill(
        cells, 98, initial_indent=indent + "  ", subsequent_indent=indent + "  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"[\n{inner}\n{indent}]"


def write_text(text: str, path: Path) -> None:
    """Write a text; it is whole, or as it was."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_pages(admin: Mapping[str, Any], tasks: Mapping[str, Any], labels: Sequence[str],
                hub: Path) -> None:  # fmt: skip
    """Write what a hub says to people and to others' machines."""
    facts, (round_,) = admin["additional_metadata"], tasks["rounds"]
    counts, due = round_["model_tasks"][0], round_["submissions_due"]
    ids, sample = counts["task_ids"], counts["output_type"]["sample"]["output_type_id_params"]
    over = [f" and all {what}" for what, column in (("places", "location"), ("months", "horizon"))
            if column not in sample["compound_taskid_set"]]  # fmt: skip

    def model(*wanted: str) -> str:
        """The first of these models that the hub knows; else its first model."""
        return model_id(next((x for x in (*wanted, *labels) if x in labels), wanted[0]))

    day, last = list(round_["additional_metadata"]["last_data_dates"].items())[-1]
    example, codes = labels[-1] if labels else "auto-ets", ids["location"]["optional"]
    nation = ["US"] if "US" in codes else codes[:1]
    words = {
        "title": admin["name"],
        "made_with": facts["made_with"],
        "indicator": facts["indicator"],
        "made": _ROUNDS[facts["rounds"]],
        "rule": HORIZON_RULE,
        "day": day,
        "last": last,
        "first": next(x for x in ids["target_end_date"]["optional"] if x > last),
        "horizon": ids["horizon"]["optional"][-1],
        "columns": ", ".join(f"`{c}`" for c in HUB_COLUMNS),
        "least": sample["min_samples_per_task"],
        "most": sample["max_samples_per_task"],
        "course": "both targets" + "".join(over),
        "start": due["start"],
        "end": due["end"],
        "example": example,
        "example_id": model_id(example),
        "repository": f"{admin['repository']['owner']}/{admin['repository']['name']}",
        "baseline": model("hub-baseline"),
        "monthly_baseline": model("naive+delay", "naive"),
        "checked": json.dumps(list(dict.fromkeys([model("dlm"), model("hub-baseline")]))),
        "nation": json.dumps(nation),
        "states": json.dumps([x for x in codes if x not in nation] or codes),
        "places": "\n".join(f'    "{x.code}": "{called(x.state)}"' for x in LOCATIONS),
    }
    text = template("README.md").format(**words)
    blocks = [
        x if x[0] in "|#" else textwrap.fill(x, 100, break_long_words=False, break_on_hyphens=False)
        for x in text.strip().split("\n\n")
    ]
    write_text("\n\n".join(blocks) + "\n", hub / "README.md")
    write_text(template("submissions.md"), hub / MODEL_OUTPUT / "README.md")
    write_text(template("target-data.json"), hub / CONFIG / "target-data.json")
    write_text(template("model-metadata-schema.json"), hub / CONFIG / "model-metadata-schema.json")
    workflow = "validate-submission.yaml"
    write_text(template(workflow), hub / ".github" / "workflows" / workflow)
    words["title"] = json.dumps(admin["name"], ensure_ascii=False)
    for name in ("site-config.yml", "predtimechart-config.yml", "predevals-config.yml"):
        write_text(template(f"dashboard/{name}").format(**words), hub / "dashboard" / name)
