"""Training by recipe: stages, the run folder, what an interruption leaves."""

import csv
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import replace
from pathlib import Path

import filelock
import h5py
import keras
import numpy as np
import pytest
from tiny_networks import SIZE, tiny_backbone

from keras_osnet.data import (
    AttributeDataset,
    AttributeImages,
    ClassificationDataset,
    ImageBatches,
    LabeledImages,
    split_by_identity,
)
from keras_osnet.evaluation import evaluate_retrieval
from keras_osnet.synthetic import (
    write_synthetic_people,
)
from keras_osnet.training import load_recipe, train, train_seeds
from keras_osnet.training.run_folder import RunFolder
from keras_osnet.training.trainer import check_folder

RECIPE = load_recipe("few_people").with_overrides(
    {"epochs": 4, "fixbase_epochs": 1, "batch_size": 8, "validation_fraction": 0.3}
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return split_by_identity(write_synthetic_people(folder, 12, views=4, image_size=SIZE), 0.4)


def run(folder, dataset, recipe=RECIPE, model=None, **arguments):
    model = model or tiny_backbone()
    return train(recipe, model, dataset, folder, **{"verbose": 0, **arguments})


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    return run(tmp_path_factory.mktemp("run") / "run", dataset)


def same_weights(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


@pytest.mark.backends
def test_the_folder_has_everything(finished, dataset):
    assert {file.name for file in finished.folder.iterdir()} >= {
        "training.json",
        "metrics.csv",
        "best.keras",
        "last.keras",
        "tensorboard",
    }
    with (finished.folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in finished.metrics]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    # Under the names that `model.fit` with `RetrievalMetrics` has for them.
    assert sorted(rows[0]) == sorted(
        ["epoch", "learning_rate", "loss", "accuracy", "val_rank_1", "val_mAP", "val_mINP"]
    )
    record = json.loads((finished.folder / "training.json").read_text())
    assert record["runs"]["."]["state"]["epochs"] == 4
    described = record["runs"]["."]["training"]
    assert described["recipe"] == "few_people"
    assert described["optimizer"]["learning_rate"] == 3e-4
    assert len(described["class_names"]) == finished.classifiers[0].output_shape[1]
    assert set(described["class_names"]) < {str(one.identity) for one in dataset.train}


def test_the_rate_is_the_recipes(finished):
    rates = [row["learning_rate"] for row in finished.metrics]
    np.testing.assert_allclose(rates, [RECIPE.learning_rate(epoch) for epoch in range(4)], 1e-6)


@pytest.mark.backends
def test_the_best_epoch_counts(finished):
    values = [row["val_mAP"] for row in finished.metrics]
    assert finished.best_epoch == 1 + int(np.argmax(values))
    saved = keras.saving.load_model(finished.folder / "best.keras", compile=False)
    assert same_weights(saved, finished.classifiers[0])
    # The embedder shares what the classifier has.
    assert finished.embedders[0].get_layer("fc").kernel is (
        finished.classifiers[0].get_layer("fc").kernel
    )


def test_the_result_is_the_embedders(finished, dataset):
    ranking = evaluate_retrieval(finished.embedders[0], dataset.query, dataset.gallery).ranking
    assert finished.test["mAP"] == pytest.approx(ranking.mean_average_precision, abs=1e-6)
    assert finished.test["rank_1"] == pytest.approx(ranking.rank(1), abs=1e-6)


def test_tensorboard_reads_the_events(finished):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log = events.EventAccumulator(os.fspath(finished.folder / "tensorboard")).Reload()
    losses = log.Scalars("loss")
    assert [event.step for event in losses] == [1, 2, 3, 4]
    np.testing.assert_allclose(
        [event.value for event in losses], [row["loss"] for row in finished.metrics], 1e-6
    )


def test_a_finished_run_is_read_and_not_repeated(finished, dataset):
    before = {file: file.stat().st_mtime_ns for file in finished.folder.glob("*.*")}
    again = run(finished.folder, dataset)
    assert again.metrics == finished.metrics
    assert again.test == finished.test
    assert same_weights(again.classifiers[0], finished.classifiers[0])
    after = {file: file.stat().st_mtime_ns for file in finished.folder.glob("*.*")}
    assert before == after


class Stop(keras.callbacks.Callback):
    """Ends the training in the middle of an epoch, as a full disk or Ctrl-C would."""

    def __init__(self, epoch):
        super().__init__()
        self.wanted, self.epoch = epoch, None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == self.wanted and batch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "epoch",
    [
        pytest.param(0, id="first"),
        pytest.param(1, id="after the classifier alone", marks=pytest.mark.large),
        pytest.param(3, id="last", marks=[pytest.mark.large, pytest.mark.backends]),
    ],
)
def test_an_interrupted_run_arrives_at_the_same(epoch, finished, dataset, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", dataset, callbacks=[Stop(epoch)])
    again = run(tmp_path / "run", dataset)
    assert again.metrics == finished.metrics
    assert again.test == finished.test
    assert same_weights(again.classifiers[0], finished.classifiers[0])


@pytest.mark.large
@pytest.mark.parametrize("best", [True, False])
def test_a_run_that_ends_before_its_test(best, finished, dataset, tmp_path, monkeypatch):
    """All epochs are done; the queries cannot be read, or the process is killed now."""
    recipe = RECIPE if best else RECIPE.with_overrides({"epochs": 2, "validation_fraction": 0.0})

    def broken(*_):
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("keras_osnet.training.tasks.ReidTask.test", broken)
        with pytest.raises(OSError, match="gone"):
            run(tmp_path / "run", dataset, recipe)
    again = run(tmp_path / "run", dataset, recipe)
    whole = finished if best else run(tmp_path / "whole", dataset, recipe)
    assert again.test == whole.test
    assert same_weights(again.classifiers[0], whole.classifiers[0])
    if not best:
        assert not same_weights(again.embedders[0], tiny_backbone())


@pytest.mark.backends
def test_the_fixbase_epochs_leaves_the_rest_alone(dataset, tmp_path):
    model = tiny_backbone()
    before = [np.array(each) for each in model.get_weights()]
    recipe = RECIPE.with_overrides(
        {
            "epochs": 2,
            "fixbase_epochs": 2,
            "validation_fraction": 0.0,
            "optimizer.learning_rate": 0.03,
        }
    )
    trained = run(tmp_path / "run", dataset, recipe, model)
    # Batch norm's moving statistics are among these.
    assert len(before) == 8
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    # And the classifier learned.
    assert trained.metrics[1]["loss"] < trained.metrics[0]["loss"]
    assert trained.best_epoch is None
    assert not (trained.folder / "best.keras").exists()
    # Afterwards everything may be trained again.
    assert all(layer.trainable for layer in model.layers)


@pytest.mark.large
def test_triplets_and_averages_of_weights(dataset, tmp_path):
    recipe = RECIPE.with_overrides(
        {
            "epochs": 2,
            "batch_size": [4, 2],
            "loss.triplet_weight": 0.5,
            "optimizer.use_ema": True,
            "optimizer.ema_momentum": 0.5,
            "optimizer.clipnorm": 1.0,
        }
    )
    trained = run(tmp_path / "run", dataset, recipe)
    for row in trained.metrics:
        assert 0 <= row["logits_accuracy"] <= 1  # of several outputs Keras says which
        total = row["logits_loss"] + 0.5 * row["embedding_loss"]
        assert row["loss"] == pytest.approx(total, rel=1e-4)
    # Averages are what is measured, and training continues with the weights themselves.
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "other", dataset, recipe, callbacks=[Stop(1)])
    again = run(tmp_path / "other", dataset, recipe)
    assert again.metrics == trained.metrics
    assert same_weights(again.classifiers[0], trained.classifiers[0])


@pytest.mark.large
@pytest.mark.backends
def test_networks_that_learn_from_each_other(dataset, tmp_path):
    recipe = RECIPE.with_overrides({"epochs": 2, "loss.mutual": True})
    peers = [tiny_backbone(0), tiny_backbone(1)]
    trained = run(tmp_path / "run", dataset, recipe, peers)
    assert len(trained.embedders) == 2
    for number, classifier in enumerate(trained.classifiers, 1):
        saved = keras.saving.load_model(trained.folder / f"best_{number}.keras", compile=False)
        assert same_weights(saved, classifier)
    for row in trained.metrics:
        assert row["loss"] > row["logits_1_loss"] + row["logits_2_loss"]
    with pytest.raises(ValueError, match=r"two models or more .* Received: 1"):
        run(tmp_path / "one", dataset, recipe)
    with pytest.raises(ValueError, match=r"must be one model .* Received: 2"):
        run(tmp_path / "two", dataset, model=peers)


@pytest.mark.large
def test_attributes(tmp_path):
    people = write_synthetic_people(tmp_path / "people", 8, views=4, image_size=SIZE)
    labels = np.array([[person.identity % 2, person.identity < 5] for person in people], "uint8")
    parts = [
        AttributeImages(tuple(people[i].path for i in range(k, 64, 3)), labels[k::3])
        for k in range(3)
    ]
    dataset = AttributeDataset("drawn", ("odd", "early"), *parts)
    recipe = load_recipe("attributes").with_overrides({"epochs": 2, "batch_size": 8})
    trained = run(tmp_path / "run", dataset, recipe)
    assert set(trained.test["by_attribute"]) == {"odd", "early"}
    values = [row["val_mA"] for row in trained.metrics]
    assert trained.best_epoch == 1 + int(np.argmax(values))
    predictions = trained.classifiers[0].predict_on_batch(np.zeros((1, *SIZE, 3)))
    assert ((predictions > 0) & (predictions < 1)).all()


@pytest.mark.large
def test_classes_of_an_array_in_memory(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 3
    images = rng.integers(0, 80, (48, *SIZE, 3), "uint8") + 80 * labels[:, None, None, None]
    part = LabeledImages(images.astype("uint8"), labels)
    dataset = ClassificationDataset("grays", ("a", "b", "c"), part, part, "standard")
    recipe = load_recipe("cifar").with_overrides(
        {"epochs": 8, "batch_size": 16, "optimizer.learning_rate": 0.05}
    )
    trained = run(tmp_path / "run", dataset, recipe)
    assert trained.metrics[-1]["loss"] < trained.metrics[0]["loss"]
    assert trained.test["images"] == 48
    assert trained.test["error"] < 0.4  # 0.67 by chance


@pytest.mark.large
def test_a_model_without_preprocessing_gets_normalized_images(dataset, tmp_path, monkeypatch):
    seen = []
    real = ImageBatches.__init__
    monkeypatch.setattr(
        ImageBatches, "__init__", lambda *a, **k: seen.append(k["steps"]) or real(*a, **k)
    )
    recipe = RECIPE.with_overrides({"epochs": 1, "validation_fraction": 0.0})
    run(tmp_path / "a", dataset, recipe)
    run(tmp_path / "b", dataset, recipe, tiny_backbone(preprocessing=False))
    names = [[type(step).__name__ for step in steps] for steps in seen]
    assert names == [["RandomFlip", "RandomErasing"], ["RandomFlip", "Normalize", "RandomErasing"]]


@pytest.mark.large
def test_several_seeds(dataset, tmp_path):
    recipe = RECIPE.with_overrides({"epochs": 1, "validation_fraction": 0.0})
    made = []

    def make_model(seed):
        model = tiny_backbone(seed)
        made.append(weakref.ref(model))
        return model

    repeated = train_seeds(recipe, make_model, dataset, tmp_path / "runs", seeds=[0, 1], verbose=0)
    gc.collect()
    assert [model() for model in made] == [None, None]  # of many trainings, none is kept in memory
    for one in repeated.runs:
        assert one.paths == [one.folder / "last.keras"]
        (classifier,), (embedder,) = one.load_classifiers(), one.load_embedders()
        assert classifier.output_shape == (None, len(dataset.train_identities))
        ranking = evaluate_retrieval(embedder, dataset.query, dataset.gallery).ranking
        assert ranking.mean_average_precision == pytest.approx(one.test["mAP"], abs=1e-6)
    values = [one.test["mAP"] for one in repeated.runs]
    assert values[0] != values[1]
    assert repeated.mean["mAP"] == pytest.approx(np.mean(values))
    assert repeated.std["mAP"] == pytest.approx(np.std(values, ddof=1))
    assert [one.folder.name for one in repeated.runs] == ["seed-0", "seed-1"]
    record = json.loads((tmp_path / "runs" / "training.json").read_text())
    assert list(record["runs"]) == ["seed-0", "seed-1"]


@pytest.mark.large
def test_another_run_in_the_folder_is_refused(finished, dataset, tmp_path):
    with pytest.raises(ValueError, match=r"differs in seed: .*seed=0, asked for 1"):
        run(finished.folder, dataset, seed=1)
    other = RECIPE.with_overrides({"epochs": 5, "schedule.name": "constant"})
    with pytest.raises(ValueError, match=r"differs in epochs, schedule"):
        run(finished.folder, dataset, other)
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(ValueError, match=r"new, empty, or a training's\..*letter\.txt"):
        run(tmp_path, dataset)
    with filelock.FileLock(finished.folder / ".lock"):  # noqa: SIM117
        with pytest.raises(BlockingIOError, match=r"Another process is training"):
            run(finished.folder, dataset)


def damaged_folders():
    """What people and disks do to a run folder: a file, its new content, and the complaint."""

    def state(**entries):
        def edit(text):
            record = json.loads(text)
            record["runs"]["."]["state"] |= entries
            return json.dumps(record)

        return edit

    def lines(text):
        return text.splitlines()

    for edit in (
        state(epoch=1), state(epochs=-1), state(epochs=5), state(epochs="4"), state(epochs=True),
        state(epochs=1.5), state(best_epoch=9), state(best_epoch=0), state(best_epoch="1"),
        state(best_epoch=None), state(epochs=2, best_epoch=1), state(tested=1), state(test=[1]),
        state(digest=3), lambda _: '{"runs": {".": 3}}', lambda _: '{"runs": ', lambda _: "[]",
        lambda _: '{"runs": []}', lambda _: '{"runs": {".": {"training": []}}}',
        lambda _: '{"runs": {".": {"training": {}, "state": 1}}}', lambda _: "\0\xff",
        lambda _: "[" * 100_000,
    ):  # fmt: skip
        yield "training.json", edit
    for edit in (
        lambda text: "\n".join(lines(text)[:-1]),
        lambda text: "\n".join([*lines(text)[:-1], "4,much"]),
        lambda text: text.replace("val_mAP", "val_map"),
        lambda text: text.replace("\n2,", "\n3,"),
        lambda text: text.replace("\n4,", "\n4,0,0,0,0,0,0,0,0,0,0,"),
        lambda _: "epoch\n" + "1" * 200_000,
        lambda text: "\0" + text,
        lambda _: "",
        lambda _: None,
    ):
        yield "metrics.csv", edit
    for edit in (lambda _: "", lambda _: "not a network", lambda _: None):
        yield "best.keras", edit


def test_damaged_folders_are_named(finished, dataset, tmp_path):
    for number, (name, edit) in enumerate(damaged_folders()):
        folder = shutil.copytree(finished.folder, tmp_path / str(number))
        path = folder / name
        text = edit(path.read_text("utf-8", errors="replace"))
        path.unlink()
        if text is not None:
            path.write_text(text)
        with pytest.raises(ValueError, match=rf"is damaged: .*Received: {folder}/\w+\.\w+$"):
            run(folder, dataset)


@pytest.mark.large
def test_damaged_weights_are_named(finished, dataset, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", dataset, callbacks=[Stop(2)])
    whole = (tmp_path / "run" / "state-0002.weights.h5").read_bytes()
    for number, content in enumerate(
        (b"", whole[:-100], whole.replace(b"\0\0", b"\0\1", 1), b"no", None)
    ):
        folder = shutil.copytree(tmp_path / "run", tmp_path / str(number))
        path = folder / "state-0002.weights.h5"
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{path.name} is damaged: .*Received: {path}"):
            run(folder, dataset)
    assert run(tmp_path / "run", dataset).test == finished.test


@pytest.mark.large
def test_a_full_disk(finished, dataset, tmp_path):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Fill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))

    try:
        with pytest.raises(
            OSError, match=r"state-0002\.weights\.h5 is not complete after [\d,]+ b"
        ):
            run(tmp_path / "run", dataset, callbacks=[Fill()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "run").glob(".keras*"))
    again = run(tmp_path / "run", dataset)
    assert again.metrics == finished.metrics
    assert same_weights(again.classifiers[0], finished.classifiers[0])


class Poison(keras.callbacks.Callback):
    """Makes a weight NaN in the middle of an epoch, or at the very end of one."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.where, self.epoch = (epoch, batch), None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.where:
            kernel = self.model.get_layer("fc").kernel
            kernel.assign(kernel * float("nan"))


@pytest.mark.parametrize("where", [(2, 0), pytest.param((1, -1), marks=pytest.mark.large)])
def test_a_loss_that_is_not_finite(where, finished, dataset, tmp_path):
    epoch, batch = where
    last = len(dataset.train) * 7 // 10 // 8 - 1 if batch < 0 else batch
    with pytest.raises(FloatingPointError, match=r"not finite.* in epoch \d of 4.*is kept in"):
        run(tmp_path / "run", dataset, callbacks=[Poison(epoch, last)])
    state = RunFolder(tmp_path / "run").read_state()
    assert state.epochs == epoch
    kept = keras.saving.load_model(tmp_path / "run" / "last.keras", compile=False)
    assert all(np.isfinite(each).all() for each in kept.get_weights())
    # The folder is as usable as after an interruption.
    again = run(tmp_path / "run", dataset)
    assert again.metrics == finished.metrics
    assert same_weights(again.classifiers[0], finished.classifiers[0])


def test_a_loss_that_is_never_finite(dataset, tmp_path):
    recipe = RECIPE.with_overrides({"fixbase_epochs": 0, "optimizer.learning_rate": 1e37})
    with pytest.raises(FloatingPointError, match=r"epoch 1 of 4.*nothing to keep.*=1e\+37"):
        run(tmp_path / "run", dataset, recipe)
    model = tiny_backbone()
    model.get_layer("fc").kernel.assign(model.get_layer("fc").kernel * float("inf"))
    with pytest.raises(ValueError, match=r"finite weights\. Received: .* in .*fc/kernel"):
        run(tmp_path / "other", dataset, model=model)
    assert not (tmp_path / "other").exists()


def test_the_first_step_is_announced(dataset, tmp_path, capsys):
    run(tmp_path / "run", dataset, RECIPE.with_overrides({"epochs": 2}), verbose=2)
    lines = capsys.readouterr().out.splitlines()
    (first, second) = (i for i, line in enumerate(lines) if line.startswith("Training "))
    assert lines[first].startswith("Training the classifier alone, epochs 1 to 1 of 2")
    assert lines[second].startswith("Training all layers, epochs 2 to 2 of 2")
    assert ("compiling" in lines[first]) == (keras.backend.backend() != "torch")
    assert (first, lines[first + 1].split(" - ")[0]) == (0, "5/5")


def test_another_run_is_found_before_any_work(finished, dataset, tmp_path):
    check_folder(RECIPE, tiny_backbone(), dataset, finished.folder)
    check_folder(RECIPE, tiny_backbone(), dataset, tmp_path / "new")
    with pytest.raises(ValueError, match=r"differs in seed"):
        check_folder(RECIPE, tiny_backbone(), dataset, finished.folder, seed=1)
    assert not (tmp_path / "new").exists()


def test_a_training_of_an_earlier_version_is_refused(dataset, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match=r"earlier version .* Received: .* with run\.json"):
        run(tmp_path, dataset)


def test_models_that_cannot_be_trained(dataset, tmp_path):
    def checked(model, message):
        with pytest.raises(ValueError, match=message):
            run(tmp_path / "run", dataset, model=model)
        assert not (tmp_path / "run").exists()

    backbone = tiny_backbone()
    logits = keras.layers.Dense(3, name="logits")(backbone.output)
    checked(keras.Model(backbone.input, logits), r"ends in logits")
    unit = keras.layers.UnitNormalization()(backbone.output)
    checked(keras.Model(backbone.input, unit), r"not normalized")
    maps = backbone.get_layer("norm").output
    checked(keras.Model(backbone.input, maps), r"Received: .*\(None, 7, 3, 8\)")
    checked(keras.Sequential([keras.layers.Dense(3)]), r"Received: Sequential")


def test_datasets_that_do_not_fit(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"must be a AttributeDataset .*Received: ReidDataset"):
        run(tmp_path / "run", dataset, load_recipe("attributes"))
    assert not (tmp_path / "run").exists()


def test_fewer_images_than_a_batch(dataset, tmp_path):
    recipe = RECIPE.with_overrides({"epochs": 1, "validation_fraction": 0.0, "batch_size": 500})
    with pytest.warns(UserWarning, match=r"all \d+ of them, in place of 500"):
        run(tmp_path / "run", dataset, recipe)


KILLED = """
import sys
from pathlib import Path
from test_trainer import RECIPE, run, split_by_identity, write_synthetic_people, SIZE
folder = Path(sys.argv[1])
people = write_synthetic_people(folder / "people", 12, views=4, image_size=SIZE)
dataset = split_by_identity(people, 0.4)
run(folder / "run", dataset, RECIPE.with_overrides({"epochs": 400}))
"""


@pytest.mark.large
def test_kill_9_in_the_middle(tmp_path):
    """A killed process leaves a folder from which another resumes to the same end."""
    here = Path(__file__).parent
    paths = [here, here.parent, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, os.fspath(tmp_path)], env=environment, stderr=subprocess.PIPE
    )
    run_folder, deadline = tmp_path / "run", time.monotonic() + 120
    while not RunFolder(run_folder).read_state().epochs and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.poll() is None, process.stderr.read().decode()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    done = RunFolder(run_folder).read_state().epochs
    recipe = RECIPE.with_overrides({"epochs": 400})
    people = write_synthetic_people(tmp_path / "people", 12, views=4, image_size=SIZE)
    dataset = split_by_identity(people, 0.4)

    # To a few epochs beyond where it was killed; all 400 would take a minute.
    class Enough(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == done + 3:
                raise KeyboardInterrupt

    folders = [run_folder, tmp_path / "whole"]
    for folder in folders:
        with pytest.raises(KeyboardInterrupt):
            run(folder, dataset, recipe, callbacks=[Enough()])
    states = [RunFolder(folder).read_state() for folder in folders]
    # The files also hold Keras's names of the layers, which it counts up within a process.
    assert replace(states[0], digest=None) == replace(states[1], digest=None)
    assert states[0].epochs == len(states[0].metrics) == done + 3
    names = [RunFolder(folder).weights_path(done + 3) for folder in folders]
    with h5py.File(names[0]) as one, h5py.File(names[1]) as other:
        found = []

        def compare(name, value):
            if isinstance(value, h5py.Dataset):
                np.testing.assert_array_equal(value[()], other[name][()])
                found.append(name)

        one.visititems(compare)
    # The network has twelve variables; the optimizer keeps its slots as a vector each.
    assert {name.partition("/")[0] for name in found} == {"layers", "optimizer"}
    assert len(found) > 12
