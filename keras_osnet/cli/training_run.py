"""What `train` and `resume` do: train what the command says, test it, report it."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli.console import INTERRUPTED, per_cent, print_json, progress, waiting
from keras_osnet.cli.options import RANDOM
from keras_osnet.cli.people import PeopleSource
from keras_osnet.cli.retrieval_task import RetrievalTask, retrieval_task
from keras_osnet.cli.training_command import TrainingCommand, TrainingFolder
from keras_osnet.cli.training_report import print_beginning, print_result, print_run
from keras_osnet.cli.training_sources import OWN
from keras_osnet.cli.unreadable import warn_unreadable

if TYPE_CHECKING:
    import keras

    from keras_osnet.data.datasets.records import Dataset
    from keras_osnet.training import Recipe, RunRecord
    from keras_osnet.training.distribution import Distribution

_FILES = ("best", "last")


def read_all(
    command: TrainingCommand, recipe: "Recipe"
) -> "tuple[list[Dataset], dict[str, RetrievalTask]]":
    """Read what is trained on, and what is tested on besides.

    Raises:
        click.UsageError: Options contradict each other, or do not fit the recipe.
        ValueError: Datasets are of another kind than the recipe, or not what they should be.
        OSError: Files are not there or cannot be read.
    """
    command.sources.check_usage(recipe.task)
    if command.targets and recipe.task != "reid":
        raise click.UsageError(f"--target is for recipes whose task is reid, not {recipe.task}.")
    with waiting("Looking for pictures …"):
        targets = {name: _target(name, place) for name, place in command.targets.items()}
        return command.sources.read(recipe.task), targets


def run(
    command: TrainingCommand,
    recipe: "Recipe",
    datasets: "Sequence[Dataset]",
    targets: Mapping[str, RetrievalTask],
    folder: TrainingFolder,
    *,
    as_json: bool,
) -> None:
    """Train what is left to be trained in a folder, test it, and print the result.

    Call it inside `keras_osnet.training.distributed(command.distribution)`. Of several machines
    that train together one writes and prints.

    Raises:
        BlockingIOError: Another process is training in the folder.
        click.exceptions.Exit: Ctrl-C; the message says how to go on.
        ValueError: What building, training or testing refuses.
        OSError: Files cannot be read or written.
    """
    from keras_osnet.training import distributed

    try:
        with distributed(command.distribution) as devices:
            show = devices.is_chief and not as_json
            report = _report(command, recipe, datasets, targets, folder, devices, show=show)
    except KeyboardInterrupt:
        click.echo(f"Interrupted. keras-osnet resume {folder.path} goes on.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    if devices.is_chief:
        folder.write_result(report)
        print_report(report, folder.path, as_json=as_json)


def print_report(report: Mapping[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print the report of a training that is done.

    Args:
        report: As it is kept in the folder, where files go by their names.
        folder: Where the folder is now.
        as_json: Whether to print JSON.
    """
    runs = []
    for run in report["runs"]:
        place = folder / run["name"]
        files = {
            which: [str(place / name) for name in run[which]] for which in _FILES if which in run
        }
        runs.append({**run, **files})
    located = {**report, "folder": str(folder), "runs": runs}
    if as_json:
        print_json(located)
    else:
        print_result(located)


def _report(
    command: TrainingCommand,
    recipe: "Recipe",
    datasets: "Sequence[Dataset]",
    targets: Mapping[str, RetrievalTask],
    folder: TrainingFolder,
    devices: "Distribution",
    *,
    show: bool,
) -> dict[str, Any]:
    """Train and test; returns everything that is known about it, shares in per cent."""
    from keras_osnet.training import train_seeds
    from keras_osnet.training.repetition import mean_and_std, planned_runs

    report = _description(command, recipe, datasets)
    seeds = range(command.seed, command.seed + command.seeds)
    names = [name for name, _, _ in planned_runs(datasets, seeds)]
    begun: list[str] = []

    def make_model(_: int) -> Any:
        with waiting("Building the network …"):
            models = _build(command, recipe)
        if not begun:
            report.update(_network(models))
            if show:
                print_beginning({**report, "folder": str(folder.path)})
        begun.append(names[len(begun)])
        if show and len(names) > 1:
            print_run(folder.path / begun[-1], len(begun), len(names))
        return models

    repeated = train_seeds(
        recipe,
        make_model,
        datasets,
        folder.path,
        seeds=seeds,
        distribution=command.distribution,
        in_memory=command.in_memory,
        verbose=_verbose(show),
    )
    found = {name: _found(repeated.runs, task, devices) for name, task in targets.items()}
    report["runs"] = [
        {"name": name, **_run(each)} for name, each in zip(names, repeated.runs, strict=True)
    ]
    report |= _summary(repeated.mean, repeated.std, len(names))
    if found:
        report["targets"] = {
            name: _summary(*mean_and_std(values), len(names)) for name, values in found.items()
        }
    return report


def _verbose(show: bool) -> int:
    """What Keras prints while it trains: nothing, a bar for each epoch, or in a file a line."""
    if not show:
        return 0
    return 1 if sys.stdout.isatty() else 2


def _build(command: TrainingCommand, recipe: "Recipe") -> "list[keras.Model]":
    from keras_osnet.training import build_model

    own: dict[str, Any] = {}
    if command.weights is not None:
        own["weights"] = None if command.weights == RANDOM else command.weights
    built = build_model(
        recipe, width=command.width, variant=command.variant, input_size=command.size, **own
    )
    return built if isinstance(built, list) else [built]


def _target(name: str, place: str) -> RetrievalTask:
    """What is searched for in what in a dataset that was not trained on."""
    if name == OWN:
        return retrieval_task(PeopleSource(data=Path(place)), False, None, None, None)
    from keras_osnet.data import dataset_info

    splits = next(iter(dataset_info(name).versions.values())).splits
    source = PeopleSource(data=Path(place), dataset=name)
    return retrieval_task(source, splits > 1, None, None, None)


def _found(
    runs: "Sequence[RunRecord]", task: RetrievalTask, devices: "Distribution"
) -> list[dict[str, float]]:
    """Search for a target's queries with the networks of each training; its splits averaged."""
    from keras_osnet.evaluation import evaluate_splits
    from keras_osnet.metrics import average_results

    total = len({person.path for sides in task.splits for side in sides for person in side})
    found: list[dict[str, float]] = []
    for run in runs:
        with progress("Embedding", total * run.networks) as advance, devices.unsharded():
            results = evaluate_splits(
                run.load_embedders(),
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


def _description(
    command: TrainingCommand,
    recipe: "Recipe",
    datasets: "Sequence[Dataset]",
) -> dict[str, Any]:
    """What is known before anything is built."""
    dataset = datasets[0]
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "task": recipe.task,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "validation_fraction": recipe.validation_fraction,
        "settings": dict(command.settings),
        "source": dataset.name,
        "version": dataset.version or None,
        "splits": len(datasets),
        "counts": dataset.counts,
        "cameras_known": _knows_cameras(dataset),
        "weights": command.weights or recipe.model.get("weights") or RANDOM,
        "seeds": command.seeds,
        "distribution": command.distribution,
    }


def _network(models: "Sequence[keras.Model]") -> dict[str, Any]:
    return {
        "model": models[0].name,
        "networks": len(models),
        "parameters": models[0].count_params(),
        "size": list(models[0].input_shape[1:3]),
    }


def _run(run: "RunRecord") -> dict[str, Any]:
    """What came out of one training."""
    from keras_osnet.training.run_folder import RunFolder

    folder, count = RunFolder(run.folder), run.networks
    files = {"last": folder.model_paths("last", count)}
    if run.best_epoch is not None:
        files["best"] = folder.model_paths("best", count)
    return {
        "best_epoch": run.best_epoch,
        **{which: [path.name for path in paths] for which, paths in files.items()},
        "result": _per_cent(run.result or {}) or None,
    }


def _knows_cameras(dataset: "Dataset") -> bool | None:
    """Whether a test leaves out pictures of a query's own camera; None if it is of another kind."""
    from keras_osnet.data import ReidDataset, camera_labels

    if not isinstance(dataset, ReidDataset) or not dataset.query:
        return None
    return camera_labels([*dataset.query, *dataset.gallery]) is not None


def _per_cent(result: Mapping[str, Any]) -> dict[str, float | None]:
    """The shares among the figures of a test, in per cent; None, which JSON has, for NaN."""
    return {name: per_cent(value) for name, value in result.items() if isinstance(value, float)}


def _summary(mean: Mapping[str, float], std: Mapping[str, float], count: int) -> dict[str, Any]:
    """The figures of so many trainings, as the report has them."""
    summary: dict[str, Any] = {"result": _per_cent(mean) or None}
    if count > 1 and mean:
        summary["std"] = _per_cent(std)
    return summary
