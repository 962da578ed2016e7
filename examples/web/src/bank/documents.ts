// Documents as the build puts them in place of `graphql(…)`: see documents.ts beside vite.config.ts.

import { parse } from "@0no-co/graphql.web";
import type { TypedDocumentNode } from "urql";

type Meta = { hash: string; text: string };

/** A document of the manifest. */
export const trustedDocument = (hash: string, text: string): TypedDocumentNode =>
  Object.assign(parse(text, { noLocation: true }), { __meta__: { hash, text } }) as unknown as TypedDocumentNode;

/** The hash and the text of a document; none of one that the cache has made from it. */
export const metaOf = (document: object): Meta | undefined => (document as { __meta__?: Meta }).__meta__;
