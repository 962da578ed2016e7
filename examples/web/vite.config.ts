import { copyFileSync } from "node:fs";
import { babelOptimizerPlugin } from "@graphql-codegen/client-preset";
import babel from "@rolldown/plugin-babel";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The bank serves the built files at /app. All addresses are relative, so that a proxy may serve them under any path.
const OUT = "../../bank_graphql/playground/app";

export default defineConfig({
  base: "./",
  plugins: [
    // `graphql(…)` becomes the import of that one document. Otherwise every page would carry all of them, twice.
    babel({ plugins: [[babelOptimizerPlugin, { artifactDirectory: "./src/gql", gqlTagName: "graphql" }]], exclude: [/node_modules/, /src.gql/] }),
    react(),
    {
      name: "trusted-documents",
      apply: "build",
      // With the manifest, the bank executes the documents of this build by their hashes.
      closeBundle: () => copyFileSync("src/gql/persisted-documents.json", `${OUT}/documents.json`),
    },
  ],
  server: { host: "127.0.0.1", proxy: { "^/(graphql|statements|exports|personal-data)": { target: "http://127.0.0.1:8000", ws: true } } },
  build: { outDir: OUT, emptyOutDir: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 600 },
});
