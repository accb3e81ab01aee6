"""What a stranger gets: names that are declared, files that ship, a page that an index shows."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from readme_renderer.markdown import render

import odforecast as od

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "odforecast"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Comes with PyMC, at the one version that PyMC takes.
WITH_PYMC = {"pytensor"}
#: Imported only where the caller brings it: an extra, or another's notebook.
OPTIONAL = {"dask", "distributed", "sktime"}


def tool(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared() -> set[str]:
    return {canonicalize_name(Requirement(x).name) for x in PROJECT["project"]["dependencies"]}


def imported() -> set[str]:
    """Distributions that a module of the package imports, anywhere in it."""
    tops: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                tops |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                tops.add((node.module or "").partition(".")[0])
    tops -= {*sys.stdlib_module_names, "odforecast"}
    owners = packages_distributions()
    return {canonicalize_name(owners[top][0]) for top in tops}


@pytest.mark.slow
def test_every_package_that_is_imported_is_declared() -> None:
    assert imported() - declared() <= WITH_PYMC | OPTIONAL


def test_every_declared_package_is_imported() -> None:
    assert not declared() - imported(), "a dependency that nothing uses is weight for nothing"


def test_versions_that_are_tested_name_every_dependency() -> None:
    pins = re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(), re.M)
    wanted = [*PROJECT["project"]["dependencies"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        wanted += extra
    names = {canonicalize_name(Requirement(x).name) for x in wanted} - {"odforecast"}
    assert names <= set(pins), "run: make pins"


# ------------------------------------------------------------------ what an index shows


def description() -> str:
    """README as the build hook rewrites it."""
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "".join((ROOT / part["path"]).read_text("utf-8") for part in hook["fragments"])
    for rule in hook["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    return text


def test_the_description_has_no_picture_or_link_that_leads_nowhere() -> None:
    page = render(description())
    assert page is not None
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(t.startswith(("https://", "http://", "#")) for t in targets), targets
    assert "<img" not in page or 'src="http' in page


def test_what_a_picture_shows_is_said_in_words() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\((?!https?:)", (ROOT / "README.md").read_text("utf-8"))
    assert pictures
    assert all(len(alt) > 20 and alt in description() for alt in pictures)


def test_every_file_that_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((?!https?:|#)([^)]*)\)|`((?:docs|benchmarks)/[\w./-]+)`", text)
    missing = [a or b for a, b in named if not (ROOT / (a or b)).exists()]
    assert not [m for m in missing if "_build" not in m]


def test_scores_in_readme_are_those_of_the_docs() -> None:
    """Each row of README is, rounded, the row of those places, origins and model in the docs."""
    docs = (ROOT / "docs" / "models" / "delay.md").read_text(encoding="utf-8")
    known = {}
    for line in docs.splitlines():
        cells = line.strip("| ").split(" | ")
        if len(cells) == 6 and cells[2].startswith("`"):
            known[tuple(cells[:3])] = [float(x) for c in cells[3:] for x in c.split(" / ")]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    places, shown = "", []
    for line in readme.splitlines():
        found = re.match(
            r"\| (?:(states|nation), (?:origins )?([\w ]+): )?(`[\w+-]+`) \| (.*) \|$", line
        )
        if found and " / " in line:
            if found[1]:
                level = {"states": "jurisdictions", "nation": "nation"}[found[1]]
                places = (level, found[2])
            values = [float(x) for x in re.findall(r"\d[\d.]*", found[4])]
            want = [
                *known[(*places, found[3])][:6],
                *(100 * x for x in known[(*places, found[3])][6:]),
            ]
            tolerance = [0.0051] * 6 + [0.51] * 3
            assert len(values) == 9
            assert all(abs(a - b) < t for a, b, t in zip(values, want, tolerance)), line
            shown.append((*places, found[3]))
    assert len(set(shown)) == 4


def test_addresses_of_the_project_are_secure_and_ours() -> None:
    urls = PROJECT["project"]["urls"]
    assert urls["Data"] == "https://data.cdc.gov/d/xkb8-kh2a"
    assert all(url.startswith("https://") for url in urls.values())


# ----------------------------------------------------------------------- what ships


def test_every_example_says_what_it_is_and_how_to_run_it() -> None:
    examples = sorted((SOURCE / "examples").glob("*.yaml"))
    assert examples
    for path in examples:
        assert f"odforecast scenario run --scenario examples/{path.name}" in path.read_text() or (
            f"odforecast scenario show examples/{path.name}" in path.read_text()
        )


def wheel_of(folder: Path, names: list[str]) -> Path:
    made = folder / "odforecast-1-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return made


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        (["odforecast/__init__.py"], r"lacks \['odforecast/record.csv'\]"),
        (
            ["odforecast/__init__.py", "odforecast/record.csv", "tests/x.py"],
            r"besides \['tests/x.py'\]",
        ),
    ],
)
def test_a_wheel_without_a_data_file_or_with_a_stray_one_is_seen(
    tmp_path: Path, inside: list[str], said: str
) -> None:
    check = tool("check_wheel")
    source = tmp_path / "src"
    (source / "odforecast" / "__pycache__").mkdir(parents=True)
    for name in ("__init__.py", "record.csv", "__pycache__/x.pyc"):
        (source / "odforecast" / name).write_text("")
    whole = ["odforecast/__init__.py", "odforecast/record.csv", "odforecast-1.dist-info/METADATA"]
    check.check_content(wheel_of(tmp_path, whole), source)
    with pytest.raises(check.WheelError, match=said):
        check.check_content(wheel_of(tmp_path, inside), source)


def test_a_wheel_that_is_too_large_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = tool("check_wheel")
    assert check.MOST == 3_000_000
    (tmp_path / "src" / "odforecast").mkdir(parents=True)
    (tmp_path / "src" / "odforecast" / "__init__.py").write_text("")
    monkeypatch.setattr(check, "MOST", 10)
    with pytest.raises(check.WheelError, match="more than"):
        check.check_content(wheel_of(tmp_path, ["odforecast/__init__.py"]), tmp_path / "src")


def test_what_ships_of_cdcs_is_small() -> None:
    shipped = [p for p in (SOURCE / "vintage" / "bundled").rglob("*") if p.is_file()]
    assert max(p.stat().st_size for p in shipped) < 1_500_000
    assert sum(p.stat().st_size for p in shipped) < 1_200_000


# ----------------------------------------------------------------------- licences


def _listed() -> list[tuple[str, str, str]]:
    """Name, version and licence of each package on the page."""
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S.*) \| ([a-z0-9-]+ \d.*) \|$", page, re.M)
    return [(*item.split(), spdx) for spdx, items in rows for item in items.split(", ")]


def test_every_dependency_has_a_known_licence_and_stands_in_the_list() -> None:
    licences = tool("licences")
    core = licences.needed()
    assert {"pandas", "pymc", "statsmodels"} <= core
    found = {name: spdx for name, _, spdx in licences.rows(core | licences.needed("cluster"))}
    listed = {name: spdx for name, _, spdx in _listed()}
    assert {k: v for k, v in found.items() if listed.get(k) != v} == {}, "run: make licences"
    assert set(listed) - set(found) <= {"colorama"}


def test_the_list_of_licences_has_the_versions_that_are_tested() -> None:
    pins = (ROOT / "constraints.txt").read_text()
    rows = _listed()
    stale = [name for name, version, _ in rows if f"\n{name}=={version}\n" not in f"\n{pins}"]
    assert len(rows) > 50
    assert not stale, "run: make licences"


@pytest.mark.parametrize(
    ("fields", "spdx"),
    [
        ({"License-Expression": "MIT"}, "MIT"),
        ({"License": "Apache Software License 2.0"}, "Apache-2.0"),
        ({"License": "x" * 4000, "Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"License-Expression": "GPL-3.0-only"}, None),
        ({"License-Expression": "MIT AND LGPL-3.0"}, None),
        ({}, None),
    ],
)
def test_a_licence_that_nobody_looked_at_is_an_error(fields: dict[str, str], spdx: str) -> None:
    from email.message import Message

    licences = tool("licences")

    class Package:
        metadata = Message()
        files = ()

    Package.metadata["Name"] = "x"
    for key, value in fields.items():
        Package.metadata[key] = value
    if spdx is None:
        with pytest.raises(licences.LicenceError, match="x: licence"):
            licences.licence_of(Package)
    else:
        assert licences.licence_of(Package) == spdx


# ----------------------------------------------------------------------- how to cite


def test_the_citation_is_whole_and_of_this_version() -> None:
    """The fields of the Citation File Format 1.2.0, whose schema asks for these four."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["cff-version"] == "1.2.0"
    assert cited["type"] == "software"
    assert cited["version"] == od.__version__
    assert cited["license"] == PROJECT["project"]["license"]
    allowed = {"cff-version", "message", "title", "type", "version", "license", "authors",
               "keywords", "abstract", "references", "url", "repository-code", "doi",
               "date-released"}  # fmt: skip
    assert set(cited) <= allowed
    assert len(set(cited["keywords"])) == len(cited["keywords"])
    for each in cited["references"]:
        assert each["type"] in {"data", "article", "report"}
        assert each["title"]
        assert all("name" in a or "family-names" in a for a in each["authors"])
    names = {author["name"] for author in PROJECT["project"]["authors"]}
    assert {author["name"] for author in cited["authors"]} == names
