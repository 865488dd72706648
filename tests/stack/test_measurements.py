"""Published measurements: roles by a rule, a fit that sees no test row, and how well it does."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.measurements import MISSES, PAGE, page, table_of_all
from capsim.contention import measured
from capsim.stack import fit, measurements
from capsim.stack.fit import calibrating, fit_slowdowns, vm_start_time
from capsim.stack.images.predictions import CALIBRATED, PREDICTIONS
from capsim.stack.measurements import benchmark_mixes, measurement_table, observed
from capsim.stack.slowdowns import slowdowns

ROWS = measurements.measurements()


def test_roles_follow_the_hash_of_the_id_within_each_subject_and_stack():
    groups = defaultdict(list)
    for row in ROWS.values():
        if row.quantity:
            groups[row.what, row.layers].append(row.id)
        else:
            assert row.role == "context"
    for ids in groups.values():
        for place, name in enumerate(
            sorted(ids, key=lambda i: hashlib.sha256(i.encode()).digest())
        ):
            assert ROWS[name].role == ("calibrate" if place % 2 == 0 else "test")


def test_both_roles_cover_the_subjects_and_several_papers():
    for role in ("calibrate", "test"):
        rows = [row for row in ROWS.values() if row.role == role]
        assert len(rows) > 50
        assert {
            *("CPU", "memory bandwidth", "memory latency and TLB", "block I/O", "key-value store"),
            *("network latency", "network bandwidth", "database", "VM boot", "VM start"),
            *("sandboxed container", "syscall cost"),
        } <= {row.what for row in rows}
        assert len({row.paper for row in rows}) >= 6


def test_at_least_sixty_measurements_stand_beside_the_model():
    table = measurement_table()
    assert len(table) >= 60
    assert (table["low"] <= table["model"]).all()
    assert (table["model"] <= table["high"]).all()


def test_rows_that_test_are_met_at_ten_percent_and_four_in_five_inside():
    test = table_of_all().query("role == 'test'")
    assert len(test) >= 50
    assert test["relative_error"].median() <= 0.10
    assert test["inside"].mean() >= 0.80


def test_every_miss_of_a_row_that_nothing_was_taken_from_has_its_reason():
    missed = table_of_all().query("role in ('test', 'context') and not inside")["id"]
    assert set(missed) == set(MISSES)


def test_a_row_that_a_model_took_a_parameter_from_tests_nothing():
    table = table_of_all()
    taken = {each.id for each in measured.predictions() if each.role == "calibrates"} | CALIBRATED
    starts = table["quantity"].isin(["boot", "vm_start", "start", "contention"])
    assert set(table[starts & table["id"].isin(taken)]["role"]) == {"calibrate", "calibrated"}
    own = table[table["role"] != "calibrated"]
    assert (own["role"] == own["id"].map(lambda id: ROWS[id].role)).all()


def test_no_start_is_predicted_twice():
    starts = table_of_all().query("quantity in ('boot', 'vm_start', 'start')")
    assert not starts["id"].duplicated().any()
    assert set(PREDICTIONS) <= set(starts["id"])


def test_the_page_is_that_of_the_code():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m benchmarks.measurements"


def test_the_slow_downs_are_those_that_the_fit_gives():
    fitted = fit_slowdowns()
    kept = slowdowns()
    assert len(fitted) == len(kept)
    for row in fitted.to_dict("records"):
        factor = kept[row["layer"], row["part"]].factor
        assert factor.value == pytest.approx(row["value"], rel=1e-3)
        assert (factor.low, factor.high) == pytest.approx((row["low"], row["high"]), rel=1e-2)


def test_the_fit_does_not_change_with_rows_that_test(monkeypatch):
    before = fit._fit(calibrating("slowdown"), 0.02, 0.5).theta
    wild = {
        name: replace(row, value=row.value * 17) if row.role == "test" else row
        for name, row in ROWS.items()
    }
    monkeypatch.setattr(fit, "measurements", lambda: wild)
    monkeypatch.setattr(measurements, "measurements", lambda: wild)
    assert fit._fit(calibrating("slowdown"), 0.02, 0.5).theta == pytest.approx(before)


def test_figures_become_factors_on_time_whichever_way_they_are_stated():
    assert observed(ROWS["felter-linpack-docker"]) == pytest.approx(290.8 / 290.9)
    assert observed(ROWS["felter-netperf-tcp_rr-kvm"]) == pytest.approx(67.9 / 37.6)
    assert observed(ROWS["kpti-mysql"]) == pytest.approx(1 / 0.73)
    assert observed(ROWS["turtles"]) == pytest.approx(1.08)
    assert observed(ROWS["sriov-rate"]) == pytest.approx(10 / 9.48)
    assert observed(ROWS["fc-boot-serial-fc-api-p50"]) == pytest.approx(0.1609)
    assert observed(ROWS["fc-mem-firecracker"]) == 2.5 * 2**20


def test_benchmarks_spend_all_their_time_somewhere():
    for name, mix in benchmark_mixes().items():
        assert sum(mix) == pytest.approx(1), name
    used = {row.benchmark for row in ROWS.values() if row.quantity == "slowdown"}
    assert used == set(benchmark_mixes())


def test_factors_name_their_reason_and_lie_in_their_range():
    table = pd.DataFrame([vars_of(row) for row in slowdowns().values()])
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert table["reason"].str.len().gt(5).all()


def vars_of(row) -> dict[str, object]:
    ends = dict(zip(("value", "low", "high"), row.factor.ends, strict=True))
    return {"layer": row.layer, "part": row.part, "reason": row.reason, **ends}


def test_starts_of_vms_hold_those_of_another_cloud():
    assert vm_start_time("cloud_linux").holds(96.9)


def test_the_page_lies_where_the_documents_are():
    assert Path("docs/models/measurements.md").parts == PAGE.parts[-3:]
