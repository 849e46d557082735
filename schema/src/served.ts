/** Whether a service still answers what an earlier schema of it promised. */
import { type DocumentNode, Kind, parse, print, visit } from 'graphql';
import { compareSchemas, type SchemaChange } from './changes.js';
import { wholeTypes } from './words.js';

/** What a subgraph's schema promised and another of it breaks; empty when the other has all of it. */
export async function brokenPromises(promised: string, served: string): Promise<readonly SchemaChange[]> {
  const changes = await compareSchemas(plain(promised), plain(served));
  return changes.filter(({ severity }) => severity === 'BREAKING');
}

/** A subgraph's schema as one that stands alone: extensions are part of what they extend, and federation's marks are gone. */
function plain(sdl: string): string {
  const definitions = wholeTypes(parse(sdl, { noLocation: true }));
  const document: DocumentNode = { kind: Kind.DOCUMENT, definitions };
  return print(visit(document, { Directive: () => null }));
}
