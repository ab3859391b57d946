"""Run a command on a GPU that no other one has: ``python on_a_gpu.py "0 1 2 3" COMMAND ...``.

The GPU is this process's until it ends, however it ends, and so is the lock that says so: the
command takes this process's place. Where all are taken, as by jobs that have outlived Snakemake, it
waits for one.
"""

import fcntl
import os
import sys
import tempfile
import time
from pathlib import Path

numbers, command = sys.argv[1].split(), sys.argv[2:]
folder = Path(tempfile.gettempdir()) / f"sslib-gpus-{os.getuid()}"
folder.mkdir(mode=0o700, exist_ok=True)
while True:
    for number in numbers:
        lock = os.open(folder / number, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        os.set_inheritable(lock, True)
        os.environ["CUDA_VISIBLE_DEVICES"] = number
        print(f"on GPU {number}", flush=True)
        os.execvp(command[0], command)
    time.sleep(1)
