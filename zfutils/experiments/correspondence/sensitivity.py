"""What choices of ours could turn: tolerance of the sign, before or after pooling, grey (chapter 7)."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.experiments.correspondence.comparisons import EYES, NOSE, Comparison, over_mismatched
from zfutils.experiments.correspondence.consistency import Consistency
from zfutils.experiments.correspondence.faces import PARTS
from zfutils.experiments.correspondence.occluders import Occluders, grey
from zfutils.experiments.correspondence.sign_changes import TOLERANCE, sign_changes

HELD = {"eyes": EYES, "nose": NOSE}  # against mismatched parts


@dataclass(frozen=True)
class Setting:
    """How sign changes are measured; the defaults are those of the claims on layer 5."""

    tolerance: float = TOLERANCE  # of the face's largest activation; a smaller change is none
    layer: str = "relu5"
    level: int | None = None  # of the squares' grey, 0…255; None: the mean of the training pictures


REGISTERED = "as registered"
SETTINGS = {
    REGISTERED: Setting(),
    "tolerance 10⁻³": Setting(tolerance=1e-3),
    "tolerance 10⁻²": Setting(tolerance=1e-2),
    "after pooling": Setting(layer="pool5"),
    "grey of level 128": Setting(level=128),
}


def of_settings(
    models: Mapping[str, nn.Module],
    images: Float[Tensor, "n c side side"],
    squares: Occluders,
    like: Inputs,
    *,
    registered: Mapping[str, Consistency],
    seed: int = 0,
) -> dict[str, Mapping[str, Consistency]]:
    """Sign changes under the squares over parts, by setting and by network.

    Args:
        models: the trained network first, then that with random weights.
        images, squares: as for `sign_changes`; random places are left aside.
        like: images of a set, as the networks see them.
        registered: what was measured as registered, by the same names in the same order.
        seed: of the draws of faces.
    """
    parts = squares.of(squares.named(*PARTS))
    found: dict[str, Mapping[str, Consistency]] = {REGISTERED: registered}
    for name, setting in SETTINGS.items():
        if name == REGISTERED:
            continue
        how = {"layers": (setting.layer,), "tolerance": setting.tolerance}
        how["grey"] = grey(like, level=setting.level)
        found[name] = {
            network: Consistency(sign_changes(model, images, parts, **how), seed=seed)
            for network, model in models.items()
        }
    return found


def comparisons(found: Mapping[str, Mapping[str, Consistency]]) -> dict[tuple[str, str], Comparison]:
    """The same eyes and the same nose against mismatched parts, by setting and by what is covered."""
    compared = {}
    for name, networks in found.items():
        trained, random = networks.values()
        layer = SETTINGS[name].layer
        for held, parts in HELD.items():
            both = (over_mismatched(each, layer, parts) for each in (trained, random))
            compared[name, held] = Comparison(*both, trained)
    return compared


def changed(networks: Mapping[str, Consistency], setting: str) -> list[float]:
    """Share of units that change when a part is covered, mean over the parts, of each network."""
    layer = SETTINGS[setting].layer
    shares = (
        [each.values(layer, part, measure="changed")[0] for part in PARTS] for each in networks.values()
    )
    return [sum(own) / len(PARTS) for own in shares]
