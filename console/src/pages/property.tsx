// One property: what it is, when it may be visited, and the address of its calendar.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { forgetHours } from "../agenda/hours.ts";
import { onlyProperty } from "../agenda/filters.ts";
import { api, ask, type Outcome, type Property, type Refusal, type Schemas, versionTag } from "../api/client.ts";
import { loadProperty, putProperties, rulesOf } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { draftOf } from "../parts/draft.ts";
import { Field } from "../parts/field.tsx";
import { Form, useWish } from "../parts/form.tsx";
import { Icon } from "../parts/icon.tsx";
import { tell } from "../parts/toast.tsx";
import { go, link, replace } from "../route.ts";
import { browserZone } from "../time/zones.ts";
import { wrongAt } from "../visit/refusals.ts";
import { say } from "../words/words.ts";
import { Board } from "./board.tsx";
import { CalendarLink } from "./calendar.tsx";
import { HoursFields } from "./hours.tsx";
import { Keep, PageOf, Refused } from "./page.tsx";
import { ZoneField } from "./zone.tsx";

type Input = Schemas["PropertyInput"];
type Availability = Schemas["AvailabilityInput"] & { weekly: NonNullable<Schemas["Availability"]["weekly"]> | null; dates: Schemas["Availability"]["dates"] };

type PublicBooking = NonNullable<Input["publicBooking"]>;
const PUBLIC: PublicBooking[] = ["off", "request", "confirm"];

const blank = (): Input => ({ name: "", address: "", timeZone: browserZone(), capacity: 1, visitsAllowed: true });
const ALWAYS: Availability = { weekly: null, dates: [], stepMinutes: 15, noticeMinutes: 0, horizonDays: null, gapMinutes: 0 };

export function PropertyPage({ id }: { id: string | null }) {
  const words = say();
  const property = useSignal<Property | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const load = async (): Promise<void> => {
    if (!id) return;
    const answer = await loadProperty(id);
    if (answer.done) property.value = answer.value;
    else refusal.value = answer.refusal;
  };
  useEffect(() => void load(), [id]);
  return (
    <PageOf
      title={id ? (property.value?.name ?? "…") : words.newProperty}
      back={{ href: link("properties"), label: words.pages.properties }}
      acts={
        id && (
          <button
            type="button"
            class="btn"
            onClick={() => {
              onlyProperty.value = id;
              go(link("agenda"));
            }}
          >
            <Icon name="cal" /> {words.itsAgenda}
          </button>
        )
      }
    >
      <div class="body">
        <Refused refusal={refusal.value} />
        {(property.value || !id) && (
          <Facts
            property={property.value}
            onKept={(kept) => {
              property.value = kept;
              if (!id) replace(link("properties", [kept.id]));
            }}
            onChanged={load}
          />
        )}
        {id && property.value && <Opening id={id} />}
        {id && property.value && <Board id={id} />}
        {id && property.value && may("write") && <CalendarLink of="property" id={id} />}
      </div>
    </PageOf>
  );
}

interface FactsProps {
  property: Property | null;
  onKept: (property: Property) => void;
  /** Somebody else has changed it. */
  onChanged: () => Promise<void>;
}

function Facts({ property, onKept, onChanged }: FactsProps) {
  const words = say();
  const draft = draftOf<Input>(`property ${property?.id ?? "new"}`, property ? inputOf(property) : blank());
  const wish = useWish();
  const refusal = useSignal<Refusal | null>(null);
  const set = draft.type;
  const keep = async (): Promise<void> => {
    const outcome = await write(property, draft.value, wish.keyOf(draft.value));
    refusal.value = outcome.done ? null : outcome.refusal;
    if (!outcome.done) {
      if (outcome.refusal.status === 412) await onChanged();
      return;
    }
    draft.kept(draft.value);
    putProperties([outcome.value]);
    tell({ text: words.kept(outcome.value.name) });
    onKept(outcome.value);
  };
  const errorAt = (name: string) => wrongAt(refusal.value, `/${name}`);
  const { name, address, price, currency, timeZone, capacity, visitsAllowed } = draft.value;
  return (
    <Form onSubmit={keep}>
      <fieldset disabled={!may("write")} class="fields">
        <Field id="p-name" label={words.name} value={name} onInput={(value) => set({ name: value })} error={errorAt("name")} />
        <Field id="p-address" label={words.address} value={address} onInput={(value) => set({ address: value })} error={errorAt("address")} />
        <Field id="p-price" label={words.price} type="number" value={price === null || price === undefined ? "" : String(price)} onInput={(value) => set({ price: value ? Number(value) : null })} error={errorAt("price")} />
        <Field id="p-currency" label={words.currency} value={currency ?? ""} onInput={(value) => set({ currency: (value.toUpperCase() || null) as Input["currency"] & string })} error={errorAt("currency")} max={3} />
        <ZoneField id="p-zone" value={timeZone} onChange={(zone) => set({ timeZone: zone })} />
        <Field id="p-capacity" label={words.capacity} type="number" value={String(capacity ?? 1)} onInput={(value) => set({ capacity: Number(value) })} error={errorAt("capacity")} />
        <div class="field">
          <label for="p-public">{words.publicBooking}</label>
          <select id="p-public" class="input" value={draft.value.publicBooking ?? "off"} onChange={(event) => set({ publicBooking: event.currentTarget.value as PublicBooking })}>
            {PUBLIC.map((one) => (
              <option key={one} value={one}>
                {words.publicBookings[one]}
              </option>
            ))}
          </select>
        </div>
        <label class="check">
          <input type="checkbox" checked={visitsAllowed ?? true} onChange={(event) => set({ visitsAllowed: event.currentTarget.checked })} />
          {words.takesVisits}
        </label>
        <div class="whole">
          <Refused refusal={refusal.value} what="property" />
        </div>
      </fieldset>
      {may("write") && <Keep label={words.keep} draft={draft} main />}
    </Form>
  );
}

/** All but what is read-only: a PUT takes away what it does not name, also what this page has no field for. */
const inputOf = ({ id, version, createdAt, updatedAt, visits, links, visitsBehind, ...said }: Property): Input => said as Input;

function write(property: Property | null, body: Input, key: string): Promise<Outcome<Property>> {
  if (!property) {
    const header = { "Idempotency-Key": key };
    return ask(api.POST("/properties", { params: { header }, body }));
  }
  const params = { path: { propertyId: property.id }, header: { "If-Match": `"${property.version}"` } };
  return ask(api.PUT("/properties/{propertyId}", { params, body }));
}

/** When it may be visited. */
function Opening({ id }: { id: string }) {
  const words = say();
  const hours = useSignal<Availability | null>(null);
  const version = useSignal<string>("");
  const refusal = useSignal<Refusal | null>(null);
  const draft = draftOf<Availability>(`hours ${id}`, hours.value ?? ALWAYS);
  const params = { path: { propertyId: id } };
  const load = async (): Promise<void> => {
    const answer = await rulesOf(id);
    if (!answer.done) refusal.value = answer.refusal;
    else if (answer.value === null) hours.value = ALWAYS;
    else {
      const { propertyId, version: read, createdAt, updatedAt, ...said } = answer.value;
      hours.value = said;
      version.value = versionTag({ version: read });
    }
  };
  useEffect(() => void load(), [id]);
  const keep = async (): Promise<void> => {
    const header = version.value ? { "If-Match": version.value } : { "If-None-Match": "*" as const };
    const outcome = await ask(api.PUT("/properties/{propertyId}/availability", { params: { ...params, header }, body: draft.value }));
    refusal.value = outcome.done ? null : outcome.refusal;
    if (!outcome.done) {
      if (outcome.refusal.status === 412) await load();
      return;
    }
    draft.kept(draft.value);
    forgetHours(id);
    tell({ text: words.hoursKept });
    await load();
  };
  const now = draft.value;
  if (!hours.value) return <Refused refusal={refusal.value} />;
  const number = (name: "stepMinutes" | "noticeMinutes" | "gapMinutes", label: string) => (
    <Field id={`h-${name}`} label={label} type="number" value={String(now[name] ?? 0)} onInput={(value) => draft.type({ [name]: Number(value) })} />
  );
  return (
    <Form onSubmit={keep}>
      <fieldset disabled={!may("write")} class="stack">
        <h2>{words.openingTitle}</h2>
        <HoursFields label={words.hasHours} hours={now} onChange={(changed) => draft.type(changed)} />
        <div class="fields">
          {number("stepMinutes", words.stepMinutes)}
          {number("noticeMinutes", words.noticeMinutes)}
          {number("gapMinutes", words.gapMinutes)}
          <Field id="h-horizon" label={words.horizonDays} type="number" value={now.horizonDays === null || now.horizonDays === undefined ? "" : String(now.horizonDays)} onInput={(value) => draft.type({ horizonDays: value ? Number(value) : null })} />
        </div>
        <Refused refusal={refusal.value} what="hours" />
        {may("write") && <Keep label={words.keepHours} draft={draft} />}
      </fieldset>
    </Form>
  );
}
