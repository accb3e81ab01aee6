"""Scenario files: YAML and TOML, checked key by key.

A file holds one scenario, or several under ``scenarios``. It is data of strangers: it may not
repeat itself into a billion values, ask for an object, nest without end, or name a key twice;
``yes`` is a word. A mistake gives one line that names the file, the scenario, the key, what it is
and what is allowed.

The grammar of files is ``scenario.schema.json``, which editors read too: keys, words and limits
are taken from it, for a file and for the classes alike. A number that looks like a percent where a
share is asked for, or like a share where a percent is, is asked about, never guessed.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from odforecast.errors import OdforecastError, ScenarioError
from odforecast.say import of_path, quoted
from odforecast.say import plain as plain_text
from odforecast.scenario.intervention import (
    ASKED,
    MAX_TEXT,
    NOTHING,
    NULL,
    OLD_LAGS,
    SCHEMA,
    SIZES,
    TAKES,
    Intervention,
    Scenario,
    chance,
    is_plain,
    named_keys,
)
from odforecast.scenario.priors import Judgements, check_keys, shown

#: Most bytes of a scenario file, levels of nesting, and largest number in it.
MAX_BYTES = 200_000
MAX_DEPTH = 12
MAX_NUMBER = 10**15
#: Characters of what a parser says that a message repeats.
_SAID = 200


def read_scenarios(path: str | Path) -> tuple[Scenario, ...]:
    """Scenarios of a ``.yaml``, ``.yml`` or ``.toml`` file.

    Raises
    ------
    ScenarioError
        One line that names the file and the key.
    """
    path = Path(path)
    words = _text_of(path)
    try:
        return parse_scenarios(words, path.suffix.lower())
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
            "a scenario file is a table of keys",
            hint=f"allowed: {', '.join(TAKES['Scenario'])}",
        )
    if "scenarios" not in loaded:
        return (_scenario(loaded),)
    check_keys(loaded, ("scenarios",), "a file of several scenarios")
    items = loaded["scenarios"]
    if not isinstance(items, list) or not items:
        raise ScenarioError(f"scenarios is {shown(items)}, allowed: a list of one or more")
    return _distinct(tuple(map(_scenario, items)))


def _distinct(found: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
    """The scenarios of one file, no two of one name."""
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
    _check_suffix(suffix)
    plain: dict[str, Any]
    if isinstance(scenarios, Scenario):
        plain = _written(scenarios)
    else:
        given = scenarios if isinstance(scenarios, Sequence) else (None,)
        if not given or not all(isinstance(s, Scenario) for s in given):
            raise ScenarioError(
                f"scenarios is {shown(scenarios)}, allowed: a Scenario, or a list of one or more"
            )
        plain = {"scenarios": list(map(_written, _distinct(tuple(scenarios))))}
    if suffix == ".toml":
        import tomli_w

        return tomli_w.dumps(plain)
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what either YAML takes for another value than a text, such as 1e5."""

    _add_numbers(Dumper)
    return str(yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=96))


def write_scenarios(path: str | Path, scenarios: Scenario | Sequence[Scenario]) -> Path:
    """Write a scenario file; the suffix decides between YAML and TOML."""
    path = Path(path)
    _check_suffix(path.suffix)
    text = dump_scenarios(scenarios, path.suffix)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"cannot write {of_path(path)}: {error.strerror}") from error
    return path


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
        Any other key of a scenario file: ``p_null=0.5``, ``exposure={"OH": 1.0}``.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.named_intervention("cooperation-resumed", onset="2026-03").p_null
    0.4
    """
    return _intervention({"prior": name, "onset": onset, **changes}, name)


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
    given = changes if onset is None else {"onset": onset, **changes}
    return Scenario(name, (_intervention({"prior": name, **given}, name),))


def _scenario(plain: object) -> Scenario:
    """A scenario from its plain form, which says so where it assumes nothing."""
    if not isinstance(plain, Mapping):
        raise ScenarioError(f"a scenario is a table of keys, got {shown(plain)}")
    check_keys(plain, TAKES["Scenario"], plain_text(plain.get("name", "scenario"), 40))
    if "name" not in plain:
        raise ScenarioError("key 'name' is missing, allowed: a name such as cooperation-2026")
    # An unquoted null in YAML is not text, but its meaning is plain.
    name = NULL.name if plain["name"] is None else TAKES["Scenario"]["name"](plain["name"], "name")
    items = plain.get("interventions", [] if name == NULL.name else None)
    if items is None and "interventions" not in plain:
        raise ScenarioError(
            f"{name}: key 'interventions' is missing, allowed: a list, or none for the status quo"
        )
    if items == [] and name != NULL.name:
        raise ScenarioError(
            f"{name}: interventions is [], allowed: one or more, or none for the status quo"
        )
    items = [] if items == NOTHING else items
    if not isinstance(items, list):
        raise ScenarioError(f"{name}: interventions is {shown(items)}, allowed: a list, or none")
    parts = [_intervention(x, f"{name}, intervention {i}") for i, x in enumerate(items, 1)]
    others = {key: plain[key] for key in ("version", "title", "question") if key in plain}
    return Scenario(name, tuple(parts), **others)


def _intervention(plain: object, where: str) -> Intervention:
    """An intervention from its plain form; ``prior`` fills in what is not given."""
    takes = TAKES["Intervention"]
    if not isinstance(plain, Mapping):
        raise ScenarioError(f"{where}: an intervention is a table of keys, got {shown(plain)}")
    given = dict(plain)
    sure, regions = given.pop("probability", 1), given.pop("lag_spread", 0)
    check_keys(given, takes, where)
    if "prior" in given:
        base = named_keys(given.pop("prior"), where)
        if any(key in given for key in SIZES):
            base = {key: value for key, value in base.items() if key not in SIZES}
        if "p_null" in given:  # then the chances are no longer the library's
            judged = isinstance(given["p_null"], Mapping | Judgements)
            base = {**base, "belief": "" if judged else ASKED}
        given = {**base, **given}
    if "name" not in given:
        raise ScenarioError(
            f"{where}: key 'name' is missing", hint="give it, or name a prior with prior ="
        )
    name = takes["name"](given["name"], f"{where}: name")
    sizes = [key for key in SIZES if key in given]
    if len(sizes) > 1:
        raise ScenarioError(f"{where}: {' and '.join(sizes)} are given, allowed: one of them")
    if not sizes:
        raise ScenarioError(
            f"{where}: key 'size' is missing",
            hint="give size, percent or dose, or name a prior with prior =",
        )
    for key, value in given.items():
        if value is None and key in takes:
            takes[key](None, f"{where}: {key}")  # of some keys Python takes nothing to be open
    _check_gone(sure, regions, given.get("p_null", 0.0), where)
    size = given.pop(sizes[0])
    given["size"] = takes[sizes[0]](size, f"{where}: {sizes[0]}")
    try:
        return Intervention(
            **{f.name: given[f.name] for f in fields(Intervention) if f.name in given}
        )
    except OdforecastError as error:
        # The class names the intervention, the file says where it stands.
        said = error.message.removeprefix(f"{name}: ")
        raise ScenarioError(f"{where}: {said}", hint=error.hint) from error


def _check_gone(probability: object, spread: object, p_null: object, where: str) -> None:
    """Refuse two keys of earlier files where they say what is said otherwise now, or no longer."""
    likely = chance(probability, f"{where}: probability")
    if likely != 1:
        nothing = 1 - likely * (1 - chance(p_null, f"{where}: p_null"))
        raise ScenarioError(
            f"{where}: key 'probability' is {likely:g}, and is no longer taken",
            hint=f"leave it out, and write p_null: {nothing:.12g}, the probability of no effect",
        )
    if spread not in OLD_LAGS or isinstance(spread, bool):
        raise ScenarioError(
            f"{where}: key 'lag_spread' is {shown(spread)}, and is no longer taken",
            hint="leave it out: all census regions have the nation's lag, whose prior may be wider",
        )


def _text_of(path: Path) -> str:
    """Text of a scenario file."""
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        why = getattr(error, "strerror", None) or error
        raise ScenarioError(f"cannot read {of_path(path)}: {why}") from error
    if len(data) > MAX_BYTES:
        raise ScenarioError(f"{of_path(path)}: more than {MAX_BYTES:,} bytes, as no scenario has")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"cannot read {of_path(path)}: byte {error.start} is no UTF-8",
            hint="save the file as UTF-8",
        ) from error


def load(text: str, suffix: str) -> object:
    """Plain values of YAML or TOML text, none of them beyond reason."""
    _check_suffix(suffix)
    try:
        return _checked(_toml(text) if suffix == ".toml" else _yaml(text))
    except RecursionError as error:
        # A thousand brackets end a parser before anybody sees how deep they go.
        raise ScenarioError(f"nested more than {MAX_DEPTH} deep") from error


def _toml(text: str) -> object:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and integers of 5,000 digits
        said = " ".join(str(error).split())
        # The parser says neither what it is that it will not overwrite, nor that it is a key.
        if found := re.match(r"Cannot (?:overwrite|declare|mutate).*\(at (?:line (\d+)|end)", said):
            lines = text.rstrip().splitlines()
            at = int(found[1] or len(lines))
            key = lines[at - 1].partition("=")[0].strip().strip("[]").strip()
            raise ScenarioError(f"line {at}: key {quoted(key)} is given twice") from error
        raise ScenarioError(f"not TOML: {plain_text(said, _SAID)}") from error


def _yaml(text: str) -> object:
    import yaml

    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 0
            # An alias repeats what it names: nine lines of nine of them are a billion values.
            if isinstance(event, yaml.AliasEvent):
                raise ScenarioError(f"line {line}: alias {quoted(f'*{event.anchor}')}, allowed: "
                                    "none; write the value out")  # fmt: skip
            # A tag asks for another kind of value than stands there, or for an object.
            if tag := getattr(event, "tag", None):
                raise ScenarioError(f"line {line}: tag {quoted(tag)}, allowed: none")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ScenarioError(f"line {line}: nested more than {MAX_DEPTH} deep")
        return yaml.load(text, Loader=_loader())
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, OdforecastError):
            raise
        said, where = str(error), ""
        if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
            said, where = error.problem, f"line {error.problem_mark.line + 1}: "
        said = where + plain_text(" ".join(said.split()), _SAID)
        ours = isinstance(error, yaml.constructor.ConstructorError)
        raise ScenarioError(said if ours else f"not YAML: {said}") from error


@cache
def _loader() -> Any:
    """PyYAML's safe loader, which makes nothing but plain values, without its kindnesses."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses keys given twice; reads numbers and words as YAML 1.2 and TOML do."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            del deep  # always: what is held is checked before anybody uses it
            seen: set[str] = set()
            for key, _ in node.value:
                name = str(getattr(key, "value", key))
                if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {quoted(name)} is not text", key.start_mark
                    )
                # The second one would win, and nobody would see which.
                if name in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {quoted(name)} is given twice", key.start_mark
                    )
                seen.add(name)
            return dict(super().construct_mapping(node, deep=True))

    # 1:30 is ninety, 0777 is 511 and yes is true in YAML 1.1 alone: here they stay words, and so
    # do dates and numbers too long to be one.
    kinds = ("int", "float", "bool", "timestamp")
    plain_words = {
        first: [(tag, rule) for tag, rule in rules if tag.rpartition(":")[2] not in kinds]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.yaml_implicit_resolvers = plain_words
    _add_numbers(Loader)
    return Loader


def _add_numbers(kind_of_yaml: Any) -> None:
    """Numbers and truths of YAML 1.2."""
    for kind, rule, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("int", r"[-+]?(0|[1-9][0-9]{0,40})", "-+0123456789"),
        (
            "float",
            r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
            r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
            "-+0123456789.",
        ),
    ):
        tag = f"tag:yaml.org,2002:{kind}"
        kind_of_yaml.add_implicit_resolver(tag, re.compile(f"(?:{rule})$"), first)


def _checked(value: object, where: str = "", depth: int = 0) -> object:
    """The same values, if no key, number or text among them is beyond reason."""
    name = where or "a scenario file"
    if depth > MAX_DEPTH:
        raise ScenarioError(f"{name}: nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ScenarioError(
                    f"{name}: key {shown(key)} is not text", hint="put it in quotes"
                )
            _checked(item, f"{where}.{plain_text(key, 30)}".lstrip("."), depth + 1)
    elif isinstance(value, list):
        for i, item in enumerate(value, 1):
            _checked(item, f"{where}[{i}]", depth + 1)
    elif isinstance(value, int):
        if abs(value) > MAX_NUMBER:
            raise ScenarioError(f"{name} is {shown(value)}, allowed: numbers up to 10^15")
    elif isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ScenarioError(f"{name} is {shown(value)}, allowed: {MAX_TEXT:,} characters")
        if not is_plain(value):
            raise ScenarioError(f"{name} is {shown(value)}, allowed: text without control codes")
    return value


def _check_suffix(suffix: str) -> None:
    """Refuse a file of another kind."""
    if suffix not in (".yaml", ".yml", ".toml"):
        raise ScenarioError(f"file type is {shown(suffix)}, allowed: .yaml, .yml or .toml")


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a scenario file, for editors and other programs.

    In an editor with the YAML language server a first line
    ``# yaml-language-server: $schema=scenario.schema.json`` turns it on, with the file beside the
    scenario. A schema sees the form of a file; whether a distribution fits its range, a place
    exists or two names are one is said when the file is read.

    Returns
    -------
    dict

    Examples
    --------
    >>> import odforecast as od
    >>> schema = od.scenario.json_schema()
    >>> schema["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    >>> schema["$defs"]["Intervention"]["properties"]["direction"]["enum"]
    ['either', 'fall', 'rise']
    """
    return copy.deepcopy(SCHEMA)
