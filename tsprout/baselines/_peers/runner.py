"""Does one request inside the environment of a library: ``python runner.py MODULE.py FOLDER``.

``FOLDER`` holds ``request.json`` (``task``, ``settings``, ``seed``, ``n``), ``shots.npy`` ``(series, channels, steps)``
and, for ``sample``, ``state.npz``. ``MODULE.py`` has ``PACKAGE`` (what pip calls the library),
``fit(shots, settings, progress)``, which returns arrays by name, and ``sample(shots, state, settings, n)``, which
returns ``(n, channels, steps)``. What comes out is ``state.npz`` or ``drawn.npy``: plain arrays, never a pickle.

On standard output goes one JSON object a line and nothing else: ``progress``, and at the end ``done``, ``missing`` or
``error``; whatever a library prints goes to standard error. The process ends when standard input is closed, so that
it outlives nobody. It needs Python 3.9 and numpy.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import random
import sys
import threading
import time
from types import ModuleType
from typing import Any

_EVERY = 0.1  # seconds from one progress message to the next


class Channel:
    """Messages to whoever started this process; afterwards standard output is standard error."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._last = 0.0

    def send(self, kind: str, **facts: Any) -> None:
        """One line."""
        self._out.write(json.dumps(dict(facts, kind=kind)) + "\n")
        self._out.flush()

    def progress(self, done: int, total: int) -> None:
        """How far it is; most are left out, the last one never."""
        now = time.monotonic()
        if done >= total or now - self._last >= _EVERY:
            self._last = now
            self.send("progress", done=int(done), total=int(total))


def end_with_parent() -> None:
    """Wait for standard input to be closed, then leave at once."""
    try:
        while os.read(0, 1):
            pass
    finally:
        os._exit(3)


def load(path: str) -> ModuleType:
    """The module of a library from its file, with nothing written beside it."""
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec = importlib.util.spec_from_file_location("tsprout_peer_module", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.dont_write_bytecode = written


def sow(seed: int) -> None:
    """Seed every generator that a library may have brought along."""
    import numpy

    random.seed(seed)
    numpy.random.seed(seed % 2**32)  # noqa: NPY002  libraries draw from it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    for keras in ("keras", "tensorflow.keras"):
        if keras in sys.modules:
            sys.modules[keras].utils.set_random_seed(seed % 2**32)
    if "tensorflow" in sys.modules:
        # Seeds alone do not fix the order of what its threads do.
        sys.modules["tensorflow"].config.experimental.enable_op_determinism()


def work(channel: Channel, module: ModuleType, folder: str) -> None:
    """Do the request of ``folder``."""
    import numpy as np

    with open(os.path.join(folder, "request.json"), encoding="utf-8") as file:
        request = json.load(file)
    shots = np.load(os.path.join(folder, "shots.npy"), allow_pickle=False)
    sow(request["seed"])
    if request["task"] == "fit":
        state = module.fit(shots, request["settings"], channel.progress)
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in state.items()}
        np.savez(os.path.join(folder, "state.npz"), **arrays)
    else:
        with np.load(os.path.join(folder, "state.npz"), allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        drawn = module.sample(shots, state, request["settings"], request["n"])
        np.save(os.path.join(folder, "drawn.npy"), np.asarray(drawn, np.float32), allow_pickle=False)


def main(path: str, folder: str) -> int:
    """The whole life of the process; returns its exit status."""
    # The folder of this file is on the path, where a module that is called like a library would hide that library.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    channel = Channel()
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        module = load(path)
        work(channel, module, folder)
        channel.send("done", library=module.PACKAGE + " " + importlib.metadata.version(module.PACKAGE))
        return 0
    except ModuleNotFoundError as error:
        channel.send("missing", module=str(error.name), what=str(error))
    except BaseException as error:
        import traceback

        traceback.print_exc()
        channel.send("error", type=type(error).__name__, what=" ".join(str(error).split()))
    return 1


if __name__ == "__main__":
    status = main(sys.argv[1], sys.argv[2])
    sys.stderr.flush()
    os._exit(status)  # without the farewells of large libraries, some of which hang
