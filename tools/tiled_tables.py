"""The table of docs/hardware/tiled.md, from the record of its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pages

from systopack.report.text import markdown_table


def blocks() -> Mapping[str, Sequence[str]]:
    """The page's tables."""
    networks = pages.record("tiled_counts")["figures"]["networks"]
    rows = [
        [
            f"{name} {kind}",
            f"{entry['cycles_banks']:,}",
            f"{entry['cycles']:,}",
            *(
                f"{entry[key] / 1024:.1f}"
                for key in ("feature_bytes", "weight_bytes", "stream_bytes", "job_bytes")
            ),
        ]
        for name, kinds in networks.items()
        for kind, entry in kinds.items()
    ]
    header = ["network", "cycles, banks", "cycles", "features, KiB", "weights", "streams", "jobs"]
    return {"counts": markdown_table(header, rows)}
