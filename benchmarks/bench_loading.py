"""Load time and peak memory of every real release: a Markdown table.

The files are in ../shared/data (or where ODFORECAST_SHARED points). Each is read in a fresh
process, so the peak is its own; what the imports need is subtracted, and said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"

READ = """
import json, resource, sys, time
import pandas, pyarrow.parquet, openpyxl
import odforecast as od
from odforecast.errors import DataError
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
od.read
imports, start = peak(), time.perf_counter()
try:
    rows = len(od.read(sys.argv[1]).table)
except DataError as error:
    rows = None
took = time.perf_counter() - start
print(json.dumps({"rows": rows, "seconds": took, "imports": imports, "peak": peak()}))
"""


def main() -> None:
    files = [f for f in sorted(SHARED.glob("*")) if f.suffix != ".json"]
    if not files:
        print(f"no releases in {SHARED}: nothing to measure")
        return
    print("| file | size, MB | rows | seconds | peak memory above imports, MB |")
    print("|---|---:|---:|---:|---:|")
    imports = 0.0
    for file in files:
        runs = []
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-c", READ, str(file)], capture_output=True, text=True, check=True
            )
            runs.append(json.loads(done.stdout))
        best = min(runs, key=lambda run: run["seconds"])
        imports = best["imports"]
        rows = "refused" if best["rows"] is None else f"{best['rows']:,}"
        print(
            f"| {file.name} | {file.stat().st_size / 1e6:.2f} | {rows} | {best['seconds']:.2f} "
            f"| {best['peak'] - best['imports']:.0f} |"
        )
    print(f"\nBest of three, each in a fresh process; imports alone: {imports:.0f} MB.")


if __name__ == "__main__":
    main()
