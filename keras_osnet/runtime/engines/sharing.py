"""Share the images of a call among threads, each of which loads one and runs a model on it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any

from numpy.typing import NDArray

Run = Callable[[NDArray], NDArray]
"""Function from the images of one step to the outputs, which are not overwritten by the next."""

Load = Callable[[int], NDArray]
"""Function from the number of a step to its images."""


class RunError(Exception):
    """A model could not run; the error of the engine is the cause."""


class SharedRuns:
    """Copies of a model that run at the same time, and the threads that feed them.

    Threads that share one image wait for each other after every operation; with an image on a
    thread each, none waits. While a thread loads an image, others run the model.

    Args:
        runs: A function for each copy; two threads never call the same one at once.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._free: SimpleQueue[Run] = SimpleQueue()
        for run in runs:
            self._free.put(run)
        self._count = len(runs)
        self._next = threading.Lock()
        # Half of them for files, of which some are still being read or decoded.
        self._threads = ThreadPoolExecutor(2 * self._count, thread_name_prefix="keras-osnet")

    def map(self, load: Load, count: int, *, waits: bool = False) -> list[NDArray]:
        """Return the outputs of steps 0 to `count` - 1, in order.

        Args:
            load: Called once for each step, in order, by several threads.
            count: Number of steps.
            waits: Whether `load` waits for a disk or a network, so that more are loaded at once.

        Raises:
            RunError: A model could not run.
            Exception: The error of `load`; of several, that of the first step.
        """
        results: list[Any] = [None] * count
        errors: dict[int, BaseException] = {}
        steps = iter(range(count))
        helpers = min((2 if waits else 1) * self._count, count) - 1
        work = [
            self._threads.submit(self._work, steps, load, results, errors) for _ in range(helpers)
        ]
        try:
            self._work(steps, load, results, errors)
            wait(work)
        except BaseException as error:  # Ctrl-C between two steps: the other threads stop as well
            errors[-1] = error
            wait(work)
        if errors:
            raise errors[min(errors)]
        return results

    def _work(
        self,
        steps: Iterator[int],
        load: Load,
        results: list[Any],
        errors: dict[int, BaseException],
    ) -> None:
        """Do steps until none is left, or one has failed."""
        while not errors:
            with self._next:
                step = next(steps, None)
            if step is None:
                return
            try:
                images = load(step)
                run = self._free.get()
                try:
                    results[step] = run_or_explain(run, images)
                finally:
                    self._free.put(run)
            except BaseException as error:  # raised again by `map`, in the thread of the caller
                errors[step] = error


def run_or_explain(run: Run, images: NDArray) -> NDArray:
    """Call a run; raise RunError from whatever the engine raises."""
    try:
        return run(images)
    except Exception as error:  # the engines' own have no common base class
        raise RunError from error
