"""Reading what real PyTorch writes: the same names, shapes, types and bits."""

import argparse
import collections
import datetime
import fractions
import io
import os
import pathlib
import re
import struct
import sys
import tomllib
import types
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_osnet.weights.torch_file import tensors
from keras_osnet.weights.torch_file.reader import CheckpointError, read_torch_checkpoint

FORMATS = [pytest.param(True, id="zip"), pytest.param(False, id="legacy")]
TYPES = [
    "float16",
    "float32",
    "float64",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "bool",
    "complex64",
    "complex128",
    "bfloat16",
    "uint16",
    "uint32",
    "uint64",
]


def save(path: Path, content: object, is_zip: bool, **options: object) -> Path:
    import torch

    torch.save(content, path, _use_new_zipfile_serialization=is_zip, **options)
    return path


def assert_same(arrays: dict, tensors: dict) -> None:
    """Compare bit for bit; bfloat16 against PyTorch's own float32 of it."""
    import torch

    assert list(arrays) == list(tensors)
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        expected = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        assert arrays[name].dtype == expected.dtype, name
        assert arrays[name].shape == expected.shape, name
        assert arrays[name].tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("is_zip", FORMATS)
@pytest.mark.parametrize("name", TYPES)
def test_every_element_type(tmp_path, is_zip, name):
    import torch

    kind = getattr(torch, name)
    values = torch.tensor([0, 1, 2, 3, 100, 127]).to(kind)
    if kind.is_floating_point:
        extreme = [float("nan"), float("-inf"), -0.0, 1e-42, torch.finfo(kind).max, 0.1]
        values = torch.tensor(extreme, dtype=torch.float64).to(kind)
    tensors = {"x": values.reshape(2, 3), "zero": values[1].clone(), "none": values[:0].clone()}
    assert_same(read_torch_checkpoint(save(tmp_path / "x.pth", tensors, is_zip)), tensors)


@pytest.mark.parametrize("is_zip", FORMATS)
def test_views_of_one_storage(tmp_path, is_zip):
    import torch

    base = torch.arange(60.0).reshape(3, 4, 5)
    tensors = {
        "base": base,
        "transposed": base.permute(2, 0, 1),
        "sliced": base[1:, ::2, 1:4],
        "corner": base[2, 3, 4],
        "diagonal": base[0].diagonal(),
        "row": base[:1, 1:2],
        "empty": base[:, :0],
        "parameter": torch.nn.Parameter(base[0]),
    }
    arrays = read_torch_checkpoint(save(tmp_path / "x.pth", tensors, is_zip))
    assert_same(arrays, tensors)
    assert np.shares_memory(arrays["base"], arrays["sliced"])
    with pytest.raises(ValueError, match="read-only"):
        arrays["base"][0] = 1


@pytest.mark.parametrize("is_zip", FORMATS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
def test_state_of_a_model(tmp_path, is_zip, protocol, wrapper):
    import torch

    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = torch.nn.DataParallel(layers).state_dict()
    content = state if wrapper is None else {wrapper: state, "epoch": 3, "loss": torch.ones(3)}
    path = save(tmp_path / "x.pth", content, is_zip, pickle_protocol=protocol)
    arrays = read_torch_checkpoint(str(path))
    assert_same(arrays, state)
    assert "module.1.num_batches_tracked" in arrays


@pytest.mark.parametrize("is_zip", FORMATS)
def test_what_torchreid_saves(tmp_path, is_zip):
    import torch

    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters(), amsgrad=True)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    content = {
        "state_dict": model.state_dict(),
        "epoch": 60,
        "rank1": np.float64(0.77),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "device": torch.device("cpu"),
        "size": torch.Size([256, 128]),
    }
    path = save(tmp_path / "model.pth.tar-60", content, is_zip)
    assert_same(read_torch_checkpoint(path), model.state_dict())


@pytest.mark.parametrize("is_zip", FORMATS)
def test_entries_that_are_not_tensors_are_left_out(tmp_path, is_zip):
    import torch

    content = {"a": torch.ones(1), "epoch": 3, "names": ["x"], "nested": {"b": torch.ones(2)}}
    content["loop"] = content["names"]
    content["names"].append(content["names"])
    assert list(read_torch_checkpoint(save(tmp_path / "x.pth", content, is_zip))) == ["a"]


@pytest.mark.parametrize("is_zip", FORMATS)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda torch: {"a": 1, "b": [2]}, "no dictionary of tensors but a dict with the keys 'a'"),
        (lambda torch: torch.ones(2), "no dictionary of tensors but a Tensor"),
        (lambda torch: {}, "no dictionary of tensors"),
        (
            lambda torch: {"a": np.ones(2)},
            r"the keys 'a', the first of a value made by numpy\..*_rec",
        ),
        (lambda torch: {0: torch.ones(2)}, "no dictionary of tensors but a dict with the keys 0"),
        (lambda torch: torch.nn.Linear(1, 1), r"torch.nn.modules.linear.Linear.*state_dict\(\)"),
        (lambda torch: {"a": torch.eye(2).to_sparse()}, "_rebuild_sparse_tensor"),
        (lambda torch: {"a": torch.ones(1, device="meta")}, "_rebuild_meta_tensor_no_storage"),
        (lambda torch: {"a": torch.ones(1).to(torch.float8_e5m2)}, "float8_e5m2"),
        (lambda torch: {"a": torch.ones(1, dtype=torch.cfloat).conj()}, "pending negation or conj"),
        (lambda torch: {"a": torch.zeros(1).expand(1 << 30)}, "from a storage of 1 elements"),
    ],
)
def test_refused_contents_are_named(tmp_path, is_zip, make, message):
    import torch

    path = save(tmp_path / "x.pth", make(torch), is_zip)
    with pytest.raises(CheckpointError, match=message) as error:
        read_torch_checkpoint(path)
    assert str(path) in str(error.value)


def test_quantized_is_refused_by_name(tmp_path):
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch is about to drop them
        tensor = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    with pytest.raises(CheckpointError, match="_rebuild_qtensor"):
        read_torch_checkpoint(save(tmp_path / "x.pth", {"a": tensor}, True))


def test_torchscript_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x/data.pkl", "x/code/__torch__.py", "x/constants.pkl"):
            archive.writestr(name, b"\x80\x02}.")
    with pytest.raises(CheckpointError, match="TorchScript"):
        read_torch_checkpoint(path)


def test_big_endian(tmp_path):
    path = tmp_path / "x.pth"
    tensors = {"a": np.arange(4, dtype="f4")}
    rewrite(save(path, as_torch(tensors), True), byteorder=b"big", swap=4)
    array = read_torch_checkpoint(path)["a"]
    assert array.dtype == np.dtype("float32")
    assert array.tolist() == [0, 1, 2, 3]
    rewrite(path, byteorder=b"middle", swap=1)
    with pytest.raises(CheckpointError, match="byte order is not known: b'middle'"):
        read_torch_checkpoint(path)


def as_torch(tensors: dict) -> dict:
    import torch

    return {name: torch.from_numpy(array) for name, array in tensors.items()}


def rewrite(path: Path, byteorder: bytes, swap: int) -> None:
    """Turn a checkpoint into that of a machine with another order of bytes."""
    entries = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("/byteorder"):
                content = byteorder
            elif "/data/" in name:
                content = np.frombuffer(content, f"V{swap}").view(f"u{swap}").byteswap().tobytes()
            entries[name] = content
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def test_python_2(tmp_path):
    """Python 2 wrote its strings and its OrderedDict in another way, and NumPy scalars as text."""

    def string(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    storage = string(b"storage") + b"ctorch\nFloatStorage\n" + string(b"7") + string(b"cpu")
    tensor = b"ctorch._utils\n_rebuild_tensor\n((" + storage + b"K\x02NtQK\x00K\x02\x85K\x01\x85tR"
    state = b"ccollections\nOrderedDict\n](](" + string(b"weight") + tensor + b"ee\x85R"
    scalar = b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n" + string(b"f8") + b"K\x00K\x01\x87R"
    scalar += b"(K\x03" + string(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    scalar += string(b"\xa4p=\n\xd7\xa3\xe8?") + b"\x86R"
    content = b"\x80\x02}(" + string(b"rank1") + scalar + string(b"state_dict") + state + b"u."
    path = tmp_path / "x.pth.tar"
    path.write_bytes(
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
        + content
        + (b"\x80\x02]" + string(b"7") + b"a." + struct.pack("<q2f", 2, 1.5, -2))
    )
    assert read_torch_checkpoint(path)["weight"].tolist() == [1.5, -2]


def test_part_of_a_storage_in_the_older_format(tmp_path):
    """PyTorch before 1.0 could note that a storage is a part of another."""
    import torch

    file = io.BytesIO()
    torch.save({"a": torch.arange(6.0)}, file, _use_new_zipfile_serialization=False)
    data = file.getvalue()
    # The part: `None` behind the number of elements becomes ("part", 2, 4), the shape (6,) (4,).
    at = data.index(b"K\x06N")
    part = b"K\x06X\x04\x00\x00\x00partK\x02K\x04\x87"
    data = data[:at] + part + data[at + 3 :].replace(b"K\x06\x85", b"K\x04\x85", 1)
    path = tmp_path / "x.pth"
    path.write_bytes(data)
    assert read_torch_checkpoint(path)["a"].tolist() == [2, 3, 4, 5]
    path.write_bytes(data.replace(b"K\x02K\x04\x87", b"K\x03K\x04\x87"))
    with pytest.raises(CheckpointError, match="elements 3 to 7 of a storage of 6"):
        read_torch_checkpoint(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_torch_checkpoint(tmp_path / "missing.pth")
    with pytest.raises(IsADirectoryError, match="Received the folder"):
        read_torch_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["osnet_x0_25_msmt17.pth", "osnet_x1_0_msmt17_rounded.pth.tar"])
def test_published_weights(reference, name):
    import torch

    path = reference / "weights" / name
    expected = torch.load(path, map_location="cpu", weights_only=False)
    arrays = read_torch_checkpoint(path)
    assert_same(arrays, expected.get("state_dict", expected))
    assert len(arrays) == 567


def test_metadata_of_a_state_dict_is_ignored(tmp_path):
    import torch

    state = collections.OrderedDict(a=torch.ones(2))
    state._metadata = {"": {"version": 2}}
    assert_same(read_torch_checkpoint(save(tmp_path / "x.pth", state, False)), state)


class Attributes(dict):
    """Stands for Lightning's dictionary, which is not installed here."""


def beside(torch) -> dict:
    """Return values of every inert type."""
    Attributes.__module__ = "pytorch_lightning.utilities.parsing"
    Attributes.__qualname__ = Attributes.__name__ = "AttributeDict"
    return {
        "scalars": [np.float64(0.5), np.int32(3), np.bool_(True), np.str_("a"), np.float32],
        "arrays": [np.arange(6.0).reshape(2, 3), np.array(["a", None], object), np.dtype("f4")],
        "random": np.random.RandomState(0).get_state(),
        "args": argparse.Namespace(lr=0.1, sizes=(256, 128)),
        "space": types.SimpleNamespace(a=1),
        "paths": [pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("a"), pathlib.Path("a")],
        "times": [
            datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
            datetime.date(2024, 1, 1),
            datetime.time(1),
            datetime.timedelta(1),
        ],
        "default": collections.defaultdict(list, a=[1]),
        "counter": collections.Counter("aab"),
        "deque": collections.deque([1, 2], maxlen=4),
        "sets": [{1, 2}, frozenset({"a"}), set()],
        "builtins": [1j, range(3), slice(1, 2), bytearray(b"x"), b"x", 10**30, int, float],
        "torch": [torch.float32, torch.device("cpu"), torch.Size([2]), torch.float8_e5m2],
        "layout": torch.strided,
        "version": torch.__version__,
        "float8": [torch.ones(2).to(torch.float8_e5m2), torch.zeros(0).to(torch.float8_e4m3fn)],
        "hyper_parameters": Attributes(lr=0.1),
        0.5: "half",
        (1, 2): "tuple",
        None: "nothing",
        b"bytes": 1,
        frozenset({1}): 2,
        True: 3,
    }


@pytest.mark.parametrize("is_zip", FORMATS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_inert_values_beside_the_tensors_are_skipped(tmp_path, is_zip, protocol, monkeypatch):
    import torch

    module = types.ModuleType("pytorch_lightning.utilities.parsing")
    module.AttributeDict = Attributes
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", types.ModuleType("pytorch_lightning"))
    monkeypatch.setitem(sys.modules, "pytorch_lightning.utilities", types.ModuleType("x"))
    expected = {"a": torch.ones(2), "b": torch.zeros(1)}
    for name, value in {**beside(torch), "all": list(beside(torch).items())}.items():
        for content in (
            {"state_dict": expected, name: value},
            {**expected, name: value},
            collections.defaultdict(dict, model=Attributes(expected), other=value),
        ):
            path = save(tmp_path / "x.pth", content, is_zip, pickle_protocol=protocol)
            assert_same(read_torch_checkpoint(path), expected)


def test_the_documentation_lists_the_inert_types():
    page = (Path(__file__).parents[2] / "docs" / "migrate_from_torchreid.md").read_text("utf-8")
    documented = {}
    for line in page.splitlines():
        if match := re.fullmatch(r"\| `([\w.]+)` \| (`.*`) \|", line):
            documented[match[1]] = set(re.findall(r"`(\w+)`", match[2]))
    listed: dict[str, set[str]] = {}
    table = tomllib.loads(Path(tensors.__file__).with_name("inert_types.toml").read_text("utf-8"))
    for module, names in [*table["inert"].items(), *table["dictionaries"].items()]:
        listed.setdefault(module, set()).update(names)
    assert {module: documented.get(module) for module in listed} == listed


@pytest.mark.parametrize("is_zip", FORMATS)
@pytest.mark.parametrize("value", [Attributes(a=1), fractions.Fraction(1, 2), re.compile("a")])
def test_every_other_name_refuses_the_file(tmp_path, is_zip, value):
    import torch

    Attributes.__module__, Attributes.__qualname__ = __name__, "Attributes"
    Attributes.__name__ = "Attributes"
    path = save(tmp_path / "x.pth", {"state_dict": {"a": torch.ones(1)}, "x": value}, is_zip)
    with pytest.raises(CheckpointError, match=r"asks for '(.*Attributes|fractions\.|re\.)"):
        read_torch_checkpoint(path)


@pytest.mark.parametrize("is_zip", FORMATS)
def test_expanded_tensors(tmp_path, is_zip):
    import torch

    tensors = {
        "row": torch.arange(3.0).expand(4, 3),
        "one": torch.tensor([2.0]).expand(512),
        "column": torch.arange(3.0)[:, None].expand(3, 5),
        "windows": torch.arange(6.0).unfold(0, 3, 1),
    }
    path = save(tmp_path / "x.pth", tensors, is_zip)
    assert path.stat().st_size < 5000
    assert_same(read_torch_checkpoint(path), tensors)


@pytest.mark.parametrize("is_zip", FORMATS)
def test_tensors_with_attributes(tmp_path, is_zip):
    import torch

    tensor, parameter = torch.ones(2), torch.nn.Parameter(torch.zeros(2))
    tensor.note = parameter.note = "mine"
    tensors = {"tensor": tensor, "parameter": parameter}
    assert_same(read_torch_checkpoint(save(tmp_path / "x.pth", tensors, is_zip)), tensors)


def test_a_loose_data_pkl_is_named(tmp_path):
    import torch

    path = save(tmp_path / "x.pth", {"a": torch.ones(2)}, True)
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "data.pkl").write_bytes(archive.read("x/data.pkl"))
        archive.extractall(tmp_path / "unpacked")
    with pytest.raises(CheckpointError, match=r"the data\.pkl of an unpacked checkpoint.*zip -0"):
        read_torch_checkpoint(tmp_path / "data.pkl")
    with zipfile.ZipFile(tmp_path / "again.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for each in (tmp_path / "unpacked").rglob("*"):
            archive.write(each, each.relative_to(tmp_path / "unpacked"))
    with pytest.raises(CheckpointError, match=r"compressed or encrypted.*zip -0"):
        read_torch_checkpoint(tmp_path / "again.pth")


def test_real_torchscript_is_refused(tmp_path):
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch is about to drop it
        torch.jit.script(torch.nn.Linear(1, 1)).save(tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="TorchScript"):
        read_torch_checkpoint(tmp_path / "x.pt")


def test_a_file_that_is_cut_while_it_is_read_is_an_error(tmp_path, monkeypatch):
    import torch

    from keras_osnet.weights.torch_file import reader

    path = save(tmp_path / "x.pth", {"a": torch.ones(100_000)}, True)
    find = reader.find_network

    def cut(*arguments, **options):
        os.truncate(path, 1000)
        return find(*arguments, **options)

    monkeypatch.setattr(reader, "find_network", cut)
    with pytest.raises(CheckpointError, match=r"x\.pth cannot be read .* cut off"):
        read_torch_checkpoint(path)
