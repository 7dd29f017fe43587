"""Infers who interacts with whom, and how, from recorded trajectories."""
