"""Templates to pages: escaped, with a policy, a style and a paper."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from unicodedata import category

from odforecast.errors import DataError
from odforecast.report.page.style import digest, stylesheet
from odforecast.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

#: Papers that a page is laid out for when it is printed.
PAPERS = {"letter": "@page { size: letter; }", "a4": "@page { size: A4; }"}

#: The mark by which a page of the library is known.
GENERATOR = "odforecast"


def render(
    template: str,
    context: Mapping[str, object],
    *,
    stylesheet: str | os.PathLike[str] | None = None,
    paper: str = "letter",
    script: str = "",
) -> str:
    """A whole HTML page.

    Parameters
    ----------
    template : str
        Name of a template of ``report/page/templates``, without its endings: ``"brief"``.
    context : mapping
        All that the template prints; a name that is missing is an error, never a blank.
    stylesheet : path, optional
        A style sheet instead of the library's own, see :func:`odforecast.report.page.stylesheet`.
    paper : {"letter", "a4"}
        What it is printed on.
    script : str
        Name of a script among the templates that the page runs: ``"site"``. Default: none, and
        the policy lets none in.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If the paper is unknown, or the style sheet is refused.
    jinja2.TemplateError
        If there is no such template, or something that it prints is missing.

    Examples
    --------
    >>> page = render("plain", {"title": "A < B", "paragraphs": ["So it is."]})
    >>> "A &lt; B" in page
    True
    """
    if paper not in PAPERS:
        raise DataError(f"unknown paper {paper!r}", hint=f"one of {', '.join(PAPERS)}")
    own = "site.css" if template == "site-page" else "page.css"
    style = f"{PAPERS[paper]}\n{_sheet(stylesheet, own)}"
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{digest(style)}'"
    )
    if script:
        text = _environment().get_template(f"{script}.js.j2").render()
        policy = f"{policy}; script-src '{digest(text)}'"
    page = _environment().get_template(f"{template}.html.j2")
    return page.render(
        {
            **context,
            "style": style,
            "script": f"{script}.js.j2" if script else "",
            "policy": policy,
            "generator": f"{GENERATOR} {__version__}",
        }
    )


# The parameter of :func:`render` has the function's name.
_sheet = stylesheet


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("odforecast.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    return made


def _shown(value: object) -> object:
    r"""What is printed: control characters, halves of a character and turns of the writing
    direction are made visible, for they would hide or reorder what stands beside them.

    Examples
    --------
    >>> print(_shown("a\x1bb\u202ec"))
    a\x1bb\u202ec
    """
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value  # what a template made is clean
    return "".join(repr(c)[1:-1] if _unseen(c) else c for c in value)


def _unseen(char: str) -> bool:
    return category(char)[0] == "C" and char not in "\n\t"
