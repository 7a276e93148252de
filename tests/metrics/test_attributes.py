import dataclasses

import numpy as np
import pytest

from keras_osnet.metrics import evaluate_attributes


def by_plain_loops(probabilities, labels):
    """The definitions, one image, one attribute at a time."""
    images, attributes = range(len(labels)), range(len(labels[0]))
    halves = []
    for a in attributes:
        rights = {0: [], 1: []}
        for i in images:
            rights[int(labels[i][a])].append((probabilities[i][a] >= 0.5) == labels[i][a])
        shares = [sum(rights[v]) / len(rights[v]) if rights[v] else float("nan") for v in (0, 1)]
        halves.append(sum(shares) / 2)
    accuracies, precisions, recalls = [], [], []
    for i in images:
        true = {a for a in attributes if labels[i][a]}
        predicted = {a for a in attributes if probabilities[i][a] >= 0.5}
        if true:
            accuracies.append(len(true & predicted) / len(true | predicted))
            precisions.append(len(true & predicted) / len(predicted) if predicted else 0)
            recalls.append(len(true & predicted) / len(true))
    precision, recall = (sum(values) / len(values) for values in (precisions, recalls))
    defined = [half for half in halves if half == half]
    return {
        "mean_accuracy": sum(defined) / len(defined),
        "accuracy": sum(accuracies) / len(accuracies),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall),
        "attribute_accuracy": halves,
    }


def random_case(seed, images=40, attributes=26, share=0.3):
    rng = np.random.default_rng(seed)
    labels = rng.random((images, attributes)) < share
    return np.clip(0.4 * labels + 0.8 * rng.random(labels.shape), 0, 1), labels


@pytest.mark.parametrize("share", [0.3, 0.02, 0.97])  # few: images and attributes with nothing
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_equals_plain_loops(share, dtype):
    for seed in range(5):
        probabilities, labels = random_case(seed, share=share)
        probabilities = probabilities.astype(dtype)
        expected = by_plain_loops(probabilities, labels)
        for kind in (bool, np.int64, np.float32):
            result = dataclasses.asdict(evaluate_attributes(probabilities, labels.astype(kind)))
            assert result.keys() == expected.keys()
            for name, value in expected.items():
                np.testing.assert_allclose(result[name], value, rtol=1e-12)


def test_hand_computed_example():
    probabilities = [[0.5, 0.49, 0.9], [0.1, 0.7, 0.2], [0.0, 0.0, 0.0], [0.8, 0.0, 0.0]]
    labels = [[1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]]
    result = evaluate_attributes(probabilities, labels)
    # Found 1/2 and 1/2, left alone 1/2 and 2/2; the third is nobody's.
    assert result.attribute_accuracy[:2].tolist() == [0.5, 0.75]
    assert np.isnan(result.attribute_accuracy[2])
    assert result.mean_accuracy == 0.625
    # The last image has nothing to find; for the third, nothing is predicted.
    assert result.accuracy == pytest.approx((1 / 3 + 1 + 0) / 3)
    assert result.precision == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert result.recall == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert result.f1 == pytest.approx(0.5)


def test_perfect_and_opposite_predictions():
    _, labels = random_case(0)
    labels[0] = True, *[False] * 25  # so that no label row is full, nor its opposite empty
    perfect = evaluate_attributes(labels, labels)
    assert dataclasses.astuple(perfect)[:5] == (1, 1, 1, 1, 1)
    opposite = evaluate_attributes(~labels, labels)
    assert dataclasses.astuple(opposite)[:5] == (0, 0, 0, 0, 0)


def test_result_is_read_only():
    result = evaluate_attributes(*random_case(0))
    with pytest.raises(ValueError, match="read-only"):
        result.attribute_accuracy[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.f1 = 1


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([0.5], [[1]], r"`probabilities`.*Received: shape \(1,\)"),
        ([[0.5]], np.ones((1, 0)), r"`labels`.*Received: shape \(1, 0\)"),
        ([[0.5]], [[1, 0]], r"probabilities of shape \(1, 1\), labels of shape \(1, 2\)"),
        ([[0.5], [1.5]], [[1], [0]], r"between 0 and 1; logits.*Received: 1.5"),
        ([[0.5], [-3]], [[1], [0]], r"between 0 and 1; logits.*Received: -3.0"),
        ([[0.5], [np.nan]], [[1], [0]], r"between 0 and 1; logits.*Received: nan"),
        ([[0.5], [0.5]], [[1], [-1]], r"`labels` must be 0 or 1. Received: -1"),
        (
            [[0.5, 0.5, 0.5]] * 2,
            [[1, 0, 0]] * 2,
            r"Received: 1 attributes that all 2 images have, 2 that none has",
        ),
    ],
)
def test_errors_name_the_argument(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        evaluate_attributes(probabilities, labels)


def test_threshold():
    probabilities = np.array([[0.9, 0.2], [0.6, 0.8], [0.3, 0.31]], np.float32)
    labels = [[1, 0], [0, 1], [1, 0]]
    for threshold in (0.3, 0.31, 0.8, 1.0):
        result = evaluate_attributes(probabilities, labels, threshold)
        expected = evaluate_attributes(probabilities >= np.float32(threshold), labels)
        assert result.mean_accuracy == expected.mean_accuracy
        assert result.f1 == expected.f1
    assert evaluate_attributes(probabilities, labels).f1 == pytest.approx(4 / 7)
    for threshold in (0.0, 1.1, float("nan")):
        with pytest.raises(
            ValueError, match=rf"`threshold` must be above 0.*Received: {threshold}"
        ):
            evaluate_attributes(probabilities, labels, threshold)
