"""The published few-shot model as a baseline: a pre-trained checkpoint of the paper's kind, fine-tuned as published.

"Time Series Generation Under Data Scarcity: A Unified Generative Modeling Approach", 2025, arXiv 2505.20446. Which
of its ablations this is the checkpoint says: ``paper-6m`` and larger, ``paper-padding``, ``paper-no-token`` (``tsprout
pretrain``). None is bundled: ``checkpoint`` must be given; what is fitted holds its own weights, and needs it no more.
It lives above the other baselines, because it needs the training, and is registered by an entry point of this package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tsprout.baselines.contract import LatentBaseline
from tsprout.baselines.hyperparameters import whole_numbers
from tsprout.errors import InputError
from tsprout.progress import Progress

if TYPE_CHECKING:
    from tsprout.model import Denoiser
    from tsprout.train.paper import Published

_WEIGHTS = "weights."


@dataclass(eq=False, kw_only=True)
class ImagenFew(LatentBaseline):
    """See the module's text.

    Attributes:
        checkpoint: name or folder of a pre-trained model without a prompt encoder.
        steps, batch: of the fine-tuning.
        device: where to train and to draw.
    """

    name: ClassVar[str] = "imagenfew"
    summary: ClassVar[str] = "The published few-shot model, fine-tuned as published (needs its checkpoint)"
    source: ClassVar[str] = "Time Series Generation Under Data Scarcity, 2025, arXiv 2505.20446"

    checkpoint: str = ""
    steps: int = 1000
    batch: int = 2048
    device: str = "cpu"

    _tuned: Published | None = field(init=False, default=None, repr=False)
    _shape: tuple[int, int] = field(init=False, default=(0, 0), repr=False)

    def __post_init__(self) -> None:
        whole_numbers(steps=self.steps, batch=self.batch)

    @classmethod
    def lacks(cls) -> str | None:
        """A checkpoint, always."""
        return "a pre-trained checkpoint: --checkpoint FOLDER, made by tsprout pretrain"

    def check(self) -> None:
        """See :meth:`Baseline.check`: the checkpoint is there, and of the paper's kind.

        Raises:
            InputError: see above.
        """
        self._base("cpu")

    def _base(self, device: str) -> Denoiser:
        from tsprout.checkpoint import load

        fix = "Give a folder made by tsprout pretrain with one of the paper's configurations, such as paper-6m."
        if not self.checkpoint:
            raise InputError(f"the baseline {self.name} needs a pre-trained checkpoint", where="checkpoint", fix=fix)
        model = load(self.checkpoint, device=device).model
        if model.has_prompt:
            what = f"the baseline {self.name} starts from a model without a prompt encoder, and this one has one"
            raise InputError(what, where=self.checkpoint, fix=fix)
        return model

    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        from tsprout.train.paper import finetune_as_published
        from tsprout.train.shots import Shots

        model = self._base(self.device)
        # What lies beyond a series' end has been filled in, so that all are of one length.
        shots = Shots.from_latent(latent, np.full(len(latent), latent.shape[2]))
        self._shape = (latent.shape[1], latent.shape[2])
        self._tuned = finetune_as_published(
            model, shots, steps=self.steps, batch=self.batch, seed=seed % 2**32, progress=progress
        )

    def _sample(self, n: int, seed: int) -> np.ndarray:
        import torch

        if self._tuned is None:
            raise InputError(f"the baseline {self.name} has not been fitted yet", fix="Call fit first.")
        model, row = self._tuned.model, self._tuned.row
        rows = None if row is None else torch.full((1,), row, device=model.device)
        generator = torch.Generator().manual_seed(seed)
        return model.sample((n, *self._shape), generator, rows=rows).cpu().numpy()

    def _state(self) -> dict[str, np.ndarray]:
        if self._tuned is None:
            return {}
        facts = {"config": asdict(self._tuned.model.config), "row": self._tuned.row, "shape": self._shape}
        weights = {_WEIGHTS + k: v.cpu().numpy() for k, v in self._tuned.model.state_dict().items()}
        return weights | {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        import torch

        from tsprout.devices import device_of
        from tsprout.model import Denoiser, ModelConfig
        from tsprout.train.paper import Published

        facts = json.loads(state["facts"].tobytes().decode())
        model = Denoiser(ModelConfig.from_dict(facts["config"]))
        weights = {k.removeprefix(_WEIGHTS): v for k, v in state.items() if k.startswith(_WEIGHTS)}
        model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
        self._tuned = Published(model.requires_grad_(False).eval().to(device_of(self.device)), facts["row"])
        self._shape = (int(facts["shape"][0]), int(facts["shape"][1]))
