"""What a contained model said is told once, with how often."""

from __future__ import annotations

from collections import Counter

from odforecast.backtesting.contain import Said


def test_each_kind_of_warning_once_with_how_often():
    assert Said(Counter({"once": 1, "often": 7})).warnings == ("often (×7)", "once")
    assert Said().warnings == ()


def test_the_rest_is_one_line():
    kinds = Counter({f"kind {i}": 20 - i for i in range(5)})
    assert len(Said(kinds).warnings) == 5
    more = Said(kinds + Counter(a=1, b=1)).warnings
    assert more[5:] == ("and 2 other warnings",)
