// The page for visitors: booking a visit to the property in the address, or one's own visit by the link in its fragment.
import { render, type VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import "./look.css";
import "./book.css";
import { ask, type Booked, pathOf, type Property, type Refusal } from "./book/api.ts";
import type { Booking } from "./book/booking.tsx";
import type { Own } from "./book/own.tsx";
import { Alone, Frame, type Speech } from "./book/parts.tsx";
import type { Words } from "./book/words/en.ts";
import { type Dictionary, keepLanguage, type Language, speak, wishedLanguage } from "./language.ts";

const DICTIONARY: Dictionary<Words> = {
  en: () => import("./book/words/en.ts"),
  es: () => import("./book/words/es.ts"),
  de: () => import("./book/words/de.ts"),
  fr: () => import("./book/words/fr.ts"),
};

const linkNow = (): string => (location.hash.startsWith("#vl_") ? location.hash.slice(1) : "");

function Page(): VNode | null {
  const id = new URLSearchParams(location.search).get("property") ?? "";
  const [link, setLink] = useState(linkNow);
  const [fresh, setFresh] = useState<Booked | null>(null);
  const [property, setProperty] = useState<Property | null>(null);
  const [refusal, setRefusal] = useState<Refusal | null>(id || link ? null : { kind: "", status: 404, nearest: [], reached: "", pointers: [] });
  const [views, setViews] = useState<{ Booking?: typeof Booking; Own?: typeof Own }>({});
  const [spoken, setSpoken] = useState<{ words: Words; language: Language } | null>(null);

  async function say(language: Language): Promise<void> {
    setSpoken({ words: await speak(DICTIONARY, language), language });
  }

  async function find(): Promise<void> {
    setRefusal(null);
    const answer = await ask<Property>("GET", pathOf(id));
    if (answer.refusal) setRefusal(answer.refusal);
    else setProperty(answer.value);
    // What the browser does not wish, the agency does.
    if (!wishedLanguage()) await say(answer.value?.language ?? "en");
  }

  useEffect(() => {
    const wished = wishedLanguage() ?? (link || !id ? "en" : null);
    if (wished) void say(wished);
    const follow = (): void => {
      setFresh(null);
      setLink(linkNow());
    };
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  useEffect(() => {
    // Only what is to be seen is loaded.
    if (link) void import("./book/own.tsx").then(({ Own }) => setViews((loaded) => ({ ...loaded, Own })));
    else if (id) void import("./book/booking.tsx").then(({ Booking }) => setViews((loaded) => ({ ...loaded, Booking })));
    if (id && !link && !property) void find();
  }, [link]);

  if (!spoken) return null;
  const { words } = spoken;
  const speech: Speech = {
    ...spoken,
    choose: (language) => {
      keepLanguage(language);
      void say(language);
    },
  };

  function open(made: string, visit: Booked): void {
    history.pushState(null, "", `#${made}`);
    setFresh(visit);
    setLink(made);
  }

  if (link && views.Own) return <views.Own key={link} speech={speech} link={link} fresh={fresh} />;
  if (refusal) {
    const gone = refusal.status === 404;
    return (
      <Frame speech={speech} agency={undefined}>
        <Alone title={gone ? words.notThere : words.noConnection} {...(gone ? { text: words.notThereText } : {})}>
          {!gone && <button type="button" class="btn big" onClick={() => void find()}>{words.tryAgain}</button>}
        </Alone>
      </Frame>
    );
  }
  if (property && views.Booking && !link) return <views.Booking speech={speech} property={property} open={open} />;
  return (
    <Frame speech={speech} agency={property?.agency}>
      <p class="soft loading" role="status">{words.loading}</p>
    </Frame>
  );
}

render(<Page />, document.body);
