"""The documentation site builds without warnings, is self-contained, and matches the package."""

import importlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import draw
import hooks
import pytest

import keras_osnet
from keras_osnet.weights import list_weights

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Elements that a browser fetches to show a page, with the attribute that holds the address."""


class Page(HTMLParser):
    """The links, anchors, loaded resources and table rows of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.loaded = [], set(), []
        self.rows, self._cell = [], None
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if attributes.get(LOADED.get(tag)) and attributes.get("rel") != "canonical":
            self.loaded.append(attributes[LOADED[tag]])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = self.rows[-1]

    def handle_data(self, data):
        if self._cell:
            self._cell[-1] += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = None


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", ".mkdocs.yml"]
    built = subprocess.run(
        [*command, "-d", folder], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert "WARNING" not in built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html")}


def test_internal_links_resolve(site, pages):
    count = 0
    for path, page in pages.items():
        if path.name == "404.html":  # its links start at the root of the server
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.name} links to {link}"
            if parts.fragment and target.suffix == ".html":
                anchors = pages[target].ids | {"__skip"}
                assert unquote(parts.fragment) in anchors, f"{path.name} links to {link}"
            count += 1
    assert count > 500


def test_pages_load_nothing_from_other_servers(site, pages):
    for path, page in pages.items():
        external = [each for each in page.loaded if urlsplit(each).netloc]
        assert not external, f"{path.name} loads {external}"
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", sheet.read_text("utf-8"))


def test_links_of_the_readme():
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#\s]+)", (ROOT / name).read_text("utf-8")):
            assert urlsplit(link).scheme or (ROOT / link).exists(), f"{name} links to {link}"


@pytest.mark.parametrize("package", hooks.packages())
def test_reference_has_every_public_name(package, site, pages):
    module = importlib.import_module(f"keras_osnet.{package}")
    public = getattr(module, "__all__", None)
    if public is None:
        public = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
    path = site / "reference" / f"{package}.html"
    page = pages[path]
    assert public
    assert "doc-symbol-module" not in path.read_text("utf-8")  # a file in place of a function
    assert {f"keras_osnet.{package}.{name}" for name in public} <= page.ids
    assert sorted(public) == hooks.public_names(Path(module.__file__))


def test_reference_has_the_classes_that_functions_return(site, pages):
    assert hooks.returned_classes("metrics", "average_results") == [
        "keras_osnet.metrics.ranking.AveragedRanking",
        "keras_osnet.metrics.ranking.RankingResult",
    ]
    for name in ("ranking.RankingResult", "attributes.AttributeResult"):
        assert f"keras_osnet.metrics.{name}" in pages[site / "reference" / "metrics.html"].ids


def test_reference_has_every_package_and_top_level_name(site):
    page = (site / "reference" / "index.html").read_text("utf-8")
    packages = {path.parent.name for path in hooks.PACKAGE.glob("[!_]*/__init__.py")}
    assert packages - set(hooks.packages()) == {"cli"}
    for name in dir(keras_osnet):
        assert f"keras_osnet.{name}</code>" in page


def test_table_of_checkpoints(site, pages):
    rows = [row for row in pages[site / "model_zoo.html"].rows if row[0] in ("base", "ibn", "ain")]
    expected = list_weights()
    assert len(rows) == len(expected)
    for (variant, width, tag, figures, distance), checkpoint in zip(rows, expected, strict=True):
        assert (variant, width, tag) == (
            checkpoint.variant,
            str(checkpoint.width),
            checkpoint.tag,
        )
        numbers = [float(number) for number in re.findall(r"\d+\.\d", figures)]
        assert numbers == [number for pair in checkpoint.published.values() for number in pair]
        assert distance == (checkpoint.distance if numbers else "–")


@pytest.mark.parametrize("document", [ROOT / "README.md", DOCS / "choose_a_model.md"])
def test_published_figures_are_those_of_the_catalogue(document):
    sets = ("market1501", "dukemtmcreid", "msmt17")
    published = {}
    for checkpoint in list_weights():
        for dataset, pair in checkpoint.published.items():
            key = (checkpoint.variant, checkpoint.width, dataset, checkpoint.tag == dataset)
            if key[3] or checkpoint.tag == "msmt17_combineall":
                published[key] = "{} / {}".format(*pair)
    count = 0
    for row in re.findall(r"^\| `OSNet\(.*\|$", document.read_text("utf-8"), re.MULTILINE):
        width = float(re.search(r"OSNet\(([\d.]+)", row)[1])
        variant = (re.search(r'variant="(\w+)"', row) or ["", "base"])[1]
        cells = re.findall(r"\d+\.\d / \d+\.\d", row)
        for dataset, cell in zip(sets, cells, strict=False):
            assert cell == published[variant, width, dataset, len(cells) == 3], row
            count += 1
    assert count >= 12


@pytest.mark.parametrize("name", draw.DRAWINGS)
def test_drawings(name, site):
    stored = (DOCS / "images" / f"{name}.svg").read_text("utf-8")
    assert stored == draw.DRAWINGS[name](), "run `python docs/site/draw.py`"
    assert ET.fromstring(stored).tag == "{http://www.w3.org/2000/svg}svg"
    assert stored.partition("<style>")[0] in (site / "how_osnet_works.html").read_text("utf-8")


def test_changelog_and_examples_are_part_of_it(site):
    assert "Unreleased" in (site / "changelog.html").read_text("utf-8")
    expected = {path.relative_to(ROOT) for path in hooks.examples()}
    copied = (path for path in (site / "examples").rglob("*") if path.is_file())
    assert {path.relative_to(site) for path in copied} == expected


@pytest.mark.exhaustive
@pytest.mark.parametrize("document", [ROOT / "README.md", DOCS / "choose_a_model.md"])
def test_sizes_are_those_of_the_networks(document):
    from keras_osnet.evaluation import complexity

    text = document.read_text("utf-8")
    for width in (1.0, 0.75, 0.5, 0.25):
        counted = complexity(keras_osnet.OSNet(width, head="embedding"))
        parameters, mult_adds = counted.parameters / 1e6, counted.mult_adds / 1e6
        assert f"| `OSNet({width})` | {parameters:.2f} M | {mult_adds:.0f} M |" in text
