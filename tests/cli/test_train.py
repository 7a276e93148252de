"""`keras-osnet train`, `resume` and `recipes`. Trainings are faked, but for one."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import miniature_datasets as miniature
import pytest

from keras_osnet._utils.files import temporary_path
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training import build_model, list_recipes, run_folder, trainer
from keras_osnet.training.training_result import TrainingResult
from keras_osnet.weights import read_torch_checkpoint

RECIPE = """
title = "Tiny"
task = "reid"
epochs = 2
batch_size = 4

[optimizer]
name = "sgd"
learning_rate = 0.01

[schedule]
name = "constant"

[model]
width = 0.25
depths = [1, 1, 1]
image_size = [64, 32]
"""
FIGURES = {
    "reid": {"rank_1": 0.5, "mAP": 0.25, "cmc": [0.5], "queries": 3},
    "attributes": {"mA": 0.5, "F1": 0.25, "by_attribute": {"hat": 0.5}},
    "classification": {"error": 0.5, "top_5_error": float("nan"), "images": 3},
}


TRAIN_SEEDS = importlib.import_module("keras_osnet.training.train_seeds")
"""The module: the package's attribute of this name is the function."""

_built = {}


def _build_once(*arguments, **options):
    key = repr((arguments, options))
    if key not in _built:
        _built[key] = build_model(*arguments, **options)
    return _built[key]


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def trainings(monkeypatch):
    """The trainings that were asked for, in place of which next to nothing happens."""
    done = []

    def train(recipe, model, dataset, folder, *, seed=0, **arguments):
        models = model if isinstance(model, list) else [model]
        place, folder = folder, folder.path
        done.append(
            SimpleNamespace(
                recipe=recipe, models=models, dataset=dataset, folder=folder, seed=seed, **arguments
            )
        )
        folder.mkdir(parents=True, exist_ok=True)
        place._write_run(training={}, state={"tested": True})
        part = getattr(dataset, "query", None)
        part = getattr(dataset, "test", None) if part is None else part
        result = {
            name: value + seed / 100 if isinstance(value, float) else value
            for name, value in FIGURES[recipe.task].items()
        }
        return TrainingResult(
            folder=folder,
            networks=len(models),
            embedders=models,
            classifiers=models,
            metrics=[],
            best_epoch=2 if recipe.validation_fraction else None,
            test=result if part else None,
        )

    def load_embedders(run):
        return next(one.models for one in done if one.folder == run.folder)

    # No network is trained, so that one will do for many; and none is written.
    monkeypatch.setattr(TrainingResult, "load_embedders", load_embedders)
    monkeypatch.setattr("keras_osnet.training.build_model", _build_once)
    monkeypatch.setattr(TRAIN_SEEDS, "train", train)
    monkeypatch.setattr("keras_osnet.training.train", train)
    return done


@pytest.fixture
def train(run, tiny, people, tmp_path):
    """Run `train` with a small recipe and three people, or what is given in their place."""

    def train(*arguments, recipe=tiny, data=("--data", people), code=0):
        return run("train", recipe, *data, "-o", tmp_path / "run", *arguments, code=code)

    return train


def facts_of(text):
    """The names and values that are printed first, up to an empty line."""
    facts, _, _ = text.partition("\n\n")
    rows = (line.split("  ", maxsplit=1) for line in facts.splitlines())
    return {name: value.strip() for name, value in rows}


def test_interrupted_and_resumed(run, train, people, tmp_path, monkeypatch):
    """The one training that takes place."""
    write_state = run_folder.RunFolder.write_state

    def interrupt(folder, state):
        write_state(folder, state)
        if state.epochs == 1:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(run_folder.RunFolder, "write_state", interrupt)
        # Of three people two are trained on: 8 images, 2 batches of 4.
        result = train("--test-share", "0.34", code=130)
    assert result.stderr.endswith(f"Interrupted. keras-osnet resume {folder} resumes it.\n")
    facts = facts_of(result.stdout)
    assert facts["recipe"] == "tiny: Tiny"
    assert facts["source"] == people.name
    assert (facts["people"], facts["images"]) == ("2", "8")
    assert facts["test"] == "2 queries, 2 in the gallery"
    assert facts["model"].startswith("osnet_x0_25, 16")
    assert facts["model"].endswith(" parameters, from random")
    assert (facts["size"], facts["folder"]) == ("64 × 32", str(folder))

    resumed = run("resume", folder, "--json")
    report = json.loads(resumed.stdout)
    (only,) = report["runs"]
    assert only["best_epoch"] is None
    assert only["last"] == [str(folder / "seed-0" / "last.keras")]
    assert only["result"] == report["result"]
    assert report["cameras_known"] is True
    assert set(report["result"]) == {"rank_1", "rank_5", "rank_10", "mAP", "mINP"}
    assert len((folder / "seed-0" / "metrics.csv").read_text().splitlines()) == 1 + 2

    # Finished: nothing is trained or tested any more.
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train", None)
        assert run("resume", folder, "--json").stdout == resumed.stdout
        again = train("--test-share", "0.34").stdout
    assert f"{report['result']['mAP']:.1f}" in again
    assert f"{people.name}: queries are the images of camera 1, the gallery those of" in again
    usage = f"evaluate --weights {folder}/seed-0/last.keras --data"
    assert again.endswith(f"Next: keras-osnet {usage} DIR\n")
    figures = json.loads(run(*usage.split(), people, "--json").stdout)
    assert (figures["model"], figures["image_size"]) == ("osnet_x0_25", [64, 32])


def test_several_seeds(train, trainings, tmp_path):
    text = train("--seed", 3, "--seeds", 2, "--set", "validation_fraction=0.5").stdout
    assert [(one.seed, one.folder.name) for one in trainings] == [(3, "seed-3"), (4, "seed-4")]
    assert "\nseed-3, 1 of 2\nseed-4, 2 of 2\n" in text
    assert "53.5 ± 0.7  28.5 ± 0.7" in text
    assert "Mean ± standard deviation over 2 trainings." in text
    lines = text.splitlines()
    assert any(line.split() == ["seed-4", "2", "54.0", "29.0"] for line in lines)
    assert facts_of(text)["held out"] == "50 % of the people, to choose the best epoch"
    assert f"best  {tmp_path}/run/seed-3/best.keras\n" in text
    assert f"last  {tmp_path}/run/seed-3/last.keras\n" in text
    # The same people are tested on.
    assert trainings[0].dataset == trainings[1].dataset


def test_json_is_all_there_is_on_stdout(train, trainings, tmp_path):
    result = train("--seeds", 2, "--json")
    report = json.loads(result.stdout)
    assert report["result"] == {"rank_1": 50.5, "mAP": 25.5}
    assert report["std"] == {"rank_1": 0.7071, "mAP": 0.7071}
    assert [one["name"] for one in report["runs"]] == ["seed-0", "seed-1"]
    assert report["counts"]["train_images"] == 4
    assert (report["model"], report["image_size"]) == ("osnet_x0_25", [64, 32])
    assert [one.verbose for one in trainings] == [0, 0]
    stored = json.loads((tmp_path / "run" / "training.json").read_text())
    assert stored["report"]["runs"][0]["last"] == ["last.keras"]


def test_more_seeds_of_a_training_that_is_done(run, train, trainings, tmp_path):
    train()
    text = train("--seeds", 2).stdout
    assert "\nseed-0, 1 of 2, done before\nseed-1, 2 of 2\n" in text
    assert [one.seed for one in trainings] == [0, 0, 1]


def test_the_recipe_is_as_the_options_want_it(train, trainings):
    train(
        "--epochs", 4, "--batch-size", 2, "--set", "optimizer.learning_rate=1e-4",
        "--set", 'title="Mine"', "--set", "model.depths=[1, 1, 2]", "--variant", "ibn",
        "--image-size", 96, 48, "--width", 0.5, "--in-memory",
    )  # fmt: skip
    (only,) = trainings
    assert (only.recipe.name, only.recipe.title) == ("tiny", "Mine")
    assert (only.recipe.epochs, only.recipe.batch_size) == (4, 2)
    assert only.recipe.learning_rate(0) == 1e-4
    assert only.models[0].name == "osnet_ibn_x0_5"
    assert only.models[0].input_shape == (None, 96, 48, 3)
    assert only.in_memory is True


def test_resume_needs_the_recipes_file_no_more(run, train, trainings, tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(TRAIN_SEEDS, "train", interrupted)
        train("--set", "loss.label_smoothing=0.1", code=130)
    tiny.unlink()
    run("resume", tmp_path / "run")
    (only,) = trainings
    assert only.recipe.name == "tiny"
    assert only.recipe.loss == {"label_smoothing": 0.1}


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_where_to_start_from(train, trainings, checkpoint, tmp_path):
    for weights in (checkpoint, "random"):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        options = ("--width", 0.25, "--image-size", 64, 32, "--seed", 7)
        train("--weights", weights, "--set", "model={}", *options)
    kernel = read_torch_checkpoint(checkpoint)["conv5.conv.weight"].squeeze().T
    kernels = [one.models[0].get_layer("conv5").get_weights()[0].squeeze() for one in trainings]
    assert (kernels[0] == kernel).all()
    assert (kernels[1] != kernel).any()
    error = train("--weights", "lfw", recipe="few_people", code=2).stderr
    assert "has another training in it, which differs in" in error
    shutil.rmtree(tmp_path / "run")
    error = train("--weights", "lfw", code=1).stderr
    assert "no published weights with the tag" in error
    # What never began does not stand in the way.
    train("--weights", "random")


class TestFinal:
    """Training on all people, after the test or without one."""

    def test_after_the_test(self, run, train, trainings, tmp_path):
        text = train().stdout
        command = f"keras-osnet resume {tmp_path / 'run'} --final"
        assert f"For use: {command} trains once more, on all 3 people; no figure" in text
        first = json.loads(train("--json").stdout)
        report = json.loads(run("resume", tmp_path / "run", "--final", "--json").stdout)
        # The finished training is read, and not repeated; its figures are as they were.
        assert [one.folder.name for one in trainings] == ["seed-0", "seed-0", "final"]
        assert report["result"] == first["result"]
        everybody = trainings[-1].dataset
        assert (len(everybody.train), everybody.query, everybody.gallery) == (12, (), ())
        assert trainings[-1].recipe.validation_fraction == 0
        assert report["final"]["result"] is None
        assert report["final"]["last"] == [str(tmp_path / "run" / "final" / "last.keras")]
        again = run("resume", tmp_path / "run").stdout
        assert "trained on all 3 people: no figure is measured. Those above are of" in again
        assert "For use" not in again
        assert again.endswith(f"--weights {tmp_path}/run/final/last.keras --data DIR\n")
        assert train("--final").stdout == again
        assert len(trainings) == 3

    def test_without_a_test(self, train, trainings):
        options = ("--test-share", 0, "--set", "validation_fraction=0.5", "--final")
        text = train(*options).stdout
        (only,) = trainings
        assert (only.folder.name, len(only.dataset.train)) == ("final", 12)
        assert only.recipe.validation_fraction == 0
        assert "The final networks were trained on all 3 people: no figure is measured." in text
        assert "tested on" not in text
        assert "held out" not in facts_of(text)

    def test_where_it_is_none(self, train, people, tmp_path):
        miniature.cifar10(tmp_path / "cifar")
        cifar = ("--data", tmp_path / "cifar", "--dataset", "cifar10", "--no-check")
        assert "--final is for" in train("--final", recipe="cifar", data=cifar, code=2).stderr
        twice = ("--data", people, "--data", people)
        assert "for one --data" in train("--final", data=twice, code=2).stderr


@pytest.mark.large
def test_one_protocol_and_the_figures_before(run, train, trainings, checkpoint, people, tmp_path):
    """A training's test is that of `evaluate --data` on the people held out."""
    size = ("--image-size", 64, 32)
    options = ("--weights", checkpoint, "--width", 0.25, "--set", "model={}", *size)
    result = train(*options, "--target", f"own={people}")
    dataset = trainings[0].dataset
    assert {image.camera for image in dataset.query} == {1}
    assert {image.camera for image in dataset.gallery} == {2}
    division = "queries are the images of camera 1, the gallery those of the others."
    assert f"{people.name}: {division}" in result.stdout
    assert f"own: {division}" in result.stdout

    held_out = tmp_path / "held_out"
    held_out.mkdir()
    for image in (*dataset.query, *dataset.gallery):
        shutil.copy(image.path, held_out)
    evaluate = ("evaluate", "--weights", checkpoint, *size)
    report = json.loads(train(*options, "--target", f"own={people}", "--json").stdout)
    for before, data in ((report, held_out), (report["targets"]["own"], people)):
        figures = json.loads(run(*evaluate, "--data", data, "--json").stdout)
        assert before["division"] == figures["division"] == division[:-1]
        assert before["before"] == {name: figures[name] for name in before["before"]}
    rows = [line.split()[:2] for line in result.stdout.splitlines()]
    assert [people.name, "before"] in rows
    assert ["own", "before"] in rows
    assert sum(row[:1] == ["after"] for row in rows) == 2


def test_two_networks_that_learn_from_each_other(train, trainings):
    text = train("--set", "loss.mutual=true").stdout
    assert facts_of(text)["model"].startswith("2 × osnet_x0_25")
    assert len(trainings[0].models) == 2
    assert "seed-0/last_1.keras --weights" in text


class TestWhatIsTrainedOn:
    def test_nobody_left_to_test_on(self, train, trainings):
        text = train("--test-share", 0).stdout
        (only,) = trainings
        assert (len(only.dataset.train), only.dataset.query) == (12, ())
        assert "There was nothing left to test on." in text

    def test_a_table_that_says_who_is_who(self, train, trainings, people, tmp_path):
        rows = [
            f"{path},{path.name[:4]},{path.name[6]},"
            + ("train" if path.name < "0003" else "query" if "c1" in path.name else "gallery")
            for path in sorted(people.glob("*.png"))
        ]
        table = tmp_path / "people.csv"
        table.write_text("\n".join(["path,identity,camera,split", *rows]))
        train(data=("--data", table))
        dataset = trainings[0].dataset
        assert [len(part) for part in (dataset.train, dataset.query, dataset.gallery)] == [8, 2, 2]
        shutil.rmtree(tmp_path / "run")
        error = train("--test-share", 0.3, data=("--data", table), code=2).stderr
        assert "--test-share divides people, but the table has queries" in error

    def test_images_that_cannot_be_read_are_left_out_and_named(
        self, train, trainings, people, tmp_path
    ):
        folder = shutil.copytree(people, tmp_path / "more")
        empty, cut, text = sorted(folder.glob("*.png"))[:3]
        empty.write_bytes(b"")
        cut.write_bytes(cut.read_bytes()[:-200])
        text.write_text("text")
        error = train(data=("--data", folder)).stderr
        assert "3 of 12 images of more cannot be read and are left out" in error
        assert all(path.name in error for path in (empty, cut, text))
        left = {image.path for image in trainings[0].dataset.all_images}
        assert len(left) == 9
        assert not left & {empty, cut, text}

    def test_distractors_are_only_tested_on(self, train, trainings, people, tmp_path):
        folder = shutil.copytree(people, tmp_path / "more")
        shutil.copy(folder / "0001_c2s1_000001_00.png", folder / "0000_c2s1_000001_00.png")
        train(data=("--data", folder))
        dataset = trainings[0].dataset
        assert 0 not in {image.identity for image in dataset.train + dataset.query}
        assert 0 in {image.identity for image in dataset.gallery}

    def test_cameras_that_are_not_known(self, train, trainings, people, tmp_path):
        for path in people.glob("*.png"):
            (tmp_path / "folders" / path.name[:4]).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / "folders" / path.name[:4] / path.name[5:])
        text = train(data=("--data", tmp_path / "folders")).stdout
        assert "Cameras of folders are not known" in text

    def test_splits_of_a_published_dataset(self, train, trainings, tmp_path):
        miniature.viper(tmp_path / "viper")
        data = ("--data", tmp_path / "viper", "--dataset", "viper")
        text = train("--all-splits", data=data).stdout
        names = [f"split-{number}-seed-0" for number in range(10)]
        assert [one.folder.name for one in trainings] == names
        assert facts_of(text)["source"] == "viper, a-to-b"
        assert facts_of(text)["people"] == "316"
        shutil.rmtree(tmp_path / "run")
        train("--split", 3, "--version", "b-to-a", data=data)
        assert trainings[-1].dataset.query == trainings[3].dataset.gallery

    def test_several_datasets(self, train, trainings, people, tmp_path):
        miniature.market1501(tmp_path / "market")
        data = (
            "--data", tmp_path / "market", "--dataset", "market1501",
            "--data", people, "--dataset", "own",
        )  # fmt: skip
        train("--no-check", data=data)
        assert trainings[0].dataset.name == f"market1501+{people.name}"
        assert trainings[0].dataset.counts["train_identities"] == 2 + 3
        shutil.rmtree(tmp_path / "run")
        train("--no-check", "--combineall", data=data)
        assert trainings[1].dataset.counts["train_identities"] == 4 + 3

    def test_all_people_of_a_dataset(self, train, trainings, tmp_path):
        miniature.market1501(tmp_path / "market")
        data = ("--data", tmp_path / "market", "--dataset", "market1501")
        train("--no-check", "--combineall", data=data)
        dataset = trainings[0].dataset
        assert (dataset.counts["train_identities"], dataset.query) == (4, ())

    def test_attributes(self, train, trainings, people, tmp_path):
        rows = [f"{path},train,1" for path in people.glob("*.png")]
        table = tmp_path / "hats.csv"
        table.write_text("\n".join(["path,split,hat", *rows, rows[0].replace(",train,", ",test,")]))
        settings = ("--weights", "random", "--width", 0.25, "--image-size", 64, 32)
        text = train(*settings, recipe="attributes", data=("--data", table)).stdout
        assert (facts_of(text)["attributes"], facts_of(text)["test"]) == ("1", "1 images")
        assert any(line.split() == ["hats", "50.0", "25.0"] for line in text.splitlines())
        assert "keras-osnet attributes --weights" in text
        assert type(trainings[0].models[0].get_layer("pooled")).__name__ == "GlobalMaxPooling2D"

    def test_classes(self, train, trainings, tmp_path):
        miniature.cifar10(tmp_path / "cifar")
        data = ("--data", tmp_path / "cifar", "--dataset", "cifar10", "--no-check")
        result = train("--width", 0.25, "--json", recipe="cifar", data=data)
        assert json.loads(result.stdout)["result"] == {"error": 50.0, "top_5_error": None}
        text = train("--width", 0.25, recipe="cifar", data=data).stdout
        assert any(line.split() == ["cifar10", "50.0", "–"] for line in text.splitlines())
        assert len(trainings) == 1

    def test_targets(self, train, trainings, tmp_path):
        others = write_synthetic_people(tmp_path / "others", 4, views=2, image_size=(64, 32))
        others[0].path.write_bytes(b"")
        result = train("--target", f"own={tmp_path / 'others'}", "--seeds", 2, "--json")
        assert f"cannot be read and are left out: {others[0].path} (the file is" in result.stderr
        report = json.loads(result.stdout)
        target = report["targets"]["own"]
        assert set(target["result"]) == {"rank_1", "rank_5", "rank_10", "mAP", "mINP"}
        assert 0 < target["result"]["mAP"] <= 100
        assert set(target["std"]) == set(target["result"])
        # The training stays as it is when it is to be tested on something else.
        text = train("--seeds", 2).stdout
        assert "done before" in text
        assert "own" not in text


class TestErrors:
    @pytest.mark.parametrize(
        "setting",
        [
            "validation_fraction",
            "=3",
            "validation_fraction=",
            "title=Mine",
            "epochs=1\nseed=2",
            "title=1979-05-27",
        ],
    )
    def test_settings_that_are_none(self, train, setting):
        error = train("--set", setting, code=2).stderr
        assert "Invalid value for '--set': must be KEY=VALUE" in error

    def test_settings_that_are_wrong(self, train):
        error = train("--set", "epochs=0", code=1).stderr
        assert error == ("Error: `epochs` of tiny must be an integer of at least 1. Received: 0\n")
        assert "Received: lr\n" in train("--set", "lr=1", code=1).stderr
        assert "a key once" in train("--set", "epochs=1", "--set", "epochs=2", code=2).stderr
        assert "made of variant" in train("--set", "model.depht=1", code=1).stderr
        error = train("--set", 'model.neck="layer"', code=1).stderr
        assert error == (
            "Error: `model.neck` of tiny must be one of None, 'bn'. Received: 'layer'\n"
        )
        error = train("--batch-size", 8, recipe="triplet", code=2).stderr
        assert "--set" in error
        assert "batch_size=[16, 4]" in error

    def test_recipes_and_folders_that_do_not_exist(self, run, train, people):
        error = train(recipe="fine_tuen", code=1).stderr
        assert "fine_tune_narrow" in error
        assert error.endswith("or a .toml file. Received: 'fine_tuen'\n")
        assert "gone.toml" in train(recipe="gone.toml", code=1).stderr
        assert "'nowhere' does not exist" in train(data=("--data", "nowhere"), code=2).stderr
        assert "Missing option '-o'" in run("train", "cifar", "--data", people, code=2).stderr

    def test_recipes_and_datasets_of_different_kinds(self, train, people, tmp_path):
        miniature.cifar10(tmp_path / "cifar")
        miniature.market1501(tmp_path / "market")
        cifar = ("--data", tmp_path / "cifar", "--dataset", "cifar10", "--no-check")
        market = ("--data", tmp_path / "market", "--dataset", "market1501", "--no-check")
        assert "one for re-identification" in train(data=cifar, code=1).stderr
        error = train(recipe="attributes", data=market, code=1).stderr
        assert "--dataset must fit the recipe, whose task is attributes" in error
        assert error.endswith("Received: market1501, a dataset of another kind\n")
        assert "whose task is classification" in train(recipe="cifar", data=market, code=1).stderr
        assert "give --dataset cifar10" in train(recipe="cifar", code=2).stderr
        assert "give --dataset pa100k" in train(recipe="attributes", code=2).stderr
        assert not (tmp_path / "run").exists()

    def test_options_that_contradict_each_other(self, train, people):
        market = ("--data", people, "--dataset", "market1501")
        twice = ("--data", people, "--data", people)
        for arguments, data, recipe, message in (
            ((), (*market, "--data", people), "few_people", "go in pairs"),
            (("--split", 1), ("--data", people), "few_people", "--split is of a published"),
            (("--all-splits",), ("--data", people), "few_people", "--all-splits is of a pub"),
            (("--no-check",), ("--data", people), "few_people", "--no-check is of a published"),
            (("--test-share", 0), market, "few_people", "--test-share is for your own"),
            (("--test-share", 0.2), twice, "few_people", "--test-share is of one dataset"),
            (("--combineall", "--test-share", 0.2), ("--data", people), "few_people", "trains on"),
            (("--combineall",), market, "cifar", "--combineall is for recipes whose task is reid"),
            (("--target", f"own={people}"), market, "cifar", "--target is for recipes whose task"),
            ((), twice, "attributes", "Several --data"),
        ):
            error = train(*arguments, data=data, recipe=recipe, code=2).stderr
            assert message in " ".join(error.split())

    @pytest.mark.parametrize("target", ["own", "own=", "lfw=.", "=.", "own=nowhere"])
    def test_targets_that_are_none(self, train, target):
        assert "Invalid value for '--target'" in train("--target", target, code=2).stderr

    def test_folders_with_something_else_in_them(self, train, trainings, tmp_path):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "holiday.jpg").touch()
        assert "with holiday.jpg" in train(code=2).stderr
        (tmp_path / "run" / "holiday.jpg").unlink()
        train()
        error = train("--epochs", 3, "--seed", 1, code=2).stderr
        assert "differs in epochs, seed." in " ".join(error.split())
        assert len(trainings) == 1

    def test_a_recipe_that_has_changed(self, train, trainings, tiny):
        train()
        tiny.write_text(RECIPE.replace("epochs = 2", "epochs = 3"))
        assert "differs in recipe." in " ".join(train(code=2).stderr.split())

    def test_another_process_in_the_folder(self, train, monkeypatch):
        def busy(*_, **__):
            raise BlockingIOError("Another process is training in this folder. Received: folder=x")

        monkeypatch.setattr(TRAIN_SEEDS, "train", busy)
        assert train(code=1).stderr.startswith("Error: Another process is training")

    def test_nothing_to_resume(self, run, people, tmp_path):
        error = run("resume", people, code=1).stderr
        assert error == (
            f"Error: There is no training by `keras-osnet train` to resume. Received: {people}\n"
        )

    def test_resume_without_its_data(self, run, train, people, tmp_path, monkeypatch):
        folder = shutil.copytree(people, tmp_path / "people")
        monkeypatch.setattr(TRAIN_SEEDS, "train", interrupted)
        train(data=("--data", folder), code=130)
        shutil.rmtree(folder)
        error = run("resume", tmp_path / "run", code=1).stderr
        assert error.endswith(f"does not exist any more. Received: {folder}\n")

    @pytest.mark.parametrize(
        "text",
        ["{", "[]", '{"command": {}}', '{"command": {"recipe": "tiny", "sources": []}}'],
    )
    def test_a_damaged_record(self, run, tmp_path, text):
        (tmp_path / "training.json").write_text(text)
        assert "is damaged" in run("resume", tmp_path, code=1).stderr

    def test_edited_records(self, run, train, trainings, tmp_path):
        train()
        path = tmp_path / "run" / "training.json"
        written = json.loads(path.read_text())

        def edited(entry, **changes):
            return {**written, entry: {**written[entry], **changes}, "report": None}

        for record in (
            *(
                edited("command", **{name: value})
                for name, value in (
                    ("recipe", 3), ("entries", []), ("settings", [1]), ("epochs", "2"),
                    ("batch_size", 2.5), ("weights", 7), ("width", "x"), ("image_size", 64),
                    ("image_size", [64]), ("seed", None), ("seeds", True), ("targets", {"own": 1}),
                    ("sources", {"data": 3}), ("sources", {"data": [3]}), ("sources", {}),
                    ("sources", {"data": ["x"], "split": "a"}), ("in_memory", "yes"),
                )
            ),
            {**written, "command": 1}, {**written, "before": []}, {**written, "report": 7},
            *(
                {**written, "report": {**written["report"], name: value}}
                for name, value in (
                    ("runs", 3), ("runs", []), ("runs", [{}]), ("task", []), ("result", [1]),
                    ("result", {"mAP": "much"}), ("source", None), ("targets", {"own": 1}),
                )
            ),
            {**written, "report": {}},
        ):  # fmt: skip
            path.write_text(json.dumps(record))
            result = run("resume", tmp_path / "run", code=1)
            assert "Traceback" not in result.output
            assert "training.json is damaged: " in result.stderr, record
            assert result.stderr.endswith(f"Received: {path}\n")

    def test_networks_that_are_gone(self, run, train, trainings, tmp_path):
        train()
        error = run("resume", tmp_path / "run").stderr
        assert f"does not exist any more. Received: {tmp_path}/run/seed-0/last.keras" in error

    def test_what_a_kill_at_the_beginning_leaves(self, run, train, trainings, tmp_path):
        folder = tmp_path / "run"
        folder.mkdir()
        (folder / ".lock").touch()
        name = temporary_path(folder / "training.json").name
        left = folder / name.replace(f"-{os.getpid()}-", f"-{2**22 + 1}-")  # no such process
        left.write_text('{"comm')
        error = run("resume", folder, code=1).stderr
        assert "to resume: repeat the command. Received:" in error
        train()
        assert len(trainings) == 1
        assert not left.exists()

    def test_a_loss_that_is_not_finite(self, train, monkeypatch):
        def diverge(*_, **__):
            raise FloatingPointError("The loss is not finite. Received: optimizer.learning_rate=9")

        monkeypatch.setattr(TRAIN_SEEDS, "train", diverge)
        error = train(code=1).stderr
        assert "The loss is not finite." in error
        assert "--set optimizer.learning_rate=…" in error

    def test_another_run_is_found_before_anything_is_read(self, train, trainings, monkeypatch):
        train()

        def read(*_):
            raise AssertionError

        monkeypatch.setattr("keras_osnet.cli._training_request.TrainingRequest.read", read)
        assert "has another training in it" in train("--epochs", 3, code=2).stderr

    @pytest.mark.parametrize("name", ["command.json", "run.json"])
    def test_a_folder_of_an_earlier_version(self, run, train, tmp_path, name):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / name).write_text("{}")
        for result in (run("resume", tmp_path / "run", code=1), train(code=1)):
            assert "by an earlier version of keras-osnet, which cannot be resumed" in result.stderr
            assert result.stderr.endswith(f"with {name}\n")

    def test_a_command_of_another_version(self, run, train, tmp_path, trainings, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(TRAIN_SEEDS, "train", interrupted)
            train(code=130)
        path = tmp_path / "run" / "training.json"
        written = json.loads(path.read_text())
        path.write_text(json.dumps({**written, "keras_osnet": "99.0"}))
        run("resume", tmp_path / "run")
        command = {**written["command"], "magic": 1}
        path.write_text(json.dumps({"keras_osnet": "99.0", "command": command}))
        error = run("resume", tmp_path / "run", code=1).stderr
        assert "has magic, which keras-osnet" in error
        assert error.endswith("written by keras-osnet 99.0\n")


class TestRecipes:
    def test_table(self, run):
        text = run("recipes").stdout
        rows = {line.split()[0]: line for line in text.splitlines()[2:-2]}
        assert list(rows) == list(list_recipes())
        assert all(title in rows[name] for name, title in list_recipes().items())
        assert "16 × 4  amsgrad 0.0015" in rows["triplet_mutual"]

    def test_a_file_to_begin_with(self, run, run_json, tmp_path):
        text = run("recipes", "few_people").stdout
        assert text.startswith("# Your own data, tens to hundreds of people")
        (tmp_path / "own.toml").write_text(text)
        assert text == run("recipes", tmp_path / "own.toml").stdout
        assert run_json("recipes", "few_people")["validation_fraction"] == 0.2
        assert "Received: 'nix'" in run("recipes", "nix", code=1).stderr

    def test_json(self, run_json):
        recipes = run_json("recipes")
        assert [recipe["name"] for recipe in recipes] == list(list_recipes())
        assert recipes[0]["optimizer"]["learning_rate"] == 0.065


@pytest.mark.parametrize("command", ["train", "resume", "recipes"])
def test_help_fits_a_terminal(run, command):
    text = run(command, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "\b" not in text


PRESSED = """
import hashlib, os, signal, sys, threading, time
from keras_osnet.cli.interrupts import ends_at_once
def native():
    if sys.argv[1] == "deaf":  # as a compiler is: no signal handler of Python's runs meanwhile
        hashlib.pbkdf2_hmac("sha512", b"", b"", 2 * 10**7)
    time.sleep(60)
class Lost:
    def __del__(self):
        time.sleep(60)
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job ignores
press = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
press.start()
with ends_at_once(lambda: "Interrupted. Go on."):
    while sys.argv[1] == "stubborn":
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
    if sys.argv[1] == "destructor":
        Lost()
    native()
"""


@pytest.mark.parametrize("kind", ["prompt", "deaf", "stubborn", "destructor"])
def test_ctrl_c_ends_within_seconds(kind):
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PRESSED, kind], capture_output=True, text=True, timeout=60
    )
    assert time.monotonic() - start < 20
    assert (done.returncode, done.stderr) == (130, "Interrupted. Go on.\n")
