// One box that finds a property by a few letters, or a visitor by e-mail address or telephone number.
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Property } from "./api/client.ts";
import { findProperties } from "./api/properties.ts";
import { personOf } from "./booking/visitor.tsx";
import { sought } from "./pages/sought.ts";
import { Icon } from "./parts/icon.tsx";
import { go, link } from "./route.ts";
import { say } from "./words/words.ts";

export function Find() {
  const words = say();
  const text = useSignal("");
  const found = useSignal<Property[] | null>(null);
  const active = useSignal(0);
  const asked = useRef(0);
  const person = personOf(text.value);
  const hits = found.value ?? [];
  const open = text.value.trim() !== "" && (person !== null || found.value !== null);

  const close = (): void => {
    asked.current++;
    text.value = "";
    found.value = null;
  };
  const search = (letters: string): void => {
    const mine = ++asked.current;
    text.value = letters;
    if (!letters.trim() || personOf(letters)) {
      found.value = null;
      return;
    }
    setTimeout(async () => {
      if (mine !== asked.current) return;
      const properties = await findProperties(letters.trim());
      if (mine !== asked.current) return;
      active.value = 0;
      found.value = properties;
    }, 150);
  };
  const pick = (n: number): void => {
    const property = hits[n];
    if (person) {
      // The address is in no URL.
      sought.value = text.value.trim();
      close();
      go(link("visitors"));
    } else if (property) {
      close();
      go(link("properties", [property.id]));
    }
  };
  const press = (event: KeyboardEvent): void => {
    const count = person ? 1 : hits.length;
    if (event.key === "ArrowDown") active.value = (active.value + 1) % Math.max(1, count);
    else if (event.key === "ArrowUp") active.value = (active.value - 1 + count) % Math.max(1, count);
    else if (event.key === "Enter") pick(active.value);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  };

  return (
    <div class="combo find" role="search">
      <Icon name="search" />
      <input
        class="input"
        role="combobox"
        aria-label={words.find}
        placeholder={words.find}
        aria-expanded={open}
        aria-controls="found"
        aria-autocomplete="list"
        {...(open ? { "aria-activedescendant": `found-${active.value}` } : {})}
        autocomplete="off"
        value={text.value}
        onInput={(event) => search(event.currentTarget.value)}
        onKeyDown={press}
        onBlur={() => setTimeout(() => (found.value = null), 150)}
      />
      <kbd aria-hidden="true">/</kbd>
      <div class={open ? "picks open" : "picks"} id="found" role="listbox" aria-label={words.found}>
        {person ? (
          <div id="found-0" role="option" aria-selected onPointerDown={() => pick(0)}>
            <Icon name="user" /> {words.findVisitor(text.value.trim())}
          </div>
        ) : (
          hits.map((property, n) => (
            <div key={property.id} id={`found-${n}`} role="option" aria-selected={n === active.value} onPointerDown={() => pick(n)}>
              <Icon name="home" />
              <span class="grow cut">
                {property.name}
                <span class="small soft cut block">{property.address}</span>
              </span>
            </div>
          ))
        )}
        {open && !person && hits.length === 0 && (
          <div id="found-0" role="option" aria-selected={false} aria-disabled>
            {words.noSuchProperty}
          </div>
        )}
      </div>
    </div>
  );
}
