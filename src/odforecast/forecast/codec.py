"""Values of a forecast and of its panel as JSON and Parquet, and back, bit for bit.

Nothing is pickled: a file from somebody else can hold wrong numbers, but it can run no code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ForecastError
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats, Own, Panel, Triangle
from odforecast.panel.triangle import SAID

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns that say which row it is; all others are numbers.
KEYS = ("location", "draw", "month")


def encode(value: object, where: str) -> Any:
    """A value as JSON, with a tag where JSON has no such type.

    Raises
    ------
    ForecastError
        If the value has no form in the file; ``where`` says what it is.

    Examples
    --------
    >>> encode((np.datetime64("2025-04"), "OH"), "pair")
    {'tuple': [{'month': '2025-04'}, 'OH']}
    """
    if value is None or isinstance(value, bool | int | float | str):
        # numpy's float64 is a float, but only numpy would know it again.
        if type(value).__module__ == "builtins":
            return value
    elif isinstance(value, np.datetime64):
        return {"month": str(value)}
    elif type(value) is dt.date:
        return {"date": value.isoformat()}
    elif isinstance(value, tuple):
        return {"tuple": [encode(v, where) for v in value]}
    elif isinstance(value, frozenset):
        return {"set": sorted(encode(v, where) for v in value)}
    elif isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        return {"map": [[k, encode(v, f"{where}[{k!r}]")] for k, v in value.items()]}
    raise ForecastError(
        f"{where} is a {type(value).__name__}, which a saved forecast cannot hold",
        hint="give text, a number, a date, or tuples and mappings of those",
    )


def decode(value: Any) -> Any:
    """What :func:`encode` made, as it was.

    Examples
    --------
    >>> decode(encode({"seed": "1"}, "provenance"))
    {'seed': '1'}
    """
    if not isinstance(value, dict):
        return value
    ((tag, held),) = value.items()
    if tag == "month":
        return np.datetime64(held)
    if tag == "date":
        return dt.date.fromisoformat(held)
    if tag == "tuple":
        return tuple(decode(v) for v in held)
    if tag == "set":
        return frozenset(held)
    if tag == "map":
        return {k: decode(v) for k, v in held}
    raise ValueError(f"unknown kind of value {tag!r}")


def encode_months(months: Months) -> list[Any]:
    """Consecutive months: the first, and how many."""
    return [str(months[0]), int(months.size)]


def decode_months(held: list[Any]) -> Months:
    """What :func:`encode_months` made, as it was."""
    first, size = held
    return np.asarray(np.datetime64(first, "M") + np.arange(size) * ONE_MONTH)


def to_bytes(table: pa.Table) -> bytes:
    """A table as Parquet: every bit of every number is kept.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from_bytes(to_bytes(pa.table({"value": [0.1]})))["value"].to_pylist()
    [0.1]
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = [name for name in table.column_names if name not in KEYS]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        # A dictionary may join values that compare equal, 0.0 and -0.0; bytes do not.
        use_dictionary=["location"],
        column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
    )
    held: bytes = sink.getvalue().to_pybytes()
    return held


def from_bytes(held: bytes) -> pa.Table:
    """What :func:`to_bytes` wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(held))


def numbers(table: pa.Table, names: list[str]) -> Floats:
    """Columns of a table, shape (rows, columns)."""
    if not names:
        return np.empty((table.num_rows, 0))
    return np.stack([table[name].to_numpy() for name in names], axis=1)


def layers_of(panel: Panel) -> list[str]:
    """Names of a panel's arrays (L, T)."""
    held = ((f.name, getattr(panel, f.name)) for f in fields(panel))
    return [n for n, v in held if isinstance(v, np.ndarray) and v.ndim == 2]


def panel_record(panel: Panel, tables: dict[str, pa.Table], name: str = "panel") -> dict[str, Any]:
    """A panel as JSON, its numbers put into ``tables``, those of panels beside it too.

    Parameters
    ----------
    panel : Panel
    tables : dict of str to Table
        Filled: one table per panel, a row per location and month, a column per layer and per
        earlier release.
    name : str
        Key of the panel in ``tables``.
    """
    import pyarrow as pa

    layers = layers_of(panel)
    columns: dict[str, Any] = {
        "location": np.repeat(np.array(panel.locations, dtype=object), panel.months.size),
        "month": np.tile(panel.months.astype("datetime64[ms]"), len(panel.locations)),
    }
    columns |= {layer: getattr(panel, layer).ravel() for layer in layers}
    triangle = panel.triangle
    if triangle is not None:
        columns |= _said_columns(triangle)
    tables[name] = pa.table(columns)
    special = {*layers, "months", "beside", "triangle", "own"}
    plain = {
        f.name: encode(getattr(panel, f.name), f"panel.{f.name}")
        for f in fields(panel)
        if f.name not in special
    }
    return {
        "table": name,
        "fields": plain,
        "months": encode_months(panel.months),
        "layers": layers,
        "triangle": None if triangle is None else encode(triangle.releases, "triangle"),
        "beside": [
            [key, panel_record(other, tables, f"{name.removesuffix('panel')}beside-{i}")]
            for i, (key, other) in enumerate(panel.beside.items())
        ],
        "data_hash": panel.data_hash,
        # Named only where there are any: a file without them is what it was.
        **({} if panel.own is None else {"own": _own_record(panel.own)}),
    }


def _said_columns(triangle: Triangle) -> dict[str, Floats]:
    """A column per earlier release and layer; what is one number a place stands in every month."""
    columns: dict[str, Floats] = {}
    for name, layer in triangle.layers.items():
        cells = layer if layer.ndim == 3 else np.broadcast_to(
            layer[..., None], triangle.reported.shape
        )  # fmt: skip
        columns |= {f"{name} {day}": t.ravel() for day, t in zip(triangle.releases, cells)}
    return columns


def _triangle_from(
    releases: tuple[dt.date, ...], table: pa.Table, shape: tuple[int, int]
) -> Triangle:
    """What :func:`_said_columns` put into a table."""
    layers = {}
    for name in ("reported", *SAID, "all_deaths"):
        if name != "reported" and not {f"{name} {d}" for d in releases[:1]} & {*table.column_names}:
            continue
        counts = numbers(table, [f"{name} {day}" for day in releases])
        layers[name] = counts.T.reshape(len(releases), *shape)
    if "all_deaths" in layers:
        layers["all_deaths"] = layers["all_deaths"][:, :, 0]
    return Triangle(releases, **layers)


def _own_record(own: Own) -> dict[str, Any]:
    """A state's own counts as JSON."""
    return {
        "locations": list(own.locations),
        "months": own.months.astype(str).tolist(),
        "deaths": own.deaths.tolist(),
        "as_of": own.as_of.astype(str).tolist(),
        "complete": own.complete,
        "basis": own.basis,
    }


def _own_from(held: dict[str, Any]) -> Own:
    """What :func:`_own_record` made, as it was."""
    return Own(
        tuple(held["locations"]),
        np.array(held["months"], dtype="datetime64[M]"),
        np.array(held["deaths"], dtype=float),
        np.array(held["as_of"], dtype="datetime64[D]"),
        held["complete"],
        held["basis"],
    )


def panel_from(record: dict[str, Any], tables: Mapping[str, pa.Table]) -> Panel:
    """What :func:`panel_record` made, as it was.

    Raises
    ------
    ValueError
        If the numbers are not those that were saved.
    """
    plain = {name: decode(value) for name, value in record["fields"].items()}
    months = decode_months(record["months"])
    shape = (len(plain["locations"]), months.size)
    table = tables[record["table"]]
    triangle = None
    if record["triangle"] is not None:
        releases = decode(record["triangle"])
        triangle = _triangle_from(releases, table, shape)
    panel = Panel(
        months=months,
        triangle=triangle,
        beside={key: panel_from(other, tables) for key, other in record["beside"]},
        own=_own_from(record["own"]) if "own" in record else None,
        **{layer: table[layer].to_numpy().reshape(shape) for layer in record["layers"]},
        **plain,
    )
    if panel.data_hash != record["data_hash"]:
        raise ValueError("the panel is not the one that was saved")
    return panel
