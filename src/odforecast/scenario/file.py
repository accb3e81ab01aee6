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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from odforecast.errors import ScenarioError
from odforecast.say import of_path
from odforecast.say import plain as plain_text
from odforecast.scenario.intervention import (
    ASKED,
    GONE,
    KEYS,
    NOTHING,
    NULL,
    OPEN,
    SCHEMA,
    SIZES,
    TAKES,
    Intervention,
    Scenario,
    named_keys,
)
from odforecast.scenario.priors import (
    Fixed,
    Judgements,
    Mistakes,
    check_keys,
    located,
    refused,
    share,
    shown,
)

#: What a region's own lag may have been in earlier files: nothing, or what named priors had.
OLD_LAGS = KEYS["Intervention"]["lag_spread"]["enum"]
#: Most bytes of a scenario file.
MAX_BYTES = 200_000
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
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        why = getattr(error, "strerror", None) or error
        raise ScenarioError(f"cannot read {of_path(path)}: {why}") from error
    with located(f"{path}: "):
        if len(data) > MAX_BYTES:
            raise ScenarioError(f"more than {MAX_BYTES:,} bytes, as no scenario has")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            hint = "save the file as UTF-8"
            raise ScenarioError(f"byte {error.start} is not UTF-8", hint=hint) from error
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
            hint = f"allowed: {', '.join(TAKES['Scenario'])}"
            raise ScenarioError("a scenario file is a table of keys", hint=hint)
        if "scenarios" not in loaded:
            return (_scenario(loaded),)
        with located("a file of several scenarios: "):
            check_keys(loaded, ("scenarios",))
        items = loaded["scenarios"]
        if not isinstance(items, list) or not items:
            raise refused("scenarios", items, allowed="a list of one or more")
        return _distinct(_each(items, _scenario))
    except RecursionError as error:
        raise ScenarioError("nested deeper than any scenario is") from error


def _each[T](items: Iterable[object], read: Callable[[Any], T]) -> tuple[T, ...]:
    """What each item is read as; the mistakes of all of them are told together."""
    mistakes = Mistakes()
    found = []
    for item in items:
        with mistakes:
            found.append(read(item))
    mistakes.tell()
    return tuple(found)


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
    alone = isinstance(scenarios, Scenario)
    given = (scenarios,) if isinstance(scenarios, Scenario) else scenarios
    if not isinstance(given, Sequence) or not given:
        given = (None,)  # type: ignore[assignment]
    if not all(isinstance(s, Scenario) for s in given):
        raise refused("scenarios", scenarios, allowed="a Scenario, or a list of one or more")
    written = [
        s.to_dict() if s.interventions else {**s.to_dict(), "interventions": NOTHING}
        for s in _distinct(tuple(given))
    ]
    plain = written[0] if alone else {"scenarios": written}
    if suffix == ".toml":
        import tomli_w

        return tomli_w.dumps(plain)
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what either YAML takes for another value than a text, such as 1e5."""

    _add_numbers(Dumper)
    return str(
        yaml.dump(
            plain,
            Dumper=Dumper,
            sort_keys=False,
            allow_unicode=True,
            width=96,
        )
    )


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
    with located(f"{plain_text(plain.get('name', 'scenario'), 40)}: "):
        check_keys(plain, TAKES["Scenario"])
    if "name" not in plain:
        raise ScenarioError("key 'name' is missing, allowed: a name such as cooperation-2026")
    # An unquoted null in YAML is not text, but its meaning is plain.
    name = NULL.name if plain["name"] is None else TAKES["Scenario"]["name"](plain["name"], "name")
    items = plain.get("interventions", NOTHING if name == NULL.name else None)
    items = [] if items == NOTHING or (items == [] and name == NULL.name) else items or None
    if not isinstance(items, list):
        said = plain.get("interventions")
        raise refused(f"{name}: interventions", said, allowed="a list, or none for the status quo")
    numbered = enumerate(items, 1)
    parts = _each(numbered, lambda x: _intervention(x[1], f"{name}, intervention {x[0]}"))
    return Scenario(**{**plain, "name": name, "interventions": parts})


def _intervention(plain: object, where: str) -> Intervention:
    """An intervention from its plain form; ``prior`` fills in what is not given."""
    if not isinstance(plain, Mapping):
        raise ScenarioError(f"{where}: an intervention is a table of keys, got {shown(plain)}")
    with located(f"{where}: "):
        return _filled(dict(plain))


def _filled(given: dict[str, Any]) -> Intervention:
    """An intervention from the keys of a file."""
    takes = TAKES["Intervention"]
    gone = {key: given.pop(key) for key in GONE if key in given}
    check_keys(given, takes)
    if "prior" in given:
        base = named_keys(given.pop("prior"))
        if any(key in given for key in SIZES):
            base = {key: value for key, value in base.items() if key not in SIZES}
        if "p_null" in given:  # then the chances are no longer the library's
            judged = isinstance(given["p_null"], Mapping | Judgements)
            base = {**base, "belief": "" if judged else ASKED}
        given = {**base, **given}
    _refuse_gone(gone, given.get("p_null", 0.0))
    if "name" not in given:
        raise ScenarioError("key 'name' is missing", hint="give it, or name a prior with prior =")
    sizes = [key for key in SIZES if key in given]
    if len(sizes) > 1:
        raise ScenarioError(f"{' and '.join(sizes)} are given, allowed: one of them")
    if not sizes:
        raise ScenarioError(
            "key 'size' is missing", hint="give size, percent or dose, or name a prior with prior ="
        )
    mistakes = Mistakes()
    for key in [key for key in (*OPEN, *SIZES) if key in given]:
        value = given.pop(key)
        with mistakes:  # a file leaves nothing open
            given[key] = takes[key](value, key)
    given["size"] = given.pop(sizes[0], Fixed(0))
    with mistakes, located("", f"{given['name']}: "):
        made = Intervention(
            **{f.name: given[f.name] for f in fields(Intervention) if f.name in given}
        )
    mistakes.tell()
    return made


def _refuse_gone(gone: Mapping[str, Any], p_null: object) -> None:
    """Keys of earlier files, which may only say what holds without them."""
    sure = share(gone.get("probability", 1))
    if sure != 1:
        none = share(p_null)
        hint = "add the rest to p_null, the probability of no effect"
        if sure is not None and none is not None and 0 <= sure <= 1:
            hint = f"write p_null: {1 - sure * (1 - none):.6g}, the probability of no effect"
        raise ScenarioError(
            f"key 'probability' is {shown(gone['probability'])}, and is no longer taken",
            hint=f"leave it out, and {hint}",
        )
    spread = gone.get("lag_spread", 0)
    if spread not in OLD_LAGS or isinstance(spread, bool):
        raise ScenarioError(
            f"key 'lag_spread' is {shown(spread)}, and is no longer taken",
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
        said = " ".join(str(error).split())
        again = re.match("Cannot (overwrite|declare|mutate)", said)
        raise ScenarioError(
            f"not TOML: {plain_text(said, _SAID)}", hint="write each key once" if again else None
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
            first: [(tag, rule) for tag, rule in rules if tag.rpartition(":")[2] not in kinds]
            for first, rules in Loader.yaml_implicit_resolvers.items()
        }

    _add_numbers(Words)
    return Words


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


def _check_suffix(suffix: str) -> None:
    """Refuse a file of another kind."""
    if suffix not in (".yaml", ".yml", ".toml"):
        raise refused("file type", suffix, allowed=".yaml, .yml or .toml")


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
