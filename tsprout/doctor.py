"""Is this installation well? Versions, threads, memory, devices, extras, folders, and a test of the bundled model.

The model's test is a golden one: from fixed example series made here it draws two series with a fixed seed, and these
are compared with the ones stored beside the checkpoint when it was made. Another processor may round differently, so
"the same bits" and "the same to within rounding" are both well; anything else is not.
"""

from __future__ import annotations

import json
import math
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.errors import TsproutError

if TYPE_CHECKING:
    import numpy as np

    from tsprout.series import SeriesSet

GOLDEN = "golden.json"
TOLERANCE = 1e-2
EXTRAS = {
    "ts": "aeon",
    "hub": "huggingface_hub",
    "polars": "polars",
    "rda": "rdata",
    "train": "lightning_fabric",
    "tensorboard": "tensorboard",
    "xlsx": "openpyxl",
    "mujoco": "dm_control",
    "ray": "ray",
    "slurm": "submitit",
}


def check(name: str, ok: bool, found: str, fix: str | None = None) -> dict[str, Any]:
    """One line of the report; ``fix`` says what to do, and is only kept where it is needed."""
    return {"check": name, "ok": ok, "found": found, "fix": None if ok else fix}


def doctor() -> dict[str, Any]:
    """Run every check. ``ok`` is true when all that the main job needs is well; extras may be absent."""
    checks = [check_python(), *check_torch(), check_memory(), check_cache(), check_format(), *check_checkpoints()]
    extras = {extra: find_spec(module) is not None for extra, module in EXTRAS.items()}
    return {"command": "doctor", "ok": all(item["ok"] for item in checks), "checks": checks, "extras": extras}


def check_python() -> dict[str, Any]:
    """The interpreter is new enough."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    return check("python", sys.version_info >= (3, 11), found, "Use Python 3.11 or newer.")


def check_torch() -> list[dict[str, Any]]:
    """torch is there; how many threads it takes, and which devices it sees."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return [check("torch", False, f"cannot be imported: {error}", "Install torch 2.6 or newer.")]
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    number = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2] if part.isdigit())
    return [
        check("torch", number >= (2, 6), torch.__version__, "Install torch 2.6 or newer."),
        check("threads", True, f"{torch.get_num_threads()} of {os.cpu_count()} processors"),
        check("devices", True, ", ".join(devices)),
    ]


def check_memory() -> dict[str, Any]:
    """At least 1 GB of memory is free; unknown counts as well."""
    from tsprout.staging import readable_bytes

    free = free_memory()
    if free is None:
        return check("memory", True, "unknown on this system")
    found = f"{readable_bytes(free)} free"
    return check("memory", free >= 10**9, found, "Close other programs; the main job wants about 1 GB.")


def free_memory() -> int | None:
    """Bytes of memory a new program can have, or None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def check_cache() -> dict[str, Any]:
    """Where models from the hub would be kept; tsprout itself keeps nothing."""
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface")
    folder = Path(home).expanduser()
    state = "exists" if folder.is_dir() else "not made yet"
    return check("cache folder", True, f"{folder} ({state}; only for models from the hub)")


def check_format() -> dict[str, Any]:
    """Which formats of checkpoints are read and written here."""
    from tsprout.compat import VERSION, readable, text

    return check("checkpoint format", True, f"reads {readable()}, writes {text(VERSION)}")


def check_checkpoints() -> list[dict[str, Any]]:
    """Every bundled checkpoint loads and draws what it drew when it was made."""
    from tsprout.checkpoint import bundled_names

    names = bundled_names()
    if not names:
        return [check("bundled model", False, "none found", "Install tsprout again; its weights are missing.")]
    return [check_checkpoint(name) for name in names]


def check_checkpoint(name: str) -> dict[str, Any]:
    """One bundled checkpoint loads and gives its golden series."""
    label = f"model {name}"
    again = "Install tsprout again; if that does not help, please report it."
    try:
        drawn = golden_sample(name)
    except TsproutError as error:
        return check(label, False, str(error), again)
    stored = read_golden(name)
    if stored is None:
        return check(label, True, "loads and samples (no golden series stored)")
    if stored["shape"] != list(drawn.shape):
        return check(label, False, f"draws {list(drawn.shape)}, expected {stored['shape']}", again)
    if stored["bits"] == bits(drawn):
        return check(label, True, "loads and gives the golden bits")
    import numpy as np

    apart = float(np.abs(drawn.ravel() - np.asarray(stored["values"], np.float32)).max())
    if apart <= TOLERANCE:
        return check(label, True, f"loads and gives the golden series within rounding ({apart:.1e})")
    return check(label, False, f"loads, but its series differ from the golden ones by {apart:.2g}", again)


def golden_shots() -> SeriesSet:
    """Eight noisy sine waves of two channels and 24 steps: made by arithmetic, the same everywhere."""
    import numpy as np

    from tsprout.series import SeriesSet

    step = np.arange(24)[None, None, :]
    number = np.arange(8)[:, None, None]
    channel = np.arange(2)[None, :, None]
    wave = np.sin(2 * math.pi * (step / 12 + number / 8 + channel / 4))
    ripple = ((7 * step + 5 * number + 3 * channel) % 11) / 11 - 0.5
    return SeriesSet.from_arrays((wave + 0.2 * ripple).astype(np.float32), channels=["a", "b"])


def golden_sample(name: str) -> np.ndarray:
    """Two series ``(2, 2, 24)``, float32, that model ``name`` draws for :func:`golden_shots`, without training."""
    import numpy as np

    from tsprout.synthesizer import Sprout

    sprout = Sprout.from_pretrained(name).fit(golden_shots(), "prompt", seed=0)
    drawn = list(sprout.sample_batches(2, seed=0))
    return np.concatenate([batch.values for batch in drawn]).astype(np.float32)


def bits(values: np.ndarray) -> str:
    """SHA-256 of the bytes of a float32 array, little endian."""
    import hashlib

    return hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()


def golden_record(name: str) -> dict[str, Any]:
    """What belongs into the golden file of a checkpoint: shape, hash and values; called when the checkpoint is made."""
    drawn = golden_sample(name)
    return {"shape": list(drawn.shape), "bits": bits(drawn), "values": drawn.ravel().tolist()}


def read_golden(name: str) -> dict[str, Any] | None:
    """The golden record stored beside the bundled checkpoint ``name``, if there is one."""
    from tsprout.checkpoint import BUNDLED

    path = BUNDLED / name / GOLDEN
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def models() -> dict[str, Any]:
    """The bundled checkpoints, with parameters, size, lengths, channels, what their card says; and all baselines.

    Raises:
        CheckpointError: one of them cannot be read.
    """
    from tsprout.baselines import registry
    from tsprout.checkpoint import bundled_names

    cards = [model_card(name) for name in bundled_names()]
    return {"command": "models", "models": cards, "baselines": [vars(entry) for entry in registry.entries()]}


def model_card(name: str) -> dict[str, Any]:
    """One bundled checkpoint in plain values."""
    from tsprout import checkpoint
    from tsprout.compat import text
    from tsprout.limits import MAX_CHANNELS, MAX_LENGTH, MIN_LENGTH

    loaded = checkpoint.load(name)
    return {
        "name": name,
        "backbone": loaded.model.config.backbone,
        "parameters": loaded.model.parameter_count,
        "bytes": sum(path.stat().st_size for path in (checkpoint.BUNDLED / name).iterdir()),
        "lengths": [MIN_LENGTH, MAX_LENGTH],
        "channels": [1, MAX_CHANNELS],
        "format": text(loaded.version),
        "info": loaded.info,
    }
