"""A pre-training configuration as YAML: sections, strict names, strict types (extra ``train``).

::

    name: small
    model:     {width: 128, depth: 5, rows: 160}                     ModelConfig; preset: paper starts from a named one
    stream:    {kind: episodes, cells: 8192}                         StreamConfig, or WindowConfig with kind: windows
    training:  {steps: 100000, learning_rate: 2e-3, pieces: 1}       LoopConfig, and the rest of PretrainConfig
    engine:    {precision: bf16}                                     EngineConfig

``extends: paper-6m``, a shipped one or a file beside it, takes over all settings that are not given. What is given
nowhere has the default of its class. An unknown name or a value of another kind is refused, for a setting
that is silently not obeyed costs days. The shipped ones are in ``tsprout/configs``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tsprout.data.corpus.episodes import StreamConfig
from tsprout.errors import InputError
from tsprout.model import CONFIGS, Denoiser, ModelConfig
from tsprout.settings import known, parse, typed, yaml_module
from tsprout.train.engine import EngineConfig
from tsprout.train.loop import LoopConfig
from tsprout.train.pretrain import PretrainConfig

SHIPPED = Path(__file__).parent.parent / "configs"
SECTIONS = ("name", "model", "stream", "training", "engine")
_OWN = ("pieces", "drop_prompt", "drop_token", "validate_every", "few_shot_every", "log_every", "exclude_domains")
# Least values, and whether a value may be that small itself.
_LEAST: dict[str, tuple[float, bool]] = {
    "steps": (1, True),
    "learning_rate": (0, True),
    "warmup": (0, True),
    "weight_decay": (0, True),
    "clip": (0, False),
    "pieces": (1, True),
    "validate_every": (0, True),
    "few_shot_every": (0, True),
    "log_every": (0, True),
    "seed": (0, True),
}
_SHARES = ("cooldown", "ema", "drop_prompt", "drop_token")


def shipped() -> list[str]:
    """Names of the configurations inside the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def read_configuration(name: str | Path, overrides: Sequence[str] = ()) -> PretrainConfig:
    """The configuration of a file, or a shipped one by its name.

    Args:
        name: path, or one of :func:`shipped`.
        overrides: ``section.key=value``, values as in YAML.

    Raises:
        InputError: there is no such file, it is not YAML, or has an unknown name or a value that cannot be.
        MissingExtraError: the extra ``train`` is not installed.
    """
    path = SHIPPED / f"{name}.yaml" if str(name) in shipped() else Path(name)
    values = _read(path, str(name))
    for override in overrides:
        _override(values, override)
    return build(values, str(name), path.stem)


def _read(path: Path, where: str, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What a file says, and what it does not say as the configuration has it that it extends, if it does.

    Args:
        path: of the file.
        where: names it in errors.
        below: the files that extend it, resolved.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        near = difflib.get_close_matches(path.stem, shipped(), 1)
        raise InputError(
            "there is no such configuration that can be read",
            where=where,
            fix=f"Did you mean {near[0]}?" if near else f"Name a YAML file, or one of: {', '.join(shipped())}.",
        ) from error
    values = parse(text, where)
    if not isinstance(values, dict):
        raise InputError("this is no configuration", where=where, fix=f"It has sections: {', '.join(SECTIONS)}.")
    if "extends" not in values:
        return values
    parent = values.pop("extends")
    fix = f"Write one of {', '.join(shipped())}, or the name of a YAML file beside this one."
    if not isinstance(parent, str) or not parent:
        raise InputError(f"it cannot extend {parent!r}", where=f"{where}: extends", fix=fix)
    place = SHIPPED / f"{parent}.yaml" if parent in shipped() else path.parent / parent
    chain = (*below, path.resolve())
    if place.resolve() in chain:
        told = " extends ".join(each.name for each in (*chain, place))
        raise InputError(f"a configuration extends itself: {told}", where=where, fix="Break the circle.")
    return _extended(_read(place, f"{where}: extends {parent}", chain), values)


def _extended(parent: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Settings of ``values``, and of ``parent`` where it has none: by section; the name is its own.

    A stream of another kind takes nothing from the parent's, which has other settings.
    """
    found = {key: value for key, value in parent.items() if key != "name"} | values
    for section in SECTIONS[1:]:
        old, new = parent.get(section), values.get(section)
        if isinstance(old, dict) and isinstance(new, dict | None):
            new = new or {}
            kinds = [part.get("kind", "episodes") for part in (old, new)]
            apart = section == "stream" and "kind" in new and kinds[0] != kinds[1]
            found[section] = new if apart else old | new
    return found


def build(values: Mapping[str, Any], where: str, name: str = "") -> PretrainConfig:
    """The configuration of a mapping as YAML gives it; ``where`` names it in errors.

    Raises:
        InputError: an unknown name or a value that cannot be.
    """
    known(values, SECTIONS, where, "section", ("extends",))
    sections = {section: values.get(section) or {} for section in SECTIONS[1:]}
    for section, inner in sections.items():
        if not isinstance(inner, Mapping):
            raise InputError("this is not a section of settings", where=f"{where}: {section}")
    training = dict(sections["training"])
    own = {key: training.pop(key) for key in _OWN if key in training}
    known(training, [f.name for f in dataclasses.fields(LoopConfig)], f"{where}: training", "setting", _OWN)
    training.setdefault("steps", 100_000)
    config = PretrainConfig(
        model=_model(dict(sections["model"]), f"{where}: model"),
        loop=_fill(LoopConfig, training, f"{where}: training"),
        stream=_stream(dict(sections["stream"]), f"{where}: stream"),
        engine=_fill(EngineConfig, sections["engine"], f"{where}: engine"),
        name=str(values.get("name") or name),
        **typed(PretrainConfig, own, f"{where}: training"),
    )
    _check(config, where)
    return config


def parameter_count(config: ModelConfig, where: str = "model") -> int:
    """Of the network a configuration describes; nothing is allocated.

    Raises:
        InputError: there is no such network.
    """
    if config.backbone == "transformer" and (config.heads < 1 or config.width % config.heads):
        raise InputError(
            f"a width of {config.width} cannot be shared out over {config.heads} heads",
            where=where,
            fix="Make width a multiple of heads.",
        )
    try:
        with torch.device("meta"):
            return Denoiser(config).parameter_count
    except InputError:
        raise
    except (RuntimeError, ValueError, TypeError, ArithmeticError, AssertionError, LookupError) as error:
        raise InputError(
            f"there is no network with these settings: {' '.join(str(error).split())}", where=where
        ) from error


def to_yaml(config: PretrainConfig) -> str:
    """The whole configuration, defaults included; :func:`build` reads it back."""
    loop = dataclasses.asdict(config.loop)
    stream = dataclasses.asdict(config.stream)
    plain = {
        "name": config.name,
        "model": config.model.to_dict(),
        "stream": {"kind": "episodes" if isinstance(config.stream, StreamConfig) else "windows", **stream},
        "training": loop | {key: getattr(config, key) for key in _OWN},
        "engine": dataclasses.asdict(config.engine),
    }
    text: str = yaml_module().safe_dump(_listed(plain), sort_keys=False, default_flow_style=None, width=110)
    return text


def _model(values: dict[str, Any], where: str) -> ModelConfig:
    preset = values.pop("preset", None)
    if preset is None:
        return _fill(ModelConfig, values, where)
    if preset not in CONFIGS:
        fix = f"Choose one of: {', '.join(CONFIGS)}."
        raise InputError(f"there is no model called {preset!r}", where=f"{where}: preset", fix=fix)
    known(values, [f.name for f in dataclasses.fields(ModelConfig)], where, "setting")
    return dataclasses.replace(CONFIGS[preset], **typed(ModelConfig, values, where))


def _stream(values: dict[str, Any], where: str) -> Any:
    kind = values.pop("kind", "episodes")
    if kind == "episodes":
        config = _fill(StreamConfig, values, where)
        for name, numbers, shares in (
            ("lengths", config.lengths, config.length_shares),
            ("channels", config.channels, config.channel_shares),
        ):
            if len(numbers) != len(shares) or not numbers or min(numbers) < 1 or min(shares) < 0 or not sum(shares) > 0:
                raise InputError(
                    f"{name} and their shares do not fit together", where=where, fix="Give one share each."
                )
        return config
    if kind == "windows":
        from tsprout.data.corpus.windows import WindowConfig

        return _fill(WindowConfig, values, where)
    raise InputError(f"there is no stream of the kind {kind!r}", where=where, fix="Choose one of: episodes, windows.")


def _check(config: PretrainConfig, where: str) -> None:
    values = dataclasses.asdict(config.loop) | {key: getattr(config, key) for key in _OWN}
    for name, (least, itself) in _LEAST.items():
        if not (values[name] > least or (itself and values[name] == least)) or not math.isfinite(values[name]):
            fix = f"Give {least:g} or more." if itself else f"Give more than {least:g}."
            raise InputError(f"{name} is {values[name]:g}", where=f"{where}: training", fix=fix)
    if len(config.loop.betas) != 2 or not all(0 <= beta < 1 for beta in config.loop.betas):
        raise InputError(
            f"betas are {list(config.loop.betas)}", where=f"{where}: training", fix="Give two, from 0 to 1."
        )
    for name in _SHARES:
        if not 0 <= values[name] <= 1:
            raise InputError(f"{name} is {values[name]:g}", where=f"{where}: training", fix="Give a share from 0 to 1.")
    for name, choice in (("optimizer", ("adamw", "muon")), ("decay", ("linear", "cosine"))):
        if values[name] not in choice:
            fix = f"Choose one of: {', '.join(choice)}."
            raise InputError(f"there is no {name} called {values[name]!r}", where=f"{where}: training", fix=fix)
    parameter_count(config.model, f"{where}: model")


def _fill(cls: Any, values: Mapping[str, Any], where: str) -> Any:
    known(values, [f.name for f in dataclasses.fields(cls)], where, "setting")
    plain = typed(cls, values, where)
    try:
        return cls(**plain)
    except InputError as error:
        raise InputError(error.what, where=where, fix=error.fix) from None


def _override(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    section, dot, key = name.strip().partition(".")
    if not equals or (not dot and section != "name"):
        raise InputError(f"{override!r} cannot be read", where="--set", fix="Write section.key=value.")
    value = parse(text, "--set")
    if section == "name":
        values["name"] = value
        return
    inner = values.get(section)
    values[section] = (inner if isinstance(inner, dict) else {}) | {key: value}


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(inner) for key, inner in value.items()}
    return [_listed(inner) for inner in value] if isinstance(value, list | tuple) else value
