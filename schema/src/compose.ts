/** Composition of subgraphs to a supergraph, by `@theguild/federation-composition`. */
import { composeServices, transformSupergraphToPublicSchema } from '@theguild/federation-composition';
import { type DefinitionNode, Kind, parse, print } from 'graphql';

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

/**
 * Composes subgraphs. `publicSdl` is what clients see: no join directives, nothing inaccessible. Never throws
 * for a bad schema.
 */
export function compose(subgraphs: readonly SubgraphInput[]): Composition {
  const unparsable = subgraphs.flatMap(parseFault);
  if (unparsable.length > 0) return { ok: false, faults: unparsable };
  const services = subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) }));
  const first = attempt(services);
  const result = first.threw ? attempt(services.map(interfaceObjectsFirst)) : first;
  if (!result.supergraphSdl) {
    const faults = (result.errors ?? []).map((error) => ({
      code: String(error.extensions?.['code'] ?? 'COMPOSITION_FAILED'),
      message: error.message,
    }));
    return { ok: false, faults };
  }
  return { ok: true, supergraphSdl: result.supergraphSdl, publicSdl: publicSdlOf(result.supergraphSdl) };
}

type Service = Parameters<typeof composeServices>[0][number];
interface Result {
  readonly supergraphSdl?: string | undefined;
  readonly errors?:
    readonly { readonly message: string; readonly extensions?: Record<string, unknown> }[] | undefined;
}

/** A schema that the library throws at is a fault like any other. */
function attempt(services: readonly Service[]): Result & { readonly threw?: boolean } {
  try {
    return composeServices([...services]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { threw: true, errors: [{ message: `The composition library failed: ${why}` }] };
  }
}

/**
 * An interface object that is spoken of in `@provides` before it is declared is taken for an object by the
 * library, which throws then.
 */
function interfaceObjectsFirst(service: Service): Service {
  const isFirst = (node: DefinitionNode): boolean =>
    (node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.OBJECT_TYPE_EXTENSION) &&
    (node.directives ?? []).some(({ name }) => /(^|__)interfaceObject$/.test(name.value));
  const { definitions } = service.typeDefs;
  const ordered = [...definitions.filter(isFirst), ...definitions.filter((node) => !isFirst(node))];
  return { ...service, typeDefs: { kind: Kind.DOCUMENT, definitions: ordered } };
}

/** Public schema of a supergraph. */
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
