// Finds a property by a few letters: a combo box with the list under it.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Property } from "../api/client.ts";
import { properties, propertyName } from "../api/properties.ts";
import { Icon } from "../parts/icon.tsx";
import { say } from "../words/words.ts";
import { usePropertySearch } from "./property_search.ts";

interface Props {
  chosen: string | null;
  error?: string | undefined;
  onChoose: (property: Property | null) => void;
}

export function PropertyChoice({ chosen, error, onChoose }: Props) {
  const words = say();
  const text = useSignal(chosen ? propertyName(chosen) : "");
  const { found, active, pick, look, leave, stop, step, take } = usePropertySearch((property) => {
    text.value = property.name;
    onChoose(property);
  });
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!chosen) input.current?.focus();
  }, []);
  useEffect(() => {
    if (chosen) text.value = propertyName(chosen);
  }, [chosen, chosen ? properties.value.get(chosen) : null]);

  const press = (event: KeyboardEvent): void => {
    if (event.key === "Enter" ? event.ctrlKey || event.metaKey || !take() : !found.value) return;
    if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Escape") stop();
    else if (event.key !== "Enter") return;
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
            look(text.value);
          }}
          onKeyDown={press}
          onBlur={leave}
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
