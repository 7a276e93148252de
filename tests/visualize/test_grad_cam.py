"""Grad-CAM, Score-CAM and saliency, against gradients and predictions taken by hand."""

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.visualize import feature_maps, grad_cam, saliency_maps, score_cam

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf-keras-vis needs TensorFlow"
)

SIZE = (64, 32, 3)


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(1)
    model = keras_osnet.OSNet(0.25, classes=3, input_shape=SIZE, include_preprocessing=True)
    # Logits of a fresh classifier are all but equal.
    logits = model.get_layer("logits")
    logits.kernel.assign(logits.kernel * 50)
    return model


@pytest.fixture(scope="module")
def attributes():
    keras.utils.set_random_seed(2)
    model = keras_osnet.OSNet(
        0.25, head="attribute", classes=4, input_shape=SIZE, include_preprocessing=True
    )
    # Score-CAM shows nothing of an attribute whose logit is below zero.
    model.get_layer("logits").bias.assign([1.0] * 4)
    return model


def unit_range(maps):
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    return (maps - low) / np.where(high > low, high - low, 1)  # nothing may speak for a class


def gradients(model, layer, images, score):
    """A layer's maps and the gradients of the scores with respect to them."""
    import tensorflow as tf

    network = keras.Model(model.input, [model.get_layer(layer).output, score[0]])
    with tf.GradientTape() as tape:
        maps, outputs = network(tf.constant(images, tf.float32))
        value = tf.reduce_sum(score[1](outputs))
    return maps.numpy(), tape.gradient(value, maps).numpy()


def cam_by_hand(maps, grads):
    weights = grads.mean(axis=(1, 2), keepdims=True)
    return unit_range(np.maximum((maps * weights).sum(axis=-1), 0))


@pytest.mark.parametrize("layer", ["conv5", "conv4"])
def test_grad_cam_of_a_class(classifier, images, layer):
    real = {"conv4": "conv4_block2"}.get(layer, layer)
    logits = classifier.get_layer("logits").output
    chosen = [2, 0, 1]
    hand = gradients(
        classifier,
        real,
        images,
        (logits, lambda out: sum(out[i, c] for i, c in enumerate(chosen))),
    )
    found = grad_cam(classifier, images, classes=chosen, layer=layer, batch_size=2)
    np.testing.assert_allclose(found, cam_by_hand(*hand), atol=1e-3)
    assert found.max() == 1


@pytest.mark.large
def test_the_class_is_the_likeliest_by_default(classifier, images):
    likeliest = classifier.predict_on_batch(images).argmax(axis=1)
    np.testing.assert_allclose(
        grad_cam(classifier, images),
        grad_cam(classifier, images, classes=likeliest),
        atol=1e-5,
    )


@pytest.mark.large
def test_grad_cam_of_a_likeness(embedder, images):
    import tensorflow as tf

    reference = embedder.predict_on_batch(images[::-1])
    wanted = reference / np.linalg.norm(reference, axis=1, keepdims=True)
    hand = gradients(
        embedder,
        "conv5",
        images,
        (embedder.output, lambda out: tf.linalg.normalize(out, axis=1)[0] * wanted),
    )
    found = grad_cam(embedder, images[:1], references=reference[0])
    np.testing.assert_allclose(found, cam_by_hand(*hand)[:1], atol=1e-3)


@pytest.mark.large
def test_a_classifier_explains_likenesses_too(classifier, images):
    vector = feature_maps(classifier, images[:1], ["embedding"])["embedding"][0]
    assert grad_cam(classifier, images[1:], references=vector).shape == (2, 4, 2)


def scores_through_masks(model, image, maps, score):
    """Score-CAM, map by map."""
    from scipy.ndimage import zoom

    masked = []
    for channel in range(maps.shape[-1]):
        mask = zoom(maps[..., channel], (16, 16), order=1, mode="nearest")
        mask = (mask - mask.min()) / (mask.max() - mask.min() + 1e-7)
        masked.append(image.astype("float32") * mask[..., None])
    total = np.zeros(maps.shape[:2])
    for channel, out in enumerate(model.predict_on_batch(np.stack(masked))):
        total += score(out) * maps[..., channel]
    return unit_range(np.maximum(total, 0)[None])[0]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("attribute", marks=pytest.mark.large),
        pytest.param("classification", marks=pytest.mark.exhaustive),
        pytest.param("embedding", marks=pytest.mark.exhaustive),
    ],
)
def test_score_cam(classifier, attributes, embedder, images, head):
    reference = embedder.predict_on_batch(images[1:2])[0]

    def likeness(out):
        return out @ reference / np.linalg.norm(out) / np.linalg.norm(reference)

    model, goal, score = {
        "classification": (classifier, {"classes": 1}, lambda out: out[1]),
        "attribute": (attributes, {"classes": 3}, lambda out: np.log(out[3] / (1 - out[3]))),
        "embedding": (embedder, {"references": reference}, likeness),
    }[head]
    maps = feature_maps(model, images[:1], ["conv5"])["conv5"][0]
    found = score_cam(model, images[:1], **goal)[0]
    expected = scores_through_masks(model, images[0], maps, score)
    assert expected.max() == 1
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_saliency_is_the_gradient_of_each_pixel(classifier, images):
    import tensorflow as tf

    network = keras.Model(classifier.input, classifier.get_layer("logits").output)
    image = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_sum(network(image)[:, 1])
    by_hand = unit_range(np.abs(tape.gradient(value, image).numpy()).max(axis=-1))
    np.testing.assert_allclose(saliency_maps(classifier, images, classes=1), by_hand, atol=1e-3)
    smooth = saliency_maps(classifier, images, classes=1, samples=2)
    assert smooth.shape == (3, 64, 32)
    assert np.abs(smooth - by_hand).max() > 0.01


def test_dict_outputs_and_no_preprocessing_inside(images):
    model = keras_osnet.OSNet(
        0.25, classes=3, input_shape=SIZE, outputs=["conv5", "embedding", "predictions"]
    )
    assert grad_cam(model, images[:1], classes=0).shape == (1, 4, 2)


@pytest.mark.large
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_explained_in_full(embedder, images, precision):
    keras.config.set_dtype_policy(precision)
    try:
        model = keras_osnet.OSNet(
            0.25, head="embedding", input_shape=SIZE, include_preprocessing=True
        )
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(embedder.get_weights())
    reference = embedder.predict_on_batch(images[:1])[0]
    np.testing.assert_allclose(
        grad_cam(model, images[1:], references=reference),
        grad_cam(embedder, images[1:], references=reference),
        atol=1e-3,
    )


def test_refuses(classifier, embedder, images):
    for model, goal, message in (
        (embedder, {}, "`references` must be given"),
        (embedder, {"classes": 1}, "`classes` needs a model that ends in a classifier"),
        (embedder, {"references": np.ones(3)}, r"`references` must be finite.*shape \(3,\)"),
        (embedder, {"references": np.zeros(512)}, "`references` must not be zero"),
        (classifier, {"classes": 3}, "`classes` must be whole numbers from 0 to 2"),
        (classifier, {"classes": [0, 1]}, "one for each of the 3 images"),
        (classifier, {"layer": "pooled"}, "`layer` must be one that gives maps"),
    ):
        with pytest.raises(ValueError, match=message):
            grad_cam(model, images, **goal)


def test_another_backend_is_refused(classifier, images, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"KERAS_BACKEND=tensorflow. Received: KERAS_BACKEND=jax"):
        saliency_maps(classifier, images)
