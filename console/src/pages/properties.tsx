// The properties: found by a few letters, opened by a click; one of them with its hours.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Property } from "../api/client.ts";
import { findProperties, putProperties } from "../api/properties.ts";
import { may } from "../api/session.ts";
import { Field } from "../parts/field.tsx";
import { Icon } from "../parts/icon.tsx";
import { link, route } from "../route.ts";
import { money } from "../time/dates.ts";
import { placeOf } from "../time/zones.ts";
import { say } from "../words/words.ts";
import { PageOf } from "./page.tsx";
import { PropertyPage } from "./property.tsx";

export function Properties() {
  const id = route.value.parts[0];
  return id ? <PropertyPage key={id} id={id === "new" ? null : id} /> : <List />;
}

function List() {
  const words = say();
  const letters = useSignal("");
  const found = useSignal<Property[]>([]);
  const next = useSignal<string | null>(null);
  const more = async (cursor?: string): Promise<void> => {
    const answer = await ask(api.GET("/properties", { params: { query: { limit: 50, ...(cursor ? { cursor } : {}) } } }));
    if (!answer.done || letters.value.trim()) return;
    putProperties(answer.value.items);
    found.value = cursor ? [...found.value, ...answer.value.items] : answer.value.items;
    next.value = answer.value.nextCursor;
  };
  const asked = letters.value.trim();
  useEffect(() => {
    if (!asked) {
      void more();
      return undefined;
    }
    const timer = setTimeout(async () => {
      const hits = await findProperties(asked);
      if (letters.value.trim() !== asked) return;
      found.value = hits;
      next.value = null;
    }, 150);
    return () => clearTimeout(timer);
  }, [asked]);
  return (
    <PageOf
      title={words.pages.properties}
      acts={
        may("write") && (
          <a class="btn" href={link("properties", ["new"])}>
            <Icon name="plus" /> {words.newProperty}
          </a>
        )
      }
    >
      <div class="body">
        <Field id="letters" label={words.fewLetters} value={letters.value} onInput={(value) => (letters.value = value)} />
      </div>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">{words.property}</th>
            <th scope="col">{words.price}</th>
            <th scope="col">{words.visitsTitle}</th>
          </tr>
        </thead>
        <tbody>
          {found.value.map((property) => (
            <tr key={property.id}>
              <td>
                <a class="nm" href={link("properties", [property.id])}>
                  {property.name}
                </a>
                <span class="sub">{property.address}</span>
              </td>
              <td class="num">{property.price !== undefined && property.currency ? money(property.price, property.currency) : ""}</td>
              <td>
                {property.visitsAllowed ? words.atOnce(property.capacity) : words.noVisitsNow}
                <span class="sub">{words.zoneOf(placeOf(property.timeZone))}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.value.length === 0 && asked && <p class="list-end soft">{words.noSuchProperty}</p>}
      {next.value && (
        <p class="list-end">
          <button type="button" class="btn" onClick={() => void more(next.value ?? undefined)}>
            {words.moreProperties}
          </button>
        </p>
      )}
    </PageOf>
  );
}
