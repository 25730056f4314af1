"""`python -m tests.faults [--seeds N] [--second] [--kind K] [--fault F] [--clean]`: the table of found, missed, false."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.faults.bases import BASES, CLEAN
from tests.faults.plants import FAULTS, Planted
from tests.faults.running import Verdict, judge, run, silent, table

FIRST, SECOND = 1_000, 900_000
"""Where the two sets of seeds begin: the thresholds were looked at with the first only."""


def intensities(smallest: int, n: int) -> list[int]:
    return sorted({min(smallest, n), min(10 * smallest, n), max(min(smallest, n), n // 2)})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--second", action="store_true")
    parser.add_argument("--kind", choices=("qdrant", "weaviate"))
    parser.add_argument("--fault", action="append")
    parser.add_argument("--base", action="append")
    parser.add_argument("--clean", action="store_true")
    args = parser.parse_args()
    kinds = [args.kind] if args.kind else ["qdrant", "weaviate"]
    first = SECOND if args.second else FIRST
    verdicts: list[Verdict] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for seed in range(first, first + args.seeds):
            for kind in kinds:
                if args.clean:
                    for name, make in CLEAN.items():
                        if args.base and name not in args.base:
                            continue
                        said = silent(run(home, kind, Planted(make(seed), None, ())))
                        verdicts.append(Verdict(name, false=said))
                        for line in said:
                            print(f"clean {name} {kind} {seed}: {line}", flush=True)
                    continue
                for base_name, make in BASES.items():
                    if args.base and base_name not in args.base:
                        continue
                    base = make(seed)
                    for fault in FAULTS.values():
                        if args.fault and fault.name not in args.fault:
                            continue
                        if fault.applies(base, kind):
                            continue
                        for count in intensities(fault.smallest(base), len(base)):
                            rng = np.random.default_rng([seed, count, *fault.name.encode()])
                            planted = fault.plant(base, count, rng)
                            try:
                                report = run(home, kind, planted)
                            except Exception as failed:
                                verdicts.append(Verdict(fault.name, False, wrong=["failed"]))
                                print(
                                    f"{fault.name} {base_name} {kind} {seed} x{count}: {failed!r}", flush=True
                                )
                                continue
                            verdict = judge(fault, planted, report)
                            verdicts.append(verdict)
                            if not verdict.clean:
                                what = "missed" if not verdict.found else "" if verdict.root else "not root"
                                print(
                                    f"{fault.name} {base_name} {kind} {seed} x{count}: {what} "
                                    f"{verdict.wrong} false {verdict.false} roots {report.data['root_causes']}",
                                    flush=True,
                                )
    print(table(verdicts))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
