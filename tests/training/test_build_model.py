"""Networks from recipes."""

import numpy as np
import pytest

import keras_osnet
from keras_osnet.architecture.describe import describe
from keras_osnet.training import build_model, load_recipe
from keras_osnet.weights import to_torchreid, write_torch_checkpoint

SMALL = {"width": 0.25, "image_size": (64, 32)}


def recipe(name="few_people", **model):
    return load_recipe(name).with_overrides({"model": {"depths": [1, 1, 1], **model}})


def values(model):
    return [np.array(each) for each in model.get_weights()]


def are_equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(values(one), values(other), strict=True))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Files of a small network with a classifier, as training leaves one."""
    folder = tmp_path_factory.mktemp("trained")
    model = keras_osnet.OSNet(
        0.25, classes=3, depths=(1, 1, 1), input_shape=(64, 32, 3), include_preprocessing=True
    )
    model.save(folder / "best.keras")
    write_torch_checkpoint(folder / "best.pth", to_torchreid(model))
    return folder, model


def test_what_the_recipe_says_is_built():
    built = build_model(recipe(variant="ibn", width=0.25, pooling="max", image_size=[96, 48]))
    expected = keras_osnet.OSNet(
        0.25,
        variant="ibn",
        pooling="max",
        depths=(1, 1, 1),
        head="embedding",
        input_shape=(96, 48, 3),
        include_preprocessing=True,
    )
    assert built.to_json() == expected.to_json()


def test_the_caller_has_the_last_word(trained):
    folder, _ = trained
    own = recipe(variant="ibn", width=0.5, image_size=[96, 48], weights=str(folder / "best.keras"))
    built = build_model(own, variant="base", width=0.25, weights=None, image_size=[64, 32])
    assert built.name == "osnet_x0_25"
    assert built.input_shape == (None, 64, 32, 3)


@pytest.mark.parametrize("ending", ["keras", "pth"])
def test_a_file_tells_its_network(trained, ending):
    folder, model = trained
    built = build_model(recipe(weights=str(folder / f"best.{ending}")))
    assert built.name == "osnet_x0_25"
    size = (64, 32) if ending == "keras" else (256, 128)
    assert built.input_shape == (None, *size, 3)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3)).astype("float32")
    if ending == "keras":
        embedder = keras_osnet.load_model(folder / "best.keras", head="embedding")
        np.testing.assert_array_equal(built(images), embedder(images))
    kernel = model.get_layer("conv5").get_weights()[0]
    np.testing.assert_array_equal(built.get_layer("conv5").get_weights()[0], kernel)


def test_pooling_is_the_recipes(trained):
    folder, _ = trained
    built = build_model(recipe(weights=str(folder / "best.keras"), pooling="max"))
    assert type(built.get_layer("pooled")).__name__ == "GlobalMaxPooling2D"


@pytest.mark.parametrize("weights", ["best.keras", None])
def test_the_dataset_s_own_statistics(trained, weights):
    folder, _ = trained
    weights = weights and str(folder / weights)
    statistics = {"mean": [0.4, 0.5, 0.25], "std": [0.2, 0.25, 0.125]}
    built = build_model(recipe(width=0.25, weights=weights, **statistics))
    described = describe(built)
    assert {name: described[name] for name in statistics} == statistics


def test_weights_of_another_network(trained):
    folder, _ = trained
    with pytest.raises(
        ValueError,
        match=r"with depths=\[2, 2, 2\]\. Received: .*best\.keras with depths=\[1, 1, 1\]",
    ):
        build_model(recipe(depths=[2, 2, 2], weights=str(folder / "best.keras")))
    with pytest.raises(ValueError, match=r"`variant` must be that of the weights"):
        build_model(recipe(variant="ibn", weights=str(folder / "best.pth")))
    with pytest.raises(ValueError, match=r"no published weights with the tag"):
        build_model(recipe(), weights="lfw")


@pytest.mark.large
def test_networks_that_learn_from_each_other(trained):
    folder, _ = trained
    mutual = recipe("triplet_mutual")
    one, other = build_model(mutual, weights=None, **SMALL)
    assert not are_equal(one, other)
    one, other = build_model(mutual, weights=folder / "best.keras")
    assert one is not other
    assert are_equal(one, other)


@pytest.mark.parametrize(
    ("name", "size"), [("cifar", (32, 32)), ("imagenet", (224, 224)), ("attributes", (256, 128))]
)
def test_recipes_that_come_with_the_package(name, size):
    built = build_model(name, width=0.25, weights=None)
    assert built.input_shape[1:3] == size


def test_wrong_arguments():
    with pytest.raises(
        ValueError, match=r"`model` of few_people must be made of variant, .* Received: \['depht'\]"
    ):
        build_model(recipe(depht=3))
    for size in ([64], [64, 0], [64, 32.0], "64"):
        with pytest.raises(ValueError, match=r"`image_size` must be \(height, width\)"):
            build_model(recipe(), weights=None, image_size=size)
    with pytest.raises(ValueError, match=r"`model.variant` of few_people must be"):
        build_model(recipe(variant="wide"), weights=None)
