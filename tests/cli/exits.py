"""Commands that must end with a status."""

import commands
from click.testing import Result


def run(*words: object, code: int | None = None, columns: int | None = 80) -> Result:
    """What a command does, in a pipe; given a code, it must exit with it."""
    done = commands.run(*words, columns=columns)
    assert code is None or done.exit_code == code, done.output
    return done
