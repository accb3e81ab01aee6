"""What a stranger gets: names that are declared, files that ship, a page that an index shows."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import licences
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from readme_renderer.markdown import render

import odforecast as od

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "odforecast"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Comes with PyMC at the one version that it takes; an extra, or another's notebook.
BROUGHT = {"pytensor", "dask", "distributed", "sktime"}


@pytest.mark.slow
def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py"))
    names = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    others = {x.partition(".")[0] for x in names} - {*sys.stdlib_module_names, "odforecast"}
    owners = packages_distributions()
    used = {canonicalize_name(owners[top][0]) for top in others}
    declared = {canonicalize_name(Requirement(x).name) for x in PROJECT["project"]["dependencies"]}
    assert not declared - used, "a dependency that nothing uses is weight for nothing"
    assert used - declared <= BROUGHT


def test_versions_that_are_tested_name_every_dependency() -> None:
    pins = re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(), re.M)
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = sum(extras, PROJECT["project"]["dependencies"])
    names = {canonicalize_name(Requirement(x).name) for x in wanted} - {"odforecast"}
    assert names <= set(pins), "run: make pins"


def test_the_description_has_no_picture_or_link_that_leads_nowhere() -> None:
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "".join((ROOT / part["path"]).read_text("utf-8") for part in hook["fragments"])
    for rule in hook["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    page = render(text)
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(t.startswith(("https://", "http://", "#")) for t in targets), targets
    assert "<img" not in page or 'src="http' in page


def test_every_file_that_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((?!https?:|#)([^)]*)\)|`((?:docs|benchmarks)/[\w./-]+)`", text)
    missing = {a + b for a, b in named if not (ROOT / (a + b)).exists()}
    assert not [name for name in missing if "_build" not in name]


def test_scores_in_readme_are_those_of_the_docs() -> None:
    """Each row of README is, rounded, the row of those places, origins and model in the docs."""
    docs = (ROOT / "docs" / "models" / "delay.md").read_text(encoding="utf-8")
    rows = (line.strip("| ").split(" | ") for line in docs.splitlines())
    scores = {tuple(x[:3]): " / ".join(x[3:]) for x in rows if len(x) == 6 and x[2][0] == "`"}
    known = {key: [float(x) for x in cells.split(" / ")] for key, cells in scores.items()}
    of = re.compile(r"\| (?:(states|nation), (?:origins )?([\w ]+): )?(`[\w+-]+`) \| (.* / .*) \|$")
    places, shown = "", []
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        if found := of.match(line):
            if found[1]:
                places = ("jurisdictions" if found[1] == "states" else "nation", found[2])
            want = known[(*places, found[3])]
            values = [float(x) for x in re.findall(r"\d[\d.]*", found[4])]
            assert values[:6] == pytest.approx(want[:6], abs=0.0051), line
            assert values[6:] == pytest.approx([100 * x for x in want[6:]], abs=0.51), line
            shown.append((*places, found[3]))
    assert len(set(shown)) == 4


def test_what_ships_of_cdcs_is_small() -> None:
    shipped = [p for p in (SOURCE / "vintage" / "bundled").rglob("*") if p.is_file()]
    assert 0 < sum(p.stat().st_size for p in shipped) < 1_200_000


def test_every_dependency_has_a_known_licence_and_stands_in_the_list() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S.*) \| ([a-z0-9-]+ \d.*) \|$", page, re.M)
    listed = {tuple(item.split()): spdx for spdx, items in rows for item in items.split(", ")}
    pins = "\n" + (ROOT / "constraints.txt").read_text()
    assert all(f"\n{name}=={version}\n" in pins for name, version in listed)
    spdx_of = {name: spdx for (name, _), spdx in listed.items()}
    core = licences.needed()
    assert {"pandas", "pymc", "statsmodels"} <= core
    found = {name: spdx for name, _, spdx in licences.rows(core | licences.needed("cluster"))}
    assert {k: v for k, v in found.items() if spdx_of.get(k) != v} == {}, "run: make licences"
    assert set(spdx_of) - set(found) <= {"colorama"}


def test_the_citation_is_whole_and_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert (cited["cff-version"], cited["version"]) == ("1.2.0", od.__version__)
    assert cited["license"] == PROJECT["project"]["license"]
    assert all(each["title"] and each["authors"] for each in cited["references"])
