// Visitors.
export function Visitors() {
  return <main class="page full" id="main" tabIndex={-1} />;
}
