"""From `docker build`, or a scale decision, to the first answer."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.errors import InputError, ModelError
from capsim.readers.deployment import ReadinessProbe, read_deployment
from capsim.stack.images.draws import drawn
from capsim.stack.images.estimate import sized_image
from capsim.stack.images.platforms import PLATFORMS, boot_percentiles, boot_time
from capsim.stack.images.start import compare_starts, start_up
from capsim.stack.interval import Interval
from capsim.stack.parameters import facts
from tests.stack.images.builders import FLASK, flask


def median(run, step: str) -> float:
    return float(run.table.set_index("step").at[step, "p50_s"])


def test_the_flask_service_goes_from_build_to_first_answer_step_by_step():
    run = start_up(flask(), deployment=FLASK / "deployment.yaml")
    assert (run.replicas, run.service, run.platform) == (3, "LoadBalancer", "pod")
    assert run.table["step"].tolist() == [
        "build steps", "compress layers", "push", "apply", "schedule", "notice", "sandbox",
        "pull and unpack", "create and start", "application", "report", "endpoints",
        "load balancer",
        "health checks",
    ]  # fmt: skip
    found = run.summary()
    assert 3 < found["one_ready_p50_s"] < 8
    assert 60 < found["first_answer_p50_s"] < 200
    assert found["first_answer_p50_s"] < found["first_answer_p95_s"] < found["first_answer_p99_s"]
    assert "longest: load balancer" in run.explain()
    assert any("guess" in each.source for each in run.assumptions)


def test_without_a_balancer_the_service_answers_as_soon_as_a_pod_does():
    quick = start_up(flask(), replicas=3, service="ClusterIP").summary()
    slow = start_up(flask(), replicas=3, service="LoadBalancer").summary()
    assert quick["first_answer_p50_s"] < 30 < slow["first_answer_p50_s"]
    assert quick["first_answer_p50_s"] <= quick["all_ready_p50_s"]


def test_a_change_of_the_source_comes_out_sooner_than_the_first_build():
    first = start_up(flask(), service="ClusterIP").summary()["first_answer_p50_s"]
    again = start_up(flask(), service="ClusterIP", changed="source", cache="base")
    assert again.summary()["first_answer_p50_s"] < first - 4


def test_scaling_out_needs_no_new_balancer_but_a_machine_of_its_own_is_checked():
    pod = start_up(flask(), begin="scale", service="LoadBalancer")
    vm = start_up(flask(), begin="scale", service="LoadBalancer", platform="vm")
    assert "load balancer" not in pod.table["step"].tolist()
    assert vm.table["step"].tolist()[-1] == "health checks"


def test_cold_is_slower_than_base_is_slower_than_warm():
    p50 = [
        start_up(flask(), begin="scale", cache=cache).summary()["one_ready_p50_s"]
        for cache in ("cold", "base", "warm")
    ]
    assert p50[0] > p50[1] > p50[2]


def test_many_nodes_wait_for_the_registry_and_lazy_pulls_do_not():
    image = sized_image(1000)
    one = median(start_up(image, begin="scale"), "pull and unpack")
    many = median(start_up(image, begin="scale", replicas=200, samples=200), "pull and unpack")
    lazy = median(start_up(image, begin="scale", lazy=True), "pull and unpack")
    assert many > 3 * one > 15 * lazy / 2


def test_a_readiness_probe_waits_for_its_next_turn():
    image = sized_image(50, runtime="java")
    plain = start_up(image, begin="scale", cache="warm").summary()["one_ready_p50_s"]
    probe = ReadinessProbe(initial_delay_s=0, period_s=10)
    probed = start_up(image, begin="scale", cache="warm", probe=probe)
    assert plain < probed.summary()["one_ready_p50_s"] < plain + 10
    waits = probed.steps[-3].took_s
    assert (waits >= -1e-9).all()
    assert (waits <= 10 + 1e-9).all()


def test_platforms_come_in_the_order_that_everybody_knows():
    p50 = compare_starts(flask()).summary()
    assert set(p50) == set(PLATFORMS)
    assert p50["lambda"] < p50["microvm"] < p50["fargate"] < p50["pod on a new node"]
    assert p50["container"] < p50["pod"] < p50["vm"] < p50["vm-windows"]


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    one, two, three = (start_up(flask(), seed=seed).first_s for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


def test_a_range_is_drawn_with_its_own_percentiles():
    z = np.random.default_rng(0).standard_normal(200_000)
    ends = np.percentile(drawn(Interval(10, 4, 40), z), [5, 50, 95])
    assert ends == pytest.approx([4, 10, 40], rel=0.02)
    assert (drawn(Interval(0, 0, 9), z) == 0).all()


def test_boots_at_once_slow_each_other_and_more_of_them_more():
    times = [boot_time("firecracker", at_once=n).value for n in (1, 10, 50, 100, 400)]
    assert times == sorted(times)
    assert boot_percentiles("firecracker") == pytest.approx((0.1609, 0.1725))


def test_every_parameter_has_a_source_a_date_and_ends_in_order():
    for table in ("start", "images"):
        for each in facts(table).values():
            assert each.source
            assert each.source_date
            assert each.figure.low <= each.figure.value <= each.figure.high, each
            if each.source.startswith("guess"):
                assert not each.verified
                assert each.figure.low < each.figure.high, each


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"platform": "pods"}, "no platform 'pods'.*did you mean 'pod"),
        ({"service": "Loadbalancer"}, "did you mean 'LoadBalancer'"),
        ({"cache": "hot"}, "no cache 'hot'"),
        ({"monitor": "fire"}, "no monitor 'fire'"),
        ({"begin": "end"}, "no begin 'end'"),
        ({"replicas": 0}, "0 replicas, expected 1 to 100,000"),
        ({"samples": -1}, "-1 samples"),
        ({"nodes": -2}, "-2 nodes"),
    ],
)
def test_what_is_not_known_is_said_in_one_sentence(options, said):
    with pytest.raises(ModelError, match=said):
        start_up(flask(), **options)


def test_an_unknown_step_names_the_nearest():
    with pytest.raises(ModelError, match="did you mean 'schedule'"):
        start_up(flask(), samples=100).explain("shedule")


# Deployments ---------------------------------------------------------------------------------


def test_the_flask_deployment_is_three_replicas_behind_a_balancer():
    found = read_deployment(FLASK / "deployment.yaml")
    assert (found.replicas, found.service, found.ports) == (3, "LoadBalancer", (5000,))
    assert found.probe is None


def written(tmp_path, text: str):
    file = tmp_path / "d.yaml"
    file.write_text(text)
    return file


POD = "template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: i}]}}"


def test_a_service_that_selects_other_pods_is_not_its_own(tmp_path):
    text = (
        f"kind: Deployment\nmetadata: {{name: a}}\nspec: {{{POD}}}\n---\n"
        "kind: Service\nspec: {type: LoadBalancer, selector: {app: b}}"
    )
    found = read_deployment(written(tmp_path, text))
    assert (found.replicas, found.service) == (1, "none")


def test_a_file_without_a_deployment_and_wrong_replicas_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="expected a Deployment"):
        read_deployment(written(tmp_path, "kind: Service"))
    text = f"kind: Deployment\nspec: {{replicas: many, {POD}}}"
    with pytest.raises(InputError, match="Deployment: replicas: found 'many'"):
        read_deployment(written(tmp_path, text))
    with pytest.raises(InputError, match=r"Deployment.* found -1"):
        read_deployment(written(tmp_path, f"kind: Deployment\nspec: {{replicas: -1, {POD}}}"))
