"""Open thousands of damaged and hostile exported files, in processes whose deaths are counted.

python tests/fuzz/fuzz_exported_files.py --inputs 1000 --seed 0

Each kind (`.tflite`, `.onnx`, `.xml` with its `.bin`, and the descriptions in ZIP archives) gets
`--inputs` files. Ends with status 1, and keeps the input, if a program was run or a connection
made, if anything but an error of the package was raised, if an input took longer than `--seconds`,
or if a process died. `--foreign` removes the metadata, so that the engines see the damaged files:
they can crash.
"""

import argparse
import collections
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np

KINDS = ("tflite", "onnx", "xml", "zip")
WATCHED = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")
NUMBERS = (-1, 0, 10**9, 10**400, 1e300)
VALUES = (None, True, *NUMBERS, "", "\ud800", "x" * 10**6, [], [[]], {}, [0] * 99)


def damage(data: bytes, choose: random.Random) -> bytes:
    """Change, cut, repeat or insert bytes, more often near the end, where the metadata is."""
    data = bytearray(data)
    for _ in range(choose.choice((1, 1, 1, 2, 8))):
        near_end = choose.random() < 0.5
        at = choose.randrange(max(0, len(data) - 2000) if near_end else 0, len(data) or 1)
        action = choose.randrange(6)
        if action == 0:
            data[at : at + 1] = bytes([choose.randrange(256)])
        elif action == 1:
            data[at : at + 4] = choose.choice((0, 1, 2**31, 2**32 - 1)).to_bytes(4, "little")
        elif action == 2:
            del data[at:]
        elif action == 3:
            del data[at : at + choose.randrange(1, 64)]
        elif action == 4:
            data[at:at] = data[at : at + choose.randrange(1, 500)]
        else:
            data[at:at] = choose.randbytes(choose.randrange(1, 32))
    return bytes(data)


def described(tflite: bytes, choose: random.Random) -> bytes:
    """Return a flatbuffer with a changed description, in an archive that may be damaged."""
    with zipfile.ZipFile(io.BytesIO(tflite)) as archive:
        facts = json.loads(archive.read("keras_osnet.json"))
    part, keys = facts, []
    while isinstance(part, dict) and part:
        keys.append((part, choose.choice(list(part))))
        part = part[keys[-1][1]]
    for holder, key in keys[-1:] if choose.random() < 0.7 else keys[:1]:
        if choose.random() < 0.3:
            del holder[key]
        else:
            holder[choose.choice((key, "other"))] = choose.choice(VALUES)
    if choose.random() < 0.3:
        facts["digest"] = None  # so that the engine opens the file
    text = json.dumps(facts, ensure_ascii=choose.random() < 0.5).encode("utf-8", "surrogatepass")
    if choose.random() < 0.1:
        text = choose.choice((b"[" * 10**5, b'{"a":' * 10**5, b"", b"NaN", b" " * (17 << 20)))
    stream = io.BytesIO()
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(stream, "w", choose.choice(methods)) as archive:
        archive.writestr("keras_osnet.json", text)
    content = stream.getvalue()
    return tflite[: tflite.index(b"PK\3\4")] + (
        damage(content, choose) if choose.random() < 0.7 else content
    )


def work(folder: Path, kind: str, seed: int, first: int, last: int, foreign: bool) -> None:
    """Open inputs and print the outcome of each; the parent restarts after a death."""
    from keras_osnet.runtime import Embedder, ModelFileError

    warnings.simplefilter("ignore")
    noted: list[str] = []
    sys.addaudithook(lambda event, _: noted.append(event) if event in WATCHED else None)
    suffix = "tflite" if kind == "zip" else kind
    seeds = [file.read_bytes() for file in sorted(folder.glob(f"seed*.{suffix}"))]
    weights = folder / "seed.bin"
    image = np.zeros((1, 8, 8, 3), np.uint8)
    for number in range(first, last):
        choose = random.Random(f"{kind} {seed} {number}")
        data = choose.choice(seeds)
        data = described(data, choose) if kind == "zip" else damage(data, choose)
        if foreign:
            data = data.replace(b"keras_osnet", b"other_osnet").replace(b"l2_norm", b"l3_norm")
            data = data.replace(b"library_version", b"Library_version")
        file = folder / f"input.{suffix}"
        file.write_bytes(data)
        if kind == "xml":
            own = weights.read_bytes()
            file.with_suffix(".bin").write_bytes(
                damage(own, choose) if choose.random() < 0.3 else own
            )
        print(number, "begins", flush=True)
        noted.clear()
        try:
            embedder = Embedder(file, pixel_range="0-255" if foreign else None, threads=1)
            noted.clear()  # the engines load their libraries
            embedder.embed(image)
            outcome = "opened"
        except ModelFileError:
            outcome = "refused"
        except (ValueError, FileNotFoundError) as error:
            named = file.name in str(error) and "Received: " in str(error)
            outcome = "refused" if named else f"{type(error).__name__} {str(error)[:300]}"
        except BaseException as error:
            outcome = f"{type(error).__name__} {str(error)[:300]}"
        print(number, f"executed {noted}" if noted else outcome.replace("\n", " "), flush=True)


def main() -> int:
    """Run all kinds and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--foreign", action="store_true")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    parser.add_argument("--work", nargs=5)
    arguments = parser.parse_args()
    if arguments.work:
        folder, kind, seed, first, last = arguments.work
        work(Path(folder), kind, int(seed), int(first), int(last), arguments.foreign)
        return 0
    with tempfile.TemporaryDirectory() as name:
        make_seeds(Path(name))
        print(f"seed {arguments.seed}")
        results = [run(Path(name), kind, arguments) for kind in arguments.kinds]
    return int(not all(results))


def make_seeds(folder: Path) -> None:
    """Export small models to change."""
    import keras

    import keras_osnet
    from keras_osnet.deploy import export
    from keras_osnet.synthetic import synthetic_people

    keras.utils.set_random_seed(0)
    model = keras_osnet.OSNet(
        0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=1
    )
    for suffix in ("tflite", "onnx", "xml"):
        export(model, folder / f"seed.{suffix}")
    images = synthetic_people(16, views=2, image_size=(64, 32)).images
    export(model, folder / "seed8.tflite", quantization="int8", calibration=images)


def run(folder: Path, kind: str, arguments: argparse.Namespace) -> bool:
    """Run the inputs of one kind, and return whether all were refused or opened."""
    counts: collections.Counter[str] = collections.Counter()
    first = 0
    while first < arguments.inputs:
        command = [sys.executable, __file__, "--work", str(folder), kind]
        command += [str(each) for each in (arguments.seed, first, arguments.inputs)]
        command += ["--foreign"] * arguments.foreign
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            outcome, number, slow = "", first, 0.0
            begun = time.perf_counter()
            for line in process.stdout or ():
                number, outcome = int(line.split(" ", 1)[0]), line.split(" ", 1)[1].strip()
                if outcome == "begins":
                    begun = time.perf_counter()
                    continue
                slow = time.perf_counter() - begun
                if slow > arguments.seconds:
                    outcome = f"slow: {slow:.0f} s"
                counts[note(folder, kind, number, outcome, arguments)] += 1
        if process.returncode:
            counts[note(folder, kind, number, f"died {process.returncode}", arguments)] += 1
        first = number + 1
    print(kind, dict(counts), flush=True)
    return set(counts) <= {"opened", "refused"}


def note(folder: Path, kind: str, number: int, outcome: str, arguments: argparse.Namespace) -> str:
    """Keep an input with a bad outcome, and return the outcome."""
    if outcome not in ("opened", "refused"):
        arguments.keep.mkdir(exist_ok=True)
        for file in folder.glob("input.tflite" if kind == "zip" else f"input.{kind}"):
            shutil.copy(file, arguments.keep / f"{kind}-{arguments.seed}-{number}{file.suffix}")
        print(kind, number, outcome, flush=True)
    return outcome.split(" ")[0]


if __name__ == "__main__":
    sys.exit(main())
