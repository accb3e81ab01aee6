"""The table of all 52 checks for a screen of 80 columns, and the broken places beneath."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from odforecast.hub.checks.known import CHECKS, FAILED
from odforecast.say import plain

if TYPE_CHECKING:
    from odforecast.hub.checks.outcome import Checks

_WIDTH: Final = 80
_NAME: Final = max(len(check.name) for check in CHECKS)


def as_text(checks: Checks) -> str:
    """A line per check, what failed and where, and one line that sums up.

    Parameters
    ----------
    checks : Checks
        What was found.

    Returns
    -------
    str
        Lines of at most 80 columns, but for words that are longer.

    Examples
    --------
    >>> from odforecast.hub.checks.outcome import Checks
    >>> print(as_text(Checks("hub", (), {})).splitlines()[-1])
    52 checks: 0 passed, 0 failed, 52 not run
    """
    lines = []
    for check in CHECKS:
        head = f"{check.name:<{_NAME}}  {checks.status(check.name):<7}"
        lines += _wrapped(f"{head}  {plain(checks.reason(check.name), 300)}".rstrip(), _NAME + 11)
    for name in checks.failed:
        lines += ["", *_wrapped(f"{name}: {_says(name)}", 4)]
        for outcome in checks.of(name):
            if outcome.status == FAILED:
                for line in outcome.lines():
                    lines += _wrapped(f"  {line}", 4)
    counts = [len(checks.passed), len(checks.failed), len(checks.not_run)]
    sums = ", ".join(f"{n} {what}" for n, what in zip(counts, ("passed", "failed", "not run")))
    return "\n".join([*lines, "", f"{len(CHECKS)} checks: {sums}"])


def _says(name: str) -> str:
    says = next(check.says for check in CHECKS if check.name == name)
    return f"not so: {says.split('. ')[0].rstrip('.')}"


def _wrapped(line: str, indent: int) -> list[str]:
    return textwrap.wrap(
        line, _WIDTH, subsequent_indent=" " * indent, break_long_words=False,
        break_on_hyphens=False, drop_whitespace=True, replace_whitespace=False,
    ) or [line]  # fmt: skip
