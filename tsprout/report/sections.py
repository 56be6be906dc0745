"""The sections of the report: which figures there are, what they are called, and one sentence on how to read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tsprout.report import curves, figures, heat, neighbours
from tsprout.report.svg import clean, number, shorten, spread
from tsprout.series import SeriesSet

MAX_CHANNELS = 8
_MOST_SERIES = 500  # of each kind behind a curve
_NAME = 42


@dataclass(frozen=True)
class Figure:
    """A drawing with its heading; ``full`` is the whole name where the heading is cut."""

    heading: str
    svg: str
    full: str = ""
    note: str = ""
    who: str = ""


@dataclass(frozen=True)
class Section:
    """Figures that are read the same way."""

    key: str
    title: str
    caption: str
    figures: tuple[Figure, ...] = ()
    aside: str = ""


def sections(
    real: SeriesSet, synthetic: SeriesSet, shown: SeriesSet, names: tuple[str, ...], seed: int
) -> list[Section]:
    """All sections with figures, in the order of the page; ``names`` are the cleaned ones of the channels."""
    few = [values[spread(len(values), _MOST_SERIES), :MAX_CHANNELS] for values in (real.values, synthetic.values)]
    more = max(real.n_channels - MAX_CHANNELS, 0)
    aside = f"The first {MAX_CHANNELS} of {real.n_channels} channels; all are named at the end." if more else ""

    def each(draw: Callable[..., str], what: str, note: str = "") -> tuple[Figure, ...]:
        return tuple(
            Figure(
                _heading(i, name, len(names)),
                draw(few[0][:, i], few[1][:, i], f"{shorten(name, _NAME)}: {what} of real and synthetic series"),
                name,
                note,
            )
            for i, name in enumerate(names[:MAX_CHANNELS])
        )

    return [
        Section(
            "paths",
            "Sample paths",
            "Up to twelve real and twelve synthetic series on one axis, in the units of the input. Look for levels, "
            "swings and jumps that only one of the two has.",
            _paths(few, names),
            aside,
        ),
        Section(
            "values",
            "Values",
            "Left: how the values of all series and time steps are distributed, real as an area, synthetic as a line. "
            "Right: synthetic against real quantiles from 1 % to 99 %; on the straight line they are equal.",
            each(figures.marginals, "distribution and quantiles"),
            aside,
        ),
        Section(
            "memory",
            "Autocorrelation",
            "The correlation of a series with itself so many time steps later, about its own mean: 1 where it repeats "
            "itself, 0 where a value says nothing about the later one, below 0 where it turns round. The line is the "
            "mean over the series, the band holds the middle 80 % of them. Lines and bands should coincide.",
            each(figures.autocorrelation, "autocorrelation by lag", "autocorrelation by lag"),
            aside,
        ),
        Section(
            "rhythms",
            "Spectra",
            "How strong each rhythm is, in squared units of the channel, from slow swings at the left to fine noise at "
            "the right: median over the series and band of the middle 80 %, both axes logarithmic.",
            each(figures.spectrum, "power spectrum by period"),
            aside,
        ),
        _correlations(real, synthetic, names),
        _map(real, synthetic, seed),
        *_nearest(real, synthetic, shown, names),
    ]


def _heading(i: int, name: str, count: int) -> str:
    return shorten(name, _NAME) if count == 1 else f"{i + 1}\u00a0·\u00a0{shorten(name, _NAME)}"


def _paths(few: list[np.ndarray], names: tuple[str, ...]) -> tuple[Figure, ...]:
    """One overlay a channel; with one or two channels each kind by itself, too."""
    found = []
    kinds = {"rs": "real and synthetic", "r": "real", "s": "synthetic"}
    for i, name in enumerate(names[:MAX_CHANNELS]):
        for show, kind in kinds.items() if len(names) < 3 else [("rs", kinds["rs"])]:
            heading = _heading(i, name, len(names)) + ("" if len(names) > 2 else f", {kind}")
            label = f"{shorten(name, _NAME)}: sample paths, {kind}"
            found.append(Figure(heading, figures.paths(few[0][:, i], few[1][:, i], label, show=show), name))
    return tuple(found)


def _correlations(real: SeriesSet, synthetic: SeriesSet, names: tuple[str, ...]) -> Section:
    title = "Correlation of channels"
    if len(names) == 1:
        return Section("correlation", title, "There is one channel, and so nothing that could move together.")
    most = heat.MOST
    first, second = heat.matrices(real.values[:, :most], synthetic.values[:, :most])
    kinds = (("Real", first), ("Synthetic", second), ("Synthetic minus real", second - first))
    drawn = [Figure(kind, heat.heat(matrix, names[:most], f"{kind}: channel correlations")) for kind, matrix in kinds]
    return Section(
        "correlation",
        title,
        "Which channels rise and fall together (+1) or against each other (−1), all series and time steps pooled. The "
        "first two should look alike and the third should be blank. Grey: a channel does not move.",
        tuple(drawn),
        f"The first {most} of {len(names)} channels." if len(names) > most else "",
    )


def _map(real: SeriesSet, synthetic: SeriesSet, seed: int) -> Section:
    title = "Map of series"
    found = neighbours.embed(real.values, synthetic.values, seed=seed)
    if found.pca is None:
        return Section("map", title, "There are too few different series for a map.")
    shares = tuple(f"component {i}, {100 * share:.0f} % of the variance" for i, share in enumerate(found.shares, 1))
    drawn = [
        Figure(
            "Principal components",
            figures.cloud(found.pca, found.n_real, (shares[0], shares[1]), "Principal components of all series"),
        )
    ]
    aside = ""
    if found.tsne is not None:
        label = "t-SNE map of all series"
        drawn.append(
            Figure("t-SNE", figures.cloud(found.tsne, found.n_real, ("t-SNE 1, no unit", "t-SNE 2, no unit"), label))
        )
    else:
        aside = f"There is no t-SNE map: it needs at least {neighbours.FEWEST} different series."
    return Section(
        "map",
        title,
        "Every dot is a whole series, like ones side by side, as many real as synthetic ones unless one of them is "
        "scarce. Real dots should lie within the synthetic cloud and no "
        "part of the cloud should be without a real dot near it; with few real series there will be. On the t-SNE map "
        "only closeness means something, distances across the map do not.",
        tuple(drawn),
        aside,
    )


def _nearest(real: SeriesSet, synthetic: SeriesSet, shown: SeriesSet, names: tuple[str, ...]) -> tuple[Section, ...]:
    title = "Nearest neighbours"
    found = neighbours.find(synthetic.values, shown.values, real.values)
    if not found.pairs:
        return (Section("nearest", title, "No synthetic series shares a time step with one of yours."),)
    others = "unseen real series" if found.held_out else "your own series, each to the nearest other one"
    lie = ""
    if found.reference.size:
        low, high = np.quantile(found.reference, [0.05, 0.95])
        lie = f" For {others}, most distances lie between {number(float(low), 2)} and {number(float(high), 2)}."
    spans = [
        curves.limits(shown.values[:, i], synthetic.values[[at for at, _, _ in found.pairs], i], reach=0.5)
        for i in range(min(len(names), MAX_CHANNELS))
    ]
    last = len(found.distances) - 1
    positions = spread(len(found.distances), len(found.pairs))
    cards = []
    for (made, own, distance), rank in zip(found.pairs, positions.tolist(), strict=True):
        place = "nearest" if rank == 0 else "farthest" if rank == last else f"{rank + 1:,} of {last + 1:,}"
        label = f"Synthetic series {made + 1} on top of its nearest real series, distance {number(distance, 2)}"
        drawn = figures.pair(synthetic.values[made], shown.values[own], spans, label)
        who = f"synthetic {made + 1:,} on real {shorten(shown.ids[own], 24)}"
        cards.append(Figure(number(distance, 2), drawn, clean(shown.ids[own]), place, who))
    shown_text = "" if len(spans) == 1 else " The numbers at the left are those of the channels."
    return (
        Section(
            "nearest",
            title,
            "How far each synthetic series is from the nearest of the series that the model was shown, over all "
            f"channels, in standard deviations: the line. The area is the same for {others}."
            " A line further left than the area means copies.",
            (Figure("Distance to the nearest of your series", figures.distances(found, "Distances to the nearest")),),
        ),
        Section(
            "pairs",
            "",
            "Synthetic series from the nearest to the farthest, each on top of the real one it is nearest to, with "
            f"their distance.{lie}{shown_text}",
            tuple(cards),
            f"The first {MAX_CHANNELS} of {len(names)} channels are drawn, the distance is over all."
            if len(names) > MAX_CHANNELS
            else "",
        ),
    )
