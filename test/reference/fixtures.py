"""What the reference scripts share: portable pseudo-random tensors, and fixtures written or checked.

The formula, which any language can follow to the last bit of float32. Element `i` (row-major) of the
tensor with number `index` is

    h = index << 22 | i                     unsigned 32 bits, i < 2**22
    h = (h ^ h >> 16) * 0x85ebca6b          MurmurHash3's finaliser, products modulo 2**32
    h = (h ^ h >> 13) * 0xc2b2ae35
    h = h ^ h >> 16
    u = (h >> 8) / 2**23 - 1                uniform in [-1, 1), exact in float32
    value = float32(offset + float32(scale * u))

with `scale` and `offset` float32 numbers. In JavaScript: `Math.imul`, `>>>` and `Math.fround`.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

FOLDER = Path(__file__).resolve().parents[1] / "fixtures"


@dataclass(frozen=True)
class Formula:
    """One tensor of the formula above."""

    index: int
    shape: list[int]
    scale: float
    offset: float

    def tensor(self) -> torch.Tensor:
        """The float32 tensor."""
        h = np.uint32(self.index << 22) | np.arange(np.prod(self.shape), dtype=np.uint32)
        h = (h ^ h >> np.uint32(16)) * np.uint32(0x85EBCA6B)
        h = (h ^ h >> np.uint32(13)) * np.uint32(0xC2B2AE35)
        h = h ^ h >> np.uint32(16)
        u = (h >> np.uint32(8)).astype(np.float32) / np.float32(2**23) - np.float32(1)
        values = np.float32(self.offset) + np.float32(self.scale) * u
        return torch.from_numpy(values.reshape(self.shape))


def formula(index: int, shape: Sequence[int], scale: float, offset: float = 0) -> Formula:
    """A formula whose `scale` and `offset` are rounded to float32, so that JSON carries them exactly."""
    return Formula(index, list(shape), float(np.float32(scale)), float(np.float32(offset)))


def rounded(value: float, digits: int = 9) -> float:
    """A number without its last digits, and zero below 1e-15: there machines differ in their rounding."""
    return float(f"{round(value, 15):.{digits}g}")


class Fixtures:
    """Files below `test/fixtures`, kept in memory until `finish` writes or compares them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def tensors(self, path: str, tensors: dict[str, torch.Tensor]) -> None:
        """Adds a safetensors file."""
        self.files[path] = save({name: tensor.contiguous() for name, tensor in tensors.items()})

    def json(self, path: str, value: dict[str, Any]) -> None:
        """Adds a JSON file, in which a list of numbers and an object without objects take one line each."""
        text = json.dumps(value, indent=2, ensure_ascii=False, default=asdict)
        for flat in (r"\[[^][{}]*\]", r"\{[^{}]*\}"):
            text = re.sub(flat, lambda match: " ".join(match[0].split()), text)
        self.files[path] = (text + "\n").encode()

    def finish(self) -> None:
        """Writes the files; with `--check` compares them byte by byte with those on disk instead."""
        arguments = sys.argv[1:]
        if arguments not in ([], ["--check"]):
            sys.exit(f"Expected no argument or --check, but got {' '.join(arguments)}.")
        different = []
        for path, content in self.files.items():
            file = FOLDER / path
            if arguments:
                if not file.exists() or file.read_bytes() != content:
                    different.append(path)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            print(f"{len(content):>9,} bytes  {path}{'  differs' if path in different else ''}")
        if different:
            sys.exit("The fixtures on disk are not those that this script makes.")
