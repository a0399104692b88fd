// One box that finds a property by a few letters, or a visitor by e-mail address or telephone number.
import { useSignal } from "@preact/signals";
import { usePropertySearch } from "./booking/property_search.ts";
import { personOf } from "./booking/visitor.tsx";
import { sought } from "./pages/sought.ts";
import { Icon } from "./parts/icon.tsx";
import { go, link } from "./route.ts";
import { say } from "./words/words.ts";

export function Find() {
  const words = say();
  const text = useSignal("");
  const { found, active, pick, look, leave, step, take } = usePropertySearch((property) => {
    text.value = "";
    go(link("properties", [property.id]));
  });
  const person = personOf(text.value);
  const hits = found.value ?? [];
  const open = text.value.trim() !== "" && (person !== null || found.value !== null);

  const type = (letters: string): void => {
    text.value = letters;
    look(personOf(letters) ? "" : letters);
  };
  const findPerson = (): void => {
    // The address is in no URL.
    sought.value = text.value.trim();
    type("");
    go(link("visitors"));
  };
  const press = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Enter") person ? findPerson() : take();
    else if (event.key === "Escape") type("");
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
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={press}
        onBlur={leave}
      />
      <kbd aria-hidden="true">/</kbd>
      <div class={open ? "picks open" : "picks"} id="found" role="listbox" aria-label={words.found}>
        {person ? (
          <div id="found-0" role="option" aria-selected onPointerDown={findPerson}>
            <Icon name="user" /> {words.findVisitor(text.value.trim())}
          </div>
        ) : (
          hits.map((property, n) => (
            <div key={property.id} id={`found-${n}`} role="option" aria-selected={n === active.value} onPointerDown={() => pick(property)}>
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
