// A page beside the agenda: its title and actions above, and what it is about.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Refusal } from "../api/client.ts";
import { Icon } from "../parts/icon.tsx";
import { type Concerning, refused } from "../visit/refusals.ts";
import { say } from "../words/words.ts";

interface Props {
  title: string;
  back?: { href: string; label: string };
  acts?: ComponentChildren;
  children: ComponentChildren;
}

export function PageOf({ title, back, acts, children }: Props) {
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <main class="page full" id="main" tabIndex={-1} ref={main}>
      <div class="sheet-head">
        {back && (
          <a class="btn bare icon" href={back.href} aria-label={back.label}>
            <Icon name="left" />
          </a>
        )}
        <h1>{title}</h1>
        {acts}
      </div>
      {children}
    </main>
  );
}

export function Refused({ refusal, what = "visit" }: { refusal: Refusal | null; what?: NonNullable<Concerning["what"]> }) {
  if (!refusal) return null;
  const told = refused(refusal, { what });
  return (
    <div class="note bad" role="alert">
      <Icon name="warn" />
      <p>
        <strong>{told.title}</strong> {told.text}
      </p>
    </div>
  );
}

export function Empty({ text, children }: { text: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <div class="say">
        <p class="soft">{text}</p>
        {children && <div class="row">{children}</div>}
      </div>
    </div>
  );
}

/** Keeps what was typed, or throws it away. */
export function Keep({ label, draft, main = false }: { label: string; draft: { typed: boolean; forget: () => void }; main?: boolean }) {
  return (
    <div class="row wrap">
      <button type="submit" class={main ? "btn main" : "btn"}>
        {label}
      </button>
      {draft.typed && (
        <button type="button" class="btn bare" onClick={draft.forget}>
          {say().throwAwayYes}
        </button>
      )}
    </div>
  );
}
