"""``odforecast hub score``: other people's files, in any hub, against its own target data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.meant import Choice
from odforecast.cli.options import TABLES, json_option, out_option, truth_as_of_option
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import WIDTH, grid, note, say
from odforecast.errors import ScoringError

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.hub import HubScores

#: Scores on the screen, by output type: column, head, form.
_SHOWN = {
    "quantile": (("wis", "WIS"), ("dispersion", "spread"), ("overprediction", "over"),
                 ("underprediction", "under"), ("ae_median", "AE")),
    "sample": (("crps", "CRPS"), ("ae_median", "AE"), ("se_mean", "SE")),
    "median": (("ae_point", "AE"),),
    "mean": (("se_point", "SE"),),
    "pmf": (("log_score", "log score"), ("rps", "RPS")),
    "cdf": (("rps", "RPS"), ("log_score", "log score")),
}  # fmt: skip
_COVERED = (("interval_coverage_50", "cov. 50"), ("interval_coverage_90", "cov. 90"))
#: What is left out first where 80 columns do not hold all; the parts of WIS only together, for two
#: of three would look like all.
_SPARE = (("ae_median",), ("se_mean",), ("underprediction", "overprediction", "dispersion"),
          ("interval_coverage_50",))  # fmt: skip


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@truth_as_of_option
@click.option("--target-data", type=Choice(["oracle-output", "time-series"]),
              help="Which of the hub's target data.  [default: oracle-output, if it is "
              "there]")  # fmt: skip
@click.option("--scale", type=Choice(["natural", "log", "both"]), default="natural",
              show_default=True, help="log: scores of log(1 + x).")  # fmt: skip
@click.option("--by", metavar="NAMES", default="horizon", show_default=True,
              help="Task ids that tables keep apart, commas between them; none: only "
              "targets.")  # fmt: skip
@click.option("--baseline", metavar="MODEL", help="Model (file) to relate WIS to.")
@click.option("--common", is_flag=True, help="Only units that every model forecasts.")
@json_option
@click.option("--joint", type=click.Path(path_type=Path, dir_okay=False),
              metavar="FILE", help="Also write the energy scores of joint samples.")  # fmt: skip
@out_option(f"One row per forecast unit: {', '.join(TABLES)}.")
def score(
    folder: Path,
    files: tuple[Path, ...],
    truth_as_of: str | None,
    target_data: Any,
    scale: str,
    by: str,
    baseline: str | None,
    common: bool,
    as_json: bool,
    joint: Path | None,
    out: Path | None,
) -> None:
    """Score the submissions of a hub against its own target data.

    DIR is any hubverse hub; FILES are submissions, by default all that it holds. What came is
    taken from its oracle output, else from its time series, of versioned target data the newest
    version or that of --truth-as-of. Scores are those of hubEvals, and have its names in --out.
    Nothing is left out: --out has a reason for every unit that cannot be scored.
    """
    from odforecast.cli.written import print_json, records, write_table
    from odforecast.hub import score as run

    check_outputs(("--out", out, TABLES), ("--joint", joint, TABLES), read=files)
    found = whole = run(
        folder, list(files) or None, as_of=truth_as_of, scale=scale, target_data=target_data
    )
    if common:
        found = whole.common()
        if found.units.empty and whole.units["scorable"].any():
            note("no unit that every model has, with the same levels: nothing is compared")
    names = [x.strip() for x in by.split(",") if x.strip() not in ("", "none")]
    if by == "horizon" and "horizon" not in found.units:
        names = []
    table, energy = found.summary(names, baseline), _energy(found)
    units = whole.units
    days, kinds = sorted(set(units["truth_as_of"]) - {""}), sorted(set(units.get("truth", ())))
    why = units.loc[~units["scorable"].astype(bool), "reason"].value_counts()
    if as_json:
        meta = {
            "truth": kinds,
            "truth_as_of": [days[0], days[-1]] if days else [],
            "units": len(units),
            "scorable": int(units["scorable"].sum()),
            "not_scorable": {str(reason): int(n) for reason, n in why.items()},
            "not_read": whole.failures.to_dict("records"),
        }
        summary = records(table.replace({float("inf"): "infinite"}))
        print_json({"meta": meta, "summary": summary, "energy": records(energy)})
    else:
        models = units["model_id"].nunique()
        say(f"{len(units):,} units of {models} model{'s' if models != 1 else ''}")
        when = f"as of {' to '.join(dict.fromkeys((days[0], days[-1])))}" if days else (
            "its versions are not kept")  # fmt: skip
        say(f"Truth: {' and '.join(kinds)} of the hub, {when}")
        if why.sum():
            say(f"{why.sum():,} of {len(units):,} units are not scorable:")
            for reason, n in why.head(5).items():
                say(f"  {n:,}: {reason}", indent="    ")
        _print(table, energy, [*found.targets, "output_type", "scale"], names, baseline)
    for path, rows in ((out, units), (joint, whole.joint)):
        if path is not None:
            write_table(rows, path)
            click.echo(f"{len(rows):,} rows: {path}", err=as_json)
    for row in whole.failures.to_dict("records"):
        note(row["reason"], "not read")
    if not units["scorable"].any():
        raise ScoringError("no unit is scorable", hint="the reasons are in --out FILE")


def _print(
    table: pd.DataFrame,
    energy: pd.DataFrame,
    groups: list[str],
    by: list[str],
    baseline: str | None,
) -> None:
    """A table for each target, output type and scale; then joint samples, and what it all means."""
    several = len(set(table["model_id"])) > 1
    for key, part in table.groupby([g for g in groups if g in table], sort=True):
        if not part["n_scorable"].sum():
            continue
        words = list(map(str, key if key[-1] != "natural" else key[:-1]))
        name = "" if several else f": {part['model_id'].iloc[0]}"
        click.echo(f"\n{', '.join(words)}{name}\n")
        kind = str(part["output_type"].iloc[0])
        click.echo(_grid(part, kind, by, several, baseline))
    if len(energy):
        click.echo("\nEnergy score of joint samples\n")
        heads = ["model", "scale", "samples joint over", "scored", "energy"]
        names = ["model_id", "scale", "joint_over", "n_scorable", "energy_score"]
        lines = [[*r[:3], f"{r[3]:,}", number(r[4])] for r in energy[names].to_numpy().tolist()]
        click.echo(grid(heads, lines, left=3))
    click.echo()
    kinds = set(table["output_type"])
    words = ["Lower is better but for coverage: cov. 90 is the share of values inside the 90% "
             "interval, 0.90 is right"]  # fmt: skip
    if kinds & {"cdf", "pmf"}:
        words.append("RPS: the sum over categories or thresholds")
    if baseline is not None:
        words.append(
            f"rel.: the first score over {baseline}'s, on the units that both have (common)"
        )
    say("; ".join(words) + ".")


def _grid(part: pd.DataFrame, kind: str, by: list[str], several: bool, baseline: str | None) -> str:
    """A table of as many scores as a screen holds; ``--json`` and ``--out`` have them all."""
    shown = [(c, h) for c, h in (*_SHOWN[kind], *_COVERED) if part[c].notna().any()]
    text = _rows(part, shown, by, several, baseline)
    for spare in _SPARE:
        if max(map(len, text.splitlines())) > WIDTH:
            shown = [(c, h) for c, h in shown if c not in spare]
            text = _rows(part, shown, by, several, baseline)
    return text


def _rows(
    part: pd.DataFrame,
    shown: list[tuple[str, str]],
    by: list[str],
    several: bool,
    baseline: str | None,
) -> str:
    """A table of some scores."""
    first = [*by, *(["model_id"] if several else [])]
    heads = [*by, *(["model"] if several else []), "scored", *(h for _, h in shown)]
    heads += ["rel.", "common"] if baseline is not None else []
    rows = []
    for row in part.to_dict("records"):
        cells = [*(str(row[name]) for name in first), f"{row['n_scorable']:,}"]
        cells += [
            number(row[c]) if not c.startswith("interval") else _share(row[c]) for c, _ in shown
        ]
        if baseline is not None:
            cells += [_share(row["relative"]), f"{row['n_common']:,}"]
        rows.append(cells)
    return grid(heads, rows, left=len(first))


def _energy(found: HubScores) -> pd.DataFrame:
    """Mean energy scores, by what samples are joint over."""
    if found.joint.empty:
        return found.joint
    grouped = found.joint.groupby(["model_id", "scale", "joint_over"], sort=True)
    return grouped.agg(
        n_units=("scorable", "size"), n_scorable=("scorable", "sum"),
        energy_score=("energy_score", "mean"),
    ).reset_index()  # fmt: skip


def number(value: float) -> str:
    """A score: three digits that say something, or as many as stand before the point.

    Examples
    --------
    >>> number(12345.6), number(12.345), number(0.01234), number(float("nan"))
    ('12,346', '12.3', '0.0123', '–')
    """
    if value != value:
        return "–"
    if value in (float("inf"), float("-inf")):
        return "infinite"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if abs(value) < 1 else f"{value:.{2 if abs(value) < 10 else 1}f}"


def _share(value: float) -> str:
    if value != value:
        return "–"
    return "infinite" if value == float("inf") else f"{value:.2f}"
