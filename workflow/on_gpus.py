"""Run a command on GPUs that no other one has: ``python on_gpus.py WANTED OF COMMAND ...``.

OF is how many GPUs are shared out: of those that CUDA_VISIBLE_DEVICES names, else 0, 1 and so on.
They are this process's until it ends, however it ends, and so are the locks that say so: the
command takes this process's place. Where too few are free, as after Snakemake has been killed and
its jobs live on, it waits.
"""

import fcntl
import os
import random
import sys
import tempfile
import time
from pathlib import Path


def taken(name: str) -> int | None:
    """The lock of a GPU, or None if another process has it."""
    lock = os.open(folder / name, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


wanted, count, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
visible = os.environ.get("CUDA_VISIBLE_DEVICES")
names = visible.split(",")[:count] if visible else [str(k) for k in range(count)]
if wanted > len(names):
    sys.exit(f"{wanted} GPUs are wanted, and there are {len(names)}")
folder = Path(tempfile.gettempdir()) / f"sslib-gpus-{os.getuid()}"
folder.mkdir(mode=0o700, exist_ok=True)
while True:
    locks = {}
    for name in names:
        if len(locks) < wanted and (lock := taken(name)) is not None:
            locks[name] = lock
    if len(locks) == wanted:
        break
    for lock in locks.values():  # two that wait for each other's would wait for ever
        os.close(lock)
    time.sleep(random.uniform(0.5, 1.5))
for lock in locks.values():
    os.set_inheritable(lock, True)
os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(locks)
print(f"on GPU {', '.join(locks)}", flush=True)
os.execvp(command[0], command)
