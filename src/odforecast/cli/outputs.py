"""What a command is to write, looked at before the work and not after it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from odforecast.cli.options import PAGES
from odforecast.errors import DataError
from odforecast.names import TARGET_MONTH

#: An option, what was given with it, and the endings it may have; none for a folder.
type Output = tuple[str, Path | None, tuple[str, ...]]


def check_outputs(*outputs: Output, read: Sequence[Path | str | None] = ()) -> None:
    """Refuse what could not be written, or would be written over.

    Parameters
    ----------
    *outputs : tuple
        Option, path or None, endings; no endings: a folder.
    read : sequence of Path or str or None
        Files that the command reads: none of them is to be written over.

    Raises
    ------
    click.UsageError
        If a name ends in something else, is a folder's where a file is asked for, a file is one
        that is read, or two options name the same file.
    DataError
        If nothing can be written there, or a page would take the place of a file that is no page
        of odforecast.

    Examples
    --------
    >>> check_outputs(("--plot", Path("fan.png"), (".png",)), ("--table", None, (".csv",)))
    """
    taken = {_whole(path): f"{path} is read" for path in read if path is not None}
    for name, path, endings in outputs:
        if path is None:
            continue
        if endings:
            check_ending(path, name, endings)
        _check_room(path, name, folder=not endings)
        whole = _whole(path)
        if endings and whole in taken:
            raise click.UsageError(f"{name} {path}: {taken[whole]}; give another name")
        taken[whole] = f"{path} is what {name} writes"
    for _, path, endings in outputs:
        if path is not None and endings == PAGES:
            from odforecast.report.site.folder import check_page

            check_page(path, replace=True)


def check_ending(path: Path | None, name: str, endings: tuple[str, ...]) -> None:
    """Refuse a file that would not be written, before the work and not after it.

    Parameters
    ----------
    path : Path or None
        As given.
    name : str
        The option.
    endings : tuple of str
        What its name may end in.

    Raises
    ------
    click.BadParameter
        If it ends in something else.

    Examples
    --------
    >>> check_ending(Path("fan.png"), "--plot", (".png", ".svg"))
    """
    if path is not None and not path.name.lower().endswith(endings):
        raise click.BadParameter(f"{str(path)!r} must end in {', '.join(endings)}", param_hint=name)


def check_yearly(target: str, **given: object) -> None:
    """Refuse what shows 12-month counts where single months are asked for.

    Parameters
    ----------
    target : str
    **given : object
        What was given with options, by their names; None or False: nothing.

    Raises
    ------
    click.UsageError
        If one was given.
    """
    for name, value in given.items():
        if target == TARGET_MONTH and value not in (None, False):
            raise click.UsageError(
                f"--{name} shows 12-month counts: leave --target {target} out, or ask for both"
            )


def check_apart(folder: tuple[str, Path | None], *files: tuple[str, Path | None]) -> None:
    """Refuse files inside a folder that is replaced as a whole.

    Raises
    ------
    click.UsageError
        If one is.
    """
    name, inside = folder
    if inside is None:
        return
    for option, path in files:
        if path is not None and _whole(inside) in _whole(path).parents:
            raise click.UsageError(
                f"{option} {path} lies in the folder of {name}, which holds nothing else; give "
                "another place"
            )


def check_save(folder: Path, replace: bool) -> None:
    """Refuse a folder for a forecast that holds one already, or something else.

    Raises
    ------
    click.UsageError
        If it does.
    DataError
        If nothing can be written there.
    """
    from odforecast.forecast import file

    _check_room(folder, "--save", folder=True)
    there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    # As Forecast.save looks at it: hidden files are those of a writer that was killed.
    foreign = [
        name
        for name in there
        if name != file.INDEX and name[0] != "." and not file.DATA.fullmatch(name)
    ]
    if foreign:
        raise click.UsageError(
            f"--save {folder} holds other things ({foreign[0]}); give a folder of its own"
        )
    if file.INDEX in there and not replace:
        raise click.UsageError(
            f"--save {folder} holds a forecast already; --replace takes its place"
        )


def _check_room(path: Path, name: str, folder: bool) -> None:
    """Whether a file or folder of this name can be made."""
    if path.exists() and path.is_dir() != folder:
        what = "file, give a folder" if folder else "folder, give a file"
        raise click.UsageError(f"{name} {path} is a {what}")
    inside = path.absolute()
    above = next(p for p in ([inside] if folder else []) + list(inside.parents) if p.exists())
    if not above.is_dir():
        raise DataError(f"{name} {path}: {above} is a file, so nothing can be put into it")
    if not os.access(above, os.W_OK | os.X_OK):
        raise DataError(f"{name} {path}: nothing can be written into {above}")


def _whole(path: Path | str) -> Path:
    return Path(path).resolve()
