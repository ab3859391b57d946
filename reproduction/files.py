"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

#: What a file system answers that has no hard links.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def put(path: Path, content: str) -> None:
    """Write a new file, never in the place of another: first under a hidden name beside it, to the
    disk, and then under its own.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     put(Path(folder, "a.txt"), "a")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.txt']

    Raises:
        FileExistsError: there is such a file; it stays as it is.
        OSError: the file cannot be written; nothing is left of it.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        appear(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def appear(temporary: Path, path: Path) -> None:
    """Give a whole file its name in one step; FileExistsError if that is taken.

    Where the file system has no hard links, an empty file takes the name first: only a process that
    is killed in between leaves it there.
    """
    try:
        os.link(temporary, path)  # unlike a rename, refuses to replace
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(temporary, path)
        except BaseException:
            path.unlink()
            raise


def replace(path: Path, content: str) -> None:
    """Write a file in one step, in the place of one that may be there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for content in ("a", "b"):
    ...         replace(Path(folder, "a.txt"), content)
    ...     Path(folder, "a.txt").read_text()
    'b'

    Raises:
        OSError: the file cannot be written; the old one stays.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    put(temporary, content)
    os.replace(temporary, path)
