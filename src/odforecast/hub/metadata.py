"""What a hub is to know of models, ``model-metadata/TEAM-MODEL.yml``: its schema, and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from odforecast.errors import DataError
from odforecast.hub.layout import MODEL_METADATA
from odforecast.hub.naming import LONGEST_MODEL, LONGEST_TEAM, PART, TEAM, model_id
from odforecast.io import replacing
from odforecast.models import get_model
from odforecast.models.spec import Spec
from odforecast.names import LOCATION, STATES, TARGET_12MO

_SUMS: Final = "-sums"
_DELAY: Final = "+delay"

#: Licences that a model's output may have in a hub made here.
LICENCES: Final = (
    "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "PDDL-1.0", "ODC-By-1.0", "ODbL-1.0", "OGL-UK-3.0",
)  # fmt: skip

#: What the built-in models of states are: a name for people, and a line.
METHODS: Final = {
    "dlm": (
        "Fast hierarchy",
        "State-space model of monthly deaths: levels of states, regions and nation move together, "
        "filtered exactly and drawn jointly; what the last months still miss is part of it.",
    ),
    "ensemble": (
        "Ensemble with learned weights",
        "Quantiles of dlm, ETS and Theta averaged, weights and widths learned from earlier cuts of "
        "the data; the last months completed once for all.",
    ),
    "ensemble-equal": (
        "Ensemble with equal weights",
        "Quantiles of dlm, ETS and Theta averaged with equal weights; the last months completed "
        "once for all.",
    ),
    "ensemble-linear": (
        "Linear pool",
        "Distributions of dlm, ETS and Theta mixed with equal weights; the last months completed "
        "once for all.",
    ),
    "hub-baseline": (
        "Hub baseline",
        "The last 12-month count, kept; as wide as that rule's past errors at each horizon.",
    ),
    "damped-trend": (
        "Damped trend",
        "The last quarter's mean change of the 12-month count, dying away; as wide as that rule's "
        "past errors at each horizon.",
    ),
    "cdc-predicted": (
        "CDC's predicted count",
        "CDC's predicted 12-month count, kept; as wide as its past changes and its past distance "
        "from settled counts.",
    ),
    "naive": ("Random walk", "A random walk of the log count."),
    "drift": ("Random walk with drift", "A random walk of the log count with an estimated slope."),
    "seasonal-naive": ("Seasonal naive", "The value of twelve months before."),
    "auto-ets": ("ETS", "Exponential smoothing of the log count, damped trend, its form chosen."),
    "auto-theta": ("Theta", "The best of four Theta models of the log count."),
    "auto-arima": ("ARIMA", "ARIMA of the log count, its orders chosen by stepwise search."),
    "auto-ces": ("CES", "Complex exponential smoothing of the log count, its form chosen."),
    "hierarchical": (
        "Bayesian hierarchy",
        "Negative-binomial counts, nation, region and state, sampled with NUTS; the reporting "
        "delay is in the likelihood.",
    ),
    "hierarchical-quick": (
        "Bayesian hierarchy, approximated",
        "Negative-binomial counts, nation, region and state, under a Gaussian approximation.",
    ),
}

_DATA: Final = (
    "CDC's provisional drug-overdose death counts (VSRR, data.cdc.gov xkb8-kh2a) as known on the "
    "origin date, and nothing published later."
)
_BY: Final = {
    None: "All places are fitted at once.",
    "state": "Each state is fitted by itself.",
    "location": "Each place is fitted by itself.",
}


def built_in(label: str) -> bool:
    """Whether a label is of a model of states that comes with the package.

    Examples
    --------
    >>> built_in("auto-ets+delay"), built_in("auto-ets-sums"), built_in("my-model")
    (True, True, False)
    """
    return _base(label) in METHODS


def _base(label: str) -> str:
    bare = label.removesuffix(_DELAY)
    base = bare.removesuffix(_SUMS)
    # Baselines on sums have no twin on months; the others come in both.
    return base if base == bare or base.startswith(("naive", "drift", "seasonal", "auto")) else bare


def model_metadata(
    label: str, license: str = "CC-BY-4.0", designated: bool | None = None
) -> dict[str, Any]:
    """What a hub is to know of a built-in model.

    Parameters
    ----------
    label : str
        As :func:`odforecast.get_model` takes it; ``+delay`` may stand behind it.
    license : str
        Of the model's output.
    designated : bool, optional
        Whether it may be part of the hub's ensemble; default: only the two that are recommended,
        ``dlm`` and ``ensemble``.

    Returns
    -------
    dict
        By the schema that :func:`odforecast.hub.metadata.metadata_schema` gives.

    Raises
    ------
    DataError
        If the model is not built in, or not of states: what a team says of its own model, it
        writes itself.
    UnknownNameError
        If ``+delay`` is put on a model that knows the delay.

    Examples
    --------
    >>> made = model_metadata("auto-ets+delay")
    >>> made["team_abbr"], made["model_abbr"], made["designated_model"]
    ('odforecast', 'auto_ets__delay', False)
    """
    if not built_in(label):
        raise DataError(
            f"{label!r} is no built-in model of states",
            hint=f"write its metadata by hand into {MODEL_METADATA}/TEAM-MODEL.yml",
        )
    spec = get_model(label).spec
    name, methods = METHODS[_base(label)]
    if _SUMS in label:
        name, methods = f"{name} of 12-month counts", f"{methods} Fitted to the 12-month counts."
    if label.endswith(_DELAY):
        name = f"{name}, months completed"
        methods = f"{methods} The last months are completed first for the reporting delay."
    team, _, abbr = model_id(label).partition("-")
    return {
        "team_name": "odforecast, the Python package",
        "team_abbr": team,
        "model_name": name,
        "model_abbr": abbr,
        "model_version": f"{spec.version} ({spec.hash})",
        "model_contributors": [
            {"name": "The odforecast developers", "affiliation": "odforecast"},
        ],
        "license": license,
        "designated_model": label in ("dlm", "ensemble") if designated is None else designated,
        "data_inputs": _DATA,
        "methods": methods,
        "methods_long": f"Label in odforecast: {label}. {methods} {_in_full(spec)}",
        "ensemble_of_models": bool(spec.members) and _base(label).startswith("ensemble"),
        "ensemble_of_hub_models": False,
    }


def _in_full(spec: Spec) -> str:
    joint = (
        "Draws are joint over places and months: states add up to the nation in each draw."
        if LOCATION in spec.joint
        else "Draws are joint over the months of a place, not over places."
    )
    paths = (
        "Its paths are of 12-month-ending counts; single months are not forecast."
        if spec.target == TARGET_12MO
        else "Its paths are of monthly deaths, added up to 12-month-ending counts."
    )
    delay = "" if spec.corrects_delay else " The last months are taken as they were published."
    return f"{_BY[spec.by]} {joint} {paths}{delay}"


def all_labels() -> tuple[str, ...]:
    """Labels of all built-in models of states; each with ``+delay`` too where it can have it.

    Examples
    --------
    >>> labels = all_labels()
    >>> "dlm" in labels, "dlm+delay" in labels, "naive+delay" in labels, "county" in labels
    (True, False, True, False)
    """
    from odforecast.models import model_names

    out = []
    for name in model_names(STATES):
        spec = get_model(name).spec
        if spec.origin != TEAM:
            continue
        out.append(name)
        if not spec.corrects_delay:
            out.append(name + _DELAY)
    return tuple(out)


def metadata_schema() -> dict[str, Any]:
    """What ``model-metadata-schema.json`` holds: what a team says of its model.

    Examples
    --------
    >>> metadata_schema()["properties"]["model_abbr"]["pattern"]
    '^[A-Za-z0-9_]+$'
    """
    part = f"^{PART.pattern}$"
    text = {"type": "string", "minLength": 1}
    yes = {"type": "boolean"}
    properties: dict[str, Any] = {
        "team_name": text | {"description": "The team that submits the model"},
        "team_abbr": text
        | {"description": "The team in file names", "pattern": part, "maxLength": LONGEST_TEAM},
        "model_name": text | {"description": "The model's name, for people"},
        "model_abbr": text
        | {"description": "The model in file names", "pattern": part, "maxLength": LONGEST_MODEL},
        "model_version": text | {"description": "Changes whenever its numbers may change"},
        "model_contributors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "name": text,
                    "affiliation": text,
                    "email": {"type": "string", "format": "email"},
                    "orcid": {
                        "type": "string",
                        "pattern": r"^\d{4}\-\d{4}\-\d{4}\-[\dX]{4}$",
                    },
                },
                "required": ["name", "affiliation"],
                "additionalProperties": False,
            },
        },
        "website_url": {"type": "string", "format": "uri"},
        "repo_url": {"type": "string", "format": "uri"},
        "license": {
            "description": "Of the model's output",
            "type": "string",
            "enum": list(LICENCES),
        },
        "designated_model": yes
        | {"description": "Whether it may be part of the hub's ensemble and public figures"},
        "citation": text,
        "team_funding": text,
        "data_inputs": text | {"description": "Data the model uses"},
        "methods": text | {"description": "In 200 characters", "maxLength": 200},
        "methods_long": text
        | {"description": "In full: how places hang together, how uncertainty is had"},
        "ensemble_of_models": yes,
        "ensemble_of_hub_models": yes,
    }
    needed = ("team_name", "team_abbr", "model_name", "model_abbr", "model_version",
              "model_contributors", "license", "designated_model", "data_inputs", "methods",
              "methods_long", "ensemble_of_models", "ensemble_of_hub_models")  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Schema of a model's metadata",
        "description": "What a team says of a model, in model-metadata/TEAM-MODEL.yml",
        "type": "object",
        "properties": properties,
        "required": list(needed),
        "additionalProperties": False,
    }


def write_metadata(metadata: dict[str, Any], hub: Path) -> Path:
    """Write a model's metadata into a hub's folder.

    Parameters
    ----------
    metadata : dict
        With ``team_abbr`` and ``model_abbr``.
    hub : Path
        The hub's folder.

    Returns
    -------
    Path
        ``model-metadata/TEAM-MODEL.yml``.
    """
    name = f"{metadata['team_abbr']}-{metadata['model_abbr']}.yml"
    path = hub / MODEL_METADATA / name
    text = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=96)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return path
