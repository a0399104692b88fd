// What is on the screen, to take away: CSV, Excel, calendar, paper.
import { useRef } from "preact/hooks";
import { api, ask } from "../api/client.ts";
import { Icon } from "../parts/icon.tsx";
import { download } from "../parts/download.ts";
import { tell } from "../parts/toast.tsx";
import { plusDays } from "../time/days.ts";
import { instantOf } from "../time/zones.ts";
import { homeZone } from "../api/properties.ts";
import { refused } from "../visit/refusals.ts";
import { STATUSES } from "../visit/status.tsx";
import { say } from "../words/words.ts";
import { agentsShown, hiddenStatuses, onlyProperty } from "./filters.ts";
import { days, focus, look } from "./view.ts";

const FORMATS = ["csv", "xlsx", "ics"] as const;
type Format = (typeof FORMATS)[number];

export function TakeAway() {
  const menu = useRef<HTMLDetailsElement>(null);
  const words = say();
  const done = (act: () => void) => () => {
    menu.current?.removeAttribute("open");
    menu.current?.querySelector("summary")?.focus();
    act();
  };
  return (
    <details class="me take" ref={menu} onKeyDown={(event) => event.key === "Escape" && menu.current?.removeAttribute("open")}>
      <summary class="btn bare" aria-label={words.takeAway}>
        <Icon name="save" />
      </summary>
      <div class="menu">
        <h3 class="label head">{words.takeAway}</h3>
        {agentsShown() === "some" && <p class="small soft">{words.hiddenAgentsToo}</p>}
        {FORMATS.map((format) => (
          <button key={format} type="button" onClick={done(() => void take(format))}>
            {words.formats[format]}
          </button>
        ))}
        <button type="button" aria-keyshortcuts="P" onClick={done(print)}>
          <Icon name="print" /> {words.printDay}
        </button>
      </div>
    </details>
  );
}

/** Prints the list of the day, whatever is on the screen. */
export function print(): void {
  look({ view: "list" });
  setTimeout(() => window.print(), 100);
}

async function take(format: Format): Promise<void> {
  const first = days.value[0] ?? focus.value;
  const last = days.value.at(-1) ?? first;
  const status = STATUSES.filter((one) => !hiddenStatuses.value.has(one));
  const whose = agentsShown();
  const query = {
    from: instantOf(`${first}T00:00`, homeZone.value),
    to: instantOf(`${plusDays(last, 1)}T00:00`, homeZone.value),
    format,
    ...(onlyProperty.value ? { propertyId: onlyProperty.value } : {}),
    ...(status.length < STATUSES.length ? { status } : {}),
    ...(typeof whose === "object" ? { agentId: whose.only } : {}),
  };
  const answer = await ask(api.GET("/visits/export", { params: { query }, parseAs: "blob" }));
  if (answer.done) download(answer.value as Blob, `visits-${first}.${format}`);
  else {
    const why = refused(answer.refusal);
    tell({ text: why.title, more: why.text, bad: true });
  }
}
