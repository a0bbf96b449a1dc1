"""torchvision beside the builder of data sets: python build.py FOLDER PROCESSES, then a line of input a measurement.

Decodes every JPEG of FOLDER, Resize(256), CenterCrop(256), and writes the squares into one file, by a pool of processes.
Answers each line with the seconds that took.
"""

import sys
import time
from multiprocessing import Pool
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize

torch.set_num_threads(1)
transform = Compose([Resize(256), CenterCrop(256)])


def square(task):
    path, squares, index, count = task
    out = np.memmap(squares, np.uint8, "r+", shape=(count, 256, 256, 3))
    out[index] = np.asarray(transform(Image.open(path).convert("RGB")))


if __name__ == "__main__":
    paths = sorted(Path(sys.argv[1]).glob("*/*.jpg"))
    with Pool(int(sys.argv[2])) as pool, NamedTemporaryFile() as squares:
        squares.truncate(len(paths) * 256 * 256 * 3)
        tasks = [(path, squares.name, index, len(paths)) for index, path in enumerate(paths)]
        for _ in sys.stdin:
            started = time.perf_counter()
            pool.map(square, tasks, chunksize=8)
            print(time.perf_counter() - started, flush=True)
