"""The nineteen corruptions as imagecorruptions and the benchmarks' own scripts make them, on a photograph.

    python test/reference/corruptions.py ROBUSTNESS            writes test/fixtures/corruptions/
    python test/reference/corruptions.py ROBUSTNESS --check    compares with what is there

ROBUSTNESS is a clone of https://github.com/hendrycks/robustness. Needs imagecorruptions 1.1.2, NumPy, SciPy,
scikit-image, OpenCV and Pillow; no ImageMagick. Made with NumPy 2.4.6, SciPy 1.17.1, scikit-image 0.26.0, OpenCV 5.0.0,
Pillow 13.0.0.

The photograph is scikit-image's astronaut (NASA, public domain), resized. At 224 px the corruptions are imagecorruptions',
but for elastic transform and zoom blur, which differ there from ImageNet-C (its elastic has no affine map and other
constants, its zoom is not cut to the centre): these are make_imagenet_c.py's. At 32 and 64 px they are those of
make_cifar_c.py and make_tinyimagenet_c.py, with imagecorruptions' motion blur for ImageMagick's.

What had to be patched for today's packages: `np.float_`; `gaussian(multichannel=…)` is `channel_axis`;
`scipy.ndimage.interpolation`; `pkg_resources`; `np.fromstring`.

- `corruptions.safetensors`: `photo-SIDE` `[SIDE, SIDE, 3]` uint8; for each deterministic corruption
  `NAME-SIDE` `[5, rows, SIDE, 3]` uint8: the rows of `rows[SIDE]` at severities 1 to 5, truncated as published;
  `drops` and `relief` `[3, 64, 64, 1]` uint8: the liquid that spatter draws at severities 1 to 3, and its light on it.
- `corruptions.json`: `moments`, for each random corruption, side and severity the mean, the deviation, the mean absolute
  change and the mean absolute difference of neighbours in a row, of 0..255, over `draws` draws.
"""

import json
import os
import re
import sys
import types
import warnings
from pathlib import Path

import cv2
import numpy as np
import scipy.ndimage
import skimage
import skimage.data
import skimage.filters
from PIL import Image
from safetensors.numpy import save

warnings.simplefilter("ignore")
np.float_ = np.float64
np.fromstring = np.frombuffer
smooth = skimage.filters.gaussian
skimage.filters.gaussian = lambda image, sigma=1, multichannel=False, **rest: smooth(
    image, sigma, channel_axis=-1 if multichannel else None, **rest
)
interpolation = types.ModuleType("scipy.ndimage.interpolation")
interpolation.map_coordinates = scipy.ndimage.map_coordinates
sys.modules["scipy.ndimage.interpolation"] = interpolation
resources = types.ModuleType("pkg_resources")
resources.resource_filename = lambda package, path: str(Path(sys.modules[package.split(".")[0]].__file__).parent / path)
sys.modules["pkg_resources"] = resources

import imagecorruptions  # noqa: E402
from imagecorruptions import corruptions as ours  # noqa: E402

DRAWS = 8
ROWS = {32: [0, 1, 5, 15, 16, 24, 30, 31], 64: [0, 1, 9, 31, 32, 50, 62, 63], 224: [0, 1, 7, 50, 111, 112, 150, 223]}
DETERMINISTIC = {
    "defocus-blur": "defocus_blur", "zoom-blur": "zoom_blur", "brightness": "brightness", "contrast": "contrast",
    "pixelate": "pixelate", "jpeg-compression": "jpeg_compression", "gaussian-blur": "gaussian_blur",
    "saturate": "saturate",
}  # fmt: skip
RANDOM = {
    "gaussian-noise-c": "gaussian_noise", "shot-noise": "shot_noise", "impulse-noise": "impulse_noise",
    "glass-blur": "glass_blur", "motion-blur": "motion_blur", "snow": "snow", "frost": "frost", "fog": "fog",
    "elastic-transform": "elastic_transform", "speckle-noise": "speckle_noise", "spatter": "spatter",
}  # fmt: skip


class MotionImage:
    """Stands in for ImageMagick's, by the motion blur that imagecorruptions wrote after it."""

    def __init__(self, blob: bytes) -> None:
        self.image = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_UNCHANGED)

    def motion_blur(self, radius: int, sigma: float, angle: float) -> None:
        self.image = np.clip(ours._motion_blur(self.image, radius, sigma, angle), 0, 255).astype(np.uint8)

    def make_blob(self) -> bytes:
        return cv2.imencode(".png", self.image)[1].tobytes()


def published(script: Path) -> dict:
    """The functions between the script's two marks."""
    text = script.read_text()
    start, end = text.index("# /////////////// Distortion Helpers"), text.index("# /////////////// End Distortions")
    text = re.sub(r"^(from wand.*|import wand.*|wandlibrary[\s\S]*?c_double\)  # angle)$", "", text[start:end], flags=re.M)
    text = re.sub(r"^class MotionImage[\s\S]*?angle\)\n\n", "", text, flags=re.M)
    scope: dict = {"MotionImage": MotionImage, "np": np}
    exec(text, scope)  # noqa: S102
    return scope


def drops_and_relief(spatter, photo: Image.Image, severity: int) -> tuple[np.ndarray, np.ndarray]:
    """What spatter gives to Canny, and what its last blur makes of that."""
    canny, blur = cv2.Canny, cv2.blur
    seen: dict[str, np.ndarray] = {}

    def seeing_canny(image, *rest):
        seen["drops"] = image
        return canny(image, *rest)

    def seeing_blur(*rest):
        seen["relief"] = blur(*rest)
        return seen["relief"]

    cv2.Canny, cv2.blur = seeing_canny, seeing_blur
    np.random.seed(severity)
    spatter(photo, severity)
    cv2.Canny, cv2.blur = canny, blur
    return seen["drops"][..., None], seen["relief"][..., None]


def main() -> None:
    folder = Path(sys.argv[1]).resolve() / "ImageNet-C" / "create_c"
    scripts = {32: "make_cifar_c.py", 64: "make_tinyimagenet_c.py", 224: "make_imagenet_c.py"}
    scopes = {side: published(folder / name) for side, name in scripts.items()}
    here = Path(__file__).resolve().parents[1] / "fixtures" / "corruptions"
    os.chdir(Path(imagecorruptions.__file__).parent / "frost")
    tensors: dict[str, np.ndarray] = {}
    moments: dict[str, dict] = {}

    def corrupt(function: str, photo: np.ndarray, side: int, severity: int) -> np.ndarray:
        if side == 224 and function not in ("elastic_transform", "zoom_blur"):
            return imagecorruptions.corrupt(photo, severity=severity, corruption_name=function)
        return np.uint8(scopes[side][function](Image.fromarray(photo), severity))

    for side, rows in ROWS.items():
        whole = Image.fromarray(skimage.data.astronaut())
        photo = np.asarray(whole.resize((side, side), Image.Resampling.LANCZOS))
        tensors[f"photo-{side}"] = photo
        if side == 64:
            pairs = [drops_and_relief(scopes[side]["spatter"], Image.fromarray(photo), s) for s in (1, 2, 3)]
            tensors["drops"], tensors["relief"] = (np.stack(one) for one in zip(*pairs))
        for name, function in DETERMINISTIC.items():
            tensors[f"{name}-{side}"] = np.stack([corrupt(function, photo, side, s)[rows] for s in range(1, 6)])
        for name, function in RANDOM.items():
            for severity in range(1, 6):
                np.random.seed(severity)
                draws = [corrupt(function, photo, side, severity).astype(float) for _ in range(DRAWS)]
                values = np.stack(draws)
                moments[f"{name}-{side}-{severity}"] = {
                    "mean": round(values.mean(), 3),
                    "deviation": round(values.std(), 3),
                    "change": round(abs(values - photo).mean(), 3),
                    "roughness": round(abs(np.diff(values, axis=2)).mean(), 3),
                }
    lines = ",\n".join(f'    "{name}": {json.dumps(values)}' for name, values in moments.items())
    text = f'{{\n  "draws": {DRAWS},\n  "rows": {json.dumps(ROWS)},\n  "moments": {{\n{lines}\n  }}\n}}\n'
    files = {"corruptions.safetensors": save({name: np.ascontiguousarray(one) for name, one in tensors.items()}), "corruptions.json": text.encode()}
    for name, content in files.items():
        file = here / name
        if sys.argv[2:] == ["--check"]:
            if file.read_bytes() != content:
                sys.exit(f"{file} is not what this script makes.")
        else:
            here.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


if __name__ == "__main__":
    main()
