"""Names of models in a hub: letters, digits and ``_``, and the way back to our labels."""

from __future__ import annotations

import re
from typing import Final

from odforecast.errors import DataError, ForecastError
from odforecast.say import quoted

#: The team of the models of this package.
TEAM: Final = "odforecast"
#: Longest name of a team, and of a model, that is written: file names have an end. Other hubs
#: have limits of their own in ``model-metadata-schema.json``, often 16.
LONGEST_TEAM: Final = 32
LONGEST_MODEL: Final = 128

#: What hubValidations (``parse_file_name``) takes for a part, a model and a submission.
PART: Final = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
MODEL_ID: Final = re.compile(r"([A-Za-z0-9_]+)-([A-Za-z0-9_]+)", re.ASCII)
STEM: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2}|[A-Za-z0-9_]+)-([A-Za-z0-9_]+)-([A-Za-z0-9_]+)", re.ASCII
)

_PLAIN: Final = {"-": "_", "+": "__"}
_SIGN: Final = {run: sign for sign, run in _PLAIN.items()}
_RUN: Final = re.compile(r"___([2-7][0-9a-f])|__|_")


def model_id(label: str, team: str = TEAM) -> str:
    """The name that a model has in a hub.

    Parameters
    ----------
    label : str
        Label of a model, as :func:`odforecast.get_model` takes it.
    team : str
        The team: letters, digits, ``_``.

    Returns
    -------
    str
        ``TEAM-MODEL``, legal in every hub.

    Raises
    ------
    ForecastError
        If the label is empty or not printable ASCII, the team name is invalid, or the
        name would be too long.

    Examples
    --------
    >>> from odforecast.hub import model_id
    >>> model_id("auto-ets"), model_id("naive+delay")
    ('odforecast-auto_ets', 'odforecast-naive__delay')
    >>> model_id("my model", team="Ohio")
    'Ohio-my___20model'
    """
    if not isinstance(team, str) or not PART.fullmatch(team) or len(team) > LONGEST_TEAM:
        raise ForecastError(
            f"{quoted(team)} is not a valid team name",
            hint=f"1 to {LONGEST_TEAM} letters, digits and _",
        )
    if not isinstance(label, str) or not label or not (label.isascii() and label.isprintable()):
        raise ForecastError(
            f"{quoted(label)} is not a valid model label", hint="printable ASCII; give it label=..."
        )
    parts = []
    for sign, after in zip(label, [*label[1:], ""]):
        if sign.isalnum():
            parts.append(sign)
        elif sign in _PLAIN and after.isalnum() and parts:
            parts.append(_PLAIN[sign])
        else:
            # Before another sign, _ would run into its underscores; so it is written out.
            parts.append(f"___{ord(sign):02x}")
    name = "".join(parts)
    if len(name) > LONGEST_MODEL:
        raise ForecastError(
            f"label {quoted(label)} would be a name of {len(name)} characters in a hub",
            hint=f"at most {LONGEST_MODEL}; give the model a shorter label=...",
        )
    return f"{team}-{name}"


def label_of(name: str, team: str = TEAM) -> str:
    """The label of a model, from its name in a hub: :func:`model_id`, undone.

    Parameters
    ----------
    name : str
        ``TEAM-MODEL``.
    team : str
        Whose names are undone. Those of other teams are labels as they are.

    Raises
    ------
    DataError
        If it is not ``TEAM-MODEL``, or is of our team and no label has that name.

    Examples
    --------
    >>> from odforecast.hub import label_of
    >>> label_of("odforecast-auto_ets_sums"), label_of("odforecast-naive__delay")
    ('auto-ets-sums', 'naive+delay')
    >>> label_of("Flusight-baseline")
    'Flusight-baseline'
    """
    match = MODEL_ID.fullmatch(name)
    if not match:
        raise DataError(
            f"{quoted(name)} is not a valid model name in a hub",
            hint="TEAM-MODEL, both of letters, digits and _",
        )
    if match[1] != team:
        return name
    try:
        label = _RUN.sub(lambda x: _SIGN.get(x[0]) or chr(int(x[1], 16)), match[2])
        undone = model_id(label, team) == name
    except ForecastError:
        undone = False
    if not undone:
        raise DataError(
            f"{quoted(name)}: no label of {team} has that name",
            hint="names of this team are made by odforecast.hub.model_id",
        )
    return label


def submission_stem(round_id: object, name: str) -> str:
    """File name of a submission, without its ending; refused where the parts make none."""
    stem = f"{round_id}-{name}"
    if not STEM.fullmatch(stem):
        raise DataError(
            f"{quoted(stem)} is not a valid submission name",
            hint="DATE-TEAM-MODEL, team and model of letters, digits and _",
        )
    return stem
