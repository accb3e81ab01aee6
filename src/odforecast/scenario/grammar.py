"""The grammar of scenario files: structs of keys, from which parser, limits and schema follow.

What stands at a key has a form: how it is read, the range it must lie in, and what an editor is
told of it. msgspec knows texts, lists and choices; the other forms are classes of this module. A
text with a percent sign is a percent wherever one is meant. A number that looks like a percent
where a share is asked for, or like a share where a percent is, is asked about, never guessed.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
import numpy as np
from msgspec import Meta

from odforecast.errors import ScenarioError
from odforecast.names import INDICATOR_NAMES
from odforecast.say import plain
from odforecast.scenario.catalogue import prior_names, prior_table
from odforecast.scenario.priors import (
    LARGEST,
    LEAST,
    MOST_DOSE,
    PARAMETERS,
    POSITIVE,
    PRIORS,
    Dose,
    Fixed,
    Judgement,
    Judgements,
    Percent,
    PooledChance,
    Prior,
    Quantiles,
    as_prior,
    is_number,
)
from odforecast.scenario.wording import nearest, shown

#: Most characters of a text, and of a name.
MAX_TEXT, MAX_NAME = 5_000, 100

#: Scope of an effect on all overdose deaths; the others are drug classes.
ALL = "all-drugs"
SCOPES = tuple(name for name in INDICATOR_NAMES if name != "all-deaths")

#: Exposure worked out from data; ``-relative`` divides by the nation's, so that the size is
#: the nation's.
NAMED_EXPOSURES = ("fentanyl-share", "fentanyl-share-relative")
#: The largest exposure.
MOST_EXPOSED = 5.0

#: Log rate ratios whose middle lies outside are taken for a slip: 80% fewer, five times as many.
LARGEST_SIZE = 1.61

#: What a region's own lag may have been in earlier files: nothing, or what named priors had.
OLD_LAGS = (0, {"uniform": [0, 1]}, {"uniform": {"low": 0, "high": 1}})

#: Keys that give the size; one of them.
SIZES = ("size", "percent", "dose")

_KINDS = (*PRIORS, "quantiles", "judgements")
_PERSON = ("who", "date", "quartiles", "weight")
_EXAMPLES = "such as {normal: [-0.1, 0.1]}"
_PERCENT = re.compile(
    r"\s*([-+−]?)\s*([0-9]{1,9}(?:\.[0-9]{0,25})?(?:[eE][-+]?[0-9]{1,2})?)\s*%\s*"
)
#: The end of a text, not that of a line, in Python and in JSON Schema alike.
_END = r"(?![\s\S])"
_MONTH = rf"^[0-9]{{4}}-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?{_END}"

Schema = dict[str, Any]
#: A number as a file gives it, or None.
Reader = Callable[[object], float | None]


# --------------------------------------------------------------------------- numbers and priors


def percent_of(value: object) -> float | None:
    """The number before a percent sign; None for anything else.

    Examples
    --------
    >>> percent_of("-30%"), percent_of("−2.5%"), percent_of("30"), percent_of(30)
    (-30.0, -2.5, None, None)
    """
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    return -float(found[2]) if found[1] in ("-", "−") else float(found[2])


def bare(value: object) -> float | None:
    """A finite number, without a unit."""
    return float(value) if is_number(value) else None  # type: ignore[arg-type]


def share(value: object) -> float | None:
    """A number, or a percent as a hundredth of it.

    Examples
    --------
    >>> share(0.5), share("40%"), share("forty")
    (0.5, 0.4, None)
    """
    number = percent_of(value)
    return bare(value) if number is None else number / 100


def _either(value: object) -> float | None:
    """A percent, with its sign or without."""
    number = percent_of(value)
    return bare(value) if number is None else number


def read_prior(
    value: object, where: str, read: Reader, scale: str = "real", such: str = _EXAMPLES
) -> Prior:
    """A prior from a number, ``{normal: [mean, sd]}`` or ``{quantiles: {5%: …, 50%: …}}``."""
    if isinstance(value, Prior):
        return value
    if (number := read(value)) is not None:
        if abs(number) > LARGEST:
            raise ScenarioError(f"{where} is {shown(value)}, allowed: numbers up to {LARGEST:g}")
        return Fixed(number)
    if not isinstance(value, Mapping) or len(value) != 1:
        levels = isinstance(value, Mapping) and value and all(map(_level, value))
        raise ScenarioError(
            f"{where} is {shown(value)}, allowed: a number or one distribution "
            f"({', '.join(_KINDS)}), {such}",
            hint="write {quantiles: {…}}" if levels else None,
        )
    ((kind, given),) = value.items()
    if kind not in _KINDS:
        meant = "; it stands in place of size" if kind in SIZES else nearest(kind, _KINDS)
        raise ScenarioError(
            f"{where}: unknown distribution {shown(kind)}{meant}",
            hint=f"allowed: {', '.join(_KINDS)}",
        )
    at = f"{where}.{kind}" if kind in ("quantiles", "judgements") else where
    try:
        if kind == "judgements":
            return _judgements(given, at, read, scale)
        if kind == "quantiles":
            return Quantiles(_points(given, at, read), scale)
        return PRIORS[kind](*_numbers(kind, given, where, read))
    except ScenarioError as error:
        said = error.message
        if said.startswith("judgements["):
            said = f"{where}.{said}"
        elif not said.startswith(at):
            said = f"{at}: {said}"
        raise ScenarioError(said, hint=error.hint) from error


def _numbers(kind: str, given: object, where: str, read: Reader) -> list[float]:
    """Parameters of a distribution, listed or by their names."""
    keys = PARAMETERS[kind]
    if isinstance(given, Mapping):
        if set(given) != set(keys):
            raise ScenarioError(
                f"{where}: {kind} has keys {plain(', '.join(map(str, given)))}, "
                f"allowed: exactly {', '.join(keys)}"
            )
        held = [given[key] for key in keys]
    else:
        held = list(given) if isinstance(given, list | tuple) else [given]
    numbers = [x for x in map(read, held) if x is not None]
    if len(held) != len(keys) or len(numbers) != len(keys):
        raise ScenarioError(
            f"{where}: {kind} is {shown(given)}, allowed: {len(keys)} numbers ({', '.join(keys)})"
        )
    return numbers


def _day(value: object) -> Any:
    """A day as text: TOML has days of its own."""
    return value.isoformat() if type(value) is dt.date else value


def _judgements(given: object, where: str, read: Reader, scale: str) -> Judgements:
    """What several people judged, each with a name, a date and three quartiles."""
    if not isinstance(given, list) or not given:
        raise ScenarioError(f"{where} is {shown(given)}, allowed: a list of one or more people")
    people = []
    for i, each in enumerate(given, 1):
        at = f"{where}[{i}]"
        if not isinstance(each, Mapping):
            raise ScenarioError(f"{at} is {shown(each)}, allowed: {', '.join(_PERSON)}")
        check_keys(each, _PERSON, at)
        if missing := [key for key in _PERSON[:3] if key not in each]:
            raise ScenarioError(f"{at}: key {missing[0]!r} is missing")
        said = each["quartiles"]
        values = [read(v) for v in said] if isinstance(said, list) else []
        weight = each.get("weight", 1.0)
        try:
            people.append(
                Judgement(
                    each["who"], _day(each["date"]),
                    said if None in values or len(values) != 3 else values,
                    weight if (number := share(weight)) is None else number,
                )
            )  # fmt: skip
        except ScenarioError as error:
            raise ScenarioError(f"{at}: {error.message}", hint=error.hint) from error
    return Judgements(people, scale)


def _points(given: object, where: str, read: Reader) -> list[tuple[float, float]]:
    """Quantiles by their levels."""
    if not isinstance(given, Mapping) or len(given) < 2:
        raise ScenarioError(
            f"{where} is {shown(given)}, allowed: two or more, such as {{5%: …, 50%: …}}"
        )
    points = []
    for key, value in given.items():
        level, number = _level(key), read(value)
        if level is None:
            raise ScenarioError(
                f"{where}: {shown(key)} is no quantile, allowed: above 0% and below 100%, "
                "such as 5%"
            )
        if number is None or abs(number) > LARGEST:
            raise ScenarioError(
                f"{where}: {plain(key, 30)} is {shown(value)}, allowed: a number up to {LARGEST:g}"
            )
        points.append((level, number))
    return points


def _level(key: object) -> float | None:
    """Probability of a quantile's name: ``"5%"``, ``"0.05"`` or 0.05."""
    if isinstance(key, str) and re.fullmatch(r"0?\.[0-9]{1,12}", key.strip()):
        key = float(key)
    level = share(key)
    return level if level is not None and 0.0 < level < 1.0 else None


def _bare_inside(value: object) -> bool:
    """Whether a number other than 0 stands there without a percent sign."""
    if isinstance(value, Mapping):
        return any(_bare_inside(v) for key, v in value.items() if key != "weight")
    if isinstance(value, list | tuple):
        return any(map(_bare_inside, value))
    return bool(bare(value))


def _exactly(properties: Schema) -> Schema:
    """An object of just these keys."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _any(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_PERCENT_TEXT = _ref("percent-text")


# ----------------------------------------------------------------------------------------- forms


def _same(value: Any, where: str) -> Any:  # noqa: ARG001
    return value


@dataclass(frozen=True)
class Form:
    """What may stand at a key.

    Attributes
    ----------
    schema : dict
        What an editor is told of it.
    read : callable
        A value of a file, and where it stands, into what Python takes.
    held : callable
        Refuses what Python cannot take.
    unit : str
        Of a quantity with a prior.
    """

    schema: Schema
    read: Callable[[Any, str], Any] = _same
    held: Callable[[Any, str], Any] = _same
    unit: str = ""

    def says(self, text: str) -> Meta:
        """What stands at a key, and a line for people on it."""
        return Meta(description=text, extra_json_schema=self.schema, extra={"form": self})


def _quantity(low: float, high: float, unit: str, none: bool = False) -> Form:
    """A quantity with a prior, of which 99% must lie in a range; or none."""
    # Quantiles of shares are fitted as logits, and numbers may be percents.
    unit_scale = (low, high) == (0.0, 1.0)
    scale = "unit" if unit_scale else "real" if low < 0 else "positive"

    def read(value: object, where: str) -> Prior | None:
        """A prior, whatever its range."""
        if none and (value is None or value == "none"):
            return None
        return read_prior(_part(value, where) if unit_scale else value, where,
                          share if unit_scale else bare, scale)  # fmt: skip

    def held(value: Any, where: str) -> Prior | None:
        """The prior that a value is, if it lies in the range."""
        if none and value is None:
            return None
        # A size in percent, or in doses, is one of deaths alone.
        sized = low < 0 and isinstance(value, Percent | Dose)
        prior: Prior = value if sized else _scaled(as_prior(value, where), scale, where)
        with np.errstate(all="ignore"):
            bottom, top = prior.interval(0.99)
        if not (np.isfinite(bottom) and np.isfinite(top)):
            raise ScenarioError(
                f"{where} is {prior}, allowed: a distribution with finite percentiles"
            )
        if not low <= bottom <= top <= high:
            got = f"{prior}" if bottom == top else f"{prior} (99% in {bottom:.3g}..{top:.3g})"
            raise ScenarioError(
                f"{where} is {got}, allowed: {low:g} to {high:,g}",
                hint=_hundredth(top) if unit_scale else None,
            )
        if none and prior.mean <= 0:
            raise ScenarioError(f"{where} is {prior}, allowed: above 0, or none")
        return prior

    number = {"type": "number", "exclusiveMinimum" if none else "minimum": low, "maximum": high}
    ways = [number, _ref("distribution")]
    if unit_scale:
        ways = [number, _PERCENT_TEXT, _ref("distribution-or-percents")]
    return Form(_any(*ways, *([{"enum": ["none", None]}] if none else [])), read, held, unit)


MONTHS = _quantity(0.0, 1200.0, "months")
MONTHS_OR_NONE = _quantity(0.0, 1200.0, "months", none=True)
SHARE = _quantity(0.0, 1.0, "share")
SPREAD = _quantity(0.0, 1.0, "sd of a log")
_ELASTICITY = _quantity(0.0, 5.0, "")
_LOG_RATIO = _quantity(-5.0, 5.0, "percent")


def _scaled(prior: Prior, scale: str, where: str) -> Prior:
    """The same, its quantiles fitted on the scale of the quantity: a file says no other."""
    if not isinstance(prior, Quantiles | Judgements) or prior.scale == scale:
        return prior
    try:
        return replace(prior, scale=scale)
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error.message}", hint=error.hint) from error


def _read_size(value: object, where: str) -> Prior:
    if (number := percent_of(value)) is not None:
        raise ScenarioError(
            f"{where} is {shown(value)}, allowed: a log rate ratio, -0.36 for 30% fewer",
            hint=f"or write percent: {number:g}",
        )
    return read_prior(value, where, bare)


def _size(value: object, where: str) -> Prior:
    if isinstance(value, Dose):
        value = replace(
            value, elasticity=_ELASTICITY.held(value.elasticity, f"{where}: elasticity")
        )
    elif isinstance(value, Percent):
        value = replace(value, change=_scaled(value.change, "real", where))
    prior: Prior = _LOG_RATIO.held(value, where)
    middle = float(prior.ppf(np.array(0.5)))
    if abs(middle) > LARGEST_SIZE:
        low, high = (round(float(100 * np.expm1(x))) for x in (-LARGEST_SIZE, LARGEST_SIZE))
        raise ScenarioError(
            f"{where} is {prior}, {100 * np.expm1(middle):+,.0f}% deaths at full effect",
            hint=f"allowed: a median from {low} to {high} percent"
            if isinstance(prior, Percent | Dose)
            else "size is a log rate ratio, -0.36 for 30% fewer; or write percent: -30",
        )
    return prior


def _read_percent(value: object, where: str) -> Percent:
    if isinstance(value, Percent):
        return value
    prior = read_prior(value, where, _either, such="such as -30 or {normal: [-9, 5]}")
    if 0 < float(np.abs(prior.interval(0.99)).max()) < 1 and _bare_inside(value):
        hint = "write the numbers in percent, or with % signs"
        if isinstance(prior, Fixed):
            much = f"{100 * prior.value:g}"
            hint = f"write {much} for {much.lstrip('-')}%, or '{prior.value:g}%'"
        raise ScenarioError(
            f"{where} is {shown(value)}, less than 1%", hint=f"{hint} if so little is meant"
        )
    try:
        return Percent(prior)
    except ScenarioError as error:
        raise ScenarioError(f"{where.removesuffix('percent')}{error.message}") from error


def _read_dose(value: object, where: str) -> Dose:
    if isinstance(value, Dose):
        return value
    if not isinstance(value, Mapping) or set(value) != {"change", "elasticity"}:
        raise ScenarioError(
            f"{where} is {shown(value)}, allowed: exactly change and elasticity",
            hint="such as {change: -40%, elasticity: {uniform: [0, 0.84]}}",
        )
    given, change = value["change"], _either(value["change"])
    if change is None or not LEAST <= change <= MOST_DOSE:
        raise ScenarioError(
            f"{where}.change is {shown(given)}, allowed: percent from {LEAST:g} to {MOST_DOSE:g}"
        )
    if 0 < abs(change) < 1 and percent_of(given) is None:
        raise ScenarioError(
            f"{where}.change is {change:g}, less than 1%",
            hint=f"write {100 * change:g}, or '{change:g}%' if so little is meant",
        )
    at = f"{where}.elasticity"
    return Dose(change, _ELASTICITY.held(_ELASTICITY.read(value["elasticity"], at), at))


def _part(value: Any, where: str) -> Any:
    """A value of a share; a percent of more than all is refused as it was written."""
    number = percent_of(value)
    if number is not None and not 0 <= number <= 100:
        raise ScenarioError(f"{where} is {shown(value)}, allowed: 0% to 100%")
    return value


def _read_share(value: object, where: str) -> object:  # noqa: ARG001
    number = share(value)
    return value if number is None else number


def _read_chance(value: object, where: str) -> object:
    if isinstance(value, Mapping):
        check_keys(value, ("judgements",), where)
        return read_prior(value, where, share, "unit")
    return _read_share(_part(value, where), where)


def _chance(value: object, where: str) -> float:
    if isinstance(value, Judgements):
        value = PooledChance(_scaled(value, "unit", where))  # type: ignore[arg-type]
    if isinstance(value, PooledChance):
        return value
    if not is_number(value):
        raise ScenarioError(
            f"{where} is {shown(value)}, allowed: a number from 0 to 1, or a percent"
        )
    number = float(value)  # type: ignore[arg-type]
    if not 0.0 <= number <= 1.0:
        raise ScenarioError(f"{where} is {number:g}, allowed: 0 to 1", hint=_hundredth(number))
    return number


def _hundredth(value: float) -> str | None:
    """What to write for a percent that was given as a number; None where it is none."""
    return f"write {value / 100:g} or '{value:g}%'" if 1 < value <= 100 else None


def _choice(*words: str) -> Form:
    """One of a few words; fentanyl is counted in the class T40.4."""

    def held(value: object, where: str) -> object:
        """The word, if it is one of them."""
        if value in words:
            return value
        meant = nearest(value, words)
        if "T40.4" in words and re.search("fentanyl|synthetic", str(value), re.IGNORECASE):
            meant = ", did you mean 'T40.4'?"
        raise ScenarioError(
            f"{where} is {shown(value)}{meant}", hint=f"allowed: {', '.join(words)}"
        )

    return Form({"type": "string", "enum": list(words)}, held=held)


def is_plain(text: str) -> bool:
    """Whether nothing in a text acts on a screen, or is lost in a file."""
    return all(c.isprintable() or c in "\n\t" for c in text)


def _native(kind: Any, allowed: str, printable: Callable[[str], bool] = is_plain) -> Form:
    """What msgspec has a type for."""

    def held(value: Any, where: str) -> Any:
        """The value, if it is of that type."""
        try:
            found = msgspec.convert(value, kind)
        except (msgspec.ValidationError, UnicodeError):
            raise ScenarioError(f"{where} is {shown(value)}, allowed: {allowed}") from None
        for text in found if isinstance(found, tuple) else (found,):
            if isinstance(text, str) and not printable(text):
                raise ScenarioError(
                    f"{where} is {shown(value)}, allowed: {allowed}, without control codes"
                )
        return found

    return Form(msgspec.json.schema(kind), held=held)


def _read_onset(value: object, where: str) -> tuple[str, ...]:
    pair: Any = [value, value]
    if isinstance(value, Mapping):
        check_keys(value, ("between",), where)
        pair = value.get("between")
        if not isinstance(pair, list) or len(pair) != 2:
            raise ScenarioError(f"{where}.between is {shown(pair)}, allowed: two months")
    months = []
    for item in pair:
        # A day is taken as its month: the counts know nothing finer.
        said = item.isoformat() if isinstance(item, dt.date) else str(item)
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?", said) is None:
                raise ValueError
            dt.date.fromisoformat(said if len(said) == 10 else f"{said}-01")
        except ValueError:
            raise ScenarioError(
                f"{where} is {shown(item)}, allowed: a month such as 2026-03, or "
                "{between: [2026-01, 2026-06]}"
            ) from None
        months.append(said[:7])
    return tuple(months)


def _read_exposure(value: object, where: str) -> object:
    # A percent is a number; what is none is refused with the rest.
    if isinstance(value, Mapping):
        return {key: _read_share(v, where) for key, v in value.items()}
    return _read_share(value, where)


_FELT = [{"type": "number", "minimum": 0, "maximum": MOST_EXPOSED}, _PERCENT_TEXT]
#: Percents; what lies between −1 and 1 looks like a fraction, and needs its sign.
_PERCENTS = (
    {"type": "number", "minimum": LEAST, "maximum": -1},
    {"const": 0},
    {"type": "number", "minimum": 1, "maximum": MOST_DOSE},
    _PERCENT_TEXT,
)
_BETWEEN = {"type": "array", "items": _ref("month"), "minItems": 2, "maxItems": 2}

TEXT = _native(Annotated[str, Meta(max_length=MAX_TEXT)], f"text of up to {MAX_TEXT:,} characters")
CHANCE = Form(
    _any({"type": "number", "minimum": 0, "maximum": 1}, _PERCENT_TEXT, _ref("judged-chance")),
    _read_chance, _chance,
)  # fmt: skip
SIZE = Form(
    _any(
        {"type": "number", "minimum": -LARGEST_SIZE, "maximum": LARGEST_SIZE}, _ref("distribution")
    ),
    _read_size, _size, "percent",
)  # fmt: skip
PERCENT = Form(_any(*_PERCENTS, _ref("distribution-or-percents")), _read_percent)
DOSE = Form(_exactly({"change": _any(*_PERCENTS), "elasticity": _ELASTICITY.schema}), _read_dose)
ONSET = Form(_any(_ref("month"), _exactly({"between": _BETWEEN})), _read_onset)
EXPOSURE = Form(
    _any(
        *_FELT, {"enum": list(NAMED_EXPOSURES)},
        {"type": "object", "minProperties": 1, "additionalProperties": _any(*_FELT)},
    ),
    _read_exposure,
)  # fmt: skip
# It stands in tables, in names of files, and in figures, where a dollar sign begins a formula.
NAME = _native(
    Annotated[str, Meta(pattern=rf"^[^\s$/\\]([^$/\\]*[^\s$/\\])?{_END}", max_length=MAX_NAME)],
    f"1 to {MAX_NAME} printable characters, none of $ / \\, no blanks around them",
    str.isprintable,
)
PRIOR = _choice(*prior_names())
SCOPE = _choice(*SCOPES)
DIRECTION = _choice("either", "fall", "rise")
GRADE = _choice("high", "medium", "low–medium", "low", "very low", "none", "user")
REFERENCES = _native(
    tuple[Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)], ...], "a list of texts"
)
SCENARIO_NAME = _native(
    Annotated[
        str, Meta(pattern=rf"^[a-z0-9][a-z0-9.+_-]{{0,199}}{_END}")
    ],  # prior_NAME.svg is a file
    "up to 200 lower-case letters, digits and . + _ -",
)
_NAME_OR_NULL = Form(_any(SCENARIO_NAME.schema, {"type": "null"}), held=SCENARIO_NAME.held)
VERSION = _native(Annotated[int, Meta(ge=1)], "a whole number from 1")


# ---------------------------------------------------------------------------------------- keys


class Rebound(msgspec.Struct, forbid_unknown_fields=True):
    """Substitution after a success."""

    prior: Annotated[Any, PRIOR.says("substitution-rebound fills in the rest")]
    fraction: Annotated[Any, SHARE.says("Part of the full effect that comes back")]
    p_null: Annotated[Any, CHANCE.says("Probability of no rebound")]
    after: Annotated[Any, MONTHS.says("Months from the full effect to the start of the rebound")]
    ramp: Annotated[Any, MONTHS.says("Months until it is full")]
    half_life: Annotated[Any, MONTHS_OR_NONE.says("Months until half of it is gone; or none")]


class Intervention(msgspec.Struct, forbid_unknown_fields=True):
    """What may happen. Whatever a named prior says is kept where the file says nothing."""

    prior: Annotated[Any, PRIOR.says("A named prior of the evidence library for the rest")]
    name: Annotated[Any, NAME.says("One name means the same random numbers in all scenarios")]
    onset: Annotated[Any, ONSET.says("Month it begins, or {between: [first, last]}; not given: "
                                     "the month after the as-of date")]  # fmt: skip
    scope: Annotated[Any, SCOPE.says("Whose deaths change: all-drugs, or a class such as T40.4")]
    size: Annotated[Any, SIZE.says("Log rate ratio at full strength if there is an effect: -0.36 "
                                   "for 30% fewer")]  # fmt: skip
    percent: Annotated[Any, PERCENT.says("In place of size: percent change of the deaths of the "
                                         "scope at full strength")]  # fmt: skip
    dose: Annotated[Any, DOSE.says("In place of size: percent change of a dose times an elasticity "
                                   "of deaths")]  # fmt: skip
    p_null: Annotated[Any, CHANCE.says("Probability of no effect")]
    belief: Annotated[Any, TEXT.says("Whose judgement the chances are; none: a what-if, which has "
                                     "no chances")]  # fmt: skip
    direction: Annotated[Any, DIRECTION.says("Which sign of the size counts; the other tail is "
                                             "nothing")]  # fmt: skip
    lag: Annotated[Any, MONTHS.says("Months until the effect begins")]
    ramp: Annotated[Any, MONTHS.says("Months until it is full")]
    plateau: Annotated[Any, MONTHS.says("Months until it begins to fade")]
    half_life: Annotated[Any, MONTHS_OR_NONE.says("Months until half of it is gone; or none")]
    residue: Annotated[Any, SHARE.says("Share of the effect that never fades")]
    exposure: Annotated[Any, EXPOSURE.says("Share of the effect a location feels: a number, a "
                                           "name, or a table by location")]  # fmt: skip
    spread: Annotated[Any, SPREAD.says("Sd of the log of a state's own factor")]
    share: Annotated[Any, SHARE.says("The size is multiplied by it")]
    replaced: Annotated[Any, SHARE.says("Share of averted deaths that other drugs replace")]
    grade: Annotated[Any, GRADE.says("How good the evidence is")]
    rebound: Annotated[Rebound | Literal["none"] | None,
                       Meta(description="Substitution after a success")]  # fmt: skip
    backfire: Annotated[Any, TEXT.says("By what mechanism it could raise deaths")]
    needs: Annotated[Any, TEXT.says("What it needs, and from whom")]
    sign: Annotated[Any, TEXT.says("The earliest sign that it works, and when")]
    stop: Annotated[Any, TEXT.says("What would be a reason to stop")]
    source: Annotated[Any, TEXT.says("Where the assumption comes from")]
    note: Annotated[Any, TEXT.says("Whatever else")]
    references: Annotated[Any, REFERENCES.says("The works cited, in full")]


class Scenario(msgspec.Struct, forbid_unknown_fields=True):
    """What is assumed to happen."""

    # An unquoted null in YAML is not text, but its meaning is plain.
    name: Annotated[Any, _NAME_OR_NULL.says("Words joined by hyphens; null for the status quo")]
    version: Annotated[Any, VERSION.says("Raise it when an assumption changes")]
    title: Annotated[Any, TEXT.says("For people")]
    question: Annotated[Any, TEXT.says("What is asked, for people")]
    interventions: Annotated[list[Intervention] | Literal["none"],
                             Meta(description="What may happen; or none")]  # fmt: skip


def _forms(keys: type[msgspec.Struct]) -> dict[str, Form]:
    """What may stand at each key; of structs within, they say so themselves."""
    hints = get_type_hints(keys, include_extras=True)
    metas = {key: hint.__metadata__[0] for key, hint in hints.items()}
    return {key: meta.extra["form"] if meta.extra else Form({}) for key, meta in metas.items()}


FORMS = {keys: _forms(keys) for keys in (Scenario, Intervention, Rebound)}


def check_keys(given: Mapping[Any, Any], allowed: Iterable[str], where: str) -> None:
    """Refuse keys nobody knows, with the nearest known one."""
    for key in given:
        if key not in allowed:
            raise ScenarioError(
                f"{where}: unknown key {shown(key)}{nearest(key, allowed)}",
                hint=f"allowed: {', '.join(allowed)}",
            )


# --------------------------------------------------------------------------------- JSON Schema


def json_schema() -> Schema:
    """JSON Schema (draft 2020-12) of a scenario file, for editors and other programs.

    In an editor with the YAML language server a first line
    ``# yaml-language-server: $schema=scenario.schema.json`` turns it on, with the file beside the
    scenario. A schema sees the form of a file; whether a distribution fits its range, a place
    exists or two names are one is said when the file is read.

    Returns
    -------
    dict

    Examples
    --------
    >>> import odforecast as od
    >>> schema = od.scenario.json_schema()
    >>> schema["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    >>> schema["$defs"]["Intervention"]["properties"]["direction"]["enum"]
    ['either', 'fall', 'rise']
    """
    _, defs = msgspec.json.schema_components((Scenario,), ref_template="#/$defs/{name}")
    for each in defs.values():
        del each["required"]
    defs["Scenario"] |= {
        "required": ["name"],
        # The status quo has a name of its own; whatever else assumes nothing says so.
        "if": {"properties": {"name": {"enum": ["null", None]}}},
        "then": {"properties": {"interventions": {"enum": ["none", []]}}},
        "else": {
            "required": ["interventions"],
            "properties": {"interventions": {"not": {"const": []}}},
        },
    }
    defs["Intervention"] |= {
        "anyOf": [
            {"required": ["prior"]},
            {"required": ["name"], "anyOf": [{"required": [key]} for key in SIZES]},
        ],
        "not": _any(
            *({"required": [a, b]} for i, a in enumerate(SIZES) for b in SIZES[i + 1 :]),
            {
                # Deaths of a class are the exposure already.
                "required": ["scope", "exposure"],
                "properties": {
                    "scope": {"not": {"const": ALL}},
                    "exposure": {"type": "string", "pattern": "^fentanyl-share"},
                },
            },
        ),
    }
    defs["Intervention"]["properties"]["probability"] = {
        "description": "Of earlier files, that it is sure; p_null says how likely no effect is",
        "anyOf": [{"const": 1}, {"type": "string", "pattern": rf"^\s*\+?100(\.0*)?\s*%\s*{_END}"}],
    }
    defs["Intervention"]["properties"]["lag_spread"] = {
        "description": "Of earlier files; all census regions have the nation's lag",
        "enum": list(OLD_LAGS),
    }
    full = [name for name in prior_names() if "fraction" in prior_table(name)]
    defs["Rebound"]["anyOf"] = [
        {"required": ["fraction"]},
        {"required": ["prior"], "properties": {"prior": {"enum": full}}},
    ]
    number = {"type": "number"}
    several = {"type": "array", "minItems": 1, "items": _ref("Scenario")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenario file of odforecast",
        "description": "One scenario, or several under the key scenarios.",
        "type": "object",
        "if": {"required": ["scenarios"]},
        "then": {"additionalProperties": False, "properties": {"scenarios": several}},
        "else": _ref("Scenario"),
        "$defs": {
            **defs,
            "judged-chance": _judged(_any(number, _PERCENT_TEXT)),
            "distribution": _distribution(number),
            "distribution-or-percents": _distribution(_any(number, _PERCENT_TEXT)),
            "percent-text": {"type": "string", "pattern": f"^{_PERCENT.pattern}$"},
            "month": {"type": "string", "pattern": _MONTH},
        },
    }


def _distribution(number: Schema) -> Schema:
    """One distribution, its numbers listed or by their names; or quantiles."""
    kinds = []
    for kind, keys in PARAMETERS.items():
        each = [{**number, "exclusiveMinimum": 0} if key in POSITIVE else number for key in keys]
        listed = {"type": "array", "prefixItems": each, "minItems": len(keys),
                  "maxItems": len(keys)}  # fmt: skip
        ways = [listed, _exactly(dict(zip(keys, each)))]
        kinds.append(_exactly({kind: _any(*ways, *(each if len(keys) == 1 else ()))}))
    said = {
        "type": "object",
        "minProperties": 2,
        "propertyNames": {"pattern": rf"^({_PERCENT.pattern}|\s*0?\.[0-9]{{1,12}}\s*){_END}"},
        "additionalProperties": number,
    }
    return _any(*kinds, _exactly({"quantiles": said}), _judged(number))


def _judged(number: Schema) -> Schema:
    """What several people judged."""
    quartiles = {"type": "array", "items": number, "minItems": 3, "maxItems": 3}
    weight = _any({"type": "number", "exclusiveMinimum": 0}, _PERCENT_TEXT)
    text = {"type": "string", "minLength": 1}
    person = _exactly({"who": text, "date": text, "quartiles": quartiles})
    person["properties"]["weight"] = weight
    return _exactly({"judgements": {"type": "array", "minItems": 1, "items": person}})
