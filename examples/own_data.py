"""From a table of tracks to a table of edges, in Python.

    python examples/own_data.py [EPOCHS]

Writes `tracks.csv` as your own recording might look (particles, some pairs linked by springs), learns the law without
labels, and prints who interacts with whom in the first recording. 150 epochs take about half a minute on two cores.
"""

import sys

from bouncegrad import RelationalInference, load, save, simulate


def main(epochs: int = 150) -> None:
    save(simulate("springs", tasks=100, entities=4, seed=0), "tracks.csv")  # and tracks_edges.csv, the truth

    tracks = load("tracks.csv")
    print(tracks.summary())
    model = RelationalInference(edge_types=2, seed=0, epochs=epochs).fit(tracks)
    result = model.infer(tracks)

    print(f"edge types of recording {result.tasks[0]}, [source, target]:")
    print(result.edges[0])
    print(f"learned from {len(tracks.tasks)} recordings, accuracy on them: {model.history_[-1]['edge_accuracy']:.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
