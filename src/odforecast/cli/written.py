"""Names that the other commands use until they have moved."""

from odforecast.cli.answer import form_of, plain, print_json, records, write_table

__all__ = ["form_of", "plain", "print_json", "records", "write_table"]
