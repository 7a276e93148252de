"""Coupled weight decay: L2 regularization in the gradient, as in torch's `weight_decay`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_osnet._utils.checks import boolean, check_whole, number


class CoupledWeightDecay:
    """Mixin for a Keras optimizer that adds `l2 * variable` to the gradient of every variable.

    Loshchilov and Hutter (AdamW, arXiv:1711.05101) call this coupled weight decay, as opposed to
    decoupled. It is torch's `weight_decay`, with which every OSNet was trained (5e-4, biases and
    norms included): the term goes through momentum and Adam's normalization like the gradient
    itself. Keras's own `weight_decay` is decoupled, as in AdamW: it shrinks the variables beside
    the update, needs other values, and cannot be set here.

    The term is added last: after the loss scale is removed, accumulated gradients are averaged,
    gradients are clipped (so that clipping applies to the loss alone, as with torch's
    `clip_grad_norm_`) and replicas are summed. A variable without a gradient does not change.
    Frozen variables are not passed to the optimizer, and `exclude_from_weight_decay` exempts others
    from the term.

    Put it before the optimizer's class, and register the new class with Keras to save it:
    `class CoupledRMSprop(CoupledWeightDecay, keras.optimizers.RMSprop)`.

    Args:
        *args: The optimizer's own arguments.
        l2: Factor of the variable in the gradient, at least 0; half of it is the factor of the
            squared norm in the loss.
        **kwargs: The optimizer's own arguments.

    Raises:
        ValueError: `l2` is not a number of at least 0, `weight_decay` is given, or an argument that
            every Keras optimizer has is out of its range.
    """

    _exempt_paths: Sequence[str] = ()
    _exempt_names: Sequence[str] = ()

    def __init__(self, *args: Any, l2: float = 5e-4, **kwargs: Any) -> None:
        _check_common(kwargs)
        super().__init__(*args, **kwargs)
        self.l2 = number("l2", l2, low=0)
        weight_decay = getattr(self, "weight_decay", None)
        if weight_decay is not None:
            raise ValueError(
                f"{type(self).__name__} has coupled weight decay, `l2`; the decoupled "
                "`weight_decay` must not be given as well. "
                f"Received: weight_decay={weight_decay!r}, l2={l2!r}"
            )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update the variable by its gradient with the L2 term."""
        super().update_step(  # type: ignore[misc]
            self.with_l2(gradient, variable), variable, learning_rate
        )

    def with_l2(self, gradient: Any, variable: Any) -> Any:
        """Return the gradient with the L2 term, in the variable's type."""
        value = ops.convert_to_tensor(variable)
        gradient = ops.cast(gradient, value.dtype)
        return gradient + self.l2 * value if self._use_weight_decay(variable) else gradient  # type: ignore[attr-defined]

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the optimizer's variables, and find the exempt ones of a saved optimizer."""
        saved = self._exempt_paths or self._exempt_names
        if saved and not hasattr(self, "_exclude_from_weight_decay"):
            listed = [variable for variable in variables if _path(variable) in self._exempt_paths]
            super().exclude_from_weight_decay(listed, self._exempt_names)  # type: ignore[misc]
        super().build(variables)  # type: ignore[misc]

    def exclude_from_weight_decay(
        self, var_list: Sequence[keras.Variable] | None = None, var_names: Any = None
    ) -> None:
        """Exempt variables from the term; see `keras.optimizers.Optimizer`.

        Keras does not save the exemptions with an optimizer; this class does, those of `var_list`
        by their paths.
        """
        super().exclude_from_weight_decay(var_list, var_names)  # type: ignore[misc]
        self._exempt_paths = tuple(map(_path, var_list or ()))
        self._exempt_names = tuple(var_names or ())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, and the exemptions if there are any."""
        config = {**super().get_config(), "l2": self.l2}  # type: ignore[misc]
        if self._exempt_paths or self._exempt_names:
            config["exempt_paths"] = list(self._exempt_paths)
            config["exempt_names"] = list(self._exempt_names)
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Any:
        """Rebuild an optimizer, without its state, from its `get_config()`."""
        arguments = dict(config)
        paths, names = arguments.pop("exempt_paths", ()), arguments.pop("exempt_names", ())
        optimizer = super().from_config(arguments, custom_objects)  # type: ignore[misc]
        optimizer._exempt_paths, optimizer._exempt_names = tuple(paths), tuple(names)
        return optimizer


def _path(variable: Any) -> str:
    """Return a variable's path; one of TensorFlow itself has only a name."""
    return variable.path if isinstance(variable, keras.Variable) else variable.name


def _check_common(arguments: Mapping[str, Any]) -> None:
    """Check arguments of Keras's optimizers, which takes most values as they are.

    A negative `clipnorm`, for example, turns every gradient around.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    if isinstance(given.get("learning_rate"), float):
        number("learning_rate", given["learning_rate"], low=0)
    for name in ("clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor"):
        if name in given and not number(name, given[name], low=0):
            raise ValueError(f"`{name}` must be above 0. Received: {given[name]!r}")
    if "use_ema" in given:
        boolean("use_ema", given["use_ema"])
    if "ema_momentum" in given:
        number("ema_momentum", given["ema_momentum"], low=0, high=1)
    if "ema_overwrite_frequency" in given:
        check_whole(1, ema_overwrite_frequency=given["ema_overwrite_frequency"])
    if "gradient_accumulation_steps" in given:
        check_whole(2, gradient_accumulation_steps=given["gradient_accumulation_steps"])


class FlatOptimizer(CoupledWeightDecay, keras.optimizers.Optimizer):
    """An optimizer with coupled weight decay whose slots are vectors over all variables.

    A Keras optimizer has slots for each variable and updates one after the other. In an OSNet of
    327 variables, these are most of the operations of the training step, and take longer to trace
    and compile than the rest. Here the gradients and variables are concatenated, updated
    once and split. Every number is the same.

    There is a vector for each dtype among the variables. Subclasses name their slots and implement
    `update`.
    """

    slot_names: Sequence[str] = ()

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the slots: vectors of zeros, `slot_names` for each dtype."""
        if self.built:
            return
        super().build(variables)
        groups: dict[str, list[int]] = {}
        for index, variable in enumerate(variables):
            # float8's scales are set to their gradients by Keras.
            if not self._overwrite_variable_with_gradient(variable):
                dtype = keras.backend.standardize_dtype(variable.dtype)
                groups.setdefault(dtype, []).append(index)
        self._groups = list(groups.values())
        self._slots = [
            [
                self.add_variable(
                    (sum(math.prod(variables[index].shape) for index in indices),),
                    dtype=dtype,
                    name=name,
                )
                for name in self.slot_names
            ]
            for dtype, indices in groups.items()
        ]

    def update(
        self, gradient: Any, slots: Sequence[Any], learning_rate: Any
    ) -> tuple[Any, Sequence[Any]]:
        """Return the update step, which is subtracted from the variables, and the new slots.

        Args:
            gradient: Vector of gradients, weight decay included.
            slots: A vector of the same size for each of `slot_names`.
            learning_rate: The learning rate, of the vector's dtype.
        """
        raise NotImplementedError

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        indices = [self._get_variable_index(variable) for variable in trainable_variables]
        if keras.backend.backend() != "tensorflow":
            self._update_all(dict(zip(indices, grads, strict=True)), learning_rate)
            return
        import tensorflow as tf

        # As in Keras: sum over the replicas, then update the copy on each device.
        values = [
            variable.value if isinstance(variable, keras.Variable) else variable
            for variable in trainable_variables
        ]
        summed = self._all_reduce_sum_gradients(list(zip(grads, values, strict=True)))

        def on_all_devices(strategy: Any, grads: Sequence[Any], learning_rate: Any) -> None:
            def on_device(_: Any, grads: Sequence[Any], learning_rate: Any) -> None:
                self._update_all(dict(zip(indices, grads, strict=True)), learning_rate)

            strategy.extended.update(values[0], on_device, args=(grads, learning_rate), group=False)

        tf.__internal__.distribute.interim.maybe_merge_call(
            on_all_devices,
            self._distribution_strategy,
            [gradient for gradient, _ in summed],
            learning_rate,
        )

    def _update_all(self, gradients: Mapping[int, Any], learning_rate: Any) -> None:
        for indices, slots in zip(self._groups, self._slots, strict=True):
            if not gradients.keys().isdisjoint(indices):
                self._update_group(indices, slots, gradients, learning_rate)

    def _update_group(
        self,
        indices: Sequence[int],
        slots: Sequence[keras.Variable],
        gradients: Mapping[int, Any],
        learning_rate: Any,
    ) -> None:
        variables = [self._trainable_variables[index] for index in indices]
        sizes = [math.prod(variable.shape) for variable in variables]
        has_gradient = [index in gradients for index in indices]
        gradient = _flatten(
            [
                ops.cast(gradients[index], variable.dtype)
                if index in gradients
                else ops.zeros(tuple(variable.shape), variable.dtype)
                for index, variable in zip(indices, variables, strict=True)
            ]
        )
        if self.l2:
            decayed = [each if self._use_weight_decay(each) else 0 * each for each in variables]
            gradient = gradient + self.l2 * _flatten(decayed)
        old = [ops.convert_to_tensor(slot) for slot in slots]
        step, new = self.update(gradient, old, ops.cast(learning_rate, gradient.dtype))
        if not all(has_gradient):
            mask = np.repeat(has_gradient, sizes)
            new = [ops.where(mask, after, before) for after, before in zip(new, old, strict=True)]
        for slot, value in zip(slots, new, strict=True):
            self.assign(slot, value)
        parts = ops.split(step, np.cumsum(sizes)[:-1].tolist()) if len(sizes) > 1 else [step]
        for variable, part, has in zip(variables, parts, has_gradient, strict=True):
            if has:
                self.assign_sub(variable, ops.reshape(part, tuple(variable.shape)))


def _flatten(tensors: Sequence[Any]) -> Any:
    return ops.concatenate([ops.reshape(each, (-1,)) for each in tensors])
