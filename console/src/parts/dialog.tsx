// A dialog: the native one. Escape closes it, and asks first if something was typed.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { say } from "../words/words.ts";
import { Icon } from "./icon.tsx";

interface Props {
  title: string;
  typed?: boolean;
  small?: boolean;
  onClose: () => void;
  onSubmit: () => void;
  children: ComponentChildren;
  footer: ComponentChildren;
}

export function Dialog({ title, typed = false, small = false, onClose, onSubmit, children, footer }: Props) {
  const words = say();
  const dialog = useRef<HTMLDialogElement>(null);
  const asking = useSignal(false);
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const close = (): void => {
    if (typed) asking.value = true;
    else onClose();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <dialog
      class={small ? "dialog narrow" : "dialog"}
      ref={dialog}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onClose={() => {
        // The browser closes it on a second Escape, whoever asked for time to think.
        dialog.current?.showModal();
        close();
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
      }}
    >
      <form class="sheet-form" noValidate onSubmit={submit}>
        <header>
          <h2 id="dialog-title">{title}</h2>
          <button type="button" class="btn bare icon" aria-label={words.close} onClick={close}>
            <Icon name="x" />
          </button>
        </header>
        {children}
        {asking.value ? (
          <footer>
            <p role="alert">{words.throwAway}</p>
            <button type="button" class="btn" onClick={() => (asking.value = false)} autoFocus>
              {words.keepTyping}
            </button>
            <button type="button" class="btn bad" onClick={onClose}>
              {words.throwAwayYes}
            </button>
          </footer>
        ) : (
          footer
        )}
      </form>
    </dialog>
  );
}
