"""What a network wants and what it gives, in one typed value: the same for detectors of this package and manifests."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from faceveil.detect.convention import Factors
from faceveil.detect.families.choice import AnyFamily
from faceveil.types import FACE

CONFIG = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

Index = Annotated[int, Field(ge=0, le=4)]
Label = Annotated[str, Field(min_length=1, max_length=64)]


def _three(value: Any) -> Any:
    """One number for all three channels."""
    return (value,) * 3 if isinstance(value, int | float) and not isinstance(value, bool) else value


def _several(value: Any) -> Any:
    """One word as a list of one."""
    return (value,) if isinstance(value, str) else value


Three = Annotated[tuple[float, float, float], BeforeValidator(_three, json_schema_input_type=float | list[float])]
Names = Annotated[
    tuple[str, ...], BeforeValidator(_several, json_schema_input_type=str | list[str]), Field(min_length=1)
]
Labels = Annotated[
    tuple[Label | None, ...] | dict[Annotated[int, Field(ge=0)], Label],
    BeforeValidator(_several, json_schema_input_type=str | list[str | None] | dict[int, str]),
    Field(min_length=1),
]


class Input(BaseModel):
    """How a network wants its pictures. Whether it takes one size or any is read from its file."""

    model_config = CONFIG

    colours: Literal["rgb", "bgr"] = "rgb"
    """The order of the channels."""
    mean: Three = (0, 0, 0)
    """What is subtracted from samples of 0 to 255, for each channel in the network's order or for all."""
    std: Three = (1, 1, 1)
    """What they are divided by afterwards."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    """Channels before or after the rows."""
    step: int = Field(32, ge=1, le=512)
    """Where any size is taken: its sides must be multiples of this."""
    free: bool = False
    """Take any size, though the file declares one: for graphs without constants of that size."""
    fit: Literal["pad", "stretch"] = "pad"
    """Keep the picture's proportions and fill up at the right and below, or stretch it to the input."""
    fill: int = Field(0, ge=0, le=255)
    """The grey that fills up."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if 0 in self.std:
            raise ValueError("std must not be 0")
        return self


class Recipe(BaseModel):
    """How to run a network: its input, its family, and what becomes of its candidates."""

    model_config = CONFIG

    decoder: AnyFamily
    """The family of the network, with its settings."""
    input: Input = Input()
    """How it wants its pictures."""
    outputs: dict[str, Names] = {}
    """Names of its outputs by their role in the family; told by their order and shape where none are given."""
    landmarks: tuple[Index, Index, Index, Index, Index] | None = None
    """Which of its five points are the left and right eye, nose, left and right mouth corner, as seen in the picture;
    without it regions have no landmarks."""
    labels: Labels = (FACE,)
    """What its classes are, in order, null for those that do not matter; or some of them by number."""
    nms: float | None = Field(0.4, ge=0, le=1)
    """IoU from which two boxes are one thing; null where the network suppresses by itself."""
    voting: float | None = Field(None, ge=0, le=1)
    """A box becomes the mean of all that overlap it by more than this IoU; null: it stays as it is."""
    box: Factors = Factors()
    """What makes the boxes of its faces those of CenterFace; boxes of other things stay as they are."""

    @model_validator(mode="after")
    def _roles_are_known(self) -> Self:
        roles = self.decoder.roles
        if unknown := [role for role in self.outputs if role not in roles]:
            raise ValueError(f"outputs of '{self.decoder.family}' are {', '.join(roles)}, not '{unknown[0]}'")
        needed = [role for role in roles if role not in self.decoder.optional]
        if self.outputs and (missing := [role for role in needed if role not in self.outputs]):
            raise ValueError(f"outputs must name '{missing[0]}', too, or nothing")
        if self.landmarks is not None and sorted(self.landmarks) != list(range(5)):
            raise ValueError("landmarks must be the numbers 0 to 4 in some order")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """All that its regions may be, each once."""
        words = self.labels.values() if isinstance(self.labels, dict) else self.labels
        return tuple(dict.fromkeys(word for word in words if word is not None))
