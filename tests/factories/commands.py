"""Commands as somebody types them: in a pipe, 80 columns wide."""

from click.testing import CliRunner, Result

from odforecast.cli import main


def run(*words: object, columns: int | None = 80, **options: object) -> Result:
    """What a command does; of no width, rows stay whole."""
    runner = CliRunner(env={"COLUMNS": None if columns is None else str(columns)})
    return runner.invoke(main, [str(word) for word in words], **options)


def ok(*words: object, columns: int = 80) -> str:
    """What a command prints that must not fail."""
    done = run(*words, columns=columns)
    assert done.exit_code == 0, done.output
    return done.stdout


def said(done: Result) -> str:
    return " ".join(done.output.split())
