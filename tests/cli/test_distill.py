"""`keras-osnet distill`, and `resume` of what it began. Trainings are of a tiny network."""

import json
import shutil

import numpy as np
import pytest
from tiny_networks import SIZE, tiny_backbone

from keras_osnet.cli import _distillation_request
from keras_osnet.data import list_images
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.synthetic import write_synthetic_people

RECIPE = """
title = "Tiny"
task = "distillation"
epochs = 1
batch_size = 8

[optimizer]
name = "sgd"
learning_rate = 0.01

[schedule]
name = "constant"

[loss]
cosine_weight = 1.0
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with images, a recipe, and a table of vectors of 4 numbers."""
    folder = tmp_path_factory.mktemp("files")
    write_synthetic_people(folder / "crops", 4, views=2, image_size=SIZE)
    (folder / "tiny.toml").write_text(RECIPE)
    images = list_images(folder / "crops")
    vectors = np.random.default_rng(0).standard_normal((len(images), 4)).astype("float32")
    EmbeddedImages(vectors, images, {}).save(folder / "vectors.npz")
    return folder


@pytest.fixture(autouse=True)
def tiny_student(monkeypatch):
    def build_model(*_, **__):
        return tiny_backbone()

    monkeypatch.setattr("keras_osnet.training.build_model", build_model)


@pytest.fixture
def arguments(files):
    given = ["distill", "--recipe", files / "tiny.toml", "--images", files / "crops"]
    return [*given, "--teacher", files / "vectors.npz"]


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def done(arguments, run, trained):
    if not trained.exists():
        run(*arguments, "-o", trained)
    return trained


def test_a_network_and_a_record_are_written(done, run_json, arguments):
    report = run_json(*arguments, "-o", done)
    assert report["files"] == [str(done / "student" / "last.keras")]
    assert (done / "student" / "last.keras").is_file()
    assert report["images"] == 16
    assert 0 < report["loss"] < 2
    record = json.loads((done / "training.json").read_text())
    assert record["distill"]["teacher"] == [str(arguments[-1])]
    assert record["distill"]["flip"] is True


def test_the_next_commands_are_named(done, run, arguments):
    text = run(*arguments, "-o", done).stdout
    file = done / "student" / "last.keras"
    assert f"keras-osnet evaluate --weights {file} --data DIR" in text
    assert f"keras-osnet export --weights {file} -o student.tflite --quantization int8" in text


def test_resume_prints_a_finished_one(done, run, run_json):
    assert run_json("resume", done)["recipe"] == "tiny"
    result = run("resume", done, "--final", code=2)
    assert "--final is for `train`, not for `distill`." in result.stderr


def test_resume_goes_on(done, run_json, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(done, folder)
    record = json.loads((folder / "training.json").read_text())
    del record["report"], record["runs"]["student"]["state"]
    (folder / "training.json").write_text(json.dumps(record))
    assert run_json("resume", folder)["loss"] == pytest.approx(run_json("resume", done)["loss"])


@pytest.mark.parametrize(
    ("changes", "difference"),
    [(["--seed", 1], "seed"), (["--no-flip"], "flip"), (["--set", "epochs=2"], "settings")],
    ids=str,
)
def test_another_distillation_is_refused(done, run, arguments, changes, difference):
    result = run(*arguments, "-o", done, *changes, code=2)
    assert f"has another training in it, which differs in {difference}" in result.stderr


def test_a_folder_with_something_else_is_refused(files, run, arguments):
    result = run(*arguments, "-o", files, code=2)
    assert "-o must be a new or empty folder, or that of a training." in result.stderr


def test_errors_name_options(files, run, arguments, tmp_path):
    (files / "empty.npz").write_bytes(b"")
    result = run(*arguments[:-1], files / "empty.npz", "-o", tmp_path / "run", code=1)
    assert "--teacher must be an .npz file with" in result.stderr
    assert not (tmp_path / "run" / "student").exists()
    result = run(*arguments, "--set", "loss.cosine_weight=0", "-o", tmp_path / "run", code=1)
    assert "at least one of cosine_weight, distance_weight, angle_weight" in result.stderr


def test_a_damaged_record_is_named(done, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(done, folder)
    record = json.loads((folder / "training.json").read_text())
    changes = [{"distill": {"teacher": 7}}, {"report": {"files": 3}}]
    changes += [
        {"distill": record["distill"] | wrong}
        for wrong in ({"teacher": None}, {"image_size": 5}, {"seed": "0"}, {"settings": []})
    ]
    for change in changes:
        (folder / "training.json").write_text(json.dumps(record | change))
        assert "training.json is damaged" in run("resume", folder, code=1).stderr


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("gone", "does not exist any more"),
        ("file", "must be a folder"),
        ("empty", "holds no images"),
    ],
)
def test_images_that_are_gone(done, run, arguments, tmp_path, name, problem):
    folder, images = tmp_path / "run", tmp_path / name
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    shutil.copytree(done, folder)
    record = json.loads((folder / "training.json").read_text())
    del record["report"]
    record["distill"]["images"] = str(images)
    (folder / "training.json").write_text(json.dumps(record))
    error = run("resume", folder, code=1).stderr
    assert f"`images` {problem}" in error
    assert f"Received: {images}" in error
    if images.exists():
        arguments[arguments.index("--images") + 1] = images
        result = run(*arguments, "-o", tmp_path / "new", code=1)
        assert f"--images {problem}" in result.stderr
        assert not (tmp_path / "new").exists()


def test_a_folder_of_images_is_no_teacher(files, run, arguments, tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `bulk` is not installed")
    result = run(*arguments[:-1], files / "crops", "-o", tmp_path / "run", code=1)
    assert "--teacher must hold the vectors of keras_osnet.bulk" in result.stderr


def test_labels_are_learned_as_well(files, run_json, arguments, tmp_path):
    report = run_json(*arguments, "--labels", "-o", tmp_path / "run")
    assert report["labels"] is True
    # Softmax with smoothing over 4 people, beside the cosine loss.
    assert report["logits_loss"] > 1
    assert report["loss"] == pytest.approx(report["cosine_loss"] + report["logits_loss"], rel=0.1)
    assert run_json("resume", tmp_path / "run")["loss"] == report["loss"]
    result = run_json(*arguments, "--labels", "-o", tmp_path / "run")
    assert result["loss"] == report["loss"]


def test_labels_need_people(files, run, arguments, tmp_path):
    (tmp_path / "crops").mkdir()
    arguments[arguments.index("--images") + 1] = tmp_path / "crops"
    shutil.copy(next((files / "crops").glob("*.png")), tmp_path / "crops" / "one.png")
    result = run(*arguments, "--labels", "-o", tmp_path / "run", code=1)
    assert "--images" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_recipe_of_another_task(run, arguments, tmp_path):
    arguments[arguments.index("--recipe") + 1] = "strong"
    result = run(*arguments, "-o", tmp_path / "run", code=1)
    assert "--recipe must be of the task distillation. Received: 'strong'" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "received"),
    [
        (["--set", "loss.label_weight=1"], "`loss.label_weight` 1 without --labels"),
        (["--labels", "--set", "loss.label_weight=0"], "`loss.label_weight` 0 with --labels"),
    ],
    ids=["weight", "flag"],
)
def test_labels_and_their_weight_go_together(run, arguments, tmp_path, options, received):
    result = run(*arguments, *options, "-o", tmp_path / "run", code=1)
    assert f"Received: {received}" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite(run, arguments, tmp_path):
    rate = ["--set", "optimizer.learning_rate=1e30", "--epochs", 3]
    result = run(*arguments, *rate, "-o", tmp_path / "run", code=1)
    assert "The loss is not finite" in result.stderr
    assert "another: --set optimizer.learning_rate=…, with another --output" in result.stderr


def test_labels_weigh_one_unless_set():
    entries = {"task": "distillation", "epochs": 1, "batch_size": 4, "loss": {"cosine_weight": 1.0}}
    entries |= {
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "schedule": {"name": "constant"},
    }
    given = {"teacher": ("t",), "images": "i", "recipe": "r", "entries": entries, "labels": True}
    request = _distillation_request.DistillationRequest(**given, settings={})
    assert request.make_recipe().loss_term("label_weight") == 1
    request = _distillation_request.DistillationRequest(
        **given, settings={"loss.label_weight": 0.25}
    )
    assert request.make_recipe().loss_term("label_weight") == 0.25
