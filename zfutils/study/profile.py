"""An edition of the study: one YAML file in `book/profiles/`, validated here and read nowhere else.

A key that is unknown, missing or out of range is refused with the file, the key and what is allowed. How a
file starts from another edition is said in `zfutils.study.editions`, what a section holds in
`zfutils.study.sections`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, model_validator

from zfutils.nets.scale import sides
from zfutils.study.editions import merged, read
from zfutils.study.sections import DigitNetworks, Images, Network, Pictures, Run, Small, Transfer
from zfutils.training.recipe import Strict, Training


class Profile(Strict):
    """One edition."""

    name: str
    about: str
    images: Images
    network: Network
    training: Training
    networks: dict[str, Run]
    small: Small | None = None
    transfer: Transfer | None = None
    digits: DigitNetworks | None = None
    pictures: Pictures = Pictures()
    speed_seconds: float = Field(5.0, gt=0, description="how long chapter 2 measures each speed")

    @model_validator(mode="after")
    def _backgrounds(self) -> Self:
        cued = [name for name, run in self.networks.items() if run.background != "independent"]
        if cued and self.images.source != "parts":
            raise ValueError(f"networks.{cued[0]}.background: only parts can be drawn before another one")
        if self.transfer and (self.transfer.target == "held-out") != (self.images.source == "parts"):
            raise ValueError(
                f"transfer.target {self.transfer.target!r} does not go with source {self.images.source!r}"
            )
        return self

    @model_validator(mode="after")
    def _sides(self) -> Self:
        """Networks to scale are there for some sizes of picture alone."""
        widths = {"images.crop": [run.network or self.network for run in self.networks.values()]}
        crops = {"images.crop": self.images.crop}
        if self.small:
            widths["small.images.crop"] = [self.small.network]
            crops["small.images.crop"] = self.small.images.crop
        for key, crop in crops.items():
            to_scale = any(width.geometry == "to scale" for width in widths[key])
            if to_scale and crop not in sides():
                allowed = ", ".join(map(str, sides()))
                raise ValueError(f"{key} is {crop} px; networks to scale take pictures of {allowed} px")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """The edition in a YAML file.

        Args:
            path: the file; `extends: NAME` in it starts from NAME.yaml beside it.

        Raises:
            FileNotFoundError: no such file; names the editions there are.
            ValueError: unknown, missing or wrong keys; names the file, each key and what is allowed.
        """
        data = {**read(path), "name": path.stem}
        common, networks = data.get("training"), data.get("networks")
        if isinstance(common, dict) and isinstance(networks, dict):
            data["networks"] = {n: merged({"training": common}, run or {}) for n, run in networks.items()}
        for section in ("small", "transfer", "digits"):
            if isinstance(common, dict) and isinstance(data.get(section), dict):
                data[section] = merged({"training": common}, data[section])
        small, transfer, digits = (data.get(section) for section in ("small", "transfer", "digits"))
        for group in ("networks", "faults"):
            if isinstance(digits, dict) and isinstance(digits.get(group), dict):
                own = {"base": "lenet5", "training": digits.get("training")}
                digits[group] = {n: merged(own, run or {}) for n, run in digits[group].items()}
        for group in ("settings", "filters", "pooling", "faults", "cheats"):
            if isinstance(small, dict) and isinstance(small.get(group), dict):
                own = {"training": small.get("training")}
                small[group] = {n: merged(own, run or {}) for n, run in small[group].items()}
        if isinstance(transfer, dict):
            if isinstance(transfer.get("source"), dict) and isinstance(small, dict):
                transfer["source"] = merged({"training": small.get("training")}, transfer["source"])
            if isinstance(transfer.get("fine_tuning"), dict):
                transfer["fine_tuning"] = merged(transfer.get("training"), transfer["fine_tuning"])
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            lines = [f"  {'.'.join(map(str, e['loc'])) or 'the whole'}: {_reason(e)}" for e in error.errors()]
            raise ValueError("\n".join([f"{path.name} is not a valid edition:", *lines])) from None


def _reason(error: Mapping[str, Any]) -> str:
    """What is wrong at one key, with what is allowed there."""
    if error["type"] == "extra_forbidden":
        return f"unknown key; allowed are {', '.join(_allowed(error['loc'][:-1]))}"
    nameless = error["type"] == "missing" or isinstance(error["input"], Mapping)
    return error["msg"].removeprefix("Value error, ") + ("" if nameless else f" (came: {error['input']!r})")


def _allowed(place: Sequence[int | str]) -> list[str]:
    """The keys that are allowed at a place of an edition; below a group of networks, the next is a name."""
    model: Any = Profile
    keys = iter(place)
    for key in keys:
        kinds = model.model_fields[key].annotation
        if get_origin(kinds) is dict:
            next(keys, None)
        model = next(k for k in (*get_args(kinds), kinds) if isinstance(k, type) and issubclass(k, BaseModel))
    return sorted({*model.model_fields, *(("extends",) if model is Profile else ())} - {"name"})
