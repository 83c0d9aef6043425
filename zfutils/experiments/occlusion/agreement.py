"""Does a map's activity fall where its projection is? (Zeiler & Fergus 2013, §4.2, Fig. 7 b, c)

Both could follow the picture's own contrast, which is what a grey patch takes away. So the rank correlation
over positions is a partial one, the contrast under the patch given, and another picture's projection is the
control.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.experiments.occlusion.sliding_patch import Occlusion
from zfutils.runtime.devices import to_host
from zfutils.stats.comparisons import Comparison, with_others

UNDEFINED = 1e-9  # of the variance that the contrast leaves: below it nothing is left to correlate


def projection_energy(
    model: nn.Module, inputs: Inputs, found: Occlusion, *, batch: int = 32
) -> Float[np.ndarray, "n side side"]:
    """Energy, over colours, of the projection of the map that was followed: all its activations at once.

    The summed activation is what falls, so the whole map is projected, not its strongest activation alone.

    Args:
        model: the network.
        inputs: the pictures that were measured.
        found: what was measured on them, in their order.
        batch: pictures at a time.
    """
    deconvnet, energies, maps = Deconvnet(model), [], torch.from_numpy(found.maps)
    for view, part in zip(inputs.batches(batch), maps.split(batch), strict=True):
        energies.append(_energy(deconvnet.forward(view.images, found.layer).project_maps(part)))
    return np.concatenate(energies)


def contrast(inputs: Inputs) -> Float[np.ndarray, "n side side"]:
    """Energy, over colours, of what a grey patch takes away: the centred picture itself."""
    return np.concatenate([_energy(view.images) for view in inputs.batches(64)])


def _energy(images: Float[Tensor, "n channels h w"]) -> Float[np.ndarray, "n h w"]:
    return np.square(to_host(images), dtype=np.float64).sum(1)


def agreement(
    found: Occlusion,
    energy: Float[np.ndarray, "n side side"],
    *,
    given: Float[np.ndarray, "n side side"] | None = None,
) -> Comparison:
    """Spearman's correlation, over positions, of the activation's fall with an energy under the patch.

    Args:
        found: what was measured.
        energy: of each picture.
        given: another energy of each picture, which is held fixed: the correlation is the partial one.

    Returns:
        For each picture the correlation with its own energy, and its mean with the energies of the others. A
        picture in which nothing falls, or no energy varies, has none.

    Source: partial correlation of ranks, as in Kendall 1942.
    """
    falls, own = (_ranks(v) for v in (found.fall("activation"), found.patch.under(energy)))
    with_energy = falls @ own.T  # row: whose falls, column: whose energy
    if given is None:
        return with_others(with_energy)
    fixed = _ranks(found.patch.under(given))
    with_fixed, fixed_with_energy = (falls * fixed).sum(1)[:, None], fixed @ own.T
    left = (1 - with_fixed**2) * (1 - fixed_with_energy**2)
    left = np.where(left > UNDEFINED, left, np.nan)
    return with_others((with_energy - with_fixed * fixed_with_energy) / np.sqrt(left))


def steps(model: nn.Module, inputs: Inputs, found: Occlusion) -> dict[str, Comparison]:
    """`agreement` with the image's contrast, with the map's projection, and with that, contrast given.

    Args:
        model: the network.
        inputs: the pictures that were measured.
        found: what was measured on them, in their order.
    """
    by_contrast, own = contrast(inputs), projection_energy(model, inputs, found)
    return {
        "the image's contrast": agreement(found, by_contrast),
        "projection": agreement(found, own),
        "projection, contrast taken out": agreement(found, own, given=by_contrast),
    }


def _ranks(values: Float[np.ndarray, "n p q"]) -> Float[np.ndarray, "n pq"]:
    """Ranks over positions, centred and of length 1, so that products are correlations; NaN where all tie."""
    ranks = rankdata(values.reshape(len(values), -1), axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0)
