"""Finish an environment that has brownie: anvil and Node are on its path, and brownie finds the compiler.

Usage: brownie_env.py FOLDER
"""

import sys
from pathlib import Path

from foedus.contracts.compile import MODULES, node

ROOT = Path(__file__).parents[1]
COMPILER = ROOT / "tools" / "brownie_scripts" / "compiler"


def main(folder: Path) -> int:
    (anvil,) = MODULES.glob("@foundry-rs/anvil-*/bin/anvil")
    for name, target in (("anvil", anvil), ("node", Path(node()))):
        link = folder / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(target.resolve())
    activate = folder / "bin" / "activate"
    line = f'export SOLCX_BINARY_PATH="{COMPILER.resolve()}"\n'
    text = activate.read_text(encoding="utf-8")
    if line not in text:
        activate.write_text(text + line, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
