// What the page asks of the API. Every answer is a value or a refusal; that nothing came back is a refusal too.
import type { components } from "contract";

type Schemas = components["schemas"];
export type Property = Schemas["PublicProperty"];
export type Start = Schemas["Start"];
export type Visit = Schemas["OwnVisit"];
export type Booked = Schemas["PublicVisit"];
export type Wish = Schemas["BookPublicVisitInput"];
export type Agency = Schemas["Agency"];

/** Why something was not done. `kind` is the last part of the problem's type, or `no-answer`: it may have been done. */
export interface Refusal {
  kind: string;
  status: number;
  nearest: string[];
  reached: string;
  pointers: string[];
}

export type Answer<T> = { value: T; refusal?: never } | { refusal: Refusal; value?: never };

interface Sent {
  body?: unknown;
  link?: string;
  key?: string;
  version?: number;
}

const PATIENCE_MS = 30_000;

export async function ask<T>(method: string, path: string, sent: Sent = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = {};
  if (sent.body) headers["Content-Type"] = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  if (sent.link) headers["Authorization"] = `Bearer ${sent.link}`;
  if (sent.key) headers["Idempotency-Key"] = sent.key;
  if (sent.version) headers["If-Match"] = `"${sent.version}"`;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(`/api${path}`, { method, headers, signal, body: sent.body ? JSON.stringify(sent.body) : null });
    const told = answer.status === 204 ? null : await answer.json();
    return answer.ok ? { value: told } : { refusal: refusalOf(answer.status, told) };
  } catch {
    return { refusal: refusalOf(0, {}) };
  }
}

function refusalOf(status: number, told: Record<string, unknown>): Refusal {
  const errors = (told["errors"] ?? []) as { pointer: string }[];
  return {
    kind: status === 0 || status >= 500 ? "no-answer" : String(told["type"]).split(":").pop() ?? "",
    status,
    nearest: (told["nearest"] ?? []) as string[],
    reached: String(told["reached"] ?? ""),
    pointers: errors.map((error) => error.pointer),
  };
}

/** The visitor's own visit. */
export const OWN = "/visitor/visit";

/** It is to take place, or will be once somebody has said so. */
export const stands = ({ status }: Visit): boolean => status === "requested" || status === "confirmed";

export const pathOf = (property: string): string => `/public/properties/${encodeURIComponent(property)}`;

/** The free starts from one moment up to another, wherever they are to be had. */
export async function startsAt(path: string, from: Date, to: Date, link?: string): Promise<Answer<Start[]>> {
  const window = new URLSearchParams({ from: instant(from), to: instant(to) });
  const answer = await ask<{ slots: Start[] }>("GET", `${path}/slots?${window}`, link ? { link } : {});
  return answer.value ? { value: answer.value.slots } : { refusal: answer.refusal };
}

const instant = (moment: Date): string => `${moment.toISOString().slice(0, 19)}Z`;
