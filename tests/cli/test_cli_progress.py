"""Progress of long fits: on a terminal only, and never in the numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from odforecast.cli.screen import working
from odforecast.models.hierarchy.model import _told
from odforecast.models.model import watcher, watching

SCRIPT = """
import time
from odforecast.cli.screen import working
from odforecast.models.model import watcher
with working("fitting dlm", patience={patience}):
    tell = watcher()
    if tell is not None:
        tell("sampling 4 chains", 5, 12)
    time.sleep({seconds})
print("done")
"""


def on_a_terminal(patience: float, seconds: float) -> tuple[str, str]:
    """Standard output, and what a terminal gets on standard error."""
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    terminal, end = pty.openpty()
    code = SCRIPT.format(patience=patience, seconds=seconds)
    env = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
    done = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=end, text=True, env=env
    )
    os.close(end)
    seen = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end was closed
            break
        if not piece:
            break
        seen += piece
    os.close(terminal)
    printed, _ = done.communicate()
    assert done.returncode == 0
    return printed, seen.decode()


@pytest.mark.slow
def test_a_long_fit_says_what_it_does_and_how_far_it_is():
    printed, seen = on_a_terminal(patience=0.0, seconds=0.6)
    assert printed == "done\n"
    assert "sampling 4 chains" in seen
    assert "5/12" in seen


def test_in_a_pipe_nothing_is_shown_and_nobody_watches(capsys):
    with working("fitting", patience=0.0):
        assert watcher() is None
    assert capsys.readouterr() == ("", "")


def test_the_sampler_is_asked_only_where_somebody_watches():
    def sample(*, progress_callback=None, progress_rate=0):
        pass

    def older():
        pass

    assert _told(sample) == {}
    seen = []
    with watching(lambda *step: seen.append(step)):
        assert _told(older) == {}
        told = _told(sample)
        chain = SimpleNamespace(finished_draws=30, total_draws=100)
        told["progress_callback"]([chain, chain])
    assert seen == [("sampling 2 chains", 60, 200)]
    assert _told(sample) == {}
