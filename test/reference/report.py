"""A robustness report's numbers as PyTorch has them: accuracy, PGD from the same starts, calibration.

    python test/reference/report.py --train    trains the network anew: other weights on another machine
    python test/reference/report.py            writes test/fixtures/report/report.json for the weights that are there
    python test/reference/report.py --check    compares with what is there

`weights.safetensors`: torchvision's ResNet-18, 4 channels wide, by torchvision's names. `report.json`: `classes`, the `side` of
the squares, `images` of the test split; for them, in order, `logits` of the undistorted 28-px centre crops, `answers` (1 for
right), `ece` in 15 bins, and of each attack in `attacks` `steps`, `epsilon` and `answers`, from the starts of seed 0.

Image `n` is of class `n % classes`: stripes of the class's direction under noise, by the formula of fixtures.py. The starts are
the library's own random numbers, written anew here: a hash of what an image is, and TensorFlow's StatelessRandomUniform, which
is Philox-4x32-10. Networks are given images by ImageNet's mean and deviation. Everything is in float32.
"""

import json
import sys

import numpy as np
import torch
from fixtures import FOLDER, Fixtures, formula, rounded
from network import ResNet18
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

torch.set_num_threads(1)  # the order of sums
CLASSES, SIDE, CROP, IMAGES, TRAINED = 4, 32, 28, 96, 900
ATTACKS = ((5, 0.01), (20, 0.01), (20, 0.02))
WEIGHTS = FOLDER / "report" / "weights.safetensors"
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def square(number: int) -> np.ndarray:
    """uint8 `[SIDE, SIDE, 3]`."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    along = [x, y, x + y, x - y + SIDE][number % CLASSES]
    stripes = np.where((along + number) // 3 % 2 == 0, 18.0, -18.0)[..., None]
    noise = formula(number, [SIDE, SIDE, 3], 100).tensor().numpy().astype(np.float64)
    return np.clip(np.floor(128 + stripes + noise), 0, 255).astype(np.uint8)


def crops(numbers: range) -> torch.Tensor:
    """`[len(numbers), 3, CROP, CROP]`, 0..1."""
    start = (SIDE - CROP) // 2
    squares = np.stack([square(number) for number in numbers])[:, start : start + CROP, start : start + CROP]
    return torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255


def labels(numbers: range) -> torch.Tensor:
    return torch.tensor([number % CLASSES for number in numbers])


def hash_seed(*parts: int | float | str) -> tuple[int, int]:
    """FNV-1a of the parts' JSON from two beginnings, each finished as MurmurHash3 does."""

    def one(hash_: int) -> int:
        for byte in text.encode():
            hash_ = (hash_ ^ byte) * 0x01000193 % 2**32
        hash_ = (hash_ ^ hash_ >> 16) * 0x85EBCA6B % 2**32
        hash_ = (hash_ ^ hash_ >> 13) * 0xC2B2AE35 % 2**32
        return hash_ ^ hash_ >> 16

    text = json.dumps(parts, separators=(",", ":"))
    return one(0x811C9DC5), one(0x050C5D1F)


def philox(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Random bits of counters `[n, 4]`, uint32 (Salmon et al. 2011)."""
    c = [counter[:, at].astype(np.uint64) for at in range(4)]
    for round_ in range(10):
        k = [np.uint64((key[0] + round_ * 0x9E3779B9) % 2**32), np.uint64((key[1] + round_ * 0xBB67AE85) % 2**32)]
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        low, high = np.uint64(2**32 - 1), np.uint64(32)
        c = [b >> high ^ c[1] ^ k[0], b & low, a >> high ^ c[3] ^ k[1], a & low]
    return np.stack(c, 1).astype(np.uint32)


def stateless_uniform(seed: tuple[int, int], count: int) -> np.ndarray:
    """TensorFlow's StatelessRandomUniform of int32 seeds: float32, 0 ≤ u < 1."""
    sign = [0xFFFFFFFF if one >= 2**31 else 0 for one in seed]
    mixed = philox(np.array([[seed[0], sign[0], seed[1], sign[1]]], np.uint32), (0x3EC8F720, 0x02461E29))[0]
    groups = -(-count // 4)
    counter = np.zeros((groups, 4), np.uint32)
    counter[:, 0], counter[:, 2], counter[:, 3] = np.arange(groups), mixed[2], mixed[3]
    bits = philox(counter, (int(mixed[0]), int(mixed[1]))).reshape(-1)[:count]
    return (bits & np.uint32(0x7FFFFF) | np.uint32(127 << 23)).view(np.float32) - np.float32(1)


def attacked(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int, epsilon: float) -> torch.Tensor:
    """PGD within ±epsilon and 0..1, by steps of 2.5 epsilon / steps, from the library's starts."""
    noise = np.stack(
        [
            stateless_uniform(hash_seed(0, image, f"pgd-{steps}", epsilon), 3 * CROP * CROP).reshape(CROP, CROP, 3)
            for image in range(len(x))
        ]
    )
    low, high = (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)
    images = (x + (torch.from_numpy(noise).permute(0, 3, 1, 2) * 2 - 1) * epsilon).clamp(0, 1)
    for _ in range(steps):
        images = images.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(cross_entropy(network((images - MEAN) / DEVIATION), y), images)
        images = torch.max(low, torch.min(high, images + 2.5 * epsilon / steps * gradient.sign()))
    return images.detach()


def train() -> None:
    torch.manual_seed(0)
    network = ResNet18(width=4, classes=CLASSES).train()
    numbers = range(IMAGES, IMAGES + TRAINED)
    x, y = (crops(numbers) - MEAN) / DEVIATION, labels(numbers)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(6):
        for batch in torch.randperm(TRAINED).split(50):
            optimizer.zero_grad()
            cross_entropy(network(x[batch]), y[batch]).backward()
            optimizer.step()
    WEIGHTS.parent.mkdir(exist_ok=True)
    save_file(network.state_dict(), WEIGHTS)


def main() -> None:
    if sys.argv[1:] == ["--train"]:
        train()
        sys.argv.pop()
    network = ResNet18(width=4, classes=CLASSES).eval()
    network.load_state_dict(load_file(WEIGHTS))
    x, y = crops(range(IMAGES)), labels(range(IMAGES))

    def logits_of(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return network((images - MEAN) / DEVIATION)

    def right(logits: torch.Tensor) -> list[int]:
        return (logits.argmax(1) == y).int().tolist()

    logits = logits_of(x)
    sure, answers = logits.softmax(1).max(1).values.double().numpy(), np.array(right(logits))
    bins = np.ceil(sure * 15) - 1
    ece = sum(abs((answers - sure)[bins == one].sum()) for one in range(15)) / IMAGES
    fixtures = Fixtures()
    fixtures.json(
        "report/report.json",
        {
            "classes": CLASSES,
            "side": SIDE,
            "images": IMAGES,
            "logits": [[rounded(value, 7) for value in row] for row in logits.tolist()],
            "answers": answers.tolist(),
            "ece": rounded(ece, 6),
            "attacks": [
                {"steps": steps, "epsilon": epsilon, "answers": right(logits_of(attacked(network, x, y, steps, epsilon)))}
                for steps, epsilon in ATTACKS
            ],
        },
    )
    fixtures.finish()
    print("right:", answers.sum(), [sum(one["answers"]) for one in json.loads(fixtures.files["report/report.json"])["attacks"]], "ECE", ece)


if __name__ == "__main__":
    main()
