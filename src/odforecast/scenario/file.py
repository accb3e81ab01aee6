"""Scenario files: YAML and TOML, checked key by key.

A file holds one scenario, several under ``scenarios``, or two interventions under ``factors``:
neither, each alone, and both. It is data of strangers: it may not
repeat itself into a billion values, ask for an object, nest without end, or name a key twice;
``yes`` is a word. A mistake gives one line that names the file, the scenario, the key, what it is
and what is allowed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from odforecast.errors import ScenarioError
from odforecast.say import of_path, plain
from odforecast.scenario.distributions import Fixed, Judgements
from odforecast.scenario.grammar import GONE, NOTHING, OLD_LAGS, SIZES
from odforecast.scenario.intervention import (
    ASKED,
    NULL,
    OPEN,
    READERS,
    Intervention,
    Scenario,
    named_keys,
)
from odforecast.scenario.values import (
    Mistakes,
    check_keys,
    located,
    read_share,
    refusal,
    show,
)

#: Most bytes of a scenario file.
MAX_BYTES = 200_000
#: Most characters of a parser's message that ours repeats.
MAX_MESSAGE = 200


def read_scenarios(path: str | Path) -> tuple[Scenario, ...]:
    """Scenarios of a ``.yaml``, ``.yml`` or ``.toml`` file.

    Raises
    ------
    ScenarioError
        One line that names the file and the key.
    """
    path = Path(path)
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise ScenarioError(f"cannot read {of_path(path)}: {reason}") from error
    with located(f"{path}: "):
        if len(data) > MAX_BYTES:
            raise ScenarioError(f"more than {MAX_BYTES:,} bytes, as no scenario has")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            hint = "save the file as UTF-8"
            raise ScenarioError(
                f"byte {error.start} is not UTF-8", hint=hint
            ) from error
        return parse_scenarios(text, path.suffix.lower())


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
    try:
        loaded = load(text, suffix)
        if not isinstance(loaded, Mapping):
            hint = f"allowed: {', '.join(READERS['Scenario'])}"
            raise ScenarioError("a scenario file is a table of keys", hint=hint)
        if "scenarios" not in loaded and "factors" not in loaded:
            return (_read_scenario(loaded),)
        key = "scenarios" if "scenarios" in loaded else "factors"
        with located(f"a file of {key}: "):
            check_keys(loaded, (key,))
        items = loaded[key]
        if key == "factors":
            return _design(items)
        if not isinstance(items, list) or not items:
            raise refusal("scenarios", items, allowed="a list of one or more")
        return _distinct(_read_all(items, _read_scenario))
    except RecursionError as error:
        raise ScenarioError("nested deeper than any scenario is") from error


def _design(items: object) -> tuple[Scenario, ...]:
    """The scenarios of two factors: neither, each alone, and both."""
    if not isinstance(items, list) or len(items) != 2:
        raise refusal("factors", items, allowed="a list of two interventions")
    first, second = _read_interventions(items, "factor")
    words = [factor.name.replace("-", " ") for factor in (first, second)]
    return (
        Scenario("a-neither", title="A: neither"),
        Scenario(f"b-{first.name}", (first,), title=f"B: {words[0]} alone"),
        Scenario(f"c-{second.name}", (second,), title=f"C: {words[1]} alone"),
        Scenario("d-both", (first, second), title="D: both"),
    )


def _read_all[T](items: Iterable[object], read: Callable[[Any], T]) -> tuple[T, ...]:
    """Every item as it is read; the mistakes of all of them are raised together."""
    mistakes = Mistakes()
    values = []
    for item in items:
        with mistakes:
            values.append(read(item))
    mistakes.raise_all()
    return tuple(values)


def _distinct(scenarios: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
    """The scenarios of one file, no two of one name."""
    names = [scenario.name for scenario in scenarios]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ScenarioError(
            f"name {show(doubled[0])} is given twice, allowed: distinct names"
        )
    return scenarios


def dump_scenarios(
    scenarios: Scenario | Sequence[Scenario], suffix: str = ".yaml"
) -> str:
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
    _check_suffix(suffix)
    several = [scenarios] if isinstance(scenarios, Scenario) else scenarios
    is_list = isinstance(several, Sequence) and len(several) > 0
    if not is_list or not all(isinstance(item, Scenario) for item in several):
        raise refusal(
            "scenarios", scenarios, allowed="a Scenario, or a list of one or more"
        )
    tables = [scenario.to_dict() for scenario in _distinct(tuple(several))]
    for table in tables:
        table["interventions"] = table["interventions"] or NOTHING
    contents = tables[0] if isinstance(scenarios, Scenario) else {"scenarios": tables}
    if suffix == ".toml":
        import tomli_w

        return tomli_w.dumps(contents)
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what either YAML takes for another value than a text, such as 1e5."""

    _add_numbers(Dumper)
    text = yaml.dump(
        contents, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=96
    )
    return str(text)


def write_scenarios(path: str | Path, scenarios: Scenario | Sequence[Scenario]) -> Path:
    """Write a scenario file; the suffix decides between YAML and TOML."""
    path = Path(path)
    _check_suffix(path.suffix)
    text = dump_scenarios(scenarios, path.suffix)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScenarioError(
            f"cannot write {of_path(path)}: {error.strerror}"
        ) from error
    return path


def named_intervention(name: str, onset: object, **changes: object) -> Intervention:
    """A named prior of the evidence library as an intervention.

    Parameters
    ----------
    name : str
        For example ``"cooperation-resumed"``; see :func:`odforecast.scenario.prior_names`.
    onset : month, or mapping
        ``"2026-03"`` or ``{"between": ["2026-01", "2026-06"]}``.
    **changes
        Any other key of a scenario file: ``p_null=0.5``, ``exposure={"OH": 1.0}``.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.named_intervention("cooperation-resumed", onset="2026-03").p_null
    0.4
    """
    return _read_intervention({"prior": name, "onset": onset, **changes}, name)


def named(name: str, onset: object | None = None, **changes: object) -> Scenario:
    """A named prior of the evidence library as a scenario of that name.

    Parameters
    ----------
    name : str
        For example ``"supply-shock-2023-like"``; see :func:`odforecast.scenario.prior_names`.
    onset : month, optional
        ``"2026-03"``. Default: open, and the month after the as-of date where it is projected.
    **changes
        Any other key of a scenario file: ``p_null=0.5``.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.named("supply-shock-2023-like", onset="2026-01").name
    'supply-shock-2023-like'
    >>> od.scenario.named("supply-shock-2023-like").is_open
    True
    """
    table = {"prior": name, **changes}
    if onset is not None:
        table["onset"] = onset
    return Scenario(name, (_read_intervention(table, name),))


def _read_scenario(table: object) -> Scenario:
    """A scenario from its plain form, which says so where it assumes nothing."""
    if not isinstance(table, Mapping):
        raise ScenarioError(f"a scenario is a table of keys, got {show(table)}")
    readers = READERS["Scenario"]
    with located(f"{plain(table.get('name', 'scenario'), 40)}: "):
        check_keys(table, readers)
    if "name" not in table:
        raise ScenarioError(
            "key 'name' is missing, allowed: a name such as cooperation-2026"
        )
    # An unquoted null in YAML is not text, but its meaning is plain.
    name = (
        NULL.name if table["name"] is None else readers["name"](table["name"], "name")
    )
    is_null = name == NULL.name
    items = table.get("interventions", NOTHING if is_null else None)
    if items == NOTHING or (is_null and items == []):
        items = []
    elif not isinstance(items, list) or not items:
        allowed = "a list, or none for the status quo"
        raise refusal(f"{name}: interventions", items, allowed=allowed)

    interventions = _read_interventions(items, f"{name}, intervention")
    return Scenario(**{**table, "name": name, "interventions": interventions})


def _read_interventions(
    items: Iterable[object], prefix: str
) -> tuple[Intervention, ...]:
    """Interventions, numbered in the mistakes of all."""
    return _read_all(
        enumerate(items, 1),
        lambda numbered: _read_intervention(numbered[1], f"{prefix} {numbered[0]}"),
    )


def _read_intervention(table: object, prefix: str) -> Intervention:
    """An intervention from its plain form; ``prior`` fills in what is not given."""
    if not isinstance(table, Mapping):
        raise ScenarioError(
            f"{prefix}: an intervention is a table of keys, got {show(table)}"
        )
    with located(f"{prefix}: "):
        return _from_keys(_with_prior(table))


def _with_prior(table: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a file, and those of the named prior for the rest."""
    keys = {key: value for key, value in table.items() if key not in GONE}
    check_keys(keys, READERS["Intervention"])
    if "prior" in keys:
        prior = named_keys(keys.pop("prior"))
        if any(key in keys for key in SIZES):
            prior = {key: value for key, value in prior.items() if key not in SIZES}
        if "p_null" in keys:  # then the chances are no longer the library's
            is_judged = isinstance(keys["p_null"], Mapping | Judgements)
            prior["belief"] = "" if is_judged else ASKED
        keys = prior | keys
    _refuse_gone(table, keys.get("p_null", 0.0))
    return keys


def _from_keys(keys: dict[str, Any]) -> Intervention:
    """An intervention from the keys of a file."""
    if "name" not in keys:
        raise ScenarioError(
            "key 'name' is missing", hint="give it, or name a prior with prior ="
        )
    sizes = [key for key in SIZES if key in keys]
    if len(sizes) > 1:
        raise ScenarioError(f"{' and '.join(sizes)} are given, allowed: one of them")
    if not sizes:
        raise ScenarioError(
            "key 'size' is missing",
            hint="give size, percent or dose, or name a prior with prior =",
        )
    mistakes = Mistakes()
    for key in (*OPEN, *sizes):  # a file leaves nothing open
        if key in keys:
            value = keys.pop(key)
            with mistakes:
                keys[key] = READERS["Intervention"][key](value, key)
    keys["size"] = keys.pop(sizes[0], Fixed(0))
    with mistakes, located("", f"{keys['name']}: "):
        fields_given = {
            f.name: keys[f.name] for f in fields(Intervention) if f.name in keys
        }
        intervention = Intervention(**fields_given)
    mistakes.raise_all()
    return intervention


def _refuse_gone(table: Mapping[str, Any], p_null: object) -> None:
    """Keys of earlier files, which may only say what holds without them."""
    chance = read_share(table.get("probability", 1))
    if chance != 1:
        hint = "add the rest to p_null, the probability of no effect"
        no_effect = read_share(p_null)
        if chance is not None and no_effect is not None and 0 <= chance <= 1:
            total = 1 - chance * (1 - no_effect)
            hint = f"write p_null: {total:.6g}, the probability of no effect"
        raise ScenarioError(
            f"key 'probability' is {show(table['probability'])}, and is no longer taken",
            hint=f"leave it out, and {hint}",
        )
    spread = table.get("lag_spread", 0)
    if spread not in OLD_LAGS or isinstance(spread, bool):
        raise ScenarioError(
            f"key 'lag_spread' is {show(spread)}, and is no longer taken",
            hint="leave it out: all census regions have the nation's lag, whose prior may be wider",
        )


def load(text: str, suffix: str) -> object:
    """Plain values of YAML or TOML text."""
    _check_suffix(suffix)
    return _toml(text) if suffix == ".toml" else _yaml(text)


def _toml(text: str) -> object:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and integers of 5,000 digits
        message = " ".join(str(error).split())
        is_doubled = re.match("Cannot (overwrite|declare|mutate)", message)
        hint = "write each key once" if is_doubled else None
        raise ScenarioError(
            f"not TOML: {plain(message, MAX_MESSAGE)}", hint=hint
        ) from error


def _yaml(text: str) -> object:
    from odforecast.sources.yaml import BadYamlError
    from odforecast.sources.yaml import load as load_yaml

    try:
        return load_yaml(text, _loader())
    except BadYamlError as error:
        raise ScenarioError(str(error)) from error


@cache
def _loader() -> Any:
    """A reader of words as YAML 1.2 and TOML do."""
    from odforecast.sources.yaml import Loader

    # 1:30 is ninety, 0777 is 511 and yes is true in YAML 1.1 alone: here they stay words, and so
    # do dates and numbers too long to be one.
    kinds = ("int", "float", "bool", "timestamp")

    class Words(Loader):
        """Reads numbers and truths of YAML 1.2."""

        yaml_implicit_resolvers = {  # noqa: RUF012
            first: [
                (tag, rule)
                for tag, rule in rules
                if tag.rpartition(":")[2] not in kinds
            ]
            for first, rules in Loader.yaml_implicit_resolvers.items()
        }

    _add_numbers(Words)
    return Words


def _add_numbers(reader: Any) -> None:
    """Numbers and truths of YAML 1.2."""
    numbers = (
        r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    )
    rules = (
        ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
        ("int", "[-+]?(0|[1-9][0-9]{0,40})", "-+0123456789"),
        ("float", numbers, "-+0123456789."),
    )
    for kind, rule, first in rules:
        tag = f"tag:yaml.org,2002:{kind}"
        reader.add_implicit_resolver(tag, re.compile(f"(?:{rule})$"), first)


def _check_suffix(suffix: str) -> None:
    """Refuse a file of another kind."""
    if suffix not in (".yaml", ".yml", ".toml"):
        raise refusal("file type", suffix, allowed=".yaml, .yml or .toml")
