import { type ConstDirectiveNode, type DocumentNode, Kind } from 'graphql';
import { stringArgument } from './directives.js';

/** Specifications that the engine implements, by the name in their address. */
const supported = new Set(['link', 'core', 'join', 'inaccessible']);
/** Specifications that change execution, whether or not their link says so. */
const essential = new Set(['context']);

/**
 * Checks that the engine supports every feature on which security or execution depends.
 * @throws Error that names the features that it does not support
 */
export function assertSupportedFeatures(supergraph: DocumentNode): void {
  const unknown = supergraph.definitions.flatMap((node) => {
    if (node.kind !== Kind.SCHEMA_DEFINITION && node.kind !== Kind.SCHEMA_EXTENSION) return [];
    return (node.directives ?? []).flatMap((directive) => unsupported(directive));
  });
  if (unknown.length > 0) throw new Error(`it requires unsupported features: ${unknown.join(', ')}`);
}

function unsupported(directive: ConstDirectiveNode): string[] {
  const name = directive.name.value;
  if (name !== 'link' && name !== 'core') return [];
  const url = stringArgument(directive, name === 'link' ? 'url' : 'feature');
  if (url === undefined) return [];
  const feature = /\/([^/]+)\/v\d[^/]*\/?$/.exec(url)?.[1] ?? url;
  const purpose = stringArgument(directive, 'for');
  if (essential.has(feature)) return [`${url} (arguments by @fromContext)`];
  if (supported.has(feature) || (purpose !== 'SECURITY' && purpose !== 'EXECUTION')) return [];
  return [`${url} (for ${purpose})`];
}
