"""Look up the packages in .venv in the public database of known vulnerabilities.

Exit 1 where one is found. Where nobody can say (no network, no tool, a package index without
such a database) one line says so, and the exit is 0: a check that did not run is no failure of
the code, and must not look like a pass either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
#: Seconds the whole look-up may take.
LIMIT = 180


def report(uv: Path = UV, limit: float = LIMIT) -> dict[str, Any] | str:
    """What pip-audit found, or why there is nothing from it."""
    site = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    command = [
        str(uv), "tool", "run", "--quiet", "--from", "pip-audit>=2.9", "pip-audit", "--format",
        "json", "--progress-spinner", "off", "--timeout", "5", "--skip-editable", "--path",
        str(site),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except OSError as error:
        return f"{uv} does not run ({error.strerror})"
    except subprocess.TimeoutExpired:
        return f"no answer in {limit:g} s"
    try:
        found = json.loads(done.stdout)
        return found if isinstance(found["dependencies"], list) else "an answer of another kind"
    except (ValueError, KeyError, TypeError):
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no answer"]
        return lines[-1][:200]


def judged(found: dict[str, Any] | str) -> tuple[int, str]:
    """Exit status and what is to be said."""
    if isinstance(found, str):
        return 0, f"dependencies were not audited: {found}"
    packages = found["dependencies"]
    known = [p for p in packages if "skip_reason" not in p]
    bad = [
        f"{p['name']} {p['version']}: {v['id']}"
        + (f", fixed in {', '.join(v['fix_versions'])}" if v.get("fix_versions") else "")
        for p in known
        for v in p.get("vulns", [])
    ]
    if bad:
        return 1, "\n".join(["dependencies with known vulnerabilities:", *bad])
    if not known:
        return 0, f"dependencies were not audited: the database knows none of {len(packages)}"
    rest = len(packages) - len(known)
    more = f"; {rest} unknown to the database were not audited" if rest else ""
    return 0, f"{len(known)} dependencies audited, no known vulnerability{more}"


def main() -> int:
    """Look up, say it, and return the exit status."""
    status, text = judged(report())
    print(text, file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
