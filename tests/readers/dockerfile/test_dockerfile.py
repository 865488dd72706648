"""Dockerfiles: what Docker's own reader accepts, and one sentence for what it does not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.data_files import data_path
from capsim.errors import InputError
from capsim.readers.dockerfile import MAX_BYTES, parse_dockerfile, read_dockerfile


def only(text: str, keyword: str = "", **options: object):
    """The instruction of this keyword in the stage that is built (the last one)."""
    found = parse_dockerfile(text, **options)
    stage = found.stages[found.target]
    return [each for each in stage.instructions if each.keyword == keyword or not keyword][-1]


def refused(text: str, **options: object) -> str:
    with pytest.raises(InputError) as error:
        parse_dockerfile(text, **options)
    return str(error.value)


def test_the_flask_example_reads_as_it_is_written():
    found = read_dockerfile(data_path("examples", "flask"))
    stage = found.stages[0]
    assert stage.base == "python:3.9-slim"
    assert [each.keyword for each in stage.instructions] == [
        "WORKDIR", "COPY", "RUN", "COPY", "EXPOSE", "CMD",
    ]  # fmt: skip
    assert stage.instructions[4].words == ("5000",)
    assert stage.instructions[5].json_form


def test_a_continued_line_skips_comments_and_empty_lines_in_between():
    run = only("FROM a\nRUN one \\\n  # not a command\n\n  two \\\n  three", "RUN")
    assert run.text.split() == ["one", "two", "three"]
    assert run.line == 2


def test_an_escaped_backslash_at_the_end_does_not_continue_the_line():
    found = parse_dockerfile("FROM a\nRUN echo \\\\\nUSER app")
    assert [each.keyword for each in found.stages[0].instructions] == ["RUN", "USER"]


def test_the_escape_directive_makes_backslashes_plain():
    run = only("# escape=`\nFROM a\nRUN dir C:\\ `\n  /s", "RUN")
    assert run.text.split() == ["dir", "C:\\", "/s"]


def test_a_comment_before_a_directive_makes_it_a_comment():
    assert parse_dockerfile("# hello\n# escape=`\nFROM a").escape == "\\"


def test_a_heredoc_is_the_script_of_its_run_and_lines_go_on_after_it():
    found = parse_dockerfile("FROM a\nRUN <<-EOF\n\tapt-get update\n\techo hi\n\tEOF\nUSER app")
    run, user = found.stages[0].instructions
    assert run.heredocs[0].content == "apt-get update\necho hi"
    assert (user.keyword, user.line) == ("USER", 6)


def test_a_quoted_heredoc_keeps_its_variables():
    run = only("FROM a\nCOPY <<'EOF' /x\n$HOME\nEOF", "COPY")
    assert not run.heredocs[0].expand


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${V:-3}", "3"),
        ("${V-3}", "3"),
        ("${E:-3}", "3"),
        ("${E-3}", ""),
        ("${S:+x}", "x"),
        ("${V:+x}", ""),
        ("${S:-3}", "a.tar.gz"),
        ("${S%.*}", "a.tar"),
        ("${S%%.*}", "a"),
        ("${S#*.}", "tar.gz"),
        ("${S##*.}", "gz"),
        ("${S/a/b}", "b.tar.gz"),
        ("${S//a/b}", "b.tbr.gz"),
        ("${V:-${S}}", "a.tar.gz"),
        ("\\$S", "$S"),
        ("'$S'", "$S"),
        ('"$S"', "a.tar.gz"),
    ],
)
def test_variables_are_replaced_as_in_the_shell(written: str, value: str):
    assert only(f"FROM a\nENV S=a.tar.gz E=\nLABEL x={written}", "LABEL").words[0] == f"x={value}"


def test_all_of_one_env_sees_the_values_from_before_it():
    env = only("FROM a\nENV a=hello\nENV a=bye b=$a", "ENV")
    assert env.words == ("a=bye", "b=hello")


def test_an_arg_before_from_reaches_a_stage_only_where_it_is_named():
    text = "ARG V=1\nFROM a:$V\n{}LABEL v=$V"
    assert only(text.format("ARG V\n"), "LABEL").words == ("v=1",)
    assert only(text.format(""), "LABEL").words == ("v=",)
    assert parse_dockerfile(text.format("")).stages[0].base == "a:1"


def test_build_arguments_win_over_defaults_and_env_wins_over_both():
    text = "FROM a\nARG V=1\nLABEL v=$V"
    assert only(text, "LABEL", build_args={"V": "2"}).words == ("v=2",)
    assert only("FROM a\nENV V=3\nARG V=1\nLABEL v=$V", "LABEL").words == ("v=3",)
    found = parse_dockerfile(text, build_args={"W": "2"})
    assert found.remarks == ("Build arguments that no ARG names: W.",)


def test_only_the_stages_that_the_target_needs_are_built():
    text = (
        "FROM a AS one\nFROM b AS two\nFROM c AS three\nCOPY --from=one /x /x\n"
        "FROM three AS four\nRUN --mount=type=bind,from=two,target=/t ls"
    )
    assert parse_dockerfile(text).needed == (0, 1, 2, 3)
    assert parse_dockerfile(text, target="three").needed == (0, 2)
    assert parse_dockerfile(text, target="1").needed == (1,)


def test_onbuild_runs_where_its_stage_is_the_base():
    found = parse_dockerfile("FROM a AS base\nONBUILD COPY . /src\nFROM base\nRUN make")
    assert [(i.keyword, i.trigger) for i in found.stages[1].instructions] == [
        ("COPY", True),
        ("RUN", False),
    ]


def test_a_library_image_of_the_stages_own_name_is_the_image_and_is_said():
    found = parse_dockerfile("FROM node AS node\nRUN x")
    assert found.stages[0].base_stage is None
    assert "'node' is taken for the image" in found.remarks[0]


def test_flags_may_come_several_times():
    run = only("FROM a\nRUN --mount=type=cache,target=/a --mount=type=secret,id=b make", "RUN")
    assert [name for name, _ in run.flags] == ["mount", "mount"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FORM x", "line 1: found the instruction 'FORM', .*did you mean 'FROM'"),
        ("", "found no FROM"),
        ("RUN x\nFROM a", "line 1: found RUN before the first FROM"),
        ("FROM", "line 1: found 'FROM '"),
        ("FROM a AS", "line 1: found 'FROM a AS'"),
        ("FROM a AS 9", "the stage name '9'"),
        ("FROM app AS app", "stage 'app' built on itself \\(line 1\\), a loop"),
        ("FROM b AS a\nFROM a AS b", "line 1: found stage 'b' built on a later stage \\(line 2\\)"),
        ("FROM a\nCOPY --from=0 x y", "line 2: found --from=0"),
        ("FROM a AS s\nCOPY --from=s x y", "copies from itself"),
        ("FROM a\nCOPY x", "COPY of one path"),
        ("FROM a\nEXPOSE 99999", "line 2: found the port '99999'"),
        ("FROM a\nRUN --mont=x y", "the flag --mont of RUN.*did you mean 'mount'"),
        ("FROM a\nSHELL /bin/sh", "SHELL in shell form"),
        ("FROM a\nENV x", "ENV 'x'"),
        ("FROM a\nLABEL a=${x", "a \\$\\{ without its \\}"),
        ("FROM a\nLABEL a=${x:?gone}", "x missing \\(gone\\)"),
        ("FROM a\nLABEL a=${x:*y}", "one of the modifiers"),
        ("FROM a\nRUN <<EOF\nx", "<<EOF without a line 'EOF'"),
        ("FROM a\nONBUILD FROM b", "ONBUILD FROM"),
        ("FROM a\nHEALTHCHECK --interval=soon CMD x", "--interval='soon'"),
        ("FROM a\nHEALTHCHECK MAYBE", "NONE, or CMD"),
        ("# escape=x\nFROM a", "escape='x'"),
        ("# escape=`\n# escape=`\nFROM a", "line 2: found a second escape directive"),
        ("FROM a\nRUN", "RUN without arguments"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_its_line(text: str, said: str):
    message = refused(text)
    assert re.search(said, message), message
    assert message.endswith(".")
    assert "\n" not in message


def test_an_unknown_target_names_the_nearest_stage():
    assert "did you mean 'build'?" in refused("FROM a AS build", target="biuld")


def test_every_wrong_line_is_named_at_once():
    assert refused("FROM a\nRNU x\nEXPOSE x").count("\n") == 1


def test_values_that_double_each_other_are_refused_before_they_fill_the_memory():
    doubling = "\n".join(f"ENV a{n + 1}=$a{n}$a{n}" for n in range(64))
    assert "grow over 64 KiB" in refused(f"FROM a\nENV a0=xxxx\n{doubling}")


def test_ten_thousand_lines_are_read_and_far_larger_files_are_refused():
    lines = [f"ENV A{n}=$A{n - 1}" if n % 2 else f"RUN echo $A{n - 1}" for n in range(10_000)]
    assert len(parse_dockerfile("FROM a\n" + "\n".join(lines)).stages[0].instructions) == 10_000
    assert "more than 4 MiB" in refused("FROM a\n" + "#" * MAX_BYTES)


def test_a_missing_and_an_empty_file_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"no such file|cannot be opened"):
        read_dockerfile(tmp_path / "Dockerfile")
    (tmp_path / "Dockerfile").write_text("")
    with pytest.raises(InputError, match="found an empty file, expected a Dockerfile"):
        read_dockerfile(tmp_path)


_PIECES = st.sampled_from(
    [*("FROM", "RUN", "COPY", "ENV", "ARG", "ONBUILD", "SHELL", "HEALTHCHECK", "EXPOSE", "AS"),
     *("--from=", "--mount=", "${", "}", ":-", "$x", "a", "<<EOF", "EOF", "0", "-1", "#", "/"),
     *("\\", "'", '"', "[", "]", "{", ",", "=", ":", "\n", "\t")]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=40).map(" ".join)))
def test_any_text_is_a_dockerfile_or_an_error_in_words(text: str):
    for whole in (text, f"FROM a\n{text}"):
        try:
            parse_dockerfile(whole)
        except InputError as refusal:
            said = str(refusal)
        else:
            said = "read"
        assert said.strip()
