"""Functions that take a path refuse anything else by the name of the argument."""

import re

import pytest

from keras_osnet import data, load_model, models, runtime, synthetic, weights
from keras_osnet._utils.checks import path_of

FUNCTIONS = {
    "folder": [
        data.list_images,
        lambda folder: data.read_dataset("market1501", folder),
        lambda folder: synthetic.write_synthetic_people(folder, 2),
    ],
    "path": [
        data.attributes_from_table,
        data.people_from_table,
        data.read_image,
        data.read_people,
        runtime.Embedder,
        runtime.read_metadata,
        weights.read_state_dict,
        weights.read_torch_checkpoint,
    ],
    "paths": [lambda path: data.load_images([path], (8, 4))],
    "destination": [lambda path: models.convert_file("weights.pth", path)],
    "weights": [load_model],
}


@pytest.mark.parametrize("value", [None, 5, 0.5, b"x.pth", ["x.pth"]], ids=repr)
@pytest.mark.parametrize(
    ("name", "function"), [(name, each) for name, every in FUNCTIONS.items() for each in every]
)
def test_what_is_no_path_is_refused_by_name(name, function, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .*{re.escape(repr(value))}"):
        function(value)


def test_paths(tmp_path):
    assert path_of("path", str(tmp_path)) == path_of("path", tmp_path) == tmp_path
