"""One update: fetch, check, forecast, compare, correct, write its folder whole, record."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from odforecast.backtesting.store import locked
from odforecast.errors import (
    ArchiveError,
    BacktestError,
    DataError,
    DownloadError,
    OdforecastError,
    QuarantineError,
    whole,
)
from odforecast.forecasts import Forecast
from odforecast.forecasts.text import place_name
from odforecast.geography import NATION, called, resolve
from odforecast.hub import model_id, to_hub, write_hub
from odforecast.io import replacing_folder
from odforecast.models import Model, get_model
from odforecast.months import today
from odforecast.names import DEFAULT_DRAWS, DEFAULT_HORIZON, DEFAULT_SEED, TARGET_12MO
from odforecast.panel import Panel
from odforecast.report.page import Table
from odforecast.say import html_table, number_of, old_data_note
from odforecast.scenario import Scenario, Series, Track
from odforecast.updating import changes
from odforecast.updating import record as records
from odforecast.updating.changes import Change, chosen, compared, whole_forecast
from odforecast.updating.scenarios import lacking, tracked
from odforecast.updating.scenarios import sections as clocks
from odforecast.version import __version__
from odforecast.vintage import Archive, Vintage
from odforecast.vintage import archive as own_archive
from odforecast.vintage.bundle import default_folder
from odforecast.vintage.fetch import Socrata
from odforecast.vintage.fetch import fetch as fetch_release
from odforecast.vintage.quality import SEVERITIES, Flag, check

if TYPE_CHECKING:
    from odforecast.report.site import Section

#: The record, in the folder of all updates, and files in that of a release.
RECORD = "record.csv"
PAGE = "index.html"
#: The page that scores cooperation, where the nation is among the places.
SCORED = "cooperation.html"
MANIFEST = "update.json"
CHANGES = "changes.csv"
#: Flags of a release that the page lists.
FLAGS = 30
_LEFT_OVER = re.compile(r"\.\d{4}-\d{2}-\d{2}\.[0-9a-f]{8}\.(part|old)")
#: What all lines of one forecast from a release have in common.
_MADE = ["spec", "version", "data", "seed", "draws"]


@dataclass(frozen=True)
class Settings:
    """How a forecast is made, the scenarios that a clock is kept of, and what the clocks read."""

    model: str | None = None
    locations: str | tuple[str, ...] = "all"
    draws: int = DEFAULT_DRAWS
    seed: int = DEFAULT_SEED
    scenarios: tuple[Scenario, ...] = ()
    series: tuple[Series, ...] = ()


@dataclass(eq=False, repr=False)
class Update:
    """What an update found and did; made by :func:`update`.

    Each piece is made when it is first asked for: the forecast of a release that was done before
    is made again, the same.

    Attributes
    ----------
    new : bool
        Whether the release was forecast now; if not, it had been before.
    notes : tuple of str
        What to know: how old the release is, what became of the download, what was corrected.
    added : int
        Lines written into the record: also of a release that is not new, where the record had to
        take something back.
    tracks : tuple of Track
        Clocks of scenarios that were read now.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> from odforecast.updating import update
    >>> done = update(out=tempfile.mkdtemp(), fetch=False, model="drift", draws=50)
    >>> done.release, done.new, done.forecast.draws.shape[0]
    (datetime.date(2026, 1, 14), True, 50)
    """

    archive: Archive
    out: Path
    settings: Settings
    lines: pd.DataFrame
    new: bool = False
    notes: tuple[str, ...] = ()
    added: int = 0
    tracks: tuple[Track, ...] = ()

    def __repr__(self) -> str:
        result = (
            f"{self.added:,} lines recorded"
            if self.new or self.added
            else "nothing new"
        )
        return f"<Update from release {self.release}: {result}, in {self.folder}>"

    def _repr_html_(self) -> str:
        table = self.changed
        if (month := changes.month_of(self.change)) is not None:
            table = table[table["month"] == month]
        columns = [
            "name",
            "month",
            "before",
            "now",
            "change",
            "revisions",
            "new_months",
            "places",
            "model",
        ]
        note = " ".join(changes.sentences(self.change, self.place))
        title = f"Update from release {self.release}: what changed"
        return html_table(table[columns].round(0), title, note=note)

    @property
    def release(self) -> dt.date:
        """The release it is about."""
        return self.vintage.date

    @property
    def folder(self) -> Path:
        """Where the page (``index.html``), the hub file and ``update.json`` are."""
        return self.out / str(self.release)

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / PAGE

    @property
    def hub_file(self) -> Path:
        """The hub file."""
        return self.folder / str(self._manifest["hub_file"])

    @property
    def record_file(self) -> Path:
        """``record.csv``."""
        return self.out / RECORD

    @property
    def record(self) -> pd.DataFrame:
        """The record as it is now; see :func:`odforecast.updating.read`."""
        return records.read(self.record_file)

    @cached_property
    def vintage(self) -> Vintage:
        """The newest release that counts, seen from its own day, whatever is quarantined."""
        return self.archive.as_of(self.archive.last_seen)

    @cached_property
    def panel(self) -> Panel:
        """All drugs, all places."""
        return self.vintage.panel()

    @cached_property
    def model(self) -> Model:
        """The model."""
        return get_model(self.settings.model)

    @cached_property
    def locations(self) -> tuple[str, ...]:
        """Codes of the places that are asked for."""
        return resolve(self.settings.locations, self.panel.locations)

    @cached_property
    def whole(self) -> Forecast:
        """The forecast of these places among all that the model forecasts with them."""
        s = self.settings
        return whole_forecast(
            self.model,
            self.panel,
            locations=self.locations,
            horizon=DEFAULT_HORIZON,
            draws=s.draws,
            seed=s.seed,
        )

    @cached_property
    def forecast(self) -> Forecast:
        """The forecast of these places."""
        return chosen(self.whole, self.locations)

    @property
    def place(self) -> str:
        """The place that sentences are about: the nation where it is forecast, else the first."""
        locations = self.forecast.locations
        return NATION if NATION in locations else locations[0]

    @cached_property
    def flags(self) -> list[Flag]:
        """What to know of the release; see :func:`odforecast.vintage.quality.check`."""
        dates = self.archive.releases()
        position = dates.index(self.release)
        earlier = self.archive.release(dates[position - 1]) if position else None
        return check(self.vintage.table, earlier)

    @cached_property
    def change(self) -> Change:
        """The forecast against the one before, with counts and reasons."""
        dates = [d for d in self.archive.releases() if d < self.release]
        recorded = self._recorded
        if len(recorded):
            dates = [d for d in dates if d == recorded["release"].iloc[0].date()]
        earlier = self.archive.as_of(dates[-1]).panel() if dates else None
        return compared(
            self.forecast,
            self.panel,
            earlier=earlier,
            model=self.model,
            recorded=recorded,
            locations=self.locations,
        )

    @property
    def changed(self) -> pd.DataFrame:
        """What changed, by place and month; see :class:`odforecast.updating.changes.Change`."""
        return self.change.table

    @property
    def _forecasts(self) -> pd.DataFrame:
        """Forecasts that stand in the record before this update."""
        entries = records.standing(self.lines)
        forecasts: pd.DataFrame = entries[entries["kind"] == records.FORECAST]
        return forecasts

    @cached_property
    def _recorded(self) -> pd.DataFrame:
        """The newest forecast in the record from an earlier release, of all its places.

        It may have been written by several updates: with more places than before, or after one
        that was killed. One that was never written to its end is passed over for one that was.
        """
        forecasts: pd.DataFrame = self._forecasts
        forecasts = forecasts[forecasts["release"] < pd.Timestamp(self.release)]
        forecasts = forecasts[forecasts["release"] == forecasts["release"].max()]
        if forecasts.empty:
            return forecasts
        complete = forecasts["lines"] == forecasts["batch"].map(
            self.lines.groupby("batch").size()
        )
        newest = forecasts[complete].iloc[-1] if complete.any() else forecasts.iloc[-1]
        batch: pd.DataFrame = forecasts[(forecasts[_MADE] == newest[_MADE]).all(axis=1)]
        return batch

    @property
    def _manifest(self) -> dict[str, Any]:
        """What ``update.json`` of this release says now; nothing where there is no page."""
        return _read_manifest(self.folder) if self.page.exists() else {}

    @property
    def _identity(self) -> dict[str, Any]:
        """What makes this forecast the same as another one, as ``update.json`` says it."""
        s = self.settings
        return {
            "model": self.model.label,
            "spec": self.model.spec.hash,
            "version": __version__,
            "data": self.panel.data_hash,
            "seed": s.seed,
            "draws": s.draws,
            "asked": "all" if s.locations == "all" else ",".join(self.locations),
        }

    def _manifest_to_be(self, on: dt.date) -> dict[str, Any]:
        """What ``update.json`` will say."""
        forecast = self.forecast
        label = self.model.label
        skipped = {}
        for place in self.locations:
            if place not in forecast.locations:
                skipped[place] = forecast.skipped.get(
                    place, "the model does not forecast it"
                )
        return {
            "release": str(self.release),
            "on": str(on),
            "last_month": str(self.panel.last_month),
            "until": str(forecast.months[-1]),
            **self._identity,
            "locations": list(forecast.locations),
            "skipped": skipped,
            "before": None if self.change.before is None else str(self.change.before),
            "warnings": list(forecast.warnings),
            "recorded": len(records.forecast_lines(forecast, self.panel)),
            # As hubs want it named; Parquet holds in 0.2 MB what takes 2 MB as text.
            "hub_file": f"{self.release}-{model_id(label)}.parquet",
        }

    def _done(self) -> dt.date | None:
        """The day the release was forecast in full: the record has what page and hub file say."""
        forecasts = self._forecasts
        manifest = self._manifest
        places = manifest.get("locations")
        if not isinstance(places, list):
            return None
        forecasts = forecasts[
            (forecasts["release"] == pd.Timestamp(self.release))
            & forecasts["location"].isin(places)
        ]
        for name in _MADE:
            forecasts = forecasts[
                forecasts[name].astype(str) == str(manifest.get(name))
            ]
        complete = set(forecasts["location"]) == set(places)
        if "recorded" in manifest:  # an earlier version did not say it
            complete = len(forecasts) == manifest["recorded"]
        if not complete or forecasts.empty:
            return None
        day: dt.date = forecasts["on"].iloc[-1].date()
        return day

    def _otherwise(self) -> list[str]:
        """What the forecast that was made has otherwise than this one would."""
        manifest = self._manifest
        words = changes.SETTINGS | {"asked": "locations", "data": "data with hash"}
        differences = []
        for key, value in self._identity.items():
            if manifest.get(key) != value:
                differences.append(f"{words[key]} {manifest.get(key)}, not {value}")
        if manifest and not self.model.spec.origin:
            differences.append("code that no version tells, which may have changed")
        return differences

    def _clocks(self, on: dt.date, again: bool) -> tuple[Track, ...]:
        """The clocks of the scenarios, written; with ``again`` also those that are there."""
        s = self.settings
        if not (again or lacking(s.scenarios, self.out, release=self.release)):
            return ()
        place = NATION if NATION in self.locations else self.locations[0]
        return tuple(
            tracked(
                s.scenarios,
                self.out,
                archive=self.archive,
                on=on,
                location=place,
                series=s.series,
                seed=s.seed,
            )
        )

    # ------------------------------------------------------------------------------- the work

    def _refuse_clock(self, on: dt.date) -> None:
        last = self.lines["on"].max()
        if not self.lines.empty and pd.Timestamp(on) < last:
            raise DataError(
                f"the clock says {on}, and the record has lines of {last:%Y-%m-%d}",
                hint="set the clock right, or begin another record: --out",
            )

    def _refuse_errors(self) -> None:
        """Stop at a release that contradicts itself, unless somebody accepted it with a reason."""
        wrong = [flag for flag in self.flags if flag.severity == "error"]
        if wrong and not self.archive.reason(self.release):
            more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise QuarantineError(
                f"release {self.release} contradicts itself: {wrong[0].message}{more}",
                hint="see odforecast data check; nothing was forecast",
            )

    def _correct(self, on: dt.date) -> Iterator[str]:
        """Take back what was recorded from figures that count no more; notes on it."""
        new = records.corrections(self.lines, self.archive, on=on)
        if new.empty:
            return
        self._refuse_clock(on)
        records.append(self.record_file, new)
        self.lines = self.record
        self.added = len(new)
        withdrawn = new.loc[new["kind"] == records.WITHDRAWN, "release"].dt.strftime(
            "%Y-%m-%d"
        )
        releases = {str(date) for date in self.archive.releases()}
        for date in withdrawn.unique():
            reason = (
                "some of its figures were replaced"
                if date in releases
                else "it was retracted"
            )
            yield f"release {date}: {reason}; what was recorded from it is withdrawn"
            if date not in releases and (self.out / date).exists():
                yield f"{self.out / date} was made from it and stays: delete it if you like"
        counts = int((new["kind"] == records.CAME).sum())
        if counts:
            yield f"{counts:,} counts are recorded anew"

    def _do(
        self, notes: Iterable[str], *, again: bool, fetched: bool = False
    ) -> Update:
        """Do what an update does, under the lock of its folder."""
        if self.archive.last_seen is None:
            self.archive.as_of()  # says what to do
        on = today()
        if on < self.release:
            raise DataError(
                f"the clock says {on}, before release {self.release}",
                hint="a record is dated by the clock: set it right",
            )
        self._refuse_errors()
        unused_note = self.archive.as_of().note
        messages = [*notes, *self._correct(on)]
        if unused_note:
            messages.append(unused_note)
        messages += [
            note for note in dict.fromkeys(self.panel.notes) if note != unused_note
        ]
        old_note = (
            None if fetched else old_data_note(self.release, on)
        )  # none newer after a fetch
        if old_note:
            messages.append(old_note)
        day = self._done()
        differences = self._otherwise() if day else []
        if day and not (differences and again):
            messages.append(
                f"release {self.release} was forecast on {day}: nothing new"
            )
            if differences:
                messages.append(
                    f"it was made with {'; '.join(differences)}: --again makes another"
                )
            self.notes = tuple(messages)
            self.tracks = self._clocks(on, again)
            return self
        newest = records.standing(self.lines)["release"].max()
        if newest > pd.Timestamp(self.release):
            raise ArchiveError(
                f"the record holds forecasts from release {newest:%Y-%m-%d}, and the newest "
                f"release here is {self.release}",
                hint="fetch the newest one, or write to another folder: --out",
            )
        self._refuse_clock(on)
        _check_folder(self.folder)
        self.tracks = self._clocks(on, again=True)
        new = records.lines_of(self.lines, self.forecast, panel=self.panel, on=on)
        record = records.joined(
            [part for part in (self.lines, new) if len(part)] or [new]
        )
        # The page first: killed between the two, the next run finds lines missing and writes them.
        _write_folder(self, record, manifest=self._manifest_to_be(on))
        records.append(self.record_file, new)
        self.new = True
        self.notes = (*messages, *self.notes)
        self.added += len(new)
        return self


def default_out() -> Path:
    """Where updates are written unless told otherwise: beside the user's archive."""
    return default_folder().parent / "updates"


def update(
    archive: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    fetch: bool = True,
    model: str | None = None,
    locations: str | Iterable[str] = "all",
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    again: bool = False,
    scenarios: Scenario | Iterable[Scenario] = (),
    series: Series | Iterable[Series] = (),
    client: Socrata | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Update:
    """Fetch the present release, check it, forecast, say what changed, and record it.

    Parameters
    ----------
    archive : path, optional
        Folder of releases; made if it does not exist. Default: your own, with the bundled
        ones beneath.
    out : path, optional
        Folder of updates: ``record.csv``, and a folder for each release. Default: ``updates``
        beside your own archive.
    fetch : bool
        Download the present release first; False: use the releases in hand.
    model : str, optional
        Default: ``dlm``.
    locations : str or iterable of str
        Places that are shown and recorded.
    draws, seed : int
        As for :meth:`odforecast.models.model.Fitted.forecast`.
    again : bool
        Forecast a release that was forecast before, with other settings: its folder is written
        anew, and the record keeps both forecasts.
    scenarios : Scenario or iterable of Scenario
        Each with one intervention: it is frozen on its first day, and its clock
        (:func:`odforecast.scenario.track`) is read with the release.
    series : Series or iterable of Series
        What the clocks read beside the counts.
    client : Socrata, optional
        Where to download from. Default: data.cdc.gov.
    progress : callable, optional
        Called as ``progress(rows_here, rows_in_all)`` while downloading.

    Returns
    -------
    Update

    Raises
    ------
    DownloadError
        If the server does not answer.
    ArchiveError
        If the release contradicts itself (it is stored apart, and nothing is written), or there is
        no release.
    DataError
        If the record was edited, the clock is before the release, another update is running, the
        folder cannot be written to, or that of the release holds files that no update wrote.
    ScenarioError
        If a scenario is not what was frozen under its name.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> folder = tempfile.mkdtemp()
    >>> first = od.update(out=folder, fetch=False, model="drift", draws=50)
    >>> first
    <Update from release 2026-01-14: 648 lines recorded, in ...>
    >>> od.update(out=folder, fetch=False, model="drift", draws=50).new
    False
    """
    releases = default_folder() if archive is None else Path(archive)
    target = default_out() if out is None else Path(out)
    settings = Settings(
        model,
        locations if isinstance(locations, str) else tuple(locations),
        draws=whole("draws", draws, least=1),
        seed=whole("seed", seed, least=0),
        scenarios=(scenarios,) if isinstance(scenarios, Scenario) else tuple(scenarios),
        series=(series,) if isinstance(series, Series) else tuple(series),
    )
    get_model(model)  # a wrong name before the work, not after it
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(target, "update"))
        except BacktestError as error:
            raise DataError(error.message, hint=error.hint) from error
        _clear(target)
        lines = records.read(target / RECORD)
        notes = []
        if records.is_torn(target / RECORD):
            notes.append(
                f"{RECORD}: the last line was cut off while it was written; left out"
            )
        if fetch:
            source = stack.enter_context(Socrata()) if client is None else client
            try:
                fetched = fetch_release(
                    "vsrr", releases, client=source, progress=progress
                )
            except DownloadError as error:
                hint = "or go on with the releases in hand: --no-fetch"
                if error.hint is not None:
                    hint = f"{error.hint}, {hint}"
                raise type(error)(error.message, hint=hint) from error
            notes.append(fetched.why)
        work = Update(own_archive(archive), target, settings=settings, lines=lines)
        return work._do(notes, again=again, fetched=fetch)


# ------------------------------------------------------------------ the folder of a release


def _write_folder(
    update: Update, record: pd.DataFrame, manifest: dict[str, Any]
) -> None:
    """Write the folder of an update's release; one that is there is replaced.

    ``record`` has this update's lines too. Refused if it cannot be written, or what is there is
    not ours (:func:`_check_folder`); then nothing is there, or what was there before.
    """
    forecast = update.forecast
    target = update.folder
    try:
        with replacing_folder(target) as part:
            parts = [*sections(update, record), *_scored(update, part / SCORED)]
            write_page(
                part / PAGE, update.whole, locations=forecast.locations, parts=parts
            )
            hub = [
                to_hub(forecast, targets=[TARGET_12MO]),
                to_hub(forecast, output_type="pmf"),
            ]
            write_hub(pd.concat(hub, ignore_index=True), part / manifest["hub_file"])
            table = update.change.table
            table = table.assign(
                month=pd.to_datetime(table["month"], format="ISO8601").dt.strftime(
                    "%Y-%m"
                )
            )
            table.to_csv(
                part / CHANGES,
                index=False,
                float_format="%.1f",
                lineterminator="\n",
            )
            text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
            (part / MANIFEST).write_text(text, encoding="utf-8")
            _check_folder(target)  # a forecast takes its time
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from error


def _scored(update: Update, path: Path) -> Iterator[Section]:
    """Write the page that scores cooperation; where there are the counts for it, a link."""
    from odforecast.report.scored import TITLE, write_scored
    from odforecast.report.site import Section

    if NATION not in update.forecast.locations:
        return
    try:
        scored = write_scored(path, update.archive, seed=update.settings.seed)
    except OdforecastError as error:
        update.notes += (f"{SCORED} is left out: {error.message}",)
        return
    answer = scored.onset.answer
    yield Section(TITLE, [answer], links=[("What the counts show", SCORED)])


def write_page(
    path: Path,
    whole: Forecast,
    locations: Sequence[str],
    parts: Sequence[Section],
) -> None:
    """Write the page of an update: what it says first, then the report of the forecast."""
    from odforecast.report.site import write_report

    write_report(
        path,
        forecast=whole,
        locations=list(locations),
        sections=parts,
    )


def _check_folder(target: Path) -> None:
    """Refuse to replace a folder that is not ours, or holds what somebody put there."""
    hint = "move that away, or write updates to another folder: --out"
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise DataError(f"{target} is not a folder of an update", hint=hint)
    if not target.is_dir():
        return
    manifest = _read_manifest(target)
    expected = (
        {PAGE, SCORED, CHANGES, MANIFEST, manifest.get("hub_file")}
        if manifest
        else set()
    )
    try:
        entries = sorted(target.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {target}: {error.strerror or error}") from error
    unknown = [
        p.name
        for p in entries
        if p.name not in expected or p.is_symlink() or not p.is_file()
    ]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise DataError(
            f"{target} holds files that no update wrote ({', '.join(unknown[:3])}{more}), which "
            "would be replaced",
            hint=hint,
        )


def _clear(out: Path) -> None:
    """Take away what an update that was killed left half written; call it under the lock."""
    with contextlib.suppress(OSError):
        for entry in sorted(out.iterdir()):
            if (match := _LEFT_OVER.fullmatch(entry.name)) is None:
                continue
            target = out / entry.name[1:11]
            if match[1] == "old" and not target.exists():
                entry.rename(target)  # killed between the two renamings
            else:
                shutil.rmtree(entry, ignore_errors=True)


def _read_manifest(folder: Path) -> dict[str, Any]:
    """The ``update.json`` of a folder of a release; empty if it has none of that release."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    valid = isinstance(manifest, dict) and manifest.get("release") == folder.name
    return manifest if valid else {}


# ------------------------------------------------------------------------- sections of the page


def sections(update: Update, record: pd.DataFrame) -> list[Section]:
    """What the page has beside the forecast, the newest first; what is empty is left out."""
    from odforecast.report.site import Section

    change = update.change
    place = update.place
    parts = []
    if change.before is not None:
        sentences, tables = changes.on_page(
            change,
            place,
            all_of_it=f"{CHANGES} has all places and months.",
        )
        parts.append(
            Section(
                "What changed since the previous forecast", sentences, tables=tables
            )
        )
    parts += clocks(update.tracks)
    places = {NATION, *update.forecast.locations}
    flags = [f for f in update.flags if f.severity != "note" and f.location in places]
    if flags:
        cut = (
            f" The first {FLAGS} of {len(flags)} are shown."
            if len(flags) > FLAGS
            else ""
        )
        cells = [
            [called(f.location), f.month or "", f.code, f.message]
            for f in flags[:FLAGS]
        ]
        paragraph = (
            f"{checked(update.flags)} The command odforecast data check lists them all."
        )
        table = Table(
            ("Place", "From", "Flag", "Finding"),
            cells,
            numbers=0,
            caption=f"Errors and warnings.{cut}",
        )
        parts.append(
            Section("Problems found in the release", [paragraph], tables=[table])
        )
    model = str(update.forecast.provenance["label"])
    if past := records.past_forecasts(record, place, model=model):
        title = f"12-month counts, {place_name(place)}"
        table = Table(records.RECORD_HEAD, past, numbers=0, caption=title)
        sentence = records.coverage_sentence(record, model)
        parts.append(
            Section("Past forecasts and final counts", [sentence], tables=[table])
        )
    return parts


def checked(flags: Sequence[Flag]) -> str:
    """What was found in a release, in a sentence.

    >>> checked([])
    'Checks of the release found nothing to flag.'
    """
    counts = Counter(flag.severity for flag in flags)
    numbers = [number_of(counts[s], s) for s in SEVERITIES if counts[s]]
    return f"Checks of the release found {', '.join(numbers) or 'nothing to flag'}."
