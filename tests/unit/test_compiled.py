"""Machine code that is kept on disk."""

import inspect
import subprocess
import sys

from pfamformer import compiled, dependencies

HELPER = "from pfamformer.compiled import compiled\n@compiled\ndef helper():\n    return {}\n"
CALLER = (
    "from pfamformer.compiled import compiled\nfrom pfamformer.helper import helper\n"
    "@compiled\ndef caller():\n    return helper()\n"
)
CALL = (
    "from pfamformer.caller import caller\nprint(caller(), sum(caller.stats.cache_hits.values()))"
)


def test_it_is_not_used_when_a_helper_in_another_module_was_edited(tmp_path):
    package = tmp_path / "pfamformer"
    package.mkdir()
    (package / "__init__.py").touch()
    for module in (compiled, dependencies):
        (package / f"{module.__name__.rpartition('.')[2]}.py").write_text(inspect.getsource(module))
    (package / "caller.py").write_text(CALLER)

    def called():
        command = [sys.executable, "-c", CALL]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.split()

    (package / "helper.py").write_text(HELPER.format(1))
    assert called() == ["1", "0"]
    assert called() == ["1", "1"]
    (package / "helper.py").write_text(HELPER.format(2))
    assert called() == ["2", "0"]
    assert called() == ["2", "1"]
