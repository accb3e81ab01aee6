"""The documentation: its code runs, nothing public is without a page, and its links lead somewhere.

`make docs` makes what the tutorials print: there an error in one is an error of the build.
"""

import ast
import builtins
import doctest
import importlib.util
import inspect
import re
import sys
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import FunctionType

import outputs
import pandas as pd
import pytest
from _ext import built, names_table
from commands import ok
from county_forecasts import made_forecast

import odforecast as od
from odforecast.backtesting.unit import FAILURE_COLUMNS
from odforecast.forecasts.trend import CATEGORIES
from odforecast.names import HUB_COLUMNS, TABLE_COLUMNS
from odforecast.scenario import prior_names, references
from odforecast.scoring.columns import SCORE_COLUMNS
from odforecast.updating.record import COLUMNS as RECORD_COLUMNS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
WITH_CODE = [
    pytest.param(p, marks=() if p.name == "README.md" else pytest.mark.slow)
    for p in outputs.PAGES
    if outputs.BLOCK.search(p.read_text())
]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_code_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("odforecast.models.registry._REGISTERED", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for match, printed in outputs.run(page):
            if match["text"] is not None:
                assert printed == match["text"], f"{page.name}: run `make figures`"


REFERENCE = {path.stem: path.read_text() for path in (DOCS / "reference" / "api").glob("*.md")}


def _documented() -> dict[str, str]:
    """Full name of what the reference lists -> the page."""
    found = {}
    for page, text in REFERENCE.items():
        for block in re.split(r"^\.\. currentmodule:: ", text, flags=re.M)[1:]:
            module = block.split("\n", 1)[0].strip()
            for name in re.findall(r"^   ~?([\w.]+)$", block.split("```")[0], re.M):
                found[f"{module}.{name}"] = page
        shown = re.findall(r"^\.\. (?:automodule|py:module|py:function):: ([\w.]+)", text, re.M)
        found |= dict.fromkeys(shown, page)
    return found


DOCUMENTED = _documented()


def test_every_public_name_has_a_page() -> None:
    public = {
        names_table.home(package, *each)
        for package in names_table.PUBLIC
        for each in names_table.public_names(package)
    }
    missing = public - {*DOCUMENTED, "odforecast.OdforecastError"}
    assert not missing, "put them into an autosummary of docs/reference/api"


def test_every_name_of_the_reference_exists() -> None:
    for full in DOCUMENTED:
        value: object = od
        for part in full.split(".")[1:]:
            if inspect.ismodule(value) and not hasattr(value, part):
                importlib.import_module(f"{value.__name__}.{part}")
            value = getattr(value, part)


def test_every_package_has_a_table() -> None:
    text = (DOCS / "reference" / "index.md").read_text()
    tables = re.findall(r"^\.\. names-table:: (\S+)$", text, re.M)
    assert set(tables) == {"commands", *names_table.PUBLIC}
    public = [v for _, v in names_table.public_names("odforecast") if inspect.ismodule(v)]
    with_names = {v.__name__ for v in public if hasattr(v, "__all__")}
    assert with_names <= set(names_table.PUBLIC), "a public package whose names have no table"


def test_every_command_is_shown_with_an_example() -> None:
    shown = [
        re.sub(r"^\$ ", "", line)
        for page in [*PAGES, ROOT / "README.md"]
        for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.M | re.S)
        for line in block.splitlines()
    ]
    commands = [words for words, _ in names_table.commands()]
    assert not [w for w in commands if not any(f"{line} ".startswith(f"{w} ") for line in shown)]


# Whoever pastes an example of a public name has every name it uses: pytest runs the examples where
# the names of their module are there already.

#: Besides those whose names have a table.
PACKAGES = (*names_table.PUBLIC, "odforecast.evidence", "odforecast.vintage")


def documented() -> Iterator[tuple[str, str]]:
    """Each public name, and public member of a public class, with its docstring."""
    named = [(name, importlib.import_module(name)) for name in PACKAGES]
    for package, module in tuple(named):
        public = ((name, getattr(module, name)) for name in getattr(module, "__all__", ()))
        named += [(names_table.home(package, *each), each[1]) for each in public]
    for full in DOCUMENTED:
        inside, _, last = full.rpartition(".")
        if inside and full not in sys.modules:
            named.append((full, getattr(importlib.import_module(inside), last)))
    kinds = (FunctionType, classmethod, staticmethod, property, cached_property)
    for full, value in named:
        is_class = inspect.isclass(value)
        ours = getattr(value, "__module__", "").startswith("odforecast")
        if inspect.ismodule(value) or (ours and (is_class or inspect.isroutine(value))):
            yield full, value.__doc__ or ""
        for name in names_table.own_members(value, kinds) if is_class and ours else ():
            yield f"{full}.{name}", inspect.getattr_static(value, name).__doc__ or ""


def not_bound(text: str) -> set[str]:
    """Names that the examples of a docstring use before they bind them."""
    bound, free = set(dir(builtins)), set()
    for example in doctest.DocTestParser().get_examples(text):
        used: set[str] = set()
        for node in ast.walk(ast.parse(example.source)):
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    used.add(name)
                case ast.alias(name=name, asname=asname):
                    bound.add(asname or name.split(".")[0])
                case (ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name))
                      | ast.FunctionDef(name=name) | ast.ClassDef(name=name)):  # fmt: skip
                    bound.add(name)
        free |= used - bound
    return free


def test_examples_bind_what_they_use() -> None:
    examples = {name: text for name, text in documented() if ">>>" in text}
    assert {"odforecast", "odforecast.archive", "odforecast.Panel.from_frame"} <= examples.keys()
    assert not_bound(">>> import numpy as np\n>>> x.sum() + np.ones(3)\n>>> x = 1") == {"x"}
    missing = {name: free for name, text in examples.items() if (free := not_bound(text))}
    assert not missing


FILES = (DOCS / "reference" / "files.md").read_text()
EXPLAINED = [
    ((*HUB_COLUMNS, *CATEGORIES, *RECORD_COLUMNS, "check", *FAILURE_COLUMNS), "reference/files.md"),
    (SCORE_COLUMNS, "reference/scores.md"),
    (TABLE_COLUMNS, "how-to/get-releases.md"),
    (prior_names(), "reference/evidence.md"),
    (od.models().index, "models/index.md"),
]


@pytest.mark.parametrize(("names", "page"), EXPLAINED, ids=[page for _, page in EXPLAINED])
def test_every_column_prior_and_model_is_explained(names, page):
    text = (DOCS / page).read_text()
    assert not [name for name in names if f"`{name}`" not in text]


def test_the_table_of_the_summary_explains_its_columns_in_their_order() -> None:
    section = FILES.partition("(files-summary)=")[2].partition("(files-counties)=")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.M)
    explained = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    panel = od.bundled().as_of("2025-09-17").panel().select("Ohio")
    summary = od.get_model("drift").fit(panel).forecast(draws=20).summary()
    assert explained == list(summary)


def test_every_column_of_the_tables_of_a_forecast_is_explained() -> None:
    panel = od.bundled().as_of("2025-09-17").panel()
    forecast = od.get_model("drift").fit(panel.select("Ohio")).forecast(draws=20)
    counties = made_forecast(draws=20)
    tables = (forecast.trend(), forecast.years(), counties.counties(), counties.ranking())
    columns = [name for table in tables for name in table]
    shipped = Path(od.__file__).parent / "forecasts" / "record.csv"
    columns += list(pd.read_csv(shipped, nrows=1).columns)
    assert not [name for name in columns if f"`{name}`" not in FILES]


@pytest.mark.slow
def test_every_column_of_a_scenario_folder_is_explained(tmp_path: Path) -> None:
    out = tmp_path / "brief"
    args = "scenario run --source bundled --model drift --scenario tariff-only --locations OH"
    ok(*args.split(), "--draws", "20", "--out", out)
    tables = [*out.glob("data/*.csv"), *out.glob("data/*.parquet")]
    assert len(tables) > 5
    for path in tables:
        assert f"`{path.name}`" in FILES
        read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
        columns = [c for c in map(str, read(path)) if not re.fullmatch(r"\d{4}-\d{2}", c)]
        assert not [c for c in columns if f"`{c}`" not in FILES], path.name


def test_every_word_of_the_glossary_is_there_once_and_links_to_terms_resolve() -> None:
    text = (DOCS / "glossary.md").read_text()
    body = re.search(r":::\{glossary\}\n(.*?)^:::", text, re.M | re.S)
    assert body is not None
    terms = re.findall(r"^(\S.*)$", body[1], re.M)
    assert len(terms) == len(set(terms)) > 40
    spoken = [t.lower().replace("12-", "twelve-") for t in terms]
    assert spoken == sorted(spoken)
    used = {t for p in PAGES for t in re.findall(r"\{term\}`([^`<]+)`", p.read_text())}
    assert used <= set(terms)


def test_no_doi_stands_in_the_pages_that_the_library_does_not_have() -> None:
    known = {str(doi).lower() for doi in references()["doi"] if doi}
    for page in PAGES:
        for doi in re.findall(r"10\.\d{4,9}/[^\s`\"<>\]]+", page.read_text()):
            assert doi.lower().rstrip(".,;") in known, f"{page.name}: {doi}"


def test_pictures_of_pages_exist_and_are_used() -> None:
    text = "".join(page.read_text() for page in [*PAGES, ROOT / "README.md"])
    used = set(re.findall(r"_static/([\w.-]+\.(?:svg|html))", text))
    there = {p.name for p in (DOCS / "_static").iterdir() if p.suffix in (".svg", ".html")}
    assert used <= there
    assert there - used <= {"brief-annex.html"}, "a picture that no page shows"


def test_dead_links_and_pictures_without_words_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text('<h1 id="top">x</h1>')
    (tmp_path / "index.html").write_text(
        '<a href="there.html#top">1</a><a href="there.html#no">2</a><a href="gone.html">3</a>'
        '<a href="https://data.cdc.gov">4</a><img src="gone.png" alt="A line that falls">'
        '<img src="there.html"><a href="#nowhere">5</a>'
    )
    found = "\n".join(built.faults(tmp_path))
    assert found.count("\n") == 4
    for part in ("there.html#no", "gone.html leads", "gone.png leads", "no words", "#nowhere"):
        assert part in found
