"""References to repositories and files on the Hugging Face Hub, written `hf://...`."""

import re
from dataclasses import dataclass

from keras_osnet.weights.file_formats import is_weights_name

PREFIX = "hf://"

# The Hub's own rule for the names of owners and repositories.
_NAME = re.compile(r"(?!.*(--|\.\.))\w([\w.-]*\w)?", re.ASCII)
# First parts of the Hub's URLs of pages that are not model repositories.
_KINDS = ("models", "datasets", "spaces", "kernels", "buckets")


@dataclass(frozen=True)
class HubReference:
    """A repository on the Hub, as "owner/name", or one file of it, at a branch, tag or commit."""

    repository: str
    file: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        """The reference as it is written in `weights=`."""
        file = f"/{self.file}" if self.file else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{PREFIX}{self.repository}{file}{revision}"


def parse_hub_reference(reference: str) -> HubReference:
    """Parse `hf://owner/repository[/file][@revision]`.

    The file may be in folders, and the revision may contain "/", as in
    "hf://owner/repository/folder/model.safetensors@refs/pr/1".

    Raises:
        ValueError: The reference does not have this form.

    Example:
        >>> parse_hub_reference("hf://owner/repository/model.safetensors@v1.0")
        HubReference(repository='owner/repository', file='model.safetensors', revision='v1.0')
    """
    # From the right: "@" may occur in the name of a file, but hardly ever in that of a revision.
    before, at, after = reference.removeprefix(PREFIX).rpartition("@")
    path, revision = (before, after) if at else (after, "")
    owner, *rest = path.split("/")
    name, *file = rest or [""]
    are_names = all(map(_NAME.fullmatch, (owner, name)))
    is_revision = is_plain(revision) or not at
    is_last = bool(file) or not is_weights_name(revision)
    rules = {
        f'it begins with "{PREFIX}"': reference.startswith(PREFIX),
        "it names an owner and a repository": bool(rest),
        f'the owner comes first, without "{owner}/" before it': owner not in _KINDS,
        'owner and repository are made of letters, digits, "_", "-" and ".", beginning and ending '
        "with a letter, a digit or \"_\", without '--' or '..'": are_names,
        'a file has a path without empty parts, "." or ".."': is_plain("/".join(file)) or not file,
        'a branch, a tag or a commit follows "@"': is_revision,
        "the revision comes last, after the file": is_last,
    }
    for rule, holds in rules.items():
        if not holds:
            raise ValueError(
                "A reference to weights on the Hugging Face Hub has the form "
                f"hf://owner/repository[/file][@revision]: {rule}. Received: {reference!r}"
            )
    return HubReference(f"{owner}/{name}", "/".join(file) or None, revision or None)


def is_plain(path: str) -> bool:
    """Return whether a path of the Hub, with "/" between its parts, is safe in the cache."""
    return all(
        part not in ("", ".", "..") and part == part.strip() and part.isprintable()
        for part in path.split("/")
    ) and not any(letter in path for letter in "\\:")
