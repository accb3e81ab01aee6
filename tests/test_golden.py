"""``make golden``, which compares the set: it notices what moves; names are those stored."""

import golden_parts
import pytest

import golden

HERE, ELSEWHERE = ["this processor"], ["another processor"]
STORED = {
    "models": {
        "machine": HERE,
        "bits draws": "5c2ab1b5",
        "last | columns": ["place", "low", "median"],
        "last | OH": [1800.0, 2400.5],
        "signature": "(panel: 'Panel', horizon: 'int' = 12) -> 'Forecast'",
        "notes": ["a", "b"],
    }
}


def found(**changes: object) -> golden.Found:
    return {"models": STORED["models"] | {k.replace("_", " "): x for k, x in changes.items()}}


def test_nothing_differs_or_a_changed_number_is_named_by_row_and_column(capsys):
    assert golden.compare(STORED, found()) == ([], [])
    assert golden.report("draws", STORED, found())
    assert capsys.readouterr().out == "draws          6 values, as stored\n"
    lines, _ = golden.compare(STORED, found(**{"last | OH": [1800.0, 2400.6]}))
    assert lines == ["models last | OH: median was 2400.5, is 2400.6"]


@pytest.mark.parametrize(("machine", "limit"), [(HERE, golden.SAME), (ELSEWHERE, golden.OTHER)])
def test_numbers_agree_up_to_rounding_and_bits_are_compared_on_one_machine(machine, limit):
    near, far = (2400.5 * (1 + x * limit) for x in (0.5, 2.0))
    other = {"machine": machine, "bits_draws": "5c2ab1b5" if machine == HERE else "00"}
    lines, notes = golden.compare(STORED, found(**{"last | OH": [1800.0, near]}, **other))
    assert not lines
    said = "stored on this processor, this is another processor: bits were not compared"
    assert notes == ([] if machine == HERE else [said])
    assert golden.compare(STORED, found(**{"last | OH": [1800.0, far]}, **other))[0]
    # A rounded count may differ by one on another machine only.
    assert golden.same(43551.0, 43552.0, limit) == (machine != HERE)
    for one, two in ((43551.0, 43553.0), (43551.5, 43552.5), (12.0, 13.0)):
        assert not golden.same(one, two, limit)


def test_the_exit_code_says_whether_something_differs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(golden, "GOLDEN", tmp_path)
    monkeypatch.setattr(golden, "run_all", lambda *_: {"draws": found()})
    assert golden.main(["--only", "draws"]) == 1
    assert golden.main(["--only", "draws", "--write"]) == 0
    assert golden.main(["--only", "draws"]) == 0
    monkeypatch.setattr(golden, "run_all", lambda *_: {"draws": found(notes=[])})
    assert golden.main(["--only", "draws"]) == 1
    # One that cannot be run, or fails, does not lose what is stored.
    for text, code in (("skipped: no files", 0), ("Traceback\nValueError: no", 1)):
        monkeypatch.setattr(golden, "run_all", lambda *_, text=text: {"draws": {"models": text}})
        assert golden.main(["--only", "draws", "--write"]) == code
    assert golden.read("draws", tmp_path) == STORED
    with pytest.raises(SystemExit):
        golden.main(["--only", "drawn"])
    assert "no part drawn" in capsys.readouterr().err


def test_every_unit_is_stored_and_the_set_is_small():
    for part, units in golden_parts.PARTS.items():
        assert {*golden.read(part, golden.GOLDEN), "hierarchical"} >= {*units}, part
    files = [p for p in golden.GOLDEN.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 3e6


def test_names_and_options_are_those_stored():
    units = golden_parts.PARTS["names"].items()
    today = {name: {"machine": HERE, **make()} for name, make in units}
    lines, _ = golden.compare(golden.read("names", golden.GOLDEN), today)
    assert not lines, "make golden WRITE=1 ONLY=names, and say why in the commit"
