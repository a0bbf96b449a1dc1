"""torchvision's ResNet-18, and the same network narrower or with a stem for small images."""

from typing import Literal

from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

Stem = Literal["imagenet", "small"]


class ResNet18(ResNet):
    """torchvision's `resnet18` with `width` base channels (its own has 64) and one of two stems.

    'imagenet' is torchvision's stem: a 7×7 convolution of stride 2 and a max-pool of stride 2.
    'small' is a 3×3 convolution of stride 1 without pooling, as is usual for 32-px images.
    With width 64 and the 'imagenet' stem it is torchvision's network, layer by layer and name by name.
    """

    def __init__(self, width: int = 64, stem: Stem = "imagenet", classes: int = 1000) -> None:
        super().__init__(BasicBlock, [2, 2, 2, 2])
        self.inplanes = width
        if stem == "imagenet":
            self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        elif stem == "small":
            self.conv1 = nn.Conv2d(3, width, kernel_size=3, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            raise ValueError(f"stem must be 'imagenet' or 'small', but got {stem!r}")
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._make_layer(BasicBlock, width, 2)
        self.layer2 = self._make_layer(BasicBlock, 2 * width, 2, stride=2)
        self.layer3 = self._make_layer(BasicBlock, 4 * width, 2, stride=2)
        self.layer4 = self._make_layer(BasicBlock, 8 * width, 2, stride=2)
        self.fc = nn.Linear(8 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
