// Single letters that do something while nobody types; and the list of them.
import { signal } from "@preact/signals";
import { print } from "./agenda/takeaway.tsx";
import { chosen, dayAhead, look, step, toToday } from "./agenda/view.ts";
import { may } from "./api/session.ts";
import { setStatus, visits } from "./api/visits.ts";
import { openBooking } from "./booking/draft.ts";
import { Dialog } from "./parts/dialog.tsx";
import { adjust, go, link, route } from "./route.ts";
import { askFor } from "./visit/panel.tsx";
import { holdsTime } from "./visit/status.tsx";
import { say } from "./words/words.ts";

export const showKeys = signal(false);
const KEPT = "keys-off";
export const keysOff = signal(localStorage.getItem(KEPT) === "yes");

const onAgenda = (act: () => void) => (): void => {
  if (route.value.page !== "agenda") go(link("agenda"));
  act();
};

const ACTS: Record<string, () => void> = {
  n: () => may("write") && openBooking({ day: dayAhead() }),
  "/": () => document.querySelector<HTMLElement>(".find input")?.focus(),
  "?": () => (showKeys.value = true),
  t: onAgenda(toToday),
  j: onAgenda(() => step(1)),
  k: onAgenda(() => step(-1)),
  d: onAgenda(() => look({ view: "day" })),
  w: onAgenda(() => look({ view: "week" })),
  l: onAgenda(() => look({ view: "list" })),
  p: onAgenda(print),
  c: () => withVisit("c"),
  r: () => withVisit("r"),
  x: () => withVisit("x"),
};

function withVisit(key: "c" | "r" | "x"): void {
  const focused = document.activeElement?.getAttribute("data-visit");
  const id = focused ?? chosen.value;
  const visit = id ? visits.value.get(id) : undefined;
  if (!visit || !may("write") || !holdsTime(visit.status)) return;
  if (key === "c" && visit.status === "requested") void setStatus(visit, "confirmed");
  if (key === "c") return;
  if (chosen.value !== visit.id) adjust({ visit: visit.id });
  askFor(visit, key === "r" ? "time" : "reason");
}

export function listenForKeys(): () => void {
  const press = (event: KeyboardEvent): void => {
    const at = event.target as HTMLElement;
    const types = at.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog") !== null;
    if (types || keysOff.value || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const act = ACTS[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  };
  addEventListener("keydown", press);
  return () => removeEventListener("keydown", press);
}

export function Keys() {
  const words = say();
  const close = (): void => {
    showKeys.value = false;
  };
  return (
    <Dialog
      title={words.keysTitle}
      small
      onClose={close}
      onSubmit={close}
      footer={
        <footer>
          <label class="row grow">
            <input
              type="checkbox"
              checked={!keysOff.value}
              onChange={(event) => {
                keysOff.value = !event.currentTarget.checked;
                localStorage.setItem(KEPT, keysOff.value ? "yes" : "no");
              }}
            />
            {words.keysOn}
          </label>
          <button type="submit" class="btn main">
            {words.close}
          </button>
        </footer>
      }
    >
      <dl class="keys">
        {words.keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
