"""What the last counts of real releases missed, and how well rules would have told it.

    python benchmarks/bench_delay.py

From the donors that ship: for each release whose counts have since settled, the last
12-month-ending count of every jurisdiction and of the nation. A rule with numbers of its own takes
them from the other releases. Mean absolute error in deaths; every release weighs alike.

Then, with the releases in ../shared/data (or where ODFORECAST_SHARED points) in one archive: each
release by the dated set known that day, and by the set refined by those of the archive that had
settled by then; and the time that takes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.forecasts.tables import unbiased
from odforecast.geography import JURISDICTIONS
from odforecast.models.delay.constants import (
    SettledRelease,
    delays_for,
    estimate,
    learned_delays,
    settle_release,
    shipped_releases,
)
from odforecast.models.delay.deficit import deficit
from odforecast.names import HUB_QUANTILES
from odforecast.panel import Floats, Panel
from odforecast.scoring import weighted_interval_score
from odforecast.vintage.donors import shipped

sys.path.insert(0, str(Path(__file__).resolve().parent / "reference"))
ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
#: A count this old in the newest release is settled.
SETTLED = 12
#: What is claimed is from here on; before, structure was chosen.
CLAIMED = "2021-01-01"
DRAWS = 2000
ERAS = {"6.5 months": 6, "4.5 months": 4}


class Release:
    """A release as it was, what it missed, and the release before it."""

    def __init__(self, panel: Panel, found: SettledRelease, era: str) -> None:
        self.panel, self.seen, self.era = panel, found, era
        self.rows = [panel.locations.index(s) for s in JURISDICTIONS]

    @property
    def missed(self) -> Floats:
        """What the last count missed, the closed year's cut too."""
        return self.seen.late[:, :12].sum(axis=1)


def releases() -> list[Release]:
    """Every donor at its own last month."""
    truth = od.bundled().as_of().panel()
    out = []
    for donor in shipped():
        panel = truth.delayed(donor.last_month, donor)
        found = settle_release(panel, truth)
        if found is not None:
            era = "4.5 months" if found.newest <= 5 else "6.5 months"
            out.append(Release(panel, found, era))
    return out


def as_reported(release: Release) -> Floats:
    return np.zeros(len(release.rows))


def of_predicted(release: Release) -> Floats:
    panel = release.panel
    return (panel.predicted - panel.reported)[release.rows, -1]


def of_predicted_cleared(release: Release) -> Floats:
    panel = release.panel
    cleared = unbiased(panel.reported, panel.predicted)
    return (cleared - panel.reported)[release.rows, -1]


def of_november_2026(release: Release) -> Floats:
    from dlm_2026_11.delay import missing_deaths

    return missing_deaths(release.panel)[0][release.rows, 0]


def of_today(release: Release) -> Floats:
    panel = release.panel
    return deficit(panel, delays_for(panel)).sums(panel.locations)[release.rows, -1]


def learned(
    features: Callable[[Release], Floats],
) -> Callable[[Release, list[Release]], Floats]:
    """A rule linear in some features, its numbers from the other releases, by 1 / count."""

    def rule(release: Release, others: list[Release]) -> Floats:
        left, right = [], []
        for each in others:
            x = features(each)
            use = np.isfinite(x).all(axis=1)
            weight = 1.0 / np.sqrt(np.maximum(each.seen.last, 1.0))[use]
            left.append(x[use] * weight[:, None])
            right.append(each.missed[use] * weight)
        beta = np.linalg.lstsq(np.concatenate(left), np.concatenate(right), rcond=None)[0]
        return np.asarray(np.nan_to_num(features(release)) @ beta)

    return rule


def pending(release: Release) -> Floats:
    return release.seen.pending[:, :1]


def pending_and_size(release: Release) -> Floats:
    return np.column_stack([release.seen.pending[:, 0], release.seen.last])


def pending_and_age(release: Release) -> Floats:
    young = release.seen.last * (release.seen.newest <= 5)
    return np.column_stack([release.seen.pending[:, 0], release.seen.last, young])


def all_pending(release: Release) -> Floats:
    panel = release.panel
    share = panel.pending[release.rows, -1] / 100.0
    return (share * panel.all_deaths[release.rows])[:, None]


def predicted_beyond(release: Release) -> Floats:
    return release.seen.predicted[:, :1]


def pending_and_previous(release: Release) -> Floats:
    """Beside what is pending: what the release before is known to have missed by now, beyond the
    share that the states missed together.
    """
    panel, triangle = release.panel, release.panel.triangle
    x = release.seen.pending[:, 0]
    if triangle is None:
        return np.column_stack([x, np.full(x.size, np.nan)])
    table = triangle.reported[-1][release.rows]
    column = int(np.flatnonzero(np.isfinite(table).any(axis=0))[-1])
    before = np.maximum(table[:, column], 1.0)
    arrived = panel.reported[release.rows, column] - before
    return np.column_stack([x, arrived - arrived.sum() / before.sum() * before])


FIXED = {
    "as reported": as_reported,
    "CDC's predicted value": of_predicted,
    "the same, cleared of its usual excess": of_predicted_cleared,
    "layer of 2026-11": of_november_2026,
    "today's rule, constants without the release": of_today,
}
LEARNED = {
    "κ · pending beyond the closed December": pending,
    "… and a share of the count": pending_and_size,
    "… and a share of the count by era": pending_and_age,
    "… and what the release before missed": pending_and_previous,
    "κ · all that is pending": all_pending,
    "κ · predicted beyond December's": predicted_beyond,
}


def row(name: str, errors: list[tuple[str, Floats, float]], raw: dict[str, float]) -> str:
    """One line of the table: mean absolute error by era, and over the reported counts'."""
    cells = []
    for era in ERAS:
        mine = [(own, nation) for e, own, nation in errors if e == era]
        if not mine:
            cells += ["–", "–"]
            continue
        own = float(np.mean([np.mean(np.abs(x)) for x, _ in mine]))
        nation = float(np.mean([abs(x) for _, x in mine]))
        for key, value, form in ((era, own, "{:.1f}"), (f"{era} US", nation, "{:,.0f}")):
            raw.setdefault(key, value)
            cells.append(f"{form.format(value)} ({value / raw[key]:.2f})")
    return f"| {name} | {len(errors)} | " + " | ".join(cells) + " |"


def silent(panel: Panel) -> Panel:
    """The panel without what earlier releases said of themselves: the dated set is taken."""
    if panel.triangle is None:
        return panel
    mute = replace(panel.triangle, pending=None, predicted=None, all_deaths=None)
    return replace(panel, triangle=mute)


def real_panels(folder: Path) -> Iterator[tuple[Panel, float]]:
    """Panels of every release whose counts have settled since, and the time each took to read."""
    with tempfile.TemporaryDirectory() as place:
        archive = od.Archive(place)
        for path in sorted(folder.glob("20*")):
            try:
                archive.add(path)
            except OdforecastError:
                continue  # no release, or one that contradicts itself
        for date in archive.releases():
            began = time.perf_counter()
            try:
                panel = archive.as_of(date).panel()
            except OdforecastError:
                continue  # predicted values only
            yield panel, time.perf_counter() - began


def scored(panel: Panel, truth: Panel) -> dict[str, Floats]:
    """WIS of the default's nowcast by months before the last count, and errors of the last count.

    Returns
    -------
    dict of str to ndarray
        ``missed``: what the last counts missed less what was expected, shape (L,); ``wis``, shape
        (L, 12), the last count at the end, NaN where the truth has not settled.
    """
    model = od.get_model("dlm").fit(panel)
    forecast = model.forecast(horizon=1, draws=DRAWS, seed=1)
    now = np.flatnonzero(forecast.horizons <= 0)
    levels = [float(q) for q in HUB_QUANTILES]
    quantiles = forecast.quantiles(levels)[:, :, now]
    rows = [truth.locations.index(s) for s in forecast.locations]
    mine = [panel.locations.index(s) for s in forecast.locations]
    at = np.searchsorted(truth.months, panel.months[-12:])
    came = truth.reported[rows][:, at]
    expected = deficit(panel, delays_for(panel)).sums(panel.locations)[mine, -1]
    return {
        "missed": came[:, -1] - panel.reported[mine, -1] - expected,
        "wis": weighted_interval_score(quantiles, levels, came).total,
        "us": np.array([s == "US" for s in forecast.locations]),
    }


def own_archive() -> None:
    """What an archive's own releases are worth, release by release."""
    truth = od.bundled().as_of().panel()
    heads = ("release", "its archive's own that had settled", "κ",
             "error of the last count: mean of jurisdictions, nation",
             "nowcast WIS: jurisdictions 0, −11..−1; nation 0, −11..−1")  # fmt: skip
    print("\n| " + " | ".join(heads) + " |")
    print("|---" * 5 + "|")
    totals: dict[bool, list[Floats]] = {}
    for panel, _ in real_panels(SHARED):
        age = int((truth.months[-1] - panel.last_month).astype(int)) + 5
        learned = learned_delays(panel)
        if age < SETTLED or not learned.own:
            continue
        cells = []
        for each in (silent(panel), panel):
            got = scored(each, truth)
            us = got["us"]
            numbers = [
                np.abs(got["missed"][~us]).mean(), np.abs(got["missed"][us]).sum(),
                got["wis"][~us, -1].mean(), got["wis"][~us, :-1].mean(),
                got["wis"][us, -1].mean(), got["wis"][us, :-1].mean(),
            ]  # fmt: skip
            cells.append(numbers)
        claimed = str(panel.release) >= CLAIMED
        totals.setdefault(claimed, []).append(np.array(cells))
        dated = delays_for(silent(panel)).kappa
        said = f"{len(learned.own)} ({learned.own[0]} to {learned.own[-1]})"
        pairs = [f"{a:,.1f} → {b:,.1f}" for a, b in zip(*cells, strict=True)]
        print(f"| {panel.release} | {said} | {dated:.3f} → {learned.constants.kappa:.3f} | "
              f"{', '.join(pairs[:2])} | {', '.join(pairs[2:])} |")  # fmt: skip
    for claimed, tables in totals.items():
        mean = np.mean(tables, axis=0)
        pairs = [f"{a:,.1f} → {b:,.1f} ({b / a:.2f})" for a, b in zip(*mean, strict=True)]
        name = "from 2021-01 on" if claimed else "to 2020-12"
        print(f"| mean {name} | {len(tables)} releases | | {', '.join(pairs[:2])} | "
              f"{', '.join(pairs[2:])} |")  # fmt: skip


def times() -> None:
    """Seconds to read a panel with its triangle, and to estimate again."""
    read = [(len(p.triangle.releases) if p.triangle else 0, t) for p, t in real_panels(SHARED)]
    print(f"\nfirst panel of each release: {max(t for _, t in read):.2f} s at most, with up to "
          f"{max(n for n, _ in read)} earlier releases")  # fmt: skip
    ships = shipped_releases()
    for more in (1, 20, 80):
        found = (*ships, *(ships[i % len(ships)] for i in range(more)))
        began = time.process_time()
        estimate(found)
        print(f"{more} releases more: estimated in {time.process_time() - began:.2f} s")


def main() -> None:
    rules()
    if SHARED.is_dir():
        own_archive()
        times()


def rules() -> None:
    """What the last counts missed, by rule."""
    found = releases()
    raw: dict[str, float] = {}
    heads = [f"{era}, {what}" for era in ERAS for what in ("jurisdictions", "nation")]
    span = f"{found[0].seen.release} to {found[-1].seen.release}"
    print(f"{len(found)} releases, {span}; in brackets: over the error of the reported count\n")
    print("| rule | releases | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 2) + "|")
    for name, rule in FIXED.items():
        errors = []
        for r in found:
            off = r.missed - rule(r)
            if np.isfinite(off).all():
                errors.append((r.era, off, float(off.sum())))
        print(row(name, errors, raw))
    for name, features in LEARNED.items():
        rule = learned(features)
        errors = []
        for r in found:
            x = features(r)
            if not np.isfinite(x).all():
                continue
            others = [o for o in found if o is not r]
            off = r.missed - rule(r, others)
            errors.append((r.era, off, float(off.sum())))
        print(row(name, errors, raw))
        if features is pending_and_previous:
            rule = learned(pending)
            same = [r for r in found if np.isfinite(features(r)).all()]
            errors = []
            for r in same:
                off = r.missed - rule(r, [o for o in same if o is not r])
                errors.append((r.era, off, float(off.sum())))
            print(row("(pending alone, on the same releases)", errors, raw))


if __name__ == "__main__":
    main()
