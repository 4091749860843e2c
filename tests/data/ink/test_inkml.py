import sys

import numpy as np
import pytest

from gatewise.data.ink import Ink, read_ink, read_inkml, read_whiteboard, write_inkml
from gatewise.data.ink.traces import Channel, TraceFormat, read_trace
from gatewise.errors import ConfigurationError, DataError

TWO = """<ink xmlns="http://www.w3.org/2003/InkML">
  <annotation type="truth">it</annotation>
  <definitions>
    <brush xml:id="pen"/>
    <context xml:id="other"><inkSource><traceFormat>
      <channel name="F" type="integer"/><channel name="Y" type="decimal" orientation="-ve"/>
      <channel name="X" type="decimal"/><channel name="T" type="integer" units="ms"/>
    </traceFormat></inkSource></context>
    <trace xml:id="template">0 0</trace>
  </definitions>
  %s
</ink>"""


@pytest.fixture
def read(tmp_path):
    def from_text(text, name="line.inkml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_ink(path)

    return from_text


def test_the_recommendations_own_example():
    # W3C (2011), section 3.2.1: X and Y, with two intermittent channels
    text = "1125 18432,'23'43,\"7\"-8,3-5,7 -3,6 2,6 8,3 6 T,2 4*T,3 6,3-6 F F"
    wanted = [
        [1125, 18432],
        [1148, 18475],
        [1178, 18510],
        [1211, 18540],
        [1251, 18567],
        [1297, 18596],
        [1349, 18633],
        [1404, 18676],
        [1461, 18723],
        [1521, 18776],
        [1584, 18823],
    ]
    assert read_trace(text, TraceFormat(n_intermittent=2), "trace 1") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 2", [[1, 2]]),
        (" -1.5 +2e1 , .5 -.25e-1, ", [[-1.5, 20], [0.5, -0.025]]),
        ("#1f #A", [[31, 10]]),
        ("1-2", [[1, -2]]),
        # a prefix holds for its channel until the next one
        ("0 0, '1 5, 2 6, !9 '1, 8 1", [[0, 0], [1, 5], [3, 6], [9, 7], [8, 8]]),
        # * stays, goes on as fast, and goes on getting faster
        ("4 4, * 5, '2 6, * 7, \"1 8, * 9", [[4, 4], [4, 5], [6, 6], [8, 7], [11, 8], [15, 9]]),
        # the speed before a second difference may come from explicit values
        ('0 0, 3 0, "1 0', [[0, 0], [3, 0], [7, 0]]),
    ],
)
def test_notations_of_values(text, wanted):
    assert read_trace(text, TraceFormat(), "trace 1") == wanted


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (" ", ["trace 1 has no points"]),
        ("1 2, 3", ["trace 1, point 2", "got 1 values", "expected 2 (X Y)"]),
        ("1 2 3", ["point 1", "got 3 values"]),
        ("1 2,,3 4", ["point 2", "got 0 values"]),
        ("1 2, 3 x", ["point 2", '"x"']),
        ("1 ?", ["channel Y", '"?"']),
        ("T 2", ["channel X", '"T"']),
        ("'1 2", ["first point of a trace has to be explicit"]),
        ("* 2", ["first point of a trace has to be explicit"]),
    ],
)
def test_traces_that_cannot_be_read(text, parts):
    with pytest.raises(DataError) as caught:
        read_trace(text, TraceFormat(), "trace 1")
    for part in parts:
        assert part in str(caught.value)


def test_a_format_needs_one_x_and_one_y():
    with pytest.raises(DataError, match="0 regular channels Y among X, F"):
        TraceFormat((Channel("X"), Channel("F")))
    with pytest.raises(DataError, match="2 regular channels X"):
        TraceFormat((Channel("X"), Channel("X"), Channel("Y")))


def test_traces_and_text_without_brushes_and_definitions(read):
    ink = read(TWO % '<trace brushRef="#pen">1 2, 3 4</trace><trace type="penUp">7 7</trace><trace>5 6</trace>')
    assert [stroke.tolist() for stroke in ink.strokes] == [[[1, 2], [3, 4]], [[5, 6]]]
    assert ink.text == "it"


@pytest.mark.parametrize(
    "body",
    [
        '<trace contextRef="#other">9 2 1 1500, 9 4 3 1510</trace>',
        '<traceGroup contextRef="#other"><trace>9 2 1 1500, 9 4 3 1510</trace></traceGroup>',
        '<context contextRef="#other"/><trace>9 2 1 1500, 9 4 3 1510</trace>',
        '<context><inkSource><traceFormat><channel name="X"/><channel name="Y" orientation="-ve"/>'
        '<channel name="T" units="s"/></traceFormat></inkSource></context><trace>1 2 1.5, 3 4 1.51</trace>',
        '<traceFormat><regularChannels><channel name="X"/><channel name="Y" orientation="-ve"/><channel name="T"/>'
        "</regularChannels></traceFormat><trace>1 2 1500, 3 4 1510</trace>",
    ],
)
def test_channels_in_any_order_by_context_group_or_format(read, body):
    (stroke,) = read(TWO % body).strokes
    np.testing.assert_allclose(stroke, [[1, -2, 1.5], [3, -4, 1.51]])


def test_a_context_holds_for_what_follows_it(read):
    text = '<trace>1 2</trace><context contextRef="#other"/><traceGroup><trace>9 2 1 0</trace></traceGroup>'
    with pytest.raises(DataError, match="stroke 2 has time stamps and stroke 1 has none"):
        read(TWO % text)


def test_annotations_of_groups_are_not_the_text(read):
    body = '<traceGroup><annotation type="truth">i</annotation><trace>1 2</trace></traceGroup>'
    assert read(f"<ink>{body}</ink>").text is None
    assert read(f'<ink>{body}<annotation type="truth">it</annotation></ink>').text == "it"


def test_a_trace_in_parts_is_one_stroke(read):
    body = (
        '<trace xml:id="a" continuation="begin">1 1</trace><trace>8 8</trace>'
        '<trace xml:id="b" continuation="middle" priorRef="#a">2 2</trace>'
        '<trace continuation="end" priorRef="#b">3 3</trace>'
    )
    assert [stroke.tolist() for stroke in read(TWO % body).strokes] == [[[1, 1], [2, 2], [3, 3]], [[8, 8]]]


BOMB = """<!DOCTYPE ink [<!ENTITY a "1 1, 1 1, 1 1"><!ENTITY b "&a;, &a;, &a;">]>
<ink><trace>&b;</trace></ink>"""
OUTSIDE = """<!DOCTYPE ink [<!ENTITY file SYSTEM "file:///etc/hostname">]><ink><trace>&file;</trace></ink>"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (BOMB, ["declares entities", "EntitiesForbidden"]),
        (OUTSIDE, ["declares entities or refers to other files"]),
        (b"", ["0 bytes"]),
        ("<ink><trace>", ["no well-formed XML", "line 1"]),
        (b'<?xml version="1.0" encoding="utf-99"?><ink/>', ["line.inkml"]),
        (b"<ink>\xff</ink>", ["no well-formed XML"]),
        ("<svg/>", ["<svg>", "expected <ink>"]),
        ("<ink/>", ["no traces", "at least one <trace>"]),
        ('<ink><trace type="penUp">1 1</trace></ink>', ["no traces that were written"]),
        ("<ink><definitions><trace>1 1</trace></definitions></ink>", ["no traces"]),
        ("<ink><trace>1 1</trace><trace/></ink>", ["trace 2 has no points"]),
        ('<ink><trace contextRef="#no">1 1</trace></ink>', ['"#no"']),
        ('<ink><trace continuation="end" priorRef="#no">1 1</trace></ink>', ['continues the trace "no"']),
        ('<ink><trace continuation="end">1 1</trace></ink>', ['continues the trace ""']),
        ('<ink><context xml:id="a" contextRef="#a"/></ink>', ["in a circle"]),
        ('<ink><traceFormat><channel name="X"/></traceFormat><trace>1</trace></ink>', ["0 regular channels Y"]),
        (
            "<ink><traceFormat><channel/></traceFormat><trace>1</trace></ink>",
            ["channel of the trace format has no name"],
        ),
        (
            '<ink><traceFormat><channel name="X"/><channel name="Y"/><channel name="T" units="min"/></traceFormat>'
            "</ink>",
            ['"min"', "ms"],
        ),
        ("<ink>" + "<traceGroup>" * 60 + "</traceGroup>" * 60 + "</ink>", ["nested more than 50"]),
        ("<ink><trace>1 1, 2e300 1</trace></ink>", ["stroke 1, point 2", "2e+300"]),
        ("<ink><trace>1 1, #" + "f" * 300 + " 1</trace></ink>", ["trace 1"]),
    ],
)
def test_files_that_are_refused_in_one_sentence(read, text, parts):
    with pytest.raises(DataError) as caught:
        read(text)
    for part in ("line.inkml", *parts):
        assert part in str(caught.value)


def test_a_file_that_is_too_large(read, monkeypatch):
    monkeypatch.setattr("gatewise.data.ink.files.MOST_BYTES", 10)
    with pytest.raises(DataError, match="34 bytes: expected ink of at most 10"):
        read("<ink><trace>1 1, 2 2</trace></ink>")


def test_missing_files_and_unknown_suffixes(tmp_path):
    (tmp_path / "line_01.inkml").touch()
    with pytest.raises(DataError, match=r'did you mean "line_01.inkml"'):
        read_inkml(tmp_path / "line_1.inkml")
    with pytest.raises(DataError, match="its folder does not exist"):
        read_inkml(tmp_path / "no" / "line.inkml")
    with pytest.raises(DataError, match="is a folder"):
        read_inkml(tmp_path)
    with pytest.raises(DataError, match=r'suffix ".png": expected ink as .inkml'):
        read_ink(tmp_path / "line.png")


@pytest.mark.parametrize("columns", [2, 3])
def test_what_is_written_is_read_again(tmp_path, columns):
    rng = np.random.default_rng(0)
    ink = Ink.from_strokes([rng.normal(size=(n, columns)) * 10.0**n for n in (1, 5, 3)], 'a < "b" & ü')
    write_inkml(ink, tmp_path / "line.inkml")
    again = read_ink(tmp_path / "line.inkml")
    assert again.text == ink.text
    for one, other in zip(ink.strokes, again.strokes, strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_defusedxml_the_message_says_how_to_install_it(monkeypatch, tmp_path):
    (tmp_path / "line.inkml").write_text("<ink/>")
    monkeypatch.setitem(sys.modules, "defusedxml.ElementTree", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'gatewise\[ink\]'"):
        read_inkml(tmp_path / "line.inkml")


BOARD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<WhiteboardCaptureSession><WhiteboardDescription><SensorLocation corner="top_left"/></WhiteboardDescription>
<StrokeSet><Stroke colour="black" start_time="769.05" end_time="769.64"><Point x="895" y="992" time="769.05"/>
<Point x="896" y="990" time="769.07"/></Stroke><Stroke>%s</Stroke></StrokeSet></WhiteboardCaptureSession>"""


def test_captured_whiteboards(read):
    ink = read(BOARD % '<Point x="1" y="2" time="770"/>', "line.xml")
    assert [stroke.tolist() for stroke in ink.strokes] == [[[895, 992, 769.05], [896, 990, 769.07]], [[1, 2, 770]]]
    assert read("<ink><trace>1 1</trace></ink>", "ink.xml").n_points == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (BOARD % '<Point x="1" time="770"/>', "stroke 2, point 1"),
        (BOARD % '<Point x="1" y="b" time="770"/>', "'y': 'b'"),
        (BOARD % "", "stroke 2 has no points"),
        ("<WhiteboardCaptureSession/>", "no strokes"),
    ],
)
def test_whiteboards_that_cannot_be_read(read, text, part):
    with pytest.raises(DataError) as caught:
        read(text, "line.xml")
    assert part in str(caught.value)


def test_a_whiteboard_is_no_other_document(tmp_path):
    (tmp_path / "a.xml").write_text("<ink/>")
    with pytest.raises(DataError, match="<ink>: expected <WhiteboardCaptureSession>"):
        read_whiteboard(tmp_path / "a.xml")
