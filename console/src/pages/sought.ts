// Who is looked for, kept out of every address.
import { signal } from "@preact/signals";

export const sought = signal("");
