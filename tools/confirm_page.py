"""The generated block of docs/reference/confirmatory.md, made of the record and nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from confirm_figures import BASELINES, GROUPS, LEVELS, MIN_GROUPS, table_of, told
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
        lines += ["**Confirmatory.** Each release was scored once.", "", *_results(own, frozen)]
    for old in record["earlier"]:
        mine = [c for c in made if c["spec_hash"] == old["spec_hash"]]
        about = f"`{cell(old['model'])}`, spec hash `{old['spec_hash']}`, tag `{cell(old['tag'])}`"
        lines += ["", f"## Earlier default: {cell(old['tag'])}", "",
                  f"These results are confirmatory for {about}, not for today's default.", "",
                  *_results(mine, old)]  # fmt: skip
    return "\n".join(lines).rstrip()


def _results(own: Sequence[dict[str, Any]], frozen: dict[str, Any]) -> list[str]:
    return [*_runs(own, frozen), "", *_lacks(own), *_pooled(own, frozen), "",
            *_single(own, frozen), "", *_lost(own)]  # fmt: skip


def cell(text: object) -> str:
    """A text for a table: names of files are anybody's."""
    return re.sub(r"[^\w.,:;()%+=/ -]", "?", str(text))


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _head(*names: str) -> list[str]:
    return [_row(*names), "|" + "---|" * len(names)]


def _runs(own: Sequence[dict[str, Any]], frozen: dict[str, Any]) -> Iterator[str]:
    yield from _head("release", "data hash", "last month", "truth: reported in", "run on", "code")
    for c in own:
        code = "as frozen" if c["code_digest"] == frozen["code_digest"] else (
            f"**not as frozen**: {c['code_digest']}")  # fmt: skip
        yield _row(c["release"], c["data_hash"], c["last_month"], c["truth"]["release"],
                   c["run_on"], code)  # fmt: skip


def _lacks(own: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Which releases lack places, and so have no nation."""
    for c in own:
        if absent := c.get("lacks"):
            yield (f"Release {c['release']} has no counts of {', '.join(absent)}: it is scored on "
                   "the other jurisdictions, and the nation is left out.")  # fmt: skip
            yield ""


def _pooled(own: Sequence[dict[str, Any]], frozen: dict[str, Any]) -> Iterator[str]:
    table = table_of(own)
    groups = table["block"].nunique()
    few = (f"There is no interval: the releases form {groups} group{'s' * (groups != 1)}, and an "
           f"interval needs at least {MIN_GROUPS}." if groups < MIN_GROUPS else
           "Interval: 90% of the ratio to `hub-baseline`, whole groups resampled.")  # fmt: skip
    seen, ahead = frozen["months_seen"], table[table["group"] != "nowcast"]
    new, units = (int(part["n"].sum()) for part in (ahead[ahead["new"]], ahead))
    yield (f"**All releases together, confirmatory**: {table['release'].nunique()} releases. "
           "Releases whose last months are within a year of one another share errors and count "
           f"as one group. {few} {new:,} of {units:,} units are of months after {seen}, which the "
           f"developers had not seen. Horizons {' / '.join(_AHEAD)}; the nowcast is the last "
           "count of the release, with its mean absolute error in deaths.")  # fmt: skip
    between = groups >= MIN_GROUPS
    for only_new in (False, True):
        part = table[table["new"]] if only_new else table
        if part.empty or (only_new and new in (0, units)):
            continue
        yield from ["", *([f"*Months after {seen} only.*", ""] if only_new else [])]
        yield from _head("places", "model", "WIS over `hub-baseline`",
                         *(["90% interval"] * between), *_COLUMNS)  # fmt: skip
        for level, model, by in _beside(part):
            yield _row(level, f"`{cell(model)}`", *_cells(by, between))


_COLUMNS = ("over `naive+delay`", "90% coverage", "units", "nowcast: error", "as reported",
            "its 90% coverage", "releases")  # fmt: skip


def _cells(by: Mapping[str, Any], between: bool = False) -> list[object]:
    """Scores of the groups ahead side by side, then those of the last count of the release."""
    hub, naive, cover = (_each(by, lambda x, k=k: _3(x[k])) for k in ("hub", "naive", "cover_90"))
    none = {"ae": math.nan, "ae_reported": math.nan, "cover_90": math.nan}
    now = by.get("nowcast", none)
    return [
        hub,
        *([_each(by, lambda x: "–".join(map(_3, x["interval"] or ())) or "–")] * between),
        naive, cover, _each(by, lambda x: x["n"]),
        _1(now["ae"]), _1(now["ae_reported"]), _3(now["cover_90"]),
        max(x["releases"] for x in by.values()),
    ]  # fmt: skip


def _single(own: Sequence[dict[str, Any]], frozen: dict[str, Any]) -> Iterator[str]:
    """The default on each release."""
    table = table_of(own)
    if len(own) == 1:
        return
    yield f"**`{cell(frozen['model'])}` on each release, confirmatory**"
    yield ""
    yield from _head("release", "places", "WIS over `hub-baseline`", *_COLUMNS[:-1])
    for release, part in table[table["model"] == frozen["model"]].groupby("release", sort=True):
        for level, _, by in _beside(part):
            yield _row(release, level, *_cells(by)[:-1])


def _lost(own: Sequence[dict[str, Any]]) -> list[str]:
    """Why something has no forecast, unless the release lacks the place."""
    lost = []
    for c in own:
        lacks = tuple(f" has no {place}" for place in c.get("lacks", ()))
        lost += [
            f"- {c['release']}, {cell(why)}" for why in c["failures"] if not why.endswith(lacks)
        ]
    return ["Without a forecast:", "", *lost] if lost else []


def _beside(table: pd.DataFrame) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Per level and model, what each group of horizons says."""
    for level in LEVELS:
        for model in _models(table):
            of = table[(table["level"] == level) & (table["model"] == model)]
            by = {g: told(part) for g, part in of.groupby("group")}
            if by:
                yield level, model, by


def _each(by: Mapping[str, Any], show: Callable[[Any], object]) -> str:
    """The groups ahead side by side."""
    return " / ".join(str(show(by[g])) if g in by else "–" for g in _AHEAD)


def _models(table: pd.DataFrame) -> list[str]:
    """The default first, then the baselines in their order."""
    return sorted(table["model"].unique(), key=lambda m: BASELINES.index(m) if m in BASELINES
                  else -1)  # fmt: skip


def _1(x: float) -> str:
    return "–" if math.isnan(x) else f"{x:,.1f}"


def _3(x: float) -> str:
    return "–" if math.isnan(x) else f"{x:.3f}"
