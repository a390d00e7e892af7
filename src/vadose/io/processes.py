"""Worker processes that end with this one; signals let it clean up first."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import Any, NoReturn, ParamSpec, TypeVar

from vadose.errors import VadoseError
from vadose.io.logs import log_in_worker

P = ParamSpec("P")
T = TypeVar("T")
PATIENCE_S = 20.0
"""Seconds that processes may clean up before they are killed."""
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of new interpreters. If this process ends by an error they are ended too; if it is killed, at once.

    Args:
        workers: number of processes.

    Raises:
        VadoseError: a process was ended from outside.
    """
    pool = _Pool(workers, mp_context=get_context("spawn"), initializer=_begin)
    with ending_with_this():
        try:
            yield pool
        except BrokenProcessPool as error:
            raise VadoseError(
                f"workers: {workers} parallel processes",
                "One of them was ended from outside, often for lack of memory",
                "Run the same command again with fewer --workers",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    pool.shutdown()


@contextmanager
def ending_with_this() -> Iterator[None]:
    """End the processes started within, if this ends by an error: terminate, then kill."""
    before = set(active_children())
    try:
        yield
    except BaseException:
        begun = [process for process in active_children() if process not in before]
        for process in begun:
            process.terminate()
        for process in begun:
            process.join(PATIENCE_S)
            if process.is_alive():
                process.kill()
        raise


@contextmanager
def tidy_ending() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end this process as Ctrl-C does: unfinished work is cleaned up.

    The exit status is 128 + the number of the signal, 143 or 129, as in the shell. An ignored signal, for example under
    nohup, remains ignored.
    """
    here = current_thread() is main_thread()  # only the main thread may set signal handlers
    asked = [number for number in _ENDINGS if here and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _end) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for one in _ENDINGS:
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(128 + number)


class _Pool(ProcessPoolExecutor):
    """Pool whose processes end on termination instead of continuing with the next task."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return super().submit(partial(_tidily, fn), *args, **kwargs)


def _tidily(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return work(*args, **kwargs)
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 1)


def _begin() -> None:
    """Leave Ctrl-C to the parent, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    log_in_worker()
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
