"""Files that are damaged, claim too much, or try to run something."""

import contextlib
import io
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from keras_osnet.weights.torch_file.reader import CheckpointError, read_torch_checkpoint

FUZZ = Path(__file__).parents[1] / "fuzz"
sys.path.insert(0, str(FUZZ))

from torch_seeds import MAGIC, VERSION, danger, make_legacy, make_zip, text  # noqa: E402

NO_STORAGES = b"\x80\x02]."
STORAGE = b"(" + text("storage") + b"ctorch\n%bStorage\n" + text("0") + text("cpu") + b"%btQ"
CALL = b"ctorch._utils\n_rebuild_tensor_v2\n("
END = b"\x89ccollections\nOrderedDict\n)RtR"


def integer(value: int) -> bytes:
    return b"\x8a\x10" + value.to_bytes(16, "little", signed=True)


def tensor(
    shape: tuple[int, ...] = (2,),
    strides: tuple[int, ...] = (1,),
    offset: int = 0,
    numel: int = 4,
    kind: bytes = b"Float",
) -> bytes:
    """Spell a tensor of the storage "0"."""
    spelled = [b"(" + b"".join(map(integer, values)) + b"t" for values in (shape, strides)]
    return CALL + STORAGE % (kind, integer(numel)) + integer(offset) + b"".join(spelled) + END


def state(*tensors: bytes) -> bytes:
    items = b"".join(text(f"t{index}") + value for index, value in enumerate(tensors))
    return b"\x80\x02}(" + items + b"u."


def legacy_tail(content: bytes, numel: int) -> bytes:
    return b"\x80\x02]" + text("0") + b"a." + struct.pack("<q", numel) + content


def both(program: bytes) -> list[bytes]:
    """A pickle with a storage of four floats, in both formats."""
    content = struct.pack("<4f", 1, 2, 3, 4)
    return [make_zip(program, {"0": content}), make_legacy(program, legacy_tail(content, 4))]


def refuse(path: Path, data: bytes, match: str | None = None, memory: int = 2_000_000) -> None:
    """Read, and check the message; memory and processor time must be small."""
    path.write_bytes(data)
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(CheckpointError, match=match) as error:
            read_torch_checkpoint(path)
        assert tracemalloc.get_traced_memory()[1] < 5 * len(data) + memory
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 5
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 2000


def test_the_hand_made_files_are_right(tmp_path):
    """Otherwise the tests below would prove nothing."""
    for data in both(state(tensor(), tensor((2, 2), (1, 2)), tensor((1,), (2**62,), 3))):
        (tmp_path / "x.pth").write_bytes(data)
        values = [array.tolist() for array in read_torch_checkpoint(tmp_path / "x.pth").values()]
        assert values == [[1, 2], [[1, 3], [2, 4]], [4]]


def test_nothing_is_run(tmp_path):
    marker = tmp_path / "executed"
    good = state(tensor())
    for fragment in danger(str(marker)):
        for program in (
            b"\x80\x02" + fragment + b".",
            good[:2] + fragment + b"0" + good[2:],
            good[:-1] + fragment + b"0.",
            b"\x80\x04}" + text("a") + fragment + b"s.",
        ):
            for data in both(program):
                path = tmp_path / "x.pth"
                path.write_bytes(data)
                # A few only push a value, which is harmless; none may run or raise anything else.
                with contextlib.suppress(CheckpointError):
                    read_torch_checkpoint(path)
                assert not marker.exists()


def test_the_commands_would_work(tmp_path):
    """The marker of the test above appears if the standard library reads the same fragments."""
    marker = tmp_path / "executed"
    for fragment in danger(str(marker))[:3]:
        pickle.loads(b"\x80\x04" + fragment + b".")
        assert marker.exists()
        marker.unlink()


class Reduce:
    """What real attacks put into a checkpoint."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("is_zip", [True, False])
def test_attacks_written_by_torch(tmp_path, is_zip):
    import torch

    marker = tmp_path / "executed"
    command = f"touch {marker}"
    attacks = [
        (Reduce(os.system, command), r"(posix|nt)\.system"),
        (Reduce(eval, f"open({str(marker)!r}, 'w')"), r"builtins\.eval|__builtin__\.eval"),
        (Reduce(subprocess.Popen, ["touch", str(marker)]), r"(subprocess|commands)\.Popen"),
        (Reduce(getattr, os, "system"), "getattr|_import"),
        (Reduce(torch.load, str(marker)), r"torch\.serialization\.load"),
    ]
    for attack, name in attacks:
        content = {"a": torch.ones(1), "state_dict": {"w": torch.ones(2)}, "x": attack}
        file = io.BytesIO()
        try:
            torch.save(content, file, _use_new_zipfile_serialization=is_zip)
        except TypeError:  # a module cannot be pickled; the fragments above spell that by hand
            continue
        refuse(tmp_path / "x.pth", file.getvalue(), name)
        assert not marker.exists()


@pytest.mark.parametrize("place", range(4))
def test_every_pickle_of_the_older_format_is_guarded(tmp_path, place):
    marker = tmp_path / "executed"
    pickles = [MAGIC, VERSION, b"\x80\x02}.", state(tensor()), NO_STORAGES]
    pickles[place] = b"\x80\x02cos\nsystem\n" + text(f"touch {marker}") + b"\x85R."
    refuse(tmp_path / "x.pth", b"".join(pickles), r"asks for 'os\.system'")
    pickles[place] = b"\x80\x02" + STORAGE % (b"Float", b"K\x01") + b"."
    refuse(tmp_path / "x.pth", b"".join(pickles))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"\x80\x02NQ.", "something other than a storage: None"),
        (b"\x80\x02" + text("storage") + b"Q.", "something other than a storage: 'storage'"),
        (b"(" + text("module") + b"NNNNtQ.", "something other than a storage: a tuple"),
        (b"(" + text("storage") + b"K\x01NNNtQ.", "a storage of 1 named None"),
        (STORAGE % (b"Float", b"J\xff\xff\xff\xff") + b".", "0 or more. Received: -1"),
        (STORAGE % (b"Float", b"\x88") + b".", "0 or more. Received: True"),
        (state(tensor(numel=4), tensor(numel=5)), "two things about storage '0'"),
        (state(tensor(), tensor(kind=b"Int")), "two things about storage '0'"),
        (state(tensor(offset=-1)), "the offset of a tensor must be 0 or more. Received: -1"),
        (state(tensor(offset=3)), "offset 3 is asked for from a storage of 4 elements"),
        (state(tensor((-1,))), "each dimension of a tensor must be 0 or more. Received: -1"),
        (state(tensor((2,), (-1,), 3)), "each stride of a tensor must be 0 or more. Received: -1"),
        (state(tensor((2,), (4,))), "from a storage of 4 elements"),
        (state(tensor((1 << 40,), (0,))), "from a storage of 4 elements"),
        (state(tensor((1 << 31, 1 << 31, 1 << 31), (0, 0, 0))), "from a storage of 4 elements"),
        (state(tensor((0, 1 << 62), (1, 1))), "an empty shape is out of bounds"),
        (state(tensor((1 << 100,))), "an integer of 101 bits"),
        (state(tensor((2, 2), (1,))), "2 dimensions and 1 strides"),
        (state(tensor((1,) * 40, (1,) * 40)), "40 dimensions"),
        (state(tensor(numel=1 << 40, shape=(1 << 40,))), "bytes|cut off"),
        (state(tensor(numel=1 << 62, shape=(1 << 62,))), "bytes|cut off"),
        (b"\x80\x02}NNs.", "no dictionary of tensors but a dict"),
        (b"\x80\x02})Ns.", "no dictionary of tensors but a dict"),
        (b"\x80\x02}" + text("a" * 2000) + b"Ns.", "a key must be"),
        (b"]q\x00h\x00ah\x00Ns.", "stores items in a list"),
        (b"0.", "empty stack"),
        (b"N(0.", "no dictionary of tensors"),
        (b"N(.", "empty stack"),
        (b"h\x05.", "never stored: 5"),
        (b"\x8c\x01\xff.", "not UTF-8"),
        (b"ccollections\nOrderedDict\nN\x85R.", "calls OrderedDict with None"),
        (b"cbuiltins\n" + b"a" * 1000, "name without an end"),
        (b"\x80\x02K\x01)R.", "calls 1"),
        (b"\x80\x02", "needs 1 bytes where 0 are left"),
    ],
)
def test_malformed_pickles(tmp_path, program, message):
    data, older = both(program)
    refuse(tmp_path / "x.pth", data, message)
    refuse(tmp_path / "x.pth", older)


@pytest.mark.parametrize("is_zip", [True, False])
def test_cut_off_at_every_byte(tmp_path, is_zip):
    import torch

    file = io.BytesIO()
    content = {"state_dict": {"a": torch.arange(3.0), "b": torch.tensor(1)}, "epoch": 1}
    torch.save(content, file, _use_new_zipfile_serialization=is_zip)
    path = tmp_path / "x.pth"
    for size in range(len(file.getvalue())):
        path.write_bytes(file.getvalue()[:size])
        with pytest.raises(CheckpointError):
            read_torch_checkpoint(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"hello world\n", "neither a zip archive nor a pickle, it begins b'hello wo'"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), r"begins b'\\x89PNG"),
        (b"storages".ljust(257, b"\0") + b"ustar\x0000" + bytes(1000), "tar archive"),
        (pickle.dumps({"a": 1}), "a pickle but not a checkpoint"),
        (pickle.dumps([10**300]), "opcode|not a checkpoint"),
        (MAGIC + b"\x80\x02M\xe8\x03.", "version must be 1001. Received: 1000"),
        (b"PK\x03\x04", "cut off"),
        (b"PK\x03\x04" + bytes(70000), "cut off"),
    ],
)
def test_other_files(tmp_path, data, message):
    refuse(tmp_path / "x.pth", data, message)


@pytest.mark.parametrize(
    "fragment",
    [
        b"B" + struct.pack("<I", 2**32 - 1),
        b"X" + struct.pack("<I", 2**32 - 1),
        b"T" + struct.pack("<I", 2**31),
        b"\x8e" + struct.pack("<Q", 2**62),
        b"\x8b" + struct.pack("<i", 2**31 - 1),
        b"Nr" + struct.pack("<I", 2**32 - 1),
        b"\x95" + struct.pack("<Q", 2**62),
        b"I" + b"9" * 1_000_000 + b"\n",
    ],
)
def test_claims_of_gigabytes_in_a_pickle(tmp_path, fragment):
    for data in both(b"\x80\x04" + fragment):
        refuse(tmp_path / "x.pth", data)


@pytest.mark.large
@pytest.mark.parametrize(
    "fragment", [b"}", b"]", b"(", b"N\x85", b"}\x940", b")\x94", b"}K\x01Ns", b"h\x00h\x00\x860"]
)
def test_floods_of_opcodes(tmp_path, fragment):
    """Millions of tiny objects: refused at a million, whatever the size of the file."""
    program = b"\x80\x02]q\x00" + fragment * 1_100_000
    path = tmp_path / "x.pth"
    path.write_bytes(make_zip(program, {}))
    start = time.process_time()
    with pytest.raises(CheckpointError, match="more than 1000000 opcodes"):
        read_torch_checkpoint(path)
    assert time.process_time() - start < 20


def test_deep_and_shared_structures(tmp_path):
    deep = b"N" + b"\x85" * 100_000
    shared = b")" + b"q\x00h\x00\x86" * 200  # 2 ** 200 elements if they were walked
    loop = b"]q\x00h\x00a"
    for value in (deep, shared, loop, b"](" + loop + b"e"):
        data = make_zip(value + b".", {})
        refuse(tmp_path / "x.pth", data, "no dictionary of tensors", memory=10_000_000)
        for data in both(b"}" + text("a") + value + b"s" + text("t0") + tensor() + b"s."):
            (tmp_path / "x.pth").write_bytes(data)
            assert list(read_torch_checkpoint(tmp_path / "x.pth")) == ["t0"]


def test_many_views_of_one_storage_take_no_memory(tmp_path):
    content = bytes(4_000_000)
    program = state(*[tensor((1_000_000,), numel=1_000_000)] * 2000)
    path = tmp_path / "x.pth"
    path.write_bytes(make_zip(program, {"0": content}))
    tracemalloc.start()
    arrays = read_torch_checkpoint(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(arrays) == 2000
    assert peak < 5 * path.stat().st_size


def test_zip_archives_that_are_not_as_pytorch_writes_them(tmp_path):
    path = tmp_path / "x.pth"
    content = struct.pack("<4f", 1, 2, 3, 4)
    good = make_zip(state(tensor()), {"0": content})

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", state(tensor()))
        archive.writestr("archive/data/0", bytes(50_000_000))
    assert len(file.getvalue()) < 100_000
    refuse(path, file.getvalue(), "is compressed or encrypted")

    refuse(path, good.replace(content, content[::-1]), "is damaged: its CRC-32 is")
    refuse(path, make_zip(state(tensor()), {}), "has no entry 'archive/data/0'")
    refuse(path, make_zip(state(tensor()), {"0": content * 2}), "should have 16 bytes and has 32")
    refuse(path, make_zip(state(tensor()), {}, folder="a/b"), "not a checkpoint")
    file = io.BytesIO(good)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("archive/data.pkl", b"N.")
    refuse(path, file.getvalue(), "'archive/data.pkl' twice")

    # The directory claims more than the file has, in 32 and in 64 bits.
    at = good.index(b"PK\1\2", good.index(b"PK\1\2") + 4)
    for size in (10**6, 2**31, 2**32 - 1):
        sizes = struct.pack("<II", size, size)
        refuse(path, good[: at + 20] + sizes + good[at + 28 :], "claims|lacks the size")
    end = good.index(b"PK\5\6")
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2**60, 2**60, 2**60, 2**60)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    refuse(path, good[:end] + wide + locator + good[end:], "outside of the file")
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 2**63, 1)
    refuse(path, good[:end] + wide + locator + good[end:], "no 64-bit directory")


def test_overlapping_zip_entries(tmp_path):
    """Ten names for one storage of a megabyte."""
    names = {str(key): b"" for key in range(10)}
    data = make_zip(state(tensor()), names | {"x": bytes(1_000_000)})
    directory = bytearray(data[data.index(b"PK\1\2") :])
    for key in names:
        sizes_at = directory.index(f"archive/data/{key}".encode()) - 26
        struct.pack_into("<II", directory, sizes_at, 10**6, 10**6)
    data = data[: data.index(b"PK\1\2")] + bytes(directory)
    refuse(tmp_path / "x.pth", data, "overlap: 110")


@pytest.mark.large
@pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer watches memory through /proc")
def test_fuzz():
    """The long runs are by hand: python tests/fuzz/fuzz_torch_checkpoint.py --inputs 100000."""
    command = [sys.executable, FUZZ / "fuzz_torch_checkpoint.py", "--inputs", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "code executed: 0" in done.stdout
    assert "other exceptions: 0" in done.stdout


def test_a_sparse_file_of_gigabytes_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "sparse.pth"
    for start in (b"PK\3\4", b"\x80\2"):
        with path.open("wb") as file:
            file.write(start)
            file.truncate(20 * 2**30)
        with pytest.raises(CheckpointError, match=r"sparse\.pth"):
            read_torch_checkpoint(path)
