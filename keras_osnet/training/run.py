"""A training under way: stage by stage, epoch by epoch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import keras

from keras_osnet.data import ImageBatches
from keras_osnet.training.distribution import Distribution
from keras_osnet.training.freezing import freeze_except
from keras_osnet.training.mutual_learning import mutual_learning_model
from keras_osnet.training.network import Network
from keras_osnet.training.recipe import Recipe
from keras_osnet.training.run_folder import RunFolder, State, weights_name
from keras_osnet.training.run_record import RunRecord
from keras_osnet.training.tasks import Task
from keras_osnet.training.tensorboard import TensorBoardLog

_CLASSIFIER = {"logits"}
"""The layer that learns while the rest stands still."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedRun(RunRecord):
    """What came out of a training.

    Attributes:
        embedders: The networks that were given, with the weights that count: those of the best
            epoch, where there is one. One, or several that learned from each other.
        classifiers: The same with their classifier.
    """

    embedders: list[keras.Model]
    classifiers: list[keras.Model]

    def without_networks(self) -> RunRecord:
        """Return the rest, so that the memory of the networks can be used for others."""
        return RunRecord(**{each.name: getattr(self, each.name) for each in fields(RunRecord)})


class Run:
    """A training under way."""

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        networks: list[Network],
        pictures: ImageBatches,
        folder: RunFolder,
        devices: Distribution,
    ) -> None:
        self.recipe, self.task, self.networks, self.pictures = recipe, task, networks, pictures
        self.folder, self.devices = folder, devices
        self.trained = _joined(networks)
        self.state = folder.read_state()
        self.result = folder.read_result()

    @property
    def epochs_done(self) -> int:
        """How many epochs are done."""
        return self.state.epochs if self.state else 0

    def fit(self, callbacks: Sequence[keras.callbacks.Callback], verbose: int | str) -> None:
        """Train what is left, stage by stage."""
        if self.epochs_done == self.recipe.epochs:
            return
        log = None
        if self.devices.is_chief:
            log = TensorBoardLog(self.folder.path / "tensorboard", self.epochs_done + 1)
        alone, epochs = self.recipe.fixbase_epochs, self.recipe.epochs
        for first, end, layers in ((0, alone, _CLASSIFIER), (alone, epochs, None)):
            start = max(first, self.epochs_done)
            if start >= end:
                continue
            freeze_except(self.trained, layers)
            self._compile(continues=start > first)
            self.trained.fit(
                self.devices.make_dataset(self.pictures, start, outputs=list(self.trained.output)),
                steps_per_epoch=len(self.pictures),
                initial_epoch=start,
                epochs=end,
                shuffle=False,
                verbose=verbose,
                callbacks=self._callbacks(callbacks, log),
            )
        freeze_except(self.trained, None)
        if log is not None:
            log.close()

    def _compile(self, continues: bool) -> None:
        """Compile for a stage, whose optimiser is new; and take up the state of a killed one."""
        if self.state and not continues:
            # Also after a stage of this process, at whose end Keras has put averages, if there are
            # any, in the weights' place.
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
        self.devices.barrier()  # the chief has written the file
        self.trained.load_weights(self.folder.path / state.weights)

    def _callbacks(
        self, callbacks: Sequence[keras.callbacks.Callback], log: TensorBoardLog | None
    ) -> list[keras.callbacks.Callback]:
        # The state is of the weights that training goes on with, before any averages take their
        # place; and it is only made valid when all figures of the epoch are there.
        def at_end(function: Callable[[int, dict[str, Any]], None]) -> keras.callbacks.Callback:
            return keras.callbacks.LambdaCallback(on_epoch_end=function)

        averaging = []
        if self.recipe.optimizer.get("use_ema"):
            averaging = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
        return [
            keras.callbacks.LearningRateScheduler(self.recipe.learning_rate),
            at_end(lambda epoch, _: self._keep_state(epoch)),
            *averaging,
            *self.devices.callbacks(),
            at_end(lambda _, logs: self._validate(logs)),
            *callbacks,
            at_end(lambda epoch, logs: self._end_epoch(epoch, logs, log)),
        ]

    def _keep_state(self, epoch: int) -> None:
        """Write the weights that training goes on with."""
        self.devices.on_chief(lambda: self.folder.write_weights(self.trained, epoch + 1))

    def _validate(self, logs: dict[str, Any]) -> None:
        """Add the figures on what is held out to an epoch's."""
        with self.devices.unsharded():
            logs.update(self.task.validate(self.networks))

    def _end_epoch(self, epoch: int, logs: Mapping[str, float], log: TensorBoardLog | None) -> None:
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
        self.state = State(epoch + 1, weights_name(epoch + 1), metrics, best)
        if self.devices.is_chief:
            self.folder.write_state(self.state)
        if log is not None:
            log.write(epoch + 1, row)

    def _write_models(self, which: str) -> None:
        classifiers = [network.classifier for network in self.networks]
        self.devices.on_chief(lambda: self.folder.write_models(which, classifiers))

    def finish(self) -> TrainedRun:
        """Test the weights that count, and gather everything."""
        classifiers = [network.classifier for network in self.networks]
        assert self.state is not None  # there is at least one epoch
        self.devices.barrier()
        which = "best" if self.state.best_epoch else "last"
        for classifier, path in zip(
            classifiers, self.folder.model_paths(which, len(classifiers)), strict=True
        ):
            classifier.set_weights(keras.saving.load_model(path, compile=False).get_weights())
        if self.result is None:
            with self.devices.unsharded():
                self.result = {"test": self.task.test(self.networks)}
            if self.devices.is_chief:
                self.folder.write_result(self.result)
        return TrainedRun(
            folder=self.folder.path,
            networks=len(classifiers),
            embedders=[network.embedder for network in self.networks],
            classifiers=classifiers,
            metrics=self.state.metrics,
            best_epoch=self.state.best_epoch,
            result=self.result["test"],
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
