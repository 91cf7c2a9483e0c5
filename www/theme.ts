/** Light or dark: the system's choice unless the visitor made one. */

export type Theme = "system" | "light" | "dark";
const KEY = "redstart:theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export function chosenTheme(): Theme {
	const { theme } = document.documentElement.dataset;
	return theme === "light" || theme === "dark" ? theme : "system";
}

export function isDark(): boolean {
	const theme = chosenTheme();
	return theme === "system" ? system.matches : theme === "dark";
}

/** Remembers and shows a theme. */
export function setTheme(theme: Theme): void {
	if (theme === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme;
	try {
		if (theme === "system") localStorage.removeItem(KEY);
		else localStorage.setItem(KEY, theme);
	} catch {
		// No storage: the choice lasts as long as the page.
	}
	dispatchEvent(new Event("themechange"));
}

/** Calls `listener` now and at each change. */
export function watchTheme(listener: (isDark: boolean) => void): void {
	const tell = () => listener(isDark());
	system.addEventListener("change", tell);
	addEventListener("themechange", tell);
	tell();
}
