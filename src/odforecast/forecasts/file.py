"""A forecast in a folder: JSON for what it is, Parquet for its numbers."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ForecastError
from odforecast.io import replacing
from odforecast.months import ONE_MONTH, Months
from odforecast.names import COUNTIES
from odforecast.panel import LAYERS, Floats, Own, Panel, Triangle
from odforecast.panel.triangle import SAID

if TYPE_CHECKING:
    import pyarrow as pa

    from odforecast.forecasts.forecast import Forecast

INDEX = "forecast.json"
KIND = "odforecast forecast"
#: Raised whenever a reader of the version before would misread the file. Files of 2 carry drug
#: classes, of 3 a state's own counts or counties; a forecast without any of these is written as 1,
#: which older readers know.
VERSION = 3
#: Names of its files with numbers.
DATA = re.compile(
    r"(part-\d+-)?(draws|known|panel|(beside-\d+)+)-[0-9a-f]{16}\.parquet"
)
#: The months before the first one that is drawn, which are known, from the first.
_BACK = np.arange(11, 0, -1) * ONE_MONTH
#: Columns that say which row it is; all others are numbers.
_KEYS = ("location", "draw", "month")
#: Fields that are not plain values: of a forecast, and of a panel.
_DRAWN = ("draws", "months", "known", "panel", "beside")
_GIVEN = (*LAYERS, "months", "beside", "triangle", "own")
#: Columns of own counts that are saved.
_OWN = ("locations", "months", "deaths", "as_of", "complete", "basis")


def save_forecast(
    forecast: Forecast, path: str | os.PathLike[str], overwrite: bool = False
) -> Path:
    """Write the forecast and its panel into a folder: JSON and Parquet, no pickle.

    :func:`odforecast.load_forecast` reads it bit for bit. The folder is complete or absent at
    every moment. A county forecast contains draws below 10: do not publish the folder.

    Parameters
    ----------
    overwrite : bool
        Replace a forecast that is there.

    Raises
    ------
    ForecastError
        If something is there already, or the forecast cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=50)
    >>> forecast.save(tempfile.mkdtemp() + "/drift").name
    'drift'
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ForecastError(
            f"{folder} is a file", hint="a forecast is saved as a folder"
        )
    existing = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if INDEX in existing and not overwrite:
        raise ForecastError(
            f"{folder} holds a forecast already",
            hint="save elsewhere, or with overwrite=True",
        )
    # Hidden files are those of a writer that was killed, or of the file system.
    allowed = re.compile(rf"{re.escape(INDEX)}|\..*|{DATA.pattern}")
    foreign = sorted(name for name in existing if not allowed.fullmatch(name))
    if foreign:
        raise ForecastError(
            f"{folder} holds other things ({foreign[0]})",
            hint="give a folder of its own",
        )
    tables: dict[str, pa.Table] = {}
    record = _record(forecast, tables)
    contents = {}
    for name, table in tables.items():
        content = _to_bytes(table)
        digest = hashlib.sha256(content).hexdigest()
        file = f"{name}-{digest[:16]}.parquet"
        record["files"][name] = {"file": file, "sha256": digest}
        contents[file] = content
    record["checksum"] = checksum(record)
    contents[INDEX] = (json.dumps(record, indent=1) + "\n").encode()
    try:
        for file, content in contents.items():
            with replacing(folder / file) as part:
                part.write_bytes(content)
    except OSError as error:
        raise ForecastError(
            f"{folder} cannot be written: {error.strerror or error}"
        ) from error
    # Only now is what stood here before not needed any more.
    for name in existing - contents.keys():
        if DATA.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
    return folder


def _record(forecast: Forecast, tables: dict[str, pa.Table]) -> dict[str, Any]:
    """A forecast as JSON, its numbers put into ``tables``."""
    panel = forecast.panel
    version = 2 if forecast.beside else 1
    if panel is not None and (panel.own is not None or panel.dataset == COUNTIES):
        version = 3
    record = {
        "kind": KIND,
        "version": version,
        "odforecast": installed_version("odforecast"),
    }
    record |= _paths(forecast, tables)
    class_panels = {} if panel is None else panel.beside
    parts = []
    for i, (name, part) in enumerate(forecast.beside.items()):
        saved = class_panels.get(name)
        parts.append([name, _paths(part, tables, prefix=f"part-{i}-", saved=saved)])
    if parts:
        record["parts"] = parts
    return record | {"files": {}}


def _paths(
    forecast: Forecast,
    tables: dict[str, pa.Table],
    prefix: str = "",
    saved: Panel | None = None,
) -> dict[str, Any]:
    """A forecast without its classes; its panel is not written where it is the ``saved`` one."""
    import pyarrow as pa

    places = np.array(forecast.locations, dtype=object)
    n_draws, n_loc, n_months = forecast.draws.shape
    draws = forecast.draws.transpose(1, 0, 2).reshape(n_loc * n_draws, n_months)
    # Without draws of its own a month is known: one row per location, else one per draw, too.
    known = forecast.known.swapaxes(0, -2).reshape(-1, 11)
    numbers = np.tile(np.arange(n_draws, dtype=np.int32), n_loc)
    months = forecast.months
    labels = {"location": np.repeat(places, n_draws), "draw": numbers}
    tables[f"{prefix}draws"] = pa.table(labels | dict(zip(months.astype(str), draws.T)))
    labels = {"location": np.repeat(places, len(known) // n_loc)}
    before = (months[0] - _BACK).astype(str)
    tables[f"{prefix}known"] = pa.table(labels | dict(zip(before, known.T)))
    panel: Any = forecast.panel
    if panel is not None and saved is not None and panel.data_hash == saved.data_hash:
        panel = "beside"
    elif panel is not None:
        panel = _panel_record(panel, tables, name=f"{prefix}panel")
    return {
        "fields": _plain(forecast, _DRAWN),
        "months": [str(months[0]), n_months],
        "draws": n_draws,
        "panel": panel,
    }


def _plain(thing: Forecast | Panel, special: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a forecast or panel as JSON, without the special ones."""
    lead = "panel." if isinstance(thing, Panel) else ""
    names = [f.name for f in fields(thing) if f.name not in special]
    return {name: _encode(getattr(thing, name), f"{lead}{name}") for name in names}


def read_forecast(folder: Path, make: Callable[..., Forecast]) -> Forecast:
    """What :func:`save_forecast` wrote; ``make`` is the class, which this module may not import."""
    record = _index(folder)
    try:
        tables = {
            name: _table(folder, entry) for name, entry in record["files"].items()
        }
        values = _fields(record, tables)
        panel = values["panel"]
        class_panels = {} if panel is None else panel.beside
        parts = {}
        for i, (name, part) in enumerate(record.get("parts", [])):
            saved = class_panels.get(name)
            parts[name] = make(
                **_fields(part, tables, prefix=f"part-{i}-", saved=saved)
            )
        return make(**values, beside=parts)
    except ForecastError:
        raise
    except Exception as error:
        # The checksums hold, so somebody wrote the files by hand: whatever is wrong, say where.
        message = str(error).partition("\n")[0]
        raise ForecastError(
            f"{folder} does not hold a forecast ({type(error).__name__}: {message})",
            hint="save the forecast again",
        ) from error


def _fields(
    record: dict[str, Any],
    tables: dict[str, pa.Table],
    prefix: str = "",
    saved: Any = None,
) -> dict[str, Any]:
    """The fields that :func:`_paths` put into a record and tables, as they were."""
    plain = {name: _decode(value) for name, value in record["fields"].items()}
    months = _months(record["months"])
    shape = (len(plain["locations"]), record["draws"])
    draws = _numbers(tables[f"{prefix}draws"], months).reshape(*shape, months.size)
    known = _numbers(tables[f"{prefix}known"], months[0] - _BACK)
    if len(known) != shape[0]:
        known = known.reshape(*shape, 11).transpose(1, 0, 2)
    panel = record["panel"]
    if panel is not None:
        panel = saved if panel == "beside" else _panel_from(panel, tables)
    draws = draws.transpose(1, 0, 2)
    return {"draws": draws, "months": months, "known": known, "panel": panel, **plain}


def _index(folder: Path) -> dict[str, Any]:
    """The JSON of a folder, with its checksum checked."""
    index = folder / INDEX
    damaged = "the file is damaged; take another copy, or make the forecast again"
    hint = "give the folder that forecast.save wrote"
    content = _read(
        index, f"no saved forecast at {folder}: there is no {INDEX}", hint=hint
    )
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ForecastError(
            f"{index} is not valid JSON ({error})", hint=damaged
        ) from error
    if not isinstance(record, dict) or record.get("kind") != KIND:
        raise ForecastError(f"{index} is not a saved forecast", hint=hint)
    version = record.get("version")
    # The version comes before the checksum: a newer format may count it in another way.
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ForecastError(
            f"{index} has format {version!r}, and this odforecast reads up to {VERSION}",
            hint="update odforecast",
        )
    if record.get("checksum") != checksum(record):
        raise ForecastError(
            f"{index} is not what was saved: its checksum differs", hint=damaged
        )
    return record


def _table(folder: Path, entry: dict[str, str]) -> pa.Table:
    """A Parquet file of a folder, with its checksum checked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / entry["file"]
    name = entry["file"]
    missing = "copy the whole folder, or make the forecast again"
    if not DATA.fullmatch(name):
        raise ForecastError(
            f"{folder / INDEX} names {name!r}, which is not one of its files"
        )
    content = _read(path, f"{path} is missing", hint=missing)
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ForecastError(
            f"{path} is not what was saved: its checksum differs", hint=missing
        )
    return pq.read_table(pa.BufferReader(content))


def _read(path: Path, absent: str, hint: str) -> bytes:
    """What is in a file; what is said where there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ForecastError(absent, hint=hint) from None
    except OSError as error:
        raise ForecastError(
            f"{path} cannot be read: {error.strerror or error}"
        ) from error


def checksum(record: dict[str, Any]) -> str:
    """SHA-256 of all that a record says, itself left out."""
    content = {key: value for key, value in record.items() if key != "checksum"}
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _encode(value: object, name: str) -> Any:
    """A value as JSON, with a tag where JSON has no such type; refused, where it has no form."""
    # numpy's float64 is a float, but only numpy would know it again.
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.datetime64):
        return {"month": str(value)}
    if type(value) is dt.date:
        return {"date": value.isoformat()}
    if isinstance(value, tuple):
        return {"tuple": [_encode(item, name) for item in value]}
    if isinstance(value, frozenset):
        return {"set": sorted(_encode(item, name) for item in value)}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        pairs = [
            [key, _encode(item, f"{name}[{key!r}]")] for key, item in value.items()
        ]
        return {"map": pairs}
    raise ForecastError(
        f"{name} is a {type(value).__name__}, which a saved forecast cannot hold",
        hint="give text, a number, a date, or tuples and mappings of those",
    )


def _decode(value: Any) -> Any:
    """What :func:`_encode` made, as it was."""
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    if tag not in _KINDS:
        raise ValueError(f"unknown kind of value {tag!r}")
    return _KINDS[tag](content)


#: What makes a tagged value again.
_KINDS: dict[str, Callable[[Any], Any]] = {
    "month": np.datetime64,
    "date": dt.date.fromisoformat,
    "tuple": lambda items: tuple(_decode(item) for item in items),
    "set": frozenset,
    "map": lambda pairs: {key: _decode(item) for key, item in pairs},
}


def _months(span: list[Any]) -> Months:
    """Consecutive months, from the first and how many they are."""
    first, size = span
    return np.asarray(np.datetime64(first, "M") + np.arange(size) * ONE_MONTH)


def _to_bytes(table: pa.Table) -> bytes:
    """A table as Parquet: every bit of every number is kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = [name for name in table.column_names if name not in _KEYS]
    # A dictionary may join values that compare equal, 0.0 and -0.0; bytes do not.
    encoding: Any = dict.fromkeys(numbers, "BYTE_STREAM_SPLIT")
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=["location"],
        column_encoding=encoding,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _numbers(table: pa.Table, names: Iterable[object]) -> Floats:
    """Columns of a table, shape (rows, columns)."""
    columns = [table[str(name)].to_numpy() for name in names]
    return np.array(columns).reshape(len(columns), table.num_rows).T


def _panel_record(
    panel: Panel, tables: dict[str, pa.Table], name: str
) -> dict[str, Any]:
    """A panel as JSON; its numbers, and those of panels beside it, go into ``tables``."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "location": np.repeat(
            np.array(panel.locations, dtype=object), panel.months.size
        ),
        "month": np.tile(panel.months.astype("datetime64[ms]"), len(panel.locations)),
    }
    columns |= {layer: getattr(panel, layer).ravel() for layer in LAYERS}
    triangle = panel.triangle
    own = panel.own
    if triangle is not None:
        for layer, array in triangle.layers.items():
            full = np.empty(triangle.reported.shape)
            full[:] = array if array.ndim == 3 else array[..., None]
            for day, values in zip(triangle.releases, full):
                columns[f"{layer} {day}"] = values.ravel()
    tables[name] = pa.table(columns)
    prefix = name.removesuffix("panel")
    class_panels = []
    for i, (key, class_panel) in enumerate(panel.beside.items()):
        class_panels.append(
            [key, _panel_record(class_panel, tables, name=f"{prefix}beside-{i}")]
        )
    record = {
        "table": name,
        "fields": _plain(panel, _GIVEN),
        "months": [str(panel.months[0]), panel.months.size],
        "layers": list(LAYERS),
        "triangle": None
        if triangle is None
        else _encode(triangle.releases, "triangle"),
        "beside": class_panels,
        "data_hash": panel.data_hash,
    }
    if own is not None:  # a file without any is what it was
        arrays = {key: np.asarray(getattr(own, key)) for key in _OWN}
        arrays |= {key: arrays[key].astype(str) for key in ("months", "as_of")}
        record["own"] = {key: array.tolist() for key, array in arrays.items()}
    return record


def _panel_from(record: dict[str, Any], tables: Mapping[str, pa.Table]) -> Panel:
    """What :func:`_panel_record` made, as it was; refused if the numbers are other ones."""
    plain = {name: _decode(value) for name, value in record["fields"].items()}
    months = _months(record["months"])
    shape = (len(plain["locations"]), months.size)
    table = tables[record["table"]]
    triangle = None
    if record["triangle"] is not None:
        releases = _decode(record["triangle"])
        layers = {}
        for name in ("reported", *SAID, "all_deaths"):
            columns = [f"{name} {day}" for day in releases]
            saved = bool(columns) and columns[0] in table.column_names
            if name == "reported" or saved:
                layers[name] = _numbers(table, columns).T.reshape(len(releases), *shape)
        if "all_deaths" in layers:
            layers["all_deaths"] = layers["all_deaths"][:, :, 0]
        triangle = Triangle(releases, **layers)
    numbers = {
        layer: table[layer].to_numpy().reshape(shape) for layer in record["layers"]
    }
    class_panels = {key: _panel_from(entry, tables) for key, entry in record["beside"]}
    panel = Panel(
        months=months,
        triangle=triangle,
        beside=class_panels,
        own=Own(**record["own"]) if "own" in record else None,
        **numbers,
        **plain,
    )
    if panel.data_hash != record["data_hash"]:
        raise ValueError("the panel is not the one that was saved")
    return panel
