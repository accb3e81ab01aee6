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
    yield from _head("release", "file", "data hash", "last month", "horizons",
                     "truth: reported in", "run on", "code")  # fmt: skip
    for c in own:
        code = "as frozen" if c["code_digest"] == frozen["code_digest"] else (
            f"**not as frozen**: {c['code_digest']}")  # fmt: skip
        yield _row(c["release"], cell(c["file"]), c["data_hash"], c["last_month"],
                   ", ".join(c["groups"]), c["truth"]["release"], c["run_on"], code)  # fmt: skip


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
           f"developers had not seen. Horizons {' / '.join(_AHEAD)}.")  # fmt: skip
    for only_new in (False, True):
        part = ahead[ahead["new"]] if only_new else ahead
        if part.empty or (only_new and new == units):
            continue
        yield from ["", *([f"*Months after {seen} only.*", ""] if only_new else [])]
        between = groups >= MIN_GROUPS
        yield from _head("places", "model", "WIS over `hub-baseline`",
                         *(["90% interval"] * between), "over `naive+delay`", "90% coverage",
                         "units", "releases")  # fmt: skip
        for level, model, by in _beside(part):
            sides = [_each(by, lambda x: _3(x["hub"]))]
            if between:
                sides.append(_each(by, lambda x: "–".join(map(_3, x["interval"] or ())) or "–"))
            sides += [_each(by, lambda x: _3(x["naive"])), _each(by, lambda x: _3(x["cover_90"]))]
            sides.append(_each(by, lambda x: x["n"]))
            releases = max(x["releases"] for x in by.values())
            yield _row(level, f"`{cell(model)}`", *sides, releases)
    if (table["group"] == "nowcast").any():
        yield from ["", "*Nowcast: the last count of the release (horizon 0). The eleven counts "
                    "before it are in `benchmarks/holdout.json`.*", ""]  # fmt: skip
        yield from _nowcast(table)


def _nowcast(table: pd.DataFrame) -> Iterator[str]:
    yield from _head("places", "model", "mean absolute error", "of the count as reported",
                     "90% coverage", "units", "releases")  # fmt: skip
    for level, model, by in _beside(table, ["nowcast"]):
        x = by["nowcast"]
        yield _row(level, f"`{cell(model)}`", _1(x["ae"]), _1(x["ae_reported"]),
                   _3(x["cover_90"]), x["n"], x["releases"])  # fmt: skip


def _single(own: Sequence[dict[str, Any]], frozen: dict[str, Any]) -> Iterator[str]:
    """The default on each release."""
    table = table_of(own)
    yield f"**`{cell(frozen['model'])}` on each release, confirmatory**"
    yield ""
    yield from _head("release", "places", "WIS over `hub-baseline`", "over `naive+delay`",
                     "90% coverage", "units", "nowcast: error", "as reported")  # fmt: skip
    for release, part in table[table["model"] == frozen["model"]].groupby("release", sort=True):
        for level, _, by in _beside(part, [*_AHEAD, "nowcast"]):
            now = by.pop("nowcast", {"ae": math.nan, "ae_reported": math.nan})
            sides = [_each(by, lambda x, k=k: _3(x[k])) for k in ("hub", "naive", "cover_90")]
            yield _row(release, level, *sides, _each(by, lambda x: x["n"]), _1(now["ae"]),
                       _1(now["ae_reported"]))  # fmt: skip


def _lost(own: Sequence[dict[str, Any]]) -> list[str]:
    """Why something has no forecast, unless the release lacks the place."""
    lost = [f"- {c['release']}, {cell(why)}" for c in own for why in c["failures"]
            if not any(why.endswith(f" has no {place}") for place in c.get("lacks", ()))]  # fmt: skip
    return ["Without a forecast:", "", *lost] if lost else []


def _beside(
    table: pd.DataFrame, groups: Sequence[str] = _AHEAD
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Per level and model, what each group of horizons says."""
    for level in LEVELS:
        for model in _models(table):
            of = table[(table["level"] == level) & (table["model"] == model)]
            by = {g: told(of[of["group"] == g]) for g in groups if (of["group"] == g).any()}
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
