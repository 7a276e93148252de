"""`keras-osnet evaluate`: retrieval metrics on images of people."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import (
    echo,
    per_cent,
    print_facts,
    print_json,
    print_table,
    progress,
    report_unreadable,
    warn_unreadable,
)
from keras_osnet.cli.options import ModelSource
from keras_osnet.cli.people import RetrievalTask, retrieval_options

if TYPE_CHECKING:
    from keras_osnet.evaluation.retrieval import RetrievalResult
    from keras_osnet.metrics.ranking import RankingResult

_RANKS = (1, 5, 10)
_PROTOCOLS = ("market1501", "single-gallery-shot")

_NOTHING_LEFT_OUT = (
    "Cameras are not known: no gallery image is ignored, so near-duplicates of a query count as "
    "matches. --camera-pattern reads cameras from the names of files."
)


@click.command("evaluate")
@retrieval_options
@click.option("--all-splits", is_flag=True, help="Of --dataset: average over all of its splits.")
@options.model_options(
    text=f"{options.WEIGHTS} Give it several times for an ensemble, whose embeddings are "
    "concatenated.",
    several=True,
)
@options.metric
@click.option("--flip", is_flag=True, help="Average the embeddings of images and mirror images.")
@click.option(
    "--camera-means",
    is_flag=True,
    help="Remove the mean embedding of each camera from those of its images.",
)
@options.count(
    "--query-expansion",
    "Average each query with its K nearest gallery images; K below a person's number of them.",
    metavar="K",
)
@click.option("--rerank", is_flag=True, help="Re-rank by k-reciprocal neighbors (k1 20, k2 6).")
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    help="single-gallery-shot draws one gallery image of each person, 100 times. Default: the "
    "dataset's, else market1501.",
)
@options.batch_size
@options.count(
    "--max-rank", "Report rank-K as well; in JSON, rank-1 to rank-K as cmc.", metavar="K"
)
@options.as_json
def command(
    read_task: Callable[..., RetrievalTask],
    all_splits: bool,
    models: Sequence[ModelSource],
    metric: Literal["cosine", "euclidean"],
    flip: bool,
    camera_means: bool,
    query_expansion: int | None,
    rerank: bool,
    protocol: Literal["market1501", "single-gallery-shot"] | None,
    batch_size: int,
    max_rank: int | None,
    as_json: bool,
) -> None:
    """Compute rank-1, mAP and mINP on folders of person crops.

    Files are named as in Market-1501, IDENTITY_cCAMERA..., for example 0002_c1s1_000451_03.jpg; or
    --data has a sub-folder for each person or is a table; or it holds a published dataset.
    The queries are the images of one camera, and the gallery those of the others; if cameras are
    not known, one image of each person and all others. Gallery images of the query's identity and
    camera are ignored, as is junk (identity -1).

    \b
    keras-osnet evaluate --data DIR --weights osnet_x0_25_msmt17.pth
    keras-osnet evaluate --query DIR --gallery DIR --weights market1501
    keras-osnet evaluate --data DIR --dataset viper --all-splits --weights msmt17
    """
    task = read_task(all_splits)
    networks = [source.load("embedding") for source in models]
    from keras_osnet.evaluation import evaluate_splits

    protocol = protocol or task.protocol
    total = len({person.path for sides in task.splits for side in sides for person in side})
    with progress("Embedding", total * len(networks)) as advance:
        results = evaluate_splits(
            networks,
            task.splits,
            metric=metric,
            max_rank=max(max_rank or 1, *_RANKS),
            flip=flip,
            camera_means=camera_means,
            query_expansion=query_expansion,
            rerank=rerank,
            protocol=protocol,
            batch_size=batch_size,
            progress=advance,
        )
    unreadable = {path: reason for result in results for path, reason in result.unreadable.items()}
    described: list[dict[str, Any]] = [
        {
            "weights": source.weights,
            "model": network.name,
            "image_size": list(network.input_shape[1:3]),
        }
        for source, network in zip(models, networks, strict=True)
    ]
    together = {name: [each[name] for each in described] for name in described[0]}
    report = _report(results, max_rank, unreadable)
    report |= described[0] if len(described) == 1 else together
    report |= {"metric": metric, "protocol": protocol, "flip": flip}
    if query_expansion is not None:  # all of a smaller gallery
        query_expansion = min(query_expansion, max(result.gallery for result in results))
    report |= {"camera_means": camera_means, "query_expansion": query_expansion, "rerank": rerank}
    report["cameras_known"] = all(result.cameras_known for result in results)
    report |= task.facts
    report["notes"] = [] if report["cameras_known"] else [_NOTHING_LEFT_OUT]
    report["division"] = task.division
    warn_unreadable(unreadable, total)
    if as_json:
        print_json(report)
    else:
        _print(report, described)


def _report(
    results: "Sequence[RetrievalResult]", max_rank: int | None, unreadable: dict[Path, str]
) -> dict[str, Any]:
    """Return the results for JSON, shares in percent."""
    from keras_osnet.metrics import average_results

    averaged = average_results([result.ranking for result in results])
    report: dict[str, Any] = _shares(averaged.mean)
    if max_rank is not None:
        report["cmc"] = [per_cent(value) for value in averaged.mean.cmc[:max_rank]]
    report |= {
        "queries": sum(result.queries for result in results),
        "valid_queries": averaged.mean.valid_queries,
        "gallery": sum(result.gallery for result in results),
        "unreadable": report_unreadable(unreadable),
    }
    if len(results) > 1:
        report |= {"splits": len(results), "std": _shares(averaged.std)}
    return report


def _shares(ranking: "RankingResult") -> dict[str, float | None]:
    return {name: per_cent(value) for name, value in ranking.to_dict(_RANKS).items()}


def _print(report: dict[str, Any], models: Sequence[dict[str, Any]]) -> None:
    print_facts(_facts(report, models))
    echo()
    figures = {f"rank-{k}": f"{report[f'rank_{k}']:.1f}" for k in _RANKS}
    if "cmc" in report:
        figures[f"rank-{len(report['cmc'])}"] = f"{report['cmc'][-1]:.1f}"
    figures |= {name: f"{report[name]:.1f}" for name in ("mAP", "mINP")}
    for name, spread in report.get("std", {}).items():
        figures[name.replace("_", "-")] += f" ± {spread:.1f}"
    print_table(tuple(figures), [list(figures.values())], numbers=figures)
    echo("\nAll in percent.")
    if "std" in report:
        echo(f"Mean ± standard deviation over {report['splits']} splits.")
    for note in report["notes"]:
        echo(note)


def _facts(report: dict[str, Any], models: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    facts = []
    if "dataset" in report:
        parts = (report["dataset"], report["version"], f"split {report['split']}")
        facts.append(("dataset", ", ".join(parts[: 2 if report["split"] == "all" else 3])))
    for each in models:
        facts.append(("model", f"{each['model']}, {each['weights']}"))
        facts.append(("size", "{} × {}".format(*each["image_size"])))
    expansion = report["query_expansion"]
    splits = f" in {report['splits']} splits" if "splits" in report else ""
    return [
        *facts,
        ("metric", report["metric"]),
        *([("flip", "averaged with mirror images")] if report["flip"] else []),
        *([("camera means", "removed")] if report["camera_means"] else []),
        *(
            [("expansion", f"queries averaged with {expansion} of the gallery")]
            if expansion
            else []
        ),
        *([("re-ranking", "k-reciprocal")] if report["rerank"] else []),
        ("queries", f"{report['queries']}{splits} ({report['valid_queries']} with a match)"),
        ("gallery", f"{report['gallery']}{splits}"),
        ("protocol", f"{report['protocol']}: {report['division']}"),
    ]
