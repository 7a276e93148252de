"""Training on several devices or machines: TensorFlow's strategies, and the choice of one."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import keras

from keras_osnet.data.batches import ImageBatches
from keras_osnet.training.dataset import to_tf_dataset
from keras_osnet.training.distribution import (
    DataParallel,
    Distribution,
    check_backend,
    check_divides,
    check_worker,
)


class TensorFlowDistribution(Distribution):
    """Base class of the two strategies of TensorFlow."""

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy
        self.replicas = strategy.num_replicas_in_sync

    def make_dataset(
        self,
        batches: ImageBatches,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> Any:
        """Return a distributed dataset that gives each replica its part of every batch."""
        check_worker(batches, self.worker)
        if isinstance(batches.batch_size, tuple | list):
            check_divides(batches, batches.batch_size[0], "people", self.replicas)
        else:
            check_divides(batches, batches.batch_size, "images", self.replicas)

        # Given a dataset, TensorFlow and Keras divide its batches and its elements among the
        # workers by other rules. Given a function, they use the dataset that it returns for
        # this worker, one element for each of its replicas in turn.
        def parts(_: Any) -> Any:
            whole = to_tf_dataset(batches, first_epoch, outputs)
            here = self.replicas // self.worker[1]
            size = whole.element_spec[0].shape[0]
            return whole.rebatch(size // here, drop_remainder=True).prefetch(here)

        return self._strategy.distribute_datasets_from_function(parts)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return the callback that averages batch norm's statistics."""
        return [_Synchronization(self._strategy, self.kind)]

    def _has(self, model: keras.Model) -> bool:
        return _first_outside(self._strategy, model.variables) is None

    def _scope(self) -> AbstractContextManager[Any]:
        return self._strategy.scope()


class Mirrored(TensorFlowDistribution):
    """All GPUs of this machine."""

    kind = "mirrored"

    def __init__(self) -> None:
        check_backend(self.kind, "tensorflow")
        import tensorflow as tf

        super().__init__(_make_strategy(tf.distribute.MirroredStrategy))


class MultiWorker(TensorFlowDistribution):
    """All GPUs, or the CPU, of each of several machines."""

    kind = "multi-worker"

    def __init__(self) -> None:
        check_backend(self.kind, "tensorflow")
        self.worker = _worker_of_tf_config()
        super().__init__(_multi_worker_strategy())

    def on_chief(self, function: Callable[[], Any]) -> Any:
        """Call a function on the chief only, in a thread outside the strategy's scope."""
        if not self.is_chief:
            return None
        with ThreadPoolExecutor(max_workers=1) as elsewhere:
            return elsewhere.submit(function).result()

    def barrier(self) -> None:
        """Wait until every worker has called this."""
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


def _make_strategy(base: Any) -> Any:
    """Return a strategy of TensorFlow with the operations that `fit` and `evaluate` need."""
    import tensorflow as tf

    class Strategy(base):
        def reduce(self, reduce_op: Any, value: Any, axis: Any) -> Any:
            if tf.nest.is_nested(value):
                # Keras computes the mean of a batch to get its shapes and types. The base class
                # fails if replicas have unequal parts or (keras issue 20585) are on two machines.
                return tf.nest.map_structure(
                    lambda each: self.experimental_local_results(each)[0], value
                )
            if axis == 0 and self.experimental_local_results(value)[0].shape.rank == 0:
                axis = None  # the mean over the replicas of a loss or metric, with several machines
            return super().reduce(reduce_op, value, axis)

    return Strategy()


@cache
def _multi_worker_strategy() -> Any:
    """Return the strategy of this process, which joins a cluster once."""
    import tensorflow as tf

    try:
        return _make_strategy(tf.distribute.MultiWorkerMirroredStrategy)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise RuntimeError(
            "`with distributed('multi-worker')` must come before anything that TensorFlow "
            "computes, and thus before models are built: begin the program with it, and build "
            "the model inside. Received: a process in which TensorFlow has already started"
        ) from error


def _worker_of_tf_config() -> tuple[int, int]:
    """Return (index, count) of this process; without `TF_CONFIG`, it is the only worker."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise ValueError(
            "The environment variable `TF_CONFIG` must say who trains together under "
            "'multi-worker', such as "
            '\'{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}\'. Received: none'
        )
    try:
        config = json.loads(text)
        cluster = [
            (kind, index)
            for kind in ("chief", "worker")
            for index in range(len(config["cluster"].get(kind, [])))
        ]
        task = (config["task"]["type"], int(config["task"]["index"]))
        return cluster.index(task), len(cluster)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "The environment variable `TF_CONFIG` must be JSON with the hosts in "
            '`cluster["worker"]` (and one in `cluster["chief"]`, if wanted), and with the `type` '
            f"and `index` of one of them in `task`. Received: {text!r}"
        ) from error


class _Synchronization(keras.callbacks.Callback):
    """Averages batch norm's moving statistics, and refuses models that Keras cannot train."""

    def __init__(self, strategy: Any, kind: str | None) -> None:
        super().__init__()
        self._strategy = strategy
        self._kind = kind
        self._average: Callable[[], None] = lambda: None  # until training begins

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._check()
        # Made for each `fit`, as layers may have been frozen since the last one.
        self._average = self._make_average()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._average()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._average()

    def _make_average(self) -> Callable[[], None]:
        import tensorflow as tf

        statistics = [
            variable
            for layer in self.model._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        if not statistics:
            return lambda: None

        def on_each_replica() -> None:
            # All in one message: there are dozens of layers, and each message has a latency.
            own = [tf.cast(tf.reshape(each.value, [-1]), "float32") for each in statistics]
            replica = tf.distribute.get_replica_context()
            means = replica.all_reduce(tf.distribute.ReduceOp.MEAN, tf.concat(own, axis=0))
            parts = tf.split(means, [each.shape[0] for each in own])
            for variable, part in zip(statistics, parts, strict=True):
                variable.assign(tf.reshape(part, variable.shape))

        @tf.function
        def average() -> None:
            self._strategy.run(on_each_replica)

        return average

    def _check(self) -> None:
        model, optimizer = self.model, self.model.optimizer
        for what, variables, remedy in (
            ("model", model.variables, "see `Distribution.replicate`"),
            ("optimizer", optimizer.variables, "make it inside the `with`"),
            ("metrics", model.metrics_variables, "make them inside the `with`"),
        ):
            stray = _first_outside(self._strategy, variables)
            if stray is not None:
                raise ValueError(
                    f"`{what}` must have variables on every device of {self._kind!r}: {remedy}. "
                    f"Received: {stray.path}, made outside"
                )
        # Under mixed_float16 Keras wraps the optimizer in another.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        for name in ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps"):
            value = getattr(optimizer, name, None)
            if value is not None and self._strategy.num_replicas_in_sync > 1:
                raise ValueError(
                    f"`{name}` must not be given to the optimizer under {self._kind!r}, where "
                    "Keras clips each replica's gradients separately and cannot accumulate any. "
                    f"Received: {name}={value!r}"
                )


def _first_outside(strategy: Any, variables: Sequence[Any]) -> Any:
    """Return the first of Keras's variables that is not on the strategy's devices, or None."""
    created_here = strategy.extended.variable_created_in_scope
    return next((each for each in variables if not created_here(each.value)), None)


_KINDS: dict[str, Any] = {each.kind: each for each in (Mirrored, MultiWorker, DataParallel)}


@contextmanager
def distributed(kind: str | None = None) -> Iterator[Distribution]:
    """Train on several devices or machines until the end of the `with`.

    Each step trains on one batch of `batch_size` images, of which each replica gets an equal part,
    and is the step that one device would take with the mean of the loss over the whole batch: do
    not scale the learning rate or the weight decay. `loss` and metrics are the whole batch's.

    - `None`: one device, on any backend; or, inside another `with distributed(…)`, its devices.
    - `"mirrored"`, on TensorFlow: all GPUs of this machine (`tf.distribute.MirroredStrategy`).
    - `"multi-worker"`, on TensorFlow: all GPUs, or the CPU, of each of several machines, which
      `TF_CONFIG` names (`tf.distribute.MultiWorkerMirroredStrategy`).
    - `"data-parallel"`, on JAX: all devices of this process (`keras.distribution.DataParallel`).

    Under `"mirrored"` and `"multi-worker"`, a replica has only its part of the batch:

    - Batch norm normalizes by the part's statistics. The moving statistics, which Keras leaves
      different on every replica, are averaged at the end of each epoch and before `evaluate`, by
      `distribution.callbacks()`.
    - Each replica mines its own triplets. All images of a person in a (people, images of each)
      batch go to one replica, and each replica should get two people or more.
    - Dropout draws the same on each replica.
    - Keras clips gradients per replica, before they are summed, and fails to accumulate them:
      optimizers that do either raise an error. `jit_compile` must stay `"auto"` or be False.

    `"data-parallel"` does not have these differences: JAX computes the results of one device, with
    statistics and triplets of the whole batch. Batches of `evaluate` and `predict` must be
    multiples of the devices there; see `Distribution.unsharded`.

    `"multi-worker"` runs the same program on every machine, each with its own `task` in
    `TF_CONFIG`. It has to be entered before TensorFlow computes anything, so that models are built
    inside, and entering waits for the other workers. Building and loading models, `fit`,
    `evaluate`, `predict` and `predict_on_batch` need all workers and wait for them forever: call
    them on all, and write files by `distribution.on_chief`. The chief is the first worker in
    `TF_CONFIG`, if that names no other. A process joins a cluster once; entering again gives the
    same cluster.

    Args:
        kind: One of the above.

    Yields:
        The `Distribution`.

    Raises:
        ValueError: There is no such kind, it is not of this backend, it is inside a `with` of
            another kind, or `TF_CONFIG` is missing or wrong.
        RuntimeError: TensorFlow has computed something before `"multi-worker"` is entered.

    Example:
        ```python
        with distributed("mirrored") as distribution:
            model = distribution.replicate(model)
            model.compile(CoupledSGD(0.065, momentum=0.9), LabelSmoothingSparseCrossentropy())
            batches = ImageBatches(…, batch_size=64, worker=distribution.worker)
            model.fit(
                distribution.make_dataset(batches),
                steps_per_epoch=len(batches),
                shuffle=False,
                callbacks=distribution.callbacks(),
                epochs=60,
            )
            distribution.on_chief(lambda: model.save("trained.keras"))
        ```

        >>> with distributed(None) as distribution:
        ...     print(distribution.replicas, distribution.worker, distribution.is_chief)
        1 (0, 1) True
    """
    if kind is not None and kind not in _KINDS:
        names = ", ".join(repr(name) for name in _KINDS)
        raise ValueError(f"`kind` must be None or one of {names}. Received: {kind!r}")
    around = _entered.get()
    if around is not None:
        if kind not in (None, around.kind):
            raise ValueError(
                f"`kind` must be {around.kind!r} or None inside a `with` of that. "
                f"Received: {kind!r}"
            )
        yield around
        return
    if kind is None:
        yield Distribution()
        return
    distribution = _KINDS[kind]()
    with distribution._scope():
        token = _entered.set(distribution)
        try:
            yield distribution
        finally:
            _entered.reset(token)


_entered: ContextVar[Distribution | None] = ContextVar("distribution", default=None)
