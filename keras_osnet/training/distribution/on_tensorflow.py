"""Training on several devices by TensorFlow: `"mirrored"` and `"multi-worker"`."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import keras

from keras_osnet.data.batches import ImageBatches
from keras_osnet.training.dataset import to_tf_dataset
from keras_osnet.training.distribution.checks import check_backend, check_divides, check_worker
from keras_osnet.training.distribution.one_device import Distribution
from keras_osnet.training.distribution.strategies import multi_worker_strategy, strategy
from keras_osnet.training.distribution.synchronization import Synchronization, outside
from keras_osnet.training.distribution.tf_config import worker_of_tf_config


class OnTensorFlow(Distribution):
    """What the two strategies of TensorFlow have in common."""

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy
        self.replicas = strategy.num_replicas_in_sync

    def make_dataset(
        self,
        pictures: ImageBatches,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> Any:
        """Give each replica its part of every batch."""
        check_worker(pictures, self.worker)
        if isinstance(pictures.batch_size, tuple | list):
            check_divides(pictures, pictures.batch_size[0], "people", self.replicas)
        else:
            check_divides(pictures, pictures.batch_size, "pictures", self.replicas)

        # Given a dataset, TensorFlow and Keras divide its batches and its elements among the
        # workers by rules of their own. Given a function, they take what it returns for this
        # worker, one element for each of its replicas in turn.
        def parts(_: Any) -> Any:
            whole = to_tf_dataset(pictures, first_epoch, outputs)
            here = self.replicas // self.worker[1]
            size = whole.element_spec[0].shape[0]
            return whole.rebatch(size // here, drop_remainder=True).prefetch(here)

        return self._strategy.distribute_datasets_from_function(parts)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return what averages batch norm's statistics."""
        return [Synchronization(self._strategy, self.kind)]

    def _has(self, model: keras.Model) -> bool:
        return outside(self._strategy, model.variables) is None

    def _scope(self) -> AbstractContextManager[Any]:
        return self._strategy.scope()


class Mirrored(OnTensorFlow):
    """All GPUs of this machine."""

    kind = "mirrored"

    def __init__(self) -> None:
        check_backend(self.kind, "tensorflow")
        import tensorflow as tf

        super().__init__(strategy(tf.distribute.MirroredStrategy))


class MultiWorker(OnTensorFlow):
    """All GPUs, or the CPU, of each of several machines."""

    kind = "multi-worker"

    def __init__(self) -> None:
        check_backend(self.kind, "tensorflow")
        self.worker = worker_of_tf_config()
        super().__init__(multi_worker_strategy())

    def on_chief(self, function: Callable[[], Any]) -> Any:
        """Call a function on the chief only, in a thread where nothing is distributed."""
        if not self.is_chief:
            return None
        with ThreadPoolExecutor(max_workers=1) as elsewhere:
            return elsewhere.submit(function).result()

    def barrier(self) -> None:
        """Wait until every worker has come here."""
        import tensorflow as tf

        strategy = self._strategy

        @tf.function
        def meet() -> Any:
            return strategy.run(
                lambda: tf.distribute.get_replica_context().all_reduce(
                    tf.distribute.ReduceOp.SUM, 1.0
                )
            )

        strategy.experimental_local_results(meet())[0].numpy()
