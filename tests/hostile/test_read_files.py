"""1,000 crafted and damaged files of every format that is read from others.

Each is read rightly or refused in one sentence: no traceback, no crash, within 10 s and 1 GB.
What is right is said by another reader: numpy, safetensors, pyarrow and Pillow, ONNX Runtime.
"""

import io
import json
import random
import re
import struct
import warnings
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from systopack.data.open import open_data
from systopack.data.parquet import find_parquet
from systopack.frontend.capture import capture
from systopack.frontend.program_file import load_program
from systopack.packing.weights import open_weights
from systopack.synthesis.liberty import read_library
from tests.hostile.child import outcomes
from tests.hostile.mutations import changed_bytes, changed_json

COUNT = 1000
SHAPE = (1, 8, 8)


def check(tmp_path, suffix, read, contents, count=COUNT):
    """Write the files one child at a time and read them."""
    files = []
    for number, content in zip(range(count), contents, strict=False):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(content)
        files.append(path)
    assert len(files) == count
    wrong = outcomes(read, files)
    assert not wrong, "; ".join(f"{name}: {text}" for name, text in list(wrong.items())[:10])


# --- .npy


def npy(header, data=b"", version=1):
    text = header.encode("latin1")
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def npy_files():
    rng = random.Random(1)
    buffer = io.BytesIO()
    np.save(buffer, np.random.default_rng(0).standard_normal((12, 10)))
    good = buffer.getvalue()
    yield good
    form = "{{'descr': {}, 'fortran_order': False, 'shape': {}, }}\n"
    for shape in ("(10**6, 10**6)", "(9**9**9, 1)", "(10000000000, 1)", "(-1, 5)", "(0, 5)", "()",
                  "(1.5, 2)", "(True, 2)", "('a', 1)", "(None,)", "(300000000, 1)"):  # fmt: skip
        yield npy(form.format("'<f8'", shape), bytes(80))
    for kind in ("'|O'", "'<c16'", "'<M8[s]'", "'|V8'", "'x'", "[('a', '<f8')]", "5", "'<U5'",
                 "[('a', '<f8', (1000000000,))]", "'|S3'"):  # fmt: skip
        yield npy(form.format(kind, "(2, 2)"), b"\1" * 800)
    for text in ("{'descr': '<f8", "{'descr': '<f8', (\n", "(" * 5000 + ")" * 5000, "", "\0",
                 "  {\n 'a'\n:1}\n", "[" * 9000 + "]" * 9000, "__import__('os').getpid()",
                 "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 2L)}"):  # fmt: skip
        yield npy(text, bytes(32), version=2)
    while True:
        yield (
            changed_bytes(rng, good[:128]) + good[128:]
            if rng.random() < 0.8
            else changed_bytes(rng, good)
        )


def read_npy(path):
    file = open_weights(path)
    found = file.read(file.weights[0])
    assert np.array_equal(found, np.load(path, allow_pickle=False), equal_nan=True)


# --- .safetensors


def tensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def safetensors_files():
    rng = random.Random(2)
    head = {
        "a": {"dtype": "F32", "shape": [8, 6], "data_offsets": [0, 192]},
        "b": {"dtype": "F16", "shape": [4, 2, 3, 3], "data_offsets": [192, 336]},
    }
    data = np.arange(48, dtype=np.float32).tobytes() + np.ones(72, np.float16).tobytes()
    good = tensors(head, data)
    yield good
    yield tensors(b"[" * 10**5 + b"]" * 10**5)
    yield tensors(b'{"__metadata__":' + b'{"a":' * 5000 + b"1" + b"}" * 5001)
    yield struct.pack("<Q", 2**63) + b"{}"
    yield struct.pack("<Q", 10**9) + b"{}"
    yield tensors(b"{" + b" " * (20 << 20) + b"}")
    for entry in (
        {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [10**12, 0], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]},
        {"dtype": "F8_E4M3", "shape": [2, 2], "data_offsets": [0, 4]},
    ):
        yield tensors({"a": entry}, b"1234" if entry["dtype"][1] == "8" else b"")
    while True:
        if rng.random() < 0.6:
            yield tensors(json.dumps(changed_json(rng, head)).encode(), data)
        else:
            yield changed_bytes(rng, good)


def read_safetensors(path):
    from safetensors.torch import load_file  # numpy has no numbers of 8 bits

    file = open_weights(path)
    expected = load_file(path)
    for weight in file.weights:
        right = expected[weight.name]
        wanted = right.reshape(len(right), -1).float().numpy()
        assert np.array_equal(file.read(weight), wanted, equal_nan=True)


# --- Liberty

TABLE = '(l) { values ("1, 2", "3, 4"); }'
LIBRARY = f"""library (t) {{ time_unit : "1ns"; capacitive_load_unit (1, "pf"); nom_voltage : 1.8;
 lu_table_template (l) {{ variable_1 : "input_net_transition";
  variable_2 : "total_output_net_capacitance"; index_1 ("0.1, 0.2"); index_2 ("0.1, 0.2"); }}
 cell (INV) {{ area : 1.5; pin (A) {{ direction : input; capacitance : 0.001; }}
  pin (Y) {{ direction : output; function : "!A";
   internal_power () {{ related_pin : "A"; rise_power {TABLE} fall_power {TABLE} }}
   timing () {{ related_pin : "A"; timing_sense : negative_unate; cell_rise {TABLE}
    cell_fall {TABLE} rise_transition {TABLE} fall_transition {TABLE} }} }} }}
 cell (DFF) {{ area : 5; ff (IQ, IQN) {{ clocked_on : "C"; next_state : "D"; }}
  pin (C) {{ direction : input; internal_power () {{ rise_power {TABLE} fall_power {TABLE} }} }}
  pin (D) {{ direction : input; }} pin (Q) {{ direction : output; function : "IQ"; }} }} }}
"""


def liberty_files():
    import gzip

    rng = random.Random(3)
    good = LIBRARY.encode()
    yield good
    yield gzip.compress(good)
    yield gzip.compress(good)[:-30]
    yield gzip.compress(bytes(600 << 20), compresslevel=1)
    for depth in (20, 400, 600, 5000, 10**5):
        yield ("library (x) { " + "a (b) { " * depth + "c : 1; " + "} " * (depth + 1)).encode()
    for old, new in (
        ('"!A"', '"' + "(" * 3000 + "A" + ")" * 3000 + '"'),
        ('"!A"', '"' + "!" * 5000 + 'A"'),
        ("1.8", "nan"),
        ("1.8", "1e400"),
        ("area : 1.5", "area : -1"),
        ('"1, 2", "3, 4"', '"1, nan", "inf, 4"'),
        ('index_1 ("0.1, 0.2")', 'index_1 ("0.2, 0.1")'),
        ("cell (DFF)", "cell (INV)"),
        ('(1, "pf")', '(0, "pf")'),
    ):
        yield LIBRARY.replace(old, new).encode()
    while True:
        yield changed_bytes(rng, good)


def read_liberty(path):
    library = read_library(path)
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        return
    bare = re.sub(r"/\*.*?\*/", "", content.decode(errors="replace"), flags=re.DOTALL)
    areas = {float(text) for text in re.findall(r"area\s*:\s*\"?([^;\"]*)", bare) if _number(text)}
    for cell in library.cells.values():
        assert cell.area_um2 in areas | {0.0}
        for pin in cell.pins.values():
            for power in pin.power:
                assert np.isfinite(power.rise_fj.values).all()
                assert (np.diff(power.rise_fj.transition_ns) > 0).all()


def _number(text):
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


# --- torch programs


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)
    ).eval()


def program_files(tmp_path):
    rng = random.Random(4)
    path = tmp_path / "good.pt2"
    torch.export.save(torch.export.export(network(), (torch.zeros(2, *SHAPE),)), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    model = next(name for name in members if name.endswith("models/model.json"))
    config = next(name for name in members if name.endswith("model_weights_config.json"))

    def built(changes):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in {**members, **changes}.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    yield built({})
    yield built({model: "[" * 10**5 + "]" * 10**5})
    text = members[model].decode()
    for target in ("aten.relu_.default", "aten.expand.default", "aten.full.default",
                   "aten.bernoulli.default", "aten.set_.source_Tensor", "aten.rand.default",
                   "aten.sigmoid.default", "aten.dropout.default"):  # fmt: skip
        yield built({model: text.replace("aten.relu.default", target)})
    program, weights = json.loads(text), json.loads(members[config])
    while True:
        kind = rng.random()
        if kind < 0.6:
            yield built({model: json.dumps(changed_json(rng, program))})
        elif kind < 0.85:
            yield built({config: json.dumps(changed_json(rng, weights))})
        else:
            yield changed_bytes(rng, built({}))


def read_program(path):
    module, shape, batch = load_program(path)
    if int(path.stem) % 4:
        return
    capture(module, shape, batch=batch)  # compares the layers with the program


# --- ONNX


def onnx_files(tmp_path):
    import onnx

    rng = random.Random(5)
    path = tmp_path / "good.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network(), (torch.zeros(2, *SHAPE),), path, dynamo=False)
    good = path.read_bytes()
    yield good
    model = onnx.load(path)
    odd = [0, -1, 2, 3, 2**31, 2**40, 2**62]
    while True:
        if rng.random() < 0.5:
            yield changed_bytes(rng, good)
            continue
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        node = rng.choice(changed.graph.node)
        if node.attribute and rng.random() < 0.7:
            attribute = rng.choice(node.attribute)
            if attribute.ints:
                attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(odd)
            else:
                attribute.i = rng.choice(odd)
        else:
            node.op_type = rng.choice(["Relu", "Conv", "MaxPool", "Add", "Mul", "Reshape", "Loop",
                                       "Softmax", "Tile", "Resize", "LSTM", "Elu"])  # fmt: skip
        yield changed.SerializeToString()


def read_onnx_file(path):
    import onnxruntime

    from systopack.frontend.onnx_file import load_onnx

    module, shape = load_onnx(path, input_shape=None)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batch = session.get_inputs()[0].shape[0]
    images = torch.randn(batch if isinstance(batch, int) else 2, *shape)
    expected = session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]
    with torch.no_grad():
        got = module(images).numpy()
    assert np.allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


# --- parquet


def write_set(folder, content=None):
    import datasets

    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8)).astype(np.uint8)
    table = datasets.Dataset.from_dict(
        {"image": [encoded(image) for image in pixels], "label": [0, 1] * 3},
        features=datasets.Features(kinds),
    )
    for split in ("train", "test"):
        table.to_parquet(folder / f"{split}.parquet")
    return (folder / "train.parquet").read_bytes()


def encoded(pixels, kind="PNG"):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return {"bytes": buffer.getvalue(), "path": None}


def parquet_files(tmp_path):
    rng = random.Random(6)
    good = write_set(tmp_path)
    yield good
    while True:
        yield changed_bytes(rng, good)


def read_parquet(path):
    import pyarrow.parquet
    from PIL import Image

    schema, rows = find_parquet(path.parent).open()
    from systopack.data.decode import decode_rows

    images, labels = decode_rows(rows["train"], schema)
    table = pyarrow.parquet.read_table(path.parent / "train.parquet")
    assert labels.tolist() == table[schema.label_column].to_pylist()
    for image, row in zip(images, table[schema.image_column].to_pylist(), strict=True):
        right = np.asarray(Image.open(io.BytesIO(row["bytes"])).convert("L"))
        assert np.array_equal(image[0], right) or len(image) == 3


FORMATS = {
    ".npy": (lambda _: npy_files(), read_npy),
    ".safetensors": (lambda _: safetensors_files(), read_safetensors),
    ".lib": (lambda _: liberty_files(), read_liberty),
    ".pt2": (program_files, read_program),
    ".onnx": (onnx_files, read_onnx_file),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", FORMATS)
def test_hostile_files_are_read_rightly_or_refused(suffix, tmp_path):
    make, read = FORMATS[suffix]
    check(tmp_path, suffix, read, make(tmp_path))


@pytest.mark.slow
def test_hostile_parquet_files(tmp_path):
    good = tmp_path / "good"
    good.mkdir()
    contents = parquet_files(good)

    def read(path):
        folder = path.with_suffix("")
        folder.mkdir()
        (folder / "test.parquet").symlink_to(good / "test.parquet")
        path.rename(folder / "train.parquet")
        read_parquet(folder / "train.parquet")

    check(tmp_path, ".parquet", read, contents)


def test_a_few_of_each_in_every_run(tmp_path):
    for suffix in (".npy", ".safetensors"):
        make, read = FORMATS[suffix]
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        check(folder, suffix, read, make(folder), count=60)


def test_what_the_child_tells(tmp_path):
    (tmp_path / "a").write_text("")

    def crashing(path):
        import ctypes

        ctypes.string_at(0)

    def wrong(path):
        raise AssertionError("wrong")

    files = [tmp_path / "a"]
    assert outcomes(crashing, files) == {"a": "SIGSEGV"}
    assert "AssertionError: wrong" in outcomes(wrong, files)["a"]
    assert outcomes(lambda path: None, files) == {}


def test_images_of_other_formats_and_bombs_are_refused(tmp_path):
    import datasets

    from systopack.errors import InvalidFileError

    kinds = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    small, big = np.zeros((8, 8), np.uint8), np.zeros((5000, 5000), np.uint8)
    cases = {"BMP": encoded(small, "BMP"), "bomb": encoded(big), "TIFF": encoded(small, "TIFF")}
    for name, image in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        table = datasets.Dataset.from_dict({"image": [image], "label": [0]}, features=kinds)
        for split in ("train", "test"):
            table.to_parquet(folder / f"{split}.parquet")
        with pytest.raises(InvalidFileError, match=r"none of PNG, JPEG|cannot be decoded"):
            open_data(str(folder), cache_dir=tmp_path / "cache")
