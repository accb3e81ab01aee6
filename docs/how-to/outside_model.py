"""A model that knows nothing of odforecast: it reads CSV files and writes CSV files.

    python outside_model.py EXPORTED-TASK FORECASTS

Stands for a model in R, Julia or anything else: nothing is used but Python's csv module. Its
forecast of a count h months ahead is the last count, times what the count was multiplied by within
h months at any time before; the quantiles of that.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def quantile(values, level):
    place = level * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def counts(rows):
    """12-month counts of all drugs by place, the newest release's alone, in order of months."""
    found = defaultdict(list)
    for row in rows:
        newest = row["release"] == row["as_of"]
        if newest and row["indicator"] == "all-drugs" and row["reported"]:
            found[row["location"]].append((row["month"], float(row["reported"])))
    return {place: [count for _, count in sorted(cells)] for place, cells in found.items()}


def main():
    task, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(exist_ok=True)
    levels = [row["output_type_id"] for row in read(task / "levels.csv")]
    for origin in read(task / "origins.csv"):
        if not origin["known"]:
            continue
        series = counts(read(task / origin["known"]))
        with open(out / f"{origin['origin_id']}.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(
                ["origin_date", "location", "target", "horizon", "target_end_date",
                 "output_type", "output_type_id", "value"]
            )  # fmt: skip
            for row in read(task / origin["asked"]):
                past, ahead = series[row["location"]], int(row["horizon"])
                growth = sorted(
                    later / sooner for sooner, later in zip(past, past[ahead:]) if sooner > 0
                )
                key = [
                    row[name]
                    for name in ("origin_date", "location", "target", "horizon", "target_end_date")
                ]
                for level in levels:
                    value = past[-1] * quantile(growth, float(level))
                    table.writerow([*key, "quantile", level, f"{value:.3f}"])


if __name__ == "__main__":
    main()
