"""The folder of a training: what it is, how far it is, and its weights."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import keras

from keras_osnet._utils.files import atomic_path, read_json, write_json

_RUN = "run.json"
_STATE = "state.json"
_METRICS = "metrics.csv"
_RESULT = "result.json"

_NOT_COMPARED = {"keras_osnet", "backend", "distribution", "class_names"}
"""A training may go on with another version, on other devices, and with people called otherwise."""


@dataclass
class State:
    """How far a training is: the end of an epoch.

    Attributes:
        epochs: How many are done.
        weights: File of the network and its optimiser after them, beside `state.json`.
        metrics: A row of numbers for each epoch.
        best_epoch: The one that was best so far, from 1; None if none is chosen.
    """

    epochs: int
    weights: str
    metrics: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None


def weights_name(epochs: int) -> str:
    """Return the name of the file of network and optimiser after so many epochs."""
    return f"state-{epochs:04d}.weights.h5"


class RunFolder:
    """The folder of a training.

    | file | what it is |
    | --- | --- |
    | `run.json` | what is trained: recipe, seed, data, model; another training is refused |
    | `metrics.csv` | a line for each epoch |
    | `tensorboard/` | the same for TensorBoard |
    | `state.json`, `state-EPOCH.weights.h5` | where to go on: network and optimiser |
    | `best.keras`, `last.keras` | networks with their classifier, complete in themselves |
    | `result.json` | the figures of the test |

    `class_names` in `run.json` are what the classifier's outputs stand for, in their order.

    Every file is written whole or not at all, and `state.json` last: what it says is there. A
    training that was killed goes on from the end of the epoch that it names.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @contextmanager
    def open(self, run: Mapping[str, Any]) -> Iterator["RunFolder"]:
        """Make the folder, or go on in it, and keep other processes out.

        Args:
            run: What is trained, of types that JSON has.

        Raises:
            ValueError: If another training, or something else, is in the folder.
            BlockingIOError: If another process is training in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise BlockingIOError(
                f"Another process is training in this folder. Received: folder={self.path}"
            ) from error
        with lock:
            self._check(run)
            yield self

    def _check(self, run: Mapping[str, Any]) -> None:
        wanted = json.loads(json.dumps(run))
        if not (self.path / _RUN).exists():
            strangers = [file.name for file in self.path.iterdir() if file.name != ".lock"]
            if strangers:
                raise ValueError(
                    "`folder` must be new, empty, or a training's. Received: "
                    f"{self.path}, with {', '.join(sorted(strangers)[:3])}"
                )
            write_json(self.path / _RUN, wanted)
            return
        there = read_json(self.path / _RUN)
        compared = {*there, *wanted} - _NOT_COMPARED
        differing = sorted(key for key in compared if there.get(key) != wanted.get(key))
        if differing:
            key = differing[0]
            raise ValueError(
                f"`folder` holds a training that differs in {', '.join(differing)}: continue that "
                f"one with the same arguments, or take another folder. Received: {self.path} with "
                f"{key}={there.get(key)!r}, asked for {wanted.get(key)!r}"
            )

    def read_state(self) -> State | None:
        """Return how far the training is, or None at its start."""
        if not (self.path / _STATE).exists():
            return None
        return State(**read_json(self.path / _STATE))

    def write_weights(self, model: keras.Model, epochs: int) -> None:
        """Write network and optimiser after so many epochs."""
        with atomic_path(self.path / weights_name(epochs)) as temporary:
            model.save_weights(temporary)

    def write_state(self, state: State) -> None:
        """Make this the place to go on from, and drop the weights of earlier ones."""
        self._write_metrics(state.metrics)
        write_json(self.path / _STATE, vars(state))
        for file in self.path.glob("state-*.weights.h5"):
            if file.name != state.weights:
                file.unlink()

    def write_models(self, which: str, models: Sequence[keras.Model]) -> list[Path]:
        """Write `best` or `last` networks; several are numbered from 1."""
        paths = self.model_paths(which, len(models))
        for path, model in zip(paths, models, strict=True):
            with atomic_path(path) as temporary:
                model.save(temporary)
        return paths

    def model_paths(self, which: str, count: int) -> list[Path]:
        """Return where the `best` or `last` networks are."""
        if count == 1:
            return [self.path / f"{which}.keras"]
        return [self.path / f"{which}_{number}.keras" for number in range(1, count + 1)]

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write the figures of the test."""
        write_json(self.path / _RESULT, result)

    def read_result(self) -> dict[str, Any] | None:
        """Return the figures of the test, or None before it."""
        return read_json(self.path / _RESULT) if (self.path / _RESULT).exists() else None

    def _write_metrics(self, metrics: Sequence[Mapping[str, float]]) -> None:
        columns = list(dict.fromkeys(name for row in metrics for name in row))
        with atomic_path(self.path / _METRICS) as temporary, temporary.open("w", newline="") as out:
            writer = csv.DictWriter(out, columns)
            writer.writeheader()
            writer.writerows(metrics)
