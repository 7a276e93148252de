"""Checks that several kinds of distribution make."""

import keras

from keras_osnet.data.batches import ImageBatches


def check_backend(kind: str | None, needed: str) -> None:
    """Raise ValueError unless Keras runs on the backend that a kind needs."""
    if keras.backend.backend() != needed:
        raise ValueError(
            f"`kind` {kind!r} needs KERAS_BACKEND={needed}. Received: {keras.backend.backend()}"
        )


def check_worker(pictures: ImageBatches, worker: tuple[int, int]) -> None:
    """Raise ValueError if pictures are those of another worker."""
    if tuple(pictures.worker) != worker:
        raise ValueError(
            f"`pictures` must be made with worker=distribution.worker, {worker}. "
            f"Received: worker={pictures.worker}"
        )


def check_divides(pictures: ImageBatches, size: int, what: str, replicas: int) -> None:
    """Raise ValueError unless replicas can share a batch equally."""
    if size % replicas:
        raise ValueError(
            f"`batch_size` must divide by the {replicas} replicas, which get equal numbers of "
            f"{what}. Received: {size} {what}, batch_size={pictures.batch_size}"
        )
