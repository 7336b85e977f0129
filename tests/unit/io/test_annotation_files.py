"""Files of annotation programs, written by hand after their published formats."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import facearray as fa
from facearray.errors import InputError, ReadError
from facearray.io.annotation_files import read_annotations

COLUMNS = ["video", "start", "end", "label", "tier", "subject", "modifier", "category", "comment"]

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-03-01T10:00:00+01:00" FORMAT="3.0" VERSION="3.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/sound.wav" MIME_TYPE="audio/x-wav"
        RELATIVE_MEDIA_URL="./sound.wav"/>
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/Gespr%C3%A4ch%201.mp4" MIME_TYPE="video/mp4"
        RELATIVE_MEDIA_URL="./Gespr%C3%A4ch%201.mp4"/>
    <PROPERTY NAME="lastUsedAnnotationId">12</PROPERTY>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
    <TIME_SLOT TIME_SLOT_ID="ts2"/>
    <TIME_SLOT TIME_SLOT_ID="ts3"/>
    <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="2500"/>
    <TIME_SLOT TIME_SLOT_ID="ts5" TIME_VALUE="3000"/>
    <TIME_SLOT TIME_SLOT_ID="ts6" TIME_VALUE="4000"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="utterance" PARTICIPANT="Ann" TIER_ID="speech">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE>good &amp; bad news</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts5" TIME_SLOT_REF2="ts6">
      <ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="word" PARENT_REF="speech" TIER_ID="words">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE>good</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a4" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>bad</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a5" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE>news</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="translation" PARENT_REF="speech" TIER_ID="translation">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a6" ANNOTATION_REF="a1">
      <ANNOTATION_VALUE>gute und schlechte</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="morph" PARENT_REF="words" TIER_ID="morphs">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a8" ANNOTATION_REF="a5" PREVIOUS_ANNOTATION="a7">
      <ANNOTATION_VALUE>s</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a7" ANNOTATION_REF="a5">
      <ANNOTATION_VALUE>new</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="gloss" PARENT_REF="morphs" TIER_ID="glosses">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a9" ANNOTATION_REF="a8">
      <ANNOTATION_VALUE>plural</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="utterance" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""

BORIS_EVENTS = """Observation id\tObservation date\tDescription\tObservation duration\tObservation type\tSource\t\
Time offset (s)\tCoding duration\tMedia duration (s)\tFPS (frame/s)\tSubject\t\
Observation duration by subject by observation\tBehavior\tBehavioral category\tModifier #1\tModifier #2\t\
Behavior type\tTime\tMedia file name\tImage index\tImage file path\tComment
obs1\t2024-03-01 10:00:00\t\t60\tMedia file(s)\tplayer #1:/films/a.mp4\t0.0\t50\t60.0\t25.0\tmother\t50\ttalk\t\
speech\tloud\tNone\tSTART\t1.000\t/films/a.mp4\t25\t\tfirst
obs1\t2024-03-01 10:00:00\t\t60\tMedia file(s)\tplayer #1:/films/a.mp4\t0.0\t50\t60.0\t25.0\tNo focal subject\t50\t\
clap\t\tNone\tNone\tPOINT\t1.500\t/films/a.mp4\t37\t\t
obs1\t2024-03-01 10:00:00\t\t60\tMedia file(s)\tplayer #1:/films/a.mp4\t0.0\t50\t60.0\t25.0\tchild\t50\ttalk\t\
speech\t\t\tSTART\t1.750\t/films/a.mp4\t44\t\t
obs1\t2024-03-01 10:00:00\t\t60\tMedia file(s)\tplayer #1:/films/a.mp4\t0.0\t50\t60.0\t25.0\tmother\t50\ttalk\t\
speech\tloud\tNone\tSTOP\t2.000\t/films/a.mp4\t50\t\t
obs1\t2024-03-01 10:00:00\t\t60\tMedia file(s)\tplayer #1:/films/a.mp4\t0.0\t50\t60.0\t25.0\tchild\t50\ttalk\t\
speech\t\t\tSTOP\t00:01:02.5\t/films/a.mp4\t1562\t\t
"""

BORIS_AGGREGATED = """Observation id,Observation date,Description,Observation type,Source,Time offset (s),\
Coding duration,Media duration (s),FPS (frame/s),Subject,\
Observation duration by subject by observation,Behavior,Behavioral category,\
Modifiers,Behavior type,Start (s),Stop (s),Duration (s),Media file name,Image index start,Image index stop,\
Image file path start,Image file path stop,Comment start,Comment stop
o1,2024-03-01,,Media file(s),,0.0,50,60.0,25.0,mother,50,talk,speech,loud,STATE,1.000,2.000,1.000,\
C:\\films\\a.mp4,25,50,,,"so, so",end
o1,2024-03-01,,Media file(s),,0.0,50,60.0,25.0,,50,clap,,,POINT,1.500,NA,NA,C:\\films\\a.mp4,37,37,,,,
o2,2024-03-02,,Media file(s),,0.0,50,60.0,25.0,,50,smile,,,STATE,0.25,0.5,0.25,b.mp4,6,12,,,,
"""

BORIS_OLD = """Observation id\tobs1
Media file(s)

Player #1\t/films/a.mp4

Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tModifiers\tComment\tStatus
1.0\t/films/a.mp4\t60\t25\t\tlook\t\t\t\tSTART
3.5\t/films/a.mp4\t60\t25\t\tlook\t\t\t\tSTOP
"""

OBSERVER = """Date_Time_Absolute_dmy_hmsf;Date_dmy;Time_Absolute_hms;Time_Relative_hmsf;Time_Relative_sf;Duration_sf;\
Observation;Event_Log;Subject;Behavior;Modifier_1;Event_Type;Comment
01-03-2024 10:00:01.000;01-03-2024;10:00:01;00:00:01.000;1,000;1,500;Gespräch 1;Log 1;Mutter;spricht;laut;State start;
01-03-2024 10:00:01.500;01-03-2024;10:00:01;00:00:01.500;1,500;0,000;Gespräch 1;Log 1;Kind;klatscht;;Point;\
"zweimal; laut"
01-03-2024 10:00:02.500;01-03-2024;10:00:02;00:00:02.500;2,500;0,000;Gespräch 1;Log 1;Mutter;spricht;laut;State stop;
"""


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str | bytes, encoding: str = "utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def rows(table: pd.DataFrame, *columns: str) -> list[tuple]:
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_elan__all_tiers(write):
    table = read_annotations(write("talk.eaf", EAF))
    assert list(table.columns) == COLUMNS
    assert set(table["video"]) == {"Gespräch 1.mp4"}
    assert rows(table, "tier", "label", "start", "end", "subject") == [
        ("speech", "good & bad news", 1.0, 2.5, "Ann"),
        ("speech", "", 3.0, 4.0, "Ann"),
        # slots without a time lie evenly between those with one
        ("words", "good", 1.0, 1.5, ""),
        ("words", "bad", 1.5, 2.0, ""),
        ("words", "news", 2.0, 2.5, ""),
        ("translation", "gute und schlechte", 1.0, 2.5, ""),
        # two annotations share the time of the one that they refer to, in the order in which they follow one another
        ("morphs", "s", 2.25, 2.5, ""),
        ("morphs", "new", 2.0, 2.25, ""),
        ("glosses", "plural", 2.25, 2.5, ""),
    ]


def test_elan__time_origin_is_where_the_document_begins_in_the_video(write):
    document = EAF.replace('RELATIVE_MEDIA_URL="./Gespr%C3%A4ch%201.mp4"', 'TIME_ORIGIN="10000"')
    assert read_annotations(write("talk.eaf", document))["start"][0] == 11.0


def test_elan__old_header_and_none(write):
    start, end = EAF.index("<HEADER"), EAF.index("</HEADER>") + len("</HEADER>")
    old = EAF[:start] + '<HEADER MEDIA_FILE="film.mpg" TIME_UNITS="milliseconds"/>' + EAF[end:]
    assert set(read_annotations(write("old.eaf", old))["video"]) == {"film.mpg"}
    none = EAF[:start] + EAF[end:]
    with pytest.raises(InputError, match=r"no name of the recording; expected one; pass video="):
        read_annotations(write("none.eaf", none))
    assert set(read_annotations(write("none.eaf", none), video="mine.mp4")["video"]) == {"mine.mp4"}


def test_elan__is_recognized_by_its_content_and_in_utf16(write):
    assert len(read_annotations(write("talk.xml", EAF))) == 9
    utf16 = EAF.replace("UTF-8", "UTF-16").encode("utf-16")
    assert len(read_annotations(write("talk.eaf", utf16))) == 9


def test_read_annotations__tiers(write):
    path = write("talk.eaf", EAF)
    assert set(read_annotations(path, tier="words")["tier"]) == {"words"}
    assert set(read_annotations(path, tier=["words", "speech"])["tier"]) == {"words", "speech"}
    with pytest.raises(InputError, match=r"unknown tier 'word' \(did you mean 'words'"):
        read_annotations(path, tier="word")


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><ANNOTATION_DOCUMENT>&j;</ANNOTATION_DOCUMENT>"
)


@pytest.mark.parametrize(
    "document",
    [
        BILLION_LAUGHS,
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><ANNOTATION_DOCUMENT/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><ANNOTATION_DOCUMENT>&x;</ANNOTATION_DOCUMENT>',
    ],
)
def test_elan__refuses_document_types_and_entities(write, document):
    with pytest.raises(ReadError, match="line 1: found a document type or entities"):
        read_annotations(write("bomb.eaf", document))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</ANNOTATION_DOCUMENT>", "", r"line \d+, column \d+: found XML that is not well formed"),
        ("ANNOTATION_DOCUMENT", "DOCUMENT", "root 'DOCUMENT'"),
        ('"milliseconds"', '"PAL-frames"', "TIME_UNITS 'PAL-frames'"),
        ('ANNOTATION_REF="a8"', 'ANNOTATION_REF="a99"', "reference to annotation 'a99'"),
        ('ANNOTATION_REF="a1"', 'ANNOTATION_REF="a6"', "reference to annotation 'a6'"),
        ('TIME_SLOT_REF2="ts4"', 'TIME_SLOT_REF2="ts9"', "annotation 'a1' at time slot 'ts9'"),
        ('TIME_VALUE="1000"', 'TIME_VALUE="1 s"', "time slot 'ts1' at '1 s'"),
        ('MIME_TYPE="video/mp4"', 'MIME_TYPE="video/mp4" TIME_ORIGIN="soon"', "TIME_ORIGIN 'soon' of a medium"),
    ],
)
def test_elan__malformed_documents_name_the_place(write, old, new, message):
    with pytest.raises(ReadError, match=message) as raised:
        read_annotations(write("broken.eaf", EAF.replace(old, new)))
    assert "broken.eaf" in str(raised.value)


def test_boris__events(write):
    table = read_annotations(write("events.tsv", BORIS_EVENTS))
    assert list(table.columns) == COLUMNS
    assert rows(table, *COLUMNS) == [
        ("a.mp4", 1.0, 2.0, "talk", "state", "mother", "loud", "speech", "first"),
        ("a.mp4", 1.5, 1.5, "clap", "point", "", "", "", ""),
        ("a.mp4", 1.75, 62.5, "talk", "state", "child", "", "speech", ""),
    ]


def test_boris__aggregated_events(write):
    table = read_annotations(write("aggregated.csv", BORIS_AGGREGATED))
    assert rows(table, *COLUMNS) == [
        ("a.mp4", 1.0, 2.0, "talk", "state", "mother", "loud", "speech", "so, so; end"),
        ("a.mp4", 1.5, 1.5, "clap", "point", "", "", "", ""),
        ("b.mp4", 0.25, 0.5, "smile", "state", "", "", "", ""),
    ]


def test_boris__events_of_old_versions_below_a_preamble(write):
    table = read_annotations(write("old.tsv", BORIS_OLD))
    assert rows(table, "video", "start", "end", "label") == [("a.mp4", 1.0, 3.5, "look")]


def test_boris__medium_from_the_players(write):
    table = read_annotations(write("events.tsv", BORIS_EVENTS.replace("\t/films/a.mp4\t", "\t\t")))
    assert set(table["video"]) == {"a.mp4"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("STOP\t2.000", "START\t2.000", r"line 5 \('talk', 2 s\): it starts again; it has not stopped since line 2"),
        ("START\t1.000", "STOP\t1.000", r"line 2 \('talk', 1 s\): it stops without a start"),
        ("child\t50\ttalk\tspeech\t\t\tSTOP", "child\t50\twalk\tspeech\t\t\tSTOP", r"line 4 .*it does not stop"),
        ("START\t1.000", "START\tsoon", "line 2, column 'Time': found 'soon'; expected seconds"),
        ("START\t1.000", "START\t1:2:3:4", "found '1:2:3:4'"),
        ("POINT\t1.500", "BLOB\t1.500", "line 3: found an event of type 'BLOB'"),
        ("\t0.0\t50\t", "\t5.0\t50\t", "line 2: found a time offset"),
        ("POINT\t1.500\t/films/a.mp4", "POINT\t1.500\t/films/b.mp4", "found medium 'b.mp4' after 'a.mp4'"),
    ],
)
def test_boris__wrong_events_name_the_line(write, old, new, message):
    assert old in BORIS_EVENTS
    with pytest.raises(ReadError, match=message) as raised:
        read_annotations(write("events.tsv", BORIS_EVENTS.replace(old, new, 1)))
    assert "events.tsv" in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8", "cp1252"])
def test_observer__every_encoding(write, encoding):
    table = read_annotations(write("log.txt", OBSERVER, encoding))
    assert rows(table, *COLUMNS) == [
        ("Gespräch 1", 1.0, 2.5, "spricht", "state", "Mutter", "laut", "", ""),
        ("Gespräch 1", 1.5, 1.5, "klatscht", "point", "Kind", "", "", "zweimal; laut"),
    ]


def test_observer__times_in_hours_where_there_are_no_seconds(write):
    table = read_annotations(write("log.txt", OBSERVER.replace("Time_Relative_sf", "Other")))
    assert rows(table, "start", "end") == [(1.0, 2.5), (1.5, 1.5)]


def test_observer__negative_times_are_kept(write):
    table = read_annotations(write("log.txt", OBSERVER.replace(";1,000;", ";-0,040;")))
    assert table["start"][0] == -0.04


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("State stop", "State halt", "line 4, column 'Event_Type': found 'State halt'"),
        ("State stop;\n", "Point;\n", r"line 2 \('spricht', 1 s\): it does not stop"),
        (";1,500;0,000", ";;0,000", "found ''; expected seconds"),
    ],
)
def test_observer__wrong_events_name_the_line(write, old, new, message):
    changed = OBSERVER.replace(old, new, 1).replace("00:00:01.500", "" if not new.strip(";0,") else "00:00:01.500")
    with pytest.raises(ReadError, match=message):
        read_annotations(write("log.txt", changed))


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", b"\x00\x01\xff" * 1000, '"' + "x" * 200_000])
def test_read_annotations__unknown_formats(write, content):
    path = write("thing.csv", content)
    with pytest.raises(ReadError, match=r"thing.csv: found no format that is known"):
        read_annotations(path)
    for source in ("boris", "observer"):
        with pytest.raises(ReadError, match=r"thing\.csv: found no header"):
            read_annotations(path, source=source)
    with pytest.raises(ReadError, match="not well formed"):
        read_annotations(path, source="elan")


def test_read_annotations__header_without_events_is_an_empty_table(write):
    table = read_annotations(write("events.tsv", BORIS_EVENTS.partition("\n")[0] + "\n"))
    assert table.empty
    assert list(table.columns) == COLUMNS


def test_read_annotations__table_that_breaks_off(write):
    with pytest.raises(ReadError, match=r"events.tsv, line \d+: found no text table"):
        read_annotations(write("events.tsv", BORIS_EVENTS + '"' + "x" * 200_000))


def test_read_annotations__arguments(write, tmp_path):
    with pytest.raises(InputError, match=r"unknown source of annotations 'elam' \(did you mean 'elan'"):
        read_annotations(write("talk.eaf", EAF), source="elam")
    with pytest.raises(InputError, match=r"found nothing that can be read \(No such file or directory\)"):
        read_annotations(tmp_path / "absent.eaf")
    with pytest.raises(InputError, match=r"found 2 recordings \(a.mp4, b.mp4\) with video='x'"):
        read_annotations(write("aggregated.csv", BORIS_AGGREGATED), video="x")


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [("t.eaf", EAF, "elan"), ("e.tsv", BORIS_EVENTS, "boris"), ("log.txt", OBSERVER, "observer")],
)
def test_read_annotations__named_and_recognized_source_agree(write, name, content, source):
    path = write(name, content)
    pd.testing.assert_frame_equal(read_annotations(path), fa.read_annotations(path, source=source))


def test_read_annotations__is_what_annotate_takes(write, recordings):
    ds = recordings({"Gespräch 1.mp4": 100, "a.mp4": 100, "b.mp4": 20}, fps=20.0, n_faces=2)
    turns = read_annotations(write("talk.eaf", EAF), tier=["speech", "words"])
    turned = ds.fex.annotate(turns[turns.label != ""])
    assert (turned["speech"][0] == "good & bad news").sum() == 30
    assert np.flatnonzero(turned["words"][0] == "bad").tolist() == list(range(30, 40))
    coded = read_annotations(write("aggregated.csv", BORIS_AGGREGATED))
    assert (ds.fex.annotate(coded)["state"][1] == "talk").sum() == 20
    assert np.flatnonzero(ds.fex.annotate(coded)["point"][1] == "clap").tolist() == [30]
    observed = read_annotations(write("log.txt", OBSERVER), video="a.mp4")
    by_person = observed.assign(face=observed["subject"].map({"Mutter": 0, "Kind": 1}))
    assert (ds.fex.annotate(by_person)["state"][1, :, 0] == "spricht").sum() == 30
