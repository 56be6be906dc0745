"""The three scores of arXiv 2505.20446 with networks of their own, as published and done with care.

======================  ==========================================  ===========================================
score                   as published                                with care
======================  ==========================================  ===========================================
discriminative          ``discriminative.discriminative_paper``     ``discriminative.discriminative_capable``
predictive              ``predictive.predictive_paper``             ``predictive.predictive_capable``
context-FID             ``context_fid.context_fid_paper``           ``context_fid.context_fid``
======================  ==========================================  ===========================================

Each trains networks, ten of them for a published score, and needs seconds to minutes where the quick suite needs none.
The networks of all repeats are trained as one. Importing this package does not load torch; the modules above do.
"""

from __future__ import annotations

from tsprout.metrics.paper.objects import CAPABLE, PAPER
from tsprout.metrics.paper.repeats import Repeats
from tsprout.metrics.paper.suite import paper_scores

__all__ = ["CAPABLE", "PAPER", "Repeats", "paper_scores"]
