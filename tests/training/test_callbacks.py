"""Figures of retrieval in the history of `model.fit`."""

import keras
import numpy as np
import pytest
from tiny_networks import SIZE, tiny_backbone

from keras_osnet.data import load_images, split_by_identity
from keras_osnet.evaluation import evaluate_retrieval
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training import RetrievalMetrics


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return split_by_identity(write_synthetic_people(folder, 8, views=3, image_size=SIZE), 0.5)


def classifier(people, name="embedding"):
    backbone = tiny_backbone()
    embedding = keras.layers.Activation("relu", name=name)(backbone.output)
    logits = keras.layers.Dense(len(people.train_identities), name="logits")(embedding)
    model = keras.Model(backbone.input, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model


def fit(model, people, *callbacks, epochs=3):
    images = load_images([image.path for image in people.train], SIZE).images
    return model.fit(
        images, people.train_labels, epochs=epochs, verbose=0, callbacks=list(callbacks)
    ).history


@pytest.mark.backends
def test_they_are_those_of_the_epoch(people, tmp_path):
    model = classifier(people)
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", monitor="val_mAP", mode="max", save_best_only=True
    )
    history = fit(model, people, RetrievalMetrics(people.query, people.gallery), best)
    assert len(history["val_mAP"]) == 3

    def figures(model):
        embedder = keras.Model(model.input, model.get_layer("embedding").output)
        ranking = evaluate_retrieval(embedder, people.query, people.gallery).ranking
        return [
            ranking.rank(1),
            ranking.mean_average_precision,
            ranking.mean_inverse_negative_penalty,
        ]

    last = [history[f"val_{name}"][-1] for name in ("rank_1", "mAP", "mINP")]
    np.testing.assert_allclose(last, figures(model), atol=1e-6)
    saved = keras.saving.load_model(tmp_path / "best.keras")
    assert figures(saved)[1] == pytest.approx(max(history["val_mAP"]), abs=1e-6)


def test_not_every_epoch(people):
    searches = RetrievalMetrics(people.query, people.gallery, every=3, prefix="own_")
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append("own_mAP" in logs)
    )
    fit(classifier(people), people, searches, watch, epochs=4)
    assert seen == [False, False, True, True]  # the third, and the last


def test_a_model_without_an_embedding(people):
    searches = RetrievalMetrics(people.query, people.gallery)
    with pytest.raises(ValueError, match=r"layer `embedding` .*Received: .*features"):
        fit(classifier(people, name="features"), people, searches)
    with pytest.raises(ValueError, match=r"`every` .*Received: 0"):
        RetrievalMetrics(people.query, people.gallery, every=0)
