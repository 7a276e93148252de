"""The pictures of drawn people in the documentation."""

import io

import draw_people
import numpy as np
import pytest
from PIL import Image

NAMES = [*draw_people.DRAWN, *draw_people.COMPUTED, *draw_people.TRAINED]


@pytest.mark.parametrize("name", NAMES)
def test_small_and_shown(name):
    path = draw_people.PICTURES / f"{name}.jpg"
    assert path.stat().st_size < 150_000
    pages = draw_people.PICTURES.parent.glob("*.md")
    assert any(f"](pictures/{path.name})" in page.read_text("utf-8") for page in pages)


def test_there_are_no_others():
    assert sorted(path.stem for path in draw_people.PICTURES.glob("*.jpg")) == sorted(NAMES)


@pytest.mark.parametrize("name", draw_people.DRAWN)
def test_drawn_as_it_is_today(name):
    # Another version of the encoder may round otherwise.
    today = io.BytesIO(draw_people.as_jpeg(draw_people.DRAWN[name]()))
    with Image.open(today) as one, Image.open(draw_people.PICTURES / f"{name}.jpg") as other:
        difference = np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32))
    assert difference.mean() < 1, "run `python docs/site/draw_people.py`"
