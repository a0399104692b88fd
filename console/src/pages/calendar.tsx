// The address under which a calendar program follows a property or an agent; shown once.
import { useSignal } from "@preact/signals";
import { api, ask, type Refusal } from "../api/client.ts";
import { Icon } from "../parts/icon.tsx";
import { Sure } from "../parts/sure.tsx";
import { tell } from "../parts/toast.tsx";
import { say } from "../words/words.ts";
import { Refused } from "./page.tsx";

export function CalendarLink({ of, id }: { of: "property" | "agent"; id: string }) {
  const words = say();
  const address = useSignal("");
  const visitors = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const share = async (): Promise<void> => {
    const answer =
      of === "property"
        ? await ask(api.PUT("/properties/{propertyId}/calendar-token", { params: { path: { propertyId: id } } }))
        : await ask(api.PUT("/agents/{agentId}/calendar-token", { params: { path: { agentId: id } }, body: { visitors: visitors.value } }));
    refusal.value = answer.done ? null : answer.refusal;
    if (answer.done) address.value = new URL(answer.value.links.calendar, location.href).href;
  };
  const stop = async (): Promise<void> => {
    const answer =
      of === "property"
        ? await ask(api.DELETE("/properties/{propertyId}/calendar-token", { params: { path: { propertyId: id } } }))
        : await ask(api.DELETE("/agents/{agentId}/calendar-token", { params: { path: { agentId: id } } }));
    refusal.value = answer.done ? null : answer.refusal;
    if (!answer.done) return;
    address.value = "";
    tell({ text: words.calendarStopped });
  };
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(address.value);
    tell({ text: words.copied });
  };
  return (
    <section>
      <h2>{words.calendarTitle}</h2>
      <p class="soft">{words.calendarText}</p>
      {of === "agent" && (
        <label class="check">
          <input type="checkbox" checked={visitors.value} onChange={(event) => (visitors.value = event.currentTarget.checked)} />
          {words.calendarVisitors}
        </label>
      )}
      <div class="row wrap">
        <Sure means={words.calendarSure} onSure={() => void share()}>
          <Icon name="link" /> {words.calendarShare}
        </Sure>
        <Sure bad onSure={() => void stop()}>
          {words.calendarStop}
        </Sure>
      </div>
      {address.value && (
        <div class="note">
          <Icon name="link" />
          <p class="address">{address.value}</p>
          <div class="row">
            <button type="button" class="btn" onClick={() => void copy()}>
              {words.copy}
            </button>
            <span class="small">{words.shownOnce}</span>
          </div>
        </div>
      )}
      <Refused refusal={refusal.value} />
    </section>
  );
}
