"""What carries a training step: one process, or many on many devices and machines, behind the same few calls.

:class:`Engine` is one process and needs nothing but torch; fine-tuning uses it. :class:`FabricEngine` is Lightning
Fabric (extra ``train``): it starts the processes of one machine itself, recognises those that torchrun or SLURM have
started, and brings device, precision and the collectives.

A step consists of numbered *pieces*, shared out over the ranks. Gradients are summed over ranks by one reduction of one
flat vector and not by the usual wrapper around a module: the loss is no ``forward`` of one, a parameter may go without
a gradient in any piece (a dropped condition), and models of this size leave little to hide a reduction behind. Beside
the gradients travel whether each parameter had one (else a rank would decay weights that no piece touched) and the
step's tally, so that a step costs one collective.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tsprout.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = ("auto", "32", "bf16")
COMPILE = ("off", "layers", "default", "reduce-overhead")


@dataclass(frozen=True)
class EngineConfig:
    """How a run is carried; nothing here changes what is computed, rounding apart.

    ``device``: "auto", "cpu" or "gpu". ``devices`` a machine and ``nodes``: 0 takes all GPUs that are here (one process
    without GPUs), or what torchrun or SLURM say. ``precision``: "32", "bf16" (mixed), or "auto": the latter where
    the hardware multiplies in bfloat16; a processor without it is ten times slower for trying. ``compile`` by
    torch: "off"; "layers", each layer of the backbone for any size, which takes a minute; "default", the whole of it,
    anew for sizes it has not met; or "reduce-overhead", which records CUDA graphs. ``threads`` a process (0: torch's
    choice), ``workers``: processes a rank that draw ahead. ``save_seconds``: from one saved state to the next.
    """

    device: str = "auto"
    devices: int = 0
    nodes: int = 0
    precision: str = "32"
    compile: str = "off"
    threads: int = 0
    workers: int = 0
    save_seconds: float = 300.0

    def __post_init__(self) -> None:
        for name, known in (("device", ("auto", "cpu", "gpu")), ("precision", PRECISIONS), ("compile", COMPILE)):
            if getattr(self, name) not in known:
                raise InputError(f"{name} cannot be {getattr(self, name)!r}", fix=f"Choose one of: {', '.join(known)}.")
        for name in ("devices", "nodes", "threads", "workers", "save_seconds"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} is {getattr(self, name)}", fix="Give 0 or more.")


class Engine:
    """One process, on the device where its model is.

    Args:
        config: precision and compilation are taken from it.
    """

    rank, world = 0, 1

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config or EngineConfig()
        self.device = torch.device("cpu")

    @property
    def mixed(self) -> bool:
        """Whether the loss is computed in bfloat16."""
        return uses_bfloat16(self.config.precision, self.device.type)

    def prepare(self, model: nn.Module) -> None:
        """Move a model to the device; compile its backbone in place, so that the names of its weights stay."""
        model.to(self.device)
        backbone = model.get_submodule("backbone")
        if self.config.compile == "layers":
            for group in backbone.children():
                for layer in group if isinstance(group, nn.ModuleList) else ():
                    layer.compile(dynamic=True)
        elif self.config.compile != "off":
            backbone.compile(mode=None if self.config.compile == "default" else self.config.compile)

    def autocast(self) -> AbstractContextManager[Any]:
        """The precision of the loss."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed)

    def share(self, step: int, pieces: int) -> range:
        """Numbers of the pieces of a step that are this rank's."""
        return range(step * pieces + self.rank, (step + 1) * pieces, self.world)

    def backward(self, loss: Tensor, parameters: Sequence[nn.Parameter]) -> None:
        """Add the gradient of one piece."""
        fresh = [p for p in parameters if p.grad is None]
        loss.backward()
        if self.config.compile == "reduce-overhead":
            # Gradients that a recorded graph made lie in its own memory, which its next run overwrites.
            for parameter in fresh:
                if parameter.grad is not None:
                    parameter.grad = parameter.grad.clone()
            torch.compiler.cudagraph_mark_step_begin()

    def reduce(self, parameters: Sequence[nn.Parameter], tally: Tensor) -> Tensor:
        """Sum gradients over all ranks, in place; returns the summed ``tally (k,)``."""
        return tally

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Which of the flags are set on any rank, so that all do the same."""
        return flags

    def wait(self) -> None:
        """Until all ranks are here."""

    def close(self) -> None:
        """Leave the group of processes."""


class FabricEngine(Engine):
    """Processes of Lightning Fabric: as many as ``config`` or the launcher says.

    Raises:
        MissingExtraError: the extra ``train`` is not installed.
        InputError: there are fewer devices than asked for, or the launcher started another number of processes.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        self.fabric = _fabric(config)
        self.device = self.fabric.device
        if self.device.type == "cuda":
            # cuDNN's attention makes a plan for every shape it has not met, and episodes have thousands of shapes.
            torch.backends.cuda.enable_cudnn_sdp(False)
        self.rank, self.world = self.fabric.global_rank, self.fabric.world_size

    def autocast(self) -> AbstractContextManager[Any]:
        return self.fabric.autocast()

    def reduce(self, parameters: Sequence[nn.Parameter], tally: Tensor) -> Tensor:
        if self.world == 1:
            return tally
        had = torch.tensor([p.grad is not None for p in parameters], dtype=torch.float32).to(tally.device)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([g.flatten() for g in grads] + [had, tally])
        torch.distributed.all_reduce(flat)
        sizes = [p.numel() for p in parameters]
        *summed, had, tally = flat.split([*sizes, len(sizes), len(tally)])
        for parameter, grad, any_rank in zip(parameters, summed, had.tolist(), strict=True):
            parameter.grad = grad.view_as(parameter) if any_rank else None
        return tally

    def any(self, *flags: bool) -> tuple[bool, ...]:
        if self.world == 1:
            return flags
        counts = torch.tensor(flags, dtype=torch.float32).to(self.device)
        torch.distributed.all_reduce(counts)
        return tuple(count > 0 for count in counts.tolist())

    def wait(self) -> None:
        self.fabric.barrier()

    def close(self) -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def uses_bfloat16(precision: str, device: str) -> bool:
    """What a precision means on a type of device."""
    if precision != "auto":
        return precision == "bf16"
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    instructions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device == "cpu" and any(getattr(torch.cpu, name, bool)() for name in instructions)


def launched_rank() -> int:
    """Number of this process among those that torchrun, SLURM or Fabric have started; 0 if it is alone."""
    for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    return 0


def _fabric(config: EngineConfig) -> Fabric:
    try:
        import lightning_fabric
    except ImportError as error:
        raise MissingExtraError(
            "pre-training needs the extra 'train'", fix='pip install "tsprout[train]" installs it.'
        ) from error
    import logging

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    gpu = config.device == "gpu" or (config.device == "auto" and torch.cuda.is_available())
    if gpu and not torch.cuda.is_available():
        raise InputError("there is no GPU that this torch can use", where="engine.device", fix="Choose cpu.")
    nodes = config.nodes or _told("GROUP_WORLD_SIZE", "SLURM_NNODES") or 1
    devices = config.devices or _told("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE")
    devices = devices or (torch.cuda.device_count() if gpu else 1)
    if gpu and devices > torch.cuda.device_count():
        raise InputError(
            f"{devices} GPUs are asked for and {torch.cuda.device_count()} are here", fix="Ask for fewer devices."
        )
    try:
        fabric = lightning_fabric.Fabric(
            accelerator="cuda" if gpu else "cpu",
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if devices * nodes > 1 else "auto",
            precision="bf16-mixed" if uses_bfloat16(config.precision, "cuda" if gpu else "cpu") else "32-true",
        )
        fabric.launch()
    except (ValueError, RuntimeError, LookupError) as error:
        raise InputError(
            f"the processes cannot be started: {' '.join(str(error).split())}",
            fix="Let devices and nodes be what torchrun or SLURM were told, or leave them out.",
        ) from error
    return fabric


def _told(*names: str) -> int:
    """What a launcher says of itself in the environment; 0 if nothing. SLURM writes ``4(x2)`` for two nodes of four."""
    for name in names:
        number = os.environ.get(name, "").split("(")[0]
        if number.isdigit():
            return int(number)
    return 0
