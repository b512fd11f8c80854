"""What an imported model is, and models written for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from systopack.api.learning import COMPARED_IMAGES
from systopack.api.sources import network_of
from systopack.errors import InvalidOptionError
from systopack.requirements import needs

if TYPE_CHECKING:
    from systopack.data.images import ImageData
    from systopack.training.model import TrainedModel

Format = Literal["state-dict", "onnx", "qonnx"]
SUFFIXES = {"state-dict": ".safetensors", "onnx": ".onnx", "qonnx": ".onnx"}


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What was found in a model of others.

    Args:
        architecture: where it came from.
        layers, layers_with_weights: captured.
        weights, dense_cells: of these layers.
        zeros: weights that are zero, for instance pruned ones.
        whole: whether the captured layers compute all that the model computes.
        left_out: what could not be captured, in sentences.
        in_no_layer: parameters that change no logit.
        remarks: what else should be known of how it was read, in sentences.
        right, images: training images that it has right.
    """

    architecture: str
    layers: int
    layers_with_weights: int
    weights: int
    dense_cells: int
    zeros: int
    whole: bool
    left_out: tuple[str, ...]
    in_no_layer: tuple[str, ...]
    remarks: tuple[str, ...]
    right: int
    images: int


def examine(model: TrainedModel, data: ImageData, *, fraction: float = 1.0) -> Imported:
    """What was captured of a model, and how many training images it has right.

    Args:
        model: from `load_model`.
        data: the images it was trained on.
        fraction: of them that may be read.
    """
    from systopack.data.split import training_part
    from systopack.training.session import predictions

    part = training_part(data, fraction=fraction, held_out=0, seed=0)
    images = part.train_images[:COMPARED_IMAGES]
    classes = predictions(model.to_module(), images, mean=model.mean, std=model.std)
    graph = model.graph if model.graph is not None else model.capture()
    return Imported(
        architecture=model.architecture,
        layers=len(graph.ops),
        layers_with_weights=len(graph.weighted_ops),
        weights=graph.dense_weights,
        dense_cells=graph.dense_cells,
        zeros=sum(int((model.state[name] == 0).sum()) for name in graph.weighted_ops),
        whole=model.graph is not None and not model.left_out,
        left_out=model.left_out,
        in_no_layer=tuple(model.provenance.get("in_no_layer", ())),
        remarks=tuple(model.provenance.get("remarks", ())),
        right=int((classes == part.train_labels[: len(images)]).sum()),
        images=len(images),
    )


def export(model: Path | str, out: Path | str, *, form: Format = "state-dict") -> None:
    """Write a model for other tools.

    Args:
        model: model file (.safetensors), or for "qonnx" a packed network (.spk or zoo:NAME).
        out: file to write.
        form: "state-dict" (masked weights under your own names), "onnx" (the same, as a graph) or
            "qonnx" (8 bit, for hls4ml and FINN).

    Raises:
        InvalidOptionError: the model is of another kind.
        InvalidFileError: it cannot be read, or the file not be written.
    """
    if form == "qonnx":
        if Path(model).suffix == ".safetensors":
            raise _other(model, form, ".spk", "quantize the model first")
        needs("onnx")
        from systopack.export.qonnx import write_qonnx

        write_qonnx(network_of(model), Path(out))
        return
    if Path(model).suffix != ".safetensors":
        raise _other(model, form, ".safetensors", "give the model before quantizing")
    needs("torch")
    from systopack.export.float_model import write_onnx, write_state_dict
    from systopack.training.model import load_model

    write = write_onnx if form == "onnx" else write_state_dict
    write(load_model(Path(model)), Path(out))


def _other(model: Path | str, form: str, wanted: str, step: str) -> InvalidOptionError:
    return InvalidOptionError(f"--format {form} reads {wanted} files, not '{model}'; {step}.")
