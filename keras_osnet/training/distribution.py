"""Base class of the distribution strategies, JAX's data parallelism, and determinism."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras
from keras import ops

from keras_osnet.data.batches import ImageBatches
from keras_osnet.training.dataset import TrainingDataset, to_tf_dataset


class Distribution:
    """Base class of the distribution strategies; itself, training on one device.

    Attributes:
        kind: The name given to `distributed`; None is one device.
        replicas: Number of devices that share each batch, on all machines together.
        worker: (index, count) of this process among those that train together, for
            `ImageBatches`.
    """

    kind: str | None = None
    replicas: int = 1
    worker: tuple[int, int] = (0, 1)

    @property
    def is_chief(self) -> bool:
        """True in the process that writes files; see `on_chief`."""
        return self.worker[0] == 0

    def replicate(self, model: keras.Model) -> keras.Model:
        """Return the model with variables on every device.

        Optimizers and metrics that are made inside the `with` are on every device already.

        Args:
            model: A functional model.

        Returns:
            The model itself if its variables are there, as those of one built inside the `with`
            are, or if there is one device. Else a copy, with the same layers and values.

        Raises:
            ValueError: The model has to be copied and is not a functional one.
        """
        if self._has(model):
            return model
        try:
            copy = keras.models.clone_model(model)
            copied = type(copy) is type(model)
        except (ValueError, NotImplementedError):
            copied = False
        if not copied:
            raise ValueError(
                "`model` must be a functional one, to be copied to every device; build another "
                f"inside `with distributed({self.kind!r})`. Received: {type(model).__name__}"
            )
        for variable, of_copy in zip(model.variables, copy.variables, strict=True):
            of_copy.assign(ops.convert_to_numpy(variable))
        return copy

    def make_dataset(
        self,
        batches: ImageBatches,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> Any:
        """Return the dataset for `model.fit`: each replica gets its part of every batch.

        The parts of all replicas of all workers, in order, are the batch that one device would get.

        Args:
            batches: The batches, made with `worker=distribution.worker`.
            first_epoch: Index of the first epoch; set it to `initial_epoch` when resuming.
            outputs: Names of outputs of the model that all learn the same labels.

        Returns:
            Endless batches, for
            `model.fit(data, steps_per_epoch=len(batches), shuffle=False, …)`.

        Raises:
            ValueError: The replicas cannot share a batch equally (under `"mirrored"` and
                `"multi-worker"`, all images of a person go to one replica), `batches` are another
                worker's, or `outputs` is not a list of names.
        """
        if keras.backend.backend() == "tensorflow":
            # With a PyDataset, Keras delays the end of `fit`; see `without_autotuning`.
            return to_tf_dataset(batches, first_epoch, outputs)
        return TrainingDataset(batches, first_epoch, outputs)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return callbacks that `fit` must have, before any that evaluates or saves the model."""
        return []

    def unsharded(self) -> AbstractContextManager[None]:
        """Return a context in which `evaluate` and `predict` take batches of any size.

        Under `"data-parallel"` Keras cannot divide a batch among the devices unless it is a
        multiple of them. (When it fails it also leaves the model without variables.) Inside this
        `with` every device computes the whole batch. It has no effect under other
        strategies.
        """
        return nullcontext()

    def on_chief(self, function: Callable[[], Any]) -> Any:
        """Call a function in the chief's process only: one that saves the model, for instance.

        Under `"multi-worker"` Keras cannot save a compiled model on one worker inside the `with`:
        it creates an optimizer to list its attributes, and creating variables needs all workers.
        The function is called in a thread, outside the strategy's scope. It may read the model's
        variables and write files, but must not call `fit`, `evaluate` or `predict`.

        Args:
            function: A function without arguments.

        Returns:
            The function's result on the chief; None on other workers, which do not wait: see
            `barrier`.
        """
        return function() if self.is_chief else None

    def barrier(self) -> None:
        """Wait until every worker has called this."""

    def _has(self, model: keras.Model) -> bool:  # noqa: ARG002
        return True

    def _scope(self) -> AbstractContextManager[Any]:
        return nullcontext()


class DataParallel(Distribution):
    """All devices of this process, by JAX."""

    kind = "data-parallel"

    def __init__(self) -> None:
        check_backend(self.kind, "jax")
        import jax

        if jax.process_count() > 1:
            raise ValueError(
                f"`kind` {self.kind!r} is for the devices of one process. "
                f"Received: JAX with {jax.process_count()} processes"
            )
        self._parallel = keras.distribution.DataParallel()
        self.replicas = self._parallel.num_model_replicas

    def make_dataset(
        self,
        batches: ImageBatches,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> Any:
        """Return the dataset for `model.fit`, whose batches Keras divides among the devices."""
        check_worker(batches, self.worker)
        check_divides(batches, batches.order(first_epoch).shape[1], "images", self.replicas)
        return super().make_dataset(batches, first_epoch, outputs)

    @contextmanager
    def unsharded(self) -> Iterator[None]:
        """Let every device compute whole batches."""
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(self._parallel)

    def _has(self, model: keras.Model) -> bool:
        import jax

        # Variables of a model that was built before are on the first device alone.
        return all(
            isinstance(variable.value.sharding, jax.sharding.NamedSharding)
            for variable in model.variables
        )

    def _scope(self) -> AbstractContextManager[Any]:
        return self._parallel.scope()


def check_backend(kind: str | None, needed: str) -> None:
    """Raise ValueError unless Keras runs on the backend that a kind needs."""
    if keras.backend.backend() != needed:
        raise ValueError(
            f"`kind` {kind!r} needs KERAS_BACKEND={needed}. Received: {keras.backend.backend()}"
        )


def check_worker(batches: ImageBatches, worker: tuple[int, int]) -> None:
    """Raise ValueError if batches are another worker's."""
    if tuple(batches.worker) != worker:
        raise ValueError(
            f"`batches` must be made with worker=distribution.worker, {worker}. "
            f"Received: worker={batches.worker}"
        )


def check_divides(batches: ImageBatches, size: int, what: str, replicas: int) -> None:
    """Raise ValueError unless replicas can share a batch equally."""
    if size % replicas:
        raise ValueError(
            f"`batch_size` must divide by the {replicas} replicas, which get equal numbers of "
            f"{what}. Received: {size} {what}, batch_size={batches.batch_size}"
        )


@contextmanager
def deterministic() -> Iterator[None]:
    """Make operations give the same result every time, to the bit, until the end of the `with`.

    Otherwise sums over threads depend on which thread comes first, and a training that was
    interrupted would arrive at another result. On TensorFlow this stays on for the process, as it
    cannot be switched off. Operations without a deterministic implementation raise an error of the
    backend's, and some are slower. JAX is deterministic except on GPUs, where
    `XLA_FLAGS=--xla_gpu_deterministic_ops=true` has to be set before it starts.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        yield
    elif backend == "torch":
        import torch

        before = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
    else:
        yield
