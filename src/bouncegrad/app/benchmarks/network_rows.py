"""The rows of the table of networks: which recordings, as published, of which graph, and how they are trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories

FREQUENCIES = (1.0, 10.0)  # the range of the oscillators' own frequencies


@dataclass(frozen=True)
class Recordings:
    """How the recordings of a row are made from simulated ones.

    Args:
        description: what is kept, in words.
        count: number of recordings.
        frames: number of frames that are kept.
        every: which frames are kept: the first, and every so many.
        half: whether numbers are rounded to half precision.
        simulated: number of frames that are simulated; None: as many as are needed.
        prepare: a function that changes the simulated recordings before frames are left out; None: nothing is changed.
    """

    description: str
    count: int
    frames: int
    every: int = 1
    half: bool = False
    simulated: int | None = None
    prepare: Callable[[Trajectories], Trajectories] | None = None

    def of(self, simulated: Trajectories) -> Trajectories:
        """Returns what is kept of simulated recordings."""
        data = simulated if self.prepare is None else self.prepare(simulated)
        x = data.x[:, :: self.every][:, : self.frames]
        x = x.astype(np.float16).astype(np.float64) if self.half else x
        return replace(data, x=x, dt=data.dt * self.every)


def scaled_oscillators(data: Trajectories) -> Trajectories:
    """Returns the features of oscillators as published, scaled to [-1, 1].

    Rate and phase are scaled by their minimum and maximum over all frames, for each oscillator and recording. The own
    frequency is scaled by its range, [1, 10]. The rate of an oscillator without sources is 0.
    """
    low, high = data.x.min(1, keepdims=True), data.x.max(1, keepdims=True)
    scaled = 2 * (data.x - low) / np.where(high > low, high - low, 1.0) - 1
    x = data.x.copy()
    rate, phase, frequency = (data.features.index(name) for name in ("rate", "phase", "frequency"))
    assert data.edges is not None
    x[..., rate] = scaled[..., rate] * (data.edges.sum(1) > 0)[:, None]
    x[..., phase] = scaled[..., phase]
    x[..., frequency] = 2 * (x[..., frequency] - FREQUENCIES[0]) / (FREQUENCIES[1] - FREQUENCIES[0]) - 1
    return replace(data, x=x)


# The settings of the released code of GDP: 50 recordings for training and 10 for validation, every 4th frame, 5 frames.
# Half precision is the only noise. The coupled maps and the oscillators are stored in full precision.
GDP = Recordings("60 x 5 frames, every 4th, half precision", 60, 5, every=4, half=True)
GDP_EXACT = replace(GDP, description="60 x 5 frames, every 4th", half=False)
GDP_OSCILLATORS = replace(
    GDP_EXACT, description="60 x 5 frames, every 4th, scaled over 509", simulated=509, prepare=scaled_oscillators
)
# DoSI has 8,000 recordings of 49 frames. Later activities of netsims are so large that scaling leaves nothing of the
# early ones: they grow by a factor of 10,000 with 15 entities and of 10^10 with 30.
DOSI = Recordings("200 x 49 frames", 200, 49)
DOSI_EARLY = Recordings("200 x 10 first frames", 200, 10)

DIRECTED = {"shared_graph": True, "pinned": True}
UNDIRECTED = {**DIRECTED, "symmetric": True}
# Few numbers in all: 12,000 of one feature. Larger modules learn the noise.
SMALL = {"edge_hidden": (16,), "node_hidden": (32,), "message": 4}


@dataclass(frozen=True)
class Row:
    """One line of the table: all recordings have one graph.

    Args:
        name: of the row.
        system: the system to simulate.
        graph: the kind of graph to draw.
        entities: N.
        published: published AUROC and its sources.
        recordings: how the recordings are made.
        directed: whether the graph is directed.
        density: of the graph er; None: 0.1.
        minutes: time limit of training.
        settings: other settings of training.
    """

    name: str
    system: str
    graph: str
    entities: int
    published: str = ""
    recordings: Recordings = GDP
    directed: bool = False
    density: float | None = None
    minutes: float = 5.0
    settings: Mapping[str, Any] = field(default_factory=lambda: UNDIRECTED)

    def data(self, seed: int) -> Trajectories:
        """Returns the recordings. Each seed has a graph of its own."""
        kept = self.recordings
        return kept.of(
            simulate(
                self.system,
                kept.count,
                entities=self.entities,
                frames=kept.simulated or (kept.frames - 1) * kept.every + 1,
                seed=seed,
                graph=self.graph,
                density=self.density,
                shared=True,
                directed=self.directed,
            )
        )


def dosi(system: str, entities: int, published: str = "", recordings: Recordings = DOSI) -> Row:
    """Returns a row with a directed graph of density 0.2."""
    name = f"{system}-directed{entities}"
    return Row(name, system, "er", entities, published, recordings, directed=True, density=0.2, settings=DIRECTED)


def one_feature(name: str, published: str = "", recordings: Recordings = GDP) -> Row:
    """Returns a row of a system with one feature and 50 entities, from its name: system, then graph.

    Directions are inferred on their own, in undirected graphs, too: the law of Michaelis-Menten divides by the degree
    of the target, and tied directions found fewer edges.
    """
    system, _, kind = name.rpartition("-")
    directed = kind == "directed50"
    graph = "er" if directed else kind[:2]
    return Row(name, system, graph, 50, published, recordings, directed=directed, settings={**DIRECTED, **SMALL})


# Published figures of COSINE and GDP are quoted from one list of both; the protocol of COSINE was not found.
ROWS = (
    one_feature("michaelis-menten-er50", "0.9963 (COSINE 2026), 0.9831 (GDP 2024)"),
    one_feature("michaelis-menten-ba50", "0.9807 (COSINE 2026), 0.9302 (GDP 2024)"),
    one_feature("michaelis-menten-directed50"),
    one_feature("diffusion-er50", "0.9936 (COSINE 2026), 0.9344 (GDP 2024)"),
    one_feature("diffusion-ba50", "0.9655 (COSINE 2026), 0.9441 (GDP 2024)"),
    one_feature("coupled-maps-er50", recordings=GDP_EXACT),
    one_feature("coupled-maps-ba50", recordings=GDP_EXACT),
    Row("friedkin-johnsen-er50", "friedkin-johnsen", "er", 50),
    Row("friedkin-johnsen-ba50", "friedkin-johnsen", "ba", 50),
    Row("springs-er50", "springs", "er", 50, "1.0000 (COSINE 2026), 0.9999 (GDP 2024)"),
    Row("springs-ba50", "springs", "ba", 50, "1.0000 (COSINE 2026), 0.9988 (GDP 2024)"),
    Row("kuramoto-er50", "kuramoto-phase", "er", 50, "0.9999 (COSINE 2026), 0.9493 (GDP 2024)", GDP_OSCILLATORS),
    Row("kuramoto-ba50", "kuramoto-phase", "ba", 50, "0.9985 (COSINE 2026)", GDP_OSCILLATORS),
    dosi("springs", 15, "0.9895 to 0.9998 on three other graphs (IPSI 2025)"),
    dosi("springs", 30),
    dosi("netsims", 15, "0.9532 to 0.9997 on three other graphs (IPSI 2025)", DOSI_EARLY),
    dosi("netsims", 30, recordings=DOSI_EARLY),
)
