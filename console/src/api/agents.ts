// The agents: who conducts visits, and the colour each has for life.
import { computed, signal } from "@preact/signals";
import { type Agent, api, ask, everything } from "./client.ts";

export const agents = signal<ReadonlyMap<string, Agent>>(new Map());
const HUES = 8;

const hues = computed(() => {
  const first = [...agents.value.values()].sort((one, other) => one.createdAt.localeCompare(other.createdAt));
  return new Map(first.map((agent, n) => [agent.id, (n % HUES) + 1]));
});

export async function loadAgents(): Promise<void> {
  const answer = await everything((cursor) => ask(api.GET("/agents", { params: { query: { limit: 100, ...cursor } } })));
  if (answer.done) agents.value = new Map(answer.value.map((agent) => [agent.id, agent]));
}

export function putAgent(agent: Agent): void {
  agents.value = new Map(agents.value).set(agent.id, agent);
}

export function dropAgent(id: string): void {
  const left = new Map(agents.value);
  left.delete(id);
  agents.value = left;
}

export const agentName = (id: string): string => agents.value.get(id)?.name ?? id;

/** `a1` to `a8`; `a0` is nobody. An agent who is not registered has a colour all the same. */
export function hueOf(id: string | undefined): string {
  if (!id) return "a0";
  const known = hues.value.get(id);
  if (known) return `a${known}`;
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
  return `a${(sum % HUES) + 1}`;
}

export function initials(name: string): string {
  const parts = name.trim().split(/[\s._-]+/).filter(Boolean);
  const [first = "", last = ""] = parts.length > 1 ? [parts[0], parts[parts.length - 1]] : [name.slice(0, 1), name.slice(1, 2)];
  return `${first.slice(0, 1)}${last.slice(0, 1)}`.toUpperCase();
}
