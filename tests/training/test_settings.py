"""A setting out of its range is told with the range, and with the file that it stands in."""

import json

import pytest

from systopack.errors import InvalidOptionError
from systopack.options import checked, settings_from
from systopack.quantization.settings import QuantizeSettings
from systopack.training.settings import CombineSettings, TrainSettings

OUTSIDE = [
    (TrainSettings, "epochs", 0, "--epochs is 0, but it must be a whole number at least 1 and at"),
    (TrainSettings, "learning_rate", float("nan"), "must be a finite number above 0 and at most"),
    (TrainSettings, "momentum", 1.0, "must be a finite number at least 0 and below 1."),
    (CombineSettings, "rho", 2.0, "--rho is 2.0, but it must be a finite number above 0 and at"),
    (CombineSettings, "cells", 2.0, "must be a finite number above 0 and at most 1 or 'fit'."),
    (CombineSettings, "importance", "x", "must be 'magnitude' or 'fisher'."),
    (CombineSettings, "band_rows", 0, "--band-rows is 0, but it must be a whole number at least 1"),
    (CombineSettings, "array_rows", 0, "--array is 0"),
    (CombineSettings, "policy", 3, "must be a text."),
    (QuantizeSettings, "calibration_images", 0, "must be a whole number at least 1."),
]


@pytest.mark.parametrize(("kind", "name", "value", "words"), OUTSIDE)
def test_the_message_has_the_range(tmp_path, kind, name, value, words):
    with pytest.raises(InvalidOptionError) as told:
        checked(kind, **{name: value})
    assert words in str(told.value)
    if value == value:  # JSON knows no NaN
        file = tmp_path / "s.toml"
        file.write_text(f"{name} = {json.dumps(value)}")
        with pytest.raises(InvalidOptionError) as told:
            settings_from(kind, file, {})
        assert f"s.toml' sets {name} to {value!r}, but it must be" in str(told.value)


@pytest.mark.parametrize(
    "text", ["epochs = true", "epochs = [1, 2]", 'epochs = "3"', "epochs = 3.0"]
)
def test_files_have_exact_types(tmp_path, text):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InvalidOptionError, match=r"s\.toml' sets epochs to .* whole number"):
        settings_from(TrainSettings, tmp_path / "s.toml", {})
