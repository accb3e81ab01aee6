"""The table of every check of a release, made of the checks themselves."""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

OF = {"states": "states", "counties": "counties", "": "states and counties"}


def rows() -> list[tuple[str, str, str, str]]:
    """Code, severity, data set and subject of each check, in the order in which they run."""
    from odforecast.vintage.quality import CHECKS

    return [(each.code, each.severity, OF[each.dataset], each.about) for each in CHECKS]


class ChecksTable(SphinxDirective):
    """``checks-table``: a row for each check, whose code leads to its explanation."""

    def run(self) -> list[nodes.Node]:
        """Rows of the table, parsed as reStructuredText."""
        lines = [".. list-table::", "   :widths: 25 12 18 45", "   :header-rows: 1", ""]
        lines += ["   * - code", "     - usually", "     - of", "     - what is wrong"]
        for code, *cells in rows():
            lines += [f"   * - :ref:`{code} <quality-{code}>`", *(f"     - {c}" for c in cells)]
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, "checks-table"), node)
        return node.children
