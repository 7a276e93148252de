"""What helps without training: camera means, query expansion, and means of tracklets.

    python tests/benchmarks/improvements.py --reference ../shared

The 640 images of `pku_reid_40.tar`, queries of camera 1, gallery of camera 2, cosine. `rank-1` and
`mAP` in percent; `change` against the plain vectors, with the 95 % interval of the bootstrap over
the people of the queries. `halves`: on the 20 others of ten random halves, with the means of the
cameras measured on the first 20; mean and standard deviation of the paired change.

Tracklets are the crops of a person under one camera: all 8, or 4 drawn at random, 20 times. Weights
of the mean: sharpness (variance of the Laplacian), length of the embedding before it is scaled, and
height: the images are of one height, so each is first made smaller by a random factor of 1 to 4.
"""

import argparse
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from keras_osnet.data import read_people
from keras_osnet.data.datasets.splits import halves
from keras_osnet.metrics import (
    augment_gallery,
    camera_means,
    expand_queries,
    normalize,
    remove_camera_means,
)

WEIGHTS = {"x0.25": "osnet_x0_25_msmt17.pth", "x1.0": "osnet_x1_0_msmt17_rounded.pth.tar"}
RESAMPLES = 1000


class People:
    """Labels of the images, and figures of queries one by one."""

    def __init__(self, images):
        self.ids = np.array([image.identity for image in images])
        self.cameras = np.array([image.camera for image in images])
        self.query, self.gallery = self.cameras == 1, self.cameras == 2

    def sides(self, vectors, people=None):
        kept = np.ones(len(self.ids), bool) if people is None else np.isin(self.ids, sorted(people))
        return (
            *(vectors[side & kept] for side in (self.query, self.gallery)),
            *(self.ids[side & kept] for side in (self.query, self.gallery)),
        )


def scores(query, gallery, query_ids, gallery_ids, rerank=False):
    """Return rank-1 and AP of each query, array (queries, 2), in percent."""
    if rerank:
        from keras_osnet.metrics import rerank_features

        distances = rerank_features(query, gallery)
    else:
        distances = -(normalize(query).astype(float) @ normalize(gallery).T.astype(float))
    found = []
    for line, identity in zip(distances, query_ids, strict=True):
        right = gallery_ids[np.argsort(line, kind="stable")] == identity
        ranks = np.flatnonzero(right) + 1
        found.append((right[0], np.mean(np.arange(1, len(ranks) + 1) / ranks)))
    return 100 * np.array(found, float)


def interval(change, ids):
    """Return the 95 % interval of the mean change, people drawn with replacement."""
    people = np.unique(ids)
    by_person = np.array([change[ids == person].mean(axis=0) for person in people])
    rng = np.random.default_rng(0)
    drawn = [by_person[rng.integers(0, len(people), len(people))].mean(0) for _ in range(RESAMPLES)]
    return np.quantile(drawn, [0.025, 0.975], axis=0).T


def row(name, own, plain, ids, more=""):
    change = own - plain
    cells = [f"{own[:, 0].mean():.2f} / {own[:, 1].mean():.2f}"]
    for (low, high), mean in zip(interval(change, ids), change.mean(axis=0), strict=True):
        cells.append(f"{mean:+.2f} ({low:+.2f} to {high:+.2f})")
    print("|", " | ".join([name, *cells, more]), "|", flush=True)


PLAIN = (False, None, None)
WAYS = {
    "camera means": (True, None, None),
    "expansion, K = 1": (False, 1, None),
    "expansion, K = 2": (False, 2, None),
    "expansion, K = 3": (False, 3, None),
    "expansion, K = 5": (False, 5, None),
    "expansion, K = 10": (False, 10, None),
    "expansion, K = 2, alpha 3": (False, (2, 3), None),
    "expansion, K = 5, alpha 3": (False, (5, 3), None),
    "gallery, K = 2": (False, None, 2),
    "gallery and expansion, K = 2": (False, 2, 2),
    "camera means, expansion, K = 2": (True, 2, None),
    "camera means, gallery and expansion, K = 2": (True, 2, 2),
    "re-ranking": (False, None, "rerank"),
    "camera means, re-ranking": (True, None, "rerank"),
}


def improved(way, vectors, people, chosen=None):
    """Return the scores of a way; on the people who are not `chosen`, the means being theirs."""
    means, expansion, gallery_k = way
    others = None if chosen is None else set(people.ids) - set(chosen)
    if means:
        inside = (
            np.ones(len(vectors), bool) if chosen is None else np.isin(people.ids, list(chosen))
        )
        measured = camera_means(vectors[inside], people.cameras[inside])
        vectors = remove_camera_means(vectors, people.cameras, measured)
    query, gallery, *ids = people.sides(vectors, others)
    if isinstance(gallery_k, int):
        gallery = augment_gallery(gallery, gallery_k)
    if expansion is not None:
        k, alpha = expansion if isinstance(expansion, tuple) else (expansion, 0)
        query = expand_queries(query, gallery, k, alpha=alpha)
    return scores(query, gallery, *ids, rerank=gallery_k == "rerank")


def search(vectors, people):
    print("\n| | rank-1 / mAP | rank-1 change | mAP change | halves: rank-1, mAP |")
    print("| --- | --- | --- | --- | --- |")
    plain = scores(*people.sides(vectors))
    ids = people.ids[people.query]
    print(f"| plain | {plain[:, 0].mean():.2f} / {plain[:, 1].mean():.2f} | | | |")
    divided = [
        chosen for half in range(5) for chosen in halves(sorted(set(people.ids)), f"half {half}")
    ]
    for name, way in WAYS.items():
        changes = np.array(
            [
                np.mean(
                    improved(way, vectors, people, chosen)
                    - improved(PLAIN, vectors, people, chosen),
                    axis=0,
                )
                for chosen in divided
            ]
        )
        mean, spread = changes.mean(axis=0), changes.std(axis=0, ddof=1)
        more = ", ".join(f"{m:+.1f} ± {s:.1f}" for m, s in zip(mean, spread, strict=True))
        row(name, improved(way, vectors, people), plain, ids, more)


def sharpness(image):
    gray = np.asarray(Image.fromarray(image).convert("L"), float)
    inner = gray[1:-1, 1:-1]
    around = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:]
    return (around - 4 * inner).var()


def averaged(vectors, weights, people, drawn):
    """Return the tracklets of both cameras: each person's weighted mean."""
    units = normalize(vectors).astype(float)
    return [np.array([weights[rows] @ units[rows] for rows in drawn[camera]]) for camera in (1, 2)]


def tracklets(vectors, weights, people):
    """Print the change of every weight against the plain mean."""
    persons = np.array(sorted(set(people.ids)))
    rows_of = {
        camera: [np.flatnonzero((people.ids == p) & (people.cameras == camera)) for p in persons]
        for camera in (1, 2)
    }
    print("\n| weight | 8 crops, rank-1 / mAP | 4 crops | rank-1 change | mAP change |")
    print("| --- | --- | --- | --- | --- |")

    def both(weight):
        whole = scores(*averaged(vectors, weight, people, rows_of), persons, persons)
        some = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            drawn = {
                camera: [rng.choice(rows, 4, replace=False) for rows in rows_of[camera]]
                for camera in (1, 2)
            }
            some.append(scores(*averaged(vectors, weight, people, drawn), persons, persons))
        return whole, np.mean(some, axis=0)

    _, plain_some = both(np.ones(len(vectors)))
    for name, weight in {"none": np.ones(len(vectors)), **weights}.items():
        whole, some = both(weight)
        cells = [f"{each[:, 0].mean():.2f} / {each[:, 1].mean():.2f}" for each in (whole, some)]
        change = some - plain_some
        for (low, high), mean in zip(interval(change, persons), change.mean(axis=0), strict=True):
            cells.append(f"{mean:+.2f} ({low:+.2f} to {high:+.2f})")
        print("|", " | ".join([name, *cells]), "|", flush=True)
    gallery = averaged(vectors, np.ones(len(vectors)), people, rows_of)[1]
    crop = scores(vectors[people.query], gallery, people.ids[people.query], persons)
    print(f"\ncrop query, tracklets as gallery: {crop[:, 0].mean():.2f} / {crop[:, 1].mean():.2f}")


def pixels(images, heights):
    """Return the images, made smaller to the heights and then as large as before."""
    found = []
    for image, height in zip(images, heights, strict=True):
        with Image.open(image.path) as opened:
            given = opened.convert("RGB")
        width = max(round(given.width * height / given.height), 1)
        found.append(np.asarray(given.resize((width, height), Image.Resampling.BOX)))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", type=Path, default=Path("../shared"))
    parser.add_argument("--widths", nargs="+", choices=list(WEIGHTS), default=list(WEIGHTS))
    arguments = parser.parse_args()
    from keras_osnet import load_model
    from keras_osnet.deploy import export
    from keras_osnet.runtime import Embedder, read_metadata
    from keras_osnet.runtime.engines import open_engine
    from keras_osnet.runtime.images import as_pixels
    from keras_osnet.runtime.read_metadata import read_model_file

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with tarfile.open(arguments.reference / "data" / "pku_reid_40.tar") as archive:
            archive.extractall(folder, filter="data")
        images = read_people(folder / "pku_reid").all_images
        people = People(images)
        rng = np.random.default_rng(0)
        heights = np.round(128 / rng.uniform(1, 4, len(images))).astype(int)
        crops, small = pixels(images, [128] * len(images)), pixels(images, heights)
        for name in arguments.widths:
            print(f"\n## {name}")
            model = load_model(
                arguments.reference / "weights" / WEIGHTS[name],
                head="embedding",
                include_preprocessing=True,
            )
            file = folder / f"{name}.tflite"
            export(model, file, normalize=False)
            metadata = read_metadata(file)
            engine = open_engine(read_model_file(file), "auto", threads=2)

            def raw(given, engine=engine, metadata=metadata):
                inputs = metadata.to_input(as_pixels(given, metadata.image_size)[0])
                return np.concatenate([engine.run(inputs[i : i + 1]) for i in range(len(given))])

            vectors = raw(crops)
            embedded = Embedder(file, threads=2).embed([image.path for image in images])
            assert np.abs(normalize(vectors) - embedded).max() < 1e-4
            search(vectors, people)
            lengths = np.linalg.norm(vectors, axis=1)
            sharp = np.array(list(map(sharpness, crops)))
            tracklets(
                vectors,
                {
                    "length": lengths,
                    "length²": lengths**2,
                    "1 / length": 1 / lengths,
                    "sharpness": sharp,
                    "√sharpness": np.sqrt(sharp),
                },
                people,
            )
            vectors = raw(small)
            lengths = np.linalg.norm(vectors, axis=1)
            sharp = np.array(list(map(sharpness, pixels(images, heights))))
            print("\nCrops of 32 to 128 pixels:")
            tracklets(
                vectors,
                {
                    "height": heights.astype(float),
                    "height²": heights.astype(float) ** 2,
                    "length": lengths,
                    "√sharpness": np.sqrt(sharp),
                },
                people,
            )


if __name__ == "__main__":
    main()
