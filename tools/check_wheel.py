"""Build the package, install it where nothing else is, and use it as its README says.

What is looked at: that the wheel (made from the source archive) holds every file of ``src`` and
nothing else; that its description shows on a package index; and that, in an environment of its
own, outside this folder and without its data, the commands and the code of README run. Both files
are left in ``dist/``.
"""

from __future__ import annotations

import argparse
import email
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from readme_renderer.markdown import render

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
#: Most bytes of the wheel: the releases that ship are two thirds of it.
MOST = 3_000_000
#: Pages whose Python is run, with what it prints compared.
PAGES = ("README.md",)
CODE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)
COMMANDS = (
    ["odforecast", "--version"],
    ["python", "-m", "odforecast", "--help"],
    ["odforecast", "forecast", "--locations", "Ohio"],
    ["odforecast", "forecast", "--dataset", "counties", "--locations", "Delaware/*"],
    ["odforecast", "models"],
    ["odforecast", "examples"],
)


class WheelError(Exception):
    """What is wrong with the wheel, in a sentence."""


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    start = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def build(folder: Path) -> Path:
    """Source archive, and the wheel that is made from it."""
    command = [str(UV), "build", "--quiet", "--no-create-gitignore", "--out-dir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def files_of(folder: Path) -> set[str]:
    """Every file of the package, relative to the folder that holds it."""
    package = folder / "odforecast"
    return {
        path.relative_to(folder).as_posix()
        for path in package.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.suffix not in (".nbi", ".nbc")
    }


def check_content(wheel: Path, source: Path = ROOT / "src") -> None:
    """Every file of the source is in the wheel, nothing else is, and it is not too large.

    Raises
    ------
    WheelError
        With the files.
    """
    inside = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if not re.match(r"[^/]*\.dist-info/", name)
    }
    there = files_of(source)
    if inside != there:
        missing, more = sorted(there - inside), sorted(inside - there)
        raise WheelError(
            f"{wheel.name} lacks {missing or 'nothing'}; has besides {more or 'nothing'}"
        )
    data = [name for name in there if not name.endswith(".py")]
    size = f"{wheel.stat().st_size / 1e6:.2f} MB"
    if wheel.stat().st_size > MOST:
        raise WheelError(f"{wheel.name} has {size}, more than {MOST / 1e6:.0f} MB")
    print(f"{wheel.name}: {size}, {len(there)} files, {len(data)} data")


def check_description(wheel: Path) -> None:
    """The description is rendered by a package index, with no picture or link that leads nowhere.

    Raises
    ------
    WheelError
        With the picture or link.
    """
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        fields = email.message_from_bytes(archive.read(name))
    page = render(fields.get_payload(decode=True).decode())
    if page is None or fields["Description-Content-Type"] != "text/markdown":
        raise WheelError("the description of the package is no Markdown that an index renders")
    lost = re.findall(r'(?:src|href)="(?!https?:|#|mailto:)([^"]*)"|(<img(?![^>]*src)[^>]*>)', page)
    if lost:
        raise WheelError(f"the description of the package refers to {lost}; see pyproject.toml")


def clean_environment(folder: Path) -> dict[str, str]:
    """Variables of a session with the new environment first, and nothing of ours."""
    ours = ("PYTHON", "VIRTUAL_ENV", "CONDA", "ODFORECAST", "NUMBA_", "MPL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    home = folder / "home"
    home.mkdir()
    places = ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA")
    return kept | {
        "PATH": f"{folder / 'venv' / 'bin'}{os.pathsep}{kept['PATH']}",
        "MPLBACKEND": "Agg",
        "COLUMNS": "80",
        **dict.fromkeys(places, str(home)),
    }


def install(wheel: Path, folder: Path) -> None:
    """A new environment with the wheel, at the versions that are tested."""
    at = folder / "venv"
    quiet = ["--quiet", "--no-python-downloads", "--python"]
    subprocess.run([str(UV), "venv", *quiet, sys.executable, str(at)], check=True)
    subprocess.run(
        [
            str(UV),
            "pip",
            "install",
            *quiet,
            str(at),
            "-c",
            str(ROOT / "constraints.txt"),
            str(wheel),
        ],
        check=True,
    )


def use(folder: Path) -> None:
    """Run the commands, and the code of the pages.

    Raises
    ------
    WheelError
        With the command or page, and what it printed.
    """
    variables, work = clean_environment(folder), folder / "work"
    work.mkdir()

    def run(words: list[str], what: str) -> str:
        with timed(what):
            done = subprocess.run(
                words, cwd=work, env=variables, capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise WheelError(f"{what} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    place = run(["python", "-c", "import odforecast; print(odforecast.__file__)"], "import")
    if not Path(place.strip()).is_relative_to(folder.resolve()):
        raise WheelError(f"not the installed package was imported, but {place.strip()}")
    for words in COMMANDS:
        if not run(words, " ".join(words)).strip():
            raise WheelError(f"{' '.join(words)} printed nothing")
    for page in PAGES:
        blocks = CODE.findall((ROOT / page).read_text(encoding="utf-8"))
        if not blocks:
            raise WheelError(f"{page} has no Python to run")
        printed = run(["python", "-c", "\n".join(code for code, _ in blocks)], f"code of {page}")
        expected = "".join(text for _, text in blocks)
        if printed != expected:
            raise WheelError(f"{page} prints\n{printed}\nwhere it says\n{expected}")


def main() -> int:
    """Build, check, install, use; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-only", action="store_true", help="look at the files alone")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        try:
            with timed("build"):
                wheel = build(folder / "dist")
            check_content(wheel)
            check_description(wheel)
            if not args.build_only:
                with timed("install"):
                    install(wheel, folder)
                use(folder)
        except WheelError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        (ROOT / "dist").mkdir(exist_ok=True)
        for made in (folder / "dist").iterdir():
            shutil.copy(made, ROOT / "dist")
    return 0


if __name__ == "__main__":
    sys.exit(main())
