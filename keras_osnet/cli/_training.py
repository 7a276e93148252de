"""Train and test for the commands `train` and `resume`, and print the result."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli._training_report import (
    describe,
    print_beginning,
    print_report,
    run_report,
    summary,
)
from keras_osnet.cli._training_request import OWN, TrainingRequest
from keras_osnet.cli.console import INTERRUPTED, progress, waiting, warn_unreadable
from keras_osnet.cli.options import RANDOM
from keras_osnet.cli.people import PeopleSource, RetrievalTask, retrieval_task

if TYPE_CHECKING:
    import keras

    from keras_osnet.data.records import Dataset
    from keras_osnet.training import Recipe, TrainingResult
    from keras_osnet.training.distribution import Distribution
    from keras_osnet.training.run_folder import RunFolder


def read_datasets(
    request: TrainingRequest, recipe: "Recipe"
) -> "tuple[list[Dataset], dict[str, RetrievalTask]]":
    """Read the training data, and the further datasets to test on.

    Raises:
        click.UsageError: Options contradict each other, or do not fit the recipe.
        ValueError: A dataset does not fit the recipe's task, or is not as it should be.
        OSError: Files do not exist or cannot be read.
    """
    request.sources.check_usage(recipe.task)
    if request.targets and recipe.task != "reid":
        raise click.UsageError(f"--target is for recipes whose task is reid, not {recipe.task}.")
    with waiting("Looking for images …"):
        targets = {name: _target(name, place) for name, place in request.targets.items()}
        return request.sources.read(recipe.task), targets


def run(
    request: TrainingRequest,
    recipe: "Recipe",
    datasets: "Sequence[Dataset]",
    targets: Mapping[str, RetrievalTask],
    folder: "RunFolder",
    *,
    as_json: bool,
) -> None:
    """Train the unfinished trainings of a folder, test them, and print the result.

    Call it inside `keras_osnet.training.distributed(request.distribution)`. If several machines
    train together, one of them writes and prints.

    Raises:
        BlockingIOError: Another process is training in the folder.
        click.exceptions.Exit: Ctrl-C; the message says how to resume.
        ValueError: An argument of building, training or testing is wrong.
        OSError: Files cannot be read or written.
    """
    from keras_osnet.training import distributed

    try:
        with distributed(request.distribution) as devices:
            show = devices.is_chief and not as_json
            report = _train(request, recipe, datasets, targets, folder, devices, show=show)
    except KeyboardInterrupt:
        click.echo(f"Interrupted. keras-osnet resume {folder.root} resumes it.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    if devices.is_chief:
        with folder.locked():
            folder.write_record(report=report)
        print_report(report, folder.root, as_json=as_json)


def _train(
    request: TrainingRequest,
    recipe: "Recipe",
    datasets: "Sequence[Dataset]",
    targets: Mapping[str, RetrievalTask],
    folder: "RunFolder",
    devices: "Distribution",
    *,
    show: bool,
) -> dict[str, Any]:
    """Train and test; return the report, with shares in percent."""
    from keras_osnet.training import train_seeds
    from keras_osnet.training.run_folder import RunFolder
    from keras_osnet.training.train_seeds import mean_and_std, planned_runs

    report = describe(request, recipe, datasets)
    seeds = range(request.seed, request.seed + request.seeds)
    names = [name for name, _, _ in planned_runs(datasets, seeds)]
    begun: list[str] = []

    def make_model(_: int) -> Any:
        with waiting("Building the network …"):
            models = _build(request, recipe)
        if not begun:
            report.update(
                model=models[0].name,
                networks=len(models),
                parameters=models[0].count_params(),
                image_size=list(models[0].input_shape[1:3]),
            )
            if show:
                print_beginning({**report, "folder": str(folder.root)})
        begun.append(names[len(begun)])
        if show and len(names) > 1:
            done = RunFolder(folder.root, begun[-1]).read_state().tested
            note = ", done before" if done else ""
            click.echo(f"{begun[-1]}, {len(begun)} of {len(names)}{note}")
        return models

    results = train_seeds(
        recipe,
        make_model,
        datasets,
        folder.root,
        seeds=seeds,
        distribution=request.distribution,
        in_memory=request.in_memory,
        # Silent, a progress bar per epoch, or, in a file, a line per epoch.
        verbose=(1 if sys.stdout.isatty() else 2) if show else 0,
    )
    found = {name: _search(results.runs, task, devices) for name, task in targets.items()}
    report["runs"] = [
        {"name": name, **run_report(each)} for name, each in zip(names, results.runs, strict=True)
    ]
    report |= summary(results.mean, results.std, len(names))
    if found:
        report["targets"] = {
            name: summary(*mean_and_std(values), len(names)) for name, values in found.items()
        }
    return report


def _build(request: TrainingRequest, recipe: "Recipe") -> "list[keras.Model]":
    from keras_osnet.training import build_model

    own: dict[str, Any] = {}
    if request.weights is not None:
        own["weights"] = None if request.weights == RANDOM else request.weights
    built = build_model(
        recipe, width=request.width, variant=request.variant, image_size=request.image_size, **own
    )
    return built if isinstance(built, list) else [built]


def _target(name: str, place: str) -> RetrievalTask:
    """Return the queries and gallery of a dataset that is only tested on."""
    if name == OWN:
        return retrieval_task(PeopleSource(data=Path(place)))
    from keras_osnet.data import dataset_info

    splits = next(iter(dataset_info(name).versions.values())).splits
    source = PeopleSource(data=Path(place), dataset=name)
    return retrieval_task(source, splits > 1)


def _search(
    runs: "Sequence[TrainingResult]", task: RetrievalTask, devices: "Distribution"
) -> list[dict[str, float]]:
    """Search for a target's queries with the networks of each training; average its splits."""
    from keras_osnet.evaluation import evaluate_splits
    from keras_osnet.metrics import average_results

    total = len({person.path for sides in task.splits for side in sides for person in side})
    found: list[dict[str, float]] = []
    for one in runs:
        with progress("Embedding", total * one.networks) as advance, devices.unsharded():
            results = evaluate_splits(
                one.load_embedders(),
                task.splits,
                protocol=task.protocol,
                progress=advance,
            )
        if not found:
            lost = {
                path: reason for result in results for path, reason in result.unreadable.items()
            }
            warn_unreadable(lost, total)
        mean = average_results([result.ranking for result in results]).mean
        found.append(mean.to_dict())
    return found
