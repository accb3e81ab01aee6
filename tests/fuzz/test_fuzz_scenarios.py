"""Mutated scenario files: read as they stand, or refused in a line; never anything else."""

import random
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from reader_mutations import Outcome, attempt, mutated_bytes, run_all, seeds

from odforecast.scenario import Scenario, dump_scenarios, json_schema, read_scenarios

#: Seeds of cases that were once wrong; they are run always.
FAILED = (2, 78, 115, 206, 785, 811, 3610)
YAML = """\
name: shock-2026
version: 2
title: A shock
question: What if?
interventions:
  - name: supply
    onset: 2026-03
    scope: T40.4
    size: {normal: [-0.45, 0.2]}
    p_null: 0.1
    direction: fall
    lag: 2
    ramp: {lognormal: [6.5, 0.4]}
    plateau: {uniform: [1.5, 12]}
    half_life: 18
    residue: 0.25
    exposure: {OH: 1.25, default: 0.3}
    spread: 0.15
    share: {beta: [1.5, 4]}
    replaced: 0.35
    backfire: worse drugs
    source: a paper
    grade: low
    note: "nothing: much"
    references: [a book]
    rebound:
      fraction: 0.2
      p_null: 0.5
      after: 7
      ramp: 3
      half_life: none
  - prior: tariff-only
    onset: {between: [2026-01, 2026-06]}
    name: tariffs
  - name: said
    onset: 2026-05
    percent: {quantiles: {5%: -31.5%, 50%: -12}}
"""
VALUES = (
    ".nan", "nan", ".inf", "-.inf", "inf", "1e999", "1.0e+308", "-1", "0", "1", "9", "99", "true",
    "no", "yes", "null", "~", "", "1_000", "0x1F", "0o17", "010", "1:30", "6 months", "20%", "1,5",
    "１２", "9" * 30, "9" * 5_000, "a" * 6_000, "2026-03-01", "2026-03-01T10:00:00Z", "2026-02-30",
    "2013-01", "[]", "{}", "[1, 2]", "{a: 1}", "{a = 1}", "'x'", '"x"', '"\\u0007"', "[" * 3_000,
    "{a: " * 400, "[[[[[[[[[[[[[[1]]]]]]]]]]]]]]", "&a [1]", "*a", "!!python/object:os.system x",
    "!!binary aGk=", "!!float 1", "!x 1", "<<", "| \n  a", "../../etc/passwd", "con", "<script>",
    "=1+1", "[red]x", "\x1b[2J", "\u202e", "é", "0.25", "0.5", "1.5", "3", "US", "fentanyl-share",
    "tariff-only", "20%", "'-0.4%'", "-30%", "T40.4", "saves $5", "{percent: -30}",
    "{OH: 1, Ohio: 1}", "{quantiles: {5%: -30, 50%: -10}}", "{5%: 1, 50%: 2}",
    "{change: -40%, elasticity: 0.5}",
    "{normal: [0, 1]}", "{normal: [0, -1]}", "{beta: [1.0e+300, 1.0e-300]}",
    "{lognormal: [1.0e+200, 1.0e+200]}", "{uniform: [1, 0]}", "{normal: {mean: 0.0, sd: 0.1}}",
    "{between: [2026-06, 2026-01]}", "{between: [1]}", "2026-12", "none", "-0.0", "1.", ".5", "+1",
)  # fmt: skip
DEFS = json_schema()["$defs"]
KEYS = (*(key for each in ("Scenario", "Intervention", "Rebound") for key in
          DEFS[each]["properties"]), "probability", "scenarios", "sise", "1", "true",
        "k" * 600, "a b", "[a]", "? x", "name ", "{}", "__class__", "2026-03-01")  # fmt: skip
PIECES = tuple(bytes([x]) for x in b"\0\n\r:={}[]\"'#&*!|>%@`-,.0123456789\xff\xe9\t ")
BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(9 * ['*' + a])}]\n" for a, b in zip("abcdefghij", "bcdefghijk")
)


def changed_value(lines, r):
    i = r.randrange(len(lines))
    if found := re.match(r"(\s*(?:- )?[\w]+\s*[:=] ?)(.+)$", lines[i]):
        old = found[2]
        new = r.choice(VALUES)
        if (numbers := list(re.finditer(r"\d+", old))) and r.random() < 0.4:
            one = r.choice(numbers)
            digit = r.choice(("", "7", "0", "9.5", "-", ".", "e5", "_", " "))
            new = old[: one.start()] + digit + old[one.end() :]
        lines[i] = found[1] + new


def changed_key(lines, r):
    i = r.randrange(len(lines))
    lines[i] = re.sub(r"\w+(?=\s*[:=])", lambda _: r.choice(KEYS), lines[i], count=1)


def changed_structure(lines: list[str], r: random.Random) -> None:
    """A line is doubled, moved, cut or indented, or something is put before it."""
    i, line = r.randrange(len(lines)), r.choice(lines)
    odd = r.choice((BOMB, "---", "...", "<<: {p_null: 0.9}", "%TAG ! x", "#"))
    old = lines[i]
    rest, new = r.choice((
        (i + 1, [old, line]), (i + r.randrange(1, 6), []), (i + 1, [line]),
        (i + 1, [r.choice((" ", "  ", "    ", "\t")) + old]), (i + 1, [old.lstrip()]),
        (i, odd.split("\n")), (i, lines[i:]), (i + 1, [old[: r.randrange(len(old) + 1)]]),
    ))  # fmt: skip
    lines[i:rest] = new


def case(seed: int, texts: tuple[tuple[str, str], ...]) -> tuple[str, bytes, str]:
    r = random.Random(seed)
    name, text = r.choice(texts)
    kind = r.choice(("value", "value", "key", "structure", "bytes"))
    if kind == "bytes":
        return name, mutated_bytes(r, text.encode(), PIECES), f"{name[2:]} {kind}"
    lines = text.splitlines()
    for _ in range(r.choice((1, 1, 1, 2, 4))):
        {"value": changed_value, "key": changed_key, "structure": changed_structure}[kind](lines, r)
    end = r.choice(("\n", "\n", "\n", "\r\n"))
    code = r.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16"))
    return name, (end.join(lines) + end).encode(code), f"{name[2:]} {kind}"


def numbers_in(text: str) -> Counter[float]:
    """Every number of a text that stands alone, as Python reads it."""
    found: Counter[float] = Counter()
    for word in re.split(r"[\s\[\]{},=:%\"']+", re.sub(r"#.*", "", text)):
        if re.fullmatch(r"[-+]?(0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+)", word):
            found[float(int(word.replace("_", ""), 0))] += 1
        elif re.fullmatch(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?", word):
            found[float(word.replace("_", ""))] += 1
    # A percent of a share is a hundredth of it.
    for word in re.findall(r"([-+]?\d{1,9}(?:\.\d{0,9})?) ?%", text):
        found[float(word) / 100] += 1
    return found


def invented(found: list[Scenario], text: str) -> str:
    """A number or word that was read although it stands nowhere in the file, nor in a prior."""
    there = numbers_in(text)
    for scenario in found:
        if scenario.name not in text and scenario.name != "null":
            return f"name {scenario.name!r}"
        if scenario.version != 1 and not there[float(scenario.version)]:
            return f"version {scenario.version}"
        for x in scenario.interventions:
            if x.name not in text:
                return f"name {x.name!r}"
            if any(str(m) not in text for m in x.onset or ()):
                return f"onset {x.onset}"
            # Two interventions, one of them from a named prior: the written one is first.
            before = text.split("interventions", 1)[-1].split("tariff-only")[0].rsplit("\n", 1)[0]
            first = x is scenario.interventions[0] and x.name != "tariffs"
            if "prior" in text and (not first or re.search(r"prior\W", before)):
                continue
            priors = ("size", "lag", "ramp", "plateau", "half_life", "residue", "spread", "share")
            written = [x.p_null, *(x.exposure.values() if isinstance(x.exposure, Mapping) else ())]
            for prior in (getattr(x, name) for name in (*priors, "replaced")):
                written += [] if prior is None else prior.parameters().values()
            for value in written:
                # 0.5 is the default's: states differ by up to half the size.
                if not there[float(value)] and value not in (0.0, 1.0, 0.5):
                    return f"{x.name}: {value}"
    return ""


def outcome(name: str, data: bytes, folder: Path) -> Outcome:
    found = attempt(lambda path: [*read_scenarios(path)], folder / name, data, 2500)
    if isinstance(found, tuple):
        return found
    if said := invented(found, data.decode("utf-8-sig")):
        return "wrong", said
    # What was read can be written, and means the same then.
    for suffix in (".yaml", ".toml"):
        again = folder / f"again{suffix}"
        again.write_text(dump_scenarios(found, suffix), encoding="utf-8")
        if [*read_scenarios(again)] != found:
            return "lost", f"not the same from {suffix}"
    months = np.arange("2026-01", "2028-01", dtype="datetime64[M]")
    for x in (x for s in found for x in s.interventions):
        if not np.isfinite(x.at("2026-05").draw(months, ["US"], np.ones(1), 20, 1)).all():
            return "wrong", f"{x.name} draws what is no number"
    return "right", ""


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "s.yaml").write_text(YAML)
    toml = dump_scenarios(read_scenarios(tmp_path / "s.yaml"), ".toml")
    return ("s.yaml", YAML), ("s.toml", toml)


@pytest.mark.slow
def test_mutated_scenario_files(texts, tmp_path, capsys):
    def one(seed):
        name, data, what = case(seed, texts)
        return what, outcome(name, data, tmp_path)

    run_all("scenario files", seeds(150, FAILED), one, capsys)


def test_what_is_not_mutated_is_read(texts, tmp_path):
    for name, text in texts:
        assert outcome(name, text.encode(), tmp_path) == ("right", "")
