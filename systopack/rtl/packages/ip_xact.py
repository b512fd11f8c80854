from __future__ import annotations
from systopack.rtl.delivery import Delivery
def component_file(delivery: Delivery) -> dict[str, str]:
    return {}
