"""Run the code in README and docs, and write down what it prints: part of `make figures`.

A ```python block runs in the namespace of its page; a ```text block right after it is what it
prints. The commands of a ```console block run where a ```text block follows; what they print on
standard output goes there. `tests/test_docs.py` runs the same and compares. Blocks that only
illustrate are written as ``:::{code-block}``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from odforecast.cli import main
from odforecast.models import registry

ROOT = Path(__file__).resolve().parents[1]
# The page of the full hierarchy is left out: its code samples for minutes.
PAGES = [
    ROOT / "README.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if "_build" not in page.parts and page.name != "hierarchical.md"
    ),
]
BLOCK = re.compile(
    r"^```(?P<kind>python|console)\n(?P<code>.*?)^```\n(?:\n```text\n(?P<text>.*?)^```\n)?",
    re.M | re.S,
)


def run(page: Path) -> Iterator[tuple[re.Match[str], str]]:
    """Each block of a page, and what it printed."""
    registry._REGISTERED.clear()  # what another page registered
    space: dict[str, object] = {"__name__": "__page__"}
    text = page.read_text()
    for match in BLOCK.finditer(text):
        if match["kind"] == "console":
            if match["text"] is not None:
                yield match, "".join(command(line) for line in match["code"].splitlines())
            continue
        lines_before = text[: match.start("code")].count("\n")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * lines_before + match["code"], str(page), "exec"), space)
        yield match, printed.getvalue()


def command(line: str) -> str:
    """What a printed command writes on standard output, without spaces at the ends of lines."""
    words = shlex.split(line.removeprefix("$ "))
    done = CliRunner(env={"COLUMNS": "80"}).invoke(main, words[1:], catch_exceptions=False)
    if words[0] != "odforecast" or done.exit_code:
        raise SystemExit(f"{line}: {done.output}")
    return re.sub(r" +$", "", done.stdout, flags=re.M)


def fill(page: Path) -> None:
    """Write the outputs of a page again."""
    text = page.read_text()
    for match, printed in reversed(list(run(page))):
        if match["text"] is not None:
            text = text[: match.start("text")] + printed + text[match.end("text") :]
    if text != page.read_text():
        page.write_text(text)
        print(page)


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())  # what a page writes stays out of the checkout
    for each in PAGES:
        fill(each)
