"""Runs every benchmark of this folder, or those that are named; prints a table and writes a CSV of each."""

import importlib
import pkgutil
import sys
import time
from pathlib import Path

import pandas as pd
import torch

import benchmarks
from benchmarks import Options
from zfutils.runtime.devices import chosen_device, device_name

FOLDER = Path(__file__).parents[1] / "_build" / "bench"


def main() -> int:
    """Returns the exit status: 0, or 2 where a benchmark that is asked for does not exist."""
    there = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
    options, names = Options.parse()
    unknown = set(names) - set(there)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(there)}", file=sys.stderr)
        return 2
    torch.set_num_threads(options.threads)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or there:
        started = time.perf_counter()
        table = pd.DataFrame(importlib.import_module(f"benchmarks.{name}").measure(options))
        path = FOLDER / f"{name}.csv"
        table.to_csv(path, index=False)
        print(f"\n{name} ({device_name(chosen_device())}; {time.perf_counter() - started:.0f} s; {path})")
        shown = table.drop(columns=["device"]).astype(object).where(table.notna(), "")
        print(shown.to_string(index=False, float_format="{:.4g}".format), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
