"""Code in README and docs runs, and prints what the page says it prints."""

from __future__ import annotations

import importlib.util
import re
import warnings
from pathlib import Path

import pytest

import odforecast as od
from odforecast.scoring.columns import SCORE_COLUMNS

ROOT = Path(__file__).resolve().parents[1]


def _outputs():
    spec = importlib.util.spec_from_file_location("outputs", ROOT / "docs" / "outputs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


outputs = _outputs()
WITH_CODE = [page for page in outputs.PAGES if outputs.BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("odforecast.models.registry._REGISTERED", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for match, printed in outputs.run(page):
            if match["text"] is not None:
                assert printed == match["text"], f"{page.name}: run `make figures`"


def test_every_model_is_on_the_models_page() -> None:
    text = (ROOT / "docs" / "models.md").read_text()
    missing = [name for name in od.models().index if f"`{name}`" not in text]
    assert not missing


def test_every_public_name_is_in_the_api_reference() -> None:
    listed = set(re.findall(r"^   (\w+)$", (ROOT / "docs" / "api.md").read_text(), re.M))
    assert listed == set(od.__all__) - {"OdforecastError", "models", "scenario", "evidence"}


def test_every_score_column_is_explained() -> None:
    text = (ROOT / "docs" / "scores.md").read_text()
    assert not [name for name in SCORE_COLUMNS if f"`{name}`" not in text]
