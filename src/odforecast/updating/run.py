"""One update: fetch, check, forecast, compare, write, record."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from odforecast.backtesting.folder import locked
from odforecast.errors import ArchiveError, BacktestError, DataError, DownloadError, whole
from odforecast.forecast import Forecast
from odforecast.models import get_model
from odforecast.months import today
from odforecast.names import DEFAULT_DRAWS, DEFAULT_SEED
from odforecast.say import old_data
from odforecast.updating import record as records
from odforecast.updating.changes import Change
from odforecast.updating.folder import PAGE, check_folder, clear, manifest_of, write_folder
from odforecast.updating.withdrawn import corrections
from odforecast.updating.work import Settings, Work
from odforecast.vintage import archive as own_archive
from odforecast.vintage.bundle import default_folder
from odforecast.vintage.fetch import fetch as fetch_release
from odforecast.vintage.quality import Flag
from odforecast.vintage.socrata import Socrata

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
    settings = Settings(model, asked, whole("draws", draws, 1), whole("seed", seed, 0))
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
        return Update(vintage.date, False, folder, file, tuple(notes), taken, work)
    newest = work.standing["release"].max()
    if not work.standing.empty and newest > pd.Timestamp(vintage.date):
        raise ArchiveError(
            f"the record holds forecasts from release {newest:%Y-%m-%d}, and the newest release "
            f"here is {vintage.date}",
            hint="fetch the newest one, or write to another folder: --out",
        )
    _refuse_clock(work, on)
    check_folder(folder)
    new = records.lines_of(work.lines, work.forecast, work.panel, on)
    whole = records.joined([lines for lines in (work.lines, new) if len(lines)] or [new])
    # The page first: killed between the two, the next run finds lines missing and writes them.
    write_folder(
        work.out, work.whole, work.forecast, work.change, work.flags, whole, work.manifest(on)
    )
    records.append(file, new)
    return Update(vintage.date, True, folder, file, tuple(notes), taken + len(new), work)


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
