// One person's visits, found by e-mail address or telephone number, which are in no address; and their erasure.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Refusal, type Visit } from "../api/client.ts";
import { nameProperties, propertyName } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { findVisits, type Person, personOf } from "../booking/visitor.tsx";
import { Field } from "../parts/field.tsx";
import { Form } from "../parts/form.tsx";
import { tell } from "../parts/toast.tsx";
import { link } from "../route.ts";
import { clockTime, shortDay } from "../time/dates.ts";
import { dayOf, wallOf } from "../time/zones.ts";
import { StatusMark } from "../visit/status.tsx";
import { say } from "../words/words.ts";
import { PageOf, Refused } from "./page.tsx";
import { sought } from "./sought.ts";

export function Visitors() {
  const words = say();
  const text = useSignal(sought.value);
  const found = useSignal<{ person: Person; visits: Visit[]; more: boolean } | null>(null);
  const refusal = useSignal<Refusal | null>(null);
  const wrong = useSignal(false);
  const search = async (): Promise<void> => {
    const person = personOf(text.value);
    wrong.value = person === null;
    if (!person) return;
    const answer = await findVisits(person);
    refusal.value = answer.done ? null : answer.refusal;
    if (!answer.done) return;
    await nameProperties(answer.value.items.map((visit) => visit.propertyId));
    found.value = { person, visits: answer.value.items, more: answer.value.nextCursor !== null };
  };
  useEffect(() => {
    text.value = sought.value;
    if (sought.value) void search();
  }, [sought.value]);
  return (
    <PageOf title={words.pages.visitors}>
      <div class="body">
        <Form class="fields" onSubmit={search}>
          <Field id="person" label={words.mailOrPhone} value={text.value} onInput={(value) => (text.value = value)} error={wrong.value ? words.neitherMailNorPhone : undefined} hint={words.wholeMailOrPhone} />
          <div>
            <button type="submit" class="btn main">
              {words.findVisits}
            </button>
          </div>
        </Form>
        <Refused refusal={refusal.value} />
        {found.value && <Found {...found.value} onErased={() => (found.value = null)} />}
      </div>
    </PageOf>
  );
}

function Found({ person, visits, more, onErased }: { person: Person; visits: Visit[]; more: boolean; onErased: () => void }) {
  const words = say();
  const sorted = [...visits].sort((one, other) => other.date.localeCompare(one.date));
  return (
    <section aria-label={words.found}>
      <h2>{words.visitCount(visits.length) + (more ? "+" : "")}</h2>
      <table class="list">
        <tbody>
          {sorted.map((visit) => {
            const day = dayOf(wallOf(visit.date, visit.timeZone));
            return (
              <tr key={visit.id}>
                <td class="t">
                  {shortDay(day)} {day.slice(0, 4)}
                  <small>{clockTime(visit.date, visit.timeZone)}</small>
                </td>
                <td>
                  <a class="nm" href={link("agenda", ["week", day], { visit: visit.id })}>
                    {propertyName(visit.propertyId)}
                  </a>
                  <span class="sub">{visit.visitor?.name}</span>
                </td>
                <td>
                  <StatusMark status={visit.status} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {may("admin") && visits.length > 0 && <Erasure person={person} onErased={onErased} />}
    </section>
  );
}

function Erasure({ person, onErased }: { person: Person; onErased: () => void }) {
  const words = say();
  const sure = useSignal(false);
  const refusal = useSignal<Refusal | null>(null);
  const erase = async (): Promise<void> => {
    let erased = 0;
    for (let more = true; more; ) {
      const answer = await ask(api.POST("/visitors/erase", { body: person }));
      refusal.value = answer.done ? null : answer.refusal;
      if (!answer.done) return;
      erased += answer.value.erased;
      more = answer.value.more;
    }
    sought.value = "";
    tell({ text: words.erasedVisitor(erased) });
    onErased();
  };
  return (
    <div class="note bad">
      <p>
        <strong>{words.eraseVisitor}</strong> {words.eraseVisitorText}
      </p>
      <Refused refusal={refusal.value} />
      <label class="check">
        <input type="checkbox" checked={sure.value} onChange={(event) => (sure.value = event.currentTarget.checked)} />
        {words.eraseSure}
      </label>
      {sure.value && (
        <div class="row">
          <button type="button" class="btn bad" onClick={() => void erase()}>
            {words.erase}
          </button>
        </div>
      )}
    </div>
  );
}
