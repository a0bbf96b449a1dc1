"""imagecorruptions beside our corruptions: a request a line, in JSON, and milliseconds of a processor an image as the answer.

    {"name": "glass_blur", "severity": 3, "side": 224}

One thread. What has to be patched for today's packages is told in test/reference/corruptions.py.
"""

import json
import sys
import time
import types
from pathlib import Path

import cv2
import numpy as np
import scipy.ndimage
import skimage.filters

cv2.setNumThreads(1)
np.float_ = np.float64
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

SECONDS = 0.3

for line in sys.stdin:
    request = json.loads(line)
    y, x = np.mgrid[0 : request["side"], 0 : request["side"]] / 20
    waves = np.sin(3 * np.sin(y) * np.cos(1.7 * x))[..., None] + np.array([0, 0.1, 0.2])
    photo = np.uint8(255 * np.clip(0.45 * waves + 0.5, 0, 1))
    times, started = [], time.perf_counter()
    while not times or time.perf_counter() - started < SECONDS:
        before = time.process_time()
        imagecorruptions.corrupt(photo, severity=request["severity"], corruption_name=request["name"])
        times.append(time.process_time() - before)
    print(1000 * float(np.median(times)), flush=True)
