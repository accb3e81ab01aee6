"""The code digest: what a stored result hangs on besides model, data and request."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

from odforecast.seeds import content_hash
from odforecast.version import __version__

#: Modules and packages up to ``models``: a change in any of them may change a forecast. Scores,
#: readers and figures change no forecast; scoring is here because stored rows hold its scores.
_CODE = (
    "errors.py", "names.py", "seeds.py", "months.py", "publication.py", "geography", "monthly",
    "panel", "forecast", "models", "scoring",
)  # fmt: skip
#: Beside code, a packed table is read by a model, too: of what releases missed.
_KINDS = ("*.py", "*.csv", "*.csv.gz")
_LIBRARIES = ("numpy", "scipy", "numba", "statsforecast", "pymc", "nutpie")


_ROOT = Path(__file__).resolve().parents[1]


def hashed_files() -> list[Path]:
    """Every file that the digest is of, in order."""
    files = []
    for name in _CODE:
        path = _ROOT / name
        files += sorted(f for kind in _KINDS for f in path.rglob(kind)) if path.is_dir() else [path]
    return files


@cache
def code_digest() -> str:
    """Hash of the package's version, its modules up to ``models``, and numerical libraries."""
    digests = [
        (f.relative_to(_ROOT).as_posix(), hashlib.sha256(f.read_bytes()).hexdigest())
        for f in hashed_files()
    ]
    return content_hash(__version__, digests, [_version(x) for x in _LIBRARIES])


def _version(library: str) -> str:
    try:
        return f"{library} {installed_version(library)}"
    except PackageNotFoundError:
        return f"{library} absent"
