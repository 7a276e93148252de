"""Losses that compare a student's embeddings with a teacher's: against plain loops."""

import math

import keras
import numpy as np
import pytest
from gradients import gradient, numerical_gradient
from keras import ops

from keras_osnet.losses import AngleDistillation, CosineDistillation, DistanceDistillation

pytestmark = pytest.mark.backends

RELATIONAL = [DistanceDistillation(), AngleDistillation()]
LOSSES = [CosineDistillation(), *RELATIONAL]


def name(loss):
    return loss.name


def embeddings(count=6, dims=(5, 3), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((count, dim)).astype("float32") for dim in dims]


def unit(row):
    return [value / math.hypot(*row) for value in row]


def dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def huber(one, other):
    difference = abs(one - other)
    return difference**2 / 2 if difference <= 1 else difference - 0.5


def relative_distances(rows):
    found = {
        (i, j): math.dist(one, other)
        for i, one in enumerate(rows)
        for j, other in enumerate(rows)
        if i != j
    }
    mean = sum(found.values()) / len(found)
    return {pair: distance / mean for pair, distance in found.items()}


def angle(rows, i, j, k):
    one = unit([a - b for a, b in zip(rows[i], rows[j], strict=True)])
    other = unit([a - b for a, b in zip(rows[k], rows[j], strict=True)])
    return dot(one, other)


def plain(loss, teacher, student):
    """The mean over the batch, in float64."""
    teacher, student = (
        [unit(row) for row in each.astype("float64").tolist()] for each in (teacher, student)
    )
    count = range(len(teacher))
    if isinstance(loss, CosineDistillation):
        terms = [1 - dot(teacher[i], student[i]) for i in count]
    elif isinstance(loss, DistanceDistillation):
        one, other = relative_distances(teacher), relative_distances(student)
        terms = [huber(one[pair], other[pair]) for pair in one]
    else:
        terms = [
            huber(angle(teacher, i, j, k), angle(student, i, j, k))
            for i in count
            for j in count
            for k in count
            if len({i, j, k}) == 3
        ]
    return sum(terms) / len(terms)


@pytest.mark.parametrize("loss", LOSSES, ids=name)
@pytest.mark.parametrize("seed", range(2))
def test_equals_plain_loops(loss, seed):
    dims = (3, 3) if isinstance(loss, CosineDistillation) else (5, 3)
    teacher, student = embeddings(dims=dims, seed=seed)
    expected = plain(loss, teacher, student)
    assert expected > 0.01
    assert float(loss(teacher, student)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_gradient_is_the_slope(loss):
    teacher, student = embeddings(5, dims=(4, 4))
    slopes = numerical_gradient(loss, teacher, student)
    assert np.abs(slopes).max() > 0.01
    np.testing.assert_allclose(gradient(loss, teacher, student), slopes, atol=5e-3)


def test_huber_is_linear_for_large_differences():
    teacher = np.array([[1.0, 0.0], [0.9999, 0.0141], [-1.0, 0.0], [-1.0, 0.0]], "float32")
    student = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.01], [-1.0, 0.01]], "float32")
    one, other = (
        relative_distances([unit(row) for row in rows.tolist()]) for rows in (teacher, student)
    )
    assert max(abs(one[pair] - other[pair]) for pair in one) > 1
    loss = DistanceDistillation()
    assert float(loss(teacher, student)) == pytest.approx(plain(loss, teacher, student), rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_length_and_rotation_do_not_matter_to_relations(loss):
    (teacher,) = embeddings(6, dims=(4,))
    assert float(loss(teacher, 7 * teacher)) == pytest.approx(0, abs=1e-5)
    turned = teacher @ np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    value = float(loss(teacher, turned.astype("float32")))
    assert value > 0.1 if isinstance(loss, CosineDistillation) else value < 1e-5


@pytest.mark.parametrize("loss", LOSSES, ids=name)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_equal_embeddings_and_small_batches_are_finite(loss, count):
    same = np.ones((count, 4), "float32")
    zero = np.zeros((count, 4), "float32")
    for teacher, student in ((same, same), (same, zero), (zero, same)):
        assert np.isfinite(float(loss(teacher, student)))
        assert np.isfinite(gradient(loss, teacher, student)).all()


@pytest.mark.parametrize("loss", RELATIONAL, ids=name)
def test_too_few_samples_have_no_relations(loss):
    few = 1 if isinstance(loss, DistanceDistillation) else 2
    assert float(loss(*embeddings(few))) == 0


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_no_gradient_goes_to_the_teacher(loss):
    # In one tensor, through which a gradient to the teacher would go, too.
    offset, student = embeddings(dims=(4, 4))
    through_both = gradient(
        lambda given, rows: loss(ops.add(2 * rows, given), rows), offset, student
    )
    expected = gradient(loss, 2 * student + offset, student)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(through_both, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_half_precision_is_computed_in_float32(loss):
    teacher, student = embeddings(dims=(4, 4))
    half = ops.cast(student, "float16")
    assert keras.backend.standardize_dtype(loss(teacher, half).dtype) == "float32"
    expected = float(loss(teacher, np.asarray(ops.convert_to_numpy(half), "float32")))
    assert float(loss(teacher, half)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "teacher", "student"),
    [
        (CosineDistillation(), (4, 3), (4, 5)),
        (DistanceDistillation(), (4, 3), (5, 3)),
        (AngleDistillation(), (4,), (4, 3)),
    ],
    ids=["cosine", "distance", "angle"],
)
def test_wrong_shapes_are_refused(loss, teacher, student):
    with pytest.raises(ValueError, match=r"takes embeddings of shape .*Received: teacher's"):
        loss.call(np.zeros(teacher, "float32"), np.zeros(student, "float32"))


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_can_be_saved(loss):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
