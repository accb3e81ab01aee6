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

#: What the built-in models are, in a line.
LINES = {
    "dlm": "trends of states, regions, nation, moving together",
    "ensemble": "dlm, ETS, Theta combined, weighted by past accuracy",
    "ensemble-equal": "the same three, equal weights, quantiles averaged",
    "ensemble-linear": "the same three, equal weights, distributions mixed",
    "hub-baseline": "last count, as uncertain as its past errors",
    "damped-trend": "average change of the last quarter, fading out",
    "cdc-predicted": "CDC's predicted count, carried forward",
    "naive": "random walk of monthly deaths",
    "drift": "random walk of monthly deaths with a slope",
    "seasonal-naive": "same month of the year before",
    "auto-ets": "exponential smoothing, form selected",
    "auto-theta": "Theta method, form selected",
    "auto-arima": "ARIMA, orders selected",
    "auto-ces": "complex exponential smoothing, form selected",
    "hierarchical": "Bayesian hierarchy fitted with PyMC (minutes)",
    "hierarchical-quick": "the same, approximated (seconds)",
    "county": "months and levels of a state's counties, and sum",
    "county-hub-baseline": "last count, as uncertain as its past errors",
    "county-last": "last count, one spread for all counties",
}
#: What is listed without --all.
SHORT = (DEFAULT_MODEL, "ensemble", "hub-baseline", DEFAULT_COUNTY_MODEL)
_SUMS = "-sums"
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
    found: list[dict[str, Any]] = []
    for name in model_names():
        try:
            model = get_model(name)
        except (OdforecastError, ImportError):  # a plug-in that cannot be loaded: said above
            continue
        spec = model.spec
        found.append(
            {
                "model": name,
                "default": name in (DEFAULT_MODEL, DEFAULT_COUNTY_MODEL),
                "dataset": spec.dataset or STATES,
                "knows_delay": spec.corrects_delay,
                "by": spec.by or "panel",
                "target": spec.target,
                "joint": sorted(spec.joint),
                "origin": spec.origin,
                "what": _line(name, model.inner, origin=spec.origin),
                "spec_hash": spec.hash,
            }
        )
    return Answer(lambda: _models_screen(found, every), found)


def _models_screen(found: list[dict[str, Any]], every: bool) -> str:
    """The default models and those of one's own, or all of them."""
    names = {model["model"] for model in found if model["origin"] == "odforecast"}
    twins = [f"{name}{_SUMS}" for name in sorted(names) if f"{name}{_SUMS}" in names]
    kept = [
        m
        for m in found
        if m["model"] not in twins and (every or m["model"] in SHORT or m["origin"] != "odforecast")
    ]
    counties = [m for m in kept if m["dataset"] == COUNTIES]
    lines = [listing([m for m in kept if m not in counties], _MODELS)]
    if counties:
        lines += ["", "For counties, with --dataset counties:", listing(counties, _MODELS), ""]
    notes = [
        "*: the default. delay: whether the model completes the recent months, which are too "
        "low when published; NAME+delay does so for any other model."
    ]
    if every and twins:
        notes.append(
            f"{len(twins)} more models end in {_SUMS} ({', '.join(twins[:2])}, …): the "
            "same models, fitted to 12-month totals instead of months."
        )
    if not every and len(kept) < len(found):
        notes.append(f"{len(found) - len(kept)} more: odforecast models --all")
    return "\n".join([*lines, *map(wrapped, notes)])


def _what(model: dict[str, str]) -> str:
    """What a model is, and whose, if it is not ours."""
    ours = model["origin"] == "odforecast"
    return model["what"] + ("" if ours else f" [{model['origin'] or 'yours'}]")


_MODELS = (
    text_of("model", lambda model: model["model"] + " *" * model["default"]),
    text_of("delay", lambda model: "yes" if model["knows_delay"] else "–"),
    text_of("what it is", _what),
)


def _line(name: str, inner: object, origin: str) -> str:
    """What a model is: ours, or the first line of what its author wrote."""
    if origin == "odforecast":
        base = name.removesuffix(_SUMS)
        return LINES.get(base, "") + (", on 12-month totals" if base != name else "")
    of = inner if inspect.getdoc(inner) and not isinstance(inner, type) else type(inner)
    first = (inspect.getdoc(of) or "").partition("\n")[0].strip()
    return " ".join(first.split())[:200].rstrip(".")


@opt.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@opt.out("Folder to copy the files into.  [default: this folder, if names are given]", ())
@opt.JSON
def examples(names: tuple[str, ...], out: Path | None) -> Answer:
    """List the example scenario files, or copy them.

    With a NAME or --out, the files are copied. A file that exists is never replaced.
    """
    found = example_files()
    for name in names:
        if name not in found and f"{name}.yaml" not in found:
            raise UnknownNameError(
                f"no example {name!r}",
                hint=one_of(name, found, also={Path(x).stem: x for x in found}),
            )
    if not names and out is None:
        said = {name: about(file.read_text(encoding="utf-8")) for name, file in found.items()}
        text = columns([[name, what] for name, what in said.items()], "")
        text += f"\n\n{wrapped('To copy one here: odforecast examples NAME. All: --out DIR')}"
        return Answer(text, [{"name": name, "what": what} for name, what in said.items()])
    chosen = [n if n in found else f"{n}.yaml" for n in names] or list(found)
    folder = Path() if out is None else out
    if there := [folder / name for name in chosen if (folder / name).exists()]:
        raise DataError(f"{there[0]} exists already", hint="copy into another folder: --out DIR")
    for name in dict.fromkeys(chosen):
        text = found[name].read_text(encoding="utf-8")
        first, _, rest = text.partition("\n")
        if "yaml-language-server" in first:  # it names the schema beside the package
            text = rest.removeprefix("#\n")
        with replacing(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    copied = [{"name": name, "copied": str(folder / name)} for name in chosen]
    return Answer("\n".join(f"copied: {folder / x}" for x in dict.fromkeys(chosen)), copied)


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

    >>> about("# yaml-language-server: $schema=x\\n#\\n# What if\\n# it works?\\n#\\n#   run it\\n")
    'What if it works?'
    """
    lines: list[str] = []
    for line in text.splitlines():
        words = line.lstrip("#").strip()
        if words.startswith("yaml-language-server"):
            continue
        if not line.startswith("#") or (not words and lines):
            break
        lines += [words] if words else []
    return " ".join(lines)
