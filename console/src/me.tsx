// The menu of the person: appearance, language, keys, the way out; on a telephone the pages too.
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { hueOf, initials } from "./api/agents.ts";
import { person, signOut } from "./api/session.ts";
import { showKeys } from "./keys.tsx";
import { LANGUAGES } from "./language.ts";
import { link } from "./route.ts";
import { keptTheme, THEMES, wear } from "./theme.ts";
import type { Words } from "./words/en.ts";
import { choose, say, wanted } from "./words/words.ts";

const theme = signal(keptTheme());

export function Me({ tabs }: { tabs: (keyof Words["pages"])[] }) {
  const words = say();
  const menu = useRef<HTMLDetailsElement>(null);
  const name = person.value?.name ?? "";
  const close = (): void => menu.current?.removeAttribute("open");
  return (
    <details class="me" ref={menu} onKeyDown={(event) => event.key === "Escape" && close()}>
      <summary>
        <span class={`who l ${hueOf(name)}`} aria-hidden="true">
          {initials(name)}
        </span>
        <span class="off">
          {name}, {words.yourMenu}
        </span>
      </summary>
      <div class="menu">
        <div class="head">
          <h3>{name}</h3>
          <span class="small soft">{[...(person.value?.scopes ?? [])].map((scope) => words.scopes[scope]).join(", ")}</span>
        </div>
        <a href={link("mine")} onClick={close}>
          {words.myDay}
        </a>
        <nav class="narrow-tabs" aria-label={words.main}>
          {tabs.map((tab) => (
            <a key={tab} href={link(tab)} onClick={close}>
              {words.pages[tab]}
            </a>
          ))}
        </nav>
        <fieldset>
          <legend class="label">{words.appearance}</legend>
          {THEMES.map((one) => (
            <label key={one}>
              <input
                type="radio"
                name="theme"
                checked={theme.value === one}
                onChange={() => {
                  theme.value = one;
                  wear(one);
                }}
              />
              {words.themes[one]}
            </label>
          ))}
        </fieldset>
        <fieldset>
          <legend class="label">{words.language}</legend>
          {LANGUAGES.map((one) => (
            <label key={one} lang={one}>
              <input type="radio" name="language" checked={wanted.value === one} onChange={() => void choose(one)} />
              {{ en: "English", es: "Español", de: "Deutsch", fr: "Français" }[one]}
            </label>
          ))}
        </fieldset>
        <button
          type="button"
          class="wide-only"
          onClick={() => {
            close();
            showKeys.value = true;
          }}
        >
          {words.keysTitle}
        </button>
        <button type="button" onClick={signOut}>
          {words.signOut}
        </button>
      </div>
    </details>
  );
}
