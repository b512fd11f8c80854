"""Take .spk files apart and put them together again with a right digest, by safetensors itself."""

import hashlib
import json
import struct

from safetensors.numpy import load, save

ZEROS = "0" * 64


def parse(content):
    """The header as plain data and the tensors of a file."""
    (length,) = struct.unpack("<Q", content[:8])
    outer = json.loads(content[8 : 8 + length])
    return json.loads(outer["__metadata__"]["systopack"]), load(content)


def build(header, tensors, *, text=None):
    """A file with these, its digest made right; `text` in place of the header's JSON."""
    text = json.dumps({**header, "sha256": ZEROS}) if text is None else text
    return sealed(save(tensors, metadata={"systopack": text}))


def sealed(content):
    """The same bytes with the digest in place of 64 zeros."""
    digest = hashlib.sha256(content).hexdigest().encode()
    return content.replace(ZEROS.encode(), digest, 1)
