"""Print, for each script named, its help and the modules of the library that it loads, as JSON.

Libraries that take seconds to import are loaded once; each script then runs in a fork.
"""

import contextlib
import importlib
import io
import json
import os
import runpy
import sys

for name in ("matplotlib.pyplot", "pandas", "scipy.stats", "sklearn.linear_model", "torch"):
    importlib.import_module(name)


def load(script: str) -> dict:
    """What ``python script --help`` prints, and the files of the modules behind it."""
    sys.argv = [script, "--help"]
    printed, status = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as ended:
            status = ended.code
    loaded = [m.__file__ for n, m in sys.modules.items() if n.startswith("pfamformer.")]
    return {"script": script, "help": printed.getvalue(), "status": status, "loaded": loaded}


for argument in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        print(json.dumps(load(argument)), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
