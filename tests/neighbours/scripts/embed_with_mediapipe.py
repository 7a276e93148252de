"""Embed images, or classify them, with a MediaPipe task: FILE CROPS.npy [OPTIONS as JSON].

Options are those of ImageEmbedderOptions; `{"task": "classifier"}` runs an ImageClassifier. Prints
a JSON object: the vectors or the labels' scores, or `refused`, the error of MediaPipe.
"""

import json
import sys

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision


def main() -> None:
    file, crops, *rest = sys.argv[1:]
    options = json.loads(rest[0]) if rest else {}
    images = [
        mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(crop))
        for crop in np.load(crops)
    ]
    is_classifier = options.pop("task", "embedder") == "classifier"
    kind = "ImageClassifier" if is_classifier else "ImageEmbedder"
    opened = getattr(vision, f"{kind}Options")(
        base_options=BaseOptions(model_asset_path=file), **options
    )
    try:
        task = getattr(vision, kind).create_from_options(opened)
    except (ValueError, NotImplementedError, OSError) as error:
        print(json.dumps({"refused": str(error)}))
        return
    with task:
        if is_classifier:
            found = [task.classify(image).classifications[0] for image in images]
            scores = [{one.category_name: one.score for one in each.categories} for each in found]
            print(json.dumps({"scores": scores}))
        else:
            found = [task.embed(image).embeddings[0] for image in images]
            vectors = [np.asarray(each.embedding).tolist() for each in found]
            result = {"vectors": vectors, "dtype": str(np.asarray(found[0].embedding).dtype)}
            print(json.dumps(result | {"name": found[0].head_name}))


main()
