"""Who does the tiles: threads, processes, or the workers of a Dask scheduler."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import dask

from vadose.experiment.atlas.tile_files import Task
from vadose.experiment.atlas.work import Bench, Tools, work, work_apart
from vadose.refusal import Refusal

AHEAD = 2
"""Tasks that wait or run for each worker; more are not handed out."""
_PATIENCE_S = "20s"
Outcome = BaseException | None


@dataclass(frozen=True)
class Crew:
    """Who does the tiles.

    Attributes:
        scheduler: "threads" or "processes" of this machine, or the address of a Dask scheduler, tcp://host:port, whose
            workers see the same folders.
        workers: how many threads or processes; a scheduler has its own.
    """

    scheduler: str = "threads"
    workers: int = 1

    def __post_init__(self) -> None:
        known = self.scheduler in ("threads", "processes") or "://" in self.scheduler
        if not known or self.workers < 1:
            raise Refusal(
                f"map: {self.workers} workers of '{self.scheduler}'",
                "There are threads, processes, and Dask schedulers by their address",
                "Write threads, processes or tcp://host:port, and at least one worker",
            )

    def each(self, bench: Bench, tools: Tools, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Do the tasks in no certain order; give each with the error that it ended with, if any.

        Args:
            bench: what the tiles are made with; processes open their tools by it.
            tools: that threads share.
            tasks: what is to do.

        Raises:
            Refusal: the scheduler does not answer, or has no workers.
        """
        if not tasks:
            return
        if self.scheduler == "threads":
            yield from _in_threads(partial(work, tools, bench), tasks, self.workers)
            return
        with self._client() as client:
            yield from _by_dask(client, partial(work_apart, bench), tasks)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        distributed = importlib.import_module("distributed")
        if self.scheduler == "processes":
            options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
            with distributed.LocalCluster(n_workers=self.workers, **options) as cluster, cluster.get_client() as client:
                yield client
            return
        with self._far(distributed) as client:
            yield client

    def _far(self, distributed: Any) -> Any:
        """A client of a scheduler that runs already."""
        try:
            client = distributed.Client(self.scheduler, timeout=_PATIENCE_S)
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except (OSError, ValueError, TimeoutError) as error:
            raise Refusal(
                f"map: the Dask scheduler {self.scheduler}",
                f"It does not answer, or has no workers ({error})",
                "Start 'dask scheduler' and at least one 'dask worker', and give its address",
            ) from error
        return client


def _in_threads(work: Callable[[Task], object], tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, Outcome]]:
    waiting, most = iter(tasks), AHEAD * workers
    with dask.config.set(scheduler="synchronous"), ThreadPoolExecutor(workers) as executor:
        running = {executor.submit(work, task): task for task in islice(waiting, most)}
        try:
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.exception()
                for task in islice(waiting, most - len(running)):
                    running[executor.submit(work, task)] = task
        finally:
            for future in running:
                future.cancel()


def _by_dask(client: Any, work: Callable[[Task], object], tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
    """Results are not fetched: a worker writes them, and may die when it has."""
    distributed = importlib.import_module("distributed")
    waiting, most = iter(tasks), AHEAD * (sum(client.nthreads().values()) or 1)
    running = {client.submit(work, task, pure=False): task for task in islice(waiting, most)}
    ended = distributed.as_completed(list(running))
    for future in ended:
        yield running.pop(future), _outcome(future)
        for task in islice(waiting, most - len(running)):
            begun = client.submit(work, task, pure=False)
            running[begun] = task
            ended.add(begun)


def _outcome(future: Any) -> Outcome:
    if future.status == "error":
        error: BaseException = future.exception()
        return error
    return ConnectionError("The scheduler was lost") if future.status == "cancelled" else None
