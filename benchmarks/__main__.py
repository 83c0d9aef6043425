"""`python -m benchmarks` measures everything and keeps it in book/reference/benchmarks.json and the README.

With `--quick` there are fewer repeats, with names of benchmarks fewer rows; these are written to
`_build/bench/benchmarks.json` and shown on no page. Each row is printed as soon as it is there.
"""

import argparse
import importlib
import time
from collections.abc import Iterator, Sequence

from benchmarks import QUICK, Options
from zfutils.runtime.devices import keep_memory
from zfutils.runtime.folders import build_folder
from zfutils.runtime.parallel import cores
from zfutils.study import speed
from zfutils.study.records import commit
from zfutils.study.speed import Benchmarks, Growth, Row

NAMES = ("graphs", "growth", "occlusion", "preparation", "projections", "search", "training")


def measured(chosen: Sequence[str], options: Options) -> Iterator[Row | Growth]:
    """What the benchmarks give, each row with the seconds that it took."""
    for name in chosen:
        print(f"{name} …", flush=True)
        started = time.perf_counter()
        for found in importlib.import_module(f"benchmarks.{name}").measure(options):
            now = time.perf_counter()
            yield found.model_copy(update={"took": now - started})
            started = now


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(NAMES)}; default all")
    parser.add_argument("--quick", action="store_true", help="fewer repeats and smaller samples")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    keep_memory()
    started, options = time.perf_counter(), QUICK if given.quick else Options()
    found: list[Row | Growth] = []
    for each in measured(given.names or NAMES, options):
        found.append(each)
        print(f"  {each.took:4.0f} s  {each}", flush=True)
    run = Benchmarks(
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        commit=commit(),
        quick=given.quick,
        cores=cores(),
        seconds=time.perf_counter() - started,
        rows=[each for each in found if isinstance(each, Row)],
        growth=[each for each in found if isinstance(each, Growth)],
    )
    whole = not (given.names or given.quick)
    path = speed.FIGURES if whole else build_folder() / "bench" / "benchmarks.json"
    speed.keep(run, path)
    if whole:
        speed.README.write_text(speed.with_paragraph(speed.README.read_text(), run))
    print(f"{run.seconds / 60:.1f} min; {path}")


if __name__ == "__main__":
    main()
