"""`python -m tests.faults [--seeds N] [--second] [--clean] [--page FILE] ...`: the table of found, missed, false.

Exit code 1 below the goals: 99 % found, the planted cause first in 95 %, and nothing false of warning or above.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.faults.bases import BASES, CLEAN, FIRST, SECOND, SECOND_BASES, SECOND_CLEAN, Base, lacking
from tests.faults.plants import FAULTS, Planted
from tests.faults.running import Verdict, causes, judge, run, shortfalls, silent, table
from tests.faults.truth import commit, section, write


def intensities(smallest: int, n: int) -> list[int]:
    return sorted({min(smallest, n), min(10 * smallest, n), max(min(smallest, n), n // 2)})


@dataclass(frozen=True)
class Asked:
    """What to run; an empty choice is all of them."""

    seeds: range
    kinds: tuple[str, ...]
    bases: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    second: bool = False

    def of(self, held: Mapping[str, Callable[[int], Base]]) -> list[tuple[str, Callable[[int], Base]]]:
        chosen = [(n, make) for n, make in held.items() if not self.bases or n in self.bases]
        for name, _ in chosen:
            if why := lacking(name):
                print(f"without {name}: {why}", flush=True)
        return [(n, make) for n, make in chosen if not lacking(n)]


def clean(home: Path, asked: Asked) -> Iterator[Verdict]:
    for seed in asked.seeds:
        for name, make in asked.of(SECOND_CLEAN if asked.second else CLEAN):
            for kind in asked.kinds:
                said = silent(run(home, kind, Planted(make(seed), None, ())))
                for line in said:
                    print(f"clean {name} {kind} {seed}: {line}", flush=True)
                yield Verdict(name, false=said)


def planted(home: Path, asked: Asked) -> Iterator[Verdict]:
    for seed in asked.seeds:
        for base_name, make in asked.of(SECOND_BASES if asked.second else BASES):
            base = make(seed)
            for kind in asked.kinds:
                for name, fault in FAULTS.items():
                    if (asked.faults and name not in asked.faults) or fault.applies(base, kind):
                        continue
                    for count in intensities(fault.smallest(base), len(base)):
                        yield _cell(home, kind, base_name, name, seed, count, base)


def _cell(home: Path, kind: str, base_name: str, name: str, seed: int, count: int, base: Base) -> Verdict:
    where = f"{name} {base_name} {kind} {seed} x{count}"
    fault = FAULTS[name]
    case = fault.plant(base, count, np.random.default_rng([seed, count, *name.encode()]))
    try:
        report = run(home, kind, case)
    except Exception as failed:
        print(f"{where}: {failed!r}", flush=True)
        return Verdict(name, False, wrong=["failed"])
    verdict = judge(fault, case, report)
    verdict.wrong += causes(case, report)
    if not verdict.clean:
        what = "missed" if not verdict.found else "" if verdict.root else "not root"
        told = f"{verdict.wrong} false {verdict.false} roots {report.data['root_causes']}"
        print(f"{where}: {what} {told}", flush=True)
    return verdict


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--second", action="store_true")
    parser.add_argument("--kind", choices=("qdrant", "weaviate"))
    parser.add_argument("--fault", action="append", choices=list(FAULTS))
    parser.add_argument("--base", action="append")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--page", type=Path, help="a Markdown page in which this run's table is written anew")
    args = parser.parse_args()
    commit()
    first = SECOND if args.second else FIRST
    asked = Asked(
        range(first, first + args.seeds),
        (args.kind,) if args.kind else ("qdrant", "weaviate"),
        tuple(args.base or ()),
        tuple(args.fault or ()),
        args.second,
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        verdicts = list((clean if args.clean else planted)(Path(folder), asked))
    took = time.monotonic() - began
    print(table(verdicts))
    print(f"{took:.0f} s")
    short = shortfalls(verdicts)
    for line in short:
        print(line)
    if args.page is not None:
        name = ("clean" if args.clean else "faults") + ("-second" if args.second else "-first")
        write(args.page, name, section(verdicts, sys.argv[1:], took, clean=args.clean))
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
