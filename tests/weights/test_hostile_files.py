"""Safetensors, `.keras` and `.weights.h5` files that are damaged, or made to do harm."""

import io
import json
import os
import resource
import time
import zipfile

import h5py
import numpy as np
import pytest

import keras_osnet
from keras_osnet._utils.save_with_keras import save_with_keras
from keras_osnet.weights import (
    h5_reader,
    keras_files,
    read_state_dict,
    save_safetensors,
    to_torchreid,
    write_torch_checkpoint,
)

ARGUMENTS = {"width": 0.25, "depths": (1, 1, 1), "streams": 2}


@pytest.fixture(scope="module")
def model():
    return keras_osnet.OSNet(**ARGUMENTS, classes=5, input_shape=(64, 64, 3))


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """The bytes of the model in each format."""
    folder = tmp_path_factory.mktemp("files")
    for ending in ("keras", "weights.h5"):
        save_with_keras(model, folder / f"a.{ending}")
    save_safetensors(model, folder / "a.safetensors")
    return {path.name[2:]: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def in_process(monkeypatch):
    """HDF5 in this process, for files that do it no harm: quicker."""
    monkeypatch.setattr(keras_files, "checked_hdf5", h5_reader.copied)


def refused(path, words, **arguments):
    """Loads a file, which has to fail at once, by an error that names it."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with pytest.raises(ValueError, match=words) as caught:
        keras_osnet.load_model(path, **arguments)
    assert str(path) in str(caught.value)
    assert time.monotonic() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - largest < 300_000  # kB


# --- HDF5 --------------------------------------------------------------------------------------


def h5_file(path, files, change):
    path.write_bytes(files["weights.h5"])
    with h5py.File(path, "r+") as file:
        change(file["layers"])
    return path


def shape(name, value, dtype="float32", **options):
    def change(layers):
        del layers[name]
        layers.create_dataset(name, value, dtype, **options)

    return change


def null(layers):
    del layers["dense_1/vars/0"]
    layers["dense_1/vars/0"] = h5py.Empty("float32")


def link(target):
    def change(layers):
        del layers["dense_1/vars/0"]
        layers["dense_1/vars/0"] = target

    return change


def circle(layers):
    layers["conv_norm2d/again"] = layers


def external(layers):
    del layers["dense_1/vars/0"]
    layers.create_dataset("dense_1/vars/0", (512, 5), "float32", external="/etc/passwd")


def virtual(layers):
    del layers["dense_1/vars/0"]
    layout = h5py.VirtualLayout((512, 5), "float32")
    layout[:] = h5py.VirtualSource("/dev/zero", "x", (512, 5))
    layers.create_virtual_dataset("dense_1/vars/0", layout)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (shape("dense_1/vars/0", (0, 3_000_000)), r"classifier of shape \(0, 3000000\)"),
        (shape("dense_1/vars/0", (512, 0)), "classifier of shape"),
        (shape("dense_1/vars/0", (512,)), "classifier of shape"),
        (shape("dense_1/vars/0", (512, 5, 5)), "classifier of shape"),
        (shape("dense_1/vars/0", ()), "classifier of shape"),
        (shape("dense_1/vars/0", (512, 3_000_000)), "bytes and more, and the file only of"),
        (shape("dense_1/vars/0", (1, 200_000)), r"must be of shape \(512, classes\)"),
        (
            shape("dense_1/vars/0", (512, 1_000_000), chunks=True, compression="gzip"),
            "bytes and more",
        ),
        (shape("conv_norm2d/norm/vars/0", (1 << 40,)), "bytes and more"),
        (shape("conv_norm2d/norm/vars/0", (1 << 62, 1 << 62), chunks=(1, 1)), "bytes and more"),
        (shape("conv_norm2d/norm/vars/0", (3,)), "does not fit"),
        (shape("dense_1/vars/0", (512, 5), h5py.string_dtype()), "no array of numbers"),
        (shape("dense_1/vars/0", (512, 5), "S3"), "does not fit|no array of numbers"),
        (null, "no array of numbers"),
        (link(h5py.SoftLink("/layers/dense/vars/0")), "is a link"),
        (link(h5py.ExternalLink("/etc/passwd", "/x")), "is a link"),
        (link(h5py.ExternalLink("/tmp/pipe", "/x")), "is a link"),
        (external, "in another file"),
        (virtual, "in another file"),
        (circle, "inside of itself"),
    ],
)
@pytest.mark.usefixtures("in_process")
def test_h5_files(files, tmp_path, change, words):
    refused(h5_file(tmp_path / "a.weights.h5", files, change), words, width=0.25)


def test_h5_without_layers(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["x"] = np.zeros(3)
    refused(tmp_path / "a.weights.h5", "does not hold weights that Keras saved", width=0.25)


# --- Keras's archives --------------------------------------------------------------------------


def keras_file(path, files, compression=zipfile.ZIP_STORED, **members):
    """The archive, with other content of some members."""
    with (
        zipfile.ZipFile(io.BytesIO(files["keras"])) as source,
        zipfile.ZipFile(path, "w", compression) as archive,
    ):
        for name in source.namelist():
            content = members.get(name.partition(".")[0], source.read(name))
            if content is not None:
                archive.writestr(name, content)
    return path


def configuration(files, **changes):
    with zipfile.ZipFile(io.BytesIO(files["keras"])) as archive:
        content = json.loads(archive.read("config.json"))
    content["config"] |= changes
    return json.dumps(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 8.0},
        {"width": 1e4},
        {"width": "1"},
        {"width": None},
        {"depths": [3000] * 3},
        {"depths": [30] * 3},
        {"depths": 3},
        {"streams": 2000},
        {"streams": {}},
        {"classes": 10**9},
        {"classes": 900_000},
        {"feature_dim": 10**7},
        {"input_shape": 3},
        {"input_shape": [10**9, 10**9, 3]},
        {"input_shape": [64, 64, 1000]},
        {"input_shape": [[64], 64, 3]},
        {"variant": []},
        {"outputs": 3},
        {"classifier_activation": {"class_name": "Dense", "config": {"units": 10**9}}},
        {"dtype": {}},
        {"dtype": "float3"},
        {"frozen": 3},
        {"mean": [1]},
        {"unknown": 1},
    ],
)
@pytest.mark.usefixtures("in_process")
def test_numbers_of_a_keras_configuration(files, tmp_path, changes):
    path = keras_file(tmp_path / "a.keras", files, config=configuration(files, **changes))
    refused(path, "cannot be loaded by Keras")


def other_model(units):
    layer = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"units": units},
        "registered_name": None,
    }
    return json.dumps(
        {
            "module": "keras",
            "class_name": "Sequential",
            "config": {"layers": [layer], "build_input_shape": [None, 10**9]},
            "registered_name": None,
        }
    )


@pytest.mark.parametrize(
    "members",
    [
        {"config": other_model(10**9)},
        {"config": other_model(3)},
        {"config": "[" * 100_000},
        {"config": '{"a":' * 100_000},
        {"config": "[]"},
        {"config": "{}"},
        {"config": ""},
        {"config": None},
        {"config": json.dumps({"module": "os", "class_name": "system", "config": {}})},
        {"config": json.dumps({"module": 3, "class_name": [], "config": 3})},
        {"model": None},
        {"model": b""},
        {"model": b"\x89HDF\r\n\x1a\n"},
        {"metadata": "[" * 100_000},
    ],
)
@pytest.mark.usefixtures("in_process")
def test_members_of_a_keras_file(files, tmp_path, members):
    path = keras_file(tmp_path / "a.keras", files, **members)
    if "metadata" in members:
        assert keras_osnet.load_model(path).count_params() > 0  # which nobody reads
    else:
        refused(path, "cannot be loaded by Keras")


@pytest.mark.parametrize("member", ["config", "model"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.usefixtures("in_process")
def test_bombs_in_a_keras_file(files, tmp_path, member, compression):
    path = keras_file(tmp_path / "a.keras", files, compression, **{member: bytes(17 << 20)})
    refused(path, "cannot be loaded by Keras: .*(larger than|signature)")


@pytest.mark.parametrize("change", [external, virtual, circle, link(h5py.SoftLink("/x"))])
@pytest.mark.usefixtures("in_process")
def test_weights_of_a_keras_file(files, tmp_path, change):
    inner = h5_file(tmp_path / "inner.h5", files, change).read_bytes()
    path = keras_file(tmp_path / "a.keras", files, model=inner)
    refused(path, "is a link|in another file|inside of itself")


def test_a_compressed_keras_file_is_read(model, files, tmp_path):
    path = keras_file(tmp_path / "a.keras", files, zipfile.ZIP_DEFLATED)
    loaded = keras_osnet.load_model(path)
    for own, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


# --- Safetensors -------------------------------------------------------------------------------


def safetensors_file(path, files, change):
    content = files["safetensors"]
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])
    return path


def described(**changes):
    def change(header):
        model = json.loads(header["__metadata__"]["model"]) | changes
        header["__metadata__"]["model"] = json.dumps(model)

    return change


def metadata(text):
    return lambda header: header["__metadata__"].update(model=text)


def dtype(name, length):
    def change(header):
        first, last = header["classifier.bias"]["data_offsets"]
        header["classifier.bias"] |= {"dtype": name, "shape": [(last - first) // length]}

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (described(width=1e4), "`width`"),
        (described(width=8.0), "`width`"),
        (described(depths=[3000] * 3), "`depths`"),
        (described(depths=[2, 1, 1]), "`depths`"),
        (described(streams=2000), "`streams`"),
        (described(classes=900_000), "`classes`"),
        (described(feature_dim=60_000), "`feature_dim`"),
        (described(input_shape=3), "`input_shape`"),
        (described(input_shape=[10**9, 10**9, 3]), "`input_shape`"),
        (described(variant={}), "`variant`"),
        (described(head=[]), "`head`"),
        (described(fusion=3), "`fusion`"),
        (described(mean=[{}]), "`mean`"),
        (metadata("[" * 100_000), "nested too deeply"),
        (metadata("[]"), "no object"),
        (metadata("{"), "damaged"),
        (dtype("F8_E4M3", 1), "type that is not read.*F8_E4M3"),
        (dtype("F8_E5M2", 1), "type that is not read.*F8_E5M2"),
        (dtype("X", 1), "not a safetensors file"),
    ],
)
def test_safetensors_files(files, tmp_path, change, words):
    refused(safetensors_file(tmp_path / "a.safetensors", files, change), words)


@pytest.mark.parametrize(
    "content",
    [
        b"\x08" + bytes(7) + b"{" * 100_000,
        b"\xa0\x86\x01" + bytes(5) + b'{"a":' * 20_000,
        b"\xff" * 8 + b"{}",
        b"\x02" + bytes(7) + b"{}",
    ],
)
def test_headers_of_safetensors(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    refused(tmp_path / "a.safetensors", "safetensors|conv1")


# --- All of them -------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["keras", "weights.h5", "safetensors"])
def test_files_that_are_cut_or_not_regular(files, tmp_path, ending):
    for size in (0, 1, 100, 5000, len(files[ending]) // 2, len(files[ending]) - 1):
        path = tmp_path / f"{size}.{ending}"
        path.write_bytes(files[ending][:size])
        refused(path, str(path), width=0.25)
    os.mkfifo(tmp_path / f"pipe.{ending}")
    refused(tmp_path / f"pipe.{ending}", "not a named pipe", width=0.25)


@pytest.mark.parametrize(
    ("ending", "save"),
    [
        ("keras", save_with_keras),
        ("weights.h5", save_with_keras),
        ("safetensors", save_safetensors),
        ("pth", lambda model, path: write_torch_checkpoint(path, to_torchreid(model))),
    ],
)
def test_a_full_disk(model, tmp_path, ending, save):
    """HDF5 would end the process by a signal, after the error."""
    path = tmp_path / f"a.{ending}"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="is not complete after 100,000 bytes") as caught:
            save(model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value).endswith(f"Received: {path}")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_written_files_are_those_of_keras(model, tmp_path):
    for ending in ("keras", "weights.h5"):
        save_with_keras(model, tmp_path / f"own.{ending}")
    model.save_weights(tmp_path / "kera.weights.h5")
    with (
        h5py.File(tmp_path / "own.weights.h5") as own,
        h5py.File(tmp_path / "kera.weights.h5") as other,
    ):
        names = []
        other.visit(names.append)
        for name in names:
            if isinstance(other[name], h5py.Dataset):
                np.testing.assert_array_equal(own[name], other[name])
            assert dict(own[name].attrs) == dict(other[name].attrs)
    assert read_state_dict(tmp_path / "own.keras").description["classes"] == 5
    with pytest.raises(ValueError, match=r"must end in \.keras or \.weights\.h5"):
        save_with_keras(model, tmp_path / "x.h5")


def test_a_file_for_which_hdf5_would_take_all_memory(files, tmp_path, monkeypatch):
    """One byte, the version of an object's header."""
    content = bytearray(files["weights.h5"])
    with h5py.File(io.BytesIO(content), "r") as file:
        at = h5py.h5o.get_info(file["layers/dense"].id).addr
    assert content[at] == 1
    content[at] = 16
    (tmp_path / "a.weights.h5").write_bytes(content)
    refused(tmp_path / "a.weights.h5", "does not hold weights that Keras saved", width=0.25)


def test_a_file_that_hdf5_does_not_come_to_an_end_with(files, tmp_path, monkeypatch):
    monkeypatch.setattr(h5_reader, "_SECONDS", 0.01)
    (tmp_path / "a.weights.h5").write_bytes(files["weights.h5"][:100])
    refused(tmp_path / "a.weights.h5", "does not come to an end", width=0.25)
