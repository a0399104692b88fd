// The parts that the page is made of.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { LANGUAGES, type Language } from "../language.ts";
import type { Agency } from "./api.ts";
import type { Words } from "./words/en.ts";

/** What everything on the page is said and written with. */
export interface Speech {
  words: Words;
  language: Language;
  choose: (language: Language) => void;
}

const NAMES: Record<Language, string> = { en: "English", es: "Español", de: "Deutsch", fr: "Français" };

const ICONS = {
  calendar: "M2.5 5a1.5 1.5 0 0 1 1.5-1.5h8A1.5 1.5 0 0 1 13.5 5v7a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 12zm0 1.5h11M5.5 2v2.5m5-2.5v2.5",
  check: "m3.5 8.5 3 3 6-7",
  clock: "M8 2.25a5.75 5.75 0 1 0 0 11.5 5.75 5.75 0 0 0 0-11.5M8 5v3.2l2.2 1.3",
  house: "M2.5 7.5 8 3l5.5 4.5V13h-11zM6.5 13V9.5h3V13",
  left: "M9.5 4 5.5 8l4 4",
  mail: "M2.5 4h11v8.5h-11zm0 .5L8 9l5.5-4.5",
  pin: "M8 14s4.5-4.1 4.5-7.5a4.5 4.5 0 0 0-9 0C3.5 9.9 8 14 8 14Zm0-9.1a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2",
  right: "m6.5 4 4 4-4 4",
  sign: "M8 2.25a5.75 5.75 0 1 0 0 11.5 5.75 5.75 0 0 0 0-11.5M8 5v3.5m0 2.2v.1",
};

type Sign = keyof typeof ICONS;

export function Icon({ name }: { name: Sign }): VNode {
  return (
    <svg class="i" viewBox="0 0 16 16" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}

/** Without an agency that the API has told, it is the one that the page itself names. */
export function Frame({ speech, agency = document.body.dataset, children }: { speech: Speech; agency: Agency | undefined; children: ComponentChildren }): VNode {
  return (
    <div class="public">
      <header>
        <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
          <path d="M12 2.5 21.5 9.5V21a1 1 0 0 1-1 1h-17a1 1 0 0 1-1-1V9.5z" fill="currentcolor" />
          <path d="m7.5 14 3 3 6-6.5" class="mark" />
        </svg>
        <span class="cut grow">{agency.name}</span>
        {agency.phone && <a href={`tel:${agency.phone.replace(/\(0\)|[^+\d]/g, "")}`}>{speech.words.callUs}</a>}
      </header>
      {children}
      <footer>
        <Languages speech={speech} />
      </footer>
    </div>
  );
}

function Languages({ speech }: { speech: Speech }): VNode {
  return (
    <select
      class="language"
      aria-label={speech.words.language}
      value={speech.language}
      onChange={(event) => speech.choose(event.currentTarget.value as Language)}
    >
      {LANGUAGES.map((each) => (
        <option key={each} value={each} lang={each}>
          {NAMES[each]}
        </option>
      ))}
    </select>
  );
}

/** What has just happened, or what is in the way: it is read out, and has the focus when it comes. */
export function Note({ kind = "", title, children }: { kind?: "" | "wait" | "bad"; title: string; children?: ComponentChildren }): VNode {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    place.current?.focus();
    place.current?.scrollIntoView({ block: "nearest" });
  }, [title]);
  return (
    <div class={`note ${kind}`} role={kind === "bad" ? "alert" : "status"} tabIndex={-1} ref={place}>
      <Icon name={kind ? "sign" : "check"} />
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** A heading that has the focus when what it is over has taken the place of something else. */
export function Arrival({ children }: { children: ComponentChildren }): VNode {
  const place = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    place.current?.focus();
    scrollTo(0, 0);
  }, []);
  return (
    <h1 tabIndex={-1} ref={place}>
      {children}
    </h1>
  );
}

/** Nothing but a sentence, and what can be done. */
export function Alone({ icon, title, text, children }: { icon?: Sign; title: string; text?: string; children?: ComponentChildren }): VNode {
  return (
    <main class="booking alone">
      <section class="done">
        <div>
          {icon && <span class="ok"><Icon name={icon} /></span>}
          <Arrival>{title}</Arrival>
          {text && <p class="soft lead">{text}</p>}
        </div>
        {children}
      </section>
    </main>
  );
}

/** Arrow keys go from button to button of a group; Tab leaves it as usual. */
export function arrows(event: KeyboardEvent): void {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !(event.currentTarget instanceof Element)) return;
  const buttons = [...event.currentTarget.querySelectorAll<HTMLButtonElement>("button:not([disabled])")];
  const next = buttons[buttons.findIndex((button) => button === document.activeElement) + step];
  if (next) {
    next.focus();
    event.preventDefault();
  }
}
