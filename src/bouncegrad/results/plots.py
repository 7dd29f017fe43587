"""One function per figure: data in, Axes out. Each draws into the axes it is given; no window, no global state."""

from bouncegrad.results.plots_curves import curves, error_by_horizon, reliability
from bouncegrad.results.plots_graph import graph, matrix
from bouncegrad.results.plots_tracks import tracks

__all__ = ["curves", "error_by_horizon", "graph", "matrix", "reliability", "tracks"]
