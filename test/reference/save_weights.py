"""Saves the weights of torchvision's own network, and prints what it makes of two images, as load_weights.py does.

    python test/reference/save_weights.py DEPTH WEIGHTS.safetensors IMAGE_SIZE

The weights are torchvision's initial ones of seed 0; a pass in training mode has moved the running statistics.
"""

import sys

import torch
import torchvision
from fixtures import formula
from load_weights import logits_of
from safetensors.torch import save_file


def main() -> None:
    depth, file, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.manual_seed(0)
    network = getattr(torchvision.models, f"resnet{depth}")()
    network.train()(formula(1, [8, 64, 64, 3], 2).tensor().permute(0, 3, 1, 2))
    save_file(network.state_dict(), file)
    print(logits_of(network, size))


if __name__ == "__main__":
    main()
