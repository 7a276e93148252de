import hashlib
import multiprocessing
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_networks import SIZE, tiny_backbone

import keras_osnet
from keras_osnet.data import read_image
from keras_osnet.data.images import ImageReadError, resize_image
from keras_osnet.evaluation import embed_images
from keras_osnet.runtime import Embedder

pytestmark = pytest.mark.filterwarnings("ignore:.* holds no digest:UserWarning")

FILES = [
    ("any.tflite", "litert"),
    ("one.tflite", "litert"),
    ("four.tflite", "litert"),
    ("any.onnx", "onnxruntime"),
    ("any.onnx", "openvino"),
    ("any.xml", "openvino"),
]
"""Each engine with each kind of file that it takes; their batches are any, 1 and 4."""


@pytest.fixture
def folder(tmp_path, people):
    """Images of several sizes and kinds."""
    sizes = [(32, 16), (100, 37), (5, 60), (33, 17), (1, 1)]
    for index, (height, width) in enumerate(sizes):
        Image.fromarray(people[index]).resize((width, height)).save(tmp_path / f"{index}.png")
    Image.fromarray(people[0]).resize((40, 80)).convert("CMYK").save(tmp_path / "5.jpg")
    Image.fromarray(people[1]).convert("L").save(tmp_path / "6.png")
    deep = (people[2][..., 0].astype("uint16") << 8) + 77
    Image.fromarray(deep).save(tmp_path / "7.png")
    return sorted(tmp_path.glob("?.*"))


def to_onnx(model, path):
    model(np.zeros((1, *model.input_shape[1:])))  # Keras exports no model that was never called
    model.export(str(path), format="onnx", verbose=False)


def test_pillow_images(described, folder):
    embedder = Embedder(described("any.tflite"))
    images = [Image.open(path) for path in folder]
    images[0] = images[0].convert("P")
    images[0].info["transparency"] = 0
    vectors = embedder.embed(images)
    np.testing.assert_array_equal(vectors[1:], embedder.embed(folder)[1:])
    np.testing.assert_array_equal(embedder.embed(images[3]), vectors[3:4])
    assert images[0].info["transparency"] == 0
    with pytest.raises(ValueError, match="floating-point"):
        embedder.embed(images[3].convert("F"))
    with pytest.raises(ImageReadError, match=r"it is 0x9, without a pixel.*Received: images\[1\]"):
        embedder.embed([images[3], images[3].crop((5, 0, 5, 9))])


@pytest.mark.parametrize(("file", "engine"), FILES)
def test_equal_to_keras_from_files_arrays_and_crops(described, model, folder, file, engine):
    embedder = Embedder(described(file), engine, threads=2)
    assert (embedder.engine, embedder.image_size, embedder.dim) == (engine, SIZE, 8)
    expected = embed_images(model, folder).vectors
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    from_files = embedder.embed(folder)
    assert from_files.dtype == np.float32
    np.testing.assert_allclose(from_files, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(from_files, axis=1), 1, atol=1e-6)

    images = [read_image(path) for path in folder]
    np.testing.assert_array_equal(embedder.embed(images), from_files)
    np.testing.assert_array_equal(
        embedder(np.stack([resize_image(each, SIZE) for each in images])), from_files
    )
    frame, boxes = pasted(images)
    np.testing.assert_array_equal(embedder.embed_crops(frame, boxes), from_files)
    mixed = [str(path) if index % 2 else images[index] for index, path in enumerate(folder)]
    np.testing.assert_array_equal(embedder.embed(mixed), from_files)


def pasted(images):
    """Images in one frame and where they are."""
    frame = np.full((100, 400, 3), 127, "uint8")
    boxes, left = [], 0
    for image in images:
        height, width = image.shape[:2]
        frame[:height, left : left + width] = image
        boxes.append((left, 0, left + width, height))
        left += width
    return frame, boxes


@pytest.mark.parametrize("number", [1, 3, 8, 9, 33, 70])
@pytest.mark.parametrize(("file", "engine"), FILES)
def test_any_number_of_images(described, people, by_keras, file, engine, number):
    images = np.resize(people, (number, *people.shape[1:]))
    images[:, 0, 0, 0] = np.arange(number)  # no two alike
    embedder = Embedder(described(file), engine)
    vectors = embedder.embed(images)
    np.testing.assert_allclose(vectors, by_keras(images), rtol=0, atol=1e-5)
    # The file may meanwhile be set up for another number.
    np.testing.assert_allclose(embedder.embed(images[-1]), vectors[-1:], rtol=0, atol=1e-6)
    np.testing.assert_allclose(embedder.embed(images), vectors, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("file", "engine"), FILES)
def test_no_images(described, file, engine):
    embedder = Embedder(described(file), engine)
    for nothing in ([], np.zeros((0, *SIZE, 3), "uint8")):
        vectors = embedder.embed(nothing)
        assert vectors.shape == (0, 8)
        assert vectors.dtype == np.float32
    assert embedder.embed_crops(np.zeros((9, 9, 3), "uint8"), []).shape == (0, 8)
    with pytest.raises(ValueError, match=r"`paths`.*Received: none"):
        embedder.embed_files([])


def test_views_and_read_only_arrays(described, people, by_keras):
    embedder = Embedder(described("any.tflite"))
    bgr = people[..., ::-1].copy()
    bgr.flags.writeable = False
    np.testing.assert_allclose(embedder(bgr[..., ::-1]), by_keras(people), atol=1e-5)
    np.testing.assert_allclose(
        embedder(people[:, :, ::-1]), by_keras(people[:, :, ::-1]), atol=1e-5
    )


def test_images_that_the_caller_normalizes(by_keras, people, tmp_path):
    """The embedder is that caller."""
    plain = tiny_backbone(preprocessing=False)
    path = tmp_path / "plain.onnx"
    to_onnx(plain, path)
    vectors = Embedder(path, pixel_range="normalized").embed(people)
    expected = by_keras(np.asarray(keras_osnet.preprocess_input(people)), plain)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


def test_the_files_own_mean_and_std(described, people, by_keras, model):
    path = described(
        "any.tflite", pixel_range="normalized", mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0)
    )
    normalized = (people / 255.0 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 1.0]
    np.testing.assert_allclose(Embedder(path)(people), by_keras(normalized), rtol=0, atol=1e-5)


def test_files_without_metadata(stock, people, by_keras):
    for name in ("any.tflite", "any.onnx", "any.xml"):
        with pytest.raises(ValueError, match=rf"\"normalized\".*pixel_range=\"0-255\".*{name}"):
            Embedder(stock[name])
        vectors = Embedder(stock[name], pixel_range="0-255")(people)
        np.testing.assert_allclose(vectors, by_keras(people), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"`pixel_range` must be one of.*Received: 'images'"):
        Embedder(stock["any.tflite"], pixel_range="images")


def test_the_pixel_range_must_not_contradict_the_file(described):
    path = described("any.tflite")
    assert Embedder(path, pixel_range="0-255").metadata.pixel_range == "0-255"
    with pytest.raises(ValueError, match="`pixel_range` contradicts"):
        Embedder(path, pixel_range="normalized")


def test_a_model_for_images_of_any_size(any_size, people, by_keras):
    path, model = any_size
    vectors = Embedder(path, pixel_range="0-255", image_size=SIZE).embed(people)
    np.testing.assert_allclose(vectors, by_keras(people, model), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"`image_size` must be given.*image_size=None"):
        Embedder(path, pixel_range="0-255")
    with pytest.raises(ValueError, match=r"`image_size` must be \(height, width\)"):
        Embedder(path, pixel_range="0-255", image_size=(32, 0))


def test_a_size_that_the_model_does_not_take(described):
    with pytest.raises(ValueError, match=r"agree with one.*image_size=\(64, 32\), model of images"):
        Embedder(described("any.tflite"), image_size=(64, 32))


@pytest.mark.parametrize("kind", ["classification", "attribute", "maps"])
def test_models_for_another_task(described, kind):
    with pytest.raises(ValueError, match=f"task is another. Received: {kind} of 8 in .*tflite"):
        Embedder(described("any.tflite", output_kind=kind))


@pytest.mark.parametrize("change", [{"dim": 9}, {"image_size": (16, 32)}, {"batch": 2}])
def test_metadata_of_another_model(described, change):
    with pytest.raises(ValueError, match=r"metadata is that of another model"):
        Embedder(described("four.tflite", **change))


def test_models_whose_output_is_no_vector(tmp_path):
    image = keras.Input((8, 8, 3))
    to_onnx(keras.Model(image, keras.layers.Conv2D(4, 3)(image)), tmp_path / "maps.onnx")
    with pytest.raises(ValueError, match=r"one vector.*output of shape \(None, 6, 6, 4\)"):
        Embedder(tmp_path / "maps.onnx", pixel_range="0-255")


def test_models_with_two_outputs_or_other_inputs(tmp_path):
    image = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    two = keras.Model(image, {"a": pooled, "b": keras.layers.Dense(2)(pooled)})
    to_onnx(two, tmp_path / "two.onnx")
    with pytest.raises(
        ValueError, match=r"`output` must name.*Received: \['a', 'b'\] in .*two\.onnx"
    ):
        Embedder(tmp_path / "two.onnx", pixel_range="0-255")
    gray = keras.Input((8, 8, 1))
    model = keras.Model(gray, keras.layers.GlobalAveragePooling2D()(gray))
    to_onnx(model, tmp_path / "gray.onnx")
    with pytest.raises(ValueError, match=r"color images.*shape \(None, 8, 8, 1\)"):
        Embedder(tmp_path / "gray.onnx", pixel_range="0-255")


@pytest.mark.parametrize(
    ("images", "kind", "message"),
    [
        (np.zeros((2, 32, 16)), ValueError, r"\(height, width, 3\).*shape \(2, 32, 16\)"),
        (np.zeros((32, 16), "uint8"), ValueError, r"shape \(32, 16\)"),
        (np.zeros((1, 32, 16, 4), "uint8"), ValueError, r"images\[0\].*shape \(32, 16, 4\)"),
        (np.zeros((2, 0, 16, 3), "uint8"), ValueError, r"images\[0\].*shape \(0, 16, 3\)"),
        (np.zeros((1, 32, 16, 3)), TypeError, "uint8, not normalized.*dtype float64"),
        (np.full((1, 32, 16, 3), np.nan, "float32"), TypeError, "dtype float32"),
        ([np.zeros((4, 4, 3), "uint8"), np.zeros((4, 4), "uint8")], ValueError, r"images\[1\]"),
        ([np.zeros((4, 4, 3), "uint8"), 3], TypeError, r"images\[1\].*Received: int"),
        (3, TypeError, "Received: int"),
        (None, TypeError, "Received: NoneType"),
        (b"file.png", TypeError, "Received: bytes"),
    ],
)
def test_what_is_no_image(described, images, kind, message):
    with pytest.raises(kind, match=message):
        Embedder(described("any.tflite")).embed(images)


def test_one_path_is_no_list_of_files(described, folder):
    for one in (str(folder[0].parent), folder[0]):
        with pytest.raises(TypeError, match=r"`paths` must be a list.*list_images.*Received: "):
            Embedder(described("any.tflite")).embed_files(one)


def test_the_place_of_a_wrong_image_in_a_long_list(described):
    images = [np.zeros((4, 4, 3), "uint8")] * 80
    images[71] = np.zeros((4, 4), "uint8")
    with pytest.raises(ValueError, match=r"`images\[71\]`"):
        Embedder(described("any.tflite")).embed(images)


def test_unreadable_files(described, folder, tmp_path, monkeypatch):
    embedder = Embedder(described("any.tflite"))
    whole = folder[1].read_bytes()
    (tmp_path / "broken.png").write_bytes(whole[: len(whole) // 2])
    files = [tmp_path / "gone.png", *folder * 6, tmp_path / "broken.png"]
    with pytest.raises(ImageReadError, match=r"2 images.*gone\.png: .*broken\.png: ") as error:
        embedder.embed(files)
    assert error.value.paths == (files[0], files[-1])
    with pytest.raises(ImageReadError, match=r"^Cannot read the image"):
        embedder.embed(files[0])
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)

    done = []
    monkeypatch.setattr("keras_osnet.runtime.embedder._CHUNK", 32)
    embedded = embedder.embed_files(files, progress=done.append)
    assert done == [32, 50]
    assert embedded.paths == files[1:-1]
    assert list(embedded.unreadable) == [files[0], files[-1]]
    np.testing.assert_array_equal(embedded.vectors, embedder.embed(folder * 6))
    assert embedder.embed_files([files[0]]).vectors.shape == (0, 8)

    embedded.save(tmp_path / "vectors.npz")
    with np.load(tmp_path / "vectors.npz") as saved:
        np.testing.assert_array_equal(saved["vectors"], embedded.vectors)
        assert saved["names"].tolist() == [path.as_posix() for path in files[1:-1]]
    with pytest.raises(ValueError, match=r"\.npz. Received: .*vectors\.txt"):
        embedded.save(tmp_path / "vectors.txt")


def test_a_model_that_gives_no_numbers(people, tmp_path):
    model = tiny_backbone()
    kernel, bias = model.get_layer("fc").get_weights()
    model.get_layer("fc").set_weights([kernel, bias + np.nan])
    to_onnx(model, tmp_path / "nan.onnx")
    with pytest.raises(ValueError, match=r"not finite.*Received: 12 such rows of 12 from .*nan"):
        Embedder(tmp_path / "nan.onnx", pixel_range="0-255").embed(people)


@pytest.mark.parametrize(("file", "engine"), FILES)
def test_calls_from_several_threads(described, people, file, engine):
    embedder = Embedder(described(file), engine)
    parts = [people[start : start + 1 + start % 4] for start in range(11)] * 6
    expected = [embedder.embed(part) for part in parts]
    with ThreadPoolExecutor(max_workers=8) as pool:
        for vectors, wanted in zip(pool.map(embedder.embed, parts), expected, strict=True):
            np.testing.assert_allclose(vectors, wanted, rtol=0, atol=1e-6)


def test_results_are_the_callers_own(described, people):
    for file, engine in FILES:
        embedder = Embedder(described(file), engine)
        first = embedder.embed(people[:2])
        copy = first.copy()
        embedder.embed(people[2:4])
        np.testing.assert_array_equal(first, copy)


@pytest.mark.parametrize("name", ["any.onnx", "any.xml"])
def test_the_digest_tells_files_apart(described, name):
    file = described(name)
    content = file.read_bytes()
    weights = file.with_suffix(".bin").read_bytes() if file.suffix == ".xml" else b""
    assert Embedder(file).digest == hashlib.sha256(content + weights).hexdigest()


def test_pickling_and_other_processes(described, people):
    embedder = Embedder(described("any.onnx"), "openvino", threads=1)
    again = pickle.loads(pickle.dumps(embedder))
    assert (again.engine, again.metadata) == ("openvino", embedder.metadata)
    np.testing.assert_array_equal(again.embed(people), embedder.embed(people))
    with multiprocessing.get_context("spawn").Pool(1) as pool, warnings.catch_warnings():
        vectors = pool.map(embedder.embed, [people[:3]])[0]
    np.testing.assert_allclose(vectors, embedder.embed(people[:3]), rtol=0, atol=1e-6)


def test_a_forked_process_gets_an_error_and_no_deadlock(described, fresh_python):
    code = """
import os
import numpy as np
from keras_osnet.runtime import Embedder
embedders = [Embedder(path) for path in sys.argv[1:]]
image = np.zeros((32, 16, 3), "uint8")
for embedder in embedders:
    embedder.embed(image)
if os.fork() == 0:
    for embedder in embedders:
        try:
            embedder.embed(image)
        except RuntimeError as error:
            print(error)
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""
    printed = fresh_python(code, *map(described, ("any.tflite", "any.onnx", "any.xml")))
    assert printed.count("forked after the model was loaded") == 3
    assert "'spawn'" in printed


@pytest.mark.parametrize("name", ["any.tflite", "any.xml"])
def test_the_file_may_be_replaced_while_it_is_in_use(described, people, name):
    path = described(name)
    embedder = Embedder(path)
    expected = embedder.embed(people)
    for suffix in {path.suffix, ".bin" if name == "any.xml" else path.suffix}:
        content = path.with_suffix(suffix).read_bytes()
        path.with_suffix(suffix).write_bytes(bytes(len(content)))
    np.testing.assert_array_equal(embedder.embed(people), expected)
