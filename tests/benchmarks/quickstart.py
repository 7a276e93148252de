"""Where the time of `keras-osnet quickstart` goes.

    python tests/benchmarks/quickstart.py
    python tests/benchmarks/quickstart.py --reference b3730c0 --rounds 3 --json quickstart.json

Every run is a process of its own with an empty folder, measured from its start to its end.
Functions of the package are wrapped to measure parts, which are indented below their step. A row
has the median seconds of the rounds, with the lowest and the highest. With `--reference`, the
commit of that name and the working tree take turns. The last rows are rank-1 and mAP.
"""

import argparse
import functools
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from first_step import trees

QUICKSTART, DEPLOY = "keras_osnet.quickstart", "keras_osnet.deploy"
FIRST_STEPS = ("  first step, classifier alone", "  first step, all layers")
STEPS = "  other steps"

PARTS = {
    "  draw people": (f"{QUICKSTART}.quickstart", "_synthetic_people"),
    "  tests before and after": (f"{QUICKSTART}.quickstart", "_test"),
    "  write weights": ("keras_osnet.training.trainer", "_Trainer._write_weights"),
    "  load and test the result": ("keras_osnet.training.trainer", "_Trainer.finish"),
    "  fold and prepare": (f"{DEPLOY}.export", "serve"),
    "  convert": (f"{DEPLOY}.export", "convert"),
    "    of which: round weights to int8": (f"{DEPLOY}.int8.tflite_file", "round_weights"),
    "  compare with the model": (f"{DEPLOY}.export", "measure_fidelity"),
    "  benchmark": (f"{QUICKSTART}.quickstart", "benchmark"),
    "  feature maps and gates": (f"{QUICKSTART}.report", "feature_maps"),
}
"""Functions whose calls are a part, by the title of the row."""

TABLE = (
    *("start and imports", "people", "  draw people", "model", "search", "training"),
    *(*FIRST_STEPS, STEPS, "  write weights", "  load and test the result"),
    *("export", "  fold and prepare", "  convert", "    of which: round weights to int8"),
    *("  compare with the model", "  benchmark", "report", "  feature maps and gates"),
    *("end", "total", "rank-1 before", "mAP before", "rank-1", "mAP", "rank-1 int8", "mAP int8"),
)
STEP_NAMES = ("people", "search", "training", "export", "report")


def measure(folder, started):
    """Run the command in this process; return the seconds of its parts by title."""
    from keras_osnet.cli.console import import_keras

    import_keras()
    import keras

    from keras_osnet.quickstart import quickstart

    seconds = dict.fromkeys((*PARTS, *FIRST_STEPS, STEPS), 0.0)
    for title, place in PARTS.items():
        wrap(seconds, title, *place)

    class Steps(keras.callbacks.Callback):
        """Measure the first step of a `fit`, from the start of the epoch, and the others."""

        stages = iter(FIRST_STEPS)

        def on_train_begin(self, logs=None):
            self.title, self.start = next(self.stages), time.perf_counter()

        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            now = time.perf_counter()
            seconds[self.title] += now - self.start
            self.title, self.start = STEPS, now

    fit = keras.Model.fit
    keras.Model.fit = lambda self, *rest, callbacks=(), **named: fit(
        self, *rest, callbacks=[Steps(), *callbacks], **named
    )
    begin, clock = time.time(), time.perf_counter()
    result = quickstart(folder)
    whole = time.perf_counter() - clock
    seconds |= {"start and imports": begin - started, **result.seconds}
    seconds["model"] = whole - sum(result.seconds[name] for name in STEP_NAMES)
    rankings = {" before": result.before.ranking, "": result.after.ranking}
    for name, ranking in rankings.items():
        seconds |= {f"rank-1{name}": ranking.rank(1), f"mAP{name}": ranking.mean_average_precision}
    int8 = result.fidelity
    return seconds | {"rank-1 int8": int8.rank_1, "mAP int8": int8.mean_average_precision}


def wrap(seconds, title, module, name):
    """Add the time of all calls of a function of the package to a row."""
    owner = importlib.import_module(module)
    *path, last = name.split(".")
    for each in path:
        owner = getattr(owner, each)
    function = getattr(owner, last)

    @functools.wraps(function)
    def timed(*arguments, **named):
        start = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            seconds[title] += time.perf_counter() - start

    setattr(owner, last, timed)


def run(tree):
    """Measure a quickstart in a new process, with the package of a source tree."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder, "figures.json")
        task = json.dumps([str(Path(folder, "quickstart")), time.time(), str(figures)])
        start = time.perf_counter()
        process = subprocess.run(
            [sys.executable, __file__, "--work", task],
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(tree)},
            cwd=folder,
            capture_output=True,
            text=True,
        )
        total = time.perf_counter() - start
        if process.returncode:
            raise RuntimeError(process.stderr[-2000:])
        found = json.loads(figures.read_text("utf-8"))
    known = ("start and imports", "model", *STEP_NAMES)
    return found | {"total": total, "end": total - sum(found[name] for name in known)}


def print_table(rounds):
    print(f"{'':34}" + "".join(f"{name:>24}" for name in rounds))
    for title in TABLE:
        digits = 3 if title.startswith(("rank", "mAP")) else 1
        cells = []
        for found in rounds.values():
            values = [each[title] for each in found]
            ends = statistics.median(values), min(values), max(values)
            middle, low, high = (f"{value:.{digits}f}" for value in ends)
            cells.append(f"{middle} ({low}–{high})" if len(found) > 1 else middle)
        print(f"{title:34}" + "".join(f"{cell:>24}" for cell in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--reference", help="a commit to compare the working tree with")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        folder, started, figures = json.loads(arguments.work)
        Path(figures).write_text(json.dumps(measure(folder, started)), "utf-8")
        return
    with trees(arguments.reference) as packages:
        rounds = {name: [] for name in packages}
        for _ in range(arguments.rounds):
            for name, tree in packages.items():
                rounds[name].append(run(tree))
                print(f"{name}: {rounds[name][-1]['total']:.1f} s", flush=True)
    print_table(rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    main()
