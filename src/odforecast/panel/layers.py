"""The arrays of a panel, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Arrays (L, T) of a panel.
LAYERS = ("reported", "predicted", "complete", "pending", "low", "high")
