"""``odforecast hub init``: a hubverse hub from an archive."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from odforecast.cli.meant import Choice
from odforecast.cli.options import (
    FOLDER,
    end_option,
    horizon_option,
    indicator_option,
    json_option,
    start_option,
)
from odforecast.cli.screen import note, say
from odforecast.cli.source import open_source, source_options
from odforecast.cli.written import print_json
from odforecast.errors import BacktestError
from odforecast.names import DEFAULT_HORIZON, VINTAGE_CLEAN, VINTAGE_DELAYED, VINTAGE_REAL

#: Rounds of a hub, as they are called here.
_KINDS = {"real": VINTAGE_REAL, "clean": VINTAGE_CLEAN, "delayed": VINTAGE_DELAYED}


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@source_options
@indicator_option
@click.option(
    "--rounds",
    type=Choice(list(_KINDS)),
    default="real",
    show_default=True,
    help="One per release; or, of the past again, one per month, cut from the last release: "
    "complete (clean), or as incomplete as another release was (delayed).",
)
@start_option
@end_option
@horizon_option()
@click.option("--all", "every", is_flag=True, help="Metadata of all built-in models.  "
              "[default: those that a backtest runs]")  # fmt: skip
@click.option("--name", metavar="TEXT", help="The hub's name.")
@click.option("--maintainer", metavar="TEXT", help="Who runs the hub.")
@click.option("--contact", metavar="TEXT", help="A person: 'Jo Doe <jo@example.org>'.")
@click.option("--repository", metavar="OWNER/NAME", help="Where the hub will lie on GitHub.")
@json_option
def init(
    folder: Path,
    archive: Path | None,
    source: str | None,
    indicator: str,
    rounds: str,
    start: str | None,
    end: str | None,
    horizon: int | None,
    every: bool,
    name: str | None,
    maintainer: str | None,
    contact: str | None,
    repository: str | None,
    as_json: bool,
) -> None:
    """Make a hubverse hub in DIR, which must be new or empty.

    It says what is to be forecast (quantiles, samples, the trend's probabilities), holds what each
    release said and what became of it, and knows the built-in models. README.md in it says the
    rest: what a horizon counts from, and how models are named.
    """
    from odforecast.hub.layout import origins_of
    from odforecast.hub.making import check_room
    from odforecast.hub.making import init as make

    check_room(folder)
    given: dict[str, Any] = {
        "name": name,
        "maintainer": maintainer,
        "contact": None if contact is None else _person(contact),
        "repository": repository,
        "models": "all" if every else None,
    }
    try:
        hub = make(
            folder,
            open_source(archive, source),
            indicator=indicator,
            kind=_KINDS[rounds],
            start=start,
            end=end,
            horizon=DEFAULT_HORIZON if horizon is None else horizon,
            **{key: value for key, value in given.items() if value is not None},
        )
    except BacktestError as error:
        raise BacktestError(error.message, error.hint and _as_options(error.hint)) from error
    names = [f"{day}, known to {end[:7]}" for day, (_, end) in origins_of(hub).items()]
    facts = {
        "hub": str(folder),
        "rounds": len(names),
        "first_round": names[0],
        "last_round": names[-1],
        "models": len(hub.metadata_files()),
        "answers": _answers(hub.target_files("oracle-output")),
    }
    if as_json:
        print_json(facts)
    else:
        n = facts["rounds"]
        first = f"{facts['first_round']}; last " if n != 1 else ""
        say(f"{folder}: {n} round{'s' * (n != 1)} ({first}{facts['last_round']}), "
            f"{facts['models']} models, {facts['answers']:,} answers")  # fmt: skip
    if not facts["answers"]:
        note("no answers yet: no round is older than the last release")
    if missing := [o for o, v in (("--contact", contact), ("--repository", repository)) if not v]:
        note(f"{' and '.join(missing)}: not given; put your own into hub-config/admin.json")


def _as_options(hint: str) -> str:
    """A hint of the library in words of this command: rounds are called otherwise here."""
    for option, kind in _KINDS.items():
        for form in (f"{kind!r} origins", f"{kind!r} ones"):
            hint = hint.replace(form, f"--rounds {option}")
    return hint


def _person(text: str) -> dict[str, str]:
    """A name and an address."""
    found = re.fullmatch(r"\s*([^<>]*[^<>\s])\s*<([^<>\s]+@[^<>\s]+)>\s*", text)
    if not found:
        raise click.BadParameter(
            f"{text!r}: give a name and an address, 'Jo Doe <jo@example.org>'",
            param_hint="--contact",
        )
    return {"name": found[1], "email": found[2]}


def _answers(files: list[Path]) -> int:
    import pyarrow.parquet as pq

    return sum(pq.ParquetFile(file).metadata.num_rows for file in files)
