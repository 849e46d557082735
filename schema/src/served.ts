/** Comparison of a served schema with an earlier version of it. */
import { type DocumentNode, Kind, parse, print, visit } from 'graphql';
import { compareSchemas, type SchemaChange } from './changes.js';
import { wholeTypes } from './shared-definitions.js';

/**
 * Violations of a schema's earlier promises by another version; empty if the other version has all of them.
 */
export async function brokenPromises(promised: string, served: string): Promise<readonly SchemaChange[]> {
  const changes = await compareSchemas(plain(promised), plain(served));
  return changes.filter(({ severity }) => severity === 'BREAKING');
}

/**
 * A subgraph's schema as one that stands alone: extensions are part of what they extend, and federation's
 * marks are gone.
 */
function plain(sdl: string): string {
  const definitions = wholeTypes(parse(sdl, { noLocation: true }));
  const document: DocumentNode = { kind: Kind.DOCUMENT, definitions };
  return print(visit(document, { Directive: () => null }));
}
