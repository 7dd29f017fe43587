"""What lies in a run folder? Settings, provenance of the data, metrics and the checkpoint."""
