"""The same training twice."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def deterministic() -> Iterator[None]:
    """Make operations give the same result every time, to the bit, until the end of the `with`.

    Sums over threads depend on which thread comes first, and a training that was interrupted would
    arrive elsewhere. TensorFlow's switch has no way back: it stays on for the process. Operations
    that have no deterministic form raise an error of the backend's, and some are slower. JAX has
    none but on GPUs, where `XLA_FLAGS=--xla_gpu_deterministic_ops=true` has to be set before it
    starts.
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
