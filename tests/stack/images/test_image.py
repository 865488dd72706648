"""What a Dockerfile builds: sizes, layers, what is rebuilt, advice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.errors import ModelError
from capsim.readers.dockerfile import parse_dockerfile
from capsim.stack.images import packages
from capsim.stack.images.bases import base_image, split_reference, variant
from capsim.stack.images.commands import commands
from capsim.stack.images.estimate import image_of, sized_image
from tests.stack.images.builders import built, flask


def test_the_flask_image_is_its_base_and_a_few_megabytes_of_packages():
    image = flask()
    assert image.compressed_mb.value == pytest.approx(47.2 + 2.35, abs=0.3)
    assert image.unpacked_mb.value == pytest.approx(135, abs=10)  # docker shows about 130 MB
    assert image.compressed_mb.low < image.compressed_mb.value < image.compressed_mb.high
    assert [layer.of_base for layer in image.layers].count(True) == 5
    assert len(image.table) == 9
    assert image.runtime == "python"
    assert image.advice == ()


def test_flask_installs_its_needs_too():
    assert {"werkzeug", "jinja2", "markupsafe"} <= set(packages.with_needs(["flask"]))
    assert "pip: 8 packages" in flask().explain(4)


def test_only_the_source_is_copied_again_when_only_source_changes():
    image = flask()
    rebuilt = image.build[image.build["makes_layer"] & image.build["rebuilt_when_source_changes"]]
    assert rebuilt["step"].tolist() == ["COPY . ."]
    assert image.build_s("source").value < 1 < image.build_s("dependencies").value
    assert image.build_s("nothing").value == 0
    assert image.pushed_mb("source").value < 0.01 < image.pushed_mb("dependencies").value < 5


def test_source_before_packages_is_found_and_told():
    text = "FROM python:3.12-slim\nCOPY . .\nRUN pip install --no-cache-dir flask"
    image = built(text, {"app.py": 900})
    assert image.build_s("source").value > 1
    assert "packages are installed anew with every change" in image.advice[0]
    assert "before line 2" in image.advice[0]


def test_what_the_context_has_is_what_a_copy_weighs():
    text = "FROM scratch\nCOPY big.bin src/ /x/"
    files = {"big.bin": 3_000_000, "src/a.py": 500_000, "src/b/c.py": 500_000, "other": 9_000_000}
    assert built(text, files).unpacked_mb.value == pytest.approx(4.0)
    assert built("FROM scratch\nCOPY src/*.py /x/", files).unpacked_mb.value == pytest.approx(0.5)


def test_only_the_final_stage_counts():
    text = (
        "FROM golang:1.22 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /app\n"
        "FROM scratch\nCOPY --from=build /app /app"
    )
    image = built(text, {"main.go": 1000})
    assert len(image.layers) == 1
    assert 1 < image.compressed_mb.value < 30
    assert {step.stage for step in image.steps} == {0, 1}
    assert image.build_s("source").value > 10  # the compiler runs again
    assert built(text, {}, ).dockerfile.target == 1  # fmt: skip


def test_stages_are_built_side_by_side():
    one = "FROM scratch AS a\nRUN make\n"
    two = "FROM scratch AS b\nRUN make\n"
    end = "FROM scratch\nCOPY --from=a /x /x\n"
    alone = built(one + end, {}).build_s().value
    both = built(one + two + end + "COPY --from=b /y /y", {}).build_s().value
    assert alone < both < 1.2 * alone


def test_a_target_builds_no_more_than_it_needs():
    text = "FROM scratch AS a\nRUN make\nFROM scratch AS b\nRUN make"
    image = image_of(parse_dockerfile(text, target="a"))
    assert {step.stage for step in image.steps} == {0}


def test_caches_and_lists_weigh_unless_they_are_removed():
    def size(run: str) -> float:
        return built(f"FROM debian:12-slim\nRUN {run}", {}).compressed_mb.value

    kept = size("apt-get update && apt-get install -y --no-install-recommends curl")
    removed = size(
        "apt-get update && apt-get install -y --no-install-recommends curl "
        "&& rm -rf /var/lib/apt/lists/*"
    )
    assert kept - removed == pytest.approx(19.9)
    assert size("pip install numpy") - size("pip install --no-cache-dir numpy") > 10
    with_mount = size("--mount=type=cache,target=/root/.cache/pip pip install numpy")
    assert with_mount == size("pip install --no-cache-dir numpy")
    told = built("FROM debian:12-slim\nENV PIP_NO_CACHE_DIR=1\nRUN pip install numpy", {})
    assert told.compressed_mb.value == pytest.approx(with_mount)


def test_removing_and_owning_later_is_told():
    text = "FROM debian:12-slim\nCOPY . /app\nRUN chown -R app /app\nRUN rm -rf /app/doc"
    image = built(text, {"data.bin": 5_000_000})
    assert image.unpacked_mb.value > 10
    assert any("a second time" in each for each in image.advice)
    assert any("stays in the layer below" in each for each in image.advice)


def test_build_tools_and_recommends_are_told():
    image = built("FROM debian:12-slim\nRUN apt-get update && apt-get install -y gcc", {})
    assert any("gcc stay in the image" in each for each in image.advice)
    assert any("--no-install-recommends" in each for each in image.advice)


def test_heavy_folders_in_the_context_are_told():
    image = built("FROM node:22-alpine\nCOPY . .", {"node_modules/x.js": 40_000_000})
    assert "node_modules/ is sent to the builder, 40 MB" in image.advice[0]


def test_unpinned_bases_are_told():
    assert "python has no fixed tag" in built("FROM python", {}).advice[0]


def test_unknown_base_images_are_a_stated_range():
    base = base_image("ghcr.io/team/service:4")
    assert base.known == "unknown"
    assert base.compressed_mb.low * 5 < base.compressed_mb.high
    assert "not in the catalogue" in base.assumption.value
    image = built("FROM ghcr.io/team/service:4", {})
    assert any("not in the catalogue" in each.value for each in image.assumptions)


@pytest.mark.parametrize(
    ("reference", "known"),
    [
        ("python:3.9-slim", "listed"),
        ("docker.io/library/python:3.9-slim", "listed"),
        ("python:3.10-slim-bookworm", "other version"),
        ("python:3.10-windowsservercore", "other variant"),
        ("quay.io/python:3.9-slim", "unknown"),
        ("scratch", "listed"),
    ],
)
def test_base_images_are_found_by_name_then_version_then_variant(reference: str, known: str):
    assert base_image(reference).known == known


def test_references_and_variants_are_taken_apart():
    assert split_reference("reg.example.com:5000/a/b") == ("reg.example.com:5000/a/b", "latest")
    assert split_reference("python:3.9@sha256:00") == ("python", "3.9")
    assert [variant(t) for t in ("3.9-slim", "16-alpine3.20", "22.04", "8.3-apache")] == [
        "slim", "alpine", "", "apache",
    ]  # fmt: skip


def test_python_3_9_slim_has_the_layers_that_the_catalogue_lists():
    sizes = [round(layer.value, 1) for layer in base_image("python:3.9-slim").layers]
    assert sizes == [31.3, 1.1, 11.6, 0.0, 3.2]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("apt-get update && apt-get install -y gcc", ["apt-update", "apt"]),
        ("set -eux; pip install -U pip; pip install flask", ["light", "light", "pip"]),
        ("python -m pip install -r requirements.txt", ["pip"]),
        ("DEBIAN_FRONTEND=x apt-get -y install git", ["apt"]),
        ("npm ci && npm run build", ["npm", "compile"]),
        ("echo 'a && b' | tee x", ["light", "other"]),
        ("chown -R app /app", ["chown"]),
        ("chown app /app", ["light"]),
        ("echo 'never closed", ["light"]),
    ],
)
def test_commands_of_a_run_are_told_apart(text: str, kinds: list[str]):
    assert [each.kind for each in commands(text, {})] == kinds


def test_packages_are_read_with_versions_extras_and_variables():
    found = commands('pip install "flask[async]==3.0" numpy>=1 -r $REQ ./own', {"REQ": "dev.txt"})
    assert found[0].packages[0] == "flask"
    assert found[0].files == ("dev.txt",)


def test_an_unknown_line_or_change_names_what_there_is():
    with pytest.raises(ModelError, match="no step of the build begins on line 99"):
        flask().explain(99)
    with pytest.raises(ModelError, match="did you mean 'source'"):
        flask().build_s("sorce")  # type: ignore[arg-type]


def test_an_image_of_a_size_has_that_size_and_refuses_absurd_ones():
    image = sized_image(100, layers=5)
    assert image.compressed_mb.value == pytest.approx(100)
    assert sum(x.compressed_mb.value for x in image.layers if x.of_base) == pytest.approx(70)
    for wrong in ({"compressed_mb": 0}, {"compressed_mb": 9, "layers": 1}):
        with pytest.raises(ModelError, match="expected more than 0 MB"):
            sized_image(**wrong)


def test_a_long_dockerfile_is_estimated_in_a_moment():
    lines = "\n".join(f"RUN echo {n} > /f{n}" for n in range(10_000))
    assert len(image_of(parse_dockerfile(f"FROM python:3.9-slim\n{lines}")).layers) == 10_005


_LINES = st.sampled_from(
    [
        "COPY . .",
        "COPY requirements.txt .",
        "RUN pip install flask",
        "RUN apt-get update && apt-get install -y curl",
        "RUN make",
        "ENV A=1",
        "WORKDIR /x",
        "USER app",
        "ADD https://example.com/x /x",
        "COPY <<EOF /y\nhi\nEOF",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_LINES, max_size=8))
def test_ranges_are_in_order_and_more_change_never_builds_quicker(lines: list[str]):
    image = built("FROM debian:12-slim\n" + "\n".join(lines), {"a.py": 100, "requirements.txt": 5})
    for span in (image.compressed_mb, image.unpacked_mb, image.build_s()):
        assert span.low <= span.value <= span.high
    times = [
        image.build_s(each).value for each in ("nothing", "source", "dependencies", "everything")
    ]
    assert times == sorted(times)
    digests = [layer.digest for layer in image.layers]
    assert len(set(digests)) == len(digests)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=120))
def test_any_command_is_read(text: str):
    for each in commands(text, {}):
        assert each.words


def test_packages_that_no_table_has_are_a_range_of_their_own_or_of_any():
    heavy = built("FROM scratch\nRUN pip install --no-cache-dir torch", {})
    some = built("FROM scratch\nRUN pip install --no-cache-dir nobodys-package", {})
    assert heavy.unpacked_mb.low > 500 > some.unpacked_mb.high
    assert any(each.name == "pip package nobodys-package" for each in some.assumptions)


def test_lists_of_packages_that_are_not_there_are_guessed_and_said():
    for run, file in (
        ("pip install -r gone.txt", "gone.txt"),
        ("poetry install --no-dev", "poetry.lock"),
        ("uv sync", "uv.lock"),
    ):
        image = built(f"FROM python:3.12-slim\nRUN {run}", {})
        assert f"packages of {file}, which was not read" in image.explain(2)
        assert image.compressed_mb.high > 2 * image.compressed_mb.value


@pytest.mark.parametrize(
    ("text", "runtime"),
    [
        ("FROM nginx:alpine", "server"),
        ("FROM golang:1.22 AS b\nFROM scratch\nCOPY --from=b /a /a", "go"),
        ("FROM debian:12-slim\nCMD java -jar a.jar", "java"),
        ("FROM node:22-alpine", "node"),
        ("FROM ghcr.io/a/b", "unknown"),
    ],
)
def test_what_runs_in_an_image_is_read_off_its_base_and_command(text: str, runtime: str):
    assert built(text, {}).runtime == runtime
