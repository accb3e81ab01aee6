"""A model that knows nothing of odforecast: it reads CSV and JSON files and writes CSV files.

    python outside_model.py EXPORTED-TASK FORECASTS

Stands for a model in R, Julia or anything else: nothing is used but Python's csv and json modules.
Its forecast of a count h months ahead is the last count, times what the count was multiplied by
within h months at any time before; the quantiles of that.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path


def quantile(values, level):
    place = level * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def counts(path):
    """12-month counts by place, in order of months."""
    cells = defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["target"] == "deaths_12mo":
                month = row["target_end_date"]
                cells[row["location"]].append((month, float(row["observation"])))
    return {place: [count for _, count in sorted(pairs)] for place, pairs in cells.items()}


def main():
    task, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(exist_ok=True)
    for hub in sorted(path for path in task.iterdir() if path.is_dir()):
        series = counts(hub / "target-data" / "time-series.csv")
        tasks = json.loads((hub / "hub-config" / "tasks.json").read_text(encoding="utf-8"))
        round_ = tasks["rounds"][0]
        asked = round_["model_tasks"][0]
        ids = asked["task_ids"]
        (origin,) = ids["origin_date"]["required"]
        levels = asked["output_type"]["quantile"]["output_type_id"]["required"]
        last = round_["additional_metadata"]["last_data_dates"][origin]
        ends = [end for end in ids["target_end_date"]["optional"] if end > last]
        with open(out / f"{hub.name}.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(
                ["origin_date", "location", "target", "horizon", "target_end_date",
                 "output_type", "output_type_id", "value"]
            )  # fmt: skip
            for place in ids["location"]["required"]:
                past = series[place]
                for horizon, end in zip(ids["horizon"]["required"], ends):
                    growth = sorted(
                        later / sooner for sooner, later in zip(past, past[horizon:]) if sooner > 0
                    )
                    key = [origin, place, "deaths_12mo", horizon, end]
                    for level in levels:
                        value = past[-1] * quantile(growth, level)
                        table.writerow([*key, "quantile", level, f"{value:.3f}"])


if __name__ == "__main__":
    main()
