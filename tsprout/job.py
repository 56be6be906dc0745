"""The jobs behind the command line: read, fit, sample, score, write, and account for it all.

``run`` does the whole job into one folder, ``fit`` makes a model folder, ``sample`` streams series from such a folder
into a file. Memory stays flat in the number of series: batches go from the model straight to disk, and only a uniform
reservoir of at most :data:`KEPT` synthetic series is kept for scores and picture. Every option is checked before the
first second of work, and an output appears whole or not at all (:mod:`tsprout.staging`, :mod:`tsprout.data.files`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.accounts import Stopwatch, peak_memory, to_json, versions
from tsprout.baselines import registry
from tsprout.errors import InputError, TsproutError
from tsprout.job_options import FitOptions, ReaderOptions, SampleOptions, as_options, check_device
from tsprout.limits import MAX_SEED
from tsprout.progress import Progress
from tsprout.staging import check_apart, check_file, check_folder, check_space, staged_folder

if TYPE_CHECKING:
    from tsprout.interface import Synthesizer
    from tsprout.metrics.scores import Scores
    from tsprout.series import SeriesSet


KEPT = 1000
RUN_FILES = ("synthetic.*", "summary.json", "real_vs_synthetic.png", "report.html")
TEXT = (".csv", ".tsv", ".txt", ".jsonl", ".ts")


def read_input(path: str | Path, reader: ReaderOptions, progress: Progress | None = None) -> SeriesSet:
    """The series of a file, as far as they can be used; see :func:`tsprout.data.files.read`.

    Raises:
        InputError: the file cannot be read, or its series cannot be used, with file, place and what to do.
    """
    from tsprout.data.checks import check_usable
    from tsprout.data.frames import to_fit

    with placed(path):
        series = to_fit(path, reader.to_dict() | {"progress": progress})
        check_usable(series)
    return series


@contextmanager
def placed(path: str | Path) -> Iterator[None]:
    """Complete errors of those who read and check a set: they do not know the file, and some leave the remedy to us."""
    try:
        yield
    except InputError as error:
        if error.where is None:
            error.where = str(path)
        elif Path(path).name not in error.where:
            error.where = f"{path}, {error.where}"
        error.fix = error.fix or "Mend the file there, or say with other options how it is to be read."
        raise


def load_model(name: str, checkpoint: str | None = None, device: str = "cpu") -> Synthesizer:
    """A model or baseline by name, folder or hub id; a ``CheckpointError`` says why it cannot be used.

    ``checkpoint``: what a baseline starts from that needs one; ``device``: where to train and to draw.
    """
    from tsprout.synthesizer import Sprout

    if checkpoint is not None:
        from tsprout.peer import Peer

        return Peer.open(name, device, {"checkpoint": checkpoint})
    return Sprout.from_pretrained(name, device=device)


def fit_series(base: Any, real: SeriesSet, options: FitOptions, progress: Progress | None) -> Any:
    """A model fitted to series as the options say; its errors name options of the command line."""
    with as_options():
        return base.fit(
            real,
            options.mode,
            budget=options.budget,
            seed=options.seed,
            bounds=options.bounds or None,
            transforms=options.transforms or None,
            progress=progress,
        )


def fit_report(sprout: Synthesizer) -> dict[str, Any]:
    """Which mode was kept and why, as plain values."""
    report = sprout.fit_report
    if report is None:
        return {}
    values = dict(report.to_dict())
    return values | {"notes": [*values["notes"], *sprout.notes]}


def check_model_folder(path: str | Path, model: str, *, force: bool) -> None:
    """Refuse a folder that what ``model`` is fitted to cannot be kept in.

    Raises:
        InputError: see :func:`tsprout.staging.check_folder`.
    """
    from tsprout.baselines import store
    from tsprout.checkpoint import FILES

    check_folder(path, store.FILES if model in registry.names() else FILES, force=force)


def fit(
    path: str | Path,
    out: str | Path,
    *,
    reader: ReaderOptions | None = None,
    options: FitOptions | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Adapt a model to the series of a file and keep it as a folder.

    Returns:
        an account of what was read, which mode was kept and why, and how long it took.

    Raises:
        InputError: an option, the file or the output folder cannot be used (before any work where that can be known).
    """
    from tsprout.overview import describe

    reader, options = reader or ReaderOptions(), options or FitOptions()
    options.check()
    check_model_folder(out, options.model, force=force)
    check_apart(path, out)
    watch = Stopwatch()
    with watch.stage("read"):
        real = read_input(path, reader, progress)
    with watch.stage("load"):
        base = load_model(options.model, options.checkpoint, options.device)
    with watch.stage("fit"):
        sprout = fit_series(base, real, options, progress)
    with watch.stage("save"):
        sprout.save_pretrained(out, force=force)
    return {
        "command": "fit",
        "versions": versions(),
        "input": describe(real, path, sprout.scaler),
        **options.to_dict(),
        "device": sprout.device,
        "fit": fit_report(sprout),
        "seconds": watch.rounded(),
        "peak_memory_bytes": peak_memory(),
        "files": {"model": str(out)},
    }


def sample(
    model: str | Path,
    out: str | Path,
    *,
    options: SampleOptions | None = None,
    device: str = "cpu",
    format: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Draw series from a fitted model folder straight into a file, on a ``device``.

    Returns:
        an account of what was written and how long it took.

    Raises:
        InputError: an option, the model or the output cannot be used.
    """
    options = options or SampleOptions()
    options.check()
    check_device(device)
    target = check_file(out, force=force)
    watch = Stopwatch()
    with watch.stage("load"):
        sprout = load_model(str(model), device=device)
        if sprout.shots is None:
            raise InputError(
                "this model has not been fitted to any series yet",
                where=str(model),
                fix="Fit it first: tsprout fit FILE -o MODEL/, or do it all at once with tsprout run.",
            )
    options.check_labels(sprout.shots)
    with watch.stage("sample"):
        stream(sprout, sprout.shots, target, options, format=format, force=force, progress=progress)
    return {
        "command": "sample",
        "versions": versions(),
        "model": str(model),
        "device": sprout.device,
        "fit": fit_report(sprout),
        "sampling": options.account(),
        "seconds": watch.rounded(),
        "peak_memory_bytes": peak_memory(),
        "files": {"synthetic": str(out)},
    }


def stream(
    sprout: Synthesizer,
    shots: SeriesSet,
    path: Path,
    options: SampleOptions,
    *,
    format: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    seen: Callable[[SeriesSet], None] | None = None,
) -> None:
    """Sample in batches, each written as soon as it is drawn in the manner of ``shots``, and shown to ``seen``.

    Raises:
        InputError: the file exists and ``force`` is not set, or its format is unknown.
        TsproutError: the disk is full; nothing is left behind.
    """
    from tsprout.data import files

    check_space(path, least_bytes(path, shots, options))
    with files.open_writer(
        path,
        shots,
        n_series=options.total,
        channels=shots.channels,
        length=options.length or shots.length,
        format=format,
        force=force,
    ) as writer:
        for batch in sprout.sample_batches(options.n, **options.to_dict(), progress=progress):
            writer.write(batch)
            if seen is not None:
                seen(batch)


def run(
    path: str | Path,
    out: str | Path,
    *,
    reader: ReaderOptions | None = None,
    fitting: FitOptions | None = None,
    sampling: SampleOptions | None = None,
    keep_model: str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
    on_read: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """The whole job: read, fit, sample, score, picture and summary, into one folder.

    Args:
        path: the file with the few real series.
        out: the folder to make: ``synthetic.<the input's extension>``, ``report.html``, ``summary.json``,
            ``real_vs_synthetic.png``.
        keep_model: a folder to keep the fitted model in, from which :func:`sample` draws more.
        on_read: shown the description of the input as soon as it is known.

    Returns:
        what ``summary.json`` holds.

    Raises:
        InputError: an option, the file or the output folder cannot be used (before any work where that can be known).
        TsproutError: the job could not be finished; nothing is left behind.
    """
    reader, fitting, sampling = reader or ReaderOptions(), fitting or FitOptions(), sampling or SampleOptions()
    fitting.check()
    sampling.check()
    if fitting.model in registry.names():
        registry.refuse_options(fitting.model, **{k: v for k, v in sampling.to_dict().items() if k != "seed"})
    check_folder(out, RUN_FILES, force=force)
    check_apart(path, out)
    if keep_model is not None:
        check_apart(path, keep_model)
        check_model_folder(keep_model, fitting.model, force=force)
        model, whole = Path(keep_model).resolve(), Path(out).resolve()
        if model == whole or model in whole.parents or whole in model.parents:
            raise InputError("the model needs a folder of its own", where="--keep-model", fix="Name another one.")

    import numpy as np

    from tsprout.data import files
    from tsprout.data.checks import check_size
    from tsprout.overview import describe
    from tsprout.reservoir import kept_of

    watch = Stopwatch()
    with watch.stage("read"):
        real = read_input(path, reader, progress)
        described = describe(real, path)
    sampling.check_labels(real)
    if on_read is not None:
        on_read(described)
    name = f"synthetic{files.extension(Path(path), reader.format)}"
    check_space(Path(out) / name, least_bytes(Path(name), real, sampling))
    with watch.stage("load"):
        base = load_model(fitting.model, fitting.checkpoint, fitting.device)
        if sampling.length is not None:
            check_size(real.n_channels, sampling.length)
    with watch.stage("fit"):
        sprout = fit_series(base, real, fitting, progress)
    if keep_model is not None:
        sprout.save_pretrained(keep_model, force=force)
    kept = kept_of(real, sampling.n, KEPT, np.random.default_rng(sampling.seed))
    with staged_folder(out, RUN_FILES, force=force) as folder:
        with watch.stage("sample"):
            stream(sprout, real, folder / name, sampling, format=reader.format, progress=progress, seen=kept.add)
        with watch.stage("score"):
            if kept.wanting:
                how = sampling.to_dict() | {"seed": (sampling.seed + 1) % MAX_SEED}  # not the same once more
                for batch in sprout.sample_batches(kept.wanting, **how, progress=progress):
                    kept.add(batch)
            like, synthetic = kept.real, kept.kept()
            found = score(like, synthetic, seed=sampling.seed, progress=progress)
            if isinstance(sampling.n, Mapping):
                found = replace(found, notes=(*found.notes, _in_shares(len(synthetic), sum(kept.wanting.values()))))
        with watch.stage("report"):
            picture(like, synthetic, folder / "real_vs_synthetic.png")
            facts = {"model": fitting.model, "mode": str(fit_report(sprout).get("mode")), "seed": str(sampling.seed)}
            page(like, synthetic, found, folder / "report.html", title=Path(path).name, facts=facts)
        summary = {
            "command": "run",
            "versions": versions(),
            "input": describe(real, path, sprout.scaler),
            **fitting.to_dict(),
            "device": sprout.device,
            "fit": fit_report(sprout),
            "sampling": {**sampling.account(), "scored": len(synthetic)},
            "scores": found.to_dict(),
            "seconds": watch.rounded(),
            "peak_memory_bytes": peak_memory(),
            "files": {
                "folder": str(out),
                "synthetic": str(Path(out) / name),
                "summary": str(Path(out) / "summary.json"),
                "picture": str(Path(out) / "real_vs_synthetic.png"),
                "report": str(Path(out) / "report.html"),
                **({} if keep_model is None else {"model": str(keep_model)}),
            },
        }
        (folder / "summary.json").write_text(to_json(summary) + "\n", encoding="utf-8")
    return summary


def _in_shares(scored: int, beyond: int) -> str:
    """What is said where so many series of each label were asked for."""
    told = f"Scored are {scored:,} series, in the shares that labels have among yours"
    return f"{told}, {beyond:,} of them drawn for that alone." if beyond else f"{told}."


def score(real: SeriesSet, synthetic: SeriesSet, *, seed: int, progress: Progress | None = None) -> Scores:
    """Quick scores of ``synthetic`` beside floor and ceilings; without them, a note why there are none.

    Scores are an account of the result and not the result: series that cannot be scored are handed over all the same.
    """
    from tsprout.metrics import Scores, quick_scores

    shots, n = real.values, len(real)
    try:
        return quick_scores(shots, synthetic.values, shots=shots, seed=seed, max_series=KEPT, progress=progress)
    except TsproutError as error:
        reason = (f"There are no scores: {error}",)
        return Scores((), n, len(synthetic), n, 0, 0, held_out=False, few=True, seed=seed, notes=reason)


def page(
    real: SeriesSet, synthetic: SeriesSet, scores: Scores, path: Path, *, title: str, facts: Mapping[str, str]
) -> None:
    """The report as one self-contained page at ``path``."""
    from tsprout.report.html import write_report

    write_report(path, real, synthetic, scores, title=title, facts=facts)


def picture(real: SeriesSet, synthetic: SeriesSet, path: Path) -> None:
    """Real beside synthetic, channel by channel, as a PNG at ``path``."""
    from tsprout.report import plots

    plots.overlay(real, synthetic, path)


def least_bytes(path: Path, shots: SeriesSet, options: SampleOptions) -> int:
    """Bytes that the output cannot stay under: a digit and a delimiter a cell for text, nothing for packed formats."""
    if path.suffix.lower() not in TEXT:
        return 0
    length = options.length or int(shots.lengths.mean())
    return options.total * shots.n_channels * length * 2
