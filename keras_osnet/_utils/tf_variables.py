"""Variables of TensorFlow that are created while a function is traced."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def created_outside(model: keras.Model) -> Iterator[None]:
    """Create the variables of a model's training step outside of its trace.

    A `tf.function` that creates variables is traced twice, and Keras creates those of optimizers
    and metrics in the first training step. This has no effect on other backends, nor under a
    strategy of several replicas, where Keras creates them beforehand.
    """
    if (
        keras.backend.backend() != "tensorflow"
        or model.distribute_strategy.num_replicas_in_sync > 1
    ):
        yield
        return
    import tensorflow as tf

    def create(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
        with tf.init_scope():
            return next_creator(**kwargs | {"experimental_enable_variable_lifting": False})

    with tf.variable_creator_scope(create):
        yield
