"""Training on several devices by JAX: `"data-parallel"`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras

from keras_osnet.data.batches import ImageBatches
from keras_osnet.training.distribution.checks import check_backend, check_divides, check_worker
from keras_osnet.training.distribution.one_device import Distribution


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
        pictures: ImageBatches,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> Any:
        """Give each device its part of every batch."""
        check_worker(pictures, self.worker)
        size = pictures.order(first_epoch).shape[1]
        check_divides(pictures, size, "pictures", self.replicas)
        return super().make_dataset(pictures, first_epoch, outputs)

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
