"""Code in README and docs runs, and prints what the page says it prints.

A ```python block runs in the namespace of its page. A ```text block right after it is what it
prints. Blocks that only illustrate are written as ``:::{code-block}``.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

import odforecast as od
from odforecast.scoring.columns import SCORE_COLUMNS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("odforecast.models.base._REGISTERED", {})
    space: dict[str, object] = {"__name__": "__page__"}
    text = page.read_text()
    for match in BLOCK.finditer(text):
        code, expected = match.groups()
        line = text[: match.start(1)].count("\n")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile("\n" * line + code, str(page), "exec"), space)
        if expected is not None:
            assert printed.getvalue() == expected, f"{page.name}, line {line + 1}"


def test_every_model_is_on_the_models_page() -> None:
    text = (ROOT / "docs" / "models.md").read_text()
    missing = [name for name in od.model_names() if f"`{name}`" not in text]
    assert not missing


def test_every_public_name_is_in_the_api_reference() -> None:
    listed = set(re.findall(r"^   (\w+)$", (ROOT / "docs" / "api.md").read_text(), re.M))
    assert listed == set(od.__all__) - {"OdforecastError"}


def test_every_score_column_is_explained() -> None:
    text = (ROOT / "docs" / "scores.md").read_text()
    assert not [name for name in SCORE_COLUMNS if f"`{name}`" not in text]
