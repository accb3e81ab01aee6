"""Made-up copies of past releases, a list of them, and a server of their bytes."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
from release_factory import cdc_form
from socrata_server import FakeServer, Quiet

import odforecast as od
from odforecast.vintage.past import COLUMNS, git_blob


@cache
def release_csv(last: str, change: float = 1) -> bytes:
    """Three places of the bundled release up to a month, West Virginia's last count changed."""
    table = od.bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(["US", "WV", "YC"]) & (table["month"] <= last)]
    table = table[table["month"] > pd.Timestamp(last) - pd.DateOffset(months=30)]
    reported = table["reported"].copy()
    reported[(table["state"] == "WV") & (table["month"] == last)] *= change
    return cdc_form(table.assign(reported=reported.round())).to_csv(index=False).encode()


def row(date, last, content, owner="someone", path="counts.csv", check="sha256", **more):
    """A row of a list of copies; ``basis`` and ``settled`` say how its date is known."""
    return dict.fromkeys(COLUMNS, "") | {
        "release_date": date,
        "release_basis": more.get("basis", "inferred"),
        "last_month": last,
        "repository": f"{owner}/drugs",
        "commit": hashlib.sha1(f"{owner}{path}".encode()).hexdigest(),
        "path": path,
        "sha256": hashlib.sha256(content).hexdigest() if check == "sha256" else "",
        "git_blob": git_blob(content) if check in ("sha256", "git blob") else "",
        "contents_read": "yes" if more.get("settled", True) else "no",
    }


@dataclass
class Made:
    """A list of copies, and what lies at their addresses."""

    rows: list[dict[str, str]]
    files: dict[str, bytes]

    @classmethod
    def of(cls, *pairs: tuple[dict[str, str], bytes | None]) -> Made:
        """Rows with the bytes at their address; None: nothing is there."""
        files = {address(one): content for one, content in pairs if content is not None}
        return cls([one for one, _ in pairs], files)

    def write(self, file: Path) -> Path:
        pd.DataFrame(self.rows).to_csv(file, index=False)
        return file


def address(one: dict[str, str]) -> str:
    return f"/{one['repository']}/{one['commit']}/{one['path']}"


class FileServer(FakeServer):
    """Serves files, and misbehaves: ``faults[path]`` are taken first in, first out.

    Faults: three digits, that status; ``"cut"``, fewer bytes than promised; ``"drop"``;
    ``"stall"``; ``"endless"``; ``"elsewhere"``, a redirect to another file of the server.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.faults: dict[str, deque[str]] = defaultdict(deque)
        self.log: list[str] = []
        self.raw: list[str] = []
        fake = self

        class Handler(Quiet):
            def do_GET(self) -> None:
                fake.answer(self)

        super().__init__(Handler)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(handler.path)
        self.log.append(path)
        self.raw.append(handler.path)
        fault = self.faults[path].popleft() if self.faults[path] else ""
        content, status = self.files.get(path), 200
        if content is None and not fault:
            content, status = b"404: Not Found", 404
        content = content or b""
        length = len(content)
        if fault.isdigit():
            content, status, length = b"no", int(fault), 2
        elif fault == "cut":
            content = content[: len(content) // 2]
        elif fault == "elsewhere":
            content, status, length = b"", 302, 0
        handler.close_connection = bool(fault)
        if fault == "stall":
            self.stop.wait(3)
        if fault in ("drop", "stall"):
            return
        handler.send_response(status)
        if fault == "elsewhere":
            handler.send_header("Location", f"{self.url}{next(iter(self.files))}")
        handler.send_header("Content-Length", str(10**15 if fault == "endless" else length))
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(content)
            while fault == "endless" and not self.stop.is_set():
                handler.wfile.write(b"WV,2024,July\n" * 5000)
