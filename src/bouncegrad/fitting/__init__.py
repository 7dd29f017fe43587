"""How is a model trained, stage by stage? `stages.py` is the recipe."""
