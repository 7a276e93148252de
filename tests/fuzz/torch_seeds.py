"""Small checkpoints and dangerous pickle fragments that the fuzzer starts from."""

import argparse
import collections
import datetime
import io
import itertools
import pathlib
import pickletools
import struct
import zipfile
import zlib

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."


def make_zip(pickle: bytes, storages: dict[str, bytes], folder: str = "archive") -> bytes:
    """Put a pickle and storages into the zip format, with right sizes and checksums."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{folder}/data.pkl"), pickle)
        archive.writestr(zipfile.ZipInfo(f"{folder}/byteorder"), b"little")
        for key, content in storages.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/data/{key}"), content)
        archive.writestr(zipfile.ZipInfo(f"{folder}/version"), b"3\n")
    return file.getvalue()


def make_legacy(pickle: bytes, tail: bytes, facts: bytes = b"\x80\x02}.") -> bytes:
    """Put a pickle, and what follows it, into the format before PyTorch 1.6."""
    return MAGIC + VERSION + facts + pickle + tail


def text(value: str | bytes) -> bytes:
    """Spell a string."""
    encoded = value if isinstance(value, bytes) else value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def danger(marker: str) -> list[bytes]:
    """Fragments that would run something, or take memory, in a machine that allows it."""
    command = text(f"touch {marker}")
    code = text(f"open({marker!r}, 'w').close()")
    names = (
        "os system",
        "posix system",
        "nt system",
        "subprocess Popen",
        "builtins eval",
        "builtins exec",
        "__builtin__ eval",
        "builtins getattr",
        "builtins __import__",
        "torch.serialization load",
        "torch._utils _rebuild_qtensor",
        "torch._utils _import_dotted_name",
        "torch._utils _rebuild_tensor_v2.__globals__",
        "collections OrderedDict.__init__.__globals__",
        "numpy.core.multiarray _reconstruct",
        "torch._tensor _rebuild_from_type_v2",
        "copyreg _reconstructor",
        "argparse Namespace",
        "pathlib Path",
        "collections defaultdict",
        "numpy f2py",
        "runpy _run_code",
        "operator attrgetter",
    )
    fragments = []
    for name in names:
        module, attribute = name.encode().split(b" ")
        argument = code if b"e" in attribute[:2] else command
        fragments += [
            b"c" + module + b"\n" + attribute + b"\n" + argument + b"\x85R",
            text(module) + text(attribute) + b"\x93" + argument + b"\x85R",
            text(module) + b"\x94" + text(attribute) + b"\x94\x93\x94" + argument + b"\x85R",
            b"(" + argument + b"i" + module + b"\n" + attribute + b"\n",
            b"(c" + module + b"\n" + attribute + b"\n" + argument + b"o",
            b"c" + module + b"\n" + attribute + b"\n" + argument + b"\x85\x81",
            b"c" + module + b"\n" + attribute + b"\n" + argument + b"\x85}\x92",
        ]
    fragments += [
        b"\x82\x01",
        b"\x83\x01\x01",
        b"\x84\x01\x01\x01\x01",
        b"\x8e" + struct.pack("<Q", 1 << 40),
        b"\x8d" + struct.pack("<Q", 1 << 40),
        b"\x96" + struct.pack("<Q", 1 << 40),
        b"B" + struct.pack("<I", 1 << 31),
        b"X" + struct.pack("<I", 0xFFFFFFFF),
        b"T" + struct.pack("<i", -1),
        b"\x8b" + struct.pack("<i", 0x7FFFFFFF),
        b"\x8b" + struct.pack("<i", -1),
        b"\x8a\xff" + b"\x7f" * 255,
        b"r" + struct.pack("<I", 0xFFFFFFFF),
        b"j" + struct.pack("<I", 0xFFFFFFFF),
        b"\x95" + struct.pack("<Q", 1 << 62),
        b"I" + b"9" * 5000 + b"\n",
        b"L" + b"9" * 5000 + b"L\n",
        b"Vtext\n",
        b"S'text'\n",
        b"Ppersistent\n",
        b"\x97\x98",
        b"\x8f\x90",
        b"]\x94h\x00a",
        b"2\x862\x862\x862\x862\x862\x86",
        b"}" + b")\x85" * 30 + b"Ns",
        b"NQ",
        b"K\x01Q",
        text("storage") + b"\x85Q",
        b"(lp0\n",
        b"(dp0\n",
    ]
    return fragments


def split(pickle: bytes) -> list[bytes]:
    """Cut a pickle into its opcodes with their arguments."""
    starts = [position for _, _, position in pickletools.genops(pickle)] + [len(pickle)]
    return [pickle[a:b] for a, b in itertools.pairwise(starts)]


class Seed:
    """One checkpoint, taken apart.

    Args:
        pickle: Its pickle.
        storages: Content by key, for the zip format; None for the legacy one.
        tail: What follows the pickle in the legacy format.
    """

    def __init__(self, pickle: bytes, storages: dict[str, bytes] | None, tail: bytes = b""):
        self.pickle = pickle
        self.opcodes = split(pickle)
        self.storages = storages
        self.tail = tail

    def build(self, pickle: bytes) -> bytes:
        """Put another pickle in its place."""
        if self.storages is None:
            return make_legacy(pickle, self.tail)
        return make_zip(pickle, self.storages)


def _take_apart(data: bytes) -> Seed:
    if data[:2] == b"PK":
        archive = zipfile.ZipFile(io.BytesIO(data))
        folder = archive.namelist()[0].split("/")[0]
        start = f"{folder}/data/"
        names = [name for name in archive.namelist() if name.startswith(start)]
        storages = {name.removeprefix(start): archive.read(name) for name in names}
        return Seed(archive.read(f"{folder}/data.pkl"), storages)
    rest = io.BytesIO(data)
    for _ in range(3):
        collections.deque(pickletools.genops(rest), maxlen=0)
    start = rest.tell()
    collections.deque(pickletools.genops(rest), maxlen=0)
    return Seed(data[start : rest.tell()], None, data[rest.tell() :])


def make_seeds() -> list[tuple[bytes, Seed]]:
    """Write small checkpoints with PyTorch, in both formats and pickle protocols 2 and 4."""
    import numpy as np
    import torch

    state = collections.OrderedDict(
        a=torch.arange(12.0).reshape(3, 4).T,
        b=torch.tensor(3),
        c=torch.ones(2, dtype=torch.bfloat16),
        d=torch.zeros(0, 3),
        e=torch.nn.Parameter(torch.tensor([True, False]), requires_grad=False),
    )
    state["f"] = state["a"][1:, :2]
    state._metadata = {"": {"version": 1}}
    whole = {
        "state_dict": state,
        "epoch": 3,
        "rank1": np.float64(0.5),
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]},
        "scheduler": {"milestones": collections.Counter([1, 2])},
    }
    tags = collections.defaultdict(list, a=[1])
    network = {
        f"module.{name}": torch.ones(2, 2).expand(3, 2, 2)
        for name in ("conv1.conv.weight", "conv2.0.conv1.conv.weight", "conv5.conv.weight")
    }
    beside = {
        "args": argparse.Namespace(folder=pathlib.PurePosixPath("runs"), sizes={1, 2}),
        "curve": np.arange(3.0),
        "when": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        "tags": tags,
        (1, 0.5): collections.deque([1], maxlen=3),
        "types": (torch.float32, torch.device("cpu"), np.float32, frozenset((1,)), slice(1, 2)),
        "ema": network,
        "other": {"optimizer": [{0: torch.ones(1)}]},
    }
    seeds = []
    for content in (state, whole, beside):
        for is_zip in (True, False):
            for protocol in (2, 4):
                file = io.BytesIO()
                torch.save(
                    content,
                    file,
                    pickle_protocol=protocol,
                    _use_new_zipfile_serialization=is_zip,
                )
                seeds.append((file.getvalue(), _take_apart(file.getvalue())))
    wide = io.BytesIO()
    torch.save({"g": torch.ones(2, dtype=torch.uint16)}, wide)
    seeds.append((wide.getvalue(), _take_apart(wide.getvalue())))
    return seeds


def repair_checksums(data: bytes) -> bytes:
    """Give the entries of a zip file, where it still can be read, the checksums they should have.

    Without this nearly every flipped bit would end at the same check.
    """
    fixed = bytearray(data)
    position = data.find(b"PK\1\2")
    while 0 <= position <= len(data) - 46:
        size, start = (struct.unpack_from("<I", data, position + k)[0] for k in (24, 42))
        if start + 30 <= len(data):
            name, extra = struct.unpack_from("<HH", data, start + 26)
            content = data[start + 30 + name + extra :][:size]
            struct.pack_into("<I", fixed, position + 16, zlib.crc32(content))
        position = data.find(b"PK\1\2", position + 4)
    return bytes(fixed)
