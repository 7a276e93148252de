"""Folders for the Hub, pushed by the real client to a server on this machine and loaded back."""

import base64
import hashlib
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub
import keras
import numpy as np
import pytest
import yaml
from fake_hub import FakeHub
from safetensors.numpy import load_file
from werkzeug import Request, Response

import keras_osnet
from keras_osnet.architecture.describe import describe
from keras_osnet.architecture.preprocessing import MEAN, STD
from keras_osnet.weights import model_card, publish
from keras_osnet.weights.catalogue import find_weights, list_weights
from keras_osnet.weights.convert import to_torchreid
from keras_osnet.weights.publish import PublishError, push_to_hub, save_for_hub

REPOSITORY = "someone/osnet_x0_25_mine"
TOKEN = "hf_secret"
METRICS = {"market1501": {"rank_1": np.float32(94.2), "mAP": 82.6, "metric": "cosine"}}
FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture(scope="module")
def model():
    built = keras_osnet.OSNet(0.25, classes=7, input_shape=(64, 32, 3))
    for variable in built.weights:  # no two alike, none at its initial value
        noise = np.random.default_rng(len(variable.path)).uniform(0.5, 1.5, variable.shape)
        variable.assign(noise.astype("float32") * 0.1)
    return built


def prepare(model, folder, **arguments):
    origin = {"license": "mit", "trained_on": "market1501", "base": None, **arguments}
    return save_for_hub(model, folder, **origin)


def card_of(folder):
    text = (folder / "README.md").read_text("utf-8")
    _, metadata, body = text.split("---\n", 2)
    return yaml.safe_load(metadata), body


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# --- Preparing -------------------------------------------------------------------------------


def test_what_is_in_the_folder(model, tmp_path):
    folder = prepare(model, tmp_path / "mine", metrics=METRICS)
    assert folder == tmp_path / "mine"
    assert names_in(folder) == FILES
    assert names_in(tmp_path) == ["mine"]

    tensors = load_file(folder / "model.safetensors")
    expected = to_torchreid(model)
    assert tensors.keys() == expected.keys()
    assert all(np.array_equal(tensors[name], expected[name]) for name in expected)

    configuration = json.loads((folder / "config.json").read_text("utf-8"))
    content = (folder / "model.safetensors").read_bytes()
    assert configuration["weights"] == {
        "file": "model.safetensors",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "parameters": sum(np.prod(variable.shape) for variable in model.trainable_weights),
    }
    assert configuration["version"] == keras_osnet.__version__
    assert configuration["model"] == describe(model)
    assert configuration["preprocessing"]["mean"] == list(MEAN)
    assert configuration["preprocessing"]["std"] == list(STD)
    rebuilt = keras_osnet.OSNet(
        **configuration["model"], weights=folder / configuration["weights"]["file"]
    )
    assert_same_results(rebuilt, model)


def test_a_lone_weights_file_says_what_it_is(model, tmp_path):
    from safetensors import safe_open

    folder = prepare(model, tmp_path / "mine")
    with safe_open(folder / "model.safetensors", "np") as file:
        assert json.loads(file.metadata()["model"]) == describe(model)


def test_metadata_of_the_card(model, tmp_path):
    base = find_weights("msmt17", variant="base", width=0.25)
    metadata, _ = card_of(
        prepare(model, tmp_path / "a", trained_on="msmt17+me/cams", base=base, metrics=METRICS)
    )
    (results,) = metadata.pop("model-index")
    assert metadata == {
        "license": "mit",
        "library_name": "keras-osnet",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["person-re-identification", "re-ID", "osnet", "keras-osnet"],
        "datasets": ["msmt17", "me/cams"],
        "base_model": "kaiyangzhou/osnet",
    }
    assert results["name"] == "osnet_x0_25"
    (result,) = results["results"]
    assert result["dataset"] == {"type": "market1501", "name": "Market-1501"}
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == {
        "rank_1": 94.2,
        "mAP": 82.6,
    }


def test_text_of_the_card(model, tmp_path):
    base = find_weights("msmt17", variant="base", width=0.25)
    _, text = card_of(
        prepare(
            model,
            tmp_path / "a",
            trained_on="msmt17+dukemtmcreid",
            base=base,
            metrics=METRICS | {"msmt17": {"mAP": 30}},
            description="Trained for 3 epochs on a *laptop*.",
        )
    )
    assert "| test set | rank-1 | mAP | distance |" in text
    assert "| Market-1501 | 94.2 | 82.6 | cosine |" in text
    assert "| MSMT17 | – | 30 | – |" in text
    assert "Trained for 3 epochs on a *laptop*." in text
    assert "MSMT17 + DukeMTMC-reID. The authors of DukeMTMC withdrew" in text
    assert base.file in text
    assert f"{base.repository}/tree/{base.revision}" in text
    assert "under the `mit` license" in text
    assert "64×32 pixels" in text
    assert "consent" in text
    # As a reader sees it: no gaps left by the template.
    assert "\n\n\n" not in text
    assert not re.search(r"[ \t]\n|\{[{%]|None|\[\]", text)


@pytest.mark.parametrize(
    ("base", "sentence", "repository"),
    [
        (None, "trained from random initial values", None),
        ("Averaged over five runs of mine.", "Averaged over five runs of mine.", None),
        ("hf://someone/osnet@v1", "(`hf://someone/osnet@v1`)", "someone/osnet"),
    ],
)
def test_provenance(model, tmp_path, base, sentence, repository):
    metadata, text = card_of(prepare(model, tmp_path / "a", base=base))
    assert sentence in text
    assert metadata.get("base_model") == repository
    assert "No results are reported" in text
    assert "model-index" not in metadata
    assert "model_name" not in metadata


ARGUMENTS = [
    {},
    {"variant": "ain", "head": "embedding", "normalize": True},
    {"head": "embedding", "include_preprocessing": True, "input_shape": (None, None, 3)},
    {"head": "attribute", "classes": 4, "pooling": "max", "depths": (1, 1, 1)},
    {"include_top": False, "pooling": "avg", "streams": [2, 2], "depths": (1, 1, 1)},
    {"include_top": False, "depths": (1, 1, 1)},
    {"outputs": ["embedding", "conv2"], "classes": 3},
]


@pytest.mark.large
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_the_snippet_for_keras_builds_the_model(tmp_path, arguments, monkeypatch):
    model = keras_osnet.OSNet(0.25, **arguments)
    folder = prepare(model, tmp_path / "a")
    _, text = card_of(folder)
    code = re.search(r"```python\n(# pip.*?)```", text, re.DOTALL)[1]
    code = code.replace("hf://owner/repository", str(folder / "model.safetensors"))
    images = np.random.default_rng(0).integers(0, 256, (1, 256, 128, 3), "uint8")
    ran = {"images": images}
    exec(code, ran)
    assert describe(ran["model"]) == describe(model)
    inputs = (
        images if arguments.get("include_preprocessing") else keras_osnet.preprocess_input(images)
    )
    for left, right in zip(
        keras.tree.flatten(ran["results"]),
        keras.tree.flatten(model.predict(inputs, verbose=0)),
        strict=True,
    ):
        np.testing.assert_array_equal(left, right)


@pytest.mark.large
@pytest.mark.parametrize(
    ("arguments", "name", "line"),
    [
        ({"classes": 7}, '"osnet_x0_25", num_classes=7', "load_state_dict(weights)\n"),
        (
            {"head": "embedding", "variant": "ain"},
            '"osnet_ain_x0_25", num_classes=1',
            "strict=False",
        ),
        ({"variant": "ibn"}, None, None),  # torchreid has IBN in full width only
        ({"fusion": "addition"}, None, None),
        ({"include_top": False}, None, None),
    ],
    ids=str,
)
def test_the_snippet_for_torch_is_there_where_torchreid_has_the_network(
    tmp_path, arguments, name, line
):
    model = keras_osnet.OSNet(0.25, input_shape=(64, 32, 3), **arguments)
    _, text = card_of(prepare(model, tmp_path / "a"))
    if name is None:
        assert "build_model" not in text
        assert "torchreid has no matching network" in text
    else:
        assert f"build_model({name}, pretrained=False)" in text
        assert line in text


def test_torch_reads_the_weights(model, tmp_path):
    safetensors_torch = pytest.importorskip("safetensors.torch")
    tensors = safetensors_torch.load_file(prepare(model, tmp_path / "a") / "model.safetensors")
    assert tuple(tensors["classifier.weight"].shape) == (7, 512)
    assert tuple(tensors["conv1.conv.weight"].shape) == (16, 3, 7, 7)


def test_every_dataset_of_the_catalogue_has_a_title():
    for checkpoint in list_weights():
        for tag in checkpoint.tag.split("+"):
            assert model_card._dataset(tag)["title"] != tag


def test_an_earlier_output_is_replaced_and_what_else_is_there_stays(model, tmp_path):
    folder = prepare(model, tmp_path / "a")
    (folder / "LICENSE").write_text("mine")
    prepare(model, folder, license="apache-2.0")
    assert names_in(folder) == ["LICENSE", *FILES]
    assert card_of(folder)[0]["license"] == "apache-2.0"
    assert (folder / "LICENSE").read_text() == "mine"
    assert names_in(tmp_path) == ["a"]


def test_an_empty_folder_is_filled(model, tmp_path):
    (tmp_path / "a").mkdir()
    assert names_in(prepare(model, tmp_path / "a")) == FILES


@pytest.mark.parametrize(
    "content", [None, b"{}", b"[1]", b"not JSON", b'{"library": "transformers"}']
)
def test_a_folder_of_somebody_else_is_refused(model, tmp_path, content):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "thesis.txt").write_bytes(b"x")
    if content is not None:
        (folder / "config.json").write_bytes(content)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError, match=rf"earlier output.*Received: {folder}"):
        prepare(model, folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert names_in(tmp_path) == ["a"]


def test_a_file_or_nowhere_is_refused(model, tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(FileExistsError, match="earlier output"):
        prepare(model, tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="no folder"):
        prepare(model, tmp_path / "missing" / "a")


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["save_safetensors", "build_model_card", "_json"])
@pytest.mark.parametrize("exists", [False, True])
def test_interrupted_preparation_leaves_nothing_half_made(
    model, tmp_path, monkeypatch, failure, step, exists
):
    folder = tmp_path / "a"
    if exists:
        prepare(model, folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(publish, step, fail)
    with pytest.raises(type(failure)):
        prepare(model, folder, license="apache-2.0")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert names_in(tmp_path) == (["a"] if exists else [])


def test_a_replacement_that_broke_off_is_not_pushed(folder, tmp_path, monkeypatch):
    replace = Path.replace

    def fail_at_the_card(path, target):
        if path.name == "README.md":
            raise OSError("disk full")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail_at_the_card)
    with pytest.raises(OSError, match="disk full"):
        prepare(keras_osnet.OSNet(0.25, depths=(1, 1, 1)), folder)
    assert names_in(folder) == FILES
    with pytest.raises(ValueError, match="nothing was sent"):
        push_to_hub(folder, REPOSITORY)
    assert names_in(tmp_path) == ["mine"]


def test_the_current_folder(model, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert prepare(model, ".") == Path()
    assert names_in(tmp_path / "a") == FILES
    assert names_in(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"license": "MIT License"}, r"`license`.*mit.*Received: 'MIT License'"),
        ({"license": "other"}, r"`description` must state.*Received: description=None"),
        ({"trained_on": ""}, r"`trained_on`.*Received: \[''\]"),
        ({"trained_on": "my own images"}, "`trained_on` must name datasets"),
        ({"base": ""}, r"`base`.*Received: ''"),
        ({"base": "hf://models/owner/name"}, "owner comes first"),
        ({"metrics": {"market 1501": {"mAP": 30}}}, "`metrics` must name datasets"),
        ({"metrics": {"msmt17": {"mAP": 0.82, "rank_1": 0.94}}}, "look like shares of 1"),
        ({"metrics": {"msmt17": {"mAP": 120}}}, "msmt17 must be numbers of 0 to 100"),
        ({"metrics": {"msmt17": {"mAP": float("nan")}}}, "must be numbers"),
        ({"metrics": {"msmt17": {"metric": "cosine"}}}, r"Received: \{'metric': 'cosine'\}"),
        ({"metrics": {"msmt17": {"mAP": None}}}, "must be numbers"),
    ],
)
def test_wrong_arguments(model, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        prepare(model, tmp_path / "a", **arguments)
    assert names_in(tmp_path) == []


def test_a_license_of_ones_own_is_stated_in_the_description(model, tmp_path):
    folder = prepare(model, tmp_path / "a", license="other", description="Only on Sundays.")
    metadata, text = card_of(folder)
    assert metadata["license"] == "other"
    assert "Only on Sundays." in text


def test_a_model_that_is_no_osnet(tmp_path):
    image = keras.Input((32, 32, 3))
    other = keras.Model(image, keras.layers.Conv2D(4, 3)(image), name="other")
    with pytest.raises(ValueError, match=r"must be an OSNet.*Received: other"):
        prepare(other, tmp_path / "a")


def test_without_jinja(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r'pip install "keras-osnet\[publish\]"'):
        prepare(model, tmp_path / "a")
    assert names_in(tmp_path) == []


# --- Pushing ---------------------------------------------------------------------------------


@dataclass
class WritableHub(FakeHub):
    """A Hub that also takes commits, from the holder of one token."""

    private: dict[str, bool] = field(default_factory=dict)  # by repository
    refusal: tuple[int, str | None] | None = None  # how writing is answered instead
    objects: dict[str, bytes] = field(default_factory=dict)  # LFS, by digest
    commits: list[dict] = field(default_factory=list)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("POST", "PUT"):
            if match := re.fullmatch("/api/models/([^/]+/[^/]+)(/revision/.+)?", request.path):
                self.log.append((request.method, request.path, None))
                return self._information(match[1])
            return super()._answer(request)
        self.log.append((request.method, request.path, request.headers.get("Authorization")))
        if self.refusal:
            status, code = self.refusal
            headers = {"X-Error-Code": code} if code else {}
            return Response(status=status, headers=headers)
        for pattern, respond in (
            ("/api/repos/create", self._create),
            ("/api/validate-yaml", lambda request: answer({"errors": [], "warnings": []})),
            ("/api/models/([^/]+/[^/]+)/preupload/([^/]+)", self._preupload),
            ("/([^/]+/[^/]+).git/info/lfs/objects/batch", self._batch),
            ("/lfs/([0-9a-f]{64})", self._upload),
            ("/api/models/([^/]+/[^/]+)/commit/([^/]+)", self._commit),
        ):
            if match := re.fullmatch(pattern, request.path):
                return respond(request, *match.groups())
        return Response(status=404)

    def _information(self, repository: str) -> Response:
        if repository not in self.private:
            return Response(status=404, headers={"X-Error-Code": "RepoNotFound"})
        commit = self.branches.get((repository, "main"), "0" * 40)
        names = self.files.get((repository, commit), {})
        return answer(
            {
                "id": repository,
                "sha": commit,
                "private": self.private[repository],
                "siblings": [{"rfilename": name} for name in names],
            }
        )

    def _create(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Response(status=401)
        wanted = request.get_json()
        repository = f"{wanted['organization']}/{wanted['name']}"
        exists = repository in self.private
        self.private.setdefault(repository, wanted.get("visibility") == "private")
        return answer({"url": f"{self.endpoint}/{repository}"}, 409 if exists else 200)

    def _preupload(self, request: Request, repository: str, revision: str) -> Response:
        if revision != "main" and (repository, revision) not in self.branches:
            return Response(status=404, headers={"X-Error-Code": "RevisionNotFound"})
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for file in request.get_json()["files"]
        ]
        return answer({"files": files})

    def _batch(self, request: Request, repository: str) -> Response:
        objects = [
            {**wanted, "actions": {"upload": {"href": f"{self.endpoint}/lfs/{wanted['oid']}"}}}
            for wanted in request.get_json(force=True)["objects"]
        ]
        return answer({"transfer": "basic", "objects": objects})

    def _upload(self, request: Request, digest: str) -> Response:
        self.objects[digest] = request.get_data()
        return Response()

    def _commit(self, request: Request, repository: str, revision: str) -> Response:
        header, *operations = map(json.loads, request.get_data().splitlines())
        commit = f"{len(self.commits) + 1:040x}"
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "lfsFile":
                content = self.objects[value["oid"]]
            else:
                self.plain.add(value["path"])
                content = base64.b64decode(value["content"])
            self.add(repository, value["path"], content, commit)
        self.commits.append(header["value"] | {"revision": revision})
        url = f"{self.endpoint}/{repository}/commit/{commit}"
        return answer({"success": True, "commitOid": commit, "commitUrl": url})


def answer(content, status=200):
    return Response(json.dumps(content), status=status, content_type="application/json")


@pytest.fixture
def hub(server, use_hub, monkeypatch):
    """A Hub without repositories."""
    server.clear()
    fake = WritableHub(server)
    use_hub(fake.endpoint)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return fake


@pytest.fixture(scope="module")
def prepared(model, tmp_path_factory):
    return prepare(model, tmp_path_factory.mktemp("publish") / "mine")


@pytest.fixture
def folder(prepared, tmp_path):
    copy = tmp_path / "mine"
    copy.mkdir()
    for path in prepared.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def assert_same_results(left, right):
    images = np.random.default_rng(1).standard_normal((2, 64, 32, 3)).astype("float32")
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(left(images)), keras.ops.convert_to_numpy(right(images))
    )


def test_round_trip(hub, folder, model):
    url = push_to_hub(folder, REPOSITORY)
    assert url == f"{hub.endpoint}/{REPOSITORY}/commit/{1:040x}"
    arguments = json.loads((folder / "config.json").read_text("utf-8"))["model"]
    loaded = keras_osnet.OSNet(**arguments, weights=f"hf://{REPOSITORY}")
    assert_same_results(loaded, model)


def test_what_is_sent(hub, folder):
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"secret")
    (folder / "LICENSE").write_bytes(b"mine")
    push_to_hub(folder, REPOSITORY, message="Better weights")
    sent = hub.files[REPOSITORY, f"{1:040x}"]
    assert sorted(sent) == ["LICENSE", *FILES]
    for name in ("LICENSE", "config.json", "model.safetensors"):
        assert sent[name] == (folder / name).read_bytes()
    card = sent["README.md"].decode()
    assert f'weights="hf://{REPOSITORY}"' in card
    assert "owner/repository" not in card
    assert "owner/repository" in (folder / "README.md").read_text("utf-8")
    assert [commit["summary"] for commit in hub.commits] == ["Better weights"]
    assert hub.private == {REPOSITORY: False}


def test_a_second_push_is_a_second_commit(hub, folder, model):
    push_to_hub(folder, REPOSITORY)
    prepare(model, folder, license="apache-2.0")
    assert push_to_hub(folder, REPOSITORY).endswith(f"{2:040x}")
    assert b"apache-2.0" in hub.files[REPOSITORY, f"{2:040x}"]["README.md"]


def test_a_branch(hub, folder):
    hub.private[REPOSITORY] = False
    with pytest.raises(PublishError, match=r"RevisionNotFoundError.*branch must exist.*'dev'"):
        push_to_hub(folder, REPOSITORY, revision="dev")
    hub.branches[REPOSITORY, "dev"] = "0" * 40
    push_to_hub(folder, REPOSITORY, revision="dev")
    assert [commit["revision"] for commit in hub.commits] == ["dev"]


def test_private_repositories(hub, folder):
    push_to_hub(folder, REPOSITORY, private=True)
    assert hub.private == {REPOSITORY: True}
    assert len(hub.commits) == 1


def test_private_weights_do_not_go_to_a_public_repository(hub, folder):
    hub.private[REPOSITORY] = False
    with pytest.raises(PublishError, match="is public, but `private=True`"):
        push_to_hub(folder, REPOSITORY, private=True)
    assert hub.commits == []
    assert hub.objects == {}


def test_a_token_as_an_argument(hub, folder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    push_to_hub(folder, REPOSITORY, token=TOKEN)
    assert len(hub.commits) == 1


def change_weights(folder):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def change_configuration(folder):
    path = folder / "config.json"
    path.write_text(re.sub(r'"sha256": "\w+"', '"sha256": null', path.read_text("utf-8")))


@pytest.mark.parametrize("change", [change_weights, change_configuration])
def test_tampered_weights_are_refused_before_anything_is_sent(hub, folder, change):
    change(folder)
    with pytest.raises(ValueError, match=r"model\.safetensors is not the file.*nothing was sent"):
        push_to_hub(folder, REPOSITORY)
    assert hub.log == []


@pytest.mark.parametrize("name", FILES)
def test_incomplete_folders_are_refused_before_anything_is_sent(hub, folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{re.escape(name)} missing.*Received: {folder}"):
        push_to_hub(folder, REPOSITORY)
    assert hub.log == []


@pytest.mark.parametrize("content", ["not JSON", "[]", '{"library": "transformers"}'])
def test_other_folders_are_refused_before_anything_is_sent(hub, folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config\.json"):
        push_to_hub(folder, REPOSITORY)
    assert hub.log == []


@pytest.mark.parametrize("name", ["osnet", "hf://me/osnet", "me/osnet/file", "me/osnet@main", ""])
def test_wrong_repository_names(hub, folder, name):
    with pytest.raises(ValueError, match="Received"):
        push_to_hub(folder, name)
    assert hub.log == []


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ((401, None), r"401.*`hf auth login`, set HF_TOKEN"),
        ((403, None), r"403.*`hf auth login`, set HF_TOKEN"),
        ((404, "RepoNotFound"), "Repository Not Found"),
        ((413, None), "413"),
        ((507, None), "507"),
    ],
)
def test_refusals_say_what_to_do(hub, folder, refusal, message):
    hub.refusal = refusal
    with pytest.raises(PublishError, match=rf"{REPOSITORY} on {hub.endpoint}.*{message}") as raised:
        push_to_hub(folder, REPOSITORY)
    assert str(raised.value).endswith(f"Received: repository={REPOSITORY!r}, revision=None")
    assert TOKEN not in str(raised.value)
    assert isinstance(raised.value.__context__, huggingface_hub.errors.HfHubHTTPError)


def test_without_a_token(hub, folder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PublishError, match=r"401.*`hf auth login`"):
        push_to_hub(folder, REPOSITORY)
    assert hub.commits == []


@pytest.mark.parametrize(
    ("how", "message"), [("dead", "ConnectError"), ("offline", "HF_HUB_OFFLINE")]
)
def test_no_network(hub, folder, disconnect, how, message):
    disconnect(how)
    with pytest.raises(PublishError, match=message):
        push_to_hub(folder, REPOSITORY)
