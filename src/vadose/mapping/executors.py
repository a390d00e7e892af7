"""Executors of tile tasks: threads, processes, or the workers of a Dask scheduler."""

import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Thread
from typing import Any

import dask

from vadose.errors import VadoseError
from vadose.mapping.tasks import WorkerContext, WorkerSpec, run_task, run_task_in_process
from vadose.mapping.tile_files import Task

_SCHEMES = ("tcp://", "tls://")
AHEAD = 2
"""Largest number of submitted tasks per worker."""
DEVICES = ("cpu", "cuda")
PATIENCE_S = 20.0
"""Seconds to wait for workers."""
Outcome = BaseException | None


@dataclass(frozen=True)
class Executor:
    """Executor of tile tasks.

    Attributes:
        scheduler: "threads" or "processes" of this machine, or the address of a Dask scheduler, tcp://host:port, whose
            workers see the same folders.
        workers: number of threads or processes; a scheduler has its own workers.
        device: of the networks: "cpu", or "cuda" for a GPU. Of a scheduler's workers, only those that declare a GPU by
            `dask worker --resources GPU=1` receive tiles: as many at once as they declare.
    """

    scheduler: str = "threads"
    workers: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        known = self.scheduler in ("threads", "processes") or self.scheduler.startswith(_SCHEMES)
        if not known or self.workers < 1:
            raise VadoseError(
                f"map: {self.workers} workers of '{self.scheduler}'",
                "The choices are threads, processes, and the address of a Dask scheduler",
                "Write threads, processes or tcp://host:port, and at least one worker",
            )
        if self.device not in DEVICES:
            raise VadoseError(
                f"map: the device '{self.device}'", f"The choices are {', '.join(DEVICES)}", "Write one of them"
            )

    @property
    def resources(self) -> dict[str, float]:
        """Return the resources that a Dask worker must have free for a tile."""
        return {} if self.device == "cpu" else {"GPU": 1}

    def each(self, spec: WorkerSpec, tools: WorkerContext, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Run the tasks in any order; yield each with its error, if any.

        Args:
            spec: context from which processes open their tools.
            tools: networks and sources that threads share.
            tasks: to run.

        Raises:
            VadoseError: the scheduler does not respond, or no worker has the device; or this machine has no such
                device.
        """
        if not tasks:
            return
        if self.scheduler == "threads":
            yield from _in_threads(partial(run_task, tools.on(self.device), spec), tasks, self.workers)
            return
        with self._client() as client:
            yield from _by_dask(client, partial(run_task_in_process, spec, self.device), tasks, self.resources)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        distributed = importlib.import_module("distributed")
        if self.scheduler == "processes":
            options: dict[str, Any] = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
            options |= {"resources": self.resources} if self.resources else {}
            with distributed.LocalCluster(n_workers=self.workers, **options) as cluster, cluster.get_client() as client:
                yield client
            return
        with self._far(distributed) as client:
            yield client

    def _far(self, distributed: Any) -> Any:
        """Return a client of a running scheduler."""
        try:
            client = _within(2 * PATIENCE_S + 5, partial(_reached, distributed, self.scheduler))
        except Exception as error:  # invalid responses raise any error, MemoryError among them
            raise VadoseError(
                f"map: the Dask scheduler {self.scheduler}",
                f"It does not respond as one, or has no workers ({type(error).__name__}: {error})",
                "Start 'dask scheduler' and at least one 'dask worker', and give its address",
            ) from error
        if self.resources and not _declared(client, tuple(self.resources)):
            client.close()
            raise VadoseError(
                f"map: GPUs of the Dask scheduler {self.scheduler}",
                "None of its workers declares one",
                "Start 'dask worker --resources GPU=1' on a machine with a GPU, or map with --device cpu",
            )
        return client


def _reached(distributed: Any, address: str) -> Any:
    """Connect to a scheduler with a worker; it does not become the scheduler of other computations of this process."""
    client = distributed.Client(address, timeout=PATIENCE_S, set_as_default=False)
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except BaseException:
        client.close()
        raise
    return client


def _within(seconds: float, ask: Callable[[], Any]) -> Any:
    """Return the result of a call, or its error; TimeoutError after a time limit, in a thread that blocks nothing."""
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 (passed on)
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return answer.result(timeout=seconds)


def _declared(client: Any, names: tuple[str, ...]) -> bool:
    """Return whether a worker with all these resources appears within the time limit."""
    until = time.monotonic() + PATIENCE_S
    while True:
        workers = client.scheduler_info()["workers"].values()
        if any(all(name in worker["resources"] for name in names) for worker in workers):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.1)


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


def _by_dask(
    client: Any, work: Callable[[Task], object], tasks: Sequence[Task], resources: Mapping[str, float]
) -> Iterator[tuple[Task, Outcome]]:
    """Wait for futures without fetching results: a worker writes them, and may die afterwards."""
    distributed = importlib.import_module("distributed")
    waiting, most = iter(tasks), AHEAD * (sum(client.nthreads().values()) or 1)
    submit = partial(client.submit, work, pure=False, resources=dict(resources))
    running = {submit(task): task for task in islice(waiting, most)}
    ended = distributed.as_completed(list(running), loop=client.loop)
    for future in ended:
        yield running.pop(future), _outcome(future)
        for task in islice(waiting, most - len(running)):
            begun = submit(task)
            running[begun] = task
            ended.add(begun)


def _outcome(future: Any) -> Outcome:
    if future.status == "error":
        error: BaseException = future.exception()
        return error
    return None if future.status == "finished" else ConnectionError("The scheduler was lost")
