import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from tiny_networks import SIZE, tiny_backbone

from keras_osnet.deploy.formats import FORMATS
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.synthetic import synthetic_people

DIM = 8


def attach(path, metadata):
    """Write metadata as `export` does."""
    FORMATS[path.suffix].describe(path, metadata, ("images", "embedding"))


def copied(path, folder):
    for suffix in {path.suffix, ".bin" if path.suffix == ".xml" else path.suffix}:
        shutil.copy(path.with_suffix(suffix), folder)
    return folder / path.name


@pytest.fixture(scope="session")
def to_tflite():
    """Convert as a user would, with the stock converter."""
    import tensorflow as tf

    def to_tflite(model, path, *, batch=None, **settings):
        if batch is not None:
            image = keras.Input(model.input_shape[1:], batch_size=batch)
            model = keras.Model(image, model(image))
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        for name, value in settings.items():
            setattr(converter, name, value)
        path.write_bytes(converter.convert())

    return to_tflite


@pytest.fixture(scope="session")
def model():
    """Return the Keras model of all files: pixels of 32 x 16 to 8 numbers."""
    model = tiny_backbone(seed=3)
    rng = np.random.default_rng(3)
    # A moving mean and variance that folding has to get right.
    norm = model.get_layer("norm")
    norm.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in norm.get_weights()])
    return model


@pytest.fixture(scope="session")
def stock(model, to_tflite, tmp_path_factory):
    """Convert the model with stock converters; return the files by kind."""
    folder = tmp_path_factory.mktemp("stock")
    to_tflite(model, folder / "any.tflite")
    to_tflite(model, folder / "one.tflite", batch=1)
    to_tflite(model, folder / "four.tflite", batch=4)
    model.export(str(folder / "any.onnx"), format="onnx", verbose=False)
    model.export(str(folder / "any.xml"), format="openvino", verbose=False)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def described(stock, tmp_path):
    """Copy a stock file and describe it; changes to the metadata as keywords."""

    def described(name, **changes):
        path = copied(stock[name], tmp_path)
        batch = {"one.tflite": 1, "four.tflite": 4}.get(name)
        facts = {"name": "tiny", "dim": DIM, "image_size": SIZE, "batch": batch} | changes
        attach(path, ModelMetadata(**facts))
        return path

    return described


@pytest.fixture(scope="session")
def people():
    """Return 12 images (12, 32, 16, 3), uint8."""
    return synthetic_people(3, cameras=2, views=2, image_size=SIZE).images


@pytest.fixture(scope="session")
def by_keras(model):
    """Return Keras's embeddings of images of the model's size, of length 1."""

    def by_keras(images, model=model):
        vectors = np.asarray(model(images.astype("float32"), training=False))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return by_keras


@pytest.fixture(scope="session")
def any_size(to_tflite, tmp_path_factory):
    """Return a file that takes images of any size, and its Keras model."""
    image = keras.Input((None, None, 3))
    maps = keras.layers.Rescaling(1 / 255.0)(image)
    maps = keras.layers.Conv2D(DIM, 3, strides=2, activation="relu")(maps)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
    path = tmp_path_factory.mktemp("any_size") / "model.tflite"
    to_tflite(model, path)
    return path, model


BLOCKING = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError("blocked: " + name, name=name)
sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture
def fresh_python():
    """Run code in a new interpreter in which the named modules cannot be imported."""

    def run(code, *arguments, blocked=("tensorflow", "keras", "torch", "jax")):
        preamble = BLOCKING.replace("{blocked}", repr(tuple(blocked)))
        command = [sys.executable, "-c", preamble + code, *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    return run
