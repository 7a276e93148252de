"""The losses that recipes name: their checks, and training with them."""

import keras
import numpy as np
import pytest
from tiny_networks import SIZE, tiny_backbone

import keras_osnet
from keras_osnet.data import ReidDataset, split_by_identity
from keras_osnet.losses import (
    AdaptiveTripletLoss,
    ArcFace,
    BatchAllTripletLoss,
    BatchHardTripletLoss,
    CenterLoss,
    CircleLoss,
    CircleSoftmax,
    CosFace,
    LabelSmoothingSparseCrossentropy,
)
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training import build_model, load_recipe, train
from keras_osnet.training.loss_terms import classifier_scale, reid_losses
from keras_osnet.training.networks import add_classifier, new_layers, without_classifier
from keras_osnet.training.tasks import ReidTask

RECIPE = load_recipe("few_people").with_overrides(
    {"epochs": 2, "fixbase_epochs": 1, "batch_size": [4, 2], "validation_fraction": 0.0}
)


def recipe(**loss):
    return RECIPE.with_overrides({f"loss.{key}": value for key, value in loss.items()})


@pytest.mark.parametrize(
    ("loss", "output", "expected"),
    [
        ({}, "logits", LabelSmoothingSparseCrossentropy),
        ({"name": "cosface", "margin": 0.2, "scale": 16}, "logits", CosFace),
        ({"name": "arcface"}, "logits", ArcFace),
        ({"name": "circle", "scale": 64}, "logits", CircleSoftmax),
        ({"triplet_weight": 1}, "embedding", BatchHardTripletLoss),
        ({"triplet_weight": 1, "triplet_mining": "all"}, "embedding", BatchAllTripletLoss),
        (
            {"triplet_weight": 1, "triplet_mining": "adaptive", "triplet_margin": "soft"},
            "embedding",
            AdaptiveTripletLoss,
        ),
        ({"circle_weight": 1, "circle_margin": 0.4}, "embedding", CircleLoss),
        ({"center_weight": 5e-4}, "center", CenterLoss),
    ],
    ids=str,
)
def test_a_recipe_s_losses(loss, output, expected):
    made, weight = reid_losses(recipe(**loss))[output]
    assert (made if output == "center" else type(made)) is expected
    assert weight == loss.get(f"{output}_weight", loss.get("center_weight", 1))
    for key in ("margin", "scale"):
        if key in loss:
            assert getattr(made, key) == loss[key]
    if output == "logits":
        assert made.label_smoothing == 0.1
        assert classifier_scale(recipe(**loss)) == getattr(made, "scale", None)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"name": "sphereface"}, r"`loss.name`.*one of softmax, cosface, arcface, circle.*sphere"),
        ({"name": 3}, r"`loss.name`.*Received: 3"),
        ({"margin": 0.3}, r"`loss.margin`.*left out unless `loss.name`.*Received: 0.3"),
        ({"scale": 30}, r"`loss.scale`.*left out unless `loss.name`.*Received: 30"),
        ({"name": "cosface", "margin": 1.5}, r"`loss.margin`.*from 0 to 1. Received: 1.5"),
        ({"name": "arcface", "margin": 1.6}, r"`loss.margin`.*from 0 to 1.5708. Received: 1.6"),
        ({"name": "circle", "scale": 0}, r"`loss.scale`.*at least 1. Received: 0"),
        ({"name": "cosface", "entropy_weight": 1}, r'`loss.entropy_weight`.*0 with .*"cosface"'),
        ({"triplet_margin": "hard"}, r"`loss.triplet_margin`.*\"soft\". Received: 'hard'"),
        ({"triplet_mining": "easy"}, r"`loss.triplet_mining`.*hard, all, adaptive.*'easy'"),
        ({"circle_weight": 1, "triplet_weight": 1}, r"`loss.circle_weight`.*triplet_weight"),
        ({"circle_margin": 2}, r"`loss.circle_margin`.*from 0 to 1. Received: 2"),
        ({"center_weight": -1}, r"`loss.center_weight`.*at least 0. Received: -1"),
        ({"center_rate": 1.5}, r"`loss.center_rate`.*from 0 to 1. Received: 1.5"),
        ({"centre_weight": 1}, r"`loss`.*center_weight.*Received: \['centre_weight'\]"),
    ],
)
def test_wrong_terms_are_named(loss, message):
    with pytest.raises(ValueError, match=message):
        recipe(**loss)


def test_pairs_need_several_images_of_a_person():
    with pytest.raises(ValueError, match=r"`batch_size`.*for the Circle loss.*Received: 8"):
        recipe(circle_weight=1).with_overrides({"batch_size": 8})
    for batch_size in ([4, 1], [1, 4]):
        with pytest.raises(ValueError, match=r"`batch_size`.*two or more, for the triplet loss"):
            recipe(triplet_weight=1).with_overrides({"batch_size": batch_size})


@pytest.mark.parametrize(("loss", "least"), [("distance_weight", 2), ("angle_weight", 3)])
def test_relations_need_several_images(loss, least):
    recipe = load_recipe("distill").with_overrides({"loss": {loss: 1.0}})
    assert recipe.with_overrides({"batch_size": least}).batch_size == least
    with pytest.raises(
        ValueError, match=rf"`batch_size` .* at least {least} images for `loss.{loss}"
    ):
        recipe.with_overrides({"batch_size": least - 1})


def test_an_osnet_with_a_neck_is_compared_before_it():
    backbone = keras_osnet.OSNet(
        0.25, head="embedding", neck="bn", depths=(1, 1, 1), streams=1, input_shape=(32, 16, 3)
    )
    losses = reid_losses(recipe(name="cosface", scale=16, triplet_weight=1, center_weight=0.1))
    network = add_classifier(backbone, 5, "softmax", losses, scale=16)
    assert list(network.trained.output) == ["features", "center", "logits"]
    assert list(network.losses(losses)) == ["logits", "features", "center"]
    assert network.classifier.configuration.classifier_scale == 16
    assert new_layers(network.trained) == {"neck", "center", "logits"}
    assert without_classifier(network.classifier).layers[-1].name == "embedding"
    plain = add_classifier(tiny_backbone(), 5, "softmax", losses, scale=16)
    assert list(plain.trained.output) == ["embedding", "center", "logits"]
    assert plain.classifier.get_layer("logits").scale == 16


def test_a_recipe_s_model_has_a_neck_and_gem():
    table = {"weights": "synthetic", "width": 0.25, "neck": "bn", "pooling": "gem"}
    with pytest.warns(UserWarning, match="pooling exponent and neck of osnet_x0_25"):
        model = build_model(RECIPE.with_overrides({"model": table}))
    assert (model.configuration.neck, model.configuration.pooling) == ("bn", "gem")
    with pytest.raises(ValueError, match=r"`model.neck` of .*Received: 'ln'"):
        RECIPE.with_overrides({"model": {"width": 0.25, "neck": "ln"}})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return split_by_identity(write_synthetic_people(folder, 10, views=4, image_size=SIZE), 0.4)


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


@pytest.mark.large
@pytest.mark.backends
def test_training_with_all_of_them_resumes_with_its_centers(dataset, tmp_path):
    wanted = recipe(name="arcface", scale=16, triplet_weight=0.5, center_weight=0.01)

    def run(folder, **arguments):
        return train(wanted, tiny_backbone(), dataset, folder, verbose=0, **arguments)

    trained = run(tmp_path / "run")
    for row in trained.metrics:
        total = row["logits_loss"] + 0.5 * row["embedding_loss"] + 0.01 * row["center_loss"]
        assert row["loss"] == pytest.approx(total, rel=1e-4)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "other", callbacks=[Stop()])
    again = run(tmp_path / "other")
    assert again.metrics == trained.metrics


@pytest.mark.large
def test_networks_with_centers_learn_from_each_other(dataset, tmp_path):
    wanted = recipe(mutual=True, center_weight=0.01).with_overrides({"epochs": 1})
    peers = [tiny_backbone(0), tiny_backbone(1)]
    trained = train(wanted, peers, dataset, tmp_path / "run", verbose=0)
    row = trained.metrics[0]
    assert row["center_1_loss"] > 0
    assert row["center_1_loss"] != row["center_2_loss"]


@pytest.mark.large
def test_an_osnet_with_a_neck_trains(dataset, tmp_path):
    wanted = recipe(triplet_weight=0.5).with_overrides({"fixbase_epochs": 0, "epochs": 1})
    keras.utils.set_random_seed(0)
    model = keras_osnet.OSNet(
        *(0.25,),
        **{"head": "embedding", "neck": "bn", "pooling": "gem", "include_preprocessing": True},
        **{"depths": (1, 1, 1), "streams": 1, "input_shape": (*SIZE, 3)},
    )
    trained = train(wanted, model, dataset, tmp_path / "run", verbose=0)
    assert np.isfinite(trained.metrics[0]["features_loss"])
    assert trained.embedders[0].get_layer("pooled").exponent.numpy() != 3
    assert trained.load_embedders()[0].layers[-1].name == "embedding"


def test_fewer_people_than_in_a_batch(tmp_path):
    people = write_synthetic_people(tmp_path, 4, views=2, image_size=(8, 4))
    dataset = ReidDataset(name="four", train=tuple(people), query=(), gallery=())
    assert len(ReidTask(RECIPE, dataset, seed=0).class_names) == 4
    message = (
        "at least 4 people to train on, as many as a batch.*3 in four, besides 1 for validation"
    )
    with pytest.raises(ValueError, match=message):
        ReidTask(RECIPE.with_overrides({"validation_fraction": 0.25}), dataset, seed=0)


@pytest.mark.parametrize("name", ["distill", "attributes"])
def test_batches_of_people_without_people(name):
    with pytest.raises(ValueError, match=r"`batch_size`.*a number of images.*Received: .*4, 2"):
        load_recipe(name).with_overrides({"batch_size": [4, 2]})
