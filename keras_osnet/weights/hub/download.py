"""Getting weights files from the Hugging Face Hub, through its client's cache, verified."""

import re
from pathlib import Path

from keras_osnet.weights.hub.choice import choose_file
from keras_osnet.weights.hub.client import WeightsUnavailableError, ask, explained, unavailable
from keras_osnet.weights.hub.reference import HubReference, parse_hub_reference
from keras_osnet.weights.hub.verification import (
    WeightsCorruptedError,
    commit_of,
    describe,
    digest_from_etag,
    discard,
    find_difference,
    recall_digest,
    remember_digest,
    repair_lock,
)

_COMMIT = re.compile(r"[0-9a-f]{40}")


def download(
    repository: str,
    file: str,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
) -> Path:
    """Downloads a file from the Hub, or finds it in the cache, and verifies it.

    What `huggingface_hub` obeys is obeyed: HF_HOME and HF_HUB_CACHE for where the cache is,
    HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE. A cached file of a commit needs no network; that of a
    branch or tag is used when the Hub cannot be reached. A file in the cache that is not what it
    must be is fetched again, once.

    Args:
        repository: The repository, as "owner/name".
        file: The path of the file in it, with "/" between folders.
        revision: A branch, tag or commit (40 hexadecimal digits), or None for the main branch.
        sha256: The digest that the file must have, in 64 lower-case hexadecimal digits. None
            checks against the digest that the Hub itself keeps of the file.
        size: The size in bytes that the file must have, or None if it is not known.

    Returns:
        The path of the file in the cache.

    Raises:
        WeightsUnavailableError: If the file is not cached and the Hub does not give it.
        WeightsCorruptedError: If the file is not the one expected, even when fetched again.
        ValueError: If `sha256` is not a digest, or the repository or file cannot be a name.
    """
    if sha256 is not None and (len(sha256) != 64 or digest_from_etag(sha256) is None):
        raise ValueError(
            f"`sha256` must be 64 lower-case hexadecimal digits. Received: sha256={sha256!r}"
        )
    reference = HubReference(repository, file, revision)
    path = _locate(reference, file)
    digest = sha256 or recall_digest(path, file)
    if digest is None:
        # Put into the cache by another program, on a system without links.
        digest = _ask_for_digest(reference, file, patient=True)
        if digest is None:
            raise unavailable(reference, "the endpoint tells no digest to verify it with")
        remember_digest(path, file, digest)
    if find_difference(path, digest, size) is not None:
        path = _fetch_again(reference, file, path, digest, size)
    return path


def resolve_hub_reference(reference: str) -> Path:
    """Downloads the weights that an `hf://` reference means, or finds them in the cache.

    Args:
        reference: "hf://owner/repository[/file][@revision]". Without a file it means the
            repository's "model.safetensors", or else its only weights file.

    Returns:
        The path of the verified file in the cache.

    Raises:
        ValueError: If the reference is malformed, or names no file where the repository has no
            weights file, or several.
        WeightsUnavailableError: If the file is not cached and the Hub does not give it.
        WeightsCorruptedError: If the file is not the one expected, even when fetched again.
    """
    parsed = parse_hub_reference(reference)
    file = parsed.file or choose_file(parsed)
    return download(parsed.repository, file, revision=parsed.revision)


def _locate(reference: HubReference, file: str) -> Path:
    """Finds the file in the cache if it is there and up to date, else fetches it."""
    cached = _find_cached(reference, file)
    if cached is not None and _COMMIT.fullmatch(reference.revision or ""):
        return cached
    try:
        # Asked here, and not by the download only, which without a network would take minutes to
        # give up; and the digest is wanted wherever the cache does not tell it by a link.
        digest = _ask_for_digest(reference, file, patient=cached is None)
    except WeightsUnavailableError as problem:
        if cached is None or _is_gone(problem):
            raise
        return cached
    path = _fetch(reference, file)
    if digest is not None:
        remember_digest(path, file, digest)
    return path


def _find_cached(reference: HubReference, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(reference.repository, file, revision=reference.revision)
    return Path(cached) if isinstance(cached, str) else None


def _is_gone(problem: WeightsUnavailableError) -> bool:
    """Whether the Hub said that there is no such thing, and not just nothing."""
    from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

    return isinstance(problem.__cause__, (EntryNotFoundError, RevisionNotFoundError))


def _ask_for_digest(reference: HubReference, file: str, *, patient: bool) -> str | None:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(reference.repository, file, revision=reference.revision)
    metadata = ask(
        lambda: get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT),
        reference,
        patient=patient,
    )
    return digest_from_etag(metadata.etag)


def _fetch(reference: HubReference, file: str, *, force: bool = False) -> Path:
    """Downloads the file with the client, once more if the transfer breaks off."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    def fetch() -> Path:
        with explained(reference):
            return Path(
                hf_hub_download(
                    reference.repository, file, revision=reference.revision, force_download=force
                )
            )

    try:
        return fetch()
    except WeightsUnavailableError as problem:
        # The Hub's answers are final. What else goes wrong is the network's doing, and not every
        # version of the client takes up a transfer again after all of it.
        if isinstance(problem.__cause__, (EntryNotFoundError, HfHubHTTPError)):
            raise
    return fetch()


def _fetch_again(
    reference: HubReference, file: str, path: Path, digest: str, size: int | None
) -> Path:
    """Replaces a wrong file in the cache by what the Hub gives for the same commit."""
    from huggingface_hub import constants
    from huggingface_hub.utils import WeakFileLock

    pinned = HubReference(reference.repository, file, commit_of(path, file))
    found = find_difference(path, digest, size)
    try:
        with WeakFileLock(repair_lock(path, file)):
            found = find_difference(path, digest, size)
            if found is None:
                return path  # Another process was faster.
            # Removed first, because where there are no links the client does not replace a file.
            # Forced, because it may know another copy of the same wrong content.
            discard(path)
            path = _fetch(pinned, file, force=True)
            found = find_difference(path, digest, size)
            if found is None:
                return path
            discard(path)
    except OSError as problem:
        outcome = f"and fetching it again did not work: {problem}"
        raise _corrupted(pinned, outcome, describe(digest, size), found) from problem
    outcome = f"and neither is what {constants.ENDPOINT} gives when asked again"
    raise _corrupted(pinned, outcome, describe(digest, size), found)


def _corrupted(
    pinned: HubReference, outcome: str, expected: str, found: str | None
) -> WeightsCorruptedError:
    return WeightsCorruptedError(
        f"The file {pinned} in the cache is not the one expected, {outcome}. A failing disk, a "
        "transfer that broke off, or a mirror or proxy that alters files does this. Try again, "
        "set HF_ENDPOINT to another mirror, or give the path of a local file as `weights=`. "
        f"Expected: {expected}. Received: {found}"
    )
