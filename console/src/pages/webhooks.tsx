// Webhooks.
export function Webhooks() {
  return <main class="page full" id="main" tabIndex={-1} />;
}
