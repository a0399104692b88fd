// The booking of a visit, in one dialog: which property, when, and who comes.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { agentName, agents } from "../api/agents.ts";
import { api, ask, type Refusal, type Schemas, type Slot } from "../api/client.ts";
import { homeZone, properties, propertyName } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { put } from "../api/visits.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Field } from "../parts/field.tsx";
import { useWish } from "../parts/form.tsx";
import { Icon } from "../parts/icon.tsx";
import { tell } from "../parts/toast.tsx";
import { adjust, route } from "../route.ts";
import { shortDay } from "../time/dates.ts";
import { isDay } from "../time/days.ts";
import { instantOf, minuteOf, timeAt } from "../time/zones.ts";
import { whenOf } from "../visit/moves.ts";
import { refused, wrongAt } from "../visit/refusals.ts";
import { say } from "../words/words.ts";
import { closeBooking, type Wish } from "./draft.ts";
import { PropertyChoice } from "./property_choice.tsx";
import { type Choice, FreeTimes } from "./slots.tsx";
import { EarlierVisits } from "./visitor.tsx";

const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);
const DURATIONS = [15, 30, 45, 60];
type Body = Schemas["BookVisitInput"];

interface Form {
  propertyId: string | null;
  minutes: number;
  at: Choice;
  name: string;
  phone: string;
  email: string;
  agentId: string;
  place: string;
  notes: string;
  reason: string;
}

function begin(wish: Wish): Form {
  return {
    propertyId: wish.propertyId ?? null,
    minutes: 30,
    at: { day: wish.day, time: wish.time ?? "" },
    name: "",
    phone: "",
    email: "",
    agentId: wish.agentId ?? "",
    place: "",
    notes: "",
    reason: "",
  };
}

export function Booking({ wish }: { wish: Wish }) {
  const words = say();
  const form = useSignal(begin(wish));
  const first = useSignal(form.value.at.day);
  const slots = useSignal<Slot[]>([]);
  const refusal = useSignal<Refusal | null>(null);
  const missing = useSignal(false);
  const busy = useSignal(false);
  const edition = useSignal(0);
  const attempt = useWish();
  const { propertyId, minutes, at } = form.value;
  const set = (changes: Partial<Form>): void => {
    form.value = { ...form.value, ...changes };
    if ("at" in changes || "propertyId" in changes || "minutes" in changes) refusal.value = null;
  };
  const zone = (propertyId && properties.value.get(propertyId)?.timeZone) || homeZone.value;
  const wall = isDay(at.day) && at.time ? `${at.day}T${at.time}` : null;
  const start = wall ? (at.start ?? instantOf(wall, zone)) : null;
  const free = slots.value.some((slot) => start !== null && Date.parse(slot.start) === Date.parse(start));
  const outside = refusal.value?.kind === "outside-hours" && may("override");
  const errorAt = (pointer: string) => wrongAt(refusal.value, pointer);

  const book = async (): Promise<void> => {
    if (!propertyId || !start) {
      missing.value = true;
      if (propertyId) document.getElementById(isDay(at.day) ? "time" : "day")?.focus();
      return;
    }
    if (busy.value) return;
    if (outside && !form.value.reason.trim()) {
      missing.value = true;
      document.getElementById("reason")?.focus();
      return;
    }
    missing.value = false;
    busy.value = true;
    const body = bodyOf(form.value, propertyId, start);
    const header = { "Idempotency-Key": attempt.keyOf(body), ...(outside ? { Prefer: "handling=lenient" } : {}) };
    const outcome = await ask(api.POST("/visits", { params: { header }, body }));
    busy.value = false;
    if (outcome.done && "version" in outcome.value) {
      put(outcome.value);
      closeBooking();
      tell({ text: words.booked(propertyName(propertyId), whenOf(outcome.value)) });
      if (route.value.page === "agenda") adjust({ visit: outcome.value.id });
    } else if (!outcome.done) {
      refusal.value = outcome.refusal;
      if (outcome.refusal.status === 409) edition.value++;
      if (outcome.refusal.status >= 400 && outcome.refusal.status < 500) attempt.answered();
    }
  };

  // The button that was pressed goes with the trouble, so the next one has the focus.
  const take = (choice: Choice): void => {
    set({ at: choice });
    document.querySelector<HTMLElement>("dialog [type=submit]")?.focus();
  };

  return (
    <Dialog
      title={words.newVisit}
      typed={typed(form.value)}
      onClose={closeBooking}
      onSubmit={() => void book()}
      footer={
        <Footer form={form.value} wall={wall} busy={busy.value} unknown={(refusal.value?.status ?? 1) === 0 || (refusal.value?.status ?? 0) >= 500} />
      }
    >
      <div class="two">
        <div class="col">
          <PropertyChoice
            chosen={propertyId}
            error={missing.value && !propertyId ? words.chooseProperty : errorAt("/propertyId")}
            onChoose={(property) => set({ propertyId: property?.id ?? null })}
          />
          <div class="row wrap">
            <span class="grow soft" id="how-long">
              {words.howLong}
            </span>
            <div class="seg" role="group" aria-labelledby="how-long">
              {DURATIONS.map((duration) => (
                <button key={duration} type="button" aria-pressed={minutes === duration} onClick={() => set({ minutes: duration })}>
                  {words.minutes(duration)}
                </button>
              ))}
            </div>
          </div>
          {propertyId ? (
            <FreeTimes
              propertyId={propertyId}
              zone={zone}
              minutes={minutes}
              agentId={form.value.agentId || undefined}
              chosen={at}
              from={first.value}
              edition={edition.value}
              onPick={(choice) => set({ at: choice })}
              onKnown={(known) => (slots.value = known)}
            />
          ) : (
            <p class="hint">{words.chooseFirst}</p>
          )}
          <div class="other">
            <Field
              id="day"
              label={words.anotherDay}
              type="date"
              value={at.day}
              onInput={(day) => {
                set({ at: { day, time: at.time } });
                if (isDay(day)) first.value = day;
              }}
            />
            <Field id="time" label={words.time} type="time" value={at.time} onInput={(time) => set({ at: { day: at.day, time } })} error={missing.value && !at.time ? words.chooseTime : errorAt("/date")} />
            {free && (
              <span class="status confirmed">
                <Icon name="check" small />
                {words.free}
              </span>
            )}
          </div>
          {refusal.value && (
            <Trouble refusal={refusal.value} form={form.value} noReason={missing.value} slots={slots.value} onReason={(reason) => set({ reason })} onPick={take} />
          )}
        </div>
        <div class="col">
          <Field id="name" label={words.visitor} value={form.value.name} onInput={(name) => set({ name })} error={errorAt("/visitor/name")} max={200} />
          <Field id="phone" label={words.phone} type="tel" value={form.value.phone} onInput={(phone) => set({ phone })} error={errorAt("/visitor/phone")} />
          <Field id="email" label={words.email} type="email" value={form.value.email} onInput={(email) => set({ email })} error={errorAt("/visitor/email")} />
          <EarlierVisits
            email={form.value.email}
            phone={form.value.phone}
            onKnown={(known) => set({ name: form.value.name || (known.name ?? ""), phone: form.value.phone || (known.phone ?? ""), email: form.value.email || (known.email ?? "") })}
          />
          <div class="field">
            <label for="agent">{words.agent}</label>
            <select id="agent" class="input" value={form.value.agentId} onChange={(event) => set({ agentId: event.currentTarget.value })}>
              <option value="">{words.nobodyYet}</option>
              {[...agents.value.values()].map((agent) => (
                <option key={agent.id} value={agent.id}>
                  {agent.name}
                </option>
              ))}
            </select>
          </div>
          <Field id="place" label={words.meetAt} value={form.value.place} onInput={(place) => set({ place })} placeholder={words.atTheProperty} error={errorAt("/place")} />
          <Field id="notes" label={words.note} lines value={form.value.notes} onInput={(notes) => set({ notes })} placeholder={words.notePlaceholder} error={errorAt("/notes")} />
        </div>
      </div>
    </Dialog>
  );
}

const typed = ({ name, phone, email, notes, place }: Form): boolean => Boolean(name || phone || email || notes || place);

function bodyOf(form: Form, propertyId: string, date: string): Body {
  const visitor = Object.fromEntries(
    Object.entries({ name: form.name.trim(), phone: form.phone.trim(), email: form.email.trim() }).filter(([, value]) => value),
  );
  const notes = [form.notes.trim(), form.reason.trim() && say().outsideBecause(form.reason.trim())].filter(Boolean).join("\n");
  return {
    propertyId,
    date,
    durationMinutes: form.minutes,
    ...(Object.keys(visitor).length > 0 ? { visitor } : {}),
    ...(form.agentId ? { agentId: form.agentId } : {}),
    ...(form.place.trim() ? { place: form.place.trim() } : {}),
    ...(notes ? { notes } : {}),
  };
}

function Footer({ form, wall, busy, unknown }: { form: Form; wall: string | null; busy: boolean; unknown: boolean }) {
  const words = say();
  const until = wall ? timeAt((minuteOf(wall) + form.minutes) % 1440) : "";
  return (
    <footer>
      <p>
        {wall && (
          <strong>
            {shortDay(form.at.day)}, {form.at.time}–{until}{" "}
          </strong>
        )}
        <span class="soft">
          {form.propertyId ? propertyName(form.propertyId) : words.noPropertyYet}
          {form.agentId ? `, ${agentName(form.agentId)}` : ""}
        </span>
      </p>
      <button type="button" class="btn" onClick={closeBooking}>
        {words.cancel}
      </button>
      <button type="submit" class="btn main" aria-disabled={busy}>
        {busy ? words.booking : unknown ? words.tryAgain : words.bookVisit} <kbd aria-hidden="true">{APPLE ? "⌘↵" : words.ctrlEnter}</kbd>
      </button>
    </footer>
  );
}

interface TroubleProps {
  refusal: Refusal;
  form: Form;
  noReason: boolean;
  slots: Slot[];
  onReason: (reason: string) => void;
  onPick: (choice: Choice) => void;
}

/** Why it was not booked, and the next thing that works. */
function Trouble({ refusal, form, noReason, slots, onReason, onPick }: TroubleProps) {
  const words = say();
  const note = useRef<HTMLDivElement>(null);
  useEffect(() => note.current?.scrollIntoView({ block: "nearest" }), [refusal]);
  const told = refused(refusal, { property: form.propertyId ? propertyName(form.propertyId) : "", time: form.at.time });
  const lenient = refusal.kind === "outside-hours" && may("override");
  const wanted = `${form.at.day}T${form.at.time}`;
  const next = slots.filter((slot) => slot.localStart.slice(0, 16) > wanted).slice(0, 3);
  return (
    <div class={lenient ? "note wait" : "note bad"} role="alert" ref={note}>
      <Icon name={lenient ? "clock" : "warn"} />
      <p>
        <strong>{told.title}</strong> {told.text} {lenient && words.bookWithReason}
      </p>
      {lenient && <Field id="reason" label={words.reason} value={form.reason} onInput={onReason} error={noReason && !form.reason.trim() ? words.sayWhy : undefined} />}
      {refusal.status === 409 && !lenient && next.length > 0 && (
        <div class="row wrap">
          {next.map((slot) => (
            <button key={slot.start} type="button" class="btn" onClick={() => onPick({ day: slot.localStart.slice(0, 10), time: slot.localStart.slice(11, 16), start: slot.start })}>
              {words.take(slot.localStart.slice(0, 10) === form.at.day ? slot.localStart.slice(11, 16) : `${shortDay(slot.localStart.slice(0, 10))}, ${slot.localStart.slice(11, 16)}`)}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
