"""torchvision's ResNets, and the same networks narrower or with a stem for small images."""

from typing import Literal

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

Stem = Literal["imagenet", "small"]


DEPTHS = {18: (BasicBlock, [2, 2, 2, 2]), 34: (BasicBlock, [3, 4, 6, 3]), 50: (Bottleneck, [3, 4, 6, 3])}


class ResNetOf(ResNet):
    """torchvision's `resnet18`, `34` or `50` with `width` base channels (its own have 64) and one of two stems.

    'imagenet' is torchvision's stem: a 7×7 convolution of stride 2 and a max-pool of stride 2.
    'small' is a 3×3 convolution of stride 1 without pooling, as is usual for 32-px images.
    With width 64 and the 'imagenet' stem it is torchvision's network, layer by layer and name by name.
    """

    def __init__(
        self, depth: int = 18, width: int = 64, stem: Stem = "imagenet", classes: int = 1000
    ) -> None:
        block, counts = DEPTHS[depth]
        super().__init__(block, counts)
        self.inplanes = width
        if stem == "imagenet":
            self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        elif stem == "small":
            self.conv1 = nn.Conv2d(3, width, kernel_size=3, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            raise ValueError(f"stem must be 'imagenet' or 'small', but got {stem!r}")
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._make_layer(block, width, counts[0])
        self.layer2 = self._make_layer(block, 2 * width, counts[1], stride=2)
        self.layer3 = self._make_layer(block, 4 * width, counts[2], stride=2)
        self.layer4 = self._make_layer(block, 8 * width, counts[3], stride=2)
        self.fc = nn.Linear(8 * width * block.expansion, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class ResNet18(ResNetOf):
    """The network of the paper."""

    def __init__(self, width: int = 64, stem: Stem = "imagenet", classes: int = 1000) -> None:
        super().__init__(18, width, stem, classes)
