"""Bad scenario files: one line each, before anything is written; and the schema for editors."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import odforecast as od
from odforecast import scenario as sc
from odforecast.cli import main
from odforecast.errors import ScenarioError
from odforecast.names import INDICATOR_NAMES
from odforecast.scenario.catalogue import prior_table
from odforecast.scenario.file import load

EXAMPLES = sorted((Path(od.__file__).parent / "examples").glob("*.yaml"))

ONE = "name: s\ninterventions: [{prior: cooperation-resumed, %s}]"
IN = "s, intervention 1: "
SAID = ONE % "lag: {judgements: [{who: A, date: 2025-10-02, quartiles: [1, 2, 3]}, {%s}]}"

#: Keys of an intervention, what the line says after file and intervention; does the schema, too?
KEYS = [
    ("p_null: 0.1, p_null: 0.9", "line 2: key 'p_null' is given twice", None),
    ("spred: 1", "unknown key 'spred', did you mean 'spread'?; allowed: prior,", True),
    ("rebound: {size: 0.1}", "rebound: unknown key 'size'; allowed: prior, frac", True),
    ("size: {}", "size is {}, allowed: a number or one distribution", True),
    ("exposure: {}", "exposure is an empty table, allowed: one location or", True),
    ("half_life: never", "half_life is 'never', allowed: a number or one distribution (fixed, "
     "normal, lognormal, uniform, beta, quantiles, judgements), such as {uniform: [1, 3]}, or no",
     True),
    ("exposure: [OH, WV]", "exposure is ['OH', 'WV'], allowed: a number from 0 to 5 or a percent, "
     "a table such as {OH: 1, default: 0}, or fentanyl-share", True),
    ("lag: {normal: [1, 1]}", "lag is Normal(1, 1) (99% in -1.58..3.58), allow", False),
    ("ramp: 1e5", "ramp is 100000, allowed: 0 to 1,200", True),
    ("half_life: 0", "half_life is 0, allowed: above 0, or none", True),
    ("p_null: 50", "p_null is 50, allowed: a number from 0 to 1, a percent, or judgements; write 0",
     True),
    ("share: 600 %", "share is '600 %', allowed: 0 to 1", False),
    ("share: {uniform: [5%, 600%]}", "share is {'uniform': ['5%', '600%']} (99% in 0.07", False),
    ("probability: 80%", "key 'probability' is '80%', and is no longer taken; leave it out, and "
     "write p_null: 0.52, the probability of no effect", True),
    ("p_null: 50%, probability: 0.8", "key 'probability' is 0.8, and is no longer taken; leave it "
     "out, and write p_null: 0.6, the", True),
    ("probability: often", "key 'probability' is 'often', and is no longer taken; leave it out, "
     "and add the rest to p_null, the", True),
    ("p_null: true", "p_null is True, allowed: a number from 0", True),
    ("share: 50", "share is 50, allowed: 0 to 1; write 0.5 or '50%'", True),
    ("share: {uniform: [20, 50]}", "share is Uniform(20, 50) (99% in 20.1", False),
    ("replaced: -0.1", "replaced is -0.1, allowed: 0 to 1", True),
    ("spread: 3", "spread is 3, allowed: 0 to 1", True),
    ("lag_spread: 0.2", "key 'lag_spread' is 0.2, and is no longer taken; leave it out:", True),
    ("rebound: {fraction: 2}", "rebound: fraction is 2, allowed: 0 to 1", True),
    ("size: -3", "size is -3, -95% deaths at full effect; size is a log rate", True),
    ("size: 9", "size is 9, allowed: -5 to 5", True),
    ("size: -30%", "size is '-30%', allowed: a log rate ratio, -0.36", True),
    ("size: {normal: [0, -1]}", "size: normal: sd is -1, allowed: above 0", True),
    ("size: {normal: [0]}", "size: normal is [0.0], allowed: 2 numbers (me", True),
    ("size: {percent: -30}", "size: unknown distribution 'percent'; it stands", True),
    ("size: -0.3, percent: -30", "size and percent are given, allowed: one", False),
    ("percent: -0.3", "percent is -0.3, less than 1%; write -30 for 30%,", False),
    ("percent: 1201", "size is 1201%, +1,201% deaths at full effect; allowed: a median fro", False),
    ("size: {normal: [-0.1, 1e-7]}", "size: normal: sd is 1e-07, allowed: numbers from", False),
    ("percent: -130", "percent is -130%, allowed: above -100", True),
    ("percent: {quantiles: {5%: -10%, 50%: -30%}}",
     "percent.quantiles: 50% is -30 and 5% is -10, allowed: values that rise", False),
    ("dose: {change: 20000, elasticity: 0.05}", "dose.change is 20000.0, allowed: percent f", True),
    ("lag: {quantiles: {1%: 1, 1.2.3%: 2}}", "lag.quantiles: '1.2.3%' is no", True),
    ("lag: {quantiles: {1%: 1, 50%: 2e6}}", "lag.quantiles: 50% is 2000000.0, allowed: a n", False),
    ("dose: {change: -40%}", "dose is {'change': '-40%'}, allowed: exactly", True),
    ("size: {judgements: []}", "size.judgements is [], allowed: a list of one", True),
    ("size: {judgements: [moon]}", "size.judgements[1]: got 'moon', allowed: who", True),
    ("p_null: {uniform: [0, 1]}", "p_null is {'uniform': [0, 1]}, allowed: a number from 0", True),
    ("p_null: {judgements: [{who: A, date: 2025-10-02, quartiles: [10, 20, 30]}]}",
     "p_null.judgements[1]: quantiles: 25%: 10, 50%: 20, 75%: 30, allowed: values above", False),
    ("exposure: {OH: 1, Ohio: 0.5}", "exposure has 'OH' and 'Ohio', one place", False),
    ("exposure: {Atlantis: 1}", "exposure of 'Atlantis': 'Atlantis' is not a", False),
    ("exposure: {OH: -1}", "exposure of OH is -1, allowed: a number from 0 to 5", True),
    ("exposure: fentanyl", "exposure is 'fentanyl', did you mean 'fentanyl-sh", True),
    ("scope: T404", "scope is 'T404', did you mean 'T40.4'?; allowed: all-drugs", True),
    ("scope: fentanyl", "scope is 'fentanyl', did you mean 'T40.4'?", True),
    ("direction: falls", "direction is 'falls', did you mean 'fall'?; allowed:", True),
    ("grade: superb", "grade is 'superb'; allowed: high, medium", True),
    ("note: 3", "note is 3, allowed: text", True),
    ("references: a book", "references is 'a book', allowed: a list of texts", True),
    ("rebound: {prior: tariff-only}", "rebound: key 'fraction' is missing; or", False),
    ("name: saves $5", "name is 'saves $5', allowed: 1 to 100 printable", True),
    ("[1, 2]: 2",
     "line 2: a name must be text", None),
    ("<<: {p_null: 0.1}", "unknown key '<<'", None),
    ("note: !!binary aGk=", "line 2: tag 'tag:yaml.org,2002:binary'", None),
    ("p_null: 0_1", "p_null is '0_1'", True),
    ("lag: {lognormal: [1.0e300, 1e300]}", "lag: lognormal: median is 1e+300, allowed: num", False),
    ("percent: {quantiles: {5%: -0.3, 50%: -0.1}}",
     "percent is {'quantiles': {'5%': -0.3, '50%': -0.1}}, less than 1%; write the numbers", False),
    ("percent: {normal: [-80, 20]}", "percent is Normal(-80%, 20%), allowed: above -100", False),
    ("percent: {5%: -30, 50%: -10}",
     "percent is {'5%': -30, '50%': -10}, allowed: a number or one distribution (fixed, nor", True),
    ("percent: {quantiles: {5%: -30%}}", "percent.quantiles is {'5%': -30.0}, allowed: two", True),
    ("percent: {quantiles: {5%: low, 50%: 1}}", "percent.quantiles: 5% is 'low', allowed: a", True),
    ("dose: {change: -0.4, elasticity: 1}", "dose.change is -0.4, less than 1%; write -40", False),
    ("dose: {change: much, elasticity: 1}", "dose.change is 'much'", True),
    ("dose: {change: -40, elasticity: -1}", "dose.elasticity is -1, allowed: 0 to 5", True),
    ("lag: {norml: [1, 2]}", "lag: unknown distribution 'norml', did you mean 'normal'", True),
    ("lag: {normal: [5%, 1%]}", "lag: normal is ['5%', '1%'], allowed: 2 numbers", False),
    ("lag: {uniform: [3, 2]}", "lag: uniform: low 3 must lie below", False),
    ("lag: {normal: {mean: 0, sigma: 1}}", "lag: normal is {'mean': 0.0, 'sigma': 1.0}", True),
    ("lag: {quantiles: {5%: 0, 50%: 3}}", "lag.quantiles: 5%: 0, 50%: 3, allowed: values", False),
    ("percent: -9, scope: T40.4, exposure: fentanyl-share",
     "exposure is 'fentanyl-share' and scope 'T40.4', allowed: one of them; deaths of the", False),
    ("onset: null", "onset is nothing, allowed: a month such as 2026-03", True),
    ("onset: 2026-02-30", "onset is '2026-02-30', allowed: a month such as 2026-03", True),
    ("onset: 2026-03-15", "onset is '2026-03-15', allowed: a month such as 2026-03, or {between: "
     "[2026-01, 2026-06]}; an effect begins with a month: write 2026-03", True),
    ("onset: March", "onset is 'March', allowed: a month", True),
    ("places: [OH]", "unknown key 'places', write exposure: {OH: 1, default: 0} in an inter", True),
    ("effect: -10%", "unknown key 'effect', write percent: -10% in an intervention", True),
    ("percent: +20%, direction: fall",
     "direction is 'fall' and the size +20% of deaths, of which nothing would count; chang", False),
    ("percent: -20%, direction: rise", "direction is 'rise' and the size -20% of deaths", False),
    ("mechanism: magic", "mechanism is 'magic'; allowed: cooperation, supply, scheduling", True),
    ("onset: 2013-01", "onset is 2013-01..2013-01, allowed: 2014-02 (where the data", False),
    ("onset: {between: [2026-06, 2026-01]}",
     "onset is 2026-06..2026-01, allowed: 2014-02 (where the data begin) to 2099-12, the f", False),
    ("onset: {between: [2026-06]}", "onset is {'between': ['2026-06']}, allowed: a month", True),
    ("onset: ２026-03", "onset is '２026-03'", True),
    ("onset: 2026-03-01 10:00:00", "onset is", True),
]  # fmt: skip

PEOPLE = [
    ("who: B, quartiles: [1, 2, 3]", ": date is nothing, allowed: a day", True),
    ("who: B, dat: 2025-10-02", ": unknown key 'dat', did you mean 'date'?", True),
    ("who: '', date: 2025-10-02, quartiles: [1, 2, 3]", ": who is '', allowed", True),
    ("who: B, date: last week, quartiles: [1, 2, 3]", ": date is 'last week', al", False),
    ("who: B, date: 2025-10-02, quartiles: [1, 2]", ": quartiles are [1.0, 2.0], a", True),
    ("who: B, date: 2025-10-02, quartiles: [1, 2, x]", ": quartiles are [1.0, 2.0, 'x']", True),
    ("who: B, date: 2025-10-02, quartiles: [1, 2, 3], weight: 0", ": weight is 0, al", True),
    ("who: B, date: 2025-10-02, quartiles: [3, 2, 1]",
     ": quantiles: 50% is 2 and 25% is 3, allowed: values that rise", False),
    ("who: A, date: 2025-10-02, quartiles: [1, 2, 3]", ": who is 'A', and is there", False),
]  # fmt: skip

FILES = [
    ("name: s\ninterventions: [{name: cut, p_null: 0}]",
     "s, intervention 1: key 'size' is missing; give size, percent or dose", False),
    ("scenarios: [{name: s, interventions: [{prior: tariff-only}, {prior: tariff-only}]}]",
     "s: two interventions are named 'tariff-only', allowed: distinct names", False),
    ("interventions: []", "key 'name' is missing, allowed: a name such as", True),
    ("name: s", "s: interventions is nothing, allowed: a list, or none for", False),
    ("name: s\ninterventions: [{onset: 2026-03, size: 0}]",
     "s, intervention 1: key 'name' is missing; give it, or name a prior", False),
    ("", "a scenario file is a table of keys; allowed: name", True),
    ("name: s\ninterventions: []", "s: interventions is [], allowed: a list, or none for", False),
    ("scenarios: []", "scenarios is [], allowed: a list of one or more", True),
    ("scenarios: [{name: a, interventions: none}, 3]", "a scenario is a table of keys, got", True),
    ("name: s\ninterventions: [{prior: tarif, onset: 2026-03}]",
     "s, intervention 1: prior is 'tarif', did you mean 'tariff-only'?; allowed: supply-sho", True),
    ("name: US $5\ninterventions: none", "name is 'US $5', allowed: up to 200 lower-c", True),
    ("name: s\nversion: 0\ninterventions: none", "s: version is 0, allowed: a whole", True),
    ("scenarios: [{name: a, interventions: none}, {name: a, interventions: none}]",
     "name 'a' is given twice, allowed: distinct names", False),
    ("name: [", "line 1: not YAML: ", None),
    ("name: &x [*x]", "line 1: an alias (*x); write out", None),
    ("!!python/object:os.system {}", "line 1: tag 'tag:yaml.org,2002:python/object:os.syste", None),
    ("name: s\n---\nname: t", "line 2: not YAML", None),
]  # fmt: skip

PAIRS = zip("abcdefghij", "bcdefghijk")
LAUGHS = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join(9 * [f'*{a}'])}]\n" for a, b in PAIRS)
MORE = [
    (LAUGHS, "line 2: an alias (*a); write out"),
    ("name: " + 100_000 * "[", "line 1: nested more than 60 deep"),
    (40_000 * "{a: ", "line 1: nested more than 60 deep"),
    (ONE % ("lag: {normal: " + 300 * "[" + 300 * "]" + "}"), "line 2: nested more than 60 deep"),
    (ONE % ("lag: " + 5_000 * "9"), "(5,000 characters), allowed: a number"),
    (ONE % ("note: " + 50_000 * "n"), "(50,000 characters), allowed: text of up to 5,000"),
    (ONE % (50_000 * "k" + ": 1"), "not YAML"),
    (ONE % ("k" * 900 + ": 1"), "(900 characters)"),
    (ONE % ("name: " + 200 * "n"), "(200 characters), allowed: 1 to 100 printable"),
    (ONE % 'name: "a\\nb"', "allowed: 1 to 100 printable"),
    (ONE % 'note: "\\ud800"', "characters, without control codes"),
    (ONE % 'note: "\\x1b[2J"', "characters, without control codes"),
    (f"name: {'s' * 300}", "name is 'ssss"),
]

TARIFF = "name = 's'\n[[interventions]]\nprior = 'tariff-only'\n"
TOML = [
    ('name = "s"\nname = "t"', "not TOML: Cannot overwrite a value (at"),
    ('name = "s"\n[a]\n[a]', "Cannot declare ('a',) twice (at line 3, column 3); write each key"),
    ('name = "s"\nx = {a = 1, a = 2}', "not TOML: Duplicate inline table key 'a'"),
    ("name = 's'\nonset = 2026-02-30", "not TOML: Invalid date or datetime (at line 2"),
    (TARIFF + "lag = inf", "lag is inf, allowed: a nu"),
    (TARIFF + "size = nan", "size is nan"),
    (TARIFF + "exposure = {}", "is an empty table"),
    ("a = " + 5_000 * "[" + 5_000 * "]", "nested deeper than any scenario is"),
    (".".join(20 * ["a"]) + " = 1", "unknown key 'a'; allowed: name"),
    ("name = 's'\nversion = " + 5_000 * "9", "not TOML"),
    (f"name = 's'\ninterventions = 'none'\nversion = 0x{400 * 'f'}", "version is 4446241647709"),
    ("name = 2026-03-01T10:00:00Z", "name is datetime.datetime(2026, 3, 1"),
    ('name = "s"\ninterventions = "none"\ntitle = "\\u0007"', "title is '\\x07', allowed: text"),
    ("name = 's'\n1 = 2", "unknown key '1'"),
    ("name = ", "not TOML"),
]

BAD = [
    *((ONE % text, said, seen) for text, said, seen in KEYS),
    *((SAID % text, f"lag.judgements[2]{said}", seen) for text, said, seen in PEOPLE),
    *FILES,
]


def refused(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        sc.read_scenarios(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert line.isprintable()
    assert len(line) < len(str(path)) + 1200
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize(("text", "said", "seen"), BAD, ids=[f"{i}-{s[:30]}" for i, (_, s, _) in
                                                              enumerate(BAD)])  # fmt: skip
def test_one_line_names_scenario_key_value_and_what_is_allowed(tmp_path, text, said, seen):
    assert refused(tmp_path / "bad.yaml", text).startswith((said, IN + said))
    # What the parser itself refuses no schema sees.
    assert seen is None or good(text) is not seen


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("bad.yaml", *row) for row in MORE] + [("bad.toml", *row) for row in TOML],
    ids=[said for _, said in (*MORE, *TOML)],
)
def test_files_that_want_more_than_a_scenario(tmp_path, name, text, said):
    assert said in refused(tmp_path / name, text)


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path):
    text = (
        "name: s\ninterventions:\n"
        "  - {prior: tariff-only, onset: March, size: -3, lag: -3, rebound: {after: x, ramp: y}}\n"
        "  - {prior: tarif}\n  - {prior: tariff-only, spred: 1, lags: 2}\n"
    )
    told = refused(tmp_path / "s.yaml", text).split("; also ")
    assert [each[:40] for each in told] == [
        "s, intervention 1: onset is 'March', all", "size is -3, -95% deaths at full effect; ",
        "lag is -3, allowed: 0 to 1,200", "rebound: key 'fraction' is missing; or w",
        "s, intervention 2: prior is 'tarif', did", "s, intervention 3: unknown key 'spred', ",
    ]  # fmt: skip
    assert "unknown key 'spred', did you mean 'spread'? and 'lags', did you mean 'lag'?" in told[-1]
    with pytest.raises(ScenarioError, match=r"^x: lag is .*; also ramp is .*; also share is .*"):
        sc.Intervention("x", sc.Fixed(0), lag=-1, ramp="soon", share=2)


@pytest.mark.parametrize("text", ["share: 50", "percent: -0.3", "p_null: 0.1, p_null: 0.9"])
def test_the_command_line_says_the_same_and_writes_nothing(tmp_path, text):
    path, out = tmp_path / "bad.yaml", tmp_path / "out"
    line = refused(path, ONE % text)
    shown = CliRunner().invoke(main, ["scenario", "show", str(path)])
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr.splitlines() == [f"error: {path}: {line}"]
    words = ["scenario", "run", "--scenario", str(path), "--locations", "OH", "--model", "drift",
             "--draws", "20", "--out", str(out)]  # fmt: skip
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    *said, last = result.stderr.splitlines()
    assert last == f"error: {path}: {line}"
    assert not any("error" in each for each in said)
    assert sorted(tmp_path.iterdir()) == [path]


def test_files_that_are_no_text_not_there_or_of_another_kind(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes("name: \xe9".encode("latin-1"))
    with pytest.raises(ScenarioError, match="byte 6 is not UTF-8"):
        sc.read_scenarios(path)
    path.write_bytes(b"\xef\xbb\xbfname: s\r\ninterventions: none\r\n")
    assert sc.read_scenarios(path)[0].name == "s"
    path.write_bytes(b"#" * 200_001)
    with pytest.raises(ScenarioError, match="more than 200,000 bytes"):
        sc.read_scenarios(path)
    for missing in ("a\0.yaml", tmp_path / "none.yaml"):
        with pytest.raises(ScenarioError, match="cannot read"):
            sc.read_scenarios(missing)
    with pytest.raises(ScenarioError, match=r"allowed: \.yaml, \.yml or \.toml"):
        sc.parse_scenarios("", ".json")
    for several, said in (
        ((), "scenarios is (), allowed: a Scenario, or a list"),
        (3, "scenarios is 3, allowed"),
        ((sc.NULL, "x"), "scenarios is (<Scenario null"),
        ((sc.NULL, sc.NULL), "'null' is given twice"),
    ):
        with pytest.raises(ScenarioError, match=re.escape(said)):
            sc.write_scenarios(tmp_path / "unreadable.yaml", several)
    with pytest.raises(ScenarioError, match=r"cannot write .*none.x.yaml: No such file"):
        sc.write_scenarios(tmp_path / "none" / "x.yaml", sc.NULL)
    assert list(tmp_path.iterdir()) == [path]


# A file and Python take the same way, so here stands only what no file can say.
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"onset": ("2026-01", "2026-02", "2026-03")}, "allowed: a month such as 2026-03"),
        ({"onset": ("2026-05", "2026-01")}, "the first not after the last"),
        ({"rebound": 0.3}, "rebound is 0.3, allowed: a table of keys, or none"),
        ({"lag": sc.Percent(50)}, "lag is 50%, a size in percent, allowed: a number or another"),
        ({"half_life": sc.Dose(40, 1)}, "half_life is change 40% x elasticity 1, a size in dose"),
        ({"note": "\x1b[2J"}, "note is '\\x1b[2J', allowed: text of up to 5,000 characters, with"),
        ({"references": ("a\u2028",)}, "allowed: a list of texts, without control codes"),
        (lambda: sc.Rebound(sc.Fixed(2)), "rebound.fraction is 2, allowed: 0 to 1"),
        (lambda: sc.Rebound("some"), "rebound.fraction is 'some', allowed: a number or o"),
    ],
)
def test_mistakes_in_python(changes, words):
    keys = {"name": "x", "size": sc.Fixed(-0.1), "onset": "2026-01"}
    with pytest.raises(ScenarioError) as caught:
        changes() if callable(changes) else sc.Intervention(**(keys | changes))
    assert words in str(caught.value)


def test_the_schema_lists_what_the_library_has():
    nouns = sc.json_schema()["$defs"]
    for each in ("Scenario", "Intervention", "Rebound"):
        assert all(x["description"] for x in nouns[each]["properties"].values())
    for each in ("Intervention", "Rebound"):
        assert nouns[each]["properties"]["prior"]["enum"] == list(sc.prior_names())
    scopes = set(INDICATOR_NAMES) - {"all-deaths"}
    assert set(nouns["Intervention"]["properties"]["scope"]["enum"]) == scopes
    kinds = nouns["Distribution"]["properties"]
    assert list(kinds["normal"]["properties"]) == ["mean", "sd"]
    assert list(kinds["lognormal"]["properties"]) == ["median", "sigma"]
    assert list(kinds["uniform"]["properties"]) == ["low", "high"]
    assert list(kinds["beta"]["properties"]) == ["a", "b"]
    assert {"fixed", "quantiles", "judgements"} < set(kinds)
    assert [n for n in sc.prior_names() if "fraction" in prior_table(n)] == ["substitution-rebound"]


def test_the_schema_is_one_that_editors_can_read():
    """No misspelt rule, which a validator would pass over in silence."""
    schema = sc.json_schema()
    Draft202012Validator.check_schema(schema)
    known = {*Draft202012Validator.VALIDATORS, "$schema", "$defs", "title", "description",
             "then", "else", "default"}  # fmt: skip

    def rules(at):
        if not isinstance(at, dict):
            return
        assert set(at) <= known, set(at) - known
        for word, inner in at.items():
            if word in ("properties", "$defs"):
                inner = list(inner.values())
            if word not in ("const", "enum", "required"):
                for each in inner if isinstance(inner, list) else [inner]:
                    rules(each)

    rules(schema)


def good(text, suffix=".yaml"):
    return Draft202012Validator(sc.json_schema()).is_valid(load(text, suffix))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_the_examples_are_read_and_fit_the_schema(path):
    assert good(path.read_text(encoding="utf-8"))
    assert sc.read_scenarios(path)


def test_what_is_written_fits_the_schema():
    for name in sc.prior_names():
        x = sc.named_intervention(name, onset={"between": ["2026-03", "2026-05"]},
                               rebound={"prior": "substitution-rebound"})  # fmt: skip
        made = sc.Scenario("s", (x,))
        assert good(sc.dump_scenarios(made))
        assert good(sc.dump_scenarios((made, sc.Scenario("null")), ".toml"), ".toml")
    own = "name: s\ninterventions: [{name: cut, onset: 2026-03, %s}]"
    assert good("name: null")
    assert good("name: s\ninterventions: [{prior: tariff-only}]")  # open: after the as-of date
    assert good(own % "percent: {quantiles: {5%: -30%, 50%: -10%}}, exposure: {OH: 40%}")
    assert good(ONE % "probability: 1")
    assert good(ONE % "probability: ' 100.0%'")
    for spread in ("0", "0.0", "{uniform: [0, 1]}", "{uniform: {low: 0.0, high: 1.0}}"):
        assert good(ONE % f"lag_spread: {spread}")
        sc.parse_scenarios(ONE % f"lag_spread: {spread}")
    assert good(own % "size: {quantiles: {1e1%: -0.1, +50%: 0.1}}")
    assert good(own % "dose: {change: -40%, elasticity: {uniform: [0, 0.84]}}, share: '50%'")


def test_a_file_of_every_key_is_read():
    (found,) = sc.parse_scenarios(
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
    assert (x.p_null, x.residue, x.share) == (0.1, sc.Fixed(0.2), sc.Fixed(0.5))
    assert dict(x.exposure) == {"OH": 1.0, "default": 0.3}
    assert (x.scope, x.direction, x.references) == ("T40.4", "fall", ("A 2020. T. J.",))
    for suffix in (".yaml", ".toml"):
        assert sc.parse_scenarios(sc.dump_scenarios(found, suffix), suffix) == (found,)
