"""Terminal output: progress, results, errors."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vadose import __version__
from vadose.errors import VadoseError
from vadose.io.atomic import in_words
from vadose.io.logs import PRINTED, ConsoleHandler, LogFormatter, begin_logging, end_logging
from vadose.io.outputs import Request
from vadose.io.processes import tidy_ending
from vadose.io.progress import Step

ERRORS = Console(stderr=True)
LOGGER = logging.getLogger(__name__)
logging.getLogger("vadose").addHandler(logging.NullHandler())  # otherwise Python prints errors a second time
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory", re.IGNORECASE)
"""Messages of PyTorch on a GPU and on a CPU."""
Config = Annotated[Path, typer.Argument(help="Experiment, a YAML file such as configs/conus_10day.yaml.")]
Out = Annotated[Path | None, typer.Option(help="Output folder; by default runs/NAME, by the name of the experiment.")]
AllowUnread = Annotated[
    bool,
    typer.Option("--allow-unread", help="Continue without a source whose files in the archive are all unreadable."),
]
RunFolder = Annotated[
    Path, typer.Argument(help="Folder of a run that 'vadose train' made, or a released model, such as conus-10day.")
]
Workers = Annotated[int, typer.Option(min=1, show_default="all processors", help="Parallel processes.")]


class Terminal(ConsoleHandler):
    """Write log records above the progress bar, if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LogFormatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        ERRORS.print(self.format(record), markup=False, highlight=False, soft_wrap=True)


def log_to(file: Path | None, verbose: bool, command: str) -> None:
    """Log a command to a file, if one is given, and at INFO to the terminal if `verbose`."""
    begin_logging(file, Terminal(), verbose)
    LOGGER.info("vadose %s: %s", __version__, command)


def echo(*lines: str) -> None:
    """Print results unchanged."""
    for line in lines:
        typer.echo(line)
        LOGGER.info(line, extra=PRINTED)


@contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """Yield a progress bar, called with (done, total, name of the step); without a terminal, one line per step."""
    if not ERRORS.is_terminal:
        yield _logged(what, _plain(what))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERRORS, transient=True) as bars:
        task, shown = bars.add_task(what, total=None), what

        def report(done: int, total: int, step: str = "") -> None:
            nonlocal shown
            counted = _counted(what, step)
            if counted != shown:
                bars.reset(task)
                shown = counted
            bars.update(task, completed=done, total=total, description=f"{counted} {step}".strip())

        yield _logged(what, report)


@contextmanager
def epochs() -> Iterator[Callable[[str, dict[str, float]], None]]:
    """Yield a callback that prints one line per training epoch."""

    def report(what: str, facts: dict[str, float]) -> None:
        shown = "  ".join(f"{name} {value:.4g}" for name, value in facts.items())
        typer.echo(f"{what}  {shown}", err=True)
        LOGGER.info("%s  %s", what, shown, extra=PRINTED)

    yield report


def output_of(command: str, folder: bool) -> Callable[[Path | None], Path | None]:
    """Return the callback of an output option: an unwritable place is refused before any work."""

    def checked(path: Path | None) -> Path | None:
        if path is not None:
            Request(command, "").require_place(path, folder)
        return path

    return checked


def report_errors(app: typer.Typer) -> int:
    """Run an application; errors of the request or of the system are printed in three parts, one line each.

    Returns:
        The exit status: 2 after an error. SIGTERM and SIGHUP clean up and end with 143 and 129.
    """
    try:
        with tidy_ending():
            app(standalone_mode=True)
    except (VadoseError, OSError, MemoryError, RuntimeError) as error:
        refusal = _refusal_of(error)
        for part in (refusal.context, refusal.problem, refusal.hint):
            typer.echo(" ".join(part.split()), err=True)
        LOGGER.error("%s | %s | %s", refusal.context, refusal.problem, refusal.hint, extra=PRINTED)
        return 2
    except Exception:
        LOGGER.exception("Unexpected error", extra=PRINTED)
        raise
    finally:
        end_logging()
    return 0


def _refusal_of(error: Exception) -> VadoseError:
    """Return an error in three parts; a programming error is raised again."""
    if isinstance(error, VadoseError):
        return error
    if isinstance(error, OSError):
        return in_words(error)
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
        return VadoseError(
            "memory: what the command needs",
            f"Out of memory ({error or type(error).__name__})",
            "Use fewer --workers or a smaller area, or a machine with more memory",
        )
    raise error


def _logged(what: str, show: Callable[..., None]) -> Callable[..., None]:
    """Return a report that is also logged, each step once."""
    last = ""

    def report(done: int, total: int, step: str = "") -> None:
        nonlocal last
        show(done, total, step)
        text = f"{_counted(what, step)} {done}/{total} {step}".rstrip()
        if text != last:
            last = text
            LOGGER.info(text, extra=PRINTED)

    return report


def _plain(what: str) -> Callable[..., None]:
    shown: tuple[str, int] | None = None

    def report(done: int, total: int, step: str = "") -> None:
        nonlocal shown
        counted = _counted(what, step)
        tenth = counted, 10 * done // max(total, 1)
        if tenth != shown:
            shown = tenth
            typer.echo(f"{counted} {done}/{total} {step}".rstrip(), err=True)

    return report


def _counted(what: str, step: str) -> str:
    """Return what a step counts: as it states, else what its command does."""
    return step.counted if isinstance(step, Step) else what
