"""No sight of the future: whatever is published later, in any layer, moves nothing.

Real vintages: every later release is scrambled, in every indicator and column. Clean ones: every
month after the cut, in every indicator and layer. Delayed ones: the same, the donor held. Panels,
hashes, seeds and forecasts stay bit for bit, by every model, in a backtest and from the command.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from panel_factory import made_donor

import odforecast as od
from odforecast.cli import main
from odforecast.errors import OdforecastError
from odforecast.models import Model
from odforecast.models.hierarchy.model import Hierarchical
from odforecast.months import month_end
from odforecast.names import ALL_DEATHS, ALL_DRUGS, SYNTHETIC_OPIOIDS, TARGETS
from odforecast.panel import LAYERS, Donor, Panel
from odforecast.sources.table import canonical
from odforecast.vintage.donors import shipped

STATES = ("US", "OH", "AZ", "WV", "WY")
NUMBERS = ("reported", "predicted", "percent_complete", "percent_pending")
LATE = np.linspace(0.25, 0.02, 6)
#: Last months of the releases; what is known on the day of the fourth is asked for.
MONTHS = pd.date_range("2021-01-01", periods=7, freq="MS")
KNOWN = 4
CUT = "2021-04"
# Models of states: those of counties go through the contract, on panels of their own.
MADE = od.models().query("dataset == 'states'")
SLOW = {"auto-arima", "auto-arima-sums", "auto-ces", "auto-ces-sums"}
NAMES = [
    *(n for n in MADE.index if n not in SLOW),
    *(f"{n}+delay" for n in ("naive", "auto-ets", "seasonal-naive")),
]


def released(last: pd.Timestamp) -> dt.date:
    """Second Wednesday or so, five months on."""
    return (last + pd.DateOffset(months=5, days=12)).date()


def release(last: pd.Timestamp) -> pd.DataFrame:
    """A release as CDC might have published it: its end too low, with what CDC says of that."""
    table = od.bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(STATES) & (table["month"] <= last)].copy()
    causes = table[table["indicator"] == ALL_DRUGS].assign(
        indicator=ALL_DEATHS, reported=lambda t: 30 * t["reported"], predicted=np.nan
    )
    table = pd.concat([table, causes], ignore_index=True)
    back = 12 * (last.year - table["month"].dt.year) + last.month - table["month"].dt.month
    late = np.where(back < LATE.size, LATE[np.minimum(back, LATE.size - 1)], 0.0) / 10
    table["predicted"] = table["reported"].where(table["indicator"] != ALL_DEATHS)
    table["reported"] = (table["reported"] * (1 - late)).round()
    table["percent_complete"] = 100 - 20 * late
    table["percent_pending"] = 0.1 + 20 * late
    status = np.where(table["reported"].isna(), "missing", "ok")
    return canonical(table.assign(release=pd.Timestamp(released(last)), status=status))


@cache
def tables() -> dict[dt.date, pd.DataFrame]:
    return {released(m): release(m) for m in MONTHS}


DAY = released(MONTHS[KNOWN - 1])


def scrambled_table(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Other numbers in every column of every indicator."""
    rng = np.random.default_rng(seed)
    out = table.copy()
    for name in NUMBERS:
        factor = rng.uniform(0.2, 3.0, len(out))
        if name == "percent_complete":  # as far as a reader lets it pass
            out[name] = (100 - 10 * factor).round(2)
        else:
            out[name] = (out[name] * factor).round(3 if name == "percent_pending" else 0)
    return out


def scrambled_panel(panel: Panel, month: np.datetime64) -> Panel:
    """Other numbers after a month, in every layer, beside it and in the triangle.

    What a later release says of completeness is later knowledge whatever its month.
    """
    rng = np.random.default_rng(5)
    layers = {}
    for name in LAYERS:
        old = getattr(panel, name)
        later = (panel.months > month) | (name in ("predicted", "complete", "pending"))
        layers[name] = np.where(later, np.round(old * rng.uniform(0.2, 3.0, old.shape)), old)
    for name in ("complete", "pending"):
        layers[name] = np.minimum(layers[name], 100.0)
    layers["low"] = layers["high"] = layers["reported"]
    triangle = panel.triangle
    if triangle is not None:
        triangle = replace(triangle, reported=np.round(triangle.reported * 0.7))
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


def real_pair() -> tuple[Panel, Panel]:
    later = {d: scrambled_table(t, 7) for d, t in tables().items() if d > DAY}
    assert later
    return tuple(
        od.Archive.in_memory(tables).as_of(DAY).panel() for tables in (tables(), tables() | later)
    )


def newest() -> Panel:
    """The newest release, as if its counts were final: only such a one may be cut."""
    panel = od.Archive.in_memory(tables()).as_of().panel()
    return replace(panel, final_through=panel.last_month)


def whole_panel(names: tuple[str, ...] = STATES) -> Panel:
    panel = newest()
    return replace(
        panel,
        locations=names,
        **{n: getattr(panel, n)[[panel.index(s) for s in names]] for n in LAYERS},
        beside={k: replace(p, locations=names,
                           **{n: getattr(p, n)[[p.index(s) for s in names]] for n in LAYERS})
                for k, p in panel.beside.items()},
        triangle=None,
    )  # fmt: skip


def clean_pair() -> tuple[Panel, Panel]:
    panel = newest()
    return tuple(p.cut(CUT) for p in (panel, scrambled_panel(panel, np.datetime64(CUT))))


def delayed_pair() -> tuple[Panel, Panel]:
    # Without the US row, which is the sum of all 52.
    panel = whole_panel(STATES[1:])
    pair = (panel, scrambled_panel(panel, np.datetime64(CUT)))
    return tuple(p.delayed(CUT, donor()) for p in pair)


PAIRS = {"real": real_pair, "pseudo-clean": clean_pair, "pseudo-delayed": delayed_pair}


@pytest.fixture(scope="module")
def pairs() -> dict[str, tuple[Panel, Panel]]:
    return {kind: make() for kind, make in PAIRS.items()}


@pytest.mark.parametrize("kind", PAIRS)
def test_the_panel_is_the_same(pairs, kind):
    one, two = pairs[kind]
    assert one.vintage == two.vintage == kind
    assert one.data_hash == two.data_hash
    assert one.as_of == two.as_of
    for name in LAYERS:
        assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True), name
    assert set(one.beside) == set(two.beside) != set()
    for name, panel in one.beside.items():
        assert panel.data_hash == two.beside[name].data_hash, name
    assert (one.triangle is None) == (two.triangle is None) == (kind == "pseudo-clean")


@pytest.mark.parametrize(
    "made",
    [pytest.param(d, marks=pytest.mark.slow if i % 6 else ()) for i, d in enumerate(shipped())],
    ids=lambda d: str(d.release),
)
def test_shipped_donors_show_nothing_later_either(made):
    panel = od.bundled().as_of().panel()
    month = np.datetime64("2023-02")
    one, two = (p.delayed(month, made) for p in (panel, scrambled_panel(panel, month)))
    assert one.data_hash == two.data_hash
    assert one.as_of == two.as_of == made.released(month)
    assert set(one.beside) == {"all-deaths"}
    assert np.array_equal(*(od.get_model("dlm").fit(p).forecast(4, draws=20).draws
                            for p in (one, two)))  # fmt: skip


def test_the_scramble_reaches_every_layer():
    """A property that scrambles nothing holds for nothing."""
    panel = od.Archive.in_memory(tables()).as_of().panel()
    other = scrambled_panel(panel, np.datetime64(CUT))
    for name in LAYERS:
        later = getattr(panel, name)[:, panel.months > np.datetime64(CUT)]
        assert np.isfinite(later).all(), name
        changed = getattr(other, name)[:, panel.months > np.datetime64(CUT)]
        assert (later != changed).mean() > 0.5, name
    assert {"all-deaths", "T40.4"} == set(panel.beside)
    for name, beside in panel.beside.items():
        assert beside.data_hash != other.beside[name].data_hash
    table = tables()[DAY]
    changed = scrambled_table(table, 7)
    for indicator in (ALL_DRUGS, ALL_DEATHS, SYNTHETIC_OPIOIDS):
        rows = table["indicator"] == indicator
        assert (table.loc[rows, "reported"] != changed.loc[rows, "reported"]).mean() > 0.9


def model_of(name: str) -> Model:
    return od.get_model(name)


def drawn(name: str, panel: Panel) -> object:
    model = model_of(name)
    if model.spec.by == "location":
        panel = panel.select(["OH", "WV"])  # each is fitted alone: two tell as much as five
    try:
        return model.fit(panel).forecast(6, draws=30, seed=3)
    except OdforecastError as error:  # such as predicted values that a clean cut does not hold
        return str(error)


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize(
    "name", [*NAMES, *(pytest.param(n, marks=pytest.mark.slow) for n in sorted(SLOW))]
)
def test_forecasts_are_the_same_bit_for_bit(pairs, kind, name):
    if name == "hierarchical":  # it samples for half a minute; what it samples is compared
        (one, skipped), (two, others) = (Hierarchical().inputs(p) for p in pairs[kind])
        assert skipped == others
        for field in fields(one):
            a, b = getattr(one, field.name), getattr(two, field.name)
            assert (
                np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
                if isinstance(a, np.ndarray)
                else repr(a) == repr(b)
            ), field.name
        return
    one, two = (drawn(name, panel) for panel in pairs[kind])
    if isinstance(one, str):
        assert one == two
        assert "predicted" in one
        return
    assert np.array_equal(one.draws, two.draws)
    assert np.array_equal(one.known, two.known, equal_nan=True)
    assert one.provenance == two.provenance
    assert one.skipped == two.skipped


TRUTH = od.Truth(od.bundled().as_of().panel())
MODELS = ("dlm", "naive+delay", "hub-baseline", "drift")


def quantiles(origins) -> tuple[pd.DataFrame, pd.DataFrame]:
    results = od.backtest(
        MODELS, origins, truth=TRUTH, draws=30, horizon=6, targets=TARGETS[:1],
        locations=["OH", "WV"], progress=False,
    )  # fmt: skip
    assert results.failures.empty
    return results.quantiles, results.scores


@pytest.mark.parametrize("kind", PAIRS)
def test_a_backtest_is_the_same(kind):
    from odforecast.backtesting import Origin, cuts

    if kind == "real":
        later = {d: scrambled_table(t, 7) for d, t in tables().items() if d > DAY}
        archives = (od.Archive.in_memory(tables()), od.Archive.in_memory(tables() | later))
        found = [od.origins(a, kind, end=str(MONTHS[KNOWN - 1])[:7]) for a in archives]
        assert len(found[0]) == KNOWN
    elif kind == "pseudo-clean":
        panel = newest()
        pair = (panel, scrambled_panel(panel, np.datetime64(CUT)))
        found = [cuts(p, start="2021-02", end=CUT) for p in pair]
    else:
        found = [[Origin(p.as_of, p.vintage, p)] for p in delayed_pair()]
    (one, scores), (two, others) = (quantiles(f) for f in found)
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    pd.testing.assert_frame_equal(scores, others, check_exact=True)
    assert scores["data_hash"].notna().all()


@pytest.mark.slow
def test_the_command_is_the_same(tmp_path):
    answers = []
    for n, seed in enumerate((None, 7)):
        folder = tmp_path / str(n)
        store = od.Archive(folder / "archive")
        for day, table in tables().items():
            if seed is not None and day > DAY:
                table = scrambled_table(table, seed)
            folder.mkdir(exist_ok=True)
            file = folder / f"{day}.parquet"
            table.to_parquet(file)
            store.add(file, accept="scrambled for a test")
        out = folder / "out.csv"
        args = ["forecast", "--archive", str(store.path), "--as-of", str(DAY), "--draws", "30",
                "--locations", "OH", "--out", str(out)]  # fmt: skip
        done = CliRunner().invoke(main, args)
        assert done.exit_code == 0, done.output
        answers.append((out.read_bytes(), done.stdout.replace(str(folder), "")))
    assert answers[0] == answers[1]
    assert month_end(np.datetime64(MONTHS[KNOWN - 1], "M")) < DAY
