"""A task: what everybody who takes part in a benchmark forecasts, from what, against what."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NoReturn,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
import pandas as pd
from msgspec import Meta

from odforecast.backtesting.origin import KINDS, Origin, as_dict, origins, usual_places
from odforecast.backtesting.planning import default_models, plan
from odforecast.backtesting.results import Results
from odforecast.backtesting.run import run_plan
from odforecast.errors import (
    ArchiveError,
    BacktestError,
    OdforecastError,
    UnknownNameError,
    near,
    one_of,
)
from odforecast.geography import resolve
from odforecast.models import Model
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    DEFAULT_DONORS,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    LONGEST_HORIZON,
    STATES,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
    indicator_name,
)
from odforecast.panel import Panel
from odforecast.say import card, number_of, of_path, quoted, steady
from odforecast.scoring import Truth
from odforecast.scoring.metrics import METRICS
from odforecast.sources.yaml import BadYamlError, Loader, line_of, load
from odforecast.vintage import Archive, bundled
from odforecast.vintage import archive as default_archive
from odforecast.vintage.bundle import BUNDLED_RELEASE
from odforecast.vintage.donors import available

#: Digits of a fingerprint that are shown.
SHORT = 12
#: Word for the releases that ship with the package, and for whatever else is all there is.
BUNDLED = "bundled"
ALL = "all"
#: Keys that describe a task and change no number: they are not part of a fingerprint.
WORDS = ("name", "title")
#: Arguments of :func:`odforecast.backtest` that a task says, and that nobody may say beside it.
FIXED = (
    "origins",
    "indicator",
    "dataset",
    "truth",
    "start",
    "end",
    "step",
    "donors",
    "locations",
    "horizon",
    "draws",
    "seed",
    "targets",
    "horizons",
    "metrics",
)
#: Those of them that a plan takes.
_PLANNED = ("locations", "horizon", "draws", "seed", "targets", "horizons", "metrics")

#: Most bytes of a definition, and levels of nesting.
_MAX_BYTES = 100_000
_MAX_DEPTH = 4
_DAY = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")
_HASH = re.compile(r"[0-9a-f]{16}")
_A_NAME = "Lower case, words joined by hyphens"
_A_DAY = "a release date such as 2025-09-17"
_AN_ARCHIVE = "bundled, or the releases: a date and its data hash each"

Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z",
        max_length=60,
        description=_A_NAME,
    ),
]
Text = Annotated[
    str, Meta(max_length=200, description="a text of at most 200 characters")
]
Day = Annotated[str, Meta(pattern=rf"^{_DAY.pattern}\Z", description=_A_DAY)]
Ahead = Annotated[int, Meta(ge=1, le=LONGEST_HORIZON)]
Vintages = Literal["pseudo-delayed", "pseudo-clean", "real"]
Targets = Literal["deaths_12mo", "deaths_month"]


class Against(msgspec.Struct):
    """What is scored against: the counts of a release, once so many months old."""

    kind: Literal["reported", "predicted"] = "reported"
    release: Day | None = None
    min_age: Annotated[int, Meta(ge=0, le=120)] | None = None


class MoreScores(msgspec.Struct):
    """Scores beyond the usual: metrics by their names."""

    metrics: list[str] = []
    #: Always false: joint scores are gone. The key stays, for it is part of each fingerprint.
    joint: bool = False


class Definition(msgspec.Struct, kw_only=True):
    """What a task says: its keys, in the order they are written in, and their values."""

    name: Name
    title: Text = ""
    dataset: Literal["states", "counties"] = "states"
    indicator: Text = ALL_DRUGS
    archive: Literal["bundled"] | dict[str, str] = "bundled"
    vintages: Vintages
    start: str | None = None
    end: str | None = None
    step: Annotated[int, Meta(ge=1, le=120)] | None = None
    donors: Annotated[int, Meta(ge=1, le=100)] | None = None
    horizon: Ahead = DEFAULT_HORIZON
    horizons: Literal["all"] | list[Ahead] | None = None
    truth: Against = msgspec.field(default_factory=Against)
    targets: list[Targets] = msgspec.field(default_factory=lambda: ["deaths_12mo"])
    draws: Annotated[int, Meta(ge=2, le=1_000_000)] = DEFAULT_DRAWS
    seed: Annotated[int, Meta(ge=0, le=2**53)] = DEFAULT_SEED
    locations: Literal["all"] | list[str] = "all"
    scores: MoreScores = msgspec.field(default_factory=MoreScores)

    def __post_init__(self) -> None:
        """Fill in what depends on another key."""
        counties = self.dataset == COUNTIES
        if self.step is None and self.vintages != VINTAGE_REAL:
            self.step = 1
        if self.donors is None and self.vintages == VINTAGE_DELAYED:
            self.donors = DEFAULT_DONORS
        if self.horizons is None and not counties:
            self.horizons = "all"
        if self.truth.min_age is None:
            self.truth.min_age = 6 if counties else 12

    def to_dict(self) -> dict[str, Any]:
        """Every key, in their order, with plain values."""
        out: dict[str, Any] = msgspec.to_builtins(self)
        return out


def shipped() -> tuple[str, ...]:
    """Names of the tasks that ship with the package."""
    folder = resources.files("odforecast") / "tasks"
    return tuple(
        sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))
    )


def read(task: str | Path) -> dict[str, Any]:
    """A checked definition: of a shipped task by its name, or of a file."""
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
        reason = getattr(error, "strerror", None) or error
        raise BacktestError(
            f"cannot read {of_path(text)}: {reason}",
            hint="give a task file, or the name of one that ships: odforecast task list",
        ) from error
    return parse(data, of_path(text))


def parse(data: bytes, source: str) -> dict[str, Any]:
    """A checked definition from the bytes of a YAML file."""
    if len(data) > _MAX_BYTES:
        raise BacktestError(
            f"{source}: more than {_MAX_BYTES:,} bytes, too many for a task"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BacktestError(f"{source}: byte {error.start} is not UTF-8") from error
    return _File(source, text).definition().to_dict()


class _Words(Loader):
    """Reads numbers, truth values and nothing; all else that is not in quotes is a word."""

    deepest = _MAX_DEPTH
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def construct_scalar(self, node: Any) -> Any:
        """A value by how it is written."""
        text = node.value
        if not text.isprintable():
            raise BadYamlError(
                node, f"{quoted(text)} has control characters; leave them out"
            )
        if node.style in ("'", '"'):
            return text
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        return int(text) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text) else text


class _File:
    """A task file under inspection: its plain values."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self.text = text
        try:
            self.values = load(text, _Words)
        except BadYamlError as error:
            self.refuse(error.line, error.why)
        if self.values is None:
            self.refuse(
                1, "is empty", hint="see a task that ships: odforecast task show NAME"
            )

    def refuse(self, at: At | int, why: str, hint: str | None = None) -> NoReturn:
        line = at if isinstance(at, int) else line_of(self.text, at)
        raise BacktestError(f"{self.source}, line {line}: {why}", hint=hint)

    def definition(self) -> Definition:
        """The definition that it holds, checked."""
        keys = self._mapping("the file", (), value=self.values, kind=Definition)
        for key, hint in (
            ("name", _A_NAME),
            ("vintages", f"{', '.join(KINDS)}: one of them"),
        ):
            if key not in self.values:
                self.refuse(1, f"no key {key!r}", hint=hint)
            if key not in keys:
                self.refuse((key,), f"{key} is empty", hint=hint)
        tidied = {key: self._tidied((key,), value) for key, value in keys.items()}
        try:
            definition = msgspec.convert(tidied, Definition)
        except msgspec.ValidationError as error:
            self._explain(str(error), tidied)
        kind = definition.vintages
        if definition.dataset == COUNTIES and kind == VINTAGE_DELAYED:
            self.refuse(
                ("vintages",),
                "the delay of counties is not known",
                hint=f"take {VINTAGE_CLEAN}, or {VINTAGE_REAL}",
            )
        for key, kinds in (("step", KINDS[:2]), ("donors", KINDS[:1])):
            if key in keys and kind not in kinds:
                self.refuse(
                    (key,),
                    f"{key} has no meaning for {kind} vintages",
                    hint="leave it out",
                )
        if definition.start and definition.end and definition.start > definition.end:
            self.refuse(
                ("start",), f"start {definition.start} lies after end {definition.end}"
            )
        if isinstance(definition.horizons, list):
            for i, ahead in enumerate(definition.horizons):
                if ahead > definition.horizon:
                    self.refuse(
                        ("horizons", i),
                        f"horizons is {_repeated(ahead)}",
                        hint=f"a whole number from 1 to {definition.horizon}",
                    )
            definition.horizons = sorted(set(definition.horizons))
        for i, name in enumerate(definition.scores.metrics):
            if name not in METRICS:
                self.refuse(
                    ("scores", "metrics", i),
                    f"metrics is {_repeated(name)}",
                    hint=one_of(name, METRICS),
                )
        if definition.scores.joint:
            self.refuse(
                ("scores", "joint"),
                "joint scores are no longer made",
                hint="leave the key out; od.scoring.energy_score scores several places at once",
            )
        definition.scores.metrics.sort(key=[*METRICS].index)
        definition.targets.sort(key=get_args(Targets).index)
        definition.indicator = indicator_name(definition.indicator)
        return definition

    def _mapping(
        self, what: str, at: At, value: Any, kind: type[msgspec.Struct]
    ) -> dict[str, Any]:
        """The keys of a mapping that say something; one that is not known is refused."""
        keys = kind.__struct_fields__
        if not isinstance(value, dict):
            self.refuse(at, f"{what} is not a mapping", hint=f"give {', '.join(keys)}")
        for name in value:
            if name not in keys:
                meant = near(name, keys)
                guess = f"did you mean {meant[0]!r}? " if meant else ""
                self.refuse(
                    (*at, name),
                    f"unknown key {quoted(name)}",
                    hint=f"{guess}keys of {what}: {', '.join(keys)}",
                )
        return {name: held for name, held in value.items() if held is not None}

    def _tidied(self, at: At, value: Any) -> Any:
        """A value as its kind has it: a word as a list of one, months and places by one name."""
        key = at[-1]
        if key in ("truth", "scores"):
            held = self._mapping(
                str(key),
                at,
                value=value,
                kind=Against if key == "truth" else MoreScores,
            )
            return {name: self._tidied((*at, name), x) for name, x in held.items()}
        if key in ("start", "end"):
            try:
                return str(to_month(value))
            except OdforecastError:
                self.refuse(
                    at,
                    f"{key} is {_repeated(value)}, which is not a month",
                    hint="write it as 2024-07",
                )
        if key == "archive" and isinstance(value, dict):
            for day, held in value.items():
                if not _DAY.fullmatch(day):
                    self.refuse(
                        (*at, day), f"a release of {key} is {quoted(day)}", hint=_A_DAY
                    )
                if not _HASH.fullmatch(str(held)):
                    self.refuse(
                        (*at, day),
                        f"the data hash of {day} is {_repeated(held)}",
                        hint="16 hexadecimal digits, in quotes",
                    )
            if not value:
                self.refuse(at, f"{key} names no release")
            return {day: str(value[day]) for day in sorted(value)}
        if key in ("targets", "metrics") or (
            key in ("horizons", "locations") and value != ALL
        ):
            return self._list(at, value if isinstance(value, list) else [value])
        return value.strip() if isinstance(value, str) else value

    def _list(self, at: At, items: list[Any]) -> list[Any]:
        """Plain values, in their order; those of targets and metrics differ."""
        key = at[-1]
        if not items and key != "metrics":
            self.refuse(at, f"{key} is empty", hint="leave the key out, or name one")
        for i, x in enumerate(items):
            if isinstance(x, list | dict) or x is None:
                self.refuse((*at, i), f"{key} is not a list of plain values")
        if key in ("targets", "metrics") and len(set(items)) < len(items):
            self.refuse(at, f"{key} has a name twice")
        if key != "locations":
            return items
        try:
            return sorted(resolve([str(x) for x in items]))
        except OdforecastError as error:
            self.refuse(at, f"{key}: {error.message}", hint=error.hint)

    def _explain(self, said: str, given: Any) -> NoReturn:
        """Say which value is not of its kind, and what is allowed there."""
        path = re.findall(r"\.(\w+)|\[(\d+)\]", said.rpartition("`$")[2])
        at: At = tuple(name or int(i) for name, i in path)
        for step in at:
            given = given[step]
        key = next(step for step in at[::-1] if isinstance(step, str))
        hints: dict[str, Any] = {}
        for kind in (Definition, Against, MoreScores):
            hints |= get_type_hints(kind, include_extras=True)
        hint = _AN_ARCHIVE if key == "archive" else _allowed(hints[key], given)
        self.refuse(at, f"{key} is {_repeated(given)}", hint=hint)


#: Where a value is in a file: keys, and places in lists.
type At = tuple[str | int, ...]


def _allowed(kind: Any, value: object) -> str:
    """What is allowed where a value is not of its kind."""
    if get_origin(kind) is Literal:
        return one_of(value, get_args(kind))
    if kind in (bool, str):
        return "true or false" if kind is bool else "a text"
    if meta := getattr(kind, "__metadata__", ()):
        return (
            meta[0].description or f"a whole number from {meta[0].ge} to {meta[0].le:,}"
        )
    # Of a list its members', else of what may be left out.
    several = [k for k in get_args(kind) if get_origin(k) is list]
    return _allowed((several or get_args(kind))[0], value)


def _repeated(value: object) -> str:
    """A value as a message repeats it."""
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else quoted(value)


def months_ahead(says: Mapping[str, Any]) -> list[int]:
    """Months ahead that a task scores, by its definition, or by the manifest of a run."""
    horizons = says["horizons"]
    return (
        list(range(1, int(says["horizon"]) + 1))
        if horizons in (None, ALL)
        else list(horizons)
    )


def forecasts_of(
    found: Sequence[Mapping[str, Any]],
    locations: Sequence[str],
    targets: Sequence[str],
    ahead: Sequence[int],
) -> pd.DataFrame:
    """The forecasts that are asked for at origins, as these are listed; months fastest."""
    out = pd.DataFrame(found, columns=["as_of", "last_month", "vintage", "donor"])
    out["last_month"] = (
        out["last_month"].to_numpy().astype("datetime64[M]").astype("M8[s]")
    )
    out["as_of"] = out["as_of"].to_numpy().astype("datetime64[s]")
    for name, values in (
        ("location", locations),
        ("target", targets),
        ("horizon", ahead),
    ):
        out = out.merge(pd.Series(values, name=name), how="cross")
    months = out["last_month"].to_numpy().astype("datetime64[M]")
    months = months + out["horizon"].to_numpy() * ONE_MONTH
    return out.assign(month=months.astype("datetime64[s]"))


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class Task:
    """A definition, and the archive it is answered from.

    Attributes
    ----------
    definition : dict
        Every key of :class:`Definition`, as a file has them.
    archive : Archive or None
        Where the releases are; None: the bundled ones, or those of the user's own that the
        definition names.

    Examples
    --------
    >>> from odforecast.backtesting import Task
    >>> task = Task.load("quick")
    >>> task.name, len(task.origins), len(task.fingerprint), len(task.short)
    ('quick', 8, 64, 12)
    """

    definition: Mapping[str, Any]
    archive: Archive | None = field(default=None)

    @classmethod
    def load(cls, task: str | Path | Task, archive: Archive | None = None) -> Task:
        """A task that ships with the package, by its name, or one from a file.

        Parameters
        ----------
        task : str, Path or Task
            ``"states-delayed"``, ``"my-task.yaml"``; a task is taken as it is.
        archive : Archive, optional
            Releases to answer it from, instead of those it would take.

        Raises
        ------
        UnknownNameError
            If no task of that name ships.
        BacktestError
            If the file cannot be read, or something in it is wrong: with its line.
        """
        loaded = task if isinstance(task, Task) else cls(read(task))
        return loaded if archive is None else replace(loaded, archive=archive)

    @staticmethod
    def names() -> tuple[str, ...]:
        """Names of the tasks that ship with the package."""
        return shipped()

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.definition["name"])

    @steady
    def __repr__(self) -> str:
        says = self.definition
        span = f"{says['start'] or '…'} to {says['end'] or '…'}"
        return card(
            f"Task: {self.name}",
            str(says["title"]),
            f"{says['vintages']} vintages of {says['dataset']}, origins {span}",
            f"horizon {says['horizon']}, truth {says['truth']['kind']} in release "
            f"{says['truth']['release'] or 'the newest'}",
            "next: .fingerprint, .run('naive'), od.backtest(task=task)",
        )

    @cached_property
    def releases(self) -> Archive:
        """The archive that the task is answered from.

        Raises
        ------
        ArchiveError
            If it lacks a release that the definition names, or holds another copy of it.
        """
        hashes = self.definition["archive"]
        if hashes == BUNDLED:
            return bundled() if self.archive is None else self.archive
        archive = default_archive() if self.archive is None else self.archive
        dataset = self.definition["dataset"]
        archive = archive.above(bundled())  # they ship: nobody needs to add them
        dates = {str(d): d for d in archive.releases(dataset)}
        if missing := [d for d in hashes if d not in dates]:
            raise ArchiveError(
                f"the archive has {number_of(len(hashes) - len(missing), 'release')} of the "
                f"{len(hashes)} that task {self.name} names, and lacks {', '.join(missing[:3])}"
                f"{', …' if len(missing) > 3 else ''}",
                hint="add them (odforecast data add FILE), or name another archive",
            )
        for day, expected in hashes.items():
            if (actual := archive.data_hash(day, dataset)) != expected:
                raise ArchiveError(
                    f"the archive's release {day} is another copy than the one task {self.name} "
                    f"names: data hash {actual}, not {expected}",
                    hint="add the same file, or give the task another name and this hash",
                )
        if dataset == COUNTIES:
            # The states beside them are those that ship, so that the definition says all.
            tables = {BUNDLED_RELEASE: bundled().release(BUNDLED_RELEASE)}
            return Archive.in_memory(
                tables,  # type: ignore[arg-type]
                {dates[day]: archive.release(day, dataset=COUNTIES) for day in hashes},
            )
        if set(hashes) == set(dates):
            return archive
        # Nothing else may be seen: a release more would be one more that models compare with.
        return Archive.in_memory({dates[day]: archive.release(day) for day in hashes})

    @cached_property
    def truth(self) -> Truth:
        """What is scored against."""
        says = self.definition["truth"]
        dataset = self.definition["dataset"]
        # Of counties the newest: the states beside them may be younger.
        day = says["release"] if dataset == STATES else None
        vintage = self.releases.as_of(day, dataset)
        if says["release"] not in (None, str(vintage.release(dataset))):
            raise ArchiveError(
                f"the archive has no release {says['release']} of {dataset}, the truth of task "
                f"{self.name}",
                hint="add it: odforecast data add FILE",
            )
        panel = vintage.panel(self.definition["indicator"], dataset)
        return Truth(panel, says["kind"], min_age=says["min_age"])

    @cached_property
    def origins(self) -> list[Origin]:
        """What was known at each origin, in order.

        Raises
        ------
        BacktestError
            If more donors are asked for than there are: one would come twice at a month.
        """
        says = self.definition
        archive = self.releases
        if says["vintages"] != VINTAGE_REAL and says["dataset"] == STATES:
            archive = archive.until(self.truth.release)
        keys = ("start", "end", "step", "indicator", "dataset")
        arguments = {key: says[key] for key in keys if says[key] is not None}
        if says["donors"] is not None:
            if says["donors"] > (most := len(available(archive))):
                raise BacktestError(
                    f"task {self.name} asks for {says['donors']} donors at each month, and there "
                    f"are {most}",
                    hint=f"donors: {most} at most",
                )
            arguments["donors"] = says["donors"]
        return origins(archive, says["vintages"], **arguments)

    @cached_property
    def origin_ids(self) -> list[str]:
        """A name for each origin, in their order: its day, and the donor where there is one.

        Origins with delay have several donors on nearly the same day.
        """
        return [
            f"{o.as_of}-by-{o.donor}" if o.donor else str(o.as_of) for o in self.origins
        ]

    @property
    def origins_listed(self) -> list[dict[str, Any]]:
        """The origins as the manifest of a run lists them."""
        return [as_dict(origin) for origin in self.origins]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the definition and of the data: 64 hexadecimal digits.

        Of the definition all counts but its name and title. Of the data, the hashes of the truth
        and of every origin's panel (its as-of date, donor and distance with it): so another
        archive, or another set of donors, gives another fingerprint.
        """
        return fingerprint_of(
            self.definition, self.truth.data_hash, found=self.origins_listed
        )

    @property
    def short(self) -> str:
        """The first digits of the fingerprint, as they are shown."""
        return self.fingerprint[:SHORT]

    @property
    def manifest(self) -> dict[str, Any]:
        """What the manifest of a run says about its task."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "definition": dict(self.definition),
        }

    def arguments(self, archive: Archive | None = None) -> dict[str, Any]:
        """Arguments for :func:`odforecast.backtest`, all of :data:`FIXED` that are not defaults.

        Parameters
        ----------
        archive : Archive, optional
            Releases to answer the task from, instead of its own.
        """
        if archive is not None and archive is not self.archive:
            return Task.load(self, archive).arguments()
        says = self.definition
        return {
            "origins": self.origins,
            "truth": self.truth,
            "indicator": says["indicator"],
            "dataset": says["dataset"],
            "locations": None if says["locations"] == ALL else list(says["locations"]),
            "horizon": says["horizon"],
            "horizons": None
            if says["horizons"] in (None, ALL)
            else list(says["horizons"]),
            "draws": says["draws"],
            "seed": says["seed"],
            "targets": tuple(says["targets"]),
            "metrics": tuple(says["scores"]["metrics"]),
        }

    def run(
        self, models: str | Model | Sequence[str | Model] | None = None, **how: Any
    ) -> Results:
        """Run models on the task: :func:`odforecast.backtest` with ``task=`` this one.

        Parameters
        ----------
        models : str, Model or sequence of them, optional
            Default: the default list of a backtest.
        **how
            ``out``, ``executor``, ``progress`` as :func:`odforecast.backtest` takes them.
        """
        refuse(self, how)
        task = Task.load(self, how.pop("archive", None))
        if models is None:
            models = default_models(task.origins)
        definition = task.arguments()
        settings = {name: definition[name] for name in _PLANNED}
        units = plan(models, task.origins, task.truth, **settings)
        return run_plan(units, more={"task": task.manifest}, **how)


def refuse(task: Task, names: Iterable[str]) -> None:
    """Refuse arguments of a backtest that the task says."""
    for name in names:
        if name in FIXED:
            raise BacktestError(
                f"{name} is set by task {task.name}",
                hint="leave it out, or write a task file of your own",
            )


def places(task: Task, panels: Sequence[Panel]) -> tuple[str, ...]:
    """Places of some of its origins that a task asks for."""
    if task.definition["locations"] == ALL:
        return usual_places(panels)
    chosen = set(resolve(task.definition["locations"]))
    return tuple(dict.fromkeys(s for p in panels for s in p.locations if s in chosen))


def fingerprint_of(
    definition: Mapping[str, Any], truth: str, found: Sequence[Mapping[str, Any]]
) -> str:
    """A fingerprint from what a manifest says: it can be worked out without the data."""
    keys = ("as_of", "vintage", "donor", "donor_distance", "data_hash")
    body = {
        "definition": {k: v for k, v in definition.items() if k not in WORDS},
        "truth": truth,
        # That an origin has no panel counts; how a version of ours words it does not.
        "origins": [
            [*(each[key] for key in keys), "no panel" if each["reason"] else ""]
            for each in found
        ],
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
