"""List what is installed with odforecast, with its version and licence, in docs/licences.md.

Read from the metadata of the packages in this environment: an SPDX expression where a package
gives one, else its classifiers or its word, brought to an SPDX name by ``SAID``. Where only "BSD"
is said, the text of the licence tells which. A licence that is not known here is an error, so
that somebody looks at it.
"""

from __future__ import annotations

import re
import sys
import textwrap
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
#: What packages say, where it is no SPDX expression.
SAID = {
    "Apache 2.0": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache Software License 2.0": "Apache-2.0",
    "MIT License": "MIT",
    "2-clause BSD": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
PERMISSIVE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause",
    "CC0-1.0", "MIT", "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip
#: May be used by anybody; a change to their own files must be published under the same licence.
OF_FILES = {"MPL-2.0"}
#: Libraries that wheels carry, by the names of their files, and their licences.
CARRIED = {
    "libgfortran": "the GNU Fortran runtime, GPL-3.0 with the GCC runtime exception",
    "libquadmath": "libquadmath, LGPL-2.1",
    "libgomp": "GNU OpenMP, GPL-3.0 with the GCC runtime exception",
}
HEAD = """# Licenses

odforecast has the Apache License 2.0. `pip install odforecast` also installs the packages below.
Licenses are from each package's own metadata (SPDX names), and versions from `constraints.txt`.
`make licences` writes this page, and a test compares it with what is installed.
"""


class LicenceError(Exception):
    """A package whose licence cannot be told."""


def needed(extra: str = "") -> set[str]:
    """Names of all packages that odforecast needs here, directly or through others."""
    seen: set[tuple[str, str]] = set()
    todo = [("odforecast", extra)]
    while todo:
        name, of = todo.pop()
        if (name, of) in seen:
            continue
        seen.add((name, of))
        for text in distribution(name).requires or ():
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in {"", of}):
                inner = canonicalize_name(need.name)
                todo += [(inner, each) for each in {"", *need.extras}]
    return {name for name, _ in seen} - {"odforecast"}


def licence_of(package: Distribution) -> str:
    """SPDX expression of a package's licence.

    Raises
    ------
    LicenceError
        If the package says nothing, or something that is not known here.
    """
    about = package.metadata
    said = [about.get("License-Expression"), about.get("License")]
    said += [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or ()
        if line.startswith("License ::")
    ]
    words = [word.strip() for word in said if word and len(word) < 100]
    for word in words:
        spdx = SAID.get(word, word)
        if all(part in PERMISSIVE | OF_FILES for part in parts_of(spdx)):
            return spdx
    if any("BSD" in word for word in words):
        return _which_bsd(package)
    name = about["Name"]
    raise LicenceError(
        f"{name}: licence {words or 'not given'} is not known; see {Path(__file__).name}"
    )


def parts_of(spdx: str) -> list[str]:
    """The single licences of an SPDX expression.

    Examples
    --------
    >>> parts_of("MPL-2.0 AND MIT")
    ['MPL-2.0', 'MIT']
    """
    return re.split(r"\s+(?:AND|OR)\s+", spdx.replace("(", "").replace(")", ""))


def _which_bsd(package: Distribution) -> str:
    """Three clauses where one protects the names of contributors, else two."""
    files = [
        f for f in package.files or () if re.fullmatch(r"(?i)(licen[cs]e|copying)(\.\w+)?", f.name)
    ]
    text = " ".join(f.read_text(encoding="utf-8") for f in files if f.suffix not in (".py", ".pyc"))
    if "Redistribution and use" not in text:
        raise LicenceError(f"{package.metadata['Name']}: says BSD, and has no text of it")
    names = re.search(r"(?i)names?\s+of\s+(?:its|the|any|their)?[^.]{0,80}\s+may\b", text)
    return "BSD-3-Clause" if names else "BSD-2-Clause"


def carried(package: Distribution) -> list[str]:
    """Copyleft libraries in the files of a package."""
    names = {f.name for f in package.files or ()}
    return [said for key, said in CARRIED.items() if any(n.startswith(key) for n in names)]


def rows(names: set[str]) -> list[tuple[str, str, str]]:
    """Name, version and licence of packages, by name."""
    found = [distribution(name) for name in sorted(names)]
    return [(canonicalize_name(d.metadata["Name"]), d.version, licence_of(d)) for d in found]


def _table(found: list[tuple[str, str, str]]) -> str:
    """A row for each licence, with its packages and their versions."""
    by: dict[str, list[str]] = {}
    for name, version, spdx in found:
        by.setdefault(spdx, []).append(f"{name} {version}")
    lines = ["| license | packages |", "|---|---|"]
    lines += [f"| {spdx} | {', '.join(packages)} |" for spdx, packages in sorted(by.items())]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page, as it should be."""
    core = needed()
    main, more = rows(core), rows(needed("cluster") - core)
    weak = [name for name, _, spdx in main + more if set(parts_of(spdx)) & OF_FILES]
    inside = [
        f"{name} ({'; '.join(found)})"
        for name in sorted(core)
        if (found := carried(distribution(name)))
    ]
    verb = "has" if len(weak) == 1 else "have"
    said = (
        f"No package has a license that extends to programs that use it (GPL, AGPL). {_and(weak)} "
        f"{verb} the Mozilla Public License 2.0: if you change one of their files and pass it on, "
        "you must publish that file. Some wheels contain compiled libraries with a GNU license, on "
        f"Linux: {_and(inside) or 'none'}. Each GPL library has the exception for programs that "
        "GCC compiles. On Windows, colorama (BSD-3-Clause) is also installed."
    )
    parts = (
        HEAD,
        textwrap.fill(said, 100),
        "",
        _table(main),
        "## With `[cluster]`\n",
        _table(more),
    )
    return "\n".join(parts)


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def main() -> int:
    """Write the page, or with ``--check`` compare it; return the exit status."""
    made = page()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") == made:
            return 0
        print("docs/licences.md is not what is installed; run: make licences", file=sys.stderr)
        return 1
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
