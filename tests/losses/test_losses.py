"""The losses against plain loops, torchreid's numbers, and unusual batches."""

import math

import keras
import numpy as np
import pytest
from gradients import gradient, numerical_gradient
from keras import ops

from keras_osnet.losses import (
    BatchHardTripletLoss,
    EntropyMaximization,
    LabelSmoothingSparseCrossentropy,
    MutualLearningLoss,
    WeightedBinaryCrossentropy,
    positive_ratios,
)

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def ranking(test_data):
    with np.load(test_data / "ranking.npz") as file:
        return dict(file)


def logits_and_labels(rows=6, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((rows, classes)).astype("float32")
    return logits, rng.integers(0, classes, rows)


def softmax(row):
    exponentials = [math.exp(value - max(row)) for value in row]
    return [value / sum(exponentials) for value in exponentials]


def plain_triplets(labels, embeddings, margin):
    losses = []
    for i, anchor in enumerate(embeddings):
        partners = [
            math.dist(anchor, other)
            for j, other in enumerate(embeddings)
            if labels[i] == labels[j] and i != j
        ]
        strangers = [
            math.dist(anchor, other) for j, other in enumerate(embeddings) if labels[i] != labels[j]
        ]
        triplet = partners and strangers
        losses.append(max(0.0, max(partners) - min(strangers) + margin) if triplet else 0.0)
    return losses


class TestBatchHardTriplet:
    def test_is_the_reference_s(self, ranking):
        loss = BatchHardTripletLoss(margin=0.3)
        value = float(loss(ranking["triplet_labels"], ranking["triplet_features"]))
        assert value == pytest.approx(float(ranking["triplet_loss_margin_0_3"]), abs=1e-6)

    @pytest.mark.parametrize("seed", range(3))
    def test_equals_plain_loops(self, seed):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 6, 16)
        embeddings = rng.standard_normal((16, 3)).astype("float32")
        values = BatchHardTripletLoss(0.5, reduction=None)(labels[:, None], embeddings)
        np.testing.assert_allclose(values, plain_triplets(labels, embeddings, 0.5), atol=1e-6)

    def test_gradient_is_the_slope(self):
        embeddings = np.random.default_rng(3).standard_normal((6, 2)).astype("float32")
        loss, labels = BatchHardTripletLoss(1.0), np.array([0, 0, 1, 1, 2, 2])
        slopes = numerical_gradient(loss, labels, embeddings)
        assert np.abs(slopes).max() > 0.1
        np.testing.assert_allclose(gradient(loss, labels, embeddings), slopes, atol=1e-3)

    @pytest.mark.parametrize(
        "labels",
        [[0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 0, 1]],
        ids=["no partner", "one identity", "one stranger"],
    )
    def test_batches_short_of_partners_or_strangers(self, labels):
        embeddings = np.random.default_rng(0).standard_normal((4, 3)).astype("float32")
        loss = BatchHardTripletLoss(5.0)
        assert float(loss(labels, embeddings)) == pytest.approx(
            np.mean(plain_triplets(labels, embeddings, 5.0)), abs=1e-6
        )
        slopes = gradient(loss, np.array(labels), embeddings)
        assert np.isfinite(slopes).all()
        assert (len(set(labels)) == 2) == bool(np.abs(slopes).any())

    def test_equal_embeddings_cost_the_margin_and_have_finite_gradients(self):
        labels, embeddings = np.array([0, 0, 1, 1]), np.full((4, 8), 40.0, "float32")
        loss = BatchHardTripletLoss(0.3)
        assert float(loss(labels, embeddings)) == pytest.approx(0.3)
        assert np.isfinite(gradient(loss, labels, embeddings)).all()

    def test_close_pairs_are_not_lost_to_rounding(self):
        """Two embeddings 0.01 apart, far from the origin: ‖a‖² + ‖b‖² - 2ab would be off by 0.1."""
        embeddings = np.array([[300.0, 0.0], [300.01, 0.0], [600.0, 0.0]], "float32")
        values = BatchHardTripletLoss(300.5, reduction=None)([0, 0, 1], embeddings)
        expected = plain_triplets([0, 0, 1], embeddings.tolist(), 300.5)
        np.testing.assert_allclose(values, expected, atol=1e-4)

    def test_sample_weight_weighs_each_sample_s_own_term(self):
        labels, embeddings = [0, 0, 1, 1], [[0.0], [1.0], [3.0], [5.0]]
        values = np.array(plain_triplets(labels, embeddings, 2.0))
        weights = np.array([1.0, 0.0, 2.0, 0.5])
        value = BatchHardTripletLoss(2.0)(labels, embeddings, sample_weight=weights)
        assert float(value) == pytest.approx((values * weights).mean(), abs=1e-6)

    def test_half_precision_embeddings_are_compared_in_float32(self):
        # Squares above 65504, and differences of them, do not exist in float16.
        embeddings = ops.cast([[0.0], [300.0], [301.0], [400.0]], "float16")
        value = BatchHardTripletLoss(0.5)([0, 0, 1, 1], embeddings)
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert float(value) == pytest.approx(np.mean([0, 299.5, 98.5, 0]), rel=1e-6)

    @pytest.mark.parametrize("labels", [np.eye(4), np.zeros((3,)), np.zeros(())])
    def test_other_labels_are_refused(self, labels):
        with pytest.raises(ValueError, match=r"labels of shape \(batch,\).*Received: labels"):
            BatchHardTripletLoss()(labels, np.zeros((4, 2)))

    @pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf"), "0.3", None, True])
    def test_other_margins_are_refused(self, margin):
        with pytest.raises(ValueError, match=r"`margin` must be.*Received: "):
            BatchHardTripletLoss(margin)


class TestSmoothedCrossentropy:
    def test_is_the_reference_s(self, ranking):
        loss = LabelSmoothingSparseCrossentropy(0.1, from_logits=True)
        value = float(loss(ranking["ce_labels"], ranking["ce_logits"]))
        assert value == pytest.approx(float(ranking["ce_label_smoothing_0_1"]), abs=1e-6)

    @pytest.mark.parametrize("from_logits", [True, False])
    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
    def test_equals_plain_loops(self, from_logits, smoothing):
        logits, labels = logits_and_labels()
        expected = []
        for row, label in zip(logits.tolist(), labels, strict=True):
            loss = 0.0
            for index, probability in enumerate(softmax(row)):
                target = (1 - smoothing) * (index == label) + smoothing / len(row)
                loss -= target * math.log(probability)
            expected.append(loss)
        predictions = logits if from_logits else np.array([softmax(row) for row in logits.tolist()])
        loss = LabelSmoothingSparseCrossentropy(smoothing, from_logits, reduction=None)
        np.testing.assert_allclose(loss(labels[:, None], predictions), expected, rtol=1e-5)

    def test_a_label_that_is_no_class_is_not_passed_over(self):
        loss = LabelSmoothingSparseCrossentropy(reduction=None)
        values = ops.convert_to_numpy(loss([0, 3, -1], np.full((3, 3), 1 / 3)))
        assert np.isnan(values).tolist() == [False, True, True]

    def test_one_hot_labels_are_refused(self):
        with pytest.raises(ValueError, match=r"not one-hot.*Received: labels \(3, 3\)"):
            LabelSmoothingSparseCrossentropy()(np.eye(3), np.eye(3))

    @pytest.mark.parametrize("smoothing", [-0.1, 1.1])
    def test_other_smoothing_is_refused(self, smoothing):
        with pytest.raises(ValueError, match=r"`label_smoothing` must be .*Received: "):
            LabelSmoothingSparseCrossentropy(smoothing)


class TestEntropyMaximization:
    @pytest.mark.parametrize("from_logits", [True, False])
    def test_equals_plain_loops(self, from_logits):
        logits, labels = logits_and_labels()
        rows = [softmax(row) for row in logits.tolist()]
        expected = []
        for row, label in zip(rows, labels, strict=True):
            smoothed = [0.9 * (index == label) + 0.1 / len(row) for index in range(len(row))]
            loss = -sum(t * math.log(p) for t, p in zip(smoothed, row, strict=True))
            expected.append(loss + 0.3 * sum(p * math.log(p) for p in row))
        loss = EntropyMaximization(0.3, from_logits=from_logits, reduction=None)
        np.testing.assert_allclose(
            loss(labels, logits if from_logits else np.array(rows)), expected, rtol=1e-5
        )

    def test_gradient_is_the_slope(self):
        logits, labels = logits_and_labels(rows=3)
        loss = EntropyMaximization(2.0, from_logits=True)
        slopes = numerical_gradient(loss, labels, logits)
        np.testing.assert_allclose(gradient(loss, labels, logits), slopes, atol=1e-3)

    @pytest.mark.parametrize("from_logits", [True, False])
    def test_certain_predictions_have_finite_gradients(self, from_logits):
        certain = np.eye(3, dtype="float32") * (1000 if from_logits else 1)
        loss = EntropyMaximization(1.0, from_logits=from_logits)
        assert np.isfinite(float(loss([0, 1, 0], certain)))
        assert np.isfinite(gradient(loss, np.array([0, 1, 0]), certain)).all()


class TestWeightedBinaryCrossentropy:
    ratios = (0.0, 0.25, 1.0)

    @pytest.mark.parametrize("from_logits", [True, False])
    def test_equals_plain_loops(self, from_logits):
        rng = np.random.default_rng(0)
        logits, labels = rng.standard_normal((4, 3)), rng.integers(0, 2, (4, 3))
        total = 0.0
        for row, truths in zip(logits, labels, strict=True):
            for logit, truth, ratio in zip(row, truths, self.ratios, strict=True):
                probability = 1 / (1 + math.exp(-logit))
                likelihood = probability if truth else 1 - probability
                total -= math.exp(-ratio) * math.log(likelihood)
        predictions = logits if from_logits else 1 / (1 + np.exp(-logits))
        loss = WeightedBinaryCrossentropy(self.ratios, from_logits)
        assert float(loss(labels, predictions)) == pytest.approx(total / 12, rel=1e-5)

    def test_certain_predictions_have_finite_gradients(self):
        labels = np.array([[0, 1, 1]])
        for from_logits, predictions in ((True, [[-500.0, 500, -500]]), (False, [[0.0, 1, 0]])):
            loss = WeightedBinaryCrossentropy(self.ratios, from_logits)
            slopes = gradient(loss, labels, np.array(predictions, "float32"))
            assert np.isfinite(slopes).all()

    def test_ratios_of_a_label_matrix(self):
        labels = np.random.default_rng(0).integers(0, 2, (50, 4)).astype("uint8")
        expected = [sum(int(row[k]) for row in labels) / 50 for k in range(4)]
        assert positive_ratios(labels) == pytest.approx(expected)
        assert WeightedBinaryCrossentropy(np.float32(expected)).positive_ratios == pytest.approx(
            expected
        )

    @pytest.mark.parametrize("labels", [[0, 1], np.zeros((0, 3)), [[0, 2]], [[0.5, np.nan]]])
    def test_what_is_no_label_matrix_is_refused(self, labels):
        with pytest.raises(ValueError, match=r"`labels` must be.*Received: "):
            positive_ratios(labels)

    def test_other_ratios_and_shapes_are_refused(self):
        with pytest.raises(ValueError, match=r"`positive_ratios` must be.*Received: 1.5"):
            WeightedBinaryCrossentropy([0.5, 1.5])
        with pytest.raises(ValueError, match=r"of 3 ratios.*Received: labels \(2, 1\)"):
            WeightedBinaryCrossentropy(self.ratios)(np.zeros((2, 1)), np.zeros((2, 3)))


class TestMutualLearning:
    def test_equals_plain_loops(self):
        own, _ = logits_and_labels(seed=1)
        peer, _ = logits_and_labels(seed=2)
        expected = []
        for theirs, ours in zip(peer.tolist(), own.tolist(), strict=True):
            pairs = zip(softmax(theirs), softmax(ours), strict=True)
            expected.append(sum(p * math.log(p / q) for p, q in pairs))
        values = MutualLearningLoss(reduction=None)(peer, own)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)

    def test_gradient_is_the_reference_s(self):
        """torchreid has -Σ p log(q + 1e-8): softmax(own) - softmax(peer), over the batch."""
        own, _ = logits_and_labels(seed=1)
        peer, _ = logits_and_labels(seed=2)
        expected = [
            (np.array(softmax(ours)) - softmax(theirs)) / len(own)
            for theirs, ours in zip(peer.tolist(), own.tolist(), strict=True)
        ]
        np.testing.assert_allclose(gradient(MutualLearningLoss(), peer, own), expected, atol=1e-6)

    def test_no_gradient_goes_into_the_peer(self):
        logits, _ = logits_and_labels()
        own = ops.convert_to_tensor(2 * logits)
        loss = MutualLearningLoss()

        def swapped(own, peer):
            # A term of slope 1, without which some backends have no gradient to give at all.
            return loss(peer, own) + ops.sum(peer)

        assert (gradient(swapped, own, logits) == 1).all()

    def test_logits_far_apart_have_finite_gradients(self):
        peer, own = np.float32([[2000, -2000]]), np.float32([[-2000, 2000]])
        loss = MutualLearningLoss()
        assert float(loss(peer, own)) == pytest.approx(4000)
        assert np.isfinite(gradient(loss, peer, own)).all()

    def test_other_shapes_are_refused(self):
        with pytest.raises(ValueError, match=r"logits of shape.*Received: peer's \(2, 3\)"):
            MutualLearningLoss()(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.parametrize(
    "loss",
    [
        BatchHardTripletLoss(0.7, reduction="sum"),
        LabelSmoothingSparseCrossentropy(0.2, from_logits=True),
        EntropyMaximization(0.4, label_smoothing=0.0, from_logits=True, name="sure"),
        WeightedBinaryCrossentropy(np.float32([0.25, 0.5]), from_logits=True),
        MutualLearningLoss(reduction="none"),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_configuration_survives_serialization(loss):
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is type(loss)
    assert restored.get_config() == loss.get_config()
