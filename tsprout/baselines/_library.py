"""Methods of other libraries as baselines: each is fitted and drawn from by a process in an environment that has it.

Libraries pin what they need, often against each other and against us. So a library is not imported here: a process
of its environment's Python runs ``_peers/runner.py`` with the module of that library, and arrays go to and fro as
files, plain and never pickled. Which Python that is, ``TSPROUT_PEER_<NAME>_PYTHON`` says (an interpreter, or the folder
of an environment), with capitals and underscores; without it the one that runs tsprout is taken, for a library that is
installed beside it. A fit comes back as the weights of the network, so that a saved one needs no fitting again.

The process sees complete scaled values like every other baseline, on the CPU only and with as many threads as torch
has here, and ends when this one does.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tsprout.baselines._deep import Range
from tsprout.baselines.contract import LatentBaseline, Progress
from tsprout.errors import InputError, MissingExtraError, TsproutError

PEERS = Path(__file__).parent / "_peers"
_LAST_LINES = 6  # of what a library printed, told with its failure


@dataclass(eq=False)
class LibraryBaseline(LatentBaseline):
    """A method of a library. Its module in ``_peers/`` does the work, with the fields of the class as settings.

    Attributes:
        library, package: what is imported, and what pip calls it.
        licence: of the library, as far as a user must know it.
        module: file of ``_peers/`` that runs in the library's environment; its requirements lie beside it.
        extra: the extra of tsprout that installs it, or ``""`` where it cannot be installed beside tsprout.
        by_itself: how pip is told to leave out what the library asks for in vain.
        box: range that each channel is brought to, or ``None`` where the library scales by itself.
    """

    library: ClassVar[str]
    package: ClassVar[str]
    licence: ClassVar[str]
    module: ClassVar[Path]
    extra: ClassVar[str] = ""
    by_itself: ClassVar[str] = ""
    box: ClassVar[tuple[float, float] | None] = None

    _learnt: dict[str, np.ndarray] | None = field(init=False, default=None, repr=False)

    @classmethod
    def variable(cls) -> str:
        """The environment variable that names the library's Python."""
        return f"TSPROUT_PEER_{cls.name.upper().replace('-', '_')}_PYTHON"

    @classmethod
    def how(cls) -> str:
        """What to do to have the library."""
        file = cls.module.with_suffix(".txt")
        made = f"python -m venv peer && peer/bin/pip install {cls.by_itself}-r {file}"
        own = f"Install it: {made}, then export {cls.variable()}=$PWD/peer."
        return f"pip install 'tsprout[{cls.extra}]', or with an environment of its own. {own}" if cls.extra else own

    @classmethod
    def interpreter(cls) -> str:
        """The Python of the library's environment.

        Raises:
            InputError: the variable names none.
        """
        given = os.environ.get(cls.variable(), "").strip()
        if not given:
            return sys.executable
        folder = Path(given).expanduser()
        tried = [folder / "bin" / "python", folder / "Scripts" / "python.exe"] if folder.is_dir() else [folder]
        for path in tried:
            found = shutil.which(path)
            if found is not None:
                return str(Path(found).absolute())  # not resolved: that would leave the environment
        fix = "Name a Python, or the folder of an environment, that has the library; or unset the variable."
        raise InputError(f"there is no Python that can be run at {given}", where=cls.variable(), fix=fix)

    @classmethod
    def lacks(cls) -> str | None:
        """Whether the library can be had, as far as can be known without starting its Python."""
        try:
            python = cls.interpreter()
        except InputError as error:
            return f"{error.where}: {error.what}"
        if python != sys.executable:
            return None
        spec = importlib.util.find_spec(cls.library)
        if spec is None or spec.origin is None:  # a folder of that name is no library
            return f"{cls.package} is not installed, and {cls.variable()} names no environment that has it"
        return None

    def check(self) -> None:
        """Refuse, before any work, where the library cannot be had.

        Raises:
            MissingExtraError: see above.
        """
        self.interpreter()
        lacking = self.lacks()
        if lacking is not None:
            raise MissingExtraError(
                f"the baseline {self.name} needs the library {self.package}: {lacking}", fix=self.how()
            )

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        self.check()
        shots = self._boxed(latent).to(latent) if self.box else latent
        told, files = converse(self, {"task": "fit", "seed": seed}, {"shots.npy": shots}, "state.npz", progress)
        self._learnt = files
        self.notes = (f"fitted by {told}, whose licence is: {self.licence}",)

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        if self._learnt is None:
            raise InputError(f"the baseline {self.name} has not been fitted yet", fix="Call fit first.")
        self.check()
        box = self._boxed(own) if self.box else None
        given: dict[str, Any] = {"shots.npy": own if box is None else box.to(own), "state.npz": self._learnt}
        request = {"task": "sample", "seed": seed, "n": len(picked)}
        drawn = converse(self, request, given, "drawn.npy", None)[1]["drawn"]
        if drawn.shape != (len(picked), *own.shape[1:]):
            raise TsproutError(f"{self.package} drew an array of shape {drawn.shape}", fix=_TELL)
        return drawn if box is None else box.back(drawn)

    @property
    def _alters(self) -> bool:
        return False

    def _boxed(self, latent: np.ndarray) -> Range:
        assert self.box is not None
        return Range.of(latent, *self.box)

    def _state(self) -> dict[str, np.ndarray]:
        return self._learnt or {}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        if not state:
            raise KeyError("weights")
        self._learnt = dict(state)


_TELL = "Try the versions that its requirements pin; if it is the same with them, it is a mistake in tsprout."


def converse(
    baseline: LibraryBaseline,
    request: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray | dict[str, np.ndarray]],
    result: str,
    progress: Progress | None,
) -> tuple[str, dict[str, np.ndarray]]:
    """Have one request done by the library's Python.

    Args:
        baseline: whose library and settings.
        request: ``task``, ``seed`` and, to draw, ``n``.
        arrays: files for the other side by name, ``.npy`` or ``.npz``.
        result: the file that is to come back.
        progress: told ``fit``, epochs done, epochs in all.

    Returns:
        name and version of the library, and the arrays of ``result`` by name (that of a ``.npy`` is its stem).

    Raises:
        MissingExtraError: the library, or something that it needs, is not there.
        TsproutError: it failed, was killed, or handed back what cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="tsprout-peer-") as name:
        folder = Path(name)
        for file, held in arrays.items():
            if isinstance(held, dict):
                np.savez(folder / file, **held)  # type: ignore[arg-type]
            else:
                np.save(folder / file, held, allow_pickle=False)
        text = json.dumps({**request, "settings": baseline.settings}, allow_nan=False)
        (folder / "request.json").write_text(text, encoding="utf-8")
        last, status, said = _run(baseline, folder, progress)
        _check(baseline, last, status, said)
        try:
            got = np.load(folder / result, allow_pickle=False)
            found = {Path(result).stem: got} if isinstance(got, np.ndarray) else dict(got)
        except (OSError, ValueError, EOFError) as error:
            what = f"what {baseline.package} handed back cannot be read ({error})"
            raise TsproutError(what, fix=_TELL) from error
        return str(last.get("library")), found


def _run(baseline: LibraryBaseline, folder: Path, progress: Progress | None) -> tuple[dict[str, Any], int, str]:
    """Last message of the process, its exit status, and the end of what it printed; it is gone when this returns."""
    command = [baseline.interpreter(), str(PEERS / "runner.py"), str(baseline.module), str(folder)]
    last: dict[str, Any] = {}
    # In the folder that goes away, because some libraries leave logs where they are started.
    with open(folder / "printed.txt", "w+b") as printed:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # closed with this process, whatever ends it
                stdout=subprocess.PIPE,
                stderr=printed,
                cwd=folder,
                env=_environment(command[0]),
            )
        except OSError as error:
            what = f"the Python of {baseline.package} cannot be started ({error.strerror})"
            raise InputError(what, where=command[0], fix=baseline.how()) from error
        try:
            assert process.stdout is not None
            for message in _messages(process.stdout):
                last = message
                if message["kind"] == "progress" and progress is not None:
                    progress("fit", int(message["done"]), int(message["total"]))
            status = process.wait()
        finally:
            process.kill()
            process.communicate()
        printed.seek(0)
        lines = printed.read().decode("utf-8", "replace").strip().splitlines()
    return last, status, "\n".join(lines[-_LAST_LINES:])


def _messages(lines: Any) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:
            continue  # what a Python prints before the runner has the channel
        if isinstance(message, dict) and "kind" in message:
            yield message


def _check(baseline: LibraryBaseline, last: Mapping[str, Any], status: int, said: str) -> None:
    package, kind = baseline.package, last.get("kind")
    if status == 0 and kind == "done":
        return
    if kind == "missing":
        what = f"the baseline {baseline.name} needs the library {package}: {last.get('what')}"
        raise MissingExtraError(what, where=baseline.interpreter(), fix=baseline.how())
    if kind == "error":
        raise TsproutError(f"{package} failed: {last.get('type')}: {last.get('what')}", fix=_TELL)
    if status < 0:
        what = f"the process of {package} was killed by signal {-status}"
        raise TsproutError(what, fix="Fewer or shorter series need less memory; or run it again.")
    told = f", after it had printed:\n{said}" if said else ""
    raise TsproutError(f"the process of {package} ended with status {status}{told}", fix=_TELL)


def _environment(python: str) -> dict[str, str]:
    """Of the other process: no GPU, as many threads as here, nothing that leads another Python into our packages."""
    torch = sys.modules.get("torch")
    threads = os.environ.get("OMP_NUM_THREADS") if torch is None else str(torch.get_num_threads())
    own = dict(os.environ)
    if python != sys.executable:
        own = {key: value for key, value in own.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    if threads:
        own |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), threads)
    return own | {"CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "2"}
