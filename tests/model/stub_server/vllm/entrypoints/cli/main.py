"""Stands where vLLM's command line stands, for a part of a server that another part asks."""

import os
import sys
import time

sys.stderr.write(f"part: {sys.argv[1:]}\ndevices of the part: {os.environ.get('CUDA_VISIBLE_DEVICES')}\n")
time.sleep(600)
