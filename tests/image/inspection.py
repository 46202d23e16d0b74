"""What must be true of an installation, asked of its own Python."""

from __future__ import annotations

import re
from typing import Any

from tests.image.wheels import LOCKS

# Runs with the Python of the image, so it imports no helper of ours. Its arguments: the folder of
# installed packages, and the folder under which nothing may be called together_local.
SCRIPT = """
import importlib, importlib.metadata, importlib.util, json, os, sys
import together_operator
names = [
    os.path.relpath(os.path.join(folder, file), sys.argv[1])[:-3].replace("/", ".")
    for folder, _, files in os.walk(os.path.dirname(together_operator.__file__))
    for file in files
    if file.endswith(".py") and file != "__main__.py"
]
writable = []
for place in (sys.prefix, "/", "/etc", "/tmp"):
    try:
        path = os.path.join(place, ".probe")
        open(path, "w").close()
        os.remove(path)
        writable.append(place)
    except OSError:
        pass
for name in names:
    importlib.import_module(name.removesuffix(".__init__"))
print(json.dumps({
    "uid": os.getuid(),
    "gid": os.getgid(),
    "home": os.environ.get("HOME"),
    "writable": writable,
    "version": together_operator.__version__,
    "distributions": {d.name: d.version for d in importlib.metadata.distributions()},
    "local": importlib.util.find_spec("together_local") is not None,
    "modules": names,
    "named_local": [
        os.path.join(folder, entry)
        for folder, folders, files in os.walk(sys.argv[2])
        for entry in folders + files
        if "together_local" in entry and not folder.startswith(("/proc", "/sys"))
    ],
}))
"""


def locked() -> dict[str, str]:
    """The packages that operator/locks/run.txt installs on this platform."""
    _build, run = LOCKS
    lines = re.findall(r"^([\w.-]+)==(\S+)( ; [^\\]*)? \\$", run.read_text(), re.MULTILINE)
    return {_normal(name): version for name, version, marker in lines if "win32" not in marker}


def check(found: dict[str, Any], version: str) -> None:
    """Hold what `SCRIPT` printed against what is promised.

    Args:
        found: Its output, parsed.
        version: The operator's version.
    """
    installed = {_normal(name): number for name, number in found["distributions"].items()}
    assert installed == {**locked(), "together-operator": version}
    assert found["version"] == version
    assert found["local"] is False
    assert found["named_local"] == []
    assert "together_operator.settings" in found["modules"]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
