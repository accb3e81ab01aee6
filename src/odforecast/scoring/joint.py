"""Scores of a forecast as a whole: its draws over places and months at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError, whole
from odforecast.forecast import Forecast
from odforecast.geography import NATION, REGIONS, parts_of
from odforecast.months import ONE_MONTH
from odforecast.names import HUB_QUANTILES, LOCATION, MONTH, STATES, TARGET_12MO
from odforecast.scoring import columns, rules
from odforecast.scoring.rules import FLOOR, Floats
from odforecast.scoring.trend import chances, drawn_changes, turns_of
from odforecast.scoring.truth import Truth, forecast_and_truth, months_ahead
from odforecast.seeds import Streams, seed_from

#: Columns of the table of joint scores; the backtest puts its own before them.
JOINT_COLUMNS: Final = (
    "target",
    "statistic",
    "place",
    "horizon",
    "month",
    "control",
    "n_places",
    "n_months",
    "n_draws",
    "observed",
    "median",
    "score",
    "log_score",
    "pit",
    "cover_50",
    "cover_80",
    "cover_90",
    "cover_95",
    "scorable",
    "reason",
)
#: Why a row has no score.
NO_LOG: Final = "a draw is below zero: it has no log"
NOT_JOINT: Final = {
    LOCATION: "the draws are not joint over places",
    MONTH: "the draws are not joint over months",
}
_NO_YEAR: Final = "a count of the year before is not known"
#: All places, or all months, together.
ALL: Final = "all"
#: Horizons at which the turn is scored.
TURNS: Final = (3, 6, 12)

#: A row of the table: what is not named in it is as here. ``horizon`` is -1, and there is no
#: ``month``, where months are joined.
Row = dict[str, Any]
_USUAL: Final[Row] = {
    "horizon": -1,
    "month": np.datetime64("NaT", "M"),
    "n_places": 1,
    "n_months": 1,
    "reason": "",
} | dict.fromkeys(JOINT_COLUMNS[9:18], float("nan"))


def joint_table(rows: Sequence[Row], target: str) -> pd.DataFrame:
    """Rows as the table, with the right columns and types where there are none."""
    whole = [_USUAL | {"target": target, "scorable": not row.get("reason")} | row for row in rows]
    kinds = {"control": "?", "scorable": "?", "month": "M8[M]"}
    kinds |= dict.fromkeys(("horizon", "n_places", "n_months", "n_draws"), "i8")
    kinds |= dict.fromkeys(JOINT_COLUMNS[9:18], "f8")
    made = {n: np.array([r[n] for r in whole], kinds.get(n, object)) for n in JOINT_COLUMNS}
    return pd.DataFrame(made | {"month": made["month"].astype("M8[s]")})


def counted(
    draws: Floats, observed: Floats, labels: Sequence[tuple[object, ...]]
) -> dict[str, Floats]:
    """Scores of drawn counts: WIS, coverage and PIT, of draws (D, U) against (U,)."""
    quantiles = np.quantile(draws, HUB_QUANTILES, axis=0)
    below = (draws < observed).sum(axis=0)
    ties = (draws == observed).sum(axis=0)
    uniform = np.array([seed_from("joint-pit", *label) / 2.0**63 for label in labels])
    pit = (below + uniform * (1 + ties)) / (len(draws) + 1)
    return {
        "observed": observed,
        "median": quantiles[len(HUB_QUANTILES) // 2],
        "score": rules.weighted_interval_score(quantiles, HUB_QUANTILES, observed=observed).total,
        "pit": np.where(np.isnan(observed), np.nan, pit),
        **rules.coverages(quantiles, HUB_QUANTILES, observed=observed),
    }


@dataclass(frozen=True)
class World:
    """One set of draws of places without the nation, with the observed values."""

    axes: frozenset[str]
    control: bool
    key: tuple[object, ...]
    places: tuple[str, ...]
    horizons: NDArray[np.int64]
    months: NDArray[np.datetime64]
    draws: Floats
    order: NDArray[np.intp]
    observed: Floats
    first: Floats
    later: Floats
    came: Floats
    why: NDArray[np.object_]

    def apart(self, *axes: str) -> str:
        """Why there is nothing joint over these axes; empty if there is."""
        return next((NOT_JOINT[axis] for axis in axes if axis not in self.axes), "")

    def row(
        self, statistic: str, place: str, why: str, scores: Mapping[str, object], **about: object
    ) -> Row:
        """A row of the table: with its scores, or the reason why it has none."""
        said = {"control": self.control, "n_draws": len(self.draws)} | about
        found = {"reason": why} if why else dict(scores)
        return {"statistic": statistic, "place": place} | said | found


def worlds_of(
    forecast: Forecast,
    truth: Truth,
    seed: int,
    target: str,
    rows: list[int],
    months: NDArray[np.intp],
) -> list[World]:
    """The draws of these places and months; where places are joined, the control after them."""
    places = tuple(forecast.locations[i] for i in rows)
    samples = forecast.samples(target)
    at = forecast.months[months]
    last = np.datetime64(forecast.last_month, "M")
    observed, why = truth.observed(places, at, target)
    shape = (len(samples), len(rows))
    first = np.full(shape, np.nan)
    later = np.full((*shape, months.size), np.nan)
    came = np.full((len(rows), 1 + months.size), np.nan)
    if target == TARGET_12MO:
        start, changes = drawn_changes(forecast, samples)
        first = start[:, rows]
        later = changes[:, rows][:, :, months]
        known, _ = truth.observed(places, np.array([last]))
        before, _ = truth.observed(places, np.append(last, at) - 12 * ONE_MONTH)
        came = np.concatenate([known, observed], axis=1) - before
    indicator = forecast.panel.indicator if forecast.panel is not None else ""
    streams = Streams(seed, STATES, indicator=indicator, last_month=str(last))
    key = (seed, forecast.provenance.get("model", ""), forecast.as_of, target)
    draws = np.ascontiguousarray(samples[:, rows][:, :, months])
    # Pairs of draws are drawn from here on: neighbors may be alike, in a blend of models are.
    order = streams.generator("pairs").permutation(len(draws))
    plain = World(
        forecast.joint,
        False,
        key=key,
        places=places,
        horizons=forecast.horizons[months],
        months=at,
        draws=draws,
        order=order,
        observed=observed,
        first=first,
        later=later,
        came=came,
        why=why,
    )
    if LOCATION not in forecast.joint or len(places) < 2:
        return [plain]
    names = ("draws", "first", "later")
    mixed: Row = {name: shuffled(getattr(plain, name), places, streams=streams) for name in names}
    return [plain, replace(plain, control=True, key=(*key, "control"), **mixed)]


def shuffled(draws: Floats, places: Sequence[str], streams: Streams) -> Floats:
    """Draws with each place's paths in an order of its own: the control."""
    out = np.empty_like(draws)
    for i, place in enumerate(places):
        out[:, i] = draws[streams.generator("control", place).permutation(len(draws)), i]
    return out


@dataclass(frozen=True)
class Sum:
    """A sum of places: which, and why it cannot be taken."""

    name: str
    parts: list[int]
    n_parts: int
    reason: str


def sums_of(world: World) -> list[Sum]:
    """Each census region and the nation, as sums of places."""
    row = {place: i for i, place in enumerate(world.places)}
    out = []
    for name in (NATION, *REGIONS):
        parts = parts_of(name)
        there = [row[s] for s in parts if s in row]
        lost = len(parts) - len(there)
        why = f"{lost} of its {len(parts)} parts are not forecast" if lost else ""
        out.append(Sum(name, there, n_parts=len(parts), reason=world.apart(LOCATION) or why))
    return out


def first_reason(why: NDArray[np.object_]) -> str:
    """The first reason there is; empty if all can be scored."""
    return next((str(x) for x in why.ravel() if x), "")


def joint_scores(
    forecast: Forecast,
    truth: Truth,
    seed: int = 1,
    target: str = TARGET_12MO,
    horizons: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Score what depends on the draws moving together over places or months.

    Parameters
    ----------
    forecast : Forecast
        Of states, at least two draws; months up to the last known one are left out.
    seed : int
        For the control's shuffles and the ties of the PIT.
    target : {"deaths_12mo", "deaths_month"}
        Statistics of paths need 12-month counts.
    horizons : sequence of int, optional
        Months after the panel's last month; default: all.

    Returns
    -------
    DataFrame
        One row per statistic, place and horizon, and again with ``control`` True (draws shuffled
        between places) where places are joined. Columns :data:`JOINT_COLUMNS`; ``statistic`` is

        ``energy``
            Fair energy score of log(1 + deaths) of all places but the nation, over places
            (``place`` ``"all"``), over horizons (``horizon`` -1), and over both. It uses 64,000
            pairs of 1,000 draws.
        ``sum``
            WIS in deaths of the sum for each census region and ``US``.
        ``largest_rise``, ``largest_fall``
            WIS of the largest and smallest change on a year earlier.
        ``peak_month``
            Ranked probability score and log score of the horizon with the highest count.
        ``turn``
            Brier score of a change of direction within 3, 6 and 12 months.

        ``scorable`` is False, with a ``reason``, where a count is unknown, a part is not forecast,
        or **the draws are not joint over the axis**. A forecast of counties has no rows.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("dlm").fit(panel.cut("2022-06")).forecast(draws=200)
    >>> table = od.scoring.joint_scores(made, od.Truth(panel))
    >>> us = table[(table["statistic"] == "sum") & (table["place"] == "US")]
    >>> us.groupby("control").size().to_dict()
    {False: 12, True: 12}
    >>> apart = od.get_model("drift").fit(panel.cut("2022-06")).forecast(draws=200)
    >>> table = od.scoring.joint_scores(apart, od.Truth(panel))
    >>> table.loc[table["statistic"] == "sum", "reason"].unique().tolist()
    ['the draws are not joint over places']
    """
    forecast_and_truth(forecast, truth)
    whole("seed", seed, least=0, error=ScoringError)
    if forecast.panel is not None and forecast.panel.dataset != STATES:
        return joint_table([], target)
    months = np.flatnonzero(forecast.horizons >= 1)
    if horizons is not None:
        wanted = months_ahead(horizons, forecast.horizons[months].tolist())
        months = months[np.isin(forecast.horizons[months], wanted)]
    rows = [i for i, place in enumerate(forecast.locations) if place != NATION]
    if not months.size or not rows:
        return joint_table([], target)
    if len(forecast.draws) < 2:
        raise ScoringError(
            f"{len(forecast.draws)} draw has no joint scores", hint="forecast with two or more"
        )
    out: list[Row] = []
    for world in worlds_of(forecast, truth, seed=seed, target=target, rows=rows, months=months):
        out += _energies(world) + _sums(world)
        if target == TARGET_12MO:
            out += _paths(world)
    return joint_table(out, target)


def _energies(world: World) -> list[Row]:
    """Energy scores of log counts over places, over horizons and over both."""
    # Which places count hangs on what came, never on the draws: a model that could leave out a
    # place with a draw below zero would choose what it is scored on.
    usable = np.isfinite(world.observed)
    logged = (world.draws >= 0).all(axis=0)
    whole = usable.all(axis=1)
    below = usable & ~logged
    logs = np.log1p(np.where(usable & logged, world.draws, 0.0))[world.order]
    y = np.log1p(np.where(usable, world.observed, 0.0))
    miss = rules.miss_distances(logs, y, whole=whole)
    apart = rules.pair_distances(logs, whole)

    def row(place: str, why: str, missed: float, between: float, **about: object) -> Row:
        """A row of the score: mean distance from the observed values, minus half that of draws."""
        return world.row("energy", place, why, {"score": float(missed - between / 2)}, **about)

    def no_log(lost: NDArray[np.bool_]) -> str:
        """Why there is no score on the log scale, where places (L,) have a draw below zero."""
        if not lost.any():
            return ""
        more = f" and {int(lost.sum()) - 1} more" if lost.sum() > 1 else ""
        return f"{NO_LOG}: {world.places[int(np.argmax(lost))]}{more}"

    out: list[Row] = []
    for m, h in enumerate(world.horizons):
        n = int(usable[:, m].sum())
        why = world.apart(LOCATION)
        if not why and n < 2:
            lost = first_reason(world.why[:, m])
            why = f"fewer than two places can be scored{f': {lost}' if lost else ''}"
        about = {"horizon": int(h), "month": world.months[m], "n_places": n}
        why = why or no_log(below[:, m])
        out.append(row(ALL, why, miss.by_month[m], apart.by_month[m], **about))
    why = world.apart(LOCATION, MONTH)
    n = int(whole.sum())
    months = {"n_months": len(world.months)}
    if not why and n < 2:
        why = "fewer than two places can be scored in all months"
    why = why or no_log(whole & below.any(axis=1))
    out.append(row(ALL, why, miss.both, apart.both, n_places=n, **months))
    if world.control:  # a place's own path is the same one
        return out
    for i, place in enumerate(world.places):
        why = world.apart(MONTH) or first_reason(world.why[i])
        why = why or ("" if logged[i].all() else NO_LOG)
        out.append(row(place, why, miss.by_place[i], apart.by_place[i], **months))
    return out


def _sums(world: World) -> list[Row]:
    """Sums of states' draws: WIS, coverage and PIT."""
    out: list[Row] = []
    for made in sums_of(world):
        observed = world.observed[made.parts].sum(axis=0)
        scores: dict[str, Floats] = {}
        if not made.reason:
            draws = world.draws[:, made.parts].sum(axis=1)
            labels = [(*world.key, "sum", made.name, int(h)) for h in world.horizons]
            scores = counted(draws, observed, labels=labels)
        for m, h in enumerate(world.horizons):
            why = made.reason or first_reason(world.why[made.parts, m])
            about = {"horizon": int(h), "month": world.months[m], "n_places": made.n_parts}
            found = {k: v[m] for k, v in scores.items()}
            out.append(world.row("sum", made.name, why, found, **about))
    return out


def _paths(world: World) -> list[Row]:
    """Statistics of the path of each place, and of each sum."""
    turns = [m for m, h in enumerate(world.horizons) if h in TURNS]

    def row(
        made: Sum,
        statistic: str,
        why: str,
        scores: Mapping[str, object],
        m: int | None = None,
    ) -> Row:
        """A row of a path; of the turn by a month, where one is given."""
        about: Row = {"n_months": world.horizons.size}
        if m is not None:
            about = {"horizon": int(world.horizons[m]), "month": world.months[m]}
        return world.row(statistic, made.name, why, scores, n_places=made.n_parts, **about)

    why = world.apart(MONTH)
    asked = [replace(made, reason=made.reason or why) for made in sums_of(world)]
    if not world.control:
        asked = [*(Sum(s, [i], n_parts=1, reason=why) for i, s in enumerate(world.places)), *asked]
    asked.sort(key=lambda made: not made.reason)  # those without scores come first
    # All of them at once, (D, U, M): a loop over sixty places took most of the time.
    draws, first, later = (
        np.stack([x[:, made.parts].sum(axis=1) for made in asked], axis=1)
        for x in (world.draws, world.first, world.later)
    )
    observed, came = (
        np.stack([x[made.parts].sum(axis=0) for made in asked])
        for x in (world.observed, world.came)
    )
    largest = np.concatenate([later.max(axis=2), later.min(axis=2)], axis=1)
    seen = np.concatenate([came[:, 1:].max(axis=1), came[:, 1:].min(axis=1)])
    labels = [(*world.key, name, made.name) for name in ("rise", "fall") for made in asked]
    scores = counted(np.nan_to_num(largest), seen, labels=labels)  # a change not known has no row
    chance = chances(first, later)
    happened = turns_of(came)
    out: list[Row] = []
    for u, made in enumerate(asked):
        lost = made.reason or first_reason(world.why[made.parts])
        known = np.isfinite(later[:, u]).all() and np.isfinite(came[u, 1:]).all()
        for name, j in (("largest_rise", u), ("largest_fall", len(asked) + u)):
            found = {k: v[j] for k, v in scores.items()}
            out.append(row(made, name, lost or ("" if known else _NO_YEAR), found))
        peak = {} if lost else _peak(draws[:, u], observed[u], horizons=world.horizons)
        out.append(row(made, "peak_month", lost, peak))
        for m in turns:
            said = float(chance[u, m])
            fact = float(happened[u, m])
            why = made.reason or ((lost or _NO_YEAR) if np.isnan(said + fact) else "")
            turn = {"observed": fact, "median": said, "score": (said - fact) ** 2}
            out.append(row(made, "turn", why, turn, m))
    return out


def _peak(draws: Floats, observed: Floats, horizons: NDArray[np.int64]) -> dict[str, float]:
    """Ranked probability and log score of the month of the peak, (D, M) against (M,)."""
    n = horizons.size
    found = draws.argmax(axis=1)
    share = np.bincount(found, minlength=n) / len(found)
    came = int(observed.argmax())
    log_share = max(float(np.log(share[came])) if share[came] else FLOOR, FLOOR)
    return {
        "observed": float(horizons[came]),
        "median": float(np.median(horizons[found])),
        "score": float(rules.ranked_probability_score(share, came)) if n > 1 else 0.0,
        "log_score": -log_share,
    }


#: What a row of joint scores is of, in order.
EXTENTS: Final = ("nation", "regions", "places", "all", "both")
#: What a row of one forecast is of, beside the forecast's own keys.
_UNIT: Final = ("target", "statistic", "place", "horizon", "month", "control")
#: Means: column of the table -> column here; those of the control have ``control_`` before them.
_MEANS: Final = {
    name: name.replace("cover_", "coverage_")
    for name in ("score", "log_score", "cover_50", "cover_90", "pit")
}


def joint_summary(joint: pd.DataFrame, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Mean joint scores per model and statistic, beside those of the shuffled control.

    Parameters
    ----------
    joint : DataFrame or Results
        Rows of :func:`odforecast.scoring.joint_scores`, or ``Results.joint``.
    by : str or sequence of str
        Columns to group by: ``horizon_group``, ``era``, ``vintage``, ``place`` …

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``statistic``, ``extent`` (``nation``, ``regions``, ``places``, ``all``,
        ``both``), ``n_units``, ``n_scorable``, ``n_places``; means of ``score``, ``log_score``,
        ``coverage_50``, ``coverage_90`` and ``pit``, the same of the control
        (``control_score`` …), ``ratio`` (score over control: below 1 where dependence between
        places helps), and the most common ``reason`` of rows without a score.

    Notes
    -----
    Fewer places give a smaller energy score. A model scored on fewer places than another gets no
    score, with a ``reason``: select the places that all have and score again.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("dlm").fit(panel.cut("2022-06")).forecast(draws=200)
    >>> table = od.scoring.joint_summary(od.scoring.joint_scores(made, od.Truth(panel)))
    >>> table.loc[table["statistic"] == "sum", ["extent", "n_scorable"]].to_numpy().tolist()
    [['nation', 12], ['regions', 48]]
    """
    joint = columns.table_of(joint, "joint")
    by = columns.columns_of(by)
    if lacking := [name for name in JOINT_COLUMNS if name not in joint]:
        raise ScoringError(
            f"the table has no column {lacking[0]!r}",
            hint="give the rows of joint_scores, or Results.joint",
        )
    if joint.empty:
        raise ScoringError("the table of joint scores is empty", hint="backtest with joint=True")
    table = _grouped(_of_all_places(joint), by)
    keys = [*by, *(["model"] if "model" in table else []), "statistic", "extent"]

    def grouped(rows: pd.DataFrame) -> Any:
        """Rows by model, statistic and extent."""
        return rows.groupby(
            keys,
            observed=True,
            sort=True,
            dropna=False,
        )

    apart = table["control"].to_numpy(dtype=bool)
    plain = table[~apart]
    control = table[apart & table["scorable"].to_numpy(dtype=bool)]
    scored = grouped(plain[plain["scorable"].astype(bool)])
    out: pd.DataFrame = grouped(plain).size().to_frame("n_units")
    out["n_scorable"] = scored.size().reindex(out.index, fill_value=0)
    out["n_places"] = grouped(plain)["n_places"].min()
    for rows, lead in ((scored, ""), (grouped(control), "control_")):
        out = out.join(rows[list(_MEANS)].mean().rename(columns=_MEANS).add_prefix(lead))
    out["ratio"] = out["score"] / out["control_score"]
    reason = grouped(plain[plain["reason"].astype(str) != ""])["reason"].agg(
        lambda x: str(x.value_counts().index[0])
    )
    out["reason"] = reason.reindex(out.index).fillna("").astype(object)
    return out.reset_index()


def _of_all_places(joint: pd.DataFrame) -> pd.DataFrame:
    """Rows on fewer places than another model's, of the same unit, without their scores."""
    if "model" not in joint or joint["model"].nunique() < 2:
        return joint
    unit = [k for k in (*columns.UNIT_KEYS, *_UNIT) if k in joint and k != "location"]
    known = joint["scorable"].to_numpy(dtype=bool)
    held = joint.assign(n_places=joint["n_places"].where(known))
    groups = held.groupby(
        list(dict.fromkeys(unit)),
        observed=True,
        sort=False,
        dropna=False,
    )
    most = groups["n_places"].transform("max").to_numpy()
    fewer = known & (joint["n_places"].to_numpy() < most)
    if not fewer.any():
        return joint
    reason = joint["reason"].to_numpy(dtype=object, copy=True)
    for i in np.flatnonzero(fewer):
        n = joint["n_places"].iloc[i]
        other = int(most[i])
        reason[i] = f"{n} places, where another model has {other}"
    return joint.assign(reason=reason, scorable=known & ~fewer)


def _grouped(joint: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The table with its extent, and the groups of ``by`` that can be derived."""
    place = joint["place"].astype(str).to_numpy()
    whole = place == ALL
    picks = [place == NATION, np.isin(place, REGIONS), whole & (joint["horizon"] < 0), whole]
    extent = np.select(picks, ["nation", "regions", "both", "all"], "places")
    out = joint.assign(extent=pd.Categorical(extent, EXTENTS, ordered=True))
    if "horizon_group" in by:
        names = [columns.horizon_group(int(h)) if h > 0 else "path" for h in out["horizon"]]
        groups = (*columns.HORIZON_GROUPS, "path")
        out = out.assign(horizon_group=pd.Categorical(names, groups, ordered=True))
    return columns.with_groups(out, [name for name in by if name != "horizon_group"])
