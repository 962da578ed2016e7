import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "schema.graphql",
  documents: ["src/typed.ts"],
  generates: { "src/gql/": { preset: "client", config: { useTypeImports: true, scalars: { Decimal: "string", DateTime: "string", BigInt: "string" } } } },
};

export default config;
