"""The one place where pages are made: escaping, policy, style sheets, paper."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from jinja2 import TemplateNotFound, UndefinedError

import odforecast as od
from odforecast.errors import DataError
from odforecast.report.page import picture, render, stylesheet


def plain(title="A title", paragraphs=("Text.",), **look):
    return render("plain", {"title": title, "paragraphs": paragraphs}, **look)


def policy_of(page: str) -> str:
    (policy,) = re.findall(r'http-equiv=Content-Security-Policy content="([^"]*)"', page)
    return policy


def style_of(page: str) -> str:
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    return style


def test_what_is_printed_is_escaped():
    page = plain("<script>1</script>", ["\"'><img src=x onerror=alert(1)>", "{{ title }}"])
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;1&lt;/script&gt;" in page
    assert "{{ title }}" in page  # text is never a template


def test_what_cannot_be_seen_is_shown():
    page = plain("a\x1b[2Jb", ["c\u202ed\udcff", "x\ny\tz"])
    page.encode("utf-8")
    assert "a\\x1b[2Jb" in page
    assert "c\\u202ed\\udcff" in page
    assert "x\ny\tz" in page


def test_paper():
    assert style_of(plain()).startswith("@page { size: letter; }\n")
    assert style_of(plain(paper="a4")).startswith("@page { size: A4; }\n")
    assert policy_of(plain()) != policy_of(plain(paper="a4"))
    with pytest.raises(DataError, match="unknown paper 'A5'; one of letter, a4"):
        plain(paper="A5")


def test_a_blank_is_an_error_and_not_a_blank():
    with pytest.raises(UndefinedError, match="title"):
        render("plain", {"paragraphs": []})
    with pytest.raises(TemplateNotFound):
        render("nothing", {})


def test_a_state_puts_its_own_sheet_in_place(tmp_path):
    own = tmp_path / "own.css"
    own.write_bytes(
        b"\xef\xbb\xbf/* ours: https://example.org */\r\nh1 { color: #123456 }\r\n"
        b"body { background: url( 'data:image/png;base64,AAAA' ) }\n"
    )
    page = plain(stylesheet=own)
    style = style_of(page)
    assert "#123456" in style
    assert "@media print" not in style  # instead of the library's, not beside it
    assert "\r" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert digest in policy_of(page)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@import 'x.css';", """asks for something outside itself: "@import 'x.css';\""""),
        ("@IMPORT url(x.css);", "outside itself"),
        ("p { background: url(https://example.org/a.png) }", r"'url\(https://example.org/a.png"),
        ("p { background: URL( 'a.png' ) }", "outside itself"),
        ("p { background: \\75rl(//example.org) }", "outside itself"),
        ("@\\69mport 'x';", "outside itself"),
        ("p { background: -webkit-image-set('a.png' 1x) }", "outside itself"),
        ("p { background: image('a.png') }", "outside itself"),
        ("p {} </style><script>alert(1)</script>", "holds '</'"),
        ("p {}\0", "which no style sheet needs"),
        (" " * 200_001, "200,001 bytes, allowed: up to 200,000"),
    ],
)
def test_a_sheet_that_reaches_out_is_refused_in_one_line(tmp_path, text, said):
    own = tmp_path / "own.css"
    own.write_text(text)
    with pytest.raises(DataError, match=said) as error:
        plain(stylesheet=own)
    assert "\n" not in str(error.value)
    assert "own.css" in str(error.value)


def test_a_sheet_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.css: No such file.*give a \.css file"):
        stylesheet(tmp_path / "none.css")
    (tmp_path / "own.css").write_bytes(b"p { content: '\xff' }")
    with pytest.raises(DataError, match="byte 14 is not UTF-8"):
        stylesheet(tmp_path / "own.css")


def test_a_picture_is_the_same_every_time():
    first, again = (picture(od.plot.tile_map({"OH": -3.0}), "One state", "A line.") for _ in "ab")
    assert first == again
    assert 'aria-label="One state. Change of deaths in a year' in first.drawing
    assert " style=" not in first.drawing
