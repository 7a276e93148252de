"""Take the image of the page that examples/cameras writes: `python docs/site/draw_page.py`.

It writes docs/images/cameras.jpg, and needs Chromium and the extras `[deploy,gallery,video]`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from draw_people import IMAGES, as_jpeg
from PIL import Image

from keras_osnet._utils.files import atomic_path

EXAMPLE = Path(__file__).parents[2] / "examples/cameras/where_was_this_person.py"
PERSON = "person-2"
SIZE = (1100, 730)


def main() -> None:
    """Run the example, then show one of its people."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        sys.exit("Chromium is not installed.")
    with tempfile.TemporaryDirectory() as name:
        drawn, own = Path(name) / "drawn", Path(name) / "own"
        run([sys.executable, EXAMPLE, "--folder", drawn])
        options = ["--videos", drawn / "videos", "--boxes", drawn / "boxes.csv"]
        options += ["--query", drawn / "photos" / f"{PERSON}.png"]
        options += ["--model", drawn / "people.tflite", "--folder", own]
        run([sys.executable, EXAMPLE, *options])
        shot = Path(name) / "page.png"
        size = "--window-size={},{}".format(*SIZE)
        flags = ["--headless", "--no-sandbox", "--hide-scrollbars", size, f"--screenshot={shot}"]
        run([chromium, *flags, (own / "where.html").as_uri()])
        with Image.open(shot) as image, atomic_path(IMAGES / "cameras.jpg") as temporary:
            temporary.write_bytes(as_jpeg(image.convert("RGB")))


def run(command: list[object]) -> None:
    """Run a command that must succeed."""
    subprocess.run(list(map(str, command)), check=True)


if __name__ == "__main__":
    main()
