// The one way to the API: every answer is a value or a refusal, and a lost connection is a refusal too.
import createClient from "openapi-fetch";
import type { components, paths } from "contract";
import { authorization, forget } from "./session.ts";

export type Schemas = components["schemas"];
export type Visit = Schemas["Visit"];
export type Status = Schemas["Status"];
export type Property = Schemas["Property"];
export type Agent = Schemas["Agent"];
export type Slot = Schemas["Slot"];

/** Why something was not done. `kind` is the last part of the problem's type, or `no-connection`. */
export interface Refusal {
  kind: string;
  status: number;
  detail: string;
  reason?: string;
  conflicts: { from: string; to: string; holder: string }[];
  errors: { pointer: string; detail: string }[];
  /** What is wrong, where a page can say more of it than that something is. */
  told?: string;
}

export type Outcome<T> = { done: true; value: T; etag: string } | { done: false; refusal: Refusal };

const LONGEST = 30_000;
const FRESH: RequestInit = { cache: "no-store" };

export const api = createClient<paths>({
  baseUrl: `${location.origin}/api`,
  fetch: (request: Request) => fetch(request, { ...FRESH, signal: AbortSignal.timeout(LONGEST) }),
});
api.use({
  async onRequest({ request }) {
    request.headers.set("Authorization", await authorization());
    return request;
  },
});

interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** `await ask(api.GET(...))`: what came of it. Never throws. */
export async function ask<T>(call: Promise<Answered<T>>): Promise<Outcome<T>> {
  try {
    const { data, error, response } = await call;
    if (response.ok) return { done: true, value: data as T, etag: response.headers.get("ETag") ?? "" };
    if (response.status === 401) forget();
    return { done: false, refusal: refusalOf(error, response.status) };
  } catch {
    return { done: false, refusal: { kind: "no-connection", status: 0, detail: "", conflicts: [], errors: [] } };
  }
}

/** A problem document as the person is told it. */
export function refusalOf(problem: unknown, status: number): Refusal {
  const told = (typeof problem === "object" && problem !== null ? problem : {}) as Partial<Record<string, unknown>>;
  const kind = typeof told.type === "string" ? (told.type.split(":").pop() ?? "") : "";
  return {
    kind: kind || (status >= 500 ? "no-answer" : "refused"),
    status,
    detail: typeof told.detail === "string" ? told.detail : "",
    ...(typeof told.reason === "string" ? { reason: told.reason } : {}),
    conflicts: Array.isArray(told.conflicts) ? (told.conflicts as Refusal["conflicts"]) : [],
    errors: Array.isArray(told.errors) ? (told.errors as Refusal["errors"]) : [],
  };
}

/** The ETag of a version, as `If-Match` wants it. */
export const versionTag = (of: { version: number }): string => `"${of.version}"`;

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** Everything behind a list, page after page. */
export async function everything<T>(page: (cursor: { cursor?: string }) => Promise<Outcome<Page<T>>>): Promise<Outcome<T[]>> {
  const items: T[] = [];
  let next: { cursor?: string } = {};
  for (;;) {
    const answer = await page(next);
    if (!answer.done) return answer;
    items.push(...answer.value.items);
    if (!answer.value.nextCursor) return { done: true, value: items, etag: "" };
    next = { cursor: answer.value.nextCursor };
  }
}
