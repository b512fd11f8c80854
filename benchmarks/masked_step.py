"""Time of a training step with masks against the same step without.

    python benchmarks/masked_step.py

Steps of both kinds alternate, so that whatever else the machine does falls on both alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from _bench import save

from systopack.frontend.capture import capture
from systopack.nn import zoo
from systopack.nn.masks import Masks

_STEPS = 120
_BATCH = 128


def stepper(name: str, *, masked: bool) -> Callable[[], float]:
    """A function that trains one step and returns its seconds."""
    torch.manual_seed(0)
    entry = zoo.entry(name)
    module = zoo.build(name, classes=10).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    if masked:
        parameters = dict(module.named_parameters())
        graph = capture(module, entry.input_shape)
        masks = Masks({op.weight: parameters[op.weight] for op in graph.matrix_ops})
        masks.attach(optimizer)
        for op in graph.matrix_ops:
            masks.set(op.weight, torch.rand(op.weight_shape) < 0.15)
    images = torch.randn(_BATCH, *entry.input_shape).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (_BATCH,))

    def step() -> float:
        started = time.perf_counter()
        loss = F.cross_entropy(module(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return time.perf_counter() - started

    return step


def main() -> None:
    """Measure and write the record."""
    figures = {}
    for name in ("lenet5-shift", "resnet20"):
        plain, masked = stepper(name, masked=False), stepper(name, masked=True)
        for _ in range(5):
            plain()
            masked()
        times = [(plain(), masked()) for _ in range(_STEPS)]
        dense_s = statistics.median(time for time, _ in times)
        masked_s = statistics.median(time for _, time in times)
        figures[name] = {
            "dense_step_ms": round(1000 * dense_s, 3),
            "masked_step_ms": round(1000 * masked_s, 3),
            "ratio": round(masked_s / dense_s, 4),
        }
    configuration = {"batch_size": _BATCH, "steps": _STEPS, "threads": torch.get_num_threads()}
    save("masked_step", figures, configuration=configuration)


if __name__ == "__main__":
    main()
