"""JSON Schema of a scenario file, for editors and other programs.

Made from the same tables as the parser: keys, ranges, words, distributions. It ships as
``scenario.schema.json``. A schema sees the form of a file; whether a distribution fits its range,
a place exists or two names are one is said when the file is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from odforecast.scenario import limits
from odforecast.scenario.catalogue import prior_names
from odforecast.scenario.keys import INTERVENTION, REBOUND, SCENARIO, Key
from odforecast.scenario.loading import MAX_TEXT
from odforecast.scenario.priors import PARAMETERS
from odforecast.scenario.priors_file import LARGEST, PERCENT, SIZES

#: Name of the file beside this module.
FILE = "scenario.schema.json"

_POSITIVE = ("sd", "median", "sigma", "a", "b")
_MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?$"
_NAME = r"^[a-z0-9][a-z0-9.+_-]*$"
_PERCENT_TEXT = {"$ref": "#/$defs/percent-text"}
_NONE = {"enum": ["none", None]}

Schema = dict[str, Any]


def json_schema() -> Schema:
    """JSON Schema (draft 2020-12) of a scenario file.

    In an editor with the YAML language server a first line
    ``# yaml-language-server: $schema=scenario.schema.json`` turns it on, with the file beside the
    scenario; :func:`schema_text` is its text.

    Returns
    -------
    dict

    Examples
    --------
    >>> import odforecast as od
    >>> schema = od.scenario.json_schema()
    >>> schema["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    >>> schema["$defs"]["intervention"]["properties"]["direction"]["enum"]
    ['either', 'fall', 'rise']
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenario file of odforecast",
        "description": "One scenario, or several under the key scenarios.",
        "type": "object",
        "if": {"required": ["scenarios"]},
        "then": {
            "additionalProperties": False,
            "properties": {
                "scenarios": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"$ref": "#/$defs/scenario"},
                }
            },
        },
        "else": {"$ref": "#/$defs/scenario"},
        "$defs": {
            "scenario": _scenario(),
            "intervention": _intervention(),
            "rebound": _rebound(),
            "distribution": _distribution({"type": "number"}),
            "distribution-or-percents": _distribution(_any({"type": "number"}, _PERCENT_TEXT)),
            "percent-text": {"type": "string", "pattern": f"^{PERCENT.pattern}$"},
            "month": {"type": "string", "pattern": _MONTH},
        },
    }


def schema_text() -> str:
    """Text of the schema as it ships with the package.

    Examples
    --------
    >>> schema_text()[:30].split()[:2]
    ['{', '"$schema":']
    """
    return (resources.files("odforecast.scenario") / FILE).read_text(encoding="utf-8")


def as_text(schema: Schema) -> str:
    """A schema as text, as it is kept."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _scenario() -> Schema:
    some = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/intervention"}}
    forms: dict[str, Schema] = {
        "scenario-name": _any(
            {"type": "string", "pattern": _NAME, "maxLength": limits.MAX_NAME}, {"type": "null"}
        ),
        "version": {"type": "integer", "minimum": 1},
        "interventions": _any(some, {"enum": ["none", []]}),
        "text": _text(),
    }
    null = {"properties": {"name": {"enum": ["null", None]}}}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {
            key: {"description": spec.says, **forms[spec.form]} for key, spec in SCENARIO.items()
        },
        # The status quo has a name of its own; whatever else assumes nothing says so.
        "if": null,
        "then": {"properties": {"interventions": {"enum": ["none", []]}}},
        "else": {
            "required": ["interventions"],
            "properties": {"interventions": {"not": {"const": []}}},
        },
    }


def _intervention() -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": _properties(INTERVENTION),
        "anyOf": [
            {"required": ["prior"]},
            {"required": ["name"], "anyOf": [{"required": [key]} for key in SIZES]},
        ],
        "not": _any(
            *({"required": [a, b]} for i, a in enumerate(SIZES) for b in SIZES[i + 1 :]),
            {
                # Deaths of a class are the exposure already.
                "required": ["scope", "exposure"],
                "properties": {
                    "scope": {"not": {"const": limits.ALL}},
                    "exposure": {"type": "string", "pattern": "^fentanyl-share"},
                },
            },
        ),
    }


def _rebound() -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": _properties(REBOUND),
        "anyOf": [{"required": ["fraction"]}, {"required": ["prior"]}],
    }


def _properties(keys: Mapping[str, Key]) -> Schema:
    return {key: {"description": x.says, **_form(key, x.form)} for key, x in keys.items()}


def _form(key: str, form: str) -> Schema:
    """What may stand at a key."""
    if form == "choice":
        return {"type": "string", "enum": list(limits.CHOICES[key])}
    if form in ("share", "log-sd", "months", "months-or-none"):
        return _prior(form, *limits.RANGES[key])
    return _FORMS[form]()


def _prior(form: str, low: float, high: float) -> Schema:
    number = {"type": "number", "minimum": low, "maximum": high}
    if form == "share":
        return _any(number, _PERCENT_TEXT, {"$ref": "#/$defs/distribution-or-percents"})
    if form == "months-or-none":
        number = {"type": "number", "exclusiveMinimum": low, "maximum": high}
        return _any(number, {"$ref": "#/$defs/distribution"}, _NONE)
    return _any(number, {"$ref": "#/$defs/distribution"})


def _log_ratio() -> Schema:
    most = limits.LARGEST_SIZE
    number = {"type": "number", "minimum": -most, "maximum": most}
    return _any(number, {"$ref": "#/$defs/distribution"})


def _percent_number() -> Sequence[Schema]:
    """Percents; what lies between −1 and 1 looks like a fraction, and needs its sign."""
    return (
        {"type": "number", "exclusiveMinimum": -100, "maximum": -1},
        {"const": 0},
        {"type": "number", "minimum": 1, "maximum": LARGEST},
        _PERCENT_TEXT,
    )


def _percent() -> Schema:
    return _any(*_percent_number(), {"$ref": "#/$defs/distribution-or-percents"})


def _dose() -> Schema:
    elasticity = _any(
        {"type": "number", "minimum": 0, "maximum": 5}, {"$ref": "#/$defs/distribution"}
    )
    return _exactly({"change": _any(*_percent_number()), "elasticity": elasticity})


def _exposure() -> Schema:
    felt = _any({"type": "number", "minimum": 0, "maximum": limits.MOST_EXPOSED}, _PERCENT_TEXT)
    table = {"type": "object", "minProperties": 1, "additionalProperties": felt}
    return _any(*felt["anyOf"], {"enum": list(limits.NAMED_EXPOSURES)}, table)


def _onset() -> Schema:
    month = {"$ref": "#/$defs/month"}
    pair = {"type": "array", "items": month, "minItems": 2, "maxItems": 2}
    return _any(month, _exactly({"between": pair}))


def _name() -> Schema:
    return {
        "type": "string",
        "pattern": r"^[^\s$/\\]([^$/\\]*[^\s$/\\])?$",
        "maxLength": limits.MAX_NAME,
    }


def _text() -> Schema:
    return {"type": "string", "maxLength": MAX_TEXT}


def _distribution(number: Schema) -> Schema:
    kinds = []
    for kind, keys in PARAMETERS.items():
        each = [{**number, "exclusiveMinimum": 0} if key in _POSITIVE else number for key in keys]
        listed = {"type": "array", "prefixItems": each, "minItems": len(keys),
                  "maxItems": len(keys)}  # fmt: skip
        ways = [listed, _exactly(dict(zip(keys, each)))]
        kinds.append(_exactly({kind: _any(*ways, *(each if len(keys) == 1 else ()))}))
    said = {
        "type": "object",
        "minProperties": 2,
        "propertyNames": {"pattern": r"^\s*([0-9.]+\s*%|0?\.[0-9]+)\s*$"},
        "additionalProperties": number,
    }
    return _any(*kinds, _exactly({"quantiles": said}))


def _exactly(properties: Schema) -> Schema:
    """An object of just these keys."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _any(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


_FORMS: dict[str, Callable[[], Schema]] = {
    "prior-name": lambda: {"type": "string", "enum": list(prior_names())},
    "name": _name,
    "onset": _onset,
    "chance": lambda: _any({"type": "number", "minimum": 0, "maximum": 1}, _PERCENT_TEXT),
    "log-ratio": _log_ratio,
    "percent": _percent,
    "dose": _dose,
    "rebound": lambda: _any({"$ref": "#/$defs/rebound"}, _NONE),
    "exposure": _exposure,
    "text": _text,
    "references": lambda: {"type": "array", "items": {"type": "string", "minLength": 1}},
}

if __name__ == "__main__":
    # python -m odforecast.scenario.json_schema > src/odforecast/scenario/scenario.schema.json
    print(as_text(json_schema()), end="")
