"""Runs the commands of a tutorial in an empty folder, and writes what they print and draw into the page.

    python docs/tutorials/rerun.py [PAGE ...]

A block of `text` behind a block of `bash` or `python` is what that block prints; a comment such as `<!-- graph.svg -->`
before a picture is the file that it is a copy of. Without names, all tutorials are run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"<!-- (\S+) -->\n!\[[^\]]*\]\(([^)]+)\)")


def rerun(page: Path, folder: Path) -> str:
    """Returns the page with new outputs, and copies its pictures to the files that it links.

    Raises:
        CalledProcessError: a command fails.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    words = {"bash": ["bash", "-e", "-c"], "python": [sys.executable, "-c"]}

    def fresh(block: re.Match[str]) -> str:
        language, code, printed = block.groups()
        done = subprocess.run(
            [*words[language], code],
            cwd=folder,
            env=os.environ | {"PATH": path, "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        print(done.stdout, end="", flush=True)
        refused = code.rstrip().endswith("# is refused")
        if done.returncode != (2 if refused else 0):
            raise subprocess.CalledProcessError(done.returncode, code, done.stdout)
        start = f"```{language}\n{code}```\n"
        return start if printed is None else f"{start}\n```text\n{done.stdout.rstrip()}\n```\n"

    text = BLOCK.sub(fresh, page.read_text())
    for made, shown in PICTURE.findall(text):
        shutil.copy(folder / made, page.parent / shown)
    return text


def main(*names: str) -> None:
    for name in names or sorted(page.stem for page in HERE.glob("*.md")):
        page = HERE / f"{name}.md"
        with tempfile.TemporaryDirectory() as folder:
            page.write_text(rerun(page, Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
