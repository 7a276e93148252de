"""Contenders that take turns: processes that wait, and the timing of a turn."""

import json
import os
import statistics
import subprocess
import sys
import time

SECONDS = 0.4
"""Seconds that a contender runs in one turn, for each of its works."""

FEWEST = 3
"""Minimum number of runs in one turn."""


def timed(run, *given):
    """Return the median seconds of a run, after runs that fill the caches again."""
    start = time.perf_counter()
    run(*given)
    if time.perf_counter() - start < SECONDS:
        run(*given)
    times = []
    while len(times) < FEWEST or sum(times) < SECONDS:
        start = time.perf_counter()
        run(*given)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def serve(task, prepare):
    """Run a contender's process: a line of JSON out for every line in.

    Args:
        task: The arguments of the process.
        prepare: Function from the task to the functions to time, by name of the work. It also runs
            everything that has to run before the process reports that it is ready.
    """
    from keras_osnet.runtime.benchmark import peak_memory

    works = prepare(task)
    _say({"start": time.time() - task["started"], "memory": peak_memory()})
    for _ in sys.stdin:
        answer = {name: timed(run) for name, run in works.items()}
        _say({"times": answer, "memory": peak_memory()})


def _say(answer):
    print(json.dumps(answer), flush=True)


class Contender:
    """A process that waits for its turn.

    Attributes:
        title: Name in tables.
        start: Seconds from its start until it was ready.
        memory: The most memory that it has held, in MB.
        rounds: The seconds of its works, by name, one dict per turn.
    """

    def __init__(self, script, title, environment=(), **task):
        self.title = title
        self.rounds = []
        task["started"] = time.time()
        threads = {"OMP_NUM_THREADS": str(task.get("threads", 1))}
        self.process = subprocess.Popen(
            [sys.executable, script, "--work", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **threads, **dict(environment)},
        )
        first = self._read()
        self.start, self.memory = first["start"], first["memory"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def turn(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self._read()
        self.memory = answer["memory"]
        self.rounds.append(answer["times"])

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.title} has ended with {self.process.wait()}")
        return json.loads(line)
