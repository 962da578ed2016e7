// A Vite plugin for documents: each `graphql(…)` becomes the document of the manifest, under the hash by which the bank trusts it.
//
// The code generator's own way has all documents in one module, as syntax trees: every page would load all of them, at ten times
// their size.

import { copyFileSync, readFileSync } from "node:fs";
import type { Plugin } from "vite";

const MANIFEST = "src/gql/persisted-documents.json";
const CALL = /\bgraphql\(\s*`([^`]*)`,?\s*\)/g;
const NAME = /\b(?:query|mutation|subscription) (\w+)/;

/** `out` is the folder of the build: the bank finds the manifest there. */
export function documents(out: string): Plugin {
  const byName = () => {
    const manifest: Record<string, string> = JSON.parse(readFileSync(MANIFEST, "utf8"));
    return new Map(Object.entries(manifest).map((each) => [NAME.exec(each[1])?.[1], each]));
  };
  return {
    name: "trusted-documents",
    enforce: "pre",
    transform(code, id) {
      if (!/\/src\/(?!gql\/).*\.tsx?$/.test(id) || !code.includes("graphql(`")) return;
      const found = byName();
      const replaced = code.replace(CALL, (_, source: string) => {
        if (/^\s*fragment /.test(source)) return "undefined"; // the documents that spread it have it
        const document = found.get(NAME.exec(source)?.[1]);
        if (!document) throw new Error(`${id}: ${NAME.exec(source)?.[0]} is not in the manifest. Run: npm run generate`);
        return `trustedDocument(${document.map((part) => JSON.stringify(part)).join(", ")})`;
      });
      return `import { trustedDocument } from "/src/bank/documents.ts";\n${replaced}`;
    },
    writeBundle: () => copyFileSync(MANIFEST, `${out}/documents.json`),
  };
}
