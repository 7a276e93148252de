"""Measure examples/browser in headless Chromium: `python tests/neighbours/measure_browser.py DIR`.

DIR is a Python environment with Playwright: `python -m venv DIR; DIR/bin/pip install playwright`.
Prints, for several models, the size of the file, the time until the page can take images, and the
time per crop, which includes decoding a PNG, resizing and showing it: medians of the visits. With
`--image`, it takes the image of docs/browser.md instead, which shows the first model.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from browser_page import copy_page, search, served
from environments import Environment
from PIL import Image

import keras_osnet
from keras_osnet.deploy import export
from keras_osnet.synthetic import synthetic_people, write_synthetic_people

IMAGE = Path(__file__).parents[2] / "docs/images/browser.jpg"


def exported_models(folder: Path) -> Iterator[tuple[str, Path]]:
    """Export networks of two widths, and the narrow one in int8; untrained but for the first."""
    crops = synthetic_people(64, cameras=1, views=1).images
    small = keras_osnet.load_model("synthetic", head="embedding")
    narrow, wide = (keras_osnet.OSNet(width, head="embedding") for width in (0.25, 1.0))
    models = {
        "x0.25, synthetic": (small, {"source": "synthetic", "license": "MIT"}),
        "x0.25": (narrow, {}),
        "x0.25, int8": (narrow, {"quantization": "int8", "calibration": crops}),
        "x1.0": (wide, {}),
    }
    for number, (name, (model, arguments)) in enumerate(models.items()):
        file = folder / f"{number}.tflite"
        export(model, file, **arguments)
        yield name, file


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environment", type=Path)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--identities", type=int, default=20, help="8 images each")
    parser.add_argument("--image", action="store_true", help=f"write {IMAGE.name} of the docs only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        page = copy_page(Path(temporary) / "page")
        write_synthetic_people(page / "people", identities=arguments.identities)
        screenshot = Path(temporary) / "page.png"
        with served(page) as address:
            for name, file in exported_models(Path(temporary)):
                (page / "model.tflite").write_bytes(file.read_bytes())
                visits = [
                    search(
                        Environment(arguments.environment), address, "synthetic", "-", screenshot
                    )
                    for _ in range(1 if arguments.image else arguments.visits)
                ]
                if arguments.image:
                    with Image.open(screenshot) as image:
                        image.convert("RGB").save(IMAGE, quality=80, optimize=True)
                    return
                loading = statistics.median(visit["seconds_to_load"] for visit in visits)
                crop = statistics.median(
                    float(visit["status"].split(" ms")[0].split()[-1]) for visit in visits
                )
                print(
                    f"{name}: {file.stat().st_size:,} bytes, {loading:.2f} s to load, "
                    f"{crop:.1f} ms per crop; Chromium {visits[0]['browser']}"
                )


if __name__ == "__main__":
    sys.exit(main())
