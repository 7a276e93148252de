import json
import shutil

import pytest

import keras_osnet

KEYS = [
    "rank_1", "rank_5", "rank_10", "mAP", "mINP", "queries", "valid_queries", "gallery",
    "unreadable", "weights", "model", "image_size", "metric", "protocol", "flip",
    "camera_means", "query_expansion", "rerank",
    "cameras_known", "notes", "division",
]  # fmt: skip


@pytest.fixture
def evaluate(checkpoint):
    return ("evaluate", "--weights", checkpoint, "--image-size", 64, 32)


def test_one_folder(run, run_json, evaluate, people, checkpoint):
    report = run_json(*evaluate, "--data", people)
    assert list(report) == KEYS
    assert 0 < report["mAP"] <= 100
    assert report["rank_1"] <= report["rank_5"] <= report["rank_10"] == 100  # a gallery of six
    assert (report["queries"], report["valid_queries"], report["gallery"]) == (6, 6, 6)
    assert report["unreadable"] == {"count": 0, "files": []}
    assert (report["model"], report["metric"]) == ("osnet_x0_25", "cosine")
    assert report["image_size"] == [64, 32]
    assert report["weights"] == str(checkpoint)
    assert report["protocol"] == "market1501"
    assert (report["flip"], report["rerank"], report["cameras_known"]) == (False, False, True)
    assert report["notes"] == []

    result = run(*evaluate, "--data", people)
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    (row,) = (index for index, line in enumerate(lines) if line.startswith("rank-1"))
    assert lines[row].split() == ["rank-1", "rank-5", "rank-10", "mAP", "mINP"]
    assert lines[row + 2].split() == [
        f"{report[key]:.1f}" for key in ("rank_1", "rank_5", "rank_10", "mAP", "mINP")
    ]


def test_the_other_way_round_and_as_two_folders(run_json, evaluate, people, tmp_path):
    turned = run_json(*evaluate, "--data", people, "--query-camera", 2, "--metric", "euclidean")
    for camera in (1, 2):
        (tmp_path / str(camera)).mkdir()
        for path in people.glob(f"*_c{camera}*"):
            shutil.copy(path, tmp_path / str(camera))
    sides = ("--query", tmp_path / "2", "--gallery", tmp_path / "1")
    as_folders = run_json(*evaluate, *sides, "--metric", "euclidean")
    assert turned.pop("division").startswith("queries are the images of camera 2")
    assert str(tmp_path / "2") in as_folders.pop("division")
    assert as_folders == turned


def test_query_expansion_above_the_gallery(run, run_json, evaluate, people):
    arguments = (*evaluate, "--data", people, "--query-expansion")
    report = run_json(*arguments, 99)
    assert report["query_expansion"] == report["gallery"] == 6
    assert report == run_json(*arguments, 6)
    assert "queries averaged with 6 of the gallery" in run(*arguments, 99).stdout
    assert run_json(*arguments, 2)["query_expansion"] == 2


def test_the_curve(run, run_json, evaluate, people):
    report = run_json(*evaluate, "--data", people, "--max-rank", 3)
    assert len(report["cmc"]) == 3
    assert report["cmc"][0] == report["rank_1"]
    assert report["rank_10"] == 100
    assert "rank-3" in run(*evaluate, "--data", people, "--max-rank", 3).stdout


def test_images_that_cannot_be_read(run, run_json, evaluate, people, damaged):
    result = run(*evaluate, "--data", damaged, "--json")
    assert "Warning: 2 of 14 images could not be read" in result.stderr
    assert "[red]" not in result.stdout
    report = json.loads(result.stdout)
    names = ["0009_c1s1_000001_00.png", "0009_c2s1_000001_00.png"]
    assert report["unreadable"] == {"count": 2, "files": [str(damaged / name) for name in names]}
    whole = run_json(*evaluate, "--data", people)
    assert report | {"unreadable": whole["unreadable"]} == whole


def test_names_of_another_kind(run, evaluate, people, tmp_path):
    shutil.copy(people / "0001_c1s1_000001_00.png", tmp_path / "holiday.png")
    error = run(*evaluate, "--query", tmp_path, "--gallery", people, code=1).stderr
    assert "File name does not begin like Market-1501's" in error
    assert error.endswith("holiday.png\n")


def test_cameras_that_do_not_exist(run, evaluate, people):
    error = run(*evaluate, "--data", people, "--query-camera", 7, code=1).stderr
    assert error.endswith("Received: --query-camera 7, 12 images of cameras [1, 2]\n")


def test_usage_errors(run, evaluate, people):
    for sides in (
        [],
        ["--query", people],
        ["--data", people, "--gallery", people],
    ):
        assert "Give --data PATH, or" in run(*evaluate, *sides, code=2).stderr
    sides = ("--query", people, "--gallery", people, "--query-camera", 1)
    assert "--query-camera divides --data" in run(*evaluate, *sides, code=2).stderr
    assert "does not exist" in run(*evaluate, "--data", "nowhere", code=2).stderr


def test_weights_that_do_not_exist(run, people):
    error = run("evaluate", "--data", people, "--weights", "lfw", code=1).stderr
    assert "no published weights with the tag" in error
    error = run("evaluate", "--data", people, "--weights", "gone.pth", code=1).stderr
    assert error.endswith("does not exist. Received: gone.pth\n")


@pytest.mark.large
def test_the_size_is_that_of_the_model_in_the_file(run_json, people, tmp_path):
    model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
    model.save(tmp_path / "small.keras")
    weights = ("--weights", tmp_path / "small.keras")
    own = run_json("evaluate", *weights, "--data", people)
    told = run_json("evaluate", *weights, "--data", people, "--image-size", 64, 32)
    assert own == told
    assert own["image_size"] == [64, 32]
    larger = run_json("evaluate", *weights, "--data", people, "--image-size", 96, 48)
    assert larger["image_size"] == [96, 48]
