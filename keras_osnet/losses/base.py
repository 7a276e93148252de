"""Checks and conversions that the losses share."""

from typing import Any

from keras import ops

FAR = 1e9
"""Stands for infinity where a pair is left out: infinities give NaN gradients."""

_LABELS = 2.0**24
"""Labels are smaller: float32 has all whole numbers up to this one."""


def tensors(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return the two as tensors. Keras passes lists as lists of scalars."""
    return ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)


def labeled(loss: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return labels (batch,) as int32 and a prediction (batch, n), or raise ValueError.

    A label that is not a whole number from 0 to below 2**24 becomes -1: Keras passes labels as
    float32, in which larger ones run together, and each backend casts NaN in its own way.
    """
    y_true, y_pred = tensors(y_true, y_pred)
    truth, prediction = tuple(y_true.shape), tuple(y_pred.shape)
    rows_agree = truth[:1] == prediction[:1] or None in (*truth[:1], *prediction[:1])
    if len(prediction) != 2 or truth[1:] not in ((), (1,)) or not truth or not rows_agree:
        raise ValueError(
            f"{loss} takes labels of shape (batch,), whole numbers and not one-hot, and "
            f"predictions of shape (batch, n). Received: labels {truth}, predictions {prediction}"
        )
    given = ops.cast(ops.reshape(y_true, (-1,)), "float32")
    labels = ops.cast(given, "int32")
    whole = ops.equal(ops.cast(labels, "float32"), given)
    valid = ops.logical_and(whole, ops.logical_and(given >= 0, given < _LABELS))
    return ops.where(valid, labels, -1), y_pred


def pairs(labels: Any) -> tuple[Any, Any]:
    """Return which pairs (batch, batch) are of one identity, and which of these are not i, i."""
    same = ops.equal(labels[:, None], labels[None, :])
    itself = ops.cast(ops.eye(labels.shape[0] or ops.shape(labels)[0]), "bool")
    return same, ops.logical_and(same, ops.logical_not(itself))


def teacher_and_student(loss: str, y_true: Any, y_pred: Any, *, one_dim: bool = False) -> Any:
    """Return the embeddings of both networks, the teacher's without gradient, or raise ValueError.

    Args:
        loss: Name of the loss.
        y_true: The teacher's embeddings (batch, dim).
        y_pred: The student's.
        one_dim: Whether both must have the same length.
    """
    y_true, y_pred = tensors(y_true, y_pred)
    teacher, student = tuple(y_true.shape), tuple(y_pred.shape)
    rows_agree = teacher[:1] == student[:1] or None in (*teacher[:1], *student[:1])
    lengths_agree = not one_dim or teacher[-1:] == student[-1:]
    if not len(teacher) == len(student) == 2 or not rows_agree or not lengths_agree:
        lengths = " of one length" if one_dim else ""
        raise ValueError(
            f"{loss} takes embeddings of shape (batch, dim){lengths} of teacher and student. "
            f"Received: teacher's {teacher}, student's {student}"
        )
    return ops.stop_gradient(y_true), y_pred


def huber(one: Any, other: Any) -> Any:
    """Return Huber's loss at δ = 1: half the square up to a difference of 1, linear beyond."""
    difference = ops.abs(one - other)
    near = ops.minimum(difference, 1.0)
    return near * (difference - near / 2)


def mean_of_pairs(values: Any) -> Any:
    """Return the mean (batch,) of values (batch, batch) of each sample and the others."""
    count = ops.shape(values)[0]
    others = 1 - ops.eye(count, dtype=values.dtype)
    return ops.sum(values * others, axis=1) / ops.cast(ops.maximum(count - 1, 1), values.dtype)
