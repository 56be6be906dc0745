"""PAR, the probabilistic autoregressive model of DeepEcho, which SDV ships as its ``PARSynthesizer``.

Zhang, Patki and Veeramachaneni 2022, "Sequential Models in the Synthetic Data Vault", arXiv 2207.14406: a recurrent
network (GRU) gives mean and spread of each channel's next step, and a series is drawn step by step. DeepEcho is called
itself: SDV adds tables, constraints and context columns, none of which a set of series has. It knows each channel's
type; all are given as continuous, since scaling and rounding are done here. The defaults are the library's.

DeepEcho is under the Business Source License 1.1: free to use except in a commercial service that gives others access
to it; nothing of it is part of tsprout.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tsprout.baselines._library import PEERS, LibraryBaseline
from tsprout.baselines.hyperparameters import whole_numbers


@dataclass(eq=False, kw_only=True)
class Par(LibraryBaseline):
    """See the module's text.

    Attributes:
        epochs: each over all series at once.
        sample_size: series drawn for each that is kept, the likeliest.
    """

    name: ClassVar[str] = "par"
    summary: ClassVar[str] = "Probabilistic autoregressive model of SDV (library DeepEcho)"
    source: ClassVar[str] = "Zhang, Patki and Veeramachaneni 2022, Sequential Models in the SDV, arXiv 2207.14406"
    library: ClassVar[str] = "deepecho"
    package: ClassVar[str] = "deepecho"
    licence: ClassVar[str] = "Business Source License 1.1"
    module: ClassVar[Path] = PEERS / "par.py"
    extra: ClassVar[str] = "par"

    epochs: int = 128
    sample_size: int = 1

    def __post_init__(self) -> None:
        whole_numbers(epochs=self.epochs, sample_size=self.sample_size)
