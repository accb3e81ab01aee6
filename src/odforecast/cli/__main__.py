"""``python -m odforecast.cli``, where the script is not on the path."""

from odforecast.cli import main

main(prog_name="odforecast")
