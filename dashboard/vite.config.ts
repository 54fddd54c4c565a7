import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const server = "http://127.0.0.1:4000";

/**
 * Module scripts run after the first paint may have happened, and the CSP forbids inline ones,
 * so the theme is chosen by a classic script in the head with a hashed name of its own.
 */
function themeScript(): Plugin {
  const file = fileURLToPath(new URL("./src/shell/theme-init.js", import.meta.url));
  let building = false;
  return {
    name: "theme-script",
    configResolved(config) {
      building = config.command === "build";
    },
    buildStart() {
      if (building) this.emitFile({ type: "asset", name: "theme-init.js", source: readFileSync(file, "utf8") });
    },
    transformIndexHtml(_html, { bundle = {} }) {
      const built = Object.keys(bundle).find((name) => name.includes("theme-init"));
      const src = built ? `/${built}` : "/src/shell/theme-init.js";
      return [{ tag: "script", attrs: { src }, injectTo: "head-prepend" }];
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), themeScript()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: {
    port: 3000,
    proxy: { "/api": { target: server }, "/v1": { target: server }, "/health": { target: server } },
  },
  build: {
    // The CSP allows data: for images only.
    assetsInlineLimit: 0,
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
