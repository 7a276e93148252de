"""OSNets as people export them, by this package or by the stock converters, against Keras."""

import numpy as np
import pytest

import keras_osnet
from keras_osnet.deploy import export
from keras_osnet.evaluation import embed_images
from keras_osnet.runtime import Embedder, read_metadata
from keras_osnet.synthetic import synthetic_people, write_synthetic_people

pytestmark = pytest.mark.filterwarnings("ignore:.* holds no digest:UserWarning")

SIZE = (64, 32)


@pytest.fixture(scope="module")
def osnet():
    return keras_osnet.OSNet(
        0.25,
        head="embedding",
        input_shape=(*SIZE, 3),
        depths=(1, 1, 1),
        streams=2,
        include_preprocessing=True,
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images larger than the model's."""
    folder = tmp_path_factory.mktemp("people")
    return [person.path for person in write_synthetic_people(folder, 2, image_size=(80, 48))]


@pytest.fixture(scope="module")
def by_keras(osnet, files):
    vectors = embed_images(osnet, files).vectors
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.large
@pytest.mark.parametrize(
    ("suffix", "batch"), [(".tflite", 1), (".tflite", None), (".onnx", None), (".xml", None)]
)
def test_files_of_our_own(osnet, files, by_keras, tmp_path, suffix, batch):
    path = tmp_path / f"osnet{suffix}"
    export(osnet, path, batch=batch, license="MIT")
    metadata = read_metadata(path)
    assert (metadata.image_size, metadata.batch, metadata.dim) == (SIZE, batch, 512)
    assert (metadata.dtype, metadata.pixel_range) == ("uint8", "0-255")
    assert (metadata.output_kind, metadata.license) == ("embedding", "MIT")
    np.testing.assert_allclose(Embedder(path).embed(files), by_keras, rtol=0, atol=1e-5)


@pytest.mark.large
@pytest.mark.parametrize("quantization", ["float16", "dynamic", "int8"])
def test_quantized_files_of_our_own(osnet, files, by_keras, tmp_path, quantization):
    path = tmp_path / "osnet.tflite"
    images = synthetic_people(4, image_size=SIZE).images if quantization == "int8" else None
    export(osnet, path, quantization=quantization, calibration=images)
    embedder = Embedder(path)
    assert embedder.metadata.quantization == quantization
    assert (embedder.embed(files) * by_keras).sum(axis=1).min() > 0.98


@pytest.mark.exhaustive
def test_stock_files(osnet, to_tflite, files, by_keras, tmp_path):
    to_tflite(osnet, tmp_path / "osnet.tflite")
    osnet.export(str(tmp_path / "osnet.onnx"), format="onnx", verbose=False)
    osnet.export(str(tmp_path / "osnet.xml"), format="openvino", verbose=False)
    for suffix in (".tflite", ".onnx", ".xml"):
        vectors = Embedder(tmp_path / f"osnet{suffix}", pixel_range="0-255").embed(files)
        np.testing.assert_allclose(vectors, by_keras, rtol=0, atol=1e-5)


@pytest.mark.exhaustive
def test_published_weights_on_images_of_their_own_size(reference, tmp_path):
    """float32 files of the real network agree with Keras to the last digits."""
    path = reference / "weights" / "osnet_x0_25_msmt17.pth"
    model = keras_osnet.load_model(path, head="embedding", include_preprocessing=True)
    people = synthetic_people(3, cameras=2, views=2).images
    expected = np.asarray(model(people.astype("float32"), training=False))
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    for suffix in (".tflite", ".onnx", ".xml"):
        path = tmp_path / f"osnet{suffix}"
        export(model, path)
        np.testing.assert_allclose(Embedder(path).embed(people), expected, rtol=0, atol=1e-5)
