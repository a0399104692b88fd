// Light, dark, or as the device has it.
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEPT = "theme";

export function keptTheme(): Theme {
  const kept = localStorage.getItem(KEPT);
  return THEMES.find((theme) => theme === kept) ?? "system";
}

export function wear(theme: Theme): void {
  localStorage.setItem(KEPT, theme);
  document.documentElement.dataset.theme = theme;
}
