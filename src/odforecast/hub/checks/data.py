"""Checks of what stands in a submission: ``validate_model_data``."""

from __future__ import annotations

from collections.abc import Callable

from odforecast.hub.checks import samples as spl
from odforecast.hub.checks.columns import (
    column_names,
    column_types,
    derived_values,
    duplicate_rows,
    match_round,
    unique_round,
    unreadable_cells,
)
from odforecast.hub.checks.config import Seen
from odforecast.hub.checks.files import Submission
from odforecast.hub.checks.known import CHECKS, DATA, names
from odforecast.hub.checks.optional import check_rows
from odforecast.hub.checks.outcome import Finding, Ledger
from odforecast.hub.checks.place import Unreadable
from odforecast.hub.checks.required import required_values
from odforecast.hub.checks.rows import Rows, read_rows
from odforecast.hub.checks.tasks import Round
from odforecast.hub.checks.values import Table, ascending, sums_to_one, valid_values, value_column

_ORDER = names(DATA)
_SAMPLES = tuple(n for n in _ORDER if n.startswith("spl_"))
_NO_COLUMN = "round ids stand in no column (round_id_from_variable is false)"


class Stopped(Exception):
    """A check that stops those after it has failed."""


def check_data(found: Submission, seen: Seen, ledger: Ledger) -> None:
    """Run ``validate_model_data`` on a submission whose name and place are in order."""
    file = seen.relative(found.path)
    done = len(ledger.outcomes)
    try:
        rows = _read(found, seen, file, ledger)
        entry = seen.tasks.round(found.round_id)
        _check_round(rows, entry, found, file, ledger)
        _check_columns(rows, entry, seen, file, ledger)
        table = _check_rows(rows, entry, found, seen, file, ledger)
        _check_samples(table, entry, file, ledger)
        check_rows(table, seen, file, ledger)
    except Stopped as stop:
        seen_names = {x.name for x in ledger.outcomes[done:]}
        asked = [c.name for c in CHECKS if c.applies_to == DATA and c.name in seen.optional]
        left = [n for n in dict.fromkeys((*_ORDER, *asked)) if n not in seen_names]
        ledger.not_run(left, file, f"stopped by {stop}, which failed")


def _stop(ledger: Ledger, name: str, file: str, findings: list[Finding], n: int = 0) -> None:
    if not ledger.judged(name, file, findings, n or None):
        raise Stopped(name)


def _read(found: Submission, seen: Seen, file: str, ledger: Ledger) -> Rows:
    try:
        rows = read_rows(found.path, seen.root)
    except Unreadable as error:
        ledger.judged("file_read", file, [Finding(str(error))])
        raise Stopped("file_read") from None
    _stop(ledger, "file_read", file, *unreadable_cells(rows, dict(seen.tasks.types)))
    return rows


def _check_round(rows: Rows, entry: Round, found: Submission, file: str, ledger: Ledger) -> None:
    column = entry.column
    if column is None:
        ledger.not_run(("valid_round_id_col", "unique_round_id", "match_round_id"), file,
                       _NO_COLUMN)  # fmt: skip
        return
    there = column in rows.columns
    missing = Finding("the column of round ids is missing", None, column)
    # hubValidations says the same again under unique_round_id, and stops there.
    _stop(ledger, "valid_round_id_col", file, [] if there else [missing])
    _stop(ledger, "unique_round_id", file, unique_round(rows, column))
    _stop(ledger, "match_round_id", file, *match_round(rows, column, found.round_id))


def _check_columns(rows: Rows, entry: Round, seen: Seen, file: str, ledger: Ledger) -> None:
    _stop(ledger, "colnames", file, column_names(rows, entry))
    ledger.judged("col_types", file, column_types(rows, dict(seen.tasks.types)))


def _check_rows(
    rows: Rows, entry: Round, found: Submission, seen: Seen, file: str, ledger: Ledger
) -> Table:
    derived = tuple(n for n in entry.derived if n in entry.task_ids)
    columns = tuple(n for n in entry.task_ids if n not in derived)
    samples = seen.tasks.version >= (3, 0, 0)
    table = Table(rows, entry.fixed(found.round_id), columns, samples)
    _stop(ledger, "valid_vals", file, *valid_values(table))
    if derived:
        ledger.judged("derived_task_id_vals", file, *derived_values(rows, entry, derived))
    else:
        ledger.not_run("derived_task_id_vals", file, "the round has no derived task ids")
    keys = (*columns, "output_type", "output_type_id")
    ledger.judged("rows_unique", file, *duplicate_rows(rows, keys, "repeats the values"))
    every_id = seen.tasks.version >= (4, 0, 0)
    ledger.judged("req_vals", file, *required_values(table, every_id=every_id))
    ledger.judged("value_col_valid", file, *value_column(table))
    kinds = rows.columns["output_type"].distinct()
    if "quantile" in kinds or "cdf" in kinds:
        ledger.judged("value_col_non_desc", file, *ascending(table))
    else:
        ledger.not_run("value_col_non_desc", file, "the file holds no quantile or cdf")
    if "pmf" in kinds:
        ledger.judged("value_col_sum1", file, *sums_to_one(table, entry.task_ids))
    else:
        ledger.not_run("value_col_sum1", file, "the file holds no pmf")
    return table


def _check_samples(table: Table, entry: Round, file: str, ledger: Ledger) -> None:
    if not table.samples:
        ledger.not_run(_SAMPLES, file, "the hub's schema is older than v3.0.0")
        return
    mine = list(spl.groups(table, entry.task_ids))
    if not mine:
        ledger.not_run(_SAMPLES, file, "the file holds no samples")
        return
    _stop(ledger, "spl_mt_unique", file, *spl.one_task(mine))
    sets = [spl.compound_taskid_set(table, g) for g in mine]
    _stop(ledger, "spl_compound_taskid_set", file, [x for s in sets for x in s[1]],
          sum(s[2] for s in sets))  # fmt: skip
    check: Callable[..., tuple[list[Finding], int]]
    for name, check in (
        ("spl_compound_tid", spl.one_compound),
        ("spl_non_compound_tid", spl.same_others),
        ("spl_n", spl.sample_numbers),
    ):
        parts = [check(table, g, s[0]) for g, s in zip(mine, sets)]
        findings = [x for p in parts for x in p[0]]
        if not ledger.judged(name, file, findings, sum(p[1] for p in parts)) and name != "spl_n":
            raise Stopped(name)
