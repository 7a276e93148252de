"""The numbers that are drawn, against plain loops; on every backend."""

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.visualize import activation_maps, feature_maps, gate_clusters, gate_statistics
from keras_osnet.visualize.embeddings import project_embeddings
from keras_osnet.visualize.feature_maps import gate_names

rng = np.random.default_rng(3)


def test_activation_maps_equal_plain_loops():
    features = rng.normal(size=(2, 4, 3, 5)).astype("float32")
    maps = activation_maps(features)
    for n in range(2):
        sums = [[sum(abs(float(v)) for v in pixel) for pixel in row] for row in features[n]]
        length = sum(value**2 for row in sums for value in row) ** 0.5
        for y in range(4):
            for x in range(3):
                assert maps[n, y, x] == pytest.approx(sums[y][x] / length, rel=1e-6)


def test_activation_maps_of_nothing_are_zero_and_half_precision_does_not_overflow():
    assert not activation_maps(np.zeros((1, 2, 2, 3))).any()
    large = np.full((1, 2, 2, 512), 6e4, np.float16)
    np.testing.assert_allclose(activation_maps(large), 0.5)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((4, 3, 5)), r"`features` must be.*Received: shape \(4, 3, 5\)"),
        (np.full((1, 2, 2, 1), np.nan), "`features` must be finite"),
    ],
)
def test_activation_maps_refuse(features, message):
    with pytest.raises(ValueError, match=message):
        activation_maps(features)


@pytest.mark.large
@pytest.mark.backends
def test_intermediates_are_those_of_a_network_that_hands_them_out(images, embedder):
    names = ["conv1", "maxpool", "transition2", "conv3", "conv4_block1", "conv5", "embedding"]
    names += ["conv2_block1_gates", "conv4_block2_gates"]
    other = keras_osnet.OSNet(
        0.25,
        head="embedding",
        input_shape=(64, 32, 3),
        include_preprocessing=True,
        outputs=names,
    )
    other.set_weights(embedder.get_weights())
    expected = other.predict_on_batch(images)
    # Two batches, the second of them padded.
    found = feature_maps(embedder, images, names, batch_size=2)
    from_its_own = feature_maps(other, images, names)
    for name in names:
        assert found[name].dtype == np.float32
        for each in (found, from_its_own):
            np.testing.assert_allclose(each[name], expected[name], rtol=1e-4, atol=1e-5)
    assert len(embedder.outputs) == 1
    np.testing.assert_allclose(embedder.predict_on_batch(images), expected["embedding"], atol=1e-5)


@pytest.mark.large
def test_a_model_is_saved_as_before_after_its_gates_were_looked_at(images, embedder, tmp_path):
    feature_maps(embedder, images, gate_names(embedder))
    embedder.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.predict_on_batch(images), embedder.predict_on_batch(images), atol=1e-6
    )


def test_intermediates_refuse(images, embedder):
    with pytest.raises(ValueError, match=r"no such intermediate.*BLOCK_gates.*Received: 'conv9'"):
        feature_maps(embedder, images, ["conv9"])
    with pytest.raises(ValueError, match=r"`names` must be a list.*Received: 'conv5'"):
        feature_maps(embedder, images, "conv5")
    without = keras_osnet.OSNet(0.25, fusion="addition", input_shape=(64, 32, 3))
    with pytest.raises(ValueError, match="no such intermediate"):
        feature_maps(without, images, ["conv2_block1_gates"])
    with pytest.raises(ValueError, match="blocks with gates"):
        gate_names(without)
    anywhere = keras_osnet.OSNet(0.25, input_shape=(None, None, 3))
    with pytest.raises(ValueError, match="`image_size` must be given"):
        feature_maps(anywhere, images, ["conv5"])
    assert feature_maps(anywhere, images, ["conv5"], image_size=(64, 32))["conv5"].shape[1:3] == (
        4,
        2,
    )


def test_gate_statistics_equal_plain_loops():
    gates = rng.random((6, 3, 4))
    found = gate_statistics(gates)
    for stream in range(3):
        values = sorted(gates[n, stream, c] for n in range(6) for c in range(4))
        mean = sum(values) / len(values)
        assert found.mean[stream] == pytest.approx(mean)
        assert found.std[stream] == pytest.approx(
            (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
        )
        assert found.quantiles[stream, 2] == pytest.approx((values[11] + values[12]) / 2)
        spreads = [np.std([gates[n, stream, c] for n in range(6)]) for c in range(4)]
        assert found.between_images[stream] == pytest.approx(np.mean(spreads))


def test_gate_clusters_find_groups_and_rank_by_distance():
    centers = np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]])
    sizes = [3, 9, 5]
    truth = np.repeat([0, 1, 2], sizes)
    gates = centers[truth][:, :, None] + rng.normal(0, 0.01, (17, 2, 6))
    found = gate_clusters(gates, 3)
    assert np.bincount(found.labels).tolist() == [9, 5, 3]  # the largest first
    assert (found.labels == np.array([2, 0, 1])[truth]).all()
    for cluster in range(3):
        members = np.flatnonzero(found.labels == cluster)
        mean = np.mean([gates[n] for n in members], axis=0)
        np.testing.assert_allclose(found.centers[cluster], mean, atol=1e-6)
        far = [float(np.sqrt(((gates[n] - mean) ** 2).sum())) for n in members]
        expected = [int(members[i]) for i in np.argsort(far)]
        assert found.nearest(cluster).tolist() == expected
        assert found.nearest(cluster, 2).tolist() == expected[:2]


def test_gates_refuse():
    with pytest.raises(ValueError, match=r"`clusters`.*different images, 1. Received: 2"):
        gate_clusters(np.ones((5, 4, 2)), 2)
    with pytest.raises(ValueError, match=r"`gates` must be an array.*\(5, 4\)"):
        gate_statistics(np.ones((5, 4)))
    with pytest.raises(ValueError, match="`clusters` must be a whole number"):
        gate_clusters(np.ones((5, 4, 2)), 0)


def test_embedding_map_keeps_groups_together():
    vectors = np.concatenate([rng.normal(10 * np.eye(6)[k], 0.1, (12, 6)) for k in range(3)])
    points = project_embeddings(vectors)
    assert points.shape == (36, 2)
    means = points.reshape(3, 12, 2).mean(axis=1)
    nearest = np.linalg.norm(points[:, None] - means, axis=-1).argmin(axis=1)
    assert (nearest == np.repeat([0, 1, 2], 12)).all()
    np.testing.assert_array_equal(points, project_embeddings(vectors))
    with pytest.raises(ValueError, match=r"`vectors` must be at least three. Received: 2"):
        project_embeddings(vectors[:2])
    with pytest.raises(ValueError, match="`perplexity` must be above 0"):
        project_embeddings(vectors, perplexity=0)
