// Agents.
export function Agents() {
  return <main class="page full" id="main" tabIndex={-1} />;
}
