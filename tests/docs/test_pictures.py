"""The pictures of drawn people in the documentation."""

import draw_people
import numpy as np
import pytest
from PIL import Image

NAMES = [*draw_people.DRAWN, *draw_people.COMPUTED]


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
    drawn = np.asarray(draw_people.DRAWN[name](), np.float32)
    with Image.open(draw_people.PICTURES / f"{name}.jpg") as stored:
        difference = np.abs(np.asarray(stored, np.float32) - drawn)
    assert difference.mean() < 6, "run `python docs/site/draw_people.py`"  # JPEG's own is about 4
