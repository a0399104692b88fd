// `make docs-check`: opens the page of `make docs` in Chromium, every operation in it, by day and by night. Fails if the
// page makes a connection, or if axe finds too little contrast.
//
// node tests/cicd/docs_page.mjs <folder with the packages> <the page> <the document>
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [packages, pageFile, documentFile] = process.argv.slice(2);
const require = createRequire(resolve(packages, "package.json"));
const { chromium: playwright } = require("playwright-core");
const { default: chromium } = await import(pathToFileURL(require.resolve("@sparticuz/chromium")));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const { paths } = JSON.parse(readFileSync(documentFile, "utf8"));
const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
const places = ["", ...operations.map(({ tags, operationId }) => `#/${tags[0]}/${operationId}`.toLowerCase())];

// Whatever is asked for over the network goes through this proxy, which writes it down and answers nothing.
const connections = [];
const proxy = createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (asked) => {
    connections.push(String(asked).split("\r\n")[0]);
    socket.destroy();
  });
}).listen(0, "127.0.0.1");
await new Promise((listening) => proxy.once("listening", listening));

const browser = await playwright.launch({
  executablePath: await chromium.executablePath(),
  args: [...chromium.args, "--no-sandbox"],
  proxy: { server: `http://127.0.0.1:${proxy.address().port}` },
});
const faint = new Map();
const shown = await (await browser.newContext()).newPage();
for (const theme of ["light", "dark"]) {
  for (const place of places) {
    await shown.goto("about:blank");
    await shown.goto(pathToFileURL(resolve(pageFile)) + place);
    await shown.waitForSelector("h1, h2");
    await shown.waitForFunction(() => !document.body.innerText.includes("Loading..."));
    await shown.addStyleTag({ content: "* { transition: none !important }" });
    await shown.evaluate((name) => (document.documentElement.className = name), theme);
    await shown.evaluate(axe);
    const found = await shown.evaluate(() => window.axe.run({ runOnly: ["color-contrast"] }));
    for (const { nodes } of found.violations)
      for (const { html, any } of nodes) faint.set(`${theme} ${any[0].message} ${html.slice(0, 120)}`, place);
  }
}
await browser.close();
proxy.close();

// Chromium itself asks its maker for updates; the page's own are what counts.
const own = connections.filter((line) => !/google(apis)?\.com|gvt1\.com/.test(line));
for (const line of own) console.error(`connects to ${line}`);
for (const [what, place] of faint) console.error(`${place || "the beginning"}: ${what}`);
console.log(`${places.length} places, ${own.length} connections, ${faint.size} places with too little contrast`);
process.exit(own.length + faint.size > 0 ? 1 : 0);
