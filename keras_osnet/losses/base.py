"""Checks and conversions that the losses share."""

from typing import Any

from keras import ops

FAR = 1e9
"""Stands for infinity where a pair is left out: infinities give NaN gradients."""


def tensors(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return the two as tensors. Keras passes lists as lists of scalars."""
    return ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)


def labeled(loss: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return integer labels (batch,) as int32 and a prediction (batch, n), or raise ValueError.

    Keras passes labels as float32, in which whole numbers are exact up to 2**24.
    """
    y_true, y_pred = tensors(y_true, y_pred)
    truth, prediction = tuple(y_true.shape), tuple(y_pred.shape)
    rows_agree = truth[:1] == prediction[:1] or None in (*truth[:1], *prediction[:1])
    if len(prediction) != 2 or truth[1:] not in ((), (1,)) or not truth or not rows_agree:
        raise ValueError(
            f"{loss} takes labels of shape (batch,), whole numbers and not one-hot, and "
            f"predictions of shape (batch, n). Received: labels {truth}, predictions {prediction}"
        )
    return ops.cast(ops.reshape(y_true, (-1,)), "int32"), y_pred


def pairs(labels: Any) -> tuple[Any, Any]:
    """Return which pairs (batch, batch) are of one identity, and which of these are not i, i."""
    same = ops.equal(labels[:, None], labels[None, :])
    itself = ops.cast(ops.eye(labels.shape[0] or ops.shape(labels)[0]), "bool")
    return same, ops.logical_and(same, ops.logical_not(itself))
