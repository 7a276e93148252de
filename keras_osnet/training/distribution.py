"""Training on several devices or machines: one switch for what the backends have for it."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from typing import Any

import keras
from keras import ops

from keras_osnet.data.pipeline.batches import TrainingPictures
from keras_osnet.training.pictures_dataset import PicturesDataset, pictures_tf_dataset


class Distribution:
    """What trains together: one device, or what `distributed` was asked for.

    Attributes:
        kind: The name given to `distributed`; None is one device.
        replicas: How many devices share each batch, on all machines together.
        worker: (index, count) of this process among those that train together, which is what
            `TrainingPictures` takes.
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

    def feed(
        self,
        pictures: TrainingPictures,
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
        return PicturesDataset(pictures, first_epoch, outputs)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return callbacks that `fit` must have, before any that evaluates or saves the model."""
        return []

    def undivided(self) -> AbstractContextManager[None]:
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


@contextmanager
def distributed(kind: str | None = None) -> Iterator[Distribution]:
    """Train on several devices or machines until the end of the `with`.

    Each step trains on one batch of `batch_size` pictures, of which each replica gets an equal
    part, and takes the step that one device would take with the mean of the loss over the whole
    batch: neither learning rate nor L2 is to be scaled. `loss` and metrics are the whole batch's.

    - `None`: one device, on any backend; or, inside another `with distributed(…)`, its devices.
    - `"mirrored"`, on TensorFlow: all GPUs of this machine (`tf.distribute.MirroredStrategy`).
    - `"multi-worker"`, on TensorFlow: all GPUs, or the CPU, of each of several machines, which
      `TF_CONFIG` names (`tf.distribute.MultiWorkerMirroredStrategy`).
    - `"data-parallel"`, on JAX: all devices of this process (`keras.distribution.DataParallel`).

    Under `"mirrored"` and `"multi-worker"`, a replica knows its part of the batch alone:

    - Batch norm normalises by the part's statistics. The moving statistics, which Keras leaves
      different on every replica, are averaged at the end of each epoch and before `evaluate`, by
      `distribution.callbacks()`.
    - Each replica mines its own triplets. The people of a (people, pictures of each) batch stay
      whole, and each replica should get two or more.
    - Dropout draws the same on each replica.
    - Keras clips gradients per replica, before they are summed, and fails to accumulate them:
      optimisers that do either are refused. `jit_compile` must be left at `"auto"` or be False.

    `"data-parallel"` has none of these differences: JAX computes what one device would, whole-batch
    statistics and triplets included. Batches of `evaluate` and `predict` must be multiples of the
    devices there; see `Distribution.undivided`.

    `"multi-worker"` runs the same program on every machine, each with its own `task` in
    `TF_CONFIG`. It has to be entered before TensorFlow computes anything, so that models are built
    inside, and entering waits for the other workers. Building and loading models, `fit`,
    `evaluate`, `predict` and `predict_on_batch` need all workers and wait for them forever: call
    them on all, and write files by `distribution.on_chief`. The chief is the first worker in
    `TF_CONFIG`, if that names no other. A process joins a cluster once: entered again, it is the
    same one.

    Args:
        kind: One of the above.

    Yields:
        The `Distribution`.

    Raises:
        ValueError: If there is no such kind, it is not of this backend, it is in a `with` of
            another, or `TF_CONFIG` is missing or wrong.
        RuntimeError: If TensorFlow has computed something before `"multi-worker"` is entered.

    Example:
        ```python
        with distributed("mirrored") as distribution:
            model = distribution.replicate(model)
            model.compile(L2SGD(0.065, momentum=0.9), SmoothedSparseCategoricalCrossentropy())
            pictures = TrainingPictures(…, batch_size=64, worker=distribution.worker)
            model.fit(
                distribution.feed(pictures),
                steps_per_epoch=len(pictures),
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


class _OnTensorFlow(Distribution):
    """What the two strategies of TensorFlow have in common."""

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy
        self.replicas = strategy.num_replicas_in_sync

    def feed(
        self,
        pictures: TrainingPictures,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> Any:
        _check_worker(pictures, self.worker)
        if isinstance(pictures.batch_size, tuple | list):
            _check_divides(pictures, pictures.batch_size[0], "people", self.replicas)
        else:
            _check_divides(pictures, pictures.batch_size, "pictures", self.replicas)

        # Given a dataset, TensorFlow and Keras divide its batches and its elements among the
        # workers by rules of their own. Given a function, they take what it returns for this
        # worker, one element for each of its replicas in turn.
        def parts(_: Any) -> Any:
            whole = pictures_tf_dataset(pictures, first_epoch, outputs)
            here = self.replicas // self.worker[1]
            size = whole.element_spec[0].shape[0]
            return whole.rebatch(size // here, drop_remainder=True).prefetch(here)

        return self._strategy.distribute_datasets_from_function(parts)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        return [_Synchronization(self._strategy, self.kind)]

    def _has(self, model: keras.Model) -> bool:
        return _outside(self._strategy, model.variables) is None

    def _scope(self) -> AbstractContextManager[Any]:
        return self._strategy.scope()


class _Mirrored(_OnTensorFlow):
    kind = "mirrored"

    def __init__(self) -> None:
        _check_backend(self.kind, "tensorflow")
        import tensorflow as tf

        super().__init__(_strategy(tf.distribute.MirroredStrategy))


class _MultiWorker(_OnTensorFlow):
    kind = "multi-worker"

    def __init__(self) -> None:
        _check_backend(self.kind, "tensorflow")
        self.worker = _worker_of_tf_config()
        super().__init__(_multi_worker_strategy())

    def on_chief(self, function: Callable[[], Any]) -> Any:
        if not self.is_chief:
            return None
        with ThreadPoolExecutor(max_workers=1) as elsewhere:
            return elsewhere.submit(function).result()

    def barrier(self) -> None:
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


class _DataParallel(Distribution):
    kind = "data-parallel"

    def __init__(self) -> None:
        _check_backend(self.kind, "jax")
        import jax

        if jax.process_count() > 1:
            raise ValueError(
                f"`kind` {self.kind!r} is for the devices of one process. "
                f"Received: JAX with {jax.process_count()} processes"
            )
        self._parallel = keras.distribution.DataParallel()
        self.replicas = self._parallel.num_model_replicas

    def feed(
        self,
        pictures: TrainingPictures,
        first_epoch: int = 0,
        outputs: Sequence[str] | None = None,
    ) -> Any:
        _check_worker(pictures, self.worker)
        size = pictures.order(first_epoch).shape[1]
        _check_divides(pictures, size, "pictures", self.replicas)
        return super().feed(pictures, first_epoch, outputs)

    @contextmanager
    def undivided(self) -> Iterator[None]:
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


_KINDS: dict[str, Any] = {each.kind: each for each in (_Mirrored, _MultiWorker, _DataParallel)}


class _Synchronization(keras.callbacks.Callback):
    """Averages batch norm's moving statistics, and refuses what Keras cannot train."""

    def __init__(self, strategy: Any, kind: str | None) -> None:
        super().__init__()
        self._strategy = strategy
        self._kind = kind
        self._average: Callable[[], None] = lambda: None  # until training begins

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._check()
        # Made anew, as layers may have been frozen since the last time.
        self._average = self._averaging()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._average()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._average()

    def _averaging(self) -> Callable[[], None]:
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
            # All in one message: there are dozens of layers, and a message takes its time.
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
            stray = _outside(self._strategy, variables)
            if stray is not None:
                raise ValueError(
                    f"`{what}` must have variables on every device of {self._kind!r}: {remedy}. "
                    f"Received: {stray.path}, made outside"
                )
        # Under mixed_float16 Keras puts one optimiser into another.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        for name in ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps"):
            value = getattr(optimizer, name, None)
            if value is not None and self._strategy.num_replicas_in_sync > 1:
                raise ValueError(
                    f"`{name}` must not be given to the optimizer under {self._kind!r}, where "
                    "Keras clips each replica's gradients by themselves and cannot accumulate any. "
                    f"Received: {name}={value!r}"
                )


def _outside(strategy: Any, variables: Sequence[Any]) -> Any:
    """The first of Keras's variables that is not on the strategy's devices, or None."""
    created_here = strategy.extended.variable_created_in_scope
    return next((each for each in variables if not created_here(each.value)), None)


def _strategy(base: Any) -> Any:
    """A strategy of TensorFlow's that does what Keras's `fit` and `evaluate` ask of it."""
    import tensorflow as tf

    class Strategy(base):
        def reduce(self, reduce_op: Any, value: Any, axis: Any) -> Any:
            if tf.nest.is_nested(value):
                # Keras asks for the mean of a batch, to look at its shapes and types. The base
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
    import tensorflow as tf

    try:
        return _strategy(tf.distribute.MultiWorkerMirroredStrategy)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise RuntimeError(
            "`with distributed('multi-worker')` must come before anything that TensorFlow "
            "computes, and thus before models are built: begin the program with it, and build "
            "the model inside. Received: a process in which TensorFlow has already started"
        ) from error


def _worker_of_tf_config() -> tuple[int, int]:
    """(index, count) of this process. TensorFlow would take a missing variable for one worker."""
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


def _check_backend(kind: str | None, needed: str) -> None:
    if keras.backend.backend() != needed:
        raise ValueError(
            f"`kind` {kind!r} needs KERAS_BACKEND={needed}. Received: {keras.backend.backend()}"
        )


def _check_worker(pictures: TrainingPictures, worker: tuple[int, int]) -> None:
    if tuple(pictures.worker) != worker:
        raise ValueError(
            f"`pictures` must be made with worker=distribution.worker, {worker}. "
            f"Received: worker={pictures.worker}"
        )


def _check_divides(pictures: TrainingPictures, size: int, what: str, replicas: int) -> None:
    if size % replicas:
        raise ValueError(
            f"`batch_size` must divide by the {replicas} replicas, which get equal numbers of "
            f"{what}. Received: {size} {what}, batch_size={pictures.batch_size}"
        )
