"""Where every HTML page of the library is made.

A page is one file that needs nothing else: its style and its pictures are inside, a
Content-Security-Policy lets nothing in, and nothing in it runs. What a template prints is escaped.
"""

from odforecast.report.page.parts import Picture, Table, picture
from odforecast.report.page.render import PAPERS, render
from odforecast.report.page.style import stylesheet

__all__ = ["PAPERS", "Picture", "Table", "picture", "render", "stylesheet"]
