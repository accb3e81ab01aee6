"""Sphinx configuration. Built by `make docs`, with warnings as errors and without network."""

from __future__ import annotations

import inspect
from functools import cached_property

import latex2mathml.converter
from docutils import nodes
from sphinx.application import Sphinx

import odforecast

project = "odforecast"
author = "The odforecast developers"
copyright = "The odforecast developers"
version = release = odforecast.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
smartquotes_action = "qe"  # an option such as --archive keeps its dashes
exclude_patterns = ["_build"]

autosummary_generate = True
autosummary_context = {
    "class_properties": {
        name: [
            key
            for key, value in vars(getattr(odforecast, name)).items()
            if isinstance(value, (property, cached_property)) and not key.startswith("_")
        ]
        for name in odforecast.__all__
        if inspect.isclass(getattr(odforecast, name))
    }
}
autodoc_typehints = "none"  # numpydoc sections carry the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the templates list them
numpydoc_class_members_toctree = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"odforecast {release}"
html_static_path = ["_static"]
html_css_files = ["odforecast.css"]
templates_path = ["_templates"]
html_show_sourcelink = False
# Only the models and the API reference have pages below them to show in a sidebar.
_PAGES = (
    "quickstart",
    "data",
    "download",
    "quality",
    "scores",
    "scenarios",
    "evidence",
    "cli",
    "design",
    "changelog",
)
html_sidebars = {page: [] for page in _PAGES}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
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


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
