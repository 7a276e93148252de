"""Training by a recipe."""

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_osnet import __version__
from keras_osnet.data import TrainingPictures
from keras_osnet.data.augmentation import Normalize, RandomErasing
from keras_osnet.data.datasets.dataset import Dataset
from keras_osnet.training.determinism import deterministic
from keras_osnet.training.distribution import Distribution, distributed
from keras_osnet.training.freezing import train_only
from keras_osnet.training.network import Network, add_classifier, check_backbone, takes_pixels
from keras_osnet.training.peers import mutual_learning_model
from keras_osnet.training.recipe import Recipe, load_recipe
from keras_osnet.training.run_folder import RunFolder, State
from keras_osnet.training.tasks import Task, make_task
from keras_osnet.training.tensorboard import TensorBoardLog

_CLASSIFIER = {"logits"}
"""The layer that learns while the rest stands still."""


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """What came out of a training.

    Attributes:
        folder: Where everything is.
        embedders: The networks that were given, with the weights that count: those of the best
            epoch, where there is one. One, or several that learned from each other.
        classifiers: The same with their classifier.
        metrics: A row of numbers for each epoch: `epoch` from 1, `learning_rate`, `loss`, ….
        best_epoch: The one whose weights count, from 1; None if it is the last.
        result: The figures of the test on the dataset's query and gallery, or test part; None if
            there is none.
    """

    folder: Path
    embedders: list[keras.Model]
    classifiers: list[keras.Model]
    metrics: list[dict[str, float]]
    best_epoch: int | None
    result: dict[str, Any] | None


def train(
    recipe: Recipe | str | os.PathLike[str],
    model: keras.Model | Sequence[keras.Model],
    dataset: Dataset,
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
    in_memory: bool = False,
    distribution: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> TrainedRun:
    """Train a network by a recipe, into a folder; or go on with a training that was interrupted.

    The same call does both: if the folder has the beginning of this training, killed at whatever
    moment, it goes on from the end of the last whole epoch, and arrives at the same result, to the
    bit where the backend's operations are deterministic. They are switched to that (for the whole
    process; see `keras_osnet.training.determinism`). If it is finished, its result is read.

    Args:
        recipe: One of `list_recipes()`, a `.toml` file, or a `Recipe`.
        model: From an image (height, width, 3) to an embedding (batch, dim): `OSNet(
            head="embedding", weights=…)`, or another functional model, such as Keras's MobileNetV2
            with `include_top=False, pooling="avg"`. It is trained in place (under a
            `distribution`, a copy may be); its classifier is added here. A model that normalises
            pixels by itself, in a layer named `preprocessing`, gets pixels, another
            `preprocess_input`'s images. For a recipe with mutual learning, two models or more.
        dataset: A `ReidDataset`, `AttributeDataset` or `ClassificationDataset`, as the recipe's
            task has it.
        folder: Where everything goes; see `RunFolder`. New, empty, or of this training.
        seed: Of everything random: the classifier's initial values, the order of the pictures,
            their augmentation, who is held out.
        in_memory: Keep all pictures in memory once they are read; see `TrainingPictures`.
        distribution: None, `"mirrored"`, `"multi-worker"` or `"data-parallel"`; see `distributed`.
            The workers of `"multi-worker"` need the same folder, and have to build their models
            inside `with distributed("multi-worker")`.
        callbacks: Further callbacks for `fit`. They come after those that measure what is held out.
        verbose: As for `fit`.

    Returns:
        The networks and figures.

    Raises:
        ValueError: An argument is wrong, or does not fit another; or the folder has another
            training in it.
        BlockingIOError: Another process is training in the folder.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import split_by_identity, write_synthetic_people
        >>> folder = getfixture("tmp_path")
        >>> people = write_synthetic_people(folder / "people", 6, views=2, size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> recipe = load_recipe("few_people").with_epochs(1)
        >>> recipe = recipe.changed({"batch_size": 8, "hold_out": 0.0})
        >>> run = train(recipe, model, split_by_identity(people, 0.5), folder / "run", verbose=0)
        >>> [row["epoch"] for row in run.metrics], sorted(run.result)[:2]
        ([1], ['cmc', 'gallery'])
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    models = _checked_models(recipe, model)
    task = make_task(recipe, dataset, seed)
    run_folder = RunFolder(folder)
    with deterministic(), distributed(distribution) as devices, ExitStack() as stack:
        pictures = _pictures(recipe, task, models[0], devices, seed, in_memory)
        description = _description(recipe, models, task, seed, devices.kind)
        if devices.is_chief:
            stack.enter_context(run_folder.open(description))
        devices.barrier()
        keras.utils.set_random_seed(seed)
        networks = [
            add_classifier(devices.replicate(each), task.classes, task.activation)
            for each in models
        ]
        run = _Run(recipe, task, networks, pictures, run_folder, devices)
        run.fit(callbacks, verbose)
        return run.finish()


class _Run:
    """A training under way."""

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        networks: list[Network],
        pictures: TrainingPictures,
        folder: RunFolder,
        devices: Distribution,
    ) -> None:
        self.recipe, self.task, self.networks, self.pictures = recipe, task, networks, pictures
        self.folder, self.devices = folder, devices
        self.trained = _joined(networks)
        self.state = folder.read_state()
        self.result = folder.read_result()
        self.log = TensorBoardLog(folder.path / "tensorboard", self.epochs_done + 1)

    @property
    def epochs_done(self) -> int:
        return self.state.epochs if self.state else 0

    def fit(self, callbacks: Sequence[keras.callbacks.Callback], verbose: int | str) -> None:
        """Train what is left, stage by stage."""
        alone, epochs = self.recipe.classifier_alone, self.recipe.epochs
        for first, end, layers in ((0, alone, _CLASSIFIER), (alone, epochs, None)):
            start = max(first, self.epochs_done)
            if start >= end:
                continue
            train_only(self.trained, layers)
            self._compile(continues=start > first)
            self.trained.fit(
                self.devices.feed(self.pictures, start, outputs=list(self.trained.output)),
                steps_per_epoch=len(self.pictures),
                initial_epoch=start,
                epochs=end,
                shuffle=False,
                verbose=verbose,
                callbacks=self._callbacks(callbacks),
            )
        train_only(self.trained, None)

    def _compile(self, continues: bool) -> None:
        """Compile for a stage, whose optimiser is new; and take up the state of a killed one."""
        if self.state and not continues:
            self._load(self.state)
        count, losses = len(self.networks), self.task.losses
        self.trained.compile(
            self.recipe.make_optimizer(),
            loss=_per_network(count, {name: loss for name, (loss, _) in losses.items()}),
            loss_weights=_per_network(count, {name: each for name, (_, each) in losses.items()}),
            metrics={name: self.task.metric() for name in _per_network(count, {"logits": None})},
        )
        if self.state and continues:
            self.trained.optimizer.build(self.trained.trainable_variables)
            self._load(self.state)

    def _load(self, state: State) -> None:
        self.trained.load_weights(self.folder.path / state.weights)

    def _callbacks(
        self, callbacks: Sequence[keras.callbacks.Callback]
    ) -> list[keras.callbacks.Callback]:
        # The state is of the weights that training goes on with, before any averages take their
        # place; and it is only made valid when all figures of the epoch are there.
        keep = _KeepState(self)
        averaging = []
        if self.recipe.optimizer.get("use_ema"):
            averaging = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
        return [
            keras.callbacks.LearningRateScheduler(self.recipe.learning_rate),
            keep,
            *averaging,
            *self.devices.callbacks(),
            _Validate(self),
            *callbacks,
            _EndEpoch(self, keep),
        ]

    def end_epoch(self, epoch: int, weights: str | None, logs: Mapping[str, float]) -> None:
        """Record an epoch that is done, counted from 0, and keep its networks if they are best."""
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        metrics = [*(self.state.metrics if self.state else []), row]
        best = self.state.best_epoch if self.state else None
        monitor = self.task.monitor
        if monitor and (best is None or row[monitor] > metrics[best - 1][monitor]):
            best = epoch + 1
            self._write_models("best")
        if epoch + 1 == self.recipe.epochs:
            # Now, as averages of weights may be in their place; and before the epoch counts.
            self._write_models("last")
        self.state = State(epoch + 1, weights or "", metrics, best)
        if self.devices.is_chief:
            self.folder.write_state(self.state)
            self.log.write(epoch + 1, row)

    def _write_models(self, which: str) -> None:
        classifiers = [network.classifier for network in self.networks]
        self.devices.on_chief(lambda: self.folder.write_models(which, classifiers))

    def finish(self) -> TrainedRun:
        """Test the weights that count, and gather everything."""
        self.log.close()
        classifiers = [network.classifier for network in self.networks]
        assert self.state is not None  # there is at least one epoch
        self.devices.barrier()
        which = "best" if self.state.best_epoch else "last"
        for classifier, path in zip(
            classifiers, self.folder.model_paths(which, len(classifiers)), strict=True
        ):
            classifier.set_weights(keras.saving.load_model(path, compile=False).get_weights())
        if self.result is None:
            with self.devices.undivided():
                self.result = {"test": self.task.test(self.networks)}
            if self.devices.is_chief:
                self.folder.write_result(self.result)
        return TrainedRun(
            folder=self.folder.path,
            embedders=[network.embedder for network in self.networks],
            classifiers=classifiers,
            metrics=self.state.metrics,
            best_epoch=self.state.best_epoch,
            result=self.result["test"],
        )


class _KeepState(keras.callbacks.Callback):
    """Writes the weights that training goes on with."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run
        self.weights = ""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        folder = self._run.folder
        written = self._run.devices.on_chief(lambda: folder.write_weights(self.model, epoch + 1))
        self.weights = written or ""


class _Validate(keras.callbacks.Callback):
    """Adds the figures on what is held out to an epoch's."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        self._run = run

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        with self._run.devices.undivided():
            figures = self._run.task.validate(self._run.networks)
        if logs is not None:
            logs.update(figures)


class _EndEpoch(keras.callbacks.Callback):
    """Makes an epoch count, when all figures are there."""

    def __init__(self, run: _Run, state: _KeepState) -> None:
        super().__init__()
        self._run, self._state = run, state

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._run.end_epoch(epoch, self._state.weights, logs or {})


def _checked_models(recipe: Recipe, model: Any) -> list[keras.Model]:
    models = list(model) if isinstance(model, Sequence) else [model]
    mutual = recipe.task == "identities" and recipe.loss_term("mutual")
    if (len(models) < 2) if mutual else (len(models) != 1):
        wanted = "two models or more" if mutual else "one model"
        raise ValueError(
            f"`model` must be {wanted} for the recipe {recipe.name!r}. Received: {len(models)}"
        )
    for each in models:
        check_backbone(each)
    if len({takes_pixels(each) for each in models}) > 1:
        raise ValueError(
            "`model` must be models that all take pixels, or all take normalised images. "
            "Received: some of both"
        )
    return models


def _pictures(
    recipe: Recipe,
    task: Task,
    model: keras.Model,
    devices: Distribution,
    seed: int,
    in_memory: bool,
) -> TrainingPictures:
    batch_size = recipe.batch_size
    if isinstance(batch_size, int) and batch_size > len(task.images):
        warnings.warn(
            f"There are fewer pictures than in a batch of {recipe.name}: each step is on all "
            f"{len(task.images)} of them, in place of {batch_size}.",
            stacklevel=4,
        )
        batch_size = len(task.images)
    return TrainingPictures(
        task.images,
        task.labels,
        size=recipe.read_size or _size(model),
        batch_size=batch_size,
        steps=_steps(recipe, model),
        seed=seed,
        in_memory=in_memory,
        worker=devices.worker,
    )


def _joined(networks: list[Network]) -> keras.Model:
    if len(networks) == 1:
        return networks[0].trained
    return mutual_learning_model([network.trained for network in networks])


def _per_network(count: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by output of one network to values by output of what is trained."""
    if count == 1:
        return dict(values)
    return {
        f"{name}_{number}": value
        for number in range(1, count + 1)
        for name, value in values.items()
    }


def _size(model: keras.Model) -> tuple[int, int]:
    height, width = model.input_shape[1:3]
    if height is None or width is None:
        raise ValueError(
            "`model` must have a fixed size of images, or the recipe a `read_size`. "
            f"Received: {model.name} with the input shape {model.input_shape}"
        )
    return height, width


def _steps(recipe: Recipe, model: keras.Model) -> list[Any]:
    """The recipe's steps, with the normalisation that the model wants, before any erasing."""
    steps = recipe.make_steps()
    if takes_pixels(model):
        return steps
    place = next(
        (place for place, step in enumerate(steps) if isinstance(step, RandomErasing)), len(steps)
    )
    return [*steps[:place], Normalize(), *steps[place:]]


def _description(
    recipe: Recipe, models: Sequence[keras.Model], task: Task, seed: int, distribution: str | None
) -> dict[str, Any]:
    """What makes a training this one and no other, and what it ran on."""
    return {
        "recipe": recipe.name,
        **recipe.to_dict(),
        "seed": seed,
        "models": [model.name for model in models],
        "architecture": [_digest(_shape(model)) for model in models],
        "images": len(task.labels),
        "classes": task.classes,
        "labels": _digest(np.ascontiguousarray(task.labels, np.int64).tobytes()),
        "distribution": distribution,
        "backend": keras.backend.backend(),
        "keras_osnet": __version__,
    }


def _shape(model: keras.Model) -> str:
    """What tells networks apart. Names of layers do not: Keras numbers them within a process."""
    layers = [type(layer).__name__ for layer in model.layers]
    variables = [tuple(variable.shape) for variable in model.variables]
    return f"{model.input_shape} {layers} {variables}"


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()
