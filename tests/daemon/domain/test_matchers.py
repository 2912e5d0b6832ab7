"""Alertmanager's matchers: both grammars, what holds, and what no expression may cost."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsind.domain.errors import Code, TocsinError
from tocsind.domain.matchers import MAX_PROGRAM, MAX_VALUE, Matcher, Matchers, MatchType, parse

EQUAL, DIFFERENT, REGEX, NO_REGEX = MatchType

TEXTS = st.text(max_size=8) | st.text("ab\\\",={}~! \n\t'`é:_\0", max_size=8)
NAMES = (st.text("abAZ_:", min_size=1) | TEXTS).filter(bool)
VALUES = st.builds(re.escape, TEXTS) | st.sampled_from(["a|b", ".*", "[^x]+", r"\d{2}", r"a\\b", r"\n", '"'])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("{}", []),
        ("{ }", []),
        ("foo=bar", [("foo", EQUAL, "bar")]),
        ("foo=bar,", [("foo", EQUAL, "bar")]),
        ('{foo = "bar", dings != "bums", }', [("foo", EQUAL, "bar"), ("dings", DIFFERENT, "bums")]),
        ("foo=bar,dings!=bums", [("foo", EQUAL, "bar"), ("dings", DIFFERENT, "bums")]),
        ('severity=~"critical|page", team!=""', [("severity", REGEX, "critical|page"), ("team", DIFFERENT, "")]),
        ("statuscode=~5..", [("statuscode", REGEX, "5..")]),
        ("path!~^/api/.*", [("path", NO_REGEX, "^/api/.*")]),
        (r'{quote="She said: \"Hi, ladies!\""}', [("quote", EQUAL, 'She said: "Hi, ladies!"')]),
        # The classic grammar: escapes that it does not know are a backslash, and values may be odd without quotes.
        (r'a=~"\d+\.x"', [("a", REGEX, r"\d+\.x")]),
        (r'a="b\nc\\d"', [("a", EQUAL, "b\nc\\d")]),
        ("a=b c", [("a", EQUAL, "b c")]),
        ("a=", [("a", EQUAL, "")]),
        ("a=b=c", [("a", EQUAL, "b=c")]),
        ("a='b'", [("a", EQUAL, "'b'")]),
        ("a=b\\", [("a", EQUAL, "b\\")]),
        ("a={b}", [("a", EQUAL, "{b")]),
        (" a:b = c ", [("a:b", EQUAL, "c")]),
        # What only the UTF-8 grammar can read.
        ("foo.bar=x", [("foo.bar", EQUAL, "x")]),
        ('"foo bar"!="x y"', [("foo bar", DIFFERENT, "x y")]),
        ('{"é"=~"ü.*","b"=c}', [("é", REGEX, "ü.*"), ("b", EQUAL, "c")]),
        (r'"a b"="\u00e9\t\x41\101\U0001f525\xc3\xa9"', [("a b", EQUAL, "é\tAA🔥é")]),
        (' { "a b" = c } ', [("a b", EQUAL, "c")]),
        # Both can read it, and differ: the classic reading counts, as in Alertmanager.
        (r'a="\t"', [("a", EQUAL, r"\t")]),
    ],
)
def test_what_matchers_mean(text: str, expected: list[tuple[str, MatchType, str]]) -> None:
    """As Alertmanager reads them by default."""
    assert parse(text) == Matchers(tuple(Matcher(*each) for each in expected))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "at its end: expected one of = != =~ !~"),
        (",", "at character 1, ',': expected the name of a label"),
        ("=b", "at character 1, '=b': expected the name of a label"),
        ("1a ! b", "at character 4, '! b': expected one of = != =~ !~"),
        ('"a b"=', "at its end: expected a value"),
        ('"a b"=,c=d', "at character 7, ',c=d': expected a value"),
        ('{"a.b"=c', "at its end: expected }"),
        ('"a b"=c}', "at character 8, '}': there is no { before it"),
        ('{"a b"=c} d', "at character 11, 'd': expected the end"),
        ('"a b"=x y', "at character 9, 'y': expected a comma or the end"),
        ('a="b" c="d"', "at character 7, 'c': expected a comma or the end"),
        ('"a b"="x', "at character 7, '\"x': the quote is not closed"),
        ('""=x', "the name of a label cannot be empty"),
        (r'"a b"="\d"', r"\d is no escape; a backslash is written \\"),
        (r'a="\,",b="c"', r"\, is no escape"),
        (r'"a b"="\ud800"', r"\ud800 is no escape"),
        (r'"a b"="\xff"', "its escapes make no text in UTF-8"),
        ('"a b"="x\ny"', r"a line break inside quotes is written \n"),
        ('a=~"("', 'a=~"(": not a regular expression of RE2: missing ): ('),
        ('a=~"(?=b)"', 'a=~"(?=b)": not a regular expression of RE2'),
        ('"a b"=~"["', '"a b"=~"[": not a regular expression of RE2'),
        (r'a=~"\\pL{1,999}"', "the regular expression is too large to be compared quickly"),
        (r'a=~"a{900}a{900}a{900}",b=~"a{900}a{900}a{900}"', 'b=~"a{900}a{900}a{900}": the regular expression is'),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str) -> None:
    """With the field, what is wrong, and where."""
    with pytest.raises(TocsinError) as refusal:
        parse(text)

    assert (refusal.value.code, refusal.value.field) == (Code.INVALID, "route.matchers")
    assert message in refusal.value.message


@given(TEXTS | st.text('ab"\\=~!,{} n', max_size=20))
@example('a="\\,"b"')
@example('{"')
def test_any_text_is_read_or_refused(text: str) -> None:
    """And what is read is written so that it reads the same."""
    try:
        read = parse(text)
    except TocsinError:
        return
    assert parse(str(read)) == read


@given(
    st.lists(
        st.builds(Matcher, NAMES, st.sampled_from([EQUAL, DIFFERENT]), TEXTS)
        | st.builds(Matcher, NAMES, st.sampled_from([REGEX, NO_REGEX]), VALUES),
        max_size=4,
    )
)
def test_what_is_written_reads_the_same(matchers: list[Matcher]) -> None:
    """With any name and any value, in both grammars, alone and together."""
    whole = Matchers(tuple(matchers))

    assert parse(str(whole)) == whole
    assert parse(str(whole)[1:-1]) == whole


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a=1", True),
        ("a=2", False),
        ("a!=2", True),
        ("a!=1", False),
        ('missing=""', True),
        ('missing!=""', False),
        ("empty!=x", True),
        ('empty=""', True),
        ('long=~"ab"', False),
        ('long=~"ab.*"', True),
        ('long=~"b|abc"', True),
        ('long!~"b"', True),
        ('long!~"a.c"', False),
        ('lines=~"a.b"', False),
        (r'lines=~"a\nb"', True),
        ('missing=~".*"', True),
        ('missing=~".+"', False),
        ("a=1,long=abc", True),
        ("a=1,long=x", False),
        ("{}", True),
    ],
)
def test_what_holds(text: str, holds: bool) -> None:
    """All must; a missing label is an empty one, an expression matches the whole value."""
    labels = {"a": "1", "empty": "", "long": "abc", "lines": "a\nb"}

    assert parse(text).hold(labels) is holds


SAFE = st.recursive(
    st.sampled_from(["a", "b", "c", "[ab]", "[^a]", "."]),
    lambda inner: (
        st.builds("(?:{})*".format, inner)
        | st.builds("(?:{})?".format, inner)
        | st.builds("(?:{}|{})".format, inner, inner)
        | st.builds("{}{}".format, inner, inner)
    ),
    max_leaves=8,
)


@given(SAFE, st.text("abc", max_size=8))
def test_expressions_answer_as_pythons_do(expression: str, value: str) -> None:
    """Where the two languages are the same."""
    expected = re.fullmatch(expression, value) is not None

    assert Matcher("l", REGEX, expression).holds({"l": value}) is expected
    assert Matcher("l", NO_REGEX, expression).holds({"l": value}) is not expected


@pytest.mark.parametrize("expression", ["(a+)+$", "(a|aa)+$", "(.*a){20}", "(a?){50}a{50}"])
def test_an_expression_that_explodes_elsewhere_is_harmless(expression: str) -> None:
    """Python's `re` would not come to an end with these in a lifetime; the test would hang."""
    matchers = parse(f'l=~"{expression}"')

    for value in ("a" * 10_000, "a" * 10_000 + "b", "a" * 49):
        matchers.hold({"l": value})
    assert matchers.hold({"l": "a" * 10_000 + "b"}) is False


def test_what_a_comparison_can_cost_is_limited() -> None:
    """By the size of the expressions together, and by the length of the value."""
    many = ",".join(f'l{n}=~"{"a" * 900}"' for n in range(6))

    assert parse(f'l=~"{"a" * 900}"').all[0].program < MAX_PROGRAM
    with pytest.raises(TocsinError, match="too large"):
        parse(many)
    assert parse('l=~"a*"').hold({"l": "a" * MAX_VALUE})
    too_long = {"l": "a" * (MAX_VALUE + 1)}
    assert not parse('l=~"a*"').hold(too_long)
    assert not parse('l!~"b*"').hold(too_long)
    assert parse("l!=b").hold(too_long)
    assert parse('l!~"b*"').explain(too_long).endswith("does not hold: the value is over 16,384 characters")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('severity="page"', 'severity="page" does not hold: it is "ticket"'),
        ("severity=ticket", 'severity="ticket" holds: it is "ticket"'),
        ('severity=ticket,team=~"a|b"', 'team=~"a|b" does not hold: the label is missing'),
        ('empty!=""', 'empty!="" does not hold: the label is empty'),
        ("severity=ticket,team!=a", "all 2 matchers hold"),
        ("{}", "there are no matchers: everything matches"),
        (
            "severity=" + "x" * 200,
            'severity="' + "x" * 70 + '... does not hold: it is "ticket"',
        ),
        ("lines=x", r'lines="x" does not hold: it is "a\nb"'),
    ],
)
def test_why_is_said_in_one_line(text: str, why: str) -> None:
    """It names the first matcher that does not hold, and what the label really is."""
    assert parse(text).explain({"severity": "ticket", "empty": "", "lines": "a\nb"}) == why
