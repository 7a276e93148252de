"""`keras-osnet gallery`: the way of an operator, on synthetic people."""

import base64
import io
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from keras_osnet.cli.application import application

pytest.importorskip("lance", reason="the extra `gallery` is not installed")


def weights(file):
    return "--weights", file, "--pixel-range", "0-1"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Write a tiny network, pixels of 64×32 to 64 numbers."""
    onnx = pytest.importorskip("onnx")
    kernel = np.random.default_rng(0).normal(size=(8, 3, 16, 16)).astype("float32")
    image = onnx.helper.make_tensor_value_info("image", 1, ["n", 3, 64, 32])
    vector = onnx.helper.make_tensor_value_info("vector", 1, ["n", 64])
    nodes = [
        onnx.helper.make_node("Conv", ["image", "kernel"], ["maps"], strides=[16, 16]),
        onnx.helper.make_node("Flatten", ["maps"], ["vector"]),
    ]
    kernels = [onnx.numpy_helper.from_array(kernel, "kernel")]
    graph = onnx.helper.make_graph(nodes, "tiny", [image], [vector], kernels)
    opset = [onnx.helper.make_opsetid("", 17)]
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def listing(people, tmp_path_factory):
    """Write a list of the images with person, camera and time."""
    rows = ["path,person,camera,time"]
    for minute, path in enumerate(sorted(people.glob("*.png"))):
        person, camera = path.name[:4], path.name[6]
        rows.append(f'{path},"O\'Neil {person}",{camera},2026-11-27T14:{minute:02}:00Z')
    file = tmp_path_factory.mktemp("list") / "people.csv"
    file.write_text("\n".join(rows))
    return file


def test_from_images_to_a_page_and_erasure(run, run_json, people, file, listing, tmp_path):
    place, page = tmp_path / "people.lance", tmp_path / "page.html"
    added = run("gallery", "add", place, listing, *weights(file))
    assert "Added 12 rows" in added.output
    assert "Added 0 rows" in run("gallery", "add", place, listing, *weights(file)).output
    info = run_json("gallery", "info", place)
    assert (info["rows"], info["people"], info["cameras"]) == (12, 3, ["1", "2"])
    assert (info["first"], info["last"]) == (
        "2026-11-27T14:00:00+00:00",
        "2026-11-27T14:11:00+00:00",
    )
    assert "12" in run("gallery", "info", place).output

    image = sorted(people.glob("0001_c1*.png"))[0]
    search = ("gallery", "search", place, image, *weights(file))
    rows = run_json(*search, "--limit", 3)[0]["rows"]
    assert (rows[0]["source"], rows[0]["similarity"]) == (str(image), pytest.approx(1, abs=1e-3))
    conditions = ("--not-camera", 1, "--after", "2026-11-27T14:00Z")
    printed = run(*search, *conditions, "-o", page, "--image-folder", people).output
    assert "O'Neil 0001" in printed
    written = page.read_text("utf-8")
    assert written.count("data:image/jpeg;base64,") == 7
    assert written.count("<b>") == 7
    for shown in ("O&#39;Neil 0001", "camera 2", "2026-11-27 14:0", "not camera 1"):
        assert shown in written
    assert "camera 1<" not in written.replace("not camera 1<", "")
    run(*search, "-o", page)
    assert page.read_text("utf-8").count("data:image/jpeg") == 1, "no folder of images is named"
    assert "nobody is near enough" in run(*search, "--person", "Ann").output

    assert "Wrote" in run("gallery", "export", place, "-o", tmp_path / "all.parquet").output
    deleted = run("gallery", "delete", place, "--person", "O'Neil 0001", "--older-than", "1h")
    assert "Deleted 4 rows" in deleted.output
    run("gallery", "compact", place, "--alone")
    assert b"O'Neil 0001" not in b"".join(
        each.read_bytes() for each in place.rglob("*") if each.is_file()
    )
    assert run_json("gallery", "info", place)["rows"] == 8
    assert "Added 4 rows" in run("gallery", "add", place, tmp_path / "all.parquet").output


def test_evaluate(run, run_json, people, file, listing, tmp_path):
    """The figures are those of the metrics on the vectors of the same images."""
    from keras_osnet.metrics import evaluate_features
    from keras_osnet.runtime import Embedder

    place = tmp_path / "people.lance"
    run("gallery", "add", place, listing, *weights(file))
    images = sorted(people.glob("*.png"))
    vectors = Embedder(file, pixel_range="0-1", verify=False).embed(images)
    person, camera = (np.array([path.name[part] for path in images]) for part in (slice(4), 6))
    query = camera == "2"
    expected = evaluate_features(
        vectors[query],
        vectors[~query],
        person[query],
        person[~query],
        camera[query],
        camera[~query],
    )
    report = run_json("gallery", "evaluate", place, "--query-camera", 2)
    assert report["mAP"] == pytest.approx(100 * expected.mean_average_precision, abs=1e-3)
    assert (report["queries"], report["gallery"], report["query_camera"]) == (6, 6, "2")
    assert "6 queries of camera 1" in run("gallery", "evaluate", place).output
    assert "Received: 7" in run("gallery", "evaluate", place, "--query-camera", 7, code=2).output


def test_folders_of_cameras(run, run_json, people, file, tmp_path):
    place = tmp_path / "people.lance"
    for camera in (3, 4):
        run("gallery", "add", place, people, *weights(file), "--camera", camera, "--site", "N")
    info = run_json("gallery", "info", place)
    assert (info["cameras"], info["sites"], info["rows"]) == (["3"], ["N"], 12), "the same files"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "absent.lance"], "There is no gallery yet"),
        (["add", "people.lance", "{people}"], "no vectors .* for images give --weights FILE"),
        (["add", "people.lance", "{people}", "--weights", "{listing}"], "keras-osnet export"),
        (["delete", "people.lance"], "Give --older-than, --person or --key"),
        (["delete", "absent.lance", "--older-than", "2026-11-27"], "must have a time zone"),
        (["search", "x.lance", "{listing}", "--weights", "{file}", "-o", "x.png"], "end in .html"),
        (["search", "x.lance", "{listing}", "--weights", "{file}"], "There is no gallery yet"),
    ],
)
def test_errors(people, file, listing, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    places = {"people": people, "listing": listing, "file": file}
    given = ["gallery", *(each.format(**places) for each in arguments)]
    result = CliRunner().invoke(application, given)
    assert result.exit_code in (1, 2)
    assert re.search(message, " ".join(result.output.split()))
    assert list(tmp_path.iterdir()) == []


def test_sources_outside_of_the_folder_of_images_are_not_opened(run, people, file, tmp_path):
    from keras_osnet.gallery import Gallery
    from keras_osnet.runtime import Embedder

    inside, secret = tmp_path / "images", tmp_path / "secret.png"
    inside.mkdir()
    image = sorted(people.glob("*.png"))[0]
    for path in (secret, inside / "own.png"):
        path.write_bytes(image.read_bytes())
    (inside / "link.png").symlink_to(secret)
    embedder = Embedder(file, pixel_range="0-1", verify=False)
    sources = [str(secret), "../secret.png", "link.png", "own.png", "a\0b", "/dev/zero"]
    vectors = embedder.embed([image] * len(sources))
    columns = {"source": sources, "person": "<script>alert(1)</script>"}
    with Gallery.open(tmp_path / "people.lance") as gallery:
        gallery.add(vectors, columns, model=embedder.digest)
    page = tmp_path / "page.html"
    run("gallery", "search", tmp_path / "people.lance", image, *weights(file), "-o", page,
        "--image-folder", inside)  # fmt: skip
    written = page.read_text("utf-8")
    assert written.count("data:image/jpeg") == 2, "the query and own.png"
    assert written.count("not in the folder of images") == 5
    assert "<script>" not in written


def test_figure_of_ranked_lists(run, people, file, listing, tmp_path):
    pytest.importorskip("matplotlib")
    place, figure = tmp_path / "people.lance", tmp_path / "ranked.png"
    run("gallery", "add", place, listing, *weights(file))
    image = sorted(people.glob("*.png"))[0]
    search = ("gallery", "search", place, image, *weights(file), "--limit", 3, "--figure")
    assert "Wrote" in run(*search, figure, "--image-folder", people).output
    assert Image.open(figure).size[0] > 400
    assert "--figure draws images" in run(*search, figure, code=2).output
    refused = run(*search, tmp_path / "x.gif", "--image-folder", people, code=2).output
    assert "'--figure': must end in .png" in " ".join(refused.split())


def test_boxes_are_cut_out_of_images(run, people, file, tmp_path):
    """Of the list's box, as bulk embedding cuts it: the page shows 10 by 20 pixels."""
    image = sorted(people.glob("*.png"))[0]
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"path,left,top,width,height\n{image},4,8,10,20\n")
    run("gallery", "add", tmp_path / "people.lance", boxes, *weights(file))
    page = tmp_path / "page.html"
    run("gallery", "search", tmp_path / "people.lance", image, *weights(file), "-o", page,
        "--image-folder", people)  # fmt: skip
    embedded = re.findall('data:image/jpeg;base64,([^"]+)', page.read_text("utf-8"))
    sizes = [Image.open(io.BytesIO(base64.b64decode(each))).size for each in embedded]
    assert sizes == [(32, 64), (10, 20)]


def test_a_gallery_of_another_model(run, people, file, tmp_path):
    from keras_osnet.gallery import Gallery

    with Gallery.open(tmp_path / "people.lance") as gallery:
        gallery.add([[1.0] * 64], model="0" * 64)
    image = sorted(people.glob("*.png"))[0]
    result = run("gallery", "search", tmp_path / "people.lance", image, *weights(file), code=1)
    assert "different models cannot be compared" in " ".join(result.output.split())
