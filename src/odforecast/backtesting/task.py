"""A task: what everybody who takes part in a benchmark forecasts, from what, against what.

Its definition says so in a file (:mod:`odforecast.backtesting.definition`); its **fingerprint**
is a hash of that and of the data behind it: the truth, and what was known at every origin, the
releases that delays are taken from included. Scores of two fingerprints have no common table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from odforecast.backtesting.definition import ALL, BUNDLED, WORDS, read, shipped
from odforecast.backtesting.origin import Origin, listed, origins
from odforecast.backtesting.results import Results
from odforecast.errors import ArchiveError, BacktestError
from odforecast.models import Model
from odforecast.names import COUNTIES, STATES, VINTAGE_REAL
from odforecast.say import card, number_of, steady
from odforecast.scoring import Truth
from odforecast.vintage import Archive, bundled
from odforecast.vintage import archive as default_archive
from odforecast.vintage.bundle import BUNDLED_RELEASE
from odforecast.vintage.donors import available

#: Digits of a fingerprint that are shown.
SHORT = 12
#: Arguments of :func:`odforecast.backtest` that a task says, and that nobody may say beside it.
FIXED = (
    "origins", "indicator", "dataset", "truth", "start", "end", "step", "donors", "locations",
    "horizon", "draws", "seed", "targets", "horizons", "metrics", "joint",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """A definition, and the archive it is answered from.

    Attributes
    ----------
    definition : dict
        Every key of :data:`odforecast.backtesting.definition.KEYS`.
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
        made = task if isinstance(task, Task) else cls(read(task))
        return made if archive is None else replace(made, archive=archive)

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
        named = self.definition["archive"]
        if named == BUNDLED:
            return bundled() if self.archive is None else self.archive
        held = default_archive() if self.archive is None else self.archive
        dataset = self.definition["dataset"]
        held = held.above(bundled())  # they ship: nobody needs to add them
        there = {str(d): d for d in held.releases(dataset)}
        if lacking := [d for d in named if d not in there]:
            raise ArchiveError(
                f"the archive has {number_of(len(named) - len(lacking), 'release')} of the "
                f"{len(named)} that task {self.name} names, and lacks {', '.join(lacking[:3])}"
                f"{', …' if len(lacking) > 3 else ''}",
                hint="add them (odforecast data add FILE), or name another archive",
            )
        for day, wanted in named.items():
            if (found := held.data_hash(day, dataset)) != wanted:
                raise ArchiveError(
                    f"the archive's release {day} is another copy than the one task {self.name} "
                    f"names: data hash {found}, not {wanted}",
                    hint="add the same file, or give the task another name and this hash",
                )
        if dataset == COUNTIES:
            # The states beside them are those that ship, so that the definition says all.
            tables = {BUNDLED_RELEASE: bundled().release(BUNDLED_RELEASE)}
            return Archive.in_memory(
                tables,  # type: ignore[arg-type]
                {there[day]: held.release(day, dataset=COUNTIES) for day in named},
            )
        if set(named) == set(there):
            return held
        # Nothing else may be seen: a release more would be one more that models compare with.
        return Archive.in_memory({there[day]: held.release(day) for day in named})

    @cached_property
    def truth(self) -> Truth:
        """What is scored against."""
        says, dataset = self.definition["truth"], self.definition["dataset"]
        # Of counties the newest: the states beside them may be younger.
        day = says["release"] if dataset == STATES else None
        seen = self.releases.as_of(day, dataset)
        if says["release"] not in (None, str(seen.release(dataset))):
            raise ArchiveError(
                f"the archive has no release {says['release']} of {dataset}, the truth of task "
                f"{self.name}",
                hint="add it: odforecast data add FILE",
            )
        panel = seen.panel(self.definition["indicator"], dataset)
        return Truth(panel, says["kind"], says["min_age"])

    @cached_property
    def origins(self) -> list[Origin]:
        """What was known at each origin, in order.

        Raises
        ------
        BacktestError
            If more donors are asked for than there are: one would come twice at a month.
        """
        says, seen = self.definition, self.releases
        if says["vintages"] != VINTAGE_REAL and says["dataset"] == STATES:
            seen = seen.until(self.truth.release)
        keys = ("start", "end", "step", "indicator", "dataset")
        asked = {key: says[key] for key in keys if says[key] is not None}
        if says["donors"] is not None:
            if says["donors"] > (most := len(available(seen))):
                raise BacktestError(
                    f"task {self.name} asks for {says['donors']} donors at each month, and there "
                    f"are {most}",
                    hint=f"donors: {most} at most",
                )
            asked["donors"] = says["donors"]
        return origins(seen, says["vintages"], **asked)

    @cached_property
    def origin_ids(self) -> list[str]:
        """A name for each origin, in their order: its day, and the donor where there is one.

        Origins with delay have several donors on nearly the same day.
        """
        return [f"{o.as_of}-by-{o.donor}" if o.donor else str(o.as_of) for o in self.origins]

    @property
    def origins_listed(self) -> list[dict[str, Any]]:
        """The origins as the manifest of a run lists them."""
        return [listed(origin) for origin in self.origins]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the definition and of the data: 64 hexadecimal digits.

        Of the definition all counts but its name and title. Of the data, the hashes of the truth
        and of every origin's panel (its as-of date, donor and distance with it): so another
        archive, or another set of donors, gives another fingerprint.
        """
        return fingerprint_of(self.definition, self.truth.data_hash, self.origins_listed)

    @property
    def short(self) -> str:
        """The first digits of the fingerprint, as they are shown."""
        return self.fingerprint[:SHORT]

    @property
    def manifest(self) -> dict[str, Any]:
        """What the manifest of a run says of its task."""
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
            "horizons": None if says["horizons"] in (None, ALL) else list(says["horizons"]),
            "draws": says["draws"],
            "seed": says["seed"],
            "targets": tuple(says["targets"]),
            "metrics": tuple(says["scores"]["metrics"]),
            "joint": says["scores"]["joint"],
        }

    def run(self, models: str | Model | Sequence[str | Model] | None = None, **how: Any) -> Results:
        """Run models on the task: :func:`odforecast.backtest` with ``task=`` this one.

        Parameters
        ----------
        models : str, Model or sequence of them, optional
            Default: the default list of a backtest.
        **how
            ``out``, ``executor``, ``progress`` as :func:`odforecast.backtest` takes them.

        Raises
        ------
        BacktestError
            If something is given that the task says.
        """
        from odforecast.backtesting.run import backtest

        if said := [key for key in how if key in FIXED]:
            raise BacktestError(
                f"{said[0]} is said by task {self.name}",
                hint="leave it out, or write a task file of your own",
            )
        return backtest(models, task=self, **how)


def fingerprint_of(
    definition: Mapping[str, Any], truth: str, found: Sequence[Mapping[str, Any]]
) -> str:
    """A fingerprint from what a manifest says: it can be worked out without the data.

    Parameters
    ----------
    definition : mapping
    truth : str
        Data hash of the truth.
    found : sequence of mapping
        Origins, as the manifest of a run lists them.
    """
    keys = ("as_of", "vintage", "donor", "donor_distance", "data_hash")
    body = {
        "definition": {k: v for k, v in definition.items() if k not in WORDS},
        "truth": truth,
        # That an origin has no panel counts; how a version of ours words it does not.
        "origins": [
            [*(each[key] for key in keys), "no panel" if each["reason"] else ""] for each in found
        ],
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
