"""Executes the notebooks that come a line each, saves them with their outputs, and answers with what went wrong."""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

# What kernels print must not be taken for an answer.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

for line in sys.stdin:
    file = Path(line.strip())
    notebook = nbformat.read(file, 4)
    wrong = ""
    try:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": file.parent}}).execute()
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
    nbformat.write(notebook, file)
    print(repr(wrong), file=answers, flush=True)
