"""What the filters of layer 1 look like, in numbers (Zeiler & Fergus 2013, §3, §4.1 and Fig. 6 a-c).

The paper judges its first layer by eye: one filter dominates, some are dead, frequencies are missing. Here
each becomes a number. The one idea: a filter's power spectrum says which frequencies it takes, in cycles
per pixel of the image, where 0.5 is the highest along an axis.
"""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.inputs import Inputs
from zfutils.nets.activations import activations
from zfutils.nets.layers import layers_of
from zfutils.runtime.devices import to_host
from zfutils.runtime.seeds import mixed
from zfutils.stats.intervals import Interval, bootstrap_interval

PADDED = 64  # side that filters are zero-padded to before their spectrum is taken
HIGH = 0.3  # cycles per pixel; beyond it lies 72 % of white noise, little of an edge
MIDDLE = (22.4, 56.0)  # cycles per picture, both included: 0.1 to 0.25 per pixel of the paper's 224
MANY = 1024  # noise filters, so many that their own shares are known to a point or two
BLANK = 0.25  # of the layer's median filter RMS
SILENT = 0.01  # of the layer's median greatest response


def power_spectra(
    weight: Float[Tensor, "maps channels k k"], *, size: int = PADDED
) -> Float[Tensor, "maps size size"]:
    """Power spectrum of every filter: zero-padded, summed over colours, the mean kept.

    Args:
        weight: filters.
        size: side that they are padded to (pixels); the spectrum's step is 1 / size cycles per pixel.

    Returns:
        Squared magnitudes in the order of `torch.fft.fft2`, frequency 0 first.

    Raises:
        ValueError: not four dimensions, or the filters are larger than `size`.
    """
    if weight.ndim != 4 or max(weight.shape[2:]) > size:
        raise ValueError(
            f"filters are (maps, channels, k, k) with k at most {size}, not {tuple(weight.shape)}"
        )
    return torch.fft.fft2(weight.detach().cpu().double(), s=(size, size)).abs().square().sum(1)


def radial_frequency(size: int = PADDED) -> Float[Tensor, "size size"]:
    """Distance from frequency 0 of every entry of a spectrum (cycles per pixel)."""
    along = torch.fft.fftfreq(size, dtype=torch.float64)
    return torch.hypot(along[:, None], along)


def radial_average(weight: Float[Tensor, "maps channels k k"]) -> pd.DataFrame:
    """Mean power on rings around frequency 0, each filter scaled to a mean power of 1 over the whole plane.

    Returns:
        Columns filter, frequency (cycles per pixel, step 1 / 64), power. White noise is 1 everywhere.
        A filter of zeros has power 0.
    """
    spectra = power_spectra(weight).flatten(1)
    spectra = spectra / spectra.mean(1, keepdim=True).clamp(min=torch.finfo(spectra.dtype).tiny)
    ring = (radial_frequency().flatten() * PADDED).round().long()
    power = torch.zeros(len(spectra), int(ring.max()) + 1, dtype=spectra.dtype)
    power.index_add_(1, ring, spectra).div_(torch.bincount(ring))
    maps, rings = power.shape
    return pd.DataFrame(
        {
            "filter": np.repeat(np.arange(maps), rings),
            "frequency": np.tile(np.arange(rings) / PADDED, maps),
            "power": power.flatten().numpy(),
        }
    )


def greatest_responses(model: nn.Module, inputs: Inputs, *, batch: int = 32) -> Float[np.ndarray, " maps"]:
    """Greatest response of every layer-1 filter (the ReLU's output) over images and positions.

    Args:
        model: a chain that begins with a convolution and its ReLU.
        inputs: the images; a filter called silent should have been shown 1,000 at least.
        batch: images at a time.
    """
    name = next(iter(layers_of(model)))
    peaks = [seen.layers[name].amax((0, 2, 3)) for seen in activations(model, inputs, [name], batch=batch)]
    return to_host(torch.stack(peaks).amax(0).relu())


def dead_filters(rms: Float[np.ndarray, " maps"], responses: Float[np.ndarray, " maps"]) -> pd.DataFrame:
    """Which filters of a layer are dead, by a rule that was fixed before anything was trained.

    Args:
        rms: of every filter's weights.
        responses: each filter's greatest response, as `greatest_responses` gives it.

    Returns:
        Columns blank (RMS below a quarter of the layer's median, or zero), silent (greatest response below
        1 % of the layer's median of that, or zero) and dead, which is either.

    Raises:
        ValueError: another number of responses than filters, or a response that is not finite.
    """
    if np.shape(responses) != np.shape(rms) or not np.isfinite(responses).all():
        raise ValueError(f"{len(rms)} filters need as many finite responses, got shape {np.shape(responses)}")
    rms, responses = np.asarray(rms, dtype=float), np.asarray(responses, dtype=float)
    blank = (rms < BLANK * np.median(rms)) | (rms == 0)
    silent = (responses < SILENT * np.median(responses)) | (responses <= 0)
    return pd.DataFrame({"blank": blank, "silent": silent, "dead": blank | silent})


def filter_table(
    weight: Float[Tensor, "maps channels k k"],
    responses: Float[np.ndarray, " maps"] | None = None,
    *,
    image: int | None = None,
) -> pd.DataFrame:
    """One row a filter: its size, its spectrum, and whether it is dead.

    Args:
        weight: a layer's filters.
        responses: each filter's greatest response, as `greatest_responses` gives it; without it
            nothing is said of dead filters.
        image: side of the pictures that the filters work on (pixels); without it nothing is said of the
            middle frequencies, which are a picture's.

    Returns:
        Columns filter, rms, energy (sum over the spectrum), peak_frequency (distance of the spectrum's
        greatest entry from 0, cycles per pixel), high_share (share of the energy above 0.3 cycles per
        pixel), high_share_unpadded (the same at the filter's own k × k frequencies). With image also middle:
        the peak lies between 22.4 and 56 cycles per picture. With responses also response and the columns of
        `dead_filters`. A filter of zeros has no peak and no share: NaN.

    Raises:
        ValueError: another number of responses than filters, or a response that is not finite.
    """
    spectra, radius = power_spectra(weight).flatten(1), radial_frequency().flatten()
    k = weight.shape[-1]
    own, own_radius = power_spectra(weight, size=k).flatten(1), radial_frequency(k).flatten()
    energy = spectra.sum(1)
    rms = filter_rms(weight).cpu().double()
    table = pd.DataFrame(
        {
            "filter": np.arange(len(rms)),
            "rms": rms.numpy(),
            "energy": energy.numpy(),
            "peak_frequency": radius[spectra.argmax(1)].masked_fill(energy == 0, torch.nan).numpy(),
            "high_share": (spectra[:, radius > HIGH].sum(1) / energy).numpy(),
            "high_share_unpadded": (own[:, own_radius > HIGH].sum(1) / own.sum(1)).numpy(),
        }
    )
    if image is not None:
        table["middle"] = (table["peak_frequency"] * image).between(*MIDDLE)
    if responses is None:
        return table
    dead = dead_filters(table["rms"].to_numpy(), responses)
    return table.assign(response=np.asarray(responses, dtype=float), **dead)


def high_share_over_noise(weight: Float[Tensor, "maps channels k k"]) -> tuple[Interval, float, float]:
    """How much of noise's high frequencies a layer's filters have: 1 means as much, an edge has little.

    Filters of k × k pixels hold few frequencies, so a share of their energy says little by itself. White
    noise of the same size is the unit: it has the same power at each of the k × k. Padding would show a
    filter between these, and with the step from its border to the zeros around it: a flat 7×7 filter then
    has 7 % of its energy up there, and none without.

    Args:
        weight: a layer's filters, at least eight.

    Returns:
        The share of their energy above 0.3 cycles per pixel, not zero-padded, over the same share of noise,
        filters resampled; then the two shares.
    """
    table = filter_table(weight)
    share = bootstrap_interval(
        (table["high_share_unpadded"] * table["energy"]).fillna(0),
        table["energy"],
        statistic=_ratio_of_sums,
        paired=True,
        resampled="filters",
    )
    noise = float((radial_frequency(weight.shape[-1]) > HIGH).double().mean())
    return share.times(1 / noise), share.estimate, noise


def dominance(rms: Float[np.ndarray, " maps"], *, seed: int = 0) -> Interval:
    """RMS of the largest filter over the layer's median filter RMS; 1 means that none stands out.

    The other filters are resampled, for the median; the largest is what it is.

    Args:
        rms: every filter's, at least nine.

    Raises:
        ValueError: a median of 0.
    """
    ordered = np.sort(np.asarray(rms, dtype=float))
    if np.median(ordered) == 0:
        raise ValueError(
            "the median filter RMS is 0: over half of the filters are zeros, and nothing stands out"
        )

    def ratio(sample: np.ndarray, axis: int = -1) -> np.ndarray:
        return over_median(ordered[-1], sample, axis=axis)

    return bootstrap_interval(ordered[:-1], statistic=ratio, resampled="the other filters", seed=seed)


def over_median(
    one: float, others: Float[np.ndarray, "*n maps"], *, axis: int = -1
) -> Float[np.ndarray, "*n"]:
    """A filter's RMS over the median of its own and the others', along an axis."""
    whole = np.concatenate([others, np.full_like(others.take([0], axis), one)], axis)
    return one / np.median(whole, axis=axis)


def noise_filters(maps: int, kernel: int, *, seed: int = 0) -> Float[Tensor, "maps 3 k k"]:
    """Gaussian noise in the shape of filters: what a spectrum is by the filter's size alone."""
    generator = torch.Generator().manual_seed(mixed(seed, maps, kernel))
    return torch.randn(maps, 3, kernel, kernel, generator=generator)


def _ratio_of_sums(above: np.ndarray, below: np.ndarray, axis: int = -1) -> np.ndarray:
    return above.sum(axis=axis) / below.sum(axis=axis)


def filter_rms(weight: Float[Tensor, "maps channels k k"]) -> Float[Tensor, " maps"]:
    """Root mean square of every filter's weights."""
    return weight.detach().flatten(1).square().mean(1).sqrt()
