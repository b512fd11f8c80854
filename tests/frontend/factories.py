"""Model factories that end the program instead of giving a model."""

import sys

from torch import nn


def leaves():
    """Ends with success."""
    sys.exit(0)


class _Leaves(nn.Module):
    def forward(self, image):
        """Ends while it runs."""
        sys.exit(0)


def leaves_while_it_runs():
    """A model that ends the program when it is called."""
    return _Leaves()
