// Booking a visit to a property: its times, who is coming, and what became of it.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, type Booked, pathOf, type Property, type Refusal, type Wish } from "./api.ts";
import { Frame, Icon, Note, type Speech } from "./parts.tsx";
import { keep, kept } from "./kept.ts";
import type * as Past from "./past.tsx";
import { Gone, Picker, useTimes } from "./picker.tsx";
import { cityOf, ownTime, shortDay, timeOf } from "./times.ts";

interface Draft {
  start: string;
  name: string;
  email: string;
  phone: string;
}

/** A booking that was sent, with the key that it is the same booking by however often it is sent, until it is booked. */
interface Attempt {
  key: string;
  body: string;
}

const FIELDS = ["name", "email", "phone"] as const;
type Field = (typeof FIELDS)[number];
type Wrong = Partial<Record<Field | "time", string>>;

const NOBODY: Draft = { start: "", name: "", email: "", phone: "" };
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

export function Booking({ speech, property, open }: { speech: Speech; property: Property; open: (link: string, visit: Booked) => void }): VNode {
  const { words, language } = speech;
  const attemptName = `attempt:${property.id}`;
  const draftName = `draft:${property.id}`;
  const bookedName = `booked:${property.id}`;
  const times = useTimes(pathOf(property.id));
  const [draft, setDraft] = useState<Draft>(() => kept<Draft>(draftName) ?? NOBODY);
  const attempt = useRef(kept<Attempt>(attemptName));
  const [booked, setBooked] = useState<Booked | null>(() => kept<Booked>(bookedName));
  const [past, setPast] = useState<typeof Past | null>(null);
  const [wrong, setWrong] = useState<Wrong>({});
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [lost, setLost] = useState("");
  const [busy, setBusy] = useState(false);

  useEffect(() => keep(draftName, draft), [draft]);
  useEffect(() => {
    if (booked) void import("./past.tsx").then(setPast);
  }, [booked]);
  useEffect(() => {
    document.title = words.title(property.name);
  }, [words]);

  const set = (change: Partial<Draft>): void => setDraft((before) => ({ ...before, ...change }));
  const when = (start: string): string => `${shortDay(start, property.timeZone, language)}, ${timeOf(start, property.timeZone)}`;

  function remember(made: Attempt | null): void {
    keep(attemptName, made);
    attempt.current = made;
  }

  function choose(start: string): void {
    set({ start });
    setRefusal(null);
    setWrong(({ time: _, ...others }) => others);
  }

  async function book(event: Event): Promise<void> {
    event.preventDefault();
    const found = check(draft, property, speech);
    setWrong(found);
    if (busy || Object.keys(found).length) return focusFirst(found);
    const visitor = { name: draft.name.trim(), email: draft.email.trim() || null, phone: draft.phone.trim() || null, language };
    const body: Wish = { date: draft.start, visitor };
    const text = JSON.stringify(body);
    // The same wish once more is the same booking, until it was refused.
    const sent = attempt.current?.body === text ? attempt.current : { key: crypto.randomUUID(), body: text };
    remember(sent);
    setBusy(true);
    setRefusal(null);
    const answer = await ask<Booked>("POST", `${pathOf(property.id)}/visits`, { body, key: sent.key });
    setBusy(false);
    if (answer.refusal) return refused(answer.refusal);
    done(answer.value);
  }

  function done(visit: Booked): void {
    // Whatever is booked next is another booking, at another time.
    remember(null);
    const next = { ...draft, start: "" };
    keep(draftName, next);
    keep(bookedName, visit);
    setDraft(next);
    setBooked(visit);
    if (visit.link) open(visit.link, visit);
  }

  function another(): void {
    keep(bookedName, null);
    setBooked(null);
    times.again();
  }

  function refused(why: Refusal): void {
    if (why.kind !== "no-answer") remember(null);
    if (why.kind === "invalid-input") {
      const found = FIELDS.filter((field) => why.pointers.some((pointer) => pointer.endsWith(field)));
      const told: Wrong = Object.fromEntries(found.map((field) => [field, words.needs[field]]));
      setWrong(told);
      if (found.length) return focusFirst(told);
    }
    if (why.kind === "time-not-free") {
      setLost(timeOf(draft.start, property.timeZone));
      set({ start: "" });
      times.again();
    }
    setRefusal(why);
  }

  if (booked && past?.isHeld(booked)) return <past.Held speech={speech} visit={booked} another={another} />;
  const own = draft.start && ownTime(draft.start, property.timeZone, language);
  const length = words.length(property.durationMinutes, cityOf(property.timeZone));
  return (
    <Frame speech={speech} agency={property.agency}>
      <main class="booking">
        <Home speech={speech} property={property} />
        <section class="card pick" aria-labelledby="when">
          <h2 id="when">{words.when}</h2>
          {booked && past && <past.Earlier speech={speech} booked={booked} />}
          {refusal && <Refused speech={speech} property={property} refusal={refusal} lost={lost} choose={choose} />}
          <Picker speech={speech} zone={property.timeZone} times={times} chosen={draft.start} choose={choose} />
          {wrong.time && <p class="error" id="no-time" role="alert" tabIndex={-1}><Icon name="sign" />{wrong.time}</p>}
        </section>
        <Who speech={speech} property={property} draft={draft} wrong={wrong} set={set} book={book} />
        <div class="go">
          <p aria-live="polite">
            {draft.start ? when(draft.start) : words.chooseTime}
            <small>{draft.start && own ? words.yours(own) : length}</small>
          </p>
          <button class="btn main" type="submit" form="who" aria-busy={busy}>
            {busy ? words.booking : property.booking === "request" ? words.ask : words.book}
          </button>
        </div>
      </main>
    </Frame>
  );
}

function check(draft: Draft, property: Property, { words }: Speech): Wrong {
  const wrong: Wrong = {};
  if (!draft.start) wrong.time = words.needs.time;
  if (!draft.name.trim()) wrong.name = words.needs.name;
  if (draft.email.trim() && !EMAIL.test(draft.email.trim())) wrong.email = words.needs.email;
  else if (!draft.email.trim() && property.confirmWithinMinutes) wrong.email = words.needs.emailToo;
  else if (!draft.email.trim() && !draft.phone.trim()) wrong.email = words.needs.contact;
  return wrong;
}

function focusFirst(wrong: Wrong): void {
  const id = wrong.time ? "no-time" : FIELDS.find((field) => wrong[field]);
  // Once it is drawn.
  requestAnimationFrame(() => document.getElementById(id ?? "")?.focus());
}

function Home({ speech: { words, language }, property }: { speech: Speech; property: Property }): VNode {
  const { price, currency } = property;
  const shown = price != null && currency
    ? new Intl.NumberFormat(language, { style: "currency", currency, maximumFractionDigits: price % 1 ? 2 : 0 }).format(price)
    : words.onRequest;
  return (
    <article class="home">
      <div class="pic"><Icon name="house" /></div>
      <div class="txt">
        <h1>{property.name}</h1>
        <p class="soft">{property.address}</p>
        <p class="price">{shown}</p>
        <ul class="more">
          <li><Icon name="clock" /><span>{words.takes(property.durationMinutes)}</span></li>
          {property.booking === "request" && <li><Icon name="mail" /><span>{words.asks}</span></li>}
        </ul>
      </div>
    </article>
  );
}

function Refused(props: { speech: Speech; property: Property; refusal: Refusal; lost: string; choose: (start: string) => void }): VNode {
  const { words } = props.speech;
  const { kind, nearest, reached } = props.refusal;
  if (kind === "time-not-free") return <Gone {...props} zone={props.property.timeZone} nearest={nearest}>{words.typedKept}</Gone>;
  if (kind === "booking-limit") return <Note kind="wait" title={words.limits[reached as keyof typeof words.limits] ?? words.busy} />;
  if (kind === "too-many-requests") return <Note kind="wait" title={words.busy} />;
  if (kind === "property-not-found") return <Note kind="bad" title={words.notThere}><p>{words.notThereText}</p></Note>;
  return <Note kind="bad" title={words.unknown} />;
}

interface WhoProps {
  speech: Speech;
  property: Property;
  draft: Draft;
  wrong: Wrong;
  set: (change: Partial<Draft>) => void;
  book: (event: Event) => void;
}

function Who({ speech: { words }, property, draft, wrong, set, book }: WhoProps): VNode {
  const field = (name: Field, label: string, more: Record<string, string>, optional = false): VNode => (
    <div class="field">
      <label for={name}>{label} {optional && <span class="faint">{words.optional}</span>}</label>
      <input
        class="input"
        id={name}
        name={name}
        value={draft[name]}
        maxLength={name === "phone" ? 64 : 200}
        aria-invalid={wrong[name] ? "true" : undefined}
        aria-describedby={wrong[name] ? `${name}-wrong` : undefined}
        onInput={(event) => set({ [name]: event.currentTarget.value })}
        {...more}
      />
      {wrong[name] && <p class="error" id={`${name}-wrong`}><Icon name="sign" />{wrong[name]}</p>}
    </div>
  );
  return (
    <section class="card" aria-labelledby="who-title">
      <h2 id="who-title">{words.who}</h2>
      <form id="who" class="stack wide" noValidate onSubmit={book}>
        {field("name", words.name, { autocomplete: "name" })}
        <div class="duo">
          {field("email", words.email, { type: "email", autocomplete: "email", inputmode: "email" })}
          {field("phone", words.phone, { type: "tel", autocomplete: "tel", inputmode: "tel" }, true)}
        </div>
        {property.consent && <p class="small soft">{property.consent}</p>}
      </form>
    </section>
  );
}
