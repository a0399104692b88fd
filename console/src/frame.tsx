// The frame around every page: the bar above, the page, and what is said.
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect } from "preact/hooks";
import { Agenda } from "./agenda/agenda.tsx";
import { dayAhead } from "./agenda/view.ts";
import { loadAgents } from "./api/agents.ts";
import { followEvents } from "./api/events.ts";
import { loadProperties } from "./api/properties.ts";
import { may } from "./api/session.ts";
import { freshness } from "./api/visits.ts";
import { Booking } from "./booking/booking.tsx";
import { openBooking, wish } from "./booking/draft.ts";
import { Find } from "./find.tsx";
import { Keys, listenForKeys, showKeys } from "./keys.tsx";
import { Me } from "./me.tsx";
import { Announcer } from "./parts/announcer.tsx";
import { Icon } from "./parts/icon.tsx";
import { Toasts } from "./parts/toast.tsx";
import { link, route } from "./route.ts";
import { loadRequests, waiting } from "./pages/waiting.ts";
import type { Words } from "./words/en.ts";
import { say } from "./words/words.ts";

type Pages = typeof import("./pages/pages.ts");
const PAGES: readonly string[] = ["mine", "requests", "sheets", "properties", "agents", "visitors", "webhooks"] satisfies (keyof Pages)[];

export function Frame() {
  const { page } = route.value;
  useLayoutEffect(listenForKeys, []);
  useEffect(() => void loadProperties(), []);
  // Names of agents and the count of requests may come after the visits.
  const painted = freshness.value.asOf !== null || page !== "agenda";
  useEffect(() => {
    if (!painted) return;
    void loadAgents();
    void followEvents();
    void loadRequests();
  }, [painted]);
  return (
    <div class="console">
      <a class="btn skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        {say().skip}
      </a>
      <Bar page={page} />
      {PAGES.includes(page) ? <Lazy page={page as keyof Pages} /> : <Agenda />}
      {wish.value && <Booking wish={wish.value} />}
      {showKeys.value && <Keys />}
      <Toasts />
      <Announcer />
    </div>
  );
}

const loaded = signal<Pages | null>(null);

function Lazy({ page }: { page: keyof Pages }) {
  useEffect(() => {
    void import("./pages/pages.ts").then((pages) => (loaded.value = pages));
  }, []);
  const Page = loaded.value?.[page];
  return Page ? <Page key={page} /> : <main class="page full" id="main" tabIndex={-1} />;
}

const TABS: (keyof Words["pages"])[] = ["agenda", "requests", "sheets", "properties", "agents", "visitors", "webhooks"];

function Bar({ page }: { page: string }) {
  const words = say();
  const tabs = may("admin") ? TABS : TABS.filter((tab) => tab !== "webhooks");
  return (
    <header class="bar">
      <a class="brand" href={link("agenda")} aria-label={words.toAgenda}>
        <Logo />
        <span>{words.product}</span>
      </a>
      <nav class="tabs" aria-label={words.main}>
        {tabs.map((tab) => (
          <a key={tab} href={link(tab)} {...(tab === page || (tab === "agenda" && !PAGES.includes(page)) ? { "aria-current": "page" as const } : {})}>
            {words.pages[tab]}
            {tab === "requests" && waiting.value.length > 0 && <span class="count">{waiting.value.length}</span>}
          </a>
        ))}
      </nav>
      <Find />
      {may("write") && (
        <button type="button" class="btn main" aria-label={words.newVisit} aria-keyshortcuts="N" onClick={() => openBooking({ day: dayAhead() })}>
          <Icon name="plus" />
          <span>{words.newVisit}</span>
        </button>
      )}
      <Me tabs={tabs} />
    </header>
  );
}

export const Logo = () => (
  <svg class="logo" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M12 2.5 21.5 9.5V21a1 1 0 0 1-1 1h-17a1 1 0 0 1-1-1V9.5z" fill="currentcolor" />
    <path d="m7.5 14 3 3 6-6.5" fill="none" stroke="var(--surface)" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" />
  </svg>
);
