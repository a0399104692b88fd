// The page before anybody is signed in.
import { signIn, trouble } from "./api/session.ts";
import { Logo } from "./frame.tsx";
import { Icon } from "./parts/icon.tsx";
import { say } from "./words/words.ts";

export function SignIn() {
  const words = say();
  return (
    <main class="signin" id="main">
      <div class="card">
        <Logo />
        <h1>{words.product}</h1>
        <p class="soft">{words.signInText}</p>
        {trouble.value && (
          <p class="note bad" role="alert">
            <Icon name="warn" />
            <span>{words.signInTrouble[trouble.value]}</span>
          </p>
        )}
        <button type="button" class="btn main big" onClick={() => void signIn()}>
          {words.signIn}
        </button>
      </div>
    </main>
  );
}
