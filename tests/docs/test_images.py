"""The images of synthetic people in the documentation."""

import io

import draw_people
import numpy as np
import pytest
from PIL import Image

NAMES = [
    *draw_people.FIXED,
    *draw_people.COMPUTED,
    *draw_people.TRAINED,
    *draw_people.SCREENSHOTS,
]


@pytest.mark.parametrize("name", NAMES)
def test_size_and_use(name):
    path = draw_people.IMAGES / f"{name}.jpg"
    assert path.stat().st_size < 150_000
    pages = draw_people.IMAGES.parent.glob("*.md")
    assert any(f"](images/{path.name})" in page.read_text("utf-8") for page in pages)


def test_all_images_are_listed():
    assert sorted(path.stem for path in draw_people.IMAGES.glob("*.jpg")) == sorted(NAMES)


@pytest.mark.parametrize("name", draw_people.FIXED)
def test_image_is_up_to_date(name):
    # Versions of the JPEG encoder may round differently.
    current = io.BytesIO(draw_people.as_jpeg(draw_people.FIXED[name]()))
    with Image.open(current) as first, Image.open(draw_people.IMAGES / f"{name}.jpg") as second:
        difference = np.abs(np.asarray(first, np.float32) - np.asarray(second, np.float32))
    assert difference.mean() < 1, "run `python docs/site/draw_people.py`"
