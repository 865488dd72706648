"""CSV tables of machines and of workloads."""

from __future__ import annotations

from typing import Any

import pytest

import capsim as cs
from capsim.errors import InputError

MACHINES = """name,count,cpu_cores,memory_gib,pods,gpu,zone,rack,shape,labels,taints,resources
big,2,32,128,250,4,a,r1,m.8xl,disk=ssd;tier=1,gpu=yes:NoSchedule; old:PreferNoSchedule,x.com/fpga=2
small,,0.5,512Mi,,,,,,,,
"""
WORKLOADS = """Name,Namespace,Count,vCPU,Memory,GPU,GPU milli,Kind,Priority,Node selector,labels
web,shop,2,500m,0.5,,,Pod,10,disk=ssd;zone=a,app=web
db,,,4,16,2,,VM,,,
share,,,1,1,,250,container,,,
"""


def test_a_row_of_machines_is_as_many_nodes_as_it_counts(reads: Any) -> None:
    nodes = reads(MACHINES, "in.csv").nodes
    assert [node.name for node in nodes] == ["big-0", "big-1", "small"]
    assert nodes[0].allocatable == {
        "cpu": 32_000,
        "memory": 128 * 2**30,
        "pods": 250,
        "x.com/fpga": 2,
    }
    assert nodes[0].labels == {
        "kubernetes.io/hostname": "big-0",
        "topology.kubernetes.io/zone": "a",
        "topology.kubernetes.io/rack": "r1",
        "node.kubernetes.io/instance-type": "m.8xl",
        "disk": "ssd",
        "tier": "1",
    }
    assert nodes[0].gpu_devices == 4
    assert [(taint.key, taint.value, taint.effect) for taint in nodes[0].taints] == [
        ("gpu", "yes", "NoSchedule"),
        ("old", "", "PreferNoSchedule"),
    ]
    assert nodes[2].allocatable == {"cpu": 500, "memory": 2**29, "pods": 110}


def test_a_missing_pod_limit_is_assumed_and_said(reads: Any) -> None:
    scenario = reads(MACHINES, "in.csv")
    assert scenario.remarks == (
        "No pod limit is stated for small: 110 a machine is taken, the kubelet's default.",
    )
    assert scenario.assumptions[0].name == "pods per machine that states no limit"


NEARLY = "name,cpus_cores,memory_gib,zone\nbig,16,64,a\n"


def test_a_table_in_a_folder_with_a_misspelt_column_is_an_error_not_left_out(tmp_path: Any) -> None:
    (tmp_path / "vms.csv").write_text(WORKLOADS)
    (tmp_path / "machines.csv").write_text(NEARLY)
    with pytest.raises(InputError) as caught:
        cs.read(tmp_path)
    (problem,) = caught.value.problems
    assert problem.file == str(tmp_path / "machines.csv")
    assert problem.found == "the unknown column 'cpus_cores' (did you mean 'cpu_cores'?)"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("name,cpu_core,memory_gib", "column 'cpu_core' (did you mean 'cpu_cores'?)"),
        ("name,cpu,memory_gb", "column 'memory_gb' (did you mean 'memory_gib'?)"),
        ("name,cpu_core,disk", "'cpu_core' (did you mean 'cpu_cores'?)"),
        (
            "name,cpu_core,Memory GB",
            "columns 'cpu_core' (did you mean 'cpu_cores'?), "
            "'Memory GB' (did you mean 'memory_gib'?)",
        ),
    ],
)
def test_a_misspelt_column_of_a_table_alone_comes_with_the_one_that_is_meant(
    reads: Any, header: str, told: str
) -> None:
    with pytest.raises(InputError) as caught:
        reads(f"{header}\na,1,2\n", "in.csv")
    assert told in str(caught.value)


def test_a_table_of_something_else_in_a_folder_is_left_out_with_a_remark(tmp_path: Any) -> None:
    (tmp_path / "vms.csv").write_text(WORKLOADS)
    (tmp_path / "usage.csv").write_text("timestamp,cpu_usage,memory_usage\n1,0.2,300\n")
    (remark,) = cs.read(tmp_path).remarks
    assert remark.startswith("Left out 1 file that hold nothing capsim plans with (")


def test_a_row_of_workloads_is_as_many_units_as_it_counts(reads: Any) -> None:
    scenario = reads(WORKLOADS, "in.csv")
    assert [unit.key for unit in scenario.units] == [
        "shop/web-0",
        "shop/web-1",
        "default/db",
        "default/share",
    ]
    web, database, share = scenario.templates.values()
    assert web.containers[0].requests == {"cpu": 500, "memory": 2**29}
    assert (web.kind, web.priority, web.labels) == ("pod", 10, {"app": "web"})
    assert web.node_selector == {"disk": "ssd", "zone": "a"}
    assert (database.kind, database.gpu_share.devices, database.gpu_share.milli) == ("vm", 2, 1000)
    assert (share.kind, share.gpu_share.devices, share.gpu_share.milli) == ("container", 1, 250)
    assert [(workload.name, workload.replicas) for workload in scenario.workloads] == [
        ("web", 2),
        ("db", 1),
        ("share", 1),
    ]
    assert scenario.remarks == ()


def test_name_and_sizes_are_enough(reads: Any) -> None:
    scenario = reads("name,cpu_cores,memory_gib\na,1,2\n", "in.csv")
    assert [unit.name for unit in scenario.units] == ["a"]
    assert scenario.nodes == ()


@pytest.mark.parametrize(
    ("header", "file", "nodes"),
    [
        ("name,cpu,memory", "in.csv", 0),
        ("name,cpu,memory", "machines.csv", 1),
        ("name,cpu,memory", "our-servers.csv", 1),
        ("name,cpu,memory,zone", "in.csv", 1),
        ("host,cpu,memory", "in.csv", 1),
        ("vm,cpu,memory", "in.csv", 0),
        ("vm,cpu,memory", "machines.csv", 0),
    ],
)
def test_machines_and_workloads_are_told_apart(
    header: str, file: str, nodes: int, reads: Any
) -> None:
    row = "a,1,2" + ",z" * (header.count(",") - 2)
    assert len(reads(f"{header}\n{row}\n", file).nodes) == nodes


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_quotes_comments_and_blank_lines_are_understood(
    delimiter: str, reads: Any
) -> None:
    lines = ["# our machines", "host,cpu,memory,zone", "", '"m 1",4,16,"a"', "# end", ""]
    text = "\r\n".join(line.replace(",", delimiter) for line in lines)
    assert [(node.name, node.zone) for node in reads(text, "in.csv").nodes] == [("m 1", "a")]


def test_empty_cells_at_the_end_of_lines_are_passed_over(reads: Any) -> None:
    assert len(reads("vm,cpu,memory,,\n,,,,\nv,1,1,,\n", "in.csv").units) == 1


def test_a_header_without_names_is_refused(refuses: Any) -> None:
    words = refuses(";;;", "in.csv")
    assert words == "in.csv: found no names of columns, expected a first line with them."


def test_amounts_are_exact(reads: Any) -> None:
    scenario = reads("name,cpu_cores,memory_gib\na,0.1,0.1\nb,1e0,1e9\n", "in.csv")
    found = [scenario.templates[unit.template].containers[0].requests for unit in scenario.units]
    assert found == [{"cpu": 100, "memory": 107374183}, {"cpu": 1000, "memory": 10**9}]


def test_a_count_of_zero_keeps_the_workload_without_units(reads: Any) -> None:
    scenario = reads("name,cpu_cores,memory_gib,count\na,1,1,0\nb,1,1,1\n", "in.csv")
    assert [unit.name for unit in scenario.units] == ["b"]


def test_every_bad_row_is_listed(refuses: Any) -> None:
    text = (
        "name,cpu_cores,memory_gib,count,pods,gpu,taints,labels\n"
        "a,four,16,1,,,,\n"
        ",4,16,1,,,,\n"
        "c,4,-1,1,,,,\n"
        "d,,16,x,,,,\n"
        "e,4,16,1,many,2000,gpu,disk\n"
        "f,99999999999999,16,1,,,,a=1;a=2\n"
    )
    assert refuses(text, "m.csv").splitlines() == [
        "m.csv: line 2 (a): cpu_cores: found 'four', expected cores such as 4, 0.5 or 500m.",
        "m.csv: line 3: name: found nothing, expected a name.",
        "m.csv: line 4 (c): memory_gib: found '-1', "
        "expected GiB such as 16 or 0.5, or a quantity such as 512Mi.",
        "m.csv: line 5 (d): count: found 'x', expected 0 to 1,000,000.",
        "m.csv: line 5 (d): cpu_cores: found nothing, expected cores such as 4, 0.5 or 500m.",
        "m.csv: line 6 (e): pods: found 'many', expected a number of pods.",
        "m.csv: line 6 (e): gpu: found '2000', expected 0 to 1024 GPUs.",
        "m.csv: line 6 (e): taints: found 'gpu', expected key=value:NoSchedule, several with ;.",
        "m.csv: line 6 (e): labels: found 'disk', expected key=value, several with ;.",
        "m.csv: line 7 (f): cpu_cores: found '99999999999999', "
        "expected cores such as 4, 0.5 or 500m.",
        "m.csv: line 7 (f): labels: found 'a=1;a=2', expected key=value, several with ;.",
    ]


def test_bad_cells_of_workloads_are_listed(refuses: Any) -> None:
    text = "vm,cpu,ram,kind,priority,gpu_milli,resources\na,1,1,pdo,high,1001,gpu=1\n"
    assert refuses(text, "w.csv").splitlines() == [
        "w.csv: line 2 (a): kind: found 'pdo', expected one of pod, vm, container.",
        "w.csv: line 2 (a): resources: found '1' of gpu, expected an amount that a machine can "
        "have.",
        "w.csv: line 2 (a): gpu_milli: found '1001', expected 0 to 1000 thousandths.",
        "w.csv: line 2 (a): priority: found 'high', expected a whole number of 32 bits.",
    ]


def test_unknown_columns_get_the_nearest_one(refuses: Any) -> None:
    words = refuses("host,cpu_cores,memory_gib,zome,colour\nm,1,1,a,red\n", "m.csv")
    assert "m.csv: found the unknown column 'zome' (did you mean 'zone'?), expected one of" in words
    assert "m.csv: found the unknown column 'colour', expected one of name, count," in words


def test_a_needed_column_that_is_missing_is_named(refuses: Any) -> None:
    words = refuses("cpu_cores,memory_gib\n1,1\n", "w.csv")
    assert words == "w.csv: found no column 'name', expected one, filled in every row."


def test_two_columns_of_one_meaning_are_refused(refuses: Any) -> None:
    words = refuses("name,cpu,vcpu,memory\na,1,2,3\n", "w.csv")
    assert "w.csv: found 'cpu' among columns for cpu_cores, expected only one." in words
    words = refuses("name,cpu,cpu,memory\na,1,2,3\n", "w.csv")
    assert words == "w.csv: found the column 'cpu' twice, expected each column once."


def test_a_row_with_too_many_cells_is_refused(refuses: Any) -> None:
    words = refuses("name,cpu,memory\na,1,2,3\nb,1,2\nc,1,2,3,4\n", "w.csv")
    assert words.splitlines() == [
        "w.csv: line 2: found 4 cells, expected at most 3.",
        "w.csv: line 4: found 5 cells, expected at most 3.",
    ]


def test_a_table_of_something_else_is_told_by_its_columns(refuses: Any) -> None:
    words = refuses("date,price\n2025-01-01,3\n", "prices.csv")
    assert words == (
        "prices.csv: found a table with the columns date, price, expected one of: a capsim "
        "scenario, openb tables, a CSV of machines, a CSV of workloads, Kubernetes objects."
    )


def test_absurd_counts_are_refused_before_anything_is_built(refuses: Any) -> None:
    words = refuses("vm,cpu,memory,count\na,1,1,6\nb,1,1,2000000000\n", "w.csv")
    assert words == "w.csv: line 3 (b): count: found '2000000000', expected 0 to 999,994."
