"""Networks under keys and prefixes, in files of torch and safetensors and in mappings."""

import collections

import numpy as np
import pytest
from golden import Golden

import keras_osnet
from keras_osnet.weights import (
    CheckpointError,
    load_torchreid,
    read_state_dict,
    read_torch_checkpoint,
    save_safetensors,
    to_torchreid,
    write_torch_checkpoint,
)
from keras_osnet.weights.state_dict import state_dict_of

PREFIXES = (
    "module.",
    "module.module.",
    "_orig_mod.",
    "module._orig_mod.",
    "_orig_mod.module.",
    "module.model.",
    "model.",
    "backbone.",
    "_fsdp_wrapped_module.",
    "student.osnet.",
)
KEYS = ("state_dict", "model", "net", "ema", "state_dict_ema", "model_state", "a.b", 0)


@pytest.fixture(scope="module")
def state_dict():
    return Golden("osnet_x0_25").state_dict()


@pytest.fixture(scope="module")
def model():
    return keras_osnet.OSNet(0.25, classes=10, input_shape=(64, 32, 3))


def prefixed(state_dict, prefix):
    return {prefix + name: value for name, value in state_dict.items()}


def assert_found(found, state_dict):
    assert list(found.tensors) == list(state_dict)
    for name, value in state_dict.items():
        np.testing.assert_array_equal(found.tensors[name], value)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_one_prefix_is_seen_through(state_dict, prefix):
    found = state_dict_of(prefixed(state_dict, prefix))
    assert_found(found, state_dict)
    assert found.place == prefix.removesuffix(".")
    assert found.beside == ()


@pytest.mark.parametrize("key", KEYS)
def test_one_key_is_seen_through(state_dict, key):
    content = {"epoch": 3, "optimizer": {"state": {0: np.ones(2)}}, key: state_dict}
    found = state_dict_of(content)
    assert_found(found, state_dict)
    assert found.place == str(key)


@pytest.mark.parametrize(
    "content",
    [
        lambda state: {"checkpoint": {"ema": {"module": prefixed(state, "module.")}}},
        lambda state: {"models": [{"epoch": 1}, state]},
        lambda state: {"result": (prefixed(state, "_orig_mod."), 0.77)},
    ],
)
def test_keys_in_keys_and_lists(state_dict, content):
    assert_found(state_dict_of(content(state_dict)), state_dict)


def test_parts_that_torch_inserts_anywhere(state_dict):
    inserted = {
        name.replace("conv2.0.", "conv2._orig_mod.0._checkpoint_wrapped_module."): value
        for name, value in state_dict.items()
    }
    assert_found(state_dict_of(inserted), state_dict)
    assert_found(state_dict_of(prefixed(inserted, "module.")), state_dict)


def test_the_report_says_where_the_network_was(state_dict, model):
    content = {"ema": {**prefixed(state_dict, "module."), "criterion.center": np.ones(3)}}
    report = load_torchreid(model, content)
    assert report.place == "ema.module"
    assert "from 'ema.module' in the source" in str(report)
    assert report.skipped["criterion.center"] == "beside the network in 'ema.module'"
    assert "1 skipped: beside the network" in str(report)
    np.testing.assert_array_equal(
        to_torchreid(model)["conv5.conv.weight"], state_dict["conv5.conv.weight"]
    )
    assert "source" not in str(load_torchreid(model, state_dict))


def test_among_several_networks_the_key_chooses(state_dict, model):
    other = {name: value + 1 for name, value in state_dict.items()}
    content = {"state_dict": prefixed(state_dict, "module."), "state_dict_ema": other, "epoch": 3}
    with pytest.raises(
        ValueError, match=r"`key` must name .*'state_dict.module', 'state_dict_ema'. Received: key="
    ):
        load_torchreid(model, content)
    for key, expected in (
        ("state_dict", state_dict),
        ("state_dict.module", state_dict),
        ("state_dict_ema", other),
    ):
        assert load_torchreid(model, content, key=key).place.startswith(key)
        np.testing.assert_array_equal(to_torchreid(model)["fc.0.bias"], expected["fc.0.bias"])
    with pytest.raises(ValueError, match=r"'state_dict_ema'. Received: key='state'"):
        load_torchreid(model, content, key="state")
    both = prefixed(state_dict, "student.") | prefixed(other, "teacher.")
    with pytest.raises(ValueError, match="'student', 'teacher'"):
        state_dict_of(both)
    assert_found(state_dict_of(both, "teacher"), other)
    at_top = {**state_dict, "ema": other}
    with pytest.raises(ValueError, match="'', 'ema'"):
        state_dict_of(at_top)
    assert_found(state_dict_of(at_top, ""), state_dict)


def test_one_network_under_two_names_is_no_ambiguity(state_dict):
    assert_found(state_dict_of({"model": state_dict, "net": dict(state_dict)}), state_dict)
    twice = prefixed(state_dict, "model.") | prefixed(state_dict, "backbone.")
    assert_found(state_dict_of(twice), state_dict)


def test_values_beside_the_tensors_are_left_out(state_dict):
    content = {"epoch": 3, (1, 2): "x", 0.5: None, **state_dict, "names": ["a"], "nothing": None}
    content["loop"] = content
    assert_found(state_dict_of(content), state_dict)


@pytest.mark.parametrize("key", [None, "a"])
def test_what_is_no_state_dict(key, model):
    for source in ([], 5, None, np.ones(3)):
        with pytest.raises(ValueError, match=r"`source` must be the path.*Received: "):
            load_torchreid(model, source, key=key)
    with pytest.raises(ValueError, match=r"`key` must|not in the checkpoint"):
        load_torchreid(model, {}, key=key)


def test_tensors_as_torch_has_them(state_dict, model):
    import torch

    tensors = {name: torch.from_numpy(value) for name, value in state_dict.items()}
    tensors["fc.0.weight"] = torch.nn.Parameter(tensors["fc.0.weight"])
    tensors["fc.0.bias"] = tensors["fc.0.bias"].bfloat16()
    tensors["fc.1.bias"] = torch.full((1,), 2.0).expand(512)
    load_torchreid(model, collections.OrderedDict(tensors))
    loaded = to_torchreid(model)
    np.testing.assert_array_equal(loaded["fc.0.weight"], state_dict["fc.0.weight"])
    np.testing.assert_array_equal(loaded["fc.0.bias"], tensors["fc.0.bias"].float().numpy())
    np.testing.assert_array_equal(loaded["fc.1.bias"], np.full(512, 2, "float32"))
    for odd in (
        torch.ones(512, device="meta"),
        torch.ones(512).to_sparse(),
        torch.ones(512).to(torch.float8_e5m2),
        torch.ones(512, dtype=torch.complex64),
    ):
        with pytest.raises(ValueError, match=r"Tensor 'fc.0.bias' .*Received: "):
            load_torchreid(model, {**tensors, "fc.0.bias": odd})


@pytest.mark.parametrize("number", ["complex64", "bool"])
def test_numbers_of_files_that_are_no_weights(state_dict, number, tmp_path):
    path = tmp_path / "x.pth"
    odd = {**state_dict, "fc.0.bias": np.ones(512, number)}
    write_torch_checkpoint(path, {name: np.asarray(value) for name, value in odd.items()})
    with pytest.raises(ValueError, match=rf"x.pth .*'fc.0.bias' must hold numbers.*{number}"):
        read_state_dict(path)


@pytest.mark.parametrize("number", [">f4", "longdouble", "float16", "int64", ">i2", "uint8"])
def test_numbers_of_other_widths_and_orders(state_dict, model, number):
    load_torchreid(model, {**state_dict, "fc.0.bias": np.arange(512).astype("u1").astype(number)})
    np.testing.assert_array_equal(
        to_torchreid(model)["fc.0.bias"], np.arange(512).astype("u1").astype("float32")
    )


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_in_files(state_dict, kind, tmp_path):
    import torch
    from safetensors.numpy import save_file

    path = tmp_path / "checkpoint"
    other = {name: np.asarray(value + 1) for name, value in state_dict.items()}
    both = prefixed(state_dict, "module._orig_mod.") | prefixed(other, "ema.module.")
    both["criterion.center"] = np.ones(3, "float32")
    if kind == "safetensors":
        save_file(both, path)
        place = ""
    else:
        content = {"net": {name: torch.from_numpy(np.array(v)) for name, v in both.items()}}
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
        assert list(read_torch_checkpoint(path)) == list(both)
        assert list(read_torch_checkpoint(path, key="net")) == list(both)
        place = "net."
    with pytest.raises(ValueError, match=r"checkpoint.*`key` must name .*ema.module'") as error:
        read_state_dict(path)
    assert f"'{place}module._orig_mod'" in str(error.value)
    source = read_state_dict(path, key=f"{place}ema")
    assert source.tensors.keys() == state_dict.keys()
    for name, value in other.items():
        np.testing.assert_array_equal(source.tensors[name], value)
    loaded = keras_osnet.load_model(path, key=f"{place}module")
    np.testing.assert_array_equal(to_torchreid(loaded)["fc.0.bias"], state_dict["fc.0.bias"])
    with pytest.raises(ValueError, match=r"checkpoint.*Received: key='nothing'"):
        keras_osnet.OSNet(0.25, weights=path, key="nothing")


def test_in_a_file_of_another_network_the_usual_keys_are_taken(tmp_path):
    import torch

    path = tmp_path / "x.pth"
    torch.save({"ema": {"a": torch.ones(1)}, "model": {"b": torch.ones(1)}}, path)
    assert list(read_torch_checkpoint(path)) == ["b"]
    assert list(read_torch_checkpoint(path, key="ema")) == ["a"]
    with pytest.raises(CheckpointError, match=r"'ema', 'model'. Received: key='net'"):
        read_torch_checkpoint(path, key="net")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("classifier.weight", np.zeros((3_000_000, 0), "float32"), "classifier.weight does not"),
        ("classifier.weight", np.zeros((3_000_000, 1), "int8"), "classifier.weight does not"),
        ("classifier.weight", np.float32(1), "classifier.weight does not"),
        ("fc.0.weight", np.zeros((3_000_000, 0), "float32"), "fc.0.weight does not"),
        ("fc.0.weight", np.zeros((0, 128), "float32"), "fc.0.weight does not"),
        ("conv1.conv.weight", np.zeros((10**6, 3, 0, 7), "float32"), "conv1.conv.weight must"),
        ("conv1.conv.weight", np.zeros((640, 3, 7, 7), "float32"), "conv5.conv.weight does not"),
        ("conv1.conv.weight", np.zeros((16, 147), "float32"), "conv1.conv.weight must"),
        ("conv5.conv.weight", np.zeros((128, 0, 1, 1), "float32"), "conv5.conv.weight does not"),
    ],
)
@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_sizes_are_held_against_the_file_before_a_network_is_built(
    state_dict, kind, name, value, message, tmp_path, monkeypatch
):
    from safetensors.numpy import save_file

    def refuse(*_, **__):
        raise AssertionError("a network was built")

    monkeypatch.setattr("keras_osnet.models.osnet.network", refuse)
    path = tmp_path / "small.pth"
    if kind == "torch":
        write_torch_checkpoint(path, {**state_dict, name: np.asarray(value)})
    else:
        save_file({**state_dict, name: np.asarray(value)}, path)
    for load in (keras_osnet.load_model, lambda path: keras_osnet.OSNet(0.25, weights=path)):
        with pytest.raises(ValueError, match=f"small.pth does not hold an OSNet: {message}"):
            load(path)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_named(state_dict, model, number):
    broken = {name: np.array(value) for name, value in state_dict.items()}
    broken["fc.1.running_var"][3] = number
    with pytest.warns(
        UserWarning, match=r"osnet_x0_25 are not finite.*: fc.1.running_var."
    ) as seen:
        load_torchreid(model, broken)
    assert [warning.filename for warning in seen] == [__file__]
    everywhere = {
        name: np.full_like(value, number) if value.dtype == "float32" else value
        for name, value in state_dict.items()
    }
    with pytest.warns(UserWarning, match=r": conv1.conv.weight, .* and \d+ more\."):
        load_torchreid(model, everywhere)


@pytest.mark.large
@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_files_of_keras(ending, state_dict, tmp_path):
    """They hold one network, and are looked through for what is not finite as well."""
    path = tmp_path / f"model{ending}"
    model = keras_osnet.OSNet(0.25, classes=10, input_shape=(64, 32, 3))
    kernel, bias = model.get_layer("fc").get_weights()
    bias[3] = np.nan
    model.get_layer("fc").set_weights([kernel, bias])
    (model.save if ending == ".keras" else model.save_weights)(path)
    loads = [lambda **options: keras_osnet.load_model(path, width=0.25, **options)]
    if ending == ".keras":
        loads.append(lambda **options: keras_osnet.load_model(path, **options))
    for load in loads:
        with pytest.warns(UserWarning, match=r"not finite .*fc(/|\.0\.)bias\.") as seen:
            load()
        assert [warning.filename for warning in seen] == [__file__]
        with pytest.raises(ValueError, match=r"`key` chooses .*Received: key='ema' for .*model"):
            load(key="ema")
    with pytest.raises(ValueError, match="`key` is for `weights`"):
        keras_osnet.OSNet(0.25, key="ema")


def test_names_of_a_file_are_harmless_in_messages(state_dict, model):
    odd = {"\x1b[31mred\n": np.ones(1), "\ud800": np.ones(1), "a" * 5000: np.ones(1)}
    with pytest.raises(ValueError, match="not in the model") as error:
        load_torchreid(model, {**state_dict, **odd})
    message = str(error.value)
    assert "'\\x1b[31mred\\n': not in the model" in message
    assert "'\\ud800': not in the model" in message
    assert message.replace("\n", "").isprintable()
    assert len(message) < 1000


@pytest.mark.parametrize(
    "kind", ["pth", "safetensors", pytest.param("keras", marks=pytest.mark.large)]
)
def test_load_torchreid_reads_every_file_that_has_names(kind, model, tmp_path):
    path = tmp_path / "file"
    source = keras_osnet.OSNet(0.25, classes=10, input_shape=(64, 32, 3))
    if kind == "pth":
        write_torch_checkpoint(path, to_torchreid(source))
    else:
        save = source.save if kind == "keras" else lambda path: save_safetensors(source, path)
        save(tmp_path / f"x.{kind}")
        (tmp_path / f"x.{kind}").rename(path)
    assert len(load_torchreid(model, path).used) == len(model.variables)
    np.testing.assert_array_equal(
        to_torchreid(model)["conv5.conv.weight"], to_torchreid(source)["conv5.conv.weight"]
    )
    with pytest.raises(FileNotFoundError):
        load_torchreid(model, tmp_path / "missing")


def test_bfloat16_in_safetensors(state_dict, model, tmp_path):
    import torch
    from safetensors.torch import save_file

    tensors = {name: torch.from_numpy(np.array(value)) for name, value in state_dict.items()}
    tensors = {
        f"backbone.{name}": value.bfloat16() if value.is_floating_point() else value
        for name, value in tensors.items()
    }
    save_file(tensors, tmp_path / "narrow.safetensors")
    assert load_torchreid(model, tmp_path / "narrow.safetensors").place == "backbone"
    np.testing.assert_array_equal(
        to_torchreid(model)["fc.0.weight"], tensors["backbone.fc.0.weight"].float().numpy()
    )
