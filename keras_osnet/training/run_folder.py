"""The folder of a training: its record, its weights, and the result that is read from it.

Reading a record does not import Keras: `keras-osnet resume` of a finished training is quick.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np

from keras_osnet import __version__
from keras_osnet._utils.checks import path_of, whole_number
from keras_osnet._utils.files import (
    atomic_path,
    open_regular,
    read_json,
    sweep_temporaries,
    write_json,
)
from keras_osnet._utils.save_with_keras import save_with_keras
from keras_osnet.data.records import EmbeddedImages

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray


RECORD = "training.json"
_LOCK = ".lock"
METRICS = "metrics.csv"
VECTORS = "teacher.npz"

_FORMER_RECORDS = ("run.json", "command.json")
"""Records of versions that kept several."""

_NOT_COMPARED = {"keras_osnet", "backend", "distribution", "class_names"}
"""A training may be resumed with another version, on other devices, with other class names."""


@dataclass
class State:
    """The state of a training at the end of an epoch.

    Attributes:
        epochs: Number of epochs that are done.
        best_epoch: The best one, from 1; None if none is chosen.
        tested: Whether the test is done.
        test: The test metrics; None if there are no test images.
        digest: SHA-256 of the file of weights.
        metrics: A row of numbers for each epoch.
    """

    epochs: int = 0
    best_epoch: int | None = None
    tested: bool = False
    test: dict[str, Any] | None = None
    digest: str | None = None
    metrics: list[dict[str, float]] = field(default_factory=list)


class RunFolder:
    """The folder of a training, or of one of several trainings with a common record.

    | file | content |
    | --- | --- |
    | `training.json` | the record: description, progress, test metrics |
    | `metrics.csv` | a line for each epoch |
    | `tensorboard/` | the same for TensorBoard |
    | `state-EPOCH.weights.h5` | network and optimizer at the end of the last whole epoch |
    | `best.keras`, `last.keras` | networks with their classifier, if they have one |
    | `teacher.npz` | of a distillation: the teacher's vectors of the training images |

    `train` writes all of it into one folder. `train_seeds` and `keras-osnet train` write a folder
    for each training (`seed-0/`), and one record for all beside them, in which the command line
    also keeps its options.

    Every file is written whole or not at all, and the record last, so that its content exists: a
    training that was killed is resumed at the end of the epoch that it names. `class_names` in the
    record are the meaning of the classifier's outputs, in their order.

    Args:
        root: The folder of the record.
        run: Name of the training's folder in it; `"."` if it is the same folder.
    """

    def __init__(self, root: str | os.PathLike[str], run: str = ".") -> None:
        self.root = path_of("folder", root)
        self.run = run
        self.path = self.root / run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the root folder and lock other processes out of it.

        Raises:
            BlockingIOError: Another process is training in the folder.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.root / _LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise BlockingIOError(
                f"Another process is training in this folder. Received: folder={self.root}"
            ) from error
        with lock:
            yield

    @contextmanager
    def open(self, training: Mapping[str, Any]) -> Iterator[None]:
        """Begin a training in the folder or resume it, locked.

        Args:
            training: Description of the training, of types that JSON has.

        Raises:
            ValueError: Another training, or something else, is in the folder.
            BlockingIOError: Another process is training in it.
        """
        with self.locked():
            self.path.mkdir(exist_ok=True)
            for folder in {self.root, self.path}:
                sweep_temporaries(folder, alone=True)
            if self.check(training):
                self._write_run(training=json.loads(json.dumps(training)))
            yield

    def check(self, training: Mapping[str, Any]) -> bool:
        """Return whether the training would begin in the folder; False if it would be resumed.

        Raises:
            ValueError: Another training, or something else, is in the folder.
        """
        there = self._read_run().get("training")
        if there is None:
            if strangers := self.strangers():
                raise ValueError(
                    "`folder` must be new, empty, or a training's. Received: "
                    f"{self.path}, with {', '.join(strangers[:3])}"
                )
            return True
        wanted = json.loads(json.dumps(training))
        compared = {*there, *wanted} - _NOT_COMPARED
        differing = sorted(key for key in compared if there.get(key) != wanted.get(key))
        if differing:
            key = differing[0]
            raise ValueError(
                f"`folder` holds a training that differs in {', '.join(differing)}: resume that "
                f"one with the same arguments, or use another folder. Received: {self.path} with "
                f"{key}={there.get(key)!r}, asked for {wanted.get(key)!r}"
            )
        return False

    def interrupted(self) -> str:
        """Return the message of a command that Ctrl-C ended."""
        begun = (self.root / RECORD).exists()
        return "Interrupted." + (f" keras-osnet resume {self.root} resumes it." if begun else "")

    @property
    def was_locked(self) -> bool:
        """True if a training has been in the folder, even if nothing else is left of it."""
        return (self.root / _LOCK).exists()

    def strangers(self) -> list[str]:
        """Return the names of all files in the folder, hidden ones excepted."""
        if not self.path.exists():
            return []
        return sorted(file.name for file in self.path.iterdir() if not file.name.startswith("."))

    def read_record(self) -> dict[str, Any]:
        """Return the record; empty if nothing has begun.

        Raises:
            ValueError: The record is damaged, or of a version that kept several.
        """
        for folder in (self.root, self.path):
            for name in _FORMER_RECORDS:
                if (folder / name).exists():
                    raise ValueError(
                        "`folder` holds a training by an earlier version of keras-osnet, which "
                        f"cannot be resumed: use another folder. Received: {folder} with {name}"
                    )
        if not (self.root / RECORD).exists():
            return {}
        record = read_json(self.root / RECORD)
        for entry in ("runs", "command", "before", "report"):
            if not isinstance(record.get(entry), dict | None):
                raise self.damaged(f"{entry} is {record[entry]!r}")
        return record

    def damaged(self, problem: object) -> ValueError:
        """Return the error that the record is damaged."""
        return ValueError(f"{RECORD} is damaged: {problem}. Received: {self.root / RECORD}")

    def write_record(self, **entries: Any) -> None:
        """Set entries of the record."""
        self._write(self.read_record(), **entries)

    def read_state(self) -> State:
        """Return the state of the training.

        Raises:
            ValueError: The record or `metrics.csv` is damaged.
        """
        entry = self._read_run().get("state", {})
        try:
            state = State(**entry)
        except TypeError as error:
            raise self.damaged(error) from error
        epochs, best = whole_number(state.epochs), whole_number(state.best_epoch)
        if (
            epochs is None
            or epochs < 0
            or not (state.best_epoch is None or (best is not None and 1 <= best <= epochs))
            or not isinstance(state.tested, bool)
            or not isinstance(state.test, dict | None)
            or not isinstance(state.digest, str if epochs else str | None)
        ):
            raise self.damaged(f"the state of {self.run} is {entry!r}")
        if state.test is not None:  # NaN, such as a top-5 error of two classes, is null in JSON
            state.test = {
                name: float("nan") if value is None else value for name, value in state.test.items()
            }
        state.metrics = self._read_metrics(epochs)
        return state

    def write_state(self, state: State) -> None:
        """Make this the state to resume from, and delete the weights of earlier ones."""
        self._write_metrics(state.metrics)
        entry = asdict(state)
        del entry["metrics"]
        self._write_run(state=entry)
        for file in self.path.glob("state-*.weights.h5"):
            if file != self.weights_path(state.epochs):
                file.unlink()

    def weights_path(self, epochs: int) -> Path:
        """Return the file of network and optimizer after a number of epochs."""
        return self.path / f"state-{epochs:04d}.weights.h5"

    def write_weights(self, model: "keras.Model", epochs: int) -> str:
        """Write network and optimizer after a number of epochs; return the file's digest."""
        path = self.weights_path(epochs)
        save_with_keras(model, path)
        return digest(path.read_bytes())

    def load_weights(self, model: "keras.Model", state: State) -> None:
        """Load network and optimizer.

        Raises:
            ValueError: The file does not exist, is damaged, or is of another training.
        """
        path = self.weights_path(state.epochs)
        with explain_damage(path):
            # Only the worker that wrote the file knows the digest before it is in the record.
            if state.digest is not None and digest(path.read_bytes()) != state.digest:
                raise ValueError("it is not as it was written")
            model.load_weights(path)

    def model_paths(self, which: str, count: int) -> list[Path]:
        """Return the files of the `best` or `last` networks; several are numbered from 1."""
        if count == 1:
            return [self.path / f"{which}.keras"]
        return [self.path / f"{which}_{number}.keras" for number in range(1, count + 1)]

    def write_models(self, which: str, models: "Sequence[keras.Model]") -> None:
        """Write the `best` or `last` networks."""
        for path, model in zip(self.model_paths(which, len(models)), models, strict=True):
            save_with_keras(model, path)

    def write_vectors(self, vectors: EmbeddedImages) -> None:
        """Write the vectors of a teacher, and their digest to the record."""
        path = self.path / VECTORS
        vectors.save(path)
        self._write_run(vectors=digest(path.read_bytes()))

    def read_vectors(self) -> "NDArray[np.float32] | None":
        """Return the vectors of a teacher, (images, dim); None if they were not written yet.

        Raises:
            ValueError: The file does not exist any more, or is not as it was written.
        """
        wanted = self._read_run().get("vectors")
        if wanted is None:
            return None
        path = self.path / VECTORS
        with explain_damage(path):
            content = path.read_bytes()
            if digest(content) != wanted:
                raise ValueError("it is not as it was written")
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                return file["vectors"]

    def _write(self, record: Mapping[str, Any], **entries: Any) -> None:
        write_json(self.root / RECORD, {**record, "keras_osnet": __version__, **entries})

    def _read_run(self) -> dict[str, Any]:
        return self._run_of(self.read_record())

    def _run_of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        run = (record.get("runs") or {}).get(self.run, {})
        if not isinstance(run, dict):
            raise self.damaged(f"{self.run} is {run!r}")
        for entry in ("training", "state"):
            if not isinstance(run.get(entry, {}), dict):
                raise self.damaged(f"{entry} of {self.run} is {run[entry]!r}")
        return run

    def _write_run(self, **entries: Any) -> None:
        record = self.read_record()
        run = {**self._run_of(record), **entries}
        self._write(record, runs={**(record.get("runs") or {}), self.run: run})

    def _read_metrics(self, epochs: int) -> list[dict[str, float]]:
        if not epochs:
            return []
        path = self.path / METRICS
        with explain_damage(path):
            with open_regular(path) as binary, TextIOWrapper(binary, "utf-8", newline="") as file:
                rows = list(csv.DictReader(file))[:epochs]
            metrics: list[dict[str, float]] = [
                {name: _number(name, value) for name, value in row.items() if value} for row in rows
            ]
            if [row.get("epoch") for row in metrics] != [*range(1, epochs + 1)]:
                raise ValueError(f"it must have {epochs} rows, of the epochs 1 to {epochs}")
        return metrics

    def _write_metrics(self, metrics: Sequence[Mapping[str, float]]) -> None:
        columns = list(dict.fromkeys(name for row in metrics for name in row))
        with (
            atomic_path(self.path / METRICS) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as out,
        ):
            writer = csv.DictWriter(out, columns)
            writer.writeheader()
            writer.writerows(metrics)


@contextmanager
def explain_damage(path: Path) -> Iterator[None]:
    """Raise all errors of reading a training's file as a ValueError that names it."""
    try:
        yield
    except Exception as error:  # of h5py, zipfile, csv, Keras and the backend, each with its own
        problem = str(error).strip().partition("\n")[0] or type(error).__name__
        if isinstance(error, FileNotFoundError):
            problem = "the file does not exist any more"
        raise ValueError(
            f"{path.name} is damaged: {problem.rstrip('.')}. Restore it, or train in another "
            f"folder. Received: {path}"
        ) from error


def _number(name: str, text: str) -> float:
    return int(text) if name == "epoch" else float(text)


def digest(content: str | bytes) -> str:
    """Return the SHA-256 of a text or of bytes."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()
