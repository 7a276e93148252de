import dataclasses
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_osnet._utils import files
from keras_osnet.runtime import Embedder, ModelFileError, read_metadata, write_threshold
from keras_osnet.runtime.metadata import ModelMetadata
from keras_osnet.runtime.read_metadata import MOST_BYTES, digest_of
from keras_osnet.runtime.threshold import Threshold

FILES = ["one.tflite", "any.onnx", "any.xml"]

THRESHOLD = Threshold(
    similarity=0.75,
    similarity_interval=(0.7, 0.8),
    false_positive_rate=0.01,
    false_positive_interval=(0.006, 0.015),
    true_positive_rate=0.5,
    true_positive_interval=(0.4, 0.6),
    confidence=0.95,
    genuine_pairs=2560,
    impostor_pairs=99840,
    identities=40,
)


def beside(path):
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


@pytest.mark.parametrize("name", FILES)
def test_written_and_removed(described, people, name):
    """Outputs, digest and all other bytes stay as they are."""
    path = described(name, license='a "b" <c/> & d', source="it's é\n\t")
    before = beside(path)
    embedder = Embedder(path)
    vectors, digest = embedder.embed(people), embedder.digest
    plain = read_metadata(path)
    assert plain.threshold is None

    written = write_threshold(path, THRESHOLD, digest=digest)
    assert written.threshold == THRESHOLD
    assert read_metadata(path) == dataclasses.replace(plain, threshold=THRESHOLD)
    embedder = Embedder(path, verify=True)
    assert embedder.digest == digest
    np.testing.assert_array_equal(embedder.embed(people), vectors)
    assert set(beside(path)) == set(before)

    other = dataclasses.replace(THRESHOLD, similarity=-0.25, similarity_interval=(-0.5, 0.0))
    with pytest.raises(ValueError, match=r"has a threshold already; `overwrite=True`.*0\.7500"):
        write_threshold(path, other)
    write_threshold(path, other, overwrite=True)
    assert read_metadata(path).threshold == other
    write_threshold(path, None)
    assert beside(path) == before


def test_other_readers_take_the_file(described):
    onnx = pytest.importorskip("onnx")
    path = described("any.onnx")
    model = onnx.load(path)
    write_threshold(path, THRESHOLD)
    changed = onnx.load(path)
    onnx.checker.check_model(changed)
    assert changed.graph == model.graph
    (entry,) = changed.metadata_props
    assert json.loads(entry.value)["threshold"]["similarity"] == 0.75


def test_labels_and_other_files_of_the_archive_stay(described):
    path = described("one.tflite")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "of other software\n")
    write_threshold(path, THRESHOLD)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt") == b"of other software\n"
        assert archive.testzip() is None


@pytest.mark.parametrize(
    ("packing", "size", "problem"),
    [
        (zipfile.ZIP_DEFLATED, MOST_BYTES, "unpacks to more than"),
        (zipfile.ZIP_BZIP2, 10, "zeros is packed in a new way"),
    ],
    ids=["large", "bzip2"],
)
def test_an_archive_that_unpacks_to_anything(described, packing, size, problem):
    path = described("one.tflite")
    write_threshold(path, THRESHOLD)
    with zipfile.ZipFile(path, "a", packing) as archive:
        archive.writestr("zeros", bytes(size))
    before = beside(path)
    with pytest.raises(ModelFileError, match=rf"{problem}.*Received: .*one\.tflite"):
        Embedder(path)
    with pytest.raises(ModelFileError, match=problem):
        write_threshold(path, None)
    assert beside(path) == before


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(described, name):
    """A changed bit is noticed, or is where neither the model nor its metadata are."""
    path = described(name)
    write_threshold(path, THRESHOLD)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    noticed = []
    for place in rng.choice(len(whole), 40, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            write_threshold(path, None)
        except ValueError as error:
            noticed.append(str(error))
            assert path.read_bytes() == damaged
        else:
            assert read_metadata(path).threshold is None
    assert all(str(path) in each for each in noticed)
    assert len(noticed) >= (30 if name == "one.tflite" else 40)  # not all of ZIP headers


def test_metadata_in_another_order(described):
    """Readers of protobufs take the fields of an entry in any order."""
    onnx = pytest.importorskip("onnx")
    path = described("any.onnx")
    (entry,) = onnx.load(path).metadata_props
    stored = entry.SerializeToString()
    key = onnx.StringStringEntryProto(key=entry.key).SerializeToString()
    content = path.read_bytes().replace(stored, stored[len(key) :] + key)
    old = read_metadata(path).digest
    new = digest_of(content, digest=old)
    path.write_bytes(content.replace(old.encode(), new.encode()))
    assert read_metadata(path).digest == new != old
    with pytest.raises(ModelFileError, match=r"not stored as keras-osnet does.*any\.onnx"):
        write_threshold(path, THRESHOLD)


@pytest.mark.parametrize("name", FILES)
def test_an_interruption_leaves_the_file(described, monkeypatch, name):
    path = described(name)
    before = beside(path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_threshold(path, THRESHOLD)
    assert beside(path) == before
    monkeypatch.undo()
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda *_: interrupted())
    with pytest.raises(KeyboardInterrupt):
        write_threshold(path, THRESHOLD)
    assert beside(path) == before


def test_a_process_that_was_killed_while_it_wrote(described):
    path = described("any.onnx")
    left = files.temporary_path(path)
    files._own.discard(left.name)
    left = left.rename(left.with_name(left.name)) if left.exists() else left
    left.write_bytes(path.read_bytes()[:100])
    files._swept.clear()
    write_threshold(path, THRESHOLD)
    assert read_metadata(path).threshold == THRESHOLD


def test_a_file_that_was_replaced_meanwhile(described, monkeypatch):
    path = described("any.onnx")
    digest = Embedder(path).digest
    described("any.onnx", license="another")
    before = beside(path)
    with pytest.raises(ModelFileError, match=r"replaced since.*any\.onnx"):
        write_threshold(path, THRESHOLD, digest=digest)
    assert beside(path) == before


@pytest.mark.parametrize("name", FILES)
def test_a_symbolic_link(described, tmp_path, name):
    path = described(name)
    names = list(beside(path))
    folder = tmp_path / "links"
    folder.mkdir()
    for each in names:
        (folder / each).symlink_to(path.with_name(each))
    write_threshold(folder / name, THRESHOLD)
    assert read_metadata(path).threshold == THRESHOLD
    assert (folder / name).is_symlink()
    assert Embedder(folder / name, verify=True).metadata.threshold == THRESHOLD


@pytest.mark.parametrize("place", ["file", "folder"])
def test_no_permission(described, monkeypatch, place):
    path = described("any.onnx")
    before = beside(path)
    closed = path if place == "file" else path.parent
    monkeypatch.setattr("os.access", lambda each, mode: each != closed)
    with pytest.raises(OSError, match=rf"without permission.*no permission for {closed}$"):
        write_threshold(path, THRESHOLD)
    assert beside(path) == before


def test_processes_that_write_at_once(described):
    """One writes, and the others say that the file has changed or has a threshold already."""
    path = described("any.xml")
    program = (
        "import sys\n"
        "from keras_osnet.runtime import write_threshold\n"
        "from keras_osnet.runtime.threshold import Threshold\n"
        "from keras_osnet.runtime.read_metadata import ModelFileError\n"
        f"facts = {dataclasses.asdict(THRESHOLD)}\n"
        "sys.stdin.readline()\n"
        "try: write_threshold(sys.argv[1], Threshold(**facts | {'identities': int(sys.argv[2])}))\n"
        "except ModelFileError: print('replaced since')\n"
        "except ValueError: print('has one')\n"
        "else: print('wrote')\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, path, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2, 3)
    ]
    for each in processes:
        each.stdin.write("\n")
        each.stdin.flush()
    said = [each.communicate()[0].strip() for each in processes]
    assert set(said) <= {"wrote", "has one", "replaced since"}
    assert said.count("wrote") == 1
    assert read_metadata(path).threshold.identities == 1 + said.index("wrote")
    Embedder(path, verify=True)


def test_files_without_a_place_for_it(stock, described):
    with pytest.raises(ValueError, match=r"has no metadata. Received: .*any\.onnx"):
        write_threshold(stock["any.onnx"], THRESHOLD)
    path = described("any.onnx", output_kind="classification")
    with pytest.raises(ValueError, match=r"gives embeddings. Received: classification"):
        write_threshold(path, THRESHOLD)
    with pytest.raises(FileNotFoundError):
        write_threshold(path.with_name("gone.onnx"), THRESHOLD)
    with pytest.raises(ValueError, match="`threshold` of a model's metadata must be None but"):
        ModelMetadata(
            name="a", dim=2, image_size=(2, 1), output_kind="attribute", threshold=THRESHOLD
        )


@pytest.mark.parametrize("name", FILES)
def test_same_person(described, people, name):
    path = described(name)
    with pytest.raises(ValueError, match=r"`keras-osnet threshold --weights .*(any|one)\."):
        Embedder(path, verify=True).same_person(people[0], people[1])
    vectors = Embedder(path).embed(people)
    cosines = vectors @ vectors.T
    first, second = np.unravel_index(cosines.argmin(), cosines.shape)
    middle = (cosines.min() + 1) / 2
    interval = (middle - 0.1, 1.0)
    write_threshold(
        path,
        dataclasses.replace(THRESHOLD, similarity=middle, similarity_interval=interval),
    )
    embedder = Embedder(path)
    decision = embedder.same_person(people[first], people[second])
    assert not decision
    assert not decision.same
    assert decision.threshold == middle
    assert decision.similarity == pytest.approx(cosines.min(), abs=1e-5)
    mixed = embedder.same_person(10 * vectors[first], people[second])
    assert mixed.similarity == pytest.approx(decision.similarity, abs=1e-5)
    assert embedder.same_person(vectors[first], vectors[first])
    assert embedder.same_person(people[first], people[first]).similarity == pytest.approx(1)


def test_arguments_of_same_person(described, people):
    path = described("any.onnx")
    write_threshold(path, THRESHOLD)
    embedder = Embedder(path)
    for wrong in (np.zeros(7), np.full(8, np.nan), np.array(["a"] * 8), np.zeros((1, 8))):
        with pytest.raises(ValueError, match="`second` must be an image, or an embedding of 8"):
            embedder.same_person(people[0], wrong)
    with pytest.raises(ValueError, match=r"`first` must be one image. Received: 2"):
        embedder.same_person(people[:2], people[0])
    for wrong in (None, 3, b"a.png", [[people[0]]], np.float32(3)):
        with pytest.raises(TypeError, match=r"`second` must be an array .*, the path of a file or"):
            embedder.same_person(np.ones(8), wrong)
    with pytest.raises(TypeError, match="`first` must be RGB of 0–255 in uint8"):
        embedder.same_person(people[0] / 255, people[0])
    with pytest.raises(ValueError, match=r"`second` must have the shape \(height, width, 3\)"):
        embedder.same_person(people[0], people[0][:, :, :2])


def test_same_person_of_every_kind(described, people, tmp_path):
    path = described("any.onnx")
    write_threshold(path, THRESHOLD)
    embedder = Embedder(path)
    image = Image.fromarray(people[0])
    image.save(tmp_path / "Zoë.png")
    vector = embedder.embed(people[0])[0]
    huge = vector.astype(np.float64) * 1e300  # its squares overflow
    kinds = [people[0], people[:1], [people[0]], image, tmp_path / "Zoë.png", vector, huge]
    for first in kinds:
        for second in kinds:
            assert embedder.same_person(first, second).similarity == pytest.approx(1, abs=1e-6)
    assert embedder.same_person(people[0], np.zeros(8)).similarity == 0


WRONG = {
    "similarity": 1.5,
    "similarity_interval": (0.9, 0.8),
    "false_positive_rate": float("nan"),
    "false_positive_interval": 0.5,
    "true_positive_rate": "0.5",
    "true_positive_interval": (0.1, 0.2, 0.3),
    "confidence": -1,
    "genuine_pairs": 0,
    "impostor_pairs": 1.5,
    "identities": True,
}


@pytest.mark.parametrize("field", WRONG)
def test_fields_are_checked(field):
    facts = dataclasses.asdict(THRESHOLD) | {field: WRONG[field]}
    with pytest.raises(ValueError, match=f"`{field}`"):
        Threshold.from_facts(facts)
    metadata = ModelMetadata(name="a", dim=2, image_size=(2, 1), threshold=THRESHOLD)
    written = json.loads(metadata.to_json())
    assert ModelMetadata.from_json(json.dumps(written)) == metadata
    written["threshold"].pop(field)
    with pytest.raises(ValueError, match="A threshold must have the fields"):
        ModelMetadata.from_json(json.dumps(written))
