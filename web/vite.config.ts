import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false }, // an inline script, which our policy refuses
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 3400, // the query editor, in a chunk of its own
  },
  test: { include: ["src/**/*.test.ts"] },
});
