"""The nine operations of AugMix as its authors' code makes them with Pillow, on one small picture.

    python test/reference/augmix.py            writes test/fixtures/distortions/augmix.safetensors
    python test/reference/augmix.py --check    compares with what is there

Needs Pillow, NumPy and safetensors. `picture` is uint8 `[24, 24, 3]`; `<operation> <level>` is what the operation makes of it,
to the negative side where it has sides and the level is written with a minus. Levels are what google-research/augmix draws
uniformly between 0.1 and the severity.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from safetensors.numpy import load_file, save_file

FILE = Path(__file__).resolve().parents[1] / "fixtures" / "distortions" / "augmix.safetensors"
SIDE = 24


def picture() -> np.ndarray:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    values = np.stack([0.1 + 0.7 * y, 0.3 + 0.3 * np.sin(9 * x * y), 0.9 - 0.6 * x], axis=-1)
    values[8:14, 4:12] = [0.95, 0.2, 0.1]
    return np.round(255 * values).astype(np.uint8)


def operated(image: Image.Image, operation: str, level: float) -> Image.Image:
    """As augmentations.py of google-research/augmix, but with the level given, and its sign with it."""
    whole = lambda most: int(level * most / 10)
    affine = lambda *numbers: image.transform(
        (SIDE, SIDE), Image.Transform.AFFINE, numbers, resample=Image.Resampling.BILINEAR
    )
    match operation:
        case "autocontrast":
            return ImageOps.autocontrast(image)
        case "equalize":
            return ImageOps.equalize(image)
        case "posterize":
            return ImageOps.posterize(image, 4 - whole(4))
        case "solarize":
            return ImageOps.solarize(image, 256 - whole(256))
        case "rotate":
            return image.rotate(whole(30), resample=Image.Resampling.BILINEAR)
        case "shear-x":
            return affine(1, level * 0.3 / 10, 0, 0, 1, 0)
        case "shear-y":
            return affine(1, 0, 0, level * 0.3 / 10, 1, 0)
        case "translate-x":
            return affine(1, 0, whole(SIDE / 3), 0, 1, 0)
        case "translate-y":
            return affine(1, 0, 0, 0, 1, whole(SIDE / 3))
    raise ValueError(operation)


def results() -> dict[str, np.ndarray]:
    image = Image.fromarray(picture())
    found = {"picture": picture()}
    for operation, levels in {
        "autocontrast": [3],
        "equalize": [3],
        "posterize": [1, 3, 7],
        "solarize": [0.5, 3, 9],
        "rotate": [1, -3, 8],
        "shear-x": [1, -3, 8],
        "shear-y": [1, -3, 8],
        "translate-x": [1, -3, 8],
        "translate-y": [1, -3, 8],
    }.items():
        for level in levels:
            found[f"{operation} {level}"] = np.asarray(operated(image, operation, level)).copy()
    return found


if __name__ == "__main__":
    found = results()
    if "--check" in sys.argv:
        kept = load_file(FILE)
        wrong = [name for name in found if not np.array_equal(found[name], kept[name])]
        sys.exit(f"other than in the fixture: {wrong}" if wrong else 0)
    save_file(found, FILE)
