"""From a folded network to an int8 file that gives the same results."""

import keras
import numpy as np
import pytest
from int8_networks import SIZE, cosines, lite_network, operations, run, smooth_images
from keras import layers

import keras_osnet
from keras_osnet.data import load_images
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.deploy.conversion import serve
from keras_osnet.deploy.int8 import quantize_int8
from keras_osnet.deploy.int8.quantization import checked_images
from keras_osnet.deploy.int8.rounding import MOST
from keras_osnet.metrics import evaluate_features
from keras_osnet.models import load_model

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="int8 is calibrated on TensorFlow"
)


@pytest.fixture(scope="module")
def network():
    return lite_network()


@pytest.fixture(scope="module")
def content(network):
    return quantize_int8(network, smooth_images())


@pytest.mark.large
def test_results_are_those_of_the_float_network(network, content):
    others = smooth_images(seed=1)
    found = cosines(run(content, others), network.predict(others, verbose=0, batch_size=1))
    # Measured: 0.9997 at least.
    assert found.min() > 0.998


@pytest.mark.large
def test_maps_are_integers_and_gates_and_head_are_float(content):
    found = operations(content)
    for name, dtype, shape in found:
        if name in ("DEPTHWISE_CONV_2D", "PAD"):
            assert dtype == np.int8
        if name in ("AVERAGE_POOL_2D", "LOGISTIC", "FULLY_CONNECTED", "MEAN", "MUL"):
            assert dtype == np.float32
        if name == "CONV_2D":
            assert dtype == (np.float32 if shape[1:3] == (1, 1) else np.int8)
    assert found[0][:2] == ("QUANTIZE", np.uint8)


@pytest.mark.large
def test_the_same_images_give_the_same_file(network, content):
    assert quantize_int8(network, smooth_images()) == content


@pytest.mark.large
def test_the_signature_has_the_names_that_were_asked_for(network):
    from ai_edge_litert.interpreter import Interpreter

    content = quantize_int8(network, smooth_images(), names=("image", "vector"))
    signature = Interpreter(model_content=content).get_signature_list()["serving_default"]
    assert signature == {"inputs": ["image"], "outputs": ["vector"]}


@pytest.mark.large
def test_a_float_input_takes_the_same_pixels(content):
    network = lite_network(dtype="float32")
    floats = quantize_int8(network, smooth_images())
    np.testing.assert_array_equal(run(floats, smooth_images(4)), run(content, smooth_images(4)))


@pytest.mark.large
def test_images_that_are_normalized_already(network):
    image = keras.Input(batch_shape=(1, *SIZE, 3))
    maps = layers.Conv2D(8, 3, activation="relu", kernel_initializer="he_normal")(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(maps))
    images = (smooth_images() / 127.5 - 1).astype("float32")
    content = quantize_int8(model, images)
    assert (
        cosines(run(content, images), model.predict(images, verbose=0, batch_size=1)).min() > 0.999
    )


@pytest.mark.large
@pytest.mark.parametrize("hidden", [1, 4])
def test_dead_channels_and_narrow_gates(hidden):
    model = lite_network(hidden)
    for name in ("stem", "pointwise1", "depthwise2", "squeeze", "expand"):
        layer = model.get_layer(name)
        values = layer.get_weights()
        values[0][:, :, slice(0, 1) if "depthwise" in name else slice(None), ..., 0] = 0
        if len(values) > 1:
            values[1][0] = 0
        layer.set_weights(values)
    content = quantize_int8(model, smooth_images())
    found = cosines(
        run(content, smooth_images(8)), model.predict(smooth_images(8), verbose=0, batch_size=1)
    )
    assert found.min() > 0.995


@pytest.mark.large
def test_kernels_that_are_nearly_zero_run():
    model = lite_network()
    layer = model.get_layer("pointwise1")
    layer.set_weights([layer.get_weights()[0] * 1e-12])
    assert np.isfinite(run(quantize_int8(model, smooth_images()), smooth_images(2))).all()


@pytest.mark.large
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (smooth_images(7), "at least 8.*Received: 7"),
        (smooth_images(8).astype("float64"), "Received: shape .*float64"),
        (smooth_images(8).astype("float32"), "of uint8.*float32"),
        (smooth_images(8)[:, :16], r"\(n, 32, 16, 3\).*Received: shape \(8, 16, 16, 3\)"),
        (np.full((8, *SIZE, 3), 9, "uint8"), "8 images of one color"),
    ],
)
def test_images_that_do_not_do_are_refused(network, images, message):
    with pytest.raises(ValueError, match=f"(?s)`images`.*{message}"):
        quantize_int8(network, images)


def test_nan_is_refused_in_images_and_in_feature_maps():
    network = lite_network(dtype="float32")
    images = smooth_images(8).astype("float32")
    images[3, 4, 5, 0] = np.nan
    with pytest.raises(ValueError, match="`images` must be finite"):
        quantize_int8(network, images)
    layer = network.get_layer("stem")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * np.nan, bias])
    with pytest.raises(ValueError, match="`model` must compute finite numbers"):
        quantize_int8(network, smooth_images())


def normalized(image):
    return layers.BatchNormalization()(image)


def called_twice(image):
    layer = layers.Conv2D(3, 1, name="twice")
    return layer(layer(image))


@pytest.mark.parametrize(
    ("size", "build", "message"),
    [
        (SIZE, normalized, "without batch norm"),
        ((None, None), layers.Conv2D(2, 1), "fixed size"),
        (SIZE, called_twice, r"call each convolution of maps once\..*twice"),
    ],
)
def test_models_that_do_not_do_are_refused(size, build, message):
    image = keras.Input(batch_shape=(1, *size, 3))
    model = keras.Model(image, build(image))
    with pytest.raises(ValueError, match=message):
        quantize_int8(model, smooth_images())


@pytest.mark.large
def test_few_images_bring_a_warning_and_many_are_thinned_out(network):
    with pytest.warns(UserWarning, match="on 8 images; 64 or more"):
        checked_images(network, smooth_images(8))
    many = smooth_images(2 * MOST)
    chosen = checked_images(network, many)
    assert len(chosen) == MOST
    np.testing.assert_array_equal(chosen[[0, -1]], many[[0, -1]])


def served(model, normalize=False):
    return serve(model, normalize=normalize, batch=1, quantization="int8").model


MATRIX = [
    *({"model": name, "head": "embedding"} for name in keras_osnet.list_models()),
    *({"model": "osnet_x0_25", "head": head} for head in ("classification", "attribute")),
    {"model": "osnet_ain_x0_25", "head": "classification"},
    {"model": "osnet_ibn_x1_0", "head": "attribute"},
    {"model": "osnet_x0_25", "include_top": False},
    {"model": "osnet_x0_25", "include_top": False, "pooling": "max"},
    {"model": "osnet_x0_25", "head": "embedding", "feature_dim": None},
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("arguments", MATRIX, ids=lambda each: "-".join(map(str, each.values())))
def test_every_architecture_and_head_converts_and_runs(arguments):
    arguments = dict(arguments)
    keras.utils.set_random_seed(0)
    architecture = {"input_shape": (64, 32, 3), **keras_osnet.list_models()[arguments.pop("model")]}
    if arguments.get("head") in ("classification", "attribute"):
        arguments["classes"] = 12
    model = served(keras_osnet.OSNet(**architecture, **arguments), normalize=True)
    images = smooth_images(16, tuple(architecture["input_shape"][:2]))
    with pytest.warns(UserWarning, match="16 images"):
        content = quantize_int8(model, images)
    expected = model.predict(images, verbose=0, batch_size=1)
    assert cosines(run(content, images), expected).min() > 0.97


def figures(vectors, expected, people, chosen):
    """Rank-1, mAP, median and lowest cosine, of the people that are chosen."""
    ids = np.array([person.identity for person in people])
    cameras = np.array([person.camera for person in people])
    query, gallery = chosen & (cameras == 1), chosen & (cameras == 2)
    result = evaluate_features(
        vectors[query],
        vectors[gallery],
        ids[query],
        ids[gallery],
        cameras[query],
        cameras[gallery],
        metric="cosine",
    )
    found = cosines(vectors[chosen], expected[chosen])
    return (
        100 * result.rank(1),
        100 * result.mean_average_precision,
        float(np.median(found)),
        float(found.min()),
    )


@pytest.fixture(scope="session")
def people(reference, tmp_path_factory):
    """The 640 real images, and the people on them."""
    import tarfile

    folder = tmp_path_factory.mktemp("pku")
    with tarfile.open(reference / "data" / "pku_reid_40.tar") as archive:
        archive.extractall(folder, filter="data")
    files = sorted(folder.rglob("*.png"))
    found = sorted(read_folder(files[0].parent), key=lambda person: person.path.name)
    return found, load_images([person.path for person in found], (256, 128)).images


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("weights", "lost_queries", "lost_map", "kilobytes"),
    [
        ("osnet_x0_25_msmt17.pth", 1, 0.17, 400),
        ("osnet_x1_0_msmt17_rounded.pth.tar", 4, 0.6, 2800),
    ],
)
def test_real_people_are_found_as_in_float(
    reference, people, weights, lost_queries, lost_map, kilobytes
):
    """Calibrated on the first 10 people; figures of all, and of the 30 others."""
    found, images = people
    path = reference / "weights" / weights
    model = served(load_model(path, head="embedding"))
    expected = model.predict(images, verbose=0, batch_size=1)
    ids = np.array([person.identity for person in found])
    first = np.isin(ids, np.unique(ids)[:10])
    content = quantize_int8(model, images[first])
    vectors = run(content, images)
    assert len(content) <= 1000 * kilobytes
    for chosen in (np.ones_like(first), ~first):
        rank1, mean_precision, median, lowest = figures(vectors, expected, found, chosen)
        before = figures(expected, expected, found, chosen)
        queries = chosen.sum() / 2
        assert (before[0] - rank1) * queries / 100 < lost_queries + 0.5
        assert mean_precision >= before[1] - lost_map
        assert median >= 0.997
        assert lowest >= 0.985
