"""The folder of a training: its record, its weights, and the result that is read from it.

Reading a record does not import Keras: `keras-osnet resume` of a finished training is quick.
"""

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np

from keras_osnet import __version__
from keras_osnet._utils.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    import keras

    from keras_osnet.training.recipe import Recipe
    from keras_osnet.training.tasks import Task

RECORD = "training.json"
_LOCK = ".lock"
_METRICS = "metrics.csv"

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
        metrics: A row of numbers for each epoch.
    """

    epochs: int = 0
    best_epoch: int | None = None
    tested: bool = False
    test: dict[str, Any] | None = None
    metrics: list[dict[str, float]] = field(default_factory=list)


class RunFolder:
    """The folder of a training, or of one of several trainings with a common record.

    | file | content |
    | --- | --- |
    | `training.json` | the record: description, progress, test metrics |
    | `metrics.csv` | a line for each epoch |
    | `tensorboard/` | the same for TensorBoard |
    | `state-EPOCH.weights.h5` | network and optimizer at the end of the last whole epoch |
    | `best.keras`, `last.keras` | networks with their classifier |

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
        self.root = Path(root)
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
            there = self._read_run().get("training")
            wanted = json.loads(json.dumps(training))
            if there is None:
                if strangers := self.strangers():
                    raise ValueError(
                        "`folder` must be new, empty, or a training's. Received: "
                        f"{self.path}, with {', '.join(strangers[:3])}"
                    )
                self._write_run(training=wanted)
            else:
                self._compare(there, wanted)
            yield

    def _compare(self, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        compared = {*there, *wanted} - _NOT_COMPARED
        differing = sorted(key for key in compared if there.get(key) != wanted.get(key))
        if differing:
            key = differing[0]
            raise ValueError(
                f"`folder` holds a training that differs in {', '.join(differing)}: resume that "
                f"one with the same arguments, or use another folder. Received: {self.path} with "
                f"{key}={there.get(key)!r}, asked for {wanted.get(key)!r}"
            )

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
        return read_json(self.root / RECORD)

    def write_record(self, **entries: Any) -> None:
        """Set entries of the record."""
        self._write(self.read_record(), **entries)

    def read_state(self) -> State:
        """Return the state of the training.

        Raises:
            ValueError: The record or `metrics.csv` is damaged.
        """
        try:
            state = State(**self._read_run().get("state", {}))
        except TypeError as error:
            raise ValueError(f"{RECORD} is damaged: {error}. Received: {self.root}") from error
        state.metrics = self._read_metrics(state.epochs)
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

    def write_weights(self, model: "keras.Model", epochs: int) -> None:
        """Write network and optimizer after a number of epochs."""
        with atomic_path(self.weights_path(epochs)) as temporary:
            model.save_weights(temporary)

    def model_paths(self, which: str, count: int) -> list[Path]:
        """Return the files of the `best` or `last` networks; several are numbered from 1."""
        if count == 1:
            return [self.path / f"{which}.keras"]
        return [self.path / f"{which}_{number}.keras" for number in range(1, count + 1)]

    def write_models(self, which: str, models: "Sequence[keras.Model]") -> None:
        """Write the `best` or `last` networks."""
        for path, model in zip(self.model_paths(which, len(models)), models, strict=True):
            with atomic_path(path) as temporary:
                model.save(temporary)

    def _write(self, record: Mapping[str, Any], **entries: Any) -> None:
        write_json(self.root / RECORD, {**record, "keras_osnet": __version__, **entries})

    def _read_run(self) -> dict[str, Any]:
        return self._run_of(self.read_record())

    def _run_of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        run = record.get("runs", {}).get(self.run, {})
        if not isinstance(run, dict):
            raise ValueError(f"{RECORD} is damaged: {self.run} is {run!r}. Received: {self.root}")
        return run

    def _write_run(self, **entries: Any) -> None:
        record = self.read_record()
        run = {**self._run_of(record), **entries}
        self._write(record, runs={**record.get("runs", {}), self.run: run})

    def _read_metrics(self, epochs: int) -> list[dict[str, float]]:
        if not epochs:
            return []
        path = self.path / _METRICS
        try:
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))[:epochs]
            metrics: list[dict[str, float]] = [
                {name: _number(name, value) for name, value in row.items() if value} for row in rows
            ]
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{_METRICS} is damaged: {error}. Received: {path}") from error
        if len(metrics) < epochs:
            raise ValueError(f"{_METRICS} must have {epochs} rows. Received: {path}")
        return metrics

    def _write_metrics(self, metrics: Sequence[Mapping[str, float]]) -> None:
        columns = list(dict.fromkeys(name for row in metrics for name in row))
        with atomic_path(self.path / _METRICS) as temporary, temporary.open("w", newline="") as out:
            writer = csv.DictWriter(out, columns)
            writer.writeheader()
            writer.writerows(metrics)


def _number(name: str, text: str) -> float:
    return int(text) if name == "epoch" else float(text)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        folder: The folder of the training.
        networks: Number of networks: one, or several that learned from each other.
        metrics: A row of numbers for each epoch: `epoch` from 1, `learning_rate`, `loss`, ….
        best_epoch: The epoch whose weights are used, from 1; None if it is the last.
        test: Metrics on the dataset's query and gallery, or test part; None if there are no test
            images.
        embedders: The models that were given to `train`, with the weights of the best epoch, if
            one was chosen. Empty in the results of `train_seeds`: see `load_embedders`.
        classifiers: The same models with their classifier. Empty in the results of `train_seeds`:
            see `load_classifiers`.
    """

    folder: Path
    networks: int
    metrics: list[dict[str, float]]
    best_epoch: int | None
    test: dict[str, Any] | None
    embedders: "Sequence[keras.Model]" = ()
    classifiers: "Sequence[keras.Model]" = ()

    @property
    def paths(self) -> list[Path]:
        """The files of the networks: those of the best epoch, if one was chosen."""
        which = "last" if self.best_epoch is None else "best"
        return RunFolder(self.folder).model_paths(which, self.networks)

    def load_classifiers(self) -> "list[keras.Model]":
        """Load the networks with their classifier from `paths`.

        Raises:
            ValueError: A file does not exist any more.
        """
        import keras

        return [keras.saving.load_model(path, compile=False) for path in self.paths]

    def load_embedders(self) -> "list[keras.Model]":
        """Load the networks up to their embedding from `paths`.

        Raises:
            ValueError: A file does not exist any more.
        """
        from keras_osnet.training.networks import without_classifier

        return [without_classifier(classifier) for classifier in self.load_classifiers()]


def describe_training(
    recipe: "Recipe",
    models: "Sequence[keras.Model]",
    task: "Task",
    seed: int,
    distribution: str | None,
) -> dict[str, Any]:
    """Return a description of a training and its environment, for `RunFolder.open`."""
    import keras

    return {
        "recipe": recipe.name,
        **recipe.to_dict(),
        "seed": seed,
        "models": [model.name for model in models],
        "architecture": [_digest(_shape(model)) for model in models],
        "images": len(task.labels),
        "classes": len(task.class_names),
        "class_names": list(task.class_names),
        "labels": _digest(np.ascontiguousarray(task.labels, np.int64).tobytes()),
        "distribution": distribution,
        "backend": keras.backend.backend(),
        "keras_osnet": __version__,
    }


def _shape(model: "keras.Model") -> str:
    """Describe types and shapes, without names of layers: Keras numbers them per process."""
    layers = [type(layer).__name__ for layer in model.layers]
    variables = [tuple(variable.shape) for variable in model.variables]
    return f"{model.input_shape} {layers} {variables}"


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()
