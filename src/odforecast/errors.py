"""One family of errors: each says what is wrong, where, and what to do."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Iterable, Mapping
from typing import ClassVar


class OdforecastError(Exception):
    """Base of every error raised on purpose by odforecast.

    Parameters
    ----------
    message : str
        The fact: what is wrong, where (file, row, key), and the value found.
    hint : str, optional
        What to do about it.

    Attributes
    ----------
    code : int
        With which exit status a command ends.

    Examples
    --------
    >>> import odforecast as od
    >>> str(od.OdforecastError("no release before 2019-01-01", hint="add an older file"))
    'no release before 2019-01-01; add an older file'
    """

    code: ClassVar[int] = 1

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

    code = 4


class ShapeError(DownloadError):
    """A table that is not where it was, so that trying again does not help."""

    code = 6


class ArchiveError(OdforecastError, ValueError):
    """An archive that cannot answer, or that refuses a release."""


class QuarantineError(ArchiveError):
    """A release that contradicts itself: nothing uses it until a person decides."""

    code = 5


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


def near(
    value: object,
    known: Iterable[str] | Mapping[str, str],
    n: int = 1,
    cutoff: float = 0.62,
) -> tuple[str, ...]:
    """Names that may have been meant, the nearest first: the one place that guesses.

    Parameters
    ----------
    value : object
        What was given.
    known : iterable of str, or mapping of str to str
        Names there are; of a mapping, spellings and the name each stands for.
    n : int
        How many at most.
    cutoff : float
        How alike they must be, from 0 (not at all) to 1.

    Examples
    --------
    >>> near("dml", ["dlm", "drift"]), near("fentanil", {"fentanyl": "T40.4"}), near(7, ["lag"])
    (('dlm',), ('T40.4',), ())
    """
    import difflib

    names = known if isinstance(known, Mapping) else {name: name for name in known}
    forms = {spelled.lower(): name for spelled, name in names.items()}
    # A page of text given by mistake is not compared letter by letter.
    text = str(value).strip()[:80].lower()
    matches = difflib.get_close_matches(text, forms, n, cutoff)
    return tuple(dict.fromkeys(forms[form] for form in matches))


def one_of(
    value: object,
    known: Iterable[str],
    also: Mapping[str, str] | None = None,
    shown: int = 60,
) -> str:
    """The hint of an unknown name: what may have been meant, and what there is.

    Parameters
    ----------
    value : object
        What was given.
    known : iterable of str
        Names there are.
    also : mapping of str to str, optional
        Other spellings, and the name each stands for; not listed.
    shown : int
        How many are listed.

    Examples
    --------
    >>> one_of("reel", ["real", "pseudo-clean"])
    "did you mean 'real'? one of: real, pseudo-clean"
    >>> one_of(7, ["states", "counties"])
    'one of: states, counties'
    """
    names = [str(name) for name in known]
    spellings = dict(also or {})
    spellings |= {name: name for name in names}
    meant = near(value, spellings)
    listed = "there is none"
    if names:
        ending = ", …" if len(names) > shown else ""
        listed = f"one of: {', '.join(names[:shown])}{ending}"
    return f"did you mean {meant[0]!r}? {listed}" if meant else listed


def short(value: object) -> str:
    """A value in an error: its text, or its class where that is long."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"


def whole(
    name: str,
    value: object,
    least: int,
    error: type[OdforecastError] = ForecastError,
) -> int:
    """A whole number of at least so much: a seed, a number of draws.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    error : type of OdforecastError
        What is raised for a text, a fraction, ``None``, or true or false.

    Examples
    --------
    >>> whole("seed", 1, 0)
    1
    """
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not integral or (number := operator.index(value)) < least:  # type: ignore[arg-type]
        raise error(
            f"{name} is {short(value)}, allowed: a whole number of at least {least}"
        )
    return number


def proportion(
    name: str, value: object, error: type[OdforecastError] = ForecastError
) -> float:
    """A number above 0 and below 1: the level of an interval or a quantile.

    Examples
    --------
    >>> proportion("level", 0.9)
    0.9
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if real and 0 < (number := float(value)) < 1:  # type: ignore[arg-type]
        return number
    raise error(f"{name} is {short(value)}, allowed: a number above 0 and below 1")
