"""Read hundreds of thousands of damaged and hostile checkpoints, and watch what happens.

python tests/fuzz/fuzz_torch_checkpoint.py --inputs 100000 --seed 0

Ends with status 1, and keeps the input, if anything was run, imported or opened, if anything but a
refusal was raised, if an input took too long, or if memory grew beyond the limit. Runs on Linux.
"""

import argparse
import collections
import gc
import io
import random
import re
import resource
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from torch_seeds import Seed, danger, make_seeds, repair_checksums

from keras_osnet.weights.torch_file.pickle_machine import RefusedError
from keras_osnet.weights.torch_file.reader import parse_checkpoint
from keras_osnet.weights.torch_file.tensors import MAX_REPEATED

SECONDS = 2
MEGABYTES = 256
SIZES = (0, 1, 2, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)


class Watch:
    """Notes every audited event (imports, files, processes, sockets, code) while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.events: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple) -> None:
        if self.on and event != "builtins.id":  # `id(value)`, which runs nothing
            self.events.append(f"{event} {str(arguments)[:100]}")


class Mutator:
    """Makes inputs."""

    def __init__(self, seed: int, marker: str) -> None:
        self.random = random.Random(seed)
        self.seeds = make_seeds()
        self.danger = danger(marker)
        self.opcodes = [opcode for _, parts in self.seeds for opcode in parts.opcodes]

    def make(self) -> bytes:
        """Make one input."""
        data, parts = self.random.choice(self.seeds)
        kind = self.random.random()
        if kind < 0.3:
            return self._damage(data)
        if kind < 0.8:
            return parts.build(self._edit(parts))
        if kind < 0.9:
            return parts.build(self._invent())
        return self._damage(parts.build(self._edit(parts)))

    def _damage(self, data: bytes) -> bytes:
        choose = self.random
        damaged = bytearray(data)
        for _ in range(choose.choice((1, 1, 2, 8))):
            at = choose.randrange(len(damaged) + 1)
            action = choose.randrange(6)
            if action == 0 and at < len(damaged):
                damaged[at] ^= 1 << choose.randrange(8)
            elif action == 1 and at < len(damaged):
                damaged[at] = choose.randrange(256)
            elif action == 2:
                del damaged[at:]
            elif action == 3:
                other = choose.choice(self.seeds)[0]
                damaged[at:] = other[choose.randrange(len(other)) :]
            elif action == 4:
                size = choose.choice((2, 4, 8))
                field = (choose.choice(SIZES) % 256**size).to_bytes(size, "little")
                damaged[at : at + size] = field
            else:
                damaged[at:at] = choose.randbytes(choose.choice((1, 8, 64)))
        result = bytes(damaged)
        return repair_checksums(result) if choose.random() < 0.7 else result

    def _edit(self, parts: Seed) -> bytes:
        choose = self.random
        opcodes = list(parts.opcodes)
        for _ in range(choose.choice((1, 1, 1, 2, 4))):
            at = choose.randrange(len(opcodes))
            action = choose.randrange(7)
            if action == 0:
                opcodes.insert(at, choose.choice(self.danger))
            elif action == 1:
                opcodes[at] = choose.choice(self.danger)
            elif action == 2:
                opcodes.insert(at, choose.choice(self.opcodes))
            elif action == 3:
                opcodes[at] = choose.choice(self.opcodes)
            elif action == 4:
                opcodes[at] = self._enlarge(opcodes[at])
            elif action == 5:
                first = choose.randrange(len(opcodes))
                opcodes[at:at] = opcodes[first : first + choose.randrange(1, 20)]
            elif len(opcodes) > 2:
                del opcodes[at : at + choose.choice((1, 1, 5))]
            if not opcodes:
                opcodes.append(b".")
        return b"".join(opcodes)

    def _enlarge(self, opcode: bytes) -> bytes:
        """Replace the length or the number of an opcode."""
        choose = self.random
        if opcode[:1] == b"c":
            return choose.choice((b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch\nLongStorage\n"))
        number = choose.choice(SIZES)
        if opcode[:1] in b"KMJ":
            return b"\x8a\x09" + struct.pack("<QB", number, 0)
        if opcode[:1] in (b"X", b"T", b"B"):
            return opcode[:1] + struct.pack("<I", number % 2**32) + opcode[5:]
        return opcode[:1] + choose.randbytes(len(opcode) - 1)

    def _invent(self) -> bytes:
        """String opcodes together at random, with a bias to what real pickles have."""
        choose = self.random
        pieces = [b"\x80\x02"]
        for _ in range(choose.randrange(1, 60)):
            kind = choose.random()
            if kind < 0.8:
                pieces.append(choose.choice(self.opcodes))
            elif kind < 0.9:
                pieces.append(choose.choice(self.danger))
            else:
                pieces.append(
                    bytes([choose.randrange(256)]) + choose.randbytes(choose.randrange(9))
                )
        return b"".join(pieces) + b"."


def read(data: bytes) -> dict[str, np.ndarray]:
    """Read as `read_torch_checkpoint` does, and as networks are read."""
    make, found = parse_checkpoint(io.BytesIO(data), any_in_dictionary=True)
    arrays = {name: make(name, tensor) for name, tensor in found.dictionary.items()}
    make, found = parse_checkpoint(io.BytesIO(data))
    for name in found.names().values():
        make(name, found.dictionary[name])
    return arrays


def too_slow(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def use(arrays: dict[str, np.ndarray], size: int) -> None:
    """Look at every element, so that an array that reaches out of its memory shows."""
    for name, array in arrays.items():
        if (
            not isinstance(name, str)
            or array.flags.writeable
            or array.size > max(size, MAX_REPEATED)
        ):
            raise AssertionError(f"{name!r}: {array.flags}, {array.size} elements")
        array.tobytes()


def peak_kilobytes() -> int:
    """Return the most memory that this process has held, in kB."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])


def summarize(message: str) -> str:
    """Reduce a message to its kind: its first words, without the names and numbers in it."""
    message = re.sub(r"^in the tensor (b?'[^']*'|\"[^\"]*\")(\.\.\.)?, ", "", message)
    message = re.sub(r"b?('[^']*'|\"[^\"]*\")", "'…'", message)
    return " ".join(re.sub(r"\d+", "N", message).split()[:5])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    folder = Path(tempfile.mkdtemp(prefix="fuzz_torch_checkpoint_"))
    marker = folder / "executed"
    mutator = Mutator(options.seed, str(marker))
    watch = Watch()
    for data, _ in mutator.seeds:  # also loads whatever is loaded on first use
        use(read(data), len(data))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of importing PyTorch
    before = peak_kilobytes()
    virtual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (virtual + MEGABYTES * 2**20,) * 2)
    signal.signal(signal.SIGALRM, too_slow)

    kinds: collections.Counter[str] = collections.Counter()
    bad: collections.Counter[str] = collections.Counter()
    slowest, slowest_input, longest, began = 0.0, -1, 0, time.perf_counter()
    for index in range(options.inputs):
        data = mutator.make()
        longest = max(longest, len(data))
        problem = ""
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        start = time.perf_counter()
        watch.on = True
        try:
            use(read(data), len(data))
            kinds["accepted"] += 1
        except RefusedError as error:
            watch.on = False
            kinds[f"refused: {summarize(str(error))}"] += 1
        except BaseException as error:
            watch.on = False
            if isinstance(error, KeyboardInterrupt):
                raise
            problem = f"other exception: {type(error).__name__}: {error}"
            bad["other exceptions"] += 1
        watch.on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        taken = time.perf_counter() - start
        if taken > slowest:
            slowest, slowest_input = taken, index
        if watch.events or marker.exists():
            problem = f"code executed: {watch.events[:3]}"
            bad["code executed"] += 1
            watch.events.clear()
            marker.unlink(missing_ok=True)
        if problem:
            saved = folder / f"seed{options.seed}_input{index}.bin"
            saved.write_bytes(data)
            print(f"{problem}\n  kept in {saved}")

    growth = (peak_kilobytes() - before) / 1024
    for kind, count in kinds.most_common():
        print(f"{count:8d}  {kind}")
    print(f"inputs: {options.inputs} (seed {options.seed}, up to {longest} bytes)")
    print(f"accepted: {kinds['accepted']}")
    print(f"refused: {options.inputs - kinds['accepted'] - bad['other exceptions']}")
    print(f"slowest input: {slowest * 1000:.1f} ms (number {slowest_input})")
    print(f"memory: at most {growth:.1f} MiB more than before (limit {MEGABYTES})")
    print(f"time: {time.perf_counter() - began:.0f} s")
    print(f"code executed: {bad['code executed']}")
    print(f"other exceptions: {bad['other exceptions']}")
    if not bad and not any(folder.iterdir()):
        folder.rmdir()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
