import io
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import shows_csv
from ingestion.shows_csv import BadLine, FileError, GoodLine, Header, HeaderError, parse_header, parse_row, read_rows

HEADER = parse_header(["name", "imdb_id", "tmdb_id", "premiere_date", "override"])
ANY_CELL = st.one_of(
    st.text(st.characters(codec=None, categories=None), max_size=30),
    st.sampled_from(
        ["", " ", "Survivor", "tt0239195", "14658", "0", "٣", "²", "2000-05-31", "2000-02-30", "skip", "\x00"]
    ),
    st.from_regex(r"[0-9]{1,30}", fullmatch=True),
)
SURVIVOR = GoodLine(2, "Survivor", "tt0239195", 14658)


def read(data: bytes | str) -> list[GoodLine | BadLine]:
    return list(read_rows(io.BytesIO(data.encode() if isinstance(data, str) else data)))


def read_line(line: bytes | str) -> GoodLine | BadLine:
    """The one line after a header of our own names."""
    data = line.encode() if isinstance(line, str) else line
    [result] = read(b"name,imdb_id,tmdb_id,premiere_date,override\n" + data + b"\n")
    return result


@pytest.mark.parametrize(
    "header",
    [
        "name,imdb_id,tmdb_id",
        " Name , IMDB_ID ,TMDB_id",
        "\ufeffname,imdb_id,tmdb_id",
        "Show,IMDbSeriesID,TMDbSeriesID",
        "SHOW,IMDb Series ID,tmdb series_id",
        '"name","imdb_id","tmdb_id"',
    ],
)
def test_header_is_found_under_every_spelling(header):
    assert read(f"{header}\nSurvivor,tt0239195,14658\n") == [SURVIVOR]


def test_columns_may_come_in_any_order():
    assert read("tmdb_id,Network,name,imdb_id\n14658,CBS,Survivor,tt0239195\n") == [SURVIVOR]


def test_one_id_column_is_enough():
    assert read("name,tmdb_id\nSurvivor,14658\n") == [GoodLine(2, "Survivor", None, 14658)]


def test_header_tells_which_columns_are_not_used():
    headers: list[Header] = []

    list(read_rows(io.BytesIO(b"name,Rank,tmdb_id,,Notes\n"), headers.append))

    assert headers[0].unused == ("Rank", "Notes")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty: its first line must name the columns"),
        (b"\n\n", "the file is empty: its first line must name the columns"),
        (b"name,notes\n", "no column imdb_id or tmdb_id; found 'name', 'notes'"),
        (b"imdb_id\n", "no column name; found 'imdb_id'"),
        (b"Survivor,tt0239195\n", "no column name and no column imdb_id or tmdb_id; found 'Survivor', 'tt0239195'"),
        (b"name;imdb_id\n", "no column name and no column imdb_id or tmdb_id; found 'name;imdb_id'"),
        (b"name,imdb_id,IMDbSeriesID\n", "two columns for imdb_id: 'imdb_id' and 'IMDbSeriesID'"),
        ("name,imdb_id\n".encode("utf-16"), "not UTF-8: byte 0xFF at column 1"),
        (b'name,"imdb_id\n', "a quote is not closed"),
    ],
)
def test_header_that_can_not_be_used_is_one_bad_line(data, reason):
    lines = read(data + (b"Survivor,tt0239195,14658\n" if data.strip() and b'"' not in data else b""))

    assert lines == [BadLine(1, reason)]


def test_long_header_is_not_repeated_whole():
    with pytest.raises(HeaderError) as error:
        parse_header(["x" * 1000] * 1000)

    assert len(str(error.value)) < 2000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  The  Voice ,tt1839337,", GoodLine(2, "The  Voice", "tt1839337", None)),
        ("Survivor, tt0239195 , 14658 ", SURVIVOR),
        ("Survivor,,0014658", GoodLine(2, "Survivor", None, 14658)),
        ("Survivor,,9223372036854775807", GoodLine(2, "Survivor", None, 2**63 - 1)),
        (
            "Survivor,tt0239195,14658,2000-05-31,skip",
            GoodLine(2, "Survivor", "tt0239195", 14658, date(2000, 5, 31), "SKIP"),
        ),
        ("Survivor,tt0239195,14658,,y", GoodLine(2, "Survivor", "tt0239195", 14658, None, "Y")),
        ("Survivor,tt0239195,14658,,12", GoodLine(2, "Survivor", "tt0239195", 14658, None, "12")),
        ("Survivor,tt0239195,14658,,,,,", SURVIVOR),
        ("Survivor,tt0239195", GoodLine(2, "Survivor", "tt0239195", None)),
        ('"Lights, ""Camera""",tt0239195', GoodLine(2, 'Lights, "Camera"', "tt0239195", None)),
        ('"Survivor", "tt0239195", "14658"', SURVIVOR),
        ("Ünïcödé 東京,tt0239195", GoodLine(2, "Ünïcödé 東京", "tt0239195", None)),
        ("=HYPERLINK(1),tt0239195", GoodLine(2, "=HYPERLINK(1)", "tt0239195", None)),
        (f"{'x' * 500},tt0239195", GoodLine(2, "x" * 500, "tt0239195", None)),
    ],
)
def test_good_line_is_read(line, expected):
    assert read_line(line) == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",tt0239195,14658", "no name"),
        ("  ,tt0239195,", "no name"),
        ("Survivor,,", "neither imdb_id nor tmdb_id"),
        ("Survivor", "neither imdb_id nor tmdb_id"),
        ("Survivor,tt12,", "imdb_id 'tt12' is not tt and at least 7 digits"),
        ("Survivor,0239195,", "imdb_id '0239195' is not tt and at least 7 digits"),
        ("Survivor,TT0239195,", "imdb_id 'TT0239195' is not tt and at least 7 digits"),
        ("Survivor,tt023919٣,", "imdb_id 'tt023919٣' is not tt and at least 7 digits"),
        ("Survivor,tt0239195/,", "imdb_id 'tt0239195/' is not tt and at least 7 digits"),
        (f"Survivor,tt{'1' * 21},", f"imdb_id 'tt{'1' * 21}' has more than 20 digits"),
        ("Survivor,,0", "tmdb_id '0' is not a positive whole number below 2**63"),
        ("Survivor,,-5", "tmdb_id '-5' is not a positive whole number below 2**63"),
        ("Survivor,,+5", "tmdb_id '+5' is not a positive whole number below 2**63"),
        ("Survivor,,12.0", "tmdb_id '12.0' is not a positive whole number below 2**63"),
        ("Survivor,,1_000", "tmdb_id '1_000' is not a positive whole number below 2**63"),
        ("Survivor,,1e3", "tmdb_id '1e3' is not a positive whole number below 2**63"),
        ("Survivor,,tt0239195", "tmdb_id 'tt0239195' is not a positive whole number below 2**63"),
        ("Survivor,,١٢", "tmdb_id '١٢' is not a positive whole number below 2**63"),
        ("Survivor,,²", "tmdb_id '²' is not a positive whole number below 2**63"),
        ("Survivor,,9223372036854775808", "tmdb_id '9223372036854775808' is not a positive whole number below 2**63"),
        ("Survivor,,1,31.05.2000", "premiere_date '31.05.2000' is not a date like 2000-05-31"),
        ("Survivor,,1,2000-02-30", "premiere_date '2000-02-30' is not a date like 2000-05-31"),
        ("Survivor,,1,20000531", "premiere_date '20000531' is not a date like 2000-05-31"),
        ("Survivor,,1,0000-01-01", "premiere_date '0000-01-01' is not a date like 2000-05-31"),
        ("Survivor,,1,,maybe", "override 'maybe' is not SKIP, Y or a number of at most 4 digits"),
        ("Survivor,,1,,12345", "override '12345' is not SKIP, Y or a number of at most 4 digits"),
        ("Survivor,,1,,-1", "override '-1' is not SKIP, Y or a number of at most 4 digits"),
        ("Survivor,,1,,,extra", "6 cells under 5 columns"),
        (f"{'x' * 501},tt0239195", "the name has 501 characters, 500 are allowed"),
        (
            ",tt12,x",
            "no name; imdb_id 'tt12' is not tt and at least 7 digits; "
            "tmdb_id 'x' is not a positive whole number below 2**63",
        ),
        (b"Caf\xe9,tt0239195,", "not UTF-8: byte 0xE9 at column 4"),
        (b"Caf\xc3\xa9 \xff,tt0239195,", "not UTF-8: byte 0xFF at column 6"),
        (b"\xed\xa0\x80,tt0239195,", "not UTF-8: byte 0xED at column 1"),
        (b"Sur\x00vivor,tt0239195,", "a NUL byte at column 4"),
        (b'"Survivor\nCaf\xe9",tt0239195,', "not UTF-8: byte 0xE9 at column 4 of line 3 (the row goes on to line 3)"),
        (b'"Survivor\n",tt12,', "imdb_id 'tt12' is not tt and at least 7 digits (the row goes on to line 3)"),
        ('"The "Real" World",tt0239195', "text after a closing quote (inside quotes, a quote is written twice)"),
        (f"{'x' * 140_000},tt0239195", "a cell has more than 131072 characters"),
    ],
)
def test_bad_line_is_named_with_its_reason(line, reason):
    assert read_line(line) == BadLine(2, reason)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_counted_alike(end):
    data = end.join(["name,imdb_id,tmdb_id", "", "Survivor,tt0239195,14658", " ,,", "Bad,tt1,", ""])

    assert read(data) == [
        GoodLine(3, "Survivor", "tt0239195", 14658),
        BadLine(5, "imdb_id 'tt1' is not tt and at least 7 digits"),
    ]


def test_last_line_needs_no_line_end():
    assert read("name,imdb_id,tmdb_id\nSurvivor,tt0239195,14658") == [SURVIVOR]


def test_row_over_several_lines_has_the_number_of_its_first():
    data = 'name,imdb_id,notes\nA,tt0000001,"one\ntwo\r\n\r\nthree"\nB,tt0000002,\n"The\nVoice",tt0000003,\n'

    assert read(data) == [
        GoodLine(2, "A", "tt0000001", None),
        GoodLine(6, "B", "tt0000002", None),
        GoodLine(7, "The\nVoice", "tt0000003", None),
    ]


@pytest.mark.parametrize("after", [1, 2, 10_000])
def test_quote_that_is_not_closed_costs_its_own_line_only(after):
    rest = [f"Show {n},tt{n:07}," for n in range(1, after + 1)]
    data = "\n".join(["name,imdb_id,notes", '"Survivor,tt0239195,', *rest])

    first, *others = read(data)

    assert first == BadLine(2, "a quote is not closed")
    assert [line.number for line in others if isinstance(line, GoodLine)] == list(range(3, after + 3))


def test_two_quotes_that_are_not_closed_are_two_bad_lines():
    data = 'name,imdb_id\n"A,tt0000001\n"B,tt0000002\nC,tt0000003\n'

    assert read(data) == [
        BadLine(2, "a quote is not closed"),
        BadLine(3, "a quote is not closed"),
        GoodLine(4, "C", "tt0000003", None),
    ]


def test_line_without_end_is_bad_and_not_kept_in_memory(monkeypatch):
    monkeypatch.setattr(shows_csv, "MAX_LINE", 50)

    lines = read(b"name,imdb_id\nA,tt0000001," + b"," * 1000 + b"\nB,tt0000002\n")

    assert lines == [BadLine(2, "more than 50 characters"), GoodLine(3, "B", "tt0000002", None)]


def test_file_is_read_as_far_as_it_is_needed():
    file = io.BytesIO(b"name,imdb_id\n" + b"A,tt0000001\n" * 1_000_000)

    next(rows := read_rows(file))

    assert file.tell() < 100_000
    rows.close()
    assert not file.closed


def test_error_of_the_disk_is_told_as_such():
    class Broken(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(FileError, match="Input/output error"):
        next(read_rows(Broken()))


@settings(database=None, deadline=None, max_examples=500)
@given(cells=st.lists(ANY_CELL, max_size=8))
def test_any_cells_give_a_line_or_a_printable_reason(cells):
    line = parse_row(7, cells, HEADER)

    assert line.number == 7
    if isinstance(line, BadLine):
        assert line.reason
        assert line.reason.isprintable()
    else:
        assert line.name.encode()
        assert line.ids


@settings(database=None, deadline=None, max_examples=500)
@given(
    parts=st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"A,tt0000001\n", b"\xe9", b"\x00"]),
        ),
        max_size=30,
    )
)
def test_any_bytes_give_lines_with_rising_numbers(parts):
    data = b"name,imdb_id,tmdb_id\n" + b"".join(parts)

    numbers = [line.number for line in read(data)]

    assert numbers == sorted(set(numbers))
    assert all(2 <= number <= data.count(b"\n") + data.count(b"\r") + 1 for number in numbers)
