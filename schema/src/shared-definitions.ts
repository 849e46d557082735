/** The definitions that all subgraphs share, and the rest of a subgraph. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type DefinitionNode, type DocumentNode, Kind, parse, print, visit } from 'graphql';

let text: string | undefined;
let names: ReadonlySet<string> | undefined;

/** Text of `shared.graphql`. */
export function sharedSdl(): string {
  return (text ??= readFileSync(new URL('../shared.graphql', import.meta.url), 'utf8'));
}

/** Names of the shared types and directives; directives with `@`. */
export function sharedNames(): ReadonlySet<string> {
  return (names ??= new Set(parse(sharedSdl()).definitions.flatMap((one) => nameOf(one) ?? [])));
}

/**
 * Puts the shared definitions before an SDL that links no specification itself, as for the subgraphs of this
 * repository.
 * @throws GraphQLError if the SDL does not parse
 */
export function completeSdl(sdl: string): string {
  const links = parse(sdl).definitions.some(
    (one) =>
      (one.kind === Kind.SCHEMA_EXTENSION || one.kind === Kind.SCHEMA_DEFINITION) &&
      one.directives?.some(({ name }) => name.value === 'link'),
  );
  return links ? sdl : `${sharedSdl()}\n${sdl}`;
}

/**
 * Definitions of a subgraph without the shared ones and without those that libraries add for the federation
 * protocol.
 */
export function ownDocument(sdl: string | DocumentNode): DocumentNode {
  const document = typeof sdl === 'string' ? parse(sdl) : sdl;
  const shared = sharedNames();
  return { ...document, definitions: document.definitions.filter((one) => isOwn(one, shared)) };
}

function isOwn(definition: DefinitionNode, shared: ReadonlySet<string>): boolean {
  const name = nameOf(definition);
  if (name === undefined || definition.kind === Kind.DIRECTIVE_DEFINITION) return false;
  return !shared.has(name) && !isMachinery(name);
}

const machinery = /^(_|federation__|link__|join__|core__|FieldSet$)/;

/** Returns true for types of the federation protocol. */
function isMachinery(name: string): boolean {
  return machinery.test(name);
}

/** Name of a type, or of a directive with `@`; undefined for the schema itself. */
export function nameOf(definition: DefinitionNode): string | undefined {
  if (!('name' in definition) || !definition.name) return undefined;
  return definition.kind === Kind.DIRECTIVE_DEFINITION ? `@${definition.name.value}` : definition.name.value;
}

/**
 * Canonical form of an SDL. It is the same for texts that differ only in the order of definitions, fields and
 * directives, in the form of descriptions, in white space, in the use of `extend`, or in definitions of the
 * federation protocol.
 */
export function canonicalSdl(sdl: string): string {
  const document = parse(sdl, { noLocation: true });
  const sorted = visit(
    { ...document, definitions: wholeTypes(document) },
    {
      StringValue: { leave: (node) => ({ ...node, value: node.value.trim(), block: false }) },
      enter: (node) => {
        const changed = sortedLists.flatMap((key) => {
          const list: unknown = (node as unknown as Record<string, unknown>)[key];
          return Array.isArray(list) ? [[key, [...(list as object[])].sort(byText)] as const] : [];
        });
        return changed.length > 0 ? { ...node, ...Object.fromEntries(changed) } : undefined;
      },
    },
  );
  return sorted.definitions
    .map((one) => print(one))
    .sort()
    .join('\n\n');
}

const sortedLists = ['fields', 'values', 'arguments', 'directives', 'interfaces', 'types', 'locations'];
const mergedLists = ['fields', 'values', 'directives', 'interfaces', 'types'];

/**
 * Types with their extensions merged; without the types of the federation protocol and without the common
 * link.
 */
export function wholeTypes(document: DocumentNode): readonly DefinitionNode[] {
  const types = new Map<string, Record<string, unknown>>();
  for (const node of document.definitions) {
    const name = nameOf(node);
    if (name === undefined || isMachinery(name.replace('@', ''))) continue;
    if (name.startsWith('@') && !sharedNames().has(name)) continue;
    types.set(name, merged(types.get(name), { ...node, kind: node.kind.replace('Extension', 'Definition') }));
  }
  return [...types.values()] as unknown as DefinitionNode[];
}

function merged(
  before: Record<string, unknown> | undefined,
  node: Record<string, unknown>,
): Record<string, unknown> {
  if (!before) return node;
  const whole = { ...before, ...node, description: before['description'] ?? node['description'] };
  for (const list of mergedLists) {
    const [had, has] = [before[list], node[list]] as [object[] | undefined, object[] | undefined];
    if (had || has) Object.assign(whole, { [list]: [...(had ?? []), ...(has ?? [])] });
  }
  return whole;
}

/** Compares by name, then by content, because a directive such as `@key` may occur several times. */
function byText(a: object, b: object): number {
  const [one, other] = [a as Named, b as Named];
  const order = compare(one.name?.value ?? '', other.name?.value ?? '');
  return order === 0 ? compare(JSON.stringify(a), JSON.stringify(b)) : order;
}

interface Named {
  readonly name?: { readonly value: string };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** SHA-256 of the canonical form, in hexadecimal. */
export function sdlDigest(sdl: string): string {
  return createHash('sha256').update(canonicalSdl(sdl)).digest('hex');
}
