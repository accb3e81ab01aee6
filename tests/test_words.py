"""Pages, messages and docstrings avoid phrases that readers had to read twice."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "odforecast"
#: What to avoid, and what to write instead.
PHRASES = {
    r"\d %(?![%}\w])": "write 90% without a space",
    r"\bwhat came\b": "the final count, or what was observed",
    r"\bheld what\b|\bheld the (?:count|truth|value)s?\b": "contained the final count",
    r"\bonce final\b": "the final count",
    r"\bmiddle value": "the median",
    r"\bthe middle of \d+ past\b": "the median of past tests",
    r"\bnot to be had\b|\bcan be had\b": "is not available",
    r"\bin all alike\b": "the same in all",
    r"\bcomes? all the same\b": "is replaced by other drugs",
    r"\band no finding\b": "an assumption, not a finding",
    r"\bas if standing there\b": "with the data available then",
    r"\blies? further ahead than\b": "has not been tested against real outcomes",
    r"\bso none is judged\b": "none can be scored yet",
    r"\bfor the file has one day only\b": "because the file does not show how its counts grew",
    r"\bstands? last\b": "is listed last",
    r"\b[Pp]eople who decide\b": "decision-makers",
    r"\bnever believed before\b": "is checked before it is used",
    r"\bWho built it\b|\bWho has fewer\b": "say who does what: the developers, models that ...",
    r"\bmisses the later one\b": "was off by ... on average",
    r"(?<![Tt]here )\b(?:is|are) no (?:month|(?:whole |finite )?numbers?|date|day|place|location|"
    r"label|text|mapping|list|JSON|metric|hub|truth|origin|Origin|saved|page|folder)\b": (
        "X is not a Y"
    ),
}
AVOIDED = {re.compile(pattern): better for pattern, better in PHRASES.items()}
READ = (".py", ".html", ".j2", ".md", ".json", ".yaml", ".yml", ".toml")
NAMED = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/RESULTS.md")
FILES = [ROOT / name for name in NAMED]
FILES += sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)
FILES += sorted(p for p in PACKAGE.rglob("*") if p.suffix in READ)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value
        return
    if path.name == "CHANGELOG.md":  # the present release only
        source = source.partition("\n## ")[2].partition("\n## ")[0]
    yield from enumerate(source.splitlines(), 1)


def test_texts_use_plain_words() -> None:
    faults = [
        f"{path.relative_to(ROOT).as_posix()}, line {line + text[: match.start()].count('\n')}: "
        f"{match[0]!r} (write: {better})"
        for path in FILES
        for line, text in texts(path)
        for pattern, better in AVOIDED.items()
        for match in pattern.finditer(text)
    ]
    assert not faults, "\n".join(faults)
