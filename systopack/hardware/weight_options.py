"""The options of a weight memory that does not hold all weights."""

from __future__ import annotations

from typing import Any, Literal

from systopack.options import Options, option, refuse_idle


class WeightOptions(Options):
    """The memory of a tiled accelerator's weights."""

    weight_memory: int | None = option(
        None,
        "Bytes that the weight memory of the tiled accelerator may have; tiles that do not fit "
        "come as a stream while the array works.",
        ge=1,
        shown_default="it holds all weights",
        group="Array",
    )
    weight_stream: Literal["32", "64", "128"] = option(
        "64", "Bits of the stream of weights.", group="Array"
    )

    def check_weights(self) -> None:
        """Refuse bits of a stream that there is not.

        Raises:
            InvalidOptionError: they were given without a memory.
        """
        if self.weight_memory is None:
            why = "without --weight-memory no weights are streamed"
            refuse_idle(self.given, ("weight_stream",), why)

    @property
    def weights(self) -> dict[str, Any]:
        """What the verbs of `api.hardware` take.

        Raises:
            InvalidOptionError: see `check_weights`.
        """
        self.check_weights()
        return {"weight_memory": self.weight_memory, "weight_stream": int(self.weight_stream)}
