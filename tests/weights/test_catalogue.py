import dataclasses
import re
import subprocess
import sys
from collections import Counter

import pytest

from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.weights.catalogue import (
    WeightsInfo,
    default_image_size,
    find_weights,
    list_weights,
)

ALL = [checkpoint for checkpoint in list_weights() if checkpoint.repository]
SINGLE = {"imagenet", "market1501", "dukemtmcreid", "msmt17", "msmt17_combineall"}
SEVERAL = {
    frozenset({"msmt17", "dukemtmcreid", "cuhk03"}),
    frozenset({"msmt17", "market1501", "cuhk03"}),
    frozenset({"msmt17", "dukemtmcreid", "market1501"}),
    frozenset({"dukemtmcreid", "market1501", "cuhk03"}),
}
LETTERS = {"ms": "msmt17", "d": "dukemtmcreid", "m": "market1501", "c": "cuhk03"}


def label(checkpoint: WeightsInfo) -> str:
    return f"{checkpoint.architecture}.{checkpoint.tag}"


every_checkpoint = pytest.mark.parametrize("checkpoint", ALL, ids=label)


@every_checkpoint
def test_each_is_found_by_what_it_is(checkpoint):
    found = find_weights(checkpoint.tag, variant=checkpoint.variant, width=checkpoint.width)
    assert found == checkpoint


@every_checkpoint
def test_order_of_datasets_does_not_matter(checkpoint):
    backwards = "+".join(reversed(checkpoint.tag.split("+")))
    found = find_weights(backwards, variant=checkpoint.variant, width=checkpoint.width)
    assert found == checkpoint


@every_checkpoint
def test_fields_are_plausible(checkpoint):
    assert checkpoint.repository == "kaiyangzhou/osnet"
    assert checkpoint.revision == "a5c5cc037c24235cda3b21085b93ad77c9616224"
    assert checkpoint.license == "MIT"
    assert checkpoint.distance in ("euclidean", "cosine")
    assert checkpoint.tag in SINGLE or frozenset(checkpoint.tag.split("+")) in SEVERAL
    assert checkpoint.file.endswith((".pth", ".pyth", ".pth.tar"))
    assert (checkpoint.sha256 is None) == (checkpoint.size is None)
    if checkpoint.sha256 is not None:
        assert re.fullmatch("[0-9a-f]{64}", checkpoint.sha256)
        assert 1_000_000 < checkpoint.size < 100_000_000


@every_checkpoint
def test_architecture_variant_and_width_agree(checkpoint):
    variant = "" if checkpoint.variant == "base" else f"{checkpoint.variant}_"
    width = {1.0: "1_0", 0.75: "0_75", 0.5: "0_5", 0.25: "0_25"}[checkpoint.width]
    assert checkpoint.architecture == f"osnet_{variant}x{width}"


@every_checkpoint
def test_file_name_agrees(checkpoint):
    if "+" in checkpoint.tag:
        # osnet_ain_ms_d_c.pth.tar
        match = re.fullmatch(r"osnet(?:_(ibn|ain))?_([a-z_]+)\.pth\.tar", checkpoint.file)
        assert (match[1] or "base") == checkpoint.variant
        assert [LETTERS[letter] for letter in match[2].split("_")] == checkpoint.tag.split("+")
        return
    trained_on = checkpoint.file.removeprefix(checkpoint.architecture + "_")
    assert trained_on != checkpoint.file
    if checkpoint.architecture == "osnet_ain_x1_0" and checkpoint.tag == "msmt17_combineall":
        assert trained_on.startswith("msmt17_256x128")  # its file does not say "combineall"
    elif checkpoint.tag == "msmt17":
        assert trained_on.startswith("msmt17_256x128")
    else:
        start = {"market1501": "market", "dukemtmcreid": "duke"}.get(checkpoint.tag, checkpoint.tag)
        assert trained_on.startswith(start)


@every_checkpoint
def test_published_figures(checkpoint):
    assert (not checkpoint.published) == (checkpoint.tag == "imagenet")
    for dataset, (rank1, mean_ap) in checkpoint.published.items():
        assert dataset in LETTERS.values()
        assert 0 < mean_ap < rank1 < 100
        if checkpoint.tag == "msmt17_combineall" or "+" in checkpoint.tag:
            # Cross-domain: never tested on what was trained on.
            assert dataset not in checkpoint.tag.split("+")


def test_the_table_is_complete():
    assert len(ALL) == 43
    assert Counter((entry.variant, entry.width) for entry in ALL) == {
        ("base", 1.0): 9,
        ("base", 0.75): 5,
        ("base", 0.5): 5,
        ("base", 0.25): 5,
        ("ibn", 1.0): 8,
        ("ain", 1.0): 8,
        ("ain", 0.75): 1,
        ("ain", 0.5): 1,
        ("ain", 0.25): 1,
    }
    assert len({entry.file for entry in ALL}) == 43


def test_known_digests():
    assert {(label(entry), entry.sha256[:8], entry.size) for entry in ALL if entry.sha256} == {
        ("osnet_x1_0.imagenet", "fe2d63f9", 10910553),
        ("osnet_x0_25.msmt17_combineall", "cf55163d", 9336983),
        ("osnet_ain_x1_0.msmt17_combineall", "8a07e8da", 17293009),
    }


def test_published_figure_of_one():
    checkpoint = find_weights("msmt17_combineall", variant="base", width=0.25)
    assert checkpoint.published == {"market1501": (59.9, 31.0), "dukemtmcreid": (61.5, 39.6)}


def test_image_size_and_statistics():
    sizes = {"imagenet": (224, 224), "synthetic": (128, 64), "synthetic_attributes": (128, 64)}
    for entry in list_weights():
        assert entry.image_size == sizes.get(entry.tag, (256, 128))
        assert (entry.mean, entry.std) == (MEAN, STD)


@pytest.mark.parametrize(
    ("weights", "head", "size"),
    [
        (None, "classification", (256, 128)),
        ("imagenet", "classification", (224, 224)),
        ("imagenet", "embedding", (256, 128)),
        ("imagenet", None, (256, 128)),
        ("synthetic", "embedding", (128, 64)),
        ("synthetic_attributes", "attribute", (128, 64)),
        ("msmt17", "classification", (256, 128)),
        ("my_weights.pth", "classification", (256, 128)),
    ],
)
def test_default_image_size(weights, head, size):
    assert default_image_size(weights, head) == size


def test_list_is_filtered():
    assert {entry.variant for entry in list_weights("ibn")} == {"ibn"}
    assert {entry.width for entry in list_weights(width=0.75)} == {0.75}
    assert [entry.tag for entry in list_weights("ain", 0.5)] == ["imagenet"]
    assert list_weights("ibn", 0.5) == []
    assert list_weights(width=1) == list_weights(width=1.0) != []


def test_nothing_published_raises_naming_what_there_is():
    models = {(entry.variant, entry.width) for entry in ALL} | {
        ("ibn", 0.75),
        ("ibn", 0.5),
        ("ibn", 0.25),
    }
    missing = 0
    for variant, width in models:
        there = {entry.tag for entry in ALL if (entry.variant, entry.width) == (variant, width)}
        for tag in {entry.tag for entry in ALL} - there:
            with pytest.raises(ValueError, match="only") as caught:
                find_weights(tag, variant=variant, width=width)
            message = str(caught.value)
            offered, received = message.split("Received: ")
            assert received == f"tag={tag!r}, variant={variant!r}, width={width!r}"
            for other in ALL:
                if other.tag == tag:
                    assert f'variant "{other.variant}"' in offered
                    assert str(other.width) in offered
            for other in there:
                assert f'"{other}"' in offered
            missing += 1
    assert missing == 12 * 9 - 43


def test_the_only_width_or_the_whole_one():
    assert find_weights("synthetic", variant="base", width=None).width == 0.25
    assert find_weights("imagenet", variant="base", width=None).width == 1.0
    with pytest.raises(ValueError, match='"imagenet"'):
        find_weights("synthetic", variant="ain", width=None)


@pytest.mark.parametrize(
    "tag", ["", "msmt", "msmt17+", "ImageNet", "msmt17+cuhk03", "msmt17+msmt17", "coco"]
)
def test_unknown_tag(tag):
    with pytest.raises(ValueError, match="no published weights with the tag") as caught:
        find_weights(tag, variant="ain", width=0.25)
    assert 'there are: "imagenet".' in str(caught.value)
    assert f"Received: tag={tag!r}" in str(caught.value)


@pytest.mark.parametrize("width", [0, 0.3, 2.0, -1.0])
def test_unpublished_width(width):
    for call in (
        lambda: find_weights("imagenet", variant="base", width=width),
        lambda: list_weights(width=width),
    ):
        with pytest.raises(ValueError, match=r"one of 1\.0, 0\.75, 0\.5, 0\.25.*Received: width="):
            call()


@pytest.mark.parametrize("variant", ["", "IBN", "osnet"])
def test_unknown_variant(variant):
    for call in (
        lambda: find_weights("imagenet", variant=variant, width=1.0),
        lambda: list_weights(variant),
    ):
        with pytest.raises(ValueError, match=r'"base", "ibn", "ain".*Received: variant='):
            call()


def test_a_checkpoint_is_frozen_and_hashable():
    checkpoint = ALL[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        checkpoint.file = "other"
    assert len(set(ALL)) == 43


def test_callers_do_not_share_the_table():
    for checkpoint in list_weights():
        checkpoint.published.clear()
    assert [each for each in list_weights() if each.repository] == ALL


def test_importing_is_cheap():
    code = (
        "import sys, keras_osnet.weights.catalogue, keras_osnet.weights.hub;"
        "print([name for name in ('huggingface_hub', 'keras', 'numpy') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
