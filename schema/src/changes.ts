/** Differences between two public schemas, and their effect on clients. */
import { ChangeType, CriticalityLevel, diff } from '@graphql-inspector/core';
import { transformSupergraphToPublicSchema } from '@theguild/federation-composition';
import { buildASTSchema, type DocumentNode, parse } from 'graphql';

/** Effect of a change on clients. */
export type Severity = 'BREAKING' | 'DANGEROUS' | 'SAFE';

/** One change of the public schema. */
export interface SchemaChange {
  readonly severity: Severity;
  /** The kind, as `FIELD_REMOVED`. */
  readonly kind: string;
  /** `Type`, `Type.field`, `Type.field.argument`, or `@directive`. */
  readonly where: string;
  readonly message: string;
  /**
   * Coordinates whose usage decides whether the change matters, in the form in which usage is counted
   * (`Type.field`, `Type.field(argument:)`, `Type` for all that touches the type); empty for changes that
   * break no client.
   */
  readonly usedAs: readonly string[];
}

const severities: Readonly<Record<CriticalityLevel, Severity>> = {
  [CriticalityLevel.Breaking]: 'BREAKING',
  [CriticalityLevel.Dangerous]: 'DANGEROUS',
  [CriticalityLevel.NonBreaking]: 'SAFE',
};

/** All changes from one public schema to another: breaking ones first, each group by coordinate. */
export function compareSchemas(before: string, after: string): Promise<readonly SchemaChange[]> {
  return compareDocuments(parse(before, { noLocation: true }), parse(after, { noLocation: true }));
}

/** All changes that clients see from one supergraph to another, in the same order. */
export function compareSupergraphs(before: string, after: string): Promise<readonly SchemaChange[]> {
  const publicOf = (supergraphSdl: string): DocumentNode =>
    transformSupergraphToPublicSchema(parse(supergraphSdl, { noLocation: true }));
  return compareDocuments(publicOf(before), publicOf(after));
}

async function compareDocuments(before: DocumentNode, after: DocumentNode): Promise<readonly SchemaChange[]> {
  const options = { assumeValidSDL: true };
  const all = await diff(buildASTSchema(before, options), buildASTSchema(after, options));
  const added = new Set(all.filter(({ type }) => isAddition(String(type))).map(({ path }) => path));
  // The description of a new element is not a change of its own.
  const changes = all.filter(
    ({ type, path }) => !(String(type).endsWith('_DESCRIPTION_ADDED') && added.has(path)),
  );
  const order: readonly Severity[] = ['BREAKING', 'DANGEROUS', 'SAFE'];
  return changes
    .map(({ criticality, type, path = '', message }): SchemaChange => {
      const severity = severities[criticality.level];
      const kind = String(type);
      return { severity, kind, where: path, message, usedAs: severity === 'SAFE' ? [] : usedAs(kind, path) };
    })
    .sort(
      (a, b) =>
        order.indexOf(a.severity) - order.indexOf(b.severity) ||
        (a.where < b.where ? -1 : a.where > b.where ? 1 : 0),
    );
}

function isAddition(kind: string): boolean {
  return kind.endsWith('_ADDED') && !kind.endsWith('_DESCRIPTION_ADDED');
}

/** Changes that affect operations with the argument; others affect all operations with the field. */
const ofArgument: ReadonlySet<string> = new Set([
  ChangeType.FieldArgumentRemoved,
  ChangeType.FieldArgumentTypeChanged,
  ChangeType.FieldArgumentDefaultChanged,
]);

function usedAs(kind: string, path: string): readonly string[] {
  if (path === '' || path.startsWith('@')) return [];
  const [type = '', field, argument] = path.split('.');
  if (argument !== undefined)
    return ofArgument.has(kind) ? [`${type}.${field}(${argument}:)`] : [`${type}.${field}`];
  // Fields of inputs and values of enums in variables are not counted one by one: their type is.
  if (field === undefined || kind.startsWith('INPUT_') || kind.startsWith('ENUM_')) return [type];
  return [`${type}.${field}`];
}
