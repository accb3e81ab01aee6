"""``odforecast examples``: the example files that ship with the package."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from odforecast.cli.options import json_option, out_option
from odforecast.cli.screen import columns
from odforecast.cli.written import print_json
from odforecast.errors import DataError, UnknownNameError, one_of
from odforecast.io import replacing

_ENDINGS = (".yaml", ".toml")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@out_option("Folder to copy them into.  [default: this one, where names are given]", folder=True)
@json_option
def examples(names: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """List the example scenario files, or copy them.

    With --out, or a NAME, files are copied: those named, or all. A file that is there already is
    left as it is, and nothing is copied.
    """
    found = example_files()
    for name in names:
        if name not in found and f"{name}.yaml" not in found:
            raise UnknownNameError(
                f"no example {name!r}", hint=one_of(name, found, {Path(x).stem: x for x in found})
            )
    if not names and out is None:
        said = {name: about(file.read_text(encoding="utf-8")) for name, file in found.items()}
        if as_json:
            print_json([{"name": name, "what": what} for name, what in said.items()])
            return
        click.echo(columns([[name, what] for name, what in said.items()]))
        click.echo("\nCopy one here: odforecast examples NAME; all of them: --out DIR")
        return
    chosen = [n if n in found else f"{n}.yaml" for n in names] or list(found)
    folder = Path() if out is None else out
    if there := [folder / name for name in chosen if (folder / name).exists()]:
        raise DataError(f"{there[0]} is there already", hint="copy into another folder: --out DIR")
    for name in dict.fromkeys(chosen):
        with replacing(folder / name) as part:
            part.write_text(_away(found[name].read_text(encoding="utf-8")), encoding="utf-8")
        if not as_json:
            click.echo(f"copied: {folder / name}")
    if as_json:
        print_json([{"name": name, "copied": str(folder / name)} for name in chosen])


def example_files() -> dict[str, Traversable]:
    """The files by name, in the order of their names.

    Examples
    --------
    >>> "cooperation-2026.yaml" in example_files()
    True
    """
    folder = resources.files("odforecast") / "examples"
    files = [f for f in folder.iterdir() if f.name.endswith(_ENDINGS)]
    return {f.name: f for f in sorted(files, key=lambda f: f.name)}


def _away(text: str) -> str:
    """An example elsewhere: without the first line, which names the schema beside the package."""
    first, _, rest = text.partition("\n")
    return rest.removeprefix("#\n") if "yaml-language-server" in first else text


def about(text: str) -> str:
    """What an example is about: the first paragraph of the comment at its head.

    Examples
    --------
    >>> about("# yaml-language-server: $schema=x\\n#\\n# What if\\n# it works?\\n#\\n#   run it\\n")
    'What if it works?'
    """
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        words = line.lstrip("#").strip()
        if words.startswith("yaml-language-server"):
            continue
        if not words and lines:
            break
        lines += [words] if words else []
    return " ".join(lines)
