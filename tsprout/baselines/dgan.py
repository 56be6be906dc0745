"""DGAN, DoppelGANger as gretel-synthetics has it.

Lin, Jain, Wang, Fanti and Sekar 2020, "Using GANs for Sharing Networked Time Series Data", arXiv 1909.13403: least and
greatest value of a series are drawn first, then its normalised course, several steps at a time (``sample_len``) by a
recurrent network; Wasserstein losses with gradient penalty. The defaults are the library's; it asks for ``sample_len``
itself, and the paper advises about 50 strides a series: 1 up to 50 steps, and what divides the length beyond.

gretel-synthetics is under the Gretel Source Available License, which is free to use but not open source; nothing of it
is part of tsprout. It asks for packages that exist for Python 3.9 only, none of which DGAN needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tsprout.baselines._library import PEERS, LibraryBaseline
from tsprout.baselines.hyperparameters import numbers, whole_numbers


@dataclass(eq=False, kw_only=True)
class DGan(LibraryBaseline):
    """See the module's text.

    Attributes:
        sample_len: steps drawn at a time, cut to a divisor of the length; 0 for the paper's advice.
        epochs, batch_size: of the training.
        generator_learning_rate, discriminator_learning_rate: of Adam.
        feature_num_units, feature_num_layers: of the recurrent network.
        apply_example_scaling: whether least and greatest value of each series are drawn by themselves.
    """

    name: ClassVar[str] = "dgan"
    summary: ClassVar[str] = "DoppelGANger, adversarial networks (library gretel-synthetics)"
    source: ClassVar[str] = (
        "Lin, Jain, Wang, Fanti and Sekar 2020, Using GANs for Sharing Networked Data, arXiv 1909.13403"
    )
    library: ClassVar[str] = "gretel_synthetics"
    package: ClassVar[str] = "gretel-synthetics"
    licence: ClassVar[str] = "Gretel Source Available License"
    module: ClassVar[Path] = PEERS / "dgan.py"
    by_itself: ClassVar[str] = "--no-deps "

    sample_len: int = 0
    epochs: int = 400
    batch_size: int = 1024
    generator_learning_rate: float = 0.001
    discriminator_learning_rate: float = 0.001
    feature_num_units: int = 100
    feature_num_layers: int = 1
    apply_example_scaling: bool = True

    def __post_init__(self) -> None:
        whole_numbers(sample_len=self.sample_len, least=0)
        whole_numbers(epochs=self.epochs, batch_size=self.batch_size)
        whole_numbers(feature_num_units=self.feature_num_units, feature_num_layers=self.feature_num_layers)
        numbers(generator_learning_rate=self.generator_learning_rate, above=True)
        numbers(discriminator_learning_rate=self.discriminator_learning_rate, above=True)
