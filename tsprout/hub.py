"""Checkpoints on the Hugging Face hub: fetched into that library's own cache, and pushed in one commit.

Needs the extra ``hub``. The network is touched only when a model is named ``owner/name`` or a push is asked for; what
fails there becomes a :class:`CheckpointError`. Token, cache and address are those of the hub's library: ``HF_TOKEN`` or
``hf auth login``, ``HF_HOME``, ``HF_ENDPOINT``, ``HF_HUB_OFFLINE``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tsprout.errors import CheckpointError, MissingExtraError
from tsprout.staging import from_os_error, is_disk_full

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_NAME = re.compile(rf"(?:{_PART}/)?{_PART}")


@dataclass(frozen=True)
class HubOptions:
    """Where and how to look: branch, tag or commit; folder of the cache, only there; token (or the stored one)."""

    revision: str | None = None
    cache_dir: str | Path | None = None
    local_files_only: bool = False
    token: str | bool | None = None


@dataclass(frozen=True)
class PushOptions:
    """How to publish.

    ``private``: who may see a repository that is made by the push; ``True`` also refuses one that exists and is public.
    ``commit_message``; ``revision``: branch, made if there is none; ``token``: by default the stored one;
    ``include_shots``: a fitted model's series may be published.
    """

    private: bool | None = None
    commit_message: str | None = None
    revision: str | None = None
    token: str | bool | None = None
    include_shots: bool = False


def split_name(text: str) -> tuple[str, str | None] | None:
    """``("owner/name", revision)`` of ``owner/name`` or ``owner/name@revision``, ``None`` of any other text."""
    name, _, revision = text.partition("@")
    if "/" in name and _NAME.fullmatch(name) and ".." not in name and "--" not in name:
        return name, revision or None
    return None


def fetch(name: str, files: tuple[str, ...], options: HubOptions) -> Path:
    """The folder in the cache with ``files`` of a model, downloaded where it is not there yet.

    Raises:
        CheckpointError: no such model, revision or access, no network, or it is not in the cache.
        MissingExtraError: the extra ``hub`` is not installed.
    """
    library = _library(name, "no such folder, and reading from the Hugging Face hub needs the extra 'hub'")
    try:
        folder = library.snapshot_download(
            name,
            revision=options.revision,
            cache_dir=options.cache_dir,
            local_files_only=options.local_files_only,
            token=options.token,
            allow_patterns=list(files),
            library_name="tsprout",
        )
    except Exception as error:  # the hub's library raises a dozen unrelated types
        raise _said(error, name, options.revision, pushing=False) from error
    return Path(folder)


def push(folder: Path, name: str, files: tuple[str, ...], options: PushOptions) -> str:
    """Put a checkpoint folder on the hub in one commit; returns the address of that commit.

    The repository is made if there is none. Those of ``files`` that an older checkpoint left there and the folder does
    not hold are removed; anything else in the repository stays.

    Args:
        folder: a checkpoint.
        name: ``owner/name``, or ``name`` for the owner of the token.
        files: names of the files that make a checkpoint.
        options: who may see it, branch, message, token.

    Raises:
        CheckpointError: the name cannot be, access is refused, the repository is public, or there is no network.
        MissingExtraError: the extra ``hub`` is not installed.
    """
    check_name(name)
    library = _library(name, "pushing to the Hugging Face hub needs the extra 'hub'")
    revision = options.revision
    api = library.HfApi(token=options.token, library_name="tsprout")
    try:
        name = api.create_repo(name, private=options.private, exist_ok=True).repo_id
        if options.private and not api.repo_info(name).private:
            raise CheckpointError(
                "the repository exists and is public, and private was asked for",
                where=name,
                fix="Choose another name, make it private in its settings, or say private=False.",
            )
        if revision is not None:
            api.create_branch(name, branch=revision, exist_ok=True)
        there = set(api.list_repo_files(name, revision=revision))
        paths = [folder / file for file in files if (folder / file).is_file()]
        gone = [file for file in files if file in there and not (folder / file).is_file()]
        done = api.create_commit(
            name,
            [
                *(library.CommitOperationDelete(path_in_repo=file) for file in gone),
                *(library.CommitOperationAdd(path_in_repo=path.name, path_or_fileobj=path) for path in paths),
            ],
            commit_message=options.commit_message or "Upload tsprout checkpoint",
            revision=revision,
        )
    except CheckpointError:
        raise
    except Exception as error:
        raise _said(error, name, revision, pushing=True) from error
    return str(done.commit_url)


def check_name(name: str) -> None:
    """Raise :class:`CheckpointError` where a name cannot be one of the hub's."""
    if not _NAME.fullmatch(name) or ".." in name or "--" in name or len(name) > 96:
        raise CheckpointError(
            "this cannot be the name of a model on the hub",
            where=name,
            fix="Names are owner/name: letters, digits, '-', '_' and '.', 96 at most, no '--' or '..'.",
        )


def _library(name: str, what: str) -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        fix = 'pip install "tsprout[hub]", or use a folder.'
        raise MissingExtraError(what, where=name, fix=fix) from error
    return huggingface_hub


def _said(error: Exception, name: str, revision: str | None, *, pushing: bool) -> CheckpointError:
    """What a person can act on for whatever the hub's library raised; it wraps the cause in several layers."""
    from huggingface_hub import errors

    causes: list[BaseException] = [error]
    while (deeper := causes[-1].__cause__) is not None and deeper not in causes:
        causes.append(deeper)

    def caused(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    answer = next((r for cause in causes if (r := getattr(cause, "response", None)) is not None), None)
    status = None if answer is None else answer.status_code
    # Who may not see a private model is told the same as who asks for one that does not exist: 401, without a token.
    told = "" if answer is None else answer.headers.get("X-Error-Message")
    unknown = status == 401 and told != "Invalid credentials in Authorization header"
    missing = status == 404 or caused(errors.RepositoryNotFoundError) or (unknown and not pushing)
    login = "Log in (hf auth login), or give a token that may " + ("write there." if pushing else "read it.")
    where = name if revision is None else f"{name}@{revision}"
    if any(is_disk_full(cause) for cause in causes):
        full = next(cause for cause in causes if is_disk_full(cause))
        return CheckpointError("there is no space left on the disk", where=where, fix=str(full))
    if caused(errors.RevisionNotFoundError):
        return CheckpointError("the model has no such revision", where=where, fix="Name a branch, tag or commit of it.")
    if caused(errors.GatedRepoError):
        fix = "Ask for access on its page, then log in (hf auth login)."
        return CheckpointError("the model is gated: its owner grants access one by one", where=where, fix=fix)
    if caused(errors.LocalTokenNotFoundError) or (status == 401 and not (missing and not pushing)):
        return CheckpointError("the hub does not know who is asking, or refuses the token", where=where, fix=login)
    if status == 403:
        return CheckpointError("the hub refuses access with this token", where=where, fix=login)
    if missing:
        fix = f"Check the spelling. If it is private: {login[0].lower()}{login[1:]}"
        what = "neither a local folder nor a model on the hub" if not pushing else "the hub has no such owner or model"
        return CheckpointError(what, where=where, fix=fix)
    if caused(errors.HFValidationError):
        return CheckpointError("this cannot be the name of a model on the hub", where=where, fix=str(error))
    if status is not None:
        fix = "Try again later." if status >= 500 or status == 429 else _first_line(error)
        return CheckpointError(f"the hub answered with error {status}", where=where, fix=fix)
    if caused(errors.OfflineModeIsEnabled) or (caused(errors.LocalEntryNotFoundError) and len(causes) == 1):
        fix = "Fetch it once with the network, or give the path of a folder."
        return CheckpointError("the model is not in the cache, and the network is switched off", where=where, fix=fix)
    if pushing and isinstance(error, ValueError) and not caused(ConnectionError):
        return CheckpointError(f"the hub refuses what is to be pushed: {_first_line(error)}", where=where)
    if isinstance(error, PermissionError):
        return CheckpointError("the cache cannot be written", where=str(error.filename), fix=str(from_os_error(error)))
    names = " from ".join(type(cause).__name__ for cause in causes[:2])
    fix = "Check the connection, HF_ENDPOINT and the proxy" + ("." if pushing else ", or give the path of a folder.")
    return CheckpointError(f"the hub cannot be reached ({names})", where=where, fix=fix)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
