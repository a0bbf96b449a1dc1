"""Figure 1a, made small, in PyTorch: what `bench/grid.ts` asks for on stdin, in one JSON object; its answer in another.

As a good engineer would write it: the images in memory, several processes of one thread each, channels_last, the
fused optimizer, gradients set to None, nothing read back within an epoch, batch normalisation folded into the
convolutions for the tests, autocast (in tests: weights) in bfloat16 where that is asked for. A process takes the next
run when it has done one; the runs that start from the baseline wait for it.
"""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from torch.nn.utils.fusion import fuse_conv_bn_eval

from peer import ResNet18, Training, Workload

TEST_BATCH = 250


@dataclass(frozen=True)
class Request:
    """What `grid.ts` asks for. Sizes in pixels."""

    # Raw uint8 squares `[n, side, side, 3]` and labels `[n]`: training, validation, test.
    images: str
    labels: str
    splits: dict[str, int]
    side: int
    size: int
    mean: list[float]
    deviation: list[float]
    classes: int
    width: int
    stem: str
    batch: int
    precision: str
    processes: int
    strengths: list[float]
    treatments: list[dict]
    baseline_epochs: int
    epochs: int


@dataclass
class Seconds:
    """Of one process, by what they went to."""

    training: float = 0
    validation: float = 0
    tests: float = 0


class Pictures:
    """A data set in memory: centre crops `[n, size, size, 3]`, uint8, by split."""

    def __init__(self, request: Request) -> None:
        start = (request.side - request.size) // 2
        centre = slice(start, start + request.size)
        squares = np.memmap(request.images, np.uint8, "r").reshape(-1, request.side, request.side, 3)
        images = torch.from_numpy(np.ascontiguousarray(squares[:, centre, centre]))
        labels = torch.from_numpy(np.fromfile(request.labels, np.uint8).astype(np.int64))
        ends = np.cumsum([request.splits[name] for name in ("train", "validation", "test")])
        self.parts = {
            name: (images[end - request.splits[name] : end], labels[end - request.splits[name] : end])
            for name, end in zip(("train", "validation", "test"), ends, strict=True)
        }
        self.mean = torch.tensor(request.mean).view(1, 3, 1, 1)
        self.deviation = torch.tensor(request.deviation).view(1, 3, 1, 1)

    def batches(self, part: str, batch: int, order: Tensor | None = None):
        """Images `[n, 3, size, size]`, 0..1, channels last in memory, and labels."""
        images, labels = self.parts[part]
        for start in range(0, len(labels), batch):
            chosen = slice(start, start + batch) if order is None else order[start : start + batch]
            yield images[chosen].permute(0, 3, 1, 2).float().div_(255), labels[chosen]

    def normalised(self, images: Tensor) -> Tensor:
        """Of values 0..1, in place."""
        return images.sub_(self.mean).div_(self.deviation)


@cache
def pictures() -> Pictures:
    """Read once a process."""
    return Pictures(REQUEST)


def training_of(state: dict[str, Tensor] | None) -> Training:
    """A network with its optimizer, from some weights or from random ones."""
    shape = {name: getattr(REQUEST, name) for name in ("width", "stem", "size", "batch", "classes", "precision")}
    training = Training(Workload(task="train", threads=1, **shape))
    if state is not None:
        training.network.load_state_dict(state)
    return training


def folded(network: ResNet18) -> ResNet18:
    """For inference: batch normalisation in the convolutions, weights in the precision asked for."""
    network = deepcopy(network).eval()
    pairs = [(network, "conv1", "bn1")]
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in layer:
            pairs += [(block, "conv1", "bn1"), (block, "conv2", "bn2")]
            if block.downsample is not None:
                pairs.append((block.downsample, "0", "1"))
    for module, convolution, normalisation in pairs:
        fused = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, normalisation))
        setattr(module, convolution, fused)
        setattr(module, normalisation, torch.nn.Identity())
    return network.to(dtype(), memory_format=torch.channels_last)


def dtype() -> torch.dtype:
    return torch.bfloat16 if REQUEST.precision == "bfloat16" else torch.float32


@torch.inference_mode()
def correct(network: ResNet18, part: str, sigma: float = 0) -> int:
    """How many images a folded network classifies as they are labelled, with noise of deviation σ."""
    of, count = pictures(), 0
    for images, labels in of.batches(part, TEST_BATCH):
        if sigma > 0:
            images.add_(torch.randn_like(images), alpha=sigma).clamp_(0, 1)
        logits = network(of.normalised(images).to(dtype()))
        count += int((logits.argmax(1) == labels).sum())
    return count


def train(treatment: dict, state: dict[str, Tensor] | None, epochs: int, seconds: Seconds) -> ResNet18:
    """A network after its best epoch by the validation images, which are not distorted."""
    of, training = pictures(), training_of(state)
    network = training.network
    kind, sigma = treatment["kind"], treatment.get("sigma", 0)
    best, most = {}, -1
    for _ in range(epochs):
        started = time.perf_counter()
        network.train()
        order = torch.randperm(REQUEST.splits["train"])
        for images, labels in of.batches("train", REQUEST.batch, order):
            if kind in ("ST", "DA"):
                noisy = images.add(torch.randn_like(images), alpha=sigma).clamp_(0, 1)
            if kind == "ST":
                images = torch.cat([images, noisy])
            elif kind == "DA":
                p = treatment["probability"]
                images = noisy if p == 1 else torch.where(torch.rand(len(labels), 1, 1, 1) < p, noisy, images)
            logits = training.logits(of.normalised(images))
            if kind == "ST":
                reference, distorted = logits.chunk(2)
                p, q = log_softmax(reference, 1), log_softmax(distorted, 1)
                divergence = kl_div(q, p, reduction="batchmean", log_target=True) / REQUEST.classes
                loss = cross_entropy(reference, labels) + treatment["alpha"] * divergence
            else:
                loss = cross_entropy(logits, labels)
            training.update(loss)
        trained = time.perf_counter()
        seconds.training += trained - started
        count = correct(folded(network), "validation")
        if count > most:
            most, best = count, deepcopy(network.state_dict())
        seconds.validation += time.perf_counter() - trained
    network.load_state_dict(best)
    return network


def run(treatment: dict, state: dict[str, Tensor] | None, epochs: int):
    """A run with its tests. Returns its weights, where its seconds went, and its accuracies."""
    seconds = Seconds()
    network = train(treatment, state, epochs, seconds)
    started = time.perf_counter()
    tested = folded(network)
    counts = [correct(tested, "test", sigma) for sigma in REQUEST.strengths]
    seconds.tests = time.perf_counter() - started
    return network.state_dict(), seconds, [count / REQUEST.splits["test"] for count in counts]


def set_up(request: Request) -> None:
    global REQUEST
    REQUEST = request
    torch.set_num_threads(1)


def main() -> None:
    request = Request(**json.load(sys.stdin))
    set_up(request)
    started = time.perf_counter()
    total, accuracies = Seconds(), []
    with ProcessPoolExecutor(request.processes, get_context("spawn"), set_up, (request,)) as pool:
        state, *result = pool.submit(run, {"kind": "baseline"}, None, request.baseline_epochs).result()
        treated = [pool.submit(run, each, state, request.epochs) for each in request.treatments]
        for seconds, accuracy in [result, *(future.result()[1:] for future in treated)]:
            accuracies.append(accuracy)
            for name, value in vars(seconds).items():
                setattr(total, name, getattr(total, name) + value)
    print(json.dumps({"seconds": time.perf_counter() - started, **vars(total), "accuracies": accuracies}))


if __name__ == "__main__":
    main()
