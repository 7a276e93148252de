"""Run an exported file where nothing of this package is installed: LiteRT, NumPy, Pillow.

It reads what the file says of itself, embeds pictures, and prints for each which other is most like
it. Copy this one script and the file to the device:

    pip install ai-edge-litert numpy pillow
    python tflite_on_device.py people.tflite crops/*.png

On the computer where keras-osnet is installed, drawn people and a file for them are made with

    keras-osnet synthetic crops --identities 4 --views 1
    keras-osnet export synthetic people.tflite --width 0.25 --pictures crops
"""

import argparse
import json
import zipfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

DESCRIPTION = "keras_osnet.json"
"""A TFLite file of keras-osnet is a ZIP behind its end, too; this is in it."""


def main() -> None:
    """Embed, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a .tflite file of keras-osnet")
    parser.add_argument("pictures", type=Path, nargs="+", help="crops of people, two or more")
    parser.add_argument("--vectors", type=Path, help="write the vectors to this .npy file")
    arguments = parser.parse_args()
    if len(arguments.pictures) < 2:
        parser.error("there must be two pictures or more")

    embedder = DeviceEmbedder(arguments.model)
    facts = embedder.description
    size, dim = "{height}x{width}".format(**facts["input"]), facts["output"]["dim"]
    print(
        f"{facts['name']}: {size} pixels to {dim} numbers; {arguments.model.stat().st_size} bytes\n"
    )
    vectors = np.stack([embedder.embed(picture) for picture in arguments.pictures])

    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)  # nobody is to find the very same picture
    width = max(len(picture.name) for picture in arguments.pictures)
    print(f"{'picture':{width}}  {'most like':{width}}  cosine")
    for picture, row in zip(arguments.pictures, cosines, strict=True):
        nearest = arguments.pictures[row.argmax()]
        print(f"{picture.name:{width}}  {nearest.name:{width}}  {row.max():.3f}")
    if arguments.vectors:
        np.save(arguments.vectors, vectors)


class DeviceEmbedder:
    """A `.tflite` file that turns a picture into a vector of length 1.

    Attributes:
        description: What the file says of its input and output, as a dictionary.
    """

    def __init__(self, model: Path) -> None:
        with zipfile.ZipFile(model) as behind:
            self.description = json.loads(behind.read(DESCRIPTION))
        self._interpreter = Interpreter(str(model))
        self._run = self._interpreter.get_signature_runner("serving_default")

    def embed(self, picture: Path) -> np.ndarray:
        """Return the vector of a picture, array (dim,), float32."""
        facts = self.description["input"]
        with Image.open(picture) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        # Pillow's bilinear filter is antialiased, as in training; a phone's is not.
        small = upright.resize((facts["width"], facts["height"]), Image.Resampling.BILINEAR)
        pixels = np.asarray(small, np.float32)
        if not facts["normalized_inside"]:
            pixels = (pixels / 255 - np.float32(facts["mean"])) / np.float32(facts["std"])
        (vector,) = self._run(image=pixels[None].astype(facts["dtype"]))["embedding"]
        return vector / np.linalg.norm(vector)


if __name__ == "__main__":
    main()
