"""Other people's words in figures."""

from __future__ import annotations


def literal(text: object) -> str:
    r"""Text that matplotlib draws as it stands: a dollar sign begins no formula.

    Examples
    --------
    >>> print(literal("from $5 to $9"))
    from \$5 to \$9
    """
    return str(text).replace("$", r"\$")
