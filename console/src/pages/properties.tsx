// Properties.
export function Properties() {
  return <main class="page full" id="main" tabIndex={-1} />;
}
