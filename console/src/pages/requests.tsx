// The visits that wait for an answer, the next one first.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { agentName } from "../api/agents.ts";
import type { Refusal, Status, Visit } from "../api/client.ts";
import { propertyName } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { saving, setStatus } from "../api/visits.ts";
import { tell } from "../parts/toast.tsx";
import { callOf } from "../parts/links.ts";
import { link } from "../route.ts";
import { clockTime, shortDay } from "../time/dates.ts";
import { dayOf, placeOf, wallOf } from "../time/zones.ts";
import { AgentName } from "../visit/agent.tsx";
import { say } from "../words/words.ts";
import { Empty, PageOf, Refused } from "./page.tsx";
import { loadRequests, waiting } from "./waiting.ts";

export function Requests() {
  const words = say();
  const refusal = useSignal<Refusal | null>(null);
  useEffect(() => void loadRequests(), []);
  const answer = async (visit: Visit, status: Status): Promise<void> => {
    const outcome = await setStatus(visit, status);
    refusal.value = outcome.done ? null : outcome.refusal;
    if (outcome.done) tell({ text: words.became[status](visit.visitor?.name ?? propertyName(visit.propertyId)) });
    void loadRequests();
  };
  return (
    <PageOf title={words.pages.requests}>
      <Refused refusal={refusal.value} />
      {waiting.value.length === 0 ? (
        <Empty text={words.noRequests} />
      ) : (
        <table class="list cards">
          <thead>
            <tr>
              <th scope="col">{words.time}</th>
              <th scope="col">{words.property}</th>
              <th scope="col">{words.visitor}</th>
              <th scope="col">{words.agent}</th>
              <th scope="col">
                <span class="off">{words.details}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {waiting.value.map((visit) => (
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
  return (
    <tr class="requested">
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
      <td>
        {may("write") && (
          <span class="row wrap">
            <button type="button" class="btn" aria-disabled={saving.value.has(visit.id)} onClick={() => onAnswer("confirmed")}>
              {words.confirm}
            </button>
            <button type="button" class="btn bare bad" aria-disabled={saving.value.has(visit.id)} onClick={() => onAnswer("declined")}>
              {words.decline}
            </button>
          </span>
        )}
      </td>
    </tr>
  );
}
