"""The quickstart from its first step to its page, on few people."""

import re
import shutil
import sys
from dataclasses import replace
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from keras_osnet._utils import optional
from keras_osnet.cli.application import application
from keras_osnet.quickstart import quickstart
from keras_osnet.quickstart.quickstart import own_people
from keras_osnet.quickstart.report import informative_gates, telling_queries, write_report
from keras_osnet.synthetic import write_synthetic_people

module = sys.modules["keras_osnet.quickstart.quickstart"]

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="int8 is calibrated on TensorFlow"
)


class Page(HTMLParser):
    """What a page holds and what it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.images, self.fetched, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "img":
            self.images.append((attributes["alt"], attributes["src"]))
        self.fetched += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag not in ("img", "meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def few_people(monkeypatch):
    monkeypatch.setattr(module, "SYNTHETIC_PEOPLE", 16)


@pytest.fixture
def without_graphs(monkeypatch):
    """Where TensorFlow would make a graph for a minute to train for a step, no graph is made."""
    import tensorflow as tf

    train = module.train

    def train_eagerly(*arguments, **named):
        tf.config.run_functions_eagerly(True)
        try:
            return train(*arguments, **named)
        finally:
            tf.config.run_functions_eagerly(False)

    monkeypatch.setattr(module, "train", train_eagerly)


@pytest.mark.large
def test_from_nothing_to_a_page(tmp_path, few_people, without_graphs):
    said = []
    made = quickstart(tmp_path / "out", epochs=1, log=said.append, verbose=0)
    assert made.synthetic
    assert [line.split(".")[0].strip() for line in said if re.match(r"\n\d", line)] == list("12345")
    trained = {image.identity for image in made.dataset.train}
    assert trained.isdisjoint(image.identity for image in made.dataset.query)
    assert made.before.ranking.rank(1) > 0.3  # eight people, of whom chance finds one in eight
    precision = [each.ranking.mean_average_precision for each in (made.before, made.after)]
    assert precision[0] != precision[1]
    assert made.model.is_file()
    assert made.fidelity.quantization == "int8"
    assert made.fidelity.cosine_min > 0.9
    assert made.files[1].stat().st_size < 0.5 * made.files[0].stat().st_size
    assert set(made.seconds) == {"people", "search", "training", "export", "report"}

    text = made.report.read_text("utf-8")
    page = Page(text)
    assert not page.open
    assert len(page.images) == 7
    kinds = [re.match("data:image/(png|jpeg);base64,", source)[1] for _, source in page.images]
    assert all(alt for alt, _ in page.images)
    assert sorted(kinds) == ["jpeg"] * 4 + ["png"] * 3  # photos, plots
    assert len(text) < 3e6
    assert all(source.startswith("data:") for source in page.fetched)  # nothing from elsewhere
    assert f"{100 * made.after.ranking.rank(1):.1f} %" in text
    assert f"{made.fidelity.size_bytes / 1000:.0f} kB" in text
    for report in made.fidelities:  # the files' own figures beside the network's
        cells = f"{100 * report.rank_1:.1f}", f"{100 * report.mean_average_precision:.1f}"
        assert all(f'<td class="n">{cell}</td>' in text for cell in cells)
    latency = f"{made.fidelity.latency_ms:.2f}"
    assert set(re.findall(r"([0-9.]+) ms", text)) == {latency}  # one figure for one file
    assert f'<td class="n">{latency}</td>' in text
    assert "quickstart --data my_people" in text
    assert "under the other cameras" in text
    assert "with so few queries, the metrics are only a rough estimate" in text

    unknown = {
        side: tuple(replace(image, camera=None) for image in getattr(made.dataset, side))
        for side in ("train", "query", "gallery")
    }
    worse = replace(made.fidelity, rank_1=made.fidelity.rank_1_model - 0.167)
    odd = replace(
        made,
        dataset=replace(made.dataset, **unknown),
        data=tmp_path / "my\udcff & people",
        fidelities=[made.fidelities[0], worse],
    )
    write_report(odd, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "cameras of these images are not known" in text
    assert "under the other cameras" not in text
    assert "is not ready for use" in text
    assert "Not ready to use" in text
    assert "rank-1 16.7" in text
    assert odd.ready_file == made.files[0]
    assert "quickstart --data my_people" not in text
    assert r"my\udcff &amp; people" in text

    with pytest.raises(FileExistsError, match=r"another `epochs`.*with 1, asked for 2"):
        quickstart(tmp_path / "out", epochs=2, log=said.append, verbose=0)
    with pytest.raises(FileExistsError, match=r"another `data`.*with None, asked for"):
        quickstart(tmp_path / "out", data=tmp_path, epochs=1, log=said.append, verbose=0)


def test_images_are_clustered_by_the_last_gates_that_tell_them_apart():
    same, two = np.full((9, 4, 8), 0.5), np.repeat([0.1, 0.9], [4, 5])[:, None, None]
    many = np.linspace(0, 1, 9)[:, None, None] * np.ones((1, 4, 8))
    two = two * np.ones((1, 4, 8))
    assert informative_gates({"one": many, "last": many}, 4) == ("last", 4)
    assert informative_gates({"one": many, "second": many, "last": same}, 4) == ("second", 4)
    assert informative_gates({"one": two, "last": same}, 4) == ("one", 2)
    assert informative_gates({"one": same, "last": same + 1e-7 * many}, 4) == ("last", 1)


def test_a_missing_package_is_named_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        optional.importlib.util, "find_spec", lambda name: None if name == "jinja2" else True
    )
    with pytest.raises(ImportError, match=r'needs jinja2.*"keras-osnet\[quickstart\]"'):
        quickstart(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_weights_that_do_not_exist_are_named_before_anything_is_written(tmp_path):
    for arguments in (
        ["--weights", "nothing"],
        ["--weights", "nothing.pth"],
        ["--data", "nowhere"],
        ["--epochs", "0"],
    ):
        result = CliRunner().invoke(
            application, ["quickstart", "-o", str(tmp_path / "out"), *arguments]
        )
        assert result.exit_code != 0
        assert arguments[1] in result.output
        assert not list(tmp_path.iterdir())


def test_a_folder_of_something_else_stays_as_it_is(tmp_path):
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="Received"):
        quickstart(tmp_path, log=lambda _: None)
    assert [path.name for path in tmp_path.rglob("*")] == ["people", "mine.txt"]


@pytest.fixture
def own(tmp_path):
    """A folder with a sub-folder for each of six people, three images of each."""
    drawn = write_synthetic_people(tmp_path / "drawn", 6, cameras=1, views=3, image_size=(32, 16))
    for number, image in enumerate(drawn):
        place = tmp_path / "own" / f"person {image.identity}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        image.path.rename(place)
    return tmp_path / "own"


def test_own_people_without_what_cannot_be_read(own):
    broken = sorted(own.rglob("*.png"))[0]
    broken.write_bytes(b"no image")
    with pytest.warns(UserWarning, match=rf"1 of 18 images of own cannot be read.*{broken.name}"):
        people = own_people(own)
    assert people.counts["train_identities"] == people.counts["query_identities"] == 3
    assert broken not in [image.path for image in people.all_images]
    assert len(people.all_images) == 17


@pytest.mark.filterwarnings("ignore:Distractors as in Market")
def test_distractors_are_nobody(tmp_path):
    drawn = write_synthetic_people(tmp_path, 6, cameras=2, views=2, image_size=(32, 16))
    for image in drawn:
        if image.identity == 6:
            image.path.rename(tmp_path / f"0000{image.path.name[4:]}")
    people = own_people(tmp_path)
    assert {image.identity for image in people.all_images} == {1, 2, 3, 4, 5}


def test_a_table_says_who_is_tested_on(tmp_path):
    drawn = write_synthetic_people(tmp_path, 4, cameras=2, views=1, image_size=(32, 16))
    parts = {1: "train", 2: "train", 3: "", 4: ""}
    sides = {1: "query", 2: "gallery"}
    rows = [
        f"{image.path.name},{image.identity},{image.camera},"
        f"{parts[image.identity] or sides[image.camera]}"
        for image in drawn
    ]
    table = tmp_path / "people.csv"
    table.write_text("\n".join(["path,identity,camera,split", *rows]))
    people = own_people(table)
    assert {image.identity for image in people.train} == {1, 2}
    assert {image.identity for image in people.query} == {3, 4}
    table.write_text("\n".join(["path,identity,camera,split", *rows[2:]]))
    with pytest.raises(ValueError, match=r"at least 2 people to train on.*Received: 1"):
        own_people(table)


def test_too_few_people_are_refused_before_any_work(own, tmp_path):
    for person in sorted(own.iterdir())[3:]:
        shutil.rmtree(person)
    arguments = ["quickstart", "--data", str(own), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 1
    assert "--data must show at least 4 people" in result.output
    assert "Received: 3" in result.output
    assert not (tmp_path / "out").exists()


def test_the_queries_that_fine_tuning_improved_come_first():
    before = [True, False, False, True, False, False, False, True]
    after = [True, True, False, False, True, True, True, True]
    assert telling_queries(before, after) == [1, 4, 5, 2, 0]
