"""Checks of samples (schema 3 and later): which rows belong to one draw, and how many draws.

A sample is one id of one model task. The *compound task ids* are those that have one value within
a sample; over the others it is joint. The configuration's ``compound_taskid_set`` is the finest
set that is accepted; a coarser one, joint over more, is too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from odforecast.hub.checks.outcome import SHOWN, Finding
from odforecast.hub.checks.tasks import Word
from odforecast.hub.checks.values import Part, Table
from odforecast.say import listed, plain


@dataclass(frozen=True)
class Group:
    """The samples of one model task, rows in order of their sample.

    Attributes
    ----------
    part : Part
    rows : ndarray of int
        Positions, by sample.
    starts : ndarray of int, shape (samples,)
        Where each sample begins in ``rows``.
    names : list of str
        Ids of the samples.
    configured : tuple of str
        The ``compound_taskid_set``; all task ids where there is none.
    """

    part: Part
    rows: np.ndarray
    starts: np.ndarray
    names: list[Word]
    configured: tuple[str, ...]


def groups(table: Table, task_ids: Sequence[str]) -> Iterator[Group]:
    """The samples of each model task that has some."""
    column = table.rows.columns["output_type_id"]
    for part in table.parts(["sample"]):
        if part.output.params is None or not len(part.rows):
            continue
        codes = column.codes[part.rows]
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) != 0])
        names: list[Word] = [column.text(int(part.rows[order[s]])) for s in starts]
        given = part.output.params.get("compound_taskid_set")
        configured = tuple(task_ids) if given is None else tuple(map(str, given))
        yield Group(part, part.rows[order], starts, names, configured)


def one_task(found: Sequence[Group]) -> tuple[list[Finding], int]:
    """No id is a sample of two model tasks."""
    where: dict[Word, list[int]] = {}
    for group in found:
        for name in group.names:
            where.setdefault(name, []).append(group.part.number)
    bad = {name: tasks for name, tasks in where.items() if len(tasks) > 1}
    findings = [
        Finding(f"is a sample of model tasks {listed(tasks)}; number them apart", None,
                "output_type_id", name)
        for name, tasks in list(bad.items())[:SHOWN]
    ]  # fmt: skip
    return findings, len(bad)


def compound_sets(table: Table, group: Group) -> np.ndarray:
    """Which task ids are compound in each sample, as far as the rows tell.

    A task id that has one value in the whole model task tells nothing: it counts as compound only
    if the configuration says so.

    Returns
    -------
    ndarray of bool, shape (samples, task ids)
    """
    found = np.ones((len(group.starts), len(table.columns)), dtype=bool)
    for k, name in enumerate(table.columns):
        codes = table.rows.columns[name].codes[group.rows]
        least = np.minimum.reduceat(codes, group.starts)
        most = np.maximum.reduceat(codes, group.starts)
        tells = name in group.configured or least.min() != most.max()
        found[:, k] = (least == most) & tells
    return found


def compound_taskid_set(table: Table, group: Group) -> tuple[tuple[str, ...], list[Finding], int]:
    """The one set of a model task's samples: as configured, or coarser.

    Returns
    -------
    tuple of str
        The compound task ids found.
    list of Finding
    int
        Samples that break it.
    """
    sets = compound_sets(table, group)
    kinds, which = np.unique(sets, axis=0, return_inverse=True)
    counts = np.bincount(which.ravel())
    usual = int(counts.argmax())
    names = [tuple(n for n, on in zip(table.columns, kind) if on) for kind in kinds]
    task = f"model task {group.part.number}"
    if len(kinds) > 1:
        odd = np.flatnonzero(which.ravel() != usual)
        findings = [
            Finding(
                f"{task}: within this sample {_said(names[int(which.ravel()[i])])} have one value, "
                f"within most {_said(names[usual])}", None, "output_type_id", group.names[int(i)],
            )
            for i in odd[:SHOWN]
        ]  # fmt: skip
        return names[usual], findings, len(odd)
    finer = [n for n in names[0] if n not in group.configured]
    if finer:
        text = (
            f"{task}: every sample has one {_said(finer)}, and must be joint over it: the compound "
            f"task ids are {_said(group.configured)}"
        )
        return names[0], [Finding(text, None, "output_type_id")], len(group.names)
    return names[0], [], 0


def one_compound(table: Table, group: Group, compound: Sequence[str]) -> tuple[list[Finding], int]:
    """Each sample has one value of each compound task id.

    hubValidations hands this check the set that :func:`compound_taskid_set` found in the same
    rows, so there it holds once that one did; beside the configured set it says which samples
    are joint over more.
    """
    findings: list[Finding] = []
    bad = np.zeros(len(group.starts), dtype=bool)
    for name in (c for c in table.columns if c in compound):
        codes = table.rows.columns[name].codes[group.rows]
        several = np.minimum.reduceat(codes, group.starts) != np.maximum.reduceat(
            codes, group.starts
        )
        for i in np.flatnonzero(several & ~bad)[:SHOWN]:
            text = f"model task {group.part.number}: this sample has several values of {name}"
            findings.append(Finding(text, None, "output_type_id", group.names[int(i)]))
        bad |= several
    return findings, int(bad.sum())


def same_others(table: Table, group: Group, compound: Sequence[str]) -> tuple[list[Finding], int]:
    """All samples of a model task have the same combinations of the other task ids."""
    others = [c for c in table.columns if c not in compound]
    key = np.unique(table.rows.key(others)[group.rows], return_inverse=True)[1].astype(np.int64)
    sample = np.repeat(np.arange(len(group.starts)), np.diff([*group.starts, len(group.rows)]))
    key = key[np.lexsort((key, sample))]
    ends = [*group.starts[1:], len(key)]
    known: dict[bytes, int] = {}
    which = np.array(
        [known.setdefault(key[a:b].tobytes(), len(known)) for a, b in zip(group.starts, ends)]
    )
    usual = int(np.bincount(which).argmax())
    odd = np.flatnonzero(which != usual)
    example = int(np.flatnonzero(which == usual)[0])
    size = np.diff([*group.starts, len(group.rows)])
    findings = [
        Finding(
            f"model task {group.part.number}: this sample has {size[i]} rows over "
            f"{_said(others)}, and not the combinations of most samples ({size[example]} rows, "
            f"such as sample {plain(group.names[example])})",
            None, "output_type_id", group.names[int(i)],
        )
        for i in odd[:SHOWN]
    ]  # fmt: skip
    return findings, len(odd)


def sample_numbers(
    table: Table, group: Group, compound: Sequence[str]
) -> tuple[list[Finding], int]:
    """Every combination of compound task ids has as many samples as asked for, all the same."""
    params = group.part.output.params or {}
    least, most = params.get("min_samples_per_task", 0), params.get("max_samples_per_task", np.inf)
    names = [c for c in table.columns if c in compound]
    firsts = group.rows[group.starts]
    unit, first, which = np.unique(
        table.rows.key(names)[firsts], return_index=True, return_inverse=True
    )
    counts = np.bincount(which.ravel(), minlength=len(unit))
    often = np.bincount(counts)
    usual = int(np.flatnonzero(often == often.max())[-1])  # of two, the larger: one is missing
    bad = np.flatnonzero((counts < least) | (counts > most) | (counts != usual))
    findings = []
    for u in bad[:SHOWN]:
        i = int(firsts[first[u]])
        texts = ((n, table.rows.columns[n].text(i)) for n in names)
        what = ", ".join(f"{n} {plain('NA' if w is None else w, 40)}" for n, w in texts)
        asked = f"{least}" if least == most else f"{least} to {most}"
        findings.append(
            Finding(f"model task {group.part.number}: {counts[u]} samples, and {asked} are asked "
                    f"for, as many everywhere: {what or 'all rows'}")
        )  # fmt: skip
    return findings, len(bad)


def _said(names: Sequence[str]) -> str:
    return listed(names) if names else "no task id"
