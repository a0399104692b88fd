// The page before anybody is signed in.
import { useSignal } from "@preact/signals";
import { signIn } from "./api/session.ts";
import { Logo } from "./frame.tsx";
import { Field } from "./parts/field.tsx";
import { say } from "./words/words.ts";

export function SignIn() {
  const words = say();
  const key = useSignal("");
  return (
    <main class="signin" id="main">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          if (key.value.trim()) signIn(key.value);
        }}
      >
        <Logo />
        <h1>{words.product}</h1>
        <p class="soft">{words.signInText}</p>
        <Field id="key" label={words.developmentKey} type="password" value={key.value} onInput={(value) => (key.value = value)} />
        <button type="submit" class="btn main big">
          {words.signIn}
        </button>
      </form>
    </main>
  );
}
