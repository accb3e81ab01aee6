"""What a check of a forecaster found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Breach:
    """One rule broken on one panel.

    Attributes
    ----------
    rule : str
        Name of the rule, as in the table of :mod:`odforecast.testing.rules`.
    panel : str
        Name of the panel in the zoo.
    what : str
        What was found, in one line.
    hint : str
        What to do about it.
    """

    rule: str
    panel: str
    what: str
    hint: str = ""


class ContractError(AssertionError):
    """A forecaster that breaks the contract: every rule, where, and what was found.

    Attributes
    ----------
    label : str
        The model.
    breaches : tuple of Breach

    Examples
    --------
    >>> import odforecast as od
    >>> print(od.testing.ContractError("mine", [od.testing.Breach("places", "gap", "AZ is lost")]))
    mine breaks 1 rule:
      places (gap): AZ is lost
    """

    def __init__(self, label: str, breaches: Sequence[Breach]) -> None:
        self.label = label
        self.breaches = tuple(breaches)
        panels: dict[str, dict[str, list[str]]] = {}
        for b in breaches:
            panels.setdefault(b.rule, {}).setdefault(b.what, []).append(b.panel)
        hints = {b.rule: b.hint for b in breaches}
        n = len(panels)
        lines = [f"{label} breaks {n} rule{'s' if n != 1 else ''}:"]
        for rule, found in panels.items():
            lines += [f"  {rule} ({', '.join(on)}): {what}" for what, on in found.items()]
            lines += [f"    hint: {hints[rule]}"] if hints[rule] else []
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[ContractError], tuple[str, tuple[Breach, ...]]]:
        return (type(self), (self.label, self.breaches))


@dataclass(frozen=True)
class Kept:
    """A contract that was kept.

    Attributes
    ----------
    label : str
        The model.
    rules, panels : tuple of str
        What was checked, and on which panels of the zoo.
    refused : mapping of str to str
        Panels that the model cannot use, and the reason it gives: its author should look.
    """

    label: str
    rules: tuple[str, ...]
    panels: tuple[str, ...]
    refused: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = f"{self.label} keeps {len(self.rules)} rules on {len(self.panels)} panels"
        return "\n".join([text, *(f"  refused {p}: {why}" for p, why in self.refused.items())])
