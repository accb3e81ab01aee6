"""Tables that people open in a spreadsheet; pages write them too, so it stands below both."""

from odforecast.report.spreadsheet import for_spreadsheets, harmless

__all__ = ["for_spreadsheets", "harmless"]
