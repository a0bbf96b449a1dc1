"""The network, its training step, the losses and the attacks, as PyTorch and torchvision compute them.

    python test/reference/resnet18.py            writes test/fixtures/resnet18/
    python test/reference/resnet18.py --check    compares with what is there

Everything is computed in float64 from float32 weights and inputs, and stored rounded to float32: the
reference's own error is far below that of any float32 implementation.

A unit whose input to a ReLU is zero within rounding turns its gradient on in one implementation and off
in the other, and one unit of 10,000 is a relative difference of 1 %. So batch normalisation's biases
keep most units away from zero, and the seed of each case is one where none of them matters: before
anything is written, the same steps are taken in float32 and, in float64, from weights that differ by
1e-6, and the differences must stay within half of the case's tolerance, which is larger where many layers round: relative, by L2 norm, tensor by tensor; for
`update`, beyond 2**-23 of the norm of the tensor after the steps, which is its own rounding. So a right
float32 implementation can be held to it. The gradients are compared with finite differences, too.

`cases.json`: one entry a case of the network.

- `depth`, `width`, `stem`, `imageSize` (px), `classes`, `tolerance` (relative, see above); `images`: the three batches, already normalised,
  float32 `[8, imageSize, imageSize, 3]`, by formula (see fixtures.py); `labels`: theirs.
- `weightsFile`, if present: a state dict as torchvision saves it; `weights`: tensors by formula that
  replace those of the file, or all of them. Names and layouts are PyTorch's.
- `losses`: cross-entropy, mean over the batch, before each of three steps of SGD (`optimizer`), one
  batch a step, batch normalisation in training mode.
- `gradientNorms`, `updateNorms`: L2 norms of each tensor of the two groups named below.
- `tensorsFile`, float32:
  `logits` `[8, classes]` of the first batch in training mode;
  `gradient.<name>`: of the first batch's loss;
  `update.<name>`: after three steps minus before, weights and running statistics;
  `evaluationLogits` `[8, classes]` of the first batch after the three steps, in evaluation mode.
  Where `sampled` names the group ('gradient', 'update'), a tensor of n elements is stored as the
  entries 0, s, 2s, … of its row-major order, at most 64, s = floor(n / 64) | 1 (all, if n ≤ 64).

`losses.json`: each loss of the paper on given logits `[batch, classes]` of the reference images and of
the distorted ones, mean over the batch, with its gradients to both, to 12 digits. Logarithms are natural.
Each logit is a float32. `crossEntropy` is L0 (Eq. 3), `kl` KL(p‖p′) (Eq. 4, 5),
`symmetricKl` ½(KL(p‖p′) + KL(p′‖p)) (Eq. 6), `stabilityTraining` L0 + α·kl and
`symmetricStabilityTraining` L0 + α·symmetricKl (Eq. 1), `adversarialTraining` μL0(x) + (1 − μ)L0(x′) (Eq. 7).
`divergence`: the KL of these two is summed over the classes ('sum', `KLDivLoss(reduction="batchmean")`) or averaged
over them, too ('mean', `reduction="mean"`, PyTorch's default). `reference`: 'detached' where every KL has the
reference's logits detached.

`stability.json` and its `tensorsFile`: stability training's loss on the network of `weightsFile`, batch
normalisation in training mode.

- `images`, already normalised, by formula; the distorted ones are `images` + `noise`; `labels`.
- `rows`: `method`, of which `passes` says whether the images go through the network as one batch with the
  distorted ones ('joint') or before them ('separate'); its `loss`; `gradientNorms` as above; of the tensors
  `<name>.gradient.<weight>` and, the running statistics afterwards, `<name>.after.<statistic>`, both sampled.

`attacks.json` and its `tensorsFile`: FGSM and PGD on the network of `weightsFile`, normalisation
(`mean`, `deviation` of each channel) inside.

- `images` uint8 `[4, 32, 32, 3]`: x = images / 255 in float32; `labels` in the JSON.
- `gradient.evaluation`, `gradient.training`: of the cross-entropy to x, batch normalisation with
  running and with batch statistics. (No sign hangs on rounding: float32 gives the same attacks.)
- `fgsm`: clip(x + `epsilon` · sign(gradient.evaluation), 0, 1).
- `start`: uniform in ±`epsilon`, by formula; `pgd`: from clip(x + start, 0, 1), `steps` times
  x′ ← clip(x + clip(x′ + `stepSize` · sign(∇L0(x′)) − x, ±`epsilon`), 0, 1), in evaluation mode.
"""

from copy import deepcopy
from dataclasses import dataclass
from math import sqrt
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from fixtures import Fixtures, Formula, formula, rounded
from network import ResNet18, ResNetOf, Stem
from torch import Tensor
from torch.nn import KLDivLoss
from torch.nn.functional import cross_entropy, log_softmax
from torchvision.models import ResNet, resnet18

BATCH = 8
STEPS = 3
OPTIMIZER = {"learningRate": 0.01, "momentum": 0.9, "nesterov": True, "weightDecay": 0}
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Case:
    """A network and the side of its images, px."""

    width: int
    stem: Stem
    image_size: int
    classes: int
    seed: int
    sampled: tuple[str, ...] = ("gradient", "update")
    depth: int = 18
    tolerance: float = TOLERANCE

    @property
    def name(self) -> str:
        depth = "" if self.depth == 18 else f"depth{self.depth}-"
        return f"{depth}width{self.width}-{self.stem}-{self.image_size}px"

    def network(self) -> ResNet:
        if (self.width, self.stem) == (64, "imagenet"):
            return resnet18(num_classes=self.classes)
        return ResNetOf(self.depth, self.width, self.stem, self.classes)


WIDTH_8 = Case(8, "imagenet", 32, classes=10, seed=0, sampled=("update",))
CASES = (
    Case(64, "imagenet", 64, classes=200, seed=1),
    WIDTH_8,
    Case(8, "small", 32, classes=10, seed=12, sampled=("update",)),
    Case(8, "imagenet", 28, classes=10, seed=0),
    Case(8, "small", 28, classes=10, seed=1),
    Case(8, "imagenet", 64, classes=10, seed=0, depth=34),
    Case(8, "small", 16, classes=10, seed=4, depth=50, tolerance=3e-4),
)


def weights_formula(network: ResNet) -> dict[str, Formula]:
    """Convolutions of the size that training starts with, and batch normalisations that do something."""
    formulas = {}
    blocks = sum(len(stage) for stage in (network.layer1, network.layer2, network.layer3, network.layer4))
    for index, (name, tensor) in enumerate(network.state_dict().items()):
        if name.startswith("fc."):  # half of nn.Linear's initial range, less where more blocks are added up
            scale, offset = 0.5 / sqrt(network.fc.in_features) * (8 / blocks), 0
        elif name.endswith("running_mean"):
            scale, offset = 0.1, 0
        elif name.endswith("running_var"):
            scale, offset = 0.5, 1
        elif name.endswith("bias"):
            scale, offset = 0.25, 0.875
        elif tensor.dim() == 1:
            scale, offset = 0.25, 0.625
        elif tensor.dim() == 4:  # the deviation of kaiming_normal_(fan_out)
            scale, offset = sqrt(6 / (tensor.shape[0] * tensor[0, 0].numel())), 0
        else:  # num_batches_tracked
            continue
        formulas[name] = formula(index, tensor.shape, scale, offset)
    return formulas


def load(network: ResNet, formulas: dict[str, Formula]) -> ResNet:
    """Gives a network the weights of the formulas."""
    network.load_state_dict({name: made.tensor() for name, made in formulas.items()}, strict=False)
    return network


def labels_of(index: int, count: int, classes: int) -> Tensor:
    """Uniformly drawn labels."""
    uniform = formula(index, [count], 0.5, 0.5).tensor()
    return (uniform * classes).long().clamp(max=classes - 1)


def train(network: ResNet, images: list[Tensor], labels: list[Tensor]) -> dict[str, Any]:
    """Three steps of SGD in the network's own precision: what the fixture stores."""
    before = deepcopy(network.state_dict())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    results: dict[str, Any] = {"losses": []}
    network.train()
    for x, y in zip(images, labels):
        logits = network(x.to(network.fc.weight.dtype).permute(0, 3, 1, 2))
        loss = cross_entropy(logits, y)
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        if not results["losses"]:
            results["logits"] = logits.detach()
            results["gradient"] = {name: g for (name, _), g in zip(network.named_parameters(), gradients)}
        for parameter, g in zip(network.parameters(), gradients):
            parameter.grad = g
        results["losses"].append(loss.item())
        optimizer.step()
    results["after"] = {
        name: tensor.clone() for name, tensor in network.state_dict().items() if tensor.is_floating_point()
    }
    results["update"] = {name: tensor - before[name] for name, tensor in results["after"].items()}
    network.eval()
    with torch.no_grad():
        x = images[0].to(network.fc.weight.dtype).permute(0, 3, 1, 2)
        results["evaluationLogits"] = network(x)
    return results


def sample(tensor: Tensor) -> Tensor:
    """The entries that a sampled group stores."""
    stride = tensor.numel() // 64 | 1
    return tensor.flatten()[::stride][:64] if tensor.numel() > 64 else tensor


def relative(actual: Tensor, expected: Tensor, rounding: float = 0) -> float:
    """L2 norm of the difference, less an allowance for rounding, over that of what is expected."""
    difference = (actual.double() - expected).norm().item()
    return max(difference - rounding, 0) / expected.norm().item()


def check_directional_derivative(network: ResNet, gradient: dict[str, Tensor], x: Tensor, y: Tensor) -> None:
    """Holds the gradient against central differences of the loss, along one direction for each tensor."""
    network.train()
    for index, (name, parameter) in enumerate(network.named_parameters()):
        direction = formula(800 + index, parameter.shape, 1).tensor().double()
        losses = []
        with torch.no_grad():
            original = parameter.clone()
            for step in (1e-6, -1e-6):
                parameter.copy_(original + step * direction)
                losses.append(cross_entropy(network(x.double().permute(0, 3, 1, 2)), y))
            parameter.copy_(original)
        difference = (losses[0] - losses[1]).item() / 2e-6
        expected = (gradient[name] * direction).sum().item()
        size = gradient[name].norm().item() * direction.norm().item()
        assert abs(difference - expected) < 1e-4 * size, (name, difference, expected)


def perturbed(network: ResNet, seed: int) -> ResNet:
    """The network with each weight changed by at most one part in a million."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(1 + 1e-6 * (2 * torch.rand(p.shape, dtype=p.dtype, generator=generator) - 1))
    return network


def differences(actual: dict[str, Any], exact: dict[str, Any]) -> dict[str, float]:
    """The largest relative difference in each group."""
    return {
        "logits": relative(actual["logits"], exact["logits"]),
        "gradient": max(relative(actual["gradient"][name], g) for name, g in exact["gradient"].items()),
        "update": max(
            relative(actual["update"][name], u, rounding=2**-23 * exact["after"][name].norm().item())
            for name, u in exact["update"].items()
        ),
        "evaluationLogits": relative(actual["evaluationLogits"], exact["evaluationLogits"]),
    }


def network_case(case: Case, weights_file: str | None, fixtures: Fixtures) -> dict[str, Any]:
    """One entry of `cases.json`, and its tensors."""
    formulas = weights_formula(case.network())
    shape = [BATCH, case.image_size, case.image_size, 3]
    images = [formula(200 + 10 * case.seed + step, shape, 2) for step in range(STEPS)]
    labels = [labels_of(205 + 10 * case.seed + step, BATCH, case.classes) for step in range(STEPS)]
    batches = [made.tensor() for made in images]

    exact = train(load(case.network(), formulas).double(), batches, labels)
    others = {"float32": load(case.network(), formulas)}
    for seed in range(3):
        others[f"perturbed {seed}"] = perturbed(load(case.network(), formulas).double(), seed)
    for other, network in others.items():
        found = differences(train(network, batches, labels), exact)
        print(case.name, other, " ".join(f"{name} {value:.1e}" for name, value in found.items()))
        assert max(found.values()) < case.tolerance / 2
    check_directional_derivative(
        load(case.network(), formulas).double(), exact["gradient"], batches[0], labels[0]
    )

    tensors = {"logits": exact["logits"], "evaluationLogits": exact["evaluationLogits"]}
    for group in ("gradient", "update"):
        for name, tensor in exact[group].items():
            tensors[f"{group}.{name}"] = sample(tensor) if group in case.sampled else tensor
    tensors_file = f"resnet18/{case.name}.safetensors"
    fixtures.tensors(tensors_file, {name: tensor.float() for name, tensor in tensors.items()})

    if weights_file:
        formulas = {name: made for name, made in formulas.items() if name == "conv1.weight"}
    return {
        "name": case.name,
        "depth": case.depth,
        "width": case.width,
        "stem": case.stem,
        "imageSize": case.image_size,
        "classes": case.classes,
        "tolerance": case.tolerance,
        **({"weightsFile": weights_file} if weights_file else {}),
        "weights": {} if weights_file and case.stem == "imagenet" else formulas,
        "images": images,
        "labels": [y.tolist() for y in labels],
        "losses": [rounded(loss) for loss in exact["losses"]],
        "tensorsFile": tensors_file,
        "sampled": list(case.sampled),
        "gradientNorms": {name: rounded(g.norm().item()) for name, g in exact["gradient"].items()},
        "updateNorms": {name: rounded(u.norm().item()) for name, u in exact["update"].items()},
    }


REDUCTIONS = {"sum": "batchmean", "mean": "mean"}


def divergence(p: Tensor, q: Tensor, over_classes: str = "sum") -> Tensor:
    """KL(p‖q) of logits, summed or averaged over the classes, mean over the batch."""
    with catch_warnings():
        simplefilter("ignore")  # "mean" is not the mathematical KL, and it is what is wanted
        loss = KLDivLoss(reduction=REDUCTIONS[over_classes], log_target=True)
        return loss(log_softmax(q, 1), log_softmax(p, 1))


def symmetric_divergence(p: Tensor, q: Tensor, over_classes: str = "sum") -> Tensor:
    """½ (KL(p‖q) + KL(q‖p)) of logits."""
    return (divergence(p, q, over_classes) + divergence(q, p, over_classes)) / 2


def loss_cases() -> dict[str, Any]:
    """`losses.json`."""
    labels = labels_of(900, 6, 5)
    moderate = formula(901, [6, 5], 3).tensor()
    near = moderate + formula(902, [6, 5], 0.01).tensor()
    far = formula(903, [6, 5], 3).tensor()
    extreme = torch.where(formula(904, [6, 5], 1).tensor() < 0, -50.0, 50.0)
    logits = {
        "moderate": (moderate, far),
        "near": (moderate, near),
        "equal": (moderate, moderate.clone()),
        "extreme": (extreme, -extreme),
        "extremeReference": (extreme, moderate),
        "extremeDistorted": (moderate, extreme),
    }
    cases = []
    for name, (reference, distorted) in logits.items():
        a, b = (x.double().requires_grad_() for x in (reference, distorted))
        l0 = cross_entropy(a, labels)
        losses = [
            ("crossEntropy", {}, l0),
            ("kl", {}, divergence(a, b)),
            ("symmetricKl", {}, symmetric_divergence(a, b)),
        ]
        for alpha, over_classes, reference_is in (
            (0.01, "sum", "attached"),
            (0.316, "sum", "attached"),
            (10, "sum", "attached"),
            (10, "sum", "detached"),
            (10, "mean", "attached"),
            (10, "mean", "detached"),
        ):
            reading = {"alpha": alpha, "divergence": over_classes, "reference": reference_is}
            compared = a.detach() if reference_is == "detached" else a
            kl = divergence(compared, b, over_classes)
            symmetric = symmetric_divergence(compared, b, over_classes)
            losses.append(("stabilityTraining", reading, l0 + alpha * kl))
            losses.append(("symmetricStabilityTraining", reading, l0 + alpha * symmetric))
        adversarial = 0.5 * l0 + 0.5 * cross_entropy(b, labels)
        losses.append(("adversarialTraining", {"mu": 0.5}, adversarial))
        rows = []
        for loss_name, parameters, value in losses:
            gradients = torch.autograd.grad(
                value, (a, b), retain_graph=True, allow_unused=True, materialize_grads=True
            )
            rows.append(
                {
                    "loss": loss_name,
                    **parameters,
                    "value": rounded(value.item(), 12),
                    "gradient": [[rounded(g, 12) for g in row] for row in gradients[0].tolist()],
                    "distortedGradient": [[rounded(g, 12) for g in row] for row in gradients[1].tolist()],
                }
            )
        cases.append(
            {
                "name": name,
                "logits": reference.tolist(),
                "distortedLogits": distorted.tolist(),
                "losses": rows,
            }
        )
    return {"labels": labels.tolist(), "cases": cases}


STABILITY = {
    f"{kind}-{passes}": {
        "kind": kind,
        "alpha": alpha,
        "divergence": over_classes,
        "reference": reference,
        "passes": passes,
    }
    for kind, alpha, over_classes, reference, passes in (
        ("ST", 10, "mean", "attached", "joint"),
        ("ST", 10, "mean", "detached", "separate"),
        ("ST-sym", 1, "sum", "detached", "joint"),
        ("ST-sym", 1, "sum", "attached", "separate"),
    )
}


def stability(
    network: ResNet, x: Tensor, distorted: Tensor, labels: Tensor, method: dict[str, Any]
) -> dict[str, Any]:
    """The loss, its gradients and the running statistics afterwards, in the network's own precision."""
    network.train()
    x, distorted = (images.to(network.fc.weight.dtype).permute(0, 3, 1, 2) for images in (x, distorted))
    if method["passes"] == "joint":
        logits, other = network(torch.cat([x, distorted])).chunk(2)
    else:
        logits, other = network(x), network(distorted)
    compared = logits.detach() if method["reference"] == "detached" else logits
    distance = symmetric_divergence if method["kind"] == "ST-sym" else divergence
    kl = distance(compared, other, method["divergence"])
    loss = cross_entropy(logits, labels) + method["alpha"] * kl
    names, parameters = zip(*network.named_parameters())
    gradients = torch.autograd.grad(loss, parameters)
    running = {name: b.clone() for name, b in network.named_buffers() if b.is_floating_point()}
    return {"loss": loss.item(), "gradient": dict(zip(names, gradients)), "after": running}


def stability_cases(weights_file: str, fixtures: Fixtures) -> dict[str, Any]:
    """`stability.json`, and its tensors."""
    case = WIDTH_8
    formulas = weights_formula(case.network())
    shape = [BATCH, case.image_size, case.image_size, 3]
    images, noise = formula(920, shape, 2), formula(921, shape, 0.5)
    labels = labels_of(922, BATCH, case.classes)
    x, distorted = images.tensor(), images.tensor() + noise.tensor()

    rows, tensors = [], {}
    for name, method in STABILITY.items():
        exact = stability(load(case.network(), formulas).double(), x, distorted, labels, method)
        others = {"float32": load(case.network(), formulas)}
        for seed in range(3):
            others[f"perturbed {seed}"] = perturbed(load(case.network(), formulas).double(), seed)
        for other, network in others.items():
            actual = stability(network, x, distorted, labels, method)
            found = {
                group: max(relative(actual[group][key], tensor) for key, tensor in exact[group].items())
                for group in ("gradient", "after")
            }
            print(name, other, " ".join(f"{group} {value:.1e}" for group, value in found.items()))
            assert max(found.values()) < case.tolerance / 2
        for group in ("gradient", "after"):
            for key, tensor in exact[group].items():
                tensors[f"{name}.{group}.{key}"] = sample(tensor).float()
        norms = {key: rounded(g.norm().item()) for key, g in exact["gradient"].items()}
        rows.append({"name": name, "method": method, "loss": rounded(exact["loss"]), "gradientNorms": norms})

    tensors_file = "resnet18/stability.safetensors"
    fixtures.tensors(tensors_file, tensors)
    return {
        "weightsFile": weights_file,
        "width": case.width,
        "stem": case.stem,
        "classes": case.classes,
        "tolerance": case.tolerance,
        "images": images,
        "noise": noise,
        "labels": labels.tolist(),
        "tensorsFile": tensors_file,
        "rows": rows,
    }


MEAN, DEVIATION = [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]
EPSILON, STEP_SIZE, ATTACK_STEPS = 8 / 255, 2 / 255, 5


def attack(network: ResNet, x: Tensor, labels: Tensor, start: Tensor) -> dict[str, Tensor]:
    """The gradients to the images and the attacked images, in the precision of `x`."""
    mean, deviation = (torch.tensor(values, dtype=x.dtype) for values in (MEAN, DEVIATION))

    def gradient(x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        logits = network(((x - mean) / deviation).permute(0, 3, 1, 2))
        return torch.autograd.grad(cross_entropy(logits, labels), x)[0]

    network.eval()
    evaluation = gradient(x)
    pgd = (x + start).clamp(0, 1)
    for _ in range(ATTACK_STEPS):
        pgd = pgd + STEP_SIZE * gradient(pgd).sign()
        pgd = (x + (pgd - x).clamp(-EPSILON, EPSILON)).clamp(0, 1)
    network.train()  # last, for it moves the running statistics
    return {
        "gradient.evaluation": evaluation,
        "gradient.training": gradient(x),
        "fgsm": (x + EPSILON * evaluation.sign()).clamp(0, 1),
        "pgd": pgd,
    }


def attack_case(weights_file: str, fixtures: Fixtures) -> dict[str, Any]:
    """`attacks.json`, and its tensors."""
    case = WIDTH_8
    formulas = weights_formula(case.network())
    shape = [4, case.image_size, case.image_size, 3]
    # Beyond 0..255 on both sides, so that some pixels are black or white and the clipping shows.
    images = formula(910, shape, 140, 128).tensor().clamp(0, 255).to(torch.uint8)
    labels = labels_of(911, 4, case.classes)
    start = formula(912, shape, EPSILON)

    x = images.float() / 255
    exact = attack(load(case.network(), formulas).double(), x.double(), labels, start.tensor())
    single = attack(load(case.network(), formulas), x, labels, start.tensor())
    found = {name: relative(single[name], tensor) for name, tensor in exact.items()}
    print("attacks float32", " ".join(f"{name} {value:.1e}" for name, value in found.items()))
    assert max(found.values()) < case.tolerance / 2

    tensors_file = "resnet18/attacks.safetensors"
    fixtures.tensors(
        tensors_file, {"images": images, **{name: tensor.float() for name, tensor in exact.items()}}
    )
    return {
        "weightsFile": weights_file,
        "width": case.width,
        "stem": case.stem,
        "classes": case.classes,
        "tolerance": case.tolerance,
        "mean": MEAN,
        "deviation": DEVIATION,
        "labels": labels.tolist(),
        "epsilon": EPSILON,
        "stepSize": STEP_SIZE,
        "steps": ATTACK_STEPS,
        "start": start,
        "tensorsFile": tensors_file,
    }


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    fixtures = Fixtures()

    weights_file = "resnet18/width8.safetensors"
    network = WIDTH_8.network()
    fixtures.tensors(weights_file, load(network, weights_formula(network)).state_dict())
    shared = (WIDTH_8.width, WIDTH_8.depth)
    cases = [
        network_case(case, weights_file if (case.width, case.depth) == shared else None, fixtures)
        for case in CASES
    ]
    fixtures.json("resnet18/cases.json", {"optimizer": OPTIMIZER, "cases": cases})
    fixtures.json("resnet18/losses.json", loss_cases())
    fixtures.json("resnet18/stability.json", stability_cases(weights_file, fixtures))
    fixtures.json("resnet18/attacks.json", attack_case(weights_file, fixtures))
    fixtures.finish()


if __name__ == "__main__":
    main()
