// Names, for readers of screens, of what the theme leaves without one or names otherwise than it shows.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".search-button-field").forEach((e) => e.removeAttribute("aria-label"));
  document.querySelectorAll("summary:has(.toctree-toggle)").forEach((e) => {
    const page = e.closest("li").querySelector("a").textContent.trim();
    e.setAttribute("aria-label", `Pages of ${page}`);
  });
});
