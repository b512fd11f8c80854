"""Open a model of any kind as a `TrainedModel`: ours, a callable, a program, ONNX, the zoo's."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from systopack.data.batches import normalised
from systopack.errors import (
    InvalidFileError,
    InvalidNetworkError,
    InvalidOptionError,
    SystopackError,
    one_line,
)
from systopack.files import open_file, read_file
from systopack.frontend.capture import Captured, capture_parts, capture_whole, check_kind
from systopack.frontend.comparison import compare, logits_of, random_images, read_lines, run_model
from systopack.frontend.effective import float_copy, with_effective_weights
from systopack.frontend.reading.state import RefusedError
from systopack.frontend.steps import Steps
from systopack.nn import zoo
from systopack.training.model import TrainedModel, load_model

FORMS = (
    "a model file (.safetensors), module:function, a program (.pt2), an .onnx file or a zoo name"
)
_PICKLES = (".pth", ".pt", ".pkl", ".ckpt", ".bin", ".tar")


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What a model of others does not tell.

    Args:
        input_shape: (channels, height, width) of the images; None: as the file or the data tell.
        mean, std: per channel, of pixels divided by 255, as the model was trained.
        weights: state dict (.safetensors) for a zoo name or a callable.
        partial: pack the layers that can be, where not all of the model can be lowered.
    """

    input_shape: zoo.Shape | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    weights: Path | None = None
    partial: bool = False


def open_model(
    model: str | nn.Module,
    *,
    options: ImportOptions,
    class_names: Sequence[str] | None = None,
    images: NDArray[np.uint8] | None = None,
) -> TrainedModel:
    """Open a model; an imported one is compared with its original, on random and real images.

    Args:
        model: `FORMS`; or a module.
        class_names: one per logit; None: numbers.
        images: real images to compare on, shape (B, C, H, W); None: random ones alone.

    Raises:
        InvalidOptionError: there is no such model, or an option is missing.
        InvalidFileError: the file is damaged, or would have to be unpickled.
        InvalidNetworkError: an operation cannot be lowered, by name; or what was captured does not
            compute what the model computes.
    """
    told = _Told(options=options, class_names=class_names, images=images)
    if isinstance(model, nn.Module):
        check_kind(model)
        return _opened(type(model).__name__, float_copy(model), None, 2, told)
    path = Path(model)
    if path.suffix == ".safetensors":
        return load_model(path)
    if path.suffix in _PICKLES:
        raise InvalidFileError(
            f"'{model}' is a Python pickle, which can run code when it is read; save the state "
            "dict with safetensors.torch.save_file, and give module:function --weights FILE, or "
            "save the program with torch.export.save (.pt2)."
        )
    name = model.removeprefix("zoo:")
    if name in zoo.ZOO:
        return _from_zoo(name, options, class_names)
    if path.suffix in (".pt2", ".onnx") and options.weights is not None:
        raise InvalidOptionError(
            f"'{model}' holds its own weights; give --weights only with module:function or a zoo "
            "name."
        )
    if path.suffix == ".pt2":
        from systopack.frontend.program_file import load_program

        module, shape, batch = load_program(path)
        return _opened(path.name, module, shape, batch, told)
    if path.suffix == ".onnx":
        from systopack.frontend.onnx_file import load_onnx

        try:
            module, shape = load_onnx(path, input_shape=told.shape, partly=options.partial)
        except RefusedError as error:
            try:
                module, shape = load_onnx(path, input_shape=told.shape, partly=True)
            except SystopackError:
                raise error from None
            _advise(error, _Original(label=path.name, module=module, shape=shape, batch=2))
            raise
        return _opened(path.name, module, shape, 2, told)
    if ":" not in model:
        raise InvalidOptionError(f"There is no model '{model}'; give {FORMS}.")
    return _opened(model, _call(model), None, 2, told)


def check_there(model: str) -> None:
    """Find out before any data are decoded whether a model is there.

    Raises:
        SystopackError: there is none of that name, or its file cannot be read.
    """
    suffix = Path(model).suffix
    if suffix in (".onnx", ".pt2"):
        open_file(model, what=f"a model ({suffix})").close()
    elif suffix == ".safetensors" or (":" not in model and model not in zoo.ZOO):
        if Path(model).is_dir():
            raise InvalidOptionError(f"'{model}' is a folder; give {FORMS}.")
        open_model(model, options=ImportOptions())


def _opened(
    label: str,
    module: nn.Module,
    shape: zoo.Shape | None,
    batch: int,
    told: _Told,
) -> TrainedModel:
    """A module of others as a model; `shape` where the file tells."""
    options = told.options
    if options.weights is not None:
        _load_weights(module, options.weights)
    shape = shape or told.shape
    if options.input_shape is not None and shape != options.input_shape:
        raise InvalidOptionError(
            f"'{label}' reads images of {shape}, but --input-shape is {options.input_shape}; leave "
            "the option out, since the file tells."
        )
    if shape is None:
        raise InvalidOptionError(
            f"The size of the images that '{label}' reads is not known; give it, for instance "
            "--input-shape 3x32x32."
        )
    module = _alone(module.eval())
    read_lines(module, shape, batch)
    original = _Original(label=label, module=module, shape=shape, batch=batch)
    return _imported(original, options, told.class_names, told.images)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Told:
    """What the user and the data tell of a model of others; see `open_model`."""

    options: ImportOptions
    class_names: Sequence[str] | None
    images: NDArray[np.uint8] | None

    @property
    def shape(self) -> zoo.Shape | None:
        """The size of the images."""
        if self.options.input_shape is not None or self.images is None:
            return self.options.input_shape
        return self.images.shape[1], self.images.shape[2], self.images.shape[3]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Original:
    """A model of others: its name, itself, (C, H, W), and how many images it takes at once."""

    label: str
    module: nn.Module
    shape: zoo.Shape
    batch: int


def _imported(
    original: _Original,
    options: ImportOptions,
    class_names: Sequence[str] | None,
    images: NDArray[np.uint8] | None,
) -> TrainedModel:
    label, given = original.label, original.module
    shape, batch = original.shape, original.batch
    mean, std = _normalization(label, options, shape[0])
    module = with_effective_weights(given)
    whole: Captured | None = None
    left_out: tuple[str, ...] = ()
    try:
        whole = capture_whole(module, shape, batch=batch)
        graph, state = whole.graph, dict(whole.state)
    except InvalidNetworkError as error:
        if not options.partial:
            _advise(error, original)
            raise
        graph, refusals = capture_parts(module, shape, batch=batch)
        state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        left_out = tuple(str(refusal) for refusal in refusals) or (str(error),)
    with torch.inference_mode():
        classes = run_model(module, torch.zeros(batch, *shape)).numel() // batch
    names = tuple(class_names or (str(index) for index in range(classes)))
    if len(names) != classes:
        raise InvalidOptionError(
            f"'{label}' tells {classes} classes apart, but the data set has {len(names)}; give "
            "the data it was trained on."
        )
    if images is not None and images.shape[1:] != shape:
        raise InvalidOptionError(
            f"'{label}' reads images of {shape}, but the data set has {images.shape[1:]}; give "
            "the data it was trained on."
        )
    if whole is not None:
        # The model as it was given, with its masks and norms, against what is left of it.
        compared = [] if module is given else [random_images(batch, shape, 1.0, seed=1)]
        if images is not None and len(images) >= batch:
            real = normalised(images, mean=mean, std=std)
            compared.append(real[: len(real) // batch * batch])
        for some in compared:
            rounded = module is not given or bool(whole.computed)
            compare(given, graph, some, state=state, batch=batch, rounded=rounded)
    spare = [] if whole is None else _in_no_layer(module, whole)
    graph, mean, std = graph.with_normalisation(mean, std)
    remarks = list(getattr(module, "remarks", ()) if isinstance(module, Steps) else ())
    remarks += [] if whole is None else _copies(whole)
    return TrainedModel(
        architecture=label,
        class_names=names,
        mean=mean,
        std=std,
        state=state,
        graph=graph,
        source=module if left_out else None,
        left_out=left_out,
        provenance={"imported": label, "in_no_layer": spare, "remarks": remarks},
    )


def _advise(error: InvalidNetworkError, original: _Original) -> None:
    """Raise the error with the advice to import the model with `partial`, where that works."""
    if isinstance(error, RefusedError) and _partial_helps(original):
        raise InvalidNetworkError(
            f"{str(error).rstrip('.')} (or pack the other layers with --partial)."
        ) from error


def _partial_helps(original: _Original) -> bool:
    """Whether the model could be imported with `partial`."""
    try:
        module = with_effective_weights(original.module)
        capture_parts(module, original.shape, batch=original.batch)
        with torch.inference_mode():
            logits_of(module(torch.zeros(original.batch, *original.shape)))
    except (Exception, SystemExit):  # the model's own code runs here
        return False
    return True


def _copies(whole: Captured) -> list[str]:
    """A sentence for each weight that the model uses once more."""
    weights = [name for name in whole.copies if name in whole.graph.weighted_ops]
    return [
        f"'{name}' is a copy of '{whole.copies[name]}', which the model uses more than once; each "
        "use is packed by itself, so the model's own class cannot take the weights back."
        for name in weights
    ]


def _in_no_layer(module: nn.Module, whole: Captured) -> list[str]:
    """Names of the parameters that change no logit, of a model that is captured as a whole."""
    graph = whole.graph
    used = {name for op in graph.matrix_ops for name in op.parameters}
    used |= set(graph.scaling.parameters if graph.scaling is not None else ())
    used |= {*whole.copies, *whole.copies.values()}
    used |= {name for names in whole.computed.values() for name in names}
    names: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [same[0] for same in names.values() if not used.intersection(same)]


def _alone(module: nn.Module) -> nn.Module:
    """The module, returning its logits alone; its names stay."""
    module.register_forward_hook(lambda _, __, result: logits_of(result))
    return module


def _normalization(
    label: str, options: ImportOptions, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if options.mean is None or options.std is None:
        raise InvalidOptionError(
            f"'{label}' does not say how its images are normalised; give --mean and --std, one "
            "number a channel, of pixels divided by 255 (0 and 1 where it reads them as they are)."
        )
    mean, std = (
        value * channels if len(value) == 1 else value for value in (options.mean, options.std)
    )
    if len(mean) != channels or len(std) != channels or min(std) <= 0:
        raise InvalidOptionError(
            f"--mean has {len(mean)} and --std {len(std)} numbers, but the images have {channels} "
            "channels; give one number, or one a channel, each --std above 0."
        )
    return mean, std


def _from_zoo(name: str, options: ImportOptions, class_names: Sequence[str] | None) -> TrainedModel:
    if options.weights is None:
        raise InvalidOptionError(
            f"The zoo's '{name}' has no trained weights; train it with 'systopack train {name}', "
            "or give a state dict with --weights FILE.safetensors."
        )
    mean, std = _normalization(name, options, zoo.entry(name).input_shape[0])
    if class_names is None:
        raise InvalidOptionError(f"Give the data that '{name}' was trained on with --data.")
    return TrainedModel(
        architecture=name,
        class_names=tuple(class_names),
        mean=mean,
        std=std,
        state=_read_weights(options.weights),
    )


def _call(model: str) -> nn.Module:
    """The module that a callable of the user's gives; it runs the user's own code, as named."""
    place, _, name = model.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        function = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InvalidOptionError(
            f"'{model}' cannot be imported ({one_line(error)}); give module:function, with the "
            "module in the present folder or installed."
        ) from error
    except (Exception, SystemExit) as error:  # the user's own code
        raise InvalidOptionError(
            f"The module '{place}' stops with {type(error).__name__} while it is imported "
            f"({one_line(error)}); mend it, or give another."
        ) from error
    module = function
    if callable(function) and not isinstance(function, nn.Module):
        try:
            module = function()
        except (Exception, SystemExit) as error:  # the user's own code
            raise InvalidOptionError(
                f"'{model}' stops with {type(error).__name__} when it is called without arguments "
                f"({one_line(error)}); give a function that needs none, for instance one that "
                "calls it with those of your model."
            ) from error
    if not isinstance(module, nn.Module):
        raise InvalidOptionError(
            f"'{model}' gives a {type(module).__name__}; it must return a torch.nn.Module when it "
            "is called without arguments."
        )
    check_kind(module)
    return module.cpu().float()


def _load_weights(module: nn.Module, path: Path) -> None:
    try:
        module.load_state_dict(_unmasked(_read_weights(path), module.state_dict().keys()))
    except SystopackError:
        raise
    except Exception as error:  # torch's checks, and the hooks of the user's own classes
        raise InvalidNetworkError(
            f"The weights of '{path}' do not fit the model: {one_line(error, limit=300)}."
        ) from error


def _unmasked(state: dict[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """A state with the masks of torch.nn.utils.prune applied, for a model that has none."""
    for mask in [name for name in state if name.endswith("_mask")]:
        name = mask.removesuffix("_mask")
        if mask not in wanted and name in wanted and f"{name}_orig" in state:
            state[name] = state.pop(f"{name}_orig") * state.pop(mask)
    return state


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    if path.suffix != ".safetensors":
        raise InvalidOptionError(
            f"--weights is '{path}', but only .safetensors files are read; save the state dict "
            "with safetensors.torch.save_file."
        )
    try:
        return load(read_file(path, what="a state dict (.safetensors)"))
    except (SafetensorError, KeyError, ValueError, RuntimeError, OverflowError) as error:
        raise InvalidFileError(
            f"'{path}' is damaged or no .safetensors file; save it again."
        ) from error
