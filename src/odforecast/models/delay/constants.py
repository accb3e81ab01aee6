"""The constants of a panel's delay."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.models.constants import dated_sets, read_rows
from odforecast.models.content import Kept
from odforecast.models.delay import deficit
from odforecast.models.delay.deficit import (
    EARLY,
    NAMES,
    OLD,
    SHARED_DF,
    SPAN,
    Deficit,
    Delays,
)
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DEATHS, ALL_DRUGS, STATES, VINTAGE_REAL
from odforecast.panel import Floats, Panel
from odforecast.publication import SETTLED, final_through, not_final
from odforecast.say import number_of
from odforecast.seeds import content_hash

#: A last count that settled at more than this many times itself, or so few parts of it, is no
#: release's: a file of another unit, or of other places.
FAR = 3.0
#: Counts below this may be as far.
SMALL = 100.0
#: Median and sd of the log of spreads that few releases cannot tell.
PRIORS = {
    "kappa_old": (1.0, 0.5),
    "old_error": (0.3, 0.7),
    "sd_shared": (0.15, 0.7),
    "revision_shared": (0.004, 0.7),
    "late_shared": (0.35, 0.5),
}
#: Where there is nothing to estimate it from.
ASSUMED = {
    "kappa_old": PRIORS["kappa_old"][0],
    "old_error": PRIORS["old_error"][0],
    "kappa_predicted": 1.0,
    "closing_share": 0.3,
    "closing_size": 0.01,
}
#: A closed year that changes by more than this share of its count has been cut.
CUT = 0.002
#: What the releases that ship turned out to miss.
SHIPPED = "seen.csv.gz"
#: Half a death, squared: counts are whole.
_WHOLE = 0.25


@cache
def all_delays() -> dict[tuple[dt.date, str], Delays]:
    """Every set that ships, by cut-off and release left out."""
    sets = dated_sets("delay/delay.csv", "cutoff", "without").items()
    return {
        (dt.date.fromisoformat(day), out): Delays(**values)
        for (day, out), values in sets
    }


def dated_key(panel: Panel) -> tuple[dt.date, str]:
    """Cut-off of the newest set known on the panel's day, and the release to leave out."""
    # That is its own or its donor's. Before the first cut-off, the first is taken.
    cutoffs = sorted({cutoff for cutoff, _ in all_delays()})
    earlier = [c for c in cutoffs if c <= panel.as_of] or cutoffs[:1]
    return earlier[-1], panel.donor.partition("/")[0] or panel.release.isoformat()


@dataclass(frozen=True)
class SettledRelease:
    """A release, and what its months turned out to miss."""

    release: str
    n_open: int  # Months after its last closed December
    closing: float  # See `odforecast.publication.not_final`
    # (52, n_open): Deaths that it said are pending in its last sums, the last first; NaN where it
    # did not
    pending: Floats
    predicted: (
        Floats  # (52, n_open): What its predicted counts have more than its last sums
    )
    late: Floats  # (52, SPAN): Deaths that arrived late, by month of death, the last month first
    months: Floats  # (52, SPAN): Settled deaths of those months
    last: Floats  # (52,): The last reported count
    year: Floats  # (52,): The reported count of the last closed year
    newest: int  # Months from the end of the last month to the release

    @property
    def ages(self) -> Floats:
        """Months from the end of each open month to the release, the last month first."""
        return self.newest + np.arange(self.n_open, dtype=float)

    @property
    def missed(self) -> Floats:
        """What the last counts missed of their open months, shape (52,)."""
        return self.late[:, : min(self.n_open, 12)].sum(axis=1)


def settle_release(panel: Panel, truth: Panel) -> SettledRelease | None:
    """What a release turned out to miss, by later counts on the same locations."""
    # `panel` is a release, or a delayed panel at its donor's own last month. None where a
    # jurisdiction, or an open month, is missing.
    n_open = deficit.open_months(panel)
    span = min(SPAN, panel.months.size)
    if not set(JURISDICTIONS) <= set(panel.locations) & set(truth.locations):
        return None
    if not 0 < n_open < span:
        return None
    rows = [panel.locations.index(s) for s in JURISDICTIONS]
    truth_rows = [truth.locations.index(s) for s in JURISDICTIONS]
    column = np.searchsorted(truth.months, panel.months[-span:])
    settled = truth.reported[truth_rows][:, column]
    reported = panel.reported[rows][:, -span:]
    missing = np.zeros((len(rows), SPAN + 13))
    missing[:, :span] = np.nan_to_num(settled - reported)[:, ::-1]
    late = np.zeros((len(rows), SPAN + 12))
    for age in range(span - 1, -1, -1):
        late[:, age] = missing[:, age] - missing[:, age + 1] + late[:, age + 12]
    grid = np.searchsorted(truth.month_grid, panel.months[-span:])
    months = np.full((len(rows), SPAN), np.nan)
    months[:, :span] = truth.monthly[truth_rows][:, grid][:, ::-1]
    pending = np.full((len(rows), n_open), np.nan)
    predicted = np.full((len(rows), n_open), np.nan)
    for k, row in enumerate(rows):
        deaths = deficit.pending_deaths(panel, row, n_open)
        if deaths is not None:
            pending[k] = deaths
        deaths = deficit.predicted_excess(panel, row, n_open)
        if deaths is not None:
            predicted[k] = deaths
    day = deficit.seen_in(panel)
    return SettledRelease(
        release=panel.donor.partition("/")[0] or str(panel.release),
        n_open=n_open,
        closing=not_final(day, panel.final_through),
        pending=pending,
        predicted=predicted,
        late=late[:, :SPAN],
        months=months,
        last=reported[:, -1],
        year=reported[:, -n_open - 1],
        newest=int((day - panel.last_month).astype(int)) - 1,
    )


@cache
def shipped_releases() -> tuple[SettledRelease, ...]:
    """Every release that ships, oldest first."""
    file = resources.files("odforecast.models.delay") / SHIPPED
    return read_releases(gzip.decompress(file.read_bytes()).decode())


def read_releases(text: str) -> tuple[SettledRelease, ...]:
    """The releases of a table: a line per release, jurisdiction and quantity."""
    releases: dict[tuple[str, str, str, str], dict[str, list[list[float]]]] = {}
    for row in read_rows(text):
        key = (row["release"], row["n_open"], row["closing"], row["newest"])
        numbers = [np.nan if x == "-" else float(x) for x in row["values"].split(" ")]
        releases.setdefault(key, {}).setdefault(row["quantity"], []).append(numbers)

    def wide(rows: list[list[float]], fill: float) -> Floats:
        out = np.full((len(rows), SPAN), fill)
        out[:, : len(rows[0])] = rows
        return out

    return tuple(
        SettledRelease(
            release=release,
            n_open=int(n_open),
            closing=float(closing),
            pending=np.array(tables["pending"]),
            predicted=np.array(tables["predicted"]),
            late=wide(tables["late"], 0.0),
            months=wide(tables["months"], np.nan),
            last=np.array(tables["counts"])[:, 0],
            year=np.array(tables["counts"])[:, 1],
            newest=int(newest),
        )
        for (release, n_open, closing, newest), tables in releases.items()
    )


def settled_by(
    cutoff: str | dt.date, releases: Sequence[SettledRelease]
) -> tuple[SettledRelease, ...]:
    """Those whose last count was a year old by a cut-off."""
    limit = np.datetime64(str(cutoff), "M")
    ages = [
        int((limit - np.datetime64(s.release, "M")).astype(int)) + s.newest + 1
        for s in releases
    ]
    return tuple(s for s, age in zip(releases, ages, strict=True) if age >= SETTLED)


def estimate(releases: Sequence[SettledRelease]) -> tuple[Delays, dict[str, str]]:
    """All of the delay's constants, and of each whether it is ``"estimated"`` or ``"assumed"``."""
    announcing = [s for s in releases if np.isfinite(s.pending).all()]
    if len(announcing) < 2:
        raise PanelError(
            "two settled releases with records pending are needed for the delay"
        )
    values = {"kappa": _slope(announcing, "pending")}
    # Each is estimated given the other; twice is enough, for the old months are few.
    for _ in range(2):
        values |= _old_months(announcing, values | _spreads(announcing, values))
        values["kappa"] = _slope(
            announcing, "pending", kappa_old=values.get("kappa_old", 1.0)
        )
    # By leaving out each release: one of few moves it a good deal.
    n = len(announcing)
    kappa_old = values.get("kappa_old", 1.0)
    jackknife = []
    for left_out in announcing:
        others = [s for s in announcing if s is not left_out]
        jackknife.append(_slope(others, "pending", kappa_old=kappa_old))
    values["kappa_error"] = float(
        np.sqrt((n - 1) * np.var(jackknife)) / values["kappa"]
    )
    predicted = [s for s in releases if np.isfinite(s.predicted).all()]
    if len(predicted) >= 2:
        values["kappa_predicted"] = _slope(predicted, "predicted")
    values |= _spreads(announcing, values)
    values |= _shared(announcing, values)
    values |= _closing(releases)
    values |= _by_age(releases)
    sources = {n: "estimated" if n in values else "assumed" for n in NAMES}
    return Delays(**{n: values.get(n, ASSUMED.get(n, np.nan)) for n in NAMES}), sources


def _slope(
    releases: Sequence[SettledRelease], name: str, kappa_old: float = 1.0
) -> float:
    """Share of what is pending, or of the excess of predicted counts, that arrives."""
    up = down = 0.0
    for s in releases:
        months = deficit.months_between(getattr(s, name)) * deficit.of_age(
            s.ages, kappa_old
        )
        x = months[:, :12].sum(axis=1)
        weight = 1.0 / np.maximum(s.last, 1.0)
        up += float((weight * x * s.missed).sum())
        down += float((weight * x * x).sum())
    return up / down


def _old_months(
    releases: Sequence[SettledRelease], constants: dict[str, float]
) -> dict[str, float]:
    """What arrives of the nation's months of over a year ago, and how far releases differ in it."""
    # Over what is expected of younger months.
    rows = []
    for s in releases:
        expected, profile, _ = _expected(
            s, constants | {"kappa_old": 1.0}, decay=constants["revision_decay"]
        )
        is_old = s.ages[: expected.shape[1]] >= OLD
        expected = expected[:, is_old]
        profile = profile[:, is_old]
        late = s.late[:, : is_old.size][:, is_old]
        if not expected.sum() > 0:
            continue
        variance = _own_variance(constants, expected, profile=profile, whole=_WHOLE)
        rows.append((late.sum(), expected.sum(), variance.sum()))
    if not rows:
        return {}
    late, expected, variance = np.array(rows).T

    def loss(theta: Floats) -> float:
        share, error = np.exp(theta)
        total = variance + (share * error * expected) ** 2
        return float(
            0.5 * (np.log(total) + (late - share * expected) ** 2 / total).sum()
            + _log_normal(share, "kappa_old")
            + _log_normal(error, "old_error")
        )

    share, error = np.exp(_minimize(loss, np.log([1.0, 0.3]), bounds=[(-3, 1)] * 2))
    return {"kappa_old": float(share), "old_error": float(error)}


def _expected(
    s: SettledRelease, constants: dict[str, float], decay: float
) -> tuple[Floats, Floats, Floats]:
    """Expected late arrivals, profile of a revision, and what is left; shape (52, n)."""
    n = min(s.n_open, 12)
    expected = deficit.months_between(constants["kappa"] * s.pending) * deficit.of_age(
        s.ages, constants.get("kappa_old", 1.0)
    )
    expected = expected[:, :n]
    profile = s.last[:, None] * (1.0 - decay) * decay ** np.arange(n)
    return expected, profile, s.late[:, :n] - expected


def _minimize(loss: Callable[[Floats], float], start: Floats, bounds: Any) -> Floats:
    """Where a loss is least."""
    from scipy.optimize import minimize  # only where releases are learned from

    return np.asarray(minimize(loss, start, bounds=bounds).x)


def _own_variance(
    constants: dict[str, float], expected: Floats, profile: Floats, whole: float
) -> Floats:
    """Variance of the late arrivals of each jurisdiction, what a release shares apart."""
    months = (
        (constants["noise"] * expected) ** 2
        + (constants["revision_noise"] * profile) ** 2
        + whole
    )
    return np.asarray(
        (constants["sd_own"] * expected.sum(axis=1)) ** 2
        + (constants["revision_own"] * profile.sum(axis=1)) ** 2
        + months.sum(axis=1)
    )


def _log_normal(value: float, name: str) -> float:
    median, sd = PRIORS[name]
    return float(0.5 * ((np.log(value) - np.log(median)) / sd) ** 2)


def _spreads(
    releases: Sequence[SettledRelease], constants: dict[str, float]
) -> dict[str, float]:
    """Spreads of a jurisdiction's errors, by the likelihood of its months."""
    names = ("sd_own", "noise", "revision_own", "revision_noise")

    # Releases side by side, shape (R, 52, n), all 0 where a release has no open month.
    width = max(min(s.n_open, 12) for s in releases)
    expected, profiled, residual = np.zeros(
        (3, len(releases), len(JURISDICTIONS), width)
    )
    present = np.zeros(residual.shape, dtype=bool)
    for r, s in enumerate(releases):
        late, _, remainder = _expected(s, constants, decay=0.0)
        n = late.shape[1]
        expected[r, :, :n] = late
        profiled[r, :, :n] = s.last[:, None]
        residual[r, :, :n] = remainder
        present[r, :, :n] = True
    age = np.arange(present.shape[-1])

    def unpacked(theta: Floats) -> tuple[dict[str, float], Floats, float]:
        spreads = dict(zip(names, np.exp(theta[:4]).tolist(), strict=True))
        return spreads, np.exp(theta[4:6]), 1.0 / (1.0 + float(np.exp(-theta[6])))

    def loss(theta: Floats) -> float:
        spreads, shared, decay = unpacked(theta)
        prior = 0.5 * ((theta[6] - np.log(0.85 / 0.15)) / 0.5) ** 2
        profile = profiled * ((1.0 - decay) * decay**age)
        variance = (
            (spreads["noise"] * expected) ** 2
            + (spreads["revision_noise"] * profile) ** 2
            + _WHOLE
        )
        loads = (spreads["sd_own"], spreads["revision_own"])
        losses = normal_loss(
            residual,
            np.where(present, variance, 1.0),
            expected=expected,
            profile=profile,
            row_loadings=loads,
            table_loadings=shared,
        )
        return float(prior + losses.sum())

    start = np.log([0.4, 0.4, 0.012, 0.008, 0.3, 0.008, 0.85 / 0.15])
    spreads, _, decay = unpacked(
        _minimize(loss, start, bounds=[(-9, 2)] * 6 + [(0.0, 4.0)])
    )
    return spreads | {"revision_decay": decay}


def normal_loss(
    values: Floats,
    variance: Floats,
    expected: Floats,
    profile: Floats,
    row_loadings: tuple[float, float],
    table_loadings: Floats,
) -> Floats:
    """Minus the log density of R tables (L, n) of normal values of mean 0, but for a constant."""
    # Each row has two factors, with loadings `row_loadings[0] * expected` and `row_loadings[1] *
    # profile`; the whole table has two more, `table_loadings[0] * expected` and `table_loadings[1]
    # * profile`. All are independent, as are the values otherwise, each with its `variance`. So
    # all that is needed are products of
    # the three columns. A cell that is not there has value and columns 0 and variance 1.
    weight = 1.0 / variance

    def product(x: Floats, y: Floats) -> Floats:
        return np.asarray((x * y * weight).sum(axis=-1))

    ee = product(expected, expected)
    ep = product(expected, profile)
    pp = product(profile, profile)
    el = product(expected, values)
    pl = product(profile, values)
    ll = product(values, values)
    a = 1.0 + row_loadings[0] ** 2 * ee
    b = row_loadings[0] * row_loadings[1] * ep
    d = 1.0 + row_loadings[1] ** 2 * pp
    det = a * d - b * b

    def within(xy: Floats, xe: Floats, xp: Floats, ye: Floats, yp: Floats) -> Floats:
        # The same product once the row's factors are integrated out, summed over the rows.
        up = row_loadings[0] * xe
        down = row_loadings[1] * xp
        left_up = row_loadings[0] * ye
        left_down = row_loadings[1] * yp
        explained = (
            d * up * left_up
            - b * (up * left_down + down * left_up)
            + a * down * left_down
        )
        return np.asarray((xy - explained / det).sum(axis=-1))

    s, t = table_loadings
    first = 1.0 + s * s * within(ee, ee, ep, ee, ep)
    second = 1.0 + t * t * within(pp, ep, pp, ep, pp)
    cross = s * t * within(ep, ee, ep, ep, pp)
    first_fit = s * within(el, ee, ep, el, pl)
    second_fit = t * within(pl, ep, pp, el, pl)
    outer = first * second - cross * cross
    fitted = (
        second * first_fit**2
        - 2.0 * cross * first_fit * second_fit
        + first * second_fit**2
    ) / outer
    quadratic = within(ll, el, pl, el, pl) - fitted
    logs = (
        np.log(variance).sum(axis=(-2, -1)) + np.log(det).sum(axis=-1) + np.log(outer)
    )
    return np.asarray(0.5 * (logs + quadratic))


def _shared(
    releases: Sequence[SettledRelease], constants: dict[str, float]
) -> dict[str, float]:
    """What a release shares, by the likelihood of the nation's last counts."""
    rows = []
    for s in releases:
        expected, profile, residual = _expected(
            s, constants, decay=constants["revision_decay"]
        )
        variance = _own_variance(constants, expected, profile=profile, whole=0.0)
        whole = profile.sum() / deficit.of_open(
            constants["revision_decay"], min(s.n_open, 12)
        )
        rows.append((residual.sum(), expected.sum(), whole, variance.sum()))
    errors, expected, profile, variance = np.array(rows).T

    def loss(theta: Floats) -> float:
        sd, revision = np.exp(theta)
        total = variance + (sd * expected) ** 2 + (revision * profile) ** 2
        # A Student-t as a whole: what is not shared is the smaller part.
        tails = (SHARED_DF + 1.0) * np.log1p(errors**2 / total / SHARED_DF)
        return float(
            0.5 * (np.log(total) + tails).sum()
            + _log_normal(sd, "sd_shared")
            + _log_normal(revision, "revision_shared")
        )

    sd, revision = np.exp(_minimize(loss, np.log([0.15, 0.004]), bounds=[(-9, 2)] * 2))
    return {"sd_shared": float(sd), "revision_shared": float(revision)}


def _closing(releases: Sequence[SettledRelease]) -> dict[str, float]:
    """How a year changes after its file has closed, from releases before its final file."""
    cuts = []
    changes = []
    nation = []
    whole = cut = 0.0
    for s in releases:
        if not s.closing or s.n_open > SPAN - 12:
            continue
        year = np.maximum(s.year, 1.0)
        change = s.late[:, s.n_open : s.n_open + 12].sum(axis=1) / year
        is_cut = change < -CUT
        changes += list(change[~is_cut])
        nation.append(float((change * year)[~is_cut].sum() / year.sum()))
        if s.closing > 0.4:  # in the others next to nothing is cut yet
            whole = whole + is_cut.size
            cut = cut + is_cut.sum()
            cuts += list(-change[is_cut] / s.closing)
    estimates: dict[str, float] = {}
    if cuts:
        estimates |= {
            "closing_share": float(cut / whole),
            "closing_size": float(np.mean(cuts)),
        }
    own_spread = float(np.sqrt(np.mean(np.square(changes)))) if changes else 0.0
    shared_spread = float(np.sqrt(np.mean(np.square(nation)))) if nation else 0.0
    # A closed year is not final: few closings have been seen: never less than one in a thousand.
    return estimates | {
        "closing_own": max(own_spread, 1e-3),
        "closing_shared": max(shared_spread, 1e-3),
    }


def _by_age(releases: Sequence[SettledRelease]) -> dict[str, float]:
    """Late share of a month's deaths by its age, and how far single releases are from it."""
    ages = []
    shares = []
    for s in releases:
        n = min(s.n_open, 12)
        late = s.late[:, :n].sum(axis=0)
        months = np.nansum(s.months[:, :n], axis=0)
        ages.append(s.newest + np.arange(n, dtype=float) - 6.0)
        shares.append(late / months)
    age = np.concatenate(ages)
    share = np.concatenate(shares)

    def curve(theta: Floats, at: Floats) -> Floats:
        return np.asarray(np.exp(theta[0] - np.exp(theta[1]) * at))

    def loss(theta: Floats) -> float:
        return float(np.square(share - curve(theta, age)).sum())

    theta = _minimize(loss, np.array([np.log(0.1), -1.0]), bounds=None)
    national = []
    errors = []
    for s, at in zip(releases, ages, strict=True):
        n = at.size
        expected = (s.months[:, :n] * curve(theta, at)).sum(axis=1)
        national.append(s.missed.sum() / expected.sum() - 1.0)
        errors += list(
            s.missed / np.maximum(expected, 1.0) - s.missed.sum() / expected.sum()
        )
    n = len(national)
    low, high = np.quantile(np.array(errors), [0.05, 0.95])
    median, _ = PRIORS["late_shared"]
    # As if two releases more had been seen, as far off as the prior's median.
    shared = np.sqrt((np.square(national).sum() + 2 * median**2) / (n + 2))
    return {
        "late": float(np.exp(theta[0])),
        "late_decay": float(np.exp(theta[1])),
        # By the central 90% of the errors: a few backlogs do not set it.
        "late_own": float((high - low) / (2 * 1.6448536269514722)),
        "late_shared": float(shared),
    }


@dataclass(frozen=True)
class Learned:
    """Constants of the delay, and what they rest on beside the dated set."""

    constants: Delays
    source: str  # Where they are from, in a few words
    shipped: int = 0  # Releases that ship, of those that they were estimated from
    own: tuple[str, ...] = ()  # Release dates of the archive's own, oldest first
    # Release date to why it could not be used
    left_out: dict[str, str] = field(default_factory=dict)

    def said(self) -> str:
        """One line; empty where the archive holds no further release that has settled."""
        said = []
        if self.own:
            span = " to ".join(dict.fromkeys((self.own[0], self.own[-1])))
            ships = f"{self.shipped} releases that ship"
            said.append(
                f"delay learned from {ships} and {len(self.own)} of this archive, {span}"
            )
        said += [
            f"delay not learned from {day}: {why}" for day, why in self.left_out.items()
        ]
        return "; ".join(said)


_kept = Kept[Learned](64)


def learned_delays(panel: Panel) -> Learned:
    """A panel's constants, and what they rest on."""
    # The same for the same content, whatever the order in which releases came to the archive.
    cutoff, without = dated_key(panel)
    sets = all_delays()
    dated = sets[cutoff, ""]
    source = f"constants of {cutoff}"
    if (cutoff, without) in sets:
        dated = sets[cutoff, without]
        source = f"{source}, without {without}"
    later = further_releases(panel)
    if not later:
        return Learned(dated, source)
    assert panel.triangle is not None
    chosen = [layer[list(later)] for layer in panel.triangle.layers.values()]
    dates = [panel.triangle.releases[i] for i in later]
    key = content_hash(
        (cutoff, without), panel.locations, panel.months, panel.reported, dates, *chosen
    )

    def learn() -> Learned:
        outcomes = dict(_settle_all(panel, later))
        settled = [
            release
            for release in outcomes.values()
            if isinstance(release, SettledRelease)
        ]
        left_out = {
            date: reason for date, reason in outcomes.items() if isinstance(reason, str)
        }
        if not settled:
            return Learned(dated, source, left_out=left_out)
        ships = [
            s for s in settled_by(cutoff, shipped_releases()) if s.release != without
        ]
        constants, _ = estimate(sorted((*ships, *settled), key=lambda s: s.release))
        return Learned(
            constants,
            f"{source}, and {number_of(len(settled), 'release')} of the archive",
            shipped=len(ships),
            own=tuple(s.release for s in settled),
            left_out=left_out,
        )

    return _kept.get(key, learn)


def delays_for(panel: Panel) -> Delays:
    """A panel's constants: :func:`learned_delays` says what they rest on."""
    return learned_delays(panel).constants


def missing_from(panel: Panel) -> Deficit | None:
    """What the last counts of a panel miss by its constants; None where all are final."""
    return (
        None if deficit.is_final(panel) else deficit.deficit(panel, delays_for(panel))
    )


def said_of(panel: Panel) -> str:
    """What a panel's own constants rest on beside the dated set, in one line; else empty."""
    # For fitted models: each says it (`delay_said`) of the panel whose constants it took.
    return learned_delays(panel).said()


def described_delays(panel: Panel) -> list[tuple[str, float, str]]:
    """The constants of the delay and where they are from, for a table."""
    learned = learned_delays(panel)
    return [
        (f"delay {name}", getattr(learned.constants, name), learned.source)
        for name in NAMES
    ]


def further_releases(panel: Panel) -> tuple[int, ...]:
    """Places in a panel's triangle of settled releases that its dated set does not rest on."""
    # CDC has one release a month.
    # Only releases that a vintage read with what they said of themselves, of all drugs. Settled is
    # a count of twelve months ago; but while the year that closed last still holds what its final
    # file will drop (November to January), none of its months: they would teach too much.
    triangle = panel.triangle
    of_all_drugs = (panel.indicator, panel.dataset) == (ALL_DRUGS, STATES)
    if triangle is None or triangle.pending is None or not of_all_drugs:
        return ()
    day = min(panel.as_of, panel.release)
    today = deficit.seen_in(panel)
    until = np.datetime64(today - SETTLED * ONE_MONTH, "M")
    if not_final(today, panel.final_through) > EARLY:
        until = min(until, np.datetime64(panel.final_through - 12 * ONE_MONTH, "M"))
    has_counts = np.isfinite(triangle.reported).any(axis=1)
    settled = []
    for i, release in enumerate(triangle.releases):
        columns = np.flatnonzero(has_counts[i])
        if columns.size and release < day and panel.months[columns[-1]] <= until:
            settled.append((i, release.isoformat()[:7]))
    if not settled:
        return ()
    shipped_months = {
        s.release[:7] for s in settled_by(dated_key(panel)[0], shipped_releases())
    }
    return tuple(i for i, month in settled if month not in shipped_months)


def _settle_all(
    panel: Panel, further: tuple[int, ...]
) -> Iterator[tuple[str, SettledRelease | str]]:
    """Release date, and what it turned out to miss or why that cannot be said."""
    assert panel.triangle is not None
    dates = panel.triangle.releases
    # A day that was guessed makes two of one release: they would count twice.
    last_of = {dates[i].isoformat()[:7]: dates[i] for i in further}
    for i in further:
        date = dates[i]
        last = last_of[date.isoformat()[:7]]
        if last != date:
            yield date.isoformat(), f"that of {last} stands for the month"
            continue
        try:
            yield date.isoformat(), settle_earlier(panel, i)
        except PanelError as error:
            yield date.isoformat(), error.message


def settle_earlier(panel: Panel, i: int) -> SettledRelease:
    """What one of the triangle's releases turned out to miss, by the panel's own counts."""
    release = as_released(panel, i)
    settled = settle_release(release, panel)
    if settled is None:
        absent = [s for s in JURISDICTIONS if s not in panel.locations]
        if absent:
            raise PanelError(f"the panel has no {absent[0]}")
        final = deficit.open_months(release) == 0
        raise PanelError(
            "all its counts were final" if final else "it has too few months"
        )
    stop = release.months.size
    recent = slice(max(stop - settled.n_open - 13, 0), stop)
    rows = [panel.locations.index(s) for s in JURISDICTIONS]
    for subject, counts in (("it", release.reported), ("the panel", panel.reported)):
        gap = np.isnan(counts[rows, recent]).any(axis=1)
        if gap.any():
            state = JURISDICTIONS[int(np.flatnonzero(gap)[0])]
            raise PanelError(
                f"{subject} lacks a count of {state} among its last months"
            )
    announced = np.isfinite(settled.pending).all(axis=1)
    if not announced.all():
        state = JURISDICTIONS[int(np.flatnonzero(~announced)[0])]
        raise PanelError(f"it does not say how many records of {state} are pending")
    month = min(settled.n_open, 12)
    if not np.isfinite(settled.months[:, :month]).all():
        raise PanelError("months of the panel cannot be recovered")
    counts_now = panel.reported[rows, stop - 1]
    size = np.maximum(settled.last, SMALL)
    is_far = (counts_now > FAR * size) | (size > FAR * np.maximum(counts_now, SMALL))
    if is_far.any():
        k = int(np.flatnonzero(is_far)[0])
        raise PanelError(
            f"{JURISDICTIONS[k]} has {settled.last[k]:,.0f} deaths in it, and "
            f"{counts_now[k]:,.0f} now"
        )
    if not settled.pending[:, 0].any():
        raise PanelError("it says that nothing is pending")
    return settled


def as_released(panel: Panel, i: int) -> Panel:
    """A release of the panel's triangle as a panel of its own day, on the same places."""
    triangle = panel.triangle
    assert triangle is not None
    layers = {name: layer[i] for name, layer in triangle.layers.items()}
    date = triangle.releases[i]
    has_counts = np.isfinite(triangle.reported[i]).any(axis=0)
    stop = int(np.flatnonzero(has_counts)[-1]) + 1

    def panel_of(
        indicator: str, first: int, final: np.datetime64, **layers: Any
    ) -> Panel:
        blank = np.full((len(panel.locations), stop - first), np.nan)
        return Panel(
            indicator=indicator,
            as_of=date,
            release=date,
            vintage=VINTAGE_REAL,
            locations=panel.locations,
            months=panel.months[first:stop],
            final_through=final,
            **{"predicted": blank, "complete": blank, "pending": blank, **layers},
        )

    # A percentage is one of all deaths: they stand at one month, as final.
    all_deaths = layers.pop("all_deaths")[:, None]
    whole = panel_of(ALL_DEATHS, stop - 1, panel.months[stop - 1], reported=all_deaths)
    layers = {name: layer[:, :stop] for name, layer in layers.items()}
    released = panel_of(panel.indicator, 0, final_through(date), **layers)
    return replace(released, beside={"all-deaths": whole})
