from pathlib import Path

import numpy as np
import pytest

from keras_osnet.cli.options import ModelSource
from keras_osnet.data import list_images
from keras_osnet.evaluation import embed_images
from keras_osnet.metrics import normalize

SMALL = ("--image-size", 64, 32, "--engine", "keras")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "vectors.npz"


def test_a_folder(run, people, checkpoint, output):
    result = run("embed", people, "-o", output, "--weights", checkpoint, *SMALL, "--batch-size", 5)
    assert result.stdout == f"Wrote {output}: 12 vectors of 512, by keras\n"
    assert result.stderr == ""
    with np.load(output) as file:
        assert sorted(file) == ["names", "vectors"]
        assert file["vectors"].shape == (12, 512)
        assert file["vectors"].dtype == "float32"
        assert file["names"].tolist() == [path.as_posix() for path in list_images(people)]
        assert len(np.unique(file["vectors"], axis=0)) == 12
    assert [path.name for path in output.parent.iterdir()] == [output.name]


def test_files_a_list_and_stdin(run, people, checkpoint, output, tmp_path):
    files = list_images(people)[:3]
    listing = tmp_path / "list.txt"
    listing.write_text(f"{files[1]}\n\n  {files[2]}  \n")
    common = ("-o", output, "--weights", checkpoint, *SMALL)
    run("embed", files[0], "--list", listing, *common)
    with np.load(output) as file:
        assert file["names"].tolist() == [path.as_posix() for path in files]
        np.testing.assert_allclose(np.linalg.norm(file["vectors"], axis=1), 1, atol=1e-5)
    run("embed", "--list", "-", *common, stdin=str(files[2]))
    with np.load(output) as file:
        assert file["names"].tolist() == [files[2].as_posix()]


def test_vectors_as_long_as_the_network_makes_them(run, people, checkpoint, output):
    run("embed", people, "-o", output, "--weights", checkpoint, *SMALL, "--raw")
    with np.load(output) as file:
        assert np.linalg.norm(file["vectors"], axis=1).max() < 0.9


def test_mirror_images(run, people, checkpoint, output):
    files = list_images(people)
    model = ModelSource(str(checkpoint), image_size=(64, 32)).load("embedding")
    expected = embed_images(model, files, flip=True).vectors
    common = ("embed", people, "-o", output, "--weights", checkpoint, *SMALL, "--flip")
    run(*common)
    with np.load(output) as file:
        np.testing.assert_allclose(file["vectors"], normalize(expected), atol=1e-5)
    run(*common, "--raw")
    with np.load(output) as file:
        np.testing.assert_allclose(file["vectors"], expected, rtol=1e-4, atol=1e-5)
    needed = run("embed", people, "-o", output, "--weights", checkpoint, "--flip", code=2).stderr
    assert "--flip needs --engine keras" in needed


def test_images_that_cannot_be_read(run, damaged, checkpoint, output):
    common = ("embed", damaged, "-o", output, "--weights", checkpoint, *SMALL)
    error = run(*common, "--strict", code=1).stderr
    assert "2 of 14 images could not be read" in error
    assert "Nothing was written" in error
    assert not output.exists()
    result = run(*common)
    assert "Warning: 2 of 14 images could not be read" in result.stderr
    assert str(damaged / "0009_c1s1_000001_00.png") in result.stderr
    assert str(damaged / "0009_c2s1_000001_00.png") in result.stderr
    with np.load(output) as file:
        assert file["vectors"].shape == (12, 512)
        assert not any("/0009" in name for name in file["names"])


def test_no_image_can_be_read(run, tmp_path, checkpoint, output):
    listing = tmp_path / "list.txt"
    listing.write_text("gone.png\n")
    error = run(
        "embed", "--list", listing, "-o", output, "--weights", checkpoint, *SMALL, code=1
    ).stderr
    assert "1 of 1 images could not be read:\n  gone.png: No such file" in error
    assert not output.exists()


def test_a_network_that_was_never_trained_must_be_asked_for(run, people, output):
    assert "--weights" in run("embed", people, "-o", output, code=2).stderr
    result = run("embed", people, "-o", output, "--weights", "random", "--width", "0.25", *SMALL)
    assert "Warning: --weights random: the model is untrained" in result.stderr


def test_usage_errors(run, people, checkpoint, output, tmp_path):
    weights = ("--weights", checkpoint)
    assert "Name images or folders" in run("embed", "-o", output, *weights, code=2).stderr
    assert "does not exist" in run("embed", "nowhere", "-o", output, *weights, code=2).stderr
    error = run("embed", people, "-o", tmp_path / "vectors.csv", *weights, code=2).stderr
    assert "must end in .npz" in error
    error = run("embed", people, "-o", tmp_path / "no" / "v.npz", *weights, code=2).stderr
    assert "folder that exists" in error
    assert (
        "--pixel-range is for exported"
        in run("embed", people, "-o", output, *weights, "--pixel-range", "0-255", code=2).stderr
    )
    assert (
        "--device is for exported"
        in run("embed", people, "-o", output, *weights, "--device", "cpu", code=2).stderr
    )
    (tmp_path / "empty").mkdir()
    assert "no images" in run("embed", tmp_path / "empty", "-o", output, *weights, code=1).stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that takes no files")
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(run, people, checkpoint):
    error = run("embed", people, "-o", "/proc/v.npz", "--weights", checkpoint, code=2).stderr
    assert "must be in a folder that can be written to" in error
    error = run("export", "--weights", checkpoint, "-o", "/proc/model.tflite", code=2).stderr
    assert "must be in a folder that can be written to" in error
