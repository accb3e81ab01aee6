"""The default model of November 2026, kept runnable: later work is compared with it.

A copy of the state space, its kernels, pins, fixed scales and delay layer as they were. It uses
the library's panels, forecasts, streams and months, and nothing of its models. Register it, and it
takes part in a backtest under its own name::

    import sys; sys.path.insert(0, "benchmarks/reference")
    from dlm_2026_11 import register
    register()
    od.backtest(["dlm", "dlm-2026-11"])
"""

from dlm_2026_11.model import Dlm


def register() -> None:
    """Make ``dlm-2026-11`` known to :func:`odforecast.get_model` in this process."""
    import odforecast as od

    od.register("dlm-2026-11", Dlm)
