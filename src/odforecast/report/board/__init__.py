"""The page of the public benchmark: from leaderboards to numbers, from numbers to a page.

The numbers (:func:`summary_of`) are rounded and hold nothing of the machine they were worked out
on; the page (:func:`board_page`) is made of them alone, so that whoever has the numbers has the
page.
"""

from odforecast.report.board.numbers import joint_rows, summary_of, task_not_run, task_summary
from odforecast.report.board.page import board_page
from odforecast.report.board.written import markdown, read_summary, read_timings, write_summary

__all__ = [
    "board_page",
    "joint_rows",
    "markdown",
    "read_summary",
    "read_timings",
    "summary_of",
    "task_not_run",
    "task_summary",
    "write_summary",
]
