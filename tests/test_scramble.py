"""No sight of the future: whatever is published later, in any layer, moves nothing.

Of real vintages every later release is scrambled, of clean and delayed ones (the donor held) every
later month: panels, hashes and forecasts stay bit for bit, in a backtest and from the command.
"""

import datetime as dt
import pickle
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from commands import ok
from panel_factory import STATES, made_donor

import odforecast as od
from odforecast.backtesting import Origin, cuts
from odforecast.errors import PanelError
from odforecast.models.hierarchy.model import Hierarchical
from odforecast.months import month_end
from odforecast.names import ALL_DEATHS, ALL_DRUGS, SYNTHETIC_OPIOIDS, TARGETS
from odforecast.panel import LAYERS, Donor, Panel
from odforecast.sources.table import canonical
from odforecast.testing.zoo import rows
from odforecast.vintage.donors import shipped

LATE = np.linspace(0.25, 0.02, 6)
#: Last months of the releases; what is known on the day of the fourth is asked for.
MONTHS = pd.date_range("2021-01-01", periods=7, freq="MS")
KNOWN = 4
CUT = "2021-04"
MADE = od.models().query("dataset == 'states'").index.drop("hierarchical")
SLOW = ("auto-arima", "auto-arima-sums", "auto-ces", "auto-ces-sums")
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
    for name in (*MADE, "naive+delay", "auto-ets+delay", "seasonal-naive+delay")
]


def released(last: pd.Timestamp) -> dt.date:
    return (last + pd.DateOffset(months=5, days=12)).date()


def release(last: pd.Timestamp) -> pd.DataFrame:
    """A release as CDC might have published it: its end too low, with what CDC says of that."""
    table = od.bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(STATES) & (table["month"] <= last)].copy()
    table["predicted"] = table["reported"]
    causes = table[table["indicator"] == ALL_DRUGS].assign(
        indicator=ALL_DEATHS, reported=lambda t: 30 * t["reported"], predicted=np.nan
    )
    table = pd.concat([table, causes], ignore_index=True)
    back = 12 * (last.year - table["month"].dt.year) + last.month - table["month"].dt.month
    late = np.where(back < LATE.size, LATE[np.minimum(back, LATE.size - 1)], 0.0) / 10
    table["reported"] = (table["reported"] * (1 - late)).round()
    table["percent_complete"] = 100 - 20 * late
    table["percent_pending"] = 0.1 + 20 * late
    status = np.where(table["reported"].isna(), "missing", "ok")
    return canonical(table.assign(release=pd.Timestamp(released(last)), status=status))


@cache
def tables() -> dict[dt.date, pd.DataFrame]:
    return {released(m): release(m) for m in MONTHS}


DAY = released(MONTHS[KNOWN - 1])


def scrambled_table(table: pd.DataFrame) -> pd.DataFrame:
    """Other numbers in every column of every indicator."""
    factor = pd.Series(np.random.default_rng(7).uniform(0.2, 3.0, len(table)), table.index)
    return table.assign(
        reported=(table["reported"] * factor).round(),
        predicted=(table["predicted"] * 1.2 * factor[::-1].to_numpy()).round(),
        percent_complete=(100 - 10 * factor).round(2),  # as far as a reader lets it pass
        percent_pending=(table["percent_pending"] * factor).round(3),
    )


@cache
def archives() -> tuple[od.Archive, od.Archive]:
    later = {d: scrambled_table(t) for d, t in tables().items() if d > DAY}
    assert later
    return od.Archive.in_memory(tables()), od.Archive.in_memory(tables() | later)


def scrambled_panel(panel: Panel, month: np.datetime64) -> Panel:
    """Other numbers after a month; completeness is later knowledge whatever its month."""
    rng, layers = np.random.default_rng(5), {}
    for name in LAYERS:
        old, most = getattr(panel, name), 100.0 if name in ("complete", "pending") else np.inf
        later = (panel.months > month) | (name in ("predicted", "complete", "pending"))
        new = np.minimum(np.round(old * rng.uniform(0.2, 3.0, old.shape)), most)
        layers[name] = np.where(later, new, old)
    layers["low"] = layers["high"] = layers["reported"]
    triangle = panel.triangle and panel.triangle.counted(lambda counts: np.round(counts * 0.7))
    # Of deaths of all causes nothing is known of the last twelve months, either.
    beside = {
        name: scrambled_panel(p, month - np.timedelta64(12 if name == "all-deaths" else 0, "M"))
        for name, p in panel.beside.items()
    }
    return replace(panel, **layers, beside=beside, triangle=triangle)


def donor(back: int = 0) -> Donor:
    late = np.zeros((len(STATES) - 1, 24))
    late[:, : LATE.size] = LATE
    earlier = () if back else (donor(1), donor(2))
    return made_donor(late, back, STATES[1:], predecessors=earlier, deaths=np.full(len(late), 30.0))


def cut_pair(make, places=STATES):
    """What is made of the newest release and of a scrambled one, as if their counts were final."""
    panel = replace(rows(archives()[0].as_of().panel(), places), triangle=None)
    panel = replace(panel, final_through=panel.last_month)
    return [make(p) for p in (panel, scrambled_panel(panel, np.datetime64(CUT)))]


PAIRS = {
    "real": lambda: [archive.as_of(DAY).panel() for archive in archives()],
    "pseudo-clean": lambda: cut_pair(lambda p: p.cut(CUT)),
    # Without the US row, which is the sum of all 52.
    "pseudo-delayed": lambda: cut_pair(lambda p: p.delayed(CUT, donor()), STATES[1:]),
}


@pytest.fixture(scope="module")
def pairs() -> dict[str, tuple[Panel, Panel]]:
    return {kind: make() for kind, make in PAIRS.items()}


@pytest.mark.parametrize("kind", PAIRS)
def test_the_panel_is_the_same(pairs, kind):
    one, two = pairs[kind]
    assert one.vintage == two.vintage == kind
    assert (one.data_hash, one.as_of) == (two.data_hash, two.as_of)
    for name in LAYERS:
        assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True), name
    assert set(one.beside) == set(two.beside) != set()
    assert (one.triangle is None) == (two.triangle is None) == (kind == "pseudo-clean")


@pytest.mark.parametrize(
    "made",
    [pytest.param(d, marks=pytest.mark.slow if i % 6 else ()) for i, d in enumerate(shipped())],
    ids=lambda d: str(d.release),
)
def test_shipped_donors_show_nothing_later_either(made):
    panel, month = od.bundled().as_of().panel(), np.datetime64("2023-02")
    one, two = (p.delayed(month, made) for p in (panel, scrambled_panel(panel, month)))
    assert one.data_hash == two.data_hash
    assert one.as_of == two.as_of == made.released(month)
    assert set(one.beside) == {"all-deaths"}
    draws = (od.get_model("naive+delay").fit(p).forecast(4, draws=20).draws for p in (one, two))
    assert np.array_equal(*draws)


def test_the_scramble_reaches_every_layer():
    """A property that scrambles nothing holds for nothing."""
    panel = archives()[0].as_of().panel()
    other, at = scrambled_panel(panel, np.datetime64(CUT)), panel.months > np.datetime64(CUT)
    for name in LAYERS:
        later, changed = (getattr(p, name)[:, at] for p in (panel, other))
        assert np.isfinite(later).all(), name
        assert (later != changed).mean() > 0.5, name
    assert {"all-deaths", "T40.4"} == set(panel.beside)
    for name, beside in panel.beside.items():
        assert beside.data_hash != other.beside[name].data_hash
    assert panel.triangle is not None
    table = tables()[DAY]
    changed = scrambled_table(table)
    for indicator in (ALL_DRUGS, ALL_DEATHS, SYNTHETIC_OPIOIDS):
        of = table["indicator"] == indicator
        assert (table.loc[of, "reported"] != changed.loc[of, "reported"]).mean() > 0.9


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("name", NAMES)
def test_forecasts_are_the_same_bit_for_bit(pairs, kind, name):
    model, pair = od.get_model(name), pairs[kind]
    if model.spec.by == "location":  # each is fitted alone: two tell as much as five
        pair = [panel.select(["OH", "WV"]) for panel in pair]
    if name == "cdc-predicted" and kind != "real":
        for panel in pair:
            with pytest.raises(PanelError, match="predicted values"):
                model.fit(panel)
        return
    one, two = (model.fit(panel).forecast(6, draws=30, seed=3) for panel in pair)
    assert np.array_equal(one.draws, two.draws)
    assert np.array_equal(one.known, two.known, equal_nan=True)
    assert one.provenance == two.provenance
    assert one.skipped == two.skipped


@pytest.mark.parametrize("kind", PAIRS)
def test_what_the_hierarchy_samples_is_the_same(pairs, kind):
    (one, skipped), (two, others) = (Hierarchical().inputs(p) for p in pairs[kind])
    assert skipped == others
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        assert pickle.dumps(a) == pickle.dumps(b), field.name


MODELS = ("dlm", "naive+delay", "hub-baseline", "drift")


@pytest.mark.parametrize("kind", PAIRS)
def test_a_backtest_is_the_same(kind):
    if kind == "real":
        found = [od.origins(a, kind, end=str(MONTHS[KNOWN - 1])[:7]) for a in archives()]
        assert len(found[0]) == KNOWN
    elif kind == "pseudo-clean":
        found = cut_pair(lambda p: cuts(p, start="2021-02", end=CUT))
    else:
        found = [[Origin(p.as_of, p.vintage, p)] for p in PAIRS[kind]()]
    few = {"draws": 30, "horizon": 6, "targets": TARGETS[:1], "locations": ["OH", "WV"]}
    few |= {"truth": od.Truth(od.bundled().as_of().panel()), "progress": False}
    one, two = (od.backtest(MODELS, origins, **few) for origins in found)
    assert one.failures.empty
    pd.testing.assert_frame_equal(one.quantiles, two.quantiles, check_exact=True)
    pd.testing.assert_frame_equal(one.scores, two.scores, check_exact=True)
    assert one.scores["data_hash"].notna().all()


@pytest.mark.slow
def test_the_command_is_the_same(tmp_path):
    answers = []
    for name, archive in zip(("as published", "scrambled"), archives(), strict=True):
        (folder := tmp_path / name).mkdir()
        store = od.Archive(folder / "archive")
        for day in tables():
            archive.release(day).to_parquet(folder / f"{day}.parquet")
            store.add(folder / f"{day}.parquet", accept="scrambled for a test")
        said = ok("forecast", "--archive", store.path, "--as-of", DAY, "--draws", 30,
                  "--locations", "OH", "--out", folder / "out.csv")  # fmt: skip
        answers.append(((folder / "out.csv").read_bytes(), said.replace(str(folder), "")))
    assert answers[0] == answers[1]
    assert month_end(np.datetime64(MONTHS[KNOWN - 1], "M")) < DAY
