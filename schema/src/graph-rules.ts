/**
 * Rules for a subgraph among the others: one owner per type, and no silent merge by composition. Reports
 * violations by the checked subgraph only.
 */
import {
  type ConstDirectiveNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  parse,
  print,
  type TypeDefinitionNode,
  type TypeExtensionNode,
  valueFromASTUntyped,
} from 'graphql';
import { type Finding, finding } from './findings.js';
import { nameOf, ownDocument, sharedNames, sharedSdl } from './shared-definitions.js';

/** A subgraph as the rules see it. */
export interface RuledSubgraph {
  readonly name: string;
  readonly sdl: string;
  /** The prefix of its types; null for core's subgraphs. */
  readonly typePrefix: string | null;
}

type TypeNode = TypeDefinitionNode | TypeExtensionNode;

const roots = new Set(['Query', 'Mutation', 'Subscription']);

/** Compares the types of a subgraph with those of the others and with the shared definitions. */
export function checkAmongOthers(
  candidate: RuledSubgraph,
  others: readonly RuledSubgraph[],
): readonly Finding[] {
  const own = typesOf(ownDocument(candidate.sdl).definitions as readonly TypeNode[]);
  const theirs = others.map((other) => ({
    other,
    types: typesOf(ownDocument(other.sdl).definitions as readonly TypeNode[]),
  }));
  const found: Finding[] = [...checkSharedDefinitions(candidate)];
  for (const [name, nodes] of own) {
    if (roots.has(name)) continue;
    const isOwner = candidate.typePrefix === null && !isReference(nodes);
    const owner = isOwner ? candidate : theirs.find((one) => ownsEntity(one, name))?.other;
    for (const { other, types } of theirs) {
      // What several experiments add to one entity of core does not concern each other.
      if (owner && owner !== candidate && owner !== other) continue;
      const twin = types.get(name);
      if (twin) found.push(...checkTwin(name, [candidate, nodes], [other, twin]));
    }
  }
  return found;
}

function typesOf(definitions: readonly TypeNode[]): Map<string, TypeNode[]> {
  const types = new Map<string, TypeNode[]>();
  for (const node of definitions) types.set(node.name.value, [...(types.get(node.name.value) ?? []), node]);
  return types;
}

function ownsEntity(
  {
    other,
    types,
  }: { readonly other: RuledSubgraph; readonly types: ReadonlyMap<string, readonly TypeNode[]> },
  name: string,
): boolean {
  const nodes = types.get(name) ?? [];
  return other.typePrefix === null && hasKey(nodes) && !isReference(nodes);
}

type Side = readonly [RuledSubgraph, readonly TypeNode[]];

/** A type that two subgraphs have: an entity of core that the other adds to or refers to, or a fault. */
function checkTwin(name: string, [candidate, own]: Side, [other, twin]: Side): readonly Finding[] {
  const conflicts = descriptionConflicts(name, [candidate, own], [other, twin]);
  if (hasKey(own) && hasKey(twin)) {
    const isHost = mayHaveGuest([candidate, own], [other, twin]);
    const isGuest = mayHaveGuest([other, twin], [candidate, own]);
    if (isGuest) return [...conflicts, ...checkGuest(name, own, twin, other)];
    if (isHost) return conflicts;
  }
  const both = `${name} is defined by "${candidate.name}" and by "${other.name}"`;
  return [...mergeFault(name, both, own, twin), ...conflicts];
}

/** True if the entity is of a subgraph of core, and the other one is an experiment or refers to it only. */
function mayHaveGuest([host, entity]: Side, [guest, part]: Side): boolean {
  if (host.typePrefix !== null) return false;
  return guest.typePrefix !== null || (isReference(part) && !isReference(entity));
}

/**
 * True for an entity that is only referred to: no key can be resolved here, and there is no field but keys.
 * Such a definition adds nothing that composition could merge.
 */
function isReference(nodes: readonly TypeNode[]): boolean {
  const keys = nodes.flatMap(({ directives }) =>
    (directives ?? []).filter(({ name }) => name.value === 'key').map((key) => argumentsOf(key)),
  );
  const keyFields = new Set(keys.flatMap(({ fields }) => String(fields).split(/[\s,]+/)));
  return (
    keys.length > 0 &&
    keys.every(({ resolvable }) => resolvable === false) &&
    nodes.flatMap(fieldsOf).every(({ name }) => keyFields.has(name.value))
  );
}

function argumentsOf(directive: ConstDirectiveNode): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    (directive.arguments ?? []).map(({ name, value }) => [name.value, valueFromASTUntyped(value)]),
  );
}

function mergeFault(
  name: string,
  both: string,
  own: readonly TypeNode[],
  twin: readonly TypeNode[],
): readonly Finding[] {
  const differ = partsOf(own).sort().join() !== partsOf(twin).sort().join();
  const kinds = new Set([...own, ...twin].map(({ kind }) => kind.replace('Extension', 'Definition')));
  if (kinds.size === 1 && kinds.has(Kind.INPUT_OBJECT_TYPE_DEFINITION) && differ) {
    const lost = difference(partsOf(own), partsOf(twin));
    const text = `${both} with different fields: ${lost.join(', ')} would vanish from the graph without a word.`;
    return [finding('vanishing-input-field', name, text)];
  }
  if (kinds.size === 1 && kinds.has(Kind.ENUM_TYPE_DEFINITION) && differ) {
    const more = difference(partsOf(own), partsOf(twin));
    return [
      finding(
        'enum-union',
        name,
        `${both} with different values (${more.join(', ')}): they would become one enum.`,
      ),
    ];
  }
  if (hasKey(own) && hasKey(twin)) {
    return [finding('silent-merge', name, `${both} as an entity: the two would silently become one type.`)];
  }
  return [finding('one-owner', name, `${both}: a type has one owner.`)];
}

function difference(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...one.filter((name) => !other.includes(name)), ...other.filter((name) => !one.includes(name))];
}

/**
 * An experiment that extends an entity of core repeats the key and the fields it needs, without directives or
 * descriptions of its own.
 */
function checkGuest(
  name: string,
  guest: readonly TypeNode[],
  core: readonly TypeNode[],
  owner: RuledSubgraph,
): readonly Finding[] {
  const found: Finding[] = [];
  const known = new Set(partsOf(core));
  const harmless = new Set(['key', 'extends', 'external', 'shareable']);
  const strange = (directives: readonly ConstDirectiveNode[] | undefined) =>
    (directives ?? []).filter((one) => !harmless.has(one.name.value)).map((one) => `@${one.name.value}`);
  const report = (where: string, marks: readonly string[]): void => {
    if (marks.length === 0) return;
    const text = `${where} is of "${owner.name}" and must not be marked ${marks.join(', ')} by others.`;
    found.push(finding('redefinition', where, text));
  };
  for (const node of guest) {
    report(name, strange(node.directives));
    for (const field of fieldsOf(node)) {
      if (known.has(field.name.value)) report(`${name}.${field.name.value}`, strange(field.directives));
    }
    if ('interfaces' in node && (node.interfaces?.length ?? 0) > 0) {
      const added = node.interfaces?.map((one) => one.name.value).join(', ');
      found.push(
        finding(
          'redefinition',
          name,
          `${name} is of "${owner.name}": others must not make it implement ${added}.`,
        ),
      );
    }
  }
  return found;
}

function descriptionConflicts(name: string, [candidate, own]: Side, [other, twin]: Side): readonly Finding[] {
  const theirs = descriptionsOf(name, twin);
  return [...descriptionsOf(name, own)].flatMap(([where, text]) => {
    const word = theirs.get(where);
    if (word === undefined || word === text) return [];
    const sentence = `${where} is described by "${candidate.name}" and otherwise by "${other.name}": only one of the texts would be shown.`;
    return [finding('description-conflict', where, sentence)];
  });
}

function descriptionsOf(name: string, nodes: readonly TypeNode[]): Map<string, string> {
  const found = new Map<string, string>();
  const take = (
    where: string,
    node: { readonly description?: { readonly value: string } | undefined },
  ): void => {
    if (node.description) found.set(where, node.description.value.trim().replaceAll(/\s+/g, ' '));
  };
  for (const node of nodes) {
    if ('description' in node) take(name, node);
    for (const field of fieldsOf(node)) take(`${name}.${field.name.value}`, field);
    if ('values' in node) for (const value of node.values ?? []) take(`${name}.${value.name.value}`, value);
  }
  return found;
}

function fieldsOf(node: TypeNode): readonly (FieldDefinitionNode | InputValueDefinitionNode)[] {
  return 'fields' in node ? (node.fields ?? []) : [];
}

/** Names of fields, of values, or of the members of a union. */
function partsOf(nodes: readonly TypeNode[]): string[] {
  return nodes.flatMap((node) => {
    if ('values' in node) return (node.values ?? []).map(({ name }) => name.value);
    if ('types' in node) return (node.types ?? []).map(({ name }) => name.value);
    return fieldsOf(node).map(({ name }) => name.value);
  });
}

function hasKey(nodes: readonly TypeNode[]): boolean {
  return nodes.some(({ directives }) => directives?.some(({ name }) => name.value === 'key') ?? false);
}

/** The shared definitions are the same everywhere; a copy may omit descriptions, but not change them. */
function checkSharedDefinitions(candidate: RuledSubgraph): readonly Finding[] {
  const names = sharedNames();
  const original = typesOf(parse(sharedSdl()).definitions.filter(isType));
  const copies = typesOf(parse(candidate.sdl).definitions.filter(isType));
  return [...copies].flatMap(([name, nodes]) => {
    const definition = original.get(name);
    if (!definition || !names.has(name)) return [];
    const sides = [
      [candidate, nodes],
      [{ name: 'the shared definitions', sdl: '', typePrefix: null }, definition],
    ] as const;
    if (shapeOf(nodes) !== shapeOf(definition)) {
      const text = `${name} is a shared definition, and "${candidate.name}" defines it otherwise.`;
      return [finding('shared-definition', name, text)];
    }
    return descriptionConflicts(name, ...sides);
  });
}

function isType(definition: { readonly kind: Kind }): definition is TypeNode {
  const name = nameOf(definition as TypeNode);
  return name !== undefined && !name.startsWith('@') && 'name' in definition;
}

/** Fields with their types: what must not differ. */
function shapeOf(nodes: readonly TypeNode[]): string {
  const lines = nodes.flatMap((node) => [
    node.kind.replace('Extension', 'Definition'),
    ...fieldsOf(node).map((field) => `${field.name.value}: ${print(field.type)}`),
    ...partsOf([node]),
  ]);
  return lines.sort().join('\n');
}
