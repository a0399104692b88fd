// The console for the people of an agency.
import { render } from "preact";
import { person, resume } from "./api/session.ts";
import { Frame } from "./frame.tsx";
import { SignIn } from "./signin.tsx";
import { keptTheme, wear } from "./theme.ts";
import { speakNow } from "./words/words.ts";
import "./look.css";
import "./console.css";

function Console() {
  return person.value ? <Frame /> : <SignIn />;
}

wear(keptTheme());
await Promise.all([resume(), speakNow()]);
document.body.replaceChildren();
render(<Console />, document.body);
