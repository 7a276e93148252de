"""`keras-osnet visualize`: every kind of figure from images on disk."""

import numpy as np
import pytest

import keras_osnet
from keras_osnet.cli.visualize import _KINDS, titles

SMALL = ("--image-size", 64, 32)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "figure.png"


def check_written(result, output):
    assert result.stdout == f"Wrote {output}\n"
    assert output.read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in output.parent.iterdir() if path.suffix == ".png"] == [output.name]


@pytest.mark.parametrize(
    "arguments",
    [
        ("activations", "PEOPLE", "--show", 2),
        ("clusters", "PEOPLE", "--clusters", 2, "--top", 3),
        ("clusters", "PEOPLE", "--clusters", 2, "--block", "conv2_block1"),
        ("gates", "PEOPLE"),
        ("ranked", "--data", "PEOPLE", "--show", 2, "--top", 3),
        ("ranked", "--query", "PEOPLE", "--gallery", "PEOPLE", "--top", 3),
        ("cmc", "--data", "PEOPLE", "--max-rank", 3),
        ("roc", "--data", "PEOPLE"),
        ("embeddings", "--data", "PEOPLE", "--identities", 2),
    ],
)
def test_figures_of_people(run, people, checkpoint, output, arguments):
    given = [people if each == "PEOPLE" else each for each in arguments]
    result = run("visualize", *given, "--weights", checkpoint, *SMALL, "-o", output)
    check_written(result, output)


@pytest.mark.large
def test_several_networks_side_by_side(run, people, checkpoint, output):
    both = ("--weights", checkpoint, "--weights", "random", "--width", 0.25)
    result = run("visualize", "activations", people, *both, *SMALL, "--show", 1, "-o", output)
    assert "Warning: --weights random" in result.stderr
    assert output.exists()


@pytest.mark.large
def test_trainings_whose_files_have_the_same_name_are_told_apart(
    run, people, checkpoint, output, tmp_path
):
    both = []
    for name in ("warm", "cold"):
        file = tmp_path / name / "seed-0" / "best.pth"
        file.parent.mkdir(parents=True)
        file.write_bytes(checkpoint.read_bytes())
        both += ["--weights", file]
    svg = output.with_suffix(".svg")
    for kind in (("activations", people, "--show", 1), ("cmc", "--data", people)):
        run("visualize", *kind, *both, *SMALL, "-o", svg)
        text = svg.read_text("utf-8")
        assert "warm/seed-0/best.pth" in text
        assert "cold/seed-0/best.pth" in text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["msmt17", "runs/a/best.keras"], ["msmt17", "best.keras"]),
        (["runs/a/best.keras", "runs/b/best.keras"], ["a/best.keras", "b/best.keras"]),
        (["best.keras", "a/best.keras"], ["best.keras", "a/best.keras"]),
        (["msmt17", "msmt17"], ["msmt17", "msmt17"]),
    ],
)
def test_titles(given, expected):
    assert titles(given) == expected


@pytest.mark.large
def test_images_that_cannot_be_read(run, damaged, checkpoint, output, tmp_path):
    common = ("--weights", checkpoint, *SMALL, "-o", output)
    for kind in (
        ("ranked", "--data", damaged),
        ("gates", damaged),
        ("clusters", damaged, "--clusters", 2),
        ("activations", damaged, "--show", 100),
    ):
        result = run("visualize", *kind, *common)
        assert "Warning: 2 of 14 images could not be read" in result.stderr
        check_written(result, output)
        output.unlink()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not an image")
    error = run("visualize", "gates", broken, *common, code=1).stderr
    assert "1 of 1 images could not be read" in error
    assert "broken.jpg" in error
    error = run("visualize", "explain", damaged, "--reference", broken, *common, code=1).stderr
    assert "broken.jpg" in error
    assert not output.exists()


@pytest.mark.parametrize("goal", ["reference", "class"])
def test_explanations(run, people, checkpoint, output, goal):
    image = sorted(people.glob("*.png"))[0]
    which = ("--reference", image) if goal == "reference" else ("--class", 1)
    methods = ("--method", "grad-cam", "--method", "saliency")
    result = run(
        "visualize", "explain", people, "--weights", checkpoint, *SMALL, "--show", 2, *which,
        *methods, "-o", output,
    )  # fmt: skip
    check_written(result, output)


def test_an_embedding_is_explained_by_a_reference(run, people, output):
    arguments = ("--weights", "synthetic", "--width", 0.25, *SMALL, "-o", output)
    assert "give --reference FILE" in run("visualize", "explain", people, *arguments, code=2).stderr


def test_attributes(run, people, output, tmp_path):
    model = keras_osnet.OSNet(
        0.25, head="attribute", classes=2, input_shape=(64, 32, 3), include_preprocessing=True
    )
    model.save(tmp_path / "model.keras")
    files = sorted(people.glob("*.png"))
    labels = np.arange(len(files)) % 2
    lines = [f"{file},test,{label},{1 - label}" for file, label in zip(files, labels, strict=True)]
    table = tmp_path / "people.csv"
    table.write_text("\n".join(["path,split,hat,bag", *lines]))
    common = ("visualize", "attributes", "--data", table, "--weights", tmp_path / "model.keras")
    check_written(run(*common, "--show", 3, "-o", output), output)
    error = run(*common, "--part", "train", "-o", output, code=1).stderr
    assert "--part must be one with images" in error
    error = run(*common, "--no-check", "-o", output, code=2).stderr
    assert "--no-check is of a published dataset" in error


def test_training_tells_the_seeds_of_a_run_apart(run, output, tmp_path):
    for seed in (0, 1):
        folder = tmp_path / "run" / f"seed-{seed}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(f"epoch,loss\n1,2.0\n2,1.{seed}\n")
    check_written(run("visualize", "training", tmp_path / "run", "-o", output), output)
    svg = output.with_suffix(".svg")
    run("visualize", "training", tmp_path / "run", "-o", svg)
    assert "seed-1" in svg.read_text("utf-8")


def test_networks_and_blocks(run, output):
    check_written(run("visualize", "network", "--width", 0.25, "-o", output), output)
    check_written(run("visualize", "block", "--width", 0.25, "-o", output), output)
    arguments = ("visualize", "block", "--width", 0.25, "--name", "conv1", "-o", output)
    assert "must be an OmniScaleBlock" in run(*arguments, code=1).stderr


def test_without_matplotlib(run, people, tmp_path, monkeypatch):
    """It is missed before the work."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    command = ("visualize", "roc", "--data", people, "--weights", "gone.pth", "-o")
    assert "Drawing figures needs matplotlib" in run(*command, tmp_path / "a.png", code=1).stderr


def test_help_and_usage(run, people, tmp_path):
    text = run("visualize", "--help").stdout
    assert all(f"\n  {kind} " in text for kind in _KINDS)
    assert "..." not in text.split("Commands:")[1]  # cut off
    for kind in _KINDS:
        help_text = run("visualize", kind, "--help").stdout
        assert max(map(len, help_text.splitlines())) <= 80
    assert "No such command 'maps'" in run("visualize", "maps", code=2).stderr
    training = ("visualize", "training", people, "-o")
    assert "must end in .png" in run(*training, tmp_path / "a.gif", code=2).stderr
    assert "folder that exists" in run(*training, tmp_path / "no" / "a.png", code=2).stderr
    assert "metrics.csv" in run(*training, tmp_path / "a.png", code=1).stderr
