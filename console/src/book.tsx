// The booking page for visitors.
import { render } from "preact";
import "./look.css";
import "./book.css";

function Book() {
  return (
    <main class="public">
      <p>Online booking is not open yet.</p>
    </main>
  );
}

render(<Book />, document.body);
