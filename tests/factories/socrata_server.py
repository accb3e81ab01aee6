"""A server on this machine that behaves like Socrata, and misbehaves on request."""

import gzip
import json
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, count, repeat, takewhile
from typing import Self
from urllib.parse import parse_qs, urlsplit

import pandas as pd

import odforecast as od

FIELDS = {
    "state": "text", "year": "number", "month": "text", "period": "text", "indicator": "text",
    "data_value": "number", "percent_complete": "text", "percent_pending_investigation": "number",
    "state_name": "text", "footnote": "text", "footnote_symbol": "text",
    "predicted_value": "number", ":@computed_region_x": "number",
}  # fmt: skip
#: 2025-09-17 14:00 UTC, in the morning in Washington.
UPDATED = 1758117600


def release_rows(states: tuple[str, ...] = ("US", "WV", "YC"), months: int = 40) -> list[dict]:
    """Rows of the bundled release as Socrata answers them: text, blanks left out."""
    table = od.bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(states)]
    table = table[table["month"] > table["month"].max() - pd.DateOffset(months=months)]
    return as_socrata(table)


def as_socrata(table: pd.DataFrame) -> list[dict]:
    rows = []
    for row in table.itertuples():
        counts = {"data_value": row.reported, "predicted_value": row.predicted}
        known = {name: f"{count:.0f}" for name, count in counts.items() if count == count}
        rows.append({
            "state": row.state, "year": str(row.month.year), "month": f"{row.month:%B}",
            "period": "12 month-ending", "indicator": row.indicator, **known,
        })  # fmt: skip
    return rows


class Quiet(BaseHTTPRequestHandler):
    """Says nothing of what it does, and holds no small writes back."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: object) -> None:
        pass


class FakeServer:
    """A server on this machine, in a thread of its own."""

    def __init__(self, handler: type[Quiet]) -> None:
        self.stop = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


class FakeSocrata(FakeServer):
    """Serves ``rows`` of one data set; faults are taken from ``faults[kind]``, first in first out.

    Kinds of requests: ``meta``, ``count``, ``page``. Faults: ``"429"`` and ``"503"``, optionally
    with the value of Retry-After (``"429:7"``); ``"html"``; ``"truncate"``; ``"cut-json"``;
    ``"stall"``; ``"trickle"``; ``"drop"``; ``"endless"``, ``"endless-gzip"``, ``"endless-rows"``,
    ``"chunked"`` (an answer without end); ``"gzip"``, ``"gzip-cut"``, ``"gzip-more"``; ``"deep"``
    (nested JSON); ``"too-many"`` (rows); any other three digits: that status; ``""``: none.
    """

    def __init__(self, rows, updated=UPDATED, dataset="xkb8-kh2a"):
        self.rows = rows
        self.updated = updated
        self.dataset = dataset
        self.fields = dict(FIELDS)
        self.faults: dict[str, deque[str]] = {"meta": deque(), "count": deque(), "page": deque()}
        self.log: list[tuple[str, dict, dict]] = []
        self.before: Callable[[str, int], None] = lambda *_: None
        self.count_offset = 0
        fake = self

        class Handler(Quiet):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                params = {k: v[0] for k, v in parse_qs(url.query).items()}
                if url.path == f"/api/views/{fake.dataset}.json":
                    fake.answer(self, "meta", params, fake.metadata)
                elif url.path != f"/resource/{fake.dataset}.json":
                    fake.send(self, 404, b'{"message": "Cannot find view"}')
                elif "count(" in params.get("$select", ""):
                    fake.answer(self, "count", params, lambda: fake.counted(params.get("$where")))
                else:
                    fake.answer(self, "page", params, lambda: fake.paged(params))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != f"/api/v3/views/{fake.dataset}/query.json":
                    fake.send(self, 404, b'{"message": "Cannot find view"}')
                elif not self.headers.get("X-App-Token"):
                    fake.send(self, 403, b'{"message": "You must be logged in"}')
                elif "count(" in body["query"]:
                    fake.answer(self, "count", body, lambda: fake.counted(None))
                else:
                    size, number = body["page"]["pageSize"], body["page"]["pageNumber"]
                    assert body["query"].endswith("ORDER BY :id")
                    start = (number - 1) * size
                    fake.answer(self, "page", body, lambda: fake.rows[start : start + size])

        super().__init__(Handler)

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.log]

    def metadata(self) -> object:
        columns = [{"fieldName": k, "dataTypeName": v} for k, v in self.fields.items()]
        said = {"id": self.dataset, "name": "A table", "rowsUpdatedAt": self.updated}
        return said | {"columns": columns}

    def chosen(self, where: str | None) -> list[dict]:
        if where is None:
            return self.rows
        assert where.startswith("year >= ")
        return [r for r in self.rows if int(r["year"]) >= int(where.removeprefix("year >= "))]

    def counted(self, where: str | None) -> object:
        return [{"n": str(len(self.chosen(where)) + self.count_offset)}]

    def paged(self, params: dict) -> object:
        start = int(params.get("$offset", 0))
        rows = self.chosen(params.get("$where"))
        if params.get("$order") != ":id":  # as Socrata may: no promise about the order
            rows = rows[::-1] if start % 2 else rows
        return rows[start : start + int(params.get("$limit", 1000))]

    def answer(self, handler, kind, params, make):
        self.log.append((kind, params, dict(handler.headers)))
        self.before(kind, self.kinds().count(kind))
        fault = self.faults[kind].popleft() if self.faults[kind] else ""
        body = json.dumps(make()).encode()
        code, _, after = fault.partition(":")
        if code.isdigit():
            extra = {"Retry-After": after} if after else {}
            self.send(handler, int(code), b'{"message": "no, because"}', extra)
        elif fault == "html":
            self.send(handler, 200, b"<html><title>Down for maintenance</title></html>")
        elif fault == "cut-json":
            self.send(handler, 200, body[: len(body) // 2])
        elif fault == "truncate":  # fewer bytes than promised
            handler.close_connection = True
            self.send(handler, 200, body[: len(body) // 2], length=len(body))
        elif fault == "drop":
            handler.close_connection = True
        elif fault == "stall":
            self.stop.wait(3)
            handler.close_connection = True
        elif fault == "trickle":
            self.send(handler, 200, b"", length=len(body))
            self.stream(handler, (body[i : i + 1] for i in range(150) if not self.stop.wait(0.02)))
        elif fault.startswith(("endless", "chunked")):
            self.without_end(handler, fault)
        elif fault.startswith("gzip"):
            packed = gzip.compress(body)
            packed = {"gzip-cut": packed[:-9], "gzip-more": packed + b"x"}.get(fault, packed)
            self.send(handler, 200, packed, {"Content-Encoding": "gzip"})
        elif fault == "deep":
            self.send(handler, 200, b"[" * 200_000)
        elif fault == "too-many":
            self.send(handler, 200, b"[" + b",".join([b"{}"] * 60_000) + b"]")
        else:
            self.send(handler, 200, body)

    def without_end(self, handler: BaseHTTPRequestHandler, fault: str) -> None:
        start, piece = b"[", b'{"state": "WV", "year": "2024", "month": "July"},' * 2000
        headers = {"endless": ("Content-Length", str(10**15)),
                   "endless-gzip": ("Content-Encoding", "gzip"),
                   "chunked": ("Transfer-Encoding", "chunked")}  # fmt: skip
        handler.send_response(200)
        if fault in headers:
            handler.send_header(*headers[fault])
        handler.end_headers()
        pieces = repeat(piece)
        if fault == "endless-gzip":  # 64 MB in 64 kB
            packer, blanks = zlib.compressobj(wbits=31), b" " * 1_000_000
            start = packer.compress(b"[")
            pieces = (b"".join(packer.compress(blanks) for _ in range(70)) for _ in count())
        elif fault == "chunked":
            start = b"1\r\n[\r\n"
            pieces = repeat(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.stream(handler, chain([start], pieces))

    def stream(self, handler: BaseHTTPRequestHandler, pieces: Iterable[bytes]) -> None:
        handler.close_connection = True
        with suppress(OSError):
            for piece in takewhile(lambda _: not self.stop.is_set(), pieces):
                handler.wfile.write(piece)

    def send(self, handler, status, body, headers=None, length=None):
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        try:
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True
