"""Training by a recipe."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import keras

from keras_osnet._utils.jax_cache import cache_compiled_programs
from keras_osnet.data import ImageBatches
from keras_osnet.data.records import Dataset
from keras_osnet.training.callbacks import StopUnlessFinite, TensorBoardLog
from keras_osnet.training.distributed import distributed
from keras_osnet.training.distribution import Distribution, deterministic
from keras_osnet.training.mutual_learning import mutual_learning_model, numbered
from keras_osnet.training.networks import (
    Network,
    checked_models,
    freeze_except,
    new_layers,
)
from keras_osnet.training.recipe import Recipe, load_recipe
from keras_osnet.training.run_folder import (
    METRICS,
    RunFolder,
    State,
    explain_damage,
)
from keras_osnet.training.tasks import Task, describe_training, make_task
from keras_osnet.training.training_result import TrainingResult


def train(
    recipe: Recipe | str | os.PathLike[str],
    model: keras.Model | Sequence[keras.Model],
    dataset: Dataset,
    folder: str | os.PathLike[str] | RunFolder,
    *,
    seed: int = 0,
    in_memory: bool = False,
    distribution: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> TrainingResult:
    """Train a network by a recipe into a folder, or resume a training that was interrupted.

    The same call does both: if the folder has the beginning of this training, it resumes at the end
    of the last whole epoch and arrives at the same result, to the bit where the backend's
    operations are deterministic; `train` switches them to that (see `deterministic`). If the
    training is finished, its result is read.

    On JAX, compiled programs are kept in the user's cache folder for later trainings; see
    docs/speed.md.

    Args:
        recipe: One of `list_recipes()`, a `.toml` file, or a `Recipe`.
        model: From an image (height, width, 3) to an embedding (batch, dim): `OSNet(
            head="embedding", weights=…)`, or another functional model, such as Keras's MobileNetV2
            with `include_top=False, pooling="avg"`. It is trained in place (under a
            `distribution`, a copy may be); `train` adds its classifier. A model that normalizes
            pixels, in a layer named `preprocessing`, gets pixels; another gets images as
            `preprocess_input` returns them. For a recipe with mutual learning, two or more models.
        dataset: A `ReidDataset`, `AttributeDataset` or `ClassificationDataset`, by the recipe's
            task.
        folder: Output folder; see `RunFolder`. New, empty, or of this training.
        seed: Seed of the classifier's initial values, the order of the images, their augmentation
            and the choice of validation people.
        in_memory: Keep all images in memory once they are read; see `ImageBatches`.
        distribution: None, `"mirrored"`, `"multi-worker"` or `"data-parallel"`; see `distributed`.
            The workers of `"multi-worker"` need the same folder, and have to build their models
            inside `with distributed("multi-worker")`.
        callbacks: Further callbacks for `fit`, called after the validation metrics are in the logs.
        verbose: As for `fit`.

    Returns:
        The networks and metrics.

    Raises:
        ValueError: An argument is wrong, or does not fit another; or the folder has another
            training in it.
        BlockingIOError: Another process is training in the folder.
        FloatingPointError: The loss is not finite any more; the last epoch before it is in the
            folder's `last.keras`.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import split_by_identity
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> folder = getfixture("tmp_path")
        >>> people = write_synthetic_people(folder / "people", 6, views=2, image_size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> recipe = load_recipe("few_people").with_epochs(1)
        >>> recipe = recipe.with_overrides({"batch_size": 8, "validation_fraction": 0.0})
        >>> people = split_by_identity(people, 0.5)
        >>> result = train(recipe, model, people, folder / "run", verbose=0)
        >>> [row["epoch"] for row in result.metrics], 0 < result.test["mAP"] <= 1
        ([1], True)
    """
    recipe, models, task = _prepare(recipe, model, dataset, seed)
    run = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    return train_task(
        recipe,
        models,
        task,
        run,
        seed=seed,
        in_memory=in_memory,
        distribution=distribution,
        callbacks=callbacks,
        verbose=verbose,
    )


def train_task(
    recipe: Recipe,
    models: list[keras.Model],
    task: Task,
    run: RunFolder,
    *,
    seed: int,
    in_memory: bool,
    distribution: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: int | str,
) -> TrainingResult:
    """Train a task's networks into a folder, or resume; see `train`."""
    cache_compiled_programs()
    with deterministic(), distributed(distribution) as devices, ExitStack() as stack:
        batches = task.make_batches(
            recipe, models[0], seed=seed, in_memory=in_memory, worker=devices.worker
        )
        if devices.is_chief:
            training = describe_training(recipe, models, task, seed, devices.kind)
            stack.enter_context(run.open(training))
        devices.barrier()
        keras.utils.set_random_seed(seed)
        networks = [task.make_network(devices.replicate(each)) for each in models]
        trainer = _Trainer(recipe, task, networks, batches, run, devices)
        trainer.fit(callbacks, verbose)
        return trainer.finish()


def check_folder(
    recipe: Recipe | str | os.PathLike[str],
    model: keras.Model | Sequence[keras.Model],
    dataset: Dataset,
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
) -> None:
    """Raise the ValueError of `train` if it would refuse the folder: before work that precedes it.

    Args:
        recipe: As for `train`, as are the others.
        model: It is not changed.
        dataset: The dataset.
        folder: Output folder.
        seed: The seed.

    Raises:
        ValueError: The folder has another training in it, or something else; or as `train`.
    """
    recipe, models, task = _prepare(recipe, model, dataset, seed)
    RunFolder(folder).check(describe_training(recipe, models, task, seed, None))


def _prepare(
    recipe: Recipe | str | os.PathLike[str], model: Any, dataset: Dataset, seed: int
) -> tuple[Recipe, list[keras.Model], Task]:
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    return recipe, checked_models(recipe, model), make_task(recipe, dataset, seed)


class _Trainer:
    """Trains stage by stage and epoch by epoch, and keeps the folder up to date."""

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        networks: list[Network],
        batches: ImageBatches,
        folder: RunFolder,
        devices: Distribution,
    ) -> None:
        self.recipe, self.task, self.networks = recipe, task, networks
        self.batches, self.folder, self.devices = batches, folder, devices
        self.trained = networks[0].trained
        if len(networks) > 1:
            self.trained = mutual_learning_model([network.trained for network in networks])
        self.state = folder.read_state()
        self._check_state()
        self._digest: str | None = None
        self._good: list[Any] = []

    def _check_state(self) -> None:
        """Raise ValueError if the state in the folder cannot be one of this training."""
        state, monitor, epochs = self.state, self.task.monitor, self.recipe.epochs
        if state.epochs > epochs or (state.tested and state.epochs < epochs):
            raise self.folder.damaged(f"the state has {state.epochs} of {epochs} epochs")
        if monitor and state.epochs and state.best_epoch is None:
            raise self.folder.damaged("the state has no best epoch")
        for row in state.metrics if monitor else ():
            if monitor not in row:
                path = self.folder.path / METRICS
                raise ValueError(
                    f"{path.name} is damaged: epoch {row['epoch']} has no {monitor}. "
                    f"Received: {path}"
                )

    def fit(self, callbacks: Sequence[keras.callbacks.Callback], verbose: int | str) -> None:
        """Train the epochs that are left: first the classifier alone, then everything."""
        fixbase_epochs, epochs = self.recipe.fixbase_epochs, self.recipe.epochs
        if self.state.epochs == epochs:
            return
        log = None
        if self.devices.is_chief:
            log = TensorBoardLog(self.folder.path / "tensorboard", self.state.epochs + 1)
        new = new_layers(self.trained)
        for first, end, layers in ((0, fixbase_epochs, new), (fixbase_epochs, epochs, None)):
            start = max(first, self.state.epochs)
            if start >= end:
                continue
            freeze_except(self.trained, layers)
            self._compile(resumes=start > first)
            if verbose not in (0, "0") and self.devices.is_chief:
                _announce("the classifier alone" if layers else "all layers", start, end, epochs)
            try:
                self.trained.fit(
                    self.devices.make_dataset(
                        self.batches, start, outputs=list(self.trained.output)
                    ),
                    steps_per_epoch=len(self.batches),
                    initial_epoch=start,
                    epochs=end,
                    shuffle=False,
                    verbose=verbose,
                    callbacks=self._callbacks(callbacks, log),
                )
            except FloatingPointError as error:
                raise FloatingPointError(f"{error} {self._keep_last_epoch()}") from None
        freeze_except(self.trained, None)
        if log is not None:
            log.close()

    def finish(self) -> TrainingResult:
        """Load the weights of the best epoch, test them, and return everything."""
        classifiers = [network.classifier for network in self.networks]
        self.devices.barrier()
        which = "best" if self.state.best_epoch else "last"
        for classifier, path in zip(
            classifiers, self.folder.model_paths(which, len(classifiers)), strict=True
        ):
            with explain_damage(path):
                classifier.load_weights(path)
        if not self.state.tested:
            with self.devices.unsharded():
                self.state.test = self.task.test(self.networks)
            self.state.tested = True
            if self.devices.is_chief:
                self.folder.write_state(self.state)
        return TrainingResult(
            folder=self.folder.path,
            networks=len(classifiers),
            metrics=self.state.metrics,
            best_epoch=self.state.best_epoch,
            test=self.state.test,
            embedders=[network.embedder for network in self.networks],
            classifiers=classifiers,
        )

    def _compile(self, resumes: bool) -> None:
        """Compile for a stage, with a new optimizer, and load the weights to continue from."""
        if self.state.epochs and not resumes:
            # Also after a stage of this process: if there are averages of weights, Keras has put
            # them in the place of the weights at its end.
            self._load_weights()
        losses = numbered([network.losses(self.task.losses) for network in self.networks])
        self.trained.compile(
            self.recipe.make_optimizer(),
            loss={name: loss for name, (loss, _) in losses.items()},
            loss_weights={name: weight for name, (_, weight) in losses.items()},
            metrics=numbered([self.task.metrics() for _ in self.networks]),
        )
        # Otherwise, for a backbone that is not an OSNet, TensorFlow would create the slots while it
        # traces the first step, and trace it again.
        self.trained.optimizer.build(self.trained.trainable_variables)
        if self.state.epochs and resumes:
            self._load_weights()

    def _load_weights(self) -> None:
        self.devices.barrier()  # until the chief has written the file
        self.folder.load_weights(self.trained, self.state)
        self._good = self.trained.get_weights()

    def _callbacks(
        self, callbacks: Sequence[keras.callbacks.Callback], log: TensorBoardLog | None
    ) -> list[keras.callbacks.Callback]:
        # The weights to resume from are written before any averages take their place, and the
        # record that makes them valid only when all metrics of the epoch are there.
        def at_end(function: Callable[[int, dict[str, Any]], None]) -> keras.callbacks.Callback:
            return keras.callbacks.LambdaCallback(on_epoch_end=function)

        averaging = []
        if self.recipe.optimizer.get("use_ema"):
            averaging = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
        return [
            StopUnlessFinite(),
            keras.callbacks.LearningRateScheduler(self.recipe.learning_rate),
            at_end(lambda epoch, _: self._write_weights(epoch)),
            *averaging,
            *self.devices.callbacks(),
            at_end(lambda _, logs: self._validate(logs)),
            *callbacks,
            at_end(lambda epoch, logs: self._end_epoch(epoch, logs, log)),
        ]

    def _write_weights(self, epoch: int) -> None:
        self._digest = self.devices.on_chief(
            lambda: self.folder.write_weights(self.trained, epoch + 1)
        )

    def _validate(self, logs: dict[str, Any]) -> None:
        with self.devices.unsharded():
            logs.update(self.task.validate(self.networks))

    def _end_epoch(self, epoch: int, logs: Mapping[str, float], log: TensorBoardLog | None) -> None:
        """Record an epoch, counted from 0, and write its networks if they are the best."""
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        metrics, best = [*self.state.metrics, row], self.state.best_epoch
        monitor = self.task.monitor
        if monitor and (
            best is None
            or row[monitor] > metrics[best - 1][monitor]
            or math.isnan(metrics[best - 1][monitor])
        ):
            best = epoch + 1
            self._write_models("best")
        if epoch + 1 == self.recipe.epochs:
            # While averages of weights may be in their place, and before the epoch counts.
            self._write_models("last")
        self.state = State(epochs=epoch + 1, best_epoch=best, digest=self._digest, metrics=metrics)
        self._good = self.trained.get_weights()
        if self.devices.is_chief:
            self.folder.write_state(self.state)
        if log is not None:
            log.write(epoch + 1, row)

    def _keep_last_epoch(self) -> str:
        """Write the networks of the last whole epoch, and return a sentence about them."""
        advice = (
            "A lower learning rate helps in most cases. Received: "
            f"optimizer.learning_rate={self.recipe.optimizer['learning_rate']!r}"
        )
        if not self._good:
            return f"No epoch before it was whole, so that there is nothing to keep. {advice}"
        self.trained.set_weights(self._good)
        self._write_models("last")
        paths = self.folder.model_paths("last", len(self.networks))
        return f"Epoch {self.state.epochs} is kept in {', '.join(map(str, paths))}. {advice}"

    def _write_models(self, which: str) -> None:
        classifiers = [network.classifier for network in self.networks]
        self.devices.on_chief(lambda: self.folder.write_models(which, classifiers))


def _announce(stage: str, start: int, end: int, epochs: int) -> None:
    """Print the stage that follows, and that its first step takes long."""
    backend = keras.backend.backend()
    wait = "" if backend == "torch" else f": compiling the first step on {backend} takes a while"
    print(f"Training {stage}, epochs {start + 1} to {end} of {epochs}{wait}.", flush=True)
