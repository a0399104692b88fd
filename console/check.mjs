// Checks the types of the console against the contract: docs/openapi.json as TypeScript sees it, then tsc.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const here = dirname(fileURLToPath(import.meta.url));
const contract = JSON.parse(readFileSync(join(here, "../docs/openapi.json"), "utf8"));
mkdirSync(join(here, "generated"), { recursive: true });
writeFileSync(join(here, "generated/contract.d.ts"), astToString(await openapiTS(contract)));
try {
  execFileSync(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", here], { stdio: "inherit" });
} catch {
  process.exit(1);
}
