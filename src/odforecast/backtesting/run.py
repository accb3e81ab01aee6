"""Run models over origins: what is asked for, planned, run, put together and looked at."""

from __future__ import annotations

import operator
import pickle
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from inspect import signature
from itertools import batched, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from odforecast.backtesting.origin import Origin, usual_places
from odforecast.backtesting.origin import origins as origins_of
from odforecast.backtesting.results import Results, failed_everywhere, put_together
from odforecast.backtesting.store import UnitStore, run_folder
from odforecast.backtesting.unit import Made, Outcome, Unit, code_digest, made, on_screen
from odforecast.errors import BacktestError, one_of, whole
from odforecast.geography import find, resolve
from odforecast.models import Model, get_model
from odforecast.names import (
    COUNTIES,
    COUNTY_HORIZONS,
    DEFAULT_DONORS,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    HUB_QUANTILES,
    STATES,
    TARGET_12MO,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_SYNTHETIC,
)
from odforecast.scoring import Truth
from odforecast.scoring.metrics import Metric, check_metrics
from odforecast.vintage import Archive
from odforecast.vintage import archive as default_archive

if TYPE_CHECKING:
    from odforecast.backtesting.task import Task

#: Arguments that the plan takes as they are.
_PLANNED = (
    "locations",
    "horizon",
    "draws",
    "seed",
    "targets",
    "horizons",
    "metrics",
)

# -- A backtest -----------------------------------------------------------------------------------


def backtest(
    models: str | Model | Sequence[str | Model] | None = None,
    origins: str | Sequence[Origin] | None = None,
    archive: Archive | None = None,
    indicator: str = "all-drugs",
    dataset: str = STATES,
    truth: Truth | None = None,
    start: object | None = None,
    end: object | None = None,
    step: int | None = None,
    donors: int = DEFAULT_DONORS,
    locations: str | Iterable[str] | None = None,
    horizon: int = DEFAULT_HORIZON,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    targets: Sequence[str] = (TARGET_12MO,),
    out: str | Path | None = None,
    executor: Executor | Any | None = None,
    progress: bool | Callable[[Progress], None] = True,
    horizons: Iterable[int] | None = None,
    metrics: Sequence[Metric | str] = (),
    task: Task | str | Path | None = None,
) -> Results:
    """Forecast from every origin with every model, and score against a named truth.

    Parameters
    ----------
    models : str, Model or sequence of them, optional
        Default: :func:`default_models`.
    origins : {"pseudo-delayed", "pseudo-clean", "real"} or sequence of Origin, optional
        See :func:`odforecast.origins`. Default: pseudo-delayed for states, pseudo-clean for
        counties.
    archive : Archive, optional
        Default: :func:`odforecast.archive`.
    indicator, dataset : str
        What is forecast, for ``"states"`` or ``"counties"``.
    truth : Truth, optional
        Default: reported counts of the newest release, at least 12 months old (counties: 6).
    start, end : month, optional
        First and last last-known month of the origins.
    step : int, optional
        Months between pseudo-vintages; default 1, for counties 3.
    donors : int
        Donor releases per month, for pseudo-delayed origins.
    locations : str or iterable of str, optional
        Default: all except Puerto Rico.
    horizon : int
        Months ahead of the panel's last month.
    targets : sequence of str
        ``"deaths_12mo"``, ``"deaths_month"``, or both.
    out : path, optional
        Folder for finished units and results. A repeated run computes only what is missing or
        failed. Default: a temporary folder, which is removed with the results.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        For example :class:`odforecast.backtesting.Workers`. Default: this process.
    progress : bool or callable
        A bar on a terminal, or a function that receives :class:`Progress`.
    horizons : iterable of int, optional
        Months ahead to score. Default: all and the nowcast; counties 3, 6, 9 and 12.
    metrics : sequence of Metric or str
        More scores, each a column (:class:`odforecast.scoring.metrics.Metric`).
    task : Task, str or path, optional
        A task that sets origins, targets and scores; none of these may be given beside it.

    Returns
    -------
    Results
        One score row per forecast unit; failures with reasons; the manifest of the run.

    Raises
    ------
    BacktestError
        If there is nothing to do, every unit failed, the folder cannot be used, an executor broke,
        something is given that the task sets, an origin is given twice, or an argument is wrong.

    Notes
    -----
    A failing model fails only its own units, with the reason. With processes, a unit whose
    process dies is run once more, alone. In this process, ``os._exit``, a crash or lack of memory
    ends the run; finished units stay in ``out``. Nothing stops an endless loop.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(
    ...     ["naive", "hub-baseline"], archive=od.bundled(), start="2021-01", end="2021-03",
    ...     locations=["US", "West Virginia"], draws=100, progress=False,
    ... )
    >>> len(results.scores)  # 2 models, 3 months by 3 donors each, 2 places, 12 horizons
    432
    """
    said = dict(locals())
    more: dict[str, object] = {}
    if task is not None:
        from odforecast.backtesting.task import FIXED, Task, refuse

        answered = Task.load(task, archive)
        usual = {name: signature(backtest).parameters[name].default for name in FIXED}
        refuse(answered, (n for n, u in usual.items() if said[n] is not u and said[n] != u))
        more["task"] = answered.manifest
        said |= answered.arguments()
        origins = said["origins"]
        truth = said["truth"]
        dataset = said["dataset"]
    for name, number in (("step", step), ("donors", donors)):
        if number is not None:
            whole(name, number, least=1, error=BacktestError)
    if archive is None and (truth is None or origins is None or isinstance(origins, str)):
        archive = default_archive()
    if origins is None or isinstance(origins, str):
        assert archive is not None
        found = origins_of(
            archive,
            origins,
            start=start,
            end=end,
            step=step,
            donors=donors,
            indicator=indicator,
            dataset=dataset,
        )
    else:
        found = list(origins) if isinstance(origins, Iterable) else [origins]
        for each in found:
            if not isinstance(each, Origin):
                raise BacktestError(
                    f"origins has a {type(each).__name__}, which is not an Origin",
                    hint="od.origins(...) makes them",
                )
        dataset = next((o.panel.dataset for o in found if o.panel is not None), dataset)
    if truth is None:
        assert archive is not None
        truth = Truth(archive.as_of(dataset=dataset).panel(indicator, dataset))
    request = {name: said[name] for name in _PLANNED}
    units = plan(default_models(found) if models is None else models, found, truth, **request)
    told = progress if callable(progress) else None
    # Without a terminal there is no bar.
    drawn = told is None and progress and sys.stderr.isatty()
    with bar(len(units)) if drawn else nullcontext(told) as report:
        results = run_units(
            units,
            out=out,
            executor=executor,
            progress=report,
            more=more,
        )
    for note in results.notes:
        warnings.warn(note, stacklevel=2)
    # A function that is told of each unit has heard of the failures.
    if progress and told is None and (lost := failed_everywhere(results)):
        text = f"no forecast at all of {', '.join(lost)}: {next(iter(lost.values()))}"
        # As the bar's lines: a failure is a result, not a fault of the call.
        sys.stderr.write(f"warning: {text} (Results.failures has every reason)\n")
    return results


def run_units(
    units: Sequence[Unit],
    *,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
    more: Mapping[str, object] | None = None,
) -> Results:
    """Run the units of one plan; see :func:`backtest` for the parameters.

    What ``more`` says is put into the manifest. Without ``out`` the folder is a temporary one, and
    goes with the results.
    """
    if executor is not None and not isinstance(executor, ThreadPoolExecutor):
        for metric in units[0].metrics if units else ():
            try:
                pickle.dumps(metric)
            except Exception as error:
                raise BacktestError(
                    f"metric {metric.name!r} cannot be sent to other processes: {error}",
                    hint="define its function with def in a module, or run in one process",
                ) from error
    more = more or {}
    notes = list[str]()
    done = dict[int, Outcome]()

    def finish(indices: Sequence[int], outcomes: Sequence[Outcome], reused: bool = False) -> None:
        """Keep the outcomes of some units, and report them."""
        for index, outcome in zip(indices, outcomes, strict=True):
            done[index] = outcome
            if progress is not None:
                took = 0.0 if reused else outcome.seconds
                step = (len(done), len(units), units[index].label, took, reused, outcome.failed)
                progress(Progress(*step))

    with ExitStack() as stack:
        given = out
        if given is None:
            home = TemporaryDirectory(prefix="odforecast-", ignore_cleanup_errors=True)
            given = stack.enter_context(home)
        folder = Path(given).absolute()  # a model may change the working directory
        with run_folder(folder, more) as scratch:
            store = UnitStore(folder / "units", scratch / "units")
            todo = []
            for index, unit in enumerate(units):
                if (told := store.told(unit)) is None:
                    todo.append(index)
                else:
                    finish([index], [told], reused=True)
            computed: Iterator[tuple[list[int], Made]]
            together = blocks(units, todo)
            if executor is None:
                computed = ((block, made([units[i] for i in block])) for block in together)
            else:
                from odforecast.backtesting.workers import dispatched

                computed = dispatched(
                    units,
                    together,
                    executor=executor,
                    notes=notes,
                    folder=scratch,
                )
            for indices, answer in computed:
                if answer.code not in ("", code_digest()):
                    # Its numbers, and the keys of its rows, are of that code.
                    raise BacktestError(
                        "a worker process runs other code than this one: the package, or a "
                        "library, was changed on the disk while the run was going on",
                        hint="run again; finished units are kept, and used where the code is the "
                        "same",
                    )
                store.save([units[i] for i in indices], answer)
                finish(indices, answer.outcomes)
            # Put together in the order of the plan, whatever order the executor finished in.
            outcomes = [done[index] for index in range(len(units))]
            results = put_together(
                units,
                outcomes,
                store=store,
                folder=folder,
                notes=notes,
                more=more,
            )
        if out is None:
            results._take_with(stack.pop_all())
    return results


# -- Progress -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """What a progress callback is told after each unit.

    Attributes
    ----------
    done, total : int
        Units.
    label : str
        The unit just finished.
    seconds : float
        Time it took; 0 where it was read back.
    reused : bool
        Whether it was stored by an earlier run.
    failure : str
        Why it failed; empty if it did not.
    """

    done: int
    total: int
    label: str
    seconds: float
    reused: bool
    failure: str


@contextmanager
def bar(
    total: int, quiet: bool = False, said: Collection[str] = ()
) -> Iterator[Callable[[Progress], None]]:
    """A progress callback that draws a bar, or if ``quiet`` only names failures, but none that was
    ``said`` already.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), disable=quiet) as drawn:
        task = drawn.add_task("starting", total=total)

        def report(step: Progress) -> None:
            drawn.update(task, completed=step.done, description=step.label)
            if step.failure and step.failure not in said:
                # A reason is somebody else's text: no markup, no emoji, no control characters.
                line = f"failed: {step.label}: {on_screen(step.failure)}"
                drawn.console.print(
                    line,
                    highlight=False,
                    markup=False,
                    emoji=False,
                )

        yield report


# -- The plan ------------------------------------------------------------------------------------

#: Models of a backtest unless told otherwise: the default model first. Each classical baseline is
#: there with the delay layer; on real releases also without it. CDC's predicted value is left out
#: on clean pseudo-vintages, which do not hold it.
DEFAULT_MODELS = (
    "dlm",
    "hub-baseline",
    "cdc-predicted",
    "naive+delay",
    "drift+delay",
    "auto-ets+delay",
    "auto-theta+delay",
    "auto-ets-sums",
)

#: The same for counties.
COUNTY_MODELS = ("county", "county-hub-baseline", "county-last")
#: Quantile levels stored for counties: the middle, and the 50 and 90% intervals.
COUNTY_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def default_models(found: Sequence[Origin]) -> tuple[str, ...]:
    """Models run when none is named.

    On clean pseudo-vintages nothing is missing, so that a baseline with the delay layer equals
    the one without, and CDC's predicted values are not there; on real ones both are shown. For
    counties: :data:`COUNTY_MODELS`.
    """
    if any(o.panel is not None and o.panel.dataset == COUNTIES for o in found):
        return COUNTY_MODELS
    if all(o.vintage == VINTAGE_CLEAN for o in found):
        names = [m.removesuffix("+delay") for m in DEFAULT_MODELS if m != "cdc-predicted"]
    else:
        bare = [m.removesuffix("+delay") for m in DEFAULT_MODELS if m.endswith("+delay")]
        names = [*DEFAULT_MODELS, *bare]
    return tuple(names)


def plan(
    models: str | Model | Sequence[str | Model],
    found: Sequence[Origin],
    truth: Truth,
    *,
    locations: str | Iterable[str] | None = None,
    horizon: int = DEFAULT_HORIZON,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    targets: Sequence[str] = (TARGET_12MO,),
    horizons: Iterable[int] | None = None,
    metrics: Sequence[Metric | str] = (),
) -> list[Unit]:
    """The units of a backtest, model by model, origins in order.

    A unit is a model at an origin; for a model by state, in one state. A jurisdiction (New York
    City is one) is its own state, a county belongs to its state. The nation is not a sum of states
    there: where it is asked for it is a unit of its own, forecast from its own row. Regions are
    no rows of a panel, and so no units. Of counties, models by location are divided by state too,
    and the counties of a state stand together, whatever order they were asked for in.

    Parameters are those of :func:`backtest`.

    Raises
    ------
    BacktestError
        If there is nothing to do, two models have one label, an argument is not what it must be
        (a number as text, something that is not a model), or an origin is made up or given twice.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.backtesting import cuts, plan
    >>> panel = od.bundled().as_of().panel()
    >>> units = plan("naive", cuts(panel, start="2023-01", end="2023-03"), od.Truth(panel))
    >>> units[0].label, len(units)
    ('naive as of 2023-06-15', 3)
    """
    if isinstance(targets, str):  # one, and not its letters
        targets = (targets,)
    if isinstance(models, str | Model) or not isinstance(models, Iterable):
        models = [models]
    made = [get_model(m) if isinstance(m, str) else _model(m) for m in models]
    _check_kinds(truth, locations, targets=targets)
    horizon = whole("horizon", horizon, least=1, error=BacktestError)
    draws = whole("draws", draws, least=2, error=BacktestError)
    seed = whole("seed", seed, least=0, error=BacktestError)
    if not made or not found:
        raise BacktestError("nothing to do", hint="give at least one model and one origin")
    labels = [m.label for m in made]
    if doubled := {n for n in labels if labels.count(n) > 1}:
        raise BacktestError(
            f"two models labelled {', '.join(sorted(doubled))}",
            hint="give one of them another: get_model(name, label=...), or name=... where an "
            "adapter made it",
        )
    if unknown := [t for t in targets if t not in TARGETS]:
        raise BacktestError(f"unknown target {unknown[0]!r}", hint=one_of(unknown[0], TARGETS))
    panels = [o.panel for o in found if o.panel is not None]
    if any(p.vintage == VINTAGE_SYNTHETIC for p in panels):
        raise BacktestError("made-up panels are not origins", hint="take panels from an archive")
    if any(p.basis != truth.basis for p in panels):
        raise BacktestError(
            f"origins and truth count deaths in different ways: truth by {truth.basis}"
        )
    if any(p.dataset != truth.panel.dataset for p in panels):
        raise BacktestError(
            f"origins and truth are not of one data set: the truth is of {truth.panel.dataset}"
        )
    if other := [p.indicator for p in panels if p.indicator != truth.panel.indicator]:
        raise BacktestError(f"origins count {other[0]!r}, the truth {truth.panel.indicator!r}")
    keys = [(o.panel.data_hash if o.panel else o.as_of, o.donor, o.distance) for o in found]
    given = Counter(keys)
    if again := [o for o, key in zip(found, keys) if given[key] > 1]:
        raise BacktestError(
            f"the origin of {again[0].as_of} is given twice", hint="give each origin once"
        )
    known = tuple(dict.fromkeys(s for p in panels for s in p.locations))
    if locations is None or (isinstance(locations, str) and locations.strip().lower() == "all"):
        places = usual_places(panels)
    else:
        places = resolve(locations, known or truth.panel.locations)
    counties = truth.panel.dataset == COUNTIES
    states: dict[str, list[str]] = {}
    for place in places:
        states.setdefault(find(place).state, []).append(place)
    divided = [(state, tuple(part)) for state, part in states.items()]
    if counties:
        # New York City's counties stand in the middle of New York's by their codes.
        places = tuple(s for _, part in divided for s in part)
    apart = ("state", "location") if counties else ("state",)
    more: dict[str, Any] = {
        "horizons": _horizons(horizons, horizon, counties=counties),
        "levels": COUNTY_LEVELS if counties else HUB_QUANTILES,
        "metrics": check_metrics(metrics),
    }
    return [
        Unit(model, origin, truth, part, tuple(targets), horizon, draws, seed, state, **more)
        for model in made
        for origin in found
        for state, part in (
            divided if model.spec.by in apart and origin.panel is not None else [("", places)]
        )
    ]


def _model(given: object) -> Model:
    """What is a model already; anything else is refused, with how to make one of it."""
    if isinstance(given, Model):
        return given
    package = type(given).__module__.partition(".")[0]
    kind = type(given).__name__
    if isinstance(given, type):
        kind = f"class {given.__name__}"
        hint = "give od.register(name, the class) and then the name"
    elif package in ("statsforecast", "sktime"):
        hint = f"od.models.from_{package}(...) makes a model of it"
    elif hasattr(given, "spec") and hasattr(given, "fit"):
        hint = "od.register(name, lambda: it) and then the name"
    elif callable(given):
        hint = "@od.forecaster(...) makes a model of a function"
    else:
        hint = "give names (od.models() lists them), or what od.get_model returns"
    raise BacktestError(f"models has a {kind}, which is not a model", hint=hint)


def _check_kinds(truth: object, locations: object, targets: object) -> None:
    """Refuse what is of another kind than it must be, before it fails deep inside."""
    if not isinstance(truth, Truth):
        raise BacktestError(
            f"truth is a {type(truth).__name__}, not a Truth",
            hint="od.Truth(od.archive().as_of().panel()) is the newest release",
        )
    if locations is not None and not isinstance(locations, Iterable):
        raise BacktestError(
            f"locations is {locations!r}, allowed: names of places",
            hint="a FIPS code is a text: locations='39'",
        )
    if not isinstance(targets, Iterable):
        raise BacktestError(f"targets is {targets!r}, allowed: targets", hint=one_of("", TARGETS))


def _horizons(asked: object, horizon: int, counties: bool) -> tuple[int, ...]:
    """Months ahead that are scored, in order; empty: all of them."""
    if asked is None:
        return tuple(h for h in COUNTY_HORIZONS if h <= horizon) if counties else ()
    if not isinstance(asked, Iterable):
        asked = (asked,)
    found: set[int] = set()
    for value in asked:
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            number = 0
        if not 1 <= number <= horizon:
            raise BacktestError(
                f"horizons has {value!r}, allowed: whole numbers of months from 1 to {horizon}",
                hint="horizon is how far ahead to forecast, horizons are the months to score",
            )
        found.add(number)
    if not found:
        raise BacktestError("horizons is empty", hint="leave it out to score all")
    return tuple(sorted(found))


#: Units of one model that are submitted together.
BLOCK = 8
#: Origins that are worked on together; counties go origin by origin.
NEAR = 8


def blocks(units: Sequence[Unit], todo: Iterable[int]) -> list[list[int]]:
    """Indices of what is submitted together: up to :data:`BLOCK` units of one model."""
    near = 1 if units and units[0].truth.panel.dataset == COUNTIES else NEAR
    rank = {o: i // near for i, o in enumerate(dict.fromkeys(id(u.origin) for u in units))}
    apart = {i: (rank[id(units[i].origin)], id(units[i].model)) for i in todo}
    ordered = sorted(apart, key=lambda i: apart[i][0])
    return [
        list(block)
        for _, together in groupby(ordered, apart.__getitem__)
        for block in batched(together, BLOCK)
    ]
