"""Every option of quantization, checked before anything starts."""

from __future__ import annotations

from typing import Literal

from systopack.options import option
from systopack.training.settings import DistillSettings

_QUANTIZATION, _TUNING = "Quantization", "Fine-tuning"
# Options that count only with epochs of fine-tuning.
TUNING = (
    *("batch_size", "momentum", "weight_decay", "label_smoothing", "learning_rate"),
    *("distill_weight", "distill_temperature", "cutmix", "resume"),
)


class QuantizeSettings(DistillSettings):
    """How to quantize; the optimizer's options count only with `epochs` above 0."""

    calibration_images: int = option(
        1000, "Training images that scales and ranges are chosen on.", ge=1, group=_QUANTIZATION
    )
    accumulator_bits: Literal[16, 32] = option(
        32, "Width of the accumulators.", group=_QUANTIZATION
    )
    weights: Literal["int", "power-of-two"] = option(
        "int",
        "int: integers. power-of-two: 0, +-1, +-2 .. +-64 and -128, for cells without a "
        "multiplier.",
        group=_QUANTIZATION,
    )
    weight_bits: int = option(
        8,
        "Bits of integer weights; fewer for arrays with as many weight_bits.",
        ge=2,
        le=8,
        group=_QUANTIZATION,
    )
    epochs: int = option(
        0,
        "Epochs of fake-quantized fine-tuning; 0: calibration alone.",
        ge=0,
        le=10_000,
        group=_TUNING,
    )
    learning_rate: float | None = option(
        None,
        "Peak of fine-tuning.",
        gt=0,
        le=100,
        shown_default="measured by a range test, at most 0.002",
        group=_TUNING,
    )
    weight_decay: float = option(0.0, "Weight decay of fine-tuning.", ge=0, le=1, group=_TUNING)

    @property
    def rounding(self) -> str:
        """Of the weights, a name of `rows.ROUNDINGS`."""
        return f"int{self.weight_bits}" if self.weights == "int" else self.weights
