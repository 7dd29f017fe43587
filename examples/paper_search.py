"""The published search: a learned proposal, a Metropolis test, a temperature that follows the rate of acceptance.

    python examples/paper_search.py [EPOCHS]

Prints the accuracy of the training structures as it rises, slowly, from one half; the default search is far faster.
"""

import sys

from bouncegrad import RelationalInference, simulate


def main(epochs: int = 150) -> None:
    tasks = simulate("charged", tasks=200, seed=5)
    model = RelationalInference(search="paper", proposal="learned", epochs=epochs, seed=0).fit(tasks)
    for row in model.history_:
        print(f"epoch {row['epoch']:4d}  loss {row['loss']:.4f}  accuracy {row['edge_accuracy']:.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
