"""A hub of two places, two models and two versions of its target data, for commands in pages."""

import json
from pathlib import Path

import pandas as pd

#: The two models; the first is a baseline.
MODELS = ("team-baseline", "team-new")
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_DAY = "2024-01-06"


def small_hub(folder: Path) -> Path:
    for name in ("hub-config", "target-data"):
        (folder / name).mkdir(parents=True)
    ids = {"origin_date": [_DAY], "location": ["39", "54"], "horizon": [1, 2], "target": ["deaths"]}
    block = {
        "task_ids": {k: {"required": None, "optional": v} for k, v in ids.items()},
        "output_type": {"quantile": {"output_type_id": {"required": list(_LEVELS)}}},
        "target_metadata": [{"target_keys": {"target": "deaths"}, "target_type": "continuous"}],
    }
    turn = {"round_id": "origin_date", "round_id_from_variable": True, "model_tasks": [block]}
    config = folder / "hub-config"
    (config / "admin.json").write_text(json.dumps({"name": "small", "file_format": ["csv"]}))
    (config / "tasks.json").write_text(json.dumps({"rounds": [turn]}))
    for shift, model in enumerate(MODELS):
        rows = [
            (_DAY, place, horizon, "deaths", "quantile", level, 100 + 40 * (level - 0.5) + shift)
            for place in ids["location"] for horizon in ids["horizon"] for level in _LEVELS
        ]  # fmt: skip
        names = [*list(ids)[:3], "target", "output_type", "output_type_id", "value"]
        path = folder / "model-output" / model / f"{_DAY}-{model}.csv"
        path.parent.mkdir(parents=True)
        pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    came = [
        (place, horizon, "deaths", day, 100 + 5 * horizon + later)
        for later, day in enumerate(("2024-03-01", "2024-06-01"))
        for place in ids["location"] for horizon in ids["horizon"]
    ]  # fmt: skip
    names = ["location", "horizon", "target", "as_of", "observation"]
    series = folder / "target-data" / "time-series.csv"
    pd.DataFrame(came, columns=names).to_csv(series, index=False)
    return folder
