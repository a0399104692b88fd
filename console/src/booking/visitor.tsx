// Whether a visitor has been here before.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Visit } from "../api/client.ts";
import { nameProperties, propertyName } from "../api/properties.ts";
import { shortDay } from "../time/dates.ts";
import { dayOf, wallOf } from "../time/zones.ts";
import { say } from "../words/words.ts";

const PATIENCE = 400;
const MAIL = /^[^\s@]+@[^\s@]+\.[^\s@]{2,}$/;
const digits = (text: string): string => text.replace(/\D/g, "");

export type Person = { email: string } | { phone: string };

export const personOf = (text: string): Person | null => {
  if (MAIL.test(text.trim())) return { email: text.trim() };
  return digits(text).length >= 6 && /^[\d\s()+/.-]+$/.test(text.trim()) ? { phone: text.trim() } : null;
};

export const findVisits = (person: Person, limit = 100, cursor?: string) =>
  ask(api.POST("/visitors/search", { body: { ...person, limit, ...(cursor ? { cursor } : {}) } }));

interface Props {
  email: string;
  phone: string;
  onKnown: (visitor: NonNullable<Visit["visitor"]>) => void;
}

export function EarlierVisits({ email, phone, onKnown }: Props) {
  const words = say();
  const found = useSignal<Visit[]>([]);
  const person = personOf(email) ?? personOf(phone);
  const asked = person ? JSON.stringify(person) : "";
  useEffect(() => {
    found.value = [];
    if (!person) return undefined;
    let current = true;
    const timer = setTimeout(async () => {
      const answer = await findVisits(person, 20);
      if (!answer.done || !current) return;
      found.value = [...answer.value.items].sort((one, other) => other.date.localeCompare(one.date));
      await nameProperties(found.value.map((visit) => visit.propertyId));
      const known = found.value.find((visit) => visit.visitor)?.visitor;
      if (known && current) onKnown(known);
    }, PATIENCE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [asked]);
  const [latest] = found.value;
  if (!latest) return null;
  return (
    <p class="hint" role="status">
      {words.wasHere(found.value.length, propertyName(latest.propertyId), shortDay(dayOf(wallOf(latest.date, latest.timeZone))))}
    </p>
  );
}
