import pytest

from keras_osnet.weights.hub_reference import HubReference, parse_hub_reference

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("reference", "repository", "file", "revision"),
    [
        ("hf://owner/repo", "owner/repo", None, None),
        ("hf://owner/repo@main", "owner/repo", None, "main"),
        ("hf://owner/repo@refs/pr/1", "owner/repo", None, "refs/pr/1"),
        ("hf://owner/repo@v1.0", "owner/repo", None, "v1.0"),
        ("hf://owner/repo/a.pth", "owner/repo", "a.pth", None),
        ("hf://owner/repo/a.pth.tar@" + COMMIT, "owner/repo", "a.pth.tar", COMMIT),
        ("hf://owner/repo/b/c d/a.keras@x/y", "owner/repo", "b/c d/a.keras", "x/y"),
        ("hf://owner/repo/b@2x/a.keras@main", "owner/repo", "b@2x/a.keras", "main"),
        ("hf://o-w_n.er/re.po-1_0/a.pt", "o-w_n.er/re.po-1_0", "a.pt", None),
        ("hf://a/b/c", "a/b", "c", None),
    ],
)
def test_forms(reference, repository, file, revision):
    parsed = parse_hub_reference(reference)
    assert parsed == HubReference(repository, file, revision)
    assert str(parsed) == reference


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        ("", "begins with"),
        ("owner/repo", "begins with"),
        ("https://huggingface.co/owner/repo", "begins with"),
        ("HF://owner/repo", "begins with"),
        ("hf://", "an owner and a repository"),
        ("hf://repo", "an owner and a repository"),
        ("hf://repo@main", "an owner and a repository"),
        ("hf:///repo", "are made of"),
        ("hf://owner/", "are made of"),
        ("hf://owner//a.pth", "are made of"),
        ("hf://own er/repo", "are made of"),
        ("hf://owner/-repo", "are made of"),
        ("hf://owner/re--po", "are made of"),
        ("hf://owner/re..po", "are made of"),
        ("hf://../../etc/passwd", "are made of"),
        ("hf://owner/répo", "are made of"),
        ("hf://models/owner/repo", "owner comes first"),
        ("hf://datasets/owner/repo/a.pth", "owner comes first"),
        ("hf://owner/repo/", "path without empty parts"),
        ("hf://owner/repo/a//b.pth", "path without empty parts"),
        ("hf://owner/repo/../b.pth", "path without empty parts"),
        ("hf://owner/repo/a\\b.pth", "path without empty parts"),
        ("hf://owner/repo@", "a commit follows"),
        ("hf://owner/repo/a.pth@", "a commit follows"),
        ("hf://owner/repo/a.pth@ main", "a commit follows"),
        ("hf://owner/repo/a.pth@../../other", "a commit follows"),
        ("hf://owner/repo/a.pth@/etc", "a commit follows"),
        ("hf://owner/repo@main/a.pth", "the revision comes last"),
    ],
)
def test_malformed(reference, rule):
    with pytest.raises(ValueError, match=rule) as caught:
        parse_hub_reference(reference)
    assert "hf://owner/repository[/file][@revision]" in str(caught.value)
    assert str(caught.value).endswith(f"Received: {reference!r}")
