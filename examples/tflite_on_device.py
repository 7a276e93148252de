"""Run an exported file without keras-osnet, using LiteRT, NumPy and Pillow only.

This script reads the metadata of the file, embeds images, and prints the most similar other image
for each. Copy the script and the exported file to the device:

    pip install ai-edge-litert numpy pillow
    python tflite_on_device.py people.tflite crops/*.png

On a computer with keras-osnet, draw synthetic people and export a model for them:

    keras-osnet synthetic --output crops --identities 4 --views 1
    keras-osnet export --weights synthetic --width 0.25 --output people.tflite --images crops
"""

import argparse
import json
import zipfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

METADATA = "keras_osnet.json"
"""A file in the ZIP archive that is appended to the exported model."""


def main() -> None:
    """Embed images and print the nearest neighbor of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a .tflite file of keras-osnet")
    parser.add_argument("images", type=Path, nargs="+", help="crops of people, two or more")
    parser.add_argument("--vectors", type=Path, help="write the embeddings to this .npy file")
    arguments = parser.parse_args()
    if len(arguments.images) < 2:
        parser.error("two or more images are required")

    embedder = DeviceEmbedder(arguments.model)
    facts = embedder.metadata
    size, dim = "{height}x{width}".format(**facts["input"]), facts["output"]["dim"]
    print(
        f"{facts['name']}: {size} pixels to {dim} values; {arguments.model.stat().st_size} bytes\n"
    )
    embeddings = np.stack([embedder.embed(image) for image in arguments.images])

    cosines = embeddings @ embeddings.T
    np.fill_diagonal(cosines, -1)  # ignore the image itself
    width = max(len(image.name) for image in arguments.images)
    print(f"{'image':{width}}  {'nearest':{width}}  cosine")
    for image, row in zip(arguments.images, cosines, strict=True):
        nearest = arguments.images[row.argmax()]
        print(f"{image.name:{width}}  {nearest.name:{width}}  {row.max():.3f}")
    if arguments.vectors:
        np.save(arguments.vectors, embeddings)


class DeviceEmbedder:
    """Compute L2-normalized embeddings with a `.tflite` file.

    Attributes:
        metadata: Dictionary that describes the input and the output of the file.
    """

    def __init__(self, model: Path) -> None:
        with zipfile.ZipFile(model) as archive:
            self.metadata = json.loads(archive.read(METADATA))
        self._interpreter = Interpreter(str(model))
        self._run = self._interpreter.get_signature_runner("serving_default")

    def embed(self, path: Path) -> np.ndarray:
        """Return the embedding of an image file, array (dim,), float32."""
        facts = self.metadata["input"]
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        # Pillow's bilinear filter is antialiased, as in training.
        small = upright.resize((facts["width"], facts["height"]), Image.Resampling.BILINEAR)
        pixels = np.asarray(small, np.float32)
        if facts["pixel_range"] != "0-255":
            pixels = pixels / 255
        if facts["pixel_range"] == "normalized":
            pixels = (pixels - np.float32(facts["mean"])) / np.float32(facts["std"])
        if facts["channels"] == "BGR":
            pixels = pixels[..., ::-1]
        if facts["layout"] == "NCHW":
            pixels = pixels.transpose(2, 0, 1)
        (vector,) = self._run(image=pixels[None].astype(facts["dtype"]))["embedding"]
        return vector / np.linalg.norm(vector)


if __name__ == "__main__":
    main()
