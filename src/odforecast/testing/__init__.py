"""What every forecaster must do, for authors of models: panels of every shape, and the rules.

Examples
--------
>>> import odforecast as od
>>> print(od.testing.check_forecaster(od.get_model("naive")))
naive keeps ...
"""

from odforecast.testing.contract import Breach, ContractError, Kept, check_forecaster
from odforecast.testing.zoo import zoo

__all__ = ["Breach", "ContractError", "Kept", "check_forecaster", "zoo"]
