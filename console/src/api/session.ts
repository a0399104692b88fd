// Who is signed in, and what they may do. The access token lives in memory, the refresh token as long as the tab.
import { signal } from "@preact/signals";
import { replace } from "../route.ts";
import { pkce, type SignInConfig, signInAddress, signOutAddress, type Tokens, tokensFor } from "./signin.ts";

export type Scope = "read" | "write" | "override" | "admin";
const SCOPES: Scope[] = ["read", "write", "override", "admin"];

export interface Person {
  name: string;
  email: string;
  scopes: ReadonlySet<Scope>;
}

const REFRESH = "refresh-token";
const ASKED = "sign-in";
const EARLY = 60_000;

export const person = signal<Person | null>(null);
/** Why nobody is signed in although somebody tried. */
export const trouble = signal<"lost" | "refused" | null>(null);
export const may = (scope: Scope): boolean => person.value?.scopes.has(scope) ?? false;

let config: SignInConfig | null = null;
let access: { token: string; until: number } | null = null;
let renewing: Promise<void> | null = null;

/** What a request proves itself with; renewed shortly before it runs out. */
export async function authorization(): Promise<string> {
  if (!access || access.until < Date.now() + EARLY) {
    renewing ??= renew().finally(() => {
      renewing = null;
    });
    await renewing;
  }
  return access ? `Bearer ${access.token}` : "";
}

/** Goes on where the tab was: back from the hosted page with a code, or with the refresh token it has. */
export async function resume(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const code = query.get("code");
  const asked = JSON.parse(sessionStorage.getItem(ASKED) ?? "null") as { state: string; verifier: string; at: string } | null;
  if (code || query.get("error")) replace(`${location.pathname}${asked?.at ?? ""}`);
  sessionStorage.removeItem(ASKED);
  try {
    config = (await (await fetch("config.json", { cache: "no-cache" })).json()) as SignInConfig;
    if (code && asked && query.get("state") === asked.state) {
      enter(await tokensFor(config, { grant_type: "authorization_code", code, code_verifier: asked.verifier }));
    } else if (sessionStorage.getItem(REFRESH)) await authorization();
  } catch {
    trouble.value = code ? "refused" : "lost";
  }
}

export async function signIn(): Promise<void> {
  if (!config) {
    await resume();
    if (!config) return;
  }
  const { verifier, challenge, state } = await pkce();
  sessionStorage.setItem(ASKED, JSON.stringify({ state, verifier, at: location.hash }));
  location.assign(signInAddress(config, challenge, state));
}

export function signOut(): void {
  forget();
  if (config) location.assign(signOutAddress(config));
}

/** The API no longer takes the token: whoever it was has to sign in again. */
export function forget(): void {
  sessionStorage.removeItem(REFRESH);
  access = null;
  person.value = null;
}

async function renew(): Promise<void> {
  const refresh = sessionStorage.getItem(REFRESH);
  if (!config || !refresh) return;
  try {
    enter(await tokensFor(config, { grant_type: "refresh_token", refresh_token: refresh }));
  } catch (fault) {
    // A lost connection is no refusal: the next request tries again.
    if (!(fault instanceof TypeError)) forget();
    throw fault;
  }
}

function enter(tokens: Tokens): void {
  trouble.value = null;
  access = { token: tokens.access_token, until: Date.now() + tokens.expires_in * 1000 };
  if (tokens.refresh_token) sessionStorage.setItem(REFRESH, tokens.refresh_token);
  const { "cognito:groups": groups = [] } = claimsOf(tokens.access_token);
  const { name, email = person.value?.email ?? "" } = claimsOf(tokens.id_token ?? "");
  const scopes = new Set(SCOPES.filter((scope) => groups.includes(scope)));
  const called = name || email.split("@")[0] || person.value?.name || "";
  if (person.value?.name !== called || [...scopes].join() !== [...person.value.scopes].join()) person.value = { name: called, email, scopes };
}

interface Claims {
  "cognito:groups"?: string[];
  name?: string;
  email?: string;
}

/** What a token says of the person. The API alone checks whether it is true. */
function claimsOf(token: string): Claims {
  const part = token.split(".")[1];
  if (!part) return {};
  const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
}
