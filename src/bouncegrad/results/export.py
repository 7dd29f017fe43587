"""Export of results to other tools: tables (pandas, CSV) and graphs (networkx, GraphML, PyTorch Geometric)."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.results.metrics import off_diagonal, symmetric_probability
from bouncegrad.results.result import DETERMINED, Result
from bouncegrad.results.stored import write_table

if TYPE_CHECKING:  # both are slow to load, and each function needs only one
    import networkx as nx
    import pandas as pd

COMPLETE = 12  # with more entities, files of tables are short
DIGITS = 4  # decimals of probabilities in short tables
LONGEST_STEM = 100  # characters of a task name in a file name; most file systems allow names of 255 bytes


def edge_table(result: Result, *, undirected: bool = False, short: bool = False) -> pd.DataFrame:
    """Returns a table with one row per edge.

    Columns: `task`, `source`, `target`, `type`, `probability_NAME` for every type, and `determined`. If `determined` is
    "no", no type has a probability of 0.75 or more: the data cannot determine the type.

    Args:
        result: the result to write.
        undirected: if true, there is one row per pair instead of two, `N (N - 1) / 2` per task. Its type and
            probabilities are those of both directions together (`metrics.symmetric_probability`).
        short: if true, probabilities have four decimals. If a type is known to mean "no interaction", pairs of this
            type are left out, except undetermined ones.

    Returns:
        Rows ordered by task, then target, then source. If all tasks share one graph, it is listed once, without the
        column `task`.

    Example:
        >>> probability = np.array([[[[0, 0], [0.1, 0.9]], [[0.8, 0.2], [0, 0]]]])
        >>> result = Result.from_probability(probability, np.zeros(1), context=49, entities=("ann", "bob"))
        >>> edge_table(result).query("type == '1' and probability_1 > 0.8")[["source", "target"]].values.tolist()
        [['ann', 'bob']]
    """
    pd = needed("pandas", "pandas", "a table")
    one_graph = result.one_graph
    shown = slice(1) if one_graph else slice(None)
    probability, edges = result.probability[shown], result.edges[shown]
    pairs = off_diagonal(edges.shape[1])
    if undirected:
        probability = symmetric_probability(probability)
        edges, pairs = probability.argmax(-1), np.triu(pairs)
    listed = np.broadcast_to(pairs, edges.shape)
    highest = probability.max(-1)
    if short and result.without_type is not None:
        listed = listed & ((edges != result.without_type) | (highest < DETERMINED))
    task, target, source = np.nonzero(listed.swapaxes(1, 2))
    at = task, source, target
    tasks, entities, type_names = (np.array(names) for names in (result.tasks, result.entities, result.type_names))
    columns = {} if one_graph else {"task": tasks[task]}
    columns |= {"source": entities[source], "target": entities[target], "type": type_names[edges[at]]}
    of_edges = probability[at].round(DIGITS) if short else probability[at]
    columns |= {f"probability_{name}": of_edges[:, k] for k, name in enumerate(result.type_names)}
    columns["determined"] = np.where(highest[at] < DETERMINED, "no", "yes")
    return pd.DataFrame(columns)


def write_edges_csv(result: Result, path: str | Path, *, undirected: bool = False) -> None:
    """Writes `edge_table` as CSV: with all pairs and digits for up to 12 entities, and short for more."""
    write_table(edge_table(result, undirected=undirected, short=len(result.entities) > COMPLETE), path)


def to_networkx(result: Result, task: int, *, without_type: int | None = None) -> nx.DiGraph:
    """Returns the graph of one task, with entities as nodes.

    Every edge has the attributes `type` (name of its type) and `probability` (of this type).

    Args:
        result: the result to convert.
        task: index of the task.
        without_type: the type that means "no interaction"; its edges are left out. If None, all edges are kept.
    """
    nx = needed("networkx", "networkx", "a graph for networkx")
    graph = nx.DiGraph(name=result.tasks[numbered(result, task)])
    graph.add_nodes_from(result.entities)
    for target, source in zip(*np.nonzero(off_diagonal(len(result.entities)).T), strict=True):
        k = int(result.edges[task, source, target])
        if k != without_type:
            graph.add_edge(
                result.entities[source],
                result.entities[target],
                type=result.type_names[k],
                probability=float(result.probability[task, source, target, k]),
            )
    return graph


def to_pyg(result: Result, task: int, *, without_type: int | None = None) -> Any:
    """Returns the graph of one task as `torch_geometric.data.Data`.

    `edge_index` has rows source and target, `edge_type` the type of every edge, and `edge_attr` the probability of
    every type, `Float[edges, K]`. Edges are ordered by target, then source. `entities` are the names of the nodes.

    Args:
        result: the result to convert.
        task: index of the task.
        without_type: the type that means "no interaction"; its edges are left out. If None, all edges are kept.

    Raises:
        InputError: PyTorch Geometric is not installed, or there is no such task.
    """
    geometric, task = needed("torch_geometric.data", "torch_geometric", "a graph for PyG"), numbered(result, task)
    torch = needed("torch", "torch", "a graph for PyG")
    edges = result.edges[task]
    kept = off_diagonal(len(result.entities)) & ((edges != without_type) if without_type is not None else True)
    target, source = np.nonzero(kept.T)
    return geometric.Data(
        edge_index=torch.as_tensor(np.stack([source, target])),
        edge_type=torch.as_tensor(edges[source, target]),
        edge_attr=torch.as_tensor(result.probability[task, source, target], dtype=torch.float32),
        num_nodes=len(result.entities),
        entities=list(result.entities),
    )


def needed(module: str, package: str, what: str) -> Any:
    """Returns a module of another package.

    Raises:
        InputError: the package is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise InputError(f"{what} needs {package}, which is not installed; pip install {package}") from None


def numbered(result: Result, task: int) -> int:
    """Returns the number of a task; negative ones count from the last.

    Raises:
        InputError: there is no such task.
    """
    count = len(result.tasks)
    if not -count <= task < count:
        raise InputError(f"task {task}: {result.source} has the tasks 0 to {count - 1}")
    return task


def write_graphml(result: Result, folder: str | Path, *, without_type: int | None = None) -> tuple[Path, ...]:
    """Writes one GraphML file per task, `task_NAME.graphml`, and returns the paths in the order of tasks.

    Characters that file names cannot contain are replaced by `_`. If two names are then equal, a number is added.
    """
    import networkx as nx

    paths: list[Path] = []
    taken: set[str] = set()
    for task, name in enumerate(result.tasks):
        stem = base = "task_" + re.sub(r"[^\w.-]+", "_", name)[:LONGEST_STEM]
        number = 2
        while stem.lower() in taken:
            stem, number = f"{base}_{number}", number + 1
        taken.add(stem.lower())
        paths.append(Path(folder) / f"{stem}.graphml")
        with replacing(paths[-1]) as temporary:
            nx.write_graphml(to_networkx(result, task, without_type=without_type), temporary)
    return tuple(paths)
