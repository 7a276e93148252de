"""References to repositories and files on the Hugging Face Hub, written `hf://...`."""

import re
from dataclasses import dataclass

from keras_osnet.weights.file_formats import WEIGHTS_ENDINGS

PREFIX = "hf://"

_FORM = "hf://owner/repository[/file][@revision]"
# The Hub's own rule: letters, digits, "_", "-" and ".", beginning and ending with neither "-"
# nor ".".
_NAME = re.compile(r"(?!.*(--|\.\.))\w([\w.-]*\w)?", re.ASCII)
# What stands first in the Hub's own addresses of things that are not model repositories.
_KINDS = ("models", "datasets", "spaces", "kernels", "buckets")


@dataclass(frozen=True)
class HubReference:
    """A repository on the Hub, or one file of it.

    Args:
        repository: The repository, as "owner/name".
        file: The path of a file in it, with "/" between folders, or None for the repository.
        revision: A branch, tag or commit, or None for the main branch.
    """

    repository: str
    file: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        """The reference as it is written in `weights=`."""
        file = f"/{self.file}" if self.file else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{PREFIX}{self.repository}{file}{revision}"


def parse_hub_reference(reference: str) -> HubReference:
    """Reads `hf://owner/repository[/file][@revision]`.

    Args:
        reference: The reference. The file may be in folders, and the revision may contain "/",
            as in "hf://owner/repository/folder/model.safetensors@refs/pr/1".

    Returns:
        Its parts.

    Raises:
        ValueError: If the reference does not have this form.

    Example:
        >>> parse_hub_reference("hf://owner/repository/model.safetensors@v1.0")
        HubReference(repository='owner/repository', file='model.safetensors', revision='v1.0')
    """
    if not reference.startswith(PREFIX):
        raise _malformed(reference, f'it begins with "{PREFIX}"')
    # From the right: "@" may occur in the name of a file, but hardly ever in that of a revision.
    path, at, revision = reference.removeprefix(PREFIX).rpartition("@")
    if not at:
        path, revision = revision, ""
    owner, *rest = path.split("/")
    if not rest:
        raise _malformed(reference, "it names an owner and a repository")
    name, *file = rest
    if owner in _KINDS:
        raise _malformed(reference, f'the owner comes first, without "{owner}/" before it')
    if not _NAME.fullmatch(owner) or not _NAME.fullmatch(name):
        raise _malformed(
            reference,
            'owner and repository are made of letters, digits, "_", "-" and ".", beginning and '
            "ending with a letter, a digit or \"_\", without '--' or '..'",
        )
    if not all(map(_is_plain, file)):
        raise _malformed(reference, 'a file is named by a path without empty parts, "." or ".."')
    if at and not all(map(_is_plain, revision.split("/"))):
        raise _malformed(reference, 'a branch, a tag or a commit follows "@"')
    if not file and revision.endswith(WEIGHTS_ENDINGS):
        raise _malformed(reference, "the revision comes last, after the file")
    return HubReference(f"{owner}/{name}", "/".join(file) or None, revision or None)


def _is_plain(part: str) -> bool:
    """Whether a part of a path stays where it is put, as the part of a path in the cache."""
    return part not in ("", ".", "..") and "\\" not in part and part == part.strip()


def _malformed(reference: str, rule: str) -> ValueError:
    return ValueError(
        f"A reference to weights on the Hugging Face Hub has the form {_FORM}: {rule}. "
        f"Received: {reference!r}"
    )
