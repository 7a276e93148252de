"""What one device does, and what several do in their own ways."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
from keras import ops

from keras_osnet.data.batches import ImageBatches
from keras_osnet.training.dataset import TrainingDataset, to_tf_dataset


class Distribution:
    """What trains together: one device, or what `distributed` was asked for.

    Attributes:
        kind: The name given to `distributed`; None is one device.
        replicas: How many devices share each batch, on all machines together.
        worker: (index, count) of this process among those that train together, which is what
            `ImageBatches` takes.
    """

    kind: str | None = None
    replicas: int = 1
    worker: tuple[int, int] = (0, 1)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes files; see `on_chief`."""
        return self.worker[0] == 0

    def replicate(self, model: keras.Model) -> keras.Model:
        """Return the model with variables on every device.

        Optimisers and metrics that are made inside the `with` are on every device by themselves.

        Args:
            model: A functional model.

        Returns:
            The model itself if its variables are there, as those of one built inside the `with`
            are, or if there is one device. Else a copy, with the same layers and values.

        Raises:
            ValueError: If the model has to be copied and is not a functional one.
        """
        if self._has(model):
            return model
        try:
            copy = keras.models.clone_model(model)
            good = type(copy) is type(model)
        except (ValueError, NotImplementedError):
            good = False
        if not good:
            raise ValueError(
                "`model` must be a functional one, to be copied to every device; build another "
                f"inside `with distributed({self.kind!r})`. Received: {type(model).__name__}"
            )
        for variable, of_copy in zip(model.variables, copy.variables, strict=True):
            of_copy.assign(ops.convert_to_numpy(variable))
        return copy

    def make_dataset(
        self,
        pictures: ImageBatches,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> Any:
        """Return what `model.fit` takes: each replica gets its part of every batch.

        The parts in order, of all replicas of all workers, are the batch that one device would get.

        Args:
            pictures: Where the batches come from, made with `worker=distribution.worker`.
            first_epoch: What the first epoch is; `fit`'s `initial_epoch` after a restart.
            outputs: Names of outputs of the model that all learn the same labels.

        Returns:
            Batches without end, for
            `model.fit(data, steps_per_epoch=len(pictures), shuffle=False, …)`.

        Raises:
            ValueError: If the replicas cannot share a batch equally (under `"mirrored"` and
                `"multi-worker"` with people whole), `pictures` are another worker's, or `outputs`
                is not a list of names.
        """
        if keras.backend.backend() == "tensorflow":
            # Keras's own dataset of the other delays the end of `fit`; see `without_autotuning`.
            return to_tf_dataset(pictures, first_epoch, outputs)
        return TrainingDataset(pictures, first_epoch, outputs)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return callbacks that `fit` must have, before any that evaluates or saves the model."""
        return []

    def unsharded(self) -> AbstractContextManager[None]:
        """Return a context in which `evaluate` and `predict` take batches of any size.

        Under `"data-parallel"` Keras cannot divide a batch by the devices unless it is a multiple
        of them. (When it fails it also leaves the model without variables.) Inside this `with`
        every device computes the whole batch. Others need no help, and nothing changes for them.
        """
        return nullcontext()

    def on_chief(self, function: Callable[[], Any]) -> Any:
        """Call a function in the chief's process only: one that saves the model, for instance.

        Under `"multi-worker"` Keras cannot save a compiled model on one worker in the midst of the
        `with`: it makes an optimiser to learn what attributes one has, and making variables takes
        all workers. The function is called in a thread, where nothing is distributed. It may read
        the model's variables and write files, but not `fit`, `evaluate` or `predict`.

        Args:
            function: What to call, without arguments.

        Returns:
            What the function returned, on the chief; None on others, which do not wait: see
            `barrier`.
        """
        return function() if self.is_chief else None

    def barrier(self) -> None:
        """Wait until every worker has come here."""

    def _has(self, model: keras.Model) -> bool:  # noqa: ARG002
        return True

    def _scope(self) -> AbstractContextManager[Any]:
        return nullcontext()
