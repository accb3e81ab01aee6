"""Bad scenario files: one line each, before anything is written; and the schema for editors."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import odforecast as od
from odforecast.cli import main
from odforecast.errors import OdforecastError, ScenarioError
from odforecast.names import INDICATOR_NAMES
from odforecast.scenario import (
    Dose,
    Fixed,
    Intervention,
    Normal,
    Percent,
    Rebound,
    Scenario,
    dump_scenarios,
    json_schema,
    named_intervention,
    parse_scenarios,
    prior_names,
    read_scenarios,
)
from odforecast.scenario.catalogue import prior_table
from odforecast.scenario.file import load
from odforecast.scenario.priors import PARAMETERS

EXAMPLES = sorted((Path(od.__file__).parent / "examples").glob("*.yaml"))

ONE = "name: s\ninterventions: [{prior: cooperation-resumed, onset: 2026-03, %s}]"
OWN = "name: s\ninterventions: [{name: cut, onset: 2026-03, %s}]"
AT = "name: s\ninterventions: [{prior: tariff-only, onset: %s}]"
IN = "s, intervention 1: "
SHARE = "; write 0.5 or '50%'"
#: Of two people, the second.
SAID = ONE % "lag: {judgements: [{who: A, date: 2025-10-02, quartiles: [1, 2, 3]}, {%s}]}"
TWO = IN + "lag.judgements[2]"

#: Text, what the line says after the file's name, and whether the schema refuses it too.
BAD = [
    # Keys.
    ("name: s\nname: t\ninterventions: none", "line 2: key 'name' is given twice", None),
    (ONE % "p_null: 0.1, p_null: 0.9", "line 2: key 'p_null' is given twice", None),
    (ONE % "exposure: {OH: 1, OH: 0.5}", "line 2: key 'OH' is given twice", None),
    (ONE % "spred: 1", IN + "unknown key 'spred', did you mean 'spread'?; allowed: prior,", True),
    (ONE % "rebound: {size: 0.1}", IN + "rebound: unknown key 'size'; allowed: prior, frac", True),
    (ONE % "54: 1", "line 2: key '54' is not text", None),
    ("name: s\nhorizon: 3\ninterventions: none", "s: unknown key 'horizon'; allowed: name", True),
    ("interventions: []", "key 'name' is missing, allowed: a name such as", True),
    ("name: s", "s: key 'interventions' is missing, allowed: a list, or none", True),
    (OWN % "p_null: 0", IN + "key 'size' is missing; give size, percent or dose", True),
    (
        "name: s\ninterventions: [{onset: 2026-03, size: 0}]",
        IN + "key 'name' is missing; give it, or name a prior",
        True,
    ),
    (ONE % "rebound: {p_null: 0.1}", IN + "rebound: key 'fraction' is missing; or write", True),
    # Empty and null.
    ("", "a scenario file is a table of keys; allowed: name", True),
    ("name: s\ninterventions: []", "s: interventions is [], allowed: one or more, or none", True),
    ("name: s\ninterventions:", "s: interventions is nothing, allowed: a list, or none", True),
    ("scenarios: []", "scenarios is [], allowed: a list of one or more", True),
    ("scenarios: [{name: a, interventions: none}, 3]", "a scenario is a table of keys, got", True),
    (ONE % "size: {}", IN + "size is {}, allowed: a number or one distribution", True),
    (ONE % "size: ", IN + "size is nothing, allowed: a number or one distribution", True),
    (ONE % "exposure: {}", IN + "exposure is an empty table, allowed: one location or", True),
    (ONE % "exposure: null", IN + "exposure is nothing, allowed: a number from 0 to 5", True),
    (ONE % "p_null: null", IN + "p_null is nothing, allowed: a number from 0 to 1", True),
    (ONE % "lag: null", IN + "lag is nothing, allowed: a number or one distribution", True),
    (ONE % "onset: ", "line 2: key 'onset' is given twice", None),
    (AT % "null", IN + "onset is nothing, allowed: a month such as 2026-03", True),
    # Time.
    (AT % "2026-02-30", IN + "onset is '2026-02-30', allowed: a month such as 2026-03", False),
    (AT % "2026-13", IN + "onset is '2026-13', allowed: a month", True),
    (AT % "2026", IN + "onset is 2026, allowed: a month", True),
    (AT % "March", IN + "onset is 'March', allowed: a month", True),
    (AT % "2013-01", IN + "onset is 2013-01..2013-01, allowed: 2014-02 (where the data", False),
    (
        AT % "{between: [2026-06, 2026-01]}",
        IN + "onset is 2026-06..2026-01, allowed: 2014-02 (where the data begin) to 2099-12, the "
        "first not after the last",
        False,
    ),
    (AT % "{between: [2026-06]}", IN + "onset.between is ['2026-06'], allowed: two months", True),
    (AT % "{from: 2026-06}", IN + "onset: unknown key 'from'; allowed: between", True),
    (ONE % "lag: -3", IN + "lag is -3, allowed: 0 to 1,200", True),
    (ONE % "lag: 6 months", IN + "lag is '6 months', allowed: a number", True),
    (ONE % "lag: {normal: [1, 1]}", IN + "lag is Normal(1, 1) (99% in -1.58..3.58), allow", False),
    (ONE % "ramp: 1e5", IN + "ramp is 100000, allowed: 0 to 1,200", True),
    (ONE % "lag: .inf", IN + "lag is inf, allowed: a number", True),
    (ONE % "half_life: 0", IN + "half_life is 0, allowed: above 0, or none", True),
    (ONE % "half_life: never", IN + "half_life is 'never', allowed: a number", True),
    # Probabilities and shares.
    (ONE % "p_null: 50", IN + "p_null is 50, allowed: 0 to 1" + SHARE, True),
    (ONE % "p_null: 10", IN + "p_null is 10, allowed: 0 to 1; write 0.1 or '10%'", True),
    (ONE % "p_null: '110%'", IN + "p_null is '110%', allowed: 0% to 100%", False),
    (ONE % "share: 600 %", IN + "share is '600 %', allowed: 0% to 100%", False),
    (ONE % "p_null: often", IN + "p_null is 'often', allowed: a number from 0", True),
    # JSON knows no NaN, and so no schema can refuse it.
    (ONE % "p_null: .nan", IN + "p_null is nan, allowed: a number from 0", False),
    # What earlier files said: cooperation-resumed does nothing with probability 0.4.
    (
        ONE % "probability: 80%",
        IN + "key 'probability' is 0.8, and is no longer taken; leave it out, and "
        "write p_null: 0.52, the probability",
        True,
    ),
    (ONE % "probability: 1e-9", IN + "key 'probability' is 1e-09, and is no longer taken; leave it "
     "out, and write p_null: 0.9999999994, the", True),
    (ONE % "probability: 50", IN + "probability is 50, allowed: 0 to 1" + SHARE, True),
    (ONE % "p_null: true", IN + "p_null is True, allowed: a number from 0", True),
    (ONE % "share: 50", IN + "share is 50, allowed: 0 to 1" + SHARE, True),
    (ONE % "share: {uniform: [20, 50]}", IN + "share is Uniform(20, 50) (99% in 20.1", False),
    (ONE % "residue: 1.5", IN + "residue is 1.5, allowed: 0 to 1", True),
    (ONE % "replaced: -0.1", IN + "replaced is -0.1, allowed: 0 to 1", True),
    (ONE % "spread: 3", IN + "spread is 3, allowed: 0 to 1", True),
    (ONE % "lag_spread: 0.2", IN + "key 'lag_spread' is 0.2, and is no longer taken; leave it out:",
     True),
    (ONE % "rebound: {fraction: 2}", IN + "rebound: fraction is 2, allowed: 0 to 1", True),
    # Sizes.
    (ONE % "size: -3", IN + "size is -3, -95% deaths at full effect; size is a log rate", True),
    (ONE % "size: 9", IN + "size is 9, allowed: -5 to 5", True),
    (ONE % "size: -30%", IN + "size is '-30%', allowed: a log rate ratio, -0.36", True),
    (ONE % "size: .inf", IN + "size is inf, allowed: a number", True),
    (ONE % "size: {gamma: [1, 2]}", IN + "size: unknown distribution 'gamma'", True),
    (ONE % "size: {normal: [0, -1]}", IN + "size: normal: sd is -1, allowed: above 0", True),
    (ONE % "size: {normal: [0]}", IN + "size: normal is [0], allowed: 2 numbers (mean", True),
    (ONE % "size: {percent: -30}", IN + "size: unknown distribution 'percent'; it stands", True),
    (ONE % "size: -0.3, percent: -30", IN + "size and percent are given, allowed: one", True),
    (ONE % "percent: -0.3", IN + "percent is -0.3, less than 1%; write -30 for 30%,", True),
    (ONE % "percent: -0.9", IN + "percent is -0.9, less than 1%; write -90 for 90%,", True),
    (ONE % "percent: 1201", IN + "size is 1201%, +1,201% deaths at full effect; allowed: a median "
     "from -80 to 400 percent", False),
    (ONE % "size: {normal: [-0.1, 1e-7]}", IN + "size: normal: sd is 1e-07, allowed: numbers from",
     False),
    (ONE % "percent: -130", IN + "percent is -130%, allowed: above -100", True),
    (
        ONE % "percent: {quantiles: {5%: -10%, 50%: -30%}}",
        IN + "percent.quantiles: quantile 50% is -30 and 5% is -10, allowed: values that rise",
        False,
    ),
    (
        ONE % "dose: {change: 20000, elasticity: 0.05}",
        IN + "dose.change is 20000, allowed: percent from -99 to 10000",
        True,
    ),
    (ONE % "dose: {change: -99.5, elasticity: 1}", IN + "dose.change is -99.5, allowed: pe", True),
    (ONE % "lag: {quantiles: {1%: 1, 1.2.3%: 2}}", IN + "lag.quantiles: '1.2.3%' is no", True),
    (
        ONE % "lag: {quantiles: {1%: 1, 50%: 2e6}}",
        IN + "lag.quantiles: 50% is 2000000.0, allowed: a number up to 1e+06",
        False,
    ),
    (ONE % "dose: {change: -40%}", IN + "dose is {'change': '-40%'}, allowed: exactly", True),
    # Judgements.
    (ONE % "size: {judgements: }", IN + "size.judgements is nothing, allowed: a list of one", True),
    (ONE % "size: {judgements: []}", IN + "size.judgements is [], allowed: a list of one", True),
    (ONE % "size: {judgements: [moon]}", IN + "size.judgements[1] is 'moon', allowed: who,", True),
    (ONE % "p_null: {normal: [0, 1]}", IN + "p_null: unknown key 'normal'; allowed: judge", True),
    (
        ONE % "p_null: {judgements: [{who: A, date: 2025-10-02, quartiles: [10, 20, 30]}]}",
        IN + "p_null.judgements[1]: quantiles are 25%: 10, 50%: 20, 75%: 30, allowed: values above "
        "0 and below 1",
        False,
    ),
    (SAID % "who: B, quartiles: [1, 2, 3]", f"{TWO}: key 'date' is missing", True),
    (SAID % "date: 2025-10-02, quartiles: [1, 2, 3]", f"{TWO}: key 'who' is missing", True),
    (SAID % "who: B, date: 2025-10-02", f"{TWO}: key 'quartiles' is missing", True),
    (SAID % "who: B, dat: 2025-10-02", f"{TWO}: unknown key 'dat', did you mean 'date'?", True),
    (SAID % "who: '', date: 2025-10-02, quartiles: [1, 2, 3]", f"{TWO}: who is '', allowed", True),
    (SAID % "who: B, date: last week, quartiles: [1, 2, 3]", f"{TWO}: date is 'last week', al",
     False),
    (SAID % "who: B, date: 2025-10-02, quartiles: [1, 2]", f"{TWO}: quartiles are [1, 2], a", True),
    (SAID % "who: B, date: 2025-10-02, quartiles: [1, 2, x]", f"{TWO}: quartiles are [1, 2, 'x']",
     True),
    (SAID % "who: B, date: 2025-10-02, quartiles: [1, 2, 3], weight: 0", f"{TWO}: weight is 0, al",
     True),
    (SAID % "who: B, date: 2025-10-02, quartiles: [1, 2, 3], weight: x", f"{TWO}: weight is 'x'",
     True),
    (SAID % "who: B, date: 2025-10-02, quartiles: [3, 2, 1]", f"{TWO}: quantile 50% is 2 and 25% "
     "is 3, allowed: values that rise", False),
    (SAID % "who: A, date: 2025-10-02, quartiles: [1, 2, 3]", f"{TWO}: who is 'A', and is there",
     False),
    # Places.
    (ONE % "exposure: {OH: 1, Ohio: 0.5}", IN + "exposure has 'OH' and 'Ohio', one place", False),
    (ONE % "exposure: {Atlantis: 1}", IN + "exposure of 'Atlantis': 'Atlantis' is not a", False),
    (ONE % "exposure: {OH: -1}", IN + "exposure of OH is -1, allowed: a number from 0 to 5", True),
    (ONE % "exposure: {OH: half}", IN + "exposure of OH is 'half', allowed: a number", True),
    (ONE % "exposure: -0.5", IN + "exposure is -0.5, allowed: a number from 0 to 5", True),
    (ONE % "exposure: fentanyl", IN + "exposure is 'fentanyl', did you mean 'fentanyl-sh", True),
    (
        ONE % "exposure: nflis-share",
        IN + "exposure is 'nflis-share', which is no longer a name; allowed: a number, a table by",
        True,
    ),
    (
        OWN % "percent: -9, scope: T40.4, exposure: fentanyl-share",
        IN + "exposure is 'fentanyl-share' and scope 'T40.4', allowed: one of them; deaths of the",
        True,
    ),
    # Words.
    (ONE % "scope: T404", IN + "scope is 'T404', did you mean 'T40.4'?; allowed: all-drugs", True),
    (ONE % "scope: fentanyl", IN + "scope is 'fentanyl', did you mean 'T40.4'?", True),
    (ONE % "direction: falls", IN + "direction is 'falls', did you mean 'fall'?; allowed:", True),
    (ONE % "grade: superb", IN + "grade is 'superb'; allowed: high, medium", True),
    (ONE % "note: 3", IN + "note is 3, allowed: text", True),
    (ONE % "references: a book", IN + "references is 'a book', allowed: a list of texts", True),
    (ONE % "references: [3]", IN + "references is [3], allowed: a list of texts", True),
    ("name: s\ninterventions: [{prior: tarif, onset: 2026-03}]", IN + "prior is 'tarif', did "
     "you mean 'tariff-only'?; allowed: supply-shock", True),
    ("name: s\ninterventions: [{prior: 0, onset: 2026-03}]", IN + "prior is 0; allowed: supply-sh",
     True),
    (ONE % "rebound: {prior: tariff-only}", IN + "rebound: key 'fraction' is missing; or", True),
    # Names.
    (ONE % "name: saves $5", IN + "name is 'saves $5', allowed: 1 to 100 printable", True),
    (ONE % "name: ../x", IN + "name is '../x', allowed: 1 to 100 printable", True),
    (ONE % "name: ''", IN + "name is '', allowed: 1 to 100 printable", True),
    ("name: US $5\ninterventions: none", "name is 'US $5', allowed: up to 200 lower-c", True),
    ("name: Big Cut\ninterventions: none", "name is 'Big Cut', allowed: up to 200 lower-c", True),
    ("name: s\nversion: 0\ninterventions: none", "s: version is 0, allowed: a whole", True),
    ("name: s\nversion: 1.5\ninterventions: none", "s: version is 1.5, allowed: a whole", True),
    (
        "scenarios: [{name: a, interventions: none}, {name: a, interventions: none}]",
        "name 'a' is given twice, allowed: distinct names",
        False,
    ),
    (
        "name: s\ninterventions: [{prior: tariff-only, onset: 2026-03}, "
        "{prior: tariff-only, onset: 2026-05}]",
        "s: two interventions are named 'tariff-only', allowed: distinct names",
        False,
    ),
    ("name: [", "not YAML: line 1: ", None),
]  # fmt: skip

TOML = [
    ('name = "s"\nname = "t"', "line 2: key 'name' is given twice"),
    ('name = "s"\n[a]\n[a]', "line 3: key 'a' is given twice"),
    (
        'name = "s"\n[[interventions]]\nprior = "tariff-only"\np_null = 0.1\np_null = 0.2',
        "line 5: key 'p_null' is given twice",
    ),
    ('name = "s"\nx = {a = 1, a = 2}', "not TOML: Duplicate inline table key 'a'"),
    (
        'name = "s"\n[[interventions]]\nprior = "tariff-only"\nonset = 2026-02-30',
        "not TOML: Invalid date or datetime (at line 4",
    ),
    (
        'name = "s"\n[[interventions]]\nprior = "tariff-only"\nonset = 2026-03-01\nlag = inf',
        "s, intervention 1: lag is inf, allowed: a number",
    ),
    (
        'name = "s"\n[[interventions]]\nprior = "tariff-only"\nonset = 2026-03-01\nexposure = {}',
        "s, intervention 1: exposure is an empty table",
    ),
]

FILES = [(t, s, ".yaml") for t, s, _ in BAD] + [(t, s, ".toml") for t, s in TOML]
NAMES = [f"{i}-{s.removeprefix(IN)[:30]}" for i, (_, s, _) in enumerate(FILES)]


@pytest.mark.parametrize(("text", "said", "suffix"), FILES, ids=NAMES)
def test_one_line_names_file_scenario_key_value_and_what_is_allowed(tmp_path, text, said, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        read_scenarios(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: {said}")
    assert line.isprintable()
    assert len(line) < len(str(path)) + 520
    shown = CliRunner().invoke(main, ["scenario", "show", str(path)])
    assert shown.exit_code == 1
    assert shown.stdout == ""
    assert shown.stderr.splitlines() == [f"error: {line}"]


@pytest.mark.parametrize("text", [ONE % "share: 50", OWN % "percent: -0.3"])
def test_nothing_is_written_for_a_bad_file(tmp_path, text):
    path, out = tmp_path / "bad.yaml", tmp_path / "out"
    path.write_text(text)
    words = ["scenario", "run", "--scenario", str(path), "--locations", "OH", "--model", "drift",
             "--draws", "20", "--out", str(out)]  # fmt: skip
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    *said, last = result.stderr.splitlines()
    assert last.startswith(f"error: {path}: s, intervention 1: ")
    assert not any("error" in line for line in said)
    assert sorted(tmp_path.iterdir()) == [path]


# --------------------------------------------------------- the class checks what a file does

odd = st.one_of(
    st.sampled_from([-3, -0.5, -1e-9, 0, 0.3, 1, 1.2, 2, 10, 50, 5000, 1e300, math.inf, math.nan]),
    st.floats(),
    st.sampled_from(["", "moon", "50", "T40.4", "fall", "a $ b", None, True]),
)
KEYS = ("size", "p_null", "lag", "ramp", "plateau", "half_life",
        "residue", "spread", "share", "replaced", "exposure", "scope", "direction", "grade",
        "name", "source", "references")  # fmt: skip


@settings(max_examples=400)
@given(key=st.sampled_from(KEYS), value=odd)
def test_what_a_file_refuses_the_class_refuses(key, value):
    plain = {"name": "x", "onset": "2026-03", "size": -0.1, key: value}
    try:
        text = yaml.safe_dump({"name": "s", "interventions": [plain]})
        found = parse_scenarios(text)[0].interventions[0]
    except ScenarioError:
        found = None
    whole = {**plain, "size": plain["size"]}
    if key in ("lag", "size", "share") and isinstance(value, float) and math.isfinite(value):
        whole[key] = Fixed(value)  # as a prior too
    if key in ("spread", "half_life") and value is None:
        return  # not given, in Python
    if found is None:
        with pytest.raises(OdforecastError):
            Intervention(**whole)
    else:
        assert Intervention(**whole) == found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exposure": {"OH": 1.0, "Ohio": 0.5}}, "exposure has 'OH' and 'Ohio', one place"),
        ({"exposure": {"Atlantis": 1.0}}, "'Atlantis' is not a place"),
        ({"exposure": {}}, "exposure is an empty table"),
        ({"onset": "2026-02-30"}, "x: onset is '2026-02-30', allowed: a month such as 2026-03"),
        ({"onset": ("2026-01", "2026-02", "2026-03")}, "allowed: one or two months"),
        ({"onset": "2001-01"}, "onset is 2001-01..2001-01, allowed: 2014-02"),
        ({"onset": ("2026-05", "2026-01")}, "the first not after the last"),
        ({"direction": "down"}, "direction is 'down'; allowed: either, fall, rise"),
        ({"rebound": 0.3}, "rebound is 0.3, allowed: a table of keys, or none"),
        (
            {"lag": Percent(50)},
            "lag is 50%, a size in percent, allowed: a number or another prior",
        ),
        ({"half_life": Dose(40, 1)}, "half_life is change 40% x elasticity 1, a size in dose"),
        ({"note": "\x1b[2J"}, "note is '\\x1b[2J', allowed: text of up to 5,000 characters, with"),
        ({"references": ("a\u2028",)}, "allowed: a list of texts, without control codes"),
        ({"note": "\ud800"}, "note is '\\ud800', allowed: text of up to 5,000 characters"),
        ({"exposure": "nflis-share"}, "exposure is 'nflis-share', which is no longer a name"),
        ({"references": "a book"}, "references is 'a book', allowed: a list of texts"),
        ({"size": "much"}, "size is 'much', allowed: a number or one distribution"),
        ({"lag": None}, "lag is nothing, allowed: a number or one distribution"),
        ({"scope": "T40.4", "exposure": "fentanyl-share"}, "allowed: one of them"),
        ({"half_life": Fixed(0)}, "half_life is 0, allowed: above 0, or none"),
        ({"lag": Normal(1, 1)}, "allowed: 0 to 1,200"),
    ],
)
def test_mistakes_in_python(changes, words):
    with pytest.raises(ScenarioError) as caught:
        Intervention(**({"name": "x", "size": Fixed(-0.1), "onset": "2026-01"} | changes))
    assert words in str(caught.value)


def test_a_rebound_is_checked_too():
    with pytest.raises(ScenarioError, match=r"rebound.fraction is 2, allowed: 0 to 1"):
        Rebound(Fixed(2))
    with pytest.raises(ScenarioError, match=r"rebound.fraction is 'some', allowed: a number or o"):
        Rebound("some")


# ------------------------------------------------------------------------ for editors


def test_the_schema_lists_what_the_library_has():
    nouns = json_schema()["$defs"]
    for each in ("Scenario", "Intervention", "Rebound"):
        assert all(x["description"] for x in nouns[each]["properties"].values())
    for each in ("Intervention", "Rebound"):
        assert nouns[each]["properties"]["prior"]["enum"] == list(prior_names())
    assert nouns["Intervention"]["properties"]["scope"]["enum"] == ["all-drugs", *(
        name for name in INDICATOR_NAMES if name not in ("all-drugs", "all-deaths")
    )]  # fmt: skip
    ways = nouns["distribution"]["anyOf"]
    shown = {k: list(v["anyOf"][1]["properties"]) for way in ways[:-2]
             for k, v in way["properties"].items()}  # fmt: skip
    assert shown == {kind: list(keys) for kind, keys in PARAMETERS.items()}
    with_a_fraction = [name for name in prior_names() if "fraction" in prior_table(name)]
    assert nouns["Rebound"]["anyOf"][1]["properties"]["prior"]["enum"] == with_a_fraction


def test_the_schema_is_one_that_editors_can_read():
    """No misspelt rule, which a validator would pass over in silence."""
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    known = {*Draft202012Validator.VALIDATORS, "$schema", "$defs", "title", "description",
             "then", "else"}  # fmt: skip

    def rules(at):
        if isinstance(at, dict):
            assert set(at) <= known, set(at) - known
            for word, inner in at.items():
                if word in ("properties", "$defs"):
                    for each in inner.values():
                        rules(each)
                elif word not in ("const", "enum", "required"):
                    rules(inner)
        elif isinstance(at, list):
            for each in at:
                rules(each)

    rules(schema)


def good(text, suffix=".yaml"):
    return Draft202012Validator(json_schema()).is_valid(load(text, suffix))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_the_examples_are_read_and_fit_the_schema(path):
    assert good(path.read_text(encoding="utf-8"))
    assert read_scenarios(path)


def test_what_is_written_fits_the_schema():
    for name in prior_names():
        x = named_intervention(name, onset={"between": ["2026-03", "2026-05"]},
                               rebound={"prior": "substitution-rebound"})  # fmt: skip
        assert good(dump_scenarios(Scenario("s", (x,))))
        assert good(dump_scenarios((Scenario("s", (x,)), Scenario("null")), ".toml"), ".toml")
    assert good("name: null")
    assert good("name: s\ninterventions: [{prior: tariff-only}]")  # open: after the as-of date
    assert good(OWN % "percent: {quantiles: {5%: -30%, 50%: -10%}}, exposure: {OH: 40%}")
    assert good(ONE % "probability: 1")
    assert good(ONE % "probability: ' 100.0%'")
    for spread in ("0", "0.0", "{uniform: [0, 1]}", "{uniform: {low: 0.0, high: 1.0}}"):
        assert good(ONE % f"lag_spread: {spread}")
        parse_scenarios(ONE % f"lag_spread: {spread}")
    assert good(OWN % "size: {quantiles: {1e1%: -0.1, +50%: 0.1}}")
    assert good(OWN % "dose: {change: -40%, elasticity: {uniform: [0, 0.84]}}, share: '50%'")


def test_the_schema_refuses_what_it_can_see():
    wrong = [text for text, _, seen in BAD if seen is not None and good(text) is seen]
    assert not wrong
    assert sum(seen is True for *_, seen in BAD) > 60


def test_a_file_of_every_key_is_read():
    (found,) = parse_scenarios(
        "name: s\nversion: 2\ntitle: t\nquestion: q\ninterventions:\n"
        "  - {name: cut, onset: {between: [2026-03, 2026-05]}, scope: T40.4, probability: 100%,\n"
        "     percent: {normal: [-9, 5]}, p_null: 10%, direction: fall, lag: 2, lag_spread: 0,\n"
        "     ramp: {quantiles: {5%: 3, 95%: 12}}, plateau: 6, half_life: 18, residue: 20%,\n"
        "     rebound: {fraction: 0.3, p_null: 0.5, after: 9, ramp: 6, half_life: none},\n"
        "     exposure: {Ohio: 1, default: 30%}, spread: {uniform: [0, 0.4]}, share: 50%,\n"
        "     replaced: {beta: [1, 4]}, backfire: b, source: s, grade: low, note: n,\n"
        "     references: [A 2020. T. J.]}"
    )
    x = found.interventions[0]
    assert (x.p_null, x.residue, x.share) == (0.1, Fixed(0.2), Fixed(0.5))
    assert dict(x.exposure) == {"OH": 1.0, "default": 0.3}
    assert (x.scope, x.direction, x.references) == ("T40.4", "fall", ("A 2020. T. J.",))
    for suffix in (".yaml", ".toml"):
        assert parse_scenarios(dump_scenarios(found, suffix), suffix) == (found,)
