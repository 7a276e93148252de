"""Where was this person? Search the videos of several cameras, offline.

    python examples/cameras/where_was_this_person.py

draws the videos of four cameras with synthetic people and looks for some of them, and for strangers
who were never there. Your own videos, people's boxes in them, and images of the people to look for:

    python examples/cameras/where_was_this_person.py --model osnet.tflite \
        --videos DIR --boxes boxes.csv --query person.jpg --min-similarity 0.6

`boxes.csv` (or `.parquet`) is what a detector with a tracker found, one row for each box:

    video, frame                the file in DIR, and the frame, from 0
    left, top, right, bottom    edges of the box, in pixels of the frame
    track                       number of the person in this video, as trackers give it
    camera                      optional; by default the video's name
    time                        optional: ISO 8601; by default, --start plus the frame's time

Every box is embedded (`keras_osnet.bulk`), each track becomes one row of a gallery
(`keras_osnet.gallery`), and the page shows where each person was and when. All steps go on where
they were if the same command is repeated, whatever had ended it. With an exported model, neither
TensorFlow nor Keras is needed: `pip install "keras-osnet[litert,gallery,video]"`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from draw_cameras import draw_cameras

from keras_osnet.bulk import VectorDataset, embed_to_parquet
from keras_osnet.bulk.table import Table
from keras_osnet.gallery import Gallery, average_tracklets, find_visits, write_timeline_page
from keras_osnet.gallery.search_result import SearchResult
from keras_osnet.runtime import Embedder

NEEDED = ("video", "frame", "left", "top", "right", "bottom", "track")
TYPES = {
    **dict.fromkeys(("video", "track", "camera"), pa.string()),
    **dict.fromkeys(("left", "top", "right", "bottom"), pa.float64()),
    "frame": pa.int64(),
}

MOST = 1000
"""Tracks that are shown of a person, at most."""


def main() -> None:
    """Check the arguments and run; what is wrong is a message, not a traceback."""
    arguments = parse()
    try:
        run(arguments)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where it was.", file=sys.stderr)
        sys.exit(130)


def run(arguments: argparse.Namespace) -> None:
    """Embed the boxes of all videos, search for the queries, write the page."""
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    synthetic = arguments.videos is None
    videos, boxes, queries = arguments.videos, arguments.boxes, arguments.query
    if synthetic:
        draw_cameras(folder, arguments.people, strangers=2)
        videos, boxes = folder / "videos", folder / "boxes.csv"
        queries = sorted((folder / "photos").iterdir(), key=lambda path: (len(path.stem), path))
    tables = read_boxes(boxes, videos, arguments.start)
    embedder = Embedder(arguments.model or export_model(folder / "people.tflite"))
    wanted = embedder.embed(queries)
    print(f"{embedder.metadata.name} runs in {embedder.engine}")

    with Gallery.open(folder / "people.lance") as gallery:
        for video, table in tables.items():
            dataset = embed_video(videos / video, table, folder, embedder)
            vectors, columns = tracks_of(dataset, video)
            gallery.add(vectors, columns, model=dataset.model)
        result = gallery.search(wanted, MOST, min_similarity=arguments.min_similarity)
        cameras = gallery.info().cameras

    report(queries, result, arguments.gap)
    if synthetic:
        compare_with_truth(folder / "truth.csv", queries, result)
    page = folder / "where.html"
    write_timeline_page(
        result,
        page,
        queries,
        images=videos,
        cameras=cameras,
        gap=arguments.gap,
        title=f"{len(tables)} videos, similarity of at least {arguments.min_similarity:g}",
    )
    print(f"\nPage: {page}")


def parse() -> argparse.Namespace:
    """Return the arguments, checked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, help="folder of your videos")
    parser.add_argument("--boxes", type=Path, help="table of the boxes in them")
    parser.add_argument("--query", type=Path, nargs="+", help="images of people to look for")
    parser.add_argument("--model", type=Path, help="exported file: .tflite, .onnx or .xml")
    parser.add_argument("--start", help="time at which the videos begin: 2026-11-27T14:00Z")
    parser.add_argument("--min-similarity", type=float, default=0.73, help="below: somebody else")
    parser.add_argument("--gap", type=float, default=30.0, help="seconds that end a visit")
    parser.add_argument("--people", type=int, default=6, help="synthetic people")
    parser.add_argument("--folder", type=Path, default=Path("cameras"), help="output folder")
    arguments = parser.parse_args()
    own = {name: getattr(arguments, name) for name in ("videos", "boxes", "query", "model")}
    missing = [f"--{name}" for name, value in own.items() if not value]
    if (arguments.videos or arguments.boxes or arguments.query) and missing:
        parser.error(f"your own videos need {', '.join(missing)} as well")
    if not -1 <= arguments.min_similarity <= 1:
        parser.error(f"--min-similarity must be -1 to 1. Received: {arguments.min_similarity}")
    if not 0 <= arguments.gap < 1e9:
        parser.error(f"--gap must be seconds from 0 on. Received: {arguments.gap}")
    if not 1 <= arguments.people <= 100:
        parser.error(f"--people must be from 1 to 100. Received: {arguments.people}")
    if arguments.start is not None:
        try:
            arguments.start = datetime.fromisoformat(arguments.start)
        except ValueError:
            parser.error(f"--start must be like 2026-11-27T14:00Z. Received: {arguments.start}")
        if arguments.start.tzinfo is None:
            parser.error(f"--start needs a time zone, such as Z. Received: {arguments.start}")
    return arguments


def read_boxes(file: Path, videos: Path, start: datetime | None) -> dict[str, pa.Table]:
    """Return the boxes of each video, with camera and time.

    Raises:
        ValueError: A column, a value or a video is missing, or a value is no number.
    """
    source = Table(file, NEEDED)
    table = pa.Table.from_batches(source.batches(), schema=source.schema)
    if missing := [name for name in NEEDED if name not in table.column_names]:
        raise ValueError(
            f"--boxes needs the columns {', '.join(missing)} too. "
            f"Received: {', '.join(table.column_names)} in {file}"
        )
    if not len(table):
        raise ValueError(f"--boxes has no rows. Received: {file}")
    for name, kind in TYPES.items():
        if name not in table.column_names:
            continue
        values = table[name]
        if values.null_count:
            row = pc.index(values.is_null(), True).as_py() + 1
            raise ValueError(f"--boxes has no `{name}` in row {row:,}. Received: {file}")
        try:
            table = table.set_column(table.column_names.index(name), name, values.cast(kind))
        except pa.ArrowInvalid as error:
            raise ValueError(f"--boxes has a wrong `{name}`: {error}. Received: {file}") from error
    if "time" not in table.column_names and start is None:
        raise ValueError(f"--boxes has no column `time`: give --start. Received: {file}")
    tables = {}
    for video in sorted(pc.unique(table["video"]).to_pylist()):
        if not (videos / video).is_file():
            raise ValueError(f"--boxes names a video that is not in {videos}. Received: {video}")
        rows = table.filter(pc.equal(table["video"], video)).drop_columns("video")
        if "camera" not in rows.column_names:
            rows = rows.append_column("camera", pa.repeat(Path(video).stem, len(rows)))
        if "time" not in rows.column_names:
            rows = rows.append_column("time", times_of(videos / video, rows["frame"], start))
        tables[video] = rows
    return tables


def times_of(video: Path, frames: pa.ChunkedArray, start: datetime) -> pa.Array:
    """Return the time of each frame, by the frame rate that the video declares."""
    opened = cv2.VideoCapture(str(video))
    rate = opened.get(cv2.CAP_PROP_FPS)
    opened.release()
    if not rate > 0:
        raise ValueError(
            f"The video has no frame rate: add a column `time` to --boxes. Received: {video}"
        )
    times = [start + timedelta(seconds=frame / rate) for frame in frames.to_pylist()]
    return pa.array(times, pa.timestamp("us", "UTC"))


def embed_video(video: Path, boxes: pa.Table, folder: Path, embedder: Embedder) -> VectorDataset:
    """Embed the boxes of a video that are not embedded yet.

    Raises:
        ValueError: The folder is of other boxes.
    """
    table, vectors = folder / "boxes" / f"{video.name}.parquet", folder / "vectors" / video.name
    table.parent.mkdir(parents=True, exist_ok=True)
    if vectors.exists() and not pa.parquet.read_table(table).equals(boxes):
        raise ValueError(
            f"--boxes has changed for {video.name}: give another --folder. Received: {folder}"
        )
    temporary = table.with_suffix(".tmp")
    pa.parquet.write_table(boxes, temporary)
    temporary.replace(table)  # an interruption leaves the old table or the new one

    def show(crops: int, position: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{video.name}: {position:4.0%}, {crops:,} boxes", end="\r", file=sys.stderr)

    result = embed_to_parquet(video, vectors, embedder, boxes=table, resume=True, progress=show)
    rate = result.vectors / max(result.seconds, 1e-9)
    print(
        f"{video.name}: {result.vectors:,} boxes embedded ({rate:,.0f}/s), {result.skipped:,} were "
        f"there, {result.unreadable:,} unreadable"
    )
    for key, reason in result.reasons.items():
        print(f"  {key}: {reason}")
    return VectorDataset(vectors)


def tracks_of(dataset: VectorDataset, video: str) -> tuple[np.ndarray, dict[str, list[object]]]:
    """Return the mean vector of each track, and its columns for the gallery.

    The image of a track is the box in the middle of it; there the person is usually seen whole.
    """
    names = ["frame", "box", "camera", "time", "track"]
    rows = pa.Table.from_batches(list(dataset.batches(names))).to_pylist()
    vectors, averaged = average_tracklets(dataset.vectors(), [row["track"] for row in rows])
    by_track: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["frame"]):
        by_track.setdefault(row["track"], []).append(row)
    columns: dict[str, list[object]] = {"crops": averaged["crops"]}
    for track in averaged["tracklet"]:
        own = by_track[track]
        middle = own[len(own) // 2]
        facts = {
            "key": f"{video}:{track}",
            "tracklet": f"{video}:{track}",
            "source": video,
            "frame": middle["frame"],
            "box": middle["box"],
            "camera": middle["camera"],
            "time": own[0]["time"],
            "until": own[-1]["time"],
        }
        for name, value in facts.items():
            columns.setdefault(name, []).append(value)
    return vectors, columns


def report(queries: Sequence[Path], result: SearchResult, gap: float) -> None:
    """Print who was seen where and when."""
    print(f"\n{'query':<16}{'camera':<12}{'from':<22}{'to':<12}similarity")
    for query, rows in zip(queries, result, strict=True):
        visits = find_visits(rows, gap=gap)
        for visit in visits:
            start, end = visit.start.astimezone(UTC), visit.end.astimezone(UTC)
            similarity = visit.best["similarity"]
            print(
                f"{query.stem:<16}{visit.camera:<12}{start:%Y-%m-%d %H:%M:%S}   {end:%H:%M:%S}    "
                f"{similarity:.2f}"
            )
        if not visits:
            print(f"{query.stem:<16}nobody is near enough")


def compare_with_truth(file: Path, queries: Sequence[Path], result: SearchResult) -> None:
    """Print how many of the tracks found are right, and how many of the right ones were found."""
    truth = {row["tracklet"]: row["person"] for row in pa.csv.read_csv(file).to_pylist()}
    found = [
        (query.stem, row["tracklet"])
        for query, rows in zip(queries, result, strict=True)
        for row in rows
    ]
    right = sum(truth[tracklet] == person for person, tracklet in found)
    there = sum(person in {query.stem for query in queries} for person in truth.values())
    strangers = [query.stem for query in queries if query.stem not in truth.values()]
    unseen = sum(
        not rows for query, rows in zip(queries, result, strict=True) if query.stem in strangers
    )
    print(
        f"\nThe drawing knows: {right} of {len(found)} visits found are right (precision), "
        f"{right} of {there} were found (recall), {unseen} of {len(strangers)} strangers had none."
    )


def export_model(path: Path) -> Path:
    """Export the bundled weights for synthetic people to a `.tflite` file, unless it is there."""
    if path.exists():
        return path
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's start-up messages
    from keras_osnet import OSNet
    from keras_osnet.deploy import export

    print(f"Exporting to {path}")
    model = OSNet(0.25, weights="synthetic", head="embedding", include_preprocessing=True)
    export(model, path)
    return path


if __name__ == "__main__":
    main()
