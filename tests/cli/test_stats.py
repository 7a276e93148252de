"""`stats`: mean and standard deviation of the pixels of a folder or a dataset."""

import subprocess
import sys
import tomllib

import miniature_datasets as miniature
import numpy as np
import pytest
from PIL import Image

from keras_osnet.data import list_images, pixel_statistics, read_dataset


@pytest.fixture
def unchecked(monkeypatch):
    """Let miniature datasets pass for whole ones."""
    monkeypatch.setattr("keras_osnet.data.datasets.registry.check_counts", lambda *_: None)


def colored(paths):
    """Fill empty files with images, each of a color of its own."""
    rng = np.random.default_rng(0)
    for path in paths:
        color = tuple(rng.integers(0, 256, 3).tolist())
        Image.new("RGB", (4, 6), color).save(path)


def test_a_folder(run, run_json, people):
    expected = pixel_statistics(list_images(people), (256, 128))
    assert run_json("stats", "--data", people) == {
        "mean": list(expected.mean),
        "std": list(expected.std),
        "images": 12,
        "image_size": [256, 128],
        "unreadable": {"count": 0, "files": []},
    }
    result = run("stats", "--data", people)
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["red", "green", "blue"]
    for line, name in ((lines[2], "mean"), (lines[3], "std")):
        figures = [f"{value:.4f}" for value in getattr(expected, name)]
        assert line.split() == [name, *figures]
    assert "Of 12 images." in result.stdout
    recipe = tomllib.loads("\n".join(lines[-2:]))
    assert recipe == {
        "mean": [round(value, 4) for value in expected.mean],
        "std": [round(value, 4) for value in expected.std],
    }


def test_another_size(run_json, people):
    report = run_json("stats", "--data", people, "--image-size", 16, 8)
    expected = pixel_statistics(list_images(people), (16, 8))
    assert report["image_size"] == [16, 8]
    assert report["std"] == list(expected.std)


def test_of_a_dataset_only_what_is_trained_on(run_json, tmp_path, unchecked):
    miniature.market1501(tmp_path / "Market-1501-v15.09.15")
    colored(tmp_path.rglob("*.jpg"))
    report = run_json("stats", "--data", tmp_path, "--dataset", "market1501", "--image-size", 6, 4)
    train = read_dataset("market1501", tmp_path, check=False).train
    expected = pixel_statistics([image.path for image in train], (6, 4))
    assert report["images"] == 3
    assert report["mean"] == list(expected.mean)


def test_of_attributes_and_of_classes_in_files(run_json, tmp_path, unchecked):
    pytest.importorskip("scipy")
    for name, count in (("pa100k", 4), ("imagenet", 6)):
        getattr(miniature, name)(tmp_path / name)
        colored(path for path in (tmp_path / name).rglob("*") if path.suffix in (".jpg", ".JPEG"))
        report = run_json(
            "stats", "--data", tmp_path / name, "--dataset", name, "--image-size", 6, 4
        )
        assert report["images"] == count
        assert report["image_size"] == [6, 4]


def test_cifar_at_its_own_size_or_another(run_json, tmp_path, unchecked):
    miniature.cifar10(tmp_path)
    images = read_dataset("cifar10", tmp_path, check=False).train.images
    for options, size in (([], (32, 32)), (["--image-size", 16, 20], (16, 20))):
        report = run_json("stats", "--data", tmp_path, "--dataset", "cifar10", *options)
        assert report["image_size"] == list(size)
        assert report["images"] == 15
        assert report["std"] == list(pixel_statistics(images, size).std)


def test_images_that_cannot_be_read(run, run_json, damaged, people):
    result = run("stats", "--data", damaged, "--image-size", 16, 8)
    assert result.stderr.startswith("Warning: 2 of 14 images could not be read:\n")
    assert "Of 12 images." in result.stdout
    # Without the warning, which is not JSON, on stdout.
    report = run_json("stats", "--data", damaged, "--image-size", 16, 8)
    assert report["unreadable"]["count"] == 2
    assert report["mean"] == run_json("stats", "--data", people, "--image-size", 16, 8)["mean"]


def test_errors(run, people, tmp_path):
    assert "does not exist" in run("stats", "--data", tmp_path / "nowhere", code=2).stderr
    assert "holds no images" in run("stats", "--data", tmp_path, code=1).stderr
    image = next(people.glob("*.png"))
    assert "must be a folder" in run("stats", "--data", image, code=1).stderr
    assert (
        "must be one of market1501"
        in run("stats", "--data", people, "--dataset", "x", code=1).stderr
    )
    missing = run("stats", "--data", people, "--dataset", "market1501", code=1).stderr
    assert "No Market-1501 in --data" in missing
    assert "0" in run("stats", "--data", people, "--image-size", 0, 8, code=2).stderr
    (tmp_path / "text.png").write_text("no image")
    assert "Cannot read the image" in run("stats", "--data", tmp_path, code=1).stderr


def test_datasets_that_are_not_whole(run, tmp_path):
    miniature.cifar10(tmp_path)
    message = run("stats", "--data", tmp_path, "--dataset", "cifar10", code=1).stderr
    assert "train images: expected 50,000, found 15" in message


def test_help(run):
    text = run("stats", "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "\b" not in text
    assert "\n  stats " in run("--help").stdout


def test_it_needs_no_keras(people):
    code = (
        "import sys\nfrom keras_osnet.cli.application import application\n"
        f"application(['stats', '--data', {str(people)!r}, '--image-size', '8', '4'],"
        " standalone_mode=False)\n"
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.endswith("[]\n"), result.stderr
