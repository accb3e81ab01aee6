"""A hub made from an archive: its configuration, its target data, its models' metadata.

The folder appears whole or not at all. It holds no submission: :func:`odforecast.hub.submit`, or
somebody else, puts them there.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import secrets
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from odforecast.errors import DataError, one_of
from odforecast.geography.places import called, lookup, population
from odforecast.hub import config
from odforecast.hub.layout import CONFIG, MODEL_METADATA, MODEL_OUTPUT, TARGET_DATA, Hub
from odforecast.hub.metadata import (
    LICENCES,
    all_labels,
    built_in,
    metadata_schema,
    model_metadata,
    write_metadata,
)
from odforecast.hub.readme import readme
from odforecast.hub.target_data import (
    oracle_output,
    time_series,
    write_oracle_output,
    write_time_series,
)
from odforecast.io import replacing
from odforecast.names import ALL_DRUGS, LOCATION, MONTH, VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.say import quoted
from odforecast.version import __version__
from odforecast.vintage import Archive
from odforecast.vintage import archive as own_archive

if TYPE_CHECKING:
    from odforecast.backtesting.origin import Origin

#: What stands in the configuration until somebody says better.
CONTACT: Final[Mapping[str, str]] = {"name": "The hub's maintainer", "email": "hub@example.org"}
REPOSITORY: Final = "example/overdose-hub"

#: A list of numbers or words, one to a line, as :mod:`json` writes it.
_LIST = re.compile(r"\[\n\s+((?:[^\[\]{}]|\n)*?)\n(\s*)\]")


def init(
    folder: str | os.PathLike[str],
    archive: Archive | None = None,
    *,
    indicator: str = "all-drugs",
    kind: str = VINTAGE_REAL,
    start: object | None = None,
    end: object | None = None,
    models: Sequence[str] | str | None = None,
    horizon: int = 12,
    samples: tuple[int, int] = config.SAMPLES,
    joint: Sequence[str] = (LOCATION, MONTH),
    name: str | None = None,
    maintainer: str = "odforecast",
    contact: Mapping[str, str] = CONTACT,
    repository: str = REPOSITORY,
    license: str = "CC-BY-4.0",
) -> Hub:
    """Make a hubverse hub.

    Parameters
    ----------
    folder : path
        Where; it must not be there yet, or be empty.
    archive : Archive, optional
        Releases. Default: your own, with the bundled ones beneath.
    indicator : str
        What is counted: CDC's name or a short one.
    kind : {"real", "pseudo-clean", "pseudo-delayed"}
        The rounds: one per release; or, of the past again, one per month, cut from the newest
        release, complete or as incomplete as another release was. Origins of one day are one
        round, that with the latest months.
    start, end : month, optional
        First and last *last known month* of the rounds, as for :func:`odforecast.origins`.
    models : sequence of str, or "all", optional
        Built-in models whose metadata are written. Default: those of a backtest.
    horizon : int
        Months ahead that are asked for.
    samples : tuple of int
        Samples of a task, at least and at most.
    joint : sequence of str
        Over what a sample is one course at least: ``"location"``, ``"month"``. A model whose draws
        are not, submits quantiles only.
    name, maintainer : str
        Of the hub.
    contact : mapping of str to str
        ``name`` and ``email`` of a person.
    repository : str
        ``OWNER/NAME`` of the repository the hub will lie in.
    license : str
        Of the output of the built-in models.

    Returns
    -------
    Hub
        Opened. It is valid by version 6.0.0 of the hubverse's schemas.

    Raises
    ------
    DataError
        If the folder is there and not empty, or an argument is wrong.
    BacktestError
        If there is no origin.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> hub = od.hub.init(tempfile.mkdtemp() + "/hub", od.bundled())
    >>> hub.tasks["rounds"][-1]["round_name"]
    '2026-01-14, known to 2025-08'
    >>> len(hub.target_files("time-series")), len(hub.metadata_files())
    (2, 9)
    """
    from odforecast.backtesting.origin import KINDS, origins
    from odforecast.scoring import Truth

    if not isinstance(folder, str | os.PathLike):
        raise DataError(f"folder is {quoted(folder)}", hint="give the path of a new folder")
    target = Path(folder)
    check_room(target)
    if kind not in KINDS:
        raise DataError(f"unknown kind of rounds {kind!r}", hint=one_of(kind, KINDS))
    if license not in LICENCES:
        raise DataError(f"unknown licence {license!r}", hint=one_of(license, LICENCES))
    labels = _labels(models)
    releases = releases_of(archive)
    panels = panels_of(origins(releases, kind, start, end, donors=1, indicator=indicator))
    newest = releases.as_of().panel(indicator)
    truth = Truth(newest)
    what = newest.indicator
    facts = {
        "indicator": what,
        "dataset": newest.dataset,
        "basis": newest.basis,
        "rounds": kind,
        "truth_release": str(truth.release),
        "made_with": f"odforecast {__version__}",
    }
    title = name or f"Forecasts of US drug-overdose deaths{_of(what)}"
    admin = config.admin_config(title, maintainer, contact, repository, more=facts)
    rounds = [config.Round(p.as_of, p.last_month, p.locations) for p in panels]
    tasks = config.tasks_config(rounds, horizon, samples, joint)
    with appearing(target) as part:
        write_json(admin, part / CONFIG / "admin.json")
        write_json(tasks, part / CONFIG / "tasks.json")
        write_json(config.target_data_config(), part / CONFIG / "target-data.json")
        write_json(metadata_schema(), part / CONFIG / "model-metadata-schema.json")
        for panel in panels:
            write_time_series(time_series(panel), panel.as_of, part / TARGET_DATA)
        write_oracle_output(oracle_output(panels, truth, horizon), part / TARGET_DATA)
        (part / MODEL_METADATA).mkdir()
        for label in labels:
            write_metadata(model_metadata(label, license), part)
        (part / MODEL_OUTPUT).mkdir()
        (part / "auxiliary-data").mkdir()
        _text(_places(newest), part / "auxiliary-data" / "locations.csv")
        pages = readme(title, facts, panels, labels, horizon, samples, tasks)
        for where, text in pages.items():
            _text(text, part / where)
    return Hub.open(target)


def releases_of(archive: Archive | None) -> Archive:
    """The archive given, or your own.

    Raises
    ------
    DataError
        If it is no archive, but a name or a folder for one.
    """
    if archive is None:
        return own_archive()
    if not isinstance(archive, Archive):
        raise DataError(
            f"archive is {quoted(archive)}, and no archive",
            hint="pass od.bundled(), od.archive() or od.Archive(folder)",
        )
    return archive


def check_room(folder: Path) -> None:
    """Refuse a folder that holds something, before any work.

    Raises
    ------
    DataError
        If it is a file, is not empty, or nothing can be written there.
    """
    if folder.is_dir():
        if there := sorted(p.name for p in folder.iterdir()):
            raise DataError(
                f"{folder} is not empty: {there[0]}",
                hint="give a new folder; a hub that is there is not written over",
            )
    elif folder.exists() or folder.is_symlink():
        raise DataError(f"{folder} is a file", hint="give a new folder")
    above = next(p for p in folder.absolute().parents if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise DataError(f"{folder}: nothing can be written into {above}")


@contextlib.contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A hidden folder beside ``folder`` that takes its place only once it is whole.

    Parameters
    ----------
    folder : Path
        Absent, or empty.

    Yields
    ------
    Path
        Where to write. If the block raises, nothing is left.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    part.mkdir()
    try:
        yield part
        if folder.is_dir():
            folder.rmdir()  # an empty one; if somebody filled it meanwhile, this raises
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write a configuration for people to read: lists of numbers and words in a few lines.

    Parameters
    ----------
    value : mapping
    path : Path
        Its folder is made if it is absent; the file is whole or as it was.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    _text(_LIST.sub(_packed, text) + "\n", path)


def _packed(found: re.Match[str]) -> str:
    cells = " ".join(found[1].split()) if '"' not in found[1] else re.sub(r"\n\s+", " ", found[1])
    indent = found[2]
    if len(cells) + len(indent) < 90:
        return f"[{cells}]"
    # Codes and dates hold no space: lines break between them.
    inner = textwrap.fill(
        cells, 98, initial_indent=indent + "  ", subsequent_indent=indent + "  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return f"[\n{inner}\n{indent}]"


def _text(text: str, path: Path) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def _labels(models: Sequence[str] | str | None) -> tuple[str, ...]:
    if models is None:
        from odforecast.backtesting import DEFAULT_MODELS

        return DEFAULT_MODELS
    if isinstance(models, str):
        if models != "all":
            raise DataError(f"models is {models!r}", hint="a list of labels, or 'all'")
        return all_labels()
    labels = tuple(dict.fromkeys(models))
    if wrong := [label for label in labels if not built_in(label)]:
        raise DataError(
            f"{wrong[0]!r} is no built-in model of states", hint=one_of(wrong[0], all_labels())
        )
    return labels


def panels_of(found: Sequence[Origin]) -> list[Panel]:
    """What was known at each origin; of several of one day, what reaches furthest.

    Raises
    ------
    DataError
        If there is none.
    """
    kept: dict[object, Panel] = {}
    for panel in (o.panel for o in found if o.panel is not None):
        before = kept.get(panel.as_of)
        if before is None or before.last_month <= panel.last_month:
            kept[panel.as_of] = panel
    if not kept:
        why = next((o.reason for o in found if o.reason), "no release can be used")
        raise DataError(f"no round can be made: {why}")
    return [kept[day] for day in sorted(kept, key=str)]


def _of(indicator: str) -> str:
    return "" if indicator == ALL_DRUGS else f", {indicator}"


def _places(panel: Panel) -> str:
    """Places as hubs list them: code, name, people (blank where they are not counted)."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["abbreviation", "location", "location_name", "population"])
    year = int(str(panel.last_month)[:4])
    for state in panel.locations:
        place = lookup(state)
        people = population(state, year)
        rows.writerow([state, place.code, called(state), "" if np.isnan(people) else round(people)])
    return out.getvalue()
