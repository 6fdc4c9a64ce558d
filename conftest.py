"""One thread for each test process: several share the machine."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
