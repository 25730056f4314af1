"""The options of the commands that have many. Importing this loads neither settings nor any database's client."""

from __future__ import annotations

import argparse
from typing import Final


def check(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("addresses", nargs="*", metavar="ADDRESS|CONNECTION", help="or snapshot:FILE")
    add("--all", action="store_true", help="every collection of every connection")
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument("--sample", type=whole, metavar="N", help="rows to read (default: 5000)")
    rows.add_argument("--sample-of", metavar="REPORT", help="the rows that an earlier report's sample held")
    rows.add_argument("--full", action="store_true", help="read every row")
    add("--seed", type=int, default=0, metavar="N", help="of every draw (default: %(default)s)")
    add("--encoder", metavar="NAME", help="encode again with this one and hold the vectors to it")
    add("--version-field", metavar="F", help="the payload field that says which encoder made a row")
    add("--modality-field", metavar="F", help="the payload field that says what a row is of")
    add(
        "--group-by", action="append", default=[], metavar="F", help="a field whose values are profiled apart"
    )
    add("--expected-rows", type=whole, metavar="N", help="how many there should be")
    add("--golden", metavar="NAME", help="ask the index this golden set's texts too (with --encoder)")
    add("--baseline", metavar="latest|ID|none", help="hold against this report (default: the pinned one)")
    add("--rate", type=float, metavar="ROWS_PER_S", help="read no faster")
    add("--budget", type=float, default=120.0, metavar="SECONDS", help="for searches (default: %(default)s)")
    add("--rows-out", metavar="FILE", help="the affected rows as JSON Lines")
    fail_on(parser)


def compare(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("left", metavar="LEFT", help="the old side: an address, or encoder:NAME")
    add("right", metavar="RIGHT", help="the new one; encoder:NAME encodes a sample of the other side's rows")
    add("--queries", type=whole, metavar="N", help="stored rows to ask (default: 200)")
    add(
        "--queries-file",
        metavar="FILE",
        help='a text a line, or JSON Lines with {"text": …} or {"image": FILE}',
    )
    add("--golden", metavar="NAME", help="a golden set's queries, and its judgements")
    add("--text", action="append", default=[], metavar="T", help="ask these words (repeated)")
    add("--image", action="append", default=[], metavar="FILE", help="ask this picture (repeated)")
    add("-k", type=int, default=10, metavar="K", help="nearest rows that are compared (default: %(default)s)")
    add(
        "--match-on",
        metavar="FIELD",
        help="the payload field that says which rows are the same (default: the id)",
    )
    add("--cohort", action="append", default=[], metavar="F", help="a field whose values are compared apart")
    add("--threshold", type=float, metavar="S", help="a cutoff in LEFT's own score, to be translated")
    add(
        "--population",
        choices=("top1", "topk"),
        default="top1",
        help="what the cutoff is used on (default: %(default)s)",
    )
    add("--filter", metavar="JSON", help="only rows that pass it count")
    add("--query-filter", metavar="JSON", help="only rows that pass it are asked")
    add("--rows", type=whole, metavar="N", help="compare within a random sample of rows")
    add("--seed", type=int, default=0, metavar="N", help="of every draw (default: %(default)s)")


def fail_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-on",
        choices=("warning", "critical"),
        default="critical",
        help="exit 1 from this severity on (default: %(default)s)",
    )


LARGEST: Final = 2**63 - 1
"""The largest number that a database takes."""


def whole(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    if number > LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {LARGEST:,}")
    return number


def query(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("addresses", nargs="+", metavar="ADDRESS")
    add("--text", metavar="T", help="look for what these words describe")
    add("--image", metavar="FILE", help="look for what is like this picture")
    add("--id", metavar="ID", help="more like this stored row")
    add("--vector", metavar="FILE", help="a query vector: JSON or .npy; - reads JSON from standard input")
    add("--blend", type=float, metavar="W", help="share of the text in text + image (.6)")
    add("--fuse", choices=("rrf", "weighted"), help="one ranking of all addresses and parts")
    add("--leg", action="append", choices=("vector", "keyword"), metavar="LEG", help="vector, keyword")
    add("--weight", action="append", type=float, metavar="W", help="one for each part, in order")
    add("--encoder", metavar="NAME", help="encode with this one")
    add("-k", type=int, default=10, metavar="K", help="hits (default: %(default)s)")
    add("--filter", metavar="JSON", help='such as {"equals": {"field": "modality", "value": "image"}}')
    add("--exact", action="store_true", help="search without the index")
    add("--cutoff", type=float, metavar="S", help="keep similarity >= S, distance <= S, fused >= S")
    add("--allow-mismatch", action="store_true", help="search although another encoder made the vectors")
    add("--timeout", type=float, metavar="SECONDS", help="for each call to a database")


def golden(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("action", choices=("list", "show", "import", "export", "judge", "freeze", "remove"))
    add("name", nargs="?", metavar="NAME", help="NAME@3 or NAME@draft where a version can be meant")
    add("file", nargs="?", metavar="FILE", help="what is brought in, or written; for BEIR a folder")
    add("--as", dest="form", choices=("csv", "jsonl", "trec", "beir"), help="where the name does not say it")
    add("--key-field", metavar="F", help="the judged things are known by this payload field, not by row ids")
    add("--topics", metavar="FILE", help="the texts that TREC's qrels go with")
    add("--add", action="store_true", help="add to the draft that is there")
    add("--replace", action="store_true", help="in place of the draft that is there")
    add("--query", metavar="ID", help="judge: the query, by its id")
    add("--text", metavar="T", help="judge: the query that asks this; it is added where there is none")
    add("--key", metavar="KEY", help="judge: the row's id, or its value of the set's key field")
    add("--grade", type=int, metavar="N", help="judge: 0 not relevant, 1 and more relevant")
    add("--forget", action="store_true", help="judge: take the grade back")
    add("--confirm", metavar="NAME", help="remove: the set's name again; what is removed is gone")


def eval(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("address", metavar="ADDRESS")
    add("--golden", required=True, metavar="NAME", help="its newest version; NAME@3, NAME@draft")
    add("--against", metavar="ADDRESS", help="a second address, compared query by query")
    add("-k", type=whole, default=10, metavar="K", help="hits that count (default: %(default)s)")


def evaluations(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("address", nargs="?", metavar="ADDRESS", help="those of this address")
    add("--golden", metavar="NAME", help="those with this golden set; NAME@3, NAME@draft")
    add("--limit", type=whole, default=20, metavar="N", help="default: %(default)s")


def gate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("left", metavar="LEFT", help="the collection that serves now")
    add("right", metavar="RIGHT", help="the one that is to take over")
    add("--golden", required=True, metavar="NAME", help="its newest version; NAME@3, NAME@draft")
    add(
        "--waive", action="append", default=[], metavar="CONDITION=REASON", help="go on where this can't be measured"
    )  # fmt: skip
    add(
        "--match-on",
        metavar="FIELD",
        help="rows are the same where this payload field is (default: their ids)",
    )
    add("--threshold", type=float, metavar="S", help="a cutoff in LEFT's own score that has to be translated")
    add("-k", type=whole, default=10, metavar="K", help="hits that count (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="of every draw (default: %(default)s)")


def gates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "which", nargs="?", metavar="ADDRESS|ID", help="those that it is a side of, or the one of this id"
    )
    parser.add_argument("--limit", type=whole, default=20, metavar="N", help="default: %(default)s")
