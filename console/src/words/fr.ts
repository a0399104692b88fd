// fr
import type { Words } from "./en.ts";
import { words as en } from "./en.ts";

export const words: Words = en;
