"""OSNet on one GPU: parity, speed beside torchreid in PyTorch, fused streams, CIFAR-10.

    python tests/benchmarks/accelerator.py --json gpu.json --torchreid deep-person-reid \
        --cifar cifar10_jpeg.npz

It needs NumPy, Pillow, Keras, JAX and torch, but no TensorFlow. `--seconds` is the time for
everything: what does not fit is left out, and the output says so. Every part is a process with a
time limit, an error ends this part alone, and the JSON is written after every figure.

- `parity`: The networks of tests/assets/golden on this device, in float32 without and with TF32,
  `mixed_bfloat16` and `bfloat16`: largest difference of embeddings and logits from torchreid's in
  float32 on a CPU, relative to the largest value, and the lowest cosine of embeddings.
- `speed`: Contenders are separate processes, which are set up side by side and then take turns. A
  figure is the median over the turns. Images are on the device, except for `predict`. Latency
  (batch 1) is that of single calls, each waited for; otherwise calls are waited for in groups.
  `float32` is with TF32, `bfloat16` converts the whole network for inference and is mixed in
  training (`mixed_bfloat16`, autocast). A training step is cross-entropy and SGD with momentum.
- `fused`, a form of our networks: the streams as one on concatenated channels, see
  fused_streams.py.
- `largest`: Training with the largest batch that fits, in powers of two.
- `cifar`: Training on CIFAR-10 by the recipe on JAX, shortened to the epochs that fit. `train`
  augments on the CPU; here this is a part of the compiled step, and the last incomplete batch of an
  epoch is left out.
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import queue
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import accelerator_cifar
import accelerator_largest
import accelerator_parity
import accelerator_speed

CONTENDERS = {"PyTorch": "torch", "torch": "torch", "JAX": "jax"}
"""Backend of each; `PyTorch` is torchreid's network, the others are ours."""

CHILDREN = {
    "parity": accelerator_parity.parity,
    "speed": accelerator_speed.speed,
    "largest": accelerator_largest.largest,
    "cifar": accelerator_cifar.cifar,
}
"""What the process of each part does."""

ROUNDS = 3
PARITY, SETUP, TURNS, LARGEST, TESTS = 0.35, 0.45, 0.6, 0.15, 0.02
"""Shares of the time: the ends of parity, of setting up the contenders and of their turns; the
time for the largest batches; for loading and testing in CIFAR-10."""

FULL = {
    "image_size": (256, 128),
    "inference": (1, 128),
    "training": 64,
    "network": {},
    "compile": True,
    "turn": 0.15,
    "predicted": 64,
    "largest": 4096,
    "cifar_batch": 128,
    "cifar_steps": 30,
    "cifar_epochs": 200,
}
TINY = {
    "image_size": (64, 32),
    "inference": (1, 4),
    "training": 4,
    "network": {"depths": (1, 1, 1)},
    "compile": False,
    "turn": 0.01,
    "predicted": 4,
    "largest": 16,
    "cifar_batch": 8,
    "cifar_steps": 2,
    "cifar_epochs": 4,
}


class Results:
    """The figures: printed as they come, and written to a file each time."""

    def __init__(self, path, header):
        self.path, self.start = path, time.time()
        self.found = {"header": header, "records": []}
        print(json.dumps(header), flush=True)

    def add(self, part, record):
        record = {"part": part, **record}
        self.found["records"].append(record)
        text = ", ".join(f"{name} {_short(value)}" for name, value in record.items())
        print(f"[{time.time() - self.start:4.0f} s] {text}", flush=True)
        if self.path:
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(self.found, indent=1))
            new.replace(self.path)


class Child:
    """A process of this script that reports in lines of JSON and waits for its turns."""

    def __init__(self, task, device):
        self.task = task
        self.title = {key: task[key] for key in ("contender", "width", "precision") if key in task}
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        forced = {"KERAS_BACKEND": task["backend"]}
        if device == "cpu":
            forced |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        environment = {
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "XLA_CLIENT_MEM_FRACTION": "0.92",
            "TORCHINDUCTOR_COMPILE_THREADS": "4",
            "OMP_NUM_THREADS": "2",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            # Tuning takes XLA minutes: only programs whose form says so are tuned.
            "XLA_FLAGS": "--xla_gpu_autotune_level=0",
            # Processes find what others have compiled.
            "JAX_COMPILATION_CACHE_DIR": str(Path(tempfile.gettempdir(), "osnet_jax_cache")),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-u", __file__, "--child", json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**environment, **os.environ, **forced},
            start_new_session=True,  # so that its compilers end with it
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.lines.put(json.loads(line))
        self.lines.put(None)

    def records(self, until, results):
        """Add what it reports to the results, until it is ready or finished.

        Returns:
            Whether it is ready. If it is not by `until`, it is ended.
        """
        while True:
            try:
                record = self.lines.get(timeout=max(0.01, until - time.time()))
            except queue.Empty:
                results.add(self.task["part"], {**self.title, "error": "out of time"})
                self.end()
                return False
            if record is None:
                if self.process.wait() != 0:
                    self.errors.seek(0)
                    last = "\n".join(self.errors.read().splitlines()[-8:])
                    results.add(self.task["part"], {**self.title, "error": last})
                return False
            if record.pop("ready", False):
                return True
            results.add(self.task["part"], {**self.title, **record})

    def turn(self, until, results):
        """Let it have a turn, and return whether it goes on."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        return self.records(until, results)

    def end(self):
        """End it and its compilers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def measure(arguments, results, sizes):
    """Run all parts in the given time."""
    start = time.time()
    end = start + arguments.seconds
    until = start + SETUP * arguments.seconds

    def child(part, contender, **more):
        task = {
            "part": part,
            "contender": contender,
            "backend": CONTENDERS[contender],
            "torchreid": str(arguments.torchreid) if arguments.torchreid else None,
            "until": until,
            "sizes": sizes,
            **more,
        }
        return Child(task, arguments.device)

    contenders = list(arguments.contenders)
    if "PyTorch" in contenders and not arguments.torchreid:
        contenders.remove("PyTorch")
        results.add("speed", {"contender": "PyTorch", "left out": "no --torchreid"})
    groups = [
        {"width": width, "precision": precision}
        for width in arguments.widths
        for precision in arguments.precisions
    ]
    everything = []
    try:
        if "speed" in arguments.parts:
            # The compilers of the GPU machine's cores work side by side; nothing is timed yet.
            speed = [[child("speed", each, **group) for each in contenders] for group in groups]
            everything += itertools.chain.from_iterable(speed)
        last = end - LARGEST * arguments.seconds if "largest" in arguments.parts else end
        if "cifar" in arguments.parts:
            training = {"width": arguments.widths[0], "precision": "bfloat16"}
            data, stop = str(arguments.cifar or ""), last - TESTS * arguments.seconds
            cifar = child("cifar", "JAX", data=data, end=stop, **training)
            everything.append(cifar)
        if "parity" in arguments.parts:
            parity_until = start + PARITY * arguments.seconds
            parity = [child("parity", each, until=parity_until) for each in ("torch", "JAX")]
            everything += parity
            for each in parity:
                each.records(parity_until + 15, results)
        if "speed" in arguments.parts:
            for group in speed:
                ready = [each for each in group if each.records(until + 20, results)]
                group[:] = ready
            results.add("speed", {"ready": sum(map(len, speed))})
            for group in speed:
                take_turns(group, start + TURNS * arguments.seconds, results)
        largest = []
        if "largest" in arguments.parts:
            until = last
            # Their compilers work while CIFAR-10 is on the device.
            largest = [child("largest", each, **group) for group in groups for each in contenders]
            everything += largest
        if "cifar" in arguments.parts:
            # Compiled at the beginning, when there is time enough.
            if cifar.records(min(last, time.time() + 30), results):
                cifar.turn(last, results)
            cifar.end()
        ready = [each for each in largest if each.records(last, results)]
        for each in sorted(ready, key=lambda each: each.task["backend"] == "jax"):
            if time.time() > end - 5:
                results.add("largest", {**each.title, "left out": "no time is left"})
            else:
                each.turn(min(end, time.time() + 25), results)
            each.end()
    finally:
        for each in everything:
            each.end()


def take_turns(group, until, results):
    """Let the contenders of a width and precision take turns, report medians, and end them."""
    turns = {}
    for _ in range(ROUNDS):
        for contender in list(group):
            if time.time() > until:
                break
            collected = _Collected()
            if not contender.turn(until + 20, collected):
                group.remove(contender)
            for record in collected.records:
                if "error" in record:
                    results.add("speed", record)
                else:
                    key = (contender, record["form"], record["work"], record["batch"])
                    turns.setdefault(key, []).append(record["ms"])
    for (contender, form, work, batch), times in turns.items():
        middle = statistics.median(times)
        results.add(
            "speed",
            {
                **contender.title,
                "form": form,
                "work": work,
                "batch": batch,
                "ms": middle,
                "lowest": min(times),
                "highest": max(times),
                "images/s": 1000 * batch / middle,
            },
        )
    if not turns:
        results.add("speed", {"left out": "no time is left, or nothing was ready"})
    for contender in group:
        contender.end()


class _Collected:
    def __init__(self):
        self.records = []

    def add(self, part, record):
        self.records.append(record)


def print_table(records):
    """Print the speeds: a line for each width, precision, work and batch."""
    rows, columns = {}, {}
    for each in records:
        if "ms" in each and each["part"] == "speed":
            key = (each["width"], each["precision"], each["work"], each["batch"])
            column = f"{each['contender']} {each['form']}"
            columns[column] = None
            rows.setdefault(key, {})[column] = each["ms"]
    print("ms per batch")
    for key, row in rows.items():
        print("x{} {} {} {}:".format(*key), end=" ")
        print(", ".join(f"{column} {row[column]:.2f}" for column in columns if column in row))


def header(device):
    """Return the device and versions."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "cores": os.cpu_count(), "device": device}
    for name in ("numpy", "keras", "jax", "jaxlib", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        found["gpu"] = subprocess.run(query, capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        found["gpu"] = str(error)
    return found


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--seconds", type=float, default=480, help="for everything")
    parser.add_argument("--torchreid", type=Path, help="torchreid's source tree")
    parser.add_argument("--cifar", type=Path, help="CIFAR-10: cifar10_jpeg.npz")
    parser.add_argument("--widths", type=float, nargs="+", default=[1.0, 0.25])
    parser.add_argument("--precisions", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--parts", nargs="+", default=["parity", "speed", "largest", "cifar"])
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--tiny", action="store_true", help="tiny sizes on the CPU, to try it")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        task = json.loads(arguments.child)
        CHILDREN[task["part"]](task)
        return
    arguments.device = "cpu" if arguments.tiny else "cuda"
    if arguments.json:
        arguments.json = arguments.json.absolute()
    results = Results(arguments.json, header(arguments.device))
    measure(arguments, results, TINY if arguments.tiny else FULL)
    print_table(results.found["records"])


if __name__ == "__main__":
    main()
