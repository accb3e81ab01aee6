"""One intervention of a scenario file, key by key."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from odforecast.errors import OdforecastError, ScenarioError
from odforecast.scenario import limits
from odforecast.scenario.catalogue import prior_names, prior_table
from odforecast.scenario.intervention import Intervention, Rebound
from odforecast.scenario.keys import INTERVENTION, INTERVENTION_KEYS, REBOUND, REBOUND_KEYS
from odforecast.scenario.priors import Prior
from odforecast.scenario.priors_file import SIZES, parse_prior, parse_size, share
from odforecast.scenario.wording import nearest, shown


def intervention_from_dict(plain: object, where: str) -> Intervention:
    """An intervention from its plain form; ``prior`` fills in what is not given.

    Parameters
    ----------
    plain : mapping
        Keys of :data:`odforecast.scenario.keys.INTERVENTION`.
    where : str
        What it is, for messages.

    Raises
    ------
    ScenarioError
        One line that names the key and what is allowed.

    Examples
    --------
    >>> cut = intervention_from_dict({"name": "cut", "onset": "2026-03", "percent": -30}, "x")
    >>> print(cut.size, cut.spread)
    -30 % 0
    """
    if not isinstance(plain, Mapping):
        raise ScenarioError(f"{where}: an intervention is a table of keys, got {shown(plain)}")
    check_keys(plain, INTERVENTION_KEYS, where)
    merged = _with_prior(plain, where)
    if "name" not in merged:
        raise ScenarioError(
            f"{where}: key 'name' is missing", hint="give it, or name a prior with prior ="
        )
    name = merged["name"]
    limits.check_name(name, where)
    given = _read(merged, INTERVENTION, where)
    try:
        return Intervention(name=name, size=parse_size(merged, where), **given)
    except OdforecastError as error:
        # The class names the intervention, the file says where it stands.
        said = error.message.removeprefix(f"{where}: ").removeprefix(f"{name}: ")
        raise ScenarioError(f"{where}: {said}", hint=error.hint) from error


def check_keys(plain: Mapping[Any, Any], allowed: Sequence[str], where: str) -> None:
    """Refuse keys nobody knows, with the nearest known one.

    Raises
    ------
    ScenarioError
        If a key is unknown.
    """
    for key in plain:
        if key not in allowed:
            raise ScenarioError(
                f"{where}: unknown key {shown(key)}{nearest(key, allowed)}",
                hint=f"allowed: {', '.join(allowed)}",
            )


def text(plain: Mapping[str, Any], key: str, where: str) -> str:
    """A text, empty where the key is not given.

    Raises
    ------
    ScenarioError
        If it is something else.
    """
    return _text(plain.get(key, ""), f"{where}: {key}")


def _with_prior(plain: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What is given, and what a named prior says of the rest."""
    given = {key: value for key, value in plain.items() if key != "prior"}
    if "prior" not in plain:
        return given
    base = _named(plain, where)
    if any(key in given for key in SIZES):
        base = {key: value for key, value in base.items() if key not in SIZES}
    return {**base, **given}


def _named(plain: Mapping[str, Any], where: str) -> dict[str, Any]:
    name = text(plain, "prior", where)
    if name not in prior_names():
        raise ScenarioError(
            f"{where}: unknown prior {shown(name)}{nearest(name, prior_names())}",
            hint=f"allowed: {', '.join(prior_names())}",
        )
    return prior_table(name, where)


def _read(plain: Mapping[str, Any], keys: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values of the keys that are given and stand for themselves."""
    return {
        key: _READERS[spec.form](plain[key], f"{where}: {key}", key)
        for key, spec in keys.items()
        if key in plain and spec.form in _READERS
    }


def _text(value: object, where: str, key: str = "") -> str:  # noqa: ARG001
    if not isinstance(value, str):
        raise ScenarioError(f"{where} is {shown(value)}, allowed: text")
    return value


def _chance(value: object, where: str, key: str) -> float:  # noqa: ARG001
    number = share(value)
    limits.chance(where, value if number is None else number)
    return float(number)  # type: ignore[arg-type]


def _prior(value: object, where: str, key: str) -> Prior:
    return parse_prior(value, where, *limits.RANGES[key])


def _prior_or_none(value: object, where: str, key: str) -> Prior | None:
    if value is None or value == "none":
        return None
    prior = _prior(value, where, key)
    if prior.mean <= 0:
        raise ScenarioError(f"{where} is {prior}, allowed: above 0, or none")
    return prior


def _rebound(value: object, where: str, key: str) -> Rebound | None:  # noqa: ARG001
    if value is None or value == "none":
        return None
    if isinstance(value, Rebound):
        return value
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where} is {shown(value)}, allowed: a table of keys, or none")
    check_keys(value, REBOUND_KEYS, where)
    merged = {key: item for key, item in value.items() if key != "prior"}
    if "prior" in value:
        base = _named(value, where)
        own = {key: item for key, item in base.items() if key in REBOUND_KEYS}
        if "lag" in base:
            own["after"] = base["lag"]
        merged = {**own, **merged}
    if "fraction" not in merged:
        raise ScenarioError(
            f"{where}: key 'fraction' is missing", hint="or write {prior: substitution-rebound}"
        )
    given = _read(merged, REBOUND, where)
    try:
        return Rebound(**given)
    except OdforecastError as error:
        raise ScenarioError(f"{where}: {error.message}", hint=error.hint) from error


def _exposure(value: object, where: str, key: str) -> Any:  # noqa: ARG001
    if isinstance(value, Mapping):
        # A percent is a number; what is none is refused with the rest.
        return {k: v if (number := share(v)) is None else number for k, v in value.items()}
    number = share(value)
    return value if number is None else number


def _references(value: object, where: str, key: str) -> tuple[str, ...]:  # noqa: ARG001
    if not isinstance(value, list | tuple) or not all(isinstance(x, str) and x for x in value):
        raise ScenarioError(f"{where} is {shown(value)}, allowed: a list of texts")
    return tuple(value)


def _onset(value: object, where: str, key: str) -> tuple[str, str]:  # noqa: ARG001
    pair: Any = [value, value]
    if isinstance(value, Mapping):
        check_keys(value, ("between",), where)
        pair = value.get("between")
        if not isinstance(pair, list) or len(pair) != 2:
            raise ScenarioError(f"{where}.between is {shown(pair)}, allowed: two months")
    months = []
    for item in pair:
        # A day is taken as its month: the counts know nothing finer.
        said = item.isoformat() if isinstance(item, dt.date) else str(item)
        if not _is_month(said):
            raise ScenarioError(
                f"{where} is {shown(item)}, allowed: a month such as 2026-03, or "
                "{between: [2026-01, 2026-06]}"
            )
        months.append(said[:7])
    return months[0], months[1]


def _is_month(said: str) -> bool:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?", said) is None:
        return False
    try:
        dt.date.fromisoformat(said if len(said) == 10 else f"{said}-01")
    except ValueError:
        return False
    return True


_READERS: dict[str, Callable[[object, str, str], Any]] = {
    "text": _text,
    "choice": _text,
    "chance": _chance,
    "months": _prior,
    "log-sd": _prior,
    "share": _prior,
    "months-or-none": _prior_or_none,
    "rebound": _rebound,
    "exposure": _exposure,
    "references": _references,
    "onset": _onset,
}
