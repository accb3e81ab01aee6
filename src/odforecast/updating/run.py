"""One update: fetch, check, forecast, compare, take back, write, record."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting.store import locked
from odforecast.errors import ArchiveError, BacktestError, DataError, DownloadError, whole
from odforecast.forecast import Forecast
from odforecast.geography import NATION, resolve
from odforecast.models import Model, get_model
from odforecast.months import today
from odforecast.names import DEFAULT_DRAWS, DEFAULT_HORIZON, DEFAULT_SEED, STATES
from odforecast.panel import Panel
from odforecast.say import old_data
from odforecast.scenario import Scenario, Series, Track
from odforecast.updating import record as records
from odforecast.updating.changes import Change, chosen, compared, whole_forecast
from odforecast.updating.folder import (
    PAGE,
    check_folder,
    clear,
    hub_name,
    manifest_of,
    write_folder,
)
from odforecast.updating.record import CAME, FORECAST, WITHDRAWN
from odforecast.updating.scenarios import lacking, tracked
from odforecast.version import __version__
from odforecast.vintage import Archive, Vintage, ledger
from odforecast.vintage import archive as own_archive
from odforecast.vintage.bundle import default_folder
from odforecast.vintage.fetch import fetch as fetch_release
from odforecast.vintage.quality import Flag, check
from odforecast.vintage.socrata import Socrata

_COUNT = ["location", "month", "status"]


def corrections(table: pd.DataFrame, archive: Archive, on: dt.date) -> pd.DataFrame:
    """Lines that a record lacks since figures of the archive count no more.

    Parameters
    ----------
    table : DataFrame
        The record, from :func:`odforecast.updating.record.read`.
    archive : Archive
    on : datetime.date
        Today.

    Returns
    -------
    DataFrame
        As :func:`odforecast.updating.record.read` gives it; without rows where all is right.
    """

    @cache
    def panel(release: dt.date) -> Panel:
        return archive.as_of(release).panel()

    held, log = records.standing(table), archive.log
    log = log[log["dataset"] == STATES]
    there = set(archive.releases())
    gone: list[tuple[pd.Timestamp, str]] = []
    for stamp in sorted(held["release"].unique()):
        events = log[log["release"] == pd.Timestamp(stamp).date()]
        unmade = events[events["event"].isin([ledger.RETRACTED, ledger.REPLACED])]
        if unmade.empty:
            continue
        lines = held[held["release"] == stamp]
        if pd.Timestamp(stamp).date() not in there:
            gone += _all(lines)
        elif _other_figures(events):
            gone += _wrong(lines, panel(pd.Timestamp(stamp).date()), str(unmade["at"].max()))
    rows = pd.DataFrame(gone, columns=["release", "data"])
    taken = records.typed(rows.assign(kind=WITHDRAWN, status="", model="", spec="", version="",
                                      location=""))  # fmt: skip
    whole = records.joined([table, taken]) if len(taken) else table
    right = _restored(whole, sorted(there), panel)
    return records.batch_of(table, [taken, right], on)


def _all(lines: pd.DataFrame) -> list[tuple[pd.Timestamp, str]]:
    """Everything that stands of a release."""
    release = lines["release"].iloc[0]
    made = lines.loc[lines["kind"] == FORECAST, "data"].unique()
    counts = [""] if (lines["kind"] == CAME).any() else []
    return [(release, str(data)) for data in (*made, *counts)]


def _other_figures(events: pd.DataFrame) -> bool:
    """Whether other figures of a release counted once than do now."""
    counted = events["event"].isin([ledger.ADDED, ledger.ACCEPTED, ledger.REPLACED])
    figures = {*events.loc[counted, "data_hash"], *events["replaces"]} - {""}
    return len(figures) > 1


def _wrong(lines: pd.DataFrame, now: Panel, at: str) -> list[tuple[pd.Timestamp, str]]:
    """What stands of a release and is not of the figures that count now.

    Data may differ for another reason (an earlier release was added): what was written after the
    last of the figures' changes is of those that count.
    """
    release = lines["release"].iloc[0]
    before = lines["on"] <= pd.Timestamp(at[:10]) if at else lines["on"].notna()
    made = lines[(lines["kind"] == FORECAST) & before]
    gone = [(release, str(d)) for d in made["data"].unique() if d != now.data_hash]
    came = lines[lines["kind"] == CAME]
    counts = zip(came["location"], came["month"], came["count"])
    if any(records.count_in(now, place, month)[0] != count for place, month, count in counts):
        gone.append((release, ""))
    return gone


def _restored(
    table: pd.DataFrame, releases: list[dt.date], panel: Callable[[dt.date], Panel]
) -> pd.DataFrame:
    """Counts that were withdrawn, as the first release from theirs on has them by now."""
    came = table[table["kind"] == CAME]
    if came.empty:
        return came
    held = records.standing(table)
    stands = set(map(tuple, held.loc[held["kind"] == CAME, _COUNT].to_numpy()))
    wanted = held[held["kind"] == FORECAST].groupby(_COUNT[:2])["release"].min().to_dict()
    rows = []
    for row in came.drop_duplicates(_COUNT, keep="last").to_dict("records"):
        place, month, status = (row[name] for name in _COUNT)
        if (place, month, status) in stands or (place, month) not in wanted:
            continue
        first = wanted[place, month].date()
        for date in releases:
            if date < row["release"].date() or date <= first:
                continue
            count, is_now = records.count_in(panel(date), place, month)
            if is_now == status and np.isfinite(count):
                rows.append((pd.Timestamp(date), place, month, count, status))
                break
    return records.came_lines(rows)


#: What all lines of one forecast from a release have in common.
_MADE = ["spec", "version", "data", "seed", "draws"]


@dataclass(frozen=True)
class Settings:
    """How a forecast is made.

    Attributes
    ----------
    model : str, optional
        Name; None: the default.
    locations : str or tuple of str
        ``"all"``, or places by any of their names.
    draws, seed : int
    scenarios : tuple of Scenario
        What a clock is kept of.
    series : tuple of Series
        What the clocks read beside the counts.
    """

    model: str | None = None
    locations: str | tuple[str, ...] = "all"
    draws: int = DEFAULT_DRAWS
    seed: int = DEFAULT_SEED
    scenarios: tuple[Scenario, ...] = ()
    series: tuple[Series, ...] = ()


@dataclass(frozen=True, eq=False)
class Work:
    """What an update is about; each piece is made when it is first asked for, and once.

    Attributes
    ----------
    archive : Archive
    out : Path
    settings : Settings
    lines : DataFrame
        The record before this update.
    """

    archive: Archive
    out: Path
    settings: Settings
    lines: pd.DataFrame

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
            self.model, self.panel, self.locations, DEFAULT_HORIZON, s.draws, s.seed
        )

    @cached_property
    def forecast(self) -> Forecast:
        """The forecast of these places."""
        return chosen(self.whole, self.locations)

    @property
    def place(self) -> str:
        """The place that numbers are said of: the nation where it is forecast, else the first."""
        there = self.forecast.locations
        return NATION if NATION in there else there[0]

    def clocks(self, on: dt.date, *, again: bool) -> list[Track]:
        """The clocks of the scenarios, written; with ``again`` also those that are there."""
        s = self.settings
        if not (again or lacking(s.scenarios, self.out, self.vintage.date)):
            return []
        place = NATION if NATION in self.locations else self.locations[0]
        return tracked(
            s.scenarios, self.out, self.archive, on=on, location=place, model=self.model,
            series=s.series, seed=s.seed,
        )  # fmt: skip

    @cached_property
    def standing(self) -> pd.DataFrame:
        """What stands of the record before this update."""
        return records.standing(self.lines)

    @cached_property
    def flags(self) -> list[Flag]:
        """What to know of the release."""
        dates = self.archive.releases()
        place = dates.index(self.vintage.date)
        before = self.archive.release(dates[place - 1]) if place else None
        return check(self.vintage.table, before)

    @cached_property
    def recorded(self) -> pd.DataFrame:
        """The newest forecast in the record from an earlier release, of all its places.

        It may have been written by several updates: with more places than before, or after one
        that was killed. One that was never written to its end is passed over for one that was.
        """
        kept: pd.DataFrame = self.standing[self.standing["kind"] == records.FORECAST]
        kept = kept[kept["release"] < pd.Timestamp(self.vintage.date)]
        kept = kept[kept["release"] == kept["release"].max()]
        if kept.empty:
            return kept
        sizes = self.lines.groupby("batch").size()
        ended = kept["lines"] == kept["batch"].map(sizes)
        newest = (kept[ended] if ended.any() else kept).iloc[-1]
        same: pd.DataFrame = kept[(kept[_MADE] == newest[_MADE]).all(axis=1)]
        return same

    @cached_property
    def change(self) -> Change:
        """The forecast against the one before."""
        dates = [d for d in self.archive.releases() if d < self.vintage.date]
        if len(self.recorded):
            date = self.recorded["release"].iloc[0].date()
            dates = [d for d in dates if d == date]
        earlier = self.archive.as_of(dates[-1]).panel() if dates else None
        return compared(
            self.forecast, self.panel, earlier, self.model, self.recorded, self.locations
        )

    def manifest(self, on: dt.date) -> dict[str, Any]:
        """What ``update.json`` says."""
        said = self.forecast.provenance
        return {
            "release": str(self.vintage.date),
            "on": str(on),
            "last_month": str(self.panel.last_month),
            "until": str(self.forecast.months[-1]),
            "model": said["label"],
            "spec": said["spec_hash"],
            "version": said["odforecast"],
            "data": self.panel.data_hash,
            "seed": self.settings.seed,
            "draws": self.settings.draws,
            "asked": self._asked(),
            "locations": list(self.forecast.locations),
            "skipped": {s: self.forecast.skipped.get(s, "the model does not forecast it")
                        for s in self.locations if s not in self.forecast.locations},
            "before": None if self.change.before is None else str(self.change.before),
            "warnings": list(self.forecast.warnings),
            "recorded": len(records.forecast_lines(self.forecast, self.panel)),
            "hub_file": hub_name(self.forecast),
        }  # fmt: skip

    def _asked(self) -> str:
        asked = self.settings.locations
        return "all" if asked == "all" else ",".join(self.locations)

    def is_done(self) -> bool:
        """Whether the release was forecast in full: the record has what page and hub file say."""
        held = manifest_of(self.out, self.vintage.date)
        places, made = held.get("locations"), self.made()
        if not isinstance(places, list) or made.empty:
            return False
        return len(made) == held.get("recorded", len(made)) and (
            "recorded" in held or set(made["location"]) == set(places)
        )

    def made(self) -> pd.DataFrame:
        """Lines of the record with the forecast that the folder of this release holds."""
        kept = self.standing[self.standing["kind"] == records.FORECAST]
        kept = kept[kept["release"] == pd.Timestamp(self.vintage.date)]
        held = manifest_of(self.out, self.vintage.date)
        for name in _MADE:
            kept = kept[kept[name].astype(str) == str(held.get(name))]
        made: pd.DataFrame = kept[kept["location"].isin(held.get("locations") or [])]
        return made

    def otherwise(self) -> list[str]:
        """What the forecast that was made has otherwise than this one would."""
        held = manifest_of(self.out, self.vintage.date)
        mine = {
            "model": self.model.label, "spec": self.model.spec.hash, "version": __version__,
            "seed": self.settings.seed, "draws": self.settings.draws, "asked": self._asked(),
            "data": self.panel.data_hash,
        }  # fmt: skip
        names = {"spec": "specification", "asked": "locations", "data": "data with hash"}
        return [
            f"{names.get(k, k)} {held.get(k)}, not {v}" for k, v in mine.items() if held.get(k) != v
        ]


#: The record, in the folder of all updates.
RECORD = "record.csv"


def default_out() -> Path:
    """Where updates are written unless told otherwise: beside the user's archive."""
    return default_folder().parent / "updates"


@dataclass(frozen=True, eq=False, repr=False)
class Update:
    """What an update found and did.

    Attributes
    ----------
    release : datetime.date
        The release it is about.
    new : bool
        Whether the release was forecast now; if not, it had been before.
    folder : Path
        The page (``index.html``), the hub file and ``update.json``.
    record_file : Path
        ``record.csv``.
    notes : tuple of str
        What to know: how old the release is, what became of the download, what was set right.
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

    release: dt.date
    new: bool
    folder: Path
    record_file: Path
    notes: tuple[str, ...]
    added: int
    _work: Work = field(repr=False)
    tracks: tuple[Track, ...] = ()

    @property
    def forecast(self) -> Forecast:
        """The forecast; of a release that was done before, made again, the same."""
        return self._work.forecast

    @property
    def change(self) -> Change:
        """The forecast against the one before, with counts and reasons."""
        return self._work.change

    @property
    def changed(self) -> pd.DataFrame:
        """What changed, by place and month; see :class:`odforecast.updating.changes.Change`."""
        return self.change.table

    @property
    def flags(self) -> list[Flag]:
        """What to know of the release; see :func:`odforecast.vintage.quality.check`."""
        return self._work.flags

    @property
    def record(self) -> pd.DataFrame:
        """The record as it is now; see :func:`odforecast.updating.record.read`."""
        return records.read(self.record_file)

    @property
    def place(self) -> str:
        """The place that numbers are said of: the nation where it is forecast, else the first."""
        return self._work.place

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / PAGE

    @property
    def hub_file(self) -> Path:
        """The hub file."""
        return self.folder / str(manifest_of(self.folder.parent, self.release)["hub_file"])

    def __repr__(self) -> str:
        did = f"{self.added:,} lines recorded" if self.new or self.added else "nothing new"
        return f"<Update from release {self.release}: {did}, in {self.folder}>"

    def _repr_html_(self) -> str:
        from odforecast.say import html_table
        from odforecast.updating.words import month_of, sentences

        table = self.changed
        if (month := month_of(self.change)) is not None:
            table = table[table["month"] == month]
        parts = ["change", "revisions", "new_months", "model"]
        shown = table[["name", "month", "before", "now", *parts]]
        title = f"Update from release {self.release}: what changed"
        return html_table(shown.round(0), title, " ".join(sentences(self.change, self.place)))


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
        Download the present release first; False: take the releases in hand.
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
        folder cannot be written to, or that of the release holds what no update wrote.
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
    asked = locations if isinstance(locations, str) else tuple(locations)
    settings = Settings(
        model, asked, whole("draws", draws, 1), whole("seed", seed, 0),
        (scenarios,) if isinstance(scenarios, Scenario) else tuple(scenarios),
        (series,) if isinstance(series, Series) else tuple(series),
    )  # fmt: skip
    get_model(model)  # a wrong name before the work, not after it
    with _held(target):
        clear(target)
        lines = records.read(target / RECORD)
        notes = []
        if records.is_torn(target / RECORD):
            notes.append(f"{RECORD}: the last line was cut off while it was written; left out")
        if fetch:
            notes.append(_fetched(releases, client, progress))
        held = own_archive(archive) if archive is not None else own_archive()
        return _updated(Work(held, target, settings, lines), notes, again, fetch)


def _updated(work: Work, notes: list[str], again: bool, fetched: bool = False) -> Update:
    if work.archive.last_seen is None:
        work.archive.as_of()  # says what to do
    vintage, on = work.vintage, today()
    if on < vintage.date:
        raise DataError(
            f"the clock says {on}, before release {vintage.date}",
            hint="a record is dated by the clock: set it right",
        )
    _refuse_errors(work)
    taken = _corrected(work, notes, on)
    if taken:
        work = replace(work, lines=records.read(work.out / RECORD))
    unused = work.archive.as_of().note
    notes += dict.fromkeys([*filter(None, [unused]), *work.panel.notes])
    # After a fetch there is none newer.
    if not fetched and (old := old_data(vintage.date, on)):
        notes.append(old)
    folder, file = work.out / str(vintage.date), work.out / RECORD
    if work.is_done() and not (again and work.otherwise()):
        made = work.made()["on"].iloc[-1]
        notes.append(f"release {vintage.date} was forecast on {made:%Y-%m-%d}: nothing new")
        if other := work.otherwise():
            notes.append(f"it was made with {'; '.join(other)}: --again makes another")
        tracks = tuple(work.clocks(on, again=again))
        return Update(vintage.date, False, folder, file, tuple(notes), taken, work, tracks)
    newest = work.standing["release"].max()
    if not work.standing.empty and newest > pd.Timestamp(vintage.date):
        raise ArchiveError(
            f"the record holds forecasts from release {newest:%Y-%m-%d}, and the newest release "
            f"here is {vintage.date}",
            hint="fetch the newest one, or write to another folder: --out",
        )
    _refuse_clock(work, on)
    check_folder(folder)
    tracks = tuple(work.clocks(on, again=True))
    new = records.lines_of(work.lines, work.forecast, work.panel, on)
    whole = records.joined([lines for lines in (work.lines, new) if len(lines)] or [new])
    # The page first: killed between the two, the next run finds lines missing and writes them.
    write_folder(
        work.out, work.whole, work.forecast, work.change, work.flags, whole, work.manifest(on),
        tracks,
    )  # fmt: skip
    records.append(file, new)
    return Update(vintage.date, True, folder, file, tuple(notes), taken + len(new), work, tracks)


def _corrected(work: Work, notes: list[str], on: dt.date) -> int:
    """Take back what was recorded from figures that count no more; how many lines it took."""
    new = corrections(work.lines, work.archive, on)
    if new.empty:
        return 0
    _refuse_clock(work, on)
    records.append(work.out / RECORD, new)
    gone = new.loc[new["kind"] == records.WITHDRAWN, "release"].dt.strftime("%Y-%m-%d").unique()
    there = {str(date) for date in work.archive.releases()}
    for date in gone:
        why = "figures of it were replaced" if date in there else "it was retracted"
        notes.append(f"release {date}: {why}; what was recorded from it is withdrawn")
        if date not in there and (work.out / date).exists():
            notes.append(f"{work.out / date} was made from it, and stays: delete it if you like")
    if came := int((new["kind"] == records.CAME).sum()):
        notes.append(f"{came:,} counts that came are recorded anew")
    return len(new)


def _refuse_clock(work: Work, on: dt.date) -> None:
    last = work.lines["on"].max()
    if not work.lines.empty and pd.Timestamp(on) < last:
        raise DataError(
            f"the clock says {on}, and the record has lines of {last:%Y-%m-%d}",
            hint="set the clock right, or begin another record: --out",
        )


def _refuse_errors(work: Work) -> None:
    """Stop at a release that contradicts itself, unless somebody accepted it with a reason."""
    wrong = [flag for flag in work.flags if flag.severity == "error"]
    if wrong and not work.archive.reason(work.vintage.date):
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ArchiveError(
            f"release {work.vintage.date} contradicts itself: {wrong[0].message}{more}",
            hint="see odforecast data check; nothing was forecast",
        )


def _fetched(
    folder: Path, client: Socrata | None, progress: Callable[[int, int], None] | None
) -> str:
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(Socrata()) if client is None else client
        try:
            return fetch_release("vsrr", folder, one, progress=progress).why
        except DownloadError as error:
            hint = "or go on with the releases in hand: --no-fetch"
            raise DownloadError(
                error.message, hint=hint if error.hint is None else f"{error.hint}, {hint}"
            ) from error


@contextlib.contextmanager
def _held(out: Path) -> Iterator[None]:
    """Hold the folder of updates for this process."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(out, "update"))
        except BacktestError as error:
            raise DataError(error.message, hint=error.hint) from error
        yield
