import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compression } from "vite-plugin-compression2";
import { documents } from "./documents.ts";

// The bank serves the built files at /app. All addresses are relative, so that a proxy may serve them under any path.
const OUT = "../../bank_graphql/playground/app";
/** The bank that `npm run dev` works with. */
const BANK = process.env.BANK_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "./",
  plugins: [documents(OUT), react(), compression({ include: /[.](js|css|svg)$/, algorithms: ["brotliCompress", "gzip"] })],
  server: { host: "127.0.0.1", proxy: { "/graphql": { target: BANK, ws: true, rewriteWsOrigin: true } } },
  build: { outDir: OUT, emptyOutDir: true, assetsInlineLimit: 0 },
});
