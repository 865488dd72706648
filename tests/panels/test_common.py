"""What panels share."""

from __future__ import annotations

import asyncio
import base64
import io
import re

import pandas as pd
import pytest

from capsim.errors import ModelError
from capsim.panels import HowManyMachines, common


def csv_files(html: str) -> dict[str, pd.DataFrame]:
    """The files behind the links, by name."""
    links = re.findall(r"download='([^']+)' href='data:[^,]+;base64,([^']+)'", html)
    return {name: pd.read_csv(io.BytesIO(base64.b64decode(data))) for name, data in links}


def test_each_table_has_a_csv_that_equals_it(panel: HowManyMachines):
    panel.controls.growth.value = 60
    panel.numbers.widget.selected_index = 0
    files = csv_files(panel.numbers.html)
    tables = {f"{name.replace(' ', '-')}.csv": t for name, t in panel.tables.items() if len(t)}
    assert set(files) == set(tables) > {"resources.csv", "waiting.csv", "curves.csv"}
    for name, table in tables.items():
        expected = pd.read_csv(io.StringIO(common.csv_text(table)))
        pd.testing.assert_frame_equal(files[name], expected)
    numbers = files["resources.csv"].select_dtypes("number")
    pd.testing.assert_frame_equal(numbers, panel.tables["resources"][list(numbers)])


def test_tables_are_made_when_they_are_unfolded_and_follow_from_then_on(panel: HowManyMachines):
    panel.controls.growth.value = 20
    assert panel.numbers.html == ""
    panel.numbers.widget.selected_index = 0
    assert "Resources" in panel.numbers.html
    panel.controls.growth.value = 21
    shown = csv_files(panel.numbers.html)["settings.csv"].set_index("control")["value"]
    assert shown["Growth of the load (%)"] == "21"


def test_a_long_table_says_how_many_rows_are_left_out():
    html = common.table_html(pd.DataFrame({"n": range(50)}))
    assert html.count("<tr>") == 41
    assert "… and 10 more rows in the CSV." in html


def test_numbers_are_rounded_for_reading_and_text_is_not():
    table = pd.DataFrame({"name": ["<b>"], "amount": [1234.567], "small": [0.12345], "n": [4567]})
    html = common.table_html(table)
    for cell in ("&lt;b&gt;", ">1,235<", ">0.123<", ">4,567<"):
        assert cell in html


def test_at_first_any_slider_may_move_and_then_the_one_that_did_goes_on():
    controls = common.Controls(
        load=common.slider("Load (%)", 0, 10),
        factor=common.slider("Factor", 1.0, 2.0, 0.05),
        kind=common.menu("", "ab", "a"),
    )
    controls.answer(lambda: None)
    assert controls.further() == [{"load": 1}, {"factor": 1.05}]
    controls.load.value = 4
    assert controls.further() == [{"load": 5}]
    controls.load.value = 3
    assert controls.further() == [{"load": 2}]
    controls.load.value = 10
    assert controls.further() == []
    controls.kind.value = "b"
    assert controls.further() == []


def test_an_unknown_control_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no control 'speed'"):
        _ = common.Controls().speed


def test_a_newer_move_drops_what_the_older_one_had_left():
    done: list[str] = []

    async def moves() -> None:
        afterwards = common.Afterwards(
            (0.0, lambda: done.append("first")), (0.05, lambda: done.append("later"))
        )
        afterwards()
        await asyncio.sleep(0.02)
        afterwards()
        await asyncio.sleep(0.2)

    asyncio.run(moves())
    assert done == ["first", "first", "later"]


def test_without_an_event_loop_all_is_done_at_once():
    done: list[int] = []
    common.Afterwards((9.0, lambda: done.append(1)), (9.0, lambda: done.append(2)))()
    assert done == [1, 2]


def test_a_message_is_escaped_and_one_line():
    message = common.Message()
    with message.errors():
        raise ModelError("a <b>\n  broken line")
    assert message.text == "a <b> broken line"
    assert "a &lt;b&gt; broken line" in message.widget.value


def test_getting_ready_does_every_step_and_hides_its_bar():
    done: list[str] = []
    common.get_ready({"one": lambda: done.append("one"), "two": lambda: done.append("two")})
    assert done == ["one", "two"]
