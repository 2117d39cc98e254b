#!/usr/bin/env node
// Answers like the native Solidity compiler, where only the npm package is to be had:
// --version, and --standard-json with --base-path, --include-path and --allow-paths.
import { readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const solc = createRequire(import.meta.url)("solc");
const options = process.argv.slice(2);

if (options.includes("--version")) {
  process.stdout.write(
    `solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace(".Emscripten.clang", ".Linux.g++")}\n`,
  );
  process.exit(0);
}
if (!options.includes("--standard-json")) {
  process.stderr.write("solc.mjs: only --version and --standard-json are answered\n");
  process.exit(1);
}

const values = (name) =>
  options.flatMap((option, at) => (option === name && at + 1 < options.length ? [options[at + 1]] : [])
    .concat(option.startsWith(`${name}=`) ? [option.slice(name.length + 1)] : []));
const input = options.filter((option, at) =>
  !option.startsWith("-") && !["--base-path", "--include-path", "--allow-paths"].includes(options[at - 1]))[0];
const roots = [...values("--base-path"), ...values("--include-path")];
const searched = roots.length ? roots : [process.cwd()];
const allowed = [...searched, ...values("--allow-paths").flatMap((list) => list.split(","))].filter(Boolean);

const isAllowed = (file) => allowed.some((root) => {
  const inside = path.relative(realpathSync(root), file);
  return inside === "" || !(inside.startsWith("..") || path.isAbsolute(inside));
});

const read = (name) => {
  for (const root of searched) {
    try {
      const file = realpathSync(path.resolve(root, name.replace(/^file:\/\//, "")));
      if (isAllowed(file)) return { contents: readFileSync(file, "utf8") };
    } catch {
      continue;
    }
  }
  return { error: `File not found: ${name}, in ${searched.join(", ")}` };
};

process.stdout.write(solc.compile(readFileSync(input ?? 0, "utf8"), { import: read }) + "\n");
