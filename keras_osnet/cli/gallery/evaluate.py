"""`keras-osnet gallery evaluate`."""

from typing import Any

import click

from keras_osnet.cli import gallery as group
from keras_osnet.cli import options
from keras_osnet.cli.console import echo, per_cent, print_json, print_table

_RANKS = (1, 5, 10)


@click.command("evaluate")
@group.place
@click.option(
    "--query-camera",
    metavar="NAME",
    help="Camera whose rows are the queries; the others are searched. Default: the first.",
)
@click.option("--rerank", is_flag=True, help="Re-rank by k-reciprocal neighbors (k1 20, k2 6).")
@options.as_json
def command(place: str, query_camera: str | None, rerank: bool, as_json: bool) -> None:
    """Compute rank-1, mAP and mINP on the rows whose person and camera are known.

    \b
    keras-osnet gallery evaluate people.lance --query-camera 1
    """
    from keras_osnet.gallery import Gallery
    from keras_osnet.gallery.columns import vector_matrix
    from keras_osnet.metrics import evaluate_features

    with Gallery.open(place) as gallery:
        cameras = gallery.info().cameras
        rows = gallery.read(["key", "vector", "person", "camera"]).sort_by("key").drop_null()
    asked = query_camera if query_camera is not None else (cameras[0] if cameras else "")
    people, seen = (rows[name].to_numpy() for name in ("person", "camera"))
    query = seen == asked
    if not query.any() or query.all():
        raise click.UsageError(
            "Rows with a name under --query-camera, and under another camera, are needed. "
            f"Received: {asked or 'none'}; the gallery has cameras {', '.join(cameras) or 'none'}"
        )
    vectors = vector_matrix(rows["vector"])
    sides = [(each[query].astype(str), each[~query].astype(str)) for each in (people, seen)]
    ranking = evaluate_features(
        vectors[query], vectors[~query], *sides[0], *sides[1], rerank=rerank
    )
    shares: dict[str, Any] = {
        name: per_cent(value) for name, value in ranking.to_dict(_RANKS).items()
    }
    counts = {"queries": int(query.sum()), "gallery": int((~query).sum()), "query_camera": asked}
    if as_json:
        print_json(shares | counts | {"rerank": rerank})
        return
    figures = {name.replace("_", "-"): f"{share:.1f}" for name, share in shares.items()}
    print_table(tuple(figures), [list(figures.values())], numbers=figures)
    echo(
        f"\nAll in percent. {counts['queries']:,} queries of camera {asked} in "
        f"{counts['gallery']:,} rows of other cameras."
    )
