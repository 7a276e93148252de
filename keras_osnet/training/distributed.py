"""One context manager for training on several devices or machines, on every backend."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from keras_osnet.training.distribution import DataParallel, Distribution
from keras_osnet.training.tensorflow_strategies import Mirrored, MultiWorker

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
