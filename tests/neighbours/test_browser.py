"""The page of examples/browser in headless Chromium, beside `Embedder`."""

import subprocess

import numpy as np
import PIL
import pytest
from browser_page import PLAYWRIGHT, SOURCE, copy_page, find_chromium, search, served
from PIL import Image

from keras_osnet import load_model
from keras_osnet.deploy import export
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import synthetic_person, write_synthetic_people

LOWEST_COSINE = 0.99999
LARGEST_DIFFERENCE = 1e-5

RESIZE = """
import { readFileSync, writeFileSync } from "node:fs";
const { resize } = await import(process.argv[1]);
const [width, height, newWidth, newHeight] = process.argv.slice(4).map(Number);
const data = new Uint8ClampedArray(readFileSync(process.argv[2]));
writeFileSync(process.argv[3], resize({ data, width, height }, newHeight, newWidth));
"""

SIZES = [(64, 128), (128, 256), (127, 255), (40, 90), (97, 301), (640, 480), (1, 1), (3, 400)]
"""(width, height), smaller and larger than the model's, and of other proportions."""


@pytest.fixture(scope="module")
def model():
    """Return the network that `keras-osnet export --weights synthetic` exports."""
    return load_model("synthetic", head="embedding")


@pytest.fixture(scope="module")
def page(model, tmp_path_factory):
    """Yield a folder with the page, a model and synthetic people, and its address."""
    find_chromium()
    folder = copy_page(tmp_path_factory.mktemp("browser") / "page")
    export(model, folder / "model.tflite")
    write_synthetic_people(folder / "people", identities=6, views=2)
    with served(folder) as address:
        yield folder, address


@pytest.fixture
def visit(page, environment, tmp_path):
    """Return a function that opens images in the page and searches for one."""
    playwright = environment(PLAYWRIGHT)

    def visit(how="synthetic", path="-"):
        result = search(playwright, page[1], how, path, tmp_path / "page.png")
        assert result["page_errors"] == []
        return result

    return visit


@pytest.fixture
def use_model(page):
    """Yield a function that replaces the page's model by another file; put the first one back."""
    file = page[0] / "model.tflite"
    first = file.read_bytes()
    yield file.write_bytes
    file.write_bytes(first)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return a folder of images in several sizes and formats, and of other files."""
    folder = tmp_path_factory.mktemp("images") / "crops"
    (folder / "more").mkdir(parents=True)
    for number, (width, height) in enumerate(SIZES):
        image = Image.fromarray(
            synthetic_person(30_000 + number, number % 4, 0, image_size=(height, width))
        )
        exif = Image.Exif()
        exif[0x0112] = number + 1  # each orientation once
        image.save(folder / f"{number}.png")
        image.save(folder / f"{number}.jpg", quality=75, exif=exif)
        image.save(folder / "more" / f"{number}_gray.jpg", quality=95, subsampling=0)
    (folder / "notes.txt").write_text("not an image")
    (folder / "broken.jpg").write_bytes((folder / "5.jpg").read_bytes()[:300])
    (folder / ".hidden").write_text("not listed")
    return folder


def check_vectors(result, folder, model_file):
    """Compare the page's vectors with `Embedder`'s, all images at once."""
    names = [name for name, _ in result["vectors"]]
    vectors = np.array([vector for _, vector in result["vectors"]])
    expected = Embedder(model_file).embed([folder / name for name in names])
    cosines = (vectors * expected).sum(axis=1)
    difference = np.abs(vectors - expected).max()
    print(f"{len(names)} images: lowest cosine {cosines.min():.7f}, difference {difference:.1e}")
    assert cosines.min() > LOWEST_COSINE
    assert difference < LARGEST_DIFFERENCE
    return names, vectors


@pytest.mark.parametrize("size", [(64, 128), (128, 256), (200, 31)], ids=str)
@pytest.mark.parametrize("old", SIZES, ids=str)
def test_resizes_as_pillow(old, size, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (old[1], old[0], 4), np.uint8)
    image.tofile(tmp_path / "rgba")
    command = ["node", "--input-type=module", "-e", RESIZE, SOURCE / "resize.js"]
    numbers = map(str, (*old, *size))
    subprocess.run([*command, tmp_path / "rgba", tmp_path / "rgb", *numbers], check=True)
    result = np.fromfile(tmp_path / "rgb", np.uint8).reshape(size[1], size[0], 3)
    expected = Image.fromarray(image[:, :, :3]).resize(size, Image.Resampling.BILINEAR)
    # Earlier versions resize tall images in another order.
    tolerance = 0 if int(PIL.__version__.split(".")[0]) >= 13 else 1
    assert np.abs(result.astype(int) - np.asarray(expected)).max() <= tolerance


@pytest.mark.parametrize("how", ["choose", "drop"])
def test_vectors_are_those_of_the_embedder(how, visit, images, page):
    result = visit(how, images)
    assert result["error"] == ""
    names, _ = check_vectors(result, images.parent, page[0] / "model.tflite")
    assert len(names) == 3 * len(SIZES)
    assert [skipped.split(":")[0] for skipped in result["skipped"]] == [
        "crops/broken.jpg",
        "crops/notes.txt",
    ]
    # Nothing leaves the machine: everything is fetched from the page's own server, before images
    # are opened, and they are shown from memory.
    assert result["methods"] == ["GET"]
    assert all(url.removeprefix("blob:").startswith(page[1]) for url in result["urls"])
    assert all(url.startswith("blob:") for url in result["later"])
    assert result["blocked_by"] == "connect-src"


def test_synthetic_people_are_found(visit, page):
    result = visit()
    folder = page[0] / "people"
    names, vectors = check_vectors(result, folder, page[0] / "model.tflite")
    assert names == sorted(path.name for path in folder.glob("*.png"))
    cosines = vectors @ vectors.T
    for query, found in ((1, result["by_click"]), (2, result["by_key"])):
        order = [index for index in np.argsort(-cosines[query]) if index != query][: len(found)]
        assert [name for name, _ in found] == [names[index] for index in order]
        np.testing.assert_allclose(
            [cosine for _, cosine in found], cosines[query][order], atol=6e-4
        )
        assert found[0][0].split("_")[0] == names[query].split("_")[0]
    assert f"Nearest to {names[2]}: {result['by_key'][0][0]}" in result["found"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"layout": "NCHW", "channels": "BGR", "dtype": "float32", "pixel_range": "normalized"},
        {"dtype": "float32", "pixel_range": "0-1"},
        {"quantization": "float16", "dtype": "float32"},
    ],
    ids=str,
)
def test_image_tensors(arguments, model, visit, page, use_model, tmp_path):
    file = tmp_path / "other.tflite"
    export(model, file, **arguments)
    use_model(file.read_bytes())
    check_vectors(visit(), page[0] / "people", file)


def test_missing_model(visit, page, use_model):
    (page[0] / "model.tflite").unlink()
    error = visit()["error"]
    use_model(b"")
    assert "keras-osnet export" in error
    assert "no model" in error


def test_model_without_metadata(visit, use_model):
    use_model(b"TFL3" * 1000)
    assert "no metadata" in visit()["error"]


def test_damaged_model(visit, page, use_model):
    content = bytearray((page[0] / "model.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    use_model(content)
    assert "SHA-256" in visit()["error"]


def test_metadata_of_another_version(visit, page, use_model):
    content = (page[0] / "model.tflite").read_bytes()
    use_model(content.replace(b'"format": 4', b'"format": 3'))
    error = visit()["error"]
    assert "must have format 4" in error
    assert "Received: format 3" in error


def test_model_of_any_batch(model, visit, use_model, tmp_path):
    export(model, tmp_path / "other.tflite", batch=None)
    use_model((tmp_path / "other.tflite").read_bytes())
    assert "Received: batch null" in visit()["error"]


def test_folder_without_images(visit, tmp_path):
    folder = tmp_path / "none"
    folder.mkdir()
    (folder / "notes.txt").write_text("not an image")
    result = visit("choose", folder)
    assert result["error"] == "There are no images in this folder."
    assert len(result["skipped"]) == 1
