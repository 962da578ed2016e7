import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compression } from "vite-plugin-compression2";

// Two pages, and everything that they need beside them: no request leaves for another host. All addresses are relative, so that a
// proxy may serve them under any path.
export default defineConfig({
  base: "./",
  plugins: [react(), compression({ include: /[.](js|css|svg|ttf)$/, algorithms: ["gzip"] })],
  build: {
    rolldownOptions: {
      input: ["index.html", "graphiql.html"],
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
    chunkSizeWarningLimit: 6000,
    assetsInlineLimit: 0,
  },
});
