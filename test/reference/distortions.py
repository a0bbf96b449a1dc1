"""JPEG, thumbnail, rotation and crop as Pillow, PyTorch and torchvision make them, on two small pictures.

    python test/reference/distortions.py            writes test/fixtures/distortions/
    python test/reference/distortions.py --check    compares with what is there

`distortions.json` lists the results, `distortions.safetensors` holds them: uint8, `[2, 64, 64, 3]`, made from
`crops`, the centre crops of `squares` `[2, 73, 73, 3]`. What a reference computes in floats 0..1 is stored as
round(255 · value): an exact implementation is within 0.5 (and a little rounding) of it everywhere.

- jpeg, `quality`: encoded and decoded by Pillow, which like sharp subsamples the colours 4:2:0 by default.
  Encoders and decoders differ in rounding and in how they interpolate the colours.
- thumbnail, `side` in pixels of 64: down to side × side and back, bilinear, antialiased on the way down.
  `torch` in floats; `pillow` in 8 bits, that is, rounded both ways.
- rotation, `degrees`: torchvision's rotate, counterclockwise as one sees the picture, about its centre
  (between the pixels), bilinear, in floats, zeros outside.
- crop, `down` and `right` in pixels: torchvision's crop of the square, moved so far from the centre crop.
"""

from io import BytesIO
from typing import Any

import numpy as np
import torch
from fixtures import Fixtures, formula
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.functional import InterpolationMode, center_crop, crop, rotate

SQUARE, SIDE = 73, 64
QUALITIES = (90, 50, 30, 10)
THUMBNAILS = (6, 43, 57)  # 20, 150 and 200 of 224
ANGLES = (7.5, 30, -30, 90, 135)
OFFSETS = ((-2, 3), (4, -4))


def scene() -> np.ndarray:
    """A landscape: a sky's gradient, a sun, hills, a house with hard edges. Floats 0..1 `[73, 73, 3]`."""
    y, x = np.mgrid[0:SQUARE, 0:SQUARE] / (SQUARE - 1)
    picture = np.stack([0.35 + 0.5 * y, 0.55 + 0.3 * y, 0.95 - 0.15 * y], axis=-1)
    picture[(x - 0.75) ** 2 + (y - 0.22) ** 2 < 0.012] = (1.0, 0.9, 0.4)
    for height, colour in ((0.55, (0.35, 0.5, 0.35)), (0.72, (0.2, 0.42, 0.15))):
        ridge = height + 0.06 * np.sin(9 * x + 20 * height)
        shade = 0.8 + 0.2 * np.sin(40 * (y - ridge))[..., None]
        picture = np.where((y > ridge)[..., None], np.array(colour) * shade, picture)
    picture[(abs(x - 0.32) < 0.14) & (abs(y - 0.66) < 0.12)] = (0.85, 0.8, 0.7)
    picture[(y < 0.54) & (y > 0.4 + abs(x - 0.32))] = (0.6, 0.15, 0.1)
    picture[(abs(x - 0.26) < 0.03) & (abs(y - 0.65) < 0.04)] = (0.1, 0.15, 0.3)
    return picture


def texture() -> np.ndarray:
    """Fur, a striped fabric and grain, in saturated colours. Floats 0..1 `[73, 73, 3]`."""
    y, x = np.mgrid[0:SQUARE, 0:SQUARE] / (SQUARE - 1)
    fur = 0.5 + 0.2 * np.sin(60 * x + 8 * np.sin(7 * y)) + 0.15 * np.sin(23 * (x + y))
    stripes = 0.5 + 0.45 * np.sign(np.sin(35 * (x - 0.6 * y)))
    grain = 0.15 * formula(950, [SQUARE, SQUARE], 1).tensor().numpy()
    left = np.stack([fur + grain, 0.7 * fur + grain, 0.4 * fur + 0.5 * grain], axis=-1)
    right = np.stack([0.9 * stripes, 0.15 + 0.1 * grain, 1 - stripes], axis=-1)
    return np.where((x + 0.1 * np.sin(12 * y) < 0.5)[..., None], left, right)


def bytes_of(values: Tensor) -> Tensor:
    """Floats 0..1 `[batch, 3, height, width]` as uint8 `[batch, height, width, 3]`."""
    return (255 * values).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """Encoded and decoded."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def resize(picture: Image.Image, side: int) -> Image.Image:
    return picture.resize((side, side), Image.Resampling.BILINEAR)


def torch_thumbnail(pictures: Tensor, side: int) -> Tensor:
    """Down and back, floats `[batch, 3, 64, 64]`."""
    small = interpolate(pictures, (side, side), mode="bilinear", antialias=True)
    return interpolate(small, (SIDE, SIDE), mode="bilinear", antialias=True)


def main() -> None:
    torch.set_num_threads(1)
    values = torch.from_numpy(np.stack([scene(), texture()])).permute(0, 3, 1, 2)
    squares = bytes_of(values).permute(0, 3, 1, 2)
    crops = center_crop(squares, [SIDE, SIDE])
    floats = crops.double() / 255
    pictures = [Image.fromarray(picture.numpy()) for picture in crops.permute(0, 2, 3, 1)]
    top = left = (SQUARE - SIDE) // 2
    assert torch.equal(crops, crop(squares, top, left, SIDE, SIDE))

    rows: list[dict[str, Any]] = []
    tensors = {"squares": squares.permute(0, 2, 3, 1), "crops": crops.permute(0, 2, 3, 1)}

    def add(result: Tensor | list[Image.Image], distortion: str, by: str, **parameters: float) -> None:
        name = ".".join([distortion, by, *map(str, parameters.values())])
        if isinstance(result, list):
            result = torch.stack([torch.from_numpy(np.array(picture)) for picture in result])
        rows.append({"distortion": distortion, "by": by, **parameters, "tensor": name})
        tensors[name] = result

    for quality in QUALITIES:
        add([jpeg(picture, quality) for picture in pictures], "jpeg", "pillow", quality=quality)
    for side in THUMBNAILS:
        add([resize(resize(p, side), SIDE) for p in pictures], "thumbnail", "pillow", side=side)
        add(bytes_of(torch_thumbnail(floats, side)), "thumbnail", "torch", side=side)
    for degrees in ANGLES:
        turned = rotate(floats, degrees, InterpolationMode.BILINEAR)
        add(bytes_of(turned), "rotation", "torchvision", degrees=degrees)
    for down, right in OFFSETS:
        moved = crop(squares, top + down, left + right, SIDE, SIDE).permute(0, 2, 3, 1)
        add(moved, "crop", "torchvision", down=down, right=right)

    fixtures = Fixtures()
    fixtures.tensors("distortions/distortions.safetensors", tensors)
    fixtures.json("distortions/distortions.json", {"rows": rows})
    fixtures.finish()


if __name__ == "__main__":
    main()
