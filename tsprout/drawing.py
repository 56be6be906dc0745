"""How a fitted model draws: batch by batch, label by label, each batch from a seed of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from tsprout.data.scaling import Scaler
from tsprout.errors import TsproutError
from tsprout.identity import Pools, dressed, label_groups, templates
from tsprout.likeness import Likeness
from tsprout.model import Denoiser
from tsprout.nn.conditioning import Memory
from tsprout.progress import Progress
from tsprout.series import SeriesSet
from tsprout.train.calibration import Calibration, calibrate
from tsprout.train.drawing import Drawing, draw_latent, series_at_once
from tsprout.train.shots import Shots, is_shown, memory_of


@dataclass(frozen=True, eq=False)
class Source:
    """A fitted model: ``trained`` on the ``shots``, not only shown them; ``row`` of its token table; ``calibration`` of
    what it draws by default."""

    model: Denoiser
    shots: SeriesSet
    scaler: Scaler
    trained: bool
    row: int | None
    calibration: Calibration | None


def draw_batches(
    source: Source,
    wanted: Pools,
    *,
    length: int | None,
    how: Drawing,
    seed: int,
    batch_size: int | None,
    progress: Progress | None,
) -> Iterator[SeriesSet]:
    """Series in batches, in the units of the shots, with templates from ``wanted``; see
    :meth:`tsprout.synthesizer.Sprout.sample_batches`.

    Raises:
        TsproutError: the model draws what is not finite.
    """
    shots, scaler = source.shots, source.scaler
    latent = scaler.latent(shots)
    own = Shots.from_latent(latent, shots.lengths, shots.labels)
    size = batch_size or series_at_once(length or shots.length)
    memories: dict[str, Memory | None] = {}
    likeness = Likeness.of(shots)
    correction = source.calibration
    n = sum(count for _, count in wanted)
    if correction is not None and not how.is_usual(source.model.config):
        # It is of what the model draws by default; drawn otherwise, other levels come out.
        correction = calibrate(source.model, own, seed=seed, row=source.row, trained=source.trained, how=how)
    for start, some in zip(range(0, n, size), templates(wanted, seed, size), strict=True):
        lengths = shots.lengths[some] if length is None else np.full(len(some), length)
        latent = np.zeros((len(some), shots.n_channels, int(lengths.max())), dtype=np.float32)
        for number, (members, prompt, steps_long) in enumerate(label_groups(shots, some, lengths)):
            rng = np.random.default_rng([seed, 2, start, number])
            label = "" if own.labels is None else str(own.labels[prompt[0]])
            alike = own.alike(label)
            turns = list(alike.in_turn(len(members), rng))
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            parts = []
            for count, shown in turns:
                if len(shown) < len(alike) or label not in memories:
                    # Where all shots fit into the prompt, all series are shown the same: it is encoded once.
                    memories[label] = memory_of(source.model, shown, present=is_shown(len(shots), source.trained))
                shape, memory = (count, shots.n_channels, steps_long), memories[label]
                parts.append(draw_latent(source.model, shape, generator, row=source.row, memory=memory, how=how))
            drawn = np.concatenate(parts)
            if correction is not None:
                # Group by group: a spectrum is that of one length, and knows nothing of what is drawn beside it.
                drawn = correction.of(label).apply(drawn)
            latent[members, :, :steps_long] = drawn
        if not np.isfinite(latent).all():
            raise TsproutError(
                "the model produced values that are not finite", fix="Fit again with another seed or mode."
            )
        labels = None if shots.labels is None else shots.labels[some]
        values = scaler.inverse(latent, labels)
        dealt = some if likeness is None else likeness.deal(values, lengths, some)
        yield dressed(shots, values, lengths, dealt, start)
        if progress is not None:
            progress("sample", min(start + size, n), n)
