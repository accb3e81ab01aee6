"""``python -m odforecast``: the command, where the script is not on the path."""

from odforecast.cli import main

if __name__ == "__main__":
    main(prog_name="odforecast")
