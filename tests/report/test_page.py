"""The one place where pages are made: escaping, policy, style sheets, paper."""

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from site_factory import Page, sha256

from odforecast.errors import DataError
from odforecast.report.page import render


def plain(title="A title", paragraphs=("Text.",), **look):
    return render("plain", {"title": title, "paragraphs": paragraphs}, **look)


def test_what_cannot_be_seen_is_shown_and_a_blank_is_an_error():
    page = plain("a\x1b[2Jb", ["c\u202ed\udcff", "x\ny\tz", "{{ title }}"])
    page.encode("utf-8")
    for shown in ("a\\x1b[2Jb", "c\\u202ed\\udcff", "x\ny\tz", "{{ title }}"):
        assert shown in page  # text is never a template
    with pytest.raises(UndefinedError, match="title"):
        render("plain", {"paragraphs": []})
    with pytest.raises(TemplateNotFound):
        render("nothing", {})


def test_paper():
    letter, a4 = (Page(plain(paper=paper)) for paper in ("letter", "a4"))
    assert letter.between("style").startswith("@page { size: letter; }\n")
    assert a4.between("style").startswith("@page { size: A4; }\n")
    assert letter.policy() != a4.policy()
    with pytest.raises(DataError, match="unknown paper 'A5'; one of letter, a4"):
        plain(paper="A5")


def test_a_state_puts_its_own_sheet_in_place(tmp_path):
    own = tmp_path / "own.css"
    inside = b"body { background: url( 'data:image/png;base64,AAAA' ) }\n"
    head = b"\xef\xbb\xbf/* ours: https://example.org */\r\nh1 { color: #123456 }\r\n"
    own.write_bytes(head + inside)
    page = Page(plain(stylesheet=own))
    style = page.between("style")
    assert "#123456" in style
    assert "@media print" not in style  # instead of the library's, not beside it
    assert "\r" not in style
    assert sha256(style) in page.policy()


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
        (b"p { content: '\xff' }", "byte 14 is not UTF-8"),
        (None, r"own\.css: No such file.*give a \.css file"),
    ],
)
def test_a_sheet_that_reaches_out_or_cannot_be_read_is_refused_in_one_line(tmp_path, text, said):
    own = tmp_path / "own.css"
    if text is not None:
        own.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=said) as error:
        plain(stylesheet=own)
    assert "\n" not in str(error.value)
    assert "own.css" in str(error.value)
