// Requests.
export function Requests() {
  return <main class="page full" id="main" tabIndex={-1} />;
}
