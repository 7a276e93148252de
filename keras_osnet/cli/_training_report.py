"""The report of `train` and `resume`."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_osnet.cli._training_request import TrainingRequest
from keras_osnet.cli.console import per_cent, print_facts, print_json, print_table
from keras_osnet.cli.options import RANDOM
from keras_osnet.cli.recipes import batch_text

if TYPE_CHECKING:
    from keras_osnet.data.records import Dataset
    from keras_osnet.training import Recipe, TrainingResult

_FILES = ("best", "last")

_TITLES = {
    "rank_1": "rank-1",
    "rank_5": "rank-5",
    "rank_10": "rank-10",
    "top_5_error": "top-5 error",
}
"""Titles of metrics, where they differ from the names."""


def describe(
    request: TrainingRequest, recipe: "Recipe", datasets: "Sequence[Dataset]"
) -> dict[str, Any]:
    """Return the part of the report that is known before anything is built."""
    dataset = datasets[0]
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
        "cameras_known": _knows_cameras(dataset),
        "weights": request.weights or recipe.model.get("weights") or RANDOM,
        "seeds": request.seeds,
        "distribution": request.distribution,
    }


def _knows_cameras(dataset: "Dataset") -> bool | None:
    """Return whether a test ignores images of the query's camera; None for other tasks."""
    from keras_osnet.data import ReidDataset
    from keras_osnet.data.records import camera_labels

    if not isinstance(dataset, ReidDataset) or not dataset.query:
        return None
    return camera_labels([*dataset.query, *dataset.gallery]) is not None


def run_report(result: "TrainingResult") -> dict[str, Any]:
    """Return the report of one training."""
    from keras_osnet.training.run_folder import RunFolder

    folder, count = RunFolder(result.folder), result.networks
    files = {"last": folder.model_paths("last", count)}
    if result.best_epoch is not None:
        files["best"] = folder.model_paths("best", count)
    return {
        "best_epoch": result.best_epoch,
        **{which: [path.name for path in paths] for which, paths in files.items()},
        "result": _per_cent(result.test or {}) or None,
    }


def _per_cent(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the metrics that are shares, in percent; None, which JSON has, for NaN."""
    return {name: per_cent(value) for name, value in metrics.items() if isinstance(value, float)}


def summary(mean: Mapping[str, float], std: Mapping[str, float], count: int) -> dict[str, Any]:
    """Return the test metrics of several trainings, as the report has them."""
    report: dict[str, Any] = {"result": _per_cent(mean) or None}
    if count > 1 and mean:
        report["std"] = _per_cent(std)
    return report


def print_beginning(report: Mapping[str, Any]) -> None:
    """Print the settings of the training."""
    print_facts(_facts(report))
    click.echo()


def print_report(report: Mapping[str, Any], folder: Path, *, as_json: bool) -> None:
    """Print the report of a training that is finished.

    Args:
        report: The report in the folder's record, which has the names of files.
        folder: The folder, where it is now.
        as_json: Whether to print JSON.
    """
    runs = []
    for one in report["runs"]:
        place = folder / one["name"]
        files = {
            which: [str(place / name) for name in one[which]] for which in _FILES if which in one
        }
        runs.append({**one, **files})
    located = {**report, "folder": str(folder), "runs": runs}
    if as_json:
        print_json(located)
    else:
        _print_result(located)


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    counts = report["counts"]
    batch = batch_text(report["batch_size"])
    facts = [
        ("recipe", f"{report['recipe']}: {report['title'] or 'a file of your own'}"),
        ("epochs", f"{report['epochs']}, batches of {batch}"),
    ]
    if report["settings"]:
        changed = (f"{name} = {value}" for name, value in report["settings"].items())
        facts.append(("changed", ", ".join(changed)))
    source = [report["source"]]
    if report["version"]:
        source.append(report["version"])
    facts.append(("source", ", ".join(source)))
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
        facts.append(
            (
                "held out",
                f"{100 * report['validation_fraction']:g} % of the people, to choose the best "
                "epoch",
            )
        )
    if counts.get("query_images"):
        test = f"{counts['query_images']:,} queries, {counts['gallery_images']:,} in the gallery"
        facts.append(("test", test))
    elif counts.get("test_images"):
        facts.append(("test", f"{counts['test_images']:,} images"))
    network = f"{report['model']}, {report['parameters']:,} parameters, from {report['weights']}"
    if report["networks"] > 1:
        network = f"{report['networks']} × {network}"
    return [
        *facts,
        ("model", network),
        ("size", "{} × {}".format(*report["image_size"])),
        ("folder", report["folder"]),
    ]


def _print_result(report: Mapping[str, Any]) -> None:
    """Print the test metrics and the files of the networks."""
    click.echo()
    rows = [(report["source"], report["result"], report.get("std"))]
    rows += [
        (name, target["result"], target.get("std"))
        for name, target in report.get("targets", {}).items()
    ]
    rows = [row for row in rows if row[1]]
    if rows:
        names = list(dict.fromkeys(name for _, mean, _ in rows for name in mean))
        columns = [_TITLES.get(name, name) for name in names]
        print_table(
            ("tested on", *columns),
            [(name, *_cells(names, mean, std)) for name, mean, std in rows],
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
    click.echo()
    _print_files(report)


def _cells(
    names: Sequence[str], mean: Mapping[str, float | None], std: Mapping[str, Any] | None
) -> list[str]:
    cells = []
    for name in names:
        value = mean.get(name)
        text = "–" if value is None else f"{value:.1f}"
        spread = (std or {}).get(name)
        cells.append(text if spread is None else f"{text} ± {spread:.1f}")
    return cells


def _print_files(report: Mapping[str, Any]) -> None:
    runs = report["runs"]
    if len(runs) > 1:
        names = [
            name for name in ("rank_1", "mAP", "mA", "error") if name in (report["result"] or {})
        ]
        columns = ["best epoch", *(_TITLES.get(name, name) for name in names)]
        print_table(
            ("training", *columns),
            [
                (
                    run["name"],
                    "–" if run["best_epoch"] is None else f"{run['best_epoch']}",
                    *_cells(names, run["result"] or {}, None),
                )
                for run in runs
            ],
            numbers=columns,
        )
        click.echo()
    files = []
    for which in ("best", "last"):
        if which in runs[0]:
            paths = [path for run in runs for path in run[which]]
            files.append((Path(paths[0]).name if len(paths) == 1 else which, "\n".join(paths)))
    print_facts(files)
    usage = _usage(report["task"], runs[0].get("best", runs[0]["last"]))
    if usage:
        click.echo(f"\nNext: {usage}")


def _usage(task: str, paths: Sequence[str]) -> str | None:
    """Return the command that uses the networks."""
    weights = " ".join(f"--weights {shlex.quote(path)}" for path in paths)
    if task == "reid":
        return f"keras-osnet evaluate {weights} --data DIR"
    if task == "attributes":
        return f"keras-osnet attributes {weights} --data TABLE"
    return None
