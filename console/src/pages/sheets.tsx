// Sheets.
export function Sheets() {
  return <main class="page full" id="main" tabIndex={-1} />;
}
