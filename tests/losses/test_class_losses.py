"""Losses with weights or centers of classes: against plain loops, and with unusual inputs."""

import math

import keras
import numpy as np
import pytest
from gradients import gradient, numerical_gradient
from keras import ops

from keras_osnet.layers import ClassCenters, CosineClassifier
from keras_osnet.losses import (
    ArcFace,
    CenterLoss,
    CircleSoftmax,
    CosFace,
    LabelSmoothingSparseCrossentropy,
)

pytestmark = pytest.mark.backends

LOSSES = [CosFace, ArcFace, CircleSoftmax]


def adjusted(loss, cosine, own):
    """The logit of one class, in float64."""
    margin = loss.margin
    if isinstance(loss, CosFace):
        return loss.scale * (cosine - margin * own)
    if isinstance(loss, ArcFace):
        angle = math.acos(cosine)
        if own and angle + margin > math.pi:
            return loss.scale * (cosine - margin * math.sin(margin))
        return loss.scale * math.cos(angle + margin * own)
    if own:
        return loss.scale * max(0.0, 1 + margin - cosine) * (cosine - 1 + margin)
    return loss.scale * max(0.0, cosine + margin) * (cosine - margin)


def plain(loss, labels, cosines):
    losses = []
    for label, row in zip(labels, cosines.tolist(), strict=True):
        logits = [adjusted(loss, cosine, j == label) for j, cosine in enumerate(row)]
        total = max(logits) + math.log(sum(math.exp(each - max(logits)) for each in logits))
        smoothing = loss.label_smoothing
        targets = [(1 - smoothing) * (j == label) + smoothing / len(row) for j in range(len(row))]
        losses.append(sum(t * (total - each) for t, each in zip(targets, logits, strict=True)))
    return losses


def cosines_and_labels(rows=8, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (rows, classes)), rng.integers(0, classes, rows)


@pytest.mark.parametrize("make", LOSSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_plain_loops(make, smoothing):
    cosines, labels = cosines_and_labels()
    cosines[0, labels[0]], cosines[1, labels[1]] = -0.99, 0.99  # beyond π with the margin; near 0
    loss = make(scale=30, label_smoothing=smoothing, reduction=None)
    values = loss(labels[:, None], (30 * cosines).astype("float32"))
    np.testing.assert_allclose(values, plain(loss, labels, cosines), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", LOSSES)
def test_defaults_are_those_of_the_papers(make):
    loss = make()
    expected = {CosFace: (0.35, 64), ArcFace: (0.5, 64), CircleSoftmax: (0.25, 256)}
    assert (loss.margin, loss.scale) == expected[make]


@pytest.mark.parametrize("make", [CosFace, ArcFace])
def test_without_a_margin_it_is_the_cross_entropy(make):
    cosines, labels = cosines_and_labels()
    logits = (8 * cosines).astype("float32")
    plain_loss = LabelSmoothingSparseCrossentropy(0.1, from_logits=True)
    loss = make(0, scale=8, label_smoothing=0.1)
    assert float(loss(labels, logits)) == pytest.approx(float(plain_loss(labels, logits)), rel=1e-4)


@pytest.mark.parametrize("make", [CosFace, ArcFace])
def test_gradient_is_the_slope(make):
    cosines, labels = cosines_and_labels(rows=3)
    logits = (4 * cosines).astype("float32")
    loss = make(scale=4)
    slopes = numerical_gradient(loss, labels, logits, step=1e-2)
    assert np.abs(slopes).max() > 0.1
    np.testing.assert_allclose(gradient(loss, labels, logits), slopes, atol=2e-3)


def test_no_gradient_goes_through_the_weights_of_circle():
    loss = CircleSoftmax(0.25, scale=4)
    cosines, labels = np.array([[0.5, 0.1, -0.1]]), [0]
    logits = [adjusted(loss, cosine, j == 0) for j, cosine in enumerate(cosines[0])]
    probabilities = np.exp(logits) / np.sum(np.exp(logits))
    weights = [1 + 0.25 - 0.5, 0.1 + 0.25, -0.1 + 0.25]
    expected = (probabilities - [1, 0, 0]) * weights
    slopes = gradient(loss, labels, (4 * cosines).astype("float32"))
    np.testing.assert_allclose(slopes[0], expected, rtol=1e-4)


@pytest.mark.parametrize("make", LOSSES)
def test_cosines_of_one_and_beyond_have_finite_gradients(make):
    """Rounding can put a cosine above 1; half precision more so."""
    for cosine in (1.0, 1.001, -1.0, -1.001):
        logits = ops.cast(ops.cast([[64 * cosine, -64 * cosine]], "float16"), "float32")
        for label in ([0], [1]):
            loss = make(scale=64)
            assert np.isfinite(float(loss(label, logits)))
            assert np.isfinite(gradient(loss, np.array(label), logits)).all()


@pytest.mark.parametrize("make", LOSSES)
def test_half_precision_logits_are_computed_in_float32(make):
    logits = ops.cast([[6e4, -6e4, 0.0]], "float16")
    value = make(scale=64)([1], logits)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    assert np.isfinite(float(value))


@pytest.mark.filterwarnings("ignore:In loss categorical_crossentropy:SyntaxWarning")
@pytest.mark.parametrize("make", LOSSES)
def test_one_class_has_the_loss_0(make):
    assert float(make()([0, 0], [[12.0], [-3.0]])) == 0


@pytest.mark.parametrize("make", LOSSES)
def test_a_label_that_is_no_class_is_not_passed_over(make):
    labels = np.array([0, 3, -1, 0.5, math.nan, 2.0**32])
    values = ops.convert_to_numpy(make(reduction=None)(labels, np.zeros((6, 3), "float32")))
    assert np.isnan(values).tolist() == [False, True, True, True, True, True]


@pytest.mark.parametrize("make", LOSSES)
def test_configuration_survives_serialization(make):
    loss = make(0.2, scale=16, label_smoothing=0.1, name="mine", reduction="sum")
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is make
    assert restored.get_config() == loss.get_config()


@pytest.mark.parametrize("make", LOSSES)
def test_other_arguments_are_refused(make):
    with pytest.raises(ValueError, match=r"`margin` must be.*Received: 1.6"):
        make(1.6)
    with pytest.raises(ValueError, match=r"`scale` must be.*Received: 0"):
        make(scale=0)
    with pytest.raises(ValueError, match=r"labels of shape.*Received: labels \(3, 3\)"):
        make()(np.eye(3), np.eye(3))


class TestCosineClassifier:
    def test_equals_plain_loops(self):
        rng = np.random.default_rng(0)
        embeddings = rng.standard_normal((3, 4)).astype("float32")
        layer = CosineClassifier(5, scale=16)
        logits = ops.convert_to_numpy(layer(embeddings))
        kernel = ops.convert_to_numpy(layer.kernel).astype("float64")
        for i, j in np.ndindex(3, 5):
            lengths = np.linalg.norm(embeddings[i]) * np.linalg.norm(kernel[:, j])
            assert logits[i, j] == pytest.approx(16 * embeddings[i] @ kernel[:, j] / lengths, 1e-4)

    def test_gradients_are_finite_at_zero_and_at_the_largest_half(self):
        layer = CosineClassifier(3)
        loss = CosFace()
        for value in (0.0, 6e4):
            embeddings = np.full((2, 8), value, "float32")
            layer(embeddings)

            def through(labels, x):
                return loss(labels, layer(x))

            assert np.isfinite(gradient(through, np.array([0, 1]), embeddings)).all()

    def test_it_is_float32_in_mixed_precision(self):
        layer = CosineClassifier(3, dtype="mixed_float16")
        logits = layer(ops.cast([[1.0, 2.0]], "float16"))
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"

    def test_other_inputs_are_refused(self):
        with pytest.raises(ValueError, match=r"shape \(batch, dim\). Received: .*\(1, 2, 3\)"):
            CosineClassifier(3)(np.zeros((1, 2, 3)))
        with pytest.raises(ValueError, match=r"`scale`.*Received: 0"):
            CosineClassifier(3, scale=0)


def center_model(classes=3, dim=2, rate=0.5):
    embedding = keras.Input((dim,))
    centers = ClassCenters(classes, rate, name="center")
    model = keras.Model(embedding, centers(embedding))
    model.compile("sgd", CenterLoss(centers))
    return model, centers


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights:UserWarning")
class TestCenterLoss:
    def test_equals_plain_loops_over_steps(self):
        rng = np.random.default_rng(0)
        model, layer = center_model(classes=4, dim=3, rate=0.3)
        centers = [[0.0] * 3 for _ in range(4)]
        for _ in range(3):
            embeddings = rng.standard_normal((6, 3)).astype("float32")
            labels = rng.integers(0, 3, 6)  # the last class is in no batch
            expected = 0.0
            for x, label in zip(embeddings.tolist(), labels, strict=True):
                expected += sum((a - b) ** 2 for a, b in zip(x, centers[label], strict=True)) / 12
            assert float(model.train_on_batch(embeddings, labels)) == pytest.approx(expected, 1e-5)
            for j in range(4):
                own = embeddings[labels == j].tolist()
                for k in range(3):
                    move = sum(centers[j][k] - x[k] for x in own) / (1 + len(own))
                    centers[j][k] -= 0.3 * move
            np.testing.assert_allclose(ops.convert_to_numpy(layer.centers), centers, rtol=1e-5)
        assert not ops.convert_to_numpy(layer.centers)[3].any()

    def test_fit_moves_the_centers_and_evaluate_does_not(self):
        model, layer = center_model()
        embeddings, labels = np.array([[4.0, 0.0]] * 4), np.array([1] * 4)
        model.fit(embeddings, labels, epochs=2, batch_size=2, verbose=0)
        moved = ops.convert_to_numpy(layer.centers)
        assert moved[1, 0] > 2
        model.evaluate(embeddings, labels, verbose=0)
        model.predict(embeddings, verbose=0)
        np.testing.assert_array_equal(ops.convert_to_numpy(layer.centers), moved)
        layer.trainable = False
        model.compile("sgd", model.loss)
        model.fit(embeddings, labels, verbose=0)
        np.testing.assert_array_equal(ops.convert_to_numpy(layer.centers), moved)

    def test_gradient_is_the_difference(self):
        _, layer = center_model()
        embeddings = np.array([[1.0, 2.0], [0.0, 0.0]], "float32")
        layer(embeddings)
        slopes = gradient(CenterLoss(layer), np.array([0, 2]), embeddings)
        np.testing.assert_allclose(slopes, embeddings / 2)

    def test_a_saved_model_goes_on_with_its_centers(self, tmp_path):
        model, _ = center_model()
        embeddings, labels = np.array([[4.0, 0.0]]), np.array([1])
        model.train_on_batch(embeddings, labels)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        with pytest.raises(ValueError, match=r"compile it again.*get_layer\('center'\)"):
            loaded.train_on_batch(embeddings, labels)
        loaded.compile("sgd", CenterLoss(loaded.get_layer("center")))
        for each in (model, loaded):
            each.train_on_batch(embeddings, labels)
        np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
        assert model.get_weights()[0][1, 0] == pytest.approx(4 * (1 - 0.75**2))

    def test_a_label_that_is_no_class_is_not_passed_over(self):
        _, layer = center_model()
        labels = np.array([0, 3, -1, 0.5, math.nan, 2.0**32])
        values = CenterLoss(layer, reduction=None)(labels, layer(np.ones((6, 2), "float32")))
        assert np.isnan(ops.convert_to_numpy(values)).tolist() == [False, *[True] * 5]

    def test_a_layer_of_no_model_is_refused(self):
        with pytest.raises(ValueError, match=r"`centers` must be a layer of the model"):
            CenterLoss(ClassCenters(3))([0], np.ones((1, 2), "float32"))

    def test_other_arguments_are_refused(self):
        with pytest.raises(ValueError, match=r"`centers` must be a layer.*Received: int"):
            CenterLoss(3)
        with pytest.raises(ValueError, match=r"`rate` must be.*Received: 2"):
            ClassCenters(3, rate=2)
