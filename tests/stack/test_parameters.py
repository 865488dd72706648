"""Platform parameters: every row loads, has a source, and lies in its range."""

from __future__ import annotations

import csv

import pytest

from capsim.data_files import data_path
from capsim.errors import InputError, ModelError
from capsim.stack.parameters import (
    COLUMNS,
    fact,
    facts,
    parameter,
    parameter_table,
    parameters,
    read_parameters,
    rows_of,
)

FILES = sorted(
    file
    for file in data_path("platforms").glob("*.csv")
    if next(csv.reader(file.open()))[: len(COLUMNS)] == list(COLUMNS)
)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_row_of_a_file_loads_with_a_source_and_a_range(file):
    rows = read_parameters(file)
    assert len(rows) == len(list(csv.reader(file.open()))) - 1
    for row in rows:
        assert row.source, row
        assert row.source_date or not row.verified, row
        if row.interval is not None:
            assert row.interval.low <= row.interval.value <= row.interval.high


def test_all_files_together_are_the_table():
    assert len(parameters()) == sum(len(read_parameters(file)) for file in FILES)
    assert len(parameters()) >= 229
    assert list(parameter_table("kata").columns) == list(COLUMNS)


def test_what_is_not_verified_has_a_range_to_carry():
    for row in parameters():
        if not row.verified and row.interval is not None:
            assert row.interval.low < row.interval.high, row


def test_a_guess_says_so_in_what_results_state():
    for row in parameters():
        assert row.assumption.source.startswith("unverified: ") is not row.verified
    faults = parameter("any", "kernel_panics").assumption
    assert (faults.name, faults.low, faults.high) == ("kernel panics (one kernel)", "0.01", "0.25")


def test_the_rows_of_a_model_say_only_what_they_apply_to():
    for model in ("contention", "start", "images"):
        rows = read_parameters(data_path("platforms", f"{model}.csv"))
        assert len(facts(model)) == len(rows), "a fact stands twice"
        assert {row.platform for row in rows} == {""}
    assert fact("images", "lazy", "read at start").figure.low == 0.03
    with pytest.raises(ModelError, match=r"start\.csv has no parameter bot of vm \(did you mean"):
        fact("start", "vm", "bot")


def test_amounts_come_in_the_units_of_the_engine():
    assert parameter("firecracker", "vmm_memory_overhead").amount.value == 2.5 * 2**20
    assert parameter("kata", "pod_overhead_cpu", "RuntimeClass clh").amount.value == 0.25
    assert parameter("gvisor", "syscall_time").unit == "ns"
    assert rows_of("gke", "kube_reserved_cpu")[0].amount.value == pytest.approx(0.06)


def test_an_unknown_platform_or_parameter_is_one_sentence_with_the_nearest_name():
    with pytest.raises(ModelError, match="did you mean 'firecracker'"):
        parameters("fircracker")
    with pytest.raises(ModelError, match="did you mean 'boot_time_max'"):
        rows_of("firecracker", "boot_time")
    with pytest.raises(ModelError, match="rows apply to"):
        parameter("kata", "pod_overhead_cpu")
    with pytest.raises(ModelError, match="'systrap', not a number"):
        parameter("gvisor", "default_platform").amount  # noqa: B018


def test_a_file_with_bad_rows_names_them_all(tmp_path):
    file = tmp_path / "mine.csv"
    bad = "esxi,8,hypervisor,memory,5,6,7,MiB,host,,2026,maybe,"
    file.write_text(",".join(COLUMNS) + "\n" + bad + "\n")
    with pytest.raises(InputError) as caught:
        read_parameters(file)
    text = str(caught.value)
    assert "no source" in text
    assert "found 6, 5, 7, expected low <= value <= high" in text
    assert "'maybe', expected yes or no" in text
    file.write_text("platform,value\nesxi,1\n")
    with pytest.raises(InputError, match="expected the columns platform, version"):
        read_parameters(file)
