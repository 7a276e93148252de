"""Visits, and the page with them on a timeline."""

import base64
import io
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from keras_osnet.gallery import find_visits, write_timeline_page

pa = pytest.importorskip("pyarrow")
pytest.importorskip("jinja2")

TWO = datetime(2026, 11, 27, 14, tzinfo=UTC)


def row(camera, seconds, similarity=0.9, **others):
    time = None if seconds is None else TWO + timedelta(seconds=seconds)
    return {"camera": camera, "time": time, "similarity": similarity, **others}


def test_rows_are_one_visit_until_the_gap():
    rows = [row("b", 70), row("a", 40, 0.8), row("a", 0, 0.7), row("a", 30, 0.6), row("a", 71)]
    visits = find_visits([*rows, row(None, 5), row("a", None)], gap=30)
    assert [(each.camera, len(each.rows)) for each in visits] == [("a", 3), ("b", 1), ("a", 1)]
    assert (visits[0].start, visits[0].end) == (TWO, TWO + timedelta(seconds=40))
    assert visits[0].best is rows[1]
    assert len(find_visits(rows, gap=31)) == 2
    with pytest.raises(ValueError, match="`gap` must be a number from 0"):
        find_visits(rows, gap=-1)


def test_a_row_holds_until_a_time():
    until = TWO + timedelta(seconds=60)
    rows = [row("a", 0, until=until), row("a", 10, until=None), row("a", 80, until=None)]
    (visit,) = find_visits(rows, gap=20)
    assert (visit.start, visit.end) == (TWO, TWO + timedelta(seconds=80))
    assert len(find_visits(rows, gap=19)) == 2


@pytest.fixture
def page(tmp_path):
    """Write the page of the rows of each query, and return it."""
    from keras_osnet.gallery.search_result import SearchResult

    def page(*people, **options):
        rows = [
            {"query": index, **each, "camera": each["camera"]}
            for index, rows in enumerate(people)
            for each in rows
        ]
        queries = [tmp_path / f"<q{index}>.png" for index in range(len(people))]
        for query in queries:
            Image.new("RGB", (40, 80), (10, 20, 30)).save(query)
        result = SearchResult(pa.Table.from_pylist(rows), len(people))
        write_timeline_page(result, tmp_path / "page.html", queries, **options)
        return (tmp_path / "page.html").read_text()

    return page


def bars(text):
    """Return left and width of the bars, in per cent."""
    found = re.findall(r'class="bar"[^>]* style="left:([\d.]+)%;width:([\d.]+)%"', text)
    return [(float(left), float(width)) for left, width in found]


def images(text):
    content = (
        re.findall(r'alt="visit \d+"', text),
        re.findall(r"data:image/jpeg;base64,(\S+?)\"", text),
    )
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in content[1]]


def test_lanes_bars_and_labels(page):
    # The axis goes from -6 to 206 seconds.
    rows = [row("hall", 0, 0.71), row("gate", 100, 0.92), row("gate", 120, 0.91), row("10", 200)]
    text = page([*rows, row("9", None)], [], cameras=["hall", "roof"], title="people & more")
    first, second = text.split("<section")[1:]
    lanes = re.findall(r'class="lane( empty)?"><span>(.*?)</span>', first)
    assert lanes == [("", "hall"), (" empty", "roof"), ("", "10"), ("", "gate")]
    expected = [(6 / 212, 0), (206 / 212, 0), (106 / 212, 20 / 212)]
    np.testing.assert_allclose(bars(first), 100 * np.array(expected), atol=1e-3)
    assert re.findall(r'class="time"[^>]*>(.*?)<', first) == ["14:00:00", "14:03:20", "14:01:40"]
    assert "14:01:40 – 14:02:00\n<br>similarity 0.920" in first
    assert "similarity 0.910" not in first
    ticks = re.findall(r'<span class="tick" style="left:([\d.]+)%">(.*?)<', first)
    assert [text for _, text in ticks] == ["14:00", "14:01", "14:02", "14:03"]
    assert float(ticks[1][0]) == pytest.approx(100 * 66 / 212, abs=1e-3)
    assert "Rows without a camera or a time are not shown: 1." in first
    assert "&lt;q0&gt;.png" in first
    assert "people &amp; more" in text
    assert "2026-11-27, times in UTC" in text
    assert "Nobody is near enough" in second
    assert "lane" not in second
    assert 'src="http' not in text


def test_labels_that_would_cover_each_other_are_left_out(page):
    text = page([row("a", 0), row("a", 40), row("a", 1000)], gap=0)
    assert len(bars(text)) == 3
    assert re.findall(r'class="time"[^>]*>(.*?)<', text) == ["14:00:00", "14:16:40"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "14:00:00"),
        (6 * 3600, "16:00"),
        (86_400, "11-27 18:00"),
        (86_400 * 5, "11-28"),
        (86_400 * 3650, "2030-"),
    ],
)
def test_times_of_the_axis(page, seconds, expected):
    text = page([row("a", 0), row("b", seconds)])
    ticks = re.findall(r'<span class="tick" style="left:([\d.]+)%">(.*?)<', text)
    assert 1 <= len(ticks) <= 8
    assert any(each.startswith(expected) for _, each in ticks)
    assert all(0 <= float(left) <= 100 for left, _ in ticks)


def test_images_are_those_of_the_folder(page, tmp_path):
    inside = tmp_path / "crops"
    inside.mkdir()
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:, 40:] = 200
    Image.fromarray(pixels).save(inside / "frame.png")
    Image.fromarray(pixels).save(tmp_path / "secret.png")
    rows = [
        row("a", 0, source="frame.png", left=None, box=None),
        row("b", 100, source="frame.png", left=40, box=[40.0, 0.0, 80.0, 60.0]),
        row("c", 200, source="../secret.png", left=None, box=None),
        row("d", 300, source="gone.png", left=None, box=None),
    ]
    text = page(rows, images=inside)
    _, whole, part = images(text)
    assert whole.shape == (60, 80, 3)
    assert part.shape == (60, 40, 3)
    np.testing.assert_allclose(part, 200, atol=3)
    assert text.count("not in the folder of images") == 2
    assert len(images(page(rows))) == 1


def test_images_from_a_video(page, tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "gate.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(12):
        frame = np.full((48, 64, 3), number * 20, np.uint8)
        frame[:, 32:, 0] = 250  # blue on the right, as OpenCV has BGR
        video.write(frame)
    video.release()
    boxes = {"source": "gate.avi", "box": [32.0, 0.0, 64.0, 48.0]}
    rows = [row(str(n), 100 * n, frame=frame, **boxes) for n, frame in enumerate((7, 2, 7, 99))]
    text = page(rows, images=tmp_path)
    _, *shown = images(text)
    for image, value in zip(shown, (140, 40, 140), strict=True):
        assert image.shape == (48, 32, 3)
        np.testing.assert_allclose(image[..., 0], value, atol=15)
        np.testing.assert_allclose(image[..., 2], 250, atol=15)
    assert text.count("frame cannot be read") == 1


def test_a_query_is_needed_for_each_list(page, tmp_path):
    from keras_osnet.gallery.search_result import SearchResult

    result = SearchResult(pa.Table.from_pylist([{"query": 0, **row("a", 0)}]), 1)
    with pytest.raises(ValueError, match="`queries` must be as many as the result has, 1"):
        write_timeline_page(result, tmp_path / "page.html", [])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([-20.0, -9.0, 40.5, 30.0], (30, 41, 3)),  # as bulk embedding rounds and clips
        ([-50.0, 0.0, -5.0, 60.0], (60, 80, 3)),  # outside of the frame: ignored
        ([90.0, 70.0, 99.0, 99.0], (60, 80, 3)),
        ([0.0, 0.0, float("nan"), 60.0], (60, 80, 3)),
        ([0.0, None, 40.0, 60.0], (60, 80, 3)),
    ],
)
def test_boxes_that_leave_the_image(page, tmp_path, box, expected):
    Image.new("RGB", (80, 60)).save(tmp_path / "frame.png")
    text = page([row("a", 0, source="frame.png", left=0, box=box)], images=tmp_path)
    assert images(text)[1].shape == expected


def test_a_column_frame_that_is_not_a_number(page, tmp_path):
    Image.new("RGB", (80, 60)).save(tmp_path / "frame.png")
    rows = [row("a", 0, source="frame.png", frame="last", box=[0.0, 0.0, 40.0, 60.0])]
    assert images(page(rows, images=tmp_path))[1].shape == (60, 80, 3)


def test_cameras_as_for_search(page):
    for cameras, lanes in (([3, "roof", 3], ["3", "roof"]), ("3", ["3"])):
        text = page([row("3", 0)], cameras=cameras)
        assert re.findall(r'class="lane[^"]*"><span>(.+?)</span>', text) == lanes
    with pytest.raises(ValueError, match="`cameras` must be a name or number"):
        page([row("3", 0)], cameras=[None])


def test_hostile_names_are_text(page):
    name = '"><script>alert(1)</script>'
    text = page([row(name, 0, person=name)], cameras=[name], title=name)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5
