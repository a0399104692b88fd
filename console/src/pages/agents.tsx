// The agents: who they are, when they work, when they are away, and their calendar.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { agents, dropAgent, hueOf, initials, loadAgents, putAgent } from "../api/agents.ts";
import { type Agent, api, ask, type Refusal, type Schemas } from "../api/client.ts";
import { may } from "../api/session.ts";
import { draftOf } from "../parts/draft.ts";
import { Field } from "../parts/field.tsx";
import { Form, useWish } from "../parts/form.tsx";
import { Icon } from "../parts/icon.tsx";
import { callOf } from "../parts/links.ts";
import { tell } from "../parts/toast.tsx";
import { go, link, replace, route } from "../route.ts";
import { browserZone, placeOf } from "../time/zones.ts";
import { wrongAt } from "../visit/refusals.ts";
import { say } from "../words/words.ts";
import { CalendarLink } from "./calendar.tsx";
import { type Hours, HoursFields } from "./hours.tsx";
import { Empty, Keep, PageOf, Refused } from "./page.tsx";
import { ZoneField } from "./zone.tsx";

type Input = Schemas["AgentInput"];

export function Agents() {
  const id = route.value.parts[0];
  useEffect(() => void loadAgents(), []);
  if (!id) return <List />;
  const agent = agents.value.get(id);
  return id === "new" || agent ? <One key={agent ? id : "new"} agent={agent ?? null} /> : <PageOf title="…">{null}</PageOf>;
}

function List() {
  const words = say();
  return (
    <PageOf
      title={words.pages.agents}
      acts={
        may("write") && (
          <a class="btn" href={link("agents", ["new"])}>
            <Icon name="plus" /> {words.newAgent}
          </a>
        )
      }
    >
      {agents.value.size === 0 ? (
        <Empty text={words.noAgents} />
      ) : (
        <table class="list">
          <thead>
            <tr>
              <th scope="col">{words.agent}</th>
              <th scope="col">{words.phone}</th>
              <th scope="col">{words.email}</th>
            </tr>
          </thead>
          <tbody>
            {[...agents.value.values()].map((agent) => (
              <tr key={agent.id}>
                <td>
                  <span class="row">
                    <span class={`who ${hueOf(agent.id)}`} aria-hidden="true">
                      {initials(agent.name)}
                    </span>
                    <span>
                      <a class="nm" href={link("agents", [agent.id])}>
                        {agent.name}
                      </a>
                      <span class="sub">{words.zoneOf(placeOf(agent.timeZone))}</span>
                    </span>
                  </span>
                </td>
                <td>{agent.phone && <a href={callOf(agent.phone)}>{agent.phone}</a>}</td>
                <td>{agent.email && <a href={`mailto:${agent.email}`}>{agent.email}</a>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </PageOf>
  );
}

const idOf = (name: string, key: string): string => {
  const plain = name.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  return `${plain.slice(0, 40) || "agent"}-${key.slice(0, 4)}`;
};

/** All but what is read-only: a PUT takes away what it does not name, also what this page has no field for. */
const inputOf = ({ id, version, createdAt, updatedAt, ...said }: Agent): Input => said;

function One({ agent }: { agent: Agent | null }) {
  const words = say();
  const draft = draftOf<Input>(`agent ${agent?.id ?? "new"}`, agent ? inputOf(agent) : { name: "", timeZone: browserZone(), travelMinutes: 0 });
  const wish = useWish();
  const refusal = useSignal<Refusal | null>(null);
  const erasing = useSignal(false);
  const set = draft.type;
  const keep = async (): Promise<void> => {
    const id = agent?.id ?? idOf(draft.value.name, wish.keyOf(draft.value));
    const header = agent ? { "If-Match": `"${agent.version}"` } : { "If-None-Match": "*" as const };
    const outcome = await ask(api.PUT("/agents/{agentId}", { params: { path: { agentId: id }, header }, body: draft.value }));
    refusal.value = outcome.done ? null : outcome.refusal;
    if (!outcome.done) {
      if (outcome.refusal.status === 412) await loadAgents();
      if (agent || !agents.value.has(id)) return;
      // A try whose answer was lost has made it.
      draft.forget();
      replace(link("agents", [id]));
      return;
    }
    draft.kept(draft.value);
    putAgent(outcome.value);
    tell({ text: words.kept(outcome.value.name) });
    if (!agent) replace(link("agents", [id]));
  };
  const erase = async (): Promise<void> => {
    if (!agent) return;
    const params = { path: { agentId: agent.id }, header: { "If-Match": `"${agent.version}"` } };
    const outcome = await ask(api.DELETE("/agents/{agentId}", { params }));
    refusal.value = outcome.done ? null : outcome.refusal;
    if (!outcome.done) return;
    dropAgent(agent.id);
    tell({ text: words.erasedAgent(agent.name) });
    go(link("agents"));
  };
  const errorAt = (name: string) => wrongAt(refusal.value, `/${name}`);
  const hours: Hours = {
    weekly: (draft.value.availability?.weekly as Hours["weekly"]) ?? null,
    dates: (draft.value.availability?.dates as Hours["dates"]) ?? [],
  };
  return (
    <PageOf title={agent?.name ?? words.newAgent} back={{ href: link("agents"), label: words.pages.agents }}>
      <div class="body">
        <Form onSubmit={keep}>
          <fieldset disabled={!may("write")} class="stack">
            <div class="fields">
              <Field id="a-name" label={words.name} value={draft.value.name} onInput={(name) => set({ name })} error={errorAt("name")} />
              <Field id="a-phone" label={words.phone} type="tel" value={draft.value.phone ?? ""} onInput={(phone) => set({ phone: phone || null })} error={errorAt("phone")} />
              <Field id="a-email" label={words.email} type="email" value={draft.value.email ?? ""} onInput={(email) => set({ email: email || null })} error={errorAt("email")} />
              <ZoneField id="a-zone" value={draft.value.timeZone} onChange={(timeZone) => set({ timeZone })} />
              <Field id="a-travel" label={words.travelMinutes} type="number" value={String(draft.value.travelMinutes ?? 0)} onInput={(value) => set({ travelMinutes: Number(value) })} error={errorAt("travelMinutes")} />
            </div>
            <h2>{words.worksTitle}</h2>
            <HoursFields label={words.worksHours} hours={hours} onChange={({ weekly, dates }) => set({ availability: weekly || dates.length ? { weekly, dates } : null })} />
            <Refused refusal={refusal.value} what="agent" />
            {may("write") && <Keep label={words.keep} draft={draft} main />}
          </fieldset>
        </Form>
        {agent && may("write") && <CalendarLink of="agent" id={agent.id} />}
        {agent && may("admin") && (
          <section>
            <h2>{words.eraseAgent}</h2>
            {erasing.value ? (
              <div class="row wrap">
                <button type="button" class="btn bad" onClick={() => void erase()}>
                  {words.eraseYes(agent.name)}
                </button>
                <button type="button" class="btn" onClick={() => (erasing.value = false)}>
                  {words.keepIt}
                </button>
              </div>
            ) : (
              <div class="row">
                <button type="button" class="btn bad" onClick={() => (erasing.value = true)}>
                  {words.erase}
                </button>
              </div>
            )}
          </section>
        )}
      </div>
    </PageOf>
  );
}
