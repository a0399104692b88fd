// A page beside the agenda: its title and actions above, and what it is about.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Refusal } from "../api/client.ts";
import { Icon } from "../parts/icon.tsx";
import { refused } from "../visit/refusals.ts";

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

export function Refused({ refusal }: { refusal: Refusal | null }) {
  if (!refusal) return null;
  const told = refused(refusal);
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
