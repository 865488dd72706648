"""The command line: the same verbs, headless. Thin; every line of output comes from a result."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from capsim import __version__
from capsim.errors import CapsimError, nearest

_OBJECTS_BEFORE_COLLECTION = 500_000

app = typer.Typer(
    name="capsim",
    help="The capacity planner's bench: what fits where, what is stranded, how much more fits.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _strategy(name: str) -> str:
    """A strategy by our name or by that of Kubernetes, in any case."""
    from capsim.report import STRATEGIES

    plain = {known.replace("-", ""): known for known in STRATEGIES}
    found = plain.get(name.lower().replace("-", ""))
    if found is None:
        raise typer.BadParameter(
            f"{name!r} is not one of {', '.join(STRATEGIES)}{nearest(name.lower(), STRATEGIES)}."
        )
    return found


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"capsim {__version__}")
        raise typer.Exit


@app.command()
def plan(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files or folders: kubectl dumps, manifests, openb tables, capsim YAML, CSV; "
            "- is standard input.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for tables, figures and the deck.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            parser=_strategy,
            metavar="NAME",
            help="How full the scheduler likes its nodes: least-allocated, most-allocated or "
            "requested-to-capacity-ratio (or as Kubernetes writes them: MostAllocated).",
        ),
    ] = None,
    headroom: Annotated[
        float, typer.Option(help="Share of every node's cpu and memory kept free, 0 to below 1.")
    ] = 0.0,
    overcommit_cpu: Annotated[
        float, typer.Option(help="Cores that may be requested for each allocatable core.")
    ] = 1.0,
    overcommit_memory: Annotated[
        float, typer.Option(help="Memory that may be requested for each allocatable byte.")
    ] = 1.0,
    format: Annotated[
        Literal["text", "json"], typer.Option(help="What to print on standard output.")
    ] = "text",
) -> None:
    """Plan a cluster: place what waits, say what fits, what is stranded and what is needed."""
    from capsim import report

    with _progress("Planning") as step:
        made = report.make(
            inputs,
            strategy=strategy,
            headroom=headroom,
            overcommit_cpu=overcommit_cpu,
            overcommit_memory=overcommit_memory,
            step=step,
        )
        files = report.write(made, out, step=step) if out is not None else ()
    if format == "json":
        typer.echo(json.dumps(report.plain(made, files), indent=2, allow_nan=False))
    else:
        typer.echo(report.text(made, files))


@app.command()
def replay(
    family: Annotated[str, typer.Argument(help="Family of recorded cases, such as scheduler.")],
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Case files or folders.")],
    check: Annotated[
        bool,
        typer.Option("--check", help="Hold the cases against what the real system did, in words."),
    ] = False,
) -> None:
    """Replay recorded cases through the engine; one JSON line a case, or a verdict (--check)."""
    from capsim import replay as cases

    if check:
        verdict = cases.check(family, paths)
        typer.echo(verdict.text)
        raise typer.Exit(verdict.code)
    failed = False
    for record in cases.replay(family, paths):
        failed |= "error" in record
        typer.echo(json.dumps(record, separators=(",", ":")))
    if failed:
        raise typer.Exit(2)


@app.command()
def bench(
    name: Annotated[str | None, typer.Argument(help="One benchmark; all without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Rows as JSON.")] = False,
) -> None:
    """Measure capsim on this machine, side by side with its yardsticks."""
    from capsim.bench import rows, table

    if as_json:
        for row in rows(name):
            typer.echo(json.dumps(row))
    else:
        typer.echo(table(rows(name)))


@app.command()
def calibrate(
    out: Annotated[
        Path | None, typer.Option("--out", help="Profile to write: .yaml, .yml or .csv.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare what was measured with the model.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter windows, less exact.")] = False,
) -> None:
    """Measure this host: CPU quotas and weights, kernel costs, memory, disk, a tiny VM."""
    from capsim.calibrate import command

    with _bar("Measuring this host") as begin:
        text, code = command.run(out, check=check, quick=quick, begin=begin)
    typer.echo(text)
    if code:
        raise typer.Exit(code)


@contextmanager
def _bar(title: str) -> Iterator[Any]:
    """A bar over steps of known number; silent when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda name, at, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title)
        yield lambda name, at, of: progress.update(
            task, description=f"{title}: {name}", completed=at, total=of
        )


@contextmanager
def _progress(title: str) -> Iterator[Any]:
    """A line that says what is being done; silent when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda words: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title)
        yield lambda words: progress.update(task, description=f"{title}: {words}")


def main() -> None:
    """The console script: user errors in plain words with exit code 2, never a traceback."""
    # A plan is mostly long-lived objects: walking them for cycles all the time costs a fifth.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    try:
        app(standalone_mode=True)
    except CapsimError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("CAPSIM_TRACEBACK"):
            raise
        typer.echo(
            f"capsim met something it did not expect: {type(error).__name__}: {error}. "
            "Set CAPSIM_TRACEBACK=1 to see where, and report it.",
            err=True,
        )
        sys.exit(1)
