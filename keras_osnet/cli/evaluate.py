"""`keras-osnet evaluate`: retrieval figures on pictures of people."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from keras_osnet.cli import options
from keras_osnet.cli.console import print_facts, print_json, print_table, progress
from keras_osnet.cli.embedder import load_embedder
from keras_osnet.cli.unreadable import warn_unreadable

if TYPE_CHECKING:
    from keras_osnet.data import PersonImage
    from keras_osnet.models import RetrievalResult

_RANKS = (1, 5, 10)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("evaluate")
@click.option("--data", type=_FOLDER, help="One folder for queries and gallery.")
@click.option(
    "--query-camera",
    type=int,
    help="Camera of --data that took the queries; the others' pictures are the gallery. "
    "Default: 1.",
)
@click.option("--query", type=_FOLDER, help="Folder of queries, with --gallery.")
@click.option("--gallery", type=_FOLDER, help="Folder to find them in.")
@options.weights
@options.width
@options.variant
@options.metric
@options.input_size
@options.batch_size
@click.option(
    "--max-rank",
    type=click.IntRange(min=1),
    metavar="K",
    help="Report rank-K as well; in JSON, rank-1 to rank-K as cmc.",
)
@options.as_json
def command(
    data: Path | None,
    query_camera: int | None,
    query: Path | None,
    gallery: Path | None,
    weights: str,
    width: float | None,
    variant: str | None,
    metric: Literal["cosine", "euclidean"],
    size: tuple[int, int] | None,
    batch_size: int,
    max_rank: int | None,
    as_json: bool,
) -> None:
    """Compute rank-1, mAP and mINP on folders of person crops.

    Files are named as Market-1501's, IDENTITY_cCAMERA..., for example 0002_c1s1_000451_03.jpg.
    Gallery pictures of the query's identity and camera are left out, as is junk (identity -1).

    \b
    keras-osnet evaluate --data DIR --weights osnet_x0_25_msmt17.pth
    keras-osnet evaluate --query DIR --gallery DIR --weights market1501
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    queries, others = _sides(data, query_camera, query, gallery)
    model = load_embedder(weights, width=width, variant=variant, size=size)
    from keras_osnet.models import evaluate_retrieval

    total = len({person.path for person in (*queries, *others)})
    with progress("Embedding", total) as advance:
        result = evaluate_retrieval(
            model,
            queries,
            others,
            metric=metric,
            max_rank=max(max_rank or 1, *_RANKS),
            batch_size=batch_size,
            progress=advance,
        )
    report = _report(result, max_rank)
    report |= {"weights": weights, "model": model.name, "metric": metric}
    report["size"] = list(model.input_shape[1:3])
    warn_unreadable(result.unreadable, total)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _sides(
    data: Path | None, query_camera: int | None, query: Path | None, gallery: Path | None
) -> "tuple[list[PersonImage], list[PersonImage]]":
    from keras_osnet.data import read_folder, split_by_camera

    if data and not (query or gallery):
        return split_by_camera(read_folder(data), 1 if query_camera is None else query_camera)
    if query and gallery and not data:
        if query_camera is not None:
            raise click.UsageError("--query-camera divides --data; --query is a folder of its own.")
        return read_folder(query), read_folder(gallery)
    raise click.UsageError("Give --data DIR, or --query DIR and --gallery DIR.")


def _report(result: "RetrievalResult", max_rank: int | None) -> dict[str, Any]:
    """Everything that is known about the result, shares in per cent."""
    ranking = result.ranking
    # In a gallery of six, whoever is found is found among the first six.
    ranks = {f"rank_{k}": ranking.rank(min(k, len(ranking.cmc))) for k in _RANKS}
    report: dict[str, Any] = {name: _per_cent(value) for name, value in ranks.items()}
    report["mAP"] = _per_cent(ranking.mean_average_precision)
    report["mINP"] = _per_cent(ranking.mean_inverse_negative_penalty)
    if max_rank is not None:
        report["cmc"] = [_per_cent(value) for value in ranking.cmc[:max_rank]]
    report |= {
        "queries": result.queries,
        "valid_queries": ranking.valid_queries,
        "gallery": result.gallery,
        "unreadable": {
            "count": len(result.unreadable),
            "files": [str(error.path) for error in result.unreadable],
        },
    }
    return report


def _per_cent(share: float) -> float:
    return round(100 * float(share), 4)


def _print(report: dict[str, Any]) -> None:
    print_facts(
        [
            ("model", f"{report['model']}, {report['weights']}"),
            ("size", "{} × {}".format(*report["size"])),
            ("metric", report["metric"]),
            ("queries", f"{report['queries']} ({report['valid_queries']} with a match)"),
            ("gallery", f"{report['gallery']}"),
        ]
    )
    click.echo()
    figures = {f"rank-{k}": report[f"rank_{k}"] for k in _RANKS}
    if "cmc" in report:
        figures[f"rank-{len(report['cmc'])}"] = report["cmc"][-1]
    figures |= {name: report[name] for name in ("mAP", "mINP")}
    print_table(tuple(figures), [[f"{value:.1f}" for value in figures.values()]], numbers=figures)
    click.echo("\nAll in per cent.")
