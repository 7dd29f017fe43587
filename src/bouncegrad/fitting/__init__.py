"""Training: how a model is trained, stage by stage. `stages.py` is the recipe."""
