"""TensorFlow's strategies, with what Keras asks of them and they cannot."""

from functools import cache
from typing import Any


def strategy(base: Any) -> Any:
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
def multi_worker_strategy() -> Any:
    """Return the strategy of this process, which joins a cluster once."""
    import tensorflow as tf

    try:
        return strategy(tf.distribute.MultiWorkerMirroredStrategy)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise RuntimeError(
            "`with distributed('multi-worker')` must come before anything that TensorFlow "
            "computes, and thus before models are built: begin the program with it, and build "
            "the model inside. Received: a process in which TensorFlow has already started"
        ) from error
