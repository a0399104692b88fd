// The visits that wait for an answer, the next one first. What was answered keeps its row until the page is left: nothing
// slides under a pointer that is about to press.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { agentName } from "../api/agents.ts";
import type { Refusal, Status, Visit } from "../api/client.ts";
import { propertyName } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { setStatus, visits } from "../api/visits.ts";
import { tell } from "../parts/toast.tsx";
import { callOf } from "../parts/links.ts";
import { link } from "../route.ts";
import { clockTime, shortDay } from "../time/dates.ts";
import { dayOf, placeOf, wallOf } from "../time/zones.ts";
import { AgentName } from "../visit/agent.tsx";
import { lookOf, StatusMark } from "../visit/status.tsx";
import { say } from "../words/words.ts";
import { Empty, PageOf, Refused } from "./page.tsx";
import { inTurn, loadRequests, waiting } from "./waiting.ts";

export function Requests() {
  const words = say();
  const refusal = useSignal<Refusal | null>(null);
  useEffect(() => void loadRequests(), []);
  const answered = useSignal<ReadonlyMap<string, Visit>>(new Map());
  const answer = async (visit: Visit, status: Status): Promise<void> => {
    if (answered.value.has(visit.id)) return;
    answered.value = new Map(answered.value).set(visit.id, { ...visit, status });
    const outcome = await setStatus(visit, status);
    refusal.value = outcome.done ? null : outcome.refusal;
    if (outcome.done) tell({ text: words.became[status](visit.visitor?.name ?? propertyName(visit.propertyId)) });
    const now = visits.value.get(visit.id) ?? visit;
    const rest = [...answered.value].filter(([id]) => id !== visit.id);
    answered.value = new Map(now.status === "requested" ? rest : [...rest, [visit.id, now]]);
    void loadRequests();
  };
  const rows = [...waiting.value.filter((visit) => !answered.value.has(visit.id)), ...answered.value.values()].sort(inTurn);
  return (
    <PageOf title={words.pages.requests}>
      <Refused refusal={refusal.value} />
      {rows.length === 0 ? (
        <Empty text={words.noRequests} />
      ) : (
        <table class="list cards stacked">
          <thead>
            <tr>
              <th scope="col">{words.time}</th>
              <th scope="col">{words.property}</th>
              <th scope="col">{words.visitor}</th>
              <th scope="col">{words.agent}</th>
              <th scope="col">{words.statusTitle}</th>
              <th scope="col">
                <span class="off">{words.details}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((visit) => (
              <Row key={visit.id} visit={visit} onAnswer={(status) => void answer(visit, status)} />
            ))}
          </tbody>
        </table>
      )}
    </PageOf>
  );
}

function Row({ visit, onAnswer }: { visit: Visit; onAnswer: (status: Status) => void }) {
  const words = say();
  const wall = wallOf(visit.date, visit.timeZone);
  const agent = visit.agentId ? agentName(visit.agentId) : words.nobodyYet;
  const open = visit.status === "requested";
  return (
    <tr class={lookOf(visit.status)}>
      <td class="t">
        {shortDay(dayOf(wall))}
        <small>
          {clockTime(visit.date, visit.timeZone)} · {words.zoneOf(placeOf(visit.timeZone))}
        </small>
      </td>
      <td class="prop">
        <a class="nm" href={link("agenda", ["week", dayOf(wall)], { visit: visit.id })}>
          {propertyName(visit.propertyId)}
        </a>
        <span class="sub">{visit.place}</span>
      </td>
      <td class="vis">
        {visit.visitor?.name} {visit.visitor?.phone && <a href={callOf(visit.visitor.phone)}>{visit.visitor.phone}</a>}
      </td>
      <td>
        <AgentName id={visit.agentId} name={agent} />
      </td>
      <td class="stat">
        <StatusMark status={visit.status} />
      </td>
      <td>
        {may("write") && (
          <span class="row wrap">
            <button type="button" class="btn" aria-disabled={!open} onClick={() => onAnswer("confirmed")}>
              {words.confirm}
            </button>
            <button type="button" class="btn bare bad" aria-disabled={!open} onClick={() => onAnswer("declined")}>
              {words.decline}
            </button>
          </span>
        )}
      </td>
    </tr>
  );
}
