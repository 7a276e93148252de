"""`evaluate` with ensembles, mirror images, re-ranking, and images from elsewhere."""

import json
import shutil

import miniature_datasets as miniature
import numpy as np
import pytest
from PIL import Image

import keras_osnet
from keras_osnet.data import read_splits, split_by_camera
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.evaluation import evaluate_retrieval
from keras_osnet.metrics import average_results
from keras_osnet.models import load_model
from keras_osnet.synthetic import (
    write_synthetic_people,
)

FIGURES = ("rank_1", "rank_5", "rank_10", "mAP", "mINP")


@pytest.fixture
def evaluate(checkpoint):
    return ("evaluate", "--weights", checkpoint, "--image-size", 64, 32)


@pytest.fixture(scope="module")
def model(checkpoint):
    return load_model(checkpoint, head="embedding", image_size=(64, 32), include_preprocessing=True)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """24 images of six people under two cameras, as re-ranking needs 21."""
    folder = tmp_path_factory.mktemp("crowd")
    write_synthetic_people(folder, 6, cameras=2, views=2, image_size=(64, 32))
    return folder


def in_folders(people, folder, name="{path.name}"):
    """The same images in a sub-folder for each person."""
    for person in people:
        path = folder / f"person{person.identity}" / name.format(**vars(person))
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(person.path, path)


def painted(folder):
    """Put an image into each of the empty files of a miniature dataset."""
    rng = np.random.default_rng(0)
    for path in sorted(folder.rglob("*.png")):
        pixels = rng.integers(0, 256, (8, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 64)).save(path)


def assert_figures(report, result):
    ranking = result.ranking
    assert report["rank_1"] == pytest.approx(100 * ranking.rank(1), abs=0.01)
    assert report["mAP"] == pytest.approx(100 * ranking.mean_average_precision, abs=0.01)
    mean_inp = ranking.mean_inverse_negative_penalty
    assert report["mINP"] == pytest.approx(100 * mean_inp, abs=0.01)
    assert (report["queries"], report["gallery"]) == (result.queries, result.gallery)


@pytest.mark.parametrize(
    "ways",
    [
        {"flip": True},
        {"rerank": True},
        {"flip": True, "rerank": True},
        {"protocol": "single-gallery-shot"},
    ],
)
def test_ways_to_evaluate(run, run_json, evaluate, crowd, model, ways):
    options = [f"--{name}" for name, value in ways.items() if value is True]
    if "protocol" in ways:
        options += ["--protocol", ways["protocol"]]
    report = run_json(*evaluate, "--data", crowd, *options)
    assert {name: report[name] for name in ways} == ways
    sides = split_by_camera(read_folder(crowd))
    assert_figures(report, evaluate_retrieval(model, *sides, **ways))
    text = run(*evaluate, "--data", crowd, *options).stdout
    assert ("mirror images" in text) == ways.get("flip", False)
    assert ("k-reciprocal" in text) == ways.get("rerank", False)
    assert ("single-gallery-shot" in text) == ("protocol" in ways)


def test_too_few_images_to_rerank(run, evaluate, people):
    error = run(*evaluate, "--data", people, "--rerank", code=1).stderr
    assert "needs at least 21 images" in error
    assert error.endswith("Received: 6 queries, 6 gallery images\n")


@pytest.mark.large
def test_an_ensemble(run, run_json, evaluate, checkpoint, crowd, model, tmp_path):
    other = keras_osnet.OSNet(0.25, head="embedding", input_shape=(48, 32, 3))
    other.save(tmp_path / "other.keras")
    weights = ("--weights", checkpoint, "--weights", tmp_path / "other.keras")
    report = run_json("evaluate", *weights, "--data", crowd)
    assert report["weights"] == [str(checkpoint), str(tmp_path / "other.keras")]
    assert report["model"] == ["osnet_x0_25", "osnet_x0_25"]
    assert report["image_size"] == [[256, 128], [48, 32]]
    large = load_model(checkpoint, head="embedding", include_preprocessing=True)
    sides = split_by_camera(read_folder(crowd))
    assert_figures(report, evaluate_retrieval([large, other], *sides))

    lines = run("evaluate", *weights, "--data", crowd).stdout.splitlines()
    assert [line.split()[0] for line in lines[:6]] == [
        "model", "size", "model", "size", "metric", "queries",
    ]  # fmt: skip


def test_a_folder_for_each_person(run, run_json, evaluate, people, tmp_path):
    everybody = read_folder(people)
    in_folders(everybody, tmp_path / "bare", "{camera}-{path.stem}.png")
    # A name that begins like Market-1501's would count.
    report = run_json(*evaluate, "--data", tmp_path / "bare")
    assert (report["queries"], report["valid_queries"], report["gallery"]) == (3, 3, 9)
    assert report["cameras_known"] is False
    assert len(report["notes"]) == 1
    text = run(*evaluate, "--data", tmp_path / "bare").stdout
    assert text.endswith("\n".join(["All in percent.", *report["notes"], ""]))
    assert "one image of each person" in text
    assert "Cameras are not known: no gallery image is ignored" in text

    # With cameras it is as with Market-1501's names.
    told = ("--data", tmp_path / "bare", "--camera-pattern", r"^(\d)-")
    with_cameras = run_json(*evaluate, *told)
    plain = run_json(*evaluate, "--data", people)
    assert with_cameras == plain
    assert run_json(*evaluate, *told, "--query-camera", 2) == run_json(
        *evaluate, "--data", people, "--query-camera", 2
    )

    error = run(*evaluate, "--data", tmp_path / "bare", "--query-camera", 1, code=1).stderr
    assert "must have known cameras" in error


def test_tables(run, run_json, evaluate, people, tmp_path):
    everybody = read_folder(people)
    query, gallery = split_by_camera(everybody)
    table = tmp_path / "people.csv"

    def write(parts, cameras=True):
        lines = ["path,identity,camera,split" if any(parts) else "path,identity,camera"]
        for person, part in zip((*query, *gallery), parts, strict=True):
            camera = person.camera if cameras else ""
            line = f"{person.path},{person.identity},{camera}"
            lines.append(f"{line},{part}" if any(parts) else line)
        table.write_text("\n".join(lines))

    plain = run_json(*evaluate, "--data", people)
    write(["query"] * 6 + ["gallery"] * 6)
    divided = run_json(*evaluate, "--data", table)
    assert divided.pop("division") == "queries and gallery are those that the table names"
    assert divided == {key: value for key, value in plain.items() if key != "division"}
    error = run(*evaluate, "--data", table, "--query-camera", 1, code=2).stderr
    assert "has queries and a gallery already" in error
    write([""] * 12)
    assert run_json(*evaluate, "--data", table) == plain
    write([""] * 12, cameras=False)
    assert run_json(*evaluate, "--data", table)["queries"] == 3
    write(["query"] * 6 + ["gallery"] * 6, cameras=False)
    report = run_json(*evaluate, "--data", table)
    assert (report["queries"], report["gallery"], len(report["notes"])) == (6, 6, 1)
    write(["query"] * 6 + ["train"] * 6)
    error = run(*evaluate, "--data", table, code=1).stderr
    assert error.endswith("or neither. Received: people without gallery\n")


def test_distractors_are_no_queries(run_json, evaluate, people, tmp_path):
    paths = [person.path for person in read_folder(people)]
    (tmp_path / "0000_c1.png").write_bytes(paths[0].read_bytes())
    for path in paths:
        shutil.copy(path, tmp_path)
    assert run_json(*evaluate, "--data", tmp_path)["queries"] == 6


def test_images_that_fit_nothing(run, evaluate, people, tmp_path):
    shutil.copy(people / "0001_c1s1_000001_00.png", tmp_path / "holiday.png")
    error = run(*evaluate, "--data", tmp_path, code=1).stderr
    assert "must either all be named as Market-1501's" in error
    assert error.endswith("with 1 images, of which 0 are named so, 0 are in sub-folders\n")


@pytest.fixture(scope="module")
def cuhk01(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cuhk01")
    miniature.cuhk01(folder)
    painted(folder)
    return folder


def test_a_published_dataset(run, run_json, evaluate, cuhk01, model):
    named = ("--data", cuhk01, "--dataset", "cuhk01")
    error = run(*evaluate, *named, code=1).stderr
    assert "This is not CUHK01 (version 'a-to-b') as published" in error

    report = run_json(*evaluate, *named, "--no-check", "--split", 3, "--version", "b-to-a")
    facts = {"dataset": "cuhk01", "version": "b-to-a", "split": 3}
    assert {name: report[name] for name in facts} == facts
    splits = read_splits("cuhk01", cuhk01, version="b-to-a", check=False)
    assert_figures(report, evaluate_retrieval(model, splits[3].query, splits[3].gallery))
    assert report["queries"] == 12
    text = run(*evaluate, *named, "--no-check").stdout
    assert "cuhk01, a-to-b, split 0" in text


def test_all_splits(run, run_json, evaluate, cuhk01, model):
    named = ("--data", cuhk01, "--dataset", "cuhk01", "--no-check", "--all-splits")
    report = run_json(*evaluate, *named, "--max-rank", 2)
    rankings = [
        evaluate_retrieval(model, content.query, content.gallery).ranking
        for content in read_splits("cuhk01", cuhk01, check=False)
    ]
    expected = average_results(rankings)
    assert (report["splits"], report["split"]) == (10, "all")
    assert report["rank_1"] == pytest.approx(100 * expected.mean.rank(1), abs=0.01)
    mean, std = (part.mean_average_precision for part in (expected.mean, expected.std))
    assert report["mAP"] == pytest.approx(100 * mean, abs=0.01)
    assert report["std"]["mAP"] == pytest.approx(100 * std, abs=0.01)
    assert list(report["std"]) == list(FIGURES)
    assert report["cmc"] == pytest.approx(
        [100 * value for value in expected.mean.cmc[:2]], abs=0.01
    )
    assert (report["queries"], report["valid_queries"], report["gallery"]) == (120, 120, 120)

    text = run(*evaluate, *named).stdout
    assert f"{report['mAP']:.1f} ± {report['std']['mAP']:.1f}" in text
    assert "120 in 10 splits (120 with a match)" in text
    assert "Mean ± standard deviation over 10 splits." in text


def test_a_dataset_brings_its_protocol(run_json, evaluate, tmp_path):
    miniature.cuhk03_saved_by_torchreid(tmp_path)
    painted(tmp_path)
    named = ("--data", tmp_path, "--dataset", "cuhk03", "--no-check")
    report = run_json(*evaluate, *named, "--version", "classic-detected")
    assert report["protocol"] == "single-gallery-shot"
    other = ("--version", "classic-detected", "--protocol", "market1501")
    assert run_json(*evaluate, *named, *other)["protocol"] == "market1501"
    assert run_json(*evaluate, *named)["protocol"] == "market1501"


def test_datasets_of_other_kinds(run, evaluate, tmp_path):
    miniature.cifar10(tmp_path)
    named = ("--data", tmp_path, "--dataset", "cifar10", "--no-check")
    error = run(*evaluate, *named, code=1).stderr
    assert error.endswith("Received: cifar10, a dataset of another kind\n")
    error = run(*evaluate, "--data", tmp_path, "--dataset", "market1502", code=1).stderr
    assert "must be one of market1501, " in error
    error = run(*evaluate, *named[:2], "--dataset", "viper", "--version", "c", code=1).stderr
    assert "must be one of a-to-b, b-to-a. Received: 'c'" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "viper"], "--dataset NAME needs --data"),
        (["--data", ".", "--version", "a"], "--version is of a published dataset"),
        (["--data", ".", "--split", 0], "--split is of a published dataset"),
        (["--data", ".", "--no-check"], "--no-check is of a published dataset"),
        (["--data", ".", "--all-splits"], "--all-splits is of a published dataset"),
        (["--query", ".", "--gallery", ".", "--all-splits"], "--all-splits is of a published"),
        (["--query", ".", "--gallery", ".", "--camera-pattern", "x"], "--camera-pattern is for"),
        (["--query", ".", "--gallery", ".", "--split", 1], "--split is of a published dataset"),
        (
            ["--data", ".", "--dataset", "viper", "--camera-pattern", "x"],
            "--camera-pattern is for your own images",
        ),
        (
            ["--data", ".", "--dataset", "viper", "--split", 1, "--all-splits"],
            "--split and --all-splits exclude each other",
        ),
        (
            ["--data", ".", "--dataset", "viper", "--query-camera", 1],
            "--query-camera divides your own images",
        ),
        (["--data", ".", "--protocol", "cuhk03"], "Invalid value for '--protocol'"),
    ],
)
def test_options_that_contradict_each_other(run, evaluate, options, message):
    assert message in run(*evaluate, *options, code=2).stderr


def test_a_dataset_without_splits(run, evaluate, tmp_path):
    miniature.market1501(tmp_path)
    named = ("--data", tmp_path, "--dataset", "market1501", "--no-check", "--all-splits")
    assert "market1501 has no splits" in run(*evaluate, *named, code=2).stderr


def test_unreadable_images_of_several_splits_are_named_once(run, evaluate, cuhk01, tmp_path):
    shutil.copytree(cuhk01, tmp_path / "copy")
    broken = tmp_path / "copy" / "campus" / "0001001.png"
    broken.write_bytes(b"")
    named = ("--data", tmp_path / "copy", "--dataset", "cuhk01", "--no-check", "--all-splits")
    result = run(*evaluate, *named, "--json")
    assert json.loads(result.stdout)["unreadable"] == {"count": 1, "files": [str(broken)]}
    assert "Warning: 1 of 48 images could not be read" in result.stderr
