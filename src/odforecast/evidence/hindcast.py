"""Would other episodes have told us about one, and a forecast of December 2022 about 2024?

*Leave this episode out*: the prior comes from episodes before 2023 alone; that is the rung that
counts. *Plumbing*: the prior has the size of the fall that it explains, so that its intervals
contain it is no evidence. Draws of several seeds are put together.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import t as student

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.models import Model
from odforecast.months import to_month
from odforecast.names import TARGET_12MO
from odforecast.panel import Floats, Panel
from odforecast.plot import checks
from odforecast.scenario.catalogue import events
from odforecast.scenario.distributions import LogNormal, Normal, Uniform
from odforecast.scenario.file import named_intervention
from odforecast.scenario.intervention import NATION, NULL, Intervention, Scenario
from odforecast.scenario.projection import project

SHOCK = "supply-shock-2023-like"

#: Name of the scenario whose prior knows nothing of the episode.
EARLIER = "episodes-before-2023"

#: Seeds whose draws are put together.
SEEDS = 5

#: Last known month, and the 12-month-ending counts that are looked at.
ORIGIN = "2022-12"
SCORED = ("2024-01", "2024-12")

#: Of the intervals.
LEVEL = 0.9


def check_leave_this_out(
    panel: Panel,
    model: Model,
    *,
    draws: int = 1000,
    seed: int = 1,
    seeds: int = SEEDS,
) -> CheckResult:
    """Project from December 2022 with what earlier episodes taught, and look at 2024.

    The size is the normal predictive of the episodes before 2023, on deaths with fentanyl; it
    begins in some month of 2023, each as likely; lag up to 9 months, ramp up to 12, half-life
    LogNormal(12, 0.7). That something happened in 2023 is still hindsight. Passed when the interval
    holds the nation's last count, all seeds put together.
    """
    mean, sd, names = prior_from_episodes("2023-01")
    shock = Intervention(
        EARLIER,
        Normal(mean, sd),
        onset=("2023-01", "2023-12"),
        scope="T40.4",
        lag=Uniform(0, 9),
        ramp=Uniform(0, 12),
        half_life=LogNormal(12, 0.7),
        source=f"episodes of the catalogue before 2023: {', '.join(names)}",
    )
    table, by_seed = _project(
        panel, model, shock=shock, draws=draws, seed=seed, seeds=seeds
    )
    last = table[(table["location"] == NATION) & (table["month"] == SCORED[1])]
    inside = last.loc[last["scenario_id"] == EARLIER, "covered"]
    text = (
        f"{model.label}, last known month {ORIGIN}. The prior, from {len(names)} "
        f"episodes before 2023: {mean:+.2f} (sd {sd:.2f}) on deaths with fentanyl. "
        f"{_coverage_text(table)} Over {seeds} seeds the nation's share inside was "
        f"{_range(by_seed, EARLIER)}. That something happened in 2023 is hindsight; its size is "
        "not."
    )
    passed = bool(inside.item()) if inside.size else None
    return _result(
        "leave-this-episode-out", passed, table=table, text=text, panel=panel
    )


def check_hindcast(
    panel: Panel,
    model: Model,
    *,
    draws: int = 1000,
    seed: int = 1,
    seeds: int = SEEDS,
) -> CheckResult:
    """Plumbing: forecast from December 2022 under a shock of the size of the fall.

    Size and onset of the shock are those of the fall itself: that its intervals contain it is no
    evidence. Reported, never passed or failed. The panel is cut at December 2022 for the model;
    ``draws`` are those of each seed, and ``seeds`` are put together.
    """
    shock = named_intervention(SHOCK, onset="2023-07")
    table, by_seed = _project(
        panel, model, shock=shock, draws=draws, seed=seed, seeds=seeds
    )
    text = (
        f"Plumbing, not evidence: the prior has the size of what it explains. {model.label}, last "
        f"known month {ORIGIN}, shock from 2023-07. "
        f"{_coverage_text(table)} Over {seeds} seeds the nation's share inside was "
        f"{_range(by_seed, SHOCK)} under the shock, {_range(by_seed, 'null')} without."
    )
    return _result("hindcast-plumbing", None, table=table, text=text, panel=panel)


def _result(
    name: str,
    passed: bool | None,
    table: pd.DataFrame,
    text: str,
    panel: Panel,
) -> CheckResult:
    """The result of a hindcast, with its figure."""
    us = table[table["location"] == NATION]
    nation = panel.reported[panel.index(NATION)]
    figures = {name: partial(checks.hindcast, us, panel.months, nation)}
    return CheckResult(name, passed, table=table, text=text, figures=figures)


def _project(
    panel: Panel,
    model: Model,
    shock: Intervention,
    draws: int,
    seed: int,
    seeds: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Intervals of all seeds' draws together, and coverage of each seed's own."""
    first, last, end = map(to_month, (*SCORED, ORIGIN))
    if last > panel.last_month:
        raise ScenarioError(
            f"the panel ends {panel.last_month}, allowed: a release that holds {last}"
        )
    fitted = model.fit(panel.cut(end))
    horizon = int((last - end).astype(int))
    probs = ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)
    pooled: dict[str, list[Floats]] = {NULL.name: [], shock.name: []}
    rows = []
    for s in range(seed, seed + seeds):
        projection = project(
            fitted,
            [NULL, Scenario(shock.name, (shock,))],
            horizon=horizon,
            draws=draws,
            seed=s,
            begun=True,
        )
        if projection.can_add:
            projection = projection.with_nation()
        months = projection.baseline.months
        locations = projection.baseline.locations
        span = (months >= first) & (months <= last)
        columns = np.searchsorted(panel.months, months[span])
        observed = panel.reported[[panel.index(x) for x in locations]][:, columns]
        us = np.array([x == NATION for x in locations])
        for name, samples in pooled.items():
            samples.append(projection.forecast(name).samples(TARGET_12MO)[:, :, span])
            low, _, high = np.quantile(samples[-1], probs, axis=0)
            inside = ((observed >= low) & (observed <= high))[us]
            rows.append((s, name, inside.mean() if us.any() else np.nan))
    keys = pd.MultiIndex.from_product(
        [pooled, locations, months[span].astype(str)],
        names=["scenario_id", "location", "month"],
    )
    bounds = [
        np.quantile(np.concatenate(parts), probs, axis=0) for parts in pooled.values()
    ]
    low, median, high = np.stack(bounds, axis=1).reshape(3, -1)
    observed_twice = np.tile(observed.ravel(), 2)
    cells = {"observed": observed_twice, "low": low, "median": median, "high": high}
    table = pd.DataFrame(cells, keys).reset_index()
    table["covered"] = table["observed"].between(table["low"], table["high"])
    by_seed = pd.DataFrame(rows, columns=["seed", "scenario_id", "nation"])
    return table[np.isfinite(table["observed"])].reset_index(drop=True), by_seed


def _coverage_text(table: pd.DataFrame) -> str:
    coverage = "; ".join(
        f"{r['scenario_id']}: nation {100 * r['nation']:.0f}%, jurisdictions "
        f"{100 * r['jurisdictions']:.0f}%"
        for r in coverage_summary(table).to_dict("records")
    )
    sentence = (
        f"Share of 12-month-ending counts {SCORED[0]}..{SCORED[1]} inside the {100 * LEVEL:g}% "
        f"interval: {coverage}."
    )
    last = table[(table["location"] == NATION) & (table["month"] == SCORED[1])]
    if last.empty:
        return sentence
    wide = "; ".join(
        f"{r['scenario_id']} {r['low']:,.0f} to {r['high']:,.0f}"
        for r in last.to_dict("records")
    )
    return (
        f"{sentence} Observed to {SCORED[1]}: {last['observed'].iloc[0]:,.0f}; {wide}."
    )


def _range(by_seed: pd.DataFrame, name: str) -> str:
    values = by_seed.loc[by_seed["scenario_id"] == name, "nation"]
    return f"{100 * values.min():.0f} to {100 * values.max():.0f}%"


def coverage_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Coverage of a hindcast: ``scenario_id, nation, jurisdictions, median_error`` (percent)."""
    rows = []
    for name, part in table.groupby("scenario_id", sort=False):
        us = part["location"] == NATION
        error = 100.0 * (part["median"] / part["observed"] - 1.0)
        rows.append(
            {
                "scenario_id": name,
                "nation": part.loc[us, "covered"].mean(),
                "jurisdictions": part.loc[~us, "covered"].mean(),
                "median_error_nation": error[us].mean(),
                "median_error_jurisdictions": error[~us].mean(),
            }
        )
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------- one episode left out

#: The episode of which the user's own counts tell, and the years whose change it was.
OWN = "supply-shock-2023"
OWN_YEARS = ("2023-12", "2024-12")


def check_leave_one_out(panel: Panel | None = None) -> CheckResult:
    """Predict each measured episode from the others alone.

    The prediction is the Student interval for one more draw from a normal population of effects,
    wide because outcomes differ (deaths of one drug, of all, hospital admissions). With a panel of
    all drugs, its raw log change from 2023 to 2024 is set beside the prediction of that episode.
    Passed when all but one episode lie inside.
    """
    library = events()
    chosen = library[library["episode"]].reset_index(drop=True)
    effects = chosen["log_rr"].to_numpy(dtype=float)
    table = predict_each(chosen["event"].tolist(), effects)
    missed = table.loc[~table["covered"], "episode"].tolist()
    leading = table.iloc[int(table["mean_shift"].abs().to_numpy().argmax())]
    text = (
        f"Of {len(table)} measured episodes, {int(table['covered'].sum())} lie inside the "
        f"{100 * LEVEL:g}% prediction from the others"
        f"{' (outside: ' + ', '.join(missed) + ')' if missed else ''}. Mean log rate ratio "
        f"{effects.mean():+.2f}; leaving out {leading['episode']!r} moves it most, by "
        f"{leading['mean_shift']:+.2f}. Episodes were not chosen at random: large ones are "
        "published."
    )
    if panel is not None:
        text += _own_counts_text(panel, chosen, table=table)
    name = "leave-one-episode-out"
    return CheckResult(
        name,
        len(missed) <= 1,
        table=table,
        text=text,
        figures={name: partial(checks.episodes, table)},
    )


def _own_counts_text(panel: Panel, chosen: pd.DataFrame, table: pd.DataFrame) -> str:
    """What the data at hand say of the last episode."""
    rows = np.flatnonzero(chosen["id"] == OWN)
    months = panel.months.astype(str).tolist()
    if (
        not rows.size
        or NATION not in panel.locations
        or not set(OWN_YEARS) <= set(months)
    ):
        return ""
    counts = panel.reported[panel.index(NATION)]
    first, last = (float(counts[months.index(m)]) for m in OWN_YEARS)
    row = table.iloc[int(rows[0])]
    return (
        f" In these data deaths of {panel.indicator!r} changed by {np.log(last / first):+.3f} on "
        f"the log scale from 2023 to 2024, a raw change; the other episodes predict "
        f"{row['low']:+.2f} to {row['high']:+.2f}."
    )


def prior_from_episodes(before: str = "2023-01") -> tuple[float, float, list[str]]:
    """Mean and sd of one more effect, from the episodes that ended before a month; their names."""
    library = events()
    old = library["episode"] & (library["last_month"] < np.datetime64(before, "s"))
    chosen = library[old & library["log_rr"].notna()]
    if len(chosen) < 4:
        raise ScenarioError(
            f"{len(chosen)} episodes ended before {before}, allowed: 4 or more"
        )
    effects = chosen["log_rr"].to_numpy(dtype=float)
    sd = float(effects.std(ddof=1) * np.sqrt(1.0 + 1.0 / effects.size))
    return float(effects.mean()), sd, chosen["event"].tolist()


def predict_each(names: list[str], effects: Floats) -> pd.DataFrame:
    """Each effect, of at least 4, against its prediction from the others.

    >>> table = predict_each(list("abcd"), np.array([-0.1, 0.0, -0.2, -3.0]))
    >>> table["covered"].tolist()
    [True, True, True, False]
    """
    if len(effects) < 4 or not np.isfinite(effects).all():
        raise ScenarioError(
            f"{len(effects)} episodes, some without an effect: allowed are 4 or more, all measured"
        )
    n = effects.size - 1
    rest = np.stack([np.delete(effects, i) for i in range(effects.size)])
    middle = rest.mean(axis=1)
    t = student.ppf(0.5 + LEVEL / 2, n - 1)
    half = t * rest.std(axis=1, ddof=1) * np.sqrt(1.0 + 1.0 / n)
    return pd.DataFrame(
        {
            "episode": names,
            "log_rr": effects,
            "predicted": middle,
            "low": middle - half,
            "high": middle + half,
            "covered": np.abs(effects - middle) <= half,
            "mean_shift": middle - effects.mean(),
        }
    )
