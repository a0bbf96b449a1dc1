"""Pictures under the published code's random corruptions, for bench/parity.ts.

    python bench/parity.py ROBUSTNESS PICTURES SEVERITY OUT

ROBUSTNESS is a clone of https://github.com/hendrycks/robustness, PICTURES a file of uint8 `[n, 64, 64, 3]`. Writes a file of the
same form for each corruption into the folder OUT. What is patched for today's packages is told in test/reference/corruptions.py.
"""

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "reference"))

import imagecorruptions  # noqa: E402
from corruptions import RANDOM, published  # noqa: E402
from PIL import Image  # noqa: E402

script = Path(sys.argv[1]).resolve() / "ImageNet-C" / "create_c" / "make_tinyimagenet_c.py"
pictures = np.fromfile(sys.argv[2], np.uint8).reshape(-1, 64, 64, 3)
out = Path(sys.argv[4]).resolve()
functions = published(script)
os.chdir(Path(imagecorruptions.__file__).parent / "frost")
for name, function in RANDOM.items():
    np.random.seed(0)
    made = [np.uint8(functions[function](Image.fromarray(one), int(sys.argv[3]))) for one in pictures]
    np.stack(made).tofile(out / name)
