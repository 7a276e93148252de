"""Time until the first training step is done, and of the steps after it.

    python tests/benchmarks/first_step.py
    python tests/benchmarks/first_step.py --reference 66585bb --json first_step.json

Every figure is from a process of its own: seconds to build an OSNet, of the first `train_on_batch`
(tracing and compiling included), and the median of the steps after it; 16 images of 256×128, the
cross-entropy of 50 identities. The optimizers take turns, and with `--reference` so do the commit
of that name and the working tree. A row has the medians over the rounds, with the lowest and the
highest first step. JAX compiles everything, unless `--cache` names a folder of compiled programs.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
BACKENDS = ("tensorflow", "jax", "torch")
OPTIMIZERS = ("amsgrad", "sgd", "Adam", "SGD")
"""The package's, and those of Keras."""

BATCH, SIZE, CLASSES, STEPS = 16, (256, 128), 50, 7


def measure(task):
    """Return the seconds of building, the first step, and the median step, of this process."""
    import keras
    import numpy as np

    from keras_osnet import OSNet
    from keras_osnet.optimizers import AMSGrad, CoupledSGD

    if task["cache"]:
        import jax

        jax.config.update("jax_compilation_cache_dir", task["cache"])
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    optimizer = {
        "amsgrad": AMSGrad,
        "sgd": lambda rate: CoupledSGD(rate, momentum=0.9),
        "Adam": keras.optimizers.Adam,
        "SGD": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    }[task["optimizer"]](1e-3)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, *SIZE, 3)).astype("float32")
    labels = rng.integers(0, CLASSES, BATCH)
    start = time.perf_counter()
    model = OSNet(task["width"], classes=CLASSES, classifier_activation=None)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    seconds = {"build": time.perf_counter() - start}
    steps = []
    for _ in range(1 + STEPS):
        start = time.perf_counter()
        model.train_on_batch(images, labels)
        steps.append(time.perf_counter() - start)
    return {**seconds, "first": steps[0], "step": statistics.median(steps[1:])}


def run(tree, backend, **task):
    """Measure in a new process, with the package of a source tree."""
    process = subprocess.run(
        [sys.executable, __file__, "--work", json.dumps(task)],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(tree)},
        cwd=tree,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise RuntimeError(f"{backend}, {task}: {process.stderr[-2000:]}")
    return json.loads(process.stdout.splitlines()[-1])


@contextmanager
def trees(reference):
    """Yield the source trees by name: the working tree, and a commit if one is given."""
    with tempfile.TemporaryDirectory() as folder:
        if not reference:
            yield {"working tree": ROOT}
            return
        path = Path(folder) / "reference"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", str(path), reference], check=True)
        try:
            yield {reference: path, "working tree": ROOT}
        finally:
            subprocess.run([*git, "remove", "--force", str(path)], check=True)


def print_table(rows):
    titles = ("backend", "width", "optimizer", "package")
    print("".join(f"{title:14}" for title in titles) + "build s  first s  (low–high)      step ms")
    for row in rows:
        middle = {name: statistics.median(values) for name, values in row["seconds"].items()}
        first = row["seconds"]["first"]
        spread = f"({min(first):.1f}–{max(first):.1f})"
        print(
            "".join(f"{row[title]!s:14}" for title in titles)
            + f"{middle['build']:7.1f}{middle['first']:9.1f}  {spread:14}"
            f"{1e3 * middle['step']:9.0f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--widths", type=float, nargs="+", default=[0.25, 1.0])
    parser.add_argument("--optimizers", nargs="+", default=["amsgrad"], choices=OPTIMIZERS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reference", help="a commit to compare the working tree with")
    parser.add_argument("--cache", help="a folder of compiled programs for JAX")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(measure(json.loads(arguments.work))))
        return
    with trees(arguments.reference) as packages:
        rows = [
            {"backend": backend, "width": width, "optimizer": optimizer, "package": package}
            for backend, width, optimizer, package in itertools.product(
                arguments.backends, arguments.widths, arguments.optimizers, packages
            )
        ]
        for row in rows:
            row["seconds"] = {"build": [], "first": [], "step": []}
        for _ in range(arguments.rounds):
            for row in rows:
                found = run(
                    packages[row["package"]],
                    row["backend"],
                    width=row["width"],
                    optimizer=row["optimizer"],
                    cache=arguments.cache if row["backend"] == "jax" else None,
                )
                for name, seconds in found.items():
                    row["seconds"][name].append(seconds)
                titles = " ".join(str(row[name]) for name in list(row)[:4])
                print(titles, {name: round(found[name], 2) for name in found}, flush=True)
    print_table(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
