"""Scenario files: YAML and TOML, checked key by key.

A mistake gives one line that names the file, the scenario, the key, what it is and what is
allowed. A file holds one scenario, or several under ``scenarios``.
"""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odforecast.errors import OdforecastError, ScenarioError
from odforecast.scenario.catalogue import prior_table
from odforecast.scenario.intervention import Intervention, Rebound
from odforecast.scenario.loading import check_suffix, load, read_text
from odforecast.scenario.priors import Prior, parse_prior
from odforecast.scenario.scenario import NULL, Scenario
from odforecast.scenario.wording import shown
from odforecast.sources.quoting import plain

SCENARIO_KEYS = ("name", "version", "title", "question", "interventions")
INTERVENTION_KEYS = (
    "prior", "name", "onset", "probability", "size", "p_null", "lag", "ramp", "plateau",
    "half_life", "rebound", "exposure", "spread", "share", "source", "grade", "note",
)  # fmt: skip
REBOUND_KEYS = ("prior", "size", "p_null", "after", "ramp", "half_life")

#: Most characters of a name, which becomes part of file names.
MAX_NAME = 100

_MONTHS = ("lag", "ramp", "plateau", "half_life", "after")


def read_scenarios(path: str | Path) -> tuple[Scenario, ...]:
    """Scenarios of a ``.yaml``, ``.yml`` or ``.toml`` file.

    Raises
    ------
    ScenarioError
        One line that names the file and the key.
    """
    path = Path(path)
    text = read_text(path)
    try:
        return parse_scenarios(text, path.suffix)
    except OdforecastError as error:
        raise ScenarioError(f"{path}: {error.message}", hint=error.hint) from error


def parse_scenarios(text: str, suffix: str = ".yaml") -> tuple[Scenario, ...]:
    """Scenarios from text.

    Parameters
    ----------
    text : str
        YAML or TOML.
    suffix : {".yaml", ".yml", ".toml"}
        Which.

    Examples
    --------
    >>> parse_scenarios("name: x\\ninterventions: [{prior: tariff-only, onset: 2026-03, spred: 1}]")
    Traceback (most recent call last):
    odforecast.errors.ScenarioError: x, intervention 1: unknown key 'spred', did you mean
    'spread'?; allowed: prior, name, onset, ...
    """
    loaded = load(text, suffix)
    if not isinstance(loaded, Mapping):
        raise ScenarioError(
            "a scenario file is a table of keys", hint=f"allowed: {', '.join(SCENARIO_KEYS)}"
        )
    if "scenarios" not in loaded:
        return (scenario_from_dict(loaded),)
    check_keys(loaded, ("scenarios",), "a file of several scenarios")
    items = loaded["scenarios"]
    if not isinstance(items, list) or not items:
        raise ScenarioError("scenarios is not a list, allowed: one or more scenarios")
    found = tuple(scenario_from_dict(x) for x in items)
    names = [s.name for s in found]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ScenarioError(f"name {shown(twice[0])} is given twice, allowed: distinct names")
    return found


def dump_scenarios(scenarios: Scenario | Sequence[Scenario], suffix: str = ".yaml") -> str:
    """Text of a scenario file; :func:`parse_scenarios` gives equal scenarios back."""
    if isinstance(scenarios, Scenario):
        plain: dict[str, Any] = scenarios.to_dict()
    else:
        plain = {"scenarios": [s.to_dict() for s in scenarios]}
    if suffix == ".toml":
        import tomli_w

        return tomli_w.dumps(plain)
    import yaml

    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=96))


def write_scenarios(path: str | Path, scenarios: Scenario | Sequence[Scenario]) -> Path:
    """Write a scenario file; the suffix decides between YAML and TOML."""
    path = Path(path)
    check_suffix(path.suffix)
    path.write_text(dump_scenarios(scenarios, path.suffix), encoding="utf-8")
    return path


def scenario_from_dict(plain: object) -> Scenario:
    """A scenario from its plain form.

    Raises
    ------
    ScenarioError
        One line that names the key and what is allowed.
    """
    if not isinstance(plain, Mapping):
        raise ScenarioError(f"a scenario is a table of keys, got {shown(plain)}")
    check_keys(plain, SCENARIO_KEYS, _label(plain.get("name", "scenario")))
    if "name" not in plain:
        raise ScenarioError("key 'name' is missing, allowed: a name such as cooperation-2026")
    # An unquoted null in YAML is no text, but what it means is plain.
    name = NULL.name if plain["name"] is None else _name(plain, "scenario")
    version = plain.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int):
        raise ScenarioError(f"{name}: version is {shown(version)}, allowed: a whole number from 1")
    items = plain.get("interventions", [])
    if not isinstance(items, list):
        raise ScenarioError(f"{name}: interventions is {shown(items)}, allowed: a list")
    parts = tuple(
        intervention_from_dict(x, f"{name}, intervention {i}") for i, x in enumerate(items, 1)
    )
    return Scenario(
        name,
        parts,
        version=version,
        title=_text(plain, "title", name),
        question=_text(plain, "question", name),
    )


def intervention_from_dict(plain: object, where: str) -> Intervention:
    """An intervention from its plain form; ``prior`` fills in what is not given.

    Raises
    ------
    ScenarioError
        One line that names the key and what is allowed.
    """
    if not isinstance(plain, Mapping):
        raise ScenarioError(f"{where}: an intervention is a table of keys, got {shown(plain)}")
    check_keys(plain, INTERVENTION_KEYS, where)
    merged = dict(plain)
    if "prior" in merged:
        base = prior_table(_text(merged, "prior", where), where)
        merged = {**base, **{k: v for k, v in merged.items() if k != "prior"}}
    for key in ("name", "onset", "size"):
        if key not in merged:
            raise ScenarioError(
                f"{where}: key {key!r} is missing", hint="give it, or name a prior with prior ="
            )
    numbers: dict[str, Any] = {}
    for key, top in (("probability", 1.0), ("p_null", 1.0), ("spread", 2.0)):
        if key in merged:
            numbers[key] = _number(merged[key], f"{where}: {key}", 0.0, top)
    priors: dict[str, Any] = {"size": parse_prior(merged["size"], f"{where}: size", -5.0, 5.0)}
    for key in ("lag", "ramp", "plateau", "share"):
        if key in merged:
            priors[key] = parse_prior(merged[key], f"{where}: {key}", 0.0)
    priors["half_life"] = _half_life(merged, where)
    if "rebound" in merged:
        priors["rebound"] = _rebound(merged["rebound"], f"{where}: rebound")
    if "exposure" in merged:
        priors["exposure"] = _exposure(merged["exposure"], where)
    words: dict[str, Any] = {
        key: _text(merged, key, where) for key in ("source", "grade", "note") if key in merged
    }
    name, onset = _name(merged, where), _onset(merged["onset"], where)
    try:
        return Intervention(
            name=name,
            onset=onset,
            **numbers,
            **priors,
            **words,
        )
    except OdforecastError as error:
        raise ScenarioError(f"{where}: {error.message}", hint=error.hint) from error


def check_keys(plain: Mapping[Any, Any], allowed: Sequence[str], where: str) -> None:
    """Refuse keys nobody knows, with the nearest known one.

    Raises
    ------
    ScenarioError
        If a key is unknown.
    """
    for key in plain:
        if key not in allowed:
            near = difflib.get_close_matches(str(key)[:40], allowed, 1)
            tail = f", did you mean {near[0]!r}?" if near else ""
            raise ScenarioError(
                f"{where}: unknown key {shown(key)}{tail}", hint=f"allowed: {', '.join(allowed)}"
            )


def _half_life(plain: Mapping[str, Any], where: str) -> Prior | None:
    value = plain.get("half_life", "none")
    if value is None or value == "none":
        return None
    prior = parse_prior(value, f"{where}: half_life", 0.0)
    if prior.mean <= 0:
        raise ScenarioError(f"{where}: half_life is {prior}, allowed: above 0, or none")
    return prior


def _rebound(plain: object, where: str) -> Rebound | None:
    if plain is None or plain == "none":
        return None
    if not isinstance(plain, Mapping):
        raise ScenarioError(f"{where} is {shown(plain)}, allowed: a table of keys, or none")
    check_keys(plain, REBOUND_KEYS, where)
    merged = dict(plain)
    if "prior" in merged:
        base = prior_table(_text(merged, "prior", where), where)
        del merged["prior"]
        merged = {**{k: v for k, v in base.items() if k in REBOUND_KEYS}, **merged}
        merged.setdefault("after", base["lag"])
    if "size" not in merged:
        raise ScenarioError(f"{where}: key 'size' is missing")
    months = {
        key: parse_prior(merged[key], f"{where}.{key}", 0.0)
        for key in ("after", "ramp")
        if key in merged
    }
    return Rebound(
        size=parse_prior(merged["size"], f"{where}.size", -5.0, 5.0),
        p_null=_number(merged.get("p_null", 0.0), f"{where}.p_null", 0.0, 1.0),
        half_life=_half_life(merged, where),
        **months,
    )


def _exposure(value: object, where: str) -> float | str | dict[str, float]:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {
            str(k): _number(v, f"{where}: exposure.{_label(k)}", 0.0, 5.0) for k, v in value.items()
        }
    return _number(value, f"{where}: exposure", 0.0, 5.0)


def _onset(value: object, where: str) -> tuple[str, str]:
    pair: Any = [value, value]
    if isinstance(value, Mapping):
        check_keys(value, ("between",), f"{where}: onset")
        pair = value.get("between")
        if not isinstance(pair, list) or len(pair) != 2:
            raise ScenarioError(f"{where}: onset.between is {shown(pair)}, allowed: two months")
    months = []
    for item in pair:
        # A day is taken as its month: the counts know nothing finer.
        text = item.isoformat() if isinstance(item, dt.date) else str(item)
        if not _is_month(text):
            raise ScenarioError(
                f"{where}: onset is {shown(item)}, allowed: a month such as 2026-03, or "
                "{between: [2026-01, 2026-06]}"
            )
        months.append(text[:7])
    return months[0], months[1]


def _is_month(text: str) -> bool:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?", text) is None:
        return False
    try:
        dt.date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError:
        return False
    return True


def _number(value: object, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ScenarioError(
            f"{where} is {shown(value)}, allowed: a number from {low:g} to {high:g}"
        )
    if not low <= value <= high:
        raise ScenarioError(f"{where} is {value:g}, allowed: {low:g} to {high:g}")
    return float(value)


def _text(plain: Mapping[str, Any], key: str, where: str) -> str:
    value = plain.get(key, "")
    if not isinstance(value, str):
        raise ScenarioError(f"{where}: {key} is {shown(value)}, allowed: text")
    return value


def _name(plain: Mapping[str, Any], where: str) -> str:
    """A name: it stands in every table and message, and in the names of files."""
    name = _text(plain, "name", where)
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise ScenarioError(
            f"{where}: name is {shown(name)}, allowed: 1 to {MAX_NAME} printable characters"
        )
    return name


def _label(value: object) -> str:
    """A name that nobody has checked yet, for a message."""
    return plain(value, 40)


def named_intervention(name: str, onset: object, **changes: object) -> Intervention:
    """A named prior of the evidence library as an intervention.

    Parameters
    ----------
    name : str
        For example ``"cooperation-resumed"``; see :func:`odforecast.scenario.prior_names`.
    onset : month, or mapping
        ``"2026-03"`` or ``{"between": ["2026-01", "2026-06"]}``.
    **changes
        Any other key of a scenario file: ``probability=0.5``, ``exposure={"OH": 1.0}``.

    Examples
    --------
    >>> named_intervention("cooperation-resumed", onset="2026-03").prior.p_null
    0.4
    """
    return intervention_from_dict({"prior": name, "onset": onset, **changes}, name)


@dataclass(frozen=True)
class OpenScenario:
    """A named scenario whose onset is fixed when it is projected: the month after the as-of date.

    Attributes
    ----------
    name : str
    changes : tuple of (str, object)
    """

    name: str
    changes: tuple[tuple[str, object], ...] = ()

    def at(self, onset: object) -> Scenario:
        """The scenario with this onset."""
        made = named_intervention(self.name, onset=onset, **dict(self.changes))
        return Scenario(self.name, (made,))


def named(name: str, onset: object | None = None, **changes: object) -> Scenario | OpenScenario:
    """A named prior of the evidence library as a scenario of that name.

    Parameters
    ----------
    name : str
        For example ``"supply-shock-2023-like"``; see :func:`odforecast.scenario.prior_names`.
    onset : month, optional
        ``"2026-03"``. Default: the month after the as-of date of the forecast it is projected on.
    **changes
        Any other key of a scenario file: ``probability=0.5``.

    Examples
    --------
    >>> named("supply-shock-2023-like", onset="2026-01").name
    'supply-shock-2023-like'
    """
    prior_table(name)  # an unknown name is refused here, not when it is projected
    found = OpenScenario(name, tuple(sorted(changes.items())))
    return found if onset is None else found.at(onset)
