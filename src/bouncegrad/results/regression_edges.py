"""The graph of the linear regression as a table: the graph to read where the verdict names the regression."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bouncegrad.results.block_regression import BlockRegression
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.stored import write_table


def write_regression_edges(found: BlockRegression, entities: tuple[str, ...], path: str | Path) -> None:
    """Writes one row for each ordered pair, the most probable first, as CSV.

    The columns are source, target, probability (that the source acts on the target), gain (nats per frame that the
    source saves on held-out frames), z (of the gain, over blocks of time) and score (largest coefficient over its
    standard error).
    """
    import pandas as pd  # here, since pandas is slow to load

    source, target = np.nonzero(off_diagonal(len(entities)))
    names = np.array(entities)
    columns = {"probability": found.probability, "gain": found.gain, "z": found.z, "score": found.score}
    values = {name: values[source, target] for name, values in columns.items()}
    table = pd.DataFrame({"source": names[source], "target": names[target], **values})
    write_table(table.sort_values(["probability", "gain"], ascending=False, kind="stable"), path)
