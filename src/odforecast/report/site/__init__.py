"""Pages for people who read: a report in one file, and a site with a page per place.

Nothing is fetched and nothing is needed beside the files: figures are SVG inside the pages, and
the one script, which sorts tables and reads charts, is named by its hash in each page's policy.
All numbers are there without it.
"""

from odforecast.report.site.blocks import Section
from odforecast.report.site.counties import write_county_page
from odforecast.report.site.write import write_report, write_site

__all__ = ["Section", "write_county_page", "write_report", "write_site"]
