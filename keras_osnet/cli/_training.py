"""Train and test for the commands `train` and `resume`."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli._training_data import TrainingData
from keras_osnet.cli._training_report import (
    OWN_TEST,
    describe,
    print_beginning,
    print_report,
    run_report,
    summary,
)
from keras_osnet.cli._training_request import TrainingRequest
from keras_osnet.cli.console import echo, progress, waiting, warn_unreadable
from keras_osnet.cli.options import RANDOM

if TYPE_CHECKING:
    import keras

    from keras_osnet.training import Recipe
    from keras_osnet.training.distribution import Distribution
    from keras_osnet.training.run_folder import RunFolder

FINAL = "final"
"""Folder of the training on all people."""


def run(
    request: TrainingRequest,
    recipe: "Recipe",
    data: TrainingData,
    folder: "RunFolder",
    *,
    as_json: bool,
) -> None:
    """Train the unfinished trainings of a folder, test them, and print the report.

    Call it inside `keras_osnet.training.distributed(request.distribution)`. If several machines
    train together, one of them writes and prints.

    Raises:
        BlockingIOError: Another process is training in the folder.
        click.ClickException: The loss is not finite.
        ValueError: An argument of building, training or testing is wrong.
        OSError: Files cannot be read or written.
    """
    from keras_osnet._utils.jax_cache import cache_compiled_programs
    from keras_osnet.training import distributed

    cache_compiled_programs()  # before networks are built, which compiles as well
    with explained_divergence(), distributed(request.distribution) as devices:
        show = devices.is_chief and not as_json
        report = _Run(request, recipe, data, folder, devices, show).report()
    if devices.is_chief:
        with folder.locked():
            folder.write_record(report=report)
        print_report(report, folder, as_json=as_json)


@contextmanager
def explained_divergence() -> Iterator[None]:
    """Raise the error of a loss that is not finite as one of the command line."""
    try:
        yield
    except FloatingPointError as error:
        raise click.ClickException(
            f"{error}; another: --set optimizer.learning_rate=…, with another --output"
        ) from error


class _Run:
    """Trains as a request asks, and reports the results with shares in percent."""

    def __init__(
        self,
        request: TrainingRequest,
        recipe: "Recipe",
        data: TrainingData,
        folder: "RunFolder",
        devices: "Distribution",
        show: bool,
    ) -> None:
        self.request, self.recipe, self.data = request, recipe, data
        self.folder, self.devices, self.show = folder, devices, show
        self.facts = describe(request, recipe, data)
        self.before: dict[str, dict[str, float]] = {}
        self.warned: set[Path] = set()
        self.tests = dict(data.targets)
        if data.test is not None:
            self.tests[OWN_TEST] = data.test
        self.options: dict[str, Any] = {
            "distribution": request.distribution,
            "in_memory": request.in_memory,
            # Silent, a progress bar per epoch, or, in a file, a line per epoch.
            "verbose": (1 if sys.stdout.isatty() else 2) if show else 0,
        }

    def report(self) -> dict[str, Any]:
        """Train, test, and return the report."""
        trained = {"runs": [], "result": None} if self.request.only_final else self._train()
        final = {"final": self._train_final()} if self.request.final else {}
        return {**self.facts, **trained, **final}

    def _train(self) -> dict[str, Any]:
        from keras_osnet.training import train_seeds
        from keras_osnet.training.run_folder import RunFolder
        from keras_osnet.training.train_seeds import mean_and_std, planned_runs

        seeds = range(self.request.seed, self.request.seed + self.request.seeds)
        names = [name for name, _, _ in planned_runs(self.data.datasets, seeds)]
        begun: list[str] = []

        def make_models(_: int) -> "list[keras.Model]":
            models = self._build()
            begun.append(names[len(begun)])
            if self.show and len(names) > 1:
                done = RunFolder(self.folder.root, begun[-1]).read_state().tested
                note = ", done before" if done else ""
                echo(f"{begun[-1]}, {len(begun)} of {len(names)}{note}")
            return models

        results = train_seeds(
            self.recipe,
            make_models,
            self.data.datasets,
            self.folder.root,
            seeds=seeds,
            **self.options,
        )
        found = {
            name: [self._search(one.load_embedders(), name) for one in results.runs]
            for name in self.data.targets
        }
        report: dict[str, Any] = {
            "runs": [run_report(name, one) for name, one in zip(names, results.runs, strict=True)],
            **summary(results.mean, results.std, len(names), self.before.get(OWN_TEST)),
        }
        if found:
            report["targets"] = {
                name: {
                    **summary(*mean_and_std(values), len(names), self.before.get(name)),
                    "division": self.tests[name].division,
                }
                for name, values in found.items()
            }
        return report

    def _train_final(self) -> dict[str, Any]:
        """Train on all people, after the test or without one."""
        import keras

        from keras_osnet.data.datasets.splits import combineall
        from keras_osnet.training import train
        from keras_osnet.training.run_folder import RunFolder

        (people, *_) = self.data.people
        everybody = replace(combineall(people), query=(), gallery=())
        keras.utils.set_random_seed(self.request.seed)
        models = self._build()
        counts = everybody.counts
        if self.show:
            echo(
                f"\nFinal training on all {counts['train_identities']:,} people: nobody is left "
                "to measure it on."
            )
        result = train(
            self.recipe.with_overrides({"validation_fraction": 0.0}),
            models,
            everybody,
            RunFolder(self.folder.root, FINAL),
            seed=self.request.seed,
            **self.options,
        )
        return {**run_report(FINAL, result), "counts": counts}

    def _build(self) -> "list[keras.Model]":
        """Build the networks; of the first, print the facts and test the initial weights."""
        with waiting("Building the network …"):
            models = self.request.build_models(self.recipe)
        if "model" not in self.facts:
            self.facts |= {
                "model": models[0].name,
                "networks": len(models),
                "parameters": models[0].count_params(),
                "image_size": list(models[0].input_shape[1:3]),
            }
            if self.show:
                print_beginning(self.facts, self.folder.root)
            if self.facts["weights"] != RANDOM and not self.request.only_final:
                self._test_before(models)
        return models

    def _test_before(self, models: "list[keras.Model]") -> None:
        """Test the weights that the training starts from; the record keeps the result."""
        there = self.folder.read_record().get("before") or {}
        self.before = {name: there[name] for name in self.tests if name in there}
        missing = [name for name in self.tests if not isinstance(self.before.get(name), dict)]
        if missing and self.show:
            echo("Testing the weights that the training starts from.")
        for name in missing:  # networks that learn from each other start from the same weights
            self.before[name] = self._search(models[:1], name, "Testing before training")
        if missing and self.devices.is_chief:
            with self.folder.locked():
                self.folder.write_record(before=self.before)

    def _search(
        self, models: "Sequence[keras.Model]", name: str, what: str = "Testing"
    ) -> dict[str, float]:
        """Search for the queries of a test; average its splits."""
        from keras_osnet.evaluation import evaluate_splits
        from keras_osnet.metrics import average_results

        task = self.tests[name]
        total = len({person.path for sides in task.splits for side in sides for person in side})
        with progress(what, total * len(models)) as advance, self.devices.unsharded():
            results = evaluate_splits(models, task.splits, protocol=task.protocol, progress=advance)
        lost = {path: why for result in results for path, why in result.unreadable.items()}
        new = lost.keys() - self.warned
        self.warned |= new
        warn_unreadable({path: lost[path] for path in lost if path in new}, total)
        return average_results([result.ranking for result in results]).mean.to_dict()
