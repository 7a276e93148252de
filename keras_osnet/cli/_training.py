"""Train and test for the commands `train` and `resume`, and print the report."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli._training_request import TrainingRequest
from keras_osnet.cli.console import (
    INTERRUPTED,
    per_cent,
    print_facts,
    print_json,
    print_table,
    progress,
    waiting,
    warn_unreadable,
)
from keras_osnet.cli.options import RANDOM
from keras_osnet.cli.people import RetrievalTask
from keras_osnet.cli.recipes import batch_text

if TYPE_CHECKING:
    from keras_osnet.data.records import Dataset
    from keras_osnet.training import Recipe
    from keras_osnet.training.distribution import Distribution
    from keras_osnet.training.run_folder import RunFolder
    from keras_osnet.training.training_result import TrainingResult

_TITLES = {
    "rank_1": "rank-1",
    "rank_5": "rank-5",
    "rank_10": "rank-10",
    "top_5_error": "top-5 error",
}
"""Titles of metrics, where they differ from the names."""

_NEXT = {
    "reid": "keras-osnet evaluate {} --data DIR",
    "attributes": "keras-osnet attributes {} --data TABLE",
}
"""The command that uses the networks, by the recipe's task."""


def run(
    request: TrainingRequest,
    recipe: "Recipe",
    datasets: "Sequence[Dataset]",
    targets: Mapping[str, RetrievalTask],
    folder: "RunFolder",
    *,
    as_json: bool,
) -> None:
    """Train the unfinished trainings of a folder, test them, and print the report.

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

    report = _describe(request, recipe, datasets)
    seeds = range(request.seed, request.seed + request.seeds)
    names = [name for name, _, _ in planned_runs(datasets, seeds)]
    begun: list[str] = []

    def make_model(_: int) -> Any:
        with waiting("Building the network …"):
            models = request.build_models(recipe)
        if not begun:
            report.update(
                model=models[0].name,
                networks=len(models),
                parameters=models[0].count_params(),
                image_size=list(models[0].input_shape[1:3]),
            )
            if show:
                print_facts(_facts(report, folder.root))
                click.echo()
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
        _run_report(name, each) for name, each in zip(names, results.runs, strict=True)
    ]
    report |= _summary(results.mean, results.std, len(names))
    if found:
        report["targets"] = {
            name: _summary(*mean_and_std(values), len(names)) for name, values in found.items()
        }
    return report


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
                one.load_embedders(), task.splits, protocol=task.protocol, progress=advance
            )
        if not found:
            lost = {
                path: reason for result in results for path, reason in result.unreadable.items()
            }
            warn_unreadable(lost, total)
        found.append(average_results([result.ranking for result in results]).mean.to_dict())
    return found


def _describe(
    request: TrainingRequest, recipe: "Recipe", datasets: "Sequence[Dataset]"
) -> dict[str, Any]:
    """Return the part of the report that is known before anything is built."""
    from keras_osnet.data import ReidDataset
    from keras_osnet.data.records import camera_labels

    dataset = datasets[0]
    cameras_known = None  # for other tasks, and without a test
    if isinstance(dataset, ReidDataset) and dataset.query:
        cameras_known = camera_labels([*dataset.query, *dataset.gallery]) is not None
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "task": recipe.task,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "validation_fraction": recipe.validation_fraction,
        "settings": dict(request.settings),
        "source": dataset.name,
        "version": dataset.version or None,
        "splits": len(datasets),
        "counts": dataset.counts,
        "cameras_known": cameras_known,
        "weights": request.weights or recipe.model.get("weights") or RANDOM,
        "seeds": request.seeds,
        "distribution": request.distribution,
    }


def _run_report(name: str, result: "TrainingResult") -> dict[str, Any]:
    from keras_osnet.training.run_folder import RunFolder

    folder, best = RunFolder(result.folder), result.best_epoch
    return {
        "name": name,
        "best_epoch": best,
        **{
            which: [path.name for path in folder.model_paths(which, result.networks)]
            for which in (("last",) if best is None else ("last", "best"))
        },
        **_summary(result.test or {}),
    }


def _summary(
    mean: Mapping[str, Any], std: Mapping[str, float] | None = None, count: int = 1
) -> dict[str, Any]:
    """Return test metrics as the report has them: in percent; None, which JSON has, for NaN."""
    result, spread = (
        {name: per_cent(value) for name, value in each.items() if isinstance(value, float)}
        for each in (mean, std or {})
    )
    return {"result": result or None, **({"std": spread} if count > 1 and result else {})}


def print_report(report: Mapping[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print the report of a training that is finished.

    Args:
        report: The report in the folder's record, which has the names of files.
        folder: The folder, where it is now.
        as_json: Whether to print JSON.
    """
    runs = [
        {
            key: [str(folder / one["name"] / name) for name in value]
            if key in ("best", "last")
            else value
            for key, value in one.items()
        }
        for one in report["runs"]
    ]
    if as_json:
        print_json({**report, "folder": str(folder), "runs": runs})
        return
    click.echo()
    _print_result(report)
    click.echo()
    _print_files(report, runs)


def _facts(report: Mapping[str, Any], folder: Path) -> list[tuple[str, str]]:
    counts = report["counts"]
    facts = [
        ("recipe", f"{report['recipe']}: {report['title'] or 'a file of your own'}"),
        ("epochs", f"{report['epochs']}, batches of {batch_text(report['batch_size'])}"),
        ("changed", ", ".join(f"{name} = {value}" for name, value in report["settings"].items())),
        ("source", ", ".join(filter(None, (report["source"], report["version"])))),
    ]
    if report["splits"] > 1:
        facts.append(("splits", f"{report['splits']}; the first one's numbers:"))
    for name, count in (
        ("people", "train_identities"),
        ("attributes", "attributes"),
        ("classes", "classes"),
        ("images", "train_images"),
    ):
        if count in counts:
            facts.append((name, f"{counts[count]:,}"))
    if report["task"] == "reid" and report["validation_fraction"]:
        share = f"{100 * report['validation_fraction']:g} %"
        facts.append(("held out", f"{share} of the people, to choose the best epoch"))
    if counts.get("query_images"):
        test = f"{counts['query_images']:,} queries, {counts['gallery_images']:,} in the gallery"
        facts.append(("test", test))
    elif counts.get("test_images"):
        facts.append(("test", f"{counts['test_images']:,} images"))
    network = f"{report['model']}, {report['parameters']:,} parameters, from {report['weights']}"
    if report["networks"] > 1:
        network = f"{report['networks']} × {network}"
    facts += [
        ("model", network),
        ("size", "{} × {}".format(*report["image_size"])),
        ("folder", str(folder)),
    ]
    return [(name, value) for name, value in facts if value]


def _print_result(report: Mapping[str, Any]) -> None:
    """Print the test metrics."""
    rows = {report["source"]: report, **report.get("targets", {})}
    tested = {name: each for name, each in rows.items() if each["result"]}
    if tested:
        names = list(dict.fromkeys(name for each in tested.values() for name in each["result"]))
        columns = _columns(names)
        print_table(
            ("tested on", *columns),
            [(name, *_cells(names, each)) for name, each in tested.items()],
            numbers=columns,
        )
        click.echo("\nAll in per cent.")
        if len(report["runs"]) > 1:
            click.echo(f"Mean ± standard deviation over {len(report['runs'])} trainings.")
    if report["cameras_known"] is False:
        click.echo(
            f"Cameras of {report['source']} are not known: no image is left out of the gallery, "
            "so near duplicates of a query count as found."
        )
    if not report["result"]:
        click.echo("There was nothing left to test on.")


def _columns(names: Sequence[str]) -> list[str]:
    return [_TITLES.get(name, name) for name in names]


def _cells(names: Sequence[str], tested: Mapping[str, Any]) -> list[str]:
    """Return the metrics of a `_summary` as texts."""
    mean, std = tested["result"] or {}, tested.get("std") or {}
    texts = {name: "–" if mean.get(name) is None else f"{mean[name]:.1f}" for name in names}
    return [
        text if std.get(name) is None else f"{text} ± {std[name]:.1f}"
        for name, text in texts.items()
    ]


def _print_files(report: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
    """Print the networks' files, and the command that uses them."""
    if len(runs) > 1:
        result = report["result"] or {}
        names = [name for name in ("rank_1", "mAP", "mA", "error") if name in result]
        columns = ["best epoch", *_columns(names)]
        print_table(
            ("training", *columns),
            [(run["name"], f"{run['best_epoch'] or '–'}", *_cells(names, run)) for run in runs],
            numbers=columns,
        )
        click.echo()
    files = []
    for which in ("best", "last"):
        paths = [path for run in runs for path in run.get(which, ())]
        if paths:
            files.append((Path(paths[0]).name if len(paths) == 1 else which, "\n".join(paths)))
    print_facts(files)
    if report["task"] in _NEXT:
        paths = runs[0].get("best", runs[0]["last"])
        weights = " ".join(f"--weights {shlex.quote(path)}" for path in paths)
        click.echo(f"\nNext: {_NEXT[report['task']].format(weights)}")
