"""`load_model`, `train`, `combine`, `quantize`: from a model to a packed 8-bit network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systopack.api.sources import data_of, shown
from systopack.errors import InvalidOptionError
from systopack.options import refuse_idle, settings_from
from systopack.requirements import needs
from systopack.training.devices import DeviceOptions, is_main_process
from systopack.training.events import Observer, SilentObserver
from systopack.training.settings import CombineSettings, TrainSettings, check_combine
from systopack.training.settings import preset as settings_of_preset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from systopack.data.images import ImageData
    from systopack.data.split import TrainingPart
    from systopack.frontend.graph import LayerGraph
    from systopack.network.network import PackedNetwork
    from systopack.quantization.loss import QuantizationLoss
    from systopack.quantization.settings import QuantizeSettings
    from systopack.training.model import TrainedModel

    Data = ImageData | Path | str
    Model = TrainedModel | nn.Module | Path | str

COMPARED_IMAGES = 64  # real images on which an imported model is compared with its original
_HERE = DeviceOptions()
_SILENT = SilentObserver()


def load_model(
    model: Model,
    data: Data | None = None,
    *,
    fraction: float = 1.0,
    input_shape: tuple[int, int, int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    weights: Path | str | None = None,
    partial: bool = False,
) -> TrainedModel:
    """Open a model: systopack's own file, or any torch or ONNX model of others.

    A model of others is captured, and compared with its original on random and real images.

    Args:
        model: a torch module, `module:function`, a file (.safetensors, .pt2, .onnx), or the name
            of a model of the zoo with `weights`.
        data: the set that it was trained on: class names, and real images to compare on.
        fraction: of the training images that may be read.
        input_shape: (channels, height, width), where neither model nor data tell.
        mean, std: of pixels divided by 255, as it was trained: a number, or one per channel.
        weights: state dict (.safetensors) for `module:function`, a module or a zoo name.
        partial: pack the layers that can be, where not all can.

    Raises:
        SystopackError: see `training.importing.open_model`.
    """
    needs("torch")
    from systopack.data.split import training_part
    from systopack.training.importing import ImportOptions, open_model
    from systopack.training.model import TrainedModel
    from systopack.training.model import load_model as read_model

    options = ImportOptions(
        input_shape=input_shape,
        mean=_numbers(mean),
        std=_numbers(std),
        weights=None if weights is None else Path(weights),
        partial=partial,
    )
    own = isinstance(model, TrainedModel) or Path(str(model)).suffix == ".safetensors"
    if own and options != ImportOptions():
        raise InvalidOptionError(
            f"'{model}' knows its input, normalisation and weights; give --input-shape, --mean, "
            "--std, --weights and --partial only with a model of others."
        )
    if isinstance(model, TrainedModel):
        return model
    if own:
        return read_model(Path(str(model)))
    source = str(model) if isinstance(model, Path) else model
    if data is None:
        return open_model(source, options=options)
    images = data_of(data)
    part = training_part(images, fraction=fraction, held_out=0, seed=0)
    return open_model(
        source,
        options=options,
        class_names=images.class_names,
        images=part.train_images[:COMPARED_IMAGES],
    )


def check_model(model: str) -> None:
    """Find out before any data are decoded whether a model is there.

    Raises:
        SystopackError: there is none of that name, or its file cannot be read.
    """
    needs("torch")
    from systopack.training.importing import check_there

    check_there(model)


def train(
    model: str,
    data: Data = "sample",
    *,
    out: Path | str | None = None,
    fraction: float = 1.0,
    config: Path | None = None,
    resume: bool = False,
    devices: DeviceOptions = _HERE,
    observer: Observer = _SILENT,
    **settings: Any,
) -> TrainedModel:
    """Train a dense model of the zoo from fresh weights.

    Args:
        model: its name, for instance "lenet5-shift".
        data: the images.
        out: model file to write (.safetensors), with checkpoints beside it; None: none.
        fraction: class-balanced share of the training images to read.
        config: TOML file of settings; those given here win over it.
        resume: go on from the checkpoint of an interrupted run.
        devices: where to run.
        observer: follows the run.
        settings: see `training.settings.TrainSettings`.

    Raises:
        SystopackError: see `training.run.train`.
    """
    chosen = settings_from(TrainSettings, config, settings)
    needs("torch", "lightning_fabric")
    from systopack.training.run import train as run

    with place_of(out) as place:
        return run(
            model,
            data_of(data),
            settings=chosen,
            fraction=fraction,
            out=place,
            resume=resume,
            devices=devices,
            observer=observer,
        )


def combine_settings(
    settings: Mapping[str, Any],
    *,
    preset: str | None = None,
    config: Path | None = None,
    array: tuple[int, int] | None = None,
) -> CombineSettings:
    """The settings of `combine`; such as would change nothing are refused.

    Args:
        settings: those that were given.
        preset: settings that go together; file and given ones win over them.
        config: TOML file of settings; given ones win over it.
        array: rows and columns on which streamed words are counted.

    Raises:
        InvalidFileError, InvalidOptionError: a value is not allowed, or has no effect.
    """
    from systopack.data.augment import Augment
    from systopack.options import read_settings
    from systopack.packing.rule import PackingRule

    given = dict(settings)
    if array is not None:
        given["array_rows"], given["array_columns"] = array
    base = None if preset is None else settings_of_preset(preset)
    chosen = settings_from(CombineSettings, config, given, base=base)
    check_combine(chosen, given.keys() | read_settings(CombineSettings, config).keys())
    PackingRule(alpha=chosen.alpha, gamma=chosen.gamma)
    chosen.augmented(Augment())
    return chosen


def combine(
    model: Model,
    data: Data = "sample",
    *,
    out: Path | str | None = None,
    fraction: float = 1.0,
    preset: str | None = None,
    config: Path | None = None,
    array: tuple[int, int] | None = None,
    resume: bool = False,
    devices: DeviceOptions = _HERE,
    observer: Observer = _SILENT,
    **settings: Any,
) -> TrainedModel:
    """Prune, pack and retrain a dense model jointly.

    Args:
        model: what `load_model` takes, or gives.
        data: the images it was trained on.
        out: model file to write (.safetensors), with checkpoints beside it; None: none.
        fraction: class-balanced share of the training images to read.
        preset: settings that go together: "paper" or "budgets"; others win over them.
        config: TOML file of settings; those given here win over it.
        array: rows and columns of the array on which budgets count streamed words.
        resume, devices, observer: as in `train`.
        settings: see `training.settings.CombineSettings`.

    Raises:
        SystopackError: see `training.run.combine`.
    """
    chosen = combine_settings(settings, preset=preset, config=config, array=array)
    needs("torch", "lightning_fabric")
    from systopack.training.run import combine as run

    images = data_of(data)
    with place_of(out) as place:
        return run(
            load_model(model, images, fraction=fraction),
            images,
            settings=chosen,
            fraction=fraction,
            out=place,
            resume=resume,
            devices=devices,
            observer=observer,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantization:
    """A packed 8-bit network, and what quantization cost.

    Args:
        network: the network.
        graph: the layers of its model.
        loss: against the float model; None in processes beside the main one.
        streams_out_of_place: before and after the rows were reordered.
        settings: of the run.
        configuration: all that decided the result.
    """

    network: PackedNetwork
    graph: LayerGraph
    loss: QuantizationLoss | None
    streams_out_of_place: tuple[int, int]
    settings: QuantizeSettings
    configuration: Mapping[str, Any]

    def __repr__(self) -> str:
        judged = None if self.loss is None else self.loss.judged
        accuracy = None if judged is None else round(judged.quantized_percent, 2)
        return shown(self, network=self.network, accuracy_percent=accuracy)

    @property
    def figures(self) -> dict[str, Any]:
        """For a record."""
        network, (before, after) = self.network, self.streams_out_of_place
        return {
            "nonzeros": network.nonzeros,
            "packed_cells": network.packed_cells,
            "dense_cells": network.dense_cells,
            "packing_efficiency": network.packing_efficiency,
            "streams_out_of_place_before": before,
            "streams_out_of_place": after,
            **({} if self.loss is None else self.loss.figures),
        }


def quantize(
    model: Model,
    data: Data = "sample",
    *,
    out: Path | str | None = None,
    fraction: float = 1.0,
    permute: bool = True,
    resume: bool = False,
    devices: DeviceOptions = _HERE,
    observer: Observer = _SILENT,
    **settings: Any,
) -> Quantization:
    """Quantize a model to 8 bit and lower it to a packed network.

    Args:
        model: dense or combined; what `load_model` takes, or gives.
        data: the images it was trained on.
        out: network file to write (.spk), with checkpoints of fine-tuning beside it; None: none.
        fraction: class-balanced share of the training images to read.
        permute: reorder rows so that column groups are contiguous.
        resume, devices, observer: as in `train`.
        settings: see `quantization.settings.QuantizeSettings`.

    Raises:
        SystopackError: see `quantization.quantize.quantize`.
    """
    chosen = _quantize_settings(settings, resume=resume)
    needs("torch")
    from systopack.files import checkpoint_path
    from systopack.network.file import save
    from systopack.network.permute import count_streams_out_of_place, permute_rows
    from systopack.quantization.fine_tune import Progress
    from systopack.quantization.quantize import measure_loss
    from systopack.quantization.quantize import quantize as run
    from systopack.training.model import state_sha256
    from systopack.training.run import part_of

    images = data_of(data)
    trained = load_model(model, images, fraction=fraction)
    check_images(trained, images)
    configuration = {
        **chosen.model_dump(),
        "data": images.name,
        "data_sha256": images.sha256,
        "fraction": fraction,
    }
    part: TrainingPart = part_of(images, chosen, fraction)
    progress = None
    if out is not None:
        progress = Progress(
            checkpoint=checkpoint_path(Path(out)),
            resume=resume,
            configuration={"model_sha256": state_sha256(trained.state), **configuration},
        )
    found = run(
        trained,
        part,
        settings=chosen,
        augment=images.augment,
        name=trained.architecture if out is None else Path(out).stem,
        devices=devices,
        observer=observer,
        progress=progress,
    )
    before = sum(count_streams_out_of_place(found.network).values())
    network = permute_rows(found.network) if permute else found.network
    after = sum(count_streams_out_of_place(network).values())
    main = is_main_process()
    if main and out is not None:
        save(network, out)
        checkpoint_path(Path(out)).unlink(missing_ok=True)
    return Quantization(
        network=network,
        graph=found.model.graph,
        loss=measure_loss(found, trained, part, chosen) if main else None,
        streams_out_of_place=(before, after),
        settings=chosen,
        configuration={**configuration, "permute": permute},
    )


def _quantize_settings(settings: Mapping[str, Any], *, resume: bool) -> QuantizeSettings:
    """The settings of `quantize`; such as would change nothing are refused."""
    from systopack.quantization.settings import TUNING, QuantizeSettings

    chosen = settings_from(QuantizeSettings, None, settings)
    if chosen.epochs == 0:
        given = [*settings, *(("resume",) if resume else ())]
        refuse_idle(given, TUNING, "without --epochs nothing is trained")
    if chosen.weights != "int":
        refuse_idle(settings, ("weight_bits",), "powers of two have 8 bits")
    return chosen


def check_images(model: TrainedModel, images: ImageData) -> None:
    """Refuse images of another size than a model reads.

    Raises:
        InvalidOptionError: they are.
    """
    if images.shape != model.input_shape:
        raise InvalidOptionError(
            f"The model reads images of {model.input_shape}, but data set '{images.name}' has "
            f"{images.shape}; give the data it was trained on."
        )


@contextmanager
def place_of(out: Path | str | None) -> Iterator[Path]:
    """Where a run writes its model and checkpoints."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "model.safetensors"


def _numbers(values: float | Sequence[float] | None) -> tuple[float, ...] | None:
    if values is None or isinstance(values, int | float):
        return None if values is None else (float(values),)
    return tuple(map(float, values))
