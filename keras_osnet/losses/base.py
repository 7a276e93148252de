"""Checks and conversions that the losses share."""

from typing import Any

from keras import ops


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
