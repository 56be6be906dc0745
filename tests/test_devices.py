"""Devices are told by their names, and none is touched to know whether it is there."""

from __future__ import annotations

import pytest
import torch

from tsprout.devices import device_of, is_here, seeded
from tsprout.errors import InputError
from tsprout.model import Denoiser, ModelConfig


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("cpu", True),
        ("cpu:0", True),
        ("cpu:1", False),
        ("cpu:00", False),
        ("cuda:٠", False),
        (" cuda", False),
        ("cuda", True),
        ("cuda:1", True),
        ("cuda:2", False),
        ("cuda:", False),
        ("cuda:-1", False),
        ("cuda:one", False),
        ("mps", False),
        ("xpu:0", False),
        ("meta", False),
        ("gpu", False),
        ("", False),
    ],
)
def test_which_are_here(name: str, here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.xpu.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert is_here(name) is here
    if here:
        assert device_of(name) == torch.device(name)
    else:
        with pytest.raises(InputError, match=f"no device {name!r} that torch can use") as caught:
            device_of(name, where="--device")
        assert caught.value.where == "--device"
        assert "cpu, cuda:0, cuda:1" in (caught.value.fix or "")


def test_devices_of_torch_are_taken_and_those_of_an_old_driver_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_of(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert not is_here("cuda") and not is_here(None)


def test_generators_are_seeded_for_a_while_and_those_of_gpus_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("a GPU was seeded"))
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: pytest.fail("a GPU was seeded"))
    before = torch.get_rng_state()
    drawn = []
    for seed in (5, 5, 2**64 - 1):
        with pytest.raises(ZeroDivisionError), seeded(seed):
            drawn.append(torch.randn(3))
            raise ZeroDivisionError
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert torch.equal(drawn[0], torch.randn(3, generator=torch.Generator().manual_seed(5)))
    Denoiser(ModelConfig(width=16, depth=1, heads=2))


def test_threads_do_not_mix_up_the_generators_of_all() -> None:
    import threading

    before = torch.random.get_rng_state()
    drawn: dict[int, list[torch.Tensor]] = {}

    def work(seed: int) -> None:
        found = []
        for _ in range(20):
            with seeded(seed):
                found.append(torch.cat([torch.randn(500) for _ in range(20)]))
        drawn[seed] = found

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, found in drawn.items():
        with seeded(seed):
            alone = torch.cat([torch.randn(500) for _ in range(20)])
        assert all(torch.equal(each, alone) for each in found)
    assert torch.equal(torch.random.get_rng_state(), before)
