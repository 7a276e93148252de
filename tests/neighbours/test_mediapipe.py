"""MediaPipe's ImageEmbedder and ImageClassifier run exported `.tflite` files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_osnet import OSNet, preprocess_input
from keras_osnet.deploy import export
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import synthetic_people, synthetic_person

SCRIPT = Path(__file__).parent / "scripts/embed_with_mediapipe.py"
PAGE = Path(__file__).parents[2] / "docs/deploy_on_mobile.md"

FILES = {
    "uint8": {},
    "float32": {"dtype": "float32"},
    "0-1": {"dtype": "float32", "pixel_range": "0-1"},
    "float16": {"quantization": "float16"},
    "int8": {"quantization": "int8"},
}


@pytest.fixture(scope="module")
def mediapipe(environment):
    return environment(["mediapipe>=1.2"])


@pytest.fixture(scope="module")
def run(mediapipe):
    """Return a function that runs a task on images and returns what the script prints."""
    return lambda file, images, **options: mediapipe.run(SCRIPT, file, images, json.dumps(options))


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """Return a function that exports the network once with each set of arguments."""
    folder = tmp_path_factory.mktemp("mediapipe")

    def make(name):
        file = folder / f"{name}.tflite"
        if not file.exists():
            arguments = FILES[name]
            if arguments.get("quantization") == "int8":
                arguments = {"calibration": synthetic_people(64, views=1).images, **arguments}
            export(model, file, **arguments)
        return file

    return make


@pytest.mark.parametrize("name", FILES)
def test_embeds_as_the_embedder_does(name, run, exported, crops):
    file = exported(name)
    result = run(file, crops.folder / "crops.npy")
    own = Embedder(file).embed(list(np.load(crops.folder / "crops.npy")))
    assert cosines(result["vectors"], own).min() > 0.9999
    assert crops.lowest_cosine(result["vectors"]) > (0.98 if name == "int8" else 0.999)
    assert result["name"] == "embedding"


def test_the_target(run, model, crops, tmp_path):
    export(model, tmp_path / "folder", target="mediapipe")
    (file,) = (tmp_path / "folder").glob("*.tflite")
    assert crops.lowest_cosine(run(file, crops.folder / "crops.npy")["vectors"]) > 0.9999


def test_five_lines_of_the_documentation(mediapipe, exported, crops, tmp_path):
    (code,) = re.findall(r"```py\n(import mediapipe\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    Image.fromarray(np.load(crops.folder / "crops.npy")[0]).save(tmp_path / "crop.png")
    for name, path in (
        ("osnet_x0_25.tflite", exported("float32")),
        ("crop.png", tmp_path / "crop.png"),
    ):
        code = code.replace(f'"{name}"', repr(str(path)))
    (tmp_path / "lines.py").write_text(f"{code}import json\nprint(json.dumps(vector.tolist()))\n")
    vector = np.array(mediapipe.run(tmp_path / "lines.py"))
    assert vector @ crops.vectors[0] > 0.9999


def test_its_normalization_and_quantization(run, model, crops, tmp_path):
    file = tmp_path / "raw.tflite"
    export(model, file, dtype="float32", normalize=False)
    images = crops.folder / "crops.npy"
    raw = np.array(run(file, images)["vectors"])
    assert np.linalg.norm(raw, axis=1).min() > 2
    scaled = np.array(run(file, images, l2_normalize=True)["vectors"])
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, atol=1e-5)
    assert crops.lowest_cosine(scaled) > 0.9999
    small = run(file, images, l2_normalize=True, quantize=True)
    assert small["dtype"] == "uint8"
    values = np.array(small["vectors"], np.uint8).view(np.int8)
    assert 0.999 < crops.lowest_cosine(values) < 0.99999


def test_its_resizing(run, exported):
    """MediaPipe samples four pixels per pixel, at x · scale, where Pillow averages all of them."""
    file = exported("float32")
    images = [synthetic_person(20_000 + i, i % 4, 0, image_size=(700, 300)) for i in range(8)]
    np.save(file.with_name("large.npy"), np.stack(images))
    vectors = run(file, file.with_name("large.npy"))["vectors"]
    embedder = Embedder(file)
    assert 0.9 < cosines(vectors, embedder.embed(images)).min() < 0.999
    as_mediapipe = [sampled(image, 256, 128) for image in images]
    assert cosines(vectors, embedder.embed(as_mediapipe)).min() > 0.999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "float32", "pixel_range": "normalized"}, "Per-channel image normalization"),
        ({"dtype": "float32", "layout": "NCHW"}, "Only RGB color space"),
        ({"channels": "BGR"}, "Only RGB color space"),
    ],
)
def test_refuses_images_that_it_does_not_give(arguments, message, run, model, crops, tmp_path):
    export(model, tmp_path / "other.tflite", **arguments)
    assert message in run(tmp_path / "other.tflite", crops.folder / "crops.npy")["refused"]


def test_labels(run, crops, tmp_path):
    labels = ["Ada", "Alan", "Grace"]
    classifier = OSNet(0.25, weights=None, classes=3)
    export(classifier, tmp_path / "people.tflite", dtype="float32", labels=labels)
    images = crops.folder / "crops.npy"
    scores = run(tmp_path / "people.tflite", images, task="classifier")["scores"]
    expected = classifier.predict(preprocess_input(np.load(images)), verbose=0)
    found = [[each[label] for label in labels] for each in scores]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def cosines(vectors, others):
    vectors, others = np.asarray(vectors, np.float64), np.asarray(others, np.float64)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(others, axis=1)
    return (vectors * others).sum(axis=1) / lengths


def sampled(image, height, width):
    """Resize as MediaPipe does: bilinear, output pixel x at x · scale of the image."""
    for axis, size in ((0, height), (1, width)):
        places = np.arange(size) * image.shape[axis] / size
        first = places.astype(int)
        second = np.minimum(first + 1, image.shape[axis] - 1)
        share = (places - first).reshape([-1 if each == axis else 1 for each in range(3)])
        image = image.take(first, axis) * (1 - share) + image.take(second, axis) * share
    return image.round().astype(np.uint8)
