"""One family of errors: each says what is wrong, where, and what to do.

Every class also inherits the builtin a Python user would expect (``ValueError``,
``LookupError`` …), so both ``except OdforecastError`` and ``except ValueError`` work.
"""

from __future__ import annotations


class OdforecastError(Exception):
    """Base of every error raised on purpose by odforecast.

    Parameters
    ----------
    message : str
        The fact: what is wrong, where (file, row, key), and the value found.
    hint : str, optional
        What to do about it.

    Examples
    --------
    >>> str(OdforecastError("no release before 2019-01-01", hint="add an older file"))
    'no release before 2019-01-01; add an older file'
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message}; {hint}")

    def __reduce__(self) -> tuple[type[OdforecastError], tuple[str, str | None]]:
        # Errors cross process boundaries in a parallel backtest: keep message and hint apart.
        return (type(self), (self.message, self.hint))


class DataError(OdforecastError, ValueError):
    """A file or table that cannot be trusted as it is."""


class DownloadError(OdforecastError, ConnectionError):
    """A server that does not answer, or answers with something else than was asked for."""


class ArchiveError(OdforecastError, ValueError):
    """An archive that cannot answer, or that refuses a release."""


class QuarantineError(ArchiveError):
    """A release that contradicts itself: it was stored apart, and nothing uses it."""


class PanelError(OdforecastError, ValueError):
    """A panel that cannot be built, or that a model cannot use."""


class ForecastError(OdforecastError, ValueError):
    """A forecast that breaks its own promises, or a sum over an axis its draws are not joint in."""


class UnknownNameError(OdforecastError, LookupError):
    """A location, model, indicator or scenario nobody registered under that name."""


class ScoringError(OdforecastError, ValueError):
    """Forecasts and truth that cannot be compared."""


class BacktestError(OdforecastError, ValueError):
    """A backtest that was asked for something impossible."""


class ScenarioError(OdforecastError, ValueError):
    """A scenario, intervention or prior that breaks its schema."""
