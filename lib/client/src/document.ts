import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql/language/parser.js';

/**
 * A document whose text is known only when the program runs, as when it depends on what the schema has;
 * others are generated.
 * @throws GraphQLError when it does not parse
 */
export function documentOf<TData, TVariables>(text: string): TypedDocumentNode<TData, TVariables> {
  return parse(text) as TypedDocumentNode<TData, TVariables>;
}
