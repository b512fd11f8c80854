"""`TrainedModel`: a trained network with all that later steps need, and its file.

The file is safetensors with JSON under the metadata key `systopack_model`, and sealed: what was
changed since it was written is refused (`systopack.sealed`). Nothing in it is executable; tensors
are checked against the architecture before use.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from systopack.codec import LongText, from_plain, to_plain
from systopack.errors import InvalidFileError, InvalidNetworkError
from systopack.fields import MalformedError
from systopack.files import read_file, write_atomically
from systopack.frontend.capture import capture
from systopack.frontend.graph import LayerGraph
from systopack.frontend.graph_file import PREFIX, check_graph, graph_from_json, graph_to_json
from systopack.frontend.module import GraphModule
from systopack.frontend.weights import filter_matrix
from systopack.names import check_names
from systopack.nn import zoo
from systopack.sealed import check_seal, sealed
from systopack.tensor_bytes import texts_of
from systopack.training.events import EpochResult
from systopack.training.groups import (
    BandGroups,
    LayerGroups,
    groups_misfit,
    layers_of_module,
    weights_misfit,
)

MODEL_VERSION = 1
_KEY = "systopack_model"
_LARGEST_DEVIATION = 1e5  # also the largest mean; the smallest deviation is its reciprocal
_DISPLACEMENT_LIMIT = 255  # of a shift; that of the padding it becomes


@dataclass(frozen=True, kw_only=True, eq=False)
class _Header:
    """The JSON of a file without the layers of an imported model; fields as in `TrainedModel`."""

    model_version: int
    architecture: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    groups: dict[str, tuple[BandGroups, ...]] | None
    gaps: dict[str, LongText]
    history: tuple[dict[str, Any], ...]
    provenance: dict[str, Any]


_SHARED = tuple(item.name for item in fields(_Header))[1:]  # with `TrainedModel`


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """Weights, how their images are normalised, and the column groups if there are any.

    Args:
        architecture: name in the zoo; of an imported model where it came from.
        class_names: one per logit.
        mean, std: per channel, of pixels divided by 255.
        state: the state dict, on the CPU.
        groups: layer name -> its row bands and their column groups; None: not combined.
        gaps: layer name -> its groups against the lower bound, as text.
        history: one entry per epoch: phase, loss, accuracies, nonzeros, packed cells ...
        provenance: settings, data and seeds by which it was made.
        graph: the layers of an imported model; None: the zoo knows the architecture.
        source: a module to train in place of the graph, where only a part of the model could be
            captured; not saved, so that a loaded model of this kind has weights alone.
        left_out: what of the model could not be captured, as text; such a model is packed in
            part and cannot be quantized.

    Raises:
        InvalidNetworkError: the state does not fit the architecture, or holds NaN or infinity.
    """

    architecture: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    state: Mapping[str, Tensor]
    groups: LayerGroups | None = None
    gaps: Mapping[str, str] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    graph: LayerGraph | None = None
    source: nn.Module | None = None
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names([self.architecture, *self.class_names, *self.state], "of the model")
        if not len(self.mean) == len(self.std) == self.input_shape[0] or min(self.std) <= 0:
            raise InvalidNetworkError(
                f"The model has means {self.mean} and deviations {self.std}, but it needs one of "
                f"each, above 0, for its {self.input_shape[0]} channels."
            )
        deviations = max(*self.std, *(1 / value for value in self.std))
        if not max(*map(abs, self.mean), deviations) <= _LARGEST_DEVIATION:
            raise InvalidNetworkError(
                f"The model has means {self.mean} and deviations {self.std}, of pixels divided by "
                f"255; means lie within {_LARGEST_DEVIATION:g}, deviations between "
                f"{1 / _LARGEST_DEVIATION:g} and {_LARGEST_DEVIATION:g}."
            )
        for name, tensor in self.state.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise InvalidNetworkError(
                    f"Tensor '{name}' of the model holds NaN or infinite values; train it again "
                    "with a smaller learning rate."
                )
            if name.endswith("running_var") and bool((tensor < 0).any()):
                raise InvalidNetworkError(
                    f"Tensor '{name}' of the model holds a negative variance; train it again."
                )
        if self.graph is None:
            self.to_module()
        elif not self.left_out:
            check_graph(self.graph, self.state)

    def __repr__(self) -> str:
        what = "dense" if self.groups is None else "combined"
        return (
            f"TrainedModel({self.architecture!r}, {what}, {len(self.class_names)} classes, "
            f"{len(self.history)} epochs)"
        )

    @property
    def input_shape(self) -> zoo.Shape:
        """(channels, height, width) of the images it reads."""
        if self.graph is not None:
            return self.graph.input_shape
        return zoo.entry(self.architecture).input_shape

    def to_module(self) -> nn.Module:
        """Build the torch module and load the weights into it.

        Raises:
            InvalidNetworkError: the weights do not fit, or only a part of the model is known.
        """
        if self.source is not None:
            module = deepcopy(self.source)
            module.load_state_dict(dict(self.state))
            return module
        if self.graph is not None:
            self._check_whole()
            return GraphModule(self.graph, self.state)
        module = zoo.build(self.architecture, classes=len(self.class_names))
        _check_types(module.state_dict(), self.state)
        try:
            # States written by others may lack the batch counters, which nothing reads.
            missing, unexpected = module.load_state_dict(dict(self.state), strict=False)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise InvalidNetworkError(
                f"The weights do not fit the model '{self.architecture}': {reason[:300]}."
            ) from error
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        if missing or unexpected:
            what = f"lack '{missing[0]}'" if missing else f"have the unknown '{unexpected[0]}'"
            raise InvalidNetworkError(
                f"The weights {what}, so they do not fit the model '{self.architecture}'; choose "
                "the model they were trained with."
            )
        return module

    def capture(self) -> LayerGraph:
        """The layers of the model.

        Raises:
            InvalidNetworkError: only a part of the model could be captured.
        """
        if self.graph is not None:
            self._check_whole()
            return self.graph
        return capture(self.to_module(), self.input_shape)

    def _check_whole(self) -> None:
        if self.left_out:
            raise InvalidNetworkError(
                f"Only a part of the model '{self.architecture}' is packed ({self.left_out[0]}), "
                "so it cannot be run here; export its weights with 'systopack export --format "
                "state-dict' and load them into the model's own class."
            )

    def save(self, path: Path | str) -> None:
        """Write the model atomically to one file."""
        from safetensors.torch import save

        header = to_plain(
            _Header(
                model_version=MODEL_VERSION,
                **{name: getattr(self, name) for name in _SHARED},
            )
        )
        tensors = {name: tensor.contiguous() for name, tensor in self.state.items()}
        if self.graph is not None:
            header["graph"], arrays = graph_to_json(self.graph)
            header["left_out"] = self.left_out
            tensors |= arrays
        write_atomically(path, sealed(save(tensors, metadata={_KEY: json.dumps(header)})))


def load_model(path: Path | str) -> TrainedModel:
    """Read a model written by `TrainedModel.save`.

    Raises:
        InvalidFileError: missing, damaged, of a newer version, or not such a file.
        InvalidNetworkError: the weights are not finite or do not fit the architecture.
    """
    header, tensors = read_safetensors(path, key=_KEY, what="a trained model (.safetensors)")
    if header.get("model_version") != MODEL_VERSION:
        raise InvalidFileError(
            f"'{path}' has model version {header.get('model_version')}, but this systopack reads "
            f"version {MODEL_VERSION}; update systopack or train again."
        )
    try:
        return _model_from(header, tensors)
    except MalformedError as error:
        raise InvalidFileError(
            f"'{path}' is not a trained model as it should be ({error}); train or import it again."
        ) from error


def _model_from(header: dict[str, Any], tensors: Mapping[str, Tensor]) -> TrainedModel:
    """The model of a header and tensors, every field of exactly its type."""
    graph, state, left_out = None, dict(tensors), ()
    if "graph" in header:
        graph = graph_from_json(header.pop("graph"), tensors)
        state = {name: tensor for name, tensor in tensors.items() if not name.startswith(PREFIX)}
        left_out = from_plain(tuple[str, ...], header.pop("left_out", None), "'left_out'")
    plain: _Header = from_plain(_Header, header, "the header")
    from_plain(tuple[EpochResult, ...], plain.history, "the history")
    model = TrainedModel(
        state=state,
        graph=graph,
        left_out=left_out,
        **{name: getattr(plain, name) for name in _SHARED},
    )
    _check_groups(model)
    return model


def _check_types(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Refuse tensors that loading would turn into numbers of another kind, and wild shifts."""
    for name, tensor in state.items():
        if name not in wanted:
            continue  # told by the loading
        floating = wanted[name].is_floating_point()
        if tensor.is_floating_point() != floating or (
            not floating and tensor.dtype != wanted[name].dtype
        ):
            raise InvalidNetworkError(
                f"Tensor '{name}' of the model is {tensor.dtype}, but {wanted[name].dtype} is "
                "needed; choose the file that the model was saved to."
            )
        if name.endswith("displacements") and tensor.numel():
            reach = int(tensor.long().abs().max())
            if reach > _DISPLACEMENT_LIMIT:
                raise InvalidNetworkError(
                    f"Tensor '{name}' of the model displaces by {reach:,}; the limit is "
                    f"{_DISPLACEMENT_LIMIT}."
                )


def _check_groups(model: TrainedModel) -> None:
    """Refuse column groups that cannot be those of the model's weights."""
    if model.groups is None:
        return
    if model.graph is not None:
        layers = model.graph.weighted_ops
        sizes = {op.name: (op.rows, len(op.columns)) for op in layers.values()}
        matrices = {
            op.name: filter_matrix(op, model.state[weight])
            for weight, op in layers.items()
            if weight in model.state
        }
    else:
        matrices = layers_of_module(model.to_module())
        sizes = {name: (matrix.shape[0], matrix.shape[1]) for name, matrix in matrices.items()}
    reason = groups_misfit(model.groups, sizes) or weights_misfit(model.groups, matrices)
    if reason is not None:
        raise MalformedError(reason)


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """The sha256 of names, types, shapes and bytes of a state dict, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_safetensors(
    path: Path | str, *, key: str, what: str
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a sealed safetensors file with a JSON header under a metadata key.

    Raises:
        InvalidFileError: missing, damaged, or without that key.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = read_file(path, what=what)
    check_seal(content, name=path, what=what)
    try:
        tensors = load(content)
        header = json.loads(texts_of(content)[key])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidFileError(
            f"'{path}' is damaged or not {what} made by systopack; make it anew or copy it again."
        ) from error
    if not isinstance(header, dict):
        raise InvalidFileError(f"'{path}' is damaged: its header is no JSON object.")
    return header, tensors
