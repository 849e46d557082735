/** Composition of subgraphs to a supergraph, by `@theguild/federation-composition`. */
import { composeServices, transformSupergraphToPublicSchema } from '@theguild/federation-composition';
import { parse, print } from 'graphql';

/** A subgraph to compose. */
export interface SubgraphInput {
  readonly name: string;
  readonly url: string;
  readonly sdl: string;
}

/** One reason why subgraphs do not compose. */
export interface CompositionFault {
  /** The rule's code, as `INVALID_FIELD_SHARING`. */
  readonly code: string;
  readonly message: string;
}

/** A supergraph, or why there is none. */
export type Composition =
  | { readonly ok: true; readonly supergraphSdl: string; readonly publicSdl: string }
  | { readonly ok: false; readonly faults: readonly CompositionFault[] };

/** Composes subgraphs. `publicSdl` is what clients see: no join directives, nothing inaccessible. Never throws for a bad schema. */
export function compose(subgraphs: readonly SubgraphInput[]): Composition {
  const unparsable = subgraphs.flatMap(parseFault);
  if (unparsable.length > 0) return { ok: false, faults: unparsable };
  const result = composeServices(
    subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) })),
  );
  if (!result.supergraphSdl) {
    const faults = (result.errors ?? []).map((error) => ({
      code: String(error.extensions?.['code'] ?? 'COMPOSITION_FAILED'),
      message: error.message,
    }));
    return { ok: false, faults };
  }
  return { ok: true, supergraphSdl: result.supergraphSdl, publicSdl: publicSdlOf(result.supergraphSdl) };
}

/** What clients see of a supergraph. */
export function publicSdlOf(supergraphSdl: string): string {
  return `${print(transformSupergraphToPublicSchema(parse(supergraphSdl)))}\n`;
}

function parseFault({ name, sdl }: SubgraphInput): readonly CompositionFault[] {
  try {
    parse(sdl);
    return [];
  } catch (error) {
    return [
      {
        code: 'INVALID_GRAPHQL',
        message: `[${name}] ${error instanceof Error ? error.message : String(error)}`,
      },
    ];
  }
}
