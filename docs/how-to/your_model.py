import numpy as np

import odforecast as od


@od.forecaster(by="location", joint=("month",))
def halfway(panel, horizon, draws, rng):
    """Half of last year's growth goes on; noise as between past months."""
    logs = np.log(np.maximum(panel.monthly[0, -36:], 1.0))
    growth = (logs[-12:].mean() - logs[-24:-12].mean()) / 24
    steps = rng.normal(growth, np.diff(logs).std() / 2, (draws, horizon))
    return np.exp(logs[-3:].mean() + steps.cumsum(axis=1))[:, None, :]


print(str(od.testing.check_forecaster(halfway)).partition("\n")[0])
results = od.backtest(
    [halfway, "naive", "hub-baseline"], "pseudo-clean", archive=od.bundled(), draws=200,
    start="2021-01", end="2023-01", step=4, progress=False)  # fmt: skip
board = results.leaderboard(by=["level", "model"])
print(board[["level", "model", "rel_wis", "coverage_90"]].round(2).to_string(index=False))
