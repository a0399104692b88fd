// Builds build/console: each page with its script and style sheet, whose names carry a hash of what is in them.
// `node console/build.mjs [FOLDER]`
import { build } from "esbuild";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "../build/console");
const pages = { "index.html": "console", "book.html": "book" };
const fresh = `${target}.new`;

await rm(fresh, { recursive: true, force: true });
for (const [page, name] of Object.entries(pages)) {
  // Each by itself: what they share would else be more than either needs.
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: [`src/${name}.tsx`, "src/icon.svg"],
    outdir: join(fresh, "assets"),
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    loader: { ".svg": "copy" },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    metafile: true,
  });
  const outputs = Object.entries(metafile.outputs);
  const [script, { cssBundle }] = outputs.find(([, made]) => made.entryPoint === `src/${name}.tsx`);
  const [icon] = outputs.find(([file]) => /\/icon-\w+\.svg$/.test(file));
  let html = await readFile(join(here, page), "utf8");
  for (const [place, asset] of Object.entries({ SCRIPT: script, STYLE: cssBundle, ICON: icon })) {
    html = html.replace(`{{${place}}}`, `assets/${basename(asset)}`);
  }
  await writeFile(join(fresh, page), html);
}

// Under a name of its own, which other sites may frame.
await copyFile(join(fresh, "book.html"), join(fresh, "embed.html"));

// A reader sees either the old build or the new one.
await rm(target, { recursive: true, force: true });
await mkdir(dirname(target), { recursive: true });
await rename(fresh, target);
console.log(`built ${relative(process.cwd(), target)}`);
