"""The recipe of one network's training, as data (Zeiler & Fergus 2013, §3).

Every value is validated where it is read, so that an edition's file, a trial in a notebook and a test say the
same things in the same words.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zfutils.runtime.devices import Precision

Initialisation = Literal["literal", "fan-in", "he", "small-first"]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """Settings that refuse unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Plateau(Strict):
    """When the rate is lowered: what is watched has not fallen for `patience` epochs."""

    factor: Share = Field(description="the rate is multiplied by this")
    patience: int = Field(ge=1, description="epochs without a new best")
    drops: int = Field(ge=0, description="how often; the next plateau ends the training")
    of: Literal["held-out error", "training loss"] = Field(
        "held-out error", description="what is watched; the paper lowers the rate by the former"
    )
    least: float = Field(0.0, ge=0, description="it must fall by more than this to have fallen")


class Phases(Strict):
    """When the rate is lowered: after fixed shares of the epochs, so that all networks train equally long."""

    factor: Share = Field(description="the rate is multiplied by this from phase to phase")
    shares: tuple[Share, ...] = Field(min_length=2, description="of the epochs, phase by phase")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"shares of the epochs add up to 1, not to {sum(self.shares):g}")
        return self

    def phase(self, epoch: int, epochs: int) -> int:
        """In which phase, from 0, an epoch lies, counted from 1."""
        bounds = [round(epochs * sum(self.shares[: k + 1])) for k in range(len(self.shares) - 1)]
        return sum(epoch > bound for bound in bounds)


class Training(Strict):
    """The recipe of one network (Zeiler & Fergus 2013, §3)."""

    epochs: int = Field(ge=1, description="at most, where a plateau after the last drop may end earlier")
    batch: int = Field(128, ge=1)
    rate: float = Field(gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    decay: float = Field(0.0, ge=0, description="weight decay; the paper states none")
    input_scale: float = Field(gt=0, description="centred pixels are multiplied by this; the paper's is 1")
    initialisation: Initialisation
    radius: float | None = Field(
        0.1, gt=0, description="RMS a filter is scaled back to, at input_scale 1; null: never"
    )
    norm_alpha: float = Field(1e-4, ge=0, description="alpha of the contrast norm")
    held_out: Share = Field(
        0.05, description="share of the training images that decides when to lower the rate"
    )
    plateau: Plateau | None = Field(None, description="lowers the rate and ends the training; or phases")
    phases: Phases | None = Field(None, description="lower the rate after fixed shares of the epochs")
    snapshots: tuple[Count, ...] = Field(
        (), description="epochs whose weights are kept; 0 is before training"
    )
    precision: Precision = "auto"
    may_die: bool = Field(
        False, description="a training that no longer learns goes on, and its record says since when"
    )

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        if (self.plateau is None) == (self.phases is None):
            raise ValueError("the rate is lowered by plateau or by phases; give one of them")
        return self
