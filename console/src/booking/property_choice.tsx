// Finds a property by a few letters: a combo box with the list under it.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Property } from "../api/client.ts";
import { findProperties, properties, propertyName } from "../api/properties.ts";
import { Icon } from "../parts/icon.tsx";
import { say } from "../words/words.ts";

const PATIENCE = 150;

interface Props {
  chosen: string | null;
  error?: string | undefined;
  onChoose: (property: Property | null) => void;
}

export function PropertyChoice({ chosen, error, onChoose }: Props) {
  const words = say();
  const text = useSignal(chosen ? propertyName(chosen) : "");
  const found = useSignal<Property[] | null>(null);
  const active = useSignal(0);
  const input = useRef<HTMLInputElement>(null);
  const asked = useRef(0);
  useEffect(() => {
    if (chosen) text.value = propertyName(chosen);
  }, [chosen, chosen ? properties.value.get(chosen) : null]);

  const search = (letters: string): void => {
    const mine = ++asked.current;
    if (!letters.trim()) {
      found.value = null;
      return;
    }
    setTimeout(async () => {
      if (mine !== asked.current) return;
      const hits = await findProperties(letters.trim());
      if (mine !== asked.current) return;
      active.value = 0;
      found.value = hits;
    }, PATIENCE);
  };

  const pick = (property: Property | undefined): void => {
    if (!property) return;
    asked.current++;
    found.value = null;
    text.value = property.name;
    onChoose(property);
  };

  const press = (event: KeyboardEvent): void => {
    const hits = found.value;
    if (!hits) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      active.value = (active.value + (event.key === "ArrowDown" ? 1 : -1) + hits.length) % Math.max(1, hits.length);
    } else if (event.key === "Enter") pick(hits[active.value]);
    else if (event.key === "Escape") found.value = null;
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const hits = found.value;
  return (
    <div class="field">
      <label for="property">{words.property}</label>
      <div class="combo">
        <Icon name="home" />
        <input
          id="property"
          class="input"
          ref={input}
          role="combobox"
          autocomplete="off"
          aria-expanded={hits !== null}
          aria-controls="property-list"
          aria-autocomplete="list"
          {...(hits?.length ? { "aria-activedescendant": `hit-${active.value}` } : {})}
          {...(error ? { "aria-invalid": true, "aria-describedby": "property-error" } : {})}
          placeholder={words.fewLetters}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            onChoose(null);
            search(text.value);
          }}
          onKeyDown={press}
          onBlur={() => setTimeout(() => (found.value = null), 150)}
        />
        <div class={hits ? "picks open" : "picks"} id="property-list" role="listbox" aria-label={words.properties}>
          {hits?.map((property, n) => (
            <div key={property.id} id={`hit-${n}`} role="option" aria-selected={n === active.value} onPointerDown={() => pick(property)}>
              <Icon name="home" />
              <span class="grow cut">
                <Marked text={property.name} letters={text.value} />
                <span class="small soft cut block">{property.address}</span>
              </span>
            </div>
          ))}
        </div>
        {hits?.length === 0 && <p class="hint">{words.noSuchProperty}</p>}
      </div>
      {error && (
        <p class="hint error" id="property-error">
          <Icon name="warn" small /> {error}
        </p>
      )}
    </div>
  );
}

/** The letters that were typed, where they begin a word. */
function Marked({ text, letters }: { text: string; letters: string }) {
  const words = letters.trim().toLowerCase().split(/\s+/).filter(Boolean);
  return (
    <span>
      {text.split(/(\s+)/).map((word, n) => {
        const hit = words.find((one) => word.toLowerCase().startsWith(one));
        return hit ? (
          <span key={n}>
            <mark>{word.slice(0, hit.length)}</mark>
            {word.slice(hit.length)}
          </span>
        ) : (
          word
        );
      })}
    </span>
  );
}
