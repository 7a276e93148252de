"""Losses that compare the embeddings of a batch: against plain loops, and in unusual batches."""

import math

import keras
import numpy as np
import pytest
from gradients import gradient, numerical_gradient
from keras import ops

from keras_osnet.losses import (
    AdaptiveTripletLoss,
    BatchAllTripletLoss,
    BatchHardTripletLoss,
    CircleLoss,
)

pytestmark = pytest.mark.backends

LOSSES = [
    BatchHardTripletLoss(0.3),
    BatchHardTripletLoss("soft"),
    BatchAllTripletLoss(0.3),
    BatchAllTripletLoss("soft"),
    AdaptiveTripletLoss(0.3),
    AdaptiveTripletLoss("soft"),
    CircleLoss(),
    CircleLoss(0.4, scale=256),
]
DISTANCES = [each for each in LOSSES if not isinstance(each, CircleLoss)]


def name(loss):
    return f"{loss.name}-{loss.margin}"


def split(labels, i):
    """The other samples of i's identity, and those of other identities."""
    partners = [j for j in range(len(labels)) if labels[j] == labels[i] and j != i]
    return partners, [j for j in range(len(labels)) if labels[j] != labels[i]]


def hinge(value, margin):
    return math.log1p(math.exp(value)) if margin == "soft" else max(0.0, value + margin)


def plain(loss, labels, embeddings):
    """The mean over the batch, in float64."""
    rows = np.asarray(embeddings, "float64").tolist()
    terms = []
    for i, anchor in enumerate(rows):
        partners, others = split(labels, i)
        if not (partners and others):
            terms += [] if isinstance(loss, BatchAllTripletLoss) else [0.0]
            continue
        near = [math.dist(anchor, rows[j]) for j in partners]
        far = [math.dist(anchor, rows[j]) for j in others]
        if isinstance(loss, BatchHardTripletLoss):
            terms.append(hinge(max(near) - min(far), loss.margin))
        elif isinstance(loss, BatchAllTripletLoss):
            terms += [hinge(p - n, loss.margin) for p in near for n in far]
        elif isinstance(loss, AdaptiveTripletLoss):
            own = sum(math.exp(p) * p for p in near) / sum(math.exp(p) for p in near)
            other = sum(math.exp(-n) * n for n in far) / sum(math.exp(-n) for n in far)
            terms.append(hinge(own - other, loss.margin))
        else:
            terms.append(plain_circle(loss, rows, i, partners, others))
    if isinstance(loss, BatchAllTripletLoss):
        terms = [term for term in terms if term > 0]
    return sum(terms) / max(len(terms), 1)


def plain_circle(loss, rows, i, partners, others):
    def cosine(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    margin, scale, exponents = loss.margin, loss.scale, []
    for j in partners:
        for k in others:
            own, other = cosine(rows[i], rows[j]), cosine(rows[i], rows[k])
            exponent = max(0.0, other + margin) * (other - margin)
            exponent -= max(0.0, 1 + margin - own) * (own - 1 + margin)
            exponents.append(scale * exponent)
    largest = max(0.0, *exponents)
    total = math.exp(-largest) + sum(math.exp(each - largest) for each in exponents)
    return largest + math.log(total)


@pytest.mark.parametrize("loss", LOSSES, ids=name)
@pytest.mark.parametrize("seed", range(2))
def test_equals_plain_loops(loss, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 12)
    embeddings = rng.standard_normal((12, 3)).astype("float32")
    expected = plain(loss, labels, embeddings)
    assert expected > 0.1
    assert float(loss(labels[:, None], embeddings)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("loss", DISTANCES, ids=name)
def test_gradient_is_the_slope(loss):
    embeddings = np.random.default_rng(3).standard_normal((6, 2)).astype("float32")
    labels = np.array([0, 0, 1, 1, 2, 2])
    slopes = numerical_gradient(loss, labels, embeddings)
    assert np.abs(slopes).max() > 0.01
    # A step may cross the kink of one of the many hinges.
    np.testing.assert_allclose(gradient(loss, labels, embeddings), slopes, atol=2e-2)


@pytest.mark.parametrize("loss", LOSSES, ids=name)
@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 0, 1]],
    ids=["no positives", "one person", "one stranger"],
)
def test_batches_short_of_positives_or_strangers(loss, labels):
    embeddings = np.random.default_rng(0).standard_normal((4, 3)).astype("float32")
    value = float(loss(labels, embeddings))
    assert value == pytest.approx(plain(loss, labels, embeddings), rel=1e-4)
    slopes = gradient(loss, np.array(labels), embeddings)
    assert np.isfinite(slopes).all()
    if len(set(labels)) != 2:
        assert value == 0
        assert not slopes.any()


@pytest.mark.parametrize("loss", LOSSES, ids=name)
@pytest.mark.parametrize("value", [0.0, 1.0, 6e4], ids=["zeros", "equal", "largest of float16"])
def test_degenerate_embeddings_of_half_precision_have_finite_gradients(loss, value):
    embeddings = ops.cast(np.full((4, 8), value), "float16")
    embeddings = ops.cast(embeddings * ops.cast([[1], [1], [-1], [1]], "float16"), "float32")
    labels = np.array([0, 0, 1, 1])
    assert np.isfinite(float(loss(labels, embeddings)))
    assert np.isfinite(gradient(loss, labels, embeddings)).all()
    half = loss(labels, ops.cast(embeddings, "float16"))
    assert keras.backend.standardize_dtype(half.dtype) == "float32"
    assert float(half) == pytest.approx(float(loss(labels, embeddings)))


def test_circle_is_keras_s_of_unit_embeddings():
    embeddings = np.random.default_rng(0).standard_normal((8, 4)).astype("float32")
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    labels = np.array([0, 0, 1, 1, 2, 2, 2, 3])
    values = CircleLoss(0.4, scale=80, reduction=None)(labels, embeddings)
    expected = keras.losses.Circle(gamma=80, margin=0.4, reduction=None)(labels, units)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-3)


def test_no_gradient_goes_through_the_weights_of_circle():
    """Two embeddings at an angle t from each other, one of them of the other identity."""
    margin, scale, labels = 0.25, 8.0, np.array([0, 0, 1])
    angles = np.array([0.0, 0.6, 1.5])

    def weighted(angles, fixed):
        total = 0.0
        for i in range(2):
            own = other = 0.0
            for j in set(range(3)) - {i}:
                s, w = np.cos(angles[i] - angles[j]), np.cos(fixed[i] - fixed[j])
                if labels[i] == labels[j]:
                    own += np.exp(-scale * (1 + margin - w) * (s - 1 + margin))
                else:
                    other += np.exp(scale * max(w + margin, 0) * (s - margin))
            total += np.log1p(own * other) / 3
        return total

    step = 1e-5
    expected = [
        (weighted(angles + step * e, angles) - weighted(angles - step * e, angles)) / (2 * step)
        for e in np.eye(3)
    ]
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype("float32")
    slopes = gradient(CircleLoss(margin, scale), labels, embeddings)
    tangents = np.stack([-np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose((slopes * tangents).sum(axis=1), expected, rtol=1e-4)


@pytest.mark.parametrize("loss", LOSSES, ids=name)
@pytest.mark.parametrize("label", [-1, 0.5, math.nan, 2**24 + 1, 2.0**40])
def test_a_label_that_float32_cannot_tell_apart_is_not_passed_over(loss, label):
    labels = np.array([0, 0, 1, label])
    embeddings = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5], [0.5, 1.0]], "float32")
    of_samples = type(loss).from_config({**loss.get_config(), "reduction": None})
    values = ops.convert_to_numpy(of_samples(labels, embeddings))
    assert np.isnan(values).tolist() == [False, False, False, True]


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_configuration_survives_serialization(loss):
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is type(loss)
    assert restored.get_config() == loss.get_config()


@pytest.mark.parametrize("make", [BatchHardTripletLoss, BatchAllTripletLoss, AdaptiveTripletLoss])
@pytest.mark.parametrize("margin", ["hard", -1, None, float("nan")])
def test_other_margins_are_refused(make, margin):
    with pytest.raises(ValueError, match=r"`margin` must be.*Received: "):
        make(margin)


def test_other_arguments_of_circle_are_refused():
    with pytest.raises(ValueError, match=r"`margin` must be.*Received: 1.5"):
        CircleLoss(1.5)
    with pytest.raises(ValueError, match=r"`scale` must be.*Received: 0"):
        CircleLoss(scale=0)


def test_batches_of_unknown_size_are_traced():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("shapes are unknown in TensorFlow's graphs only")
    import tensorflow as tf

    labels = tf.constant([0, 0, 1, 1])
    embeddings = tf.random.stateless_normal((4, 3), (0, 1))
    for loss in LOSSES:
        traced = tf.function(
            lambda y, x, loss=loss: loss(y, x),
            input_signature=[tf.TensorSpec([None], "int32"), tf.TensorSpec([None, 3], "float32")],
        )
        assert float(traced(labels, embeddings)) == pytest.approx(float(loss(labels, embeddings)))
