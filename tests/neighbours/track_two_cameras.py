"""Track people across two cameras with BoxMOT, with and without re-ID, and draw the result.

    python tests/neighbours/track_two_cameras.py --image docs/images/two_cameras.webp

Prints the counts of the documentation. `--weights` adds weights of images of 256×128, such as a
torchreid checkpoint of x0.25. BoxMOT is installed in an environment of its own in the folder
`KERAS_OSNET_NEIGHBOURS`, or in a temporary one.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from environments import TORCH, Environment, make_environment
from PIL import Image, ImageDraw
from two_cameras import Video, two_cameras

SCRIPT = Path(__file__).parent / "scripts/track_with_boxmot.py"

PACKAGES = ["boxmot", "onnxruntime==1.24.3", "openvino", "ai-edge-litert", "trackeval"]
"""BoxMOT would install its engines itself, on first use."""

COLORS = (
    *("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#00a0a0", "#f032e6", "#9a6324"),
    *("#808000", "#000075"),
)


def main() -> None:
    """Track the video and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", action="append", default=["synthetic"], help="also these")
    parser.add_argument("--image", type=Path, help="animated WebP of motion alone and with re-ID")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kept = Path(os.environ.get("KERAS_OSNET_NEIGHBOURS", folder))
        boxmot = make_environment(kept, [TORCH, "torchvision"], PACKAGES)
        video = two_cameras()
        video.save(folder / "video.npz")
        results = {"motion alone": track(boxmot, folder, video)}
        for weights in arguments.weights:
            results[Path(weights).name] = track(boxmot, folder, video, weights)
        results["synthetic, near"] = track(boxmot, folder, video, "synthetic", near=True)
        version = boxmot.version("boxmot")
    print(f"BoxMOT {version}, BoT-SORT; {len(video.images)} frames, 8 people")
    for name, result in results.items():
        print(
            f"{name:30} IDF1 {result['idf1']:.3f}, {result['right']} of {result['boxes']} boxes "
            f"right, {result['switches']} switches, {result['numbers']} numbers, "
            f"{result['kept']} of 8 people keep theirs between the cameras"
        )
    if arguments.image:
        draw(video, results, arguments.image)


def track(
    boxmot: Environment,
    folder: Path,
    video: Video,
    weights: str | None = None,
    *,
    near: bool = False,
) -> dict[str, Any]:
    """Track the video in `folder` with a network of these weights, or by motion alone.

    With `near`, the appearance is compared as by default, of boxes near the expected place. Returns
    what `scripts/track_with_boxmot.py` prints, and the number of people who have the same
    number in most boxes under each camera.
    """
    files = [] if weights is None else [export_for_boxmot(weights, folder)]
    result = boxmot.run(SCRIPT, folder / "video.npz", *files, *["near"] * near)
    given = np.array(result["given"])
    most = [
        [usual(given[(video.people == person) & (video.cameras == camera)]) for camera in (0, 1)]
        for person in range(8)
    ]
    return result | {"kept": sum(first == second for first, second in most)}


def usual(numbers: np.ndarray) -> int:
    """Return the most frequent number."""
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[counts.argmax()])


def export_for_boxmot(weights: str, folder: Path) -> Path:
    """Export x0.25 for BoxMOT."""
    from keras_osnet import OSNet
    from keras_osnet.deploy import export

    file = folder / f"{Path(weights).stem}.onnx"
    export(OSNet(0.25, weights=weights, head="embedding"), file, target="boxmot")
    return file


def draw(video: Video, results: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw every sixth frame with the numbers: on the left by motion alone, then with re-ID."""
    (left, motion), (right, reid), *_ = results.items()
    frames = []
    for moment in range(0, len(video.images), 6):
        halves = []
        for title, result in ((left, motion), (f"with re-ID, {right}", reid)):
            image = Image.fromarray(video.images[moment])
            pen = ImageDraw.Draw(image)
            for row in np.flatnonzero(video.frames == moment):
                number = result["given"][row]
                if number < 0:
                    continue
                box = video.boxes[row].tolist()
                color = COLORS[number % len(COLORS)]
                pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=color, width=5)
                pen.rectangle((box[0], box[1], box[0] + 34, box[1] + 28), fill=color)
                pen.text((box[0] + 4, box[1] + 2), str(number), fill="white", font_size=24)
            small = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
            half = Image.new("RGB", (small.width, small.height + 18), "white")
            half.paste(small, (0, 18))
            ImageDraw.Draw(half).text((4, 2), title, fill="black", font_size=12)
            halves.append(np.array(half))
        gap = np.full((len(halves[0]), 6, 3), 255, np.uint8)
        frames.append(Image.fromarray(np.concatenate([halves[0], gap, halves[1]], axis=1)))
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=300,
        loop=0,
        quality=40,
        method=6,
        kmin=3,
        kmax=5,
    )
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
