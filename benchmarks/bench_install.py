"""What `pip install odforecast` costs: MB and seconds of each distribution, and who imports it.

    python benchmarks/bench_install.py            # some minutes; --quick leaves NUTS out

A wheel is built and installed into an environment of its own, at the versions of
``constraints.txt``. Then each distribution is weighed (files as installed, without byte code),
imported alone in a fresh process (its top module with all that brings along: seconds of
processor, the best of three, less a bare interpreter), and traced: does a module of it lie in
``sys.modules`` after each use of the package? Writes a section for RESULTS.md to standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".tools" / "bin" / "uv"

START = "import odforecast as od; panel = od.bundled().as_of().panel(); "
COMMAND = "from odforecast.cli import main; main({}, standalone_mode=False)"
#: Uses of the package: a heading, and the code.
USES = {
    "import": "import odforecast",
    "forecast": START + "f = od.get_model().fit(panel).forecast(); f.select('Ohio').to_frame()",
    "command": COMMAND.format("['forecast', '--locations', 'Ohio', '--out', 'f.csv']"),
    "backtest": COMMAND.format(
        "['backtest', '--start', '2023-03', '--end', '2023-03', '--draws', '50', '--jobs', '1', "
        "'--out', 'results']"
    ),
    "scenario": COMMAND.format(
        "['scenario', 'run', '--scenario', 'cooperation-resumed', '--locations', 'Ohio', "
        "'--draws', '50', '--out', 'brief']"
    ),
    "fetch": "import odforecast.vintage.fetch, odforecast.vintage.past",
    "NUTS": START + "m = od.get_model('hierarchical', draws=50, tune=50, chains=2, cores=2); "
    "fitted = m.fit(panel); fitted.idata; fitted.forecast(draws=50)",
}
#: Runs inside the new environment: sizes, names to import, and who requires whom.
PROBE = """
import json, re
from importlib.metadata import distributions
from packaging.requirements import Requirement
def plain(name): return re.sub(r"[-_.]+", "-", name).lower()
found = {}
for d in distributions():
    files = [f for f in d.files or () if "__pycache__" not in f.parts]
    here = [d.locate_file(f) for f in files]
    size = sum(p.stat().st_size for p in here if p.is_file())
    tops = sorted({f.parts[0].split(".")[0] for f in files if f.parts[0] != ".."
                   and ".dist-info" not in f.parts[0] and not f.parts[0].startswith("_")
                   and f.suffix in (".py", ".so", ".pyd")})
    same = [t for t in tops if plain(t) == plain(d.name)]
    needs, extras = [], {}
    for text in d.requires or ():
        r = Requirement(text)
        for extra in ("", "xarray"):
            if r.marker is None or r.marker.evaluate({"extra": extra}):
                needs.append(plain(r.name))
                break
    found[plain(d.name)] = dict(version=d.version, bytes=size, tops=same or tops[:1], needs=needs,
                                files=[str(p) for p in here if p.suffix in (".py", ".so", ".pyd")])
print(json.dumps(found))
"""
TRACE = """
import json, sys
files = [getattr(m, "__file__", None) for m in list(sys.modules.values())]
print("\\n" + json.dumps([f for f in files if f]))
"""


def seconds(words: list[str], **kw: object) -> float:
    """Seconds a command takes."""
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True, **kw)  # type: ignore[call-overload]
    return time.perf_counter() - start


def install(folder: Path, wheel: Path) -> dict[str, float]:
    """Seconds to install the wheel by uv and by pip, each in an environment of its own."""
    cache = os.environ | {"UV_CACHE_DIR": str(folder / "cache")}
    venv = folder / "venv"
    make = [
        str(UV),
        "venv",
        "--clear",
        "--no-python-downloads",
        "--python",
        sys.executable,
        str(venv),
    ]
    add = [str(UV), "pip", "install", "--python", str(venv)]
    pinned = ["-c", str(ROOT / "constraints.txt"), str(wheel)]
    times = {}
    for name in ("uv, empty cache", "uv, everything in its cache"):
        subprocess.run(make, check=True, capture_output=True)
        times[name] = seconds([*add, *pinned], env=cache)
    other = folder / "pip"
    subprocess.run([sys.executable, "-m", "venv", str(other)], check=True)
    pip = [str(other / "bin" / "python"), "-m", "pip", "install", "--no-cache-dir", "-q"]
    times["pip, no cache, with byte code"] = seconds([*pip, *pinned])
    return times


def imports(python: Path, name: str) -> float:
    """Seconds of processor to import a module in a fresh process."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([str(python), "-c", f"import {name}"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(3))


def du(folder: Path) -> float:
    """MB of the files of a folder."""
    return (
        sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6
    )


def main(quick: bool) -> None:
    """Install, weigh, import, use, and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dist, work = folder / "dist", folder / "work"
        work.mkdir()
        subprocess.run([str(UV), "build", "-q", "--wheel", "-o", str(dist), str(ROOT)], check=True)
        (wheel,) = dist.glob("*.whl")
        times = install(folder, wheel)
        python = folder / "venv" / "bin" / "python"
        found = json.loads(subprocess.check_output([str(python), "-c", PROBE]))
        plain_size, pip_size = du(folder / "venv"), du(folder / "pip")
        kept = ("PYTHON", "VIRTUAL_ENV")
        env = {k: v for k, v in os.environ.items() if not k.startswith(kept)}
        env |= {"HOME": str(work), "XDG_DATA_HOME": str(work), "XDG_CACHE_HOME": str(work),
                "MPLBACKEND": "Agg"}  # fmt: skip
        owner = {file: dist for dist, about in found.items() for file in about["files"]}
        used: dict[str, set[str]] = {}
        for use, code in USES.items():
            if use == "NUTS" and quick:
                continue
            start = time.perf_counter()
            done = subprocess.run([str(python), "-c", code + "\n" + TRACE], cwd=work, env=env,
                                  capture_output=True, text=True)  # fmt: skip
            if done.returncode:
                raise SystemExit(f"{use}: {done.stderr[-2000:]}")
            modules = json.loads(done.stdout.splitlines()[-1])
            used[use] = {owner[file] for file in modules if file in owner}
            print(f"{use}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
        bare = imports(python, "sys")
        report(found, used, times, python, bare)
        print(f"\nThe environment: {plain_size:.0f} MB by uv; {pip_size:.0f} MB by pip, with pip")
        print("itself and the byte code of everything.")


def report(found: dict, used: dict, times: dict, python: Path, bare: float) -> None:
    """Print the section."""
    own = set(found["odforecast"]["needs"])
    requirers = {d: sorted(k for k, v in found.items() if d in v["needs"]) for d in found}
    total = sum(v["bytes"] for v in found.values()) / 1e6
    print(f"{len(found)} distributions, {total:.0f} MB. Seconds to install: "
          + "; ".join(f"{k} {v:.0f}" for k, v in times.items()) + ".\n")  # fmt: skip
    print("| distribution | MB | import, s | required by | " + " | ".join(used) + " |")
    print("|---|--:|--:|---|" + "---|" * len(used))
    never = []
    for name, about in sorted(found.items(), key=lambda item: -item[1]["bytes"]):
        took = "–"
        for top in about["tops"]:
            try:
                took = f"{max(imports(python, top) - bare, 0):.2f}"
            except subprocess.CalledProcessError:
                took = "fails"
        by = ["**odforecast**"] * (name in own) + [r for r in requirers[name] if r != "odforecast"]
        by[4:] = [f"{len(by) - 4} more"] if len(by) > 4 else []
        marks = ["×" if name in modules else "" for modules in used.values()]
        if not any(marks):
            never.append(name)
        row = [name, f"{about['bytes'] / 1e6:.1f}", took, ", ".join(by), *marks]
        print("| " + " | ".join(row) + " |")
    size = sum(found[n]["bytes"] for n in never) / 1e6
    print(f"\nNever imported in these uses: {', '.join(never)} ({size:.1f} MB).")
    ours = [n for n in never if n in own]
    print(f"Of them required by odforecast itself: {', '.join(ours) or 'none'}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="without NUTS")
    main(parser.parse_args().quick)
