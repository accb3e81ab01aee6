"""A saved forecast comes back bit for bit, or one line says which file is wrong."""

import hashlib
import json
import pickle
from contextlib import suppress
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
import pytest
from county_forecasts import made_forecast
from forecast_factory import PANEL, made, same
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from odforecast.errors import ForecastError
from odforecast.forecasts import Forecast, load_forecast
from odforecast.forecasts.file import INDEX, VERSION, checksum
from odforecast.months import ONE_MONTH
from odforecast.names import TARGETS
from odforecast.testing import zoo

text = st.text(st.characters(codec="utf-8"), max_size=8)
bits = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def forecasts(draw: st.DrawFn) -> Forecast:
    n_draws, n_months = draw(st.integers(1, 4)), draw(st.integers(1, 14))
    places = draw(st.lists(text, min_size=1, max_size=3, unique=True))
    shape = (n_draws, len(places), n_months)
    known = (len(places), 11) if draw(st.booleans()) else (n_draws, len(places), 11)
    first = np.datetime64("2020-01") + draw(st.integers(0, 60)) * ONE_MONTH
    return made(
        draw(st.sampled_from([None, *zoo().values()])),
        draws=draw(arrays(float, shape, elements=bits)),
        known=draw(arrays(float, known, elements=st.floats())),
        locations=tuple(places),
        months=first + np.arange(n_months) * ONE_MONTH,
        target=draw(st.sampled_from(TARGETS)),
        joint=draw(st.frozensets(st.sampled_from(["month", "location"]))),
        basis=draw(st.sampled_from(["occurrence", "residence"])),
        skipped=draw(st.dictionaries(text, text, max_size=2)),
        provenance=draw(st.dictionaries(text, text, max_size=2)),
        warnings=tuple(draw(st.lists(text, max_size=2))),
    )


@pytest.mark.slow
@given(forecasts())
def test_what_is_saved_comes_back_bit_for_bit(tmp_path_factory, forecast):
    folder = tmp_path_factory.mktemp("saved")
    same(load_forecast(forecast.save(folder)), forecast)


@pytest.mark.parametrize("n", [7, 2, 1])
def test_months_that_are_drawn_before_the_draws_come_back(tmp_path, n):
    rng = np.random.default_rng(2)
    drawn = made(draws=np.ones((n, 2, 5)), known=rng.gamma(3, 20, (n, 2, 11)))
    back = load_forecast(drawn.save(tmp_path / "f"))
    same(back, drawn)
    same(back.select("OH").samples(), drawn.select("OH").samples())
    same(back.total(["OH", "WV"], "both").known, drawn.total(["OH", "WV"], "both").known)


def test_every_field_of_a_panel_is_kept_and_a_loaded_forecast_is_one_like_others(tmp_path):
    said = {"donor": "2020-01-15/abc", "notes": ("US added up",), "problems": {"WY": "gap"}}
    predicted = np.where(PANEL.predicted > 0, -0.0, PANEL.predicted)
    rich = replace(PANEL, **said, selected=True, predicted=predicted)
    first = made(rich).save(tmp_path / "a")
    same(load_forecast(first).panel, rich)
    second = load_forecast(first).save(tmp_path / "b")
    assert [p.name for p in sorted(first.iterdir())] == [p.name for p in sorted(second.iterdir())]
    same(pickle.loads(pickle.dumps(load_forecast(second))), made(rich))


def test_a_file_has_the_oldest_format_that_holds_it(tmp_path):
    part = made(replace(PANEL, beside={}, triangle=None))
    whole = made(replace(PANEL, beside={"T40.4": part.panel})).with_parts({"T40.4": part})
    records = [
        json.loads((f.save(tmp_path / str(i)) / INDEX).read_text())
        for i, f in enumerate((made(), whole, made_forecast(draws=2)))
    ]
    assert [r["version"] for r in records] == [1, 2, 3]
    assert records[1]["parts"][0][1]["panel"] == "beside"  # it is written once


def test_nothing_is_overwritten_silently(tmp_path):
    folder = made().save(tmp_path / "f")
    with pytest.raises(ForecastError, match=r"holds a forecast already; .*overwrite=True"):
        made(warnings=()).save(folder)
    other = made(draws=np.ones((3, 2, 5)), panel=None)
    assert other.save(folder, overwrite=True) == folder
    same(load_forecast(folder), other)
    # What the old forecast needed is gone.
    assert len(list(folder.iterdir())) == 3


IN_THE_WAY = {"": r"holds other things \(report.txt\)", "report.txt": "is a file",
              "report.txt/below": "cannot be written"}  # fmt: skip


@pytest.mark.parametrize(("where", "said"), IN_THE_WAY.items())
def test_other_peoples_files_are_left_alone(tmp_path, where, said):
    (tmp_path / "report.txt").write_text("mine")
    with pytest.raises(ForecastError, match=said):
        made().save(tmp_path / where, overwrite=True)


def test_a_killed_writer_leaves_the_old_forecast(tmp_path):
    folder = made().save(tmp_path / "f")
    with patch.object(json, "dumps", side_effect=MemoryError), pytest.raises(MemoryError):
        made(draws=np.ones((3, 2, 5))).save(folder, overwrite=True)
    same(load_forecast(folder), made())
    assert not list(folder.glob(".*"))


def test_what_has_no_form_in_the_file_is_named(tmp_path):
    with pytest.raises(ForecastError, match=r"provenance\['when'\] is a float64"):
        made(provenance={"when": np.float64(1)}).save(tmp_path / "f")
    assert not (tmp_path / "f").exists()


def data(folder, kind="draws"):
    return next(folder.glob(f"{kind}-*.parquet"))


def flip(path, where=0.5, bit=0):
    held = bytearray(path.read_bytes())
    held[int(where * len(held))] ^= 1 << bit
    path.write_bytes(held)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-40])


def rows_gone(path):
    pq.write_table(pq.read_table(path).slice(2), path)


def edited(change, sign=False):
    """Changes the JSON; ``sign`` puts the checksum right again."""

    def damage(folder):
        record = json.loads((folder / INDEX).read_text())
        change(record)
        record |= {"checksum": checksum(record)} if sign else {}
        (folder / INDEX).write_text(json.dumps(record))

    return damage


def forged(folder):
    rows_gone(data(folder))
    digest = hashlib.sha256(data(folder).read_bytes()).hexdigest()
    edited(lambda r: r["files"]["draws"].update(sha256=digest), sign=True)(folder)


OTHER, NOT_ONE = "is not what was saved", "does not hold a forecast"
NO_JSON, NO_RECORD = "forecast.json is not valid JSON", "forecast.json is not a saved forecast"
DAMAGE = {
    "no-folder": (lambda f: f.rename(f.with_name("g")), "no saved forecast"),
    "empty-folder": (lambda f: (f / INDEX).unlink(), "no saved forecast"),
    "flipped-draws": (lambda f: flip(data(f)), rf"draws-\w+.parquet {OTHER}"),
    "flipped-panel": (lambda f: flip(data(f, "panel")), rf"panel-\w+.parquet {OTHER}"),
    "flipped-beside": (lambda f: flip(data(f, "beside-0")), rf"beside-0-\w+.parquet {OTHER}"),
    "flipped-json": (lambda f: flip(f / INDEX), "forecast.json"),
    "missing-draws": (lambda f: data(f).unlink(), r"draws-\w+.parquet is missing; copy the whole"),
    "short-draws": (lambda f: cut_short(data(f)), rf"draws-\w+.parquet {OTHER}"),
    "rows-gone": (lambda f: rows_gone(data(f)), rf"draws-\w+.parquet {OTHER}"),
    "short-json": (lambda f: cut_short(f / INDEX), NO_JSON),
    "empty-json": (lambda f: (f / INDEX).write_bytes(b""), NO_JSON),
    "binary-json": (lambda f: (f / INDEX).write_bytes(b"\xff\xfe\x00"), NO_JSON),
    "deep-json": (lambda f: (f / INDEX).write_bytes(b"[" * 10**6), NO_JSON),
    "list-json": (lambda f: (f / INDEX).write_bytes(b"[]"), NO_RECORD),
    "other-json": (lambda f: (f / INDEX).write_bytes(b"{}"), NO_RECORD),
    "edited": (edited(lambda r: r.update(draws=3)), f"forecast.json {OTHER}"),
    "newer": (edited(lambda r: r.update(version=VERSION + 1)), "has format .*update odforecast"),
    "no-version": (edited(lambda r: r.pop("version")), "has format None"),
    "true-version": (edited(lambda r: r.update(version=True)), "has format True"),
    "forged-rows": (forged, rf"{NOT_ONE} \(ValueError"),
    "forged-field": (edited(lambda r: r["fields"].update(as_of={"date": "soon"}), True), NOT_ONE),
    "forged-tag": (edited(lambda r: r["fields"].update(as_of={"code": "x"}), True), NOT_ONE),
    "forged-panel": (edited(lambda r: r["panel"]["fields"].update(donor="x"), True),
                     "the panel is not the one"),
    "forged-path": (edited(lambda r: r["files"]["draws"].update(file="../../s"), True),
                    "not one of its files"),
    "no-fields": (edited(lambda r: r.pop("fields"), True), NOT_ONE),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_line_that_names_the_file(tmp_path, kind):
    folder = made().save(tmp_path / "f")
    damage, said = DAMAGE[kind]
    damage(folder)
    with pytest.raises(ForecastError, match=said) as caught:
        load_forecast(folder)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unseen(tmp_path_factory, where, bit):
    folder = made().save(tmp_path_factory.mktemp("saved"))
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        flip(path, where, bit)
        # White space of the JSON may turn into other white space; what is read is then the same.
        with suppress(ForecastError):
            same(load_forecast(folder), made())
            assert path.name == INDEX
        path.write_bytes(whole)
