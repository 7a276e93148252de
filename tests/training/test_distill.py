"""Distillation: teachers of every kind, what is kept, and what an interruption leaves."""

import io
import json
import os
import shutil
import zipfile

import keras
import numpy as np
import pytest
from tiny_networks import SIZE, tiny_backbone

import keras_osnet
from keras_osnet.bulk import embed_to_parquet
from keras_osnet.data import list_images, load_images, split_by_identity
from keras_osnet.data.records import EmbeddedImages
from keras_osnet.deploy import export
from keras_osnet.evaluation import embed_images
from keras_osnet.metrics import normalize
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training import distill, load_recipe, train
from keras_osnet.training.run_folder import VECTORS, RunFolder
from keras_osnet.training.teachers import Teachers, open_teacher, vectors_of_files
from keras_osnet.training.vector_table import read_vector_table

RECIPE = load_recipe("distill").with_overrides(
    {"epochs": 3, "batch_size": 8, "loss.cosine_weight": 1.0, "optimizer.learning_rate": 1e-2}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_synthetic_people(folder, 6, views=2, image_size=SIZE)
    return folder


@pytest.fixture(scope="module")
def images(folder):
    return list_images(folder)


@pytest.fixture(scope="module")
def large():
    """A teacher with vectors of 16 numbers; the student's have 8."""
    keras.utils.set_random_seed(5)
    backbone = tiny_backbone(seed=5)
    longer = keras.layers.Dense(16, name="longer")(backbone.output)
    return keras.Model(backbone.input, longer, name="large")


def run(place, images, teacher, recipe=RECIPE, model=None, **arguments):
    model = model or tiny_backbone()
    return distill(recipe, model, teacher, images, place, **{"verbose": 0, **arguments})


@pytest.fixture(scope="module")
def finished(images, large, tmp_path_factory):
    return run(tmp_path_factory.mktemp("run") / "run", images, large)


def same_weights(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


@pytest.mark.backends
def test_the_student_approaches_the_teacher(finished):
    losses = [row["loss"] for row in finished.metrics]
    assert losses[-1] < losses[0]
    assert {"cosine_loss", "distance_loss", "angle_loss"} < set(finished.metrics[0])


def test_the_network_that_is_kept_is_the_student_alone(finished):
    (path,) = finished.paths
    assert path.name == "last.keras"
    (saved,) = finished.load_embedders()
    assert saved.output_shape == (None, 8)
    assert saved.count_params() == tiny_backbone().count_params()
    assert same_weights(saved, finished.embedders[0])


def test_the_vectors_are_the_teacher_s_with_flips(finished, images, large):
    kept = read_vector_table(finished.folder / VECTORS)
    expected = normalize(embed_images(large, images, flip=True).vectors)
    assert kept.paths == images
    np.testing.assert_allclose(kept.vectors, expected, atol=1e-6)


def test_the_teacher_runs_once(finished, images, large, tmp_path, monkeypatch):
    place = tmp_path / "run"
    shutil.copytree(finished.folder, place)
    monkeypatch.setattr(Teachers, "embed", lambda *_, **__: pytest.fail("it ran again"))
    again = run(place, images, large)
    assert again.metrics == finished.metrics
    assert same_weights(again.embedders[0], finished.embedders[0])


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def test_an_interrupted_training_resumes_to_the_bit(finished, images, large, tmp_path):
    place = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(place, images, large, callbacks=[Stop()])
    assert RunFolder(place).read_state().epochs == 1
    resumed = run(place, images, large)
    assert resumed.metrics == finished.metrics
    assert same_weights(resumed.embedders[0], finished.embedders[0])


@pytest.mark.large
def test_interrupted_before_the_vectors_are_kept(finished, images, large, tmp_path, monkeypatch):
    place = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_vectors", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            run(place, images, large)
    resumed = run(place, images, large)
    assert same_weights(resumed.embedders[0], finished.embedders[0])


def changed(path):
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("damage", [changed, lambda path: path.unlink()], ids=["changed", "lost"])
def test_damaged_vectors_are_refused(finished, images, large, tmp_path, damage):
    place = tmp_path / "run"
    shutil.copytree(finished.folder, place)
    damage(place / VECTORS)
    with pytest.raises(ValueError, match=rf"{VECTORS} is damaged: .*Received: {place / VECTORS}"):
        run(place, images, large)


@pytest.mark.parametrize("change", ["teacher", "flip", "images", "recipe"])
def test_another_distillation_in_the_folder_is_refused(finished, images, large, tmp_path, change):
    place = tmp_path / "run"
    shutil.copytree(finished.folder, place)
    arguments = {"images": images, "teacher": large}
    if change == "teacher":
        arguments["teacher"] = tiny_backbone(seed=9)
    elif change == "flip":
        arguments["flip"] = False
    elif change == "images":
        arguments["images"] = [*images[1:], images[0]]
    else:
        arguments["recipe"] = RECIPE.with_overrides({"loss.cosine_weight": 2.0})
    with pytest.raises(ValueError, match=r"`folder` holds a training that differs in"):
        run(place, **arguments)


def test_images_are_told_apart_by_their_folders_wherever_these_are(images, large, tmp_path):
    for folder in ("first/a", "first/b"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(images[0], tmp_path / "first/a/1.png")
    shutil.copy(images[1], tmp_path / "first/b/2.png")
    run(tmp_path / "run", list_images(tmp_path / "first"), large)
    shutil.move(tmp_path / "first", tmp_path / "moved")
    run(tmp_path / "run", list_images(tmp_path / "moved"), large)
    shutil.move(tmp_path / "moved/b/2.png", tmp_path / "moved/a/2.png")
    (tmp_path / "moved/b").rmdir()
    with pytest.raises(ValueError, match=r"differs in"):
        run(tmp_path / "run", list_images(tmp_path / "moved"), large)


def test_a_table_is_a_teacher(finished, images, large, tmp_path):
    table = tmp_path / "vectors.npz"
    embed_images(large, images, flip=True).save(table)
    result = run(tmp_path / "run", images, str(table))
    np.testing.assert_allclose(
        [row["loss"] for row in result.metrics],
        [row["loss"] for row in finished.metrics],
        rtol=1e-4,
    )


@pytest.mark.large
def test_an_exported_file_is_a_teacher(images, tmp_path):
    file = tmp_path / "large.tflite"
    model = keras_osnet.OSNet(
        0.25,
        head="embedding",
        input_shape=(64, 32, 3),
        depths=(1, 1, 1),
        include_preprocessing=True,
    )
    export(model, file)
    few = images[:5]
    seen = []
    vectors = Teachers(str(file)).embed(few, progress=seen.append)
    assert seen == [5]
    unit = normalize(embed_images(model, few).vectors)
    pixels = load_images(few, (64, 32)).images[:, :, ::-1]
    mirrored = normalize(model.predict(pixels.astype("float32"), verbose=0))
    np.testing.assert_allclose(vectors, normalize(unit + mirrored), atol=1e-4)


@pytest.mark.large
def test_a_parquet_data_set_is_a_teacher(folder, images, tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `bulk` is not installed")
    model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1))
    file = tmp_path / "large.tflite"
    export(model, file)
    embed_to_parquet(folder, tmp_path / "vectors", Embedder(file))
    vectors = Teachers(str(tmp_path / "vectors")).embed(images)
    expected = Teachers(str(file), flip=False).embed(images)
    np.testing.assert_allclose(vectors, expected, atol=1e-3)  # float16


def test_relative_names_of_a_table_are_found(folder, images, monkeypatch):
    monkeypatch.chdir(folder)
    names = [os.path.relpath(path) for path in images]
    table = EmbeddedImages(np.eye(len(images), dtype="float32"), [*map(type(folder), names)], {})
    assert np.array_equal(vectors_of_files(table, images), table.vectors)


def test_an_image_that_a_table_lacks_is_named(images, tmp_path):
    table = EmbeddedImages(np.ones((5, 4), "float32"), images[:5], {})
    with pytest.raises(ValueError, match=rf"7 of 12 images .*{images[5]}.*Received: a table of 5"):
        run(tmp_path / "run", images[:12], table)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"vectors": np.ones((2, 3))}, "has no names"),
        ({"names": np.array(["a", "b"])}, "has no vectors"),
        ({"vectors": np.ones((2, 3)), "names": np.array(["a"])}, "2 vectors and 1 names"),
        ({"vectors": np.ones((2, 3)), "names": np.array(["a", "a"])}, "a twice"),
        ({"vectors": np.full((1, 3), np.nan), "names": np.array(["a"])}, "finite"),
        ({"vectors": np.ones(3), "names": np.array(["a", "b", "c"])}, "non-empty array"),
    ],
    ids=["no names", "no vectors", "lengths", "twice", "nan", "one axis"],
)
def test_tables_that_cannot_be_used(tmp_path, content, problem):
    file = tmp_path / "vectors.npz"
    np.savez(file, **content)
    with pytest.raises(ValueError, match=rf"`teacher` must .*{problem}") as error:
        read_vector_table(file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_truncated_table_is_refused(tmp_path, images, kept):
    file = tmp_path / "vectors.npz"
    EmbeddedImages(np.ones((len(images), 4), "float32"), images, {}).save(file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"must be an \.npz file .*Received: {file}"):
        read_vector_table(file)


@pytest.mark.parametrize("kind", ["array", "damaged", "huge"])
def test_broken_archives_are_refused(tmp_path, kind):
    """Each gives another kind of error: TypeError, zlib.error and MemoryError."""
    file = tmp_path / "vectors.npz"
    if kind == "array":
        with file.open("wb") as stream:
            np.save(stream, np.zeros((2, 3)))
    elif kind == "damaged":
        names = np.array([str(number) for number in range(50)])
        np.savez_compressed(file, vectors=np.arange(1500.0).reshape(50, 30) ** 0.5, names=names)
        content = bytearray(file.read_bytes())
        content[200:260] = bytes(range(100, 160))
        file.write_bytes(content)
    else:
        header = io.BytesIO()
        facts = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 512)}
        np.lib.format.write_array_header_1_0(header, facts)
        np.savez(file, names=np.array(["a"]))
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("vectors.npy", header.getvalue())
    with pytest.raises(ValueError, match=rf"must be an \.npz file .*Received: {file}"):
        read_vector_table(file)


def test_a_table_that_does_not_exist():
    with pytest.raises(FileNotFoundError, match=r"`teacher` does not exist. Received: none.npz"):
        read_vector_table("none.npz")


def test_several_teachers(images, large):
    small = tiny_backbone(seed=3)
    parts = [normalize(embed_images(each, images, flip=True).vectors) for each in (large, small)]
    both = Teachers([large, small]).embed(images)
    assert both.shape == (len(images), 24)
    cosines = [part @ part.T for part in parts]
    np.testing.assert_allclose(both @ both.T, np.mean(cosines, axis=0), atol=1e-5)
    other = tiny_backbone(seed=4)
    mean = Teachers([other, small], combine="average").embed(images)
    ours = normalize(embed_images(other, images, flip=True).vectors) + parts[1]
    np.testing.assert_allclose(mean, normalize(ours), atol=1e-5)


def test_progress_counts_all_teachers(images, large):
    seen = []
    table = EmbeddedImages(np.ones((len(images), 4), "float32"), images, {})
    Teachers([large, table, large]).embed(images, progress=seen.append)
    assert seen[-1] == 3 * len(images)
    assert seen == sorted(seen)


def test_lengths_that_cannot_be_averaged(large):
    with pytest.raises(ValueError, match=r"one length.*Received: lengths 16, 8"):
        Teachers([large, tiny_backbone()], combine="average")


@pytest.mark.parametrize(
    ("value", "problem"), [(0, "a zero vector"), (1e300, "NaN or infinity"), (1e-300, "a zero")]
)
def test_a_vector_of_no_use_is_refused_first(images, large, tmp_path, value, problem):
    vectors = np.ones((len(images), 4))
    vectors[3] = value
    table = EmbeddedImages(vectors, images, {})
    with pytest.raises(ValueError, match=rf"Received: {problem}.* for {images[3]}"):
        run(tmp_path / "run", images, [large, table])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("vectors", "problem"),
    [
        (np.ones(3), r"`teacher` must be a non-empty array"),
        (np.full((3, 2), np.nan), r"`teacher` must be finite"),
        (np.array([["a", "b"]] * 3), r"`teacher` must hold real numbers"),
        (np.ones((2, 2)), r"a vector for each path. Received: 2 vectors and 3 paths"),
    ],
    ids=["flat", "nan", "text", "short"],
)
def test_vectors_that_are_no_table(images, vectors, problem):
    with pytest.raises(ValueError, match=problem):
        Teachers(EmbeddedImages(vectors, images[:3], {}))


def test_two_rows_of_a_table_for_one_image(images):
    paths = [*images, images[0].parent / "." / ".." / images[0].parent.name / images[0].name]
    table = EmbeddedImages(np.eye(len(paths), dtype="float32"), paths, {})
    with pytest.raises(ValueError, match=r"one row for each image. Received: two rows for "):
        Teachers(table).describe(images)


def test_a_table_is_told_apart_by_the_vectors_of_the_images(images):
    vectors = np.eye(len(images), dtype="float32")
    known = Teachers(EmbeddedImages(vectors, images, {})).describe(images[:4])
    # Rows in another order and of further images do not matter, another vector does.
    reversed_rows = EmbeddedImages(vectors[::-1], images[::-1], {})
    assert Teachers(reversed_rows).describe(images[:4]) == known
    swapped = EmbeddedImages(vectors, [images[1], images[0], *images[2:]], {})
    assert Teachers(swapped).describe(images[:4]) != known


def test_teachers_of_the_same_weights_that_compute_something_else(images):
    def teacher(**arguments):
        keras.utils.set_random_seed(0)
        return keras_osnet.OSNet(
            0.25,
            head="embedding",
            input_shape=(64, 32, 3),
            depths=(1, 1, 1),
            streams=1,
            include_preprocessing=True,
            **arguments,
        )

    changes = [{}, {}, {"pooling": "max"}, {"mean": [0.5] * 3, "std": [0.5] * 3}]
    same, again, *others = [Teachers(teacher(**each)).describe(images) for each in changes]
    assert same == again
    assert same not in others


def test_a_table_in_the_home_folder(images, tmp_path, monkeypatch):
    EmbeddedImages(np.eye(len(images)), images, {}).save(tmp_path / "vectors.npz")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Teachers("~/vectors.npz").embed(images).shape == (len(images), len(images))


def test_a_tag_goes_before_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synthetic").mkdir()
    assert open_teacher("synthetic").name == "osnet_x0_25"


def test_what_the_training_refuses_is_said_before_the_teacher_runs(images, tmp_path, monkeypatch):
    monkeypatch.setattr(Teachers, "embed", lambda *_, **__: pytest.fail("the teacher ran"))
    table = EmbeddedImages(np.eye(len(images)), images, {})
    with pytest.raises(ValueError, match=r"`seed` must be"):
        run(tmp_path / "run", images, table, seed=-1)
    arguments = {"head": "embedding", "depths": (1, 1, 1), "streams": 1}
    model = keras_osnet.OSNet(0.25, input_shape=(None, None, 3), **arguments)
    with pytest.raises(ValueError, match=r"`model` must have a fixed image size"):
        run(tmp_path / "run", images, table, model=model)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("teacher", [7, [], None], ids=str)
def test_what_is_no_teacher(teacher):
    with pytest.raises(ValueError, match=r"`teacher` must be .*Received: "):
        Teachers(teacher)


def test_a_teacher_with_flips_has_one_target_for_both(images, large):
    straight = Teachers(large).embed(images[:2])
    plain = Teachers(large, flip=False).embed(images[:2])
    assert np.abs(straight - plain).max() > 1e-3
    np.testing.assert_allclose(plain, normalize(embed_images(large, images[:2]).vectors), atol=1e-6)


@pytest.mark.large
def test_labels_beside(folder, large, tmp_path):
    people = split_by_identity(write_synthetic_people(folder, 6, views=2, image_size=SIZE), 0.4)
    recipe = RECIPE.with_overrides(
        {
            "batch_size": [2, 2],
            "fixbase_epochs": 1,
            "loss.label_weight": 0.5,
            "loss.triplet_weight": 1.0,
        }
    )
    result = run(tmp_path / "run", people, large, recipe)
    assert {"logits_loss", "embedding_loss", "cosine_loss", "logits_accuracy"} < set(
        result.metrics[0]
    )
    assert result.classifiers[0].output_shape == (None, len(people.train_identities))
    assert 0 < result.test["mAP"] <= 1
    assert result.load_embedders()[0].output_shape == (None, 8)


@pytest.mark.large
def test_without_labels_a_dataset_is_tested(folder, large, tmp_path):
    people = split_by_identity(write_synthetic_people(folder, 6, views=2, image_size=SIZE), 0.4)
    result = run(tmp_path / "run", people, large, RECIPE.with_epochs(1))
    assert result.test["queries"] == len(people.query)
    record = json.loads((result.folder / "training.json").read_text())
    assert record["runs"]["."]["training"]["class_names"] == []


@pytest.mark.large
def test_an_unreadable_image_is_left_out(images, large, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"1 of 25 images of images cannot be read"):
        result = run(tmp_path / "run", [*images, broken], large, RECIPE.with_epochs(1))
    assert len(read_vector_table(result.folder / VECTORS).paths) == 24


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss.label_weight": 1.0}, r"`images` must be a ReidDataset"),
        ({"fixbase_epochs": 1}, r"`fixbase_epochs` .* needs layers"),
        ({"validation_fraction": 0.2}, r"`validation_fraction`"),
    ],
    ids=["labels", "fixbase", "validation"],
)
def test_recipes_that_do_not_fit(images, large, tmp_path, changes, message):
    recipe = RECIPE.with_overrides({"loss.cosine_weight": 0.0, **changes})
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "run", images, large, recipe)
    assert not (tmp_path / "run").exists()


def test_a_recipe_without_a_loss_of_the_teacher_is_refused():
    with pytest.raises(ValueError, match=r"`loss` .* at least one of cosine_weight, distance_w"):
        RECIPE.with_overrides(
            {"loss.cosine_weight": 0, "loss.distance_weight": 0, "loss.angle_weight": 0}
        )


def test_recipes_of_other_tasks_are_refused(images, large, tmp_path, folder):
    with pytest.raises(ValueError, match=r"task distillation. Received: 'few_people'"):
        run(tmp_path / "run", images, large, "few_people")
    people = split_by_identity(write_synthetic_people(folder, 6, views=2, image_size=SIZE), 0.4)
    with pytest.raises(ValueError, match=r"keras_osnet.training.distill trains by one"):
        train(RECIPE, tiny_backbone(), people, tmp_path / "run")
