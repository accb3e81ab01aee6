"""What is done to an archive: releases are added, replaced, retracted and accepted."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

from odforecast.errors import ArchiveError
from odforecast.names import COUNTIES, STATES
from odforecast.sources.any_release import Release, read_release
from odforecast.sources.table import to_date
from odforecast.vintage import ledger
from odforecast.vintage.adding import Beside, before, checked, found, put, reason_of, states_on
from odforecast.vintage.figures import dataset_named, dataset_of, figures_of, source_of
from odforecast.vintage.ledger import Event, Origin
from odforecast.vintage.storage import Store


class Changing:
    """Changes to the releases of an :class:`~odforecast.Archive`; each is a line of its ledger."""

    _store: Store

    def add(
        self,
        loaded: Release | str | os.PathLike[str],
        accept: str | None = None,
        *,
        origin: Origin | None = None,
    ) -> bool:
        """Add one release, of the states or of the counties, for good.

        Parameters
        ----------
        loaded : path, Loaded or Counties
            One of CDC's files, told apart by its columns; or what
            :func:`odforecast.sources.vsrr.read_vsrr` or
            :func:`odforecast.sources.county.read_county` made of it.
        accept : str, optional
            Use the release although it contradicts itself, or was retracted, and why. The
            reason goes into the ledger and into every result made from the release.
        origin : Origin, optional
            Where it was downloaded from; default: a file added by hand.

        Returns
        -------
        bool
            True if it was added; False if the very same release was there already.

        Raises
        ------
        QuarantineError
            If the release contradicts itself, see :mod:`odforecast.vintage.consistency` and, for
            counties, :mod:`odforecast.vintage.county_consistency`. It is stored apart, and used
            by nothing.
        ArchiveError
            If the archive holds other numbers for that release date.
        """
        loaded = read_release(Path(loaded)) if isinstance(loaded, str | os.PathLike) else loaded
        table = checked(loaded.table, loaded.release)
        source = {} if origin is None else origin.source
        return put(
            self._store.own(), table, source | source_of(loaded), accept=accept, check=True,
            beside=self._beside(loaded),
        )  # fmt: skip

    def _beside(self, loaded: Release) -> Beside:
        """What a release is compared with: the one before, and for counties the states."""
        dataset, date = dataset_of(loaded), loaded.release
        states = states_on(self._store, date) if dataset == COUNTIES else None
        return Beside(before(self._store, date, dataset), states)

    def replace(
        self, loaded: Release | str | os.PathLike[str], reason: str, accept: str | None = None
    ) -> bool:
        """Put right figures in place of wrong ones; those stay in the archive, unused.

        Parameters
        ----------
        loaded : path, Loaded or Counties
            The right file of a release that the archive holds.
        reason : str
            Why; it goes into the ledger and into every result made from the new figures.
        accept : str, optional
            As in :meth:`add`.

        Returns
        -------
        bool
            False if the archive holds these very figures already.

        Raises
        ------
        QuarantineError
            If the new figures contradict themselves.
        ArchiveError
            If there is no such release, or no reason.
        """
        loaded = read_release(Path(loaded)) if isinstance(loaded, str | os.PathLike) else loaded
        table = checked(loaded.table, loaded.release)
        old = found(self._store.own(), loaded.release, dataset_of(loaded)).data_hash
        if old == figures_of(table).hash(table):
            return False
        reason = reason_of(reason)
        return put(
            self._store.own(), table, source_of(loaded), accept=accept, check=True,
            instead=(old, reason), beside=self._beside(loaded),
        )  # fmt: skip

    def retract(self, date: str | dt.date, reason: str, dataset: str = STATES) -> None:
        """Use a release no more; its figures stay in the archive, apart.

        Parameters
        ----------
        date : date or str
            Release date.
        reason : str
            Why; it goes into the ledger.
        dataset : {"states", "counties"}

        Raises
        ------
        ArchiveError
            If there is no such release, or no reason.
        """
        store = self._store.own()
        there = set(self._store.kept(dataset_named(dataset))) - set(store.kept(dataset))
        if store is not self._store and to_date(date) in there:
            raise ArchiveError(
                f"release {to_date(date)} ships with odforecast, and is not in your archive",
                hint="to leave it out, use an archive of your own: --archive DIR",
            )
        held = found(store, date, dataset)
        store.append(
            Event(ledger.RETRACTED, dataset, held.release, held.data_hash, reason_of(reason))
        )

    def accept(self, date: str | dt.date, reason: str, dataset: str = STATES) -> None:
        """Use a release that was stored apart, quarantined or retracted, after all.

        Parameters
        ----------
        date : date or str
            Release date.
        reason : str
            Why; it goes into the ledger and into every result made from the release.
        dataset : {"states", "counties"}

        Raises
        ------
        ArchiveError
            If none of that date lies apart, several do, another one counts already, or there
            is no reason.
        """
        date, reason, dataset = to_date(date), reason_of(reason), dataset_named(dataset)
        store = self._store.own()
        state = ledger.fold(store.events())
        apart = state.apart.get((dataset, date), {})
        if (dataset, date) in state.current:
            raise ArchiveError(
                f"release {date} has figures that count already", hint="retract them first"
            )
        if len(apart) != 1:
            raise ArchiveError(
                f"{len(apart) or 'no'} files of release {date} lie apart",
                hint="see odforecast data releases --log; data add FILE --accept REASON takes "
                "those of a file",
            )
        digest, event = next(iter(apart.items()))
        store.figures(replace(event, data_hash=digest)).read()  # or what is wrong with them
        store.append(Event(ledger.ACCEPTED, dataset, date, digest, reason))
