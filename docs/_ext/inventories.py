"""Inventories of other libraries' documentation, made of short lists, so that no network is asked.

A list (`docs/inventories/NAME.txt`) begins with the address of the documentation; each line after
it is ``domain:role name page``. Sphinx's intersphinx reads the binary form written here.
"""

from __future__ import annotations

import zlib
from pathlib import Path

LISTS = Path(__file__).resolve().parents[1] / "inventories"


def read(path: Path) -> tuple[str, list[tuple[str, str, str]]]:
    """The address, and (role, name, page) of each entry; a ``$`` at the end is the name."""
    lines = [s.strip() for s in path.read_text().splitlines()]
    lines = [s for s in lines if s and not s.startswith("# ")]
    entries = []
    for number, line in enumerate(lines[1:], start=2):
        words = line.split()
        if len(words) != 3:
            raise ValueError(f"{path.name}, entry {number}: role, name and page, got {line!r}")
        entries.append((words[0], words[1], words[2]))
    return lines[0], entries


def write(folder: Path) -> dict[str, tuple[str, str]]:
    """Write one ``objects.inv`` per list, and give what ``intersphinx_mapping`` wants."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for path in sorted(LISTS.glob("*.txt")):
        address, entries = read(path)
        head = f"# Sphinx inventory version 2\n# Project: {path.stem}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        body = "".join(f"{name} {role} 1 {page} -\n" for role, name, page in entries)
        out = folder / f"{path.stem}.inv"
        content = head.encode() + zlib.compress(body.encode())
        if (
            not out.exists() or out.read_bytes() != content
        ):  # a new date would read every page again
            out.write_bytes(content)
        mapping[path.stem] = (address, str(out))
    return mapping
