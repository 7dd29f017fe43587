"""The graph of the linear regression as a table: the graph to read where the verdict names the regression."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from bouncegrad.results.block_regression import BlockRegression
from bouncegrad.results.metrics import off_diagonal
from bouncegrad.results.stored import write_table

MOST = 5  # pairs that a line names


class Doubts(NamedTuple):
    """Why edges of the regression are less probable than their gains say.

    Args:
        blurred: names of entities whose present state is not seen well.
        common_causes: pairs of names with a sign of a common cause.
    """

    blurred: tuple[str, ...] = ()
    common_causes: tuple[tuple[str, str], ...] = ()

    def lines(self) -> list[str]:
        """Returns the doubts in words; none if there are none."""
        found, hidden = [], "a common cause that was not recorded (see bouncegrad unseen)"
        if self.blurred:
            names = ", ".join(self.blurred)
            found.append(f"the past of {names} tells more than the present: measurement noise, or {hidden}")
        if self.common_causes:
            pairs = [f"{one} and {other}" for one, other in self.common_causes[:MOST]]
            more = len(self.common_causes) - len(pairs)
            named = ", ".join(pairs) + (f" and {more} more pairs" if more else "")
            found.append(f"the errors of {named} go together: {hidden}; no edge between them is called sure")
        return found


def doubts_of(found: BlockRegression, entities: tuple[str, ...]) -> Doubts:
    """Returns the doubts about a regression, with the names of its entities."""
    pairs = ((entities[s], entities[t]) for s, t in np.argwhere(np.triu(found.common | found.common.T)))
    return Doubts(tuple(name for name, so in zip(entities, found.blurred, strict=True) if so), tuple(pairs))


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
