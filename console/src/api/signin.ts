// The hosted sign-in: a code with PKCE (RFC 7636), and tokens for it.
export interface SignInConfig {
  authority: string;
  clientId: string;
  domain: string;
  scope: string;
}

export interface Tokens {
  access_token: string;
  id_token?: string;
  refresh_token?: string;
  expires_in: number;
}

const origin = (): string => `${location.origin}/`;

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = (): string => base64url(crypto.getRandomValues(new Uint8Array(32)));

export async function pkce(): Promise<{ verifier: string; challenge: string; state: string }> {
  const verifier = random();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return { verifier, challenge: base64url(new Uint8Array(digest)), state: random() };
}

export function signInAddress({ domain, clientId, scope }: SignInConfig, challenge: string, state: string): string {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: origin(),
    scope,
    state,
    code_challenge: challenge,
    code_challenge_method: "S256",
  });
  return `${domain}/oauth2/authorize?${query}`;
}

export function signOutAddress({ domain, clientId }: SignInConfig): string {
  return `${domain}/logout?${new URLSearchParams({ client_id: clientId, logout_uri: origin() })}`;
}

/** Throws a TypeError when there is no connection, an Error when the tokens are refused. */
export async function tokensFor({ domain, clientId }: SignInConfig, grant: Record<string, string>): Promise<Tokens> {
  const body = new URLSearchParams({ client_id: clientId, redirect_uri: origin(), ...grant });
  const answer = await fetch(`${domain}/oauth2/token`, { method: "POST", body });
  if (!answer.ok) throw new Error(`the sign-in answered ${answer.status}`);
  return (await answer.json()) as Tokens;
}
