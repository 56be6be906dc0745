r"""The training loop. Pre-training and fine-tuning call it; there is no other.

One step: loss and backward pass of each of its pieces, gradients summed over ranks and clipped, optimiser, exponential
moving average of the weights with decay :math:`\min(d, (1 + k) / (10 + k))` (Karras et al. 2022; arXiv 2505.20446). A
checkpoint holds weights, average, optimiser state and random state as safetensors and JSON, is written atomically, and
continues with the same bits.

A *piece* has a number, ``step * pieces + j``. Numbered pieces take their randomness from their number alone, so that
any number of ranks that divides ``pieces`` computes the same step.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tsprout.devices import seeded
from tsprout.errors import CheckpointError, InputError, TrainingError
from tsprout.staging import write_file
from tsprout.train.engine import Engine
from tsprout.train.muon import Muon

STATE = "state.safetensors"


@dataclass(frozen=True)
class LoopConfig:
    """How to train.

    ``steps`` in all; ``learning_rate`` reached after ``warmup`` steps; ``cooldown``: share of the steps, at the end, in
    which it falls to zero (0: constant, as in the paper), along a line or, with ``decay = "cosine"``, half a cosine
    (the usual schedule of that name is a ``cooldown`` of 1). ``optimizer``: "adamw", or "muon" (Jordan et al.
    2024: orthogonalised momentum for hidden matrices, AdamW for the rest). ``betas``, ``weight_decay``, ``clip``
    (gradient norm), ``ema`` (largest decay). ``seed`` of everything random in training.
    """

    steps: int
    learning_rate: float = 1e-4
    warmup: int = 0
    cooldown: float = 0.0
    optimizer: str = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-5
    clip: float = 1.0
    ema: float = 0.9999
    seed: int = 0
    decay: str = "linear"

    def rate(self, step: int) -> float:
        """Learning rate of step ``step``, counted from 0."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        tail = self.cooldown * self.steps
        fall = min(1.0, (self.steps - step) / tail) if tail else 1.0
        if self.decay == "cosine":
            fall = (1 - math.cos(math.pi * fall)) / 2
        return self.learning_rate * rise * fall


def build_optimizers(model: nn.Module, config: LoopConfig) -> list[torch.optim.Optimizer]:
    """Optimisers over the parameters that require a gradient.

    Raises:
        InputError: there are none, or the optimiser is unknown, or this torch does not have it.
    """
    trainable = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    if not trainable:
        raise InputError("nothing to train: no parameter requires a gradient")

    def adamw(parameters: list[nn.Parameter], decay: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, lr=config.learning_rate, betas=config.betas, weight_decay=decay)

    if config.optimizer == "adamw":
        return [adamw([p for _, p in trainable], config.weight_decay)]
    if config.optimizer != "muon":
        raise InputError(f"there is no optimiser called {config.optimizer!r}", fix="Choose one of: adamw, muon.")
    hidden = [p for n, p in trainable if p.ndim == 2 and "token.table" not in n and "conditioner.size" not in n]
    kept = {id(p) for p in hidden}
    rest = [p for _, p in trainable if id(p) not in kept]
    if not hidden:
        return [adamw(rest, 0.0)]
    muon = Muon(hidden, lr=config.learning_rate, weight_decay=config.weight_decay)
    return [muon, adamw(rest, 0.0)] if rest else [muon]


class Ema:
    """Exponential moving average of the trainable parameters of a model."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.average = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after step ``step``, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        current = dict(model.named_parameters())
        names = list(self.average)
        torch._foreach_lerp_([self.average[n] for n in names], [current[n].detach() for n in names], 1 - decay)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Overwrite the model's weights by their average."""
        for name, parameter in model.named_parameters():
            if name in self.average:
                parameter.copy_(self.average[name])


@dataclass(frozen=True)
class Step:
    """What a step was: its ``loss`` before it, the gradient's ``norm`` before clipping, the ``rate``, and the ``tally``
    its pieces added up."""

    loss: float
    norm: float
    rate: float
    tally: tuple[float, ...] = ()


Loss = Callable[[torch.Generator], "Tensor | tuple[Tensor, Tensor]"]


class Loop:
    """Train ``model`` on the losses a caller computes.

    Args:
        model: whose parameters with ``requires_grad`` are trained; on the engine's device, if there is one.
        loss: ``loss(generator) -> scalar``, of one piece; draws its own batch, and all its randomness from the
            generator. It may add a tally, ``(scalar, (k,))``, summed over pieces and ranks. Torch's global generator,
            which dropout draws from, is seeded for every piece and put back.
        config: see :class:`LoopConfig`.
        pieces: numbered pieces a step, their losses averaged; ``None`` makes one piece of a step, and its randomness
            follows on from that of the step before.
        engine: what carries the step; this process where not given.
        position: optional object with ``state_dict`` / ``load_state_dict`` (JSON-able), saved and restored with the
            loop, so that a data stream continues where it stopped.

    Raises:
        InputError: nothing to train, an unknown optimiser, or the ranks do not divide ``pieces``.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        config: LoopConfig,
        *,
        pieces: int | None = None,
        engine: Engine | None = None,
        position: Any | None = None,
    ) -> None:
        self.model, self.loss, self.config, self.position = model, loss, config, position
        self.engine, self.numbered, self.pieces = engine or Engine(), pieces is not None, pieces or 1
        if self.pieces % self.engine.world:
            raise InputError(
                f"a step of {self.pieces} pieces cannot be shared out over {self.engine.world} processes",
                fix="Set training.pieces to a multiple of the processes, or start fewer of them.",
            )
        self.optimizers = build_optimizers(model, config)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.restart_average()
        self.generator = torch.Generator().manual_seed(config.seed)
        self.step = 0
        self.saved = 0
        self.last: Step | None = None

    def restart_average(self) -> None:
        """Begin the average anew, from the weights as they are now."""
        self.ema = Ema(self.model, self.config.ema)

    def advance(self) -> float:
        """One step; the loss before it. Raises :class:`TrainingError` where loss or gradient is not finite."""
        rate = self.config.rate(self.step)
        parts: list[Tensor] = []
        for number in self.engine.share(self.step, self.pieces):
            loss, tally = self._piece(number)
            parts.append(torch.cat([loss.detach().reshape(1), tally]))
        found = self.engine.reduce(self.parameters, torch.stack(parts).sum(0))
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        value, gradient, *sums = torch.cat([found[:1], norm.reshape(1), found[1:]]).tolist()
        if not math.isfinite(value) or not math.isfinite(gradient):
            raise TrainingError(
                f"the loss stopped being finite at step {self.step}",
                fix="Lower the learning rate, or look for extreme values in the data.",
            )
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.model, self.step)
        self.step += 1
        self.last = Step(value, gradient, rate, tuple(sums))
        return value

    def _piece(self, number: int) -> tuple[Tensor, Tensor]:
        """Gradient of one piece; its share of the step's loss, and its tally."""
        device, generator = self.parameters[0].device, self.generator
        if self.numbered:
            generator = torch.Generator().manual_seed(_mixed(self.config.seed, number))
        # Not from our generator: a step resumed, or run without dropout, must find the same state there.
        with seeded(((self.config.seed + 1) * 1_000_003 + number) % 2**64, device):
            with self.engine.autocast():
                found = self.loss(generator)
            loss, tally = found if isinstance(found, tuple) else (found, found.new_zeros(0))
            loss = loss / self.pieces
            self.engine.backward(loss, self.parameters)
        return loss, tally.to(loss.dtype)

    def run(
        self,
        *,
        on_step: Callable[[int, float], bool | None] | None = None,
        checkpoint: Path | None = None,
        every_seconds: float = 300.0,
        seconds: float | None = None,
        well: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Step until ``config.steps``; True if it got there.

        Args:
            on_step: called with the number of steps done and the last loss; returning True stops.
            checkpoint: folder to save to every ``every_seconds``, and at the end.
            seconds: stop after this much wall time.
            well: whether the state is worth saving; where not, the older one is kept until it is again.
        """
        self.model.train()
        start = saved = time.monotonic()
        while self.step < self.config.steps:
            value = self.advance()
            now = time.monotonic()
            stop = bool(on_step and on_step(self.step, value))
            stop = stop or (seconds is not None and now - start >= seconds)
            # Clocks differ, and a signal may reach one process only: all save and stop after the same step.
            due, stop = self.engine.any(now - saved >= every_seconds, stop)
            if checkpoint is not None and due and well():
                self.save(checkpoint)
                saved = now
            if stop:
                break
        if checkpoint is not None and well():
            self.save(checkpoint)
        return self.step >= self.config.steps

    def save(self, folder: Path) -> None:
        """Write the whole state to ``folder``/``state.safetensors``, whole or not at all; rank 0 does, the others wait.

        Raises:
            TsproutError: it cannot be written, for instance because the disk is full; nothing is left behind.
            TrainingError: weights are not finite; the older state stays.
        """
        if self.engine.rank == 0:
            self._write(folder)
        self.engine.wait()
        self.saved = self.step

    def _write(self, folder: Path) -> None:
        tensors = {f"model.{n}": p for n, p in self.model.state_dict().items()}
        tensors |= {f"ema.{n}": p for n, p in self.ema.average.items()}
        for i, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{i}.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
        tensors["generator"] = self.generator.get_state()
        meta = {
            "step": self.step,
            "loop": asdict(self.config),
            "position": self.position.state_dict() if self.position is not None else None,
        }
        tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        if not all(bool(v.isfinite().all()) for v in tensors.values() if v.is_floating_point()):
            raise TrainingError(
                f"the weights stopped being finite before step {self.step}", fix="Lower the learning rate."
            )
        payload = save(tensors, {"state": json.dumps(meta)})
        write_file(folder / STATE, payload, sync=True)

    def load(self, folder: Path) -> None:
        """Continue from :meth:`save`. The configuration may give more steps or another rate than before.

        Raises:
            CheckpointError: there is no state, it is damaged, or is one of another model, optimiser or choice of
                parameters.
        """
        path = folder / STATE
        try:
            tensors = load_file(path)
            with safe_open(path, framework="pt") as file:
                meta = json.loads(file.metadata()["state"])
            if self.position is not None:
                self.position.load_state_dict(meta["position"])
            averages = _below(tensors, "ema.")
            if set(averages) != set(self.ema.average):
                raise ValueError("it trains other parameters")
            optimizers = {key.split(".")[1] for key in tensors if key.startswith("optimizer.")}
            if meta["step"] and optimizers != {str(i) for i in range(len(self.optimizers))}:
                raise ValueError("it was trained with another optimiser")
            self.model.load_state_dict(_below(tensors, "model."))
            for name, average in self.ema.average.items():
                average.copy_(averages[name])
            for i, optimizer in enumerate(self.optimizers):
                nested: dict[int, dict[str, Tensor]] = {}
                for key, value in _below(tensors, f"optimizer.{i}.").items():
                    index, name = key.split(".", 1)
                    nested.setdefault(int(index), {})[name] = value
                optimizer.load_state_dict({"state": nested, "param_groups": optimizer.state_dict()["param_groups"]})
            self.generator.set_state(tensors["generator"])
            self.step = self.saved = int(meta["step"])
        except FileNotFoundError as error:
            raise CheckpointError(
                "there is no training state here",
                where=str(folder),
                fix="Name the folder of an earlier run, or start anew.",
            ) from error
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"this training state cannot be used: {error}",
                where=str(path),
                fix="Use the settings of the run that wrote it, or start anew in another folder.",
            ) from error


def _mixed(seed: int, number: int) -> int:
    """A seed of its own for every pair: neighbouring numbers must not give neighbouring streams."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
