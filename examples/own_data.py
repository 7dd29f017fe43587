"""From a NumPy array of tracks to a graph: who acts on whom, how sure, as table, archive and picture.

    python examples/own_data.py [EPOCHS]

Writes `edges.csv`, `result.npz` and `graph.png` into the current folder. 150 epochs take some 15 s on one free core.
"""

import sys

from bouncegrad import RelationalInference, Trajectories, simulate
from bouncegrad.results.export import write_edges_csv
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.results.plots import graph
from bouncegrad.results.style import figure, save


def main(epochs: int = 150) -> None:
    # In place of your own array [task, frame, entity, feature]: recordings of four particles, some linked by springs.
    simulated = simulate("springs", tasks=100, entities=4, seed=0)
    x = simulated.x

    tracks = Trajectories(x, dt=0.1, features=("x", "y", "vx", "vy"), entities=("ann", "bob", "cid", "dee"))
    print(tracks.summary())
    model = RelationalInference(edge_types=2, pinned=True, seed=0, epochs=epochs).fit(tracks)  # type 0: no interaction
    result = model.infer(tracks)

    print("recording 0, types [source, target]:", *result.edges[0], sep="\n")
    for s, source in enumerate(result.entities):
        for t, target in enumerate(result.entities):
            if result.edges[0, s, t] == 1:
                print(f"{source} acts on {target} with probability {result.probability[0, s, t, 1]:.3f}")

    write_edges_csv(result, "edges.csv")  # task, source, target, type, probabilities
    result.save("result.npz")  # all arrays; Result.load reads it
    made, ax = figure(4, 4)
    graph(result.edges[0], result.entities, result.probability[0], ax, ("none", "spring"))
    save(made, "graph.png")

    # These recordings were simulated, so that the truth is known; the model has never seen it.
    names = relabelling(simulated.edges, result.edges, 2, pinned=True)
    print(f"accuracy of all {len(x)} graphs: {edge_accuracy(simulated.edges, result.edges, names):.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
