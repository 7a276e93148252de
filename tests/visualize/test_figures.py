import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import keras
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import keras_osnet
from keras_osnet.data import ImageReadError
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.layers import OmniScaleBlock
from keras_osnet.metrics import evaluate_ranking, evaluate_verification
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.visualize import (
    gate_clusters,
    plot_attributes,
    plot_block,
    plot_cmc,
    plot_embeddings,
    plot_gate_clusters,
    plot_gate_statistics,
    plot_history,
    plot_maps,
    plot_network,
    plot_ranked_lists,
    plot_roc,
    plot_search_results,
    save_figure,
)
from keras_osnet.visualize._sheet import RIGHT, WRONG, text_width

rng = np.random.default_rng(5)


def texts(figure):
    return [text.get_text() for text in figure.texts]


def overlaps(figure):
    """Pairs of axes that lie over each other by more than a hair."""
    boxes = [plot.get_position() for plot in figure.axes]
    return [
        (i, j)
        for i, a in enumerate(boxes)
        for j, b in enumerate(boxes[:i])
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1e-6 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1e-6
    ]


def colliding_texts(figure):
    """Pairs of the figure's own texts that run into each other, and those that leave it."""
    renderer = figure._get_renderer()
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in figure.texts if t.get_text()]
    width, height = figure.bbox.size
    outside = [
        text for text, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height
    ]
    pairs = [
        (a, b) for i, (a, one) in enumerate(boxes) for b, other in boxes[:i] if one.overlaps(other)
    ]
    return outside + pairs


@pytest.mark.parametrize("count", [1, 3, 15])
@pytest.mark.parametrize("models", [1, 2])
def test_maps_beside_images(count, models):
    images = rng.integers(0, 256, (count, 64, 32, 3), np.uint8)
    maps = {f"model {m} of a rather long name": rng.random((count, 4, 2)) for m in range(models)}
    figure = plot_maps(images, maps)
    assert type(figure).__mro__[1] is Figure
    assert len(figure.axes) == count * (1 + 2 * models)
    assert overlaps(figure) == []
    assert colliding_texts(figure) == []
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), images[0])
    first = next(iter(maps.values()))
    np.testing.assert_allclose(figure.axes[1].images[0].get_array(), first[0], rtol=1e-6)
    # Image and map in one.
    assert len(figure.axes[2].images) == 2
    ratio = figure.get_figwidth() / figure.get_figheight()
    assert 0.4 < ratio < 2.6


def test_maps_that_are_flat_and_one_that_has_no_title(images):
    figure = plot_maps(images, np.zeros((3, 4, 2)))
    assert set(texts(figure)) == {"image", "map", "overlay"}
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_maps_refuse(images):
    with pytest.raises(ValueError, match=r"n=3 images. Received: shape \(2, 4, 2\)"):
        plot_maps(images, np.zeros((2, 4, 2)))
    with pytest.raises(ValueError, match="`maps` must hold at least one"):
        plot_maps(images, {})
    with pytest.raises(ValueError, match="`maps` must be finite"):
        plot_maps(images, np.full((3, 4, 2), np.inf))
    with pytest.raises(TypeError, match="uint8"):
        plot_maps(images.astype("float32"), np.zeros((3, 4, 2)))
    with pytest.raises(ValueError, match="at least one image"):
        plot_maps([], np.zeros((0, 4, 2)))


def test_images_from_folders_files_and_people(tmp_path):
    people = write_synthetic_people(tmp_path, 2, cameras=1, views=1, image_size=(64, 32))
    maps = np.zeros((2, 4, 2))
    from_folder, from_files, from_people = (
        [plot.images[0].get_array() for plot in plot_maps(images, maps).axes]
        for images in (tmp_path, [str(one.path) for one in people], read_folder(tmp_path))
    )
    assert len(from_folder) == len(from_files) == len(from_people) == 6
    for folder, file, person in zip(from_folder, from_files, from_people, strict=True):
        np.testing.assert_array_equal(folder, file)
        np.testing.assert_array_equal(folder, person)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"none")
    with pytest.raises(ImageReadError, match=r"Cannot read.*broken\.png"):
        plot_maps([people[0].path, broken], maps)


def test_gate_clusters():
    gates = np.repeat([[0.2, 0.4], [0.6, 0.1]], [7, 3], axis=0)[:, :, None].repeat(4, 2)
    gates = gates + rng.normal(0, 0.01, gates.shape)
    images = rng.integers(0, 256, (10, 64, 32, 3), np.uint8)
    clusters = gate_clusters(gates, 2)
    figure = plot_gate_clusters(images, clusters, top=5)
    assert overlaps(figure) == []
    assert colliding_texts(figure) == []
    assert {"cluster 1", "7 images", "cluster 2", "3 images"} <= set(texts(figure))
    drawn = [plot.images[0].get_array() for plot in figure.axes if plot.images]
    order = [*clusters.nearest(0, 5), *clusters.nearest(1)]
    np.testing.assert_array_equal(drawn, images[order])
    bars = [plot for plot in figure.axes if not plot.images]
    means = gates.mean(axis=(0, 2))
    for cluster, plot in enumerate(bars):
        assert len(plot.get_xticks()) == 2  # of more, the labels run into each other
        expected = gates[clusters.labels == cluster].mean(axis=(0, 2)) - means
        widths = [patch.get_width() for patch in plot.patches]
        np.testing.assert_allclose(widths, expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"`images` must be the 10 images.*Received: 3 images"):
        plot_gate_clusters(images[:3], clusters)


def test_gate_statistics():
    gates = {f"conv{s}_block{b}_gates": rng.random((9, 4, 8)) for s in (2, 3, 4) for b in (1, 2)}
    figure = plot_gate_statistics(gates)
    assert [plot.get_title() for plot in figure.axes] == [n.removesuffix("_gates") for n in gates]
    assert overlaps(figure) == []
    for plot, values in zip(figure.axes, gates.values(), strict=True):
        medians = [line.get_ydata()[0] for line in plot.lines if line.get_linewidth() == 1.2]
        np.testing.assert_allclose(medians, np.median(values, axis=(0, 2)))
    with pytest.raises(ValueError, match="`gates` must hold at least one"):
        plot_gate_statistics({})


def test_ranked_lists_frame_right_and_wrong_and_leave_junk_out():
    query = rng.integers(0, 256, (2, 64, 32, 3), np.uint8)
    gallery = rng.integers(0, 256, (4, 64, 32, 3), np.uint8)
    figure = plot_ranked_lists(
        query,
        gallery,
        [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]],
        ["ann", "bob"],
        ["ann", "ann", "bob", "eve"],
        [1, 1],
        [1, 2, 2, 2],
        top=3,
    )
    assert overlaps(figure) == []
    assert colliding_texts(figure) == []
    shown = [plot.images[0].get_array() for plot in figure.axes]
    # The nearest to the first query is junk: ann under camera 1.
    order = [query[0], *gallery[[1, 2, 3]], query[1], *gallery[[3, 2, 1]]]
    np.testing.assert_array_equal(shown, order)
    frames = [to_hex(plot.spines["top"].get_edgecolor()).upper() for plot in figure.axes]
    assert frames[1:4] == [RIGHT, WRONG, WRONG]
    assert frames[5:] == [WRONG, RIGHT, WRONG]
    marks = ["".join(text.get_text() for text in plot.texts) for plot in figure.axes]
    assert marks == ["", "✓", "✗", "✗", "", "✗", "✓", "✗"]
    assert {"ID ann", "camera 1", "1 match"} <= set(texts(figure))


def test_ranked_lists_draw_what_was_chosen_and_refuse():
    images = rng.integers(0, 256, (12, 8, 4, 3), np.uint8)
    sides = (images, images, rng.random((12, 12)), range(12), range(12))
    assert len(plot_ranked_lists(*sides, top=2).axes) == 8 * 3
    figure = plot_ranked_lists(*sides, queries=[11], top=1)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), images[11])
    with pytest.raises(ValueError, match=r"`queries` must be between 0 and 11.*\[12\]"):
        plot_ranked_lists(*sides, queries=[12])
    with pytest.raises(ValueError, match=r"`gallery_images` must be as many.*Received: 3"):
        plot_ranked_lists(images, images[:3], *sides[2:])
    with pytest.raises(ValueError, match="`top` must be a whole number"):
        plot_ranked_lists(*sides, top=0)


@pytest.mark.parametrize("count", [1, 15])
def test_attributes(count):
    images = rng.integers(0, 256, (count, 64, 32, 3), np.uint8)
    names = ["hat", "an attribute of a name that is far too long", "bag", "boots"]
    scores = np.tile([0.7, 0.6, 0.9, 0.1], (count, 1))
    figure = plot_attributes(images, scores, names, np.tile([1, 0, 1, 1], (count, 1)))
    assert len(figure.axes) == count
    assert colliding_texts(figure) == []
    found = texts(figure)
    assert found[:3] == ["✓", "bag", "0.90"]
    assert found[6] == "✗"
    assert found[7].startswith("an attribute")
    assert found[7].endswith("…")
    assert found[9:12] == ["○", "boots", "0.10"]
    without = plot_attributes(images, scores, names, threshold=0.95)
    assert texts(without) == ["nothing predicted"] * count
    assert "and 2 more" in texts(plot_attributes(images, scores, names, top=1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probabilities": [[1.2, 0.0]]}, "`probabilities` must be between 0 and 1.*1.2"),
        ({"probabilities": [[0.2]]}, r"`probabilities` must have shape \(1, 2\)"),
        ({"labels": [[0.5, 1]]}, "`labels` must be 0 or 1. Received: 0.5"),
        ({"threshold": 0}, "`threshold`"),
        ({"top": 0}, "`top`"),
    ],
)
def test_attributes_refuse(images, changes, message):
    arguments = {"probabilities": [[0.2, 0.8]], "names": ["hat", "bag"], "labels": [[0, 1]]}
    with pytest.raises(ValueError, match=message):
        plot_attributes(images[:1], **{**arguments, **changes})


def test_cmc():
    result = evaluate_ranking([[1, 2, 3], [3, 1, 2]], [1, 2], [1, 0, 2])
    figure = plot_cmc({"ours": result, "theirs": [0.25, 0.5, 0.75]})
    (plot,) = figure.axes
    assert [line.get_label() for line in plot.lines] == [
        "ours: rank-1 50.0, mAP 75.0",
        "theirs: rank-1 25.0",
    ]
    assert plot.lines[0].get_ydata().tolist() == [50, 100, 100]
    assert plot.lines[0].get_xdata().tolist() == [1, 2, 3]
    for curves, message in (
        ({}, "at least one curve"),
        ({"a": [0.5, 0.4]}, "do not fall. Received: 'a'"),
        ({"a": [[0.5]]}, r"'a' of shape \(1, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            plot_cmc(curves)


def test_roc_curves():
    rng = np.random.default_rng(0)
    ids = np.arange(20).repeat(4)
    results = {
        name: evaluate_verification(rng.normal(size=(20, 8))[ids] + spread, None, ids)
        for name, spread in (
            ("near", 0.3 * rng.normal(size=(80, 8))),
            ("far", rng.normal(size=(80, 8))),
        )
    }
    figure = plot_roc(results, threshold=0.5)
    (plot,) = figure.axes
    near, mark = plot.lines[:2]
    np.testing.assert_allclose(near.get_ydata(), 100 * results["near"].true_positive_rates)
    assert mark.get_xydata().tolist() == [[100 * rate for rate in results["near"].rates_at(0.5)]]
    (nobody,) = plot_roc({"near": results["near"]}, threshold=1).axes
    assert nobody.lines[1].get_xydata().tolist() == [[nobody.get_xlim()[0], 0]]
    shown = [text.get_text() for text in plot.get_legend().get_texts()]
    assert shown[0].startswith("near: EER ")
    assert shown[0].endswith("; at 0.500")
    assert shown[1] == f"far: EER {100 * results['far'].equal_error_rate:.1f}"
    assert plot.get_xlim()[1] == 100
    for wrong in ({}, {"a": [0.5]}):
        with pytest.raises(ValueError, match="`results` must hold"):
            plot_roc(wrong)
    for draw in (plot_roc, plot_cmc):
        with pytest.raises(ValueError, match=r"`results` must be a dictionary. Received: list"):
            draw([results["near"]])
    with pytest.raises(ValueError, match="`threshold` must be a number from -1 to 1"):
        plot_roc(results, threshold=2)


def test_training_from_history_folder_csv_and_numbers(tmp_path):
    numbers = {"loss": [2.0, 1.0, 0.5], "val_loss": [2.5, 1.5, 1.0], "mAP": [0.1, 0.2, 0.3]}
    history = keras.callbacks.History()
    history.history = numbers
    lines = ["epoch,loss,val_loss,mAP", "1,2.0,2.5,0.1", "2,1.0,1.5,0.2", "3,0.5,1.0,0.3"]
    (tmp_path / "metrics.csv").write_text("\n".join(lines))
    for training in (numbers, history, tmp_path, tmp_path / "metrics.csv"):
        figure = plot_history(training)
        assert [plot.get_title() for plot in figure.axes] == ["loss", "mAP"]
        train, validation = figure.axes[0].lines
        assert train.get_ydata().tolist() == numbers["loss"]
        assert validation.get_ydata().tolist() == numbers["val_loss"]
        assert (train.get_linestyle(), validation.get_linestyle()) == ("-", "--")
        assert train.get_xdata().tolist() == [1, 2, 3]
        labels = [text.get_text() for text in figure.legends[0].texts]
        assert labels == ["training", "validation"]


def test_training_of_several_with_gaps(tmp_path):
    (tmp_path / "a.csv").write_text("epoch,loss,mAP\n1,2.0,\n2,1.0,0.5\n")
    figure = plot_history({"first": tmp_path / "a.csv", "second": {"loss": [3.0, 2.0]}})
    assert figure.axes[1].lines[0].get_xdata().tolist() == [2]
    assert [text.get_text() for text in figure.legends[0].texts] == ["first", "second"]
    assert len(figure.axes[0].lines) == 2


def test_the_legend_of_many_trainings_is_not_cut_off():
    runs = {f"a/long/path/to/a/run/of/mine/seed-{n}": {"loss": [2.0, 1.0]} for n in range(7)}
    for training in (runs, dict(list(runs.items())[:2])):
        figure = plot_history(training)
        figure.draw_without_rendering()
        drawn = figure.legends[0].get_window_extent()
        assert drawn.x0 >= 0
        assert drawn.x1 <= figure.bbox.x1
        (plot,) = figure.axes
        assert drawn.y1 <= plot.xaxis.label.get_window_extent().y0


def test_training_refuses(tmp_path):
    (tmp_path / "a.csv").write_text("step,loss\n1,2.0\n")
    (tmp_path / "b.csv").write_text("epoch,loss\n1,high\n")
    for training, error, message in (
        ({}, ValueError, "at least one metric"),
        ({"loss": [1.0], "mAP": [1.0, 2.0]}, ValueError, "one number per epoch"),
        (3, ValueError, "Received: int"),
        (tmp_path / "a.csv", ValueError, "a column `epoch`"),
        (tmp_path / "b.csv", ValueError, "must hold numbers.*high"),
        (tmp_path, FileNotFoundError, "metrics.csv"),
    ):
        with pytest.raises(error, match=message):
            plot_history(training)


def test_embeddings():
    figure = plot_embeddings(rng.random((100, 2)), np.arange(100) % 12)
    (plot,) = figure.axes
    assert len(plot.collections) == 12
    assert [text.get_text() for text in plot.texts] == [str(n) for n in range(12)]
    looks = {
        (to_hex(each.get_facecolor()[0]), len(each.get_paths()[0].vertices))
        for each in plot.collections
    }
    assert len(looks) == 12
    for points, ids, message in (
        (np.zeros((3, 3)), [1, 2, 3], "`points` must be an array"),
        (np.full((3, 2), np.nan), [1, 2, 3], "`points` must be finite"),
        (np.zeros((3, 2)), [1, 2], "`identities` must have shape"),
    ):
        with pytest.raises(ValueError, match=message):
            plot_embeddings(points, ids)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"head": "attribute", "variant": "ibn", "outputs": ["conv2_block1_gates", "predictions"]},
        {"include_top": False, "stem": "cifar", "fusion": "addition", "input_shape": (32, 32, 3)},
        {"head": "embedding", "feature_dim": None, "normalize": True, "pooling": "max"},
    ],
)
def test_network(arguments):
    model = keras_osnet.OSNet(0.25, **arguments)
    figure = plot_network(model)
    written = [text.get_text() for text in figure.axes[0].texts if text.get_text()]
    numbers = [text.replace(",", "") for text in written]
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    counts = [int(each) for each in numbers[6::3] if each.isdigit()]
    assert sum(counts) == trainable
    assert sum("omni-scale blocks" in text for text in written) == 3


def test_network_of_other_blocks():
    image = keras.Input((3,))
    other = keras.Model(image, keras.layers.Dense(1)(image), name="other")
    with pytest.raises(ValueError, match=r"omni-scale blocks. Received: other"):
        plot_network(other)


@pytest.mark.parametrize("fusion", ["unified", "separate", "fixed", "addition", "concatenation"])
@pytest.mark.parametrize("streams", [1, 4])
def test_block(fusion, streams):
    block = OmniScaleBlock(64, streams=streams, fusion=fusion, instance_norm="output")
    (drawing,) = plot_block(block).axes
    written = [text.get_text() for text in drawing.texts]
    assert written.count("Lite 3×3") == sum(range(streams + 1))
    assert sum("gate" in text for text in written[:-1]) == (
        {"separate": streams, "unified": 1}.get(fusion, fusion == "fixed" and streams == 1)
    )
    assert ("concat" in written) == (fusion == "concatenation")
    assert "IN" in written
    with pytest.raises(ValueError, match=r"`block` must be an OmniScaleBlock. Received: Dense"):
        plot_block(keras.layers.Dense(1))


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_saving(tmp_path, ending, magic):
    path = tmp_path / f"figure.{ending}"
    save_figure(plot_cmc({"a": [0.5]}), path)
    assert path.read_bytes().startswith(magic)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_saving_is_at_once_or_not_at_all(tmp_path):
    figure = plot_cmc({"a": [0.5]})
    figure.axes[0].set_title("$\\broken$")
    path = tmp_path / "figure.png"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="broken"):
        save_figure(figure, path)
    assert path.read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ValueError, match=r"`path` must end in .png, .svg, .pdf. Received: a.jpg"):
        save_figure(figure, "a.jpg")


def test_widths_of_text_are_those_of_the_renderer():
    figure = plot_cmc({"a": [0.5]})
    for text in ("T = 4", "iiiiiiii", "WWWW"):
        drawn = figure.text(0, 0, text, fontsize=9)
        box = drawn.get_window_extent(figure._get_renderer())
        assert text_width(text, 9) == pytest.approx(box.width / figure.dpi, abs=0.03)


def test_importing_the_package_and_drawing_leave_pyplot_alone():
    code = (
        "import sys, keras_osnet.visualize as v\n"
        "assert not {'matplotlib', 'keras', 'sklearn'} & set(sys.modules)\n"
        "v.plot_cmc({'a': [0.5]})\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("matplotlib.figure", lambda: plot_cmc({"a": [0.5]})),
        ("sklearn.cluster", lambda: gate_clusters(np.eye(3)[:, :, None], 2)),
    ],
)
def test_what_is_missing_is_named(monkeypatch, module, call):
    from keras_osnet.visualize import _sheet

    _sheet._figure_class.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    message = rf'needs {package}, .*pip install "keras-osnet\[visualize\]"'
    with pytest.raises(ImportError, match=message):
        call()


def whole_images(figure):
    """Height / width at which each image is drawn, and that it has; and its share of the tile."""
    width, height = figure.get_size_inches()
    for plot in figure.axes:
        for drawn in plot.images:
            left, right, bottom, top = drawn.get_extent()
            box = plot.get_position()
            x, y = (
                abs(end - start) / abs(np.subtract(*limits)) * side
                for start, end, limits, side in (
                    (left, right, plot.get_xlim(), box.width * width),
                    (top, bottom, plot.get_ylim(), box.height * height),
                )
            )
            share = max(x / (box.width * width), y / (box.height * height))
            yield y / x, (bottom - top) / (right - left), share


@pytest.mark.parametrize("kind", ["lists", "maps", "attributes", "clusters"])
def test_a_wide_image_squashes_nobody(kind):
    images = [np.zeros((64, 32, 3), np.uint8) for _ in range(5)]
    images[1] = np.zeros((20, 400, 3), np.uint8)
    images[2] = np.zeros((500, 20, 3), np.uint8)
    if kind == "lists":
        figure = plot_ranked_lists(images, images, 1 - np.eye(5), np.arange(5), np.arange(5), top=3)
    elif kind == "maps":
        figure = plot_maps(images, rng.random((5, 4, 2)))
    elif kind == "attributes":
        figure = plot_attributes(images, rng.random((5, 2)), ["hat", "bag"])
    else:
        figure = plot_gate_clusters(images, gate_clusters(rng.random((5, 4, 8)), 2))
    assert overlaps(figure) == []
    drawn = list(whole_images(figure))
    assert len(drawn) >= 5
    for seen, own, share in drawn:
        assert seen == pytest.approx(own, rel=1e-6)
        assert share == pytest.approx(1)  # as large as the tile allows
    usual = [plot for plot in figure.axes if plot.images and plot.get_xlim() == (0, 32)]
    assert len(usual) >= 3  # the usual image fills its tile


def test_people_keep_their_names(tmp_path):
    images = write_synthetic_people(tmp_path, 3, cameras=2, views=1, image_size=(64, 32))
    people = [replace(each, name=f"Bert {each.identity}") for each in images]
    query, gallery = people[::2], people[1::2]
    figure = plot_ranked_lists(query, gallery, np.eye(3), [1, 2, 3], [1, 2, 3])
    assert {"Bert 1", "Bert 2", "Bert 3"} <= set(texts(figure))
    assert not any(text.startswith("ID") for text in texts(figure))


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_that_cannot_be_printed(tmp_path):
    odd = [
        "a\x00b\nc\x1b[1m",
        "half \udc80\ud800",
        "$x^2$ and $",
        "_hidden",
        "x" * 500,
        "\u202eturned",
    ]
    image = np.zeros((6, 64, 32, 3), np.uint8)
    figures = [
        plot_cmc({name: [0.5, 1.0] for name in odd}),
        plot_history({name: {"loss": [2.0, 1.0], name: [1.0, 2.0]} for name in odd}),
        plot_maps(image, {name: rng.random((6, 4, 2)) for name in odd}),
        plot_attributes(image, rng.random((6, 6)), odd),
        plot_embeddings(rng.random((6, 2)), odd),
        plot_ranked_lists(image, image, np.eye(6), odd, odd, top=2),
        plot_gate_statistics({name: rng.random((3, 4, 8)) for name in odd}),
    ]
    for number, figure in enumerate(figures):
        for suffix in (".png", ".svg", ".pdf"):
            save_figure(figure, tmp_path / f"{number}{suffix}", dpi=20)
    legend = [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()]
    assert legend[2:4] == ["$x^2$ and $: rank-1 50.0", "_hidden: rank-1 50.0"]
    assert legend[1] == "half \ufffd\ufffd: rank-1 50.0"


def test_search_results_with_an_image_that_is_missing():
    images = rng.integers(0, 256, (3, 64, 32, 3), np.uint8)
    time = datetime(2026, 11, 27, 14, 5, tzinfo=UTC)
    rows = [
        {"similarity": 0.9137, "person": "Ann", "camera": "1", "time": time},
        {"similarity": 0.5, "person": None, "camera": "2", "time": None},
    ]
    figure = plot_search_results(images[:2], [rows, []], [[images[2], "image cannot be read"], []])
    assert overlaps(figure) == []
    assert colliding_texts(figure) == []
    assert len(figure.axes) == 4
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), images[2])
    assert not figure.axes[2].images
    written = set(texts(figure))
    assert {"0.914", "Ann", "11-27 14:05", "0.500", "camera 2", "cannot"} <= written
    assert {"query 0", "query 1", "nobody is", "near enough"} <= written
    with pytest.raises(ValueError, match=r"`query_images` must be as many.*2\. Received: 3"):
        plot_search_results(images, [rows, []], [[images[2]] * 2, []])
    with pytest.raises(ValueError, match=r"`images` must be as many as the rows of result 0, 2"):
        plot_search_results(images[:2], [rows, []], [[images[2]], []])
