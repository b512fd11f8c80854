"""Trained models and checkpoints: what was changed since it was written is refused."""

from __future__ import annotations

import json
import struct

import pytest
import torch
from safetensors.torch import load
from torch import nn

from systopack.errors import InvalidFileError, InvalidOptionError
from systopack.frontend.capture import capture
from systopack.sealed import check_seal, sealed
from systopack.tensor_bytes import texts_of
from systopack.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from systopack.training.events import EpochResult
from systopack.training.model import TrainedModel, load_model, state_sha256

PHASES = ("joint", "fine-tune")
RESULT = {
    "phase": "joint", "iteration": 1, "epoch": 1, "loss": 0.5, "train_accuracy_percent": 50.0,
    "held_out_accuracy_percent": None, "nonzeros": 5, "packed_cells": 6, "packing_efficiency": 0.8,
    "learning_rate": 0.1, "dense_accuracy_percent": None,
}  # fmt: skip


@pytest.fixture
def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 2))


@pytest.fixture
def model(module):
    return TrainedModel(
        architecture="tiny",
        class_names=("a", "b"),
        mean=(0.25,),
        std=(0.5,),
        state={name: tensor.detach() for name, tensor in module.state_dict().items()},
        graph=capture(module, (1, 3, 3)),
    )


class Trainee:
    """The least that a checkpoint can be made of."""

    masks = None

    def __init__(self, module):
        self.module = module
        self.graph = capture(module, (1, 3, 3))
        self.optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
        module(torch.ones(2, 1, 3, 3)).sum().backward()
        self.optimizer.step()

    def state(self):
        return {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}


@pytest.fixture
def trainee(module):
    return Trainee(module)


def state_of(**changes):
    state = {
        "phase": "joint", "epoch": 1, "epoch_in_phase": 1, "iteration": 1, "beta": 0.3,
        "groups": {"0": ((2, ((0, 1), (2, 3))),)}, "gaps": {}, "packed_cells": 6,
        "learning_rate": 0.1, "history": [RESULT],
    }  # fmt: skip
    return RunState(**{**state, **changes})


def test_no_flipped_bit_gives_another_model(model, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        try:
            found = load_model(path)
        except InvalidFileError:
            continue
        assert state_sha256(found.state) == state_sha256(model.state)  # white space
        assert (found.mean, found.std, found.class_names) == (model.mean, model.std, ("a", "b"))


@pytest.mark.parametrize("change", ["short", "long", "unsealed", "foreign"])
def test_models_that_were_cut_lengthened_or_made_by_others_are_refused(model, change, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    content = path.read_bytes()
    path.write_bytes(
        {
            "short": content[:-4],
            "long": content + b"\0\0\0\0",
            "unsealed": content.replace(b"systopack_sha256", b"another_program1"),
            "foreign": _safetensors({"weight": torch.zeros(3)}, metadata=None),
        }[change]
    )
    with pytest.raises(InvalidFileError, match=r"checksum|damaged"):
        load_model(path)


def test_a_seal_is_of_everything_and_harms_nothing(tmp_path):
    tensors = {"a": torch.arange(3), "b": torch.zeros(2, 2)}
    content = sealed(_safetensors(tensors, metadata={"note": "é"}))
    check_seal(content, name="x", what="a file")
    assert sealed(content) == content
    assert texts_of(content)["note"] == "é"
    assert torch.equal(load(content)["a"], tensors["a"])
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header["c"] = header.pop("a")  # a tensor of another name
    text = json.dumps(header).encode()
    with pytest.raises(InvalidFileError, match="another content"):
        check_seal(
            struct.pack("<Q", len(text)) + text + content[8 + length :], name="x", what="a file"
        )
    deep = b'{"a":' + b"[" * 100_000
    for bomb in (deep, b"[]", b'{"__metadata__":3}', b""):
        with pytest.raises(InvalidFileError):
            check_seal(struct.pack("<Q", len(bomb)) + bomb, name="x", what="a file")


def test_a_checkpoint_comes_back(trainee, tmp_path):
    path, state = tmp_path / "c", state_of()
    save_checkpoint(path, trainee, state, {"alpha": 8})
    before = state_sha256(trainee.state())
    with torch.no_grad():
        trainee.module[2].bias.add_(1)
    assert load_checkpoint(path, trainee, {"alpha": 8}, phases=PHASES) == state
    assert state_sha256(trainee.state()) == before
    with pytest.raises(InvalidOptionError, match="alpha 8, not 4"):
        load_checkpoint(path, trainee, {"alpha": 4}, phases=PHASES)


@pytest.mark.parametrize("place", range(5, 400, 13))
def test_a_flipped_bit_of_a_checkpoint_is_refused(trainee, place, tmp_path):
    path = tmp_path / "c"
    save_checkpoint(path, trainee, state_of(), {"alpha": 8})
    changed = bytearray(path.read_bytes())
    changed[-place] ^= 4
    path.write_bytes(changed)
    before = state_sha256(trainee.state())
    with pytest.raises(InvalidFileError):
        load_checkpoint(path, trainee, {"alpha": 8}, phases=PHASES)
    assert state_sha256(trainee.state()) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": "quantize"},
        {"phase": "nonsense"},
        {"epoch": 2},
        {"epoch": -1},
        {"epoch": 1.5},
        {"epoch": True},
        {"epoch_in_phase": 3},
        {"iteration": "1"},
        {"beta": 2.0},
        {"packed_cells": -1},
        {"history": []},
        {"history": [{**RESULT, "epoch": 7}]},
        {"history": [{"epoch": 1}]},
        {"history": [3]},
        {"groups": {"0": ((2, ((0, 1), (1, 3))),)}},
        {"groups": {"0": ((2, ((0, 9),)),)}},
        {"groups": {"0": ((3, ((0, 1),)),)}},
        {"groups": {"no such layer": ()}},
        {"gaps": {"0": 3}},
    ],
)
def test_a_whole_checkpoint_that_no_run_can_have_written_is_refused(trainee, changes, tmp_path):
    path = tmp_path / "c"
    save_checkpoint(path, trainee, state_of(), {})
    content = path.read_bytes()
    header = json.loads(texts_of(content)["systopack_checkpoint"])
    header["state"] |= changes
    written = _safetensors(load(content), metadata={"systopack_checkpoint": json.dumps(header)})
    path.write_bytes(sealed(written))
    with pytest.raises(InvalidFileError, match="start anew without --resume"):
        load_checkpoint(path, trainee, {}, phases=PHASES)


def test_a_checkpoint_of_another_model_is_refused_before_anything_is_changed(trainee, tmp_path):
    path = tmp_path / "c"
    wide = Trainee(nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 3)))
    save_checkpoint(path, wide, state_of(), {})
    before = state_sha256(trainee.state())
    with pytest.raises(InvalidFileError, match="another shape"):
        load_checkpoint(path, trainee, {}, phases=PHASES)
    assert state_sha256(trainee.state()) == before


def test_the_result_names_are_those_of_an_epoch():
    assert EpochResult(**RESULT).epoch == 1


def _safetensors(tensors, *, metadata):
    from safetensors.torch import save

    return save(tensors, metadata=metadata)
