r"""Whether a training is still well: the loss against its own running level.

The level is an exponential average of the loss over some 200 steps that leaves out what lies far above it. A step whose
loss exceeds three times the level counts one against the run, any other step one for it; fifty against it mean that the
loss has gone up and stays there. Single bad batches, which a mixture of many sets has, never do that. While any count
stands, no state is saved, so that the one on disk is from before the trouble.
"""

from __future__ import annotations

from typing import Any

FACTOR, PATIENCE, HORIZON, GRACE = 3.0, 50, 200, 100


class Watch:
    """Sees every loss; JSON-able state, for a resumed run must judge as an unbroken one."""

    def __init__(self) -> None:
        self.level, self.seen, self.against = 0.0, 0, 0

    def see(self, loss: float) -> bool:
        """Take in the loss of a step; True where the run has diverged."""
        self.seen += 1
        if self.seen > GRACE and loss > FACTOR * self.level:
            self.against += 1
            return self.against >= PATIENCE
        self.against = max(0, self.against - 1)
        self.level += (loss - self.level) / min(self.seen, HORIZON)
        return False

    @property
    def well(self) -> bool:
        """Whether nothing counts against the run."""
        return self.against == 0

    def state_dict(self) -> dict[str, Any]:
        """JSON-able; inverse of :meth:`load_state_dict`."""
        return {"level": self.level, "seen": self.seen, "against": self.against}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.level, self.seen, self.against = float(state["level"]), int(state["seen"]), int(state["against"])
