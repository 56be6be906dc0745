"""TimeGAN as ydata-synthetic has it, beside ours (:mod:`tsprout.baselines.timegan`).

Yoon, Jarrett and van der Schaar 2019, "Time-series Generative Adversarial Networks", NeurIPS 32. The networks are the
library's; width, weight, batch and learning rate are those of its own example, as is the number of steps of each of
the three phases (the paper has 10,000). It wants values in [0, 1], which is done here, channel by channel.

ydata-synthetic is under the MIT licence by its licence file (its package index entry names GPLv3). Its version 1.4.0 is
the last with this model; it needs TensorFlow 2.15, and so Python 3.9 to 3.11 and numpy 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tsprout.baselines._library import PEERS, LibraryBaseline
from tsprout.baselines.hyperparameters import numbers, whole_numbers


@dataclass(eq=False, kw_only=True)
class YdataTimeGAN(LibraryBaseline):
    """See the module's text.

    Attributes:
        hidden: width of the recurrent networks.
        gamma: weight of the discriminator's loss on what the supervisor has not seen.
        steps: of each of the three phases.
        batch, learning_rate: of Adam.
    """

    name: ClassVar[str] = "ydata-timegan"
    summary: ClassVar[str] = "TimeGAN by another hand (library ydata-synthetic)"
    source: ClassVar[str] = "Yoon, Jarrett and van der Schaar 2019, Time-series GANs, NeurIPS 32"
    library: ClassVar[str] = "ydata_synthetic"
    package: ClassVar[str] = "ydata-synthetic"
    licence: ClassVar[str] = "MIT"
    module: ClassVar[Path] = PEERS / "ydata_timegan.py"
    box: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    hidden: int = 24
    gamma: float = 1.0
    steps: int = 1000
    batch: int = 128
    learning_rate: float = 5e-4

    def __post_init__(self) -> None:
        whole_numbers(hidden=self.hidden, steps=self.steps, batch=self.batch)
        numbers(gamma=self.gamma)
        numbers(learning_rate=self.learning_rate, above=True)
