"""Files that are damaged, mixed up, hostile or no files: one error that names the file."""

import hashlib
import io
import json
import os
import pickle
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_osnet._utils.file_set import replaced_together
from keras_osnet.runtime import Embedder, ModelFileError, read_metadata
from keras_osnet.runtime.engines.engine import Engine
from keras_osnet.runtime.read_metadata import files_of

KINDS = ["any.tflite", "any.onnx", "any.xml"]


@pytest.fixture
def no_engine(monkeypatch):
    """Fail if an engine is opened."""
    monkeypatch.setattr(Engine, "__init__", lambda *_, **__: pytest.fail("an engine saw it"))


def refused(path, message="", **arguments):
    with pytest.raises(ModelFileError, match=f"(?s){message}.*{path.name}") as error:
        Embedder(path, **arguments)
    return error.value


@pytest.mark.parametrize("name", KINDS)
def test_any_changed_byte_is_found_before_an_engine_sees_the_file(described, no_engine, name):
    path = described(name)
    content = path.read_bytes()
    rng = random.Random(name)
    tail = range(len(content) - 900, len(content))  # where the metadata is
    for place in (*rng.sample(range(len(content)), 80), *rng.sample(tail, 80)):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        with pytest.raises((ModelFileError, pytest.fail.Exception)) as error:
            Embedder(path)
        if error.type is ModelFileError:
            assert name in str(error.value)
        else:  # a byte of the ZIP archive that says nothing
            assert name == "any.tflite"
            assert place > content.index(b"PK\3\4")
    path.write_bytes(content)
    with pytest.raises(pytest.fail.Exception, match="an engine saw it"):
        Embedder(path)


@pytest.mark.parametrize("name", KINDS)
def test_the_digest_can_be_computed_with_other_tools(described, name):
    path = described(name)
    metadata = read_metadata(path)
    content = path.read_bytes()
    if name == "any.tflite":
        text = zipfile.ZipFile(path).read("keras_osnet.json")
        content = content[: content.index(b"PK\3\4")] + text
    zeros = content.replace(metadata.digest.encode(), b"0" * 64)
    assert metadata.digest == hashlib.sha256(zeros).hexdigest()
    if name == "any.xml":
        weights = path.with_suffix(".bin").read_bytes()
        assert metadata.weights_digest == hashlib.sha256(weights).hexdigest()


def test_a_pair_of_two_exports_is_refused(described, no_engine, tmp_path):
    path = described("any.xml")
    weights = path.with_suffix(".bin")
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    refused(path, r"any\.bin is not the file that any\.xml was exported with")
    assert read_metadata(path).dim == 8


def write(path, files):
    with replaced_together(path, files_of(path)) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", KINDS)
def test_an_interrupted_export_is_completed(described, monkeypatch, people, name):
    """The new files wait in a hidden folder, and one of a pair has been moved already."""
    path = described(name)
    expected = Embedder(path).embed(people)
    other = described(name, license="new")
    files = {each: other.with_name(each).read_bytes() for each in files_of(other)[:-1]}
    path = described(name)
    replace = os.replace

    def killed(source, target):
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write(path, files)
    monkeypatch.undo()
    assert [each for each in path.parent.iterdir() if each.name.startswith(".keras-osnet-set")]
    embedder = Embedder(path)
    assert embedder.metadata.license == "new"
    np.testing.assert_array_equal(embedder.embed(people), expected)
    assert {each.name for each in path.parent.iterdir()} == set(files)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_without_a_digest(stock, described, people, tmp_path, name):
    own = Embedder(described(name), verify=True)
    foreign = stock[name]
    with pytest.warns(UserWarning, match=f"{name} holds no digest.*verify=False"):
        Embedder(foreign, pixel_range="0-255")
    trusted = Embedder(foreign, pixel_range="0-255", verify=False)  # warnings are errors here
    np.testing.assert_allclose(trusted.embed(people), own.embed(people), rtol=0, atol=1e-6)
    assert pickle.loads(pickle.dumps(trusted)).embed(people).shape == (12, 8)
    refused(foreign, "no digest", pixel_range="0-255", verify=True)
    with pytest.raises(ValueError, match=r"`verify` must be one of None, True, False.*'no'"):
        Embedder(foreign, pixel_range="0-255", verify="no")


def test_the_range_of_the_pixels_is_asked_for_first(stock, no_engine):
    with pytest.raises(ValueError, match="does not say what its input is"):
        Embedder(stock["any.tflite"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["m.tflite", "m.onnx", "m.xml", "m.bin"])
def test_pipes_and_devices_are_not_waited_for(described, tmp_path, name):
    path = tmp_path / name
    if name == "m.bin":
        for suffix in (".xml", ".bin"):
            shutil.copy(described("any.xml").with_suffix(suffix), path.with_suffix(suffix))
        path.unlink()
    os.mkfifo(path)
    model = path.with_suffix(".xml") if name == "m.bin" else path
    with pytest.raises(ValueError, match=f"not a named pipe.*{name}"):
        Embedder(model)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=f"not a device.*{name}"):
        Embedder(model)


def zipped(text, method=zipfile.ZIP_STORED, change=None):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("keras_osnet.json", text)
    content = stream.getvalue()
    return content if change is None else change(content)


def smaller(content):
    """Let the sizes of an archive's entry lie: 9 bytes."""
    place = content.rindex(b"PK\1\2")
    return content[: place + 24] + struct.pack("<I", 9) + content[place + 28 :]


DEEP = '{"format": ' + "[" * 100_000
XML = "<net><rt_info><keras_osnet value='{}'/></rt_info></net>"
HOSTILE = {
    "deep.tflite": zipped(DEEP),
    "bomb.tflite": zipped(" " * (17 << 20), zipfile.ZIP_DEFLATED),
    "lying.tflite": zipped(" " * (17 << 20), zipfile.ZIP_DEFLATED, smaller),
    "lzma.tflite": zipped("{}", zipfile.ZIP_LZMA),
    "bzip2.tflite": zipped("{}", zipfile.ZIP_BZIP2),
    "zlib.tflite": zipped("{}" * 99, zipfile.ZIP_DEFLATED, lambda it: it.replace(b"\xab", b"\7")),
    "text.tflite": zipped(b"\xff\xfe{}"),
    "encoding.xml": b"<?xml version='1.0' encoding='klingon'?><net></net>",
    "wide.xml": b"<?xml version='1.0' encoding='utf-32'?><net></net>",
    "attribute.xml": XML.format("x" * (17 << 20)),
    "huge.xml": b"<net a='" + b"x" * (100 << 20) + b"'></net>",
    "entities.xml": b"<!DOCTYPE net [<!ENTITY a 'b'>]><net>&a;</net>",
    "deep.xml": XML.format(DEEP.replace('"', "&quot;")),
    "nested.xml": "<net>" + "<a>" * 100_000,
    "many.onnx": b"\x72\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    "text.onnx": b"\x72\x10\x0a\x0bkeras_osnet\x12\x01\xff",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(no_engine, tmp_path, name):
    path = tmp_path / name
    content = HOSTILE[name]
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    refused(path)
    with pytest.raises(ModelFileError, match=name):
        read_metadata(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("input", "height"), 10**9),
        (("input", "height"), "32"),
        (("input",), 3),
        (("output", "labels"), 3),
        (("output", "labels"), ["\ud800"] * 8),
        (("input", "mean"), [[0.5]] * 3),
        (("input", "pixel_range"), ["0-255"]),
        (("digest",), "0"),
        (("name",), {}),
        (("format",), [3]),
    ],
)
def test_metadata_of_wrong_types(described, no_engine, tmp_path, place, value):
    text = zipfile.ZipFile(described("any.tflite")).read("keras_osnet.json")
    facts = json.loads(text)
    *parents, last = place
    part = facts
    for parent in parents:
        part = part[parent]
    part[last] = value
    path = tmp_path / "changed.tflite"
    path.write_bytes(zipped(json.dumps(facts)))
    refused(path)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_weights_beside_an_onnx_file(stock, people, tmp_path, engine):
    import onnx

    path = tmp_path / "m.onnx"
    model = onnx.load(stock["any.onnx"])
    onnx.save(model, path, save_as_external_data=True, location="m.data", size_threshold=200)
    expected = Embedder(stock["any.onnx"], engine, pixel_range="0-255", verify=False).embed(people)
    embedder = Embedder(path, engine, pixel_range="0-255", verify=False)
    np.testing.assert_allclose(embedder.embed(people), expected, rtol=0, atol=1e-6)
    data = tmp_path / "m.data"
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    refused(path, "must lie beside it", pixel_range="0-255", verify=False)
    data.unlink()
    os.mkfifo(data)
    refused(path, "named pipe", pixel_range="0-255", verify=False)
    path.write_bytes(path.read_bytes().replace(b"m.data", b"../m.d"))
    refused(path, "must lie beside it", pixel_range="0-255", verify=False)


@pytest.mark.parametrize("name", KINDS)
def test_an_engine_that_fails_while_it_runs(described, people, monkeypatch, name):
    embedder = Embedder(described(name))

    def fail(*_):
        raise RuntimeError("of the engine")

    monkeypatch.setattr(embedder._engine, "_run", fail)
    monkeypatch.setattr(embedder._engine, "_parallel", lambda copies, _: [fail] * copies)
    with pytest.raises(ModelFileError, match=f"cannot run the model.*of the engine.*{name}"):
        embedder.embed(people)
    with pytest.raises(ModelFileError, match=f"cannot run the model.*of the engine.*{name}"):
        embedder.embed(people[:1])


@pytest.mark.parametrize("name", KINDS)
def test_endings_in_capitals(described, people, name):
    path = described(name)
    other = path.with_suffix(path.suffix.upper())
    path.rename(other)
    assert Embedder(other).embed(people[:1]).shape == (1, 8)


@pytest.mark.large
def test_a_short_run_of_the_fuzzer(tmp_path):
    fuzzer = Path(__file__).parents[1] / "fuzz" / "fuzz_exported_files.py"
    command = [
        sys.executable,
        fuzzer,
        "--inputs",
        "100",
        "--seed",
        "1",
        "--keep",
        tmp_path / "kept",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "kept").exists()
