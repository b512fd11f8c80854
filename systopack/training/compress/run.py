"""`compress`: check what is asked, then search."""

from __future__ import annotations

from pathlib import Path

from systopack.data.images import ImageData
from systopack.errors import InvalidOptionError
from systopack.packing.rule import PackingRule
from systopack.training.compress.search import Compressed, Search
from systopack.training.compress.settings import CompressSettings
from systopack.training.devices import DeviceOptions, launch
from systopack.training.events import SearchObserver
from systopack.training.model import TrainedModel, state_sha256
from systopack.training.run import check_fits, configuration_of, part_of

_MAY_CHANGE = ("time_limit_min", "full_runs")  # when a search goes on


def compress(
    dense: TrainedModel,
    data: ImageData,
    *,
    settings: CompressSettings,
    fraction: float,
    out: Path,
    resume: bool,
    devices: DeviceOptions,
    observer: SearchObserver,
) -> Compressed:
    """Find the smallest network that loses at most so much, or the best one of a size, and save it.

    Raises:
        InvalidOptionError: the model does not fit the images, too few are held out, or no network
            has that size.
        TrainingError: a full run diverges, or the time limit allows none.
    """
    PackingRule(alpha=settings.alpha, gamma=settings.alpha - 1)
    check_fits(dense, data)
    if devices.devices * devices.nodes > 1:
        raise InvalidOptionError(
            "A search runs on one device, but --devices or --nodes asks for more; leave them out, "
            "and give the sizes that it finds to 'systopack combine --layer'."
        )
    part = part_of(data, settings, fraction)
    if len(part.held_out_labels) == 0:
        raise InvalidOptionError(
            "No images are held out, so nothing can be judged; give --held-out or more images."
        )
    configuration = {
        name: value
        for name, value in configuration_of(dense.architecture, data, settings, fraction).items()
        if name not in _MAY_CHANGE
    }
    search = Search(
        dense=dense,
        data=data,
        part=part,
        settings=settings,
        configuration={**configuration, "dense_sha256": state_sha256(dense.state)},
        fabric=launch(devices),
        out=out,
        observer=observer,
    )
    if resume:
        search.resume()
    return search.run()
