"""What is written is what PyTorch reads, and reading gives back the same bits."""

import zipfile

import numpy as np
import pytest

from keras_osnet.weights.torch_file import writer as torch_writer
from keras_osnet.weights.torch_file.reader import read_torch_checkpoint
from keras_osnet.weights.torch_file.writer import write_torch_checkpoint

TENSORS = {
    "module.conv.weight": np.arange(24, dtype="float32").reshape(2, 3, 4),
    "transposed": np.arange(6, dtype="float64").reshape(2, 3).T,
    "num_batches_tracked": np.array(7, dtype="int64"),
    "empty": np.zeros((0, 3), "float32"),
    "scalar": np.float32(0.5),
    "big endian": np.arange(3, dtype=">i4"),
    "größe": np.array([[0.1]], "float16"),
} | {
    name: np.array([0, 1, 2, 100]).astype(name)
    for name in ("uint8", "int8", "int16", "int32", "bool", "complex64", "complex128")
}


@pytest.mark.parametrize("wrapper", [None, "state_dict"])
@pytest.mark.parametrize("options", [{"weights_only": True}, {"weights_only": True, "mmap": True}])
def test_torch_reads_it(tmp_path, wrapper, options):
    import torch

    path = tmp_path / "x.pth"
    write_torch_checkpoint(path, TENSORS, wrapper=wrapper)
    content = torch.load(path, **options)
    state = content if wrapper is None else content[wrapper]
    assert wrapper is None or list(content) == [wrapper]
    assert list(state) == list(TENSORS)
    for name, array in TENSORS.items():
        assert state[name].numpy().dtype == array.dtype.newbyteorder("=")
        assert state[name].shape == array.shape
        assert state[name].is_contiguous()
        np.testing.assert_array_equal(state[name].numpy(), array)


def test_it_reads_back(tmp_path):
    write_torch_checkpoint(str(tmp_path / "x.pth"), TENSORS)
    arrays = read_torch_checkpoint(tmp_path / "x.pth")
    assert list(arrays) == list(TENSORS)
    for name, array in TENSORS.items():
        assert arrays[name].dtype == array.dtype.newbyteorder("=")
        assert arrays[name].shape == array.shape
        np.testing.assert_array_equal(arrays[name], array)


def test_torch_loads_it_into_a_model(tmp_path):
    import torch

    model = torch.nn.BatchNorm2d(4)
    arrays = {name: tensor.numpy() + 1 for name, tensor in model.state_dict().items()}
    write_torch_checkpoint(tmp_path / "x.pth", {k: np.asarray(v) for k, v in arrays.items()})
    model.load_state_dict(torch.load(tmp_path / "x.pth", weights_only=True))
    assert model.num_batches_tracked == 1
    assert model.running_mean.tolist() == [1] * 4


def test_the_same_tensors_give_the_same_bytes(tmp_path):
    write_torch_checkpoint(tmp_path / "a.pth", TENSORS)
    write_torch_checkpoint(
        tmp_path / "b.pth", {k: np.array(v, order="F") for k, v in TENSORS.items()}
    )
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_storages_are_aligned(tmp_path):
    write_torch_checkpoint(tmp_path / "x.pth", TENSORS)
    data = (tmp_path / "x.pth").read_bytes()
    with zipfile.ZipFile(tmp_path / "x.pth") as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            at = info.header_offset
            start = at + 30 + int.from_bytes(data[at + 26 : at + 28], "little")
            assert (start + int.from_bytes(data[at + 28 : at + 30], "little")) % 64 == 0


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "at least one tensor. Received: tensors={}"),
        ([np.ones(2)], "`tensors` must be a dictionary. Received: list"),
        ({3: np.ones(2)}, "must be text. Received: 3"),
        ({"a": np.ones(2, "uint16")}, "Received: 'a' of uint16"),
        ({"a": np.array(["text"])}, "Received: 'a' of <U4"),
        ({"a": np.array([object()])}, "Received: 'a' of object"),
        ({"a": 1.5}, "Received: 'a' of float"),
        ({"\ud800": np.ones(2)}, "surrogates not allowed"),
    ],
)
def test_what_it_cannot_write(tmp_path, tensors, message):
    with pytest.raises(ValueError, match=message):
        write_torch_checkpoint(tmp_path / "x.pth", tensors)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.pth"
    path.write_bytes(b"old")

    def fail(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(torch_writer.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_torch_checkpoint(path, TENSORS)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    write_torch_checkpoint(path, TENSORS)
    assert list(tmp_path.iterdir()) == [path]
    assert "empty" in read_torch_checkpoint(path)


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_torch_checkpoint(tmp_path / "missing" / "x.pth", TENSORS)


def test_published_weights_survive(reference, tmp_path):
    arrays = read_torch_checkpoint(reference / "weights" / "osnet_x0_25_msmt17.pth")
    write_torch_checkpoint(tmp_path / "x.pth", arrays, wrapper="state_dict")
    again = read_torch_checkpoint(tmp_path / "x.pth")
    assert list(again) == list(arrays)
    assert all(again[name].tobytes() == array.tobytes() for name, array in arrays.items())
