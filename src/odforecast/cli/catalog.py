"""``odforecast models`` and ``odforecast examples``: what ships with the package."""

from __future__ import annotations

import inspect
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.screen import columns, listing, note, text_of, wrapped
from odforecast.errors import DataError, OdforecastError, UnknownNameError, one_of
from odforecast.io import replacing
from odforecast.names import COUNTIES, DEFAULT_COUNTY_MODEL, DEFAULT_MODEL, STATES

_ENDINGS = (".yaml", ".toml")


@opt.command()
@opt.option("--all", "every", help="List every model.")
@opt.JSON
def models(every: bool) -> Answer:
    """List the forecast models.

    Use one with --model NAME. Recent months are too low when published: a model marked "yes"
    completes them, and NAME+delay completes them for any other.
    """
    from odforecast.models import get_model, model_names, plugin_problems

    for text in plugin_problems():
        note(text, "warning")
    rows: list[dict[str, Any]] = []
    for name in model_names():
        try:
            model = get_model(name)
        except (
            OdforecastError,
            ImportError,
        ):  # a plug-in that cannot be loaded: said above
            continue
        spec = model.spec
        rows.append(
            {
                "model": name,
                "default": name in (DEFAULT_MODEL, DEFAULT_COUNTY_MODEL),
                "dataset": spec.dataset or STATES,
                "knows_delay": spec.corrects_delay,
                "by": spec.by or "panel",
                "target": spec.target,
                "joint": sorted(spec.joint),
                "origin": spec.origin,
                "what": _line(name, model.inner),
                "spec_hash": spec.hash,
            }
        )
    return Answer(lambda: _models_screen(rows, every), rows)


def _models_screen(rows: list[dict[str, Any]], every: bool) -> str:
    """The default models and those of one's own, or all of them."""
    from odforecast.models.registry import BUILT_IN

    twins = sorted(name for name, row in BUILT_IN.items() if row.twin)
    shown = []
    for row in rows:
        model = BUILT_IN.get(row["model"])
        if model is None or (not model.twin and (every or model.listed)):
            shown.append(row)
    states = [row for row in shown if row["dataset"] != COUNTIES]
    counties = [row for row in shown if row["dataset"] == COUNTIES]
    lines = [listing(states, _MODELS)]
    if counties:
        lines += [
            "",
            "For counties, with --dataset counties:",
            listing(counties, _MODELS),
            "",
        ]
    notes = [
        "*: the default. delay: whether the model completes the recent months, which are too "
        "low when published; NAME+delay does so for any other model."
    ]
    if every:
        notes.append(
            f"{len(twins)} more models end in -sums ({', '.join(twins[:2])}, …): the "
            "same models, fitted to 12-month totals instead of months."
        )
    else:
        notes.append(f"{len(rows) - len(shown)} more: odforecast models --all")
    return "\n".join([*lines, *map(wrapped, notes)])


def _description(row: dict[str, str]) -> str:
    """What a model is, and whose, if it is not ours."""
    if row["origin"] == "odforecast":
        return row["what"]
    return f"{row['what']} [{row['origin'] or 'yours'}]"


_MODELS = (
    text_of("model", lambda row: row["model"] + " *" * row["default"]),
    text_of("delay", lambda row: "yes" if row["knows_delay"] else "–"),
    text_of("what it is", _description),
)


def _line(name: str, forecaster: object) -> str:
    """What a model is: ours, or the first line of what its author wrote."""
    from odforecast.models.registry import BUILT_IN

    if name in BUILT_IN:
        return BUILT_IN[name].line
    text = inspect.getdoc(forecaster)
    if not text or isinstance(forecaster, type):
        text = inspect.getdoc(type(forecaster)) or ""
    first = text.partition("\n")[0].strip()
    return " ".join(first.split())[:200].rstrip(".")


@opt.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@opt.out(
    "Folder to copy the files into.  [default: this folder, if names are given]", ()
)
@opt.JSON
def examples(names: tuple[str, ...], out: Path | None) -> Answer:
    """List the example scenario files, or copy them.

    With a NAME or --out, the files are copied. A file that exists is never replaced.
    """
    files = example_files()
    for name in names:
        if name not in files and f"{name}.yaml" not in files:
            stems = {Path(file).stem: file for file in files}
            hint = one_of(name, files, also=stems)
            raise UnknownNameError(f"no example {name!r}", hint=hint)
    if not names and out is None:
        rows = [
            [name, about(file.read_text(encoding="utf-8"))]
            for name, file in files.items()
        ]
        hint = wrapped("To copy one here: odforecast examples NAME. All: --out DIR")
        text = f"{columns(rows, '')}\n\n{hint}"
        return Answer(text, [{"name": name, "what": text} for name, text in rows])
    chosen = [name if name in files else f"{name}.yaml" for name in names] or list(
        files
    )
    folder = out or Path()
    for name in chosen:
        if (folder / name).exists():
            raise DataError(
                f"{folder / name} exists already",
                hint="copy into another folder: --out DIR",
            )
    for name in dict.fromkeys(chosen):
        text = files[name].read_text(encoding="utf-8")
        with replacing(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    lines = [f"copied: {folder / name}" for name in dict.fromkeys(chosen)]
    return Answer(
        "\n".join(lines), [{"name": x, "copied": str(folder / x)} for x in chosen]
    )


def example_files() -> dict[str, Traversable]:
    """The files by name, in the order of their names.

    >>> "cooperation-2026.yaml" in example_files()
    True
    """
    folder = resources.files("odforecast") / "examples"
    files = [f for f in folder.iterdir() if f.name.endswith(_ENDINGS)]
    return {f.name: f for f in sorted(files, key=lambda f: f.name)}


def about(text: str) -> str:
    """What an example is about: the first paragraph of the comment at its head.

    >>> about("# What if\\n# it works?\\n#\\n#   run it\\n")
    'What if it works?'
    """
    lines: list[str] = []
    for line in text.splitlines():
        words = line.lstrip("#").strip()
        if not line.startswith("#") or (not words and lines):
            break
        lines += [words] if words else []
    return " ".join(lines)
