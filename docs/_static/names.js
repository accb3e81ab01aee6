// For keyboards and readers of screens: names that the theme leaves out or gives otherwise than it
// shows, and figures that scroll.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".search-button-field").forEach((e) => {
    e.setAttribute("aria-label", e.textContent.trim().replace(/\s+/g, " "));
  });
  document.querySelectorAll(".cell_output:has(> img)").forEach((e) => (e.tabIndex = 0));
  document.querySelectorAll("summary:has(.toctree-toggle)").forEach((e) => {
    const page = e.closest("li").querySelector("a").textContent.trim();
    e.setAttribute("aria-label", `Pages of ${page}`);
  });
});
