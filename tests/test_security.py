"""What comes from outside stays data: docs/reference/security.md names a test of each claim."""

import ast
import csv
import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import audit
import pandas as pd
import pytest
from commands import ok, run
from site_factory import Page, sha256
from socrata_server import FakeSocrata, release_rows

import odforecast as od
from odforecast import errors
from odforecast.cli.score_files import model_name
from odforecast.models import registry
from odforecast.plot.files import describe
from odforecast.report.brief import write_briefs
from odforecast.report.page import for_spreadsheets, harmless
from odforecast.scenario import named_intervention, read_scenarios
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.fetch import Socrata

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "odforecast"
#: Names nobody may turn into a path.
NAMES = (
    "../up", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "~", "~root", ".", "..", ".hidden",
    "a\0b", "a\nb", "CON", "nul ", "C:x", "x" * 5_000, "", " ", "-rf", "$HOME", "%00", "\u202etxt",
)  # fmt: skip


def test_every_test_that_the_page_names_is_there():
    page = (ROOT / "docs" / "reference" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    texts = [p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py")]
    assert len(named) > 15
    assert named <= {n for text in texts for n in re.findall(r"^def (test_\w+)", text, re.M)}
    assert all((ROOT / f).exists() for f in re.findall(r"`(tests/[\w/]+\.py)`", page))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_scenarios_are_no_paths(name, tmp_path):
    with pytest.raises(errors.ScenarioError, match="name is "):
        od.Scenario(name)
    path = tmp_path / "s.toml"
    quoted = "".join(f"\\U{ord(c):08x}" for c in name)
    path.write_text(f'name = "{quoted}"\n', encoding="utf-8")
    with pytest.raises(errors.ScenarioError):
        read_scenarios(path)


@pytest.mark.parametrize("name", [n for n in NAMES if n])
def test_names_of_models_and_data_sets_are_no_paths(name, panel):
    with pytest.raises(errors.OdforecastError):
        od.get_model(name)
    if name != "-rf":
        with pytest.raises(errors.OdforecastError), Socrata("http://127.0.0.1:1") as client:
            client.metadata(name)
    with pytest.raises(errors.OdforecastError):
        panel.select([name])


def test_a_label_is_no_path_and_no_formula():
    for name in (*NAMES, "=1+1", "+1", "-1", "@x", "\t1"):
        if not name or name in ("nul ", "CON") or name == "x" * 5_000:
            continue
        with pytest.raises(errors.OdforecastError):
            od.get_model("drift", label=name)


@pytest.mark.slow
def test_a_run_writes_into_its_folder_and_nowhere_else(tmp_path):
    bad = "...x<script>alert(1)<!script>"
    path, out = tmp_path / "s.yaml", tmp_path / "deep" / "out"
    path.write_text(
        "name: ok\nquestion: '../../q'\ninterventions:\n"
        "  - {prior: tariff-only, onset: 2026-03, note: '=1+1', "
        f"name: '{bad}', source: '{bad}'}}\n"
    )
    ok("scenario", "run", "--scenario", path, *["--source", "bundled", "--model", "drift"],
       *["--locations", "US", "--horizon", "12", "--draws", "40", "--out"], out)  # fmt: skip
    made_here = set(tmp_path.rglob("*")) - {path, out.parent}
    assert all(p.is_relative_to(out) for p in made_here)
    names = sorted(p.name for p in (out / "data" / "figures").iterdir())
    assert names == ["averted.svg", "fan.svg", "options.svg", "prior_ok.svg"]
    assert "<script" not in (out / "brief.html").read_text(encoding="utf-8")
    lines = (out / "data" / "exposure.csv").read_text(encoding="utf-8").splitlines()
    assert list(csv.reader(lines))[1][1] == bad  # two points begin no formula


def test_names_of_hub_files_become_names_of_models_only(tmp_path):
    for name in ("..", "a b", "=x", "~"):
        assert model_name(Path(f"2024-12-11-{name}.csv")) == name
    for name in ("a\x1b[2J", "a\nb", "\udcff", "a\u202eb"):
        with pytest.raises(errors.DataError, match="name a model: it contains control characters"):
            model_name(Path(f"2024-12-11-{name}.csv"))


@pytest.mark.parametrize("text", [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "=cmd|' /C calc'!A0", "-x",
])  # fmt: skip
def test_no_text_of_a_table_begins_a_formula(text):
    table = pd.DataFrame({text: [text, "a=1"], "n": [-1.5, 2], "s": ["-1.5", "1e-3"]})
    lines = list(csv.reader(io.StringIO(for_spreadsheets(table).to_csv(index=False))))
    assert lines[0][0].startswith("'")
    assert lines[1][0].startswith("'")
    assert lines[2] == ["a=1", "2.0", "1e-3"]
    assert lines[1][1:] == ["-1.5", "-1.5"]  # numbers are untouched
    assert table.columns[0] == text  # and so is the table itself
    assert harmless(-2) == -2


def test_scores_of_a_model_named_as_a_formula(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forecast = od.get_model("naive").fit(panel.select("US").cut("2023-09")).forecast(draws=80)
    od.write_hub(od.to_hub(forecast), "=1+1.csv")
    ok("score", "=1+1.csv", "--out", "s.csv")
    scores = pd.read_csv("s.csv")
    assert set(scores["model"]) == {"'=1+1"}
    assert set(scores["file"]) == {"'=1+1.csv"}
    assert scores["bias"].dtype == float


def test_tables_of_cdcs_figures_hold_cdcs_words_only(tmp_path):
    for key in ("indicator", "state"):
        rows = [dict(r) for r in release_rows(("US", "WV"), months=30)]
        rows[3][key] = "=1+1"
        path = tmp_path / "2025-09-17.json"
        path.write_text(json.dumps(rows))
        with pytest.raises(errors.DataError, match=r"'=1\+1' is no"):
            read_vsrr(path)


EVIL = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)",
    "javascript:alert(1)", "</title></style><b>", "&lt;b&gt;", "<a href='javascript:x'>x</a>",
    "$\\frac$", "{{7*7}}", "]]>", "<!--",
)  # fmt: skip


@pytest.fixture(scope="module", params=["brief.html", "brief-annex.html"])
def page(request, panel, tmp_path_factory) -> str:
    us, text = panel.select(["US"]), "".join(EVIL)
    said = {"source": text, "note": text, "backfire": text, "references": (text,)}
    tariffs = replace(named_intervention("tariff-only", onset="2025-10"), **said)
    parts = tuple(replace(tariffs, name=f"x{i}") for i in range(2))
    scenario = od.Scenario("evil", parts, title=text, question=text)
    made_of = od.get_model("drift").fit(us).forecast(12, draws=40, seed=1)
    made_of = replace(made_of, provenance={**made_of.provenance, "model": text})
    folder = tmp_path_factory.mktemp("pages")
    made = write_briefs(od.project(made_of, [scenario], seed=1), folder, panel=us)
    return (folder / request.param).read_text(encoding="utf-8") if len(made) == 2 else ""


def test_a_page_escapes_everything(page):
    parsed = Page(page)
    assert {tag for tag, _ in parsed.elements} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "strong", "ul",
        "li", "table", "tr", "th", "td", "figure", "figcaption", "footer", "br", "em",
        "main", "section", "h3", "thead", "tbody", "caption", "a", "ol", "code", "dl", "dt", "dd",
        "span", "header", "svg", "text", "line", "rect", "circle", "path", "small", "b", "g",
        "defs", "use", "clippath",
    }  # fmt: skip
    assert {key for _, at in parsed.elements for key in at} <= {
        "lang", "charset", "name", "content", "http-equiv", "class", "scope", "href", "viewbox",
        "id", "role", "data-label", "width", "height", "aria-hidden", "overflow", "x", "y",
        "text-anchor", "font-size", "x1", "x2", "y1", "y2", "stroke", "stroke-width", "rx",
        "stroke-dasharray", "fill", "cx", "cy", "r", "d", "tabindex", "aria-label", "clip-path",
        "font-weight", "fill-opacity", "opacity", "data-box", "data-x", "data-y",
        "stroke-linejoin", "stroke-linecap", "stroke-opacity", "paint-order", "transform",
    }  # fmt: skip
    links = {at["href"] for _, at in parsed.elements if not at.get("href", "#").startswith("#")}
    assert links <= {"brief.html", "brief-annex.html"}
    shown = "".join(parsed.texts)
    assert all(evil in shown for evil in EVIL)  # and all of it is there to be read


def test_a_page_carries_a_policy_that_lets_nothing_in(page):
    policy = Page(page).policy()
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "img-src data:" in policy
    assert f"style-src '{sha256(Page(page).between('style'))}'" in policy
    assert " style=" not in page  # the policy would not let it
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_every_page_is_a_template_that_escapes():
    """No other module makes HTML: a second one must escape, and carry the policy, too."""
    makers = {
        p.relative_to(SOURCE).as_posix()
        for p in SOURCE.rglob("*")
        if p.suffix in (".py", ".j2", ".html")
        # Tables of objects in a notebook; tests/test_objects.py holds that it escapes.
        and p.name != "say.py"
        and re.search(r"<(body|td|div|script|h1|a href)[ >]", p.read_text(encoding="utf-8"))
    }
    assert makers
    assert all(m.startswith("report/templates/") for m in makers), makers
    text = "".join((SOURCE / m).read_text() for m in makers)
    # Ours, not a scenario's: the policy, the style and figures ("d"), whose texts inline escapes.
    assert sorted(re.findall(r"{{\s*(.*?)\s*\|\s*safe", text)) == ["d", "policy", "style"]


def test_a_figure_in_a_page_escapes_its_texts():
    axes = od.plot.sheet((358, 300))
    axes.text(0.5, 0.5, "<script>alert(1)</script>", gid='x"><script>')
    describe(axes, 'A "quoted" <b>sentence</b>')
    shown = od.plot.inline(axes, "k")
    assert "&lt;script&gt;alert(1)" in shown
    assert "&lt;b&gt;sentence" in shown
    assert not re.search(r"<(script|b)\b", shown)


def test_a_plug_in_is_imported_when_it_is_asked_for_and_not_before(monkeypatch):
    loaded = []

    def load():
        loaded.append(point.name)
        raise ImportError("a stranger's code would run here")

    point = SimpleNamespace(name="plugged-in", value="x:y", dist=None, load=load)
    monkeypatch.setattr("odforecast.models.registry.entry_points", lambda **_: [point])
    assert "plugged-in" in registry.model_names()
    od.get_model("drift")
    assert loaded == []
    with pytest.raises(errors.UnknownNameError, match="cannot be loaded: ImportError"):
        od.get_model("plugged-in")
    assert loaded == ["plugged-in"]


#: Where pickles are made or read, and why that is no way in.
ALLOWED = {
    ("backtesting/workers.py", "pickle"): "between a run and its workers: a pipe, Dask, or a "
    "folder that only this user can read, named by a hash that is checked",
    ("backtesting/run.py", "pickle"): "asks whether a caller's metric can travel; reads none",
    ("vintage/past.py", "subprocess"): "git, without a shell, on addresses of known kinds only",
    ("sources/yaml.py", "yaml.load"): "by a loader that makes plain values only",
    ("testing/contract.py", "pickle"): "the contract suite tries whether a model can be pickled",
}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "subprocess"}
CALLS = {
    "eval", "exec", "compile", "__import__", "breakpoint", "os.system", "os.popen", "np.load",
    "numpy.load",
}  # fmt: skip
LOADERS = ("read_pickle", "to_pickle", "yaml.unsafe_load", "yaml.full_load", "yaml.load")
UNVERIFIED = {"_create_unverified_context", "CERT_NONE", "disable_warnings"}


def risks(tree: ast.AST) -> list[str]:
    """Names of what can run a program or make an object from bytes."""
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS or name.startswith("os.exec") or name.endswith(LOADERS):
                found.append(name)
            said = {f"{k.arg}={ast.unparse(k.value)}" for k in node.keywords}
            found += said & {"allow_pickle=True", "shell=True", "verify=False"}
        elif isinstance(node, ast.Attribute) and node.attr in UNVERIFIED:
            found.append(node.attr)
        elif isinstance(node, ast.Assign) and ast.unparse(node).endswith(".verify = False"):
            found.append("verify=False")
        found += [name for name in names if name.split(".")[0] in MODULES]
    return found


@pytest.mark.slow
def test_the_source_runs_no_program_and_reads_no_pickle():
    found = {
        (p.relative_to(SOURCE).as_posix(), risk)
        for p in SOURCE.rglob("*.py")
        for risk in risks(ast.parse(p.read_text(encoding="utf-8")))
    }
    assert found == set(ALLOWED)


def test_files_of_ours_hold_no_pickles(panel, tmp_path, fetched):
    forecast = od.get_model("drift").fit(panel.select("US")).forecast(6, draws=50, seed=1)
    forecast.save(tmp_path / "saved")
    od.write_hub(od.to_hub(forecast), tmp_path / "hub.parquet")
    words = "backtest --source bundled --models naive --locations US --start 2023-01"
    words += " --end 2023-02 --horizon 3 --draws 20 --jobs 1 --out"
    ok(*words.split(), tmp_path / "run")
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size]
    assert len(files) > 6
    for path in [*files, *fetched]:
        data = path.read_bytes()
        assert data[:1] != b"\x80", path
        assert b"\x80\x04\x95" not in data[:64], path
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        assert data[:4] == b"PAR1" or data.decode("utf-8"), path
        assert b"SOCRATA" not in data


TOKEN = "s3cret-app-token-0123456789"


@pytest.fixture(scope="module")
def fetched(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("fetched")
    with FakeSocrata(release_rows(("US", "WV"), months=30)) as server:
        words = ("data", "fetch", "--url", server.url, "--archive", folder / "a")
        result = run(*words, env={"SOCRATA_APP_TOKEN": TOKEN})
        assert {h.get("X-App-Token") for _, _, h in server.log} == {TOKEN}
    assert result.exit_code == 0, result.output
    assert TOKEN not in result.output
    return [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size]


class Talkative(FakeSocrata):
    status, headers, answer_with = 302, {}, None

    def answer(self, handler, kind, params, make):  # noqa: ARG002
        self.log.append((kind, params, dict(handler.headers)))
        got = handler.headers.get("X-App-Token", "")
        body = self.answer_with or f'{{"message": "your headers: X-App-Token: {got}"}}'
        self.send(handler, self.status, body.encode(), self.headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("soda3", [False, True])
def test_the_token_does_not_follow_a_redirect(status, soda3):
    with Talkative([]) as other, Talkative(release_rows(months=2)) as server:
        place = other.url.replace("127.0.0.1", "localhost")
        server.status, server.headers = status, {"Location": f"{place}/?t={TOKEN}"}
        client = Socrata(server.url, token=TOKEN, soda3=soda3, sleep=lambda _: None)
        with client, pytest.raises(errors.DownloadError) as caught:
            client.page("xkb8-kh2a", 0)
        assert f"answer {status}" in str(caught.value)
        assert "moved to" in str(caught.value)
        assert TOKEN not in str(caught.value)
        assert server.log[0][2]["X-App-Token"] == TOKEN
        assert other.log == []


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500, 503])
def test_the_token_is_in_no_message(status, caplog):
    told = []
    with caplog.at_level("DEBUG"), Talkative(release_rows(months=2)) as server:
        server.status = status
        keys = {"sleep": lambda _: None, "attempts": 2, "notify": told.append}
        client = Socrata(server.url, token=TOKEN, **keys)
        for ask in ("metadata", "count", "page", "page"):
            with pytest.raises(errors.OdforecastError) as caught:
                getattr(client, ask)("xkb8-kh2a", *([0] if ask == "page" else []))
            chain = [caught.value, caught.value.__cause__, caught.value.__context__]
            assert TOKEN not in "".join(f"{e!r}{e}" for e in chain)
            if ask == "page":
                server.answer_with = f"<title>{TOKEN}</title>"
    assert TOKEN not in "".join(told) + repr(client) + caplog.text


def test_the_token_is_in_no_file(fetched):
    assert fetched
    for path in fetched:
        data = path.read_bytes()
        assert TOKEN.encode() not in (gzip.decompress(data) if path.suffix == ".gz" else data)


def test_the_token_is_not_sent_where_it_can_be_read(monkeypatch):
    monkeypatch.setenv("SOCRATA_APP_TOKEN", TOKEN)
    with pytest.raises(errors.DownloadError, match="could be read on its way there") as caught:
        Socrata("http://data.example.org")
    assert TOKEN not in str(caught.value)
    assert "with token" in repr(Socrata("https://data.example.org"))
    monkeypatch.delenv("SOCRATA_APP_TOKEN")
    assert "no token" in repr(Socrata("http://data.example.org"))


def test_servers_are_checked_for_who_they_are():
    with Socrata("https://data.example.org") as client:
        assert client._session.verify is True


def test_a_known_vulnerability_fails_the_audit_and_silence_is_no_pass():
    known = {"name": "x", "version": "1", "vulns": []}
    bad = known | {"vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
    unknown = {"name": "y", "skip_reason": "unknown"}
    for packages, status, said in (
        ([known, bad], 1, "dependencies with known vulnerabilities:\nx 1: CVE-1, fixed in 2"),
        ([known, unknown], 0, "1 dependencies audited, no known vulnerability; "
         "1 unknown to the database were not audited"),
        # An index without the database answers "unknown" for everything, and pip-audit ends with 0.
        ([unknown] * 3, 0, "dependencies were not audited: the database knows none of 3"),
    ):  # fmt: skip
        assert audit.judged({"dependencies": packages}) == (status, said)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no route to host' >&2; exit 2", "dependencies were not audited: no route to host"),
        ("exit 1", "dependencies were not audited: no answer"),
        ("echo '[1]'", "dependencies were not audited: [1]"),
        ("exec sleep 30", "dependencies were not audited: no answer in 0.5 s"),
        (None, "does not run (No such file or directory)"),
    ],
)
def test_an_audit_that_cannot_be_made_says_so(tmp_path, script, said):
    uv = tmp_path / "uv"
    if script is not None:
        uv.write_text(f"#!/bin/sh\n{script}\n")
        uv.chmod(0o755)
    status, text = audit.judged(audit.report(uv, 0.5 if script == "exec sleep 30" else 20))
    assert status == 0
    assert said in text
