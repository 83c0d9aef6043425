"""Accuracies given by hand, as `probing.probe` gives them."""


def probed(network, layer, classifier, accuracies, *, held_out=0.5):
    """One row a fold and step; accuracies by step."""
    where = {"network": network, "layer": layer, "classifier": classifier, "held_out": held_out, "C": 1.0}
    return [
        {**where, "per_class": n, "fold": fold, "accuracy": value}
        for n, values in accuracies.items()
        for fold, value in enumerate(values)
    ]
