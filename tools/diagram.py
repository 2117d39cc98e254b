"""Draw the state diagram in docs/protocol.md from the code's table, or check that it is drawn.

Usage: diagram.py [--check]
"""

import sys
from pathlib import Path

from foedus.protocol.transitions import diagram

PAGE = Path(__file__).parents[1] / "docs" / "protocol.md"
START, END = "```mermaid\n", "```\n"


def main(check: bool) -> int:
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(START, 1)
    _, tail = rest.split(END, 1)
    drawn = f"{head}{START}{diagram()}\n{END}{tail}"
    if check and drawn != text:
        print(f"{PAGE.name} does not show the table in protocol/transitions.py: run tools/diagram.py")
        return 1
    PAGE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
