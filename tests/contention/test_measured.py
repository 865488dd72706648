"""The models beside published measurements; which rows calibrate is fixed in the data."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.contention.measured import table

#: Outside the model's reach, with the reason in docs/models/memory_io_caches.md.
KNOWN_MISSES = {"mlc-silver_4110-97"}


@pytest.fixture(scope="module")
def rows():
    return table()


def test_the_median_error_on_rows_that_only_test_is_under_two_percent(rows):
    tests = rows[rows.role == "tests"]
    assert len(tests) >= 25
    assert np.median(np.abs(tests.error)) < 0.02


def test_four_in_five_measurements_lie_within_the_models_range(rows):
    assert rows[rows.role == "tests"].inside.mean() >= 0.8


def test_every_row_but_the_named_misses_is_within_an_eighth(rows):
    far = rows[np.abs(rows.error) > 0.125]
    assert set(far.id) == KNOWN_MISSES


def test_rows_that_calibrate_are_few_and_named(rows):
    assert sorted(rows[rows.role == "calibrates"].id) == [
        "felter-nuttcp-client-native",
        "felter-nuttcp-server-native",
        "felter-stream-dual-copy-native",
        "mcf-art-ipc",
        "mlc-skylake_sp-23",
        "mlc-skylake_sp-39",
        "mlc-skylake_sp-52",
        "mlc-skylake_sp-74",
    ]
