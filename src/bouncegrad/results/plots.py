"""One function per figure. Each draws into given axes and returns them. No window is opened, no global state is set."""

from bouncegrad.results.plots_curves import curves, error_by_horizon, reliability
from bouncegrad.results.plots_forecast import counterfactual, forecast_fan
from bouncegrad.results.plots_functions import function_fit
from bouncegrad.results.plots_graph import graph, network
from bouncegrad.results.plots_law import law
from bouncegrad.results.plots_many import graph_of_many
from bouncegrad.results.plots_matrix import matrix
from bouncegrad.results.plots_tracks import tracks
from bouncegrad.results.plots_unseen import unseen_entity

__all__ = [
    "counterfactual",
    "curves",
    "error_by_horizon",
    "forecast_fan",
    "function_fit",
    "graph",
    "graph_of_many",
    "law",
    "matrix",
    "network",
    "reliability",
    "tracks",
    "unseen_entity",
]
