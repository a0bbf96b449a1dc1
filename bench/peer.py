"""ResNet-18 in PyTorch for the bench to measure beside: a request a line in, an answer a line out, in JSON.

    {"task": "train", "width": 64, "stem": "imagenet", "size": 64, "batch": 128, "classes": 200,
     "precision": "float32", "threads": 2, "steps": 10, "device": "cpu"}
    {"imagesPerSecond": 181.2}

The fields of `Workload` are the keys of a request, beside `steps`. What a workload needs is made and warmed
up at its first request and kept for the next ones; the time is that of the steps alone.

- train: forward, cross-entropy, backward, SGD step, on one random batch.
- evaluate: forward in inference mode, on one random batch.
- st-epoch: `steps` epochs of stability training, from the data set's file through a DataLoader to a
  checkpoint on disk, validation included; images/s count the reference images.
- memory: `steps` training steps in a fresh process. `peakBytes` is the most memory in use, less what the
  process held once its modules were imported. On a GPU it is what tensors took.

A request that fails is answered by {"error": "..."}.

Done as PyTorch's performance guide advises: channels_last for network and images, autocast (in evaluation:
weights) in bfloat16, the fused optimizer, gradients set to None, nothing read back within an epoch; on a GPU
TF32, cuDNN's benchmark and pinned memory.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from torch.utils.data import DataLoader, Dataset

sys.path.append(str(Path(__file__).resolve().parents[1] / "test" / "reference"))
from network import ResNet18, Stem  # noqa: E402

NOISE, ALPHA = 0.1, 0.1


@dataclass(frozen=True)
class Workload:
    """What to measure. Sizes in pixels; `batch` counts reference images."""

    task: Literal["train", "evaluate", "st-epoch", "memory"]
    width: int
    stem: Stem
    size: int
    batch: int
    classes: int
    precision: Literal["float32", "bfloat16"]
    threads: int
    device: Literal["cpu", "cuda"] = "cpu"
    # st-epoch alone: raw uint8 squares `[n, side, side, 3]`, of which the centre is used, and labels `[n]`;
    # the last ones are for validation.
    images: str = ""
    labels: str = ""
    side: int = 0
    validation: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, choices = getattr(self, field.name), get_args(field.type)
            if choices and value not in choices:
                raise ValueError(f"{field.name} must be one of {', '.join(choices)}, but got {value!r}")


class Training:
    """A network and its optimizer."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.network = ResNet18(workload.width, workload.stem, workload.classes)
        self.network.to(workload.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=0.01, momentum=0.9, nesterov=True, fused=True
        )

    def logits(self, images: Tensor) -> Tensor:
        """The network's forward pass in the workload's precision; float32 logits."""
        bfloat16 = self.workload.precision == "bfloat16"
        with torch.autocast(self.workload.device, torch.bfloat16, enabled=bfloat16):
            return self.network(images).float()

    def update(self, loss: Tensor) -> None:
        """One optimizer step."""
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def random_images(workload: Workload) -> Tensor:
    """Normally distributed, `[batch, 3, size, size]`, channels last in memory."""
    shape = (workload.batch, workload.size, workload.size, 3)
    return torch.randn(shape, device=workload.device).permute(0, 3, 1, 2)


def train(workload: Workload) -> Callable[[], int]:
    """A training step on random data; it returns its number of images."""
    training = Training(workload)
    images = random_images(workload)
    labels = torch.randint(workload.classes, (workload.batch,), device=workload.device)

    def step() -> int:
        training.update(cross_entropy(training.logits(images), labels))
        return workload.batch

    return step


def evaluate(workload: Workload) -> Callable[[], int]:
    """An evaluation step on random data."""
    dtype = torch.bfloat16 if workload.precision == "bfloat16" else torch.float32
    network = ResNet18(workload.width, workload.stem, workload.classes).eval()
    network.to(workload.device, dtype, memory_format=torch.channels_last)
    images = random_images(workload).to(dtype)

    @torch.inference_mode()
    def step() -> int:
        network(images)
        return workload.batch

    return step


class Squares(Dataset):
    """A part of a file of raw uint8 squares; the centre crop of side `size`. Reads whole batches."""

    def __init__(self, workload: Workload, part: slice) -> None:
        side, size = workload.side, workload.size
        images = np.memmap(workload.images, np.uint8, "r").reshape(-1, side, side, 3)
        labels = np.fromfile(workload.labels, np.uint8).astype(np.int64)
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images, but {len(labels)} labels")
        self.images, self.labels = images[part], labels[part]
        self.centre = slice((side - size) // 2, (side - size) // 2 + size)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        images = self.images[indices][:, self.centre, self.centre]
        return torch.from_numpy(images), torch.from_numpy(self.labels[indices])


def stability_training(workload: Workload) -> Callable[..., int]:
    """An epoch of stability training with Gaussian noise and its validation, or its first batches."""
    training, device = Training(workload), workload.device
    split = len(np.memmap(workload.labels, np.uint8, "r")) - workload.validation
    squares, held_out = Squares(workload, slice(split)), Squares(workload, slice(split, None))
    options = {"pin_memory": device == "cuda", "collate_fn": lambda batch: batch}
    loader = DataLoader(squares, workload.batch, shuffle=True, **options)
    validation = DataLoader(held_out, 2 * workload.batch, **options)
    mean = torch.tensor([0.4914, 0.4822, 0.4465], device=device).view(1, 3, 1, 1)
    deviation = torch.tensor([0.2470, 0.2435, 0.2616], device=device).view(1, 3, 1, 1)

    def batches(of: DataLoader, count: int | None) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in islice(of, count):
            images = images.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
            yield images, labels.to(device, non_blocking=True)

    @torch.inference_mode()
    def validate(count: int | None) -> int:
        training.network.eval()
        correct = torch.zeros((), dtype=torch.int64, device=device)
        for images, labels in batches(validation, count):
            logits = training.logits(images.sub_(mean).div_(deviation))
            correct += (logits.argmax(1) == labels).sum()
        training.network.train()
        return int(correct)

    def epoch(count: int | None = None) -> int:
        total = torch.zeros((), device=device)
        for images, labels in batches(loader, count):
            noisy = (images + NOISE * torch.randn_like(images)).clamp_(0, 1)
            both = torch.cat([images, noisy]).sub_(mean).div_(deviation)
            reference, distorted = training.logits(both).chunk(2)
            p, q = log_softmax(reference, 1), log_softmax(distorted, 1)
            divergence = kl_div(q, p, reduction="batchmean", log_target=True)
            loss = cross_entropy(reference, labels) + ALPHA * divergence
            training.update(loss)
            total += loss.detach() * len(labels)
        state = {
            "network": training.network.state_dict(),
            "optimizer": training.optimizer.state_dict(),
            "loss": total.item() / len(squares),
            "correct": validate(count),
        }
        with tempfile.TemporaryFile() as checkpoint:
            torch.save(state, checkpoint)
        return len(squares)

    return epoch


@lru_cache(maxsize=4)
def warm(workload: Workload) -> Callable[[], int]:
    """The workload's step, after two runs of it (of an epoch: two batches)."""
    if workload.device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    if workload.task == "st-epoch":
        epoch = stability_training(workload)
        epoch(count=2)
        return epoch
    step = train(workload) if workload.task == "train" else evaluate(workload)
    step()
    step()
    return step


def measure(workload: Workload, steps: int) -> dict[str, float]:
    """So many steps, timed."""
    torch.set_num_threads(workload.threads)
    step = warm(workload)
    synchronize = torch.cuda.synchronize if workload.device == "cuda" else lambda: None
    synchronize()
    started = time.perf_counter()
    images = sum(step() for _ in range(steps))
    synchronize()
    seconds = time.perf_counter() - started
    return {"imagesPerSecond": images / seconds}


def resident_peak() -> int:
    """The most memory this process has held, bytes. (ru_maxrss would count the one that started it.)"""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def measure_memory(workload: Workload, steps: int) -> dict[str, float]:
    """So many training steps and the memory they took, in a process that has done nothing else."""
    imported = resident_peak()
    torch.set_num_threads(workload.threads)
    step = train(workload)
    for _ in range(steps):
        step()
    if workload.device == "cuda":
        return {"peakBytes": torch.cuda.max_memory_allocated()}
    return {"peakBytes": resident_peak() - imported}


def answer(line: str, fresh: bool) -> dict[str, float]:
    """What one request asks for; memory is measured in a fresh process."""
    request = json.loads(line)
    steps = request.pop("steps")
    workload = Workload(**request)
    if workload.task != "memory":
        return measure(workload, steps)
    if fresh:
        return measure_memory(workload, steps)
    command = [sys.executable, __file__, "--fresh"]
    return json.loads(
        subprocess.run(command, input=line, stdout=subprocess.PIPE, text=True, check=True).stdout
    )


def main() -> None:
    fresh = sys.argv[1:] == ["--fresh"]
    for line in sys.stdin:
        try:
            result = answer(line, fresh)
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
