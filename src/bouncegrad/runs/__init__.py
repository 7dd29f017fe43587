"""The files of a run folder: settings, provenance of the data, metrics and the checkpoint."""
