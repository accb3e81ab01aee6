"""The generated block of docs/reference/confirmatory.md, made of the record and nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from confirm_figures import AGES, BASELINES, GROUPS, LEVELS, MIN_GROUPS, ratio, table_of, told
from holdout import ConfirmError
from releases import ROOT

PAGE = ROOT / "docs" / "reference" / "confirmatory.md"
BEGIN = "<!-- begin: made of benchmarks/holdout.json by tools/confirm.py; do not edit -->"
END = "<!-- end -->"
_AHEAD = [g for g in GROUPS if g != "nowcast"]


def written(page: str, record: dict[str, Any]) -> str:
    """The page with its block made anew.

    Raises
    ------
    ConfirmError
        If the page has no block.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ConfirmError("the page lacks the two marks around its tables")
    return f"{head}{BEGIN}\n\n{block(record)}\n\n{END}{tail}"


def block(record: dict[str, Any]) -> str:
    """Everything between the marks."""
    frozen, made = record["frozen"], record["confirmations"]
    own = [c for c in made if c["spec_hash"] == frozen["spec_hash"]]
    lines = [
        f"**The frozen default**: `{cell(frozen['model'])}`, spec hash `{frozen['spec_hash']}`, "
        f"code digest `{frozen['code_digest']}`, odforecast {frozen['version']}, git tag "
        f"`{cell(frozen['tag'])}`, frozen on {frozen['frozen_on']}; seed {frozen['seed']}, "
        f"{frozen['draws']:,} draws, {frozen['horizon']} months. Its developers had read "
        f"{len({r['release'] for r in record['read']})} releases, with counts to "
        f"{frozen['months_seen']}.",
        "",
    ]
    if not own:
        lines.append("**Nothing has been confirmed yet.** This default has not been scored on an "
                     "unread release.")  # fmt: skip
    else:
        lines += ["**Confirmatory.** Each release was scored once.", "", *_runs(own, frozen), "",
                  *_lacks(own), *_pooled(own, frozen), "", *_ages(own, frozen), "",
                  *_single(own), "", *_lost(own)]  # fmt: skip
    for old in record["earlier"]:
        mine = [c for c in made if c["spec_hash"] == old["spec_hash"]]
        about = f"`{cell(old['model'])}`, spec hash `{old['spec_hash']}`, tag `{cell(old['tag'])}`"
        lines += ["", f"## Earlier default: {cell(old['tag'])}", "",
                  f"These results are confirmatory for {about}, not for today's default.", "",
                  *_runs(mine, old), "", *_lacks(mine), *_pooled(mine, old), "",
                  *_ages(mine, old), "", *_single(mine), "", *_lost(mine)]  # fmt: skip
    return "\n".join(lines).rstrip()


def cell(text: object) -> str:
    """A text for a table: names of files are anybody's."""
    return re.sub(r"[^\w.,:;()%+=/ -]", "?", str(text))


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _head(*names: str) -> list[str]:
    return [_row(*names), "|" + "---|" * len(names)]


def _runs(own: Sequence[dict[str, Any]], frozen: dict[str, Any]) -> Iterator[str]:
    yield from _head("release", "file", "data hash", "last month", "horizons", "truth (its hash)",
                     "run on", "odforecast, code", "spec hash", "seed, draws",
                     "command")  # fmt: skip
    for c in own:
        code = "as frozen" if c["code_digest"] == frozen["code_digest"] else (
            f"**not as frozen**: {c['code_digest']}")  # fmt: skip
        yield _row(c["release"], cell(c["file"]), c["data_hash"], c["last_month"],
                   ", ".join(c["groups"]),
                   f"reported in {c['truth']['release']}, months at least {c['truth']['min_age']} "
                   f"months old ({c['truth']['data_hash']})", c["run_on"],
                   f"{c['version']}, {code}", c["spec_hash"], f"{c['seed']}, {c['draws']}",
                   f"`{cell(c['command'])}`")  # fmt: skip


def _lacks(own: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Which releases lack places, and so have no nation."""
    for c in own:
        if absent := c.get("lacks"):
            yield (f"Release {c['release']} has no counts of {', '.join(absent)}: it is scored on "
                   "the other jurisdictions, and the nation is left out.")  # fmt: skip
            yield ""


def _ages(own: Sequence[dict[str, Any]], frozen: dict[str, Any]) -> Iterator[str]:
    """The nowcast of each of the last twelve counts; the baselines' stands in the record."""
    rows = [{"release": c["release"], **row} for c in own for row in c.get("ages", [])
            if row["model"] == frozen["model"]]  # fmt: skip
    if not rows:
        return
    table = pd.DataFrame(rows)
    yield (f"*Nowcast of `{cell(frozen['model'])}` by horizon: 0 is the last count of the release, "
           "-11 the count 11 months before it. A count was revised if it moved by more than "
           "1 death and more than 0.2%.*")  # fmt: skip
    yield ""
    yield from _head("places", "horizon", "mean absolute error", "of the count as reported",
                     "90% coverage", "of revised counts", "units", "revised",
                     "releases")  # fmt: skip
    for level in LEVELS:
        for horizon, part in table[table["level"] == level].groupby("horizon", sort=True):
            x = part[list(AGES)].sum()
            n, moved = x["n"], x["n_revised"]
            yield _row(level, horizon, _1(x["ae"] / n), _1(x["ae_reported"] / n),
                       _3(x["cover_90"] / n), _3(ratio(x["cover_90_revised"], moved)),
                       int(n), int(moved), part["release"].nunique())  # fmt: skip


def _pooled(own: Sequence[dict[str, Any]], frozen: dict[str, Any]) -> Iterator[str]:
    table = table_of(own)
    groups = table["block"].nunique()
    few = (f"There is no interval: the releases form {groups} group{'s' * (groups != 1)}, and an "
           f"interval needs at least {MIN_GROUPS}." if groups < MIN_GROUPS else
           "Interval: 90%, whole groups resampled.")  # fmt: skip
    yield (f"**All releases together, confirmatory**: {table['release'].nunique()} releases. "
           "Releases whose last months are within a year of one another share errors and count "
           f"as one group. {few}")  # fmt: skip
    seen = frozen["months_seen"]
    ahead = table[table["group"] != "nowcast"]
    for only_new in (False, True):
        part = ahead[ahead["new"]] if only_new else ahead
        if part.empty or (only_new and ahead["new"].all()):
            continue
        what = f", months after {seen} only" if only_new else ""
        yield from ["", f"*Forecasts{what}.*", ""]
        yield from _head("places", "horizons", "model", "WIS", "over `hub-baseline`",
                         "90% interval", "over `naive+delay`",
                         "coverage 90%", "units", f"of months after {seen}",
                         "releases", "groups")  # fmt: skip
        for level, group, model, of in _parts(part, _AHEAD):
            x = told(of)
            between = "–" if x["interval"] is None else "–".join(map(_3, x["interval"]))
            yield _row(level, group, f"`{cell(model)}`", _1(x["wis"]), _3(x["hub"]), between,
                       _3(x["naive"]), _3(x["cover_90"]), x["n"], x["new"], x["releases"],
                       x["groups"])  # fmt: skip
    if (table["group"] == "nowcast").any():
        yield from ["", "*Nowcast: the last count of the release (horizon 0).*", ""]
        yield from _nowcast(table)


def _nowcast(table: pd.DataFrame) -> Iterator[str]:
    yield from _head("places", "model", "mean absolute error", "of the count as reported", "ratio",
                     "coverage 90%", "units", "releases", "groups")  # fmt: skip
    for level, _, model, of in _parts(table, ["nowcast"]):
        x = told(of)
        yield _row(level, f"`{cell(model)}`", _1(x["ae"]), _1(x["ae_reported"]),
                   _3(x["ae_ratio"]), _3(x["cover_90"]), x["n"], x["releases"],
                   x["groups"])  # fmt: skip


def _single(own: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A table per release; horizons side by side."""
    table = table_of(own)
    names = " / ".join(_AHEAD)
    for release, part in table.groupby("release", sort=True):
        yield from [f"**Release {release}, confirmatory**; horizons {names}", ""]
        yield from _head("places", "model", "over `hub-baseline`", "over `naive+delay`",
                         "coverage 90%", "units", "nowcast: error", "as reported")  # fmt: skip
        for level in LEVELS:
            for model in _models(part):
                of = part[(part["level"] == level) & (part["model"] == model)]
                if of.empty:
                    continue
                by = {g: told(r) for g, r in of.groupby("group")}
                sides = [" / ".join(show(by[g][k]) if g in by else "–" for g in _AHEAD)
                         for k, show in (("hub", _3), ("naive", _3), ("cover_90", _3),
                                         ("n", str))]  # fmt: skip
                now = by.get("nowcast", {"ae": math.nan, "ae_reported": math.nan})
                yield _row(level, f"`{cell(model)}`", *sides, _1(now["ae"]), _1(now["ae_reported"]))
        yield ""


def _lost(own: Sequence[dict[str, Any]]) -> list[str]:
    lost = [f"- {c['release']}, {cell(why)}" for c in own for why in c["failures"]]
    return ["Without a forecast:", "", *lost] if lost else []


def _parts(
    table: pd.DataFrame, groups: Sequence[str]
) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    for level in LEVELS:
        for group in groups:
            for model in _models(table):
                of = table[(table["level"] == level) & (table["group"] == group)
                           & (table["model"] == model)]  # fmt: skip
                if not of.empty:
                    yield level, group, model, of


def _models(table: pd.DataFrame) -> list[str]:
    """The default first, then the baselines in their order."""
    return sorted(table["model"].unique(), key=lambda m: BASELINES.index(m) if m in BASELINES
                  else -1)  # fmt: skip


def _1(x: float) -> str:
    return "–" if math.isnan(x) else f"{x:,.1f}"


def _3(x: float) -> str:
    return "–" if math.isnan(x) else f"{x:.3f}"
