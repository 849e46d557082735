/** Composition of subgraphs to a supergraph, by `@theguild/federation-composition`. */
import { composeServices, transformSupergraphToPublicSchema } from '@theguild/federation-composition';
import {
  type DirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  Kind,
  parse,
  print,
  visit,
} from 'graphql';

/** A subgraph to compose. */
export interface SubgraphInput {
  readonly name: string;
  readonly url: string;
  readonly sdl: string;
}

/** A reason for which subgraphs do not compose. */
export interface CompositionFault {
  /** Code of the rule, such as `INVALID_FIELD_SHARING`. */
  readonly code: string;
  readonly message: string;
}

/** A supergraph, or the reasons why there is none. */
export type Composition =
  | { readonly ok: true; readonly supergraphSdl: string; readonly publicSdl: string }
  | { readonly ok: false; readonly faults: readonly CompositionFault[] };

/**
 * Composes subgraphs. `publicSdl` is the schema that clients see: without join directives and inaccessible
 * elements. Never throws for an invalid schema.
 */
export function compose(subgraphs: readonly SubgraphInput[]): Composition {
  const unparsable = subgraphs.flatMap(parseFault);
  if (unparsable.length > 0) return { ok: false, faults: unparsable };
  const unsupported = subgraphs.flatMap(unsupportedFault);
  if (unsupported.length > 0) return { ok: false, faults: unsupported };
  const services = subgraphs.map(({ name, url, sdl }) => ({
    name,
    url,
    typeDefs: withCurrentLink(parse(sdl)),
  }));
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

/** Directives of Federation that the gateway does not execute: a schema with them must not be served. */
const unsupportedDirectives = ['context', 'fromContext'] as const;

function unsupportedFault({ name, sdl }: SubgraphInput): readonly CompositionFault[] {
  const used = new Set<string>();
  visit(parse(sdl), {
    Directive(directive) {
      const [, prefixed] = /__(\w+)$/.exec(directive.name.value) ?? [];
      if (prefixed !== undefined) used.add(prefixed);
      if (directive.name.value === 'link') for (const imported of importsOf(directive)) used.add(imported);
    },
  });
  return unsupportedDirectives
    .filter((directive) => used.has(directive))
    .map((directive) => ({
      code: 'UNSUPPORTED_FEATURE',
      message: `[${name}] The gateway does not support "@${directive}"; pass the value by an argument or by @requires`,
    }));
}

/** Directives that a link to Federation imports, by their original names. */
function importsOf({ arguments: given = [] }: DirectiveNode): readonly string[] {
  const valueOf = (name: string) => given.find((one) => one.name.value === name)?.value;
  const [url, list] = [valueOf('url'), valueOf('import')];
  if (url?.kind !== Kind.STRING || !url.value.includes('/federation/v') || list?.kind !== Kind.LIST)
    return [];
  return list.values.flatMap((value) => {
    const named =
      value.kind === Kind.OBJECT ? value.fields.find((field) => field.name.value === 'name')?.value : value;
    return named?.kind === Kind.STRING ? [named.value.replace(/^@/, '')] : [];
  });
}

/** Former addresses of the shared directives: schemas published with them stay valid. */
const formerLinks: readonly string[] = ['https://rhizome.example/house/v1.0'];
const currentLink = 'https://specs.rhizome.example/rhizome/v1.0';

/** Composition takes a directive from one address only, so all subgraphs get the current one. */
function withCurrentLink(document: DocumentNode): DocumentNode {
  return visit(document, {
    StringValue: (node) => (formerLinks.includes(node.value) ? { ...node, value: currentLink } : undefined),
  });
}

type Service = Parameters<typeof composeServices>[0][number];
interface Result {
  readonly supergraphSdl?: string | undefined;
  readonly errors?:
    readonly { readonly message: string; readonly extensions?: Record<string, unknown> }[] | undefined;
}

/** Reports an exception of the library as a fault of the schema. */
function attempt(services: readonly Service[]): Result & { readonly threw?: boolean } {
  try {
    return composeServices([...services]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { threw: true, errors: [{ message: `The composition library failed: ${why}` }] };
  }
}

/**
 * Moves interface objects to the front: the library takes one that `@provides` mentions before its
 * declaration for an object, and throws.
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
