"""`compress`: the smallest packed network that loses at most so much."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from systopack.api.learning import load_model, place_of
from systopack.api.sources import data_of
from systopack.options import read_settings, settings_from
from systopack.requirements import needs
from systopack.training.compress.settings import CompressSettings, check_compress
from systopack.training.devices import DeviceOptions
from systopack.training.events import SearchObserver, SilentObserver

if TYPE_CHECKING:
    from systopack.api.learning import Data, Model
    from systopack.training.compress.search import Compressed

_HERE = DeviceOptions()
_SILENT = SilentObserver()


def compress_settings(
    settings: Mapping[str, Any],
    *,
    config: Path | None = None,
    array: tuple[int, int] | None = None,
) -> CompressSettings:
    """The settings of `compress`; such as would change nothing are refused.

    Args:
        settings: those that were given.
        config: TOML file of settings; given ones win over it.
        array: rows and columns on which streamed words are counted.

    Raises:
        InvalidFileError, InvalidOptionError: a value is not allowed, or has no effect.
    """
    from systopack.data.augment import Augment
    from systopack.packing.rule import PackingRule

    given = dict(settings)
    if array is not None:
        given["array_rows"], given["array_columns"] = array
    chosen = settings_from(CompressSettings, config, given)
    check_compress(chosen, given.keys() | read_settings(CompressSettings, config).keys())
    PackingRule(alpha=chosen.alpha, gamma=chosen.alpha - 1)
    chosen.augmented(Augment())
    return chosen


def compress(
    model: Model,
    data: Data = "sample",
    *,
    out: Path | str | None = None,
    fraction: float = 1.0,
    config: Path | None = None,
    array: tuple[int, int] | None = None,
    resume: bool = False,
    devices: DeviceOptions = _HERE,
    observer: SearchObserver = _SILENT,
    **settings: Any,
) -> Compressed:
    """Find the smallest packed network that loses at most so much accuracy.

    Args:
        model: what `load_model` takes, or gives.
        data: the images it was trained on; test images are not read.
        out: model file to write (.safetensors), with checkpoints beside it; None: none.
        fraction: class-balanced share of the training images to read.
        config: TOML file of settings; those given here win over it.
        array: rows and columns of the array on which streamed words are counted.
        resume: go on from the checkpoint of an interrupted search.
        devices: where to run; one device.
        observer: follows the search.
        settings: see `training.compress.settings.CompressSettings`; exactly one goal: `max_loss`
            in percentage points, `cells` or `words_ratio`.

    Raises:
        SystopackError: see `training.compress.run.compress`. A goal that is not met is no error;
            see `.met` of the result.
    """
    chosen = compress_settings(settings, config=config, array=array)
    needs("torch", "lightning_fabric", "ortools")
    from systopack.training.compress.run import compress as run

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
