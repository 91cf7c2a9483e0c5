// Before the first paint: the appearance chosen on an earlier visit.
try {
	const theme = localStorage.getItem("redstart:theme");
	if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
	// No storage: the system decides.
}
