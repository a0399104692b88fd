// Where one is: everything behind the `#` of the address.
import { signal } from "@preact/signals";

export interface Route {
  page: string;
  parts: string[];
  query: URLSearchParams;
}

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...parts] = path.split("/").map(decodeURIComponent);
  return { page: page || "agenda", parts, query: new URLSearchParams(query) };
}

export const route = signal<Route>(read());
addEventListener("hashchange", () => {
  route.value = read();
});

/** Puts another address in the place of this one, without a step in the history. */
export function replace(to: string): void {
  history.replaceState(null, "", to);
  route.value = read();
}

export function link(page: string, parts: string[] = [], query: Record<string, string> = {}): string {
  const asked = new URLSearchParams(query).toString();
  return `#/${[page, ...parts].map(encodeURIComponent).join("/")}${asked ? `?${asked}` : ""}`;
}

export function go(to: string): void {
  location.hash = to;
}

/** Changes part of the address without a step in the history. */
export function adjust(query: Record<string, string | null>): void {
  const { page, parts, query: old } = route.value;
  const next = new URLSearchParams(old);
  for (const [name, value] of Object.entries(query)) {
    if (value === null) next.delete(name);
    else next.set(name, value);
  }
  replace(link(page, parts, Object.fromEntries(next)));
}
