"""The report of `train` and `resume`."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_osnet.cli._training_data import TrainingData
from keras_osnet.cli._training_request import TrainingRequest
from keras_osnet.cli.console import echo, per_cent, print_facts, print_json, print_table, warn
from keras_osnet.cli.options import RANDOM
from keras_osnet.cli.recipes import batch_text

if TYPE_CHECKING:
    from keras_osnet.training import Recipe
    from keras_osnet.training.run_folder import RunFolder
    from keras_osnet.training.training_result import TrainingResult

OWN_TEST = ""
"""Name of the test on the people held out, beside those of --target."""

_FILES = ("best", "last")

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


def describe(request: TrainingRequest, recipe: "Recipe", data: TrainingData) -> dict[str, Any]:
    """Return the part of the report that is known before anything is built."""
    from keras_osnet.data.records import camera_labels

    dataset = data.datasets[0]
    cameras_known = everybody = None  # for other tasks
    for first in data.people[:1]:
        if first.query:
            cameras_known = camera_labels([*first.query, *first.gallery]) is not None
        if request.sources.is_own and (first.query or recipe.validation_fraction):
            people = {each.identity for each in first.all_images if not each.distractor}
            everybody = len(people)
    return {
        "recipe": recipe.name,
        "title": recipe.title,
        "task": recipe.task,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "validation_fraction": 0.0 if request.only_final else recipe.validation_fraction,
        "settings": dict(request.settings),
        "source": dataset.name,
        "version": dataset.version or None,
        "splits": len(data.datasets),
        "counts": dataset.counts,
        "cameras_known": cameras_known,
        "division": data.division,
        "everybody": everybody,
        "weights": request.weights or recipe.model.get("weights") or RANDOM,
        "seeds": request.seeds,
        "distribution": request.distribution,
    }


def run_report(name: str, result: "TrainingResult") -> dict[str, Any]:
    """Return the report of one training."""
    from keras_osnet.training.run_folder import RunFolder

    folder, best = RunFolder(result.folder), result.best_epoch
    return {
        "name": name,
        "best_epoch": best,
        **{
            which: [path.name for path in folder.model_paths(which, result.networks)]
            for which in (("last",) if best is None else ("last", "best"))
        },
        **summary(result.test or {}),
    }


def summary(
    mean: Mapping[str, Any],
    std: Mapping[str, float] | None = None,
    count: int = 1,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return test metrics as the report has them, and those before the training if known."""
    result = _per_cent(mean) or None
    return {
        "result": result,
        **({"std": _per_cent(std)} if std and count > 1 and result else {}),
        **({"before": _per_cent(before)} if before and result else {}),
    }


def _per_cent(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the metrics that are shares, in percent; None, which JSON has, for NaN."""
    return {name: per_cent(value) for name, value in metrics.items() if isinstance(value, float)}


def print_beginning(report: Mapping[str, Any], folder: Path) -> None:
    """Print the settings of the training."""
    print_facts(_facts(report, folder))
    echo()


def print_report(report: Mapping[str, Any], folder: "RunFolder", *, as_json: bool) -> None:
    """Print the report of a training that is finished.

    Args:
        report: The report in the folder's record, which has the names of files.
        folder: The folder, where it is now.
        as_json: Whether to print JSON.

    Raises:
        ValueError: The report in the record is damaged.
    """
    try:
        trainings = [*report["runs"], *([report["final"]] if "final" in report else [])]
        *runs, last = [_located(one, folder.root) for one in trainings]
        final = last if "final" in report else None
        located = {
            **report,
            "folder": str(folder.root),
            "runs": runs if final else [*runs, last],
            **({"final": final} if final else {}),
        }
        for one in (*runs, last):
            for path in (*one.get("best", ()), *one["last"]):
                if not Path(path).is_file():
                    warn(f"The file does not exist any more. Received: {path}")
        if as_json:
            print_json(located)
            return
        echo()
        _print_result(located)
        echo()
        _print_files(located)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise folder.damaged(f"report: {error!r}") from error


def _located(run: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the report of one training with the paths of its files."""
    return {
        key: [str(folder / run["name"] / name) for name in value] if key in _FILES else value
        for key, value in run.items()
    }


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
    """Print the test metrics, and how they were measured."""
    rows = {report["source"]: report, **report.get("targets", {})}
    tested = {name: each for name, each in rows.items() if each["result"]}
    if tested:
        names = list(dict.fromkeys(name for each in tested.values() for name in each["result"]))
        columns = _columns(names)
        before = any("before" in each for each in tested.values())
        lines = []
        for name, each in tested.items():
            if "before" in each:
                lines.append((name, "before", *_cells(names, {"result": each["before"]})))
            when = ("after",) if before else ()
            lines.append(("" if "before" in each else name, *when, *_cells(names, each)))
        title = ("tested on", "training") if before else ("tested on",)
        print_table((*title, *columns), lines, numbers=columns)
        echo("\nAll in percent.")
        if len(report["runs"]) > 1:
            echo(f"Mean ± standard deviation over {len(report['runs'])} trainings.")
        for name, each in tested.items():
            if each.get("division"):
                echo(f"{name}: {each['division']}.")
            if "before" in each and each["before"]["mAP"] > each["result"]["mAP"]:
                echo(f"{name}: the weights before the training are better than those after it.")
    if report["cameras_known"] is False:
        echo(
            f"Cameras of {report['source']} are not known: no image is left out of the gallery, "
            "so near duplicates of a query count as found."
        )
    if "final" in report:
        people = f"{report['final']['counts']['train_identities']:,} people"
        others = " Those above are of the training without the people held out." if tested else ""
        echo(f"The final networks were trained on all {people}: no figure is measured.{others}")
    elif not report["result"]:
        echo("There was nothing left to test on.")


def _columns(names: Sequence[str]) -> list[str]:
    return [_TITLES.get(name, name) for name in names]


def _cells(names: Sequence[str], tested: Mapping[str, Any]) -> list[str]:
    """Return the metrics of a `summary` as texts."""
    mean, std = tested["result"] or {}, tested.get("std") or {}
    texts = {name: "–" if mean.get(name) is None else f"{mean[name]:.1f}" for name in names}
    return [
        text if std.get(name) is None else f"{text} ± {std[name]:.1f}"
        for name, text in texts.items()
    ]


def _print_files(report: Mapping[str, Any]) -> None:
    """Print the networks' files, and the commands to go on with."""
    runs, final = report["runs"], report.get("final")
    if len(runs) > 1:
        result = report["result"] or {}
        names = [name for name in ("rank_1", "mAP", "mA", "error") if name in result]
        columns = ["best epoch", *_columns(names)]
        print_table(
            ("training", *columns),
            [(run["name"], f"{run['best_epoch'] or '–'}", *_cells(names, run)) for run in runs],
            numbers=columns,
        )
        echo()
    files = []
    for which in _FILES:
        paths = [path for run in runs for path in run.get(which, ())]
        if paths:
            files.append((Path(paths[0]).name if len(paths) == 1 else which, "\n".join(paths)))
    if final:
        files.append(("final", "\n".join(final["last"])))
    print_facts(files)
    if report["everybody"] and not final:
        echo(
            f"\nFor use: keras-osnet resume {shlex.quote(report['folder'])} --final trains once "
            f"more, on all {report['everybody']:,} people; no figure is measured then."
        )
    best = final or runs[0]
    if report["task"] in _NEXT:
        weights = (f"--weights {shlex.quote(path)}" for path in best.get("best", best["last"]))
        echo(f"\nNext: {_NEXT[report['task']].format(' '.join(weights))}")
