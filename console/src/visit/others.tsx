// The other visits of whoever comes, looked up when somebody asks for them.
import { useSignal } from "@preact/signals";
import type { Refusal, Visit } from "../api/client.ts";
import { nameProperties, propertyName } from "../api/properties.ts";
import { findVisits, personOf } from "../booking/visitor.tsx";
import { Icon } from "../parts/icon.tsx";
import { link } from "../route.ts";
import { shortDay } from "../time/dates.ts";
import { dayOf, wallOf } from "../time/zones.ts";
import { say } from "../words/words.ts";
import { refused } from "./refusals.ts";
import { signOf } from "./status.tsx";

const MOST = 20;

export function OtherVisits({ visit }: { visit: Visit }) {
  const words = say();
  const found = useSignal<Visit[] | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const person = personOf(visit.visitor?.email ?? "") ?? personOf(visit.visitor?.phone ?? "");
  if (!person) return null;
  const load = async (): Promise<void> => {
    const answer = await findVisits(person, MOST);
    refusal.value = answer.done ? null : answer.refusal;
    if (!answer.done) return;
    const others = answer.value.items.filter((one) => one.id !== visit.id);
    found.value = others.sort((one, other) => other.date.localeCompare(one.date));
    await nameProperties(others.map((one) => one.propertyId));
  };
  return (
    <details class="log" onToggle={(event) => event.currentTarget.open && !found.value && void load()}>
      <summary class="label">{words.otherVisits}</summary>
      {refusal.value && <p role="alert">{refused(refusal.value).title}</p>}
      {found.value?.length === 0 && <p>{words.noVisits}</p>}
      <ul>
        {found.value?.map((one) => {
          const day = dayOf(wallOf(one.date, one.timeZone));
          return (
            <li key={one.id}>
              <a href={link("agenda", ["week", day], { visit: one.id })}>{propertyName(one.propertyId)}</a>
              <br />
              <Icon name={signOf(one.status)} small /> {words.status[one.status]}, {shortDay(day)} {day.slice(0, 4)}
            </li>
          );
        })}
      </ul>
    </details>
  );
}
