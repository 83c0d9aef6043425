"""Training: the recipe, the trainer, initial weights, checkpoints and errors (Zeiler & Fergus 2013, §3)."""
