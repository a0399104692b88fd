// The pages that not everybody opens every day: they come together, when the first of them is opened.
export { Agents as agents } from "./agents.tsx";
export { MyDay as mine } from "./mine.tsx";
export { Properties as properties } from "./properties.tsx";
export { Requests as requests } from "./requests.tsx";
export { Sheets as sheets } from "./sheets.tsx";
export { Visitors as visitors } from "./visitors.tsx";
export { Webhooks as webhooks } from "./webhooks.tsx";
