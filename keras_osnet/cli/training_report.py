"""What `train` and `resume` print: what is trained, and what came of it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from keras_osnet.cli.console import print_facts, print_table
from keras_osnet.cli.recipes import batch_text

_TITLES = {
    "rank_1": "rank-1",
    "rank_5": "rank-5",
    "rank_10": "rank-10",
    "top_5_error": "top-5 error",
}
"""Of figures whose name is not what a reader expects."""


def print_beginning(report: Mapping[str, Any]) -> None:
    """Print what is going to be trained."""
    print_facts(_facts(report))
    click.echo()


def print_run(folder: Path, number: int, count: int) -> None:
    """Print which of several trainings comes now."""
    done = ", done before" if (folder / "result.json").exists() else ""
    click.echo(f"{folder.name}, {number} of {count}{done}")


def print_result(report: Mapping[str, Any]) -> None:
    """Print the figures of the test, and where the networks are."""
    click.echo()
    rows = [(report["source"], report["result"], report.get("std"))]
    rows += [
        (name, target["result"], target.get("std"))
        for name, target in report.get("targets", {}).items()
    ]
    rows = [row for row in rows if row[1]]
    if rows:
        figures = list(dict.fromkeys(name for _, mean, _ in rows for name in mean))
        columns = [_TITLES.get(name, name) for name in figures]
        print_table(
            ("tested on", *columns),
            [(name, *_cells(figures, mean, std)) for name, mean, std in rows],
            numbers=columns,
        )
        click.echo("\nAll in per cent.")
        if len(report["runs"]) > 1:
            click.echo(f"Mean ± standard deviation over {len(report['runs'])} trainings.")
    if report["cameras_known"] is False:
        click.echo(
            f"Cameras of {report['source']} are not known: no picture is left out of the gallery, "
            "so near-duplicates of a query count as found."
        )
    if not report["result"]:
        click.echo("There was nothing left to test on.")
    click.echo()
    _print_files(report)


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
        ("pictures", "train_images"),
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
        facts.append(("test", f"{counts['test_images']:,} pictures"))
    network = f"{report['model']}, {report['parameters']:,} parameters, from {report['weights']}"
    if report["networks"] > 1:
        network = f"{report['networks']} × {network}"
    return [
        *facts,
        ("model", network),
        ("size", "{} × {}".format(*report["size"])),
        ("folder", report["folder"]),
    ]


def _cells(
    figures: Sequence[str], mean: Mapping[str, float | None], std: Mapping[str, Any] | None
) -> list[str]:
    cells = []
    for name in figures:
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
    """How the networks are used on the command line."""
    weights = " ".join(f"--weights {shlex.quote(path)}" for path in paths)
    if task == "reid":
        return f"keras-osnet evaluate {weights} --data DIR"
    if task == "attributes":
        return f"keras-osnet attributes {weights} --data TABLE"
    return None
