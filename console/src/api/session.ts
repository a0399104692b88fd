// Who is signed in, and what they may do.
import { signal } from "@preact/signals";

export type Scope = "read" | "write" | "override" | "admin";
export interface Person {
  name: string;
  scopes: ReadonlySet<Scope>;
}

const KEY = "development-key";

export const person = signal<Person | null>(null);
export const may = (scope: Scope): boolean => person.value?.scopes.has(scope) ?? false;

/** What a request proves itself with. */
export async function authorization(): Promise<string> {
  return `Bearer ${sessionStorage.getItem(KEY) ?? ""}`;
}

export function resume(): void {
  if (sessionStorage.getItem(KEY)) enter();
}

export function signIn(key: string): void {
  sessionStorage.setItem(KEY, key.trim());
  enter();
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  person.value = null;
}

function enter(): void {
  const given = sessionStorage.getItem("development-scopes")?.split(",") ?? ["read", "write", "override", "admin"];
  person.value = { name: "Front desk", scopes: new Set(given as Scope[]) };
}
