// The schema's style: descriptions, names, and Relay's shapes. Run in a folder with `schema.graphql`.
import graphql from "@graphql-eslint/eslint-plugin";

export default [
  {
    files: ["schema.graphql"],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: "schema.graphql" } } },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,
      // Only types that implement Node have an id; money, balances and results of mutations are values.
      "@graphql-eslint/strict-id-in-types": "off",
      // Short lists are plain lists, and connections have `nodes` in addition to `edges`.
      "@graphql-eslint/relay-edge-types": [
        "error",
        { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
      ],
      // The feed is read forwards only.
      "@graphql-eslint/relay-arguments": ["error", { includeBoth: false }],
      // @oneOf is the specification's own.
      "@graphql-eslint/require-description": ["error", { types: true, FieldDefinition: true, InputValueDefinition: false }],
    },
  },
];
