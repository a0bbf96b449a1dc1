"""Loads weights that the library saved into torchvision's network, and prints what it makes of two images.

    python test/reference/load_weights.py WEIGHTS.safetensors IMAGE_SIZE

Answers {"logits": [[...], [...]]}, in evaluation mode, for the already normalised images
`formula(0, [2, IMAGE_SIZE, IMAGE_SIZE, 3], 2)` of fixtures.py. The network's depth, width, stem and classes are read
from the weights' names and shapes; a weight that is missing, unknown or of another shape is PyTorch's error.
"""

import json
import sys

import torch
import torchvision
from fixtures import formula
from network import ResNetOf
from safetensors.torch import load_file


def logits_of(network: torch.nn.Module, size: int) -> str:
    """The answer, as JSON."""
    images = formula(0, [2, size, size, 3], 2).tensor().permute(0, 3, 1, 2)
    with torch.inference_mode():
        return json.dumps({"logits": network.eval()(images).tolist()})


def main() -> None:
    file, size = sys.argv[1], int(sys.argv[2])
    weights = load_file(file)
    width, _, kernel, _ = weights["conv1.weight"].shape
    depth = 50 if "layer1.0.conv3.weight" in weights else 34 if "layer1.2.conv1.weight" in weights else 18
    classes = len(weights["fc.bias"])
    if (width, kernel) == (64, 7):
        network = getattr(torchvision.models, f"resnet{depth}")(num_classes=classes)
    else:
        network = ResNetOf(depth, width, "imagenet" if kernel == 7 else "small", classes)
    network.load_state_dict(weights)
    print(logits_of(network, size))


if __name__ == "__main__":
    main()
