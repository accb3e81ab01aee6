"""Models of counties: see :mod:`odforecast.models.county.model` and the baselines."""
