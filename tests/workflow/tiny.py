"""Stands for the Python of a workflow's jobs: the recipe "quick" in a second or two, and a ledger
of what was measured where, in the file that LEDGER names.
"""

import os
import runpy
import sys
import time
from dataclasses import replace


def shorten() -> None:
    """The recipe "quick" is seconds long from now on."""
    from reproduction.training import recipes

    tiny = replace(recipes.RECIPES["quick"], epochs=4, train_images=300, test_images=50)
    recipes.RECIPES = {**recipes.RECIPES, "quick": tiny}


def keep_a_ledger() -> None:
    """A line for each cell that has been measured, whether or not its record is then written."""
    from reproduction import records

    start, new_record = time.time(), records.new_record

    def noted(experiment, config, seed, *arguments, **options):
        path = records.record_path(experiment, config, seed, "")
        gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
        line = f"{path} {gpu} {start} {time.time()} {os.environ.get('SLURMD_NODENAME')}\n"
        with open(os.environ["LEDGER"], "a", encoding="utf-8") as ledger:
            ledger.write(line)
        return new_record(experiment, config, seed, *arguments, **options)

    records.new_record = noted


if __name__ == "__main__":
    if sys.argv[1] != "-m":  # a script that calls this one again
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    sys.argv = sys.argv[2:]
    if sys.argv[0] == "reproduction":
        shorten()
        keep_a_ledger()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
