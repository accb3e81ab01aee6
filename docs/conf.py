"""Sphinx configuration. Built by `make docs`, with warnings as errors and without network."""

from __future__ import annotations

import inspect
import os
import sys
from functools import cached_property
from pathlib import Path
from types import FunctionType

import latex2mathml.converter
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "tools")]

import built  # noqa: E402
import checks_table  # noqa: E402
import inventories  # noqa: E402
import names_table  # noqa: E402
import notebooks  # noqa: E402
from board_numbers import read_summary, read_timings  # noqa: E402
from board_page import board_page  # noqa: E402

import odforecast  # noqa: E402

project = "odforecast"
author = "The odforecast developers"
copyright = "The odforecast developers"
version = release = odforecast.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
smartquotes_action = "qe"  # an option such as --archive keeps its dashes
# api: what older builds left there; the summary is a part of leaderboard.md.
exclude_patterns = ["_build", "_ext", "api", "leaderboard/summary.md"]

# The tutorials run while the pages are built: an error in one is an error of the build. What they
# printed is kept, by a hash of the library, so that no page shows what older code did.
BUILD = HERE / "_build"
nb_execution_mode = "cache"
nb_execution_cache_path = str(
    notebooks.cache_folder(BUILD / "executed", Path(odforecast.__file__).parent)
)
nb_execution_in_temp = True
nb_execution_timeout = -1  # a slow machine is no error
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "image/svg+xml", 5)]
# The kernel's own files stay in the build folder, and nobody's settings reach into it; figures have
# no date of today in them.
os.environ["JUPYTER_RUNTIME_DIR"] = str(BUILD / "jupyter")
os.environ["IPYTHONDIR"] = str(BUILD / "ipython")
os.environ["SOURCE_DATE_EPOCH"] = "0"
_PROFILE = BUILD / "ipython" / "profile_default"
_PROFILE.mkdir(parents=True, exist_ok=True)
(_PROFILE / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 40\n")

autosummary_generate = True
_PUBLIC = {
    f"{package}.{name}": value
    for package in names_table.PUBLIC
    for name, value in names_table.public_names(package)
    if inspect.isclass(value)
}
# What our own code gives a class, its bases included: `list` of a base of Python's is left out.
autosummary_context = {
    "class_properties": {
        name: names_table.own_members(cls, (property, cached_property))
        for name, cls in _PUBLIC.items()
    },
    "class_methods": {
        name: names_table.own_members(cls, (FunctionType, classmethod, staticmethod))
        for name, cls in _PUBLIC.items()
    },
}
autodoc_typehints = "none"  # numpydoc sections carry the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the templates list them
numpydoc_class_members_toctree = False
# Types of parameters are links, here and to the libraries of `docs/inventories`.
numpydoc_xref_param_type = True
numpydoc_xref_aliases = {
    "DataFrame": "pandas.DataFrame",
    "Series": "pandas.Series",
    "Timestamp": "pandas.Timestamp",
    "ndarray": "numpy.ndarray",
    "datetime64": "numpy.datetime64",
    "Axes": "matplotlib.axes.Axes",
    "Figure": "matplotlib.figure.Figure",
    "DataArray": "xarray.DataArray",
    "Dataset": "xarray.Dataset",
    "DataTree": "xarray.DataTree",
    "Path": "pathlib.Path",
    "Executor": "concurrent.futures.Executor",
    **{
        name: f"odforecast.{name}"
        for name in odforecast.__all__
        if inspect.isclass(getattr(odforecast, name))
    },
}
numpydoc_xref_ignore = "all"

intersphinx_mapping = inventories.write(BUILD / "inventories")

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"odforecast {release}"
html_static_path = ["_static"]
# The benchmark's page is made of its committed numbers, and put beside the others.
EXTRA = BUILD / "extra"
EXTRA.mkdir(parents=True, exist_ok=True)
_BOARD = HERE / "leaderboard"
(EXTRA / "board.html").write_text(
    board_page(read_summary(_BOARD / "board.json"), read_timings(_BOARD / "timings.json")),
    encoding="utf-8",
)
html_extra_path = [str(EXTRA)]
html_css_files = ["odforecast.css"]
html_js_files = ["names.js"]
templates_path = ["_templates"]
html_show_sourcelink = False
# Single pages have nothing below them to show in a sidebar.
html_sidebars = {
    page: []
    for page in (
        "index",
        "article",
        "leaderboard",
        "published",
        "gallery",
        "glossary",
        "bibliography",
        "changelog",
    )
}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# Formulas become MathML, which browsers draw by themselves: no script from another host.
html_math_renderer = "mathml"


def _inline(writer: nodes.NodeVisitor, node: nodes.math) -> None:
    writer.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def _block(writer: nodes.NodeVisitor, node: nodes.math_block) -> None:
    formula = latex2mathml.converter.convert(node.astext(), display="block")
    writer.body.append(f'<div class="math">{formula}</div>')
    raise nodes.SkipNode


def _look(app: Sphinx, error: Exception | None) -> None:
    """Warn of each dead link and each picture without words in the finished pages."""
    if error is None and app.builder.format == "html":
        for fault in built.faults(Path(app.outdir)):
            logging.getLogger(__name__).warning(fault)


def _plain(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """A star in a command's help is a star, not the start of emphasis."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.add_directive("checks-table", checks_table.ChecksTable)
    app.add_directive("names-table", names_table.NamesTable)
    app.add_directive("evidence-references", names_table.Bibliography)
    app.connect("doctree-read", notebooks.put_words)
    app.connect("sphinx-click-process-description", _plain)
    app.connect("build-finished", _look)
