// The console for the people of an agency.
import { render } from "preact";
import "./look.css";
import "./console.css";

render(<main class="page" />, document.body);
