"""Scenario files: YAML and TOML, checked key by key.

A mistake gives one line that names the file, the scenario, the key, what it is and what is
allowed. A file holds one scenario, or several under ``scenarios``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from odforecast.errors import OdforecastError, ScenarioError
from odforecast.say import plain as plain_text
from odforecast.scenario.entries import check_keys, intervention_from_dict, text
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.keys import SCENARIO_KEYS
from odforecast.scenario.limits import check_name
from odforecast.scenario.loading import check_suffix, load, read_text
from odforecast.scenario.scenario import NULL, Scenario
from odforecast.scenario.wording import shown

#: What a file says in place of interventions where nothing is assumed.
NOTHING = "none"


def read_scenarios(path: str | Path) -> tuple[Scenario, ...]:
    """Scenarios of a ``.yaml``, ``.yml`` or ``.toml`` file.

    Raises
    ------
    ScenarioError
        One line that names the file and the key.
    """
    path = Path(path)
    words = read_text(path)
    try:
        return parse_scenarios(words, path.suffix)
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
    >>> from odforecast.scenario import parse_scenarios
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
        return (_stated(loaded),)
    check_keys(loaded, ("scenarios",), "a file of several scenarios")
    items = loaded["scenarios"]
    if not isinstance(items, list) or not items:
        raise ScenarioError(f"scenarios is {shown(items)}, allowed: a list of one or more")
    found = tuple(map(_stated, items))
    names = [s.name for s in found]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ScenarioError(f"name {shown(twice[0])} is given twice, allowed: distinct names")
    return found


def dump_scenarios(scenarios: Scenario | Sequence[Scenario], suffix: str = ".yaml") -> str:
    """Text of a scenario file; :func:`parse_scenarios` gives equal scenarios back.

    Parameters
    ----------
    scenarios : Scenario or sequence of Scenario
        One, or several for one file.
    suffix : {".yaml", ".yml", ".toml"}
        Which.

    Examples
    --------
    >>> import odforecast as od
    >>> print(od.scenario.dump_scenarios(od.scenario.NULL))
    name: 'null'
    version: 1
    title: Status quo
    interventions: none
    <BLANKLINE>
    """
    check_suffix(suffix)
    plain: dict[str, Any]
    if isinstance(scenarios, Scenario):
        plain = _written(scenarios)
    else:
        plain = {"scenarios": list(map(_written, scenarios))}
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
    check_keys(plain, SCENARIO_KEYS, plain_text(plain.get("name", "scenario"), 40))
    if "name" not in plain:
        raise ScenarioError("key 'name' is missing, allowed: a name such as cooperation-2026")
    # An unquoted null in YAML is no text, but what it means is plain.
    name = NULL.name if plain["name"] is None else text(plain, "name", "scenario")
    check_name(name, "scenario")
    version = plain.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int):
        raise ScenarioError(f"{name}: version is {shown(version)}, allowed: a whole number from 1")
    items = plain.get("interventions", [])
    if items == NOTHING:
        items = []
    if not isinstance(items, list):
        raise ScenarioError(f"{name}: interventions is {shown(items)}, allowed: a list, or none")
    parts = tuple(
        intervention_from_dict(x, f"{name}, intervention {i}") for i, x in enumerate(items, 1)
    )
    return Scenario(
        name,
        parts,
        version=version,
        title=text(plain, "title", name),
        question=text(plain, "question", name),
    )


def _stated(plain: object) -> Scenario:
    """A scenario of a file, which says so where it assumes nothing."""
    found = scenario_from_dict(plain)
    if isinstance(plain, Mapping) and found.is_null and found.name != NULL.name:
        if "interventions" not in plain:
            raise ScenarioError(
                f"{found.name}: key 'interventions' is missing, allowed: a list, or none for the "
                "status quo"
            )
        if plain["interventions"] == []:
            raise ScenarioError(
                f"{found.name}: interventions is [], allowed: one or more, or none for the status "
                "quo"
            )
    return found


def _written(scenario: Scenario) -> dict[str, Any]:
    plain = scenario.to_dict()
    return plain if scenario.interventions else {**plain, "interventions": NOTHING}


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
    >>> import odforecast as od
    >>> od.scenario.named_intervention("cooperation-resumed", onset="2026-03").prior.p_null
    0.4
    """
    return intervention_from_dict({"prior": name, "onset": onset, **changes}, name)


def named(name: str, onset: object | None = None, **changes: object) -> Scenario:
    """A named prior of the evidence library as a scenario of that name.

    Parameters
    ----------
    name : str
        For example ``"supply-shock-2023-like"``; see :func:`odforecast.scenario.prior_names`.
    onset : month, optional
        ``"2026-03"``. Default: open, and the month after the as-of date where it is projected.
    **changes
        Any other key of a scenario file: ``probability=0.5``.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.named("supply-shock-2023-like", onset="2026-01").name
    'supply-shock-2023-like'
    >>> od.scenario.named("supply-shock-2023-like").is_open
    True
    """
    given = changes if onset is None else {"onset": onset, **changes}
    return Scenario(name, (intervention_from_dict({"prior": name, **given}, name),))
