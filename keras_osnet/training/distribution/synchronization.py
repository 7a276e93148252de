"""What Keras leaves to do under TensorFlow's strategies."""

from collections.abc import Callable, Sequence
from typing import Any

import keras


class Synchronization(keras.callbacks.Callback):
    """Averages batch norm's moving statistics, and refuses what Keras cannot train."""

    def __init__(self, strategy: Any, kind: str | None) -> None:
        super().__init__()
        self._strategy = strategy
        self._kind = kind
        self._average: Callable[[], None] = lambda: None  # until training begins

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Refuse what cannot be trained."""
        self._check()
        # Made anew, as layers may have been frozen since the last time.
        self._average = self._averaging()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Average the statistics."""
        self._average()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Average the statistics."""
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
            stray = outside(self._strategy, variables)
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


def outside(strategy: Any, variables: Sequence[Any]) -> Any:
    """The first of Keras's variables that is not on the strategy's devices, or None."""
    created_here = strategy.extended.variable_created_in_scope
    return next((each for each in variables if not created_here(each.value)), None)
