import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Two pages, and everything that they need beside them: no request leaves for another host.
export default defineConfig({
  base: "/playground/",
  plugins: [react()],
  build: {
    rolldownOptions: {
      input: ["index.html", "graphiql.html"],
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
    chunkSizeWarningLimit: 6000,
    assetsInlineLimit: 0,
  },
});
