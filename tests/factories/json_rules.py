"""The rules of JSON Schema that the schema of scenario files uses, for the tests.

Small and plain; whatever rule it does not know it refuses, so none is passed over.
"""

from __future__ import annotations

import re
from typing import Any

_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "null": type(None),
    "boolean": bool,
}
_WORDS = {"$schema", "$defs", "title", "description"}


def fits(value: Any, rule: Any, root: dict[str, Any]) -> bool:
    """Whether a value follows a schema."""
    if isinstance(rule, bool):
        return rule
    for word in rule:
        if word in _WORDS or word in ("then", "else"):
            continue
        if word not in _RULES:
            raise ValueError(f"rule {word!r} is not known here")
        if not _RULES[word](value, rule, root):
            return False
    return True


def _type(value: Any, rule: Any, root: Any) -> bool:
    want = rule["type"]
    if want in ("number", "integer"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (want == "number" or float(value).is_integer())
    return isinstance(value, _TYPES[want])


def _number(test: Any) -> Any:
    def check(value: Any, rule: Any, root: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return True
        return bool(test(value, rule))

    return check


def _of(kind: type, test: Any) -> Any:
    return lambda value, rule, root: not isinstance(value, kind) or bool(test(value, rule, root))


def _same(a: Any, b: Any) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _if(value: Any, rule: Any, root: Any) -> bool:
    way = "then" if fits(value, rule["if"], root) else "else"
    return fits(value, rule.get(way, True), root)


def _ref(value: Any, rule: Any, root: Any) -> bool:
    target = root
    for step in rule["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return fits(value, target, root)


def _closed(value: Any, rule: Any, root: Any) -> bool:
    others = [v for k, v in value.items() if k not in rule.get("properties", {})]
    return all(fits(v, rule["additionalProperties"], root) for v in others)


_RULES = {
    "type": _type,
    "$ref": _ref,
    "if": _if,
    "enum": lambda v, r, _: any(_same(v, x) for x in r["enum"]),
    "const": lambda v, r, _: _same(v, r["const"]),
    "anyOf": lambda v, r, root: any(fits(v, x, root) for x in r["anyOf"]),
    "not": lambda v, r, root: not fits(v, r["not"], root),
    "minimum": _number(lambda v, r: v >= r["minimum"]),
    "maximum": _number(lambda v, r: v <= r["maximum"]),
    "exclusiveMinimum": _number(lambda v, r: v > r["exclusiveMinimum"]),
    "pattern": _of(str, lambda v, r, _: re.search(r["pattern"], v)),
    "minLength": _of(str, lambda v, r, _: len(v) >= r["minLength"]),
    "maxLength": _of(str, lambda v, r, _: len(v) <= r["maxLength"]),
    "minItems": _of(list, lambda v, r, _: len(v) >= r["minItems"]),
    "maxItems": _of(list, lambda v, r, _: len(v) <= r["maxItems"]),
    "items": _of(list, lambda v, r, root: all(
        fits(x, r["items"], root) for x in v[len(r.get("prefixItems", ())):])),
    "prefixItems": _of(list, lambda v, r, root: all(
        fits(x, s, root) for x, s in zip(v, r["prefixItems"]))),
    "required": _of(dict, lambda v, r, _: set(r["required"]) <= set(v)),
    "minProperties": _of(dict, lambda v, r, _: len(v) >= r["minProperties"]),
    "properties": _of(dict, lambda v, r, root: all(
        fits(v[k], s, root) for k, s in r["properties"].items() if k in v)),
    "additionalProperties": _of(dict, _closed),
    "propertyNames": _of(dict, lambda v, r, root: all(
        fits(k, r["propertyNames"], root) for k in v)),
}  # fmt: skip
