"""Task files: what is forecast from what, and how it is scored; plain YAML, and no more of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from odforecast.errors import BacktestError, OdforecastError, UnknownNameError, near, one_of
from odforecast.geography import resolve
from odforecast.months import to_month
from odforecast.names import (
    COUNTIES,
    DATASETS,
    DEFAULT_DONORS,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    LONGEST_HORIZON,
    STATES,
    TARGET_12MO,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
    indicator_name,
)
from odforecast.say import of_path, plain, quoted

#: Kinds of vintages a task may have.
KINDS = (VINTAGE_DELAYED, VINTAGE_CLEAN, VINTAGE_REAL)
#: Word for the releases that ship with the package, and for whatever else is all there is.
BUNDLED, ALL = "bundled", "all"
#: Keys of a definition, in the order they are written in, and what stands there.
KEYS: Mapping[str, str] = {
    "name": "Lower case, words joined by hyphens",
    "title": "For people; changes no number",
    "dataset": "states or counties",
    "indicator": "What is counted: all-drugs, T40.4, ...",
    "archive": "bundled, or the releases: a date and its data hash each",
    "vintages": f"{', '.join(KINDS)}: one of them",
    "start": "First last-known month of the origins",
    "end": "Last last-known month of the origins",
    "step": "Months between pseudo-vintages",
    "donors": "Releases that each month's delay is taken from",
    "horizon": "Months ahead that are forecast",
    "horizons": "Months ahead that are scored: a list, or all",
    "truth": "What is scored against: kind, release, min_age",
    "targets": "deaths_12mo, deaths_month, or both",
    "draws": "Sample paths",
    "seed": "The run's seed",
    "locations": "Places that are scored: a list, or all",
    "scores": "Scores beyond the usual: metrics (names), joint (true or false)",
}
TRUTH_KEYS = ("kind", "release", "min_age")
SCORE_KEYS = ("metrics", "joint")
#: Keys that say what is meant and change no number: they are no part of a fingerprint.
WORDS = ("name", "title")

#: Most bytes of a definition.
_MAX_BYTES = 100_000
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HASH = re.compile(r"[0-9a-f]{16}")
_DAY = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")


def shipped() -> tuple[str, ...]:
    """Names of the tasks that ship with the package.

    Examples
    --------
    >>> "states-delayed" in shipped()
    True
    """
    folder = resources.files("odforecast") / "tasks"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml")))


def read(task: str | Path) -> dict[str, Any]:
    """A checked definition: of a shipped task by its name, or of a file.

    Parameters
    ----------
    task : str or Path
        A name, or a path: what ends in ``.yaml`` or ``.yml``, or has a folder in it.

    Returns
    -------
    dict
        Every key of :data:`KEYS`, in their order, with plain values.

    Raises
    ------
    UnknownNameError
        If no task of that name ships.
    BacktestError
        If it is neither, the file cannot be read, or a key or value is wrong: with its line.

    Examples
    --------
    >>> read("states-delayed")["vintages"]
    'pseudo-delayed'
    """
    if not isinstance(task, str | Path):
        raise BacktestError(
            f"task is {quoted(repr(task))}, and must be a name, or the path of a task file",
            hint=f"names are {', '.join(shipped())}",
        )
    text = str(task)
    if isinstance(task, str) and not re.search(r"[/\\]|\.ya?ml$", text):
        if text not in (names := shipped()):
            raise UnknownNameError(
                f"no task {quoted(text)} ships with odforecast",
                hint=f"{one_of(text, names)}; a file's name ends in .yaml",
            )
        data = (resources.files("odforecast") / "tasks" / f"{text}.yaml").read_bytes()
        return parse(data, f"tasks/{text}.yaml")
    try:
        with Path(task).open("rb") as handle:
            data = handle.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        why = getattr(error, "strerror", None) or error
        raise BacktestError(
            f"cannot read {of_path(text)}: {why}",
            hint="give a task file, or the name of one that ships: odforecast task list",
        ) from error
    return parse(data, of_path(text))


def parse(data: bytes, source: str) -> dict[str, Any]:
    """A checked definition from the bytes of a YAML file.

    Parameters
    ----------
    data : bytes
    source : str
        Name of the file, for messages.

    Raises
    ------
    BacktestError
        With the file, the line and the key of the first thing wrong.
    """
    if len(data) > _MAX_BYTES:
        raise BacktestError(f"{source}: more than {_MAX_BYTES:,} bytes, as no task has")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BacktestError(f"{source}: byte {error.start} is no UTF-8") from error
    return check(load_yaml(text, source), source)


def check(held: At, source: str) -> dict[str, Any]:
    """The values of a definition, checked, with what is not said filled in."""
    return _Check(source).run(held)


class _Check:
    """One definition under inspection."""

    def __init__(self, source: str) -> None:
        self.source = source

    def run(self, held: At) -> dict[str, Any]:
        given = self.mapping("the file", held, tuple(KEYS))
        if lacking := [k for k in ("name", "vintages") if k not in given]:
            self.refuse(At(None, 1), f"no key {lacking[0]!r}", KEYS[lacking[0]])

        def take(key: str, form: Callable[[str, At], Any], default: Any) -> Any:
            at = given.get(key)
            return default if at is None or at.value is None else form(key, at)

        dataset = take("dataset", self.choice(DATASETS), STATES)
        kind = take("vintages", self.choice(KINDS), None)
        if kind is None:
            self.refuse(given["vintages"], "vintages says nothing", one_of("", KINDS))
        counties = dataset == COUNTIES
        if counties and kind == VINTAGE_DELAYED:
            self.refuse(given["vintages"], "the delay of counties is not known",
                        f"take {VINTAGE_CLEAN}, or {VINTAGE_REAL}")  # fmt: skip
        for key, kinds in (("step", KINDS[:2]), ("donors", KINDS[:1])):
            if key in given and given[key].value is not None and kind not in kinds:
                self.refuse(given[key], f"{key} means nothing for {kind} vintages", "leave it out")
        horizon = take("horizon", self.whole(1, LONGEST_HORIZON), DEFAULT_HORIZON)
        out = {
            "name": take("name", self.name, ""),
            "title": take("title", self.text, ""),
            "dataset": dataset,
            "indicator": indicator_name(take("indicator", self.text, "all-drugs")),
            "archive": take("archive", self.archive, BUNDLED),
            "vintages": kind,
            "start": take("start", self.month, None),
            "end": take("end", self.month, None),
            "step": take("step", self.whole(1, 120), None if kind == VINTAGE_REAL else 1),
            "donors": take(
                "donors", self.whole(1, 100), DEFAULT_DONORS if kind == VINTAGE_DELAYED else None
            ),
            "horizon": horizon,
            "horizons": take("horizons", self.months_ahead(horizon), None if counties else ALL),
            "truth": self.truth(given.get("truth"), counties),
            "targets": take("targets", self.several(TARGETS), [TARGET_12MO]),
            "draws": take("draws", self.whole(2, 1_000_000), DEFAULT_DRAWS),
            "seed": take("seed", self.whole(0, 2**53), DEFAULT_SEED),
            "locations": take("locations", self.places, ALL),
            "scores": self.scores(given.get("scores")),
        }
        if not out["name"]:
            self.refuse(given["name"], "name says nothing", KEYS["name"])
        if out["start"] and out["end"] and out["start"] > out["end"]:
            self.refuse(given["start"], f"start {out['start']} lies after end {out['end']}")
        return {key: out[key] for key in KEYS}

    def refuse(self, at: At, why: str, hint: str | None = None) -> NoReturn:
        raise BacktestError(f"{self.source}, line {at.line}: {why}", hint=hint)

    def mapping(self, what: str, at: At, keys: tuple[str, ...]) -> dict[str, At]:
        """The keys of a mapping; one that is not known is refused, with the nearest."""
        if not isinstance(at.value, dict):
            self.refuse(at, f"{what} is no mapping", f"give {', '.join(keys)}")
        for name, held in at.value.items():
            if name not in keys:
                meant = near(name, keys)
                guess = f"did you mean {meant[0]!r}? " if meant else ""
                self.refuse(held, f"unknown key {quoted(name)}",
                            f"{guess}keys of {what}: {', '.join(keys)}")  # fmt: skip
        return dict(at.value)

    def choice(self, words: tuple[str, ...]) -> Callable[[str, At], str]:
        def form(key: str, at: At) -> str:
            if at.value not in words or not isinstance(at.value, str):
                self.refuse(at, f"{key} is {_said(at.value)}", one_of(at.value, words))
            return at.value

        return form

    def several(self, words: tuple[str, ...]) -> Callable[[str, At], list[str]]:
        def form(key: str, at: At) -> list[str]:
            found = [self.choice(words)(key, x) for x in self.items(key, at)]
            if len(set(found)) < len(found):
                self.refuse(at, f"{key} names one twice")
            return sorted(found, key=words.index)

        return form

    def items(self, key: str, at: At) -> list[At]:
        """Members of a list; a single word is a list of one."""
        held = at.value if isinstance(at.value, list) else [at]
        if not held:
            self.refuse(at, f"{key} is empty", "leave the key out, or name one")
        if wrong := [x for x in held if isinstance(x.value, list | dict) or x.value is None]:
            self.refuse(wrong[0], f"{key} is no list of plain values")
        return held

    def whole(self, least: int, most: int) -> Callable[[str, At], int]:
        def form(key: str, at: At) -> int:
            value = at.value
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                self.refuse(
                    at, f"{key} is {_said(value)}", f"a whole number from {least} to {most:,}"
                )
            return value

        return form

    def name(self, key: str, at: At) -> str:
        text = self.text(key, at)
        if not _NAME.fullmatch(text) or len(text) > 60:
            self.refuse(at, f"{key} is {quoted(text)}", KEYS["name"])
        return text

    def text(self, key: str, at: At) -> str:
        if not isinstance(at.value, str) or not at.value.isprintable() or len(at.value) > 200:
            self.refuse(at, f"{key} is {_said(at.value)}", "a text of at most 200 characters")
        return at.value.strip()

    def month(self, key: str, at: At) -> str:
        try:
            return str(to_month(at.value))
        except OdforecastError:
            self.refuse(at, f"{key} is {_said(at.value)}, which is no month", "write it as 2024-07")

    def day(self, key: str, at: At) -> str:
        if not isinstance(at.value, str) or not _DAY.fullmatch(at.value):
            self.refuse(at, f"{key} is {_said(at.value)}", "a release date such as 2025-09-17")
        return at.value

    def archive(self, key: str, at: At) -> str | dict[str, str]:
        if at.value == BUNDLED:
            return BUNDLED
        if not isinstance(at.value, dict):
            self.refuse(at, f"{key} is {_said(at.value)}", KEYS["archive"])
        out = {}
        for name, held in at.value.items():
            day = self.day(f"a release of {key}", At(name, held.line))
            text = str(held.value)
            if not _HASH.fullmatch(text):
                self.refuse(held, f"the data hash of {day} is {_said(held.value)}",
                            "16 hexadecimal digits, in quotes")  # fmt: skip
            out[day] = text
        if not out:
            self.refuse(at, f"{key} names no release")
        return dict(sorted(out.items()))

    def months_ahead(self, horizon: int) -> Callable[[str, At], str | list[int]]:
        def form(key: str, at: At) -> str | list[int]:
            if at.value == ALL:
                return ALL
            return sorted({self.whole(1, horizon)(key, x) for x in self.items(key, at)})

        return form

    def places(self, key: str, at: At) -> str | list[str]:
        if at.value == ALL:
            return ALL
        names = [str(x.value) for x in self.items(key, at)]
        try:
            return sorted(resolve(names))
        except OdforecastError as error:
            self.refuse(at, f"{key}: {error.message}", error.hint)

    def truth(self, at: At | None, counties: bool) -> dict[str, Any]:
        given = {} if at is None else self.mapping("truth", at, TRUTH_KEYS)
        out: dict[str, Any] = {
            "kind": "reported",
            "release": None,
            "min_age": 6 if counties else 12,
        }
        for key, form in (("kind", self.choice(("reported", "predicted"))), ("release", self.day),
                          ("min_age", self.whole(0, 120))):  # fmt: skip
            if key in given and given[key].value is not None:
                out[key] = form(key, given[key])
        return out

    def scores(self, at: At | None) -> dict[str, Any]:
        given = {} if at is None else self.mapping("scores", at, SCORE_KEYS)
        metrics: list[str] = []
        if "metrics" in given and given["metrics"].value not in (None, []):
            from odforecast.scoring.metrics import METRICS

            metrics = self.several(tuple(METRICS))("metrics", given["metrics"])
        joint = given.get("joint", At(False, 0))
        if not isinstance(joint.value, bool):
            self.refuse(joint, f"joint is {_said(joint.value)}", "true or false")
        return {"metrics": metrics, "joint": joint.value}


def _said(value: Any) -> str:
    """A value as a message repeats it."""
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else quoted(value)


#: Levels of nesting.
_MAX_DEPTH = 4


@dataclass(frozen=True)
class At:
    """A value of a file: a mapping of names to values, a list of them, a word; and its line."""

    value: Any
    line: int


def load_yaml(text: str, source: str) -> At:
    """The values of a YAML text.

    Parameters
    ----------
    text : str
    source : str
        Name of the file, for messages.

    Raises
    ------
    BacktestError
        With the line: if it is no YAML, has a key twice, or uses more of YAML than values.

    Examples
    --------
    >>> load_yaml("step: 3", "mine.yaml").value["step"]
    At(value=3, line=1)
    """
    return _Yaml(source).load(text)


class _Yaml:
    """Mappings, lists and words of a YAML text, each with its line."""

    def __init__(self, source: str) -> None:
        self.source = source

    def load(self, text: str) -> At:
        import yaml

        depth = 0
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                line = event.start_mark.line + 1 if event.start_mark else 0
                # An alias repeats what it names: nine lines of nine are a billion values.
                if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                    self.refuse(line, "aliases (& and *) are not allowed", "write the value out")
                # A hundred thousand brackets keep a parser busy for minutes.
                depth += isinstance(event, yaml.CollectionStartEvent)
                depth -= isinstance(event, yaml.CollectionEndEvent)
                if depth > _MAX_DEPTH:
                    self.refuse(line, f"nested more than {_MAX_DEPTH} deep")
                if tag := getattr(event, "tag", None):
                    self.refuse(line, f"tag {quoted(tag)} is not allowed", "write plain values")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, ValueError) as error:
            if isinstance(error, OdforecastError):
                raise
            mark = getattr(error, "problem_mark", None)
            said = getattr(error, "problem", None) or str(error)
            self.refuse(mark.line + 1 if mark else 1, f"not YAML: {plain(' '.join(said.split()))}")
        if node is None:
            self.refuse(1, "holds nothing", "see a task that ships: odforecast task show NAME")
        return self.value(node)

    def value(self, node: Any) -> At:
        import yaml

        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return At(node.value if node.style in ("'", '"') else _word(node.value), line)
        if isinstance(node, yaml.SequenceNode):
            return At([self.value(x) for x in node.value], line)
        out: dict[str, At] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            name = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            if name in out:
                self.refuse(at, f"key {quoted(name)} is given twice")
            held = self.value(value)
            out[name] = At(held.value, at)
        return At(out, line)

    def refuse(self, line: int, why: str, hint: str | None = None) -> NoReturn:
        raise BacktestError(f"{self.source}, line {line}: {why}", hint=hint)


def _word(text: str) -> Any:
    """A number, a truth value or nothing where it looks like one; else the word itself."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text) else text
