"""Loads weights that the library saved into torchvision's network, and prints what it makes of two images.

    python test/reference/load_weights.py WEIGHTS.safetensors IMAGE_SIZE

Answers {"logits": [[...], [...]]}, in evaluation mode, for the already normalised images
`formula(0, [2, IMAGE_SIZE, IMAGE_SIZE, 3], 2)` of fixtures.py. The network's width, stem and classes are read
from the weights' shapes; a weight that is missing, unknown or of another shape is PyTorch's error.
"""

import json
import sys

import torch
from fixtures import formula
from network import ResNet18
from safetensors.torch import load_file


def main() -> None:
    file, size = sys.argv[1], int(sys.argv[2])
    weights = load_file(file)
    width, _, kernel, _ = weights["conv1.weight"].shape
    network = ResNet18(width, "imagenet" if kernel == 7 else "small", len(weights["fc.bias"]))
    network.load_state_dict(weights)
    images = formula(0, [2, size, size, 3], 2).tensor().permute(0, 3, 1, 2)
    with torch.inference_mode():
        print(json.dumps({"logits": network.eval()(images).tolist()}))


if __name__ == "__main__":
    main()
