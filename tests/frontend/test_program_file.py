"""Saved torch.export programs: read as data, compared with the original, and nothing unpickled."""

import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from systopack.errors import InvalidFileError, InvalidNetworkError
from systopack.frontend.capture import capture
from systopack.frontend.program_file import load_program
from systopack.frontend.reading.advice import ADVISED
from systopack.frontend.reading.operations import OPERATIONS, may_be_called
from systopack.frontend.reading.stored import COMPUTING
from tests.frontend.models import NAMES, SHAPE, build


def saved(path: Path, model, **options) -> Path:
    torch.export.save(torch.export.export(model, (torch.randn(2, *SHAPE),), **options), path)
    return path


def rewritten(path: Path, change) -> Path:
    """The archive with its members changed by a function of (name, content)."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_program_computes_what_the_model_computes(name, tmp_path):
    model = build(name)
    loaded, shape, batch = load_program(saved(tmp_path / "m.pt2", model))
    assert (shape, batch) == (SHAPE, 2)
    images = torch.randn(2, *SHAPE)
    with torch.no_grad():
        assert torch.allclose(loaded(images), model(images), atol=1e-5)
    assert loaded.state_dict().keys() == model.state_dict().keys()
    names = [op.name for op in capture(loaded, shape, batch=batch).ops]
    assert names[0] == capture(model, SHAPE).ops[0].name


def test_a_program_of_any_batch_size(tmp_path):
    class Viewing(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(3 * 12 * 12, 3)

        def forward(self, images):
            return self.linear(images.view(images.size(0), -1))

    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    path = saved(tmp_path / "m.pt2", Viewing().eval(), dynamic_shapes=shapes)
    loaded, shape, batch = load_program(path)
    assert len(capture(loaded, shape, batch=batch).ops) == 1


class Bomb:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_pickles_inside_are_never_read(tmp_path, capsys):
    def change(name, content):
        return pickle.dumps(Bomb()) if "sample_inputs" in name else content

    load_program(rewritten(saved(tmp_path / "m.pt2", build("split")), change))
    assert capsys.readouterr().out == ""


def test_a_pickled_weight_is_refused(tmp_path):
    def change(name, content):
        if name.endswith("model_weights_config.json"):
            return content.replace(b'"use_pickle": false', b'"use_pickle": true')
        return content

    path = rewritten(saved(tmp_path / "m.pt2", build("split")), change)
    with pytest.raises(InvalidFileError, match="pickle, which can run code"):
        load_program(path)


@pytest.mark.parametrize(
    "target", ["torch.ops.aten.from_file.default", "os.system", "torch.ops.nobody.relu.default"]
)
def test_only_operations_that_compute_are_run(target, tmp_path):
    def change(name, content):
        return content.replace(b"torch.ops.aten.relu.default", target.encode())

    path = rewritten(saved(tmp_path / "m.pt2", build("split")), change)
    with pytest.raises(InvalidFileError, match="which systopack does not run"):
        load_program(path)


def test_only_what_the_rules_read_may_be_called():
    """Every operation of torch, judged by its own schema."""
    called = []
    for name in torch._C._dispatch_get_all_op_names():
        space, _, rest = name.partition("::")
        operation, _, overload = rest.partition(".")
        packet = getattr(torch.ops.aten, operation, None) if space == "aten" else None
        function = getattr(packet, overload or "default", None)
        if isinstance(function, torch._ops.OpOverload) and may_be_called(
            space, operation, function
        ):
            called.append(function)
    names = {f"aten.{function.overloadpacket.__name__}" for function in called}
    assert names <= OPERATIONS | ADVISED | COMPUTING
    assert names >= COMPUTING
    assert names >= {"aten.conv2d", "aten.relu_", "aten.silu"}
    for function in called:
        written = [a.name for a in function._schema.arguments if a.is_write]
        in_place = function.overloadpacket.__name__.endswith("_")
        assert len(written) == in_place, function
    drawn = {f for f in called if torch.Tag.nondeterministic_seeded in f.tags}
    # Each of these is refused where it trains.
    allowed = ("dropout", "scaled_dot_product_attention", "lstm", "gru")
    assert all(any(word in str(function) for word in allowed) for function in drawn), drawn
    for word in ("empty", "rand", "full", "zeros", "set_", "resize", "from_file", "as_strided"):
        assert not [name for name in names if word in name]


def test_sizes_are_known_before_anything_is_made(tmp_path):
    path = saved(tmp_path / "m.pt2", build("split"))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("m/data/weights/bomb", bytes(1 << 26))
    with pytest.raises(InvalidFileError, match="compressed"):
        load_program(path)

    def change(name, content):
        if not name.endswith("models/model.json"):
            return content
        program = json.loads(content)
        for value in program["graph_module"]["graph"]["tensor_values"].values():
            if len(value["sizes"]) == 4 and value["sizes"][1] == {"as_int": 3}:
                value["sizes"][2:] = [{"as_int": 10**5}] * 2
        return json.dumps(program).encode()

    path = rewritten(saved(tmp_path / "n.pt2", build("split")), change)
    with pytest.raises(InvalidNetworkError, match="all together at most"):
        load_program(path)


def test_a_weight_larger_than_its_data_is_refused(tmp_path):
    def change(name, content):
        if not name.endswith("model_weights_config.json"):
            return content
        config = json.loads(content)
        first = next(iter(config["config"].values()))
        first["tensor_meta"]["sizes"][0]["as_int"] = 10**6
        return json.dumps(config).encode()

    path = rewritten(saved(tmp_path / "m.pt2", build("split")), change)
    with pytest.raises(InvalidFileError, match="larger than its data"):
        load_program(path)


def test_damaged_and_old_files(tmp_path):
    path = tmp_path / "m.pt2"
    path.write_bytes(b"not a zip")
    with pytest.raises(InvalidFileError, match="damaged"):
        load_program(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(InvalidFileError, match=r"torch 2\.9"):
        load_program(path)
