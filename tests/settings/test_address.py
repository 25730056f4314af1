"""Addresses: what is typed and what is written are the same thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from console.settings import Address, parse_address, readable

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@given(
    st.from_regex(r"[a-z](_?[a-z0-9]){0,8}", fullmatch=True),
    NAMES,
    st.none() | NAMES,
    st.none() | st.text(st.characters(exclude_categories=("Cs",))),
)
def test_an_address_comes_back_as_it_was(
    connection: str, collection: str, tenant: str | None, vector: str | None
) -> None:
    address = Address(connection, collection, tenant, vector)
    text = str(address)
    assert parse_address(text) == address
    assert text.isprintable()
    assert " " not in text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("prod/Docs", Address("prod", "Docs")),
        ("prod/Docs#clip", Address("prod", "Docs", None, "clip")),
        ("prod/Docs@acme#clip", Address("prod", "Docs", "acme", "clip")),
        ("prod/Docs#", Address("prod", "Docs", None, "")),
        ("prod/a%2Fb%40c%23d%25", Address("prod", "a/b@c#d%")),
        ("prod/a%2fb", Address("prod", "a/b")),
        ("prod/Z%C3%BCge", Address("prod", "Züge")),
        ("prod/Züge", Address("prod", "Züge")),
        ("prod/with blank", Address("prod", "with blank")),
        ("prod/Docs#a@b", None),
    ],
)
def test_what_is_typed_is_understood(text: str, address: Address | None) -> None:
    if address is None:
        address = Address("prod", "Docs", None, "a@b")
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no collection"),
        ("prod", "names a connection but no collection"),
        ("prod/", "names a connection but no collection"),
        ("/Docs", "connection's name"),
        ("Prod/Docs", "connection's name"),
        ("a__b/Docs", "connection's name"),
        ("prod/a/b", "%2F"),
        ("prod/a@b@c", "%40"),
        ("prod/a#b#c", "%23"),
        ("prod/@t", "no collection"),
        ("prod/a@", "Nothing follows"),
        ("prod/%zz", "%25"),
        ("prod/100%", "%25"),
        ("prod/%FF", "not UTF-8"),
        ("snapshot:", "needs a file"),
        ("encoder:", "needs a name"),
    ],
)
def test_what_is_no_address_says_why(text: str, told: str) -> None:
    with pytest.raises(PlumblineError) as caught:
        parse_address(text)
    assert caught.value.code == "usage"
    assert told in caught.value.message


@pytest.mark.parametrize("text", ["encoder:clip", "encoder:x#clip"])
def test_what_comes_later_is_unsupported(text: str) -> None:
    with pytest.raises(PlumblineError) as caught:
        parse_address(text)
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("e/One#", "e/One"),
        ("e/One@t#", "e/One@t"),
        ("e/One#clip", "e/One#clip"),
        ("e/a%23#", "e/a%23"),
        ("e/One", "e/One"),
    ],
)
def test_people_read_no_bare_mark_of_the_unnamed_vector(text: str, read: str) -> None:
    address = parse_address(text)
    assert (str(address), readable(address), readable(text)) == (text, read, read)
    assert parse_address(read).whole == address.whole


def test_an_address_in_an_error_is_one_printable_line() -> None:
    with pytest.raises(PlumblineError) as caught:
        parse_address("pr\x1b[31mod\n/Docs")
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
