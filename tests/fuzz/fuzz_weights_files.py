"""Load damaged .safetensors, .keras and .weights.h5 files, and watch what happens.

python tests/fuzz/fuzz_weights_files.py --inputs 1000 --seed 0

Each kind gets `--inputs` inputs, which differ from a valid file in what describes the arrays; the
numbers in them are left. Ends with status 1, and keeps the input, if anything but a ValueError that
names the file was raised, if a program was started that does not read HDF5, or if an input took
longer than `--seconds`. A death of the process is seen by its status. Runs on Linux.
"""

import argparse
import collections
import io
import json
import os
import random
import signal
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

import keras_osnet
from keras_osnet.weights import h5_reader, save_safetensors

NETWORK = {"width": 0.25, "depths": (1, 1, 1), "streams": 2}
CONFIGURATION, WEIGHTS = "config.json", "model.weights.h5"
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 3, 2**31, 2**63, 10**30, 1e4, 1e308, "", "x", [], {}, [1], [None], [[]]),
    *({"a": 1}, [10**9] * 3, [3000] * 3, "float8", "Lambda", "os.system"),
)


def described(hdf5: bytes) -> list[int]:
    """Return the positions of an HDF5 file that are not numbers of an array, nor zero."""
    numbers: set[int] = set()

    def visit(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and (start := item.id.get_offset()) is not None:
            numbers.update(range(start, start + item.id.get_storage_size()))

    with h5py.File(io.BytesIO(hdf5)) as file:
        file.visititems(visit)
    return [at for at, value in enumerate(hdf5) if value and at not in numbers]


def changed_bytes(content: bytes, positions: list[int], choose: random.Random) -> bytes:
    """Change some bytes, and sometimes cut the rest."""
    data = bytearray(content)
    for _ in range(choose.choice((1, 1, 2, 4, 8, 32))):
        at = choose.choice(positions)
        flipped = data[at] ^ (1 << choose.randrange(8))
        data[at] = choose.choice((0, 255, 127, 128, choose.randrange(256), flipped))
    if choose.random() < 0.08:
        del data[choose.randrange(len(data)) :]
    return bytes(data)


def changed_json(text: str | bytes, choose: random.Random) -> str:
    """Replace, remove or rename values somewhere in JSON."""
    root = json.loads(text)
    for _ in range(choose.choice((1, 1, 1, 2, 3))):
        node = root
        while keys := list(node) if isinstance(node, dict) else list(range(len(node))):
            key = choose.choice(keys)
            if isinstance(node[key], dict | list) and node[key] and choose.random() < 0.7:
                node = node[key]
                continue
            kind = choose.random()
            if kind < 0.15:
                del node[key]
            elif kind < 0.25 and isinstance(node, dict):
                node[f"{key}x"] = node.pop(key)
            else:
                node[key] = choose.choice(VALUES)
            break
    return json.dumps(root)


def safetensors_changer(content: bytes) -> Callable[[random.Random], bytes]:
    """Return a function that damages the header of a .safetensors file."""
    end = 8 + int.from_bytes(content[:8], "little")

    def change(choose: random.Random) -> bytes:
        if choose.random() < 0.4:
            return changed_bytes(content, list(range(end)), choose)
        header = json.loads(content[8:end])
        if choose.random() < 0.5:
            entries = header["__metadata__"]
            name = choose.choice([name for name in entries if entries[name].startswith("{")])
            entries[name] = changed_json(entries[name], choose)
        else:
            header = json.loads(changed_json(json.dumps(header), choose))
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + content[end:]

    return change


def hdf5_changer(content: bytes) -> Callable[[random.Random], bytes]:
    """Return a function that damages an HDF5 file."""
    positions = described(content)
    return lambda choose: changed_bytes(content, positions, choose)


def keras_changer(content: bytes) -> Callable[[random.Random], bytes]:
    """Return a function that damages the archive, the configuration or the HDF5 of a .keras."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change_hdf5 = hdf5_changer(members[WEIGHTS])
    ends = [*range(400), *range(-400, 0)]

    def change(choose: random.Random) -> bytes:
        if choose.random() < 0.2:
            return changed_bytes(content, ends, choose)
        changed, kind = dict(members), choose.random()
        if kind < 0.6:
            changed[CONFIGURATION] = changed_json(members[CONFIGURATION], choose).encode()
        elif kind < 0.7:
            del changed[choose.choice(list(members))]
        else:
            changed[WEIGHTS] = change_hdf5(choose)
        output = io.BytesIO()
        method = choose.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
        with zipfile.ZipFile(output, "w", method) as archive:
            for name, member in changed.items():
                archive.writestr(name, member)
        return output.getvalue()

    return change


def load(path: Path) -> None:
    """Load a file; weights of Keras do not tell their network."""
    if path.name.endswith(".h5"):
        keras_osnet.OSNet(**NETWORK, weights=path)
    else:
        keras_osnet.load_model(path)


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """End the process if something was executed, as an audit hook."""
    if event in ("os.system", "os.exec", "os.posix_spawn") or (
        event == "subprocess.Popen" and h5_reader.__name__ not in arguments[1]
    ):
        print(f"executed: {event} {arguments}", file=sys.stderr, flush=True)
        os._exit(1)


def hang(*_: object) -> None:
    """Handle the alarm."""
    raise AssertionError("it took too long")


def main() -> None:
    """Load the inputs and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    work = Path(tempfile.mkdtemp(prefix="fuzz-weights-"))
    model = keras_osnet.OSNet(**NETWORK)
    model.save(work / "model.keras")
    model.save_weights(work / "model.weights.h5")
    save_safetensors(model, work / "model.safetensors")
    changers = {
        ".safetensors": safetensors_changer,
        ".keras": keras_changer,
        ".weights.h5": hdf5_changer,
    }
    sys.addaudithook(watch)
    signal.signal(signal.SIGALRM, hang)
    choose = random.Random(options.seed)
    for ending, changer in changers.items():
        load(work / f"model{ending}")
        change = changer((work / f"model{ending}").read_bytes())
        path = work / f"input{ending}"
        outcomes: collections.Counter = collections.Counter()
        for _ in range(options.inputs):
            path.write_bytes(change(choose))
            signal.alarm(options.seconds)
            try:
                load(path)
                outcomes["loaded"] += 1
            except ValueError as error:
                if str(path) not in str(error):
                    raise AssertionError(f"{path} is not named in: {error!r}") from error
                outcomes["refused"] += 1
            finally:
                signal.alarm(0)
        print(f"{ending}: {dict(outcomes)}")


if __name__ == "__main__":
    main()
