(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("nanoscale-theme");
  } catch {
    // Storage may be forbidden; the system's choice is used then.
  }
  var dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
